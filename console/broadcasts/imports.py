"""Files of recipients on their way into the store: read by a process of its own, kept in batches, watched while they go.

What is being read is known to this process alone; a restart ends it, and the file is sent again. Nobody is sent
anything before an officer has seen the result and taken it.
"""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from console.broadcasts.file_limits import FileRefused
from console.broadcasts.ports import Broadcasts, FileRow
from console.broadcasts.readers import ChildReader, ReadRows
from console.broadcasts.recipients import Normalise, Recipients, RowFault
from console.broadcasts.upload import Uploaded
from domain.errors import StoreError

log = structlog.get_logger()

AT_ONCE: Final = 4  # files that are read or wait for it: one is read after the other
REMEMBERED: Final = 50  # files of which it is known how they went


class ImportState(enum.StrEnum):
    """Where a file is; the words stand under [broadcast_import] in the texts."""

    READING = "reading"
    READ = "read"
    REFUSED = "refused"
    BROKEN = "broken"  # the store went away


@dataclass(slots=True, kw_only=True)
class Import:
    """One file. `upload`: its id in the store. `scope`: agencies of whoever sent it. `kept`: recipients in the store."""

    upload: int
    broadcast: int
    officer: int
    scope: frozenset[str]
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
    texts of; `ids` makes identifiers (domain.ids); `rows_of` reads a file.
    """

    __slots__ = ("_broadcasts", "_coming", "_ids", "_known", "_languages", "_normalise", "_rows_of", "_tasks", "_turn")

    def __init__(
        self,
        broadcasts: Broadcasts,
        *,
        normalise: Normalise,
        languages: Collection[str],
        ids: Callable[[], int],
        rows_of: ReadRows | None = None,
    ) -> None:
        self._broadcasts = broadcasts
        self._normalise = normalise
        self._languages = frozenset(languages)
        self._ids = ids
        self._known: OrderedDict[int, Import] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rows_of = rows_of or ChildReader()
        self._turn = asyncio.Semaphore(1)
        self._coming = 0

    @property
    def full(self) -> bool:
        """So many are read, or on their way, that the next would wait too long."""
        return len(self._tasks) + self._coming >= AT_ONCE

    @contextmanager
    def coming(self) -> Iterator[None]:
        """A file is on its way: it holds a place from its first octet on."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def begin(self, uploaded: Uploaded, broadcast: int, officer: int, scope: frozenset[str]) -> Import:
        """Read it from now on; what it comes to is told by the Import."""
        started = Import(
            upload=self._ids(),
            broadcast=broadcast,
            officer=officer,
            scope=scope,
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
        async with self._turn, aclosing(self._rows_of(uploaded.path)) as lines:
            async for rows in lines:
                batch = list(started.recipients.read(rows))
                good = [each for each in batch if isinstance(each, FileRow)]
                started.faults += [each for each in batch if isinstance(each, RowFault)]
                if good:
                    kept = await self._broadcasts.add_rows(started.broadcast, started.upload, good, started.scope)
                    started.kept += kept
            started.recipients.end()
