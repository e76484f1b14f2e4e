"""What is wrong when the gateway starts is said at once, in clear lines and one exit code each, or waited for."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo import onestop
from demo.process import GatewayProcess, free_port
from demo.smsc import Fault, Smsc, SmscOptions
from domain.calendar import local_day
from tests.whole.gateways import LOG, SHORT_CODE, STORE, Account, actions, assert_quiet, make_gateway, running

PATIENCE = 120.0
LOOK_AGAIN = 0.05  # seconds
CODE = "H51.18-250701-0001"
CODE_ELSEWHERE = "H13.18-250701-0001"  # of the other one-stop system
QUICK_SOURCES = {
    "TRACUU_GATEWAY__SOURCE_DOWN_AFTER_S": "2",
    "TRACUU_LOOKUP__FRESH_S": "0.1",
}

BAD_CONFIG = """
[listen]
staff = { host = "", port = 8081 }

[database]
url = "mysql://reader:hunter2@localhost/tracuu"

[replies]
help_fone = "1022"

[[sources]]
name = "hoso"
url = "sqlite+aiosqlite:////nowhere/hoso.sqlite3"
mapping = "nowhere.toml"

[[sms]]
name = "demo"
port = "twenty"
system_id = "tracuu"
password = "hunter2"
short_code = "8100"
"""
FAULTS = {
    "gateway.toml:3: listen.staff.host",
    "gateway.toml:6: database.url",
    "gateway.toml:9: replies.help_fone",
    "replies.help_phone",
    "gateway.toml:14: sources[0].mapping",
    "sms[0].host",
    "gateway.toml:18: sms[0].port",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a gateway ended that nobody stopped."""

    code: int
    lines: list[str]  # what it said to people, beside its log

    @property
    def line(self) -> str:
        """The one line it said."""
        (line,) = self.lines
        return line


async def end_of(gateway: GatewayProcess) -> Ended:
    """Start it and wait until it ends by itself."""
    await gateway.launch()
    process = gateway._process
    assert process is not None
    try:
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
    finally:
        await gateway.kill()
    said = gateway.config.with_name(LOG).read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "part.crashed" not in said
    return Ended(code=code, lines=[line for line in said.splitlines() if not line.startswith("{")])


async def readiness(gateway: GatewayProcess) -> tuple[int, Mapping[str, Any]]:
    """The status of /readyz and its checks, once it answers."""
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{gateway.operations}/readyz") as response:
                    return response.status, (await response.json())["checks"]
            except aiohttp.ClientConnectionError:  # not yet listening
                await asyncio.sleep(LOOK_AGAIN)


async def ready(gateway: GatewayProcess) -> None:
    while True:
        status, _ = await readiness(gateway)
        if status == 200:
            return
        await asyncio.sleep(LOOK_AGAIN)


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayProcess:
    """With nobody at the other end of its SMS account, which is no reason not to start."""
    return make_gateway(tmp_path, Account(port=free_port()))


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as somebody:
        yield somebody.getsockname()[1]


# ---- what cannot be served with


async def test_every_fault_of_the_settings_is_named_at_once(gateway: GatewayProcess) -> None:
    gateway.config.write_text(BAD_CONFIG, encoding="utf-8")
    end = await end_of(gateway)
    assert end.code == 2
    unnamed = [fault for fault in FAULTS if not any(fault in line for line in end.lines)]
    assert not unnamed, end.lines
    assert len(end.lines) == 1 + len(FAULTS)
    assert "hunter2" not in "".join(end.lines)


@pytest.mark.parametrize("file", ["texts/vi.toml", "grammar.toml", "agencies.toml"])
async def test_a_broken_file_of_texts_grammar_or_agencies_is_named(gateway: GatewayProcess, file: str) -> None:
    broken = gateway.config.parent / file
    broken.parent.mkdir(exist_ok=True)
    broken.write_text("[reply\n", encoding="utf-8")
    setting = {"texts/vi.toml": "TEXTS__PATH", "grammar.toml": "TEXTS__GRAMMAR", "agencies.toml": "AGENCIES__PATH"}
    gateway.settings = {f"TRACUU_{setting[file]}": str(broken.parent if file.startswith("texts") else broken)}
    end = await end_of(gateway)
    assert end.code == 2
    assert str(broken) in end.lines[-1]


@pytest.mark.parametrize("listener", ["public", "operations"])
async def test_a_port_that_is_taken_is_named(gateway: GatewayProcess, taken: int, listener: str) -> None:
    setattr(gateway, f"{listener}_port", taken)
    end = await end_of(gateway)
    assert end.code == 3
    assert f"127.0.0.1:{taken} (listen.{listener}): address already in use" in end.line


async def test_a_port_that_is_taken_costs_no_password_at_the_smsc(tmp_path: Path, taken: int) -> None:
    """A service manager starts it again and again: with a wrong password that would lock the account."""
    async with Smsc(SmscOptions(faults={Fault.BIND_WRONG_PASSWORD: 1.0})) as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port))
        gateway.operations_port = taken
        end = await end_of(gateway)
        assert end.code == 3
        assert not smsc.seen, "not even a bind"
    assert not [action for action in actions(tmp_path) if action.startswith(("sms.", "lease.", "part.started"))]


