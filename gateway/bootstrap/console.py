"""The staff console: its slices, each with its routes, behind one guard; and the listener `listen.staff`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from aiohttp import web

from channels.base import Channel
from channels.web import paths as web_paths
from channels.web.client import client_address
from console import paths
from console.accounts.audit import Audit
from console.accounts.audit_pages import AuditPages
from console.accounts.doors import Doors
from console.accounts.officers import OfficerPages
from console.accounts.own import OwnAccount
from console.accounts.passwords import Hasher
from console.accounts.sessions import Cookies, Limits, Who
from console.accounts.sign_in import SignIn
from console.assets import Assets
from console.away import sheltered
from console.health.board import Board
from console.health.incident import IncidentPages
from console.health.pages import HealthPages
from console.health.ports import Surroundings
from console.help.pages import HelpPages
from console.home import Home
from console.page import Pages, Texts
from console.routes import ConsoleRoute
from console.shell import guarded
from console.sites.pages import SitePages
from conversation.ports import Budgets
from domain.agencies import Agencies
from gateway.bootstrap.console_broadcasts import BroadcastParts, BroadcastSlice, make_broadcast_slice
from gateway.bootstrap.console_intake import make_intake_desk, make_intake_slice
from gateway.bootstrap.console_messages import feedback_pages, message_pages
from gateway.bootstrap.console_outage import make_outage_slice
from gateway.bootstrap.console_prints import make_intake_prints
from gateway.bootstrap.console_texts import read_console_texts
from gateway.bootstrap.incidents import make_outlets, make_reroute
from gateway.bootstrap.intake import Intake
from gateway.bootstrap.notices import make_voices
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.http import make_app
from gateway.settings import ConsoleSettings, Settings

TRIES_FROM_ONE_ADDRESS = 4  # times what locks an account: an office stands behind one address


class Slice(Protocol):
    """A part of the console."""

    def routes(self) -> Iterable[ConsoleRoute]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the console is made of. `channels`: all accounts, whoever holds them; `intake`: None, where no agency works with it."""

    settings: Settings
    words: Words
    opened: OpenStore
    budgets: Budgets
    surroundings: Surroundings
    new_id: Callable[[], int]
    channels: Sequence[Channel]
    intake: Intake | None = None

    @property
    def agencies(self) -> Agencies:
        return self.words.agencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the staff listener serves. `refresh` reads anew what the screen of health shows; to be called now and then."""

    app: web.Application
    routes: Sequence[ConsoleRoute]
    refresh: Callable[[], Awaitable[None]]


def make_console(parts: ConsoleParts, stack: AsyncExitStack) -> Console:
    """Everything of the console; `stack` gives it back.

    Raises:
        SettingsError: its texts are not what they should be.
    """
    settings, chosen = parts.settings, parts.settings.console
    assets = Assets()
    texts = read_console_texts(settings)
    pages = Pages(texts, assets.addresses, absent=() if parts.intake else ("intake", "outage"))
    board = Board(parts.opened.store.health(), parts.surroundings, clock=parts.opened.clock)
    shared = _shared(parts, pages, board, texts, stack)
    home, health = Home(pages), HealthPages(pages, board=board, still=shared.who.still)
    broadcasts = _broadcasts(shared, stack)
    slices: Sequence[Slice] = [assets, home, health, *broadcasts.pages, *_slices(shared, stack)]
    guards = guarded([route for each in slices for route in each.routes()], shared.who, pages.refuse)
    routes = sheltered(guards, pages.refuse)
    app = make_app(
        routes,
        https=chosen.secure_cookies,
        hsts_s=settings.web.hsts_s if chosen.secure_cookies else 0,
        lost=home.lost,
        uploads=paths.UPLOADS,
    )

    async def say_goodbye(_: web.Application) -> None:
        await health.close()
        await broadcasts.progress.close()

    app.on_shutdown.append(say_goodbye)
    return Console(app=app, routes=routes, refresh=board.refresh)


# ---- what the slices share


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What a slice is made with, beside its own."""

    parts: ConsoleParts
    pages: Pages
    texts: Mapping[str, Texts]
    board: Board
    audit: Audit
    hasher: Hasher
    cookies: Cookies
    limits: Limits
    who: Who
    doors: Doors


def _shared(
    parts: ConsoleParts, pages: Pages, board: Board, texts: Mapping[str, Texts], stack: AsyncExitStack
) -> _Shared:
    settings, clock = parts.settings, parts.opened.clock
    trusted = settings.web.trusted_proxies
    limits, cookies, hasher = (
        session_limits(settings.console),
        Cookies(secure=settings.console.secure_cookies),
        Hasher(),
    )
    stack.push_async_callback(hasher.close)
    store = parts.opened.store
    return _Shared(
        parts=parts,
        pages=pages,
        texts=texts,
        board=board,
        audit=Audit(
            parts.opened.store.audit(),
            ids=parts.new_id,
            clock=clock,
            address_of=lambda request: client_address(request, trusted).value,
        ),
        hasher=hasher,
        cookies=cookies,
        limits=limits,
        who=Who(store.sessions(), cookies=cookies, limits=limits, agencies=parts.agencies, clock=clock),
        doors=Doors(store.officers(), store.audit(), budgets=parts.budgets, hasher=hasher, limits=limits, clock=clock),
    )


