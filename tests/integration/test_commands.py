"""The commands against real servers: what is wrong is said in a table, who serves is seen from outside, and a gateway
that dies is followed by another.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo.process import GatewayProcess, free_port
from demo.smsc import Smsc
from demo.zalo import ZaloPlatform
from tests.peers.bot_api import TOKEN, bot_api
from tests.servers.postgres import Hand, Postgres
from tests.servers.postgres import running as running_postgres
from tests.servers.redis import running_redis
from tests.whole.gateways import ROOT, SHORT_CODE, Account, actions, assert_quiet, make_gateway, running

PATIENCE = 300.0
LOOK_AGAIN = 0.05  # seconds
LEASE_S = 8.0  # seconds: waited for where it passes on, and not lost on a busy machine
UNHURRIED = {  # what shall be reached is, on however busy a machine
    "TRACUU_DATABASE__CONNECT_TIMEOUT_S": "60",
    "TRACUU_REDIS__TIMEOUT_S": "60",
    "TRACUU_SOURCES__HOSO__TIMEOUT_S": "60",
    "TRACUU_SOURCES__DOSSIER__TIMEOUT_S": "60",
}
CODE = "H51.18-250701-0001"
NOBODY = "postgresql+asyncpg://tracuu:hunter2@127.0.0.1:{port}/tracuu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended."""

    code: int
    output: str
    error: str

    def line(self, start: str) -> list[str]:
        """The words of the line that begins so."""
        (line,) = (line for line in self.output.splitlines() if line.startswith(start))
        return line.split()


