"""Hostile senders, hostile SMSCs and bad moments: nothing of a citizen's is lost, doubled, mixed or read wrongly."""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from channels.sms import commands as c
from channels.sms.concatenation import MOST_AT_ONCE
from channels.sms.gathering import Bounds
from channels.sparing import LINES_A_MINUTE
from domain.codes import read_codes
from domain.inquiry import Help, Unreadable, read_inquiry
from tests.passing_time import pass_time
from tests.unit.speaking import shipped_grammar
from tests.unit.test_concatenation import BOUNDS, NOW, SENDERS, TIMEOUT, Account, key, part, read
from tests.unit.test_reception import CODE, Desk

TODAY = NOW.date()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.start()
    yield made
    await made.stop()


# One reference for everything.


def test_another_message_with_the_same_beginning_under_the_same_reference_is_whole() -> None:
    account = Account()
    account.take(part(1, b"Kinh gui"), part(2, b"ho so mot"))
    account.pass_time(30)
    account.take(part(1, b"Kinh gui"), part(2, b"ho so hai"))
    account.pass_time(2 * TIMEOUT)
    assert account.bodies == [b"Kinh gui|ho so mot", b"Kinh gui|ho so hai"]


def test_another_message_with_the_same_beginning_and_end_is_whole() -> None:
    account = Account()
    three = key(total=3)
    for middle in (b"mot", b"hai"):
        account.take(*(part(number, text, of=three) for number, text in enumerate((b"Kinh gui", middle, b"cam on"), 1)))
    account.pass_time(2 * TIMEOUT)
    assert account.bodies == [b"Kinh gui|mot|cam on", b"Kinh gui|hai|cam on"]


def test_end_that_came_again_is_not_taken_for_the_end_of_the_next_message() -> None:
    account = Account()
    account.take(part(1, b"A1"), part(2, b"A2"), part(2, b"A2"), part(1, b"B1"), part(2, b"B2"))
    account.pass_time(2 * TIMEOUT)
    assert account.bodies == [b"A1|A2", b"B1|B2"]


def test_beginning_that_came_again_long_ago_is_not_taken_for_the_next_message() -> None:
    account = Account()
    account.take(part(1, b"A1"), part(2, b"A2"), part(1, b"A1"))
    account.pass_time(TIMEOUT + 1)
    account.take(part(2, b"B2"), part(1, b"B1"))
    assert account.bodies == [b"A1|A2", b"B1|B2"]


# The store away at the wrong moment.


def test_part_that_came_too_late_makes_the_message_whole_even_if_the_store_was_away_then() -> None:
    account = Account()
    account.take(part(1))
    account.pass_time(TIMEOUT)
    account.reassembly.lost(account.reassembly.add(part(2), account.now) or ())
    account.hand_in()
    account.take(part(2))
    account.pass_time(TIMEOUT)
    assert account.bodies == [b"part 1", b"part 1|part 2"]


def test_message_meant_once_more_is_whole_even_if_the_store_was_away_then() -> None:
    account = Account()
    account.take(part(1), part(2))
    account.pass_time(BOUNDS.meant_after)
    account.take(part(1))
    account.reassembly.lost(account.reassembly.add(part(2), account.now) or ())
    account.hand_in()
    account.take(part(2))
    account.pass_time(TIMEOUT)
    assert account.bodies == [b"part 1|part 2", b"part 1|part 2"]


@pytest.mark.parametrize("pushed_out_by", ["reference", "sender", "all"])
def test_part_that_could_not_be_kept_is_not_taken_for_kept_when_its_set_was_pushed_out(pushed_out_by: str) -> None:
    account = Account(Bounds(timeout=TIMEOUT, sets=2, sets_per_sender=1))
    other = {
        "reference": part(1, b"new"),
        "sender": part(1, of=key(reference=8)),
        "all": part(1, of=key(sender=SENDERS[1])),
    }[pushed_out_by]
    pushing = [other] if pushed_out_by != "all" else [other, part(1, of=key(sender="sms:3"))]
    under_way = account.reassembly.add(part(1), 0.0)
    for each in pushing:
        account.reassembly.add(each, 0.0)
    assert account.reassembly.ready(0.0) == []  # nothing of it is safe yet
    account.reassembly.lost(under_way or ())
    assert account.reassembly.add(part(1), 0.0) != ()


