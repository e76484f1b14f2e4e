"""What leaves, leaves in turn, whole, and once: over any links, and whatever the SMSC says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from channels.sms import commands as c
from channels.sms.outgoing import Request, Unanswered
from domain.message import Category, SendResult, SendStatus
from tests.passing_time import pass_time
from tests.unit.sending_out import HOUR, Desk, Line, soon

ACCEPTED, RETRY, UNKNOWN, REJECTED = SendStatus.ACCEPTED, SendStatus.RETRY, SendStatus.UNKNOWN, SendStatus.REJECTED


def told(results: object) -> list[tuple[SendStatus, str]]:
    assert isinstance(results, list)
    return [(result.status, result.reason) for result in results]


# Links.


async def test_without_a_link_everything_comes_back_at_once() -> None:
    desk = Desk(reconnect_first=3.0)
    (result,) = await desk.outgoing.send([desk.reply("a", parts=2)])
    assert (result.status, result.reason, result.retry_after) == (RETRY, "not_bound", 3.0)


async def test_what_could_not_be_encoded_keeps_its_result_and_its_place() -> None:
    desk = Desk(Line())
    refused = SendResult(message_id=7, status=REJECTED, reason="too_long")
    sending = await desk.enter(desk.reply("a"), desk.reply("b", frames=refused), desk.reply("c"))
    desk.answer_all()
    first, second, third = await soon(sending)
    assert (first.status, second, third.status) == (ACCEPTED, refused, ACCEPTED)


async def test_the_link_with_most_room_is_written_to_and_equal_ones_in_turn() -> None:
    wide, narrow, other = Line("wide", 6), Line("narrow", 2), Line("other", 2)
    desk = Desk(wide, narrow, other)
    await desk.enter(*[desk.reply(str(number)) for number in range(10)])
    assert wide.written[:4] == ["0", "1", "2", "3"]
    assert (len(wide.written), len(narrow.written), len(other.written)) == (6, 2, 2)
    one, two, three = Line("1"), Line("2"), Line("3")
    desk = Desk(one, two, three)
    for number in range(6):
        await desk.enter(desk.reply(str(number)))
        desk.answer_all()
    assert [len(line.written) for line in (one, two, three)] == [2, 2, 2]


async def test_segments_of_a_message_leave_on_one_link_with_nothing_between_them() -> None:
    lines = [Line("1", 4), Line("2", 4), Line("3", 4)]
    desk = Desk(*lines)
    sending = await desk.enter(*[desk.notice(str(number), parts=1 + number % 3) for number in range(30)])
    desk.answer_all()
    assert {result.status for result in await soon(sending)} == {ACCEPTED}
    assert sum(len(line.written) for line in lines) == 60
    for line in lines:
        expected = [
            word for name in dict.fromkeys(word.partition(".")[0] for word in line.written) for word in words(name)
        ]
        assert line.written == expected


def words(name: str) -> list[str]:
    """The frames of the message of this name in the test above."""
    parts = 1 + int(name) % 3
    return [name] if parts == 1 else [f"{name}.{number}" for number in range(1, parts + 1)]


async def test_lost_link_leaves_its_unanswered_unknown_and_the_others_go_on() -> None:
    lost, other = Line("1", 2), Line("2", 2)
    desk = Desk(lost, other)
    sending = await desk.enter(*[desk.reply(name) for name in "abcdef"])
    assert len(lost.open) == len(other.open) == 2
    names = list(lost.written)
    lost.lose()
    desk.outgoing.detach(lost, "closed_by_smsc")
    desk.answer_all()
    results = await soon(sending)
    unknown = [name for name, result in zip("abcdef", results, strict=True) if result.status is UNKNOWN]
    assert unknown == sorted(names)
    assert [result.reason for result in results if result.status is UNKNOWN] == ["link_lost"] * 2
    assert sum(result.status is ACCEPTED for result in results) == 4
    assert len(lost.written) == 2


async def test_message_begun_on_a_lost_link_is_not_finished_on_another() -> None:
    """Its first segment's fate is unknown, but its last never left: no second copy can come of sending it again."""
    lost, other = Line("1", 3), Line("2", 1)
    desk = Desk(lost, other)
    sending = await desk.enter(desk.reply("a", parts=5), desk.reply("b"))
    assert lost.written == ["a.1", "a.2", "a.3"]
    lost.answer(c.ROK)
    lost.lose()
    desk.outgoing.detach(lost, "closed_by_smsc")
    desk.answer_all()
    begun, second = await soon(sending)
    assert (begun.status, begun.reason, begun.retry_after) == (RETRY, "closed_by_smsc", 0.0)
    assert [segment.segment for segment in begun.segments] == [1, 2, 3]
    assert second.status is ACCEPTED
    assert other.written == ["b"]


