"""What this process handed over or claimed, as it left the rows: a commit then needs no look before it writes.

Only a supposition. The commit is told whether it was right, and somebody else may have changed a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from adapters.store.plan import SentRow
from adapters.store.rows import OUTBOX_COLUMNS, Row, to_ms
from adapters.store.tables import OutboxStates
from domain.message import OutboundMessage

MOST_HELD = 50_000  # rows; the oldest are forgotten, which costs a second round trip and nothing else
_AS_SENT = itemgetter(
    *map(
        OUTBOX_COLUMNS.index,
        ("id", "account", "category", "attempts", "created_at", "expires_at", "state", "owner", "handed_over_at"),
    )
)
_STATE = OUTBOX_COLUMNS.index("state")


class Held:
    """Rows of the outbox that are ours, by id."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self._rows: dict[int, SentRow] = {}

    def known(self, identifiers: Iterable[int]) -> Mapping[int, SentRow]:
        """Those of them that are supposed to be ours."""
        return {identifier: self._rows[identifier] for identifier in identifiers if identifier in self._rows}

    def all_known(self) -> Sequence[int]:
        """The ids of all that is supposed to be ours."""
        return list(self._rows)

    def written(self, outbox: Sequence[Row], results: Sequence[Row]) -> None:
        """A commit wrote these rows and settled those."""
        for row in results:
            self._rows.pop(_id(row), None)
        for row in outbox:
            if row[_STATE] == OutboxStates.HANDED_OVER:
                self._keep(_AS_SENT(row))

    def claimed(self, messages: Iterable[OutboundMessage]) -> None:
        for message in messages:
            created_at, expires_at = to_ms(message.created_at), to_ms(message.expires_at)
            category, state = message.category.value, OutboxStates.CLAIMED
            ours = (message.id, message.account, category, message.attempts, created_at, expires_at, state, self._owner)
            self._keep((*ours, None))  # a hand-over before this one is not known, and nothing asks before the next

    def handed_over(self, moments: Mapping[int, int]) -> None:
        """When each of them was, in milliseconds of the store's clock."""
        for identifier, row in self.known(moments).items():
            state, at = OutboxStates.HANDED_OVER, moments[identifier]
            self._rows[identifier] = (*row[:3], row[3] + 1, *row[4:6], state, self._owner, at)

    def forget(self, identifiers: Iterable[int]) -> None:
        for identifier in identifiers:
            self._rows.pop(identifier, None)

    def _keep(self, row: SentRow) -> None:
        self._rows[row[0]] = row
        if len(self._rows) > MOST_HELD:
            del self._rows[next(iter(self._rows))]


def _id(row: Row) -> int:
    identifier = row[0]
    if not isinstance(identifier, int):
        raise TypeError("a row begins with its id")
    return identifier
