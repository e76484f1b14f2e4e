"""What the screen of health calls wrong, what it reads again, and how it says it: pure, on pictures made by hand."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.health.board import AN_HOUR, Board, Picture
from console.health.judging import Mark, alarms, mark_of
from console.health.ports import (
    AccountSeen,
    HoldSeen,
    LeaseSeen,
    Nearby,
    ProcessSeen,
    QueueSeen,
    SourceSeen,
    Standing,
    Traffic,
)
from console.health.reporting import LONGEST, Outlet, clean, make_report, messages_of
from console.health.view import make_view, span
from domain.message import Address

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEXTS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent.parent.parent / "config" / "console" / "vi.toml").read_text(encoding="utf-8")
)
HELD = LeaseSeen(name="sms viettel", process=1, since=NOW - AN_HOUR, until=NOW + MINUTE)
READY = AccountSeen(channel="sms", account="viettel", ready=True, since=NOW - AN_HOUR)


def picture(*, accounts: Sequence[AccountSeen] = (), sources: Sequence[SourceSeen] = (), **changes: Any) -> Picture:
    last_hour = changes.pop("last_hour", ())
    return Picture(
        standing=Standing(at=NOW, **changes),
        nearby=Nearby(number=1, accounts=accounts, sources=sources),
        last_hour=last_hour,
    )


def queue(state: str, waited: timedelta) -> QueueSeen:
    return QueueSeen(account="viettel", state=state, messages=7, oldest_at=NOW - waited)


def process(silent: timedelta) -> ProcessSeen:
    return ProcessSeen(
        number=2, host="gw", roles="sms", version="1", started_at=NOW - AN_HOUR, heartbeat_at=NOW - silent
    )


SOURCE = SourceSeen(name="hoso", ok=True, since=NOW - AN_HOUR, lag_s=1.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (picture(accounts=[READY], leases=[HELD]), []),
        (picture(accounts=[READY]), [("account_unheld", Mark.BAD)]),
        (
            picture(accounts=[AccountSeen(channel="sms", account="viettel", ready=False)], leases=[HELD]),
            [("account_away", Mark.BAD)],
        ),
        (picture(sources=[SOURCE]), []),
        (picture(sources=[SourceSeen(name="hoso", ok=False, since=NOW)]), [("source_down", Mark.BAD)]),
        (picture(sources=[SourceSeen(name="hoso", ok=True, since=NOW, lag_s=600.0)]), [("source_lags", Mark.WARN)]),
        (picture(queues=[queue("ready", 0.5 * MINUTE)]), []),
        (picture(queues=[queue("ready", 2 * MINUTE)]), [("queue_waits", Mark.WARN)]),
        (picture(queues=[queue("open", 6 * MINUTE)]), [("queue_waits", Mark.BAD)]),
        (picture(queues=[queue("bulk", 60 * MINUTE)]), []),  # a broadcast takes its time
        (picture(last_hour=[Traffic(channel="sms", replies=100, in_5s=90)]), [("slow_replies", Mark.WARN)]),
        (picture(last_hour=[Traffic(channel="sms", replies=10, in_5s=0)]), []),  # too few to say anything
        (picture(holds=[HoldSeen(source="hoso", since=NOW, changes=500, notices=40)]), [("held", Mark.WARN)]),
        (picture(processes=[process(0.5 * MINUTE)]), []),
        (picture(processes=[process(5 * MINUTE)]), [("process_gone", Mark.WARN)]),
        (picture(processes=[process(60 * MINUTE)]), []),  # news no more
    ],
)
def test_what_is_wrong_is_said_and_what_is_well_is_not(seen: Picture, expected: list[tuple[str, Mark]]) -> None:
    assert [(alarm.rule, alarm.mark) for alarm in alarms(seen)] == expected
    assert len(make_view(seen, TEXTS).wrong) == len(expected)


def test_of_a_channel_another_process_holds_only_that_is_known() -> None:
    elsewhere = LeaseSeen(name="sms viettel", process=2, since=NOW, until=NOW + MINUTE)
    seen = picture(accounts=[AccountSeen(channel="sms", account="viettel")], leases=[elsewhere])
    assert mark_of(seen.nearby.accounts[0], seen) is Mark.UNKNOWN
    assert alarms(seen) == []
    (accounts,) = [block for block in make_view(seen, TEXTS).blocks if block.name == "accounts"]
    assert accounts.rows[0][1].words == "Do tiến trình 2 giữ"


def test_every_row_has_as_many_cells_as_there_are_heads() -> None:
    traffic = [Traffic(channel="sms", came_in=1234, replies=3, in_2s=2, in_5s=3)]
    seen = picture(
        accounts=[READY],
        sources=[SOURCE],
        leases=[HELD],
        queues=[queue("ready", MINUTE)],
        holds=[HoldSeen(source="hoso", since=NOW, changes=5, notices=4)],
        processes=[process(MINUTE)],
        last_hour=traffic,
    )
    view = make_view(seen, TEXTS)
    for block in view.blocks:
        assert all(len(row) == len(block.heads) for row in block.rows), block.name
    share = next(tile for tile in view.tiles if tile.name == "in_2s")
    assert share.note == "60 phút qua: 66,6 %"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 giây"), (59, "59 giây"), (61, "1 phút 1 giây"), (7_200, "2 giờ"), (90_000, "1 ngày 1 giờ")],
)
def test_a_span_is_told_by_its_two_largest_units(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds), TEXTS) == words


# ---- what is read, and when


class CountingFigures:
    def __init__(self) -> None:
        self.hours: list[datetime] = []

    async def standing(self) -> Standing:
        return Standing(at=NOW)

    async def traffic(self, since: datetime, until: datetime) -> Sequence[Traffic]:
        if since.minute == 0:
            self.hours.append(since)
        return [Traffic(channel="sms", came_in=1)]


class NothingNearby:
    async def look(self) -> Nearby:
        return Nearby(number=1)


async def test_hours_that_are_over_are_read_once_and_pages_read_nothing() -> None:
    figures = CountingFigures()
    board = Board(figures, NothingNearby(), clock=lambda: NOW)
    seen = await board.picture()
    assert len(seen.hours) == 16  # from midnight to 15:30 in Vietnam
    assert [each.came_in for each in seen.today] == [16]
    assert await board.picture() is seen
    figures.hours.clear()
    await board.refresh()
    assert len(figures.hours) == 3  # the present one, and two that may still change


# ---- a report


def test_a_report_says_when_and_who_and_leaves_without_accents_by_sms() -> None:
    report = make_report("Kênh SMS mất kết nối", by="Trần Vận Hành, TT HCC", now=NOW, texts=TEXTS)
    assert report.text == ("SỰ CỐ hệ thống tra cứu hồ sơ lúc 15:30 23/11: Kênh SMS mất kết nối (Trần Vận Hành, TT HCC)")
    assert (report.plain.isascii(), report.segments, report.fits) == (True, 1, True)
    outlets = [
        Outlet(
            channel=name,
            account=name,
            sender=Address(name, "1"),
            recipient=Address(name, "84912345678"),
            plain=name == "sms",
        )
        for name in ("sms", "telegram")
    ]
    ids = iter(range(10))
    texts = [each.text for each in messages_of(report, outlets, now=NOW, new_id=lambda: next(ids))]
    assert texts == [report.plain, report.text]
    assert outlets[0].shown == "sms:…678"


def test_the_longest_report_of_plain_words_fits_and_one_of_signs_does_not() -> None:
    by = "Nguyễn Thị Một Cái Tên Khá Dài, Điểm TNHS số 1, TP Cần Thơ"
    assert make_report("a " * (LONGEST // 2), by=by, now=NOW, texts=TEXTS).fits
    assert not make_report("[" * LONGEST, by=by, now=NOW, texts=TEXTS).fits
    assert clean("một\r\nhai\x00 \u202eba") == "một hai ba"
