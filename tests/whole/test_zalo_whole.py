"""The whole gateway at the simulated Zalo: windows, tokens, receipts, signatures, and the two seconds it has to answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest

from demo.onestop import HOSO_FILE, OWNER
from demo.zalo import ZaloPlatform
from demo.zalo_calls import Caller, post, written
from tests.peers.bot_api import Fault
from tests.whole.chat import MOVING, OA, OF_OPEN, OPEN, OTHER, OWNERS, OaTalker, Town, joined, town, until
from tests.whole.gateways import actions
from tests.whole.store_files import locked

AN: Final = "8234567890123450001"
BINH: Final = "8234567890123450002"
CHI: Final = 7_100_450_003
CHIS: Final = "84912555003"
LONG_AGO: Final = timedelta(days=8)  # the window is seven


async def test_a_notice_the_chat_does_not_take_goes_to_the_number_that_was_joined(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, binh, chi = there.on_zalo(AN), there.on_zalo(BINH), there.on_telegram(CHI)
        there.secrets |= {OWNER, OWNER[1:], CHIS[2:]}
        await joined(there, an)
        contact = {"phone_number": f"+{CHIS}", "first_name": "Chi", "user_id": CHI}
        await chi.happens(message=chi.message(contact=contact))
        assert "Đã nối" in (await chi.next()).text
        people = (an, binh, chi)
        for each in people:
            assert (await each.asks(f"DK {MOVING}")).text.startswith(f"Sẽ báo tin khi hồ sơ {MOVING}")
        heard = [len(each.heard) for each in people]
        an.person.spoke_at = datetime.now(UTC) - LONG_AGO
        there.api.fail("sendMessage", Fault(403, "Forbidden: bot was blocked by the user", chat=CHI))

        there.move(MOVING)
        assert f"hồ sơ {MOVING} đang xử lý" in (await binh.next()).text
        by_sms = [await there.text_to(OWNERS, 2), await there.text_to(CHIS)]  # after the code, and the first
        await there.sent()
        rows = there.rows("SELECT recipient, state FROM outbox WHERE category = 'notice'")
        segments = {reply.segments for reply in there.smsc.replies}
    assert all(f"ho so {MOVING} dang xu ly" in text for text in by_sms)
    assert segments == {1}, "an SMS has no room for the accents of a chat"
    assert sorted(rows) == [
        (f"sms:{OWNERS}", "accepted"),
        (f"sms:{CHIS}", "accepted"),
        (chi.urn, "stopped"),
        (an.urn, "rejected"),
        (binh.urn, "accepted"),
    ]
    assert [len(each.heard) for each in people] == [heard[0], heard[1] + 1, heard[2]]


async def test_who_leaves_the_account_is_told_nothing_until_they_come_back(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, binh = there.on_zalo(AN), there.on_zalo(BINH)
        for each in (an, binh):
            await each.asks(f"DK {MOVING}")
        assert (await an.person.unfollow())[-1] == HTTPStatus.OK
        there.move(MOVING)
        await binh.next()
        await there.sent()
        assert len(an.heard) == 1
        assert (await an.person.follow())[-1] == HTTPStatus.OK
        assert "lại nhận được tin báo" in (await an.next()).text
        there.move(MOVING)
        assert f"hồ sơ {MOVING}" in (await an.next()).text


# ---- tokens


async def test_tokens_end_while_messages_flow_and_nobody_is_answered_twice_or_not(tmp_path: Path) -> None:
    people, rounds = 20, 4
    platform = ZaloPlatform(access_life=90_000)
    async with town(tmp_path, platform=platform) as there:
        crowd = [there.on_zalo(f"{int(AN) + 100 + number}") for number in range(people)]
        grants = platform.grants
        for _ in range(rounds):
            platform.expire_access_tokens()
            await asyncio.gather(*(each.asks(OPEN) for each in crowd))
        await there.sent()
        renewed = platform.grants - grants
        states = there.rows("SELECT state, count(*) FROM outbox GROUP BY state")
        heard = {len(each.heard) for each in crowd}
    assert heard == {rounds}
    assert states == [("accepted", people * rounds)]
    assert renewed == rounds, "a refresh token works once, whoever wants it"
    assert platform.refusals == 0


async def test_without_a_token_questions_are_kept_and_answered_once_a_person_has_authorised_us(tmp_path: Path) -> None:
    platform = ZaloPlatform()
    async with town(tmp_path, platform=platform, quiet=False) as there:
        an = there.on_zalo(AN)
        await an.asks(OPEN)
        there.secrets.add(platform.refresh_token)
        platform.authorise()  # for somebody else: the one we have is spent
        platform.expire_access_tokens()
        await an.send(OTHER)
        await until(lambda: actions(tmp_path)["zalo.authorisation_lost"])
        assert len(an.heard) == 1
        await there.gateway.stop()
        there.gateway.settings = {
            **there.gateway.settings,
            f"TRACUU_ZALO__{OA.upper()}__REFRESH_TOKEN": platform.authorise(),
        }
        there.secrets.add(platform.refresh_token)
        await there.gateway.start()
        there.hasten()
        assert (await an.next()).text.startswith(f"Hồ sơ {OTHER}")
        await there.sent()
        states = there.states(an)
        refused = platform.refusals
    assert states == ["accepted", "accepted"]
    assert refused == 1
    there.assert_discreet(loud=("zalo.authorisation_lost",))


# ---- who is not Zalo


def caller(there: Town) -> Caller:
    """Somebody who has the account's secret."""
    platform = there.platform
    return Caller(app_id=platform.app_id, secret=platform.oa_secret, url=there.zalo_hook)


