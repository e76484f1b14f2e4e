"""The statements a mapping becomes, in every dialect: SQL Server and Oracle are spoken to without a server here."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, event
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite

from adapters.onestop import engines
from adapters.onestop.engines import DRIVERS, AsyncReads, ThreadedReads, open_reads
from adapters.onestop.mapping import MOST_CODE_COLUMNS, SourceMapping, load_mapping
from adapters.onestop.statement import MOST_CODES, by_codes, in_parts, newest
from domain.errors import SettingsError
from tests.onestop_schemas.schemas import HERE, SCHEMAS

MAPPINGS = {style: schema.mapping() for style, schema in SCHEMAS.items()} | {
    style: load_mapping((HERE / f"{style}.toml").read_text(), style) for style in ("dvcv2", "oepv2")
}
DIALECTS: dict[str, Dialect] = {
    made.name: made for made in (module.dialect() for module in (mssql, oracle, postgresql, mysql, sqlite))
}
MOST_PARAMETERS = {"mssql": 2100, "oracle": 65_535, "postgresql": 32_767, "mysql": 65_535, "sqlite": 32_766}
MOST_IN_A_LIST = 1000  # Oracle's
NAMES = {"mssql": r"\[[^\]]+\]", "mysql": "`[^`]+`"}
CODES = [f"H51.18-210817-{number:04d}" for number in range(1300)]


def compiled(mapping: SourceMapping, dialect: str, *, proofs: bool = True) -> Any:
    codes = next(iter(in_parts(mapping, CODES)))
    statement = by_codes(mapping, mapping.all_columns(proofs=proofs)).params(codes=codes)
    return statement.compile(dialect=DIALECTS[dialect], compile_kwargs={"render_postcompile": True})


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("style", MAPPINGS)
def test_statement_is_one_select_with_every_column_named_and_no_value_in_it(style: str, dialect: str) -> None:
    statement = compiled(MAPPINGS[style], dialect)
    text = str(statement)
    assert text.startswith("SELECT ")
    assert ";" not in text
    assert "'" not in text
    assert "H51.18" not in text
    assert text.count("LEFT OUTER JOIN") == len(MAPPINGS[style].joins)
    for column in MAPPINGS[style].all_columns(proofs=True):
        assert re.search(rf"\b{column.rpartition('.')[2]}\b", text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("style", MAPPINGS)
def test_statement_keeps_the_limits_of_its_database(style: str, dialect: str) -> None:
    columns = len(MAPPINGS[style].code_columns())
    text = str(compiled(MAPPINGS[style], dialect))
    lists = [each.split(",") for each in re.findall(r" IN \((.*?)\)(?: OR|$)", text, re.DOTALL)]
    assert len(lists) == columns
    assert all(len(each) == MOST_CODES <= MOST_IN_A_LIST for each in lists)
    assert MOST_PARAMETERS[dialect] >= MOST_CODE_COLUMNS * MOST_CODES


@pytest.mark.parametrize(
    ("dialect", "table", "status", "case"),
    [
        ("mssql", "[case].[HOSO]", "tinhtrang.[Ma]", "lookup.[DM_QG_TINHTRANG] AS tinhtrang"),
        ("oracle", 'case."HOSO"', 'tinhtrang."Ma"', 'lookup."DM_QG_TINHTRANG" tinhtrang'),
        ("postgresql", '"case"."HOSO"', 'tinhtrang."Ma"', 'lookup."DM_QG_TINHTRANG" AS tinhtrang'),
        ("mysql", "`case`.`HOSO`", "tinhtrang.`Ma`", "`lookup`.`DM_QG_TINHTRANG` AS tinhtrang"),
    ],
)
def test_names_are_quoted_where_the_dialect_needs_it(dialect: str, table: str, status: str, case: str) -> None:
    text = str(compiled(MAPPINGS["dvcv2"], dialect))
    for part in (table, status, case):
        assert part.replace("`lookup`", "lookup") in text.replace("`lookup`", "lookup")


def test_name_that_tries_to_be_a_statement_stays_a_name() -> None:
    mapping = MAPPINGS["thanhhoa"].model_copy(update={"table": 'x"; DROP TABLE y; --'})
    assert 'FROM "x""; DROP TABLE y; --"' in str(compiled(mapping, "postgresql"))
    assert 'FROM [x"; DROP TABLE y; --]' in str(compiled(mapping, "mssql"))


@pytest.mark.parametrize(
    ("dialect", "words"), [("mssql", "SELECT TOP 1000"), ("oracle", "FETCH FIRST"), ("mysql", "LIMIT")]
)
@pytest.mark.parametrize("style", MAPPINGS)
def test_looking_at_what_is_newest_is_bounded_by_the_database(style: str, dialect: str, words: str) -> None:
    statement = newest(MAPPINGS[style], MAPPINGS[style].all_columns(), 1000)
    text = str(statement.compile(dialect=DIALECTS[dialect], compile_kwargs={"literal_binds": True}))
    assert words in text
    assert " ORDER BY " in text


def test_many_codes_are_few_statements_of_few_sizes() -> None:
    parts = list(in_parts(MAPPINGS["thanhhoa"], CODES))
    assert [len(part) for part in parts] == [512, 512, 512]
    assert {str(code) for part in parts for code in part} == set(CODES)
    assert {len(next(in_parts(MAPPINGS["thanhhoa"], CODES[:count]))) for count in range(1, 100)} == {
        *(1, 2, 4, 8, 16, 32, 64, 128)
    }


def test_where_codes_are_numbers_only_numbers_are_asked_for() -> None:
    mapping = MAPPINGS["smallmysql"].model_copy(update={"code_type": "integer"})
    assert list(in_parts(mapping, ["12", "H51.18-210817-0005", "٤", "9" * 30, "0034", "-5"])) == [[12, 34]]
    assert list(in_parts(mapping, ["H51.18-210817-0005"])) == []


# ---- drivers


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("mssql+mssqlpython://reader:pw@host/db", ThreadedReads),
        ("oracle+oracledb_async://reader:pw@host/?service_name=x", AsyncReads),
        ("postgresql+asyncpg://reader:pw@host/db", AsyncReads),
        ("mysql+aiomysql://reader:pw@host/db", AsyncReads),
        ("sqlite+pysqlite:////nowhere/file", ThreadedReads),
    ],
)
async def test_every_database_has_its_driver_and_nothing_is_connected_yet(url: str, kind: type) -> None:
    reads = open_reads(url, "x", 2, 0.2)
    assert type(reads) is kind
    await reads.close()


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_that_is_not_installed_is_said_with_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'x'")

    monkeypatch.setattr(engines, "create_engine", missing)
    monkeypatch.setattr(engines, "create_async_engine", missing)
    with pytest.raises(SettingsError, match=f"^source x: the driver {re.escape(name)} is not installed") as caught:
        open_reads(f"{name}://host/db", "x", 2, 0.2)
    assert f"[{DRIVERS[name].extra}]" in str(caught.value) or not DRIVERS[name].extra


def test_password_of_the_address_is_in_no_message() -> None:
    for url in ("nosuch+driver://reader:hidden-word@host/db", "postgresql+asyncpg://reader:hidden-word@host:port/db"):
        with pytest.raises(SettingsError) as caught:
            open_reads(url, "x", 2, 0.2)
        assert "hidden-word" not in str(caught.value)


class Greeted:
    """A driver's connection that remembers what it was told."""

    def __init__(self, version: str = "") -> None:
        self.sent: list[str] = []
        self.version = version
        self.timeout = self.call_timeout = 0

    def cursor(self) -> Greeted:
        return self

    def execute(self, statement: str) -> None:
        self.sent.append(statement)

    def fetchone(self) -> tuple[str]:
        return (self.version,)

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("mysql+aiomysql", "10.11.19-MariaDB-0+deb12u1", "SET SESSION max_statement_time = 1.500"),
        ("mysql+aiomysql", "8.0.36", "SET SESSION max_execution_time = 1500"),
        ("mssql+mssqlpython", "", "SET LOCK_TIMEOUT 1500"),
    ],
)
def test_new_connection_is_told_its_limits(name: str, version: str, expected: str) -> None:
    connection = Greeted(version)
    DRIVERS[name].greet(connection, 1.5)
    assert connection.sent[-1] == expected
    assert name.startswith("mssql") or "SET SESSION TRANSACTION READ ONLY" in connection.sent
    assert connection.timeout == (2 if name.startswith("mssql") else 0)


