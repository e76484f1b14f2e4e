"""A morning at the counter: dossiers registered and printed by keyboard alone, asked for by every channel, and told of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from demo.officers import DESK
from domain.calendar import local_day
from domain.codes import read_codes
from domain.text import unaccent
from tests.browser.browsing import PATIENCE_MS
from tests.browser.counter import Counter, a_counter
from tests.browser.counter_desk import Applicant, DeskOfficer, Printed, applicants
from tests.whole.gateways import LOG, assert_quiet, tell

# Seconds for a key of an average typist who is no secretary: Card, Moran and Newell, "The keystroke-level model for user
# performance time with interactive systems", Communications of the ACM 23(7), 1980 (about 210 keys a minute).
KEY_S: Final = 0.28
A_MINUTE: Final = 60.0
AGENCY: Final = "UBND phường Phú Lợi"
DAY: Final = re.compile(r"\d\d/\d\d/\d{4}")
STRANGER: Final = "84908111222"
IN_STATE: Final = {  # the state an officer reads, and what the notice of it says
    "ask_supplement": ("Yêu cầu bổ sung giấy tờ", ("con thieu giay to",)),
    "take_supplement": ("Được tiếp nhận", ("da tiep nhan, hen tra",)),
    "forward": ("Đang xử lý", ("dang xu ly, hen tra",)),
    "finish": ("Đã xử lý xong", ("da co ket qua", "co ket qua som")),
    "return": ("Đã trả kết quả", ("da tra ket qua",)),
}


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    async with a_counter(tmp_path) as made:
        yield made


@pytest.mark.parametrize("count", [6, pytest.param(30, marks=pytest.mark.long)])
async def test_a_morning_at_the_counter(counter: Counter, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    people = list(applicants(count))
    async with counter.officer(DESK[0]) as one, counter.officer(DESK[1]) as other:
        printed = await registered(one, other, people)
        keys = sorted(each.keys for each in printed)
        tell(capsys, f"{count} dossiers: {keys[0]} to {keys[-1]} keys, at most {keys[-1] * KEY_S:.1f} s of typing")
        assert keys[-1] * KEY_S < A_MINUTE
        assert len({each.code for each in printed}) == count
        assert_receipts_are_read(counter, printed)
        await asyncio.gather(told_at_once(counter, printed), answered_by_sms(counter, printed))
        await asyncio.gather(
            answered_in_a_chat(counter, printed),
            answered_by_page(counter, printed),
            answered_by_widget(counter, printed),
        )
        silent = next(each for each in printed if not each.applicant.consents)
        await moved_without_a_word(counter, other, silent)
        await moved_and_told(counter, one, next(each for each in printed if each.applicant.consents))
    assert_nobody_else_was_told(counter, printed)
    assert_discreet(counter, printed)


# ---- the counter


async def registered(one: DeskOfficer, other: DeskOfficer, people: Sequence[Applicant]) -> Sequence[Printed]:
    """By two at once, each the next of their own queue."""

    async def works(officer: DeskOfficer, queue: Sequence[Applicant]) -> Sequence[Printed]:
        await officer.begins()
        return [await officer.registers(each) for each in queue]

    queues = await asyncio.gather(works(one, people[::2]), works(other, people[1::2]))
    return [each for queue in queues for each in queue]


def assert_receipts_are_read(counter: Counter, printed: Sequence[Printed]) -> None:
    """What a telephone reads is the dossier's page, and its code for whoever only wants that."""
    today = local_day(datetime.now(UTC))
    for each in printed:
        assert each.qr == f"{counter.gateway.public.upper()}/D/{each.code}"
        assert [found.text for found in read_codes(each.qr, today=today).codes] == [each.code]
        assert each.applicant.procedure in each.text
        assert each.ask.endswith(f" {each.code}")  # behind the keyword of the number


# ---- those who ask


def assert_answer(text: str, each: Printed) -> None:
    """Where it is and when to come, as the receipt says."""
    assert unaccent(f"Hồ sơ {each.code} đã tiếp nhận tại {AGENCY}, hẹn trả ") in unaccent(text)
    assert DAY.findall(text)[0] in each.text


async def answered_by_sms(counter: Counter, printed: Sequence[Printed]) -> None:
    """Whoever has the code learns the state, whoever has the secret on the paper more, and nobody a name."""

    async def asks(each: Printed, place: int) -> None:
        stranger = f"{STRANGER[:-2]}{place:02}"
        bare = await counter.hears(stranger, each.ask)
        assert_answer(bare, each)
        more = await counter.hears(stranger, each.more)
        assert_answer(more, each)
        procedure = unaccent(each.applicant.procedure)[:12]
        assert (procedure in bare, procedure in more) == (False, True), (bare, more)
        assert_answer(await counter.hears(each.applicant.number, each.ask), each)
        assert unaccent(each.applicant.name) not in bare + more

    await asyncio.gather(*(asks(each, place) for place, each in enumerate(printed)))


