"""Which messages of a batch are in the journal already (pure; the rule itself is conversation.redelivery's)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.store.rows import from_ms
from conversation.ports import Acknowledgement, JournalBatch, PriorArrival
from domain.message import InboundMessage

# How far back identical messages are read, and rows of an ended session marked. Not shorter than the rule's window,
# which decides; the minute beyond it is for clocks and slow acknowledgements.
LOOK_BACK = timedelta(seconds=360)

RedeliveryRule = Callable[[PriorArrival, datetime], bool]

# Position in the batch, then the earlier message: id, session, received_at, acknowledged_at, acknowledged_ok,
# session_ended_at.
PriorRow = tuple[int, int, str | None, int, int | None, int | None, int | None]


def redelivered_in(
    batch: JournalBatch, present: Mapping[int, int], prior_rows: Sequence[PriorRow], is_redelivery: RedeliveryRule
) -> Mapping[int, int]:
    """Exchanges that repeat a message of the journal, or an earlier one of this batch: their id -> that one's.

    `present`: position in the batch -> id in the journal, where that alone settles it (the channel's own id, or ours).
    """
    priors = _priors(batch, prior_rows)
    newcomers: dict[object, InboundMessage] = {}
    redelivered: dict[int, int] = {}
    for position, exchange in enumerate(batch.exchanges):
        message = exchange.message
        external = message.external_id and (message.channel, message.account, message.external_id)
        candidates = list(priors.get(position, ()))
        if message.identity in newcomers:  # it came a moment ago, and is not acknowledged yet
            earlier = newcomers[message.identity]
            candidates.append((earlier.id, PriorArrival(received_at=earlier.received_at)))
        if position in present:
            redelivered[message.id] = present[position]
        elif external in newcomers:
            redelivered[message.id] = newcomers[external].id
        elif repeated := [i for i, prior in candidates if i == message.id or is_redelivery(prior, message.received_at)]:
            redelivered[message.id] = max(repeated)
        else:
            newcomers.update({key: message for key in (external, message.identity) if key})
    return redelivered


def _priors(batch: JournalBatch, rows: Sequence[PriorRow]) -> Mapping[int, list[tuple[int, PriorArrival]]]:
    """Earlier identical messages by position, as they stand with the acknowledgements and ends of this very batch."""
    if not rows:
        return {}
    acknowledged = {ack.inbound_id: ack for ack in batch.acknowledgements}
    ended = {end.session: end.at for end in batch.session_ends}
    priors: dict[int, list[tuple[int, PriorArrival]]] = {}
    for position, identifier, session, received_at, acknowledged_at, acknowledged_ok, session_ended_at in rows:
        prior = PriorArrival(
            received_at=from_ms(received_at),
            acknowledged_at=None if acknowledged_at is None else from_ms(acknowledged_at),
            acknowledged_ok=bool(acknowledged_ok),
            session_ended_at=ended.get(session or "") if session_ended_at is None else from_ms(session_ended_at),
        )
        priors.setdefault(position, []).append((identifier, _acknowledged(prior, acknowledged.get(identifier))))
    return priors


def _acknowledged(prior: PriorArrival, ack: Acknowledgement | None) -> PriorArrival:
    return prior if ack is None else replace(prior, acknowledged_at=ack.at, acknowledged_ok=ack.durable)