def test_oracle_call_is_bounded_by_its_driver() -> None:
    connection = Greeted()
    DRIVERS["oracle+oracledb_async"].greet(connection, 1.5)
    assert connection.call_timeout == 1500


async def test_closed_source_takes_no_more_work() -> None:
    reads = open_reads("sqlite+pysqlite:////nowhere/file", "x", 1, 0.2)
    await reads.close()
    for _ in range(3):  # and its place in the queue is not lost
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(reads.run(lambda connection: connection), 60)


@pytest.mark.parametrize(
    "said",
    [
        "Transport does not expose socket instance",  # aiomysql, of a connection that was reset as soon as it was made
        "unable to perform operation on <TCPTransport closed=True>; the handler is closed",  # uvloop
    ],
)
@pytest.mark.parametrize("moment", ["made", "used"])
async def test_a_connection_that_ends_while_it_is_made_or_used_is_no_bug_of_ours(
    tmp_path: Path, said: str, moment: str
) -> None:
    (tmp_path / "file").touch()
    reads = open_reads(f"sqlite+aiosqlite:///{tmp_path}/file", "x", 1, 60.0)
    assert isinstance(reads, AsyncReads)

    def end(*_: object) -> None:
        raise RuntimeError(said)

    if moment == "made":
        event.listen(reads._engine.sync_engine, "connect", end)
    with pytest.raises(ConnectionError, match=r"closed|socket"):
        await reads.run(end)
    await reads.close()


async def test_a_bug_of_ours_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reads = open_reads(f"sqlite+aiosqlite:///{tmp_path}/file", "x", 1, 60.0)

    def fail(_: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    with pytest.raises(RuntimeError, match="dictionary"):
        await reads.run(fail)
    await reads.close()