async def tracuu(*arguments: str, settings: Mapping[str, str] | None = None) -> Said:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **(settings or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, error = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in error
    return Said(code=process.returncode, output=output.decode(), error=error.decode())


async def about(gateway: GatewayProcess, *arguments: str) -> Said:
    """A command with the settings of this gateway."""
    return await tracuu(*arguments, "--config", str(gateway.config), settings=gateway.settings)


async def status(gateway: GatewayProcess) -> Mapping[str, Any]:
    said = await about(gateway, "status", "--json")
    assert said.code == 0, said.error
    told: Mapping[str, Any] = json.loads(said.output)
    return told


def holders(told: Mapping[str, Any]) -> Mapping[str, int | None]:
    return {lease["lease"]: lease["process"] for lease in told["leases"]}


async def readiness(gateway: GatewayProcess) -> Mapping[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/readyz") as response:
        checks: Mapping[str, Any] = (await response.json())["checks"]
        return checks


async def ask(smsc: Smsc, number: str) -> str:
    ticket = await smsc.send_mo(number, SHORT_CODE, CODE)
    return (await ticket.reply()).text


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database("commands") as url:
        yield url


@contextmanager
def in_database(postgres: Postgres) -> Iterator[Hand]:
    hand = Hand(postgres.port, "commands")
    try:
        yield hand
    finally:
        hand.close()


def shared(directory: Path, database: str, *accounts: Account, roles: str = "") -> GatewayProcess:
    """A gateway that shares its store with others."""
    settings = {
        "TRACUU_DATABASE__URL": database,
        "TRACUU_DATABASE__STATEMENT_TIMEOUT_S": str(LEASE_S / 4),
        **UNHURRIED,
        "TRACUU_GATEWAY__LEASE_S": str(LEASE_S),
    }
    gateway = make_gateway(directory, *accounts, settings=settings)
    gateway.arguments = ["--roles", roles] if roles else []
    return gateway


# ---- check-config


async def test_what_can_be_reached_is_told_as_well(tmp_path: Path, database: str) -> None:
    (tmp_path / "redis").mkdir()
    async with Smsc() as smsc:
        with running_redis(tmp_path / "redis") as redis:
            gateway = shared(tmp_path / "gateway", database, Account(port=smsc.port))
            gateway.settings = {**gateway.settings, "TRACUU_REDIS__URL": redis.url}
            said = await about(gateway, "check-config")
        assert not smsc.sessions, "its port was tried, and nobody bound"
    assert said.code == 0
    assert [said.line(name)[-len(told) :] for name, told in REACHED.items()] == list(REACHED.values())
    assert "PostgreSQL" in said.output


REACHED = {
    "store ": ["no", "tables", "yet;", "`tracuu", "migrate`,", "or", "the", "first", "start,", "makes", "them"],
    "redis ": ["ok"],
    "source hoso ": ["ms"],
    "source dossier ": ["ms"],
    "sms demo ": ["tried"],
}


async def test_everything_that_is_wrong_is_told_at_once_and_no_secret(tmp_path: Path) -> None:
    gateway = shared(tmp_path, NOBODY.format(port=free_port()), Account(port=free_port(), password="hunter2"))
    gateway.settings = {**gateway.settings, "TRACUU_REDIS__URL": f"redis://:hunter2@127.0.0.1:{free_port()}/0"}
    (tmp_path / "hoso.sqlite3").unlink()
    said = await about(gateway, "check-config")
    assert said.code == 1
    for name in ("store ", "redis ", "source hoso ", "sms demo "):
        assert "WRONG" in said.line(name), name
    assert "ok" in said.line("source dossier ")
    assert "hunter2" not in said.output + said.error


CHATS = """
[[telegram]]
name = "bot"
token = "{token}"
base_url = "{api}"
[[telegram]]
name = "shut-out"
token = "{token}"
base_url = "http://127.0.0.1:{nobody}/bot"
[[zalo]]
name = "oa"
app_id = "1"
oa_id = "2"
oa_secret = "hunter2"
app_secret = "hunter2"
api_url = "{platform}"
"""


async def test_chats_are_tried_and_neither_an_update_nor_a_refresh_token_is_spent(tmp_path: Path) -> None:
    platform = ZaloPlatform()
    async with bot_api() as api, platform.serving():
        gateway = shared(tmp_path, NOBODY.format(port=free_port()))
        written = gateway.config.read_text(encoding="utf-8")
        chats = CHATS.format(token=TOKEN, api=api.base_url, nobody=free_port(), platform=platform.origin)
        gateway.config.write_text(written + chats, encoding="utf-8")
        said = await about(gateway, "check-config")
    assert said.line("telegram bot ")[-3:] == ["updates", "by", "polling"]
    assert "WRONG" in said.line("telegram shut-out ")
    assert "tried" in said.line("zalo oa ")
    assert {call.method for call in api.calls} == {"getMe"}
    assert TOKEN not in said.output + said.error


async def test_settings_are_checked_without_a_network_too(tmp_path: Path) -> None:
    said = await about(shared(tmp_path, NOBODY.format(port=free_port())), "check-config", "--no-connect")
    assert said.code == 0
    assert "tried" not in said.output


async def test_a_lease_too_short_for_a_slow_statement_is_told(tmp_path: Path, database: str) -> None:
    gateway = shared(tmp_path, database)
    gateway.settings = {**gateway.settings, "TRACUU_DATABASE__STATEMENT_TIMEOUT_S": "5"}
    said = await about(gateway, "check-config")
    assert said.code == 1
    assert "gateway.lease_s: expected at least 4 times database.statement_timeout_s" in said.output


# ---- migrate, status


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_store_is_made_and_looked_into_while_nobody_serves(tmp_path: Path, database: str, kind: str) -> None:
    gateway = shared(tmp_path, database)
    if kind == "sqlite":
        gateway.settings = {}
    before = await about(gateway, "status")
    assert before.code == 5
    assert len(before.error.splitlines()) == 1
    made, again = [(await about(gateway, "migrate")).output for _ in range(2)]
    assert re.fullmatch(r"the store was made: .*schema \d+\n", made)
    assert again == made.replace("was made", "is up to date")
    after = await about(gateway, "status")
    assert after.code == 0
    assert after.output.split("\n\n")[:5] == [
        "no process serves this store",
        "nobody holds a lease",
        "no message waits",
        "no message waits for a later moment",
        "nothing is held back",
    ]
    assert "oldest waiting message: none" in after.output


async def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path, postgres: Postgres, database: str) -> None:
    gateway = shared(tmp_path, database)
    await about(gateway, "migrate")
    with in_database(postgres) as hand:
        hand.execute("UPDATE alembic_version SET version_num = '9999'")
    said = await about(gateway, "migrate")
    assert said.code == 5
    assert "was made by a later version of this gateway" in said.error
    assert "WRONG" in (await about(gateway, "check-config")).line("store ")


async def test_who_serves_an_sqlite_file_is_seen_beside_it(tmp_path: Path) -> None:
    async with Smsc() as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port))
        async with running(gateway):
            assert CODE in await ask(smsc, "84912345678")
            told = await status(gateway)
            people = await about(gateway, "status")
        (process,) = told["processes"]
        assert (process["roles"], process["alive"]) == (["sms", "chat", "web", "watch", "delivery", "console"], True)
        held = ("delivery", "sms demo", "watch hoso", "watch dossier")
        assert holders(told) == dict.fromkeys(held, process["number"])
        assert f"process {process['number']}" in people.output
        after = await status(gateway)
    assert (after["processes"], after["leases"]) == ([], [])


