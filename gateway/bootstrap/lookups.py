"""Look-up over every configured one-stop system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from gateway.bootstrap.sources import Source
from gateway.metrics import Metrics
from gateway.settings import Settings
from lookup.ports import StatusCache
from lookup.routing import Router
from lookup.service import LookupService, LookupSettings


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
        timed=metrics.source_read,
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
        hedge_after=chosen.hedge_after_s,
        largest_batch=chosen.batch_size,
    )