async def test_a_host_to_listen_on_that_cannot_be_resolved_is_named(gateway: GatewayProcess) -> None:
    gateway.settings = {"TRACUU_LISTEN__PUBLIC__HOST": "nowhere.invalid"}
    end = await end_of(gateway)
    assert end.code == 3
    assert f"nowhere.invalid:{gateway.public_port} (listen.public.host): " in end.line


def not_a_directory(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "tracuu.sqlite3"


def not_writable(_: Path) -> Path:
    return Path("/proc/tracuu.sqlite3")  # where not even root may make a file


def no_directory_to_make(_: Path) -> Path:
    return Path("/proc/tracuu/tracuu.sqlite3")


def not_a_file(folder: Path) -> Path:
    (folder / "directory").mkdir()
    return folder / "directory"


def not_a_database(folder: Path) -> Path:
    (folder / "letter.doc").write_bytes(b"Dear Sir or Madam, " * 500)
    return folder / "letter.doc"


def of_a_later_version(folder: Path) -> Path:
    database = folder / "later.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()
    return database


UNUSABLE = [
    not_a_directory,
    not_writable,
    no_directory_to_make,
    not_a_file,
    not_a_database,
    of_a_later_version,
]


@pytest.mark.parametrize("make", UNUSABLE)
async def test_a_database_that_cannot_be_used_is_one_clear_line(gateway: GatewayProcess, make: Any) -> None:
    database = make(gateway.config.parent)
    gateway.settings = {"TRACUU_DATABASE__URL": f"sqlite:///{database}"}
    end = await end_of(gateway)
    assert end.code == 5
    assert str(database) in end.line


async def test_a_second_gateway_on_one_database_does_not_start_and_the_first_goes_on(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        first = make_gateway(tmp_path / "first", Account(port=smsc.port))
        second = make_gateway(tmp_path / "second", Account(port=smsc.port))
        second.settings = {"TRACUU_DATABASE__URL": f"sqlite:///{tmp_path / 'first' / STORE}"}
        async with running(first):
            end = await end_of(second)
            ticket = await smsc.send_mo("84912345678", SHORT_CODE, CODE)
            assert CODE in (await ticket.reply()).text
            assert end.code == 5
            assert f"another gateway (process {first.pid}) serves this database" in end.line


async def test_refused_by_its_only_smsc_it_says_so_and_ends(tmp_path: Path) -> None:
    async with Smsc(SmscOptions(faults={Fault.BIND_WRONG_PASSWORD: 1.0})) as smsc:
        end = await end_of(make_gateway(tmp_path, Account(port=smsc.port)))
    assert end.code == 4
    assert "account demo does not take our system_id, password or system_type" in (tmp_path / LOG).read_text("utf-8")
    assert actions(tmp_path)["sms.bind_refused"] == 1, "trying again could lock the account"


# ---- what is waited for


async def test_an_smsc_that_is_not_there_is_waited_for_and_readyz_says_so(tmp_path: Path) -> None:
    port = free_port()
    gateway = make_gateway(tmp_path, Account(port=port))
    async with asyncio.timeout(PATIENCE):
        await gateway.launch()
        try:
            status, checks = await readiness(gateway)
            assert status == 503
            assert [name for name, check in checks.items() if not check["ok"]] == ["sms demo"]
            assert "disconnected" in checks["sms demo"]["detail"]
            while not actions(tmp_path)["sms.connect_failed"]:  # noqa: ASYNC110 - another process has no event to await
                await asyncio.sleep(LOOK_AGAIN)
            async with Smsc(port=port) as smsc:
                await smsc.bound()
                await ready(gateway)
                ticket = await smsc.send_mo("84912345678", SHORT_CODE, CODE)
                assert CODE in (await ticket.reply()).text
        finally:
            assert await gateway.stop() == 0
    assert_quiet(tmp_path)


async def test_a_missing_source_is_named_told_as_down_and_found_again_without_a_restart(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port), settings=QUICK_SOURCES)
        (tmp_path / onestop.HOSO_FILE).unlink()
        await gateway.launch()
        try:
            await smsc.bound()
            down = await smsc.send_mo("84912345671", SHORT_CODE, CODE)
            elsewhere = await smsc.send_mo("84912345672", SHORT_CODE, CODE_ELSEWHERE)
            assert f"Chua xem duoc ho so {CODE}, he thong dang gian doan" in (await down.reply()).text
            assert f"Ho so {CODE_ELSEWHERE} da tiep nhan" in (await elsewhere.reply()).text
            status, checks = await readiness(gateway)
            assert status == 503
            assert [name for name, check in checks.items() if not check["ok"]] == ["source hoso"]
            assert "unable to open database file" in checks["source hoso"]["detail"]

            today = local_day(datetime.now(UTC))
            onestop.write_hoso(tmp_path / onestop.HOSO_FILE, onestop.hoso_dossiers(today))
            await ready(gateway)
            found = await smsc.send_mo("84912345673", SHORT_CODE, CODE)
            assert f"Ho so {CODE} da den" in (await found.reply()).text
        finally:
            assert await gateway.stop() == 0
    told = actions(tmp_path)
    assert (told["source.unavailable"], told["source.back"]) == (1, 1), "one line when it goes, one when it is back"
    assert not told.keys() & {"part.crashed", "unstructured"}
