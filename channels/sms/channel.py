"""The SMS channel: one account at an SMSC, kept bound, talking in the gateway's words."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from channels.base import Arrival, Health, Inlet, ReportArrival, RouteDef, Settlement
from channels.sms import statuses
from channels.sms.account import SmppAccount
from channels.sms.counters import SmsCounters
from channels.sms.incoming import CHANNEL, Incoming
from channels.sms.outgoing import Outgoing
from channels.sms.pacing import BackOff
from channels.sms.session import Delivery, Session
from channels.sms.states import BindRefused, LinkLost, State
from channels.sms.submits import Submits
from channels.sparing import Sparing, SparingLog
from domain.errors import CredentialsRefused
from domain.message import Capabilities, OutboundMessage, SendResult, SendStatus

log = structlog.get_logger()

UNLIMITED_RATE: Final = 10_000.0  # messages a second told to the claim loop where the account sets no limit
SESSION_BITS: Final = 64


class Chance(Protocol):
    """A source of randomness: names that never repeat, delays that do not coincide."""

    def random(self) -> float: ...

    def getrandbits(self, k: int, /) -> int: ...


class Reception:
    """What a session tells, passed on to the gateway's inlet and to the queue of what leaves."""

    __slots__ = ("_clock", "_incoming", "_inlet", "_outgoing")

    def __init__(self, inlet: Inlet, incoming: Incoming, outgoing: Outgoing, clock: Callable[[], datetime]) -> None:
        self._inlet = inlet
        self._incoming = incoming
        self._outgoing = outgoing
        self._clock = clock

    def delivered(self, session: Session, deliveries: Sequence[Delivery]) -> None:
        """Hand in each; one that cannot be is refused, for the SMSC to keep, and costs no other its turn."""
        now = self._clock()
        for delivery in deliveries:
            try:
                self._hand_in(session, delivery, now)
            except Exception as error:  # noqa: BLE001 - no text or number may reach the log with a traceback
                log.error("sms.delivery_failed", session=session.name, error=type(error).__name__)  # noqa: TRY400 - same
                delivery.settle(Settlement.REFUSED)

    def room_changed(self) -> None:
        self._outgoing.pump()

    def ended(self, session: Session, reason: str) -> None:
        self._outgoing.detach(reason)
        self._inlet.session_ended(session.name)

    def _hand_in(self, session: Session, delivery: Delivery, now: datetime) -> None:
        report = self._incoming.report(delivery.pdu, now)
        if report is None:
            self._inlet.arrive(Arrival(self._incoming.message(delivery.pdu, session.name, now), delivery.settle))
        else:
            self._inlet.report(ReportArrival(report, delivery.settle))


