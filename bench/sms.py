"""Replies per second over SMPP: the load generator, the gateway with its journal on, everything on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.stores import Place, StoreKind
from demo import onestop
from demo.generous import generous_guards
from demo.process import GatewayProcess, free_port
from domain.calendar import local_day

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}

{store}
[replies]
help_phone = "02993 000000"

[lookup]
fresh_s = {fresh_s}

{guards}

[[sources]]
name = "hoso"
url = "sqlite+aiosqlite:///{directory}/hoso.sqlite3"
mapping = "{root}/config/onestop/thanhhoa.toml"

[[sms]]
name = "bench"
host = "127.0.0.1"
port = {port}
system_id = "demo"
password = "demo"
short_code = "8088"
window = 100
rate = 0

[logs]
level = "warning"
format = "console"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One window's figures. Times in milliseconds; CPU is user + system of the gateway's process."""

    store: StoreKind
    case: str
    mode: str
    window: int
    answered: int
    replies_per_second: float
    p50: float
    p99: float
    cpu_per_message: float
    rss_mb: float
    missing: int
    duplicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked: `codes` different dossiers; `cached` False makes every question a read of the one-stop system."""

    name: str
    store: StoreKind = StoreKind.SQLITE
    mode: str = "r"
    windows: Sequence[int] = (1, 10, 50, 100)
    total: int = 20_000
    rate: float = 0.0
    codes: int = 1_000
    fresh_s: float = 600.0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Memory of a process now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def run_case(case: Case, directory: Path, place: Place) -> list[Run]:
    """Start everything but the store, run each window, stop everything."""
    onestop.seed(directory, local_day(datetime.now(UTC)))
    codes = onestop.bulk(directory, case.codes)
    texts = directory / "texts.txt"
    texts.write_text("\n".join(codes) + "\n", encoding="ascii")
    generator = await _start_generator(case, texts)
    try:
        port = (await _event(generator, "listening"))["port"]
        config = directory / "bench.toml"
        config.write_text(
            CONFIG.format(
                directory=directory,
                root=ROOT,
                port=port,
                fresh_s=case.fresh_s,
                store=place.settings,
                guards=generous_guards(),
            ),
            encoding="utf-8",
        )
        gateway = GatewayProcess(
            config=config, public_port=free_port(), operations_port=free_port(), log=directory / "gateway.log"
        )
        await gateway.start()
        try:
            return [await _measure(case, generator, gateway.pid) for _ in case.windows]
        finally:
            await gateway.stop()
    finally:
        if generator.returncode is None:
            generator.kill()
        await generator.wait()


async def _start_generator(case: Case, texts: Path) -> asyncio.subprocess.Process:
    windows = [argument for window in case.windows for argument in ("--window", str(window))]
    rate = ["--rate", str(case.rate)] if case.rate else []
    counts = ["--total", str(case.total), "--warm-up", str(min(case.codes, case.total // 4))]
    command = ["-m", "demo.smsc_load", "--mode", case.mode, *counts, *windows, *rate]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, "--texts", str(texts), stdout=asyncio.subprocess.PIPE
    )


async def _event(generator: asyncio.subprocess.Process, name: str) -> dict[str, object]:
    """The generator's next line of this kind."""
    assert generator.stdout is not None  # noqa: S101 (asked for when it was started)
    async for line in generator.stdout:
        event: dict[str, object] = json.loads(line)
        if event["event"] == name:
            return event
    raise RuntimeError(f"the load generator ended before it said {name}")


async def _measure(case: Case, generator: asyncio.subprocess.Process, pid: int) -> Run:
    before = cpu_seconds(pid)
    result = await _event(generator, "result")
    used = cpu_seconds(pid) - before
    figures = {name: float(result[name]) for name in ("replies_per_second", "p50_ms", "p99_ms")}  # type: ignore[arg-type]
    counts = {name: int(result[name]) for name in ("window", "answered", "missing", "duplicates")}  # type: ignore[call-overload]
    return Run(
        store=case.store,
        case=case.name,
        mode=case.mode,
        window=counts["window"],
        answered=counts["answered"],
        replies_per_second=figures["replies_per_second"],
        p50=figures["p50_ms"],
        p99=figures["p99_ms"],
        cpu_per_message=used * 1000 / max(counts["answered"], 1),
        rss_mb=resident_mb(pid),
        missing=counts["missing"],
        duplicates=counts["duplicates"],
    )


def stamp() -> str:
    """When the bench ran."""
    return time.strftime("%Y-%m-%d %H:%M:%S")
