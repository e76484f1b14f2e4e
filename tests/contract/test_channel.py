"""The promises of channels.base.Channel, kept by every channel at its real or simulated other side.

The web is no Channel, since a GET is a question and not a message; it keeps the promises of the first part.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.base import Channel, Health, RouteDef
from domain.message import Button, SendResult, SendStatus
from tests.contract.channel_kits import CHANNELS, EVERY_WAY, PATIENCE, RESPONSE_TIMEOUT, ChannelKit, Kit
from tests.passing_time import pass_time

CODE = "000.00.18.H51-161220-0001"
WITH_BUTTONS = [kit for kit in CHANNELS if kit.has_buttons]


@pytest.fixture(params=EVERY_WAY, ids=[kit.name for kit in EVERY_WAY])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kit]:
    kit: Kit = request.param(tmp_path)
    await kit.open()
    yield kit
    await kit.close()


@asynccontextmanager
async def opened(made: ChannelKit) -> AsyncIterator[ChannelKit]:
    await made.open()
    await made.writes_first()
    yield made
    await made.close()


@pytest.fixture(params=CHANNELS, ids=[kit.name for kit in CHANNELS])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ChannelKit]:
    async with opened(request.param(tmp_path)) as made:
        yield made


async def sent(kit: ChannelKit, text: str = "Ho so dang xu ly", *buttons: Button, person: str = "") -> SendResult:
    async with asyncio.timeout(PATIENCE):
        (result,) = await kit.channel.send([kit.outbound(text, *buttons, person=person)])
    return result


async def unanswered(kit: ChannelKit, text: str = "Ho so dang xu ly") -> SendResult:
    """What becomes of a message that came, when no answer does for as long as one is waited for."""
    async with kit.silent():
        sending = asyncio.create_task(kit.channel.send([kit.outbound(text)]))
        await kit.until(lambda: text in kit.got(kit.person))
        pass_time(2 * RESPONSE_TIMEOUT + 1)  # Telegram's limit is for both; aiohttp rounds up
        async with asyncio.timeout(PATIENCE):
            (result,) = await sending
    return result


# What comes in: every way of talking.


async def test_what_is_said_arrives_once_and_as_it_was_said(way: Kit) -> None:
    await way.says(CODE)
    await way.says("H51.18-250701-0002")
    assert [heard.text for heard in way.gate.heard] == [CODE, "H51.18-250701-0002"]
    assert way.gate.acknowledged == [True, True]


async def test_nobody_is_told_that_it_was_taken_before_it_was(way: Kit) -> None:
    way.gate.holding = True
    saying = asyncio.create_task(way.says(CODE))
    async with asyncio.timeout(PATIENCE):
        await way.gate.came.wait()
    for _ in range(5):
        await asyncio.sleep(0.01)
        assert not saying.done()
    way.gate.release()
    async with asyncio.timeout(PATIENCE):
        await saying
    assert way.gate.acknowledged == [True]
    assert len(way.gate.heard) == 1


async def test_what_is_refused_comes_again_as_the_same(way: Kit) -> None:
    way.gate.refusals = 2
    await way.says(CODE)
    first, second, third = way.gate.heard
    assert first == second == third
    assert first.identity
    assert len(set(way.gate.ids)) == len(way.gate.ids)  # ours are new each time


async def test_no_log_line_holds_who_spoke_what_was_said_or_a_secret(
    way: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as logs:
        way.gate.refusals = 1
        await way.says(CODE)
    told = repr(logs) + caplog.text
    assert not [secret for secret in (*way.secrets, CODE) if secret in told]


# What comes in: channels.


def test_every_channel_is_one(tmp_path: Path) -> None:
    def use(channel: Channel) -> tuple[str, str]:
        return channel.name, channel.account

    async def names() -> list[tuple[str, str]]:
        kits = [each(tmp_path) for each in CHANNELS]
        for each in kits:
            await each.connect()
        told = [use(each.channel) for each in kits]
        assert not any(each.channel.ready for each in kits)
        for each in kits:
            await each.close()
        return told

    told = asyncio.run(names())
    assert len(told) == len(CHANNELS)
    assert all(name and account for name, account in told)


async def test_a_sender_is_where_the_answer_goes(kit: ChannelKit) -> None:
    await kit.says(CODE)
    assert kit.gate.heard[-1].sender == kit.address(kit.person)
    assert (await sent(kit)).status is SendStatus.ACCEPTED
    assert kit.got(kit.person) == ["Ho so dang xu ly"]
    assert kit.got(kit.other) == []


async def test_two_messages_of_one_person_are_two(kit: ChannelKit) -> None:
    await kit.says(CODE)
    await kit.says("H51.18-250701-0002")
    assert len({heard.identity for heard in kit.gate.heard}) == 2


async def test_a_route_says_what_it_is_for(kit: ChannelKit) -> None:
    routes = list(kit.channel.routes())
    assert all(isinstance(route, RouteDef) and route.path.startswith("/hooks/") and route.summary for route in routes)


# What leaves.


async def test_a_text_the_channel_says_fits_is_taken_and_comes_whole(kit: ChannelKit) -> None:
    least, most = 1, 100_000
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if kit.channel.fits("ệ" * middle) else (least, middle)
    assert not kit.channel.fits("ệ" * (least + 1))
    assert (await sent(kit, "ệ" * least)).status is SendStatus.ACCEPTED
    assert kit.got(kit.person) == ["ệ" * least]


async def test_a_longer_one_comes_whole_or_not_at_all(kit: ChannelKit) -> None:
    text = " ".join(f"chữ{number}" for number in range(900))
    assert not kit.channel.fits(text)
    result = await sent(kit, text)
    parts = kit.got(kit.person)
    assert result.status in {SendStatus.ACCEPTED, SendStatus.REJECTED}
    assert " ".join(parts).split() == (text.split() if result.status is SendStatus.ACCEPTED else [])


async def test_what_is_accepted_has_the_ids_the_other_side_gave(kit: ChannelKit) -> None:
    first, second = await sent(kit, "mot"), await sent(kit, "hai")
    ids = [segment.external_id for result in (first, second) for segment in result.segments]
    assert all(ids)
    assert len(set(ids)) == 2


async def test_every_message_has_its_result(kit: ChannelKit) -> None:
    batch = [kit.outbound(f"tin {number}", person=kit.person if number % 2 else kit.other) for number in range(6)]
    async with asyncio.timeout(PATIENCE):
        results = await kit.channel.send(batch)
    assert {result.message_id for result in results} == {each.id for each in batch}
    assert len(results) == len(batch)
    assert sorted([*kit.got(kit.person), *kit.got(kit.other)]) == sorted(each.text for each in batch)


async def test_whoever_blocked_us_stops_us_and_nobody_else(kit: ChannelKit) -> None:
    kit.block(kit.person)
    assert (await sent(kit)).status is SendStatus.STOPPED
    assert (await sent(kit, person=kit.other)).status is SendStatus.ACCEPTED


async def test_too_much_for_now_goes_again_later(kit: ChannelKit) -> None:
    kit.throttle()
    result = await sent(kit)
    assert (result.status, result.retry_after >= 0) == (SendStatus.RETRY, True)
    assert result.reason


async def test_what_will_never_be_taken_is_rejected_with_a_reason(kit: ChannelKit) -> None:
    kit.refuse()
    result = await sent(kit)
    assert result.status is SendStatus.REJECTED
    assert result.reason or any(segment.command_status for segment in result.segments)


async def test_no_answer_after_the_write_leaves_the_outcome_unknown(kit: ChannelKit) -> None:
    result = await unanswered(kit)
    assert result.status is SendStatus.UNKNOWN
    assert kit.got(kit.person) == ["Ho so dang xu ly"]  # it came, and once


async def test_an_unreachable_other_side_means_that_nothing_left(kit: ChannelKit) -> None:
    async with kit.proxy.gone():
        first = await sent(kit)  # it may have been written to a connection whose end nobody knew of yet
        assert first.status in {SendStatus.RETRY, SendStatus.UNKNOWN}
        assert (await sent(kit)).status is SendStatus.RETRY
    assert kit.got(kit.person) == []


@pytest.mark.parametrize("kit", WITH_BUTTONS, ids=[kit.name for kit in WITH_BUTTONS], indirect=True)
async def test_a_pressed_button_is_what_it_stands_for(kit: ChannelKit) -> None:
    assert kit.channel.capabilities.buttons
    result = await sent(kit, "Con gi nua?", Button("Theo dõi", f"DK {CODE}"), Button("Ngừng", f"HUY {CODE}"))
    assert result.status is SendStatus.ACCEPTED
    await kit.presses("Ngừng")
    heard = kit.gate.heard[-1]
    assert (heard.text, heard.sender) == (f"HUY {CODE}", kit.address(kit.person))


@pytest.mark.parametrize("kit", CHANNELS, ids=[kit.name for kit in CHANNELS], indirect=True)
async def test_a_button_too_long_to_come_back_costs_the_message_nothing(kit: ChannelKit) -> None:
    result = await sent(kit, "Con gi nua?", Button("Dài", "DK " + "H51.18-250701-0002 " * 100))
    assert result.status is SendStatus.ACCEPTED
    assert kit.got(kit.person) == ["Con gi nua?"]


async def test_no_log_line_of_a_failure_holds_who_what_or_a_secret(
    kit: ChannelKit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as logs:
        for trouble in (kit.throttle, kit.refuse, lambda: kit.block(kit.other)):
            trouble()
            await sent(kit, "tin rieng", person=kit.other)
            await kit.until(lambda: kit.channel.ready)  # it may pause
        await unanswered(kit, "tin rieng")
        async with kit.proxy.gone():
            await sent(kit, "tin rieng")
            told = repr(await kit.channel.health())
        await kit.stop()
    told += repr(logs) + caplog.text
    assert not [secret for secret in (*kit.secrets, kit.other, "tin rieng") if secret in told]


# How it is, and how it ends.


async def test_health_says_why_it_is_not_ready(kit: ChannelKit) -> None:
    assert (await kit.channel.health()).ok
    await kit.stop()
    health = await kit.channel.health()
    assert isinstance(health, Health)
    assert not health.ok
    assert health.detail
    assert not kit.channel.ready


async def test_it_may_run_again(kit: ChannelKit) -> None:
    await kit.stop()
    kit.run()
    await kit.until(lambda: kit.channel.ready)
    await kit.says(CODE)
    assert (await sent(kit)).status is SendStatus.ACCEPTED
    assert kit.got(kit.person) == ["Ho so dang xu ly"]


async def test_leaving_finishes_what_is_under_way_and_takes_nothing_new(kit: ChannelKit) -> None:
    async with kit.silent():
        sending = asyncio.create_task(sent(kit))
        async with asyncio.timeout(PATIENCE):
            await kit.proxy.until_held()
        draining = asyncio.create_task(kit.channel.drain())
        await asyncio.sleep(0)
        assert (await sent(kit, "nua")).status is SendStatus.RETRY
        assert not kit.channel.ready
    async with asyncio.timeout(PATIENCE):
        assert (await sending).status is SendStatus.ACCEPTED
        await draining
        if kit.run_ends:
            await kit.running
    assert kit.got(kit.person) == ["Ho so dang xu ly"]
