"""Files of recipients on their way into the store: read in a worker, kept in batches, watched while they go.

What is being read is known to this process alone; a restart ends it, and the file is sent again. Nobody is sent
anything before an officer has seen the result and taken it.
"""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import structlog

from console.broadcasts.csv_files import csv_rows
from console.broadcasts.file_limits import FileFault, FileRefused
from console.broadcasts.ports import Broadcasts, FileRow
from console.broadcasts.recipients import Normalise, Recipients, RowFault
from console.broadcasts.upload import Uploaded
from console.broadcasts.workbooks import is_workbook, workbook_rows
from domain.errors import StoreError

log = structlog.get_logger()

BATCH: Final = 200  # rows of a transaction
AT_ONCE: Final = 4  # files that are read at the same time
REMEMBERED: Final = 50  # files of which it is known how they went


class ImportState(enum.StrEnum):
    """Where a file is; the words stand under [broadcast_import] in the texts."""

    READING = "reading"
    READ = "read"
    REFUSED = "refused"
    BROKEN = "broken"  # the store went away


@dataclass(slots=True, kw_only=True)
class Import:
    """One file. `upload`: its id in the store. `kept`: recipients in the store."""

    upload: int
    broadcast: int
    officer: int
    digest: str
    recipients: Recipients
    state: ImportState = ImportState.READING
    kept: int = 0
    faults: list[RowFault] = field(default_factory=list)
    refused: FileRefused | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rows(self) -> int:
        return self.recipients.rows

    @property
    def columns(self) -> Sequence[str]:
        """The placeholders the file brings."""
        return tuple(self.recipients.columns.values) if self.recipients.columns else ()


class Imports:
    """Reads files. `normalise` makes an address of what stands in the column of numbers; `languages`: those there are
    texts of; `ids` makes identifiers (domain.ids).
    """

    __slots__ = ("_broadcasts", "_ids", "_known", "_languages", "_normalise", "_tasks", "_worker")

    def __init__(
        self,
        broadcasts: Broadcasts,
        *,
        normalise: Normalise,
        languages: Collection[str],
        ids: Callable[[], int],
    ) -> None:
        self._broadcasts = broadcasts
        self._normalise = normalise
        self._languages = frozenset(languages)
        self._ids = ids
        self._known: OrderedDict[int, Import] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="recipients")

    @property
    def full(self) -> bool:
        """So many are read that the next would wait too long."""
        return len(self._tasks) >= AT_ONCE

    def begin(self, uploaded: Uploaded, broadcast: int, officer: int) -> Import:
        """Read it from now on; what it comes to is told by the Import."""
        started = Import(
            upload=self._ids(),
            broadcast=broadcast,
            officer=officer,
            digest=uploaded.digest,
            recipients=Recipients(normalise=self._normalise, languages=self._languages),
        )
        self._known[started.upload] = started
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        task = asyncio.create_task(self._run(started, uploaded))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return started

    def of(self, broadcast: int, officer: int) -> Import | None:
        """The last file this officer sent for this broadcast."""
        found = [each for each in self._known.values() if (each.broadcast, each.officer) == (broadcast, officer)]
        return found[-1] if found else None

    async def close(self) -> None:
        """End what is being read."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._worker.shutdown(wait=True)

    async def _run(self, started: Import, uploaded: Uploaded) -> None:
        try:
            await self._read(started, uploaded)
            started.state = ImportState.READ
        except FileRefused as error:  # told to whoever sent it
            started.state, started.refused = ImportState.REFUSED, error
        except StoreError:  # told to whoever sent it, to send it again
            started.state = ImportState.BROKEN
            log.warning("console.import_broken", broadcast=started.broadcast)
        except Exception:  # a bug of ours: whoever waits must not wait for ever
            started.state = ImportState.BROKEN
            log.exception("console.import_failed", broadcast=started.broadcast)
        finally:
            uploaded.path.unlink(missing_ok=True)
            started.ended.set()

    async def _read(self, started: Import, uploaded: Uploaded) -> None:
        """The file is read in the worker a batch at a time, and closed there as well."""
        loop = asyncio.get_running_loop()
        rows = _rows(uploaded, started.recipients)
        try:
            while batch := await loop.run_in_executor(self._worker, _next, rows):
                good = [each for each in batch if isinstance(each, FileRow)]
                started.faults += [each for each in batch if isinstance(each, RowFault)]
                if good:
                    started.kept += await self._broadcasts.add_rows(started.broadcast, started.upload, good)
        finally:
            self._worker.submit(rows.close)


def _rows(uploaded: Uploaded, recipients: Recipients) -> Generator[FileRow | RowFault, None, None]:
    """Raises FileRefused."""
    with uploaded.path.open("rb") as file:
        begin = file.read(4096)
    if is_workbook(begin):
        yield from recipients.read(workbook_rows(uploaded.path))
    elif b"\0" in begin and not begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused(FileFault.NOT_A_TABLE)
    else:
        yield from recipients.read(csv_rows(uploaded.path))


def _next(rows: Iterator[FileRow | RowFault]) -> Sequence[FileRow | RowFault]:
    return list(islice(rows, BATCH))
