"""The one-stop systems of the settings: each an adapter, with what decides when it is asked and what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.rest import RestDossierSource
from adapters.onestop.rest_login import Credentials
from adapters.onestop.rest_mapping import load_rest_mapping
from adapters.onestop.sql import SqlDossierSource
from channels.base import Health
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.codes import CodeFamily
from domain.errors import GatewayError, SettingsError
from domain.proof import Sealer
from gateway.bootstrap.words import read_words
from gateway.http import Check
from gateway.metrics import Metrics
from gateway.settings import Settings, SourceSettings
from gateway.source_command import Inspection, ListedSource
from lookup.limits import SourceLimits
from lookup.ports import DossierSource
from lookup.retry import RetryPolicy
from lookup.routing import RoutedSource, Router

HTTP = ("https", "http")
ONLY_OVER_HTTP = ("username", "password", "token", "login_url", "max_body_bytes", "networks")
INSPECT_WITHIN = 60.0  # seconds for one source: an operator waits, and a state column may not be indexed

Count = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A one-stop system with what decides when it is asked."""

    adapter: DossierSource
    routed: RoutedSource

    async def check(self) -> Health:
        """It can be read now."""
        return Health(ok=True, detail=await self.adapter.check())


def make_sealer(settings: Settings) -> Sealer | None:
    """What seals and compares proofs; None: the installation has no key, and nothing can be proved.

    Raises:
        SettingsError: a proof is required, and nobody could give one.
    """
    chosen = settings.disclosure
    if chosen.proof_key is None:
        if chosen.proof_required:
            raise SettingsError("disclosure.proof_required: without disclosure.proof_key nobody can prove anything")
        return None
    return Sealer(chosen.proof_key.get_secret_value().encode())


def make_sources(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack, sealer: Sealer | None
) -> Sequence[Source]:
    """All of them; nothing is connected yet."""
    sources = [make_source(each, partial(_count, metrics), sealer) for each in settings.sources]
    for source in sources:
        stack.push_async_callback(source.adapter.close)
    return sources


def make_source(settings: SourceSettings, count: Count, sealer: Sealer | None) -> Source:
    """One one-stop system; what its mapping says of agencies holds unless the settings say otherwise.

    Raises:
        SettingsError: its mapping, its address or what logs in there is wrong.
    """
    make = _http if asked_over_http(settings) else _database
    adapter, prefixes, default = make(settings, count, sealer)
    routed = RoutedSource(
        source=adapter,
        prefixes=prefixes if settings.prefixes is None else settings.prefixes,
        default=default if settings.default is None else settings.default,
        families=tuple(CodeFamily(family) for family in sorted(settings.families)),
        patterns=settings.patterns,
        passes_to=settings.passes_to,
        limits=_limits(settings),
    )
    return Source(adapter=adapter, routed=routed)


def asked_over_http(settings: SourceSettings) -> bool:
    """It is asked over HTTP, and is no database."""
    return settings.url.get_secret_value().partition("://")[0] in HTTP


def read_database_mapping(settings: SourceSettings) -> SourceMapping:
    """The mapping of a database.

    Raises:
        SettingsError: it is wrong; every fault on a line of its own.
    """
    return load_mapping(_text(settings.mapping), str(settings.mapping))


_Made = tuple[DossierSource, tuple[str, ...], bool]


def _database(settings: SourceSettings, count: Count, sealer: Sealer | None) -> _Made:
    _refuse_settings_of_http(settings)
    mapping = read_database_mapping(settings)
    adapter = SqlDossierSource(
        mapping,
        settings.url.get_secret_value(),
        name=settings.name,
        connections=settings.connections,
        time_limit=settings.timeout_s,
        count=count,
        sealer=sealer,
    )
    return adapter, mapping.prefixes, mapping.default


def _http(settings: SourceSettings, count: Count, sealer: Sealer | None) -> _Made:
    mapping = load_rest_mapping(_text(settings.mapping), str(settings.mapping))
    adapter = RestDossierSource(
        mapping,
        settings.url.get_secret_value(),
        name=settings.name,
        credentials=_credentials(settings),
        connections=settings.connections,
        time_limit=settings.timeout_s,
        size_limit=settings.max_body_bytes,
        networks=[str(network) for network in settings.networks],
        count=count,
        sealer=sealer,
    )
    return adapter, mapping.prefixes, mapping.default


def _text(mapping: Path) -> str:
    """Some editors put a byte order mark before the text."""
    return mapping.read_text(encoding="utf-8-sig")


def _refuse_settings_of_http(settings: SourceSettings) -> None:
    known = SourceSettings.model_fields
    given = [name for name in ONLY_OVER_HTTP if getattr(settings, name) != known[name].default]
    if given:
        raise SettingsError(
            f"source {settings.name}: {', '.join(given)}: for systems asked over HTTP; a database's account stands in url"
        )


def _credentials(settings: SourceSettings) -> Credentials:
    return Credentials(
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else "",
        token=settings.token.get_secret_value() if settings.token else "",
        login_url=settings.login_url,
    )


def _limits(settings: SourceSettings) -> SourceLimits:
    return SourceLimits(
        time_limit=settings.timeout_s,
        in_flight=settings.connections,
        retry=RetryPolicy(attempts=settings.attempts),
        breaker_failures=settings.breaker_failures,
        breaker_pause=settings.breaker_pause_s,
    )


def _count(metrics: Metrics, event: str, name: str) -> None:
    metrics.lookup(event, name)
    if event == "status_unmapped":
        metrics.status_unmapped(name)


def source_checks(sources: Sequence[Source]) -> dict[str, Check]:
    """A check for each, by the name an operator reads."""
    return {f"source {source.adapter.name}": source.check for source in sources}


# ---- `tracuu source`


def list_sources(settings: Settings) -> Sequence[ListedSource]:
    """The systems as they are routed; nothing is connected.

    Raises:
        SettingsError: a mapping is wrong, or the systems do not go together.
    """
    sources = [make_source(each, _uncounted, make_sealer(settings)) for each in settings.sources]
    Router([source.routed for source in sources])
    return [
        ListedSource(
            settings=each,
            prefixes=source.routed.prefixes,
            default=source.routed.default,
        )
        for each, source in zip(settings.sources, sources, strict=True)
    ]


async def inspect_sources(settings: Settings, names: Sequence[str]) -> Sequence[Inspection]:
    """What each of these holds (all of them when none is named), one behind the other: it is work for them.

    Raises:
        SettingsError: a mapping or an address is wrong.
    """
    sealer, agencies = make_sealer(settings), read_words(settings).agencies
    chosen = [make_source(each, _uncounted, sealer) for each in settings.sources if not names or each.name in names]
    try:
        return [await _inspect(source.adapter, agencies) for source in chosen]
    finally:
        for source in chosen:
            await source.adapter.close()


async def _inspect(adapter: DossierSource, agencies: Agencies) -> Inspection:
    try:
        async with asyncio.timeout(INSPECT_WITHIN):
            report = await adapter.inspect()
    except GatewayError as failure:
        return Inspection(name=adapter.name, failure=str(failure))
    except TimeoutError:
        return Inspection(name=adapter.name, failure=f"no report within {INSPECT_WITHIN:g} s")
    today = local_day(datetime.now(UTC))
    answering = {name: agency.short_name for name in report.agencies if (agency := agencies.answering(name, today))}
    return Inspection(name=adapter.name, report=report, answering=answering)


def _uncounted(event: str, name: str) -> None:
    """A command counts nothing."""
