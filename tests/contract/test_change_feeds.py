"""What every feed of changes promises, on real databases: a poll, a sweep, and whom a dossier names to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from adapters.onestop.changes_poll import ChangePoll
from adapters.onestop.changes_sweep import Sweep
from adapters.onestop.contacts import SqlContacts
from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.sql import SqlDossierSource
from adapters.onestop.watched import WatchedDatabase
from domain.codes import CodeFamily, DossierCode, LegacyPattern, parse_canonical
from domain.errors import SettingsError, SourceMisread, SourceUnavailable
from notifications.ports import ChangeFeed, Contacts, Heard
from tests.contract.test_dossier_source import drivers_gone, make_database
from tests.onestop_schemas.databases import Database

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
OLD = timedelta(days=30)
MAPPING = """
name = "watched"
table = "hoso"
agency = "H51.18"
date_formats = {formats}
time_zone = "{zone}"
other_codes = ["other"]
placeholders = ["0000000000"]
[columns]
code = "code"
status = "state"
changed_at = "changed"
[status]
4 = 4
[[hidden]]
column = "gone"
values = [1]
[notify]
numbers = ["phone", "phone2"]
wanted = {{ column = "sms", values = [1, "yes"] }}
"""
COLUMNS = {
    "code": "code",
    "other": "code",
    "state": "int",
    "gone": "int",
    "sms": "text",
    "phone": "text",
    "phone2": "text",
}
LEGACY = [LegacyPattern(agency="H51.18", mask="#####/####/#####")]


@dataclass(frozen=True, slots=True)
class Style:
    """How the change column is kept: its type by database, and a moment as it is written there."""

    kinds: Mapping[str, str]
    form: str = "%Y-%m-%d %H:%M:%S"
    formats: str = '["yyyy-MM-dd HH:mm:ss"]'
    zone: str = "Asia/Ho_Chi_Minh"


STYLES = {
    "local": Style({"sqlite": "TEXT", "postgresql": "TIMESTAMP", "mariadb": "DATETIME"}),
    "fine": Style({"postgresql": "TIMESTAMP"}, form="%Y-%m-%d %H:%M:%S.%f"),
    "aware": Style({"postgresql": "TIMESTAMPTZ"}, form="%Y-%m-%d %H:%M:%S.%f%z"),
    "utc": Style({"mariadb": "DATETIME"}, zone="UTC"),
    "iso": Style(
        dict.fromkeys(("sqlite", "postgresql"), "VARCHAR(40)"),
        form="%Y-%m-%dT%H:%M:%S.%f",
        formats='["iso"]',
    ),
    "digits": Style({"mariadb": "BIGINT"}, form="%Y%m%d%H%M%S", formats='["yyyyMMddHHmmss"]'),
}
DATABASES = [("local", kind) for kind in ("sqlite", "postgresql", "mariadb")]
PLACES = [
    *DATABASES,
    ("local", "threads"),  # a driver that blocks, as SQL Server's does
    *(("fine", "postgresql"), ("aware", "postgresql"), ("utc", "mariadb")),
    *(("iso", "sqlite"), ("iso", "postgresql"), ("digits", "mariadb")),
]


def code(number: int) -> DossierCode:
    return read(f"H51.18-260701-{number:04d}")


def read(text: str) -> DossierCode:
    found = parse_canonical(text)
    assert found
    return found


@dataclass
class Watched:
    """A table that is watched."""

    database: Database
    style: Style
    counted: list[str] = field(default_factory=list)
    opened: list[WatchedDatabase] = field(default_factory=list)

    def create(self) -> None:
        self.database.create("hoso", COLUMNS, "code")
        kind = self.style.kinds[self.database.name]
        self.database.execute(f"ALTER TABLE {self.table} ADD COLUMN changed {kind}")

    @property
    def table(self) -> str:
        return self.database.named("hoso")

    @property
    def mapping(self) -> SourceMapping:
        return load_mapping(MAPPING.format(formats=self.style.formats, zone=self.style.zone), "watched")

    def put(self, number: int | str, moment: timedelta | str | None = OLD, **more: object) -> None:
        """A dossier that changed so long ago, or whose change column holds this text."""
        text = code(number).text if isinstance(number, int) else number
        self.database.insert("hoso", {"code": text, "state": 4, "changed": self.written(moment), **more})

    def touch(self, number: int, moment: timedelta | str | None = timedelta()) -> None:
        written = self.written(moment)
        value = "NULL" if written is None else f"'{written}'"
        self.database.execute(f"UPDATE {self.table} SET changed = {value} WHERE code = '{code(number).text}'")

    def written(self, moment: timedelta | str | None) -> str | None:
        if not isinstance(moment, timedelta):
            return moment
        return (datetime.now(UTC) - moment).astimezone(ZoneInfo(self.style.zone)).strftime(self.style.form)

    def watch(self, time_limit: float = 60.0) -> WatchedDatabase:
        self.opened.append(WatchedDatabase(self.mapping, self.database.url, time_limit=time_limit))
        return self.opened[-1]

    def poll(self, *, page: int = 3, overlap: float = 120.0, resolution: float = 0.0) -> ChangePoll:
        return ChangePoll(
            self.watch(), overlap=overlap, resolution=resolution, page=page, legacy=LEGACY, count=self.count
        )

    def sweep(self, *, page: int = 3) -> Sweep:
        return Sweep(self.watch(), page=page, legacy=LEGACY, count=self.count)

    def count(self, event: str, source: str) -> None:
        self.counted.append(event)


@pytest.fixture
async def watched(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    style, kind = request.param
    place = Watched(make_database(kind, request, tmp_path), STYLES[style])
    place.create()
    yield place
    for each in place.opened:
        await each.close()
        await each.close()  # feeds share it, and each of them may
    place.database.close()
    await drivers_gone()


everywhere = pytest.mark.parametrize("watched", PLACES, indirect=True, ids="-".join)
on_each_database = pytest.mark.parametrize("watched", DATABASES, indirect=True, ids="-".join)


async def round_of(feed: ChangeFeed, cursor: str | None) -> tuple[list[DossierCode], str | None, list[Heard]]:
    """One round: the codes given, the cursor it ends with, its pages."""
    pages: list[Heard] = []
    codes: list[DossierCode] = []
    while True:
        heard = await feed.next(cursor)
        pages.append(heard)
        codes += heard.codes
        cursor = heard.cursor or cursor
        if not heard.more:
            return codes, cursor, pages
        assert len(pages) < 50


async def settled(feed: ChangeFeed) -> str | None:
    """The cursor after the first run, and after what that left in the overlap."""
    _, cursor, _ = await round_of(feed, None)
    return (await round_of(feed, cursor))[1]


# ---- polls


@everywhere
async def test_first_run_is_a_baseline_of_everything_even_of_what_bears_no_moment(watched: Watched) -> None:
    for number in range(1, 11):
        watched.put(number, OLD * number)
    watched.put(11, None)
    codes, cursor, pages = await round_of(watched.poll(), None)
    assert sorted(codes) == [code(number) for number in range(1, 12)]
    assert all(page.baseline for page in pages)
    again, _, pages = await round_of(watched.poll(), cursor)
    assert (again, [page.baseline for page in pages]) == ([], [False])


@everywhere
async def test_change_is_given_once_with_its_neighbours_in_the_order_of_change(watched: Watched) -> None:
    for number in range(1, 11):
        watched.put(number)
    poll = watched.poll()
    cursor = await settled(poll)
    for number in (7, 3, 9, 1, 5):
        watched.touch(number, timedelta(seconds=20 - number))
    codes, cursor, pages = await round_of(poll, cursor)
    assert codes == [code(number) for number in (1, 3, 5, 7, 9)]
    assert len(pages) > 1
    assert not any(page.baseline for page in pages)
    assert (await round_of(poll, cursor))[0] == []


@everywhere
async def test_late_commit_is_seen_though_a_later_change_was_seen_before(watched: Watched) -> None:
    watched.put(1)
    watched.put(2)
    poll = watched.poll()
    cursor = await settled(poll)
    watched.touch(2)
    codes, cursor, _ = await round_of(poll, cursor)
    assert codes == [code(2)]
    watched.touch(1, timedelta(seconds=100))
    codes, cursor, _ = await round_of(poll, cursor)
    assert codes == [code(1)]
    assert (await round_of(poll, cursor))[0] == []


@everywhere
async def test_row_dated_in_the_future_does_not_hide_what_comes_after_it(watched: Watched) -> None:
    watched.put(1)
    watched.put(2)
    poll = watched.poll()
    cursor = await settled(poll)
    watched.touch(1, -timedelta(days=400))
    codes, cursor, _ = await round_of(poll, cursor)
    assert codes == [code(1)]
    watched.touch(2)
    codes, cursor, _ = await round_of(poll, cursor)
    assert codes == [code(2)]
    assert (await round_of(poll, cursor))[0] == []


@everywhere
async def test_many_changes_at_one_moment_are_not_lost_between_pages(watched: Watched) -> None:
    for number in range(1, 12):
        watched.put(number)
    poll = watched.poll(page=2)
    cursor = await settled(poll)
    moment = watched.written(timedelta(seconds=5))
    for number in range(1, 12):
        watched.touch(number, moment)
    codes, _, _ = await round_of(poll, cursor)
    assert sorted(codes) == [code(number) for number in range(1, 12)]


@on_each_database
async def test_row_seen_within_the_resolution_is_given_again(watched: Watched) -> None:
    watched.put(1)
    poll = watched.poll(resolution=60.0)
    cursor = await settled(poll)
    watched.touch(1)
    for _ in range(3):
        codes, cursor, _ = await round_of(poll, cursor)
        assert codes == [code(1)]


@on_each_database
async def test_row_that_leaves_the_overlap_is_given_for_the_last_time(watched: Watched) -> None:
    watched.put(1)
    poll = watched.poll()
    cursor = await settled(poll)
    watched.touch(1, timedelta(seconds=60))
    _, cursor, _ = await round_of(poll, cursor)
    shorter = watched.poll(overlap=30.0)  # by its own clock the row leaves now
    assert [(await round_of(shorter, cursor))[0] for _ in range(2)] == [[code(1)]] * 2
    _, cursor, _ = await round_of(shorter, cursor)
    assert (await round_of(shorter, cursor))[0] == []


@on_each_database
async def test_what_was_given_and_never_recorded_is_given_again(watched: Watched) -> None:
    watched.put(1)
    poll = watched.poll()
    cursor = await settled(poll)
    watched.touch(1)
    for _ in range(3):  # the store was away: the cursor was not kept
        assert (await round_of(poll, cursor))[0] == [code(1)]


@everywhere
async def test_restart_goes_on_in_the_middle_of_the_first_run_and_of_a_round(watched: Watched) -> None:
    for number in range(1, 8):
        watched.put(number)
    cursor: str | None = None
    given: list[DossierCode] = []
    for _ in range(20):
        heard = await watched.poll().next(cursor)
        assert heard.baseline
        given += heard.codes
        cursor = heard.cursor
        if not heard.more:
            break
    assert sorted(given) == [code(number) for number in range(1, 8)]
    for number in range(1, 8):
        watched.touch(number, timedelta(seconds=number))
    given = []
    for _ in range(20):
        heard = await watched.poll().next(cursor)
        given += heard.codes
        cursor = heard.cursor
        if not heard.more:
            break
    assert sorted(given) == [code(number) for number in range(1, 8)]


@on_each_database
async def test_change_during_the_first_run_is_no_baseline(watched: Watched) -> None:
    for number in range(1, 6):
        watched.put(number)
    poll = watched.poll(page=2)
    heard = await poll.next(None)
    watched.touch(5, -timedelta(seconds=30))
    codes, cursor, pages = await round_of(poll, heard.cursor)
    assert code(5) not in codes
    assert all(page.baseline for page in pages)
    assert (await round_of(poll, cursor))[0] == [code(5)]


@on_each_database
async def test_table_where_nothing_ever_changed_is_polled_once_something_does(watched: Watched) -> None:
    watched.put(1, None)
    poll = watched.poll()
    codes, cursor, _ = await round_of(poll, None)
    assert codes == [code(1)]
    codes, cursor, _ = await round_of(poll, cursor)
    assert codes == []
    watched.touch(1)
    assert (await round_of(poll, cursor))[0] == [code(1)]


@on_each_database
async def test_every_cursor_is_another_and_a_strange_one_begins_anew(watched: Watched) -> None:
    watched.put(1)
    poll = watched.poll()
    cursor = await settled(poll)
    _, other, _ = await round_of(poll, cursor)
    assert cursor != other
    with capture_logs() as logs:
        codes, _, pages = await round_of(poll, '{"v":99}')
    assert (codes, pages[0].baseline) == ([code(1)], True)
    assert [line["event"] for line in logs] == ["feed.cursor_unreadable"]


@on_each_database
async def test_column_that_does_not_sort_is_refused_and_says_so(watched: Watched) -> None:
    kind = {"mariadb": "VARCHAR(40)"}.get(watched.database.name, "TEXT")
    watched.database.execute(f"ALTER TABLE {watched.table} ADD COLUMN spoken {kind}")
    watched.put(1, spoken="01/07/2026 08:00:00")
    text = MAPPING.replace('"changed"', '"spoken"').format(formats='["dd/MM/yyyy HH:mm:ss"]', zone="UTC")
    opened = WatchedDatabase(load_mapping(text, "watched"), watched.database.url)
    watched.opened.append(opened)
    with pytest.raises(SourceMisread, match="cannot be polled"):
        await ChangePoll(opened, overlap=1, resolution=1, page=1).next(None)
    without = load_mapping(text.replace('changed_at = "spoken"', ""), "watched")
    opened = WatchedDatabase(without, watched.database.url)
    watched.opened.append(opened)
    with pytest.raises(SettingsError, match="swept"):
        ChangePoll(opened, overlap=1, resolution=1, page=1)


# ---- sweeps


@on_each_database
async def test_sweep_goes_round_and_only_its_first_round_is_a_baseline(watched: Watched) -> None:
    for number in range(1, 9):
        watched.put(number, None)
    cursor = None
    for baseline in (True, False, False):
        codes, cursor, pages = await round_of(watched.sweep(), cursor)
        assert codes == [code(number) for number in range(1, 9)]
        assert len(pages) == 4
        assert [page.baseline for page in pages] == [baseline] * 4


@on_each_database
async def test_sweep_loses_nothing_where_codes_are_equal_or_differ_in_case_or_spaces(watched: Watched) -> None:
    expected = set()
    for number in range(1, 8):
        text = code(number).text
        expected.add(code(number))
        for written in (text, text.lower(), text.title(), text, f" {text}"):
            watched.put(written, None)
    for page in (1, 2, 3, 4, 50):
        codes, _, _ = await round_of(watched.sweep(page=page), None)
        assert set(codes) == expected


@on_each_database
async def test_sweep_gives_numbers_from_before_and_other_codes_and_counts_what_is_none(watched: Watched) -> None:
    watched.put("12345/2016/00123", None)
    watched.put(1, None, other=code(2).text)
    watched.put("Công văn 15", None)
    watched.put("A00-250101-0000", None)
    codes, _, _ = await round_of(watched.sweep(), None)
    number = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.18")
    assert set(codes) == {number, code(1), code(2)}
    assert watched.counted == ["code_unreadable"] * 2
    source = SqlDossierSource(watched.mapping, watched.database.url)
    assert set(await source.find(codes)) == set(codes)  # they are asked for as citizens ask
    await source.close()


@on_each_database
async def test_sweep_of_an_empty_table_and_with_a_strange_cursor(watched: Watched) -> None:
    codes, cursor, pages = await round_of(watched.sweep(), None)
    assert (codes, len(pages), pages[0].baseline) == ([], 1, True)
    watched.put(1)
    heard = await watched.sweep().next(cursor)
    assert (heard.codes, heard.baseline) == ([code(1)], False)
    with capture_logs() as logs:
        heard = await watched.sweep().next("rubbish")
    assert (heard.codes, heard.baseline) == ([code(1)], False)
    assert [line["event"] for line in logs] == ["feed.cursor_unreadable"]


# ---- both


@pytest.mark.parametrize("kind", ["poll", "sweep"])
@on_each_database
async def test_locked_table_is_unavailable_and_read_after(watched: Watched, kind: str) -> None:
    watched.put(1)
    opened = watched.watch(time_limit=0.3)
    feed: ChangeFeed = Sweep(opened, page=2)
    if kind == "poll":
        feed = ChangePoll(opened, overlap=1, resolution=1, page=2)
    assert feed.name == kind
    with watched.database.locked("hoso"), pytest.raises(SourceUnavailable):
        await feed.next(None)
    assert (await until_heard(feed)).codes == [code(1)]


async def until_heard(feed: ChangeFeed) -> Heard:
    """A busy machine, too, needs longer than the limit; a read that was given up may hold its place until the driver's."""
    async with asyncio.timeout(60):
        while True:
            with suppress(SourceUnavailable):
                return await feed.next(None)


