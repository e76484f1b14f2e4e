"""A whole gateway for a test: its one-stop systems, its configuration and its process, in a directory of its own."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from demo import onestop
from demo.generous import generous_guards
from demo.process import GatewayProcess, free_ports
from domain.calendar import local_day

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SHORT_CODE: Final = "8100"
STORE: Final = "tracuu.sqlite3"  # the gateway's own database, in the directory
LOG: Final = "gateway.log"

CONFIG = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}

[database]
url = "sqlite:///{directory}/{store}"

[replies]
help_phone = "02993 000000"

[notices] # tests run at night, too
quiet_from = "00:00"
quiet_until = "00:00"

{guards}

[[sources]]
name = "hoso"
url = "sqlite+aiosqlite:///{directory}/{hoso}"
mapping = "{root}/config/onestop/thanhhoa.toml"

[[sources]]
name = "dossier"
url = "sqlite+aiosqlite:///{directory}/{dossier}"
mapping = "{root}/config/onestop/opencps.toml"

[logs]
level = "info"
format = "json"
"""
ACCOUNT = """
[[sms]]
name = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "{system_id}"
password = "{password}"
short_code = "{short_code}"
"""

EVENT = re.compile(r'tracuu_sms_events_total\{.*event="(?P<event>\w+)"\} (?P<count>[0-9.e+]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at an SMSC on this machine; `more` are other keys of [[sms]] with TOML values, as text."""

    port: int
    name: str = "demo"
    system_id: str = "demo"
    password: str = "demo"
    short_code: str = SHORT_CODE
    more: Mapping[str, str] = field(
        default_factory=lambda: {"window": "100", "rate": "0", "reconnect_first": "0.1", "reconnect_cap": "0.5"}
    )

    def toml(self) -> str:
        head = ACCOUNT.format(
            name=self.name,
            port=self.port,
            system_id=self.system_id,
            password=self.password,
            short_code=self.short_code,
        )
        return head + "".join(f"{key} = {value}\n" for key, value in self.more.items())


def make_gateway(directory: Path, *accounts: Account, settings: Mapping[str, str] | None = None) -> GatewayProcess:
    """A gateway that is not started yet, with freshly seeded one-stop systems; guards are raised, the code stays on.

    `settings` are TRACUU_... variables, for what a test wants otherwise. The same object can be started again after
    `stop` or `kill`: its store, ports and log stay.
    """
    onestop.seed(directory, local_day(datetime.now(UTC)))
    config = directory / "gateway.toml"
    files = {"store": STORE, "hoso": onestop.HOSO_FILE, "dossier": onestop.DOSSIER_FILE}
    head = CONFIG.format(directory=directory, root=ROOT, guards=generous_guards(), **files)
    config.write_text(head + "".join(account.toml() for account in accounts), encoding="utf-8")
    public, operations = free_ports(2)
    return GatewayProcess(
        config=config,
        public_port=public,
        operations_port=operations,
        settings=settings or {},
        log=directory / LOG,
    )


@asynccontextmanager
async def running(gateway: GatewayProcess) -> AsyncIterator[GatewayProcess]:
    """Start it, wait until it is ready; at the end it is stopped, or killed if it does not go."""
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


def log_lines(directory: Path) -> list[dict[str, Any]]:
    """What the gateway logged so far, in order; a line that is no JSON object is told as the action `unstructured`, one
    that a `kill -9` ended as `cut_off`. The last line counts when it is whole.
    """
    whole = (directory / LOG).read_bytes().rpartition(b"\n")[0].decode("utf-8", errors="replace")
    return [_parsed(line) for line in whole.splitlines() if line]


def actions(directory: Path) -> Counter[str]:
    """How often each action was logged."""
    return Counter(str(line["action"]) for line in log_lines(directory))


async def sms_events(gateway: GatewayProcess) -> Counter[str]:
    """What the gateway's SMPP accounts have counted since its start, by event (/metrics; log lines are spared)."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/metrics") as response:
        lines = (await response.text()).splitlines()
    found = (EVENT.fullmatch(line) for line in lines)
    return Counter({match["event"]: int(float(match["count"])) for match in found if match})


def assert_quiet(directory: Path) -> None:
    """Nothing crashed: no error in the log, no traceback, nothing that is no log line."""
    loud = [line for line in log_lines(directory) if line.get("level", "error") in {"error", "critical"}]
    assert loud == []


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print figures a proof is asked to show, whether pytest captures or not."""
    with capsys.disabled():
        print(f"\n  {line}", end="")  # noqa: T201 - these figures are meant to be read


def _parsed(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {"action": "unstructured", "line": line}
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:  # another gateway's first line stands behind it
        return {"action": "cut_off", "level": "info", "line": line}
    return parsed