def test_part_that_comes_again_while_it_is_being_kept_is_not_acknowledged_before() -> None:
    account = Account()
    account.take(part(2))
    account.reassembly.add(part(1), 0.0)
    account.take(part(2, b"new"))  # its set is closed
    assert account.reassembly.add(part(1), 0.0)  # of the new one, or nobody's: to be kept in any case
    assert account.reassembly.add(part(1, b"new"), 0.0)


def test_beginning_that_could_not_be_kept_is_not_the_beginning_of_the_next_message() -> None:
    account = Account(Bounds(timeout=TIMEOUT, sets_per_sender=1))
    under_way = account.reassembly.add(part(1), 0.0)
    account.take(part(2), part(1, of=key(reference=8)))  # pushes the set out
    assert account.reassembly.add(part(1), 0.0) is None
    account.reassembly.lost(under_way or ())
    account.take(part(2, b"new"))
    account.pass_time(TIMEOUT)
    assert account.bodies == [b"part 2", b"part 1", b"new"]


async def test_store_that_is_away_is_not_asked_as_often_as_the_smsc_sends_again_and_logs_stay_short(
    desk: Desk,
) -> None:
    desk.shelf.away = True
    with capture_logs() as logs:
        for round_ in range(1, 21):
            desk.deliver(desk.part(1, CODE[:10]))
            assert (await desk.answered(round_))[-1] == c.RX_T_APPN
    assert len([entry for entry in logs if entry["event"] == "sms.parts_not_kept"]) == LINES_A_MINUTE


async def test_thousands_that_are_due_at_once_leave_others_their_turn(desk: Desk) -> None:
    many = 2 * MOST_AT_ONCE + 50
    desk.deliver(*(desk.part(1, "x", source=f"8491000{number:04d}") for number in range(many)))
    await desk.answered(many)
    arrived = [0]
    loop = asyncio.get_running_loop()

    def look() -> None:
        arrived.append(len(desk.basket.arrivals))
        if arrived[-1] < many:
            loop.call_soon(look)

    look()
    pass_time(TIMEOUT)
    await desk.until(lambda: len(desk.basket.arrivals) == many)
    assert max(after - before for before, after in itertools.pairwise(arrived)) <= MOST_AT_ONCE


# Another process goes on.


def test_what_is_added_to_what_a_process_before_may_have_told_is_a_message_of_its_own() -> None:
    """Told and not marked before the process ended: the journal holds the part under the set's id."""
    account = Account()
    account.take(part(1, of=key(total=3)))
    account.restart()
    account.take(part(2, of=key(total=3)), part(3, of=key(total=3)))
    [gathering] = account.told
    assert gathering.message_id != gathering.set_id


def test_what_is_the_same_as_the_process_before_had_it_keeps_its_id() -> None:
    account = Account()
    account.take(part(1))
    account.restart()
    account.pass_time(TIMEOUT)
    [gathering] = account.told
    assert gathering.message_id == gathering.set_id


# Gaps.


def text_of(total: int, texts: dict[int, str]) -> str:
    return str(read(*(part(number, each.encode(), of=key(total=total)) for number, each in texts.items())).text)


@pytest.mark.parametrize(
    ("total", "texts"),
    [
        (3, {1: "Ho so 000.00.18.H51 161220 00", 3: "12 0034 duong"}),
        (3, {1: "Ho so 000.00.18.H51 161220 so", 3: "nha 0034 duong"}),
        (3, {1: "Ho so 000 00 18 cu", 3: "a H51 161220"}),
        (3, {1: "Ho so H51.18", 3: "210817-0005"}),
        (2, {2: "8 H51-161220-0001 cam on"}),
        (2, {2: " H51-161220-0001 cam on"}),
        (2, {2: " 18 H51 161220 0001"}),
        (2, {1: "Ho so 000.00.18.H51-161220-0001 "}),
        (2, {1: "Ho so 000.00.18.H51 161220 0001 2"}),
    ],
)
def test_no_code_is_read_across_a_gap_or_beside_it(total: int, texts: dict[int, str]) -> None:
    reading = read_codes(text_of(total, texts), today=TODAY)
    assert (reading.codes, reading.candidates) == ((), ())


