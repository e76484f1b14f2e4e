"""`tracuu source`: an operator sees what a system holds and what is wrong with its mapping, and nobody's data."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import source_command
from gateway.cli import cli
from gateway.exit_codes import ExitCode
from gateway.settings import Settings
from gateway.source_command import Inspection
from lookup.ports import ReportedField, ReportedState, SourceReport

REPORT = SourceReport(
    source="province",
    system="PostgreSQL 15.3",
    place="Business.HoSos",
    fields=(ReportedField(ours="code", theirs="MaHoSo", kind="VARCHAR(50)"),),
    states=(
        ReportedState(theirs="4", meaning=4, rows=812),
        ReportedState(theirs="64", meaning=6, rows=3, assumed=True),
        ReportedState(theirs="99", meaning=None, rows=7),
    ),
    samples=({"code": "H51.18-250701-00**", "status": "4"},),
    warnings=("MaHoSo is not indexed",),
)


SMALL = """
name = "small"
table = "t"
agency = "H51"
prefixes = ["H51"]
[columns]
code = "c"
status = "s"
[status]
4 = 4
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").touch()
    path = tmp_path / "gateway.toml"
    source = 'url = "sqlite+aiosqlite:///x.sqlite3"\nmapping = "mapping.toml"\n'
    path.write_text(
        f'[replies]\nhelp_phone = "1022"\n'
        f'[[sources]]\nname = "province"\n{source}[[sources]]\nname = "ministry"\nprefixes = ["G09"]\n{source}',
        encoding="utf-8",
    )
    return path


def inspecting(monkeypatch: pytest.MonkeyPatch, *inspections: Inspection) -> list[tuple[str, ...]]:
    asked: list[tuple[str, ...]] = []

    async def inspect_sources(settings: Settings, names: Sequence[str]) -> Sequence[Inspection]:
        asked.append(tuple(names))
        return inspections

    stand_in = types.ModuleType("bootstrap")
    stand_in.inspect_sources = inspect_sources  # type: ignore[attr-defined]
    monkeypatch.setattr(source_command, "_bootstrap", lambda: stand_in)
    monkeypatch.setattr(source_command, "configure_logs", lambda *_: None)
    return asked


def run(config: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["source", *words, "--config", str(config)])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_a_source_that_cannot_be_read_is_named_and_ends_with_an_error(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspecting(monkeypatch, Inspection(name="province", failure="province: connection refused"))
    code, told = run(config, "check")
    assert code == ExitCode.FAILED
    assert "CANNOT BE READ" in told
    assert "connection refused" in told


def test_a_missing_column_ends_with_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ReportedField(ours="due_on", theirs="NgayHenTra", trouble="not there")
    report = SourceReport(source="province", system="MariaDB", place="HoSos", fields=(missing,))
    inspecting(monkeypatch, Inspection(name="province", report=report))
    code, told = run(config, "check", "province")
    assert code == ExitCode.FAILED
    assert "NOT THERE" in told


def test_a_source_that_can_answer_nobody_ends_with_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = SourceReport(source="province", system="PostgreSQL", place="t", trouble="province: permission denied")
    inspecting(monkeypatch, Inspection(name="province", report=report))
    code, told = run(config, "check", "province")
    assert code == ExitCode.FAILED
    assert "IT CAN ANSWER NOBODY" in told
    assert "permission denied" in told


def test_settings_of_http_on_a_database_are_refused_not_ignored(config: Path) -> None:
    (config.parent / "mapping.toml").write_text(SMALL, encoding="utf-8")
    more = 'username = "reader"\npassword = "secret word"\nmax_body_bytes = 5\n'
    config.write_text(config.read_text(encoding="utf-8") + more, encoding="utf-8")
    code, told = run(config, "list")
    assert code != ExitCode.OK
    assert "source ministry: username, password, max_body_bytes: for systems asked over HTTP" in told
    assert "secret word" not in told


def test_mapping_with_a_byte_order_mark_is_read(config: Path) -> None:
    (config.parent / "mapping.toml").write_text(SMALL, encoding="utf-8-sig")
    code, told = run(config, "list")
    assert code == ExitCode.OK, told


@pytest.mark.parametrize("written", ["r:S3cret@77xyz:q@h:3306/db", "r:S3/cret@h/db", "r:12/S3@h/db", "h:S3/db"])
def test_password_with_signs_of_an_address_is_refused_and_never_shown(config: Path, written: str) -> None:
    text = config.read_text(encoding="utf-8").replace("sqlite+aiosqlite:///x.sqlite3", f"mysql+aiomysql://{written}")
    config.write_text(text, encoding="utf-8")
    code, told = run(config, "list")
    assert code != ExitCode.OK
    assert "%40 for @" in told
    assert "S3" not in told


def test_a_name_that_is_no_source_is_refused_with_those_there_are(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = inspecting(monkeypatch)
    code, told = run(config, "check", "provinse")
    assert code != 0
    assert "no source is named provinse; there are: province, ministry" in told
    assert not asked


def test_states_that_are_not_mapped_and_those_assumed_are_pointed_out(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = inspecting(monkeypatch, Inspection(name="province", report=REPORT))
    code, told = run(config, "check", "province")
    lines = {line.split()[0]: line for line in told.splitlines() if line.strip()}
    assert code == ExitCode.OK
    assert asked == [("province",)]
    assert "812" in lines["4"]
    assert "assumed" in lines["64"]
    assert "NOT MAPPED" in lines["99"]
    assert "MaHoSo is not indexed" in told
    assert "H51.18-250701-00**" in told
