"""The SMS channel: what the SMSC says becomes results and arrivals, and nothing is lost, doubled or told in a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.base import Channel, Settlement
from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import SmppAccount
from channels.sms.channel import SmsChannel
from channels.sms.pacing import BackOff
from channels.sms.pdu import Bind, DataSm, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp, Unbind
from channels.sms.submits import relative_time
from domain.errors import CredentialsRefused
from domain.message import Address, Category, DeliveryStatus, SendStatus
from tests.passing_time import pass_time
from tests.peers.scripted_smsc import ScriptedSmsc, scripted_smsc
from tests.unit.sms_desk import CITIZEN, NOW, Desk, deliver, outbound, soon

SEGMENT = 153  # septets of one of several parts


ScriptedDesk = Desk[ScriptedSmsc]


@pytest.fixture
async def desk() -> AsyncIterator[ScriptedDesk]:
    async with scripted_smsc() as smsc:
        made = Desk(smsc)
        yield made
        await made.close()


def test_the_channel_is_a_channel() -> None:
    def use(channel: Channel) -> Channel:
        return channel

    account = SmppAccount(name="a", host="h", system_id="s", password="p", short_code="8088")
    channel = use(SmsChannel(account, new_id=lambda: 1, clock=lambda: NOW))
    assert (channel.name, channel.account, channel.rate) == ("sms", "a", 50.0)
    assert (channel.capabilities.accents, channel.capabilities.reports) == (False, True)
    assert list(channel.routes()) == []


def test_an_account_may_write_with_accents_to_whoever_chose_none() -> None:
    account = SmppAccount(name="a", host="h", system_id="s", password="p", short_code="8088", accents=True)
    assert SmsChannel(account, new_id=lambda: 1, clock=lambda: NOW).capabilities.accents


# Binding and coming back.


@pytest.mark.parametrize("status", sorted(statuses.FATAL_TO_BIND))
async def test_refused_credentials_are_fatal_and_say_so(desk: ScriptedDesk, status: int) -> None:
    desk.smsc.bind_statuses.append(status)
    await desk.open(bound=False)
    with pytest.raises(CredentialsRefused, match=rf"viettel.*{statuses.name_of(status)}"):
        await soon(desk.task)
    assert len(desk.smsc.of(Bind)) == 1
    assert desk.slept == []


@pytest.mark.parametrize("status", [c.RBINDFAIL, c.RSYSERR, 0x400])
async def test_any_other_refusal_is_tried_again(desk: ScriptedDesk, status: int) -> None:
    desk.smsc.bind_statuses.extend([status, status])
    await desk.open()
    assert len(desk.smsc.of(Bind)) == 3
    assert len(desk.slept) == 2


async def test_smsc_that_is_away_is_called_again_with_growing_jittered_delays(desk: ScriptedDesk) -> None:
    async with scripted_smsc() as gone:
        port = gone.port
    channel = await desk.open(bound=False, port=port)
    await desk.until(lambda: len(desk.slept) >= 9)
    for attempt, delay in enumerate(desk.slept[:9]):
        full = min(60.0, 2.0**attempt)
        assert full / 2 <= delay <= full
    health = await channel.health()
    assert not health.ok
    assert "ConnectionRefusedError" in health.detail
    assert not channel.ready


async def test_lost_link_is_told_by_name_and_comes_back_under_another(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(deliver(1))
    first = await soon(desk.basket.arrivals.get())
    desk.smsc.link.transport.abort()
    await desk.until(lambda: desk.basket.ended == [first.message.session])
    assert not first.settle(Settlement.DURABLE)
    await desk.smsc.until_heard(Bind, 2)
    await desk.until(lambda: desk.channel.ready)
    desk.smsc.say(deliver(1))
    second = await soon(desk.basket.arrivals.get())
    assert second.message.session not in {None, first.message.session}
    assert second.message.identity == first.message.identity
    assert desk.channel.counters.links_lost == 1


async def test_stopping_ends_the_link_and_tells_its_end(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await desk.task
    assert len(desk.basket.ended) == 1
    assert not desk.channel.ready
    await desk.smsc.until(lambda: not desk.smsc.link.open)


async def test_drain_finishes_what_is_under_way_then_unbinds_and_run_returns(desk: ScriptedDesk) -> None:
    channel = await desk.open()
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound()]))
    (submit,) = await desk.smsc.until_heard(SubmitSm)
    draining = asyncio.create_task(channel.drain())
    await asyncio.sleep(0)
    assert [result.status for result in await channel.send([outbound(2)])] == [SendStatus.RETRY]
    assert desk.smsc.of(Unbind) == []
    desk.smsc.say(SubmitSmResp(submit.sequence, message_id="A"))
    await soon(draining)
    await soon(desk.task)
    assert [result.status for result in await sending] == [SendStatus.ACCEPTED]
    assert len(desk.smsc.of(Unbind)) == 1


async def test_drain_without_a_link_returns(desk: ScriptedDesk) -> None:
    async with scripted_smsc() as gone:
        port = gone.port
    channel = await desk.open(bound=False, port=port)
    await soon(channel.drain())
    await soon(desk.task)


# Sending.


async def test_not_bound_means_retry_at_once(desk: ScriptedDesk) -> None:
    async with scripted_smsc() as gone:
        port = gone.port
    channel = await desk.open(bound=False, port=port)
    (result,) = await channel.send([outbound(7)])
    assert (result.message_id, result.status, result.reason) == (7, SendStatus.RETRY, "not_bound")


async def test_accepted_messages_carry_the_ids_the_smsc_gave_in_the_order_of_the_batch(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=3)
    results = await soon(channel.send([outbound(number) for number in range(1, 21)]))
    assert [result.message_id for result in results] == list(range(1, 21))
    assert {result.status for result in results} == {SendStatus.ACCEPTED}
    assert [result.segments[0].external_id for result in results] == [f"id{number}" for number in range(1, 21)]
    assert await channel.send([]) == []


async def test_what_is_submitted_is_what_was_agreed_with_the_operator(desk: ScriptedDesk) -> None:
    channel = await desk.open(source_ton=3, source_npi=9, destination_ton=1, destination_npi=1, service_type="VMA")
    notice = outbound(2, category=Category.NOTICE, sender=Address("sms", "1022"), expires_at=NOW + timedelta(days=9))
    await soon(channel.send([outbound(1), notice]))
    reply, second = desk.smsc.of(SubmitSm)
    assert (reply.source, reply.source_ton, reply.source_npi) == ("8088", 3, 9)
    assert (reply.destination, reply.destination_ton, reply.destination_npi) == (CITIZEN, 1, 1)
    assert (reply.service_type, reply.registered_delivery, reply.data_coding) == ("VMA", 1, 0)
    assert (reply.validity, second.validity) == ("000000010000000R", "000000060000000R")
    assert (reply.priority, second.priority) == (1, 0)
    assert second.source == "1022"


async def test_long_message_leaves_in_consecutive_segments_and_is_accepted_when_all_are(desk: ScriptedDesk) -> None:
    channel = await desk.open()
    text = "Hồ sơ của ông bà đang được xử lý. " * 4
    long, short = await soon(channel.send([outbound(1, text), outbound(2)]))
    submits = desk.smsc.of(SubmitSm)
    headers = [submit.short_message[:6] for submit in submits[:3]]
    assert [header[-1] for header in headers] == [1, 2, 3]
    assert len({header[:5] for header in headers}) == 1
    assert {submit.esm_class for submit in submits[:3]} == {c.ESM_UDHI}
    assert b"".join(submit.short_message[6:] for submit in submits[:3]).decode("utf-16-be") == text
    assert [(part.segment, part.segments, part.external_id) for part in long.segments] == [
        (1, 3, "id1"),
        (2, 3, "id2"),
        (3, 3, "id3"),
    ]
    assert short.status is SendStatus.ACCEPTED


@pytest.mark.parametrize("status", [c.RTHROTTLED, c.RMSGQFUL, c.RSYSERR, c.RX_T_APPN, 0x401])
async def test_smsc_that_says_it_is_too_much_pauses_the_account_and_gets_the_same_again(
    desk: ScriptedDesk, status: int
) -> None:
    channel = await desk.open(window=1, throttle_pause=0.05, throttling_statuses=frozenset({0x401}))
    desk.smsc.submit_statuses.append(status)
    sending = asyncio.create_task(channel.send([outbound(1, "one"), outbound(2, "two")]))
    await desk.until(lambda: channel.counters.throttled == 1)
    assert not channel.ready
    assert len(desk.smsc.of(SubmitSm)) == 1
    assert {result.status for result in await soon(sending)} == {SendStatus.ACCEPTED}
    refused, again, second = desk.smsc.of(SubmitSm)
    assert [refused.short_message, again.short_message, second.short_message] == [b"one", b"one", b"two"]
    assert len({refused.sequence, again.sequence, second.sequence}) == 3
    assert channel.ready


@pytest.mark.parametrize("status", [0x402, c.RTHROTTLED])
async def test_what_the_operator_calls_temporary_costs_one_message_its_turn_and_no_pause(
    desk: ScriptedDesk, status: int
) -> None:
    channel = await desk.open(window=1, temporary_statuses=frozenset({status}))
    desk.smsc.submit_statuses.append(status)
    first, second = await soon(channel.send([outbound(1), outbound(2)]))
    assert (first.status, first.retry_after, first.reason) == (SendStatus.RETRY, 0.0, statuses.name_of(status))
    assert second.status is SendStatus.ACCEPTED
    assert (channel.counters.throttled, channel.counters.deferred) == (0, 1)


@pytest.mark.parametrize("status", [c.RINVDSTADR, c.RINVSRCADR, c.RINVMSGLEN, c.RSUBMITFAIL, 0x404])
async def test_permanent_refusal_is_rejected_by_its_name(desk: ScriptedDesk, status: int) -> None:
    channel = await desk.open()
    desk.smsc.submit_statuses.append(status)
    first, second = await soon(channel.send([outbound(1), outbound(2)]))
    assert (first.status, first.reason) == (SendStatus.REJECTED, statuses.name_of(status))
    assert first.segments[0].command_status == status
    assert second.status is SendStatus.ACCEPTED
    assert channel.ready


async def test_person_who_blocked_us_is_told_apart(desk: ScriptedDesk) -> None:
    channel = await desk.open(stopped_statuses=frozenset({0x4A0}))
    desk.smsc.submit_statuses.append(0x4A0)
    (result,) = await soon(channel.send([outbound()]))
    assert (result.status, result.reason) == (SendStatus.STOPPED, "0x000004A0")


async def test_rest_of_a_message_is_not_sent_once_a_segment_was_refused(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=1)
    desk.smsc.submit_statuses.extend([c.ROK, c.RINVDSTADR])
    long, short = await soon(channel.send([outbound(1, "a" * SEGMENT * 3), outbound(2)]))
    assert (long.status, [part.segment for part in long.segments]) == (SendStatus.REJECTED, [1, 2])
    assert short.status is SendStatus.ACCEPTED
    assert len(desk.smsc.of(SubmitSm)) == 3


async def test_window_is_never_exceeded(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=5)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(number) for number in range(1, 13)]))
    for answered in range(13):
        submits = await desk.smsc.until_heard(SubmitSm, min(12, answered + 5))
        assert len(submits) == min(12, answered + 5)
        if answered < 12:
            desk.smsc.say(SubmitSmResp(submits[answered].sequence, message_id="x"))
    assert {result.status for result in await soon(sending)} == {SendStatus.ACCEPTED}


async def test_lost_link_leaves_the_written_unknown_and_the_unwritten_to_retry(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=2)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(number) for number in range(1, 5)]))
    await desk.smsc.until_heard(SubmitSm, 2)
    desk.smsc.link.transport.abort()
    results = await soon(sending)
    assert [result.status for result in results] == [SendStatus.UNKNOWN] * 2 + [SendStatus.RETRY] * 2
    assert results[0].reason == "link_lost"


async def test_unanswered_message_is_unknown_and_the_link_lives_on(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=1, response_timeout=20.0)
    desk.smsc.silent_submits = 1
    sending = asyncio.create_task(channel.send([outbound(1), outbound(2)]))
    await desk.smsc.until_heard(SubmitSm)
    pass_time(20.0)
    first, second = await soon(sending)
    assert (first.status, first.reason) == (SendStatus.UNKNOWN, "response_timeout")
    assert second.status is SendStatus.ACCEPTED


async def test_message_that_cannot_have_arrived_whole_may_go_again(desk: ScriptedDesk) -> None:
    """Its first segment's fate is unknown, but its second never left: no second copy can come of sending it again."""
    channel = await desk.open(window=1)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(1, "a" * SEGMENT * 2)]))
    await desk.smsc.until_heard(SubmitSm)
    desk.smsc.link.transport.abort()
    (result,) = await soon(sending)
    assert result.status is SendStatus.RETRY


