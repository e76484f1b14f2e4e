"""Changes under concurrent writers with late commits and wrong clocks, and heard of by PostgreSQL's NOTIFY."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime

import pytest

from adapters.onestop.changes_listen import MOST_WAITING, ChangeListener, Mailbox
from adapters.onestop.changes_poll import ChangePoll
from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.trigger import CHANNEL, trigger_script
from adapters.onestop.watched import WatchedDatabase
from domain.codes import CodeFamily, DossierCode, LegacyPattern, parse_canonical
from domain.errors import SettingsError, SourceUnavailable
from notifications.ports import Heard
from tests.onestop.hands import Connection, connect
from tests.onestop_schemas.databases import Database, MariadbDatabase, PostgresDatabase
from tests.servers.postgres import Postgres

WRITERS, ROWS = 8, 48  # rows of each writer; nobody else touches them
LATE, LONGEST = 0.1, 1.2  # share of the transactions that stay open, and for how many seconds at most
SKEWS = (-120, 0, 0, 120)  # seconds by which a writer's clock is wrong
UNRECORDED = 0.2  # share of the pages after which the store was away, in the first rounds: it makes a poll forget
FIRST_ROUNDS = 10
MAPPING = """
name = "watched"
table = "hoso"
agency = "H51.18"
time_zone = "UTC"
[columns]
code = "code"
status = "state"
changed_at = "changed"
[status]
4 = 4
"""


def code(text: str) -> DossierCode:
    found = parse_canonical(text)
    assert found
    return found


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    made: Database
    if request.param == "postgresql":
        made = PostgresDatabase(request.getfixturevalue("postgres"))
    else:
        made = MariadbDatabase(request.getfixturevalue("mariadb"))
    yield made
    made.close()


class Watching:
    """Somebody who looks at what a feed gives, as it is at that moment: code -> the version seen last."""

    def __init__(self, eyes: Connection) -> None:
        self.seen: dict[str, int] = {}
        self._eyes = eyes

    async def look(self, codes: list[str]) -> None:
        if codes:
            among = ", ".join(f"'{each}'" for each in codes)
            self.seen.update(await self._eyes.rows(f"SELECT code, version FROM hoso WHERE code IN ({among})"))


class NaivePoll:
    """What everybody writes first: everything behind the newest moment seen."""

    def __init__(self, eyes: Connection) -> None:
        self._eyes = eyes
        self._watermark = datetime(2000, 1, 1)  # noqa: DTZ001 - as that column has it

    async def next(self) -> list[str]:
        rows = await self._eyes.rows(f"SELECT code, changed FROM hoso WHERE changed > '{self._watermark}'")
        self._watermark = max([self._watermark, *(changed for _, changed in rows)])
        return [text for text, _ in rows]


async def write(hand: Connection, codes: list[str], dice: random.Random, skew: int) -> None:
    """Change every row once or twice, the second time at once and mostly under the same moment."""
    for text in dice.sample(codes, len(codes)):
        for _ in range(dice.choice((1, 1, 2))):
            await hand.run("BEGIN")
            moment = hand.now.format(skew)
            await hand.run(f"UPDATE hoso SET version = version + 1, changed = {moment} WHERE code = '{text}'")
            if dice.random() < LATE:
                await asyncio.sleep(dice.uniform(0.2, LONGEST))  # the writer who is late is what is tested
            await hand.run("COMMIT")


async def test_no_change_is_lost_to_late_commits_wrong_clocks_and_equal_moments(database: Database) -> None:
    kinds = {"postgresql": "TIMESTAMP", "mariadb": "DATETIME"}
    database.execute(
        "CREATE TABLE hoso (code VARCHAR(50) PRIMARY KEY, state INTEGER, version INTEGER, "
        f"changed {kinds[database.name]})"
    )
    database.execute("CREATE INDEX ix_changed ON hoso (changed)")
    theirs = [[f"H51.18-260701-{writer:02d}{row:02d}" for row in range(1, ROWS + 1)] for writer in range(WRITERS)]
    values = ", ".join(f"('{text}', 4, 0, '2026-01-01 08:00:00')" for codes in theirs for text in codes)
    database.execute(f"INSERT INTO hoso VALUES {values}")
    watched = WatchedDatabase(load_mapping(MAPPING, "watched"), database.url)
    hands = [await connect(database) for _ in range(WRITERS + 2)]
    poll = ChangePoll(watched, overlap=180.0, resolution=1.0 + LONGEST, page=40)  # a busy machine is late, too
    ours, naive_ones, naive = Watching(hands[0]), Watching(hands[1]), NaivePoll(hands[1])
    dice = random.Random(5)

    async def one_round(cursor: str | None, *, away: float = 0.0) -> str | None:
        more = True
        while more:
            heard = await poll.next(cursor)
            more = heard.more
            if dice.random() >= away:  # else the store was away, and the page is asked for again
                await ours.look([each.text for each in heard.codes])
                cursor = heard.cursor
            else:
                more = True
        return cursor

    try:
        cursor = await one_round(None)
        await naive_ones.look(await naive.next())
        writing = asyncio.gather(
            *(
                write(hand, codes, random.Random(number), SKEWS[number % len(SKEWS)])
                for number, (hand, codes) in enumerate(zip(hands[2:], theirs, strict=True))
            )
        )
        rounds = 0
        while not writing.done():
            rounds += 1
            cursor = await one_round(cursor, away=UNRECORDED if rounds < FIRST_ROUNDS else 0.0)
            await naive_ones.look(await naive.next())
            await asyncio.wait([writing], timeout=0.05)
        await writing
        await one_round(cursor)
        await naive_ones.look(await naive.next())
        truth = dict(await hands[0].rows("SELECT code, version FROM hoso"))
    finally:
        await watched.close()
        for hand in hands:
            await hand.close()
    assert min(truth.values()) == 1
    assert max(truth.values()) == 2
    assert {text for text, version in truth.items() if ours.seen.get(text) != version} == set()
    assert {text for text, version in truth.items() if naive_ones.seen.get(text) != version}  # so it can fail


# ---- LISTEN


ODD = """
name = "odd"
schema = "một cửa"
table = 'Hồ "sơ"'
agency = "H51.18"
other_codes = ["Mã khác"]
[columns]
code = "Select"
status = "state"
[status]
4 = 4
[[joins]]
name = "step"
table = "Steps"
on = {{ id = "step" }}
"""
PATTERNS = [LegacyPattern(agency="H51.18", mask="#####/####/#####")]
FIRST, SECOND, THIRD = (f"H51.18-260701-000{number}" for number in (1, 2, 3))


@pytest.fixture
def odd(postgres: Postgres) -> Iterator[PostgresDatabase]:
    """A table whose names have to be quoted, with the trigger of the script, which was run twice."""
    made = PostgresDatabase(postgres)
    made.execute('CREATE SCHEMA "một cửa"')
    made.execute('CREATE TABLE "một cửa"."Hồ ""sơ""" ("Select" TEXT, "Mã khác" TEXT, state INTEGER)')
    for _ in range(2):
        made.execute(trigger_script(mapping(), made.url))
    yield made
    made.close()


