"""Look-up over every configured one-stop system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.onestop.mapping import load_mapping
from adapters.onestop.sql import SqlDossierSource
from channels.base import Health
from gateway.http import Check
from gateway.metrics import Metrics
from gateway.settings import Settings, SourceSettings
from lookup.ports import StatusCache
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A one-stop system with what decides when it is asked."""

    adapter: SqlDossierSource
    routed: RoutedSource

    async def check(self) -> Health:
        """It can be read now."""
        return Health(ok=True, detail=await self.adapter.check())


def make_sources(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Sequence[Source]:
    """All of them; nothing is connected yet."""
    sources = [make_source(each, metrics) for each in settings.sources]
    for source in sources:
        stack.push_async_callback(source.adapter.close)
    return sources


def make_source(settings: SourceSettings, metrics: Metrics) -> Source:
    """One one-stop system; what its mapping says of agencies holds unless the settings say otherwise."""
    mapping = load_mapping(settings.mapping.read_text(encoding="utf-8"), str(settings.mapping))
    adapter = SqlDossierSource(
        mapping,
        settings.url.get_secret_value(),
        name=settings.name,
        connections=settings.connections,
        time_limit=settings.timeout_s,
        count=lambda event, name: _count_source(metrics, event, name),
    )
    routed = RoutedSource(
        source=adapter,
        prefixes=mapping.prefixes if settings.prefixes is None else settings.prefixes,
        default=mapping.default if settings.default is None else settings.default,
    )
    return Source(adapter=adapter, routed=routed)


def _count_source(metrics: Metrics, event: str, name: str) -> None:
    metrics.lookup(event, name)
    if event == "status_unmapped":
        metrics.status_unmapped(name)


def source_checks(sources: Sequence[Source]) -> dict[str, Check]:
    """A check for each, by the name an operator reads."""
    return {f"source {source.adapter.name}": source.check for source in sources}


def make_lookups(
    settings: Settings,
    sources: Sequence[Source],
    cache: StatusCache,
    clock: Callable[[], datetime],
    metrics: Metrics,
    stack: AsyncExitStack,
) -> LookupService:
    """The one look-up of the process; `stack` closes it."""
    service = LookupService(
        router=Router([source.routed for source in sources]),
        cache=cache,
        clock=clock,
        settings=lookup_settings(settings),
        count=metrics.lookup,
    )
    stack.push_async_callback(service.close)
    return service


def lookup_settings(settings: Settings) -> LookupSettings:
    """The look-up's part of the settings, in its own words."""
    chosen = settings.lookup
    return LookupSettings(
        fresh_for=timedelta(seconds=chosen.fresh_s),
        not_found_for=timedelta(seconds=chosen.not_found_s),
        stale_for=timedelta(seconds=chosen.stale_s),
        time_limit=max(source.timeout_s for source in settings.sources),
        largest_batch=chosen.batch_size,
    )