async def test_paced_messages_leave_by_themselves(desk: ScriptedDesk) -> None:
    channel = await desk.open(rate=500.0, window=50)
    results = await soon(channel.send([outbound(number) for number in range(1, 31)]))
    assert {result.status for result in results} == {SendStatus.ACCEPTED}


async def test_cancelled_send_withdraws_what_was_not_written(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=1)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(1), outbound(2)]))
    (submit,) = await desk.smsc.until_heard(SubmitSm)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    desk.smsc.answers_submits = True
    desk.smsc.say(SubmitSmResp(submit.sequence, message_id="A"))
    (result,) = await soon(channel.send([outbound(3, "ba")]))
    assert result.status is SendStatus.ACCEPTED
    assert [submit.short_message for submit in desk.smsc.of(SubmitSm)][1:] == [b"ba"]


async def test_message_that_cannot_be_encoded_is_rejected_and_costs_no_other(desk: ScriptedDesk) -> None:
    channel = await desk.open()
    batch = [
        outbound(1, sender=Address("sms", "1" * 21)),
        outbound(2, recipient=Address("sms", "người")),
        outbound(3, "a" * 256 * SEGMENT),
        outbound(4),
    ]
    results = await soon(channel.send(batch))
    assert [result.status for result in results] == [SendStatus.REJECTED] * 3 + [SendStatus.ACCEPTED]


