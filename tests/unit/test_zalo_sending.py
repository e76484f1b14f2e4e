"""Messages to Zalo: what is written, what each answer means, and that nobody waits for somebody else."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.zalo import wording
from channels.zalo.account import ZaloAccount
from channels.zalo.api import Sent
from channels.zalo.counters import ZaloCounters
from channels.zalo.errors import TOKEN_REFUSED, VERDICTS, WINDOW, NoAnswer, NotSent
from channels.zalo.pacing import Pace
from channels.zalo.sending import Sending
from channels.zalo.tokens import NoToken
from domain.message import Address, Button, Category, OutboundMessage, SendResult, SendStatus

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OA = "2800000000000000002"
USER = "8234567890123456789"


def letter(identifier: int = 1, text: str = "Hồ sơ đang xử lý", user: str = USER, **more: Any) -> OutboundMessage:
    fields: dict[str, Any] = {
        "id": identifier,
        "channel": "zalo",
        "account": "so-tu-phap",
        "category": Category.REPLY,
        "recipient": Address("zalo", f"{OA}.{user}"),
        "sender": Address("zalo", OA),
        "text": text,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return OutboundMessage(**{**fields, **more})


@dataclass
class Platform:
    """Answers as told, and otherwise takes everything."""

    answers: deque[Sent | Exception] = field(default_factory=deque)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    works: str = "token-1"

    async def send(self, access_token: str, message: dict[str, Any]) -> Sent:
        self.taken.append((access_token, message))
        await asyncio.sleep(0)
        if access_token != self.works:
            return Sent(status=200, code=-216)
        answer = self.answers.popleft() if self.answers else Sent(status=200, code=0, message_id=f"m{len(self.taken)}")
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Tokens:
    token: str = "token-1"
    renewed: int = 0
    next: str = "token-2"

    async def renew(self, refused: str) -> str:
        self.renewed += 1
        if not self.next:
            raise NoToken("refused")
        self.token = self.next
        return self.token


class Desk:
    def __init__(self, **changes: Any) -> None:
        fields: dict[str, Any] = {"rate": 1000.0, "per_user": 1000.0, "throttle_pause": 5.0, **changes}
        account = ZaloAccount(
            name="so-tu-phap", app_id="1", oa_id=OA, oa_secret="a", app_secret="b", refresh_token="c", **fields
        )
        self.platform, self.tokens, self.counters = Platform(), Tokens(), ZaloCounters()
        self.now = 1_000.0
        self.sending = Sending(
            account, self.platform, self.tokens, self.counters, monotonic=lambda: self.now, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def send(self, *messages: OutboundMessage) -> Sequence[SendResult]:
        return await self.sending.send(messages or [letter()])

    async def one(self, *answers: Sent | Exception, **more: Any) -> SendResult:
        self.platform.answers.extend(answers)
        (result,) = await self.send(letter(**more))
        return result

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body["message"] for _, body in self.platform.taken]


async def test_a_message_is_accepted_with_the_platforms_id() -> None:
    desk = Desk()
    result = await desk.one()
    assert result.status is SendStatus.ACCEPTED
    assert [segment.external_id for segment in result.segments] == ["m1"]
    assert desk.platform.taken == [
        ("token-1", {"recipient": {"user_id": USER}, "message": {"text": "Hồ sơ đang xử lý"}})
    ]


@pytest.mark.parametrize("code", sorted(VERDICTS))
async def test_every_code_of_the_table_becomes_its_result(code: int) -> None:
    desk = Desk()
    result = await desk.one(Sent(status=200, code=code))
    verdict = VERDICTS[code]
    assert (result.status, result.reason, result.retry_after) == (verdict.status, verdict.reason, verdict.retry_after)
    assert desk.sending.paused is verdict.pauses
    assert bool(desk.sending.trouble) is verdict.mend


@pytest.mark.parametrize("code", [-230, -232, -305, -311])
async def test_a_closed_window_says_so_that_a_notice_takes_another_way(code: int) -> None:
    result = await Desk().one(Sent(status=200, code=code))
    assert (result.status, result.reason) == (SendStatus.REJECTED, WINDOW)


@pytest.mark.parametrize("code", [-217, -244])
async def test_who_blocked_us_is_left_alone(code: int) -> None:
    assert (await Desk().one(Sent(status=200, code=code))).status is SendStatus.STOPPED


def test_the_page_for_operators_tells_every_code_and_what_a_person_has_to_mend() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "zalo.md").read_text(encoding="utf-8")
    rows = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| -"))
    told = {int(code): bool(mark) for code, mark in re.findall(r"(-\d+)( ●)?", rows)}
    assert {code: marked for code, marked in told.items() if code in VERDICTS} == {
        code: verdict.mend for code, verdict in VERDICTS.items()
    }
    assert set(told) - set(VERDICTS) == {-216, -220}


async def test_a_code_nobody_knows_is_a_refusal_with_its_number() -> None:
    result = await Desk().one(Sent(status=200, code=-999))
    assert (result.status, result.reason) == (SendStatus.REJECTED, "code -999")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (NotSent("away"), SendStatus.RETRY),
        (NoAnswer("silence"), SendStatus.UNKNOWN),
        (Sent(status=200), SendStatus.UNKNOWN),  # taken, and answered with something else
        (Sent(status=500), SendStatus.UNKNOWN),
        (Sent(status=502), SendStatus.UNKNOWN),
        (Sent(status=504), SendStatus.UNKNOWN),
        (Sent(status=302), SendStatus.UNKNOWN),
        (Sent(status=503), SendStatus.RETRY),
        (Sent(status=429, retry_after=7.0), SendStatus.RETRY),
        (Sent(status=400), SendStatus.REJECTED),
        (Sent(status=413), SendStatus.REJECTED),
        (Sent(status=403), SendStatus.RETRY),  # somebody's on the way: the platform refuses with 200
    ],
)
async def test_what_may_have_been_sent_is_never_sent_blindly_again(
    answer: Sent | Exception, status: SendStatus
) -> None:
    desk = Desk()
    assert (await desk.one(answer)).status is status
    assert len(desk.platform.taken) == 1


@pytest.mark.parametrize("code", sorted(TOKEN_REFUSED))
async def test_a_refused_token_is_renewed_once_and_the_message_sent(code: int) -> None:
    desk = Desk()
    desk.platform.works = "token-2"
    assert (await desk.one()).status is SendStatus.ACCEPTED
    assert desk.tokens.renewed == 1
    assert [token for token, _ in desk.platform.taken] == ["token-1", "token-2"]


async def test_a_token_refused_twice_is_tried_later_and_not_for_ever() -> None:
    desk = Desk()
    desk.platform.works = "none"
    result = await desk.one()
    assert (result.status, result.reason) == (SendStatus.RETRY, "token_refused")
    assert len(desk.platform.taken) == 2


async def test_without_a_token_nothing_leaves_and_nothing_is_lost() -> None:
    desk = Desk()
    desk.tokens.token = desk.tokens.next = ""
    result = await desk.one()
    assert (result.status, result.reason) == (SendStatus.RETRY, "no_token")
    assert desk.platform.taken == []


async def test_too_much_pauses_the_account_and_nobody_is_asked_meanwhile() -> None:
    desk = Desk()
    assert (await desk.one(Sent(status=200, code=-32))).status is SendStatus.RETRY
    result = await desk.one()
    assert (result.status, result.reason) == (SendStatus.RETRY, "paused")
    assert 0 < result.retry_after <= 5.0
    assert len(desk.platform.taken) == 1
    desk.now += 5.0
    assert (await desk.one()).status is SendStatus.ACCEPTED


async def test_one_persons_quota_holds_up_nobody_else() -> None:
    desk = Desk()
    desk.platform.answers.append(Sent(status=200, code=-218))
    first, second = await desk.send(letter(1, user="11"), letter(2, user="22"))
    assert (first.status, second.status) == (SendStatus.RETRY, SendStatus.ACCEPTED)


# ---- what is written


BUTTONS = ((Button("Theo dõi", "DK H51.18-210817-0005"),), (Button("Xem lại", "H51.18-210817-0005"),))


async def test_buttons_are_commands_that_come_back_as_texts() -> None:
    desk = Desk()
    await desk.one(buttons=BUTTONS)
    (body,) = desk.bodies
    assert body["attachment"] == {
        "type": "template",
        "payload": {
            "buttons": [
                {"title": "Theo dõi", "type": "oa.query.hide", "payload": "DK H51.18-210817-0005"},
                {"title": "Xem lại", "type": "oa.query.hide", "payload": "H51.18-210817-0005"},
            ]
        },
    }


async def test_the_kind_of_template_is_told_where_it_is_configured() -> None:
    desk = Desk(template_type="list")
    await desk.one(buttons=BUTTONS)
    assert desk.bodies[0]["attachment"]["payload"]["template_type"] == "list"


@pytest.mark.parametrize("code", [-201, -233])
async def test_a_message_whose_buttons_are_refused_leaves_without_them(code: int) -> None:
    desk = Desk()
    with capture_logs() as lines:
        assert (await desk.one(Sent(status=200, code=code), buttons=BUTTONS)).status is SendStatus.ACCEPTED
    assert [sorted(body) for body in desk.bodies] == [["attachment", "text"], ["text"]]
    assert [line["reason"] for line in lines] == ["buttons_refused"]


async def test_an_account_without_buttons_sends_none() -> None:
    desk = Desk(buttons=False)
    await desk.one(buttons=BUTTONS)
    assert "attachment" not in desk.bodies[0]


def test_at_most_five_buttons_with_titles_that_fit_and_none_that_would_not_come_back() -> None:
    many = tuple((Button("x" * 150, f"H51.18-210817-000{number}"),) for number in range(7))
    odd = ((Button("lost", "x" * 1_001), Button("", "a"), Button("b", "")),)
    (body,) = wording.bodies(letter(buttons=odd + many), USER, template_type="", buttons=True)
    shown = body["message"]["attachment"]["payload"]["buttons"]
    assert [each["payload"][-1] for each in shown] == ["0", "1", "2", "3", "4"]
    assert {len(each["title"]) for each in shown} == {100}


async def test_a_long_text_leaves_in_parts_with_the_buttons_under_the_last() -> None:
    desk = Desk()
    result = await desk.one(text="\n".join(["Hồ sơ của ông/bà " * 5] * 60), buttons=BUTTONS)
    assert result.status is SendStatus.ACCEPTED
    assert [segment.segment for segment in result.segments] == list(range(1, len(desk.bodies) + 1))
    assert len(desk.bodies) > 1
    assert all(wording.fits(body["text"]) for body in desk.bodies)
    assert ["attachment" in body for body in desk.bodies] == [False] * (len(desk.bodies) - 1) + [True]


async def test_of_a_long_text_nothing_follows_a_part_that_was_refused() -> None:
    desk = Desk()
    result = await desk.one(Sent(status=200, code=0, message_id="a"), Sent(status=200, code=-230), text="a " * 2_500)
    assert (result.status, len(desk.platform.taken)) == (SendStatus.REJECTED, 2)


@given(st.text(st.sampled_from("aà \nộ😀ស្ត្រី"), max_size=6_000))
def test_cut_texts_fit_and_lose_only_blanks(text: str) -> None:
    found = wording.pieces(text)
    assert all(wording.fits(piece) for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_what_fits_is_what_the_platform_takes() -> None:
    assert wording.fits("ộ" * 2_000)
    assert not wording.fits("ộ" * 2_001)
    assert not wording.fits("😀" * 1_001)
    assert wording.pieces("ộ" * 2_000) == ["ộ" * 2_000]


@pytest.mark.parametrize("text", ["a" * 1_999 + " " * 5, " " * 2_100 + "x", "a\n" + "\n" * 4_000 + "b"])
def test_no_piece_is_blank(text: str) -> None:
    pieces = wording.pieces(text)
    assert all(piece.strip() for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_khmer_sign_stays_with_its_letter() -> None:
    """The foot of a letter, too, that stands under it by an invisible sign before it."""
    for lead in ("", "a", "ab", "abc"):
        assert all(piece.startswith("ក") for piece in wording.pieces(lead + "ក្រី" * 700)[1:])


@pytest.mark.parametrize("address", ["sms:84912345678", f"zalo:{OA}", "zalo:1.2", f"zalo:{OA}."])
async def test_somebody_elses_address_is_refused(address: str) -> None:
    desk = Desk()
    result = await desk.one(recipient=Address.from_urn(address))
    assert (result.status, result.reason) == (SendStatus.REJECTED, "address")
    assert desk.platform.taken == []


# ---- in turn


async def test_one_person_is_written_to_in_order_and_in_time_and_others_do_not_wait() -> None:
    desk = Desk(per_user=1.0, rate=100.0)
    batch = [*(letter(number, f"{number}") for number in range(3)), letter(9, "9", user="22")]
    results = await desk.send(*batch)
    assert sorted(result.message_id for result in results) == [0, 1, 2, 9]
    mine = [body["text"] for body in desk.bodies if body["text"] != "9"]
    assert mine == ["0", "1", "2"]
    assert [body["text"] for body in desk.bodies].index("9") <= 1
    assert desk.now >= 1_002.0


def test_the_rate_is_smooth_and_saves_nothing_up() -> None:
    pace = Pace(10.0, 1.0)
    assert [round(pace.account(100.0), 3) for _ in range(3)] == [0.0, 0.1, 0.2]
    assert pace.account(200.0) == 0.0
    assert [pace.person("a", 100.0), pace.person("b", 100.0), pace.person("a", 100.0)] == [0.0, 0.0, 1.0]


def test_persons_are_forgotten_before_they_fill_the_memory() -> None:
    pace = Pace(10.0, 1.0)
    for number in range(25_000):
        pace.person(f"{number}", number * 0.1)
    assert len(pace._users) <= 10_001


async def test_no_line_names_a_person_or_a_text() -> None:
    desk = Desk()
    with capture_logs() as lines:
        for code in VERDICTS:
            desk.now += 10_000
            await desk.one(Sent(status=200, code=code))
    assert lines
    assert USER not in repr(lines)
    assert "Hồ sơ" not in repr(lines)
