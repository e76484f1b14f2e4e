"""What the web bench runs: a one-stop system on PostgreSQL, gateways that read it, and the bare handler beside them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from demo.process import GatewayProcess, free_port
from gateway import bootstrap
from gateway.configuration import load_settings

CODES = 100_000
ORIGIN = "https://agency.example.gov.vn"
LAST_FOUR = "5678"  # of the telephone number on every dossier

SEED = """
CREATE TABLE "HoSos" ("Id" bigint PRIMARY KEY, "MaHoSo" varchar(50) NOT NULL, "DonViId" varchar(50), "MaTTHC" varchar(50),
    "SoDienThoai" varchar(20), "NgayTiepNhan" timestamp, "NgayHenTra" timestamp, "NgayKetThuc" timestamp,
    "NgayTra" timestamp, "TrangThaiHoSoId" varchar(5), "TenBuocHienTai" varchar(200), "DeletedOn" timestamp);
INSERT INTO "HoSos" SELECT n, 'H51.18-2606' || lpad((1 + n / 10000)::text, 2, '0') || '-' || (10000 + n % 10000), 'H51.18',
    '1.004946', '0912345678', timestamp '2026-06-01 08:00', timestamp '2026-06-01 16:30' + n % 60 * interval '1 day',
    NULL, NULL, (1 + n % 10)::text, 'Phòng chuyên môn', NULL FROM generate_series(0, {count} - 1) AS n;
CREATE INDEX ON "HoSos" ("MaHoSo");
ANALYZE "HoSos"
"""
MAPPING = """
name = "bench"
table = "HoSos"
prefixes = ["H51"]
default = true
[columns]
code = "MaHoSo"
status = "TrangThaiHoSoId"
received_at = "NgayTiepNhan"
due_on = "NgayHenTra"
finished_at = "NgayKetThuc"
returned_at = "NgayTra"
unit = "TenBuocHienTai"
procedure = "MaTTHC"
[agency]
column = "DonViId"
[proof]
numbers = ["SoDienThoai"]
[status]
1 = 1
2 = 2
3 = 3
4 = 4
5 = 5
6 = 6
7 = 7
8 = 8
9 = 9
10 = 10
[[hidden]]
column = "DeletedOn"
filled = true
"""
CONFIG = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}
[database]
url = "sqlite:///{folder}/{name}.sqlite3"
[replies]
help_phone = "02993 000000"
[lookup]
fresh_s = {fresh_s}
not_found_s = {fresh_s}
[disclosure]
proof_key = "a key for nothing but a bench"
[guards]
{guards}
[[sources]]
name = "hoso"
url = "{url}"
mapping = "{folder}/mapping.toml"
connections = 4
[logs]
level = "warning"
"""
UNLIMITED = "[{ count = 1000000000, seconds = 60.0 }]"
RAISED = (
    *("questions_per_address", "questions_per_block", "codes_per_address", "misses_per_address", "misses_per_block"),
    *("misses_per_code", "misses_per_prefix", "misses_before_work", "block_misses_before_work"),
    *("site_misses_before_work", "site_questions_before_work"),
)


def code_of(number: int, *, known: bool = True) -> str:
    """The code of one of the dossiers, or one that nobody has."""
    month = "06" if known else "05"
    return f"H51.18-26{month}{1 + number // 10_000:02d}-{10_000 + number % 10_000}"


async def seed(url: str, count: int = CODES) -> None:
    """Make the one-stop system's table, with so many dossiers."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            for statement in SEED.format(count=count).split(";"):
                await connection.execute(text(statement.replace(":", r"\:")))
    finally:
        await engine.dispose()


async def add_site(folder: Path, name: str) -> str:
    """A key of a site whose origin is ORIGIN, in the store of that gateway before it starts."""
    settings = load_settings(folder / f"{name}.toml")
    await bootstrap.migrate(settings)
    made = await bootstrap.add_site(settings, name="bench", agency="", origins=(ORIGIN,))
    return made.site.key


@asynccontextmanager
async def gateway(folder: Path, url: str, name: str, fresh_s: float) -> AsyncIterator[tuple[GatewayProcess, str]]:
    """The whole process, with the key of a site; guards are on, their figures raised."""
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    guards = "\n".join(f"{limit} = {UNLIMITED}" for limit in RAISED)
    config = folder / f"{name}.toml"
    config.write_text(
        CONFIG.format(folder=folder, url=url, name=name, fresh_s=fresh_s, guards=guards), encoding="utf-8"
    )
    site = await add_site(folder, name)
    process = GatewayProcess(
        config=config, public_port=free_port(), operations_port=free_port(), log=folder / f"{name}.log"
    )
    await process.start()
    try:
        yield process, site
    finally:
        await process.stop()


@asynccontextmanager
async def bare(redis: str) -> AsyncIterator[tuple[int, int]]:
    """A handler that does nothing, and one that reads a key of this Redis, in a process of its own; its pid and port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.bare", str(port), redis)
    try:
        await _listening(port)
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


def pin(pids: Sequence[int], core: int) -> None:
    """Put processes, with all their threads, on one core; 0 is this one. Does nothing where there is only one core."""
    if len(os.sched_getaffinity(0)) < 2 and pids != [0]:
        return
    for pid in pids:
        for thread in Path(f"/proc/{pid or 'self'}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
