"""What one follower is to be told of one dossier (pure).

By level, not by edge: whoever knows something else than what is true now is told, so that nothing is missed and a repeat
does nothing. Only a dossier that somebody follows in another source is told by its change: there is nothing to compare,
two systems need not agree, and the one that moved is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from domain.notices import Known, NoticeKind
from domain.noticing import kind_of_change, kind_of_state, remembered
from notifications.ports import Follower, PendingNotice, SeenDossier


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A dossier of `source` in one look. `before` is its stored row (None: seen for the first time), `now` what is true.
    `today` is a day in Asia/Ho_Chi_Minh.
    """

    source: str
    before: SeenDossier | None
    now: Known
    today: date
    baseline: bool = False

    def kind(self, known: Known | None, *, apologised: bool = False) -> NoticeKind | None:
        """What tells somebody who knows this; None: nothing to tell."""
        return kind_of_change(known, self.now, today=self.today, seen=self.seen, apologised=apologised)

    @property
    def seen(self) -> Known | None:
        return None if self.before is None else self.before.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`kind` None: nothing is sent. `known` is what the follower knows afterwards, `before` what they knew before anything
    that waits. `closes` is the waiting notice this one takes the place of, or that is not true any more.
    """

    kind: NoticeKind | None = None
    known: Known
    before: Known | None = None
    closes: PendingNotice | None = None


def judge(follower: Follower, case: Case) -> Verdict | None:
    """None: this look is nothing to them."""
    return _by_level(follower, case) if follower.source == case.source else _by_change(follower, case)


def _by_level(follower: Follower, case: Case) -> Verdict:
    known, pending = follower.known, follower.pending
    apologised = _apologised(follower, case)
    kind = case.kind(known, apologised=apologised)
    shown = pending is not None and follower.version is None  # by an answer, after what waits was written
    if kind is None or (known is None and case.baseline):
        # What waits still tells the truth, though nothing new to whom it was shown; of a day they want to be reminded.
        stale = shown and pending is not None and pending.kind is not NoticeKind.REMINDER
        return Verdict(known=remembered(known, case.now), closes=pending if stale else None)
    if pending is None or shown:
        return Verdict(kind=kind, known=case.now, before=known, closes=pending)
    before = pending.before
    if before is None:  # they were to hear of it for the first time, and still are
        kind = kind_of_state(case.now, today=case.today, earlier=(case.seen,))
    else:
        kind = case.kind(before, apologised=apologised)
    if kind is None:
        return Verdict(known=remembered(before, case.now), closes=pending)
    return Verdict(kind=kind, known=case.now, before=before, closes=pending)


def _by_change(follower: Follower, case: Case) -> Verdict | None:
    """Of a source they did not follow it in: they are told of a change of this very look, and follow it there from now."""
    if case.baseline or case.before is None:
        return None
    kind = case.kind(case.seen, apologised=case.before.apologised)
    if kind is None:
        return None
    if follower.known is not None and case.kind(follower.known, apologised=True) is None:
        return Verdict(known=case.now)  # the other source told them already
    return Verdict(kind=kind, known=case.now, before=follower.known)


def _apologised(follower: Follower, case: Case) -> bool:
    """The apology was said; one that still waits was not, and the notice that takes its place says it."""
    waits = follower.pending is not None and follower.pending.kind is NoticeKind.APPOINTMENT_CHANGED
    return case.before is not None and case.before.apologised and not waits
