"""The console's slice about broadcasts: its pages, over the same store and the same words as the expander."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from channels.base import Channel
from console.accounts.audit import Audit
from console.accounts.doors import Doors
from console.accounts.sessions import Who
from console.broadcasts.actions import BroadcastActions
from console.broadcasts.counts import Counts
from console.broadcasts.desk import Desk
from console.broadcasts.estimates import Estimator, Rates
from console.broadcasts.file_pages import RecipientFiles
from console.broadcasts.imports import Imports
from console.broadcasts.pages import BroadcastPages
from console.broadcasts.ports import DayCount
from console.broadcasts.progress import BroadcastProgress
from console.broadcasts.trying import BroadcastTests, Origin, OriginOf
from console.page import Pages
from domain.message import Address
from gateway.bootstrap.broadcasts import make_broadcast_writer, make_fitness, read_number, segments_of
from gateway.bootstrap.notices import schedule_rules
from gateway.bootstrap.routing import carriers, make_routing, names_of
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.settings import Settings
from notifications.schedule import day_began

LANGUAGES = ("vi", "en", "km")


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastSlice:
    """All pages about broadcasts; `progress` is the one whose streams are ended when the console goes."""

    pages: Sequence[BroadcastPages | RecipientFiles | BroadcastTests | BroadcastProgress | BroadcastActions]
    progress: BroadcastProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastParts:
    """What they are made of; `doors` ask for the second factor again."""

    pages: Pages
    settings: Settings
    words: Words
    opened: OpenStore
    channels: Sequence[Channel]
    audit: Audit
    doors: Doors
    who: Who
    new_id: Callable[[], int]


def make_broadcast_slice(parts: BroadcastParts, stack: AsyncExitStack) -> BroadcastSlice:
    """`stack` ends the reading of files and the counting that is under way."""
    settings, words, clock = parts.settings, parts.words, parts.opened.clock
    chosen, fitness = settings.console, make_fitness(settings, words)
    broadcasts = parts.opened.store.broadcasts(good_for=timedelta(hours=chosen.approval_hours), fitness=fitness)
    desk = Desk(
        pages=parts.pages,
        broadcasts=broadcasts,
        audit=parts.audit,
        log=parts.opened.store.audit(),
        agencies=words.agencies,
        writer=make_broadcast_writer(words, clock),
        bases=fitness.bases,
        languages=LANGUAGES,
        canary=chosen.canary,
        ids=parts.new_id,
        clock=clock,
    )
    rules = schedule_rules(settings.notices)
    counts = Counts(broadcasts, clock=clock, day=lambda: DayCount(began=day_began(clock()), per_day=rules.per_day))
    stack.push_async_callback(counts.close)
    page = BroadcastPages(desk, Estimator(counts=counts, rates=_rates(settings, parts.channels)))
    imports = Imports(broadcasts, normalise=read_number, languages=LANGUAGES, ids=parts.new_id)
    stack.push_async_callback(imports.close)
    progress = BroadcastProgress(desk, still=parts.who.still)
    tests = BroadcastTests(desk, page, normalise=read_number, origin_of=_origins(parts))
    files = RecipientFiles(desk, page, imports=imports)
    return BroadcastSlice(
        pages=(page, files, tests, progress, BroadcastActions(desk, page, doors=parts.doors)), progress=progress
    )


def _rates(settings: Settings, channels: Sequence[Channel]) -> Rates:
    """Of all accounts that would carry it; without one nothing is said of the time."""
    names = carriers(settings)

    def tps() -> float:
        return sum(channel.rate for channel in channels if channel.account in names and channel.ready)

    return Rates(
        segments=segments_of(settings),
        tps=tps,
        dong_per_segment=settings.console.dong_per_segment,
        # Of all accounts: by which of them somebody is reached is not known before they are written to.
        names=sorted({name.value for name in names_of(settings).values()}),
        numbers=sorted({account.short_code for account in settings.sms}),
    )


def _origins(parts: BroadcastParts) -> OriginOf:
    """By the account the number is reached by, or by the chat's own."""
    routing = make_routing(parts.settings, parts.opened.store.last_accounts())

    async def origin_of(address: Address) -> Origin | None:
        if address.scheme == "sms":
            reached = (await routing.reach({address: None})).get(address)
            if reached is None:
                return None
            return Origin(channel=reached.channel, account=reached.account, sender=reached.unasked)
        chat = next((each for each in parts.channels if each.name == address.scheme), None)
        return None if chat is None else Origin(channel=chat.name, account=chat.account, sender=address)

    return origin_of
