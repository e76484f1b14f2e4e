"""A dossier filed online: what a citizen filled in, what is wrong with it, and what came of each wish (decision
40/2016/QĐ-UBND art. 3.3 and 9.1).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from domain.intake import LONGEST_TEXT, FileKind, IntakeDossier, IntakeFile, IntakeStep
from domain.message import require_aware
from domain.phones import is_mobile, significant_number
from domain.procedure import Procedure
from domain.text import fold, safe_text

LANGUAGES: Final = ("vi", "km", "en")
INFORMATION_ONLY: Final = "thông tin"  # the level of a procedure nobody can file online (decree 224/2026/NĐ-CP art. 14)
SUPPLEMENTED: Final = "Người nộp gửi bổ sung qua mạng: "  # begins the note of a dossier's history, as officers read it
LENGTHS: Final[Mapping[str, int]] = {
    "name": LONGEST_TEXT,
    "phone": 40,
    "id_number": 30,
    "email": LONGEST_TEXT,
    "address": LONGEST_TEXT,
    "owner": LONGEST_TEXT,
    "subject": LONGEST_TEXT,
}
_EMAIL: Final = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")
_ID: Final = re.compile(r"[A-Za-z0-9]{6,20}", re.ASCII)
_BETWEEN: Final = re.compile(r"[.,\s-]")


class FilingFault(enum.StrEnum):
    """What is wrong with what was filled in, or still to be done before it can be sent."""

    NO_NAME = "no_name"
    BAD_PHONE = "bad_phone"  # no mobile number of this country
    BAD_ID = "bad_id"
    BAD_EMAIL = "bad_email"
    UNPROVED = "unproved"  # no code came back from the number
    UNDECLARED = "undeclared"  # art. 9.2
    PROCEDURE_OVER = "procedure_over"  # not in force any more
    AGENCY_OVER = "agency_over"  # it takes nothing online any more
    DAY_FULL = "day_full"  # the agency has no number left today


class FilingRefusal(enum.StrEnum):
    """Why nothing is taken now, whatever it is."""

    BUDGET = "budget"  # this address filed enough for a while
    UPLOADS = "uploads"  # this dossier was sent enough files for a day
    FULL = "full"  # what nobody has sent yet fills our disk
    BUSY = "busy"
    CLOSED = "closed"  # it is not asked for in this state


class NumberOutcome(enum.StrEnum):
    """What came of a wish for a code, or of a code that was typed."""

    SENT = "sent"  # or not, where the number's own day is spent or it wants no messages: the same from outside
    NO_NUMBER = "no_number"
    WORK_NEEDED = "work_needed"  # a proof of work first
    REFUSED = "refused"  # the asker's budget is spent
    PROVED = "proved"
    WRONG = "wrong"
    SPENT = "spent"  # expired, used, tried too often, or never there


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAnswer:
    """SENT: good until `expires_at`. PROVED: `number` is whose code came back, as 84912345678."""

    outcome: NumberOutcome
    number: str = ""
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(self.expires_at, "expires_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingForm:
    """As typed, safe to be kept and shown. `notify_words`: what was asked and ticked, where it was."""

    name: str = ""
    phone: str = ""
    id_number: str = ""
    email: str = ""
    address: str = ""
    owner: str = ""
    subject: str = ""
    language: str = LANGUAGES[0]
    notify_words: str = ""

    @property
    def notify(self) -> bool:
        return bool(self.notify_words)

    @property
    def number(self) -> str:
        """The mobile number as it is told apart, 84912345678; empty: it is none of this country."""
        found = f"84{significant_number(fold(self.phone))}"
        return found if is_mobile(found) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingDraft:
    """What is being filled in, as its pages show it. `procedure` None: it is not in force any more. `counts_from`: the day
    it counts as received were it sent now. `sent_code`: a code was asked for, and may be typed.
    """

    agency: str
    procedure: Procedure | None
    form: FilingForm
    files: tuple[IntakeFile, ...]
    proved: bool
    expires_at: datetime
    now: datetime
    counts_from: date

    @property
    def faults(self) -> tuple[tuple[str, FilingFault], ...]:
        """What must be mended before it can be sent, but for what is ticked at the end."""
        found = form_faults(self.form)
        if self.procedure is None:
            found = (("form", FilingFault.PROCEDURE_OVER), *found)
        return found if self.proved else (*found, ("code", FilingFault.UNPROVED))


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledDossier:
    """What was sent, as its secret link shows it. `results` only once it is done. `counts_from`: the day it counts as
    received. `may_supplement`, `may_withdraw`: whoever filed it may do so as it stands.
    """

    dossier: IntakeDossier
    steps: tuple[IntakeStep, ...]
    results: tuple[IntakeFile, ...]
    handed_in: tuple[IntakeFile, ...]
    counts_from: date
    may_supplement: bool
    may_withdraw: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLeave:
    """Leave to hand in files now: for the draft or the dossier `owner`, of `papers` lines. `room`: bytes of all of them."""

    owner: int
    kind: FileKind
    papers: int
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is taken as a file. `formats`: as endings; sizes in bytes."""

    formats: tuple[str, ...]
    largest: int
    most: int
    most_bytes: int


def read_filing(sent: Mapping[str, str], *, consent: str) -> FilingForm:
    """What was sent, each in one line and no longer than is kept. `consent`: the words beside the tick."""
    typed = {name: safe_text(sent.get(name, ""), longest) for name, longest in LENGTHS.items()}
    wished = sent.get("language", "")
    return FilingForm(
        **typed,
        language=wished if wished in LANGUAGES else LANGUAGES[0],
        notify_words=consent if "notify" in sent else "",
    )


def form_faults(form: FilingForm) -> tuple[tuple[str, FilingFault], ...]:
    """(field, fault) in the order of the form."""
    checks = (
        (not form.name, "name", FilingFault.NO_NAME),
        (not form.number, "phone", FilingFault.BAD_PHONE),
        (bool(form.id_number) and not _ID.fullmatch(plain_id(form.id_number)), "id_number", FilingFault.BAD_ID),
        (bool(form.email) and not _EMAIL.fullmatch(form.email), "email", FilingFault.BAD_EMAIL),
    )
    return tuple((field, fault) for wrong, field, fault in checks if wrong)


def plain_id(typed: str) -> str:
    """A number of an identity card or a passport without what is typed between its signs."""
    return _BETWEEN.sub("", fold(typed))


def may_be_filed(procedure: Procedure) -> bool:
    """Online, as far as the procedure says."""
    return procedure.level != INFORMATION_ONLY
