"""The Zalo channel against the simulated platform over real HTTP: what persons do arrives once it is durable, what we
send is delivered or says why not, and nobody else is believed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from channels.base import Channel, Settlement
from channels.zalo import signature
from channels.zalo.channel import ZaloChannel
from channels.zalo.pictures import PictureRefused
from demo.zalo import ZaloPlatform
from demo.zalo_calls import Caller, post, written
from domain.message import Address, Button, ChatEvent, DeliveryStatus, MediaKind, SendResult, SendStatus
from gateway.http import HttpListener, make_app, public_routes
from tests.passing_time import pass_time
from tests.peers.zalo_desk import ACCOUNT, ZaloDesk, account_at, now, until, zalo_desk

USER = "8234567890123450001"
CODE = "H51.18-210817-0005"
TIMEOUT = 30.0  # seconds; then the outcome of what was sent is unknown


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[ZaloDesk]:
    async with zalo_desk(tmp_path) as running:
        yield running


def event(desk: ZaloDesk, **more: Any) -> dict[str, Any]:
    return {
        "app_id": desk.platform.app_id,
        "event_name": "user_send_text",
        "timestamp": f"{int(now().timestamp() * 1000)}",
        "sender": {"id": USER},
        "recipient": {"id": desk.platform.oa_id},
        "message": {"msg_id": "m1", "text": CODE},
        **more,
    }


def caller(desk: ZaloDesk, **changes: Any) -> Caller:
    fields = {"app_id": desk.platform.app_id, "secret": desk.platform.oa_secret, "url": desk.webhook, **changes}
    return Caller(**fields)


def signed(desk: ZaloDesk, told: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = written(told)
    return body, {signature.SIGNATURE: caller(desk).signature(body, told["timestamp"])}


def test_it_is_a_channel(tmp_path: Path) -> None:
    def takes(channel: Channel) -> str:
        return channel.name

    platform = ZaloPlatform()
    assert takes(ZaloChannel(account_at(platform), tokens=None, new_id=int, clock=now)) == "zalo"  # type: ignore[arg-type]


# ---- what comes in


async def test_a_person_writes_and_is_answered(desk: ZaloDesk) -> None:
    person = desk.platform.person(USER)
    assert await person.say(f"Tra cứu {CODE}") == [200]
    (arrival,) = desk.basket.arrivals
    message = arrival.message
    assert (message.channel, message.account, message.text) == ("zalo", ACCOUNT, f"Tra cứu {CODE}")
    assert message.sender == Address("zalo", f"{desk.platform.oa_id}.{USER}")
    assert message.external_id
    reply = desk.letter(USER, "Hồ sơ đang xử lý", buttons=((Button("Theo dõi", f"DK {CODE}"),),))
    (result,) = await desk.channel.send([reply])
    assert result.status is SendStatus.ACCEPTED
    assert (person.letters[-1].text, result.segments[0].external_id) == ("Hồ sơ đang xử lý", person.letters[-1].id)


async def test_a_pressed_button_arrives_as_the_command_it_stands_for(desk: ZaloDesk) -> None:
    person = desk.platform.person(USER)
    await person.say(CODE)
    await desk.channel.send([desk.letter(USER, "Còn gì nữa?", buttons=((Button("Theo dõi", f"DK {CODE}"),),))])
    assert await person.press("Theo dõi") == [200]
    assert desk.basket.arrivals[-1].message.text == f"DK {CODE}"


async def test_following_and_leaving_the_account_are_events(desk: ZaloDesk) -> None:
    person = desk.platform.person(USER)
    assert await person.follow() == [200]
    assert await person.unfollow() == [200]
    told = [(arrival.message.event, arrival.message.text) for arrival in desk.basket.arrivals]
    assert told == [(ChatEvent.STARTED, ""), (ChatEvent.BLOCKED, "")]


async def test_what_is_not_durable_is_sent_again_with_the_same_id(desk: ZaloDesk) -> None:
    desk.basket.settles = [Settlement.REFUSED, Settlement.REFUSED]
    assert await desk.platform.person(USER).say(CODE) == [503, 503, 200]
    assert len({arrival.message.external_id for arrival in desk.basket.arrivals}) == 1
    assert len({arrival.message.id for arrival in desk.basket.arrivals}) == 3


async def test_a_slow_journal_is_not_waited_for_longer_than_the_platform_waits(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path, settle_within=0.05) as desk:
        desk.basket.settles = [None]
        *refused, taken = await desk.platform.person(USER).say(CODE)
        assert (set(refused), taken) == ({503}, 200)
        late = desk.basket.arrivals[0]
        assert late.settle(Settlement.DURABLE) is False  # nobody hears of it: the next one is a redelivery


async def test_an_answer_read_by_nobody_harms_nobody(desk: ZaloDesk) -> None:
    desk.basket.settles = [None]
    body, headers = signed(desk, event(desk))
    async with ClientSession() as session:
        asking = asyncio.create_task(session.post(desk.webhook, data=body, headers=headers))
        await desk.basket.came.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await desk.platform.person(USER).say(CODE) == [200]


async def test_two_answers_of_the_journal_are_one(desk: ZaloDesk) -> None:
    desk.basket.settles = [None]
    asking = asyncio.create_task(desk.platform.person(USER).say(CODE))
    await desk.basket.came.wait()
    (arrival,) = desk.basket.arrivals
    assert arrival.settle(Settlement.DURABLE) is True
    assert arrival.settle(Settlement.DURABLE) is False
    assert await asking == [200]


async def test_while_nobody_takes_messages_the_platform_comes_again(desk: ZaloDesk) -> None:
    await desk.channel.drain()
    body, headers = signed(desk, event(desk))
    assert await post(desk.webhook, body, headers) == 503
    assert desk.basket.arrivals == []


async def test_a_process_that_does_not_hold_the_account_takes_its_webhook_in(desk: ZaloDesk) -> None:
    other = ZaloChannel(account_at(desk.platform), tokens=desk.tokens, new_id=lambda: 1, clock=desk.platform.clock)
    listener = HttpListener("public", make_app(public_routes(other.routes())), "127.0.0.1", 0)
    await listener.start()
    desk.platform.webhook = f"http://127.0.0.1:{listener.bound_port}/hooks/zalo/{ACCOUNT}"
    other.attach(desk.basket)
    assert await desk.platform.person(USER).say(CODE) == [200]
    running = asyncio.create_task(other.run(desk.basket))  # it has the account for a while
    await until(lambda: other.ready)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await desk.platform.person(USER).say(CODE) == [200]
    assert not other.ready
    await listener.close()


async def test_half_an_emoji_is_answered_like_everything_else(desk: ZaloDesk) -> None:
    told = event(desk)
    body = written(told).replace(CODE.encode(), b"H51 \\ud83d")
    headers = {signature.SIGNATURE: caller(desk).signature(body, told["timestamp"])}
    assert await post(desk.webhook, body, headers) == 200
    assert desk.basket.arrivals[0].message.text == "H51 \N{REPLACEMENT CHARACTER}"


async def test_a_receipt_tells_that_our_message_arrived(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path, ZaloPlatform(receipts=True)) as desk:
        await desk.platform.person(USER).say(CODE)
        (result,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đang xử lý")])
        await desk.platform.receipts_told()
        (receipt,) = desk.basket.reports
        assert receipt.report.external_id == result.segments[0].external_id
        assert receipt.report.status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("name", ["user_seen_message", "oa_send_text", "something_new", "user_submit_info"])
async def test_what_needs_no_answer_is_acknowledged(desk: ZaloDesk, name: str) -> None:
    assert await caller(desk).tell(event(desk, event_name=name)) == [200]
    assert await caller(desk).tell(event(desk, message=["odd"])) == [200]
    assert desk.basket.arrivals == []
    assert desk.channel.counters.skipped == 2


# ---- who is not believed


async def test_forged_calls_are_refused_and_nothing_arrives(desk: ZaloDesk) -> None:
    body, headers = signed(desk, event(desk))
    mac = headers[signature.SIGNATURE]
    altered = body.replace(b"0005", b"0006")
    anew = json.dumps(json.loads(body)).encode()
    refused = [
        await post(desk.webhook, body, {}),
        await post(desk.webhook, body, {signature.SIGNATURE: ""}),
        await post(desk.webhook, body, {signature.SIGNATURE: "mac=" + "0" * 64}),
        await post(desk.webhook, altered, headers),
        await post(desk.webhook, anew, headers),
        await post(desk.webhook, b"", headers),
        await post(desk.webhook, b"not JSON", headers),
        *await caller(desk, secret=desk.platform.app_secret).tell(event(desk)),
        *await caller(desk, app_id="1").tell(event(desk)),
    ]
    assert refused == [401] * 9
    assert desk.channel.counters.forged == 9
    assert await post(desk.webhook, body, {signature.SIGNATURE: mac}) == 200
    assert await post(desk.webhook, body, {signature.SIGNATURE: mac.removeprefix("mac=")}) == 200
    assert len(desk.basket.arrivals) == 2


async def test_a_replayed_call_arrives_with_the_id_the_journal_knows(desk: ZaloDesk) -> None:
    body, headers = signed(desk, event(desk))
    assert [await post(desk.webhook, body, headers) for _ in range(3)] == [200, 200, 200]
    assert {arrival.message.external_id for arrival in desk.basket.arrivals} == {"m1"}


@pytest.mark.parametrize(("age", "status"), [(2, 200), (25, 401), (-7, 200), (-13, 401)])
async def test_a_call_older_than_the_journal_remembers_is_refused(desk: ZaloDesk, age: int, status: int) -> None:
    stamp = f"{int((now() - timedelta(hours=age)).timestamp() * 1000)}"
    assert await caller(desk).tell(event(desk, timestamp=stamp)) == [status]


async def test_a_large_body_is_not_read(desk: ZaloDesk) -> None:
    told = event(desk, message={"msg_id": "m1", "text": "x" * 70_000})
    assert await caller(desk).tell(told) == [413]


async def test_a_flood_of_forged_calls_writes_three_lines_a_minute(desk: ZaloDesk) -> None:
    with capture_logs() as lines:
        for _ in range(20):
            await post(desk.webhook, b"{}", {signature.SIGNATURE: "mac=0"})
    assert [line["event"] for line in lines] == ["zalo.webhook_refused"] * 3


# ---- what goes out


async def test_who_blocked_us_or_was_silent_for_a_week_is_told_apart(tmp_path: Path) -> None:
    moment = now()
    platform = ZaloPlatform(clock=lambda: moment)
    async with zalo_desk(tmp_path, platform) as desk:
        await platform.person(USER).say(CODE)
        platform.person("11").blocked = True
        await platform.person("11").say(CODE)
        moment += timedelta(days=6, hours=23)
        platform.expire_access_tokens()
        results = await desk.channel.send([desk.letter(user, "Hồ sơ đã xong") for user in (USER, "11", "22")])
        told = {result.message_id: (result.status, result.reason) for result in results}
        assert list(told.values()) == [
            (SendStatus.ACCEPTED, ""),
            (SendStatus.STOPPED, "blocked"),
            (SendStatus.REJECTED, "not_follower"),
        ]
        moment += timedelta(hours=1)
        (late,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đã xong")])
        assert (late.status, late.reason) == (SendStatus.REJECTED, "window")


async def test_an_expired_token_is_renewed_in_the_middle_of_a_batch(desk: ZaloDesk) -> None:
    for user in ("11", "12", "13", "14"):
        await desk.platform.person(user).say(CODE)
    desk.platform.expire_access_tokens()
    results = await desk.channel.send([desk.letter(user, "Hồ sơ đã xong") for user in ("11", "12", "13", "14")])
    assert {result.status for result in results} == {SendStatus.ACCEPTED}
    assert desk.platform.grants == 2  # the first, and one for all of them


async def unanswered(desk: ZaloDesk, text: str) -> SendResult:
    """What becomes of a message that is taken, when no answer comes for as long as one is waited for."""
    before = len(desk.platform.letters)
    desk.platform.faults.silent = 1
    sending = asyncio.create_task(desk.channel.send([desk.letter(USER, text)]))
    await until(lambda: len(desk.platform.letters) > before)
    pass_time(TIMEOUT + 1)  # aiohttp rounds it up
    (result,) = await sending
    return result


async def test_no_answer_in_time_is_an_unknown_outcome_and_is_sent_once(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path, timeout=TIMEOUT) as desk:
        await desk.platform.person(USER).say(CODE)
        result = await unanswered(desk, "Hồ sơ đã xong")
        assert (result.status, len(desk.platform.letters)) == (SendStatus.UNKNOWN, 1)


async def test_an_unreadable_answer_is_an_unknown_outcome(desk: ZaloDesk) -> None:
    await desk.platform.person(USER).say(CODE)
    desk.platform.faults.garbage = 1
    (result,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đã xong")])
    assert result.status is SendStatus.UNKNOWN


async def test_a_platform_that_is_not_there_costs_nothing_but_time(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path) as desk:
        desk.channel._sending._api._account = account_at(desk.platform, api_url="http://127.0.0.1:9")  # type: ignore[attr-defined]
        (result,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đã xong")])
        assert (result.status, result.reason) == (SendStatus.RETRY, "unreachable")


async def test_too_many_requests_make_the_account_pause_and_say_so(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path, throttle_pause=3600.0) as desk:
        await desk.platform.person(USER).say(CODE)
        desk.platform.faults.codes.append(-32)
        (result,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đã xong")])
        assert result.status is SendStatus.RETRY
        assert not desk.channel.ready
        desk.channel._sending._paused_until = time.monotonic()  # the hour is over
        await until(lambda: desk.channel.ready)
        (again,) = await desk.channel.send([desk.letter(USER, "Hồ sơ đã xong")])
        assert again.status is SendStatus.ACCEPTED


async def test_draining_waits_for_what_is_being_sent(desk: ZaloDesk) -> None:
    await desk.platform.person(USER).say(CODE)
    sending = asyncio.create_task(desk.channel.send([desk.letter(USER, f"{number}") for number in range(20)]))
    await desk.platform.letter_came.wait()
    await desk.channel.drain()
    assert sending.done()
    assert {result.status for result in sending.result()} == {SendStatus.ACCEPTED}
    assert not desk.channel.ready
    (after,) = await desk.channel.send([desk.letter(USER, "x")])
    assert after.status is SendStatus.RETRY


async def test_health_says_why_it_is_not_well(desk: ZaloDesk) -> None:
    assert (await desk.channel.health()).ok
    desk.platform.faults.codes.append(-321)
    await desk.platform.person(USER).say(CODE)
    await desk.channel.send([desk.letter(USER, "x")])
    health = await desk.channel.health()
    assert health.ok  # free answers still leave
    assert "billing" in health.detail
    desk.platform.expire_access_tokens()
    desk.platform.refresh_token = "revoked"
    await desk.channel.send([desk.letter(USER, "x")])
    health = await desk.channel.health()
    assert not health.ok


async def test_an_account_nobody_authorised_still_takes_messages(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path) as desk:
        desk.platform.refresh_token = "revoked"
        desk.platform.expire_access_tokens()
        await desk.platform.person(USER).say(CODE)
        (result,) = await desk.channel.send([desk.letter(USER, "x")])
        assert (result.status, result.reason) == (SendStatus.RETRY, "no_token")
        assert "authorise the application again" in (await desk.channel.health()).detail
        assert await desk.platform.person(USER).say(CODE) == [200]


# ---- pictures


async def test_a_photograph_is_fetched_from_the_platforms_host(desk: ZaloDesk) -> None:
    await desk.platform.person(USER).show(b"a picture", "biên nhận")
    media = desk.basket.arrivals[-1].message.media
    assert media is not None
    assert media.kind is MediaKind.PICTURE
    assert desk.basket.arrivals[-1].message.text == "biên nhận"
    assert await desk.channel.fetch(media.reference) == b"a picture"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "photo.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,AA",
        "http://169.254.169.254/latest/meta-data",
        "http://zdn.vn/photo.jpg",  # not by https
        "https://zdn.vn:8443/photo.jpg",
        "https://zdn.vn.example/photo.jpg",
        "https://evilzdn.vn/photo.jpg",
        "https://someone@zdn.vn/photo.jpg",
        "https://[::1]/photo.jpg",
        "http://[bad",
    ],
)
async def test_no_other_address_is_ever_asked(tmp_path: Path, reference: str) -> None:
    async with zalo_desk(tmp_path, media_hosts=("zdn.vn",)) as desk:
        with pytest.raises(PictureRefused):
            await desk.channel.fetch(reference)


async def test_pictures_too_large_too_slow_absent_or_elsewhere_are_refused(tmp_path: Path) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://localhost:{request.url.port}/small")

    async def round_and_round(_: web.Request) -> web.Response:
        raise web.HTTPFound("/round")

    async def beside(_: web.Request) -> web.Response:
        raise web.HTTPFound("/small")

    async def packed(_: web.Request) -> web.Response:
        response = web.Response(body=bytes(5_000_000))
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def small(_: web.Request) -> web.Response:
        return web.Response(body=b"small")

    app = web.Application()
    handlers = {
        "slow": slow,
        "away": away,
        "round": round_and_round,
        "beside": beside,
        "packed": packed,
        "small": small,
    }
    for name, handler in handlers.items():
        app.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        (tmp_path / "slow").mkdir()
        async with zalo_desk(tmp_path / "slow", media_hosts=(origin,), media_timeout=0.2) as desk:
            with pytest.raises(PictureRefused):
                await desk.channel.fetch(f"{origin}/slow")
            assert desk.channel.counters.pictures_refused == 1
        async with zalo_desk(tmp_path, media_hosts=(origin,), media_max_bytes=1_000) as desk:
            assert await desk.channel.fetch(f"{origin}/small") == b"small"
            assert await desk.channel.fetch(f"{origin}/beside") == b"small"
            for name in ("away", "round", "packed", "absent"):
                with pytest.raises(PictureRefused):
                    await desk.channel.fetch(f"{origin}/{name}")
            assert (desk.channel.counters.pictures, desk.channel.counters.pictures_refused) == (2, 4)
    finally:
        await runner.cleanup()


# ---- strangers, and what the log says


async def test_a_client_written_by_others_runs_against_the_simulator(tmp_path: Path) -> None:
    zalo = pytest.importorskip("zalo_sdk")
    oa = pytest.importorskip("zalo_sdk.oa")
    platform = ZaloPlatform()
    async with platform.serving():
        platform.webhook = f"{platform.origin}/nobody"
        platform.person(USER).spoke_at = now()
        client = oa.Client(platform.app_id, platform.app_secret, refresh_token="", endpoint_prefix=platform.origin)
        theirs = oa.ZaloMessageBody(text="Hồ sơ đã xong")
        recipient = oa.ZaloRecipient(user_id=USER)
        with pytest.raises(zalo.ZaloOAException) as refused:
            await asyncio.to_thread(client.send_message, recipient, theirs)
        assert refused.value._code == -216
        platform.authorise()
        form = {"grant_type": "refresh_token", "refresh_token": platform.refresh_token, "app_id": platform.app_id}
        async with (
            ClientSession() as session,
            session.post(
                f"{platform.origin}/v4/oa/access_token", data=form, headers={"secret_key": platform.app_secret}
            ) as response,
        ):
            client.check_and_set_token(await response.json(content_type=None))  # theirs has its address built in
        answer = await asyncio.to_thread(client.send_message, recipient, theirs)
        assert answer["data"]["message_id"] == platform.letters[-1].id
        assert platform.letters[-1].text == "Hồ sơ đã xong"
        assert (await asyncio.to_thread(client.get_user_detail, USER))["data"]["user_id"] == USER
        buttons = {"buttons": [{"title": "Theo dõi", "type": "oa.query.hide", "payload": f"DK {CODE}"}]}
        with_buttons = oa.ZaloMessageBody(text="Còn gì nữa?", attachment=oa.ZaloAttachment("template", buttons))
        await asyncio.to_thread(client.send_message, recipient, with_buttons)
        assert platform.letters[-1].buttons == [("Theo dõi", f"DK {CODE}")]
        for code in (-32, -210, -217, -230):
            platform.faults.codes.append(code)
            with pytest.raises(zalo.ZaloOAException) as refused:
                await asyncio.to_thread(client.send_message, recipient, theirs)
            assert refused.value._code == code


async def test_what_we_write_is_what_a_client_written_by_others_writes(tmp_path: Path) -> None:
    oa = pytest.importorskip("zalo_sdk.oa")
    from channels.zalo.wording import bodies

    async with zalo_desk(tmp_path) as desk:
        client = oa.Client("1", "2")
        buttons = {"buttons": [{"title": "Theo dõi", "type": "oa.query.hide", "payload": f"DK {CODE}"}]}
        for ours, theirs in [
            (desk.letter(USER, "Hồ sơ"), oa.ZaloMessageBody(text="Hồ sơ")),
            (
                desk.letter(USER, "Hồ sơ", buttons=((Button("Theo dõi", f"DK {CODE}"),),)),
                oa.ZaloMessageBody(text="Hồ sơ", attachment=oa.ZaloAttachment("template", buttons)),
            ),
        ]:
            expected = client.create_request_body(oa.ZaloRecipient(user_id=USER), theirs)
            assert bodies(ours, USER, template_type="", buttons=True) == [expected]


async def test_no_line_holds_a_person_a_text_or_a_token(tmp_path: Path) -> None:
    with capture_logs() as lines:
        async with zalo_desk(tmp_path, timeout=TIMEOUT) as desk:
            person = desk.platform.person(USER)
            desk.basket.settles = [Settlement.REFUSED]
            await person.say(f"Nguyễn Văn A {CODE}")
            await person.show(b"x")
            await caller(desk).tell(event(desk, event_name="something_new"))
            await post(desk.webhook, b"{}", {signature.SIGNATURE: "mac=0"})
            desk.platform.faults.codes.extend([-32, -216, -321])
            for _ in range(4):
                desk.channel._sending._paused_until = 0.0
                await desk.channel.send([desk.letter(USER, "Nguyễn Văn A")])
            await unanswered(desk, "Nguyễn Văn A")
            desk.platform.refresh_token = "revoked"
            desk.platform.expire_access_tokens()
            await desk.channel.send([desk.letter(USER, "Nguyễn Văn A")])
            stored = await desk.tokens.load(ACCOUNT)
            assert stored is not None
            secrets = [
                stored.pair.access_token,
                stored.pair.refresh_token,
                desk.platform.oa_secret,
                "Nguyễn",
                USER,
                CODE,
            ]
    told = repr(lines)
    assert len(lines) >= 5
    assert not any(secret in told for secret in secrets)
