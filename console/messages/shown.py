"""Messages and opinions as the pages show them: words for states, local moments, numbers hidden (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from console.accounts.shown import local
from console.messages import clock
from console.messages.hiding import hidden, without_numbers
from console.messages.ports import Asked, Followed, Opinion, Sent, Turn
from console.page import Texts
from domain.agencies import Agencies
from domain.calendar import WorkCalendar
from domain.codes import read_reference

Cells = Mapping[str, object]


def turn_cells(turn: Turn, texts: Texts) -> Cells:
    """`asked` and `sent` are cells of their own, or None."""
    return {
        "code": code_text(turn.dossier_code),
        "asked": asked_cells(turn.asked, texts) if turn.asked else None,
        "sent": sent_cells(turn.sent, texts) if turn.sent else None,
    }


def asked_cells(asked: Asked, texts: Texts) -> Cells:
    outcome = asked.state if asked.state in texts["messages_waiting"] else ""
    return {
        "who": hidden(asked.sender) or texts["messages"]["forgotten"],
        "channel": named(texts, "messages_channel", asked.channel),
        "at": local(asked.at),
        "text": texts["messages"]["forgotten_text"] if asked.masked else without_numbers(asked.text),
        "outcome": texts["messages_waiting"].get(outcome) or named(texts, "messages_outcome", asked.outcome),
    }


def sent_cells(sent: Sent, texts: Texts) -> Cells:
    return {
        "who": hidden(sent.recipient) or texts["messages"]["forgotten"],
        "channel": named(texts, "messages_channel", sent.channel),
        "category": named(texts, "messages_category", sent.category),
        "text": texts["messages"]["secret"] if sent.secret else sent.text,
        "created": local(sent.created_at),
        "left": _moment(sent.left_at),
        "due": local(sent.available_at) if sent.state == "ready" and sent.available_at > sent.created_at else "",
        "state": named(texts, "messages_state", sent.state),
        "reason": named(texts, "messages_reason", sent.reason),
        "delivery": named(texts, "messages_delivery", sent.delivery),
        "delivered": _moment(sent.delivered_at),
    }


def followed_cells(followed: Followed, texts: Texts) -> Cells:
    return {
        "who": hidden(followed.address) or texts["messages"]["forgotten"],
        "channel": named(texts, "messages_channel", followed.channel),
        "code": code_text(followed.dossier_code),
        "since": local(followed.since),
    }


def opinion_cells(
    opinion: Opinion, texts: Texts, *, agencies: Agencies, language: str, today: date, calendar: WorkCalendar
) -> Cells:
    agency = agencies.find(opinion.agency)
    state = clock.state(opinion, today, calendar)
    return {
        "number": opinion.number,
        "who": hidden(opinion.sender) or texts["messages"]["forgotten"],
        "channel": "" if opinion.masked else named(texts, "messages_channel", opinion.sender.scheme),
        "at": local(opinion.received_at),
        "text": texts["messages"]["forgotten_text"] if opinion.masked else opinion.text,
        "agency": agency.name(language) if agency else opinion.agency,
        "code": code_text(opinion.dossier_code),
        "reference": opinion.dossier_code,
        "state": state,
        "state_name": texts["feedback_state"][state],
        "due": f"{clock.due_on(opinion.received_at, calendar):%d/%m/%Y}",
        "answer": opinion.answer or ("" if opinion.answered_at is None else texts["messages"]["forgotten_text"]),
        "answered": _moment(opinion.answered_at),
        "answered_by": opinion.answered_by,
        "told": sent_cells(opinion.told, texts) if opinion.told else None,
    }


def code_text(reference: str) -> str:
    """A code as it is printed; what is no code, such as the name of a stoppage, as it is."""
    code = read_reference(reference)
    return reference if code is None else code.text


def named(texts: Texts, section: str, word: str) -> str:
    """In the officer's words; one that is new as it is."""
    return str(texts[section].get(word, word)) if word else ""


def _moment(moment: datetime | None) -> str:
    return local(moment) if moment is not None else ""
