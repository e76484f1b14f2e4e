"""How fast a bot talks, how a text is cut, what Telegram's refusals mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from channels.telegram.account import TelegramAccount, UpdatesBy
from channels.telegram.pacing import MOST_CHATS, Meter, Pacing
from channels.telegram.request import NotSent, Throttled
from channels.telegram.texts import LONGEST_TEXT, fits, keyboard, split, units
from channels.telegram.verdicts import VERDICTS, blames_buttons, verdict_of
from domain.message import Button, SendStatus

LONG = 1.5
TOKEN = "123456:nobody"


def pacing(rate: float = 25.0) -> Pacing:
    return Pacing(rate=rate, per_chat=1.0, per_group=20.0)


def test_a_short_burst_to_one_person_passes_and_then_a_message_a_second() -> None:
    paced = pacing()
    waits = [paced.book_chat(7, 100.0, LONG) for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0, 1, 2])
    assert paced.book_chat(7, 100.0, LONG) == pytest.approx(2)  # what is too far off is not booked


def test_one_persons_turn_is_nobody_elses() -> None:
    paced = pacing()
    for _ in range(10):
        paced.book_chat(7, 100.0, LONG)
    assert paced.book_chat(8, 100.0, LONG) == 0


def test_a_group_has_twenty_a_minute() -> None:
    paced = pacing()
    waits = [paced.book_chat(-7, 0.0, 1_000.0) for _ in range(23)]
    assert waits[:3] == [0, 0, 0]
    assert waits[22] == pytest.approx(60)


@given(st.lists(st.floats(0, 0.5), max_size=60))
def test_never_more_than_the_rate_and_its_burst_leave(gaps: list[float]) -> None:
    meter, now, turns = Meter(0.1, 3), 50.0, []
    for gap in gaps:
        now += gap
        turns.append(meter.book(now))
    assert turns == sorted(turns)
    for start in turns:
        assert sum(start <= turn <= start + 0.999 for turn in turns) <= 10 + 3


def test_without_a_rate_nothing_waits() -> None:
    free = Pacing(rate=0, per_chat=0, per_group=0)
    assert [free.book_chat(1, 0.0, LONG) for _ in range(9)] == [0] * 9
    assert [free.book_line(0.0) for _ in range(9)] == [0] * 9


def test_a_refusal_of_one_chat_stalls_no_other() -> None:
    paced = pacing()
    assert paced.refused(7, 30, 100.0) is False
    assert paced.pause_of(7, 101.0) == pytest.approx(29)
    assert paced.book_chat(7, 101.0, LONG) == pytest.approx(29)
    assert paced.pause_of(8, 101.0) == 0
    assert not paced.is_line_paused(101.0)


def test_refusals_of_several_persons_at_once_stall_all() -> None:
    paced = pacing()
    assert [paced.refused(chat, 4, 100.0) for chat in (7, 8, 9)] == [False, False, True]
    assert paced.is_line_paused(103.9)
    assert paced.pause_of(10, 103.0) == pytest.approx(1)
    assert not paced.is_line_paused(104.0)


def test_refusals_far_apart_or_of_groups_stall_nobody_else() -> None:
    paced = pacing()
    assert not any(paced.refused(chat, 4, chat * 10.0) for chat in (7, 8, 9))
    assert not any(paced.refused(-chat, 40, 100.0) for chat in (7, 8, 9))
    assert not any(paced.refused(7, 4, 200.0) for _ in range(3))


def test_chats_long_silent_are_forgotten() -> None:
    paced = pacing()
    for chat in range(MOST_CHATS):
        paced.book_chat(chat, 100.0, LONG)
    paced.book_chat(-1, 200.0, LONG)
    assert len(paced._chats) == 1


# ---- texts and buttons


@given(st.text(alphabet="aạ😀 \n", max_size=120), st.integers(4, 40))
def test_every_part_is_short_enough_and_no_letter_is_lost(text: str, longest: int) -> None:
    parts = split(text, longest)
    assert all(0 < units(part) <= longest for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_khmer_letter_never_comes_apart() -> None:
    assert all(part.startswith("ក") for part in split("ក្រី" * 3_000))


def test_a_long_text_is_cut_after_a_line() -> None:
    lines = "\n".join(f"{number:04} Hồ sơ đang xử lý" for number in range(400))
    parts = split(lines)
    assert len(parts) > 1
    assert all(part[:4].isdigit() for part in parts)
    assert not fits(lines)
    assert fits("x" * LONGEST_TEXT)
    assert not fits("😀" * (LONGEST_TEXT // 2 + 1))


def test_a_button_telegram_would_not_give_back_is_left_out() -> None:
    rows = (
        (Button("Theo dõi", "DK 1"), Button("x", "é" * 33)),
        (Button("y", "z" * 65),),
        (Button("Tiếng Việt", "VI"),),
    )
    markup = keyboard(rows)
    assert markup is not None
    shown = [[(button.text, button.callback_data) for button in row] for row in markup.inline_keyboard]
    assert shown == [[("Theo dõi", "DK 1")], [("Tiếng Việt", "VI")]]
    assert keyboard(()) is None
    assert keyboard(((Button("y", "z" * 65),),)) is None


# ---- verdicts


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Forbidden("Forbidden: bot was blocked by the user"), SendStatus.STOPPED, "blocked"),
        (Forbidden("Forbidden: user is deactivated"), SendStatus.STOPPED, "deactivated"),
        (Forbidden("x"), SendStatus.STOPPED, "forbidden"),
        (BadRequest("Chat not found"), SendStatus.REJECTED, "chat_not_found"),
        (BadRequest("whatever"), SendStatus.REJECTED, "bad_request"),
        (Throttled(7), SendStatus.RETRY, "throttled"),
        (InvalidToken(), SendStatus.RETRY, "token_refused"),
        (Conflict("x"), SendStatus.RETRY, "conflict"),
        (NotSent("x"), SendStatus.RETRY, "not_sent"),
        (TimedOut(), SendStatus.UNKNOWN, "response_timeout"),
        (NetworkError("x"), SendStatus.UNKNOWN, "answer_lost"),
        (ChatMigrated(-5), SendStatus.UNKNOWN, "answer_unreadable"),
    ],
)
def test_every_refusal_has_one_meaning(error: TelegramError, status: SendStatus, reason: str) -> None:
    verdict = verdict_of(error)
    assert (verdict.status, verdict.reason) == (status, reason)


def test_a_throttled_message_comes_back_when_telegram_says() -> None:
    assert verdict_of(Throttled(7)).retry_after == 7


def test_a_row_never_hides_a_later_one() -> None:
    kinds = [kind for kind, _ in VERDICTS]
    assert not any(issubclass(late, early) for at, early in enumerate(kinds) for late in kinds[at + 1 :])


def test_only_a_keyboards_fault_is_blamed_on_it() -> None:
    assert blames_buttons(BadRequest("Button_data_invalid"))
    assert not blames_buttons(BadRequest("Chat not found"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "nobody"},
        {"updates": UpdatesBy.WEBHOOK, "webhook_secret": "s"},
        {"updates": UpdatesBy.WEBHOOK, "webhook_url": "https://x/y"},
        {"updates": UpdatesBy.WEBHOOK, "webhook_url": "https://x/y", "webhook_secret": "a b"},
        {"max_connections": 101},
        {"response_timeout": 0},
    ],
)
def test_an_account_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|needed"):
        TelegramAccount(**{"name": "bot", "token": TOKEN} | wrong)  # type: ignore[arg-type]


def test_an_account_does_not_show_its_secrets() -> None:
    account = TelegramAccount(name="bot", token=TOKEN, webhook_secret="hush", proxy="http://u:hidden@h:1")
    assert not any(secret in repr(account) for secret in ("nobody", "hush", "hidden"))