async def test_with_the_last_link_gone_everything_unwritten_comes_back() -> None:
    line = Line("1", 2)
    desk = Desk(line, reconnect_first=3.0)
    sending = await desk.enter(*[desk.reply(name) for name in "abcd"])
    line.lose()
    desk.outgoing.detach(line, "closed_by_smsc")
    results = await soon(sending)
    assert told(results) == [(UNKNOWN, "link_lost")] * 2 + [(RETRY, "not_bound")] * 2
    assert results[-1].retry_after == 3.0
    assert desk.outgoing.waiting == 0


async def test_full_window_that_is_never_answered_is_unknown_and_frees_its_places() -> None:
    line, other = Line("1", 2), Line("2", 2)
    desk = Desk(line, other)
    sending = await desk.enter(*[desk.reply(name) for name in "abcdef"])
    line.lose(Unanswered.TIMED_OUT)
    other.lose(Unanswered.TIMED_OUT)
    desk.outgoing.pump()
    desk.answer_all()
    results = await soon(sending)
    assert told(results) == [(UNKNOWN, "response_timeout")] * 4 + [(ACCEPTED, "")] * 2
    assert desk.counters.unanswered == 4


async def test_a_link_that_never_was_attached_can_end() -> None:
    desk = Desk(Line())
    desk.outgoing.detach(Line("stranger"), "bind_refused")
    sending = await desk.enter(desk.reply("a"))
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")]


async def test_link_that_comes_takes_what_waits() -> None:
    full = Line("1", 1)
    desk = Desk(full)
    await desk.enter(desk.reply("a"), desk.reply("b"))
    fresh = Line("2", 1)
    desk.outgoing.attach(fresh)
    assert fresh.written == ["b"]


async def test_one_persons_messages_do_not_overtake_one_another_on_different_links() -> None:
    slow, free = Line("1", 2), Line("2", 1)
    desk = Desk(slow, free)
    await desk.enter(desk.reply("a", parts=3, recipient="x"), desk.reply("b", recipient="x"))
    assert slow.written == ["a.1", "a.2"]
    assert free.written == []
    slow.answer(c.ROK)
    desk.outgoing.pump()
    assert (slow.written[-1], free.written) == ("a.3", ["b"])


# In turn.


async def test_replies_go_before_notices_and_these_before_broadcasts() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    first = await desk.enter(desk.broadcast("begun"))
    rest = await desk.enter(
        desk.broadcast("c"), desk.notice("n"), desk.broadcast("d"), desk.reply("r"), desk.notice("o")
    )
    desk.answer_all()
    assert line.written == ["begun", "r", "n", "o", "c", "d"]
    await soon(first)
    assert [result.message_id for result in await soon(rest)] == [sum(name.encode()) for name in "cndro"]


