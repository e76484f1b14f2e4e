"""The webhook from a command an integrator runs to a row of the real store: kept once, whoever of two gateways took it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.store.sqlite import SqliteStore
from gateway.bootstrap.hooks import hook_routes
from gateway.configuration import load_settings
from gateway.hook_command import hook
from gateway.http import HttpListener, make_app, public_routes
from gateway.metrics import PREFIX, Metrics
from gateway.settings import Settings
from tests.contract.stores import RULES

CURL = "curl"
SETTINGS = """
[replies]
help_phone = "1022"
[[sources]]
name = "province"
url = "sqlite+aiosqlite:///x.sqlite3"
mapping = "mapping.toml"
[[sources.watch.hook_keys]]
id = "2026-1"
secret = "example-secret-of-at-least-32-characters"
"""


def utc_now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").touch()
    path = tmp_path / "gateway.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3", owner=1, clock=utc_now, rules=RULES)
    await store.open()
    yield store
    await store.close()


async def gateway(settings: Settings, store: SqliteStore, metrics: Metrics, heard: list[str]) -> HttpListener:
    routes = hook_routes(settings, store.notices(), utc_now, (), metrics, heard.append)
    listener = HttpListener("public", make_app(public_routes(routes)), "127.0.0.1", 0)
    await listener.start()
    return listener


async def run(command: str) -> str:
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await process.communicate()
    return told.decode()


@pytest.mark.skipif(not shutil.which(CURL), reason="the printed command is for curl")
async def test_the_printed_command_is_taken_once_by_all_gateways_together(config: Path, store: SqliteStore) -> None:
    metrics, heard, settings = Metrics(), list[str](), load_settings(config)
    first, second = [await gateway(settings, store, metrics, heard) for _ in range(2)]
    address = f"http://127.0.0.1:{first.bound_port}"
    arguments = ["sign", "-c", str(config), "province", "--url", address]
    command = CliRunner().invoke(hook, arguments, catch_exceptions=False).output
    assert " 202 " in await run(command)
    assert " 409 " in await run(command)
    assert " 409 " in await run(command.replace(address, f"http://127.0.0.1:{second.bound_port}"))
    assert [look.code.text for look in await store.notices().looks("province", 10)] == ["H51.18-210817-0005"]
    assert heard == ["province"]
    for result, times in (("accepted", 1), ("replayed", 2)):
        labels = {"source": "province", "result": result}
        assert metrics.registry.get_sample_value(f"{PREFIX}hooks_total", labels) == times
    await first.close()
    await second.close()
