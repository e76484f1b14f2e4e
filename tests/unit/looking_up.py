"""A look-up with everything around it, for tests: one-stop systems in dictionaries, a clock that is set."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.memory.cache import MemoryStatusCache
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.errors import SourceIncomplete
from lookup.limits import SourceLimits
from lookup.ports import DossierSource, SourceReport, StatusCache
from lookup.retry import RetryPolicy
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings

NO_RETRY = RetryPolicy(attempts=1)
ONE_TRY = SourceLimits(retry=NO_RETRY)
SETTINGS = LookupSettings()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def code(text: str, agency: str | None = None) -> DossierCode:
    return DossierCode(text=text, agency=text.partition("-")[0] if agency is None else agency)


@dataclass
class FakeSource:
    """A one-stop system in two dictionaries; `failure` is raised while it is set, `gate` holds reads back. The codes in
    `poison` cannot be read.
    """

    name: str = "h51"
    states: dict[str, DossierStatus] = field(default_factory=dict)
    failure: Exception | None = None
    failures_left: int = -1
    gate: asyncio.Event | None = None
    reads: list[list[str]] = field(default_factory=list)
    dossiers: dict[str, Dossier] = field(default_factory=dict)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    largest_read: int = 200
    poison: set[str] = field(default_factory=set)

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        self.reads.append([each.text for each in codes])
        self.asked.set()
        states = dict(self.states)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None and self.failures_left != 0:
            self.failures_left -= 1
            raise self.failure
        known = {
            each: Dossier(code=each, source=self.name, status=states[each.text], agency=each.agency)
            for each in codes
            if each.text in states
        }
        full = {each: replace(self.dossiers[each.text], code=each) for each in codes if each.text in self.dossiers}
        failed = frozenset(each for each in codes if each.text in self.poison)
        if failed:
            told = {each: dossier for each, dossier in (known | full).items() if each not in failed}
            raise SourceIncomplete(f"{self.name}: some could not be read", found=told, failed=failed)
        return known | full

    async def check(self) -> str:
        return "ok"

    async def inspect(self) -> SourceReport:
        return SourceReport(source=self.name, system="a dictionary", place="memory")

    async def close(self) -> None:
        pass


@dataclass
class Desk:
    """A service with everything around it; `limits` are those of `source`."""

    source: FakeSource = field(default_factory=FakeSource)
    clock: Clock = field(default_factory=Clock)
    settings: LookupSettings = SETTINGS
    limits: SourceLimits = ONE_TRY
    sources: tuple[RoutedSource, ...] = ()
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    timed: list[tuple[str, float]] = field(default_factory=list)
    cache: StatusCache | None = None

    def __post_init__(self) -> None:
        asked = self.sources or (routed(self.source, prefixes=("H51",), default=True, limits=self.limits),)
        self.service = LookupService(
            router=Router(asked),
            cache=self.cache or MemoryStatusCache(self.clock),
            clock=self.clock,
            settings=self.settings,
            count=self.count,
            timed=lambda source, seconds: self.timed.append((source, seconds)),
            monotonic=self.clock.monotonic,
        )

    def count(self, event: str, source: str) -> None:
        self.counted[event, source] += 1

    async def answer(self, wanted: DossierCode) -> DossierAnswer:
        return (await self.service.find([wanted]))[wanted]

    async def outcome(self, wanted: DossierCode) -> Outcome:
        return (await self.answer(wanted)).outcome


KNOWN = code("H51.18-210817-0005")
UNKNOWN = code("H51.18-210817-0006")
NATIONAL = code("G09.20-20260609-0092637")


def routed(source: DossierSource, *, limits: SourceLimits = ONE_TRY, **more: Any) -> RoutedSource:
    """A source that is asked once."""
    return RoutedSource(source=source, limits=limits, **more)


def desk(**options: object) -> Desk:
    return Desk(source=FakeSource(states={KNOWN.text: DossierStatus.IN_PROCESS}, **options))  # type: ignore[arg-type]


def told(answer: DossierAnswer) -> Dossier:
    """Its dossier, which there must be."""
    assert answer.dossier is not None
    return answer.dossier


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
