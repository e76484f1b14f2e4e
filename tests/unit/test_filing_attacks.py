"""Filing online under attack: another's number, all places held by one, a sweep beside sending, a disk full of drafts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.dossier import DossierStatus
from domain.filing import FilingRefusal, UploadLeave
from domain.intake import FileKind, IntakeFile
from domain.message import Address
from domain.phones import significant_numbers
from intake.filing import Filing, FilingRules
from intake.filing_decisions import changed, registration_of
from intake.filing_uploads import AT_ONCE, OF_ONE_ADDRESS, FilingUploads
from intake.ports import Draft
from intake.uploads import UploadRefusal
from tests.unit.speaking import NOW
from tests.unit.test_filing import BIRTH, DRAFT, GOOD, LEAVE, WHOLE, FakeBook, FakeInspector, pieces, uploads
from tests.unit.test_pins import HERE

THERE = Address("web", "198.51.100.7")


# ---- the number


@pytest.mark.parametrize(
    "typed", ["849123456/78", "00849123456/78", "0912345678", "+84 912 345 678", "０９１２３４５６７８"]
)
def test_the_number_that_is_told_of_a_dossier_is_the_one_that_was_proved(typed: str) -> None:
    draft = changed(replace(DRAFT, phone="84912345678"), replace(WHOLE, phone=typed), NOW)
    assert (draft.phone, draft.phone_proved_at) == ("84912345678", NOW)
    person = registration_of(draft, BIRTH, (), NOW).person
    assert significant_numbers(person.phone) == ("912345678",)


# ---- files


async def started(desk: FilingUploads, count: int, asker: Address) -> list[asyncio.Task[IntakeFile | str]]:
    """So many files under way, none of which gets any further."""
    tasks = [asyncio.create_task(desk.take(LEAVE, asker, "x.pdf", pieces(b"x"), 0)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def ended(*tasks: asyncio.Task[IntakeFile | str]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_address_does_not_hold_all_places_with_slow_files(tmp_path: Path) -> None:
    desk = uploads(tmp_path, FakeInspector(None))
    slow = await started(desk, OF_ONE_ADDRESS, HERE)
    assert await desk.take(LEAVE, HERE, "x.pdf", pieces(b"x"), 0) is UploadRefusal.BUSY
    others = await started(desk, 1, THERE)
    assert not others[0].done()
    await ended(*slow, *others)
    desk._inspector = FakeInspector(GOOD)
    assert isinstance(await desk.take(LEAVE, HERE, "x.pdf", pieces(b"x"), 0), IntakeFile)


async def test_leave_that_many_were_given_at_once_is_counted_again_when_the_file_comes(tmp_path: Path) -> None:
    desk = uploads(tmp_path, FakeInspector(None))
    slow = [each for number in range(AT_ONCE) for each in await started(desk, 1, Address("web", f"192.0.2.{number}"))]
    assert await desk.take(LEAVE, THERE, "x.pdf", pieces(b"x"), 0) is UploadRefusal.BUSY
    await ended(*slow)


class FullBook(FakeBook):
    """Of a disk that is full of drafts."""

    async def loose_bytes(self) -> int:
        return 10_000


class Opening:
    """Knows one draft, or one dossier that waits for papers."""

    def __init__(self, draft: Draft | None) -> None:
        self._draft = draft

    def procedure(self, _: str) -> None:
        return None

    async def draft(self, _: str) -> Draft | None:
        return self._draft

    async def filed(self, _: str) -> Any:
        class Waiting:
            id, papers, status = 7, (), DossierStatus.MORE_DOCUMENTS

        return Waiting()


async def test_a_disk_full_of_drafts_takes_what_was_asked_for_all_the_same(tmp_path: Path) -> None:
    desk = uploads(tmp_path, FakeInspector(GOOD), book=FullBook())
    opening: Any = Opening(DRAFT)
    desk._filing = opening
    assert await desk.leave("t") is FilingRefusal.FULL
    waiting: Any = Opening(None)
    desk._filing = waiting
    leave = await desk.leave("t")
    assert isinstance(leave, UploadLeave)
    assert leave.kind is FileKind.SUPPLEMENT


# ---- swept while it is sent


class Sweeping:
    """A book that takes out what is over whenever a dossier is registered."""

    def __init__(self, draft: Draft) -> None:
        self.row: Draft | None = draft

    async def draft(self, _: str, *, now: datetime) -> Draft | None:
        return self.row if self.row and self.row.expires_at > now else None

    async def save_draft(self, draft: Draft) -> None:
        self.row = draft

    async def files(self, _: int) -> list[IntakeFile]:
        return []

    def sweep(self, now: datetime) -> None:
        self.row = self.row if self.row and self.row.expires_at > now else None


class Registering:
    """A desk that is slow: while it registers, the draft's last second passes and the sweep comes by."""

    def __init__(self, book: Sweeping) -> None:
        self.book = book

    def counts_from(self, *_: object) -> Any:
        return NOW.date()

    async def register(self, *_: object) -> Any:
        self.book.sweep(NOW + timedelta(seconds=30))
        raise StopAsyncIteration  # what it gives is not looked at


async def test_a_draft_whose_last_second_comes_while_it_is_sent_is_not_swept() -> None:
    class Catalogue:
        def get(self, *_: object, **__: object) -> Any:
            return BIRTH

    book = Sweeping(replace(DRAFT, expires_at=NOW + timedelta(seconds=1)))
    service: Any = Registering(book)
    nobody: Any = None
    catalogue: Any = Catalogue()
    desk = Filing(
        service,
        procedures=catalogue,
        vault=nobody,
        numbers=nobody,
        quota=nobody,
        rules=FilingRules(agencies=(DRAFT.agency,)),
        new_id=lambda: 1,
        clock=lambda: NOW,
    )
    with pytest.raises(StopAsyncIteration):
        await desk.send("t", declared=True)
    assert book.row is not None
