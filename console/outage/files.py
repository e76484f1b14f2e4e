"""Files of dossiers that were on paper, on their way into the book: read by a process of their own, looked at, then taken.

What is being read is known to this process alone; a restart ends it, and the file is sent again: the same row of the same
file is the same dossier, so that nothing is entered twice. Whoever was in a file is forgotten once it is taken.
"""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

import structlog

from console.broadcasts.file_limits import FileRefused
from console.broadcasts.readers import ChildReader, ReadRows
from console.broadcasts.upload import Uploaded
from console.outage.rows import ColumnsMissing, LateFrame, LateRow, LateRows, RowFault, RowFaultKind
from domain.errors import StoreError
from domain.intake import Actor, IntakeDossier
from domain.procedure import Procedure
from intake.outage import IntakeLate, LateFault
from intake.ports import NumberTrouble
from intake.service import IntakeService, NoProcedure

log = structlog.get_logger()

AT_ONCE: Final = 4  # files that are read or taken, or wait for it: one is read after the other
REMEMBERED: Final = 8  # files of which it is known how they went
MEANT_KEPT: Final = 2_000  # words of procedures that are looked for once

Meant = Callable[[str, date], Procedure | None]


class LateState(enum.StrEnum):
    """Where a file is; the words stand under [late_file_state] in the texts."""

    READING = "reading"
    READ = "read"
    REFUSED = "refused"
    BROKEN = "broken"  # the store went away while it was read
    TAKING = "taking"
    CUT = "cut"  # the store went away while it was taken: the rest can be taken again
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A row that is a dossier now."""

    row: int
    code: str
    dossier: int


@dataclass(slots=True, kw_only=True)
class LateFile:
    """One file. `good`: rows that can be taken, until they are; `before`: rows that this very file brought in earlier."""

    upload: int
    officer: int
    digest: str
    lines: LateRows
    state: LateState = LateState.READING
    good: deque[LateRow] = field(default_factory=deque)
    faults: list[RowFault] = field(default_factory=list)
    before: int = 0
    entered: list[Entered] = field(default_factory=list)
    to_take: int = 0  # when taking began
    refused: FileRefused | None = None
    missing: Sequence[str] = ()  # columns
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rows(self) -> int:
        return self.lines.rows

    @property
    def may_take(self) -> bool:
        return self.state in (LateState.READ, LateState.CUT) and bool(self.good)


class LateFiles:
    """Reads and takes files. `meant` finds a procedure by words; `ids` makes identifiers (domain.ids)."""

    __slots__ = ("_clock", "_consent", "_ids", "_known", "_late", "_meant", "_rows_of", "_service", "_tasks", "_turn")

    def __init__(
        self,
        service: IntakeService,
        late: IntakeLate,
        *,
        meant: Meant,
        consent: str,
        ids: Callable[[], int],
        clock: Callable[[], datetime],
        rows_of: ReadRows | None = None,
    ) -> None:
        self._service = service
        self._late = late
        self._meant = meant
        self._consent = consent
        self._ids = ids
        self._clock = clock
        self._rows_of = rows_of or ChildReader()
        self._known: OrderedDict[int, LateFile] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(1)

    @property
    def full(self) -> bool:
        """So many are under way that the next would wait too long."""
        return len(self._tasks) >= AT_ONCE

    def of(self, officer: int) -> LateFile | None:
        """The last file this officer sent."""
        found = [each for each in self._known.values() if each.officer == officer]
        return found[-1] if found else None

    async def begin(self, uploaded: Uploaded, officer: int, agencies: Collection[str]) -> LateFile:
        """Read it from now on; what it comes to is told by the LateFile. One that was not taken is forgotten.

        Raises:
            StoreUnavailable: nothing is known of the codes that were set aside; the file is gone.
        """
        try:
            codes = await self._late.codes(agencies)
        except BaseException:
            uploaded.path.unlink(missing_ok=True)
            raise
        frame = LateFrame(
            codes=codes,
            agencies=frozenset(agencies),
            meant=lru_cache(MEANT_KEPT)(self._meant),
            digest=uploaded.digest,
            consent=self._consent,
            now=self._clock(),
        )
        begun = LateFile(upload=self._ids(), officer=officer, digest=uploaded.digest, lines=LateRows(frame=frame))
        self._remember(begun)
        self._start(self._read(begun, uploaded))
        return begun

    def take(self, file: LateFile, actor: Actor) -> None:
        """Enter every good row from now on, as done by `actor`; only of a file that `may_take`."""
        file.state, file.to_take = LateState.TAKING, len(file.good)
        file.ended.clear()
        self._start(self._take(file, actor))

    async def close(self) -> None:
        """End what is under way: what is entered is entered, the rest can be sent again."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remember(self, begun: LateFile) -> None:
        idle = [each for each in self._known.values() if each.state not in (LateState.READING, LateState.TAKING)]
        for each in idle:
            if each.officer == begun.officer or len(self._known) >= REMEMBERED:
                self._known.pop(each.upload, None)
        self._known[begun.upload] = begun

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- reading

    async def _read(self, file: LateFile, uploaded: Uploaded) -> None:
        try:
            await self._read_rows(file, uploaded)
            file.state = LateState.READ
        except ColumnsMissing as error:  # told to whoever sent it
            file.state, file.missing = LateState.REFUSED, error.names
        except FileRefused as error:  # the same
            file.state, file.refused = LateState.REFUSED, error
        except StoreError:  # told to whoever sent it, to send it again
            file.state = LateState.BROKEN
            log.warning("console.late_broken", rows=file.rows)
        except Exception:  # a bug of ours: whoever waits must not wait for ever
            file.state = LateState.BROKEN
            log.exception("console.late_failed", rows=file.rows)
        finally:
            uploaded.path.unlink(missing_ok=True)
            file.ended.set()

    async def _read_rows(self, file: LateFile, uploaded: Uploaded) -> None:
        async with self._turn, aclosing(self._rows_of(uploaded.path)) as lines:
            async for rows in lines:
                for each in list(file.lines.read(rows)):
                    if isinstance(each, RowFault):
                        file.faults.append(each)
                    else:
                        await self._sort(file, each)
            file.lines.end()

    async def _sort(self, file: LateFile, row: LateRow) -> None:
        """A code that is used is a fault, unless it was this row that used it."""
        if not row.used:
            file.good.append(row)
            return
        there = await self._service.book.by_id(row.wish.id)
        if there is not None and there.code.reference == row.code:
            file.before += 1
        else:
            file.faults.append(RowFault(row.row, "code", LateFault.USED, row.code))

    # ---- taking

    async def _take(self, file: LateFile, actor: Actor) -> None:
        try:
            while file.good:
                await self._enter(file, file.good[0], actor)
                file.good.popleft()
            file.state = LateState.TAKEN
            log.info("console.late_taken", officer=file.officer, entered=len(file.entered), faults=len(file.faults))
        except StoreError:  # told to whoever takes it; what is in doubt is asked for again with the same id
            log.warning("console.late_broken", rows=len(file.good))
        except Exception:  # a bug of ours: whoever waits must not wait for ever
            log.exception("console.late_failed", rows=len(file.good))
        finally:
            if file.state is LateState.TAKING:
                file.state = LateState.CUT
            file.ended.set()

    async def _enter(self, file: LateFile, row: LateRow, actor: Actor) -> None:
        try:
            kept = await self._service.register(row.wish, actor)
        except NoProcedure:  # the catalogue was changed meanwhile
            file.faults.append(RowFault(row.row, "procedure", RowFaultKind.PROCEDURE, row.wish.procedure))
            return
        if isinstance(kept, IntakeDossier) and kept.code.reference == row.code:
            file.entered.append(Entered(row=row.row, code=row.code, dossier=kept.id))
        else:
            kind = _TROUBLES[kept] if isinstance(kept, NumberTrouble) else RowFaultKind.CLASH
            file.faults.append(RowFault(row.row, "code", kind, row.code))


_TROUBLES: Final[Mapping[NumberTrouble, RowFaultKind | LateFault]] = {
    NumberTrouble.USED: LateFault.USED,
    NumberTrouble.NOT_RESERVED: LateFault.NOT_RESERVED,
    NumberTrouble.FULL: RowFaultKind.CLASH,  # of a code that is there already it is never said
}