def session_limits(chosen: ConsoleSettings) -> Limits:
    """The accounts' part of the settings, in their own words."""
    return Limits(
        idle=timedelta(minutes=chosen.idle_minutes),
        absolute=timedelta(hours=chosen.session_hours),
        lock_after=chosen.lock_after,
        lock_for=timedelta(minutes=chosen.lock_minutes),
        address_tries=TRIES_FROM_ONE_ADDRESS * chosen.lock_after,
    )


# ---- the slices


def _slices(shared: _Shared, stack: AsyncExitStack) -> list[Slice]:
    """Every slice of the console. Another one is made in a function of its own and added to this list."""
    return [
        *_accounts(shared),
        *_incidents(shared),
        *_sites(shared),
        HelpPages(shared.pages),
        *_messages(shared),
        *_intake(shared, stack),
    ]


def _accounts(shared: _Shared) -> list[Slice]:
    parts, pages, audit, hasher = shared.parts, shared.pages, shared.audit, shared.hasher
    store, clock, agencies = parts.opened.store, parts.opened.clock, parts.agencies
    officers, sessions, log = store.officers(), store.sessions(), store.audit()
    doors = shared.doors
    return [
        SignIn(pages, doors=doors, sessions=sessions, cookies=shared.cookies, audit=audit, clock=clock),
        OwnAccount(
            pages,
            officers=officers,
            sessions=sessions,
            doors=doors,
            hasher=hasher,
            cookies=shared.cookies,
            limits=shared.limits,
            audit=audit,
            agencies=agencies,
            clock=clock,
        ),
        OfficerPages(
            pages, officers=officers, hasher=hasher, audit=audit, agencies=agencies, ids=parts.new_id, clock=clock
        ),
        AuditPages(pages, log=log, audit=audit, agencies=agencies, clock=clock),
    ]


def _incidents(shared: _Shared) -> list[Slice]:
    parts = shared.parts
    return [
        IncidentPages(
            shared.pages,
            board=shared.board,
            incidents=parts.opened.store.incidents(),
            outlets=make_outlets(parts.settings),
            reroute=make_reroute(parts.settings, parts.opened.store.last_accounts()),
            told_in=shared.texts[parts.settings.replies.default_language],
            audit=shared.audit,
            agencies=parts.agencies,
            new_id=parts.new_id,
            clock=parts.opened.clock,
        )
    ]


def _broadcasts(shared: _Shared, stack: AsyncExitStack) -> BroadcastSlice:
    parts = shared.parts
    return make_broadcast_slice(
        BroadcastParts(
            pages=shared.pages,
            settings=parts.settings,
            words=parts.words,
            opened=parts.opened,
            channels=parts.channels,
            audit=shared.audit,
            doors=shared.doors,
            who=shared.who,
            new_id=parts.new_id,
        ),
        stack,
    )


def _messages(shared: _Shared) -> list[Slice]:
    parts = shared.parts
    found: list[Slice] = [message_pages(shared.pages, parts.words, parts.opened, shared.audit)]
    if not parts.channels:  # nobody could be told anything
        return found
    opinions = feedback_pages(
        shared.pages,
        parts.settings,
        parts.words,
        parts.opened,
        audit=shared.audit,
        voices=make_voices(parts.settings, parts.channels),
        texts=shared.texts,
        new_id=parts.new_id,
    )
    return [*found, opinions]


def _intake(shared: _Shared, stack: AsyncExitStack) -> list[Slice]:
    parts = shared.parts
    if parts.intake is None:
        return []
    desk = make_intake_desk(
        shared.pages,
        parts.settings,
        parts.words,
        parts.opened,
        intake=parts.intake,
        audit=shared.audit,
        new_id=parts.new_id,
    )
    prints = make_intake_prints(desk, parts.settings, parts.words, parts.opened, shared.texts)
    outage = make_outage_slice(desk, parts.settings, shared.texts, stack)
    return [*make_intake_slice(desk), *prints, *outage]


def _sites(shared: _Shared) -> list[Slice]:
    parts, base_url = shared.parts, shared.parts.settings.web.base_url
    return [
        SitePages(
            shared.pages,
            book=parts.opened.store.sites(),
            audit=shared.audit,
            agencies=parts.agencies,
            clock=parts.opened.clock,
            guide=f"{base_url}{web_paths.INTEGRATE}" if base_url else "",
        )
    ]
