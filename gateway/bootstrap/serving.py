"""The process: its parts by its roles, in their order, under one supervisor."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from channels.base import Channel, RouteDef
from channels.web.paths import UPLOADS
from channels.web.sites import FLUSH_EVERY, REFRESH_EVERY, Sites
from conversation.answer import Offers
from conversation.guards import Guards
from gateway.bootstrap.broadcasts import make_broadcasting
from gateway.bootstrap.channels import Channels, make_channels, make_pictures, read_counters
from gateway.bootstrap.console import Console, ConsoleParts, make_console
from gateway.bootstrap.filing import make_filing, sweep_files
from gateway.bootstrap.hooks import hook_routes
from gateway.bootstrap.intake import Intake, make_intake
from gateway.bootstrap.intake_files import LOOK_EVERY, FilesRoom, tidy_intake
from gateway.bootstrap.lookups import make_lookups
from gateway.bootstrap.notices import Telling, make_telling
from gateway.bootstrap.numbers import make_codes
from gateway.bootstrap.routing import make_routing
from gateway.bootstrap.shared import make_shared
from gateway.bootstrap.sources import make_sealer, make_sources, source_checks
from gateway.bootstrap.store import OpenStore, make_ids, open_store
from gateway.bootstrap.surroundings import ProcessSurroundings
from gateway.bootstrap.talking import (
    guard_rules,
    make_conversation,
    make_disclosure,
    make_dispatcher,
    make_questions,
    make_writer,
)
from gateway.bootstrap.upkeep import (
    DEPTH_EVERY,
    REPORTS_EVERY,
    TIDY_EVERY,
    Upkeep,
    Waiting,
    expire_unserved,
    follow,
    match_reports,
    tidy,
)
from gateway.bootstrap.watching import make_watchers
from gateway.bootstrap.web import WebParts, make_web
from gateway.bootstrap.words import read_words
from gateway.bootstrap.work import make_work_desk
from gateway.dispatcher import Dispatcher
from gateway.http import Check, HttpListener, Lost, make_app, operations_routes, public_routes
from gateway.leases import Lease, LeaseKeeper, health_of, while_held
from gateway.metrics import Metrics
from gateway.roles import Duties, Role
from gateway.settings import Settings
from gateway.supervisor import OnCrash, Part, Supervisor
from gateway.version import installed_version
from lookup.signals import Changes
from notifications.broadcasting import EVERY as BROADCASTS_EVERY
from notifications.broadcasting import Broadcasting
from notifications.stoppages import Stoppages
from notifications.watcher import SourceWatcher

log = structlog.get_logger()

COLLECT_AFTER = (50_000, 20, 100)  # allocations, then generations; Python's 700 suits small programs
SIGNS_IN_A_LEASE = 3
DELIVERY_LEASE = "delivery"
DELIVERY_EVERY = 5.0  # seconds
FIGURES_EVERY = 5.0  # seconds between two readings of what the console's screen of health shows
WITH_FILES = frozenset({Role.WEB, Role.CONSOLE, Role.DELIVERY})  # the roles that touch files people hand in
CALENDAR_EVERY = 30.0  # seconds between looks at what the clock brings: reminders, stoppages


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the parts of the process are made of."""

    settings: Settings
    duties: Duties
    opened: OpenStore
    metrics: Metrics
    dispatcher: Dispatcher
    channels: Channels  # all of them
    held: Sequence[Channel]  # those this process may hold
    keeper: LeaseKeeper
    changes: Changes
    stoppages: Stoppages
    telling: Telling | None
    broadcasting: Broadcasting | None
    watchers: Sequence[SourceWatcher]
    sites: Sites
    intake: Intake | None
    console: Console | None  # where it is among our roles
    lost: Lost
    routes: Sequence[RouteDef]
    checks: dict[str, Check]


async def serve(settings: Settings, duties: Duties) -> int:
    """Run the gateway, or the part of it that `duties` say, until it is told to stop; returns the exit code.

    Raises:
        GatewayError: it could not start.
    """
    async with AsyncExitStack() as stack:
        made = await make(settings, duties, stack)
        supervisor = make_supervisor(made)
        spare_the_collector()
        return int(await supervisor.run())