@pytest.mark.parametrize("kind", ["poll", "sweep"])
@on_each_database
async def test_missing_table_is_a_misread(watched: Watched, kind: str) -> None:
    watched.database.drop("hoso")
    feed: ChangeFeed = watched.sweep() if kind == "sweep" else watched.poll()
    with pytest.raises(SourceMisread):
        await feed.next(None)


# ---- contacts


@on_each_database
async def test_numbers_are_given_of_dossiers_that_want_notices(watched: Watched) -> None:
    watched.put(1, sms="1", phone="0912 345 678", phone2="+84 38 111 2222")
    watched.put(2, sms="YES", phone="0912345678", phone2="0912345678")
    watched.put(3, sms="0", phone="0912345678")
    watched.put(4, sms=None, phone="0912345678")
    watched.put(5, sms="1", phone="0000000000", phone2=None)
    watched.put(6, sms="1", phone="0912345678", gone=1)
    contacts: Contacts = SqlContacts(watched.watch())
    with capture_logs() as logs:
        found = await contacts.numbers([code(number) for number in range(1, 10)])
    assert found == {code(1): ("0912 345 678", "+84 38 111 2222"), code(2): ("0912345678",)}
    assert await contacts.numbers([]) == {}
    assert logs == []


@on_each_database
async def test_number_of_a_strangers_dossier_is_not_given(watched: Watched) -> None:
    watched.put(1, sms="1", phone="0912345678", other=code(3).text)
    watched.put(2, sms="1", phone="0387654321", other=code(3).text)
    watched.put("12345/2016/00123", sms="1", phone="0912345678")
    stranger = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.04")
    assert await SqlContacts(watched.watch()).numbers([code(3), stranger]) == {}


@on_each_database
async def test_without_a_flag_every_dossier_names_its_numbers_and_without_notify_none(watched: Watched) -> None:
    watched.put(1, phone="0912345678")
    notify = watched.mapping.notify
    assert notify is not None
    for kept in (notify.model_copy(update={"wanted": None}), None):
        mapping = watched.mapping.model_copy(update={"notify": kept})
        opened = WatchedDatabase(mapping, watched.database.url)
        watched.opened.append(opened)
        if kept is None:
            with pytest.raises(SettingsError, match="notify"):
                SqlContacts(opened)
        else:
            assert await SqlContacts(opened).numbers([code(1)]) == {code(1): ("0912345678",)}
