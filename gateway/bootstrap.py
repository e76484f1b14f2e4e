"""Makes the process out of its parts: the one place that names concrete channels and adapters."""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from adapters.memory.budgets import MemoryBudgets
from adapters.memory.cache import MemoryStatusCache
from adapters.onestop.mapping import load_mapping
from adapters.onestop.sql import SqlDossierSource
from adapters.redis.cache import RedisStatusCache
from adapters.redis.client import connect
from adapters.store.migrate import sqlite_url, upgrade
from adapters.store.plan import Rules
from adapters.store.sqlite import SqliteSettings, SqliteStore
from channels.base import Channel, Health, RouteDef
from channels.sms.account import SmppAccount
from channels.sms.channel import SmsChannel
from channels.sms.numbers import normalise
from channels.web.api import WebApi
from channels.web.asking import Ask, Asker
from channels.web.pages import LookUpPage
from channels.web.telling import Teller
from conversation.answer import Conversation, ConversationSettings
from conversation.guards import Guards
from conversation.guards import GuardSettings as GuardRules
from conversation.ports import Limit
from conversation.questions import Questions
from conversation.redelivery import is_redelivery
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.errors import SettingsError
from domain.grammar import Grammar
from domain.ids import IdSequence
from domain.questions import Question, QuestionAnswer
from domain.replies import ReplyWriter
from gateway.dispatcher import Dispatcher, DispatcherSettings
from gateway.http import Check, HttpListener, make_app, operations_routes, public_routes
from gateway.metrics import Metrics
from gateway.settings import RateLimit, Settings, SmsSettings, SourceSettings
from gateway.supervisor import OnCrash, Part, Supervisor
from lookup.cache import TwoLevelCache
from lookup.ports import StatusCache
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings
from notifications.retry import after_send

log = structlog.get_logger()

OWNER_BITS = 63
COLLECT_AFTER = (50_000, 20, 100)  # allocations, then generations; Python's 700 suits small programs


def utc_now() -> datetime:
    """The one clock of the process."""
    return datetime.now(UTC)


def migrate(settings: Settings) -> None:
    """Bring the store's schema up to date; nothing else is started."""
    settings.database.path.parent.mkdir(parents=True, exist_ok=True)
    upgrade(sqlite_url(settings.database.path))


async def serve(settings: Settings) -> int:
    """Run the gateway until it is told to stop; returns the exit code.

    Raises:
        GatewayError: it could not start.
    """
    async with AsyncExitStack() as stack:
        words = read_words(settings)
        store = await open_store(settings, stack)
        metrics = Metrics()
        lookups, checks = make_lookups(settings, metrics, stack)
        guards = Guards(MemoryBudgets(time.monotonic), guard_rules(settings))
        conversation = make_conversation(settings, words, store, lookups, guards)
        new_id = make_ids(store)
        channels = [SmsChannel(smpp_account(account), new_id=new_id, clock=utc_now) for account in settings.sms]
        dispatcher = make_dispatcher(settings, conversation, store, channels, new_id, metrics)
        waiting = Waiting(store)
        read_figures(metrics, dispatcher, channels, waiting)
        questions = Questions(lookups=lookups, guards=guards, clock=utc_now)
        routes = web_routes(settings, words, counted(questions.ask, metrics))
        supervisor = make_supervisor(settings, dispatcher, channels, metrics, checks, waiting, routes)
        spare_the_collector()
        return int(await supervisor.run())


