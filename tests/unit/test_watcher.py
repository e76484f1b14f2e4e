"""The watcher: what fails is done again and loses nothing, one bad record stops nobody, a mass change waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SourceMisread, SourceUnavailable, StoreUnavailable, StoreUncertain
from domain.message import Address
from domain.notices import Known
from notifications.looking import LATEST_AGAIN, Applicants, Batch, wait_before
from notifications.planning import Looked, NewContact
from notifications.ports import Heard, Look
from notifications.reading import CarefulReader
from notifications.watcher import SourceWatcher, TimedFeed
from tests.unit.looking_up import FakeSource
from tests.unit.watching import (
    AWAY,
    NEVER,
    NOW,
    SOON,
    SOURCE,
    US,
    FakeFeed,
    FakeLive,
    FakePlanner,
    Watch,
    code,
    codes,
    turn_by_turn,
    until,
)

STORE_AWAY = StoreUnavailable("away")
ONE, TWO, THREE = codes(3)
QUIET = replace(SOON, looks_every=NEVER, followed_every=NEVER)


def batch(*wanted: DossierCode, **more: Any) -> Batch:
    return Batch(**({"feed": "poll", "codes": wanted} | more))


# ---- one step


async def test_nothing_is_recorded_when_the_source_is_away() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.source.failure = AWAY
    with pytest.raises(SourceUnavailable):
        await watch.looking.look(batch(ONE, cursor="1"))
    assert not watch.notices.recordings
    assert not watch.freshness.announced


async def test_a_kill_between_the_announcement_and_the_recording_loses_nothing() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    killed = asyncio.Event()

    async def hang() -> None:
        killed.set()
        await asyncio.Event().wait()

    watch.notices.before_record = hang
    step = asyncio.ensure_future(watch.looking.look(batch(ONE, cursor="1")))
    await asyncio.wait_for(killed.wait(), 60)
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert watch.freshness.announced == [ONE]
    assert not watch.notices.positions, "the cursor moved without its change"

    again = Watch(source=watch.source, notices=watch.notices)
    again.notices.before_record = None
    await again.looking.look(batch(ONE, cursor="1"))
    assert again.told() == [ONE]
    assert again.notices.positions == {"poll": "1", "poll.began": "yes"}


async def test_every_copy_is_dropped_before_the_change_is_recorded() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    announced: list[DossierCode] = []

    async def look_back() -> None:
        announced.extend(watch.freshness.announced)

    watch.notices.before_record = look_back
    await watch.looking.look(batch(ONE))
    assert announced == [ONE]


async def test_a_conflict_is_reviewed_and_planned_again() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])

    async def somebody_else_writes() -> None:
        watch.notices.before_record = None
        watch.notices.seen[ONE] = replace(watch.notices.seen[ONE], version=7)

    watch.notices.before_record = somebody_else_writes
    await watch.looking.look(batch(ONE, TWO, cursor="1"))
    (recording,) = watch.notices.recordings
    assert {each.dossier.code: each.dossier.version for each in recording.sightings} == {ONE: 8, TWO: 2}
    assert watch.told() == [ONE, TWO]


async def test_a_dossier_others_keep_writing_does_not_stop_the_rest() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.notices.conflicts = [frozenset({ONE})] * 5
    await watch.looking.look(batch(ONE, TWO, cursor="1"))
    assert watch.told() == [TWO]
    assert watch.notices.positions == {"poll": "1", "poll.began": "yes"}
    assert list(watch.notices.recordings[0].look_again) == [ONE]


async def test_a_code_that_could_not_be_read_is_looked_at_again_and_the_others_go_on() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.source.poison = {ONE.text}
    looks = [Look(id=5, code=ONE, attempts=3), Look(id=6, code=TWO)]
    with capture_logs() as lines:
        await watch.looking.look(batch(ONE, TWO, feed="looks", looks=looks))
    (recording,) = watch.notices.recordings
    assert watch.told() == [TWO]
    assert recording.look_again == {ONE: NOW + timedelta(seconds=8)}
    assert recording.looked == [6]
    assert [(line["event"], line["dossiers"]) for line in lines] == [("watch.not_read", 1)]


def test_the_wait_before_a_dossier_is_looked_at_again_doubles_up_to_an_hour() -> None:
    waits = [wait_before(attempts, soon=True).total_seconds() for attempts in (0, 1, 2, 11, 12, 500)]
    assert waits == [1, 2, 4, 2048, 3600, 3600]
    assert wait_before(0, soon=False) == LATEST_AGAIN


async def test_a_code_given_twice_is_read_once() -> None:
    watch = Watch()
    watch.has([ONE])
    await watch.looking.look(batch(ONE, ONE, ONE))
    assert watch.source.reads == [[ONE.text]]


async def test_a_read_is_never_larger_than_the_source_can_bear() -> None:
    watch = Watch()
    watch.source.largest_read = 3
    watch.has(codes(8))
    await watch.looking.look(batch(*codes(8)))
    assert [len(read) for read in watch.source.reads] == [3, 3, 2]


async def test_unchanged_dossiers_write_the_cursor_alone_and_not_even_an_equal_one() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE], DossierStatus.ACCEPTED)
    await watch.looking.look(batch(ONE, cursor="1"))
    (recording,) = watch.notices.recordings
    assert recording.cursors == {"poll": "1", "poll.began": "yes"}
    assert not recording.sightings
    await watch.looking.look(batch(ONE, cursor="1"))
    assert len(watch.notices.recordings) == 1
    assert not watch.freshness.announced


async def test_what_the_source_does_not_have_is_handed_over_as_absent() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE])
    watch.source.poison = {THREE.text}
    await watch.looking.look(batch(ONE, TWO, THREE))
    (looked,) = watch.planner.looked
    assert list(looked.absent) == [TWO]
    assert list(looked.dossiers) == [ONE]


# ---- records that cannot be read


class Broken(FakeSource):
    """A read with one of `bad` in it fails as a whole."""

    bad: Mapping[DossierCode, Exception] = {}

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        for each in codes:
            if each in self.bad:
                self.reads.append([one.text for one in codes])
                raise self.bad[each]
        return await super().find(codes)


def broken(bad: Mapping[DossierCode, Exception], **more: Any) -> Broken:
    source = Broken(name=SOURCE, **more)
    source.bad = bad
    source.states = {each.text: DossierStatus.IN_PROCESS for each in codes(200)}
    return source


async def test_one_misread_record_among_many_is_found_and_left_for_an_hour() -> None:
    watch = Watch(source=broken({code(37): SourceMisread("no such state")}))
    await watch.looking.look(batch(*codes(100), cursor="1"))
    (recording,) = watch.notices.recordings
    assert recording.look_again == {code(37): NOW + LATEST_AGAIN}
    assert len(recording.sightings) == 99
    assert len(watch.source.reads) < 20


async def test_a_bug_of_the_adapter_on_one_record_is_that_records_own_trouble() -> None:
    watch = Watch(source=broken({code(1): ValueError("personal words")}))
    with capture_logs() as lines:
        await watch.looking.look(batch(code(1), code(2), cursor="1"))
    assert list(watch.notices.recordings[0].look_again) == [code(1)]
    assert "source.adapter_failed" in [line["event"] for line in lines]


async def test_a_mapping_that_fits_nothing_does_not_read_for_ever() -> None:
    watch = Watch(source=broken(dict.fromkeys(codes(100), SourceMisread("no such column"))))
    await watch.looking.look(batch(*codes(100), cursor="1"))
    assert len(watch.notices.recordings[0].look_again) == 100
    assert len(watch.source.reads) <= 140


@pytest.mark.parametrize("bad", [1, 100, 200])
async def test_a_record_that_hangs_the_source_is_sought_once_it_failed_often(bad: int) -> None:
    reader = CarefulReader(broken({code(bad): AWAY}), time_limit=5.0)
    with pytest.raises(SourceUnavailable):
        await reader.read(codes(200))
    read = await reader.read(codes(200), search=True)
    assert list(read.failed) == [code(bad)]
    assert len(read.dossiers) == 199


async def test_a_source_that_is_away_is_not_pressed_while_a_record_is_sought() -> None:
    source = broken({}, failure=AWAY)
    with pytest.raises(SourceUnavailable):
        await CarefulReader(source, time_limit=5.0).read(codes(100), search=True)
    assert len(source.reads) == 8


async def test_an_outage_settles_nothing_however_long_it_is() -> None:
    """What was put off by it would be looked at an hour late."""
    source = broken({})
    reader = CarefulReader(source, time_limit=5.0)
    await reader.read([code(100)])
    source.failure = AWAY
    with pytest.raises(SourceUnavailable):
        await reader.read(codes(3), search=True, settle=True)


async def test_a_record_that_hangs_a_source_which_answers_otherwise_is_settled() -> None:
    reader = CarefulReader(broken({ONE: AWAY}), time_limit=5.0)
    await reader.read([TWO])
    read = await reader.read([ONE], search=True, settle=True)
    assert read.failed == {ONE: True}


async def test_a_read_that_never_ends_is_a_source_that_is_away() -> None:
    source = FakeSource(gate=asyncio.Event())
    with pytest.raises(SourceUnavailable):
        await CarefulReader(source, time_limit=0.01).read([ONE])


async def test_the_only_record_of_a_step_that_never_answers_does_not_stop_its_feed() -> None:
    watch = Watch(source=broken({ONE: AWAY}))
    feed = FakeFeed()
    feed.page([ONE])
    feed.page([TWO])
    watch.saw([TWO])
    await until(lambda: watch.told() == [TWO], watch.watcher(feed, rules=QUIET))
    assert watch.notices.not_before == {ONE: NOW + timedelta(seconds=1)}


# ---- feeds


async def test_pages_are_recorded_with_their_cursors_and_the_next_start_goes_on() -> None:
    watch = Watch()
    watch.saw(codes(4))
    watch.has(codes(4))
    feed = FakeFeed()
    feed.page(codes(2))
    feed.page(codes(2, first=3))
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert watch.notices.positions == {"poll": "2", "poll.began": "yes"}
    assert watch.told() == codes(4)

    later = FakeFeed(pages=feed.pages)
    after = Watch(source=watch.source, notices=watch.notices)
    await until(later.at_the_end.is_set, after.watcher(later, rules=QUIET))
    assert later.asked[0] == "2"
    assert len(after.told()) == 4


async def test_a_page_that_was_not_recorded_is_not_asked_for_again_but_done_again() -> None:
    """A feed may remember what it gave."""
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    watch.notices.failures = [STORE_AWAY, StoreUncertain("who knows"), STORE_AWAY]
    feed = FakeFeed()
    feed.page([ONE])
    with capture_logs() as lines:
        await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert feed.asked[0] is None
    assert None not in feed.asked[1:]
    assert watch.told() == [ONE]
    assert [line["event"] for line in lines] == ["watch.failed", "watch.resumed"]


async def test_a_source_that_is_away_is_told_once_for_all_feeds_and_so_is_its_return() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    watch.source.failure, watch.source.failures_left = AWAY, 2
    poll, sweep = FakeFeed(name="poll"), FakeFeed(name="sweep")
    poll.page([ONE])
    sweep.page([ONE])
    with capture_logs() as lines:
        await until(
            lambda: poll.at_the_end.is_set() and sweep.at_the_end.is_set(), watch.watcher(poll, sweep, rules=QUIET)
        )
    assert [line["event"] for line in lines] == ["watch.failed", "watch.resumed"]
    assert watch.told() == [ONE]


async def test_a_store_that_is_away_at_the_start_is_waited_out() -> None:
    watch = Watch()
    watch.has([ONE])
    watch.saw([ONE])
    watch.notices.away = STORE_AWAY
    feed = FakeFeed()
    feed.page([ONE])
    watcher = watch.watcher(feed, rules=QUIET)
    running = asyncio.ensure_future(watcher.run())
    await asyncio.sleep(0)
    watch.notices.away = None
    await asyncio.wait_for(feed.at_the_end.wait(), 60)
    running.cancel()
    assert watch.told() == [ONE]


async def test_a_feed_that_fails_does_not_stop_the_others() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    bad, good = FakeFeed(name="poll", failure=SourceMisread("no such column")), FakeFeed(name="sweep")
    good.page([ONE])
    with capture_logs() as lines:
        await until(good.at_the_end.is_set, watch.watcher(bad, good, rules=QUIET))
    assert watch.told() == [ONE]
    assert [(line["event"], line["feed"]) for line in lines] == [("watch.failed", "poll")]


async def test_the_one_dossier_that_brings_a_bug_out_is_put_off_and_the_others_are_told() -> None:
    watch = Watch()
    watch.saw(codes(20))
    watch.has(codes(20))
    watch.planner.bug, watch.planner.bug_of = RuntimeError("a bug"), code(13)
    feed = FakeFeed()
    feed.page(codes(20))
    with capture_logs() as lines:
        await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert watch.told() == [each for each in codes(20) if each != code(13)]
    assert watch.notices.not_before == {code(13): NOW + timedelta(seconds=1)}
    assert "watch.resumed" in [line["event"] for line in lines]


async def test_a_page_that_is_done_in_parts_moves_its_cursor_with_the_last() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.planner.bug, watch.planner.bug_of = RuntimeError("a bug"), TWO
    feed = FakeFeed()
    feed.page([ONE, TWO])
    with capture_logs():
        await until(lambda: ONE in watch.told(), watch.watcher(feed, rules=QUIET))
    assert not watch.notices.recordings[0].cursors


async def test_a_look_that_brings_a_bug_out_is_kept_with_one_more_attempt() -> None:
    watch = Watch()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.planner.bug, watch.planner.bug_of = RuntimeError("a bug"), TWO
    watch.notices.kept = {1: Look(id=1, code=ONE), 2: Look(id=2, code=TWO)}
    with capture_logs():
        await until(lambda: TWO in watch.notices.not_before, watch.watcher(rules=QUIET))
    assert watch.told() == [ONE]
    assert watch.notices.kept == {2: Look(id=2, code=TWO, attempts=1)}


async def test_a_watcher_that_was_cancelled_in_the_middle_goes_on_where_it_was() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    watch.source.gate = asyncio.Event()
    feed = FakeFeed()
    feed.page([ONE])
    watcher = watch.watcher(feed, rules=QUIET)
    await until(watch.source.asked.is_set, watcher)
    assert not watch.notices.recordings
    watch.source.gate.set()
    await until(lambda: watch.told() == [ONE], watcher)
    assert feed.asked[0] is None
    assert None not in feed.asked[1:]


async def test_a_table_that_is_swept_is_read_with_pauses_and_others_go_on_meanwhile() -> None:
    watch = Watch()
    watch.saw([THREE])
    watch.has(codes(3))
    sweep, poll = FakeFeed(name="sweep"), FakeFeed(name="poll")
    for each in (ONE, TWO):
        sweep.page([each])
        poll.page([THREE])
    timed = [TimedFeed(feed=sweep, every=0.001, pause=NEVER), TimedFeed(feed=poll, every=0.001)]
    watcher = SourceWatcher(watch.looking, timed, rules=QUIET, monotonic=asyncio.get_running_loop().time)
    await until(poll.at_the_end.is_set, watcher)
    assert watch.notices.positions == {"sweep": "1", "sweep.began": "yes", "poll": "2", "poll.began": "yes"}


async def test_a_baseline_tells_nobody_and_counts_nothing() -> None:
    watch = Watch()
    watch.has(codes(200))
    feed = FakeFeed()
    for first in (1, 101):
        feed.page(codes(100, first=first), baseline=True)
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert len(watch.notices.seen) == 200
    assert not watch.told()
    assert not watch.freshness.announced
    assert not watch.notices.open_holds
    assert not watch.counted.changes


async def test_after_a_restart_what_is_looked_at_is_no_baseline_though_the_feed_is_away() -> None:
    watch = Watch()
    watch.saw(codes(60))
    watch.has(codes(60))
    watch.notices.positions = {"poll": "9", "poll.began": "yes"}
    watch.notices.kept = {number: Look(id=number, code=code(number)) for number in range(1, 61)}
    await until(lambda: not watch.notices.kept, watch.watcher(FakeFeed(failure=AWAY)))
    assert len(watch.notices.open_holds) == 1
    assert all(notice.held for notice in watch.notices.outbox)


async def test_a_baseline_of_which_many_followers_would_be_told_is_held() -> None:
    watch = Watch(planner=TellingPlanner())
    watch.saw(codes(60))
    watch.has(codes(60))
    await watch.looking.look(batch(*codes(60), baseline=True))
    assert len(watch.notices.open_holds) == 1
    assert watch.freshness.announced == codes(60), "a cache would go on telling what is not so any more"


class TellingPlanner(FakePlanner):
    """Follower by follower, as the real one in a baseline."""

    def changed(self, looked: Looked) -> Sequence[DossierCode]:
        return super().changed(replace(looked, baseline=False))


# ---- numbers on the dossiers


class FakeContacts:
    def __init__(self, numbers: dict[DossierCode, list[str]], failure: Exception | None = None) -> None:
        self.numbers_of = numbers
        self.failure = failure
        self.asked: list[DossierCode] = []

    async def numbers(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Sequence[str]]:
        self.asked += codes
        if self.failure is not None:
            raise self.failure
        return {each: self.numbers_of[each] for each in codes if each in self.numbers_of}


def reach(number: str) -> NewContact | None:
    if not number.startswith("09"):
        return None
    return NewContact(
        address=Address("sms", f"84{number[1:]}"), channel="sms", account="viettel", sender=US, words="decision 12"
    )


async def test_only_numbers_of_new_dossiers_are_read_and_only_those_that_can_be_reached_are_used() -> None:
    contacts = FakeContacts({TWO: ["0912345678", "02993822333"], THREE: ["123"]})
    watch = Watch(applicants=Applicants(contacts=contacts, reach=reach))
    watch.saw([ONE])
    watch.has([ONE, TWO, THREE])
    await watch.looking.look(batch(ONE, TWO, THREE))
    assert contacts.asked == [TWO, THREE]
    told = {each: [one.address.value for one in of_one] for each, of_one in watch.planner.looked[0].contacts.items()}
    assert told == {TWO: ["84912345678"], THREE: []}


async def test_the_day_of_whom_a_new_dossier_names_counts_too() -> None:
    office = Address("sms", "84912345678")
    watch = Watch(applicants=Applicants(contacts=FakeContacts({ONE: ["0912345678"]}), reach=reach))
    watch.notices.days = {office: [NOW] * 3}
    watch.has([ONE])
    await watch.looking.look(batch(ONE))
    assert watch.planner.looked[-1].review.booked == {office: [NOW] * 3}


async def test_an_offices_number_is_not_made_to_follow_every_dossier_it_stands_on() -> None:
    office = Address("sms", "84912345678")
    many = {each: ["0912345678", f"09870000{number:02}"] for number, each in enumerate(codes(4))}
    watch = Watch(applicants=Applicants(contacts=FakeContacts(many), reach=reach, most=5))
    watch.notices.following = {office: 3}
    watch.has(codes(4))
    with capture_logs() as lines:
        await watch.looking.look(batch(*codes(4)))
    named = [[one.address == office for one in of_one] for of_one in watch.planner.looked[0].contacts.values()]
    assert named == [[True, False], [True, False], [False], [False]]
    assert [(line["event"], line["dossiers"]) for line in lines] == [("watch.contacts_left_out", 2)]


async def test_numbers_are_not_read_in_a_baseline_nor_before_it_is_known_to_be_over() -> None:
    contacts = FakeContacts({ONE: ["0912345678"], TWO: ["0912345678"]})
    watch = Watch(applicants=Applicants(contacts=contacts, reach=reach))
    watch.has([ONE, TWO])
    watch.notices.kept = {1: Look(id=1, code=TWO)}
    await until(lambda: TWO in watch.notices.seen, watch.watcher(FakeFeed(failure=AWAY)))
    await watch.looking.look(batch(ONE, baseline=True))
    assert not contacts.asked


async def test_numbers_that_are_misread_do_not_stop_the_change() -> None:
    contacts = FakeContacts({}, failure=SourceMisread("no such column"))
    watch = Watch(applicants=Applicants(contacts=contacts, reach=reach))
    watch.has([ONE])
    with capture_logs() as lines:
        await watch.looking.look(batch(ONE))
    assert ONE in watch.notices.seen
    assert [line["event"] for line in lines] == ["watch.contacts_misread"]


# ---- looks, what is heard live, and the followed


async def test_dossiers_somebody_asked_for_are_looked_at_when_poked() -> None:
    watch = Watch()
    watch.saw([ONE])
    watch.has([ONE])
    watcher = watch.watcher(rules=QUIET)
    running = asyncio.ensure_future(watcher.run())
    await turn_by_turn(lambda: "looks" in watch.counted.steps)
    await watch.notices.look(SOURCE, [ONE], nonce="n", keep_until=NOW)
    watcher.poke()
    await asyncio.wait_for(watch.notices.after_record.wait(), 60)
    running.cancel()
    assert watch.told() == [ONE]
    assert not watch.notices.kept


async def test_what_is_heard_live_is_looked_at_at_once() -> None:
    watch, live = Watch(), FakeLive()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    live.queue.put_nowait(Heard(codes=[ONE, ONE]))
    live.queue.put_nowait(Heard(codes=[TWO]))
    await until(lambda: set(watch.told()) == {ONE, TWO}, watch.watcher(live=live, rules=QUIET))
    assert sum(watch.counted.changes.values()) == watch.counted.changes[SOURCE, "live"] == 2


async def test_what_is_heard_while_another_change_is_looked_at_is_not_forgotten() -> None:
    watch, live = Watch(), FakeLive()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.source.gate = asyncio.Event()
    live.queue.put_nowait(Heard(codes=[ONE]))
    running = asyncio.ensure_future(watch.watcher(live=live, rules=QUIET).run())
    await turn_by_turn(lambda: [ONE.text] in watch.source.reads)
    live.queue.put_nowait(Heard(codes=[TWO]))
    for _ in range(5):
        await asyncio.sleep(0)
    watch.source.gate.set()
    await turn_by_turn(lambda: set(watch.told()) == {ONE, TWO})
    running.cancel()


async def test_what_is_heard_while_the_source_is_away_is_not_forgotten() -> None:
    watch, live = Watch(), FakeLive()
    watch.saw([ONE, TWO])
    watch.has([ONE, TWO])
    watch.source.failure = AWAY
    live.queue.put_nowait(Heard(codes=[ONE]))
    running = asyncio.ensure_future(watch.watcher(live=live, rules=QUIET).run())
    await turn_by_turn(lambda: len(watch.source.reads) >= 2)
    live.queue.put_nowait(Heard(codes=[TWO]))
    await turn_by_turn(live.queue.empty)
    for _ in range(5):
        await asyncio.sleep(0)
    watch.source.failure = None
    await turn_by_turn(lambda: watch.told() == [ONE, TWO])
    running.cancel()


async def test_a_live_feed_that_dies_is_sought_again_and_the_polls_are_made_at_once() -> None:
    watch, live, feed = Watch(), FakeLive(), FakeFeed()
    watcher = watch.watcher(feed, live=live, rules=QUIET)
    watcher._jobs["poll"].every = lambda: NEVER
    watch.saw([ONE])
    watch.has([ONE])
    with capture_logs() as lines:
        running = asyncio.ensure_future(watcher.run())
        await asyncio.wait_for(feed.at_the_end.wait(), 60)
        feed.page([ONE])
        live.queue.put_nowait(SourceUnavailable("connection lost"))
        await turn_by_turn(lambda: live.connected >= 2 and ONE in watch.told())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [line["event"] for line in lines] == ["watch.hears_nothing", "watch.hears_again"]


async def test_a_bug_in_the_live_feed_does_not_stop_the_polls() -> None:
    watch, live, feed = Watch(), FakeLive(), FakeFeed()
    live.queue.put_nowait(RuntimeError("a bug"))
    watch.saw([ONE])
    watch.has([ONE])
    with capture_logs() as lines:
        running = asyncio.ensure_future(watch.watcher(feed, live=live, rules=QUIET).run())
        await turn_by_turn(lambda: live.connected >= 2)
        feed.page([ONE])
        await turn_by_turn(lambda: ONE in watch.told())
        running.cancel()
    assert "watch.listener_failed" in [line["event"] for line in lines]


async def test_followed_dossiers_are_read_again_round_after_round_a_page_at_a_time() -> None:
    watch = Watch()
    watch.saw(codes(25))
    watch.has(codes(25))
    await until(lambda: len(watch.told()) == 25, watch.watcher())
    assert [len(read) for read in watch.source.reads[:3]] == [10, 10, 5]
    watch.has([ONE], DossierStatus.DONE)
    await until(lambda: watch.told().count(ONE) == 2, watch.watcher())


async def test_a_feeds_lag_is_told() -> None:
    watch, feed = Watch(), FakeFeed()
    watcher = watch.watcher(feed)
    await until(feed.at_the_end.is_set, watcher)
    assert set(watcher.lags()) == {"poll", "looks", "followed"}
    assert all(lag >= 0 for lag in watcher.lags().values())


# ---- a mass change


def import_of(watch: Watch, count: int, *, page: int = 100, changed: int | None = None) -> FakeFeed:
    """All of a source's dossiers in one feed; `changed` of them did (the first)."""
    watch.saw(codes(count))
    watch.has(codes(count), DossierStatus.ACCEPTED)
    watch.has(codes(count if changed is None else changed))
    feed = FakeFeed()
    for first in range(1, count + 1, page):
        feed.page(codes(min(page, count + 1 - first), first=first))
    return feed


