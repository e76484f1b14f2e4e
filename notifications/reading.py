"""Reads the dossiers a watcher looks at: in pieces the system can bear, and so that one unreadable record never stops
the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.errors import SourceError, SourceIncomplete, SourceMisread, SourceUnavailable
from notifications.ports import DossierReader

log = structlog.get_logger()

MOST_SEARCHES = 64  # reads in one step that may fail while the record at fault is sought
SURELY_AWAY = 8  # failed reads in a row, before any was answered: it is the system, not a record


@dataclass(slots=True)
class Read:
    """What a source said of some codes. `dossiers`: those it has. `failed`: of which nothing is known, with whether
    reading them again soon may help. A code in neither is one it does not know.
    """

    dossiers: dict[DossierCode, Dossier] = field(default_factory=dict)
    failed: dict[DossierCode, bool] = field(default_factory=dict)


class CarefulReader:
    """Halves what cannot be read until the record at fault stands alone.

    A misread piece is searched at once: the system answered, and a record it cannot tell is that record's own trouble. A
    piece that went unanswered is searched only when told to (`search`): the system is most likely away.
    """

    def __init__(self, source: DossierReader, *, time_limit: float) -> None:
        """`time_limit`: seconds for one read, should the adapter's own limit fail."""
        self._source = source
        self._time_limit = time_limit
        self._told: DossierCode | None = None  # asked for in the last read that was answered

    async def read(self, codes: Sequence[DossierCode], *, search: bool = False, settle: bool = False) -> Read:
        """What the source says of each of these, or that it could not be read. `settle`: they were asked for often
        enough, and while the system answers anything at all, what it does not tell now has failed.

        Raises:
            SourceUnavailable: it did not answer; nothing is known of any of them.
        """
        read = Read()
        waiting = list(reversed(list(_pieces(codes, max(1, self._source.largest_read)))))
        faults = answers = 0
        while waiting:
            piece = waiting.pop()
            try:
                self._take(read, piece, await self._find(piece))
                answers += 1
            except SourceIncomplete as part:
                self._take(read, piece, part)
                answers += 1
            except SourceError as fault:
                faults += 1
                away = isinstance(fault, SourceUnavailable)
                hopeless = away and not (search and (answers or faults < SURELY_AWAY))
                if hopeless:
                    otherwise = await self._answers_otherwise(piece) if settle else False
                    if otherwise is False:
                        raise
                    hopeless = otherwise is None
                    answers += not hopeless
                if len(piece) > 1 and faults < MOST_SEARCHES and not hopeless:
                    waiting += _halves(piece, last_first=bool(faults % 2))
                else:
                    read.failed.update(dict.fromkeys(piece, away))
        nothing_told = bool(codes) and not answers and all(read.failed.values())
        if nothing_told and (not settle or await self._answers_otherwise(codes) is False):
            raise SourceUnavailable(f"{self._source.name}: none of {len(codes)} dossiers could be read")
        return read

    async def _answers_otherwise(self, piece: Sequence[DossierCode]) -> bool | None:
        """It tells what it told before, so that these records are at fault. None: there is nothing else to ask for."""
        if self._told is None or self._told in piece:
            return None
        try:
            await self._find([self._told])
        except SourceUnavailable:
            return False
        except SourceError:
            pass  # an answer all the same, and all that was asked; what it says is of a record nobody waits for
        return True

    @staticmethod
    def _take(read: Read, piece: Sequence[DossierCode], told: SourceIncomplete | dict[DossierCode, Dossier]) -> None:
        if isinstance(told, SourceIncomplete):
            read.failed.update({code: True for code in piece if code in told.failed})
            found = told.found
        else:
            found = told
        read.dossiers.update({code: found[code] for code in piece if code in found})

    async def _find(self, piece: Sequence[DossierCode]) -> dict[DossierCode, Dossier]:
        try:
            async with asyncio.timeout(self._time_limit):
                found = dict(await self._source.find(piece))
        except TimeoutError as late:
            raise SourceUnavailable(f"{self._source.name}: no answer within {self._time_limit:g} s") from late
        except SourceError:
            raise
        except Exception as fault:
            # An adapter's own fault on one record must not stop the others; the operator gets the whole story.
            log.exception("source.adapter_failed", source=self._source.name)
            raise SourceMisread(f"{self._source.name}: {type(fault).__name__}") from fault
        self._told = piece[0]
        return found


def _pieces(codes: Sequence[DossierCode], size: int) -> Iterator[Sequence[DossierCode]]:
    for start in range(0, len(codes), size):
        yield codes[start : start + size]


def _halves(piece: Sequence[DossierCode], *, last_first: bool) -> Sequence[Sequence[DossierCode]]:
    """The half to be read first stands last. Sides change, so that one bad record is soon left behind wherever it is."""
    first, last = piece[: len(piece) // 2], piece[len(piece) // 2 :]
    return (first, last) if last_first else (last, first)
