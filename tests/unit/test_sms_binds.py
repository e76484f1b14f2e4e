"""Several binds of one account: they share what leaves, each answers for what came by it, and none takes others down."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import BindMode, SmppAccount, SmppBind
from channels.sms.binding import BindReading, account_of, binds_of
from channels.sms.channel import SmsChannel
from channels.sms.pdu import Bind, DeliverSmResp, SubmitSm, SubmitSmResp, Unbind
from demo.smsc import Smsc, SmscOptions
from domain.errors import CredentialsRefused
from domain.message import SendResult, SendStatus
from tests.peers.scripted_smsc import Link, ScriptedSmsc, scripted_smsc
from tests.unit.sms_desk import CITIZEN, Desk, deliver, outbound, soon

PAIR = (SmppBind(name="tx", mode=BindMode.TRANSMITTER), SmppBind(name="rx", mode=BindMode.RECEIVER))
TWO = (SmppBind(name="1"), SmppBind(name="2"))
THREE = (*TWO, SmppBind(name="3"))
ACCOUNT = SmppAccount(name="a", host="h", port=1, system_id="s", password="p", short_code="8088")


@pytest.fixture
async def desk() -> AsyncIterator[Desk[ScriptedSmsc]]:
    """At an SMSC that does what the test says."""
    async with scripted_smsc() as smsc:
        made = Desk(smsc)
        yield made
        await made.close()


@asynccontextmanager
async def simulated(**options: Any) -> AsyncIterator[Desk[Smsc]]:
    """At the simulator of the demo."""
    async with Smsc(SmscOptions(system_id="gateway", password="secret", retry_after=0.01, **options)) as smsc:
        made = Desk(smsc)
        yield made
        await made.close()


async def opened(desk: Desk[Any], binds: Sequence[SmppBind], **changes: Any) -> SmsChannel:
    """With all of these bound."""
    channel = await desk.open(bound=False, binds=binds, **changes)
    await desk.until(lambda: all(reading.bound for reading in channel.binds_now()))
    return channel


def reading(desk: Desk[Any], name: str) -> BindReading:
    return next(reading for reading in desk.channel.binds_now() if reading.name == name)


def bound_as(smsc: ScriptedSmsc, command: int) -> Link:
    """The connection that asked to be this."""
    return next(link for link in smsc.links if link.of(Bind)[0].command == command)


async def outcomes(sending: asyncio.Task[Sequence[SendResult]]) -> list[SendStatus]:
    return [result.status for result in await soon(sending)]


# What is sent.


async def test_binds_share_what_leaves_and_each_keeps_its_own_window(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, THREE, window=1)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(number) for number in range(1, 5)]))
    await desk.smsc.until_heard(SubmitSm, 3)
    assert [len(link.of(SubmitSm)) for link in desk.smsc.links] == [1, 1, 1]
    assert [each.in_flight for each in channel.binds_now()] == [1, 1, 1]
    desk.smsc.answers_submits = True
    for link in desk.smsc.links:
        link.say(*[SubmitSmResp(submit.sequence, message_id="A") for submit in link.of(SubmitSm)])
    assert await outcomes(sending) == [SendStatus.ACCEPTED] * 4


async def test_lost_bind_costs_only_what_was_written_on_it_and_the_other_sends_the_rest(
    desk: Desk[ScriptedSmsc],
) -> None:
    channel = await opened(desk, TWO, window=2)
    desk.smsc.answers_submits = False
    texts = [f"message {number}" for number in range(8)]
    sending = asyncio.create_task(channel.send([outbound(number, text) for number, text in enumerate(texts)]))
    await desk.smsc.until_heard(SubmitSm, 4)
    gone, kept = desk.smsc.links
    on_gone = {submit.short_message.decode() for submit in gone.of(SubmitSm)}
    desk.smsc.answers_submits = True
    gone.transport.abort()
    await desk.until(lambda: sum(each.links_lost for each in channel.binds_now()) == 1)
    assert channel.ready
    kept.say(*[SubmitSmResp(submit.sequence, message_id="A") for submit in kept.of(SubmitSm)])
    told = await outcomes(sending)
    assert {text for text, status in zip(texts, told, strict=True) if status is SendStatus.UNKNOWN} == on_gone
    assert sorted(told) == [SendStatus.ACCEPTED] * 6 + [SendStatus.UNKNOWN] * 2
    assert sorted(submit.short_message.decode() for submit in desk.smsc.of(SubmitSm)) == texts


async def test_receiver_is_never_written_to_and_alone_it_sends_nothing(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, PAIR)
    assert (await soon(channel.send([outbound(1)])))[0].status is SendStatus.ACCEPTED
    assert len(bound_as(desk.smsc, c.BIND_TRANSMITTER).of(SubmitSm)) == 1
    assert bound_as(desk.smsc, c.BIND_RECEIVER).of(SubmitSm) == []
    desk.smsc.bind_statuses.extend([c.RBINDFAIL] * 1_000_000)
    bound_as(desk.smsc, c.BIND_TRANSMITTER).transport.abort()
    await desk.until(lambda: not channel.ready)
    assert reading(desk, "rx").bound
    (result,) = await soon(channel.send([outbound(2)]))
    assert (result.status, result.reason) == (SendStatus.RETRY, "not_bound")
    assert not (await channel.health()).ok


async def test_account_with_nothing_but_a_transmitter_is_well(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, PAIR[:1])
    assert channel.ready
    assert (await channel.health()).ok


async def test_lost_receiver_is_no_reason_not_to_send_but_one_to_look(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, PAIR)
    desk.smsc.bind_statuses.extend([c.RBINDFAIL] * 1_000_000)
    bound_as(desk.smsc, c.BIND_RECEIVER).transport.abort()
    await desk.until(lambda: reading(desk, "rx").last_error == "bind_refused RBINDFAIL")
    assert channel.ready
    health = await channel.health()
    assert not health.ok
    assert "transmitter tx bound, window 0/10; receiver rx " in health.detail
    assert "last error bind_refused RBINDFAIL; waiting 0, rate unlimited, throttled 0" in health.detail


# What comes in.


async def test_message_is_acknowledged_on_the_bind_it_came_by(desk: Desk[ScriptedSmsc]) -> None:
    await opened(desk, TWO)
    first, second = desk.smsc.links
    first.say(deliver(7, b"one"))
    one = await soon(desk.basket.arrivals.get())
    second.say(deliver(7, b"two"))
    two = await soon(desk.basket.arrivals.get())
    assert one.message.session != two.message.session
    assert two.settle(Settlement.REFUSED)
    assert one.settle(Settlement.DURABLE)
    await desk.smsc.until_heard(DeliverSmResp, 2)
    assert (first.of(DeliverSmResp), second.of(DeliverSmResp)) == (
        [DeliverSmResp(7)],
        [DeliverSmResp(7, c.RX_T_APPN)],
    )


async def test_end_of_one_bind_is_told_by_its_own_name_and_the_others_messages_stay_good(
    desk: Desk[ScriptedSmsc],
) -> None:
    await opened(desk, TWO)
    first, second = desk.smsc.links
    first.say(deliver(7, b"one"))
    lost = await soon(desk.basket.arrivals.get())
    second.say(deliver(8, b"two"))
    good = await soon(desk.basket.arrivals.get())
    first.transport.abort()
    await desk.until(lambda: desk.basket.ended == [lost.message.session])
    assert not lost.settle(Settlement.DURABLE)
    assert good.settle(Settlement.DURABLE)
    await desk.smsc.until(lambda: second.of(DeliverSmResp) == [DeliverSmResp(8)])


async def test_transmitter_that_is_sent_a_message_all_the_same_takes_it(desk: Desk[ScriptedSmsc]) -> None:
    await opened(desk, PAIR)
    transmitter = bound_as(desk.smsc, c.BIND_TRANSMITTER)
    transmitter.say(deliver(9))
    arrival = await soon(desk.basket.arrivals.get())
    assert arrival.settle(Settlement.DURABLE)
    await desk.smsc.until(lambda: transmitter.of(DeliverSmResp) == [DeliverSmResp(9)])


async def test_pair_answers_by_the_one_what_was_asked_by_the_other_and_hears_of_its_delivery() -> None:
    async with simulated() as desk:
        channel = await opened(desk, PAIR)
        ticket = await desk.smsc.send_mo(CITIZEN, "8088", "000.00.18.H51-161220-0001")
        arrival = await soon(desk.basket.arrivals.get())
        assert arrival.settle(Settlement.DURABLE)
        assert await soon(ticket.acked) == c.ROK
        (sent,) = await soon(channel.send([outbound(1)]))
        told = await soon(desk.basket.reports.get())
        assert told.settle(Settlement.DURABLE)
        assert told.report.external_id == sent.segments[0].external_id
        modes = {session.number: session.bound for session in desk.smsc.sessions}
        by = {
            kind: {modes[seen.session] for seen in desk.smsc.seen if type(seen.pdu) is kind}
            for kind in (SubmitSm, type(deliver(1)))
        }
        assert by == {SubmitSm: {c.BIND_TRANSMITTER}, type(deliver(1)): {c.BIND_RECEIVER}}


async def test_whatever_bind_is_lost_every_message_of_a_citizen_arrives() -> None:
    async with simulated(redeliver_after=60.0) as desk:
        await opened(desk, THREE)
        tickets = [await desk.smsc.send_mo(CITIZEN, "8088", f"question {number}") for number in range(30)]
        victims = itertools.cycle(list(desk.smsc.sessions))
        texts = set[str]()
        while len(texts) < len(tickets):
            arrival = await soon(desk.basket.arrivals.get())
            if len(texts) in {5, 15}:
                next(victims).reset()
                await asyncio.sleep(0)
            if arrival.settle(Settlement.DURABLE):
                texts.add(arrival.message.text)
        assert texts == {f"question {number}" for number in range(30)}


# Signing in.


def test_account_that_names_no_bind_has_one_transceiver() -> None:
    (only,) = binds_of(ACCOUNT)
    assert (only.name, only.mode) == ("1", BindMode.TRANSCEIVER)
    assert account_of(ACCOUNT, only) == ACCOUNT


def test_bind_says_what_it_says_and_the_account_the_rest() -> None:
    own = SmppBind(
        name="x", host="i", port=2, system_id="t", password="q", system_type="V", address_range="9", window=3
    )
    said = account_of(replace(ACCOUNT, system_type="U", address_range="8"), own)
    assert (said.host, said.port, said.system_id, said.password) == ("i", 2, "t", "q")
    assert (said.system_type, said.address_range, said.window) == ("V", "9", 3)
    empty = account_of(replace(ACCOUNT, system_type="U", address_range="8"), SmppBind(name="x", system_type=""))
    assert (empty.host, empty.system_type, empty.address_range, empty.window) == ("h", "", "8", 10)


async def test_each_bind_signs_in_as_it_was_told(desk: Desk[ScriptedSmsc]) -> None:
    other = SmppBind(name="o", mode=BindMode.RECEIVER, system_id="other", password="else", address_range="^1022$")
    await opened(desk, [PAIR[0], other], system_type="VMS")
    binds = {bind.command: bind for bind in desk.smsc.of(Bind)}
    assert set(binds) == {c.BIND_TRANSMITTER, c.BIND_RECEIVER}
    transmitter, receiver = binds[c.BIND_TRANSMITTER], binds[c.BIND_RECEIVER]
    assert (transmitter.system_id, transmitter.password, transmitter.system_type) == ("gateway", "secret", "VMS")
    assert (receiver.system_id, receiver.password, receiver.address_range) == ("other", "else", "^1022$")


async def test_bind_too_many_is_tried_again_and_the_others_work() -> None:
    async with simulated(max_binds=1) as desk:
        channel = await desk.open(binds=TWO)
        await desk.until(lambda: len(desk.slept) >= 3)
        assert sorted(each.last_error for each in channel.binds_now()) == ["", "bind_refused RBINDFAIL"]
        assert (await soon(channel.send([outbound(1)])))[0].status is SendStatus.ACCEPTED
        desk.smsc.binds[0].reset()
        await desk.smsc.until(lambda: len(desk.smsc.binds) == 1)


@pytest.mark.parametrize("status", sorted(statuses.FATAL_TO_BIND))
async def test_bind_whose_credentials_are_refused_stops_loudly_and_the_others_go_on(
    desk: Desk[ScriptedSmsc], status: int
) -> None:
    async with scripted_smsc() as stern:
        stern.bind_statuses.append(status)
        with capture_logs() as logs:
            channel = await desk.open(binds=[TWO[0], replace(TWO[1], port=stern.port)])
            await desk.until(lambda: reading(desk, "2").state == "refused")
            desk.smsc.link.transport.abort()
            await desk.smsc.until_heard(Bind, 2)
            await desk.until(lambda: channel.ready)
        assert len(stern.of(Bind)) == 1
    word = statuses.name_of(status)
    assert reading(desk, "2").last_error == f"bind_refused {word}"
    (line,) = [entry for entry in logs if entry["event"] == "sms.bind_refused"]
    assert (line["bind"], line["status"], line["fatal"], line["log_level"]) == ("2", word, True, "error")
    assert "receiver" not in (health := (await channel.health()).detail)
    assert f"transceiver 2 refused, window 0/10, last error bind_refused {word}" in health


async def test_wrong_password_of_many_binds_is_tried_once(desk: Desk[ScriptedSmsc]) -> None:
    desk.smsc.bind_statuses.append(c.RINVPASWD)
    await desk.open(bound=False, binds=THREE)
    with pytest.raises(CredentialsRefused, match=r"viettel.*\(RINVPASWD\)"):
        await soon(desk.task)
    assert len(desk.smsc.of(Bind)) == 1
    assert {each.state for each in desk.channel.binds_now()} == {"refused"}


async def test_credentials_that_were_taken_once_are_refused_to_one_bind_only(desk: Desk[ScriptedSmsc]) -> None:
    desk.smsc.bind_statuses.extend([c.ROK, c.RINVSYSTYP])
    channel = await desk.open(binds=THREE)
    await desk.until(lambda: sorted(each.state for each in channel.binds_now()) == ["bound", "bound", "refused"])
    desk.smsc.links[0].transport.abort()
    await desk.smsc.until_heard(Bind, 4)
    await desk.until(lambda: sorted(each.state for each in channel.binds_now()) == ["bound", "bound", "refused"])


async def test_account_all_of_whose_binds_are_refused_ends_and_names_every_reason(desk: Desk[ScriptedSmsc]) -> None:
    desk.smsc.bind_statuses.extend([c.RINVPASWD, c.RINVPASWD])
    own = [replace(TWO[0], system_id="x"), replace(TWO[1], system_id="y")]
    async with scripted_smsc() as stern:
        stern.bind_statuses.append(c.RINVSYSID)
        await desk.open(bound=False, binds=[*own, SmppBind(name="3", port=stern.port)])
        with pytest.raises(CredentialsRefused, match=r"\(RINVPASWD, RINVSYSID\)"):
            await soon(desk.task)
    assert len(desk.smsc.of(Bind)) == 2


async def test_account_that_runs_again_tries_every_bind_again(desk: Desk[ScriptedSmsc]) -> None:
    desk.smsc.bind_statuses.append(c.RINVPASWD)
    channel = await desk.open(bound=False, binds=TWO)
    with pytest.raises(CredentialsRefused):
        await soon(desk.task)
    desk.task = asyncio.create_task(channel.run(desk.basket))
    await desk.until(lambda: all(each.bound for each in channel.binds_now()))


# Leaving.


async def test_drain_unbinds_everywhere_each_after_its_window_is_empty(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, [*TWO, PAIR[1]], window=1)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(1), outbound(2)]))
    submits = await desk.smsc.until_heard(SubmitSm, 2)
    draining = asyncio.create_task(channel.drain())
    assert not desk.smsc.of(Unbind)
    for link in desk.smsc.links:
        link.say(*[SubmitSmResp(submit.sequence, message_id="A") for submit in link.of(SubmitSm)])
    await soon(draining)
    await soon(desk.task)
    assert await outcomes(sending) == [SendStatus.ACCEPTED] * len(submits)
    assert [len(link.of(Unbind)) for link in desk.smsc.links] == [1, 1, 1]
    assert [each.links_lost for each in channel.binds_now()] == [0, 0, 0]


async def test_drain_does_not_wait_for_a_bind_that_rests(desk: Desk[ScriptedSmsc]) -> None:
    async with scripted_smsc() as gone:
        port = gone.port
    desk.wakes = False
    channel = await desk.open(binds=[TWO[0], replace(TWO[1], port=port)])
    await desk.until(lambda: len(desk.slept) == 1)
    await soon(channel.drain())
    await soon(desk.task)
    assert len(desk.smsc.of(Unbind)) == 1


async def test_stopping_ends_every_link_and_tells_each_end(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, THREE)
    desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await desk.task
    assert len(set(desk.basket.ended)) == 3
    assert not channel.ready
    await desk.smsc.until(lambda: not any(link.open for link in desk.smsc.links))


# Telling.


async def test_readings_count_for_each_bind_and_the_counters_for_the_account(desk: Desk[ScriptedSmsc]) -> None:
    channel = await opened(desk, [replace(TWO[0], window=3), PAIR[1]])
    bound_as(desk.smsc, c.BIND_RECEIVER).transport.abort()
    await desk.until(lambda: reading(desk, "rx").binds == 2)
    assert reading(desk, "1") == BindReading(
        name="1",
        mode=BindMode.TRANSCEIVER,
        state="bound",
        bound=True,
        in_flight=0,
        window=3,
        binds=1,
        links_lost=0,
        last_error="",
    )
    assert reading(desk, "rx").links_lost == 1
    assert reading(desk, "rx").last_error in {"closed_by_smsc", "ConnectionResetError"}
    assert (channel.counters.binds, channel.counters.links_lost) == (3, 1)
