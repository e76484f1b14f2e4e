"""What was found out about some dossiers -> everything that follows from it, as one Recording (pure).

What a change is worth is domain.noticing's, who is told notifications.judging's, when notifications.schedule's, in which
words the writer's; here they are put together. Nothing is looked up, awaited or remembered from one plan to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from domain.buttons import Buttons
from domain.calendar import WorkCalendar, local_day, local_moment
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.message import Address, require_aware
from domain.notices import URGENCIES, Known, NoticeKind
from domain.noticing import kind_of_change
from domain.replies import Voice
from notifications.drafting import Draft
from notifications.judging import Case, Verdict, judge
from notifications.ports import Follower, NewNotice, Recording, Review, SeenDossier
from notifications.schedule import MIDNIGHT, ScheduleRules, Slot, slot
from notifications.sightings import as_dossier, missing, raised, sighted
from notifications.switches import Switch, switched_off

REMINDED = frozenset({DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})  # else the next step is not the agency's
_DAY = timedelta(days=1)


class NoticeTexts(Protocol):
    """domain.notice_texts.NoticeWriter, as far as a plan needs it."""

    def about(self, kind: NoticeKind, dossier: Dossier, voice: Voice, *, proved: bool = False) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """Somebody whom a dossier's own record names to be told; `words` says by what right."""

    address: Address
    channel: str
    account: str
    sender: Address
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Some dossiers of one source as they were just read, and what is stored about them.

    `absent` were asked for and are not there; what could not be read is in neither. `baseline`: they were so before
    anybody watched. `holding`: notices wait for an operator. `contacts` matter for dossiers seen for the first time.
    """

    source: str
    review: Review
    dossiers: Mapping[DossierCode, Dossier]
    absent: Collection[DossierCode] = ()
    now: datetime
    baseline: bool = False
    holding: bool = False
    contacts: Mapping[DossierCode, Sequence[NewContact]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_aware(self.now, "now")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """`valid_for`: how long a notice is good for from the moment it may leave. `off`: notices that are not sent."""

    schedule: ScheduleRules
    valid_for: timedelta
    off: Sequence[Switch] = ()


def no_buttons(follower: Follower, code: DossierCode, voice: Voice) -> Buttons:  # noqa: ARG001 - whoever they are
    """Nothing to press."""
    return ()


class Planner:
    """`voice` says how to speak to somebody at a moment; `new_id` gives rising ids, the order of a person's notices.
    `buttons`: what can be pressed below a notice, where the channel of this follower shows any. `names`: by account, the
    registered name its notices leave under instead of the number.
    """

    __slots__ = ("_buttons", "_calendar", "_names", "_new_id", "_rules", "_voice", "_writer")

    def __init__(
        self,
        *,
        writer: NoticeTexts,
        voice: Callable[[Follower, datetime], Voice],
        rules: NoticeRules,
        calendar: WorkCalendar,
        new_id: Callable[[], int],
        buttons: Callable[[Follower, DossierCode, Voice], Buttons] = no_buttons,
        names: Mapping[str, Address] | None = None,
    ) -> None:
        self._writer = writer
        self._names = names or {}
        self._buttons = buttons
        self._voice = voice
        self._rules = rules
        self._calendar = calendar
        self._new_id = new_id

    def changed(self, looked: Looked) -> Sequence[DossierCode]:
        """Those of which followers would hear: what a mass change is counted by. In a baseline they hear only of what they
        were shown otherwise.
        """
        counts = _told_of if looked.baseline else _counts
        return [code for code, each in looked.dossiers.items() if counts(looked, each)]

    def plan(self, looked: Looked) -> Recording:
        """Rows, followers' knowledge and notices; cursors, looks and holds are the watcher's to add."""
        draft = Draft(looked.review, looked.now, held=looked.holding or looked.review.holding)
        for dossier in looked.dossiers.values():
            self._plan_one(draft, looked, dossier)
        for code in looked.absent:
            before = looked.review.seen.get(code)
            if before is not None:
                draft.see(before, missing(before))
        return draft.recording(looked.source)

    def remind(self, source: str, seen: Sequence[SeenDossier], review: Review, now: datetime) -> Recording:
        """Of the promised day, whoever knows of it. `review` was read after `seen` and is what counts."""
        draft = Draft(review, now, held=review.holding)
        for listed in seen:
            before = review.seen.get(listed.code, listed)
            if before.status in REMINDED and not before.gone and before.due_on not in (None, before.reminded_for):
                self._remind_one(draft, before, before.due_on)
        return draft.recording(source)

    def _plan_one(self, draft: Draft, looked: Looked, dossier: Dossier) -> None:
        case = _case(looked, dossier)
        row = sighted(case.before, dossier, looked.source, looked.now)
        newcomers = _newcomers(looked, case, dossier.code)
        followers = self._judged(looked.review.followers.get(dossier.code, ()), case, row)
        everybody = [*followers, *self._judged(tuple(newcomers), case, row)]
        row = _marked(row, case.before, {verdict.kind for _, verdict in everybody})
        if row.apologised and row is not case.before and _taken_back(everybody):
            row = replace(row, apologised=False)
        draft.see(case.before, row)
        for newcomer, words in newcomers.items():
            draft.follow(newcomer, row, words)
        for follower, verdict in followers:
            draft.learn(follower, verdict.known, row)
        for follower, verdict in everybody:
            self._tell(draft, follower, verdict, row, dossier)

    def _judged(self, followers: Sequence[Follower], case: Case, row: SeenDossier) -> list[tuple[Follower, Verdict]]:
        """Silent where the agency does not want the notice sent: they know as much afterwards."""
        judged = []
        for follower in followers:
            verdict = judge(follower, case)
            if verdict is not None:
                judged.append((follower, replace(verdict, kind=None) if self._off(verdict.kind, row) else verdict))
        return judged

    def _tell(self, draft: Draft, follower: Follower, verdict: Verdict, row: SeenDossier, dossier: Dossier) -> None:
        if verdict.closes is not None:
            draft.close(follower, verdict.closes, merged=verdict.kind is None)
        if verdict.kind is None:
            return
        when = self._slot(draft, follower, verdict.kind)
        notice = self._notice(draft, follower, verdict.kind, row, dossier, when)
        replaces = None if verdict.closes is None else verdict.closes.id
        draft.send(replace(notice, before=verdict.before, replaces=replaces))

    def _remind_one(self, draft: Draft, before: SeenDossier, due_on: date) -> None:
        row = replace(raised(before), reminded_for=due_on)
        draft.see(before, row)
        over = local_moment(due_on + _DAY, MIDNIGHT)
        off = self._off(NoticeKind.REMINDER, row)
        for follower in draft.review.followers.get(row.code, ()):
            known = _known_as_stored(follower, row, local_day(draft.now))
            if known is None:
                continue
            draft.learn(follower, known, row)
            when = self._slot(draft, follower, NoticeKind.REMINDER)
            if off or follower.pending is not None or when.available_at >= over:
                continue  # what waits tells the day as well
            notice = self._notice(draft, follower, NoticeKind.REMINDER, row, as_dossier(row), when)
            draft.send(replace(notice, before=known, expires_at=over))

    def _off(self, kind: NoticeKind | None, row: SeenDossier) -> bool:
        return kind is not None and switched_off(self._rules.off, row.agency, row.procedure, kind)

    def _slot(self, draft: Draft, follower: Follower, kind: NoticeKind) -> Slot:
        booked = draft.booked(follower.address)
        return slot(URGENCIES[kind], draft.now, booked, self._rules.schedule, self._calendar)

    def _notice(
        self,
        draft: Draft,
        follower: Follower,
        kind: NoticeKind,
        row: SeenDossier,
        dossier: Dossier,
        when: Slot,
    ) -> NewNotice:
        voice = self._voice(follower, when.available_at)
        return NewNotice(
            id=self._new_id(),
            channel=follower.channel,
            account=follower.account,
            recipient=follower.address,
            sender=self._names.get(follower.account, follower.sender),
            text=self._writer.about(kind, dossier, voice, proved=follower.proved),
            language=voice.language,
            kind=kind,
            created_at=draft.now,
            available_at=when.available_at,
            expires_at=when.available_at + self._rules.valid_for,
            source=row.source,
            code=row.code,
            version=row.version,
            reason=when.reason,
            held=draft.held,
            buttons=self._buttons(follower, row.code, voice),
        )


def _counts(looked: Looked, dossier: Dossier) -> bool:
    case = _case(looked, dossier)
    if case.before is None:
        return bool(looked.contacts.get(dossier.code))
    return case.kind(case.before.known) is not None


def _told_of(looked: Looked, dossier: Dossier) -> bool:
    case = _case(looked, dossier)
    verdicts = (judge(follower, case) for follower in looked.review.followers.get(dossier.code, ()))
    return any(verdict is not None and verdict.kind is not None for verdict in verdicts)


def _marked(row: SeenDossier, before: SeenDossier | None, kinds: Collection[NoticeKind | None]) -> SeenDossier:
    """The row after the notices of these kinds: each has a version of its own, or the store would take it for an old one;
    and the apology is said once.
    """
    if row is before and any(kind is not None for kind in kinds):
        row = raised(row)
    return replace(row, apologised=True) if NoticeKind.APPOINTMENT_CHANGED in kinds else row


def _taken_back(everybody: Sequence[tuple[Follower, Verdict]]) -> bool:
    """The apology had not left for anybody, and will not: whoever is told of a later day is owed it still."""
    apology = NoticeKind.APPOINTMENT_CHANGED
    waited = [verdict.closes is not None and verdict.closes.kind is apology for _, verdict in everybody]
    return bool(waited) and all(waited) and all(verdict.kind is not apology for _, verdict in everybody)


def _case(looked: Looked, dossier: Dossier) -> Case:
    return Case(
        source=looked.source,
        before=looked.review.seen.get(dossier.code),
        now=Known.of(dossier),
        today=local_day(looked.now),
        baseline=looked.baseline,
    )


def _newcomers(looked: Looked, case: Case, code: DossierCode) -> dict[Follower, str]:
    """Whom the record of a dossier that is new names, and by what right; not who follows it already."""
    if case.before is not None or case.baseline:
        return {}
    there = {follower.address for follower in looked.review.followers.get(code, ())}
    contacts = {each.address: each for each in looked.contacts.get(code, ()) if each.address not in there}
    return {_follower(each, code, looked.source): each.words for each in contacts.values()}


def _follower(contact: NewContact, code: DossierCode, source: str) -> Follower:
    return Follower(
        address=contact.address,
        channel=contact.channel,
        account=contact.account,
        sender=contact.sender,
        code=code,
        source=source,
    )


def _known_as_stored(follower: Follower, row: SeenDossier, today: date) -> Known | None:
    """What a follower knows, where that is what is stored; None: else, and the watcher tells them the change itself."""
    known = follower.known
    if follower.source != row.source or known is None:
        return None
    return known if kind_of_change(known, row.known, today=today) is None else None