@pytest.mark.parametrize("window", [2, 3, 5, 10, 100])
async def test_no_bulk_is_written_between_a_replys_entry_and_its_writing(window: int) -> None:
    line = Line("1", window)
    desk = Desk(line)
    bulk = [desk.broadcast(str(number)) for number in range(1_000)]
    await desk.enter(*bulk)
    before = len(line.written)
    for number in range(max(1, window // 5)):  # as many as there are places kept
        await desk.enter(desk.reply(f"r{number}"))
        assert line.written[before:] == [f"r{each}" for each in range(number + 1)]
    line.answer(c.ROK)  # of a broadcast: its place is for replies again before it is for broadcasts
    desk.outgoing.pump()
    await desk.enter(desk.reply("last"))
    assert [word for word in line.written[before:] if not word.startswith("r")] == ["last"]


async def test_with_a_window_of_one_a_reply_is_the_next_to_be_written() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    await desk.enter(*[desk.broadcast(str(number)) for number in range(100)])
    await desk.enter(desk.reply("r"))
    line.answer(c.ROK)
    desk.outgoing.pump()
    assert line.written == ["0", "r"]


async def test_a_reply_waits_for_the_rest_of_the_message_begun_on_its_link_and_for_nothing_more() -> None:
    line = Line("1", 10)
    desk = Desk(line, rate=50.0)
    await desk.enter(desk.broadcast("b", parts=3), desk.broadcast("c", parts=3))
    await desk.enter(desk.reply("r"))
    for _ in range(200):
        desk.wait(0.01)
    assert line.written[:4] == ["b.1", "b.2", "b.3", "r"]


async def test_a_reply_takes_the_other_link_while_a_broadcast_is_being_written_on_one() -> None:
    one, two = Line("1", 10), Line("2", 10)
    desk = Desk(one, two, rate=50.0)
    await desk.enter(desk.broadcast("b", parts=3))
    begun, idle = (one, two) if one.written else (two, one)
    await desk.enter(desk.reply("r"))
    desk.wait(0.021)
    assert (begun.written, idle.written) == (["b.1"], ["r"])


async def test_a_message_is_begun_only_where_the_window_holds_all_of_it() -> None:
    line = Line("1", 4)
    desk = Desk(line)
    await desk.enter(desk.reply("a"), desk.reply("b"), desk.reply("c"))
    await desk.enter(desk.notice("n", parts=2))
    line.answer(c.ROK)
    desk.outgoing.pump()
    await desk.enter(desk.reply("r"))
    assert line.written == ["a", "b", "c", "r"]
    desk.answer_all()
    assert line.written[4:] == ["n.1", "n.2"]


@pytest.mark.parametrize("window", [1, 2, 3, 7])
async def test_message_larger_than_the_window_leaves_all_the_same(window: int) -> None:
    line = Line("1", window)
    desk = Desk(line)
    sending = await desk.enter(desk.notice("n", parts=20), desk.notice("o"))
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 2
    assert line.written == [*(f"n.{number}" for number in range(1, 21)), "o"]


async def test_cancelled_messages_are_not_written_and_keep_nobody_waiting() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("a"), desk.reply("b"))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await asyncio.wait_for(desk.outgoing.emptied(), 60)
    after = await desk.enter(desk.reply("c"))
    desk.answer_all()
    await soon(after)
    assert line.written == ["a", "c"]


# The rate.


async def test_rate_counts_every_segment_over_all_links_and_idle_time_saves_nothing_up() -> None:
    one, two = Line("1"), Line("2")
    desk = Desk(one, two, rate=100.0)
    desk.now += HOUR
    await desk.enter(desk.reply("a", parts=3), desk.reply("b"), desk.reply("c"))

    def written() -> int:
        return len(one.written) + len(two.written)

    assert written() == 2  # a fiftieth of a second's worth
    desk.wait(0.0101)
    assert written() == 3
    desk.wait(HOUR / 2)
    assert written() == 5


async def test_what_the_smsc_cuts_itself_is_paid_for_as_what_it_makes_of_it() -> None:
    line = Line("1", 100)
    desk = Desk(line, rate=10.0)
    await desk.enter(desk.notice("whole", cost=5), desk.notice("next"))
    desk.wait(0.39)
    assert line.written == ["whole"]
    desk.wait(0.12)
    assert line.written == ["whole", "next"]


async def test_what_the_smsc_cuts_itself_counts_within_one_turn_too() -> None:
    line = Line("1", 100)
    desk = Desk(line, rate=1_000.0)
    await desk.enter(*[desk.notice(str(number), cost=15) for number in range(3)])
    assert line.written == ["0", "1"]  # of twenty at once


# Throttled.


@pytest.mark.parametrize("status", [c.RTHROTTLED, c.RMSGQFUL, c.RSYSERR, c.RX_T_APPN, 0x401])
async def test_what_is_put_off_keeps_its_place_and_what_was_taken_is_not_sent_again(status: int) -> None:
    line = Line("1", 4)
    desk = Desk(line, throttling_statuses=frozenset({0x401}))
    sending = await desk.enter(desk.reply("a", parts=4), desk.reply("b"), desk.reply("c"))
    line.answer(c.ROK, status, c.ROK, status)
    assert desk.outgoing.paused
    desk.outgoing.pump()
    assert line.written == ["a.1", "a.2", "a.3", "a.4"]
    desk.wait(1.1)
    desk.answer_all()
    assert line.written[4:] == ["a.2", "a.4", "b", "c"]
    results = await soon(sending)
    assert told(results) == [(ACCEPTED, "")] * 3
    assert [segment.segment for segment in results[0].segments] == [1, 2, 3, 4]
    assert (desk.counters.throttled, desk.counters.requeued, desk.counters.slowdowns) == (2, 2, 1)


async def test_a_whole_window_put_off_leaves_again_in_the_order_it_came_in() -> None:
    line = Line("1", 5)
    desk = Desk(line, rate=0.0)
    sending = await desk.enter(*[desk.reply(name) for name in "abcdefgh"])
    line.open.reverse()  # answered in any order
    line.answer(*[c.RTHROTTLED] * 5)
    desk.wait(1.1)
    desk.answer_all()
    assert line.written[5:] == list("abcdefgh")
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 8
    assert desk.counters.slowdowns == 1


async def test_message_none_of_whose_segments_was_taken_may_leave_by_another_link() -> None:
    one, two = Line("1", 2), Line("2", 1)
    desk = Desk(one, two)
    sending = await desk.enter(desk.reply("a"), desk.reply("b"), desk.reply("c"))
    one.answer(c.RTHROTTLED, c.RTHROTTLED)
    first = list(one.written)
    desk.outgoing.detach(one, "closed_by_smsc")
    desk.wait(1.1)
    desk.lines.remove(one)
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 3
    assert two.written[1:] == first


async def test_message_partly_taken_is_finished_on_its_own_link() -> None:
    one, two = Line("1", 2), Line("2", 2)
    desk = Desk(one, two)
    sending = await desk.enter(desk.reply("a", parts=2), desk.reply("b"))
    begun, other = (one, two) if "a.1" in one.written else (two, one)
    begun.answer(c.ROK, c.RTHROTTLED)
    other.answer(c.ROK)
    desk.wait(1.1)
    assert (begun.written, other.written) == (["a.1", "a.2", "a.2"], ["b"])
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 2


async def test_a_reply_goes_before_bulk_that_was_put_off() -> None:
    line = Line("1", 3)
    desk = Desk(line, rate=50.0)
    await desk.enter(desk.broadcast("a"), desk.broadcast("b"))
    desk.wait(0.1)
    line.answer(*[c.RTHROTTLED] * len(line.open))
    before = len(line.written)
    await desk.enter(desk.reply("r"))
    desk.wait(1.1)
    assert line.written[before:] == ["r"]


async def test_while_the_account_pauses_nothing_leaves_and_then_it_goes_slower() -> None:
    line = Line("1", 100)
    desk = Desk(line, rate=100.0, throttle_pause=2.0)
    await desk.enter(*[desk.reply(str(number)) for number in range(300)])
    line.answer(c.RTHROTTLED)
    before = len(line.written)
    desk.wait(1.9)
    assert len(line.written) == before
    assert desk.outgoing.rate == 50.0
    for _ in range(100):
        desk.wait(0.01)
        line.answer(*[c.ROK] * len(line.open))
    assert 40 <= len(line.written) - before <= 52


async def test_message_put_off_too_long_comes_back_and_asks_for_a_pause_of_the_line() -> None:
    line = Line("1", 1)
    desk = Desk(line, throttle_hold=5.0, throttle_pause=1.0)
    sending = await desk.enter(desk.reply("a", parts=2))
    line.answer(c.ROK)
    desk.outgoing.pump()
    for _ in range(5):
        line.answer(c.RTHROTTLED)
        desk.wait(1.01)
    (result,) = await soon(sending)
    assert (result.status, result.reason, result.retry_after) == (RETRY, "RTHROTTLED", 1.0)
    assert [(segment.segment, segment.command_status) for segment in result.segments] == [(1, c.ROK), (2, c.RTHROTTLED)]
    assert line.written == ["a.1", "a.2", "a.2", "a.2", "a.2", "a.2"]


async def test_message_that_expired_in_the_queue_comes_back_and_is_not_sent() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("a"), desk.reply("b", expires_at=desk.now + 5.0), desk.reply("c"))
    desk.now += 5.0
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, ""), (RETRY, "expired"), (ACCEPTED, "")]
    assert line.written == ["a", "c"]