async def make(settings: Settings, duties: Duties, stack: AsyncExitStack) -> Made:
    """Everything, wired and not yet running; `stack` gives it back.

    Raises:
        GatewayError: something cannot be made; the settings or the store.
    """
    words = read_words(settings)
    opened = await open_store(settings, stack)
    clock, metrics = opened.clock, Metrics()
    shared = make_shared(settings, clock, stack)
    sealer = make_sealer(settings)
    sources = make_sources(settings, metrics, stack, sealer)
    lookups = make_lookups(settings, sources, shared.cache, clock, metrics, stack)
    guards = Guards(shared.budgets, guard_rules(settings), count=metrics.guard)
    disclosure = make_disclosure(settings, sealer)
    notices, routing = opened.store.notices(), make_routing(settings, opened.store.last_accounts())
    stoppages = Stoppages(notices=notices, clock=clock)
    writer = make_writer(settings, words, stoppages.announced)
    new_id = make_ids(opened)
    channels = make_channels(settings, words.catalogue, opened, new_id, stack)
    questions = make_questions(settings, words, opened, lookups, guards, disclosure)
    codes = make_codes(
        settings,
        opened=opened,
        budgets=shared.budgets,
        guards=guards,
        writer=writer,
        routing=routing,
        channels=channels.sms,
        new_id=new_id,
    )
    conversation = make_conversation(
        settings,
        words,
        opened,
        lookups=lookups,
        guards=guards,
        disclosure=disclosure,
        writer=writer,
        offers=Offers(
            procedures=words.procedures,
            pictures=make_pictures(channels, stack),
            joining=None if codes is None else codes.joining(),
        ),
    )
    desk = None if codes is None else codes.desk(questions, lookups, disclosure)
    changes = Changes(shared.signals, lookups)
    intake = make_intake(settings, words, opened, announce=changes, new_id=new_id)
    legacy = words.agencies.legacy_patterns()
    telling = make_telling(
        settings,
        words,
        notices=notices,
        outbox=opened.store,
        stoppages=stoppages,
        routing=routing,
        channels=channels.all,
        clock=clock,
        new_id=new_id,
    )
    watchers: Sequence[SourceWatcher] = ()
    if telling is not None and Role.WATCH in duties.roles:
        watchers = make_watchers(
            settings,
            notices=notices,
            planner=telling.planner,
            freshness=changes,
            routing=routing,
            legacy=legacy,
            clock=clock,
            new_id=new_id,
            metrics=metrics,
            stack=stack,
        )
    sites = Sites(opened.store.sites(), clock)
    public = make_web(
        WebParts(
            settings=settings,
            words=words,
            questions=questions,
            metrics=metrics,
            clock=clock,
            announced=stoppages.announced,
            desk=desk,
            work=make_work_desk(settings, shared.budgets, clock),
            sites=sites,
            telegram=channels.telegram,
            filing=make_filing(settings, words, intake, codes, shared.budgets, new_id=new_id, clock=clock),
        )
    )
    broadcasting = None
    if channels.all and Role.DELIVERY in duties.roles:
        broadcasting = make_broadcasting(
            settings,
            words,
            opened=opened,
            routing=routing,
            channels=channels.all,
            new_id=new_id,
            figures=metrics,
            stack=stack,
        )
    console = None
    if Role.CONSOLE in duties.roles:
        console = make_console(
            ConsoleParts(
                settings=settings,
                words=words,
                opened=opened,
                budgets=shared.budgets,
                channels=channels.all,
                surroundings=ProcessSurroundings(
                    number=opened.store.process_number(),
                    channels=channels.all,
                    held=duties.accounts,
                    sources=sources,
                    watchers=watchers,
                    paused=lookups.paused,
                    clock=clock,
                    monotonic=time.monotonic,
                ),
                new_id=new_id,
                intake=intake,
            ),
            stack,
        )
    await introduce(opened, duties)
    return Made(
        settings=settings,
        duties=duties,
        opened=opened,
        metrics=metrics,
        dispatcher=make_dispatcher(settings, conversation, opened, channels.all, new_id, metrics),
        channels=channels,
        held=[channel for channel in channels.all if channel.account in duties.accounts],
        keeper=LeaseKeeper(
            opened.store.leases(),
            length=timedelta(seconds=settings.gateway.lease_s),
            alone=not settings.database.shared,
        ),
        changes=changes,
        stoppages=stoppages,
        telling=telling,
        broadcasting=broadcasting,
        watchers=watchers,
        sites=sites,
        intake=intake,
        console=console,
        lost=public.lost,
        routes=[
            *public.routes,
            *(route for channel in channels.chats for route in channel.routes()),
            *hook_routes(settings, notices, clock, legacy, metrics, partial(poke, watchers)),
        ],
        checks=source_checks(sources) | ({"redis": shared.check} if shared.check else {}),
    )


