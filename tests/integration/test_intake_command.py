"""`tracuu intake reserve` on a real store: codes for paper while the console is down, and nobody else is given them."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.store.migrate import sqlite_url, upgrade
from console.accounts.ports import AuditSearch
from domain.calendar import local_day
from gateway import terminal
from gateway.cli import cli
from tests.contract.stores import SqliteKit

CONFIG = """
[replies]
help_phone = "02993 123456"

[web]
base_url = "https://tracuu.example.gov.vn"

[[sources]]
name = "province"
url = "mysql+aiomysql://reader:secret@onestop/db"
mapping = "mapping.toml"

[[intake.agencies]]
agency = "H13.16"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.db"
    upgrade(sqlite_url(path))
    monkeypatch.setenv("TRACUU_DATABASE__URL", f"sqlite:///{path}")
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mapping.toml").touch()
    monkeypatch.setattr(terminal, "configure_logs", lambda *_: None)
    monkeypatch.setenv("TRACUU_CONFIG", str(config))
    return tmp_path


def reserve(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(cli, ["intake", "reserve", *arguments])
    return ended.exit_code, ended.output


def test_what_cannot_be_set_aside_is_told_and_no_code_is_lost(folder: Path) -> None:
    (folder / "there.csv").write_text("mine")
    far = f"{local_day(datetime.now(UTC)) + timedelta(days=40):%Y-%m-%d}"
    for arguments, words in (
        (("H99", "5"), "H13.16"),
        (("H13.16", "0"), "from 1 to 200"),
        (("H13.16", "201"), "from 1 to 200"),
        (("H13.16", "5", "--day", "2020-01-02"), "is over"),
        (("H13.16", "5", "--day", far), "30 days"),
        (("H13.16", "5", "--csv", str(folder / "there.csv")), "is there already"),
    ):
        code, said = reserve(*arguments)
        assert code != 0
        assert words in said, arguments
    assert (folder / "there.csv").read_text() == "mine"
    assert reserve("H13.16", "1")[1].strip().endswith("-0001")


def test_codes_are_printed_and_written_as_a_table_and_as_sheets(folder: Path) -> None:
    table, sheets = folder / "codes.csv", folder / "sheets.html"
    code, said = reserve("H13.16", "3", "--csv", str(table), "--html", str(sheets), "--copies", "2")
    assert code == 0, said
    codes = [line for line in said.splitlines() if line.startswith("H13.16-")]
    assert [each.rpartition("-")[2] for each in codes] == ["0001", "0002", "0003"]
    rows = list(csv.reader(io.StringIO(table.read_text("utf-8-sig"), newline="")))
    assert [row[0] for row in rows[1:]] == codes
    page = sheets.read_text(encoding="utf-8")
    assert page.count("<svg") == page.count('class="sheet"') == 6
    assert "src=" not in page
    assert "https://tracuu.example.gov.vn" in page
    assert all(page.count(each) >= 2 for each in codes)
    assert reserve("H13.16", "1")[1].strip().endswith("-0004")


async def test_it_is_noted_who_set_them_aside(folder: Path) -> None:
    assert (await asyncio.to_thread(reserve, "H13.16", "2"))[0] == 0
    kit = SqliteKit(folder)
    store = await kit.open()
    [noted] = await store.audit().find(AuditSearch(agencies=None), limit=9)
    assert (noted.login, noted.officer_id, noted.action) == ("tracuu", None, "intake.reserved")
    assert (noted.detail["first"], noted.detail["last"]) == (1, 2)
    await kit.close()