async def test_what_waits_is_counted_by_account_and_state(tmp_path: Path, postgres: Postgres, database: str) -> None:
    gateway = shared(tmp_path, database)
    await about(gateway, "migrate")
    with in_database(postgres) as hand:
        hand.execute("""
            INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, state, created_at,
                available_at, expires_at, attempts)
            SELECT n, 'sms', 'demo', 'notice', 1, 'sms:84912345678', 'sms:8100', 'x',
                CASE WHEN n < 6 THEN 'ready' ELSE 'handed_over' END,
                extract(epoch FROM now()) * 1000 - n * 60000, 0, 9000000000000, 0 FROM generate_series(1, 7) AS n""")
        hand.execute("""
            INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, state, created_at,
                available_at, expires_at, attempts, source, reason)
            SELECT n, 'sms', 'demo', 'notice', 1, 'sms:84912345678', 'sms:8100', 'x',
                CASE WHEN n < 13 THEN 'ready' ELSE 'held' END, 0, 8000000000000, 9000000000000, 0, 'province',
                CASE WHEN n < 13 THEN 'quiet_hours' END FROM generate_series(10, 16) AS n""")
        hand.execute("INSERT INTO hold (id, source, opened_at, changes, tracked) VALUES (5, 'province', 0, 900, 2000)")
        told = await status(gateway)
        people = await about(gateway, "status")
    queues = {(queue["account"], queue["state"]): queue["messages"] for queue in told["queues"]}
    assert queues == {("demo", "ready"): 5, ("demo", "handed_over"): 2}
    assert 420 <= told["oldest_waiting_s"] < 480, "what waits for the morning is not stuck"
    (later,), (held,) = told["later"], told["holds"]
    assert (later["account"], later["reason"], later["messages"]) == ("demo", "quiet_hours", 3)
    assert (held["hold"], held["source"], held["changes"], held["notices"]) == (5, "province", 900, 4)
    assert people.line("5 ")[1:] == ["province", *people.line("5 ")[2:-3], "900", "2000", "4"]


# ---- roles


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--roles", "smtp"], "there is no role 'smtp'; there are sms, chat, web, watch, delivery, console"),
        (["--account", "vnpt"], "there is no account named vnpt; the settings have demo"),
        (["--roles", "web"], "with SQLite one process does everything"),
    ],
)
async def test_what_cannot_be_served_is_one_clear_line_and_code_2(
    tmp_path: Path, arguments: Sequence[str], told: str
) -> None:
    said = await about(make_gateway(tmp_path, Account(port=free_port())), "serve", *arguments)
    assert said.code == 2
    assert len(said.error.splitlines()) == 1
    assert told in said.error


async def test_spread_over_processes_each_does_its_part(tmp_path: Path, database: str) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        sms = shared(tmp_path / "sms", database, Account(port=smsc.port), roles="sms")
        web = shared(tmp_path / "web", database, Account(port=smsc.port), roles="web")
        delivery = shared(tmp_path / "delivery", database, Account(port=smsc.port), roles="delivery")
        async with running(web), running(delivery), running(sms):
            assert CODE in await ask(smsc, "84912345678")
            assert len(smsc.sessions) == 1
            async with aiohttp.ClientSession() as http:
                async with http.get(f"{web.public}/api/v1/dossiers/{CODE}") as response:
                    assert response.status == 200
                for other in (sms, delivery):
                    with pytest.raises(aiohttp.ClientConnectionError):
                        await http.get(f"{other.public}/healthz")
            told = await status(web)
            numbers = {process["roles"][0]: process["number"] for process in told["processes"]}
            assert holders(told) == {"sms demo": numbers["sms"], "delivery": numbers["delivery"]}
    for name in ("sms", "web", "delivery"):
        assert_quiet(tmp_path / name)


