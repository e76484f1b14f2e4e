"""The watchers: for each one-stop system its feeds, over a connection of their own, and what follows from a change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial

from adapters.onestop.changes_listen import ChangeListener
from adapters.onestop.changes_poll import ChangePoll
from adapters.onestop.changes_sweep import Sweep
from adapters.onestop.contacts import SqlContacts
from adapters.onestop.notes import no_count
from adapters.onestop.trigger import trigger_script as script_for
from adapters.onestop.watched import WatchedDatabase
from channels.sms.numbers import normalise
from domain.code_legacy import LegacyPattern
from domain.errors import SettingsError
from domain.message import Address
from domain.phones import is_mobile
from gateway.bootstrap.routing import make_routing
from gateway.bootstrap.sources import asked_over_http, make_source, read_database_mapping
from gateway.metrics import Metrics
from gateway.settings import Settings, SourceSettings
from lookup.ports import DossierSource
from notifications.looking import Applicants, LookingAt
from notifications.mass import NEVER_HELD, HoldRules, MassGuard
from notifications.planning import NewContact, Planner
from notifications.ports import ChangeFeed, Freshness, LiveFeed, Notices
from notifications.reading import CarefulReader
from notifications.routing import Routing
from notifications.watcher import SourceWatcher, TimedFeed, WatchRules

SWEEP_PAUSE = 0.05  # seconds between two pages: reading a whole table round and round must not press its system
PAGE_OF_SQLITE = 100  # its one writer also writes replies, which wait for a recording (4 to 6 ms for so many, measured)
OVER_HTTP = ("poll", "sweep", "listen", "follow_applicants")  # settings that need a database

Count = Callable[[str, str], None]


def make_watchers(
    settings: Settings,
    *,
    notices: Notices,
    planner: Planner,
    freshness: Freshness,
    routing: Routing,
    legacy: Sequence[LegacyPattern],
    clock: Callable[[], datetime],
    new_id: Callable[[], int],
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Sequence[SourceWatcher]:
    """One for each source that is watched; `stack` closes what they read with.

    Raises:
        SettingsError: a source cannot be watched as the settings say.
    """
    watchers = []
    for each in settings.sources:
        if not each.watch.enabled:
            continue
        source, feeds, live, applicants = _reading(each, routing, legacy, partial(metrics.lookup), stack)
        looking = LookingAt(
            source=source,
            reader=CarefulReader(source, time_limit=each.timeout_s * 2),
            notices=notices,
            planner=planner,
            freshness=freshness,
            guard=MassGuard(hold_rules(settings, each.name)),
            clock=clock,
            new_id=new_id,
            count=metrics,
            applicants=applicants,
            routing=routing,
        )
        page = each.watch.page if settings.database.shared else min(each.watch.page, PAGE_OF_SQLITE)
        rules = WatchRules(page=page, followed_every=each.watch.sweep_s)
        monotonic = asyncio.get_running_loop().time
        watchers.append(SourceWatcher(looking, feeds, live=live, rules=rules, monotonic=monotonic))
    return watchers


def hold_rules(settings: Settings, source: str) -> HoldRules:
    """When a source's changes wait for an operator. Ours never do: nobody migrates into it, each of its changes is an
    officer's act, and what is entered by file after an outage was looked at before it was taken.
    """
    if settings.intake.agencies and source == settings.intake.source:
        return NEVER_HELD
    chosen = settings.notices
    return HoldRules(share=chosen.hold_share, least=chosen.hold_least, window=timedelta(seconds=chosen.hold_window_s))


async def watched_how(settings: Settings, source: SourceSettings, legacy: Sequence[LegacyPattern]) -> str:
    """How a source is watched, for an operator. Nothing is connected.

    Raises:
        SettingsError: it cannot be watched as the settings say.
    """
    watch = source.watch
    if not watch.enabled:
        return "not watched"
    async with AsyncExitStack() as stack:
        _, feeds, live, applicants = _reading(source, make_routing(settings, None), legacy, no_count, stack)
    ways = [f"{each.feed.name} every {each.every:g} s" for each in feeds]
    ways += ["listens"] if live else []
    ways += [f"webhook, keys {', '.join(key.id for key in watch.hook_keys)}"] if watch.hook_keys else []
    ways += ["its applicants follow by themselves"] if applicants else []
    return "; ".join([*ways, f"what is followed is read anew every {watch.sweep_s:g} s"])


Reading = tuple[DossierSource, Sequence[TimedFeed], LiveFeed | None, Applicants | None]


def _reading(
    settings: SourceSettings,
    routing: Routing,
    legacy: Sequence[LegacyPattern],
    count: Count,
    stack: AsyncExitStack,
) -> Reading:
    """What a watcher reads a source with: never the connections of those who ask, and no columns that hold proofs."""
    source = make_source(settings.model_copy(update={"connections": 1}), count, None).adapter
    stack.push_async_callback(source.close)
    if asked_over_http(settings):
        _refuse_settings_of_databases(settings)
        return source, (), None, None
    watch, mapping = settings.watch, read_database_mapping(settings)
    url = settings.url.get_secret_value()
    database = WatchedDatabase(mapping, url, name=settings.name, time_limit=settings.timeout_s)
    stack.push_async_callback(database.close)
    feeds = [
        TimedFeed(feed=feed, every=every, pause=pause)
        for feed, every, pause in _feeds(settings, database, legacy, count)
    ]
    live = None
    if watch.listen:
        live = ChangeListener(
            mapping, url, name=settings.name, time_limit=settings.timeout_s, page=watch.page, legacy=legacy
        )
    return source, feeds, live, _applicants(settings, database, routing)


def _feeds(
    settings: SourceSettings, database: WatchedDatabase, legacy: Sequence[LegacyPattern], count: Count
) -> Sequence[tuple[ChangeFeed, float, float]]:
    """A poll where the mapping has a column for it, a sweep where not, unless the settings say otherwise."""
    watch, feeds = settings.watch, list[tuple[ChangeFeed, float, float]]()
    poll = None if watch.poll is False else _poll(settings, database, legacy, count)
    if poll is not None:
        feeds.append((poll, watch.poll_s, 0.0))
    if watch.sweep or (watch.sweep is None and poll is None):
        sweep = Sweep(database, page=watch.page, legacy=legacy, count=count)
        feeds.append((sweep, watch.sweep_s, SWEEP_PAUSE))
    return feeds


def _poll(
    settings: SourceSettings, database: WatchedDatabase, legacy: Sequence[LegacyPattern], count: Count
) -> ChangePoll | None:
    watch = settings.watch
    try:
        return ChangePoll(
            database,
            overlap=watch.overlap_s,
            resolution=watch.resolution_s,
            page=watch.page,
            legacy=legacy,
            count=count,
        )
    except SettingsError:
        if watch.poll:
            raise
        return None  # it was left to us: its table is read round and round


def _applicants(settings: SourceSettings, database: WatchedDatabase, routing: Routing) -> Applicants | None:
    """The numbers on the dossiers, where the agency wants them told and says by what right."""
    watch = settings.watch
    if not watch.follow_applicants or not routing.lines:
        return None
    if not watch.follow_basis:
        raise SettingsError(
            f"source {settings.name}: watch.follow_applicants needs watch.follow_basis: by what right people are told"
        )

    def reach(number: str) -> NewContact | None:
        address = Address("sms", digits) if is_mobile(digits := normalise(number)) else None
        reached = None if address is None else routing.usual(address)
        if address is None or reached is None:
            return None
        return NewContact(
            address=address,
            channel=reached.channel,
            account=reached.account,
            sender=reached.sender,
            words=watch.follow_basis,
        )

    return Applicants(contacts=SqlContacts(database), reach=reach)


def _refuse_settings_of_databases(settings: SourceSettings) -> None:
    given = [name for name in OVER_HTTP if getattr(settings.watch, name)]
    if given:
        raise SettingsError(
            f"source {settings.name}: watch.{', watch.'.join(given)}: for databases; a system asked over HTTP is watched "
            "by its webhook (watch.hook_keys) and by reading what is followed"
        )


def trigger_script(settings: Settings, name: str) -> str:
    """The script that makes a PostgreSQL source tell of its changes: `tracuu source trigger`.

    Raises:
        SettingsError: there is no such source, or it is no PostgreSQL; or it is our own store, which tells by itself.
    """
    if settings.intake.agencies and name == settings.intake.source:
        raise SettingsError(f"{name} is our own store: on PostgreSQL its trigger came with its tables")
    for each in settings.sources:
        if each.name == name and not asked_over_http(each):
            return script_for(read_database_mapping(each), each.url.get_secret_value(), name=name)
    known = ", ".join(each.name for each in settings.sources if not asked_over_http(each))
    raise SettingsError(f"no database among the sources is named {name}; there are: {known}")