def spare_the_collector() -> None:
    """What was loaded stays: without this, Python's collector walks all of it again and again under load (a third of
    the CPU of an answer, and stalls of 100 ms).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


# ---- words: what is read from files once


@dataclass(frozen=True, slots=True)
class Words:
    """What the gateway says, understands and knows by heart."""

    catalogue: Catalogue
    grammar: Grammar
    agencies: Agencies


def read_words(settings: Settings) -> Words:
    """Texts, grammar and agencies.

    Raises:
        SettingsError: a file does not hold what it should; every fault of it.
    """
    default = settings.replies.default_language
    languages = sorted(
        (path.stem for path in settings.texts.path.glob("*.toml")), key=lambda name: (name != default, name)
    )
    texts = {language: read_toml(settings.texts.path / f"{language}.toml") for language in languages}
    agencies = read_toml(settings.agencies.path)
    return Words(
        catalogue=_checked(settings.texts.path, lambda: Catalogue.from_mapping(texts)),
        grammar=_checked(settings.texts.grammar, lambda: Grammar.from_mapping(read_toml(settings.texts.grammar))),
        agencies=_checked(settings.agencies.path, lambda: Agencies.from_mapping(agencies)),
    )


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain values.

    Raises:
        SettingsError: it cannot be read; names the file and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _checked(path: Path, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever `make` makes
    try:
        return make()
    except ValueError as error:
        raise SettingsError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


# ---- store, look-up, conversation


async def open_store(settings: Settings, stack: AsyncExitStack) -> SqliteStore:
    """Our own database, open."""
    path = settings.database.path
    path.parent.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(
        path,
        owner=secrets.randbits(OWNER_BITS),
        clock=utc_now,
        rules=Rules(is_redelivery=is_redelivery, after_send=after_send),
        settings=SqliteSettings(busy_timeout=settings.database.busy_timeout_s),
    )
    await store.open()
    stack.push_async_callback(store.close)
    return store


def make_ids(store: SqliteStore) -> Callable[[], int]:
    """Ids of this process; the store is open."""
    sequence = IdSequence(store.process_number())
    return lambda: sequence.next(time.time_ns() // 1_000_000)


def make_lookups(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> tuple[LookupService, dict[str, Check]]:
    """Look-up over every configured source, and a check for each dependency."""
    checks: dict[str, Check] = {}
    routed = []
    for each in settings.sources:
        route = make_source(each, metrics)
        routed.append(route)
        stack.push_async_callback(route.source.close)  # type: ignore[attr-defined] # made three lines above
        checks[f"source {each.name}"] = _source_check(route)
    service = LookupService(
        router=Router(routed),
        cache=make_cache(settings, checks, stack),
        clock=utc_now,
        settings=lookup_settings(settings),
        count=metrics.lookup,
    )
    stack.push_async_callback(service.close)
    return service, checks


def make_source(settings: SourceSettings, metrics: Metrics) -> RoutedSource:
    """One one-stop system; what its mapping says of agencies holds unless the settings say otherwise."""
    mapping = load_mapping(settings.mapping.read_text(encoding="utf-8"), str(settings.mapping))
    source = SqlDossierSource(
        mapping,
        settings.url.get_secret_value(),
        name=settings.name,
        connections=settings.connections,
        time_limit=settings.timeout_s,
        count=lambda event, name: _count_source(metrics, event, name),
    )
    return RoutedSource(
        source=source,
        prefixes=mapping.prefixes if settings.prefixes is None else settings.prefixes,
        default=mapping.default if settings.default is None else settings.default,
    )


def _count_source(metrics: Metrics, event: str, name: str) -> None:
    metrics.lookup(event, name)
    if event == "status_unmapped":
        metrics.status_unmapped(name)


def _source_check(route: RoutedSource) -> Check:
    async def check() -> Health:
        return Health(ok=True, detail=await route.source.check())

    return check


def make_cache(settings: Settings, checks: dict[str, Check], stack: AsyncExitStack) -> StatusCache:
    """The process's own cache, before a Redis where one is configured."""
    near = MemoryStatusCache(utc_now, size=settings.lookup.cache_entries)
    url = settings.redis.url
    if url is None:
        log.info("cache.chosen", kind="memory")
        return near
    client = connect(url.get_secret_value(), time_limit=settings.redis.timeout_s)
    stack.push_async_callback(client.aclose)
    far = RedisStatusCache(client, utc_now, prefix=settings.redis.prefix, time_limit=settings.redis.timeout_s)

    async def check() -> Health:
        ok = await far.check()
        return Health(ok=ok, detail="" if ok else "away; the process's own cache and the sources answer")

    checks["redis"] = check
    log.info("cache.chosen", kind="redis")
    cache = TwoLevelCache(near, far, utc_now)
    stack.push_async_callback(cache.close)
    return cache


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


def guard_rules(settings: Settings) -> GuardRules:
    """The guards' part of the settings; our own short codes are never answered."""
    own = [*settings.guards.own_numbers, *(account.short_code for account in settings.sms)]
    return GuardRules(
        replies=_limits(settings.guards.replies_per_sender),
        questions_per_address=_limits(settings.guards.questions_per_address),
        own_numbers=frozenset(normalise(number) for number in own),
    )


def _limits(limits: Sequence[RateLimit]) -> tuple[Limit, ...]:
    return tuple(Limit(limit.count, limit.seconds) for limit in limits)


def make_conversation(
    settings: Settings, words: Words, store: SqliteStore, lookups: LookupService, guards: Guards
) -> Conversation:
    """The one conversation of all channels."""
    replies = settings.replies
    writer = ReplyWriter(words.catalogue, words.agencies, stale_after=timedelta(minutes=replies.stale_after_minutes))
    return Conversation(
        lookups=lookups,
        people=store,
        guards=guards,
        writer=writer,
        grammar=words.grammar,
        clock=utc_now,
        settings=ConversationSettings(
            language=replies.default_language,
            codes_per_reply=replies.max_codes,
            question_open_for=timedelta(minutes=replies.question_minutes),
        ),
    )


# ---- channels and pumps


def smpp_account(settings: SmsSettings) -> SmppAccount:
    """An SMSC account in the channel's own words: the same names, the secret revealed."""
    fields = SmppAccount.__dataclass_fields__.keys() - {"password"}
    values = {name: getattr(settings, name) for name in fields if name in type(settings).model_fields}
    return SmppAccount(**values, password=settings.password.get_secret_value())