async def test_a_mass_change_is_held_before_anybody_is_told() -> None:
    watch = Watch()
    feed = import_of(watch, 1000)
    with capture_logs() as lines:
        await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert len(watch.notices.outbox) == 1000
    assert all(notice.held for notice in watch.notices.outbox)
    (hold,) = watch.notices.open_holds
    assert (hold.source, hold.tracked) == (SOURCE, 1000)
    assert [line["event"] for line in lines] == ["changes.held"]
    assert lines[0]["log_level"] == "error"
    assert watch.counted.held == 1


async def test_a_sweep_that_meets_a_mass_change_in_its_middle_holds_it_from_its_first_page_on() -> None:
    watch = Watch()
    feed = import_of(watch, 1000)
    watch.has(codes(300), DossierStatus.ACCEPTED)
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert len(watch.notices.outbox) == 700
    assert all(notice.held for notice in watch.notices.outbox)


async def test_a_busy_page_of_a_sweep_is_not_held() -> None:
    watch = Watch()
    feed = import_of(watch, 1000, changed=100)
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert len(watch.notices.outbox) == 100
    assert not any(notice.held for notice in watch.notices.outbox)
    assert not watch.notices.open_holds


async def test_a_small_poll_is_read_once() -> None:
    watch = Watch()
    feed = import_of(watch, 40, page=40)
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert len(watch.source.reads) == 1
    assert not any(notice.held for notice in watch.notices.outbox)


