"""One bind of an account: it connects, binds, stays, and comes back after a growing pause when the link is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Final, Protocol

import structlog

from channels.sms import statuses
from channels.sms.account import BindMode, SmppAccount, SmppBind
from channels.sms.counters import SmsCounters
from channels.sms.outgoing import Outgoing
from channels.sms.pacing import BackOff
from channels.sms.session import Session, SessionListener
from channels.sms.states import BindRefused, LinkLost, State
from channels.sms.tls import word_for
from channels.sparing import SparingLog

log = structlog.get_logger()

SESSION_BITS: Final = 64
STOPPED: Final = "stopped"  # by us, without a goodbye
ONLY_BIND: Final = SmppBind(name="1")  # of an account that names none


class Chance(Protocol):
    """A source of randomness: names that never repeat, delays that do not coincide."""

    def random(self) -> float: ...

    def getrandbits(self, k: int, /) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BindReading:
    """How a bind stands now, for /metrics, /readyz and the tools."""

    name: str  # unique within its account
    mode: BindMode
    state: str  # a word for people: disconnected, refused (for good), or the session's own
    bound: bool
    in_flight: int  # submits written and not yet answered
    window: int  # of these, at most; a receiver has none in flight whatever it says
    binds: int  # times it was bound since the start
    links_lost: int
    last_error: str  # empty: none yet


@dataclass(slots=True, kw_only=True)
class Credentials:
    """What several binds sign in with, for as long as the account runs.

    Until they were accepted once, one bind tries at a time, and a refusal holds for all: as many wrong passwords at
    once as there are binds could lock the account. Afterwards each bind speaks for itself, since the SMSC may let us
    bind for one thing and not for another.
    """

    accepted: bool = False
    refused: int | None = None  # the command_status
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Within it a bind may be tried.

        Raises:
            BindRefused: it was tried for another bind, in vain.
        """
        if self.accepted:
            yield
            return
        async with self._turn:
            if self.refused is not None and not self.accepted:
                raise BindRefused(self.refused)
            try:
                yield
            except BindRefused as refusal:
                if refusal.fatal:
                    self.refused = refusal.command_status
                raise
            self.accepted = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signs in where; binds that are alike in this share their Credentials."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all binds of an account have in common."""

    outgoing: Outgoing
    counters: SmsCounters
    context: ssl.SSLContext | None  # None: not encrypted
    sleep: Callable[[float], Awaitable[None]]
    chance: Chance
    sparing: SparingLog


def binds_of(account: SmppAccount) -> Sequence[SmppBind]:
    """Its binds; an account that names none has one transceiver."""
    return account.binds or (ONLY_BIND,)


def account_of(account: SmppAccount, bind: SmppBind) -> SmppAccount:
    """The account as this bind sees it: what the bind says, and the account's word where it says nothing."""
    return replace(
        account,
        host=bind.host or account.host,
        port=bind.port or account.port,
        system_id=bind.system_id or account.system_id,
        password=bind.password or account.password,
        system_type=account.system_type if bind.system_type is None else bind.system_type,
        address_range=account.address_range if bind.address_range is None else bind.address_range,
        window=bind.window or account.window,
        binds=(),
    )


