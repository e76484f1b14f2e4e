"""Files that citizens hand in online: bounded, streamed to the vault, looked into, noted; or refused, and nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import structlog

from domain.dossier import DossierStatus
from domain.filing import SUPPLEMENTED, FilingRefusal, UploadLeave, UploadLimits
from domain.intake import FileKind, IntakeDossier, IntakeFile
from domain.intake_moves import IntakeAction, IntakeDoing, IntakeRefusal
from domain.message import Address
from intake.filing import CITIZEN, Filing, FilingUse, Quota, forget_bytes
from intake.ports import FileTooLarge, IntakeBook, KeptBytes, Vault
from intake.service import IntakeService
from intake.uploads import Sniffed, UploadRefusal

TOO_MANY: Final = "too_many"  # beside the refusals of intake.uploads: there are as many as one dossier may have
NO_LEAVE: Final = "no_leave"  # so many were tried that the rest waits
AT_ONCE: Final = 20  # files under way
OF_ONE_ADDRESS: Final = 5  # of those: a file may come slowly, and nobody is to hold all places with slow ones
PURGED, PURGES = 200, 20  # rows a transaction, and how many of them at a time
TRIES: Final = 3  # of a note beside what an officer does at that moment

log = structlog.get_logger()


class Inspector(Protocol):
    """What a file truly is: intake.uploads.inspecting."""

    async def inspect_file(self, path: Path, name: str, allowed: Collection[str]) -> Sniffed | UploadRefusal: ...


class FilingUploads:
    """One for all pages. `most_loose`: bytes of all files that no dossier has yet."""

    __slots__ = (
        "_book",
        "_clock",
        "_filing",
        "_from",
        "_inspector",
        "_new_id",
        "_quota",
        "_service",
        "_under_way",
        "_vault",
        "limits",
        "most_loose",
    )

    def __init__(
        self,
        filing: Filing,
        service: IntakeService,
        *,
        vault: Vault,
        inspector: Inspector,
        quota: Quota,
        limits: UploadLimits,
        most_loose: int,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._filing = filing
        self._service = service
        self._book: IntakeBook = service.book
        self._vault = vault
        self._inspector = inspector
        self._quota = quota
        self.limits = limits
        self.most_loose = most_loose
        self._new_id = new_id
        self._clock = clock
        self._under_way = 0
        self._from = Counter[str]()  # of what is under way

    async def leave(self, token: str) -> UploadLeave | FilingRefusal | None:
        """Whether files may come now; asked before the first byte is read. None: the link opens nothing.

        Raises:
            StoreError: the store is away.
        """
        draft = await self._filing.draft(token)
        if draft is not None:
            procedure = self._filing.procedure(draft.procedure)
            papers = len(procedure.papers.get("vi", ())) if procedure else 0
            return await self._with_room(draft.id, FileKind.PAPER, papers)
        dossier = await self._filing.filed(token)
        if dossier is None:
            return None
        if dossier.status is not DossierStatus.MORE_DOCUMENTS:
            return FilingRefusal.CLOSED
        return await self._with_room(dossier.id, FileKind.SUPPLEMENT, len(dossier.papers))

    async def _with_room(self, owner: int, kind: FileKind, papers: int) -> UploadLeave | FilingRefusal:
        if self._under_way >= AT_ONCE:
            return FilingRefusal.BUSY
        # What was asked for is of a dossier at once: however many drafts lie about, it is taken.
        if kind is FileKind.PAPER and await self._full():
            log.warning("filing.full")
            return FilingRefusal.FULL
        there = sum(file.size for file in await self._book.files(owner))
        return UploadLeave(owner=owner, kind=kind, papers=papers, room=max(0, self.limits.most_bytes - there))

    async def _full(self) -> bool:
        """What is under way may all be as large as a file may be."""
        coming = (self._under_way + 1) * self.limits.largest
        return await self._book.loose_bytes() + coming > self.most_loose

    async def take(
        self, leave: UploadLeave, asker: Address, name: str, chunks: AsyncIterator[bytes], paper: int | None
    ) -> IntakeFile | str:
        """One file; or why it is not taken: UploadRefusal, TOO_MANY or NO_LEAVE. Leave may be old by now, so that places
        are counted here once more. Whatever happens, cut off and cancelled
        too, nothing stays of what is not noted.

        Raises:
            StoreError: the store is away.
        """
        if self._under_way >= AT_ONCE or self._from[asker.urn] >= OF_ONE_ADDRESS:
            return UploadRefusal.BUSY
        self._under_way += 1
        self._from[asker.urn] += 1
        try:
            whose = Address("filing", str(leave.owner))
            for use, who in ((FilingUse.UPLOAD_OF_ONE, whose), (FilingUse.UPLOAD, asker)):
                if not await self._quota.allows(use, who):
                    return NO_LEAVE
            return await self._kept(leave, name, chunks, paper)
        finally:
            self._under_way -= 1
            self._from[asker.urn] -= 1
            self._from += Counter()  # without those that are at none

    async def _kept(
        self, leave: UploadLeave, name: str, chunks: AsyncIterator[bytes], paper: int | None
    ) -> IntakeFile | str:
        try:
            kept = await self._vault.keep(chunks, most=self.limits.largest)
        except FileTooLarge:  # told to whoever sent it
            return UploadRefusal.TOO_LARGE
        except OSError as error:
            if isinstance(error, ConnectionError):  # whoever sent it left
                raise
            log.exception("intake.file_not_kept", error=type(error).__name__)
            return UploadRefusal.FAILED
        file: IntakeFile | None = None
        try:
            there = await self._there(leave, kept, paper)
            if there is not None:  # sent twice
                return there
            found = await self._inspector.inspect_file(self._vault.path(kept.key), name, self.limits.formats)
            if not isinstance(found, Sniffed):
                return found
            noted = self._file(leave, found, kept, paper)
            if not await self._book.add_file(noted, most=self.limits.most, most_bytes=self.limits.most_bytes):
                return TOO_MANY
            file = noted
            return file
        finally:
            if file is None:
                await forget_bytes(self._vault, kept.key)

    async def _there(self, leave: UploadLeave, kept: KeptBytes, paper: int | None) -> IntakeFile | None:
        same = (kept.sha256, leave.kind, self._line(leave, paper))
        files = await self._book.files(leave.owner)
        return next((each for each in files if (each.sha256, each.kind, each.paper) == same), None)

    def _file(self, leave: UploadLeave, found: Sniffed, kept: KeptBytes, paper: int | None) -> IntakeFile:
        return IntakeFile(
            id=self._new_id(),
            owner=leave.owner,
            kind=leave.kind,
            name=found.name,
            media_type=found.media_type,
            size=kept.size,
            sha256=kept.sha256,
            key=kept.key,
            added_at=self._clock(),
            paper=self._line(leave, paper),
        )

    @staticmethod
    def _line(leave: UploadLeave, paper: int | None) -> int | None:
        return paper if paper is not None and 0 <= paper < leave.papers else None

    async def supplemented(self, token: str, files: Sequence[IntakeFile]) -> None:
        """Note in the dossier's course that the citizen handed these in, for the officer to see and to take.

        Raises:
            StoreError: the store is away.
        """
        for _ in range(TRIES):
            dossier = await self._filing.filed(token)
            if dossier is None or isinstance(await self._noted(dossier, files), IntakeDossier):
                return
        log.warning("filing.supplement_not_noted", files=len(files))  # the files are there all the same

    async def _noted(self, dossier: IntakeDossier, files: Sequence[IntakeFile]) -> IntakeDossier | IntakeRefusal:
        """How many: a name of a file may name people, and what was done is kept for ever."""
        words = f"{SUPPLEMENTED}{len(files)} tệp."
        doing = IntakeDoing(action=IntakeAction.NOTE, at=self._clock(), reason=words)
        return await self._service.act(dossier, doing, CITIZEN)


async def purge(book: IntakeBook, vault: Vault, now: datetime) -> int:
    """Take out drafts that are over with their files, then bytes nobody knows; gives how many files went.

    Raises:
        StoreError: the store is away; what was not reached is, the next time.
    """
    gone = 0
    for _ in range(PURGES):  # a draft without files leaves none to be seen, so that nothing says which is the last
        for file in await book.expired(now=now, limit=PURGED):
            await forget_bytes(vault, file.key)
            gone += 1
    try:
        gone += await vault.sweep(book.known)
    except OSError as error:
        log.exception("filing.sweep_failed", error=type(error).__name__)
    return gone
