"""The process: its parts by its roles, in their order, under one supervisor."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial

import structlog

from channels.base import Channel, RouteDef
from channels.sms.channel import SmsChannel
from conversation.guards import Guards
from gateway.bootstrap.lookups import make_lookups
from gateway.bootstrap.shared import make_shared
from gateway.bootstrap.sources import make_sealer, make_sources, source_checks
from gateway.bootstrap.store import OpenStore, make_ids, open_store
from gateway.bootstrap.talking import (
    guard_rules,
    make_conversation,
    make_disclosure,
    make_dispatcher,
    make_questions,
    make_sms,
    web_routes,
)
from gateway.bootstrap.upkeep import DEPTH_EVERY, TIDY_EVERY, Upkeep, Waiting, follow, tidy
from gateway.bootstrap.words import read_words
from gateway.dispatcher import Dispatcher
from gateway.http import Check, HttpListener, make_app, operations_routes, public_routes
from gateway.leases import Lease, LeaseKeeper, health_of, while_held
from gateway.metrics import Metrics
from gateway.roles import Duties, Role
from gateway.settings import Settings
from gateway.supervisor import OnCrash, Part, Supervisor
from gateway.version import installed_version
from lookup.signals import Changes

log = structlog.get_logger()

COLLECT_AFTER = (50_000, 20, 100)  # allocations, then generations; Python's 700 suits small programs
SIGNS_IN_A_LEASE = 3
DELIVERY_LEASE = "delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the parts of the process are made of."""

    settings: Settings
    duties: Duties
    opened: OpenStore
    metrics: Metrics
    dispatcher: Dispatcher
    channels: Sequence[SmsChannel]  # those this process may hold
    keeper: LeaseKeeper
    changes: Changes
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
    conversation = make_conversation(settings, words, opened, lookups, guards, disclosure)
    new_id = make_ids(opened)
    channels = make_sms(settings.sms, new_id, clock)
    questions = make_questions(settings, words, opened, lookups, guards, disclosure)
    await introduce(opened, duties)
    return Made(
        settings=settings,
        duties=duties,
        opened=opened,
        metrics=metrics,
        dispatcher=make_dispatcher(settings, conversation, opened, channels, new_id, metrics),
        channels=[channel for channel in channels if channel.account in duties.accounts],
        keeper=LeaseKeeper(
            opened.store.leases(),
            length=timedelta(seconds=settings.gateway.lease_s),
            alone=not settings.database.shared,
        ),
        changes=Changes(shared.signals, lookups),
        routes=web_routes(settings, words, questions, metrics, clock),
        checks=source_checks(sources) | ({"redis": shared.check} if shared.check else {}),
    )


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
    leases = {channel.account: made.keeper.want(f"sms {channel.account}") for channel in made.channels}
    read_figures(made, waiting)
    checks = {"process": supervisor.health, "store": waiting.health, "journal": made.dispatcher.health, **made.checks}
    checks |= {f"sms {channel.account}": health_of(channel, leases[channel.account]) for channel in made.channels}
    supervisor.parts = [
        Part(name="leases", run=made.keeper.run, close=made.keeper.close),
        *(_channel_part(channel, leases[channel.account], made.dispatcher) for channel in made.channels),
        Part(name="dispatcher", run=made.dispatcher.run, drain=made.dispatcher.drain, on_crash=OnCrash.END),
        *_delivery_parts(made),
        *_upkeep_parts(made, waiting),
        *_listener_parts(made, checks),
    ]
    return supervisor


def _channel_part(channel: Channel, lease: Lease, dispatcher: Dispatcher) -> Part:
    async def run() -> None:
        await while_held(lease, partial(channel.run, dispatcher), leave=channel.drain)

    return Part(name=f"{channel.name} {channel.account}", run=run, drain=channel.drain, channel=True)


def _delivery_parts(made: Made) -> list[Part]:
    """What one process does for all, where it is among our roles."""
    if Role.DELIVERY not in made.duties.roles:
        return []
    store, lease = made.opened.store, made.keeper.want(DELIVERY_LEASE)
    tidying = Upkeep(
        name="tidy", work=partial(tidy, store, made.opened.clock, made.settings.retention), every=TIDY_EVERY
    )
    works: dict[str, Callable[[], Awaitable[None]]] = {"take over": made.dispatcher.take_over, "tidy": tidying.run}
    return [Part(name=name, run=partial(while_held, lease, work)) for name, work in works.items()]


def _upkeep_parts(made: Made, waiting: Waiting) -> list[Part]:
    store, wakeups = made.opened.store, made.opened.wakeups
    upkeeps = [
        Upkeep(name="sign of life", work=store.renew, every=made.settings.gateway.lease_s / SIGNS_IN_A_LEASE),
        Upkeep(name="outbox depth", work=waiting.read, every=DEPTH_EVERY),
    ]
    parts = [Part(name=upkeep.name, run=upkeep.run) for upkeep in upkeeps]
    parts.append(Part(name="signals", run=made.changes.run))
    if wakeups is not None and made.channels:
        parts.append(Part(name="wake-ups", run=partial(follow, wakeups, made.dispatcher.claim_soon)))
    return parts


def _listener_parts(made: Made, checks: dict[str, Check]) -> list[Part]:
    """Operations always; the public one where the web is among our roles."""
    listen, listeners = made.settings.listen, []
    if Role.WEB in made.duties.roles:
        app = make_app(public_routes(made.routes), max_body_bytes=made.settings.web.max_body_bytes)
        listeners.append(HttpListener("public", app, listen.public.host, listen.public.port))
    app = make_app(operations_routes(checks, made.metrics))
    listeners.append(HttpListener("operations", app, listen.operations.host, listen.operations.port))
    return [Part(name=each.name, start=each.start, close=each.close) for each in listeners]


def read_figures(made: Made, waiting: Waiting) -> None:
    """Bind the figures that are read when somebody asks; of the accounts this process may hold."""
    metrics, dispatcher, channels = made.metrics, made.dispatcher, made.channels
    metrics.read("in_flight", lambda: {(): dispatcher.in_flight})
    metrics.read("queued", lambda: {(account,): count for account, count in dispatcher.queued().items()})
    metrics.read("waiting", lambda: {(account,): count for account, count in waiting.depth.items()})
    metrics.read("bound", lambda: {(channel.account,): int(channel.ready) for channel in channels})
    metrics.read("leases", lambda: {(lease.name,): int(lease.held) for lease in made.keeper.wanted})
    metrics.read(
        "sms_events",
        lambda: {
            (channel.account, event): count for channel in channels for event, count in asdict(channel.counters).items()
        },
    )
