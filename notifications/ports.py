"""What delivery needs from outside: the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.message import OutboundMessage


class Outbox(Protocol):
    """Rows on their way out. Results come back through the journal's next commit."""

    async def claim(self, account: str, limit: int) -> Sequence[OutboundMessage]:
        """Up to `limit` due rows of an account, now ours for a lease: replies, then notices, then broadcasts, each by
        id; expired ones are closed on the way.
        """
        ...

    async def hand_over(self, message_ids: Sequence[int]) -> frozenset[int]:
        """These are about to be written to the wire: from here on a crash leaves their outcome unknown. Gives those
        that are still ours; the others' lease ran out meanwhile and somebody else sends them.
        """
        ...

    async def release(self, message_ids: Sequence[int]) -> None:
        """These were claimed and will not be sent by us now: ready again at once."""
        ...

    async def recover(self) -> Mapping[str, int]:
        """Rows of owners that are gone, judged by notifications.retry: freed, sent once more, or closed as unknown.
        Returns how many of each.
        """
        ...

    async def renew(self) -> None:
        """Say that we live, and keep what we hold for another lease; to be called every half lease."""
        ...

    async def depth(self) -> Mapping[str, int]:
        """How many rows wait, by account; for /metrics and the console."""
        ...
