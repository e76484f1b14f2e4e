"""What /metrics says of an SMSC account: each bind by itself, its window, and how fast the account may go now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from channels.sms import commands as c
from channels.sms.account import BindMode, SmppBind
from channels.sms.channel import SmsChannel
from channels.sms.pdu import SubmitSm
from gateway.bootstrap.channels import Channels, read_counters
from gateway.metrics import PREFIX, Metrics
from tests.peers.scripted_smsc import PATIENCE, ScriptedSmsc, scripted_smsc
from tests.unit.sms_desk import Desk, outbound

PAIR = (SmppBind(name="tx", mode=BindMode.TRANSMITTER, window=3), SmppBind(name="rx", mode=BindMode.RECEIVER))


@pytest.fixture
async def desk() -> AsyncIterator[Desk[ScriptedSmsc]]:
    async with scripted_smsc() as smsc:
        made = Desk(smsc)
        yield made
        await made.close()


def figures(*channels: SmsChannel, held: Sequence[str] = ("viettel",)) -> Metrics:
    metrics = Metrics()
    read_counters(metrics, Channels(sms=channels, telegram=(), zalo=()), frozenset(held))
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, {"account": "viettel", **labels})


async def test_each_bind_has_its_own_figure_that_falls_with_its_link(desk: Desk[ScriptedSmsc]) -> None:
    channel = await desk.open(bound=False, binds=PAIR)
    metrics = figures(channel)
    await desk.until(lambda: all(each.bound for each in channel.binds_now()))
    assert value(metrics, "sms_bind", bind="tx", mode="transmitter") == 1
    assert value(metrics, "sms_bind", bind="rx", mode="receiver") == 1
    for link in desk.smsc.links:
        link.transport.abort()
    desk.wakes = False
    await desk.until(lambda: not any(each.bound for each in channel.binds_now()))
    assert value(metrics, "sms_bind", bind="tx", mode="transmitter") == 0


async def test_a_window_is_told_where_something_leaves_and_nowhere_else(desk: Desk[ScriptedSmsc]) -> None:
    channel = await desk.open(binds=PAIR)
    metrics = figures(channel)
    desk.smsc.answers_submits = False
    sending = asyncio.create_task(channel.send([outbound(1), outbound(2)]))
    await desk.smsc.until_heard(SubmitSm, 2)
    assert value(metrics, "sms_window_used", bind="tx") == 2
    assert value(metrics, "sms_window_size", bind="tx") == 3
    assert value(metrics, "sms_window_used", bind="rx") is None
    assert value(metrics, "sms_window_size", bind="rx") is None
    sending.cancel()


async def test_the_rate_of_now_stands_beside_the_one_agreed(desk: Desk[ScriptedSmsc]) -> None:
    channel = await desk.open(rate=40.0, throttle_pause=PATIENCE, throttle_slowdown=0.5, throttle_recovery=1e-9)
    metrics = figures(channel)
    assert (value(metrics, "sms_rate"), value(metrics, "sms_rate_agreed")) == (40, 40)
    assert value(metrics, "sms_paused") == 0
    desk.smsc.submit_statuses.append(c.RTHROTTLED)
    sending = asyncio.create_task(channel.send([outbound(1)]))
    await desk.until(lambda: channel.paused)
    now = value(metrics, "sms_rate")
    assert now is not None
    assert now < 40
    assert value(metrics, "sms_rate_agreed") == 40
    assert value(metrics, "sms_paused") == 1
    assert value(metrics, "sms_events_total", event="throttled") == 1
    sending.cancel()


async def test_an_account_without_a_limit_has_no_rate_to_tell(desk: Desk[ScriptedSmsc]) -> None:
    metrics = figures(await desk.open(rate=0.0))
    assert value(metrics, "sms_rate") is None
    assert value(metrics, "sms_rate_agreed") is None


async def test_an_account_another_process_may_hold_is_not_told_here(desk: Desk[ScriptedSmsc]) -> None:
    metrics = figures(await desk.open(), held=("vinaphone",))
    assert value(metrics, "sms_bind", bind="1", mode="transceiver") is None
