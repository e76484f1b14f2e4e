"""Which texts there are, what each may mention, and which one tells what: the tables behind domain.replies."""

from __future__ import annotations

from collections.abc import Mapping

from domain.codes import WhyNone
from domain.dossier import DossierStatus

_ABOUT = frozenset({"code", "agency", "phone"})
_DATED = _ABOUT | {"due_on"}
_HELPED = frozenset({"phone"})
_NOTHING: frozenset[str] = frozenset()

# Which texts are said, and what each may mention. A text file that lacks one, adds one or asks for more is refused.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "newly_registered": _ABOUT,
    "accepted": _DATED,
    "accepted_no_due": _ABOUT,
    "not_accepted": _ABOUT,
    "in_process": _DATED,
    "in_process_no_due": _ABOUT,
    "more_documents": _ABOUT,
    "payment_due": _ABOUT,
    "withdrawal_asked": _ABOUT,
    "stopped": _ABOUT,
    "done": _ABOUT,
    "returned": _ABOUT,
    "unmapped": _ABOUT,
    "overdue": _DATED,
    "not_found": _ABOUT,
    "agency_changed": _ABOUT,
    "source_down": _ABOUT,
    "source_down_in_process": _DATED | {"as_of"},
    "source_down_known": _ABOUT | {"as_of", "state"},
    "data_time": frozenset({"as_of"}),
    "rest_separately": _NOTHING,
    "help": _HELPED,
    "not_yet": _HELPED,
    "follow_not_yet": _HELPED,
    "example": _HELPED,
    "unreadable": _HELPED,
    "partial_code": _HELPED,
    "bad_date": _HELPED,
    "procedure_code": _HELPED,
    "phone_number": _HELPED,
    "unsupported": _HELPED,
    "which_of_two": _HELPED | {"code", "code2"},
    "which_of_three": _HELPED | {"code", "code2", "code3"},
    "which_of_four": _HELPED | {"code", "code2", "code3", "code4"},
    "too_many_readings": _HELPED,
    "choice_expired": _HELPED,
    "budget_spent": _HELPED,
    "try_later": _HELPED,
    "feedback_received": _HELPED | {"number"},
    "feedback_empty": _HELPED,
    "language_chosen": _HELPED,
    "accents_on": _HELPED,
    "accents_off": _HELPED,
    "language_unavailable": _HELPED,
    "stop_all": _HELPED | {"as_of"},
    "resume": _HELPED | {"as_of"},
    "follow": _HELPED | {"code"},
    "unfollow": _HELPED | {"code"},
    "procedure_found": _HELPED | {"procedure", "agency", "days"},
}

UNMAPPED = "unmapped"
STATE_KEYS: Mapping[DossierStatus | None, str] = {None: UNMAPPED} | {each: each.name.lower() for each in DossierStatus}

# Why a text held no code -> what is said to it.
UNREADABLE_KEYS: Mapping[str, str] = {
    WhyNone.EMPTY: "unreadable",
    WhyNone.NO_CODE: "unreadable",
    WhyNone.PARTIAL: "partial_code",
    WhyNone.BAD_DATE: "bad_date",
    WhyNone.FUTURE_DATE: "bad_date",
    WhyNone.TOO_LONG: "unreadable",
    WhyNone.TOO_MANY_READINGS: "too_many_readings",
    WhyNone.PROCEDURE_CODE: "procedure_code",
    WhyNone.PHONE_NUMBER: "phone_number",
}

# How many readings a code has -> the question back. More than four are not asked about.
WHICH_KEYS: Mapping[int, str] = {2: "which_of_two", 3: "which_of_three", 4: "which_of_four"}