@pytest.mark.parametrize("words", ["DUNG", "BAT", "1", "VI", "HUY"])
def test_no_command_is_read_out_of_half_a_message(words: str) -> None:
    inquiry = read_inquiry(text_of(2, {2: f"khong {words}"}), shipped_grammar(), today=TODAY)
    assert isinstance(inquiry, Unreadable | Help)


def test_code_that_is_certainly_whole_is_read_beside_a_gap() -> None:
    for texts in ({1: f"tra cuu {CODE} cho to"}, {2: f"n {CODE} cam on"}):
        assert [str(code.text) for code in read_codes(text_of(2, texts), today=TODAY).codes] == [CODE]


# Lengths, numbers, widths.


LYING = {
    "reaches beyond the end": b"\x05\x00\x03\x07\x02",
    "longer than the message": b"\xff\x00\x03\x07\x02\x01text",
    "element longer than the header": b"\x05\x00\xff\x07\x02\x01text",
    "element without its length": b"\x01\x00text",
    "concatenation too short": b"\x04\x00\x02\x07\x02text",
    "concatenation too long": b"\x06\x00\x04\x07\x02\x01\x00text",
    "number nought": b"\x05\x00\x03\x07\x02\x00text",
    "number above the total": b"\x05\x00\x03\x07\x02\x03text",
    "total of nought": b"\x05\x00\x03\x07\x00\x01text",
    "one part alone": b"\x05\x00\x03\x07\x01\x01text",
    "nothing at all": b"",
    "empty header": b"\x00text",
}


@pytest.mark.parametrize("lie", LYING)
async def test_header_that_lies_makes_a_message_of_its_own_and_waits_for_nothing(desk: Desk, lie: str) -> None:
    desk.deliver(desk.pdu(LYING[lie], esm_class=c.ESM_UDHI))
    assert len(desk.basket.arrivals) == 1
    assert desk.line.answers == {1: c.ROK}


@pytest.mark.parametrize(
    "told",
    [
        {c.SAR_MSG_REF_NUM: b""},
        {c.SAR_MSG_REF_NUM: b"\x01", c.SAR_TOTAL_SEGMENTS: b"", c.SAR_SEGMENT_SEQNUM: b""},
        {c.SAR_MSG_REF_NUM: b"\x01\x02", c.SAR_TOTAL_SEGMENTS: b"\x02"},
        {c.SAR_MSG_REF_NUM: b"\x01\x02", c.SAR_TOTAL_SEGMENTS: b"\x02", c.SAR_SEGMENT_SEQNUM: b"\x00\x00\x03"},
    ],
)
async def test_parameters_that_do_not_add_up_make_a_message_of_its_own(desk: Desk, told: dict[int, bytes]) -> None:
    desk.deliver(desk.pdu(CODE.encode(), tlvs=told))
    assert desk.basket.texts == [CODE]


async def test_total_that_no_octet_holds_is_refused_as_too_many(desk: Desk) -> None:
    told = {c.SAR_MSG_REF_NUM: b"\x01\x02", c.SAR_TOTAL_SEGMENTS: b"\xff\xff", c.SAR_SEGMENT_SEQNUM: b"\xff\xfe"}
    desk.deliver(desk.pdu(CODE.encode(), tlvs=told))
    assert desk.line.answers == {1: c.RX_P_APPN}


async def test_marks_piled_on_one_letter_do_not_hold_up_everybody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their order costs the square of their number: 30,000 in one payload took 0.8 s, in pieces 0.03 s."""
    sizes: list[int] = []
    normalize = unicodedata.normalize

    def measured(form: Any, text: str) -> str:
        sizes.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr("channels.sms.decoding.unicodedata.normalize", measured)
    piled = "a" + "\u0301\u0316" * 15_000
    desk.deliver(desk.pdu(b"", data_coding=c.CODING_UCS2, tlvs={c.MESSAGE_PAYLOAD: piled.encode("utf-16-be")}))
    assert len(desk.basket.arrivals) == 1
    assert sum(sizes) == len(piled)
    assert max(sizes) <= 1_000


def test_long_text_is_composed_as_a_short_one_is() -> None:
    vietnamese = "Ho\u0302\u0300 so\u031b  cu\u0309a to\u0302i. "
    octets = (vietnamese * 300).encode("utf-16-be")
    text = read(part(1, octets, of=key(total=1), data_coding=8)).text
    assert text == "H\u1ed3 s\u01a1  c\u1ee7a t\u00f4i. " * 300