async def test_message_begun_before_it_expired_is_finished() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("a", parts=2, expires_at=desk.now + 5.0))
    desk.now += 5.0
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")]


@pytest.mark.parametrize(("status", "outcome"), [(c.RMSGQFUL, RETRY), (c.RTHROTTLED, ACCEPTED)])
async def test_one_persons_full_queue_does_not_hold_up_everybody(status: int, outcome: SendStatus) -> None:
    """RTHROTTLED is always of the line; the others may be of a handset that is off."""
    line = Line("1", 5)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("full"), *[desk.reply(str(number)) for number in range(20)])
    for _ in range(6):
        line.answer(*[status if request.frame == b"full" else c.ROK for request in line.open])
        desk.wait(1.1)
    desk.answer_all()
    results = await soon(sending)
    assert {result.status for result in results[1:]} == {ACCEPTED}
    assert (results[0].status, results[0].retry_after) == (outcome, 0.0)
    assert line.written.count("full") == (3 if outcome is RETRY else 7)


async def test_smsc_that_takes_nothing_for_long_gets_nothing_that_waits() -> None:
    line = Line("1", 2)
    desk = Desk(line, throttle_hold=3.0, throttle_pause=1.0, rate=10.0)
    sending = await desk.enter(*[desk.reply(str(number)) for number in range(50)])
    for _ in range(5):
        line.answer(*[c.RTHROTTLED] * len(line.open))
        desk.wait(1.01)
    line.answer(*[c.RTHROTTLED] * len(line.open))
    results = await soon(sending)
    assert {(result.status, result.reason, result.retry_after) for result in results} == {(RETRY, "RTHROTTLED", 1.0)}
    assert desk.outgoing.waiting == 0