class SmsChannel:
    """A `channels.base.Channel` over SMPP 3.4.

    Args:
        account: where and how to bind.
        new_id: ids for messages that come in (domain.ids).
        clock: the time of day, with its zone.
        sleep: how to wait between two attempts to connect.
        chance: jitter and session names.
    """

    def __init__(
        self,
        account: SmppAccount,
        *,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Chance | None = None,
    ) -> None:
        self.counters = SmsCounters()
        self._account = account
        self._capabilities = Capabilities(accents=account.accents, reports=True)
        self._clock = clock
        self._sleep = sleep
        self._chance = chance or random.SystemRandom()
        self._back_off = BackOff(first=account.reconnect_first, cap=account.reconnect_cap)
        self._submits = Submits(account)
        self._incoming = Incoming(account, new_id)
        self._outgoing = Outgoing(account, self.counters, time.monotonic)
        self._session: Session | None = None
        self._leaving = False
        self._last_error = ""
        self._log = log.bind(account=account.name)
        self._sparing = SparingLog(log, Sparing(time.monotonic))

    @property
    def name(self) -> str:
        return CHANNEL

    @property
    def account(self) -> str:
        return self._account.name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def rate(self) -> float:
        return self._account.rate if self._account.rate > 0 else UNLIMITED_RATE

    @property
    def ready(self) -> bool:
        return self._bound and not self._leaving and not self._outgoing.paused

    def fits(self, text: str) -> bool:
        return self._submits.fits(text)

    def routes(self) -> Iterable[RouteDef]:
        return ()

    async def run(self, inlet: Inlet) -> None:
        """Stay bound until cancelled or drained; a lost link comes back after a growing, jittered delay.

        Raises:
            CredentialsRefused: the SMSC does not take our name, password or system type; trying again could lock us
                out.
        """
        reception = Reception(inlet, self._incoming, self._outgoing, self._clock)
        attempt = 0
        try:
            while not self._leaving:
                began = time.monotonic()
                await self._live_once(reception)
                attempt = 0 if time.monotonic() - began >= self._account.reconnect_forget else attempt
                await self._rest(attempt)
                attempt += 1
        finally:
            self._leaving = False  # it may run again: another process had the account meanwhile

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """Submit many; one future for all of them. Results come in the order of the batch.

        A message is accepted when all its segments are. If one of them certainly did not leave, the message may go
        again (`RETRY`); if all may have arrived but one was not answered, its outcome is `UNKNOWN`.
        """
        if self._leaving or not self._bound:
            return [self._not_now(message) for message in batch]
        now = self._clock()
        return await self._outgoing.send([(message.id, self._submits.frames(message, now)) for message in batch])

    async def drain(self) -> None:
        """Finish what is under way, then unbind; afterwards `run` returns."""
        self._leaving = True
        await self._outgoing.emptied()
        if self._session is not None:
            await self._session.unbind()

    async def health(self) -> Health:
        session = self._session
        state = session.state.value if session is not None else "disconnected"
        in_flight = session.in_flight if session is not None else 0
        parts = [
            state,
            f"window {in_flight}/{self._account.window}",
            f"waiting {self._outgoing.waiting}",
            f"throttled {self.counters.throttled}",
        ]
        if self._last_error:
            parts.append(f"last error {self._last_error}")
        return Health(ok=self._bound, detail=", ".join(parts))

    @property
    def _bound(self) -> bool:
        return self._session is not None and self._session.state is State.BOUND

    async def _live_once(self, reception: Reception) -> None:
        """Connect, bind, and stay until the link is gone."""
        session = await self._connect(reception)
        if session is None:
            return
        self._session = session
        try:
            if self._leaving:
                return
            await session.bind()
            self.counters.binds += 1
            self._log.info("sms.bound", session=session.name)
            self._outgoing.attach(session)
            reason = await session.wait()
            self._ended(session, reason)
        except BindRefused as refusal:
            self._refused(refusal)
        except LinkLost as lost:
            self._log.warning("sms.bind_failed", session=session.name, reason=str(lost))
        finally:
            session.close("stopped", at_once=True)
            self._last_error = await session.wait()
            self._session = None

    def _ended(self, session: Session, reason: str) -> None:
        if self._leaving:
            self._log.info("sms.unbound", session=session.name, reason=reason)
        else:
            self.counters.links_lost += 1
            self._log.warning("sms.link_lost", session=session.name, reason=reason)

    async def _rest(self, attempt: int) -> None:
        """Wait before the next attempt, unless we are leaving."""
        if self._leaving:
            return
        delay = self._back_off.delay(attempt, self._chance.random())
        self._log.info("sms.reconnect_waits", seconds=round(delay, 1), attempt=attempt + 1)
        await self._sleep(delay)

    async def _connect(self, reception: Reception) -> Session | None:
        account = self._account
        loop = asyncio.get_running_loop()
        name = f"{account.name}:{self._chance.getrandbits(SESSION_BITS):016x}"
        try:
            async with asyncio.timeout(account.connect_timeout):
                _, session = await loop.create_connection(
                    lambda: Session(account, name, reception, self.counters, loop, self._sparing),
                    account.host,
                    account.port,
                )
        except (OSError, TimeoutError) as error:
            self._last_error = type(error).__name__
            self._log.warning("sms.connect_failed", error=self._last_error)
            return None
        return session

    def _refused(self, refusal: BindRefused) -> None:
        """Fatal where trying again could lock the account; anything else is tried again."""
        reason = statuses.name_of(refusal.command_status)
        fatal = refusal.command_status in statuses.FATAL_TO_BIND
        self._log.error("sms.bind_refused", status=reason, fatal=fatal)
        if fatal:
            raise CredentialsRefused(
                f"the SMSC of account {self._account.name} does not take our system_id, password or system_type "
                f"({reason}); correct them before starting again"
            ) from refusal

    def _not_now(self, message: OutboundMessage) -> SendResult:
        return SendResult(
            message_id=message.id,
            status=SendStatus.RETRY,
            reason="not_bound",
            retry_after=self._account.reconnect_first,
        )
