"""What each paper of the desk shows, as its template wants it (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from console.accounts.shown import local
from console.forms import read_day
from console.intake.shown import money
from console.intake.wording import LEGAL, Said, Wording, long_day, qr_drawing
from domain.calendar import local_day
from domain.intake import IntakeDossier, Person
from intake.forms import Form, HandOver, Letter, punctuality
from intake.receipt import IntakeReceipt, IssuingAgency

MOST_DAYS: Final = 92  # of the follow-up book at once
MANY_PAPERS: Final = 5  # from there on a sheet is set a little smaller
Facts = Sequence[tuple[str, str, bool]]  # (name under [print], what it is, in plain type)
NameOf = Callable[[str], str]

KINDS: Final[Mapping[Form, str]] = {
    Form.SUPPLEMENT: "supplement",
    Form.REFUSAL: "refusal",
    Form.APOLOGY: "apology",
    Form.STOP: "stop",
}
# Who signs: whoever decided; for an apology and a stop the head of the agency, whose name nobody knows here.
SIGNS: Final[Mapping[Form, tuple[str, ...]]] = {
    Form.SUPPLEMENT: ("applicant", "guide"),
    Form.REFUSAL: ("applicant", "officer"),
    Form.APOLOGY: ("", "head"),
    Form.STOP: ("", "head"),
}
BOOK_COLUMNS: Final = (
    "number",
    "code",
    "procedure",
    "sets",
    "name",
    "contact",
    "holder",
    "received",
    "due",
    "returned",
    "source",
    "sign",
    "note",
)


def receipt_shown(receipt: IntakeReceipt, say: Wording, *, roll: bool) -> Mapping[str, Any]:
    """The receipt; on a roll papers stand in a list."""
    bilingual = len(say.languages) > 1
    return {
        "say": say,
        "receipt": receipt,
        "roll": roll,
        "dense": not roll and (bilingual or len(receipt.papers) > MANY_PAPERS),
        "day": long_day(receipt.received_at),
        "qr": qr_drawing(receipt.qr),
        "facts": _facts_of(receipt),
        "terms": _terms(receipt, say),
        "ways": _ways(receipt, say),
        # What the applicant agreed to is kept in its own words; under them stands what they mean.
        "consent": [(LEGAL, receipt.consent), *say("consent")[1:]],
        "decided": say("consent_yes" if receipt.notify else "consent_no"),
        "signs": (("applicant", receipt.name), ("officer", receipt.received_by)),
    }


def _facts_of(receipt: IntakeReceipt) -> Facts:
    rows = (
        ("from", receipt.name, False),
        ("owner", receipt.owner, False),
        ("address", receipt.address, True),
        ("phone", receipt.phone, True),
        ("email", receipt.email, True),
        ("id_number", receipt.id_number, True),
        ("procedure", f"{receipt.procedure} ({receipt.procedure_code})", False),
        ("subject", receipt.subject, True),
    )
    return [row for row in rows if row[1]]


def _terms(receipt: IntakeReceipt, say: Wording) -> Sequence[tuple[Said, Said]]:
    """How long, when, where and for how much: (what it is, what it says)."""
    due: Said = [(LEGAL, say.moment(receipt.due_at))] if receipt.due_at else say("no_due")
    where = ", ".join(each for each in (receipt.agency.names[LEGAL], receipt.agency.address) if each)
    phone = f" ({receipt.agency.phone})" if receipt.agency.phone else ""
    rows: list[tuple[str, Said]] = [
        ("sets", say("sets_count", count=receipt.sets)),
        ("limit", say.limit(receipt.limit)),
        ("received", [(LEGAL, say.moment(receipt.received_at))]),
        ("due", due),
        ("place", [(LEGAL, where + phone)]),
    ]
    return [(say(name), values) for name, values in (*rows, *_fee(receipt, say))]


def _fee(receipt: IntakeReceipt, say: Wording) -> Iterable[tuple[str, Said]]:
    if not receipt.fee_dong:
        return [("fee", [(LEGAL, receipt.fee)])] if receipt.fee else []
    paid = say("paid" if receipt.paid else "unpaid")
    return [("fee", [(LEGAL, f"{money(receipt.fee_dong)}, {paid[0][1]}"), *paid[1:]])]


def _ways(receipt: IntakeReceipt, say: Wording) -> Sequence[tuple[Said, Sequence[tuple[str, bool]]]]:
    """How to ask: what for, and what to do, in pieces of which some are to be typed as they stand."""
    number = " / ".join(receipt.numbers)
    messages = [
        (say(name), _pieces(say.legal("send", text=text, number=number), text, number))
        for name, text in receipt.texts.items()
    ]
    pages = [(say("web"), [(bare_address(receipt.page), True)])] if receipt.page else []
    chats = [([(LEGAL, name)], [(bare_address(address), True)]) for name, address in receipt.chats]
    return [*messages, *pages, *chats]


def bare_address(address: str) -> str:
    """As people type it."""
    return address.partition("://")[2]


def _pieces(sentence: str, *typed: str) -> Sequence[tuple[str, bool]]:
    """The sentence cut where something stands that is to be typed."""
    pieces: list[tuple[str, bool]] = []
    for text in typed:
        before, found, sentence = sentence.partition(text)
        pieces += [(before, False), (found, True)]
    return [piece for piece in (*pieces, (sentence, False)) if piece[0]]


# ---- the letters


def letter_shown(
    letter: Letter, dossier: IntakeDossier, agency: IssuingAgency, say: Wording, reprinted_at: datetime | None
) -> Mapping[str, Any]:
    """Forms 02 to 05."""
    person, names = dossier.person, agency.names
    contact = say("contact", agency=names, phone=agency.phone) if agency.phone else say("contact_desk", agency=names)
    signers = {"applicant": person.name, "guide": letter.by, "officer": letter.by}
    return {
        "say": say,
        "kind": KINDS[letter.form],
        "letter": letter,
        "agency": agency,
        "code": dossier.code.text,
        "name": person.owner or person.name,
        "day": long_day(letter.at),
        "received_on": local_day(dossier.received_at),
        "reprinted_at": reprinted_at,
        "facts": _facts_of_letter(dossier, person),
        "contact": contact,
        "signs": [(who, signers.get(who, "")) for who in SIGNS[letter.form]],
    }


def _facts_of_letter(dossier: IntakeDossier, person: Person) -> Facts:
    rows = (
        ("address", person.address, True),
        ("phone", person.phone, True),
        ("email", person.email, True),
        ("procedure", dossier.procedure_name, False),
        ("subject", dossier.subject, True),
    )
    return [row for row in rows if row[1]]


# ---- papers of the office


def slip_shown(
    dossier: IntakeDossier, rows: Iterable[HandOver], words: Mapping[str, str], name_of: NameOf
) -> Mapping[str, Any]:
    """The control slip, in Vietnamese."""
    result = punctuality(dossier, local_day)
    facts = (
        ("code", dossier.code.text),
        ("procedure", dossier.procedure_name),
        ("agency", name_of(dossier.agency)),
        ("received", local(dossier.received_at)),
        ("due", local(dossier.due_at) if dossier.due_at else ""),
        ("finished", local(dossier.finished_at) if dossier.finished_at else ""),
        ("result", words[result] if result else ""),
    )
    return {
        "words": words,
        "code": dossier.code.text,
        "facts": [(words[name], value) for name, value in facts if value],
        "rows": [
            {
                "between": f"{_place(row.giver, name_of)} → {_place(row.taker, name_of)}",
                "at": local(row.at),
                "entered": words["entered"].format(local(row.entered_at)) if row.entered_at else "",
                "by": row.by,
                "note": row.note,
            }
            for row in rows
        ],
    }


def _place(place: tuple[str, str], name_of: NameOf) -> str:
    agency, unit = place
    return ", ".join(each for each in (unit, name_of(agency) if agency else "") if each)


def book_rows(
    dossiers: Iterable[IntakeDossier], words: Mapping[str, str], sources: Mapping[str, str], name_of: NameOf
) -> Sequence[Mapping[str, Any]]:
    """Lines of the follow-up book, in the order they were received."""
    return [
        {
            "code": each.code.text,
            "procedure": each.procedure_name,
            "sets": each.sets,
            "name": each.person.owner or each.person.name,
            "contact": ", ".join(part for part in (each.person.address, each.person.phone) if part),
            "holder": _place((each.holder, each.unit), name_of),
            "received": local(each.received_at),
            "due": local(each.due_at) if each.due_at else "",
            "returned": local(each.returned_at) if each.returned_at else "",
            "source": sources[each.source],
            "sign": "",
            "note": words["late"] if each.late else "",
        }
        for each in sorted(dossiers, key=lambda one: (one.received_at, one.id))
    ]


def days_of(since: str, until: str) -> tuple[date, date] | None:
    """The first day and the last, as forms write them; None: they are none, or too many."""
    first, last = read_day(since), read_day(until)
    if first is None or last is None:
        return None
    return (first, last) if first <= last < first + timedelta(days=MOST_DAYS) else None
