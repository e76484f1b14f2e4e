"""The small protocol every channel speaks with the gateway; what a message means is not a channel's business."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.message import Capabilities, DeliveryReport, InboundMessage, OutboundMessage, SendResult


class Settlement(enum.StrEnum):
    """What the journal says of an arrival."""

    DURABLE = "durable"  # it is written: acknowledge it
    REFUSED = "refused"  # it is not: ask the other side to send it again


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message handed in. `settle` is called exactly once, after the commit, on the event loop.

    It acknowledges (or refuses) on the wire without blocking and returns True when that was written to a connection
    that is still alive: an acknowledgement that could not be written makes the next identical message a redelivery.
    """

    message: InboundMessage
    settle: Callable[[Settlement], bool]


@dataclass(frozen=True, slots=True)
class ReportArrival:
    """A delivery report handed in; settled like a message."""

    report: DeliveryReport
    settle: Callable[[Settlement], bool]


class Inlet(Protocol):
    """Where a channel puts what it received. None of these wait."""

    def arrive(self, arrival: Arrival) -> None: ...

    def report(self, arrival: ReportArrival) -> None: ...

    def session_ended(self, session: str) -> None:
        """The connection named `session` is gone: acknowledgements written on it may not have been read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One line for /readyz and the console."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDef:
    """One HTTP route a channel wants; the docs list them from here. `handler` takes and returns aiohttp's objects."""

    method: str
    path: str
    handler: Callable[[Any], Awaitable[Any]]
    summary: str


class Channel(Protocol):
    """One account of one way of talking. Only the process that holds it sends its rows."""

    @property
    def name(self) -> str:
        """The way of talking: "sms", "telegram"."""
        ...

    @property
    def account(self) -> str:
        """Which of its accounts; unique within the gateway."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def rate(self) -> float:
        """Messages a second this account may send; by it the gateway knows how much to keep ready (gateway.sender)."""
        ...

    @property
    def ready(self) -> bool:
        """It can send now; while it cannot, nothing is claimed for it."""
        ...

    def fits(self, text: str) -> bool:
        """This text may leave as one reply (for SMS: at most two segments, counted by the encoder that sends)."""
        ...

    def routes(self) -> Iterable[RouteDef]: ...

    async def run(self, inlet: Inlet) -> None:
        """Talk until cancelled; arrivals are settled later, one by one.

        Raises:
            CredentialsRefused: fatal, not to be tried again.
        """
        ...

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """Hand over many; one result each, in any order. Never raises for one message's sake."""
        ...

    async def drain(self) -> None:
        """Take nothing new in, wait for what is under way, say goodbye; bounded by the caller's time-out."""
        ...

    async def health(self) -> Health: ...
