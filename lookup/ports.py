"""What look-up needs from outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.message import require_aware

CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """What a source said of one code, and how long that may be told.

    `dossier` None: the source does not know the code. Until `fresh_until` it is told as it is; after that it is read
    again, and until `usable_until` it is still told, with its time, when the source does not answer.
    """

    code: DossierCode
    dossier: Dossier | None
    read_at: datetime
    fresh_until: datetime
    usable_until: datetime

    def __post_init__(self) -> None:
        for name in ("read_at", "fresh_until", "usable_until"):
            require_aware(getattr(self, name), name)

    def fresh(self, now: datetime) -> bool:
        """It may be told without asking again. An answer from the future is not: the clock was set back, and nobody
        knows how old it is; machines may differ by a little.
        """
        return self.read_at - CLOCKS_DIFFER <= now < self.fresh_until


class DossierSource(Protocol):
    """One one-stop system, read-only. Its dossiers carry the seals of what proves a right to know more (domain.proof),
    where the mapping names such columns and a key was given.
    """

    @property
    def name(self) -> str: ...

    @property
    def largest_read(self) -> int:
        """Codes, at least 1, that one `find` can read within its time limit without pressing the system; nobody gives
        it more.
        """
        ...

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        """The dossiers it has, for many codes in one read; codes it does not know are absent. What is wrong with one
        record is the trouble of its own code alone, as far as that can be told.

        Raises:
            SourceUnavailable: it did not answer in time or refused; may be tried again.
            SourceMisread: its answer does not fit the mapping.
            SourceIncomplete: either of these for some of the codes, while the others were read.
        """
        ...

    async def check(self) -> str:
        """One line for /readyz; raises SourceError when it cannot be read."""
        ...

    async def inspect(self) -> SourceReport:
        """What an operator wants to know before trusting a mapping: `tracuu source check`. Reads little, changes
        nothing; what could not be found out is a warning of the report.

        Raises:
            SourceUnavailable: it did not answer.
        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedField:
    """One of our words with where the source keeps it; `kind` is the source's own type, `trouble` what is wrong with
    it, `note` what is worth knowing.
    """

    ours: str
    theirs: str
    kind: str = ""
    trouble: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedState:
    """A state met in the source; `meaning` None: the mapping does not know it. `rows` None: not counted."""

    theirs: str
    meaning: int | None
    rows: int | None = None
    assumed: bool = False  # the mapping's author guessed what it means


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What a source holds, as its mapping reads it. `samples` are a few dossiers with everything personal masked: our
    word -> text. `place` is the table or the path, `system` what answered ("PostgreSQL 15.3"). `agencies` are those met,
    with how many rows each. `trouble`: why it can answer nobody as it is mapped; empty where it can.
    """

    source: str
    system: str
    place: str
    fields: Sequence[ReportedField] = ()
    states: Sequence[ReportedState] = ()
    samples: Sequence[Mapping[str, str]] = ()
    agencies: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    trouble: str = ""


class StatusCache(Protocol):
    """Answers kept for a while. It may forget and it may be away: both are a miss, never an error."""

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        """What is kept and still usable, fresh or not, in one round trip."""
        ...

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        """Keep these, in one round trip."""
        ...

    async def drop(self, codes: Sequence[DossierCode]) -> None:
        """Forget these: something changed."""
        ...

    async def clear(self) -> None:
        """Forget everything that only this process keeps; what is shared with others stays."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """`codes` changed. `missed`: signals may have been lost, so that anything may have changed."""

    codes: Sequence[DossierCode] = ()
    missed: bool = False


class Signals(Protocol):
    """What one gateway found out, told to all of them. A help, not the truth: who hears nothing tells what it keeps
    for as long as a fresh answer may be told at all.
    """

    async def publish(self, codes: Sequence[DossierCode]) -> None:
        """These changed. Never raises; signals that cannot be sent are lost."""
        ...

    def listen(self) -> AsyncGenerator[Signal, None]:
        """Every signal from now on, our own too, for ever. The first is `missed`, and so is the first after each
        interruption.
        """
        ...
