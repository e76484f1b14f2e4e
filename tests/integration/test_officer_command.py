"""`tracuu officer` on a real store: the first administrator is made, and comes in with what was printed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.store.migrate import sqlite_url, upgrade
from console.accounts.passwords import Hasher
from console.accounts.ports import AuditSearch
from gateway import terminal
from gateway.cli import cli
from gateway.officer_command import GIVEN
from tests.contract.stores import SqliteKit

CONFIG = """
[replies]
help_phone = "02993 123456"

[[sources]]
name = "province"
url = "mysql+aiomysql://reader:secret@onestop/db"
mapping = "mapping.toml"
"""


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.db"
    upgrade(sqlite_url(path))
    monkeypatch.setenv("TRACUU_DATABASE__URL", f"sqlite:///{path}")
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mapping.toml").touch()
    monkeypatch.setattr(terminal, "configure_logs", lambda *_: None)
    monkeypatch.setenv("TRACUU_CONFIG", str(config))
    return path


def tracuu(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(cli, ["officer", *arguments])
    return ended.exit_code, ended.stdout or ended.output


def add(login: str = "quan-tri", *, role: str = "operator", agency: str = "H13") -> tuple[int, str]:
    return tracuu("add", login, "--name", "Trần Thị Quản", "--agency", agency, "--role", role)


def test_what_cannot_be_is_told_and_nothing_is_added(database: Path) -> None:
    for wrong in (add("A B"), add(agency="H99"), add(role="king"), tracuu("add", "an.h13", "--name", "An")):
        assert wrong[0] != 0
    assert "no officers" in tracuu("list")[1]
    assert add()[0] == 0
    assert "somebody has the login" in add()[1]
    assert "last operator" in tracuu("close", "quan-tri")[1]
    assert "nobody has the login" in tracuu("reset", "nobody", "--yes")[1]


def test_where_to_sign_in_and_what_comes_next_is_said_apart_from_the_password(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACUU_LISTEN__STAFF__PORT", "18081")
    for words in (
        ("add", "quan-tri", "--name", "Quản", "--agency", "H13", "--role", "operator"),
        ("reset", "quan-tri", "--yes"),
    ):
        said = CliRunner().invoke(cli, ["officer", *words])
        assert said.exit_code == 0
        assert len(said.stdout.splitlines()) == 1
        assert "127.0.0.1:18081" in said.stderr
        assert "second factor" in said.stderr


async def test_the_printed_password_is_the_one_that_is_kept(database: Path, tmp_path: Path) -> None:

    code, printed = await asyncio.to_thread(add)
    assert code == 0
    first = printed.removeprefix(GIVEN).strip()
    second = (await asyncio.to_thread(tracuu, "reset", "quan-tri", "--yes"))[1].removeprefix(GIVEN).strip()
    assert first != second
    kit = SqliteKit(tmp_path)
    store = await kit.open()
    account = await store.officers().find_login("quan-tri")
    assert account is not None
    hasher = Hasher()
    assert await hasher.verify(account.password_hash, second)
    assert not await hasher.verify(account.password_hash, first)
    await hasher.close()
    assert account.must_set_up
    noted = await store.audit().find(AuditSearch(agencies=None), limit=9)
    assert [(each.login, each.officer_id, each.action) for each in noted] == [
        ("tracuu", None, "officer.reset"),
        ("tracuu", None, "officer.added"),
    ]
    assert first not in str(noted)
    await kit.close()


def test_an_officer_is_listed_closed_and_opened_again(database: Path) -> None:
    add()
    add("an.h13", role="author")
    assert "an.h13 is closed" in tracuu("close", "an.h13")[1]
    listed = tracuu("list")[1]
    assert "author" in listed
    assert "closed" in listed
    assert "an.h13 is open again" in tracuu("close", "an.h13", "--reopen")[1]