def question(an: OaTalker, there: Town, text: str = OPEN, *, number: str = "777", **changes: str) -> dict[str, object]:
    """An event as the platform tells it."""
    stamp = int(datetime.now(UTC).timestamp() * 1000)
    return {
        "app_id": there.platform.app_id,
        "event_name": "user_send_text",
        "sender": {"id": an.person.id},
        "recipient": {"id": there.platform.oa_id},
        "message": {"msg_id": number, "text": text},
        "timestamp": f"{stamp}",
        **changes,
    }


async def test_forged_altered_and_repeated_calls_bring_no_answer(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, genuine = there.on_zalo(AN), caller(there)
        event = question(an, there)
        body = written(event)
        mac = genuine.signature(body, str(event["timestamp"]))
        forged = Caller(app_id=there.platform.app_id, secret="somebody", url=there.zalo_hook)
        old = question(an, there, number="778", timestamp=f"{int(datetime.now(UTC).timestamp() - 90_000) * 1000}")

        async def call(body: bytes, mac: str = "") -> int:
            return await post(there.zalo_hook, body, {"X-ZEvent-Signature": mac} if mac else {})

        assert await call(body) == HTTPStatus.UNAUTHORIZED
        assert await call(body, forged.signature(body, str(event["timestamp"]))) == HTTPStatus.UNAUTHORIZED
        assert await call(body.replace(OPEN.encode(), OTHER.encode()), mac) == HTTPStatus.UNAUTHORIZED
        assert await call(body.replace(AN.encode(), BINH.encode()), mac) == HTTPStatus.UNAUTHORIZED
        assert await call(body + b" ", mac) == HTTPStatus.UNAUTHORIZED
        assert (await genuine.tell(old)) == [HTTPStatus.UNAUTHORIZED]
        assert an.heard == []
        an.person.follows, an.person.spoke_at = True, datetime.now(UTC)
        assert await call(body, mac) == HTTPStatus.OK
        assert (await an.next()).text.startswith(OF_OPEN)
        assert await call(body, mac) == HTTPStatus.OK  # Zalo, or whoever heard it
        assert (await an.asks(OTHER)).text.startswith(f"Hồ sơ {OTHER}")
        await there.sent()
        states = there.states(an)
    assert states == ["accepted", "accepted"]
    assert [OPEN in heard.text for heard in an.heard] == [True, False]


# ---- in time


async def test_zalo_has_its_answer_in_time_although_the_one_stop_system_hangs(tmp_path: Path) -> None:
    patient = {"TRACUU_GATEWAY__SOURCE_DOWN_AFTER_S": "60", "TRACUU_SOURCES__HOSO__TIMEOUT_S": "60"}
    async with town(tmp_path, settings=patient) as there:
        an, binh = there.on_zalo(AN), there.on_zalo(BINH)
        with locked(tmp_path / HOSO_FILE):
            statuses = await an.person.say(OPEN)  # the platform waits its two seconds, then it would say 0
            assert there.rows("SELECT state FROM inbox") == [("open",)]
            assert an.heard == []
            assert (await binh.asks(MOVING)).text.startswith(f"Hồ sơ {MOVING}")  # another system is well
        assert (await an.next()).text.startswith(OF_OPEN)
        await there.sent()
        states = there.states(an)
    assert statuses == [HTTPStatus.OK]
    assert states == ["accepted"]


@pytest.mark.long
async def test_killed_before_zalo_had_its_answer_it_knows_the_call_again(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, zalo = there.on_zalo(AN), caller(there)
        there.platform.person(AN).spoke_at = datetime.now(UTC)
        event = question(an, there)
        assert await zalo.tell(event) == [HTTPStatus.OK]
        await an.next()
        await until(lambda: there.states(an) == ["accepted"])
        await there.gateway.kill()
        assert (await zalo.tell(event)) == [0]  # nobody is there, and it comes again
        await there.gateway.start()
        assert await zalo.tell(event) == [HTTPStatus.OK]
        assert (await an.asks(OTHER)).text.startswith(f"Hồ sơ {OTHER}")
    assert len(an.heard) == 2
