"""The folder for files: what /readyz says of it, and what goes of dossiers closed long ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from domain.intake import FileKind, IntakeFile
from gateway.bootstrap.intake_files import FilesRoom, tidy_intake
from gateway.bootstrap.upkeep import TIDY_BATCH
from gateway.settings import IntakeSettings, RetentionSettings
from intake.ports import IntakeBook, Vault

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def room(folder: Path) -> FilesRoom:
    return FilesRoom(IntakeSettings(files=folder))


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    tmp_path.chmod(0o777)
    return tmp_path


async def test_a_folder_others_may_write_into_is_not_ready_and_has_no_figure(open_to_all: Path) -> None:
    told = room(open_to_all)
    health = await told.health()
    assert not health.ok
    assert "others may write" in health.detail
    assert told.reading() == {}


async def test_a_file_in_its_place_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("x")
    assert not (await room(tmp_path / "files").health()).ok
    assert not (await room(tmp_path / "files" / "below").health()).ok


async def test_a_disk_without_room_for_one_dossier_is_not_ready(tmp_path: Path) -> None:
    told = room(tmp_path)
    told._least = 1 << 62
    assert not (await told.health()).ok


async def test_a_folder_that_the_first_file_will_make_is_ready_and_not_made_by_looking(tmp_path: Path) -> None:
    told = room(tmp_path / "var" / "intake")
    health = await told.health()
    assert health.ok
    assert "not there yet" in health.detail
    assert not (tmp_path / "var").exists()
    assert told.reading()[()] > 0


def old_file(number: int) -> IntakeFile:
    return IntakeFile(
        id=number,
        owner=number,
        kind=FileKind.PAPER,
        name="a.pdf",
        media_type="application/pdf",
        size=1,
        sha256="",
        key=f"key-{number}",
        added_at=NOW,
    )


@dataclass
class OldBook:
    """So many dossiers, and so many files."""

    dossiers: int
    files: int
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    async def mask_closed(self, before: datetime, limit: int) -> int:
        self.asked.append(("mask", before))
        taken = min(self.dossiers, limit)
        self.dossiers -= taken
        return taken

    async def drop_files_of_closed(self, before: datetime, limit: int) -> Sequence[IntakeFile]:
        self.asked.append(("files", before))
        taken = min(self.files, limit)
        self.files -= taken
        return [old_file(number) for number in range(taken)]


@dataclass
class StubbornVault:
    """The disk does not take `stays` out."""

    stays: str = ""
    dropped: list[str] = field(default_factory=list)

    async def drop(self, key: str) -> None:
        if key == self.stays:
            raise OSError(5, "Input/output error")
        self.dropped.append(key)


async def tidied(book: OldBook, vault: StubbornVault, **days: int) -> Sequence[Any]:
    with capture_logs() as lines:
        await tidy_intake(cast("IntakeBook", book), cast("Vault", vault), lambda: NOW, RetentionSettings(**days))
    return lines


async def test_a_file_the_disk_keeps_stops_nothing_and_is_told() -> None:
    vault = StubbornVault(stays="key-1")
    lines = await tidied(OldBook(dossiers=1, files=3), vault)
    assert vault.dropped == ["key-0", "key-2"]
    assert [line["event"] for line in lines] == ["intake.file_stays", "intake.tidied"]


async def test_dossiers_closed_long_ago_lose_their_files_and_later_whoever_handed_them_in() -> None:
    book = OldBook(dossiers=TIDY_BATCH + 1, files=TIDY_BATCH + 1)
    [line] = await tidied(book, StubbornVault(), mask_dossiers_after_days=100, drop_files_after_days=30)
    assert (line["masked"], line["files"]) == (TIDY_BATCH + 1, TIDY_BATCH + 1)
    assert set(book.asked) == {("mask", NOW - timedelta(days=100)), ("files", NOW - timedelta(days=30))}


async def test_no_file_outlives_the_name_on_its_dossier() -> None:
    book = OldBook(dossiers=0, files=0)
    assert await tidied(book, StubbornVault(), mask_dossiers_after_days=10, drop_files_after_days=30) == []
    assert set(book.asked) == {("mask", NOW - timedelta(days=10)), ("files", NOW - timedelta(days=10))}
