"""What a notice may be about, how urgent each is, and what of a dossier makes a change worth one, as tables."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from domain.dossier import Dossier, DossierStatus


class NoticeKind(enum.StrEnum):
    """What a notice tells; also the name of its text (`notice_<kind>`) and of a switch in `[[notices.off]]`."""

    NEWLY_REGISTERED = "newly_registered"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    IN_PROCESS = "in_process"
    MORE_DOCUMENTS = "more_documents"
    PAYMENT_DUE = "payment_due"
    WITHDRAWAL_ASKED = "withdrawal_asked"
    WITHDRAWN = "withdrawn"  # stopped because its owner asked for it
    STOPPED = "stopped"
    READY = "ready"
    READY_EARLY = "ready_early"  # before the promised day (decree 61/2018 art. 20.4)
    RETURNED = "returned"
    CORRECTED = "corrected"  # a state went back: what was told before no longer holds
    APPOINTMENT_CHANGED = (
        "appointment_changed"  # a later day, with the apology; at most once (decree 61/2018 art. 19.9)
    )
    APPOINTMENT_MOVED = "appointment_moved"  # an earlier day, or another one after the apology was said
    REMINDER = "reminder"  # the day before the promised day
    STOPPAGE = "stoppage"  # a planned interruption (decree 224/2026 art. 13)
    OFFICERS_WAITING = "officers_waiting"  # to an agency: not accepted after so many working days
    OFFICERS_LATE = "officers_late"  # to an agency: about to be late


class Urgency(enum.StrEnum):
    """When a notice may leave (notifications.schedule)."""

    URGENT = "urgent"  # outside quiet hours, twice as many a day
    NORMAL = "normal"  # outside quiet hours, so many a day
    OFFICE = "office"  # in the working hours of working days, whatever the day's count


_K = NoticeKind

URGENCIES: Mapping[NoticeKind, Urgency] = dict.fromkeys(_K, Urgency.NORMAL) | {
    _K.WITHDRAWAL_ASKED: Urgency.URGENT,  # who did not ask for it must be able to object
    _K.CORRECTED: Urgency.URGENT,  # nobody should travel for what was told by mistake
    _K.OFFICERS_WAITING: Urgency.OFFICE,
    _K.OFFICERS_LATE: Urgency.OFFICE,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody was told, or shown, of a dossier, as far as a change of it is worth a notice. `asked` stands for the
    papers and the fee that are wanted: a short digest, never their words.
    """

    status: DossierStatus | None
    due_on: date | None = None
    asked: str = ""

    @classmethod
    def of(cls, dossier: Dossier) -> Known:
        """Of a dossier as its source tells it."""
        wanted = dossier.status in (DossierStatus.MORE_DOCUMENTS, DossierStatus.PAYMENT_DUE)
        asked = _digest(f"{dossier.missing}\n{dossier.fee}") if wanted and (dossier.missing or dossier.fee) else ""
        return cls(dossier.status, dossier.due_on, asked)

    @property
    def text(self) -> str:
        """In one line, from which `read` makes it again: `5|2026-11-30|0a1b2c3d4e5f`."""
        status = "" if self.status is None else str(int(self.status))
        return f"{status}|{self.due_on or ''}|{self.asked}"

    @classmethod
    def read(cls, text: str) -> Known:
        """What `text` was made of.

        Raises:
            ValueError: it was not made by `text`.
        """
        status, due_on, asked = text.split("|")
        return cls(
            DossierStatus(int(status)) if status else None, date.fromisoformat(due_on) if due_on else None, asked
        )


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:12]
