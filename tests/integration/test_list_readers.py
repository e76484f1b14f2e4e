"""The process that reads a list of recipients: what it tells, and that it ends whatever it is given to read."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from console.broadcasts import reading
from console.broadcasts.file_limits import LARGEST_STRINGS, LONGEST_CELL, MOST_COLUMNS, FileFault, FileRefused
from console.broadcasts.readers import ChildReader, ReaderBrokenError, ReaderLimits, Rows
from tests.unit.test_broadcast_files import with_part, workbook, written

TYPES = "[Content_Types].xml"
STRINGS = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType='
    b'"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml" />'
)
MANY = [["SĐT", "Tên"], *([f"09{number:08}", f"Người {number}"] for number in range(20_000))]


async def read(path: Path, **limits: int) -> list[Sequence[str]]:
    return [row async for rows in ChildReader(limits=ReaderLimits(**limits))(path) for row in rows]


async def refused(path: Path, **limits: int) -> FileFault:
    with pytest.raises(FileRefused) as caught:
        await read(path, **limits)
    return caught.value.fault


def declared(content: bytes) -> bytes:
    """The types of a workbook's parts, with the one that holds its strings."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(TYPES).replace(b"</Types>", STRINGS + b"</Types>")


def children() -> set[str]:
    """Processes that read for us."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    of_ours = {pid for each in found for pid in each.read_text().split()}
    return {pid for pid in of_ours if reading.__name__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()}


def environments() -> list[bytes]:
    return [Path(f"/proc/{pid}/environ").read_bytes() for pid in children()]


@pytest.mark.parametrize("content", [workbook(*MANY), "\n".join(map(";".join, MANY)).encode()], ids=["xlsx", "csv"])
async def test_everything_is_told_in_its_order(tmp_path: Path, content: bytes) -> None:
    assert await read(written(tmp_path, content)) == MANY
    assert children() == set()


async def test_what_is_refused_says_where(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as caught:
        await read(written(tmp_path, b"sdt\n0912345678\n" + b"1" * 200_000))
    assert (caught.value.fault, caught.value.row) == (FileFault.CELL, 3)


async def test_a_row_is_told_no_longer_than_it_takes_to_refuse_it(tmp_path: Path) -> None:
    """Of cells and columns one more than is allowed, and nothing of what is empty."""
    content = workbook(["x" * 30_000] * 3, ["a", *[None] * 100], [*["b"] * 60])
    rows = await read(written(tmp_path, content))
    assert [len(cell) for cell in rows[0]] == [LONGEST_CELL + 1] * 3
    assert rows[1] == ["a"]
    assert len(rows[2]) == MOST_COLUMNS + 1


async def test_what_takes_more_memory_than_any_list_is_ended(tmp_path: Path) -> None:
    strings = b"<si><t>" + b"x" * 20_000 + b"</t></si>"
    body = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    body += strings * ((LARGEST_STRINGS - 1_000) // len(strings)) + b"</sst>"
    content = with_part(workbook(["SĐT"], ["0912345678"]), "xl/sharedStrings.xml", body)
    content = with_part(content, TYPES, declared(content))
    assert len(await read(written(tmp_path, content))) == 2
    assert await refused(written(tmp_path, content), memory=80 << 20) is FileFault.HEAVY


async def test_what_takes_more_time_than_any_list_is_ended(tmp_path: Path) -> None:
    rows = [["SĐT"], *([f"09{number:08}"] for number in range(100_000))]
    assert await refused(written(tmp_path, workbook(*rows)), cpu_s=1) is FileFault.HEAVY
    assert children() == set()


async def test_who_no_longer_listens_ends_it(tmp_path: Path) -> None:
    lines: AsyncGenerator[Rows, None]
    async with aclosing(ChildReader()(written(tmp_path, workbook(*MANY)))) as lines:
        await anext(lines)
        assert len(children()) == 1
    assert children() == set()


async def test_who_is_cancelled_leaves_no_process_behind(tmp_path: Path) -> None:
    path, begun = written(tmp_path, workbook(*MANY)), asyncio.Event()

    async def listen() -> None:
        async with aclosing(ChildReader()(path)) as lines:
            async for _ in lines:
                begun.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(listen())
    await begun.wait()
    assert len(children()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()


async def test_a_fault_of_ours_is_told_by_its_name_alone(tmp_path: Path) -> None:
    with pytest.raises(ReaderBrokenError, match="FileNotFoundError") as caught:
        await read(tmp_path / "0912345678")
    assert "0912345678" not in str(caught.value)


async def test_the_process_knows_nothing_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACUU_SECRET_OF_OURS", "x")
    seen: list[bytes] = []
    async with aclosing(ChildReader()(written(tmp_path, workbook(*MANY)))) as lines:
        await anext(lines)
        seen += environments()
    assert seen
    assert all(b"TRACUU" not in each for each in seen)


async def test_it_is_found_wherever_the_process_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"SDT\n0912345678\n")
    monkeypatch.chdir(tmp_path)
    assert await read(path) == [["SDT"], ["0912345678"]]