async def test_fits_counts_as_the_encoder_does(desk: ScriptedDesk) -> None:
    channel = await desk.open()
    assert channel.fits("a" * 306)
    assert not channel.fits("a" * 307)
    assert channel.fits("ệ" * 134)
    assert not channel.fits("ệ" * 135)


# Receiving.


async def test_message_arrives_decoded_and_is_acknowledged_only_after_the_journal(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(
        DeliverSm(
            5,
            source="0912345678",
            destination="8088",
            data_coding=8,
            short_message="Hồ sơ của tôi?".encode("utf-16-be"),
        )
    )
    arrival = await soon(desk.basket.arrivals.get())
    message = arrival.message
    assert (message.id, message.channel, message.account) == (1, "sms", "viettel")
    assert (message.sender.urn, message.recipient.urn) == (f"sms:{CITIZEN}", "sms:8088")
    assert (message.text, message.received_at, message.raw) == ("Hồ sơ của tôi?", NOW, None)
    assert message.external_id is None
    assert desk.smsc.of(DeliverSmResp) == []
    assert arrival.settle(Settlement.DURABLE)
    assert await desk.smsc.until_heard(DeliverSmResp) == [DeliverSmResp(5)]


async def test_store_away_asks_the_smsc_to_send_again(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(deliver(5))
    arrival = await soon(desk.basket.arrivals.get())
    assert arrival.settle(Settlement.REFUSED)
    assert await desk.smsc.until_heard(DeliverSmResp) == [DeliverSmResp(5, c.RX_T_APPN)]


async def test_receipt_is_a_report_and_not_a_message(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(deliver(6, b"id:3E8 sub:001 dlvrd:001 stat:DELIVRD err:000 text:", esm_class=c.ESM_RECEIPT))
    arrival = await soon(desk.basket.reports.get())
    report = arrival.report
    assert (report.channel, report.account, report.external_id) == ("sms", "viettel", "3E8")
    assert (report.status, report.received_at) == (DeliveryStatus.DELIVERED, NOW)
    assert arrival.settle(Settlement.DURABLE)
    assert await desk.smsc.until_heard(DeliverSmResp) == [DeliverSmResp(6)]
    assert desk.basket.arrivals.empty()


async def test_citizen_who_types_a_receipt_sends_a_message(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(deliver(7, b"id:3E8 stat:DELIVRD"))
    assert (await soon(desk.basket.arrivals.get())).message.text == "id:3E8 stat:DELIVRD"


async def test_identity_is_the_same_when_sent_again_and_differs_in_anything_that_counts(desk: ScriptedDesk) -> None:
    await desk.open()
    different = [
        deliver(1, b"x"),
        deliver(1, b"y"),
        deliver(1, b"x", data_coding=1),
        deliver(1, b"x", esm_class=2),
        DeliverSm(1, source=CITIZEN, source_ton=1, destination="1022", short_message=b"x"),
        DeliverSm(1, source="84987654321", source_ton=1, destination="8088", short_message=b"x"),
    ]
    desk.smsc.say(*different)
    seen = {(await soon(desk.basket.arrivals.get())).message.identity for _ in different}
    assert len(seen) == len(different)
    desk.smsc.say(deliver(99, b"x"))
    assert (await soon(desk.basket.arrivals.get())).message.identity in seen


async def test_binary_and_damaged_texts_keep_their_octets(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(deliver(1, b"\x00\xff\x10", data_coding=4), deliver(2, b"h\xe9", data_coding=0))
    binary = (await soon(desk.basket.arrivals.get())).message
    damaged = (await soon(desk.basket.arrivals.get())).message
    assert (binary.text, binary.raw) == ("", b"\x00\xff\x10")
    assert (damaged.text, damaged.raw) == ("hé", b"h\xe9")


async def test_hidden_sender_and_missing_destination_still_arrive(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.smsc.say(DeliverSm(1, short_message=b"hi"), DataSm(2, source="8077", tlvs={c.MESSAGE_PAYLOAD: b"hi"}))
    hidden = (await soon(desk.basket.arrivals.get())).message
    by_data_sm = (await soon(desk.basket.arrivals.get())).message
    assert (hidden.sender.value, hidden.recipient.value) == ("unknown", "8088")
    assert (by_data_sm.sender.value, by_data_sm.text) == ("8077", "hi")


async def test_failing_gateway_costs_one_message_its_turn_and_no_other(desk: ScriptedDesk) -> None:
    await desk.open()
    desk.basket.fails_on = "poison"
    with capture_logs() as logs:
        desk.smsc.say(deliver(1, b"poison"), deliver(2, b"fine"))
        arrival = await soon(desk.basket.arrivals.get())
        assert arrival.message.text == "fine"
        assert await desk.smsc.until_heard(DeliverSmResp) == [DeliverSmResp(1, c.RX_T_APPN)]
    assert [entry["error"] for entry in logs if entry["event"] == "sms.delivery_failed"] == ["LookupError"]


# Telling.


async def test_logs_name_no_number_and_no_text(desk: ScriptedDesk) -> None:
    with capture_logs() as logs:
        channel = await desk.open(throttle_pause=0.01)
        desk.smsc.submit_statuses.extend([c.RTHROTTLED, c.RINVDSTADR])
        desk.smsc.say(deliver(1, b"my dossier"), deliver(2, b"id:1 stat:DELIVRD", esm_class=4))
        await soon(channel.send([outbound(1, "my answer"), outbound(2), outbound(3)]))
        desk.smsc.link.transport.abort()
        await desk.smsc.until_heard(Bind, 2)
    events = {entry["event"] for entry in logs}
    assert {"sms.bound", "sms.throttled", "sms.link_lost", "sms.reconnect_waits"} <= events
    told = repr(logs)
    assert not any(secret in told for secret in (CITIZEN, "912345678", "my dossier", "my answer", "secret"))


async def test_health_tells_state_window_and_last_error(desk: ScriptedDesk) -> None:
    channel = await desk.open(window=7)
    health = await channel.health()
    assert health.ok
    assert health.detail == "transceiver 1 bound, window 0/7; waiting 0, rate unlimited, throttled 0"


# The arithmetic.


@given(st.integers(-(10**6), 10**9))
def test_validity_is_always_one_the_standard_can_write(seconds: int) -> None:
    written = relative_time(seconds)
    assert (len(written), written[:4], written[-4:]) == (16, "0000", "000R")
    assert written >= "000000000100000R"
    assert int(written[6:8]) < 24
    assert int(written[8:10]) < 60
    assert int(written[10:12]) < 60


@given(attempt=st.integers(0, 10_000), spread=st.floats(0, 1, exclude_max=True))
def test_delays_grow_to_the_cap_and_stay_there(attempt: int, spread: float) -> None:
    delay = BackOff(first=1.0, cap=60.0).delay(attempt, spread)
    assert min(60.0, 2.0 ** min(attempt, 10)) / 2 <= delay <= 60.0