async def test_smsc_that_takes_something_now_and_then_keeps_what_waits() -> None:
    line = Line("1", 1)
    desk = Desk(line, throttle_hold=3.0, throttle_pause=1.0)
    sending = await desk.enter(*[desk.reply(str(number)) for number in range(6)])
    for _ in range(6):
        line.answer(c.RTHROTTLED)
        desk.wait(1.01)
        line.answer(c.ROK)
        desk.wait(1.01)
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 6


async def test_what_was_refused_before_we_were_away_is_old_news() -> None:
    line = Line("1", 1)
    desk = Desk(line, throttle_hold=3.0)
    await desk.enter(desk.reply("a"))
    line.answer(c.RTHROTTLED)
    desk.outgoing.detach(line, "closed_by_smsc")
    desk.now += HOUR / 2
    desk.outgoing.attach(line)
    sending = await desk.enter(desk.reply("b"), desk.reply("c"))
    line.answer(c.RTHROTTLED)
    desk.wait(1.1)
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 2


async def test_segment_put_off_of_a_message_that_cannot_arrive_whole_is_not_kept() -> None:
    line = Line("1", 3)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("a", parts=2))
    line.answer(c.RINVDSTADR, c.RTHROTTLED)
    assert desk.outgoing.paused  # nothing else is looked at now
    for _ in range(3):
        await asyncio.sleep(0)
    assert sending.done()
    (result,) = await soon(sending)
    assert (result.status, result.reason) == (REJECTED, "RINVDSTADR")
    assert desk.outgoing.waiting == 0


