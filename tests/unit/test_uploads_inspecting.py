"""Files looked into in a process of its own: a hostile one harms nobody, and the process is gone afterwards."""

from __future__ import annotations

import asyncio
import io
from asyncio.subprocess import Process
from pathlib import Path

import pytest
from PIL import Image
from structlog.testing import capture_logs

from intake.uploads import FileFormat, Sniffed, UploadRefusal
from intake.uploads.inspecting import FileInspector, InspectionLimits
from tests.unit.handing_in import HONEST, pdf, picture

ALL = frozenset(FileFormat)
PATIENT = InspectionLimits(waiting=300.0, processor=120)
NAME = "Đơn xin của Nguyễn Thị Lan.pdf"

WORKERS = {
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "says nothing": "import sys\nsys.stdin.read()\n",
    "says too much": "import sys\nsys.stdin.read()\nprint('x' * 100_000)\n",
    "says something else": "import sys\nsys.stdin.read()\nprint('[1]')\n",
    "names no kind": 'import sys\nsys.stdin.read()\nprint(\'{"format": "exe"}\')\n',
    "does not read": "import sys\nsys.stdin.close()\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(pdf())
    return made


class ToldInspector(FileInspector):
    """Says when its process is there."""

    started: asyncio.Event

    async def _started(self) -> Process:
        process = await super()._started()
        self.started.set()
        return process


def children() -> set[int]:
    """Processes that this one started and that are still there."""
    return {int(number) for each in Path("/proc/self/task").glob("*/children") for number in each.read_text().split()}


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """Another worker, found where the environment says."""
    (folder / "strange_worker.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "strange_worker"


@pytest.mark.parametrize("how", WORKERS)
async def test_a_worker_that_fails_refuses_its_file(place: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    before = children()
    worker = stand_in(place.parent, monkeypatch, WORKERS[how])
    with capture_logs() as logs:
        found = await FileInspector(PATIENT, worker=worker).inspect_file(place, NAME, ALL)
    assert found is UploadRefusal.FAILED
    assert [entry["event"] for entry in logs] == ["intake.inspection_lost"]
    assert "Lan" not in str(logs)
    assert str(place) not in str(logs)
    assert children() <= before


async def test_a_file_that_takes_too_long_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    worker = stand_in(place.parent, monkeypatch, "import time\ntime.sleep(600)\n")
    found = await FileInspector(InspectionLimits(waiting=0.5), worker=worker).inspect_file(place, NAME, ALL)
    assert found is UploadRefusal.TOO_SLOW
    assert children() <= before


async def test_a_file_that_takes_too_much_of_the_processor_is_given_up(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import sys\nfrom intake.uploads.worker import bind\nbind(1 << 30, 1)\nwhile True: pass\n"
    worker = stand_in(place.parent, monkeypatch, text)
    found = await FileInspector(PATIENT, worker=worker).inspect_file(place, NAME, ALL)
    assert found is UploadRefusal.TOO_SLOW


async def test_who_goes_away_takes_the_process_along(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    worker = stand_in(place.parent, monkeypatch, "import time\ntime.sleep(600)\n")
    inspector = ToldInspector(PATIENT, worker=worker)
    inspector.started = asyncio.Event()
    task = asyncio.create_task(inspector.inspect_file(place, NAME, ALL))
    await inspector.started.wait()
    assert children() - before
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before


async def test_more_than_may_wait_are_refused_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = stand_in(place.parent, monkeypatch, "import time\ntime.sleep(600)\n")
    inspector = FileInspector(InspectionLimits(waiting=300.0, at_once=1, queue=2), worker=worker)
    waiting = [asyncio.create_task(inspector.inspect_file(place, NAME, ALL)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await inspector.inspect_file(place, NAME, ALL) is UploadRefusal.BUSY
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_file_that_is_not_there_cannot_be_looked_into(tmp_path: Path) -> None:
    assert await FileInspector(PATIENT).inspect_file(tmp_path / "none", NAME, ALL) is UploadRefusal.FAILED


@pytest.fixture
def large_picture(place: Path) -> Path:
    made = io.BytesIO()
    Image.new("RGBA", (8_000, 8_000)).save(made, "PNG", compress_level=1)
    place.write_bytes(made.getvalue())
    return place


@pytest.fixture
def large_photograph(place: Path) -> Path:
    place.write_bytes(picture("JPEG", (4_000, 3_000), quality=70, progressive=True))
    return place


async def test_a_picture_that_needs_more_memory_than_there_is_is_refused(large_picture: Path) -> None:
    scarce = InspectionLimits(waiting=300.0, memory=256 * 1024**2)
    found = await FileInspector(scarce).inspect_file(large_picture, "", ALL)
    assert found is UploadRefusal.UNPACKS


async def test_the_worker_is_given_no_secret_and_writes_no_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "import os, sys\nfrom intake.uploads.worker import bind\nsys.stdin.read()\nbind(1 << 30, 60)\n"
        "assert 'TRACUU_SECRET' not in os.environ\n"
        "file = os.open(sys.argv[0] + '.out', os.O_CREAT | os.O_WRONLY)\n"
        "try:\n    os.write(file, b'x')\nexcept OSError:\n    print('{\"refused\": \"mixed\"}')\n"
    )
    worker = stand_in(place.parent, monkeypatch, text)
    monkeypatch.setenv("TRACUU_SECRET", "x")
    assert await FileInspector(PATIENT, worker=worker).inspect_file(place, NAME, ALL) is UploadRefusal.MIXED


@pytest.mark.parametrize("limit", ["memory", "processor", "waiting", "at_once", "queue"])
def test_a_limit_of_nothing_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        InspectionLimits(**{limit: 0})


async def test_honest_files_are_taken_many_at_once(tmp_path: Path) -> None:
    inspector = FileInspector(InspectionLimits(waiting=300.0, processor=120))
    places = {kind: tmp_path / kind for kind in FileFormat}
    for kind, made in places.items():
        made.write_bytes(HONEST[kind]())
    found = await asyncio.gather(*(inspector.inspect_file(places[kind], f"Đơn.{kind}", ALL) for kind in FileFormat))
    assert [each.format if isinstance(each, Sniffed) else each for each in found] == list(FileFormat)
    assert {each.name for each in found if isinstance(each, Sniffed)} == {f"Đơn.{kind}" for kind in FileFormat}


async def test_a_large_photograph_is_taken_within_the_limits(large_photograph: Path) -> None:
    found = await FileInspector(PATIENT).inspect_file(large_photograph, "IMG 1.JPG", ALL)
    assert isinstance(found, Sniffed)
    assert found.name == "IMG 1.jpg"