def poke(watchers: Sequence[SourceWatcher], source: str) -> None:
    """Somebody told of changes in a source; in another process its watcher looks by itself within a second."""
    for watcher in watchers:
        if watcher.name == source:
            watcher.poke()


async def introduce(opened: OpenStore, duties: Duties) -> None:
    """Say in the store who we are, for `tracuu status`."""
    host, version, roles = socket.gethostname(), installed_version() or "checkout", duties.named
    log.info("process.duties", roles=roles, accounts=sorted(duties.accounts), process=opened.store.process_number())
    await opened.store.leases().introduce(host=host, pid=os.getpid(), version=version, roles=roles)


def spare_the_collector() -> None:
    """What was loaded stays: without this, Python's collector walks all of it again and again under load (a third of
    the CPU of an answer, and stalls of 100 ms).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


# ---- the parts


def make_supervisor(made: Made) -> Supervisor:
    """The parts in their order. Stopped in reverse: what is under way is finished before the channels say goodbye, and
    only then is what we held given to whoever waits for it.
    """
    supervisor = Supervisor([], drain_timeout_s=made.settings.gateway.drain_timeout_s)
    waiting = Waiting(made.opened.store)
    leases = {each.account: made.keeper.want(f"{each.name} {each.account}") for each in made.held}
    read_figures(made, waiting)
    checks = {"process": supervisor.health, "store": waiting.health, "journal": made.dispatcher.health, **made.checks}
    checks |= {f"{each.name} {each.account}": health_of(each, leases[each.account]) for each in made.held}
    room = _files_room(made)
    if room is not None:
        checks["files"] = room.health
        made.metrics.read("files_free_bytes", room.reading)
    supervisor.parts = [
        Part(name="leases", run=made.keeper.run, close=made.keeper.close),
        *(_channel_part(channel, leases[channel.account], made.dispatcher) for channel in made.held),
        Part(name="dispatcher", run=made.dispatcher.run, drain=made.dispatcher.drain, on_crash=OnCrash.END),
        *_watch_parts(made),
        *_delivery_parts(made),
        *_upkeep_parts(made, waiting),
        *([] if room is None else [_part(Upkeep(name="room for files", work=room.look, every=LOOK_EVERY))]),
        *_listener_parts(made, checks),
    ]
    return supervisor


def _files_room(made: Made) -> FilesRoom | None:
    """None: nobody hands in files here, or this process has nothing to do with them."""
    if made.intake is None or WITH_FILES.isdisjoint(made.duties.roles):
        return None
    return FilesRoom(made.settings.intake)


def _part(upkeep: Upkeep) -> Part:
    return Part(name=upkeep.name, run=upkeep.run)


def _channel_part(channel: Channel, lease: Lease, dispatcher: Dispatcher) -> Part:
    async def run() -> None:
        await while_held(lease, partial(channel.run, dispatcher), leave=channel.drain)

    return Part(name=f"{channel.name} {channel.account}", run=run, drain=channel.drain, channel=True)


def _watch_parts(made: Made) -> list[Part]:
    """One for each one-stop system; whoever holds its lease watches it."""
    return [
        Part(name=name, run=partial(while_held, made.keeper.want(name), watcher.run))
        for watcher in made.watchers
        for name in (f"watch {watcher.name}",)
    ]


def _telling_upkeeps(telling: Telling | None) -> list[Upkeep]:
    """What is done for notices by the clock."""
    if telling is None:
        return []
    officers = [] if telling.officers is None else [telling.officers]
    return [
        Upkeep(name="notices", work=telling.delivery.tick, every=DELIVERY_EVERY),
        Upkeep(name="reminders", work=telling.reminders.tick, every=CALENDAR_EVERY),
        Upkeep(name="stoppages", work=telling.stoppage_notices.tick, every=CALENDAR_EVERY),
        *(Upkeep(name="officers", work=each.tick, every=CALENDAR_EVERY) for each in officers),
    ]


def _broadcast_upkeeps(broadcasting: Broadcasting | None) -> list[Upkeep]:
    """Messages to many, brought a step further."""
    return [] if broadcasting is None else [Upkeep(name="broadcasts", work=broadcasting.tick, every=BROADCASTS_EVERY)]


def _file_upkeeps(made: Made) -> list[Upkeep]:
    """Drafts of citizens that are over, and files nobody knows."""
    if made.intake is None:
        return []
    sweep = partial(sweep_files, made.intake.service.book, made.intake.vault, made.opened.clock)
    return [Upkeep(name="intake files", work=sweep, every=TIDY_EVERY)]


def _intake_upkeeps(made: Made) -> list[Upkeep]:
    """Dossiers closed long ago."""
    if made.intake is None:
        return []
    intake, clock = made.intake, made.opened.clock
    work = partial(tidy_intake, intake.service.book, intake.vault, clock, made.settings.retention)
    return [Upkeep(name="tidy intake", work=work, every=TIDY_EVERY)]


def _delivery_parts(made: Made) -> list[Part]:
    """What one process does for all, where it is among our roles."""
    if Role.DELIVERY not in made.duties.roles:
        return []
    store, lease = made.opened.store, made.keeper.want(DELIVERY_LEASE)
    tidying = Upkeep(
        name="tidy", work=partial(tidy, store, made.opened.clock, made.settings.retention), every=TIDY_EVERY
    )
    served = frozenset(channel.account for channel in made.channels.all)
    expiring = Upkeep(
        name="unserved accounts", work=partial(expire_unserved, store, served, made.opened.clock), every=TIDY_EVERY
    )
    matching = Upkeep(name="late reports", work=partial(match_reports, store), every=REPORTS_EVERY)
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "take over": made.dispatcher.take_over,
        "tidy": tidying.run,
        "unserved accounts": expiring.run,
        "late reports": matching.run,
        **{upkeep.name: upkeep.run for upkeep in _telling_upkeeps(made.telling)},
        **{upkeep.name: upkeep.run for upkeep in _broadcast_upkeeps(made.broadcasting)},
        **{upkeep.name: upkeep.run for upkeep in _intake_upkeeps(made)},
        **{upkeep.name: upkeep.run for upkeep in _file_upkeeps(made)},
    }
    return [Part(name=name, run=partial(while_held, lease, work)) for name, work in works.items()]


def _upkeep_parts(made: Made, waiting: Waiting) -> list[Part]:
    store, wakeups = made.opened.store, made.opened.wakeups
    upkeeps = [
        Upkeep(name="sign of life", work=store.renew, every=made.settings.gateway.lease_s / SIGNS_IN_A_LEASE),
        Upkeep(name="outbox depth", work=waiting.read, every=DEPTH_EVERY),
        Upkeep(name="announced stoppages", work=made.stoppages.refresh, every=CALENDAR_EVERY),
    ]
    parts = [Part(name=upkeep.name, run=upkeep.run) for upkeep in upkeeps]
    if Role.WEB in made.duties.roles:
        parts += _site_parts(made.sites)
    if made.console is not None:
        board = Upkeep(name="console figures", work=made.console.refresh, every=FIGURES_EVERY)
        parts.append(Part(name=board.name, run=board.run))
    parts.append(Part(name="signals", run=made.changes.run))
    if made.held:
        parts.append(Part(name="wake-ups", run=partial(follow, wakeups, made.dispatcher.claim_soon)))
    return parts


def _site_parts(sites: Sites) -> list[Part]:
    """The sites as they are kept, read anew now and then; what they used is written down, the last of it at the end."""
    read = Upkeep(name="sites", work=sites.refresh, every=REFRESH_EVERY)
    write = Upkeep(name="site use", work=sites.flush, every=FLUSH_EVERY)
    return [
        Part(name=read.name, start=sites.refresh, run=read.run),
        Part(name=write.name, run=write.run, close=sites.flush),
    ]


def _listener_parts(made: Made, checks: dict[str, Check]) -> list[Part]:
    """Operations always; the public one where the web is among our roles: then it also takes in what Telegram and Zalo
    call with, whoever holds the account. The staff one where the console is.
    """
    listen, listeners = made.settings.listen, []
    if Role.WEB in made.duties.roles:
        for chat in made.channels.chats:
            chat.attach(made.dispatcher)
        web = made.settings.web
        app = make_app(
            public_routes(made.routes),
            max_body_bytes=web.max_body_bytes,
            https=web.base_url.startswith("https://"),
            hsts_s=web.hsts_s,
            lost=made.lost,
            uploads=UPLOADS,
        )
        listeners.append(HttpListener("public", app, listen.public.host, listen.public.port))
    if made.console is not None:
        listeners.append(HttpListener("staff", made.console.app, listen.staff.host, listen.staff.port))
    app = make_app(operations_routes(checks, made.metrics))
    listeners.append(HttpListener("operations", app, listen.operations.host, listen.operations.port))
    return [Part(name=each.name, take=each.take, start=each.start, close=each.close) for each in listeners]


def read_figures(made: Made, waiting: Waiting) -> None:
    """Bind the figures that are read when somebody asks; of the accounts this process may hold."""
    metrics, dispatcher = made.metrics, made.dispatcher
    metrics.read("in_flight", lambda: {(): dispatcher.in_flight})
    metrics.read("queued", lambda: {(account,): count for account, count in dispatcher.queued().items()})
    metrics.read("waiting", lambda: {(account,): count for account, count in waiting.depth.items()})
    metrics.read("watch_lag_seconds", lambda: _lags(made.watchers))
    metrics.read("looks_waiting", lambda: {(each.name,): each.looks_waiting for each in made.watchers})
    if made.telling is not None:
        delivery = made.telling.delivery
        metrics.read("deferred", lambda: {(account, reason): n for (account, reason), n in delivery.deferred.items()})
        metrics.read("held", lambda: {(source,): count for source, count in delivery.held.items()})
    if made.broadcasting is not None:
        _read_broadcasts(made, made.broadcasting)
    metrics.read("bound", lambda: {(channel.account,): int(channel.ready) for channel in made.held})
    metrics.read("leases", lambda: {(lease.name,): int(lease.held) for lease in made.keeper.wanted})
    read_counters(metrics, made.channels, made.duties.accounts)


def _read_broadcasts(made: Made, broadcasting: Broadcasting) -> None:
    """Of whoever has the lease: what another one saw before it lost its own is of yesterday."""

    def ours(seen: Callable[[], Mapping[str, int]]) -> dict[tuple[str, ...], float]:
        held = any(lease.held for lease in made.keeper.wanted if lease.name == DELIVERY_LEASE)
        return {(str(state),): many for state, many in seen().items()} if held else {}

    made.metrics.read("broadcasts", lambda: ours(lambda: broadcasting.under_way))
    made.metrics.read("broadcast_messages", lambda: ours(lambda: broadcasting.messages))


def _lags(watchers: Sequence[SourceWatcher]) -> dict[tuple[str, ...], float]:
    return {(each.name, feed): seconds for each in watchers for feed, seconds in each.lags().items()}