async def answered_in_a_chat(counter: Counter, printed: Sequence[Printed]) -> None:
    """The receipt is photographed and sent to the bot."""
    for place, each in enumerate(printed):
        assert_answer(await counter.shows_the_bot(500 + place, each.picture), each)


async def answered_by_page(counter: Counter, printed: Sequence[Printed]) -> None:
    """A telephone opens what it reads."""
    async with counter.citizen() as page:
        for each in printed:
            await page.goto(each.qr)
            await expect(page.locator("main")).to_contain_text(each.code)
            await expect(page.locator("main")).to_contain_text("Được tiếp nhận")
            assert each.applicant.name not in await page.content()


async def answered_by_widget(counter: Counter, printed: Sequence[Printed]) -> None:
    """On the ward's own site."""
    async with counter.citizen() as page:
        for each in printed:
            await page.goto(counter.put_widget())
            await page.locator("#code").press_sequentially(each.code.lower())
            await page.keyboard.press("Enter")
            shown = page.locator("#said .result")
            await expect(shown.locator(".badge")).to_have_text("Được tiếp nhận")
            await expect(shown).to_contain_text(each.code)


# ---- those who are told


async def told_at_once(counter: Counter, printed: Sequence[Printed]) -> None:
    """Whoever agreed to be told hears that it was received."""
    for each in printed:
        if each.applicant.consents:
            [notice] = await told(counter, each, 1)
            assert f"{each.code} da tiep nhan, hen tra" in notice


def notices(counter: Counter, each: Printed) -> Sequence[str]:
    """What its applicant's telephone was sent without asking: who speaks comes first there."""
    heard = counter.handsets.texts.get(each.applicant.number, ())
    return [text for text in heard if text.startswith(f"{unaccent(AGENCY)}: ho so {each.code}")]


async def told(counter: Counter, each: Printed, count: int) -> Sequence[str]:
    """The notices of a dossier, once there are so many."""
    async with asyncio.timeout(PATIENCE_MS / 1_000):
        await counter.smsc.until(lambda: len(notices(counter, each)) >= count)
    return notices(counter, each)


async def moved_without_a_word(counter: Counter, officer: DeskOfficer, each: Printed) -> None:
    """All the way, for somebody who does not want to be told: they are answered, and nothing else."""
    await officer.opens(each.code)
    for act in ("forward", "finish", "return"):
        await done(officer, act)
    assert "da tra ket qua" in await counter.hears(each.applicant.number, each.ask)


async def moved_and_told(counter: Counter, officer: DeskOfficer, each: Printed) -> None:
    """Each step is told, once, with the words of the step."""
    await officer.opens(each.code)
    for place, (act, (_, words)) in enumerate(IN_STATE.items(), start=2):
        await done(officer, act)
        heard = await told(counter, each, place)
        assert len(heard) == place
        assert any(f"{each.code} {said}" in heard[-1] for said in words), (act, heard)
    assert "da tra ket qua" in await counter.hears(each.applicant.number, each.ask)


async def done(officer: DeskOfficer, act: str) -> None:
    """By keyboard, as its form asks for it."""
    form, keyboard = await officer.unfolds(act), officer.keyboard
    if act == "ask_supplement":
        await keyboard.reaches(form.locator("#ask_supplement-paper_0_originals"))
        await keyboard.presses("Delete")
        await keyboard.reaches(form.locator("#ask_supplement-paper_0_complete"))
        await keyboard.presses("Space", "Tab", "Space", "Tab", "Space")  # neither complete nor legal: missing
    elif act == "take_supplement":
        await keyboard.reaches(form.locator("#take_supplement-paper_0_originals"))
        await keyboard.types("1")
        await keyboard.reaches(form.locator("#take_supplement-paper_0_complete"))
        await keyboard.presses("Space", "Tab", "Space", "Tab", "Space")
    elif act == "forward":
        await keyboard.reaches(form.locator("#forward-to"))
        await keyboard.presses("ArrowDown")
    await officer.does(form, IN_STATE[act][0])


# ---- and nothing else


def assert_nobody_else_was_told(counter: Counter, printed: Sequence[Printed]) -> None:
    """Notices went to those who agreed, one of each dossier but of the one that moved on."""
    moved = next(each for each in printed if each.applicant.consents)
    for each in printed:
        expected = (1 + len(IN_STATE) if each is moved else 1) if each.applicant.consents else 0
        assert len(notices(counter, each)) == expected
        assert counter.unasked(each.applicant.number) == expected


def assert_discreet(counter: Counter, printed: Sequence[Printed]) -> None:
    """Nothing went wrong, and the log holds nobody's name, number or secret."""
    assert_quiet(counter.directory)
    log = (counter.directory / LOG).read_text(encoding="utf-8")
    whose = {
        part
        for each in printed
        for part in (each.applicant.name, each.applicant.phone[1:], each.applicant.id_number, each.more.split()[-1])
    }
    assert [each for each in whose if each in log] == []