def make_dispatcher(
    settings: Settings,
    conversation: Conversation,
    store: SqliteStore,
    channels: Sequence[Channel],
    new_id: Callable[[], int],
    metrics: Metrics,
) -> Dispatcher:
    """The pumps of the walk."""
    budgets = settings.gateway.answer_budgets
    return Dispatcher(
        conversation=conversation,
        journal=store,
        outbox=store,
        channels=channels,
        new_id=new_id,
        clock=utc_now,
        metrics=metrics,
        settings=DispatcherSettings(
            answer_budgets={"sms": budgets.sms_ms / 1000},
            default_budget=budgets.chat_ms / 1000,
            source_down_after=settings.gateway.source_down_after_s,
            most_in_flight=settings.gateway.max_in_flight,
        ),
    )


def make_supervisor(
    settings: Settings,
    dispatcher: Dispatcher,
    channels: Sequence[Channel],
    metrics: Metrics,
    checks: dict[str, Check],
    waiting: Waiting,
    routes: Sequence[RouteDef],
) -> Supervisor:
    """The parts in their order. Stopped in reverse: what is under way is finished before the channels say goodbye."""
    listen = settings.listen
    supervisor = Supervisor([], drain_timeout_s=settings.gateway.drain_timeout_s)
    checks = {"process": supervisor.health, "store": waiting.health, **checks}
    checks |= {f"{channel.name} {channel.account}": channel.health for channel in channels}
    public_app = make_app(public_routes(routes), max_body_bytes=settings.web.max_body_bytes)
    public = HttpListener("public", public_app, listen.public.host, listen.public.port)
    operations_app = make_app(operations_routes(checks, metrics))
    operations = HttpListener("operations", operations_app, listen.operations.host, listen.operations.port)
    supervisor.parts = [
        *(_channel_part(channel, dispatcher) for channel in channels),
        Part(name="dispatcher", run=dispatcher.run, drain=dispatcher.drain, on_crash=OnCrash.END),
        Part(name="outbox depth", run=waiting.run),
        *(Part(name=each.name, start=each.start, close=each.close) for each in (public, operations)),
    ]
    return supervisor


def _channel_part(channel: Channel, dispatcher: Dispatcher) -> Part:
    async def run() -> None:
        await channel.run(dispatcher)

    return Part(name=f"{channel.name} {channel.account}", run=run, drain=channel.drain, channel=True)


def web_routes(settings: Settings, words: Words, ask: Ask) -> list[RouteDef]:
    """The look-up page and the API."""
    asker = Asker(ask)
    teller = Teller(words.catalogue, words.agencies)
    trusted = settings.web.trusted_proxies
    api = WebApi(asker=asker, teller=teller, clock=utc_now, trusted=trusted)
    page = LookUpPage(asker=asker, teller=teller, clock=utc_now, trusted=trusted)
    return [*api.routes(), *page.routes()]


def counted(ask: Ask, metrics: Metrics) -> Ask:
    """The same, with every question counted by how it ended."""

    async def awaited(answer: Awaitable[QuestionAnswer]) -> QuestionAnswer:
        told = await answer
        metrics.question(told.outcome)
        return told

    async def ask_and_count(questions: Sequence[Question]) -> Sequence[QuestionAnswer | Awaitable[QuestionAnswer]]:
        answers = await ask(questions)
        at_once = [answer.outcome for answer in answers if isinstance(answer, QuestionAnswer)]
        for outcome, count in Counter(at_once).items():
            metrics.question(outcome, count)
        return [answer if isinstance(answer, QuestionAnswer) else awaited(answer) for answer in answers]

    return ask_and_count


# ---- figures read by /metrics and /readyz


class Waiting:
    """How many rows wait in the outbox, read now and then: /metrics must not wait for the store."""

    def __init__(self, store: SqliteStore, *, every: float = 5.0) -> None:
        self._store = store
        self._every = every
        self.depth: Mapping[str, int] = {}

    async def run(self) -> None:
        """Read until cancelled; a store that is away crashes this part, which the supervisor starts again."""
        while True:
            self.depth = await self._store.depth()
            await asyncio.sleep(self._every)

    async def health(self) -> Health:
        """The store answers a read now."""
        depth = await self._store.depth()
        return Health(ok=True, detail=f"{sum(depth.values())} waiting")


def read_figures(metrics: Metrics, dispatcher: Dispatcher, channels: Sequence[SmsChannel], waiting: Waiting) -> None:
    """Bind the figures that are read when somebody asks."""
    metrics.read("in_flight", lambda: {(): dispatcher.in_flight})
    metrics.read("queued", lambda: {(account,): count for account, count in dispatcher.queued().items()})
    metrics.read("waiting", lambda: {(account,): count for account, count in waiting.depth.items()})
    metrics.read("bound", lambda: {(channel.account,): int(channel.ready) for channel in channels})
    metrics.read(
        "sms_events",
        lambda: {
            (channel.account, event): count for channel in channels for event, count in asdict(channel.counters).items()
        },
    )