TABLE = '"một cửa"."Hồ ""sơ"""'


def mapping() -> SourceMapping:
    return load_mapping(ODD.replace("{{", "{").replace("}}", "}"), "odd")


@pytest.fixture
async def heard(odd: PostgresDatabase) -> AsyncIterator[AsyncGenerator[Heard, None]]:
    listener = ChangeListener(mapping(), odd.url, legacy=PATTERNS)
    async with aclosing(listener.listen()) as feed:
        assert (await soon(feed)).missed
        yield feed


async def soon(feed: AsyncGenerator[Heard, None]) -> Heard:
    async with asyncio.timeout(60):
        return await anext(feed)


async def codes_of(feed: AsyncGenerator[Heard, None], count: int) -> list[str]:
    """So many codes, in however many pieces they are heard."""
    codes: list[str] = []
    while len(codes) < count:
        codes += [each.text for each in (await soon(feed)).codes]
    return codes


async def test_every_kind_of_change_is_heard_and_the_old_code_too(
    odd: PostgresDatabase, heard: AsyncGenerator[Heard, None]
) -> None:
    odd.execute(f"INSERT INTO {TABLE} VALUES ('{FIRST}', NULL, 1)")
    assert await codes_of(heard, 1) == [FIRST]
    odd.execute(f"UPDATE {TABLE} SET state = 2")
    assert await codes_of(heard, 1) == [FIRST]
    odd.execute(f"UPDATE {TABLE} SET \"Select\" = '{SECOND}', \"Mã khác\" = '{THIRD}'")
    assert sorted(await codes_of(heard, 3)) == [FIRST, SECOND, THIRD]
    odd.execute(f"DELETE FROM {TABLE}")
    assert sorted(await codes_of(heard, 2)) == [SECOND, THIRD]


async def test_change_that_was_rolled_back_is_not_heard(
    odd: PostgresDatabase, heard: AsyncGenerator[Heard, None]
) -> None:
    odd.execute(f"BEGIN; INSERT INTO {TABLE} VALUES ('{FIRST}', NULL, 1); ROLLBACK")
    odd.execute(f"INSERT INTO {TABLE} VALUES ('{SECOND}', NULL, 1)")
    assert await codes_of(heard, 1) == [SECOND]


async def test_writer_is_never_stopped_by_what_stands_in_a_row(
    odd: PostgresDatabase, heard: AsyncGenerator[Heard, None]
) -> None:
    odd.execute(f"INSERT INTO {TABLE} VALUES (NULL, NULL, 1), ('', '', 1), (repeat('ồ', 9000), 'x', 1)")
    odd.execute(f"INSERT INTO {TABLE} VALUES ('{FIRST}', NULL, 1)")
    while not (codes := (await soon(heard)).codes):
        pass  # the row whose code is an empty text says only that something changed
    assert codes == [code(FIRST)]


