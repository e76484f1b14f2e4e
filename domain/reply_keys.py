"""Which texts there are, what each may mention, and which one tells what: the tables behind domain.replies."""

from __future__ import annotations

from collections.abc import Mapping

from domain.codes import WhyNone
from domain.dossier import DossierStatus

_ABOUT = frozenset({"code", "agency", "phone"})
_DATED = _ABOUT | {"due_on"}
_HELPED = frozenset({"phone"})
_PROCEDURE = _HELPED | {"procedure", "fee", "where"}
_NOTHING: frozenset[str] = frozenset()

# Which texts are said, and what each may mention. A text file that lacks one, adds one or asks for more is refused.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "newly_registered": _ABOUT,
    "accepted": _DATED,
    "accepted_no_due": _ABOUT,
    "accepted_due_unknown": _ABOUT,
    "not_accepted": _ABOUT,
    "in_process": _DATED,
    "in_process_no_due": _ABOUT,
    "in_process_due_unknown": _ABOUT,
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
    "proof_needed": _ABOUT,
    "data_time": frozenset({"as_of"}),
    "proved_missing": frozenset({"missing"}),
    "proved_fee": frozenset({"fee"}),
    "proved_procedure": frozenset({"procedure"}),
    "proved_unit": frozenset({"unit"}),
    "rest_separately": _NOTHING,
    "help": _HELPED,
    "not_yet": _HELPED,
    "follow_how": _HELPED,
    "nothing_followed": _HELPED,
    "not_followed": _HELPED | {"code"},
    "example": _HELPED,
    "unreadable": _HELPED,
    "procedure_or_code": _HELPED,
    "partial_code": _HELPED,
    "bad_date": _HELPED,
    "procedure_code": _HELPED,
    "phone_number": _HELPED,
    "unsupported": _HELPED,
    "which_of_two": _HELPED | {"code", "code2"},
    "which_of_three": _HELPED | {"code", "code2", "code3"},
    "which_of_four": _HELPED | {"code", "code2", "code3", "code4"},
    "which_agency_of_two": frozenset({"code", "agency", "agency2"}),
    "which_agency_of_three": frozenset({"code", "agency", "agency2", "agency3"}),
    "which_agency_of_four": frozenset({"agency", "agency2", "agency3", "agency4"}),
    "which_agency": _HELPED,
    "too_many_readings": _HELPED,
    "choice_expired": _HELPED,
    "budget_spent": _HELPED,
    "try_later": _HELPED,
    "too_busy": _HELPED,
    "feedback_received": _HELPED | {"number"},
    "feedback_empty": _HELPED,
    "language_chosen": _HELPED,
    "accents_on": _HELPED,
    "accents_off": _HELPED,
    "language_unavailable": _HELPED,
    "stop_all": _HELPED | {"as_of"},
    "resume": _HELPED | {"as_of"},
    "follow": _HELPED | {"code", "now"},
    "follow_as_of": _HELPED | {"code", "as_of", "state"},
    "follow_resumed": _HELPED | {"code", "now"},
    "follow_over": _HELPED | {"code", "state"},
    "follow_full": _HELPED | {"code", "count"},
    "follow_pin": _HELPED | {"pin", "code", "minutes"},
    "filing_pin": frozenset({"pin", "minutes"}),
    "picture_unread": _HELPED,
    "picture_unavailable": _HELPED,
    "write_privately": _HELPED,
    "link_how": _HELPED,
    "link_sent": _HELPED | {"minutes"},
    "link_pin": frozenset({"pin", "chat", "minutes"}),
    "link_done": _HELPED,
    "link_wrong": _HELPED,
    "link_spent": _HELPED,
    "link_full": _HELPED | {"count"},
    "link_sms_only": _HELPED,
    "link_over": _HELPED,
    "unfollow": _HELPED | {"code"},
    "unfollow_several": _HELPED | {"count"},
    "unfollow_which": _HELPED | {"count"},
    "end_which_of_two": _HELPED | {"code", "code2"},
    "end_which_of_three": _HELPED | {"code", "code2", "code3"},
    "end_which_of_four": _HELPED | {"code", "code2", "code3", "code4"},
    "followed": frozenset({"codes"}),
    "followed_some": frozenset({"codes", "count"}),
    "followed_stopped": _NOTHING,
    "procedure_found": _PROCEDURE | {"days"},
    "procedure_found_noted": _PROCEDURE | {"days_note"},
    "procedure_how": _HELPED,
    "procedure_not_found": _HELPED,
    "which_procedure_of_two": _HELPED | {"procedure", "procedure2"},
    "which_procedure_of_three": _HELPED | {"procedure", "procedure2", "procedure3"},
    "which_procedure_of_four": frozenset({"procedure", "procedure2", "procedure3", "procedure4"}),
}

# What may be told of a dossier beyond its state -> the text that is added; what the citizen must do comes first.
EXTRA_KEYS: Mapping[str, str] = {
    "missing": "proved_missing",
    "fee": "proved_fee",
    "procedure": "proved_procedure",
    "unit": "proved_unit",
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
    WhyNone.WHICH_AGENCY: "which_agency",
    WhyNone.PROCEDURE_CODE: "procedure_code",
    WhyNone.PHONE_NUMBER: "phone_number",
}

# How many readings a code has -> the question back. More than four are not asked about.
WHICH_KEYS: Mapping[int, str] = {2: "which_of_two", 3: "which_of_three", 4: "which_of_four"}

# How many dossiers somebody follows who wants to end one and does not say which -> the question back.
ENDING_KEYS: Mapping[int, str] = {2: "end_which_of_two", 3: "end_which_of_three", 4: "end_which_of_four"}

# How many procedures somebody may mean -> the question back.
WHICH_PROCEDURE_KEYS: Mapping[int, str] = {
    2: "which_procedure_of_two",
    3: "which_procedure_of_three",
    4: "which_procedure_of_four",
}
# The same, of one receipt number that several agencies may have given.
WHICH_AGENCY_KEYS: Mapping[int, str] = {
    2: "which_agency_of_two",
    3: "which_agency_of_three",
    4: "which_agency_of_four",
}