async def test_a_mass_change_that_comes_in_small_steps_is_held_once_the_window_is_full() -> None:
    watch = Watch()
    watch.saw(codes(100))
    for first in range(1, 100, 10):
        watch.has(codes(10, first=first))
        await watch.looking.look(batch(*codes(10, first=first)))
    assert [notice.held for notice in watch.notices.outbox] == [False] * 50 + [True] * 50


async def test_slow_changes_are_never_a_mass_change() -> None:
    watch = Watch()
    watch.saw(codes(100))
    for first in range(1, 100, 10):
        watch.has(codes(10, first=first))
        await watch.looking.look(batch(*codes(10, first=first)))
        watch.clock.forward(minutes=5)
    assert not any(notice.held for notice in watch.notices.outbox)


async def test_after_an_operator_decided_changes_are_counted_anew() -> None:
    watch = Watch()
    watch.saw(codes(100))
    watch.has(codes(60))
    await watch.looking.look(batch(*codes(60)))
    assert watch.notices.open_holds
    watch.notices.open_holds.clear()
    watch.has([code(61)])
    await watch.looking.look(batch(code(61)))
    assert not watch.notices.outbox[-1].held
    assert not watch.notices.open_holds


async def test_a_webhooks_burst_is_seen_whole_before_anybody_is_told() -> None:
    watch = Watch()
    watch.saw(codes(200))
    watch.has(codes(200))
    watch.notices.kept = {number: Look(id=number, code=code(number)) for number in range(1, 201)}
    await until(lambda: not watch.notices.kept, watch.watcher(rules=QUIET))
    assert watch.notices.outbox
    assert all(notice.held for notice in watch.notices.outbox)


async def test_a_held_change_is_stored_and_told_to_the_caches_like_any_other() -> None:
    watch = Watch()
    feed = import_of(watch, 300)
    await until(feed.at_the_end.is_set, watch.watcher(feed, rules=QUIET))
    assert {row.known for row in watch.notices.seen.values()} == {Known(DossierStatus.IN_PROCESS)}
    assert set(watch.freshness.announced) == set(codes(300))
