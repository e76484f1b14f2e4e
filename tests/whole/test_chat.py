"""The whole gateway over chats: Telegram by a Bot API that strangers wrote, Zalo simulated, SMS and the web beside them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import pytest

from channels.telegram.webhook import path_of
from channels.web import api as web_api
from demo.onestop import HOSO_FILE, OWNER
from demo.zalo import ZaloPlatform
from tests.peers.bot_api import USERNAME, Fault
from tests.peers.telegram_shapes import mention
from tests.servers.postgres import Postgres, migrated
from tests.whole.chat import (
    MOVING,
    MOVING_TOO,
    OF_OPEN,
    OPEN,
    OTHER,
    OWNERS,
    SECRET,
    BotTalker,
    Talker,
    Town,
    joined,
    receipt,
    town,
    until,
)
from tests.whole.gateways import STORE, log_lines, tell
from tests.whole.store_files import locked

AN, BINH, CHI = 7_100_450_001, 7_100_450_002, 7_100_450_003
ZALO_AN: Final = "8234567890123450001"
GROUP: Final = -1_002_003_004_005
MANY: Final = 500
FOLLOW, UNFOLLOW, VIEW, LIST = "Báo tin cho tôi", "Ngừng báo tin", "Xem hồ sơ", "Danh sách"
PROCEDURE: Final = "Thủ tục mẫu"  # what only a proof opens
LATER_UPDATE: Final = 90_000  # numbers of updates that we post ourselves


async def what_a_chat_can_do(there: Town, somebody: Talker) -> None:
    """Ask, follow with one tap, show the receipt, be told, look again, end it, list, choose a language."""
    found = await somebody.asks(OPEN)
    assert found.text.startswith(OF_OPEN)
    assert (await somebody.asks("tra cuu h51,18-25o701-5")).text.startswith(f"Hồ sơ {OTHER} còn thiếu giấy tờ")
    assert (await somebody.shows(receipt(OPEN))).text == found.text
    assert (await somebody.shows(receipt(f"https://dvc.example/tra-cuu?ma={OTHER}"))).text.startswith(f"Hồ sơ {OTHER}")
    assert "Chưa đọc được mã trong ảnh" in (await somebody.shows(receipt("mot ma khac"))).text
    assert (await somebody.asks(MOVING)).text.startswith(f"Hồ sơ {MOVING} đã tiếp nhận")
    assert (await somebody.presses(FOLLOW)).text.startswith(f"Sẽ báo tin khi hồ sơ {MOVING}")
    assert MOVING in (await somebody.presses(LIST)).text

    there.move(MOVING)
    notice = await somebody.next()
    assert f"hồ sơ {MOVING} đang xử lý" in notice.text
    assert notice.buttons == {UNFOLLOW: f"HUY {MOVING}", VIEW: MOVING}
    assert (await somebody.presses(VIEW)).text.startswith(f"Hồ sơ {MOVING} đang xử lý")
    there.move(MOVING)
    assert "có kết quả" in (await somebody.next()).text
    assert (await somebody.presses(UNFOLLOW)).text.startswith(f"Đã ngừng báo tin hồ sơ {MOVING}")
    assert (
        "không nhận tin báo hồ sơ nào" in (await somebody.asks("/ds" if isinstance(somebody, BotTalker) else "DS")).text
    )

    welcome = await somebody.asks("/help" if isinstance(somebody, BotTalker) else "help")
    english = next(label for label, sends in welcome.buttons.items() if sends == "EN")
    assert "English" in (await somebody.presses(english)).text
    assert (await somebody.asks(OPEN)).text.startswith(f"Dossier {OPEN} is in process")


@pytest.mark.parametrize("updates", ["polling", pytest.param("webhook", marks=pytest.mark.long)])
async def test_everything_a_chat_can_do_is_done_over_telegram(updates: str, tmp_path: Path) -> None:
    async with town(tmp_path, updates=updates) as there:
        an = there.on_telegram(AN)
        await what_a_chat_can_do(there, an)
        link = f"{MOVING_TOO}".replace(".", "_")
        assert (await an.asks(f"/start {link}")).text.startswith(f"Sorry: dossier {MOVING_TOO}")
        pressed = len(there.api.of("answerCallbackQuery"))
        await there.sent()
        states = there.states(an)
    assert pressed == 5, "each press is answered, or the button keeps turning"
    assert set(states) == {"accepted"}
    assert len(an.heard) == len(states), "somebody was answered twice"


async def test_everything_a_chat_can_do_is_done_over_zalo_and_what_arrived_is_written_down(tmp_path: Path) -> None:
    platform = ZaloPlatform(receipts=True)
    reports = "SELECT external_id, report_status FROM submission ORDER BY outbox_id"
    async with town(tmp_path, platform=platform) as there:
        an = there.on_zalo(ZALO_AN)
        await an.person.follow()
        assert "Tra cứu: gửi mã" in (await an.next()).text
        await what_a_chat_can_do(there, an)
        await there.sent()
        states = there.states(an)
        await platform.receipts_told()
        await until(lambda: all(status for _, status in there.rows(reports)))
        rows = there.rows(reports)
    assert set(states) == {"accepted"}
    assert len(an.heard) == len(states)
    assert sorted(rows) == sorted((letter.id, "delivered") for letter in an.letters)


async def test_everything_a_chat_can_do_is_done_by_webhook_and_with_a_store_on_postgresql(
    tmp_path: Path, postgres: Postgres
) -> None:
    with migrated(postgres, "chat") as database:
        async with town(tmp_path, settings={"TRACUU_DATABASE__URL": database.url}) as there:
            an = there.on_telegram(AN)
            await what_a_chat_can_do(there, an)
            zalo = there.on_zalo(ZALO_AN)
            assert (await zalo.asks(OPEN)).text.startswith(OF_OPEN)
            recipients = "SELECT recipient, count(*) AS rows FROM outbox GROUP BY recipient"
            await until(lambda: len(zalo.heard) == 1)
            rows = {row["recipient"]: row["rows"] for row in database.hand.fetch(recipients)}
    assert rows == {an.urn: len(an.heard), zalo.urn: 1}


# ---- the same facts


def facts(answer: str) -> tuple[str, ...]:
    """What an answer says beside its words: codes, dates, telephone numbers."""
    return tuple(re.findall(r"[0-9HG][0-9./A-Z-]{7,}[0-9]|\d{5} \d{6}", answer))


async def test_the_same_question_by_sms_telegram_zalo_and_http_gets_the_same_facts(tmp_path: Path) -> None:
    async with town(tmp_path) as there, aiohttp.ClientSession() as client:
        an, on_zalo = there.on_telegram(AN), there.on_zalo(ZALO_AN)
        for code in (OPEN, OTHER, MOVING, MOVING_TOO, "H51.18-260102-0099"):
            texts = [
                (await an.asks(code)).text,
                (await on_zalo.asks(code)).text,
                await there.by_sms("84912555001", code),
            ]
            async with client.get(there.gateway.public + web_api.PATH.partition("{")[0] + quote(code)) as answer:
                told: dict[str, Any] = await answer.json()
            assert texts[0] == texts[1]
            assert facts(texts[2]) == facts(texts[0])
            assert code in facts(texts[0])
            assert set(facts(texts[0])) <= {*facts(str(told)), *map(_as_written, _strings(told))}, told


def _strings(told: Any) -> list[str]:
    if isinstance(told, dict | list):
        return [each for value in (told.values() if isinstance(told, dict) else told) for each in _strings(value)]
    return [told] if isinstance(told, str) else []


def _as_written(value: str) -> str:
    """A date as answers write it."""
    date = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d).*", value)
    return f"{date[3]}/{date[2]}/{date[1]}" if date else value


# ---- groups


async def test_a_group_is_answered_when_it_means_us_and_told_nothing_of_dossiers(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an = there.on_telegram(AN)
        an.chat = {"id": GROUP, "type": "supergroup", "title": "Thon 3"}
        await an.happens(message=an.message(text=OPEN))  # among themselves
        await an.happens(message=an.message(text="/ds"))
        name = f"@{USERNAME}"
        await an.happens(message=an.message(text=f"{name} {OPEN}", entities=mention(f"{name} {OPEN}", name)))
        named = await an.next()
        await an.press(f"DK {OPEN}")
        pressed = await an.next()
        commanded = await an.asks(f"/ds{name}")
        followed = there.rows("SELECT * FROM subscription")
        answers = len(an.heard)
    for heard in (named, pressed, commanded):
        assert heard.text.startswith("Ở đây nhiều người cùng đọc")
        assert OPEN not in f"{heard}"
    assert (answers, followed) == (3, [])


# ---- coming and going


async def test_who_blocked_us_is_told_nothing_until_they_come_back(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, binh, chi = (there.on_telegram(each) for each in (AN, BINH, CHI))
        for each in (an, binh, chi):
            await each.asks(f"DK {MOVING}")
        assert await there.post({"update_id": LATER_UPDATE, "my_chat_member": an.membership("kicked")}) == 200
        there.api.fail("sendMessage", Fault(403, "Forbidden: bot was blocked by the user", chat=BINH))
        there.move(MOVING)  # binh's own notice finds that out
        await chi.next()
        await there.sent()
        tried = len([chat for chat, _ in there.api.sent if chat == BINH])
        there.move(MOVING)
        await chi.next()
        await there.sent()
        assert len([chat for chat, _ in there.api.sent if chat == BINH]) == tried, "written to although blocked"
        assert [len(each.heard) for each in (an, binh, chi)] == [1, 1, 3]

        for number, each in enumerate((an, binh), 1):
            came = {"update_id": LATER_UPDATE + number, "my_chat_member": each.membership("member")}
            assert await there.post(came) == 200
            back = await each.next()
            assert "lại nhận được tin báo" in back.text
        there.move(MOVING)
        for each in (an, binh, chi):
            while "đã trả kết quả" not in (told := (await each.next()).text):
                assert "có kết quả" in told, "what came meanwhile, if somebody looked in between"


# ---- whose number it is


async def test_a_number_that_is_joined_by_its_contact_or_a_code_opens_what_is_its_own(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as there:
        an, binh = there.on_telegram(AN), there.on_telegram(BINH)
        there.secrets |= {OWNER, OWNER[1:]}
        assert PROCEDURE not in (await an.asks(OPEN)).text
        for user, known in ((BINH, False), (AN, True)):  # somebody else's card proves nothing
            contact = {"phone_number": f"+{OWNERS}", "first_name": "An", "user_id": user}
            await an.happens(message=an.message(contact=contact))
            await an.next()
            assert (PROCEDURE in (await an.asks(OPEN)).text) is known
        assert PROCEDURE not in (await binh.asks(OPEN)).text
        assert there.texts_to(OWNERS) == []

        chi = there.on_telegram(CHI)
        pin = await joined(there, chi, wrong_first=True)
        assert PROCEDURE in (await chi.asks(OPEN)).text
        assert "Đã nối" not in (await chi.asks(pin)).text, "a code works once"
        assert "Đã nối" not in (await binh.asks(pin)).text


# ---- faults of the Bot API


async def test_what_telegram_refuses_for_good_is_given_up_and_what_it_puts_off_is_sent_once(tmp_path: Path) -> None:
    async with town(tmp_path, updates="polling") as there:
        an, binh, chi = (there.on_telegram(each) for each in (AN, BINH, CHI))
        another = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        there.api.fail("getUpdates", Fault(409, another))  # which the operator is told, and nobody feels
        wait = 1
        there.api.fail("sendMessage", Fault(400, "Bad Request: chat not found", chat=AN))
        await an.send(OPEN)
        await until(lambda: there.states(an) == ["rejected"])
        there.api.fail("sendMessage", Fault(429, "Too Many Requests", {"retry_after": wait}, chat=BINH))
        asked = asyncio.get_running_loop().time()
        await binh.send(OPEN)
        await until(lambda: len(there.api.sent) >= 2)
        assert (await chi.asks(OPEN)).text.startswith(OF_OPEN)  # nobody else waits for it
        assert (await binh.next()).text.startswith(OF_OPEN)
        waited = asyncio.get_running_loop().time() - asked
        there.api.fail("sendMessage", Fault(500, "Internal Server Error", chat=CHI))
        await chi.send(OTHER)
        await until(lambda: [chat for chat, _ in there.api.sent].count(CHI) == 2)
        await until(
            lambda: there.states(chi) == ["accepted", "ready"]
        )  # a server that is ill is left alone for a while
        there.hasten()
        assert (await chi.next()).text.startswith(f"Hồ sơ {OTHER}")
        await there.sent()
        tries = [chat for chat, _ in there.api.sent]
        away = [line["error"] for line in log_lines(tmp_path) if line["action"] == "telegram.away"]
        states = [there.states(each) for each in (an, binh, chi)]
    assert [tries.count(each) for each in (AN, BINH, CHI)] == [1, 2, 3]
    assert states == [["rejected"], ["accepted"], ["accepted", "accepted"]]
    assert waited >= wait
    assert away == ["another_takes_updates"]


# ---- each update is answered once


async def test_an_update_telegram_hands_in_again_is_answered_once(tmp_path: Path) -> None:
    quick = {"TRACUU_DATABASE__BUSY_TIMEOUT_S": "0.2"}
    async with town(tmp_path, settings=quick) as there:
        an = there.on_telegram(AN)
        there.doorman.instead = [500, 500]  # we took it, and Telegram was told that we failed
        await an.send(OPEN)
        await an.next()
        while there.api.pending:
            await there.api.deliver()
        assert there.doorman.answers == [200, 200, 200]

        with locked(tmp_path / STORE):  # now it is we who cannot take it
            await an.send(OTHER)
        assert there.doorman.answers[3:] == [503]
        await there.api.deliver()
        assert (await an.next()).text.startswith(f"Hồ sơ {OTHER}")
        await an.asks(MOVING)
        assert [OPEN in an.heard[0].text, OTHER in an.heard[1].text, MOVING in an.heard[2].text] == [True] * 3
        await there.sent()
        asked = there.rows("SELECT count(*) FROM inbox")
    assert asked == [(3,)]
    assert len(an.heard) == 3


async def test_killed_with_an_answer_on_its_way_it_answers_once_more_at_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with town(tmp_path) as there:
        an = there.on_telegram(AN)
        there.api.hold("sendMessage")
        await an.send(OPEN)
        await until(lambda: there.api.waiting)
        await there.gateway.kill()
        in_doubt = there.states(an)
        there.api.release()
        await there.gateway.start()
        await there.api.deliver()
        assert (await an.asks(OTHER)).text
        await until(lambda: any(OTHER in heard.text for heard in an.heard))  # the one in doubt may come after it
        await there.sent()
        answers = [heard for heard in an.heard if OPEN in heard.text]
        asked = there.rows("SELECT count(*) FROM inbox")
    assert in_doubt == ["handed_over"]
    assert asked == [(2,)]
    assert 1 <= len(answers) <= 2
    tell(capsys, f"killed with 1 answer in doubt: arrived {len(answers)} times")


@pytest.mark.parametrize("updates", ["polling", pytest.param("webhook", marks=pytest.mark.long)])
async def test_killed_with_a_question_open_it_answers_once_after_the_start(updates: str, tmp_path: Path) -> None:
    patient = {
        "TRACUU_GATEWAY__ANSWER_BUDGETS__CHAT_MS": "20",
        "TRACUU_GATEWAY__SOURCE_DOWN_AFTER_S": "60",
        "TRACUU_SOURCES__HOSO__TIMEOUT_S": "60",
    }
    async with town(tmp_path, updates=updates, settings=patient) as there:
        an = there.on_telegram(AN)
        with locked(tmp_path / HOSO_FILE):
            await an.send(OPEN)
            await until(lambda: there.rows("SELECT 1 FROM inbox WHERE state = 'open'"))
            await there.gateway.kill()
            await there.gateway.launch()
        assert (await an.next()).text.startswith(OF_OPEN)
        assert (await an.asks(MOVING)).text.startswith(f"Hồ sơ {MOVING}")
        await there.sent()
        states = there.states(an)
    assert len(an.heard) == len(states) == 2


async def test_killed_before_telegram_knew_that_we_have_it_it_knows_the_update_again(tmp_path: Path) -> None:
    async with town(tmp_path, updates="polling") as there:
        an = there.on_telegram(AN)
        there.api.hold("getUpdates", lambda fields: int(fields.get("offset", 0)) > 0)  # the one that acknowledges
        assert (await an.asks(OPEN)).text.startswith(OF_OPEN)
        await until(lambda: "getUpdates" in there.api.waiting)
        await until(lambda: there.states(an) == ["accepted"])
        await there.gateway.kill()
        there.api.release()
        assert there.api.pending == 1
        await there.gateway.start()
        assert (await an.asks(OTHER)).text.startswith(f"Hồ sơ {OTHER}")
        await until(lambda: not there.api.pending)
        asked = there.rows("SELECT count(*) FROM inbox")
    assert asked == [(2,)]
    assert len(an.heard) == 2


# ---- who is not Telegram


async def test_forged_and_repeated_calls_of_telegrams_webhook_bring_no_answer(tmp_path: Path) -> None:
    async with town(tmp_path) as there:
        an, binh = there.on_telegram(AN), there.on_telegram(BINH)
        update = {"update_id": LATER_UPDATE, "message": binh.message(text=OPEN)}
        assert await there.post(update, secret=None) == 401
        assert await there.post(update, secret="a-secret_of-anybody") == 403
        assert await there.post(update, secret=SECRET[:-1]) == 403
        assert await there.post(update) == 200
        await binh.next()
        assert await there.post(update) == 200  # said again by somebody who heard it, or by Telegram
        assert await there.post(update | {"message": binh.message(text=MOVING)}) == 200  # the same number, other words
        assert await there.post({"no": "update"}) == 400
        await an.asks(OPEN)
        await there.sent()
        states = there.states(binh)
        other = f"{there.gateway.public}{path_of('another')}"
        async with aiohttp.ClientSession() as client, client.post(other, json=update) as answer:
            assert answer.status == 404
    assert states == ["accepted"]
    assert [OPEN in heard.text for heard in binh.heard] == [True]


# ---- many


@pytest.mark.parametrize("updates", ["polling", pytest.param("webhook", marks=pytest.mark.long)])
async def test_five_hundred_updates_are_each_answered_once(
    updates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = (OPEN, OTHER, MOVING, MOVING_TOO)
    async with town(tmp_path, updates=updates, settings={"TRACUU_LOGS__LEVEL": "info"}) as there:
        crowd = [there.on_telegram(AN + 1_000 + number) for number in range(MANY)]
        began = asyncio.get_running_loop().time()
        for number, each in enumerate(crowd):
            await each.send(codes[number % len(codes)])
        await until(lambda: len(there.api.sent) >= MANY)
        seconds = asyncio.get_running_loop().time() - began
        await there.sent()
        states = there.rows("SELECT state, count(*) FROM outbox GROUP BY state")
        heard = [each.heard for each in crowd]
    wrong = [
        answers for number, answers in enumerate(heard) if len(answers) != 1 or codes[number % 4] not in answers[0].text
    ]
    assert wrong == []
    assert states == [("accepted", MANY)]
    tell(capsys, f"{MANY} updates by {updates}, each answered once, in {seconds:.1f} s")