class Prompt(Line):
    """Answers at once, the first with `status`, and tells nobody that it has room."""

    def __init__(self, status: int = c.ROK) -> None:
        super().__init__()
        self._status = status

    def submit(self, requests: Sequence[Request]) -> None:
        status = c.ROK if self.written else self._status
        super().submit(requests)
        self.answer(*[status] * len(requests))


async def test_what_was_put_off_leaves_by_itself_when_the_pause_is_over() -> None:
    line = Prompt(c.RTHROTTLED)
    desk = Desk(line, throttle_pause=600.0, throttle_hold=HOUR)
    sending = await desk.enter(desk.reply("a", expires_at=desk.now + HOUR))
    desk.now += 600.0
    pass_time(600.0)
    assert told(await soon(sending)) == [(ACCEPTED, "")]
    assert line.written == ["a", "a"]


async def test_what_the_rate_held_back_leaves_by_itself() -> None:
    line = Prompt()
    desk = Desk(line, rate=0.01)
    sending = await desk.enter(desk.reply("a"), desk.reply("b"))
    desk.now += 100.0
    pass_time(100.0)
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 2


async def test_account_that_leaves_waits_for_no_throttle() -> None:
    line = Line("1", 2)
    desk = Desk(line)
    sending = await desk.enter(*[desk.reply(name) for name in "abcd"])
    leaving = asyncio.create_task(desk.outgoing.emptied())
    await asyncio.sleep(0)
    line.answer(c.ROK, c.RTHROTTLED)
    async with asyncio.timeout(60):
        await leaving
    assert [result.status for result in await soon(sending)] == [ACCEPTED, RETRY, RETRY, RETRY]


async def test_account_that_leaves_during_a_pause_does_not_wait_for_its_end() -> None:
    line = Line("1", 1)
    desk = Desk(line)
    sending = await desk.enter(desk.reply("a"), desk.reply("b"))
    line.answer(c.RTHROTTLED)
    async with asyncio.timeout(60):
        await desk.outgoing.emptied()
    assert [result.status for result in await soon(sending)] == [RETRY, RETRY]


@pytest.mark.parametrize("status", [c.RINVBNDSTS, 0x402])
async def test_what_is_refused_for_now_costs_its_message_and_no_pause(status: int) -> None:
    line = Line("1", 1)
    desk = Desk(line, temporary_statuses=frozenset({0x402}))
    sending = await desk.enter(desk.reply("a", parts=2), desk.reply("b"))
    line.answer(status)
    assert not desk.outgoing.paused
    desk.outgoing.pump()
    desk.answer_all()
    first, second = await soon(sending)
    assert (first.status, first.retry_after, second.status) == (RETRY, 0.0, ACCEPTED)
    assert line.written == ["a.1", "b"]
    assert (desk.counters.deferred, desk.counters.throttled) == (1, 0)


async def test_answer_of_a_link_that_is_gone_puts_nothing_back() -> None:
    gone, other = Line("1", 2), Line("2", 2)
    desk = Desk(gone)
    sending = await desk.enter(desk.reply("a", parts=2))
    desk.outgoing.attach(other)
    desk.outgoing.detach(gone, "closed_by_smsc")
    gone.answer(c.ROK, c.RTHROTTLED)
    (result,) = await soon(sending)
    assert result.status is RETRY
    assert desk.outgoing.waiting == 0


async def test_slowing_down_is_logged_with_its_rate_and_no_number() -> None:
    line = Line("1", 3)
    desk = Desk(line, rate=100.0)
    with capture_logs() as logs:
        await desk.enter(desk.reply("84912345678"), desk.reply("b"))
        line.answer(c.RTHROTTLED, c.RTHROTTLED)
    assert logs == [
        {"event": "sms.throttled", "log_level": "warning", "account": "a", "status": "RTHROTTLED", "rate": 50.0}
    ]


async def test_every_category_has_its_turn() -> None:
    line = Line("1", 3)
    desk = Desk(line)
    sending = await desk.enter(*[desk.message(category.value, category) for category in reversed(Category)])
    desk.answer_all()
    assert told(await soon(sending)) == [(ACCEPTED, "")] * 3
    assert line.written == ["reply", "notice", "broadcast"]
