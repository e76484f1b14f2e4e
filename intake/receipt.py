"""What stands on the receipt (form 01, "Giấy tiếp nhận hồ sơ và hẹn trả kết quả"), and nothing that does not (pure).

The fields are those of circular 01/2018/TT-VPCP, form 01, and circular 03/2025/TT-VPCP, appendix I (reference: domain
§3.5), with what lets its holder ask: a number, an address, a QR code, and a secret. The secret stands on the paper for eyes
only: not in the QR code, which people photograph and send about, and which would be a third larger with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.intake import IntakeDossier, IntakeStep, Paper
from domain.message import require_aware
from domain.working_time import TimeLimit

# From one of these on it is received (circular 01/2018/TT-VPCP art. 9): before, there is nothing to certify.
RECEIVED: Final = frozenset({DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})
# What a person is told to type, as config/grammar.toml knows it; a test reads each with the reader of messages.
FOLLOW_WORD: Final = "DK"
SECRET_WORD: Final = "MK"  # noqa: S105 - what is typed before a secret
MASK: Final = "*"  # for each sign of a secret that is not told


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpPlaces:
    """Where the holder of a receipt may ask. `numbers`: of the SMS accounts; `keyword`: typed before a code, where the
    number is shared with others. `page`: the address of the look-up page; `short`: what stands before a code in the address
    of its own page ("https://…/D/"); both empty where it is not known how citizens reach us. `chats`: name and address.
    """

    numbers: tuple[str, ...] = ()
    keyword: str = ""
    page: str = ""
    short: str = ""
    chats: tuple[tuple[str, str], ...] = ()

    def qr(self, code: DossierCode) -> str:
        """What its QR code says: the address of its page in capitals, which makes a smaller code; else the code itself.
        Either is read by the chats as if it had been typed.
        """
        reference = code.reference.upper()
        return f"{self.short.upper()}{quote(reference, safe='/:')}" if self.short else reference

    def texts(self, code: DossierCode, secret: str) -> Mapping[str, str]:
        """What is sent to `numbers`, by what it does: `ask`, `more` (with the secret), `follow`. Empty without a number."""
        if not self.numbers:
            return {}
        ask = f"{self.keyword} {code.text}".strip()
        follow = f"{FOLLOW_WORD} {code.text}"
        return {"ask": ask, **({"more": f"{ask} {SECRET_WORD} {secret}"} if secret else {}), "follow": follow}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingAgency:
    """Who hands it out. `names`: in full, per language; Vietnamese is always there."""

    names: Mapping[str, str]
    address: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeReceipt:
    """The receipt. `late_entered_at`: it was on paper first, and typed then (decision 40/2016/QĐ-UBND art. 7.3).
    `second`: the language beside Vietnamese, which alone is the legal text; empty: none. `consent`: what was asked, ticked
    if `notify`. `reprinted_at`: this is a duplicate.
    """

    code: str
    qr: str
    secret: str
    agency: IssuingAgency
    second: str
    name: str
    owner: str
    address: str
    phone: str
    email: str
    id_number: str
    procedure: str
    procedure_code: str
    subject: str
    papers: tuple[Paper, ...]
    sets: int
    limit: TimeLimit | None
    received_at: datetime
    due_at: datetime | None
    late_entered_at: datetime | None
    fee: str
    fee_dong: int | None
    paid: bool
    consent: str
    notify: bool
    received_by: str
    numbers: tuple[str, ...]
    texts: Mapping[str, str]
    page: str
    chats: tuple[tuple[str, str], ...]
    printed_at: datetime
    reprinted: bool

    def __post_init__(self) -> None:
        for name in ("received_at", "due_at", "late_entered_at", "printed_at"):
            require_aware(getattr(self, name), name)


def make_receipt(
    dossier: IntakeDossier,
    steps: Sequence[IntakeStep],
    *,
    agency: IssuingAgency,
    places: LookUpPlaces,
    consent: str,
    printed_at: datetime,
    reprinted: bool = False,
    tell_secret: bool = True,
) -> IntakeReceipt | None:
    """None: it is not received yet, or never was. `tell_secret` False: whoever looks works at no desk, and gets it masked. `consent`: what is asked at the counter; what a dossier's applicant did
    agree to stands in its place. Only papers that were handed in are certified.
    """
    if not is_received(dossier, steps):
        return None
    person = dossier.person
    return IntakeReceipt(
        code=dossier.code.text,
        qr=places.qr(dossier.code),
        secret=dossier.secret if tell_secret else MASK * len(dossier.secret),
        agency=agency,
        second=second_language(dossier),
        name=person.name,
        owner=person.owner,
        address=person.address,
        phone=person.phone,
        email=person.email,
        id_number=person.id_number,
        procedure=dossier.procedure_name,
        procedure_code=dossier.procedure,
        subject=dossier.subject,
        papers=tuple(paper for paper in dossier.papers if paper.handed_in),
        sets=dossier.sets,
        limit=dossier.limit,
        received_at=dossier.received_at,
        due_at=dossier.due_at,
        late_entered_at=dossier.entered_at if dossier.late else None,
        fee=dossier.fee,
        fee_dong=dossier.fee_dong,
        paid=dossier.paid_at is not None,
        consent=dossier.notify_words or consent,
        notify=dossier.notify,
        received_by=received_by(steps),
        numbers=places.numbers,
        texts=places.texts(dossier.code, dossier.secret if tell_secret else ""),
        page=places.page,
        chats=places.chats,
        printed_at=printed_at,
        reprinted=reprinted,
    )


def is_received(dossier: IntakeDossier, steps: Iterable[IntakeStep]) -> bool:
    """It was accepted once, whatever became of it."""
    return dossier.status in RECEIVED or any(step.after in RECEIVED for step in steps)


def received_by(steps: Iterable[IntakeStep]) -> str:
    """The officer who accepted it; empty: nobody did yet."""
    return next((step.actor.name for step in steps if step.after in RECEIVED and step.actor.officer is not None), "")


def second_language(dossier: IntakeDossier) -> str:
    """What stands under the Vietnamese."""
    return "" if dossier.language == "vi" else dossier.language
