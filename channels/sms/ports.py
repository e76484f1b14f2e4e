"""What the SMS channel asks of a store: to keep parts of long messages until the message is whole, so that none is lost
with the process; and whether a delivery report speaks of something we sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.message import DeliveryReport, require_aware


class SetKey(NamedTuple):
    """What the parts of one message have in common (TS 23.040 §9.2.3.24.1); one account is implied."""

    sender: str  # URN
    recipient: str  # URN
    reference: int
    width: int  # of the reference in bits: 8 or 16; the sar_* parameters count as 16
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part as it came. `set_id` is ours, and the id of the message it will be (domain.ids). `done_at`: when that
    message was in the journal; the part is kept a while longer, to be known when it comes again.
    """

    set_id: int
    number: int  # from 1
    account: str
    key: SetKey
    esm_class: int
    data_coding: int
    header: bytes = field(repr=False)  # user data header, with its length octet; empty: none
    body: bytes = field(repr=False)
    session: str  # the connection it came by
    received_at: datetime
    done_at: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(self.received_at, "received_at")
        require_aware(self.done_at, "done_at")

    def same(self, other: Part) -> bool:
        """The same octets: this one is sent again."""
        return (self.data_coding, self.header, self.body) == (other.data_coding, other.header, other.body)


class PartStore(Protocol):
    """One row a part: all of its fields. Each method is one transaction, durable when it returns; all raise StoreError."""

    async def load(self, account: str, done_since: datetime) -> Sequence[Part]:
        """All parts of messages that are not done, or were done since then, by set and number."""
        ...

    async def write(self, account: str, parts: Sequence[Part], done: Mapping[int, datetime]) -> None:
        """Keep these, each in place of the one with the same set and number; these sets are done since then. Either
        may be empty. Writing the same again changes nothing.
        """
        ...


class MemoryParts:
    """A PartStore as long-lived as the process: for tests, and for accounts that ask for no more."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], Part] = {}

    async def load(self, account: str, done_since: datetime) -> Sequence[Part]:
        return [
            part
            for _, part in sorted(self._parts.items())
            if part.account == account and (part.done_at is None or part.done_at >= done_since)
        ]

    async def write(self, account: str, parts: Sequence[Part], done: Mapping[int, datetime]) -> None:
        self._parts.update({(part.set_id, part.number): part for part in parts})
        self._parts.update(
            {
                at: replace(part, done_at=done[part.set_id])
                for at, part in self._parts.items()
                if part.set_id in done and part.account == account
            }
        )


class SentIds(Protocol):
    """What this account sent, by the ids the SMSC gave it."""

    async def sent(self, account: str, candidates: Sequence[DeliveryReport]) -> Collection[int]:
        """The positions of those that name, by one of their keys, a message of this account to their `recipient`.

        Raises:
            StoreUnavailable: nobody knows.
        """
        ...
