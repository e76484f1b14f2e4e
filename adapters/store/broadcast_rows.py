"""Broadcasts as the ports speak of them <-> rows of their tables (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import msgspec

from adapters.store.notices_rows import moment, of_table, read_moment
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Values
from adapters.store.tables import OutboxStates
from console.broadcasts.ports import ResultCount, Standing, Tally
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastState
from domain.message import Category
from notifications.ports import MassMessage, UnderWay

# What an officer's action, or the clock's, may change of a broadcast.
CHANGED_COLUMNS = (
    "title",
    "texts",
    "audience",
    "state",
    "version",
    "starts_at",
    "canary",
    "people",
    "seal",
    "submitted_by",
    "approved_by",
    "approved_until_at",
    "editors",
)
BROADCAST_COLUMNS = ("id", "agency", "author", "created_at", "resend_of", *CHANGED_COLUMNS)
PROGRESS_COLUMNS = (
    "upload",
    "row_count",
    "row_columns",
    "position",
    "written",
    "left_out",
    "all_written",
    "canary_left",
    "held_back",
    "results",
    "started_at",
    "finished_at",
    "counted_at",
)
MASS_COLUMNS = of_table(
    "outbox",
    (
        "id",
        "channel",
        "account",
        "category",
        "priority",
        "recipient",
        "sender",
        "text",
        "language",
        "dossier_code",
        "broadcast_id",
        "state",
        "created_at",
        "available_at",
        "expires_at",
        "attempts",
        "settled_at",
        "reason",
    ),
)

ResultCells = tuple[str, str, str, int]  # state, delivery, reason, messages
Results = dict[tuple[str, str, str], int]


def as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def broadcast_cells(broadcast: Broadcast) -> Values:
    """By column, those of CHANGED_COLUMNS and what never changes."""
    return {
        "id": broadcast.id,
        "agency": broadcast.agency,
        "author": broadcast.author,
        "created_at": to_ms(broadcast.created_at),
        "title": broadcast.title,
        "texts": as_json(dict(broadcast.texts)),
        "audience": as_json(asdict(broadcast.audience)),
        "state": broadcast.state.value,
        "version": broadcast.version,
        "starts_at": moment(broadcast.starts_at),
        "canary": broadcast.canary,
        "people": broadcast.people,
        "seal": broadcast.seal,
        "submitted_by": broadcast.submitted_by,
        "approved_by": broadcast.approved_by,
        "approved_until_at": moment(broadcast.approved_until),
        "editors": as_json(sorted(broadcast.editors)),
    }


def read_broadcast(row: Sequence[Any]) -> Broadcast:
    """From a row that begins with BROADCAST_COLUMNS."""
    cells = dict(zip(BROADCAST_COLUMNS, row, strict=False))
    return Broadcast(
        id=cells["id"],
        agency=cells["agency"],
        title=cells["title"],
        author=cells["author"],
        texts=msgspec.json.decode(cells["texts"], type=dict[str, str]),
        audience=read_audience(cells["audience"]),
        state=BroadcastState(cells["state"]),
        created_at=from_ms(cells["created_at"]),
        version=cells["version"],
        starts_at=read_moment(cells["starts_at"]),
        canary=cells["canary"],
        people=cells["people"],
        seal=cells["seal"],
        submitted_by=cells["submitted_by"],
        approved_by=cells["approved_by"],
        approved_until=read_moment(cells["approved_until_at"]),
        editors=frozenset(msgspec.json.decode(cells["editors"], type=list[int])),
    )


def read_audience(payload: str) -> Audience:
    cells = msgspec.json.decode(payload, type=dict[str, Any])
    days = {name: date.fromisoformat(cells[name]) for name in ("received_from", "received_to") if cells[name]}
    lists = {name: tuple(cells[name]) for name in ("agencies", "statuses")}
    return Audience(**{**cells, **lists, **days, "kind": AudienceKind(cells["kind"])})


def read_under_way(row: Sequence[Any]) -> UnderWay:
    """From a row of BROADCAST_COLUMNS and PROGRESS_COLUMNS."""
    cells = _progress(row)
    return UnderWay(
        broadcast=read_broadcast(row),
        position=cells["position"],
        written=cells["written"],
        left_out=read_counts(cells["left_out"]),
        all_written=bool(cells["all_written"]),
        canary_left=cells["canary_left"],
        messages=_by_state(read_results(cells["results"])),
    )


def read_standing(row: Sequence[Any]) -> Standing:
    """The same, and behind it the names of author, submitter and approver, and the id of a resend."""
    cells = _progress(row)
    author, submitter, approver, resend = row[len(BROADCAST_COLUMNS) + len(PROGRESS_COLUMNS) :]
    return Standing(
        broadcast=read_broadcast(row),
        author_name=author or "",
        submitter_name=submitter or "",
        approver_name=approver or "",
        tally=_tally(cells),
        rows=cells["row_count"],
        columns=msgspec.json.decode(cells["row_columns"], type=list[str]),
        resend=resend,
    )


def _progress(row: Sequence[Any]) -> Mapping[str, Any]:
    return dict(zip(PROGRESS_COLUMNS, row[len(BROADCAST_COLUMNS) :], strict=False))


def _tally(cells: Mapping[str, Any]) -> Tally:
    return Tally(
        written=cells["written"],
        left_out=read_counts(cells["left_out"]),
        results=[
            ResultCount(state=state, delivery=delivery, reason=reason, messages=messages)
            for (state, delivery, reason), messages in sorted(read_results(cells["results"]).items())
        ],
        all_written=bool(cells["all_written"]),
        held_back=bool(cells["held_back"]),
        started_at=read_moment(cells["started_at"]),
        finished_at=read_moment(cells["finished_at"]),
        counted_at=read_moment(cells["counted_at"]),
    )


def _by_state(results: Results) -> Mapping[str, int]:
    counted = Counter[str]()
    for (state, _, _), messages in results.items():
        counted[state] += messages
    return counted


def read_counts(payload: str) -> Mapping[str, int]:
    return msgspec.json.decode(payload, type=dict[str, int])


def read_results(payload: str) -> Results:
    return {(row[0], row[1], row[2]): row[3] for row in msgspec.json.decode(payload, type=list[ResultCells])}


def written_results(results: Results) -> str:
    return as_json([(*key, messages) for key, messages in sorted(results.items()) if messages])


def mass_row(message: MassMessage, broadcast: int) -> tuple[object, ...]:
    """A row of MASS_COLUMNS."""
    created_at = to_ms(message.created_at)
    return (
        message.id,
        message.channel,
        message.account,
        Category.BROADCAST.value,
        Category.BROADCAST.priority,
        message.recipient.urn,
        message.sender.urn,
        message.text,
        message.language,
        message.dossier_code or None,
        broadcast,
        OutboxStates.DROPPED if message.dropped else OutboxStates.READY,
        created_at,
        to_ms(message.available_at),
        to_ms(message.expires_at),
        0,
        created_at if message.dropped else None,
        message.dropped or message.reason or None,
    )