@asynccontextmanager
async def two_gateways(
    tmp_path: Path, database: str, smsc: Smsc
) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess]]:
    """The first holds the account, the second waits for it."""
    first = shared(tmp_path / "first", database, Account(port=smsc.port))
    second = shared(tmp_path / "second", database, Account(port=smsc.port))
    async with running(first):
        await smsc.bound()
        async with running(second):
            assert (await readiness(second))["sms demo"]["detail"] == "another process holds this account"
            assert len(smsc.sessions) == 1
            yield first, second


async def bound_by(smsc: Smsc, directory: Path) -> None:
    while actions(directory)["sms.bound"] == 0:  # noqa: ASYNC110 - another process has no event to await
        await asyncio.sleep(LOOK_AGAIN)
    await smsc.bound()


async def test_the_account_of_a_process_that_dies_is_taken_over_and_its_questions_answered(
    tmp_path: Path, database: str
) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc, two_gateways(tmp_path, database, smsc) as (first, second):
        assert CODE in await ask(smsc, "84912345678")
        await first.kill()
        await bound_by(smsc, tmp_path / "second")
        assert CODE in await ask(smsc, "84912345679")
        told = await status(second)
        gone, alive = sorted(told["processes"], key=lambda process: bool(process["alive"]))
        assert (gone["alive"], alive["alive"]) == (False, True)
        assert set(holders(told).values()) == {alive["number"]}
    assert_quiet(tmp_path / "second")


async def test_a_rolling_restart_hands_the_account_over_at_once(tmp_path: Path, database: str) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc, two_gateways(tmp_path, database, smsc) as (first, _):
        assert await first.stop() == 0
        await bound_by(smsc, tmp_path / "second")
        assert CODE in await ask(smsc, "84912345678")
        await first.start()
        assert (await readiness(first))["sms demo"]["detail"] == "another process holds this account"
    for name in ("first", "second"):
        assert_quiet(tmp_path / name)
        assert actions(tmp_path / name)["lease.lost"] == 0


async def test_whoever_loses_its_lease_unbinds_and_binds_again_when_it_is_free(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        gateway = shared(tmp_path, database, Account(port=smsc.port))
        async with running(gateway):
            await smsc.bound()
            with in_database(postgres) as hand:
                hand.execute("UPDATE lease SET owner = 1, lease_until = 9000000000000 WHERE name = 'sms demo'")
                await smsc.until(lambda: not smsc.sessions)
                assert (await readiness(gateway))["sms demo"]["ok"]
                hand.execute("DELETE FROM lease WHERE owner = 1")
            await smsc.bound()
            assert CODE in await ask(smsc, "84912345678")
    told = actions(tmp_path)
    assert (told["lease.lost"], told["sms.unbound"], told["sms.link_lost"]) == (1, 2, 0)
    assert_quiet(tmp_path)


async def test_postgresql_away_for_longer_than_a_lease_needs_no_restart(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        with running_postgres() as server, server.database("commands") as database:
            gateway = shared(tmp_path, database, Account(port=smsc.port))
            async with running(gateway):
                await smsc.bound()
                server.stop()
                await smsc.until(lambda: not smsc.sessions)
                server.start()
                await smsc.bound()
                assert CODE in await ask(smsc, "84912345678")
                told = await status(gateway)
                assert [process["alive"] for process in told["processes"]] == [True]
    logged = actions(tmp_path)
    assert (logged["lease.lost"], logged["lease.not_renewed"]) == (4, 1)  # delivery, an account, two systems watched
    assert logged["part.crashed"] == 0
    assert_quiet(tmp_path)
