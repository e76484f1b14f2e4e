"""One long message on its way, as far as its parts have come; how long and how many of them are waited for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from channels.sms.ports import Part, SetKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long (seconds) and how many."""

    timeout: float  # without news: what is there is worked with
    remembered: float = 600.0  # after it was done
    meant_after: float = 60.0  # the same message is no redelivery any more: somebody asks again
    retry: float = 2.0  # after it could not be handed in
    sets: int = 10_000
    sets_per_sender: int = 20


class Gathering:
    """What is there of one message."""

    __slots__ = (
        "acknowledged",
        "again",
        "done_at",
        "durable",
        "handed_in",
        "heard_at",
        "key",
        "message_id",
        "parts",
        "restored",
        "set_id",
        "under_way",
    )

    def __init__(self, set_id: int, key: SetKey, heard_at: float) -> None:
        self.set_id = set_id
        self.message_id = set_id  # of the message it will be
        self.key = key
        self.parts: dict[int, Part] = {}  # in the order they came
        self.restored: Collection[int] = ()  # parts the process before had; it may have handed these in
        self.durable: set[int] = set()
        self.under_way = 0  # parts that are being written
        self.heard_at = heard_at
        self.handed_in = False
        self.done_at: float | None = None
        self.again: dict[int, float] = {}  # parts that came again after it was closed, and when
        self.acknowledged = True  # as far as is known, all acknowledgements were written to a link that lived

    @property
    def whole(self) -> bool:
        return len(self.durable) == self.key.total

    @property
    def in_order(self) -> Sequence[Part]:
        return [self.parts[number] for number in sorted(self.parts)]

    @property
    def last(self) -> Part:
        """The part that came last."""
        return next(reversed(self.parts.values()))


def heard(parts: Sequence[Part]) -> tuple[datetime, int]:
    """When a set was last heard of; sets of the same moment keep their order."""
    last = max(parts, key=lambda part: part.received_at)
    return last.received_at, last.set_id


def known_by(past: Gathering, part: Part) -> Sequence[Part] | None:
    """This part came before; while that one is not kept, nobody is told that it is."""
    return () if part.number in past.durable else None


def come_by(latest: Part, part: Part) -> Part:
    """A part that came again, just before `latest`."""
    return replace(part, session=latest.session, received_at=latest.received_at)
