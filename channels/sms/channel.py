"""The SMS channel: one account at an SMSC, its binds kept alive, talking in the gateway's words."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import structlog

from channels.base import Health, Inlet, RouteDef
from channels.sms import statuses
from channels.sms.account import SmppAccount
from channels.sms.binding import Binding, BindReading, Chance, Credentials, Shared, binds_of
from channels.sms.counters import SmsCounters
from channels.sms.incoming import CHANNEL, Incoming
from channels.sms.outgoing import Outgoing
from channels.sms.ports import MemoryParts, PartStore, SentIds
from channels.sms.reception import Reception
from channels.sms.submits import Submits
from channels.sms.tls import make_context
from channels.sparing import Sparing, SparingLog
from domain.errors import CredentialsRefused
from domain.message import Capabilities, OutboundMessage, SendResult, SendStatus

log = structlog.get_logger()

UNLIMITED_RATE: Final = 10_000.0  # messages a second told to the claim loop where the account sets no limit


class SmsChannel:
    """A `channels.base.Channel` over SMPP 3.4.

    Args:
        account: where and how to bind, and how often.
        new_id: ids for messages that come in (domain.ids).
        clock: the time of day, with its zone.
        sleep: how to wait between two attempts to connect.
        chance: jitter and session names.
        parts: where parts of long messages are kept; none: in memory only.
        sent_ids: what tells reports that are not flagged from messages; none: they are messages.

    Raises:
        SettingsError: a file of the account's TLS cannot be used.
    """

    def __init__(
        self,
        account: SmppAccount,
        *,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Chance | None = None,
        parts: PartStore | None = None,
        sent_ids: SentIds | None = None,
    ) -> None:
        self.counters = SmsCounters()
        self._account = account
        self._capabilities = Capabilities(accents=account.accents, reports=True)
        self._clock = clock
        self._submits = Submits(account)
        self._incoming = Incoming(account, new_id)
        self._parts = parts or MemoryParts()
        self._sent_ids = sent_ids
        self._outgoing = Outgoing(account, self.counters, time.monotonic)
        shared = Shared(
            outgoing=self._outgoing,
            counters=self.counters,
            context=make_context(account.name, account.tls) if account.tls is not None else None,
            sleep=sleep,
            chance=chance or random.SystemRandom(),
            sparing=SparingLog(log, Sparing(time.monotonic)),
        )
        self._bindings = [Binding(account, bind, shared) for bind in binds_of(account)]
        self._running: dict[Binding, asyncio.Task[None]] = {}
        self._leaving = False

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
    def rate_now(self) -> float:
        """Segments a second that may leave now, pauses apart: less than agreed after the SMSC said it is too much; 0: no
        limit.
        """
        return self._outgoing.rate

    @property
    def paused(self) -> bool:
        """The SMSC asked us to hold back, and the pause is not over."""
        return self._outgoing.paused

    @property
    def ready(self) -> bool:
        return self._can_transmit and not self._leaving and not self._outgoing.paused

    def fits(self, text: str) -> bool:
        return self._submits.fits(text)

    def routes(self) -> Iterable[RouteDef]:
        return ()

    async def run(self, inlet: Inlet) -> None:
        """Keep every bind alive until cancelled or drained; a lost link comes back after a growing, jittered delay.

        Raises:
            CredentialsRefused: no bind is left whose name, password and system type the SMSC takes; trying again could
                lock us out.
        """
        try:
            if not self._leaving:
                await self._keep_binds(inlet)
        finally:
            self._leaving = False  # it may run again: another process had the account meanwhile
            self._running = {}

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """Submit many; one future for all of them. Results come in the order of the batch.

        A message is accepted when all its segments are. If one of them certainly did not leave, the message may go
        again (`RETRY`); if all may have arrived but one was not answered, its outcome is `UNKNOWN`.
        """
        if self._leaving or not self._can_transmit:
            return [self._not_now(message) for message in batch]
        now, at = self._clock(), time.monotonic()
        return await self._outgoing.send([self._submits.outward(message, now, at) for message in batch])

    async def drain(self) -> None:
        """Finish what is under way, then unbind everywhere; afterwards `run` returns."""
        self._leaving = True
        await self._outgoing.emptied()
        await asyncio.gather(*map(self._leave, self._bindings))

    async def health(self) -> Health:
        binds = [_in_words(reading) for reading in self.binds_now()]
        rate = f"{self._outgoing.rate:.3g}/s" if self._account.rate > 0 else "unlimited"
        account = f"waiting {self._outgoing.waiting}, rate {rate}, throttled {self.counters.throttled}"
        return Health(ok=self._can_transmit and self._can_receive, detail="; ".join([*binds, account]))

    def binds_now(self) -> Sequence[BindReading]:
        """Every bind of the account as it stands, in the order of the settings."""
        return [binding.reading for binding in self._bindings]

    @property
    def _can_transmit(self) -> bool:
        return any(binding.bound and binding.mode.transmits for binding in self._bindings)

    @property
    def _can_receive(self) -> bool:
        """Something that comes in would reach us; an account that has only transmitters wants nothing to."""
        receiving = [binding for binding in self._bindings if binding.mode.receives]
        return not receiving or any(binding.bound for binding in receiving)

    async def _keep_binds(self, inlet: Inlet) -> None:
        """One task each; over when all of them are. Raises CredentialsRefused when that is why."""
        reception = Reception(
            self._account,
            inlet,
            self._incoming,
            self._outgoing,
            self._parts,
            self.counters,
            self._clock,
            sent_ids=self._sent_ids,
        )
        credentials = {binding.identity: Credentials() for binding in self._bindings}
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(reception.run(), name=f"reception {self.account}")
            self._running = {
                binding: group.create_task(
                    binding.run(reception, credentials[binding.identity]), name=f"bind {self.account} {binding.name}"
                )
                for binding in self._bindings
            }
            await asyncio.wait(self._running.values())
            receiving.cancel()
        if all(binding.refusal is not None for binding in self._bindings):
            raise self._credentials_refused()

    async def _leave(self, binding: Binding) -> None:
        if not await binding.leave() and binding in self._running:
            self._running[binding].cancel()  # it rests, or connects: there is nobody to say goodbye to

    def _credentials_refused(self) -> CredentialsRefused:
        refused = {binding.refusal.command_status for binding in self._bindings if binding.refusal is not None}
        reasons = ", ".join(sorted(map(statuses.name_of, refused)))
        return CredentialsRefused(
            f"the SMSC of account {self.account} does not take our system_id, password or system_type "
            f"({reasons}); correct them before starting again"
        )

    def _not_now(self, message: OutboundMessage) -> SendResult:
        return SendResult(
            message_id=message.id,
            status=SendStatus.RETRY,
            reason="not_bound",
            retry_after=self._account.reconnect_first,
        )


def _in_words(reading: BindReading) -> str:
    """How a bind stands, for an operator."""
    words = f"{reading.mode} {reading.name} {reading.state}"
    if reading.mode.transmits:
        words += f", window {reading.in_flight}/{reading.window}"
    return f"{words}, last error {reading.last_error}" if reading.last_error else words
