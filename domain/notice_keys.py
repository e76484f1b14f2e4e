"""Which notices there are, what each may mention, and which one tells what: the tables behind domain.notice_texts."""

from __future__ import annotations

from collections.abc import Mapping

from domain.dossier import DossierStatus
from domain.notices import NoticeKind
from domain.reply_keys import EXTRA_KEYS

_K = NoticeKind
_ABOUT = frozenset({"code", "agency", "phone"})
_DATED = _ABOUT | {"due_on"}
_SPAN = frozenset({"starts_at", "ends_at"})
_LISTED = frozenset({"agency", "total", "codes"})

# Which texts are said, and what each may mention. A text file that lacks one, adds one or asks for more is refused.
NOTICE_PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "newly_registered": _ABOUT,
    "accepted": _DATED,
    "accepted_due_unknown": _ABOUT,
    "accepted_no_due": _ABOUT,
    "not_accepted": _ABOUT,
    "in_process": _DATED,
    "in_process_due_unknown": _ABOUT,
    "in_process_no_due": _ABOUT,
    "overdue": _DATED,
    "more_documents": _ABOUT,
    "payment_due": _ABOUT,
    "withdrawal_asked": _ABOUT,
    "withdrawn": _ABOUT,
    "stopped": _ABOUT,
    "ready": _ABOUT,
    "ready_early": _ABOUT,
    "returned": _ABOUT,
    "corrected": _ABOUT | {"state"},
    "appointment_changed": _DATED,
    "appointment_moved": _DATED,
    "appointment_no_due": _ABOUT,
    "reminder": _DATED,
    "stoppage": _SPAN | {"agency", "phone"},
    "stoppage_worded": _SPAN | {"agency", "phone", "words"},
    "officers_waiting": _LISTED | {"days"},
    "officers_late": _LISTED,
    "officers_more": frozenset({"rest"}),
    "due": frozenset({"due_on"}),
    "stop": frozenset(),
    "stop_everything": frozenset(),
    "stop_to": frozenset({"number"}),
    "stop_everything_to": frozenset({"number"}),
    "stoppage_tail": _SPAN,
    "stoppage_worded_tail": _SPAN | {"words"},
}

# Kinds whose text tells the promised day -> what is said where there is none, and where nobody can say it.
WITHOUT_DUE: Mapping[NoticeKind, tuple[str, str]] = {
    _K.ACCEPTED: ("accepted_no_due", "accepted_due_unknown"),
    _K.IN_PROCESS: ("in_process_no_due", "in_process_due_unknown"),
    _K.APPOINTMENT_CHANGED: ("appointment_no_due", "appointment_no_due"),
    _K.APPOINTMENT_MOVED: ("appointment_no_due", "appointment_no_due"),
    _K.REMINDER: ("appointment_no_due", "appointment_no_due"),
}

# What whoever proved a right to it is told besides, by state: a key of domain.reply_keys.EXTRA_KEYS, which names the text.
ASKED_FOR: Mapping[DossierStatus | None, str] = {
    DossierStatus.MORE_DOCUMENTS: "missing",
    DossierStatus.PAYMENT_DUE: "fee",
}
ASKING = frozenset({_K.MORE_DOCUMENTS, _K.PAYMENT_DUE, _K.CORRECTED})  # by these kinds
ASKED_KEYS: Mapping[str, str] = {name: f"reply.{EXTRA_KEYS[name]}" for name in ASKED_FOR.values()}

# Told where the result is fetched, which may be another door than the one that worked on it.
FETCHED = frozenset({_K.READY, _K.READY_EARLY, _K.RETURNED})

TO_OFFICERS = frozenset({_K.OFFICERS_WAITING, _K.OFFICERS_LATE})
ABOUT_A_DOSSIER = frozenset(_K) - TO_OFFICERS - {_K.STOPPAGE}