class Binding:
    """One bind, over all its connections. `refusal`: why it is not tried any more; None: it is."""

    def __init__(self, account: SmppAccount, bind: SmppBind, shared: Shared) -> None:
        self.name = bind.name
        self.mode = bind.mode
        self.session: Session | None = None
        self.refusal: BindRefused | None = None
        self._account = account_of(account, bind)
        self._shared = shared
        self._back_off = BackOff(first=account.reconnect_first, cap=account.reconnect_cap)
        self._leaving = False
        self._binds = 0
        self._links_lost = 0
        self._last_error = ""
        self._log = log.bind(account=account.name, bind=bind.name)

    @property
    def identity(self) -> Identity:
        account = self._account
        return Identity(**{part.name: getattr(account, part.name) for part in fields(Identity)})

    @property
    def bound(self) -> bool:
        return self.session is not None and self.session.state is State.BOUND

    @property
    def reading(self) -> BindReading:
        return BindReading(
            name=self.name,
            mode=self.mode,
            state=self._state,
            bound=self.bound,
            in_flight=self.session.in_flight if self.session is not None else 0,
            window=self._account.window,
            binds=self._binds,
            links_lost=self._links_lost,
            last_error=self._last_error,
        )

    async def run(self, listener: SessionListener, credentials: Credentials) -> None:
        """Stay bound until cancelled, until `leave`, or until `refusal` says that trying again could lock us out."""
        self._leaving, self.refusal = False, None
        attempt = 0
        while True:
            lasted = await self._live_once(listener, credentials)
            if self._leaving or self.refusal is not None:
                return
            attempt = 0 if lasted >= self._account.reconnect_forget else attempt
            await self._rest(attempt)
            attempt += 1

    async def leave(self) -> bool:
        """Unbind once nothing is under way, and let `run` return; False: there is no connection to say goodbye on."""
        self._leaving = True
        if self.session is None:
            return False
        await self.session.unbind()
        return True

    @property
    def _state(self) -> str:
        if self.session is not None:
            return self.session.state.value
        return "disconnected" if self.refusal is None else "refused"

    async def _live_once(self, listener: SessionListener, credentials: Credentials) -> float:
        """One connection, whatever becomes of it; the seconds it was bound."""
        try:
            return await self._live(listener, credentials)
        except BindRefused as refusal:
            self._refused(refusal)
        except LinkLost as lost:
            self._log.warning("sms.bind_failed", reason=str(lost))
        except (OSError, UnicodeError) as failure:  # UnicodeError: a host's name that cannot be one
            self._last_error = word_for(failure)
            self._log.warning("sms.connect_failed", error=self._last_error)
        return 0.0

    async def _live(self, listener: SessionListener, credentials: Credentials) -> float:
        """Connect, bind, and stay until the link is gone.

        Raises:
            BindRefused, LinkLost: as Session.bind.
            OSError: there is no connection; among these what TLS found wrong, and TimeoutError.
        """
        try:
            session = await self._sign_in(listener, credentials)
            began = asyncio.get_running_loop().time()
            self._stays(session)
            self._ended(session, await session.wait())
            return asyncio.get_running_loop().time() - began
        finally:
            await self._hang_up()

    async def _sign_in(self, listener: SessionListener, credentials: Credentials) -> Session:
        async with credentials.turn():
            session = self.session = await self._connect(listener)
            await session.bind()
        return session

    async def _connect(self, listener: SessionListener) -> Session:
        account, shared = self._account, self._shared
        loop = asyncio.get_running_loop()
        name = f"{account.name}:{shared.chance.getrandbits(SESSION_BITS):016x}"
        async with asyncio.timeout(account.connect_timeout):
            _, session = await loop.create_connection(
                lambda: Session(account, name, listener, shared.counters, loop, shared.sparing, self.mode),
                account.host,
                account.port,
                ssl=shared.context,
                server_hostname=self._certified_name,
                ssl_handshake_timeout=account.connect_timeout if shared.context else None,
                ssl_shutdown_timeout=account.unbind_grace if shared.context else None,
            )
        return session

    @property
    def _certified_name(self) -> str | None:
        """What the SMSC's certificate must say."""
        tls = self._account.tls
        return None if tls is None else tls.host_name or self._account.host

    def _stays(self, session: Session) -> None:
        self._binds += 1
        self._shared.counters.binds += 1
        self._log.info("sms.bound", session=session.name)
        if self.mode.transmits:
            self._shared.outgoing.attach(session)

    def _ended(self, session: Session, reason: str) -> None:
        if self._leaving:
            self._log.info("sms.unbound", session=session.name, reason=reason)
            return
        self._links_lost += 1
        self._shared.counters.links_lost += 1
        self._log.warning("sms.link_lost", session=session.name, reason=reason)

    def _refused(self, refusal: BindRefused) -> None:
        """For good where trying again could lock the account; anything else is tried again."""
        status = statuses.name_of(refusal.command_status)
        self._last_error = f"bind_refused {status}"
        self._log.error("sms.bind_refused", status=status, fatal=refusal.fatal)
        if refusal.fatal:
            self.refusal = refusal

    async def _hang_up(self) -> None:
        session = self.session
        if session is None:
            return
        session.close(STOPPED, at_once=True)
        reason = await session.wait()
        if not self._leaving and reason != STOPPED:
            self._last_error = reason
        self.session = None

    async def _rest(self, attempt: int) -> None:
        delay = self._back_off.delay(attempt, self._shared.chance.random())
        self._log.info("sms.reconnect_waits", seconds=round(delay, 1), attempt=attempt + 1)
        await self._shared.sleep(delay)
