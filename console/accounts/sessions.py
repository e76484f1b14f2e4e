"""Sessions: the browser holds a random secret, the store its digest, so that neither a copy of the store nor a line of a
log lets anybody in; and every session can be ended at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from console.accounts.ports import Session, SessionEnd, Sessions
from console.signed import Signed
from domain.agencies import Agencies
from domain.officers import Right

SECRET_BYTES = 32
LONGEST_SECRET = 64  # characters of a cookie that is worth looking at
SEEN_EVERY = timedelta(minutes=1)
SECURE_NAME, PLAIN_NAME = "__Host-tracuu", "tracuu"
UNKNOWN = ""

# What a User-Agent holds -> what the officer reads; the first that fits.
BROWSERS = (("Edg/", "Edge"), ("coc_coc", "Cốc Cốc"), ("OPR/", "Opera"), ("Firefox/", "Firefox"))
LATER_BROWSERS = (("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`idle`: without a request; `absolute`: however busy; `lock_after` wrong tries in a row lock for `lock_for`.
    `address_tries`: wrong ones from one address within `lock_for`, whoever is meant.
    """

    idle: timedelta
    absolute: timedelta
    lock_after: int
    lock_for: timedelta
    address_tries: int


def over(session: Session, now: datetime, limits: Limits) -> SessionEnd | None:
    """Why it is over by now; None: it is not."""
    if now - session.created_at >= limits.absolute:
        return SessionEnd.ABSOLUTE
    return SessionEnd.IDLE if now - session.seen_at >= limits.idle else None


def seen_every(limits: Limits) -> timedelta:
    """How often it is written that a session is in use: once a minute, or more often where few minutes end it."""
    return min(SEEN_EVERY, limits.idle / 4)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def short_agent(header: str) -> str:
    """A browser in two words: `Firefox, Windows`."""
    named = (*BROWSERS, *LATER_BROWSERS)
    browser = next((name for sign, name in named if sign in header), UNKNOWN)
    system = next((name for sign, name in SYSTEMS if sign in header), UNKNOWN)
    return ", ".join(filter(None, (browser, system)))


class Cookies:
    """The secret in the browser. `secure` False: over http too, for a demo on one machine."""

    __slots__ = ("_name", "_secure")

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self._name = SECURE_NAME if secure else PLAIN_NAME

    def read(self, request: web.Request) -> str:
        """The digest of what the browser holds; empty: nothing."""
        secret = request.cookies.get(self._name, "")
        return digest_of(secret) if 0 < len(secret) <= LONGEST_SECRET else ""

    def give(self, response: web.StreamResponse, secret: str) -> None:
        """Until the browser is closed."""
        response.set_cookie(self._name, secret, path="/", secure=self._secure, httponly=True, samesite="Lax")

    def take(self, response: web.StreamResponse) -> None:
        response.del_cookie(self._name, path="/", secure=self._secure, httponly=True, samesite="Lax")


class Who:
    """Finds the session of a request: what console.shell.guarded asks. One read; a write at most once a minute."""

    __slots__ = ("_agencies", "_clock", "_cookies", "_limits", "_sessions")

    def __init__(
        self,
        sessions: Sessions,
        *,
        cookies: Cookies,
        limits: Limits,
        agencies: Agencies,
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = sessions
        self._cookies = cookies
        self._limits = limits
        self._agencies = agencies
        self._clock = clock

    async def __call__(self, request: web.Request) -> Signed | None:
        """Raises StoreUnavailable."""
        digest = self._cookies.read(request)
        found = await self._sessions.find(digest) if digest else None
        if found is None:
            return None
        account, session = found
        now = self._clock()
        reason = over(session, now, self._limits)
        if reason is not None:
            await self._sessions.end(session.officer_id, digest, reason, now)
            return None
        if account.officer.disabled_at is not None:
            return None
        if now - session.seen_at >= seen_every(self._limits):
            await self._sessions.touch(digest, now)
        return Signed(
            officer=account.officer,
            session=digest,
            scope=self._agencies.scope(account.officer.agency),
            signed_in_at=session.created_at,
            must_set_up=account.must_set_up,
        )

    async def still(self, seen: Signed, right: Right) -> bool:
        """A page that stays open may go on: its session is neither ended nor over, and the officer has the right yet.
        Looking is not using: nobody stays signed in by leaving a page open.

        Raises:
            StoreUnavailable: it is not known.
        """
        found = await self._sessions.find(seen.session)
        if found is None:
            return False
        account, session = found
        return account.officer.may(right) and over(session, self._clock(), self._limits) is None
