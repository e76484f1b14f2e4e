"""A year of changes at any moment, Tết and swapped days included: what is promised to people holds on every day of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import LOCAL_ZONE, local_day
from domain.dossier import CLOSED, LEGAL_MOVES, Dossier, DossierStatus
from domain.message import Address
from domain.notices import URGENCIES, Known, Urgency
from domain.noticing import kind_of_change
from notifications.planning import Planner
from notifications.ports import NewNotice
from tests.unit.planning import ANN, BOB, CODES, SCHEDULE, SOURCE, Store, Waiting, dossier, looked_at, make_planner

START = datetime(2026, 1, 1, tzinfo=LOCAL_ZONE)
END = START + timedelta(days=365)
PER_DAY = 2
MOST_ROUNDS = 5
DUE = [None, date(2027, 1, 11), date(2027, 1, 18), date(2027, 2, 22)]
FOLLOWED = {ANN: CODES[:4], BOB: CODES[:2]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """After so many minutes a dossier is so. `step` chooses among the moves the national list allows from where it is, and
    beyond them any state at all. `late`: minutes between the reading of the store and the writing, in which messages
    leave; `unseen`: nobody looks yet.
    """

    minutes: int
    place: int
    step: int
    due_on: date | None
    missing: str
    late: int
    unseen: bool


# Some come one after the other, some after days: bursts are what coalescing is for.
CHANGES = st.lists(
    st.builds(
        Change,
        minutes=st.integers(0, 90) | st.integers(0, 24 * 60) | st.integers(0, 14 * 24 * 60),
        place=st.integers(0, 3),
        step=st.integers(0, 12),
        due_on=st.sampled_from(DUE),
        missing=st.sampled_from(["", "giấy khai sinh", "CCCD"]),
        late=st.sampled_from([0, 0, 0, 1, 600]),
        unseen=st.sampled_from([False, False, True]),
    ),
    min_size=20,
    max_size=60,
)
ANY = [None, *DossierStatus]


def after(before: Dossier, change: Change) -> Dossier:
    """What the source says of a dossier from then on."""
    legal = sorted(LEGAL_MOVES[before.status]) if before.status is not None else []
    status = [*legal, *legal, *ANY][change.step % (2 * len(legal) + len(ANY))]
    return replace(before, status=status, due_on=change.due_on, missing=change.missing)


@dataclass(slots=True)
class Year:
    """The store, the planner, and the truth in the source."""

    store: Store
    planner: Planner
    now: datetime
    truth: list[Dossier]

    def pass_time(self, minutes: int) -> None:
        self.now = self.now + timedelta(minutes=minutes)
        self.store.send(self.now)

    def look(self, place: int, *, late: int = 0) -> None:
        """As the watcher does: on a conflict it reviews and plans again."""
        for _ in range(MOST_ROUNDS):
            recording = self.planner.plan(looked_at(self.store, self.truth[place], now=self.now))
            self.pass_time(late)
            if not self.store.record(recording):
                break
            late = 0
        else:
            raise AssertionError("the conflicts do not end")
        for address, codes in FOLLOWED.items():
            for code in codes:
                assert len(self.store.waiting(address, code)) <= 1


def lived_through(changes: list[Change]) -> Year:
    """Everything happened, everything was looked at, everything was sent."""
    year = Year(Store(), make_planner(per_day=PER_DAY), START, [dossier(1, code=code) for code in CODES])
    year.store.record(year.planner.plan(looked_at(year.store, *year.truth, now=START, baseline=True)))
    for address, codes in FOLLOWED.items():
        for code in codes:
            year.store.follow(address, Known(DossierStatus.NEWLY_REGISTERED), code)
    for change in changes:
        year.pass_time(min(change.minutes, max(0, int((END - year.now).total_seconds() // 60))))
        year.truth[change.place] = after(year.truth[change.place], change)
        if not change.unseen:
            year.look(change.place, late=change.late)
    for place in range(len(year.truth)):  # a sweep finds what nobody said
        year.look(place)
    year.pass_time(30 * 24 * 60)
    return year


def told_last(year: Year, address: Address, place: int) -> Known:
    """What somebody knows from the messages they really got, and from what they saw when they followed."""
    told = sent_about(year, address, place)
    return told[-1].told if told else Known(DossierStatus.NEWLY_REGISTERED)


def sent_about(year: Year, address: Address, place: int) -> list[Waiting]:
    """The messages somebody got about a dossier, in their order."""
    sent = [row for row in year.store.outbox if row.state == "sent"]
    own = [row for row in sent if (row.notice.recipient, row.notice.code) == (address, CODES[place])]
    return sorted(own, key=lambda row: (row.notice.available_at, row.notice.id))


def urgent(notice: NewNotice) -> bool:
    return URGENCIES[notice.kind] is Urgency.URGENT


def still_to_tell(known: Known, truth: Dossier) -> bool:
    """Somebody who knows this does not know what is true."""
    now = Known.of(truth)
    if now.status is None:
        return False
    if known.status is not now.status:
        return not (known.status is None and now.status is DossierStatus.IN_PROCESS)
    other_day = now.due_on is not None and now.due_on != known.due_on and now.status not in CLOSED
    return other_day or bool(now.asked and now.asked != known.asked)


@settings(max_examples=80, deadline=None)
@given(CHANGES)
def test_nobody_is_woken_flooded_or_left_with_what_is_not_true(changes: list[Change]) -> None:
    year = lived_through(changes)
    sent = year.store.sent()
    assert all(not SCHEDULE.quiet(each.available_at.astimezone(LOCAL_ZONE).time()) for each in sent)
    days = Counter((each.recipient, local_day(each.available_at)) for each in sent if not urgent(each))
    assert all(count <= PER_DAY for count in days.values())
    assert all(row.state in ("sent", "merged") for row in year.store.outbox)
    for address, codes in FOLLOWED.items():
        for place in range(len(codes)):
            assert not still_to_tell(told_last(year, address, place), year.truth[place])


@settings(max_examples=80, deadline=None)
@given(CHANGES)
def test_a_dossiers_notices_leave_in_the_order_they_were_made(changes: list[Change]) -> None:
    sent = lived_through(changes).store.sent()
    for address, code in {(each.recipient, each.code) for each in sent}:
        own = [each for each in sent if (each.recipient, each.code) == (address, code)]
        assert [each.id for each in own] == sorted(each.id for each in own)
        assert [each.version for each in own] == sorted({each.version for each in own if each.version is not None})


@settings(max_examples=80, deadline=None)
@given(CHANGES)
def test_a_second_look_at_the_same_does_nothing(changes: list[Change]) -> None:
    year = lived_through(changes)
    rows, messages, people = dict(year.store.seen), len(year.store.outbox), dict(year.store.following)
    for place in range(len(year.truth)):
        year.look(place)
    assert (rows, messages, people) == (year.store.seen, len(year.store.outbox), year.store.following)


@settings(max_examples=80, deadline=None)
@given(CHANGES)
def test_each_notice_tells_what_its_reader_did_not_know(changes: list[Change]) -> None:
    """However many changes were merged into it, and however many came to nothing."""
    year = lived_through(changes)
    for address, codes in FOLLOWED.items():
        for place in range(len(codes)):
            told = [Known(DossierStatus.NEWLY_REGISTERED), *(row.told for row in sent_about(year, address, place))]
            for before, now in pairwise(told):
                assert kind_of_change(before, now, today=START.date()) is not None


@settings(max_examples=40, deadline=None)
@given(CHANGES)
def test_the_store_is_never_asked_to_close_what_it_does_not_have(changes: list[Change]) -> None:
    """Each notice is replaced once at most, by one about the same dossier of the same source to the same person."""
    rows = lived_through(changes).store.outbox
    by_id = {row.notice.id: row for row in rows}
    replaced = [(row.notice, by_id[row.notice.replaces].notice) for row in rows if row.notice.replaces is not None]
    assert len({old.id for _, old in replaced}) == len(replaced)
    for new, old in replaced:
        assert (new.code, new.recipient, new.source) == (old.code, old.recipient, SOURCE)
        assert by_id[old.id].state == "merged"