async def test_rubbish_is_ignored_and_a_number_from_before_is_heard(
    odd: PostgresDatabase, heard: AsyncGenerator[Heard, None]
) -> None:
    for payload in ("rubbish", "'; DROP TABLE x; --", "H51.18-260701", "12345/2016/00123"):
        odd.hand.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
    number = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.18")
    assert (await soon(heard)).codes == [number]


async def test_notification_without_a_code_says_that_something_was_missed(
    odd: PostgresDatabase, heard: AsyncGenerator[Heard, None]
) -> None:
    odd.execute(f"NOTIFY {CHANNEL}")
    assert (await soon(heard)).missed


async def test_many_changes_are_handed_over_together(odd: PostgresDatabase) -> None:
    texts = [f"H51.18-260701-{number:04d}" for number in range(1, 251)]
    async with aclosing(ChangeListener(mapping(), odd.url, page=100).listen()) as feed:
        assert (await soon(feed)).missed
        values = ", ".join(f"('{text}', NULL, 1)" for text in texts)
        odd.execute(f"INSERT INTO {TABLE} VALUES {values}")
        assert await codes_of(feed, 250) == texts


async def test_lost_connection_is_said_and_listening_begins_anew(odd: PostgresDatabase) -> None:
    listener = ChangeListener(mapping(), odd.url)
    async with aclosing(listener.listen()) as feed:
        await soon(feed)
        odd.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tracuu-listen'")
        with pytest.raises(SourceUnavailable):
            await soon(feed)
    async with aclosing(listener.listen()) as feed:
        assert (await soon(feed)).missed
        odd.execute(f"INSERT INTO {TABLE} VALUES ('{FIRST}', NULL, 1)")
        assert await codes_of(feed, 1) == [FIRST]


async def test_quiet_connection_is_asked_whether_it_is_there(odd: PostgresDatabase) -> None:
    async with aclosing(ChangeListener(mapping(), odd.url, keepalive=0.01).listen()) as feed:
        await soon(feed)
        waiting = asyncio.ensure_future(soon(feed))
        asked = (
            "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'tracuu-listen' AND query = 'SELECT 1'"
        )
        async with asyncio.timeout(60):
            while not odd.hand.fetch(asked)[0]["n"]:
                await asyncio.wait([waiting], timeout=0.01)
        odd.execute(f"INSERT INTO {TABLE} VALUES ('{FIRST}', NULL, 1)")
        assert (await waiting).codes == [code(FIRST)]


async def test_server_that_is_not_there_is_unavailable(odd: PostgresDatabase) -> None:
    listener = ChangeListener(mapping(), f"{odd.url}-which-is-not-there", time_limit=60)
    with pytest.raises(SourceUnavailable):
        await soon(listener.listen())


async def test_script_says_how_it_is_removed(odd: PostgresDatabase) -> None:
    lines = trigger_script(mapping(), odd.url).splitlines()
    for line in lines:
        if line.startswith("--     DROP"):
            odd.execute(line.removeprefix("-- "))
    left = odd.hand.fetch("SELECT proname FROM pg_proc WHERE proname LIKE 'tracuu%'")
    assert not left
    assert not odd.hand.fetch("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'tracuu%'")
    for line in lines:
        if line.startswith("-- Tra cuu"):
            assert "odd" in line
    assert "Steps" in "\n".join(lines)  # which is not watched


def test_long_names_keep_their_trigger_apart_from_its_cut_off_name(postgres: Postgres) -> None:
    made = PostgresDatabase(postgres)
    long = mapping().model_copy(update={"table": "ồ" * 20, "db_schema": None, "other_codes": ()})
    made.execute(f'CREATE TABLE "{long.table}" ("Select" TEXT)')
    for _ in range(2):
        made.execute(trigger_script(long, made.url))
    assert len(made.hand.fetch("SELECT 1 FROM pg_trigger WHERE tgname LIKE 'tracuu%'")) == 1
    made.close()


@pytest.mark.parametrize("table", ["a$tracuu$b", "a\nDROP TABLE b", "a\rb"])
def test_name_that_would_end_the_script_is_refused(table: str) -> None:
    with pytest.raises(SettingsError, match="script"):
        trigger_script(mapping().model_copy(update={"table": table}), "postgresql+asyncpg://reader@host/x")


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(SettingsError) as caught:
        yield
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("make", [trigger_script, ChangeListener])
@pytest.mark.parametrize("url", ["mysql+aiomysql://u:secret@host/x", "sqlite+aiosqlite:///x", "u:secret@nonsense"])
def test_only_postgresql_tells_by_itself(make: Callable[[SourceMapping, str], object], url: str) -> None:
    with refused():
        make(mapping(), url)


async def test_what_is_heard_and_not_fetched_is_bounded() -> None:
    mailbox = Mailbox()
    for number in range(MOST_WAITING + 10):
        mailbox.put(str(number))
    assert await mailbox.wait(0)
    payloads, missed = mailbox.take(MOST_WAITING * 2)
    assert (len(payloads), missed) == (MOST_WAITING, True)
    assert not await mailbox.wait(0)
