"""What follows from looking at some dossiers, step by step in one transaction of either engine (pure).

First it is made sure that everything stands as whoever decided saw it; then all is written, a statement a table.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.store.lists import Columns
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_rows import (
    CONSENT_COLUMNS,
    FOLLOW_COLUMNS,
    NOTICE_COLUMNS,
    SIGHTING_COLUMNS,
    TOLD_COLUMNS,
    follow_consent_row,
    follow_row,
    notice_row,
    sighting_row,
    told_row,
)
from adapters.store.rows import decode, encode, to_ms
from adapters.store.steps import Steps, Values
from adapters.store.tables import OutboxStates
from domain.codes import DossierCode, read_reference
from notifications.ports import Hold, NewNotice, Recording, Told

REPLACED, AS_KNOWN = "newer_notice", "as_known"  # why a pending notice was merged
LOOKS_MADE = "look"  # the row of `counter` that numbers looks: no number is ever used again
MERGED_COLUMNS: Columns = (("id", "bigint"), ("reason", "text"))
CURSOR_COLUMNS: Columns = (("source", "text"), ("feed", "text"), ("position", "text"), ("moved_at", "bigint"))
LOOK_COLUMNS: Columns = (
    ("id", "bigint"),
    ("source", "text"),
    ("dossier_code", "text"),
    ("not_before", "bigint"),
    ("attempts", "integer"),
)
# A row that was handed over before may have arrived: it waits for certainty and is nobody's to replace. One that is only
# claimed has not left: replaced, it is not handed over. Were it left alone and then given back, its turn would find a
# newer notice and close it, and the newer one would tell once more what was told before it.
STILL_PENDING = "state IN ('ready', 'held', 'claimed') AND attempts = 0"
# For changes by key. Said as `ended_at IS NULL`, PostgreSQL without statistics takes those rows for a few, walks over all
# of them and compares each with each row given.
STILL_FOLLOWED = "coalesce(subscription.ended_at, -1) < 0"

OPEN_HOLD = """INSERT INTO hold (id, source, opened_at, changes, tracked)
VALUES (:id, :source, :opened_at, :changes, :tracked) ON CONFLICT DO NOTHING"""
NUMBER_LOOKS = """INSERT INTO counter (name, value) VALUES (:name, :count)
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value"""


class NotAsExpectedError(Exception):
    """Somebody else changed what a recording was decided upon; nothing of it is to be written."""

    def __init__(self, codes: frozenset[DossierCode]) -> None:
        super().__init__(f"{len(codes)} dossiers are not as they were")
        self.codes = codes


def record(dialect: Dialect, recording: Recording, now: int) -> Steps[None]:
    """Write it.

    Raises:
        NotAsExpectedError: a version, a pending notice or a hold is not as it was; to be rolled back.
    """
    if dialect.alone:
        yield dialect.alone, {"source": recording.source}
    if recording.opens_hold is not None:
        yield OPEN_HOLD, _hold_values(recording.opens_hold)
    yield from _require(dialect, recording)
    yield from _write_all(dialect, recording, now)
    yield from _write_looks(dialect, recording)
    yield from wake(dialect, recording.notices, now)


def enqueue(dialect: Dialect, notices: Sequence[NewNotice]) -> Steps[None]:
    """Write notices; those that are there already are left alone, whichever key says so."""
    if notices:
        yield insert(dialect, "outbox", NOTICE_COLUMNS), {"rows": _encoded(list(map(notice_row, notices)))}


def wake(dialect: Dialect, notices: Sequence[NewNotice], now: int) -> Steps[None]:
    """Say so when something may be claimed at once."""
    if dialect.wake and any(not notice.held and to_ms(notice.available_at) <= now for notice in notices):
        yield dialect.wake, {}


def insert(dialect: Dialect, table: str, columns: Columns, conflict: str = "ON CONFLICT DO NOTHING") -> str:
    """The rows of the parameter `rows`."""
    names = ", ".join(name for name, _ in columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {dialect.given('rows', columns)} AS n WHERE true {conflict}"
    )


def number_looks(count: int) -> Steps[Iterator[int]]:
    """Numbers for new looks, rising."""
    [(highest,)] = yield NUMBER_LOOKS, {"name": LOOKS_MADE, "count": count}
    return iter(range(highest - count + 1, highest + 1))


def _hold_values(hold: Hold) -> Values:
    return {
        "id": hold.id,
        "source": hold.source,
        "opened_at": to_ms(hold.opened_at),
        "changes": hold.changes,
        "tracked": hold.tracked,
    }


# ---- that all is as it was


def _require(dialect: Dialect, recording: Recording) -> Steps[None]:
    at_fault = yield from _changed_meanwhile(dialect, recording)
    at_fault |= yield from _left_meanwhile(dialect, recording)
    at_fault |= yield from _held_in_vain(dialect, recording)
    if at_fault:
        raise NotAsExpectedError(frozenset(at_fault))


def _changed_meanwhile(dialect: Dialect, recording: Recording) -> Steps[set[DossierCode]]:
    """Dossiers with another version than expected, or with a newer one than somebody would be told of."""
    expected = {sighting.dossier.code: sighting.expected for sighting in recording.sightings}
    told = {told.code: told.version for told in recording.told if told.source == recording.source}
    codes = {code.reference: code for code in (*expected, *told)}
    if not codes:
        return set()
    source = f"dossier_seen AS d WHERE d.source = :source AND d.dossier_code {dialect.among('codes')}"
    values = {"source": recording.source, "codes": _encoded(sorted(codes))}
    [(payload,)] = yield dialect.grouped(("d.dossier_code", "d.version"), source), values
    stored = dict(decode(payload, list[tuple[str, int]]))
    return {
        code
        for reference, code in codes.items()
        if (stored.get(reference) != expected[code] if code in expected else stored.get(reference, 0) > told[code])
    }


def _left_meanwhile(dialect: Dialect, recording: Recording) -> Steps[set[DossierCode]]:
    """Dossiers of pending notices that are to be closed and are not pending any more."""
    replaced = {notice.replaces: notice.code for notice in recording.notices if notice.replaces is not None}
    ids = sorted({*replaced, *recording.merged})
    if not ids:
        return set()
    rows = f"(SELECT id, dossier_code, state, attempts FROM outbox WHERE id {dialect.among_ids('ids')} ORDER BY id"
    cells = ("w.id", "w.dossier_code", f"CASE WHEN {STILL_PENDING} THEN 1 ELSE 0 END")
    [(payload,)] = yield dialect.grouped(cells, f"{rows}{dialect.lock}) AS w"), {"ids": _encoded(ids)}
    found = decode(payload, list[tuple[int, str | None, int]])
    gone = {identifier: reference for identifier, reference, pending in found if not pending}
    missing = replaced.keys() - {identifier for identifier, _, _ in found}
    codes = {replaced.get(identifier) or read_reference(reference or "") for identifier, reference in gone.items()}
    return {code for code in (*codes, *(replaced[identifier] for identifier in missing)) if code is not None}


def _held_in_vain(dialect: Dialect, recording: Recording) -> Steps[set[DossierCode]]:
    """Dossiers whose notices would wait for an operator who decided meanwhile: nobody would ever let them go."""
    held = {notice.code for notice in recording.notices if notice.held and notice.code is not None}
    if not held:
        return set()
    query = f"SELECT id FROM hold WHERE source = :source AND closed_at IS NULL{dialect.share}"
    rows = yield query, {"source": recording.source}
    return set() if rows else held


# ---- what is written


def _write_all(dialect: Dialect, recording: Recording, now: int) -> Steps[None]:
    follows = {(follow.address, follow.code): follow for follow in recording.follows}.values()
    merged = dict.fromkeys(recording.merged, AS_KNOWN)
    merged |= {notice.replaces: REPLACED for notice in recording.notices if notice.replaces is not None}
    lists: Sequence[tuple[str, Sequence[object]]] = (
        (_see(dialect), [sighting_row(sighting, now) for sighting in recording.sightings]),
        (_agree(dialect), [follow_consent_row(follow, now) for follow in follows]),
        (_follow(dialect), [follow_row(follow, now) for follow in follows]),
        (_merge(dialect), sorted(merged.items())),
        (insert(dialect, "outbox", NOTICE_COLUMNS), list(map(notice_row, recording.notices))),
        (_tell(dialect), [told_row(told) for told in sorted(recording.told, key=_whose)]),
        (_move(dialect), [(recording.source, *cursor, now) for cursor in sorted(recording.cursors.items())]),
    )
    for statement, rows in lists:
        if rows:
            values: Values = {"rows": _encoded(rows)}
            yield statement, {**values, "now": now} if ":now" in statement else values


def _whose(told: Told) -> tuple[str, str]:
    """The order in which followings are changed: all keep it, so that two never wait for each other."""
    return told.address.urn, told.code.reference


def _write_looks(dialect: Dialect, recording: Recording) -> Steps[None]:
    again = {code.reference: to_ms(moment) for code, moment in recording.look_again.items()}
    if recording.looked:
        statement = (
            f"DELETE FROM look WHERE id {dialect.among_ids('looked')} AND NOT (dossier_code {dialect.among('codes')})"
        )
        yield statement, {"looked": _encoded(list(recording.looked)), "codes": _encoded(list(again))}
    if again:
        numbers = yield from number_looks(len(again))
        rows = [(next(numbers), recording.source, reference, again[reference], 1) for reference in sorted(again)]
        conflict = """ON CONFLICT (source, dossier_code)
            DO UPDATE SET not_before = excluded.not_before, attempts = look.attempts + 1"""
        yield insert(dialect, "look", LOOK_COLUMNS, conflict), {"rows": _encoded(rows)}


def _see(dialect: Dialect) -> str:
    kept = [name for name, _ in SIGHTING_COLUMNS if name not in ("source", "dossier_code")]
    changes = ", ".join(f"{name} = excluded.{name}" for name in kept)
    conflict = f"ON CONFLICT (source, dossier_code) DO UPDATE SET {changes}"
    return insert(dialect, "dossier_seen", SIGHTING_COLUMNS, conflict)


# Nobody who ever followed this dossier, or who stopped everything.
_NEVER_FOLLOWED = """NOT EXISTS (SELECT 1 FROM subscription AS s
    WHERE s.recipient = n.recipient AND s.dossier_code = n.dossier_code)
    AND NOT EXISTS (SELECT 1 FROM person AS p WHERE p.address = n.recipient AND p.stopped_at IS NOT NULL)"""


def _agree(dialect: Dialect) -> str:
    return insert(dialect, "consent", CONSENT_COLUMNS, f"AND {_NEVER_FOLLOWED}")


def _follow(dialect: Dialect) -> str:
    return insert(dialect, "subscription", FOLLOW_COLUMNS, f"AND {_NEVER_FOLLOWED} ON CONFLICT DO NOTHING")


def _merge(dialect: Dialect) -> str:
    return f"""
UPDATE outbox SET state = '{OutboxStates.MERGED}', settled_at = :now, reason = m.reason, owner = NULL, lease_until = NULL
FROM {dialect.given("rows", MERGED_COLUMNS)} AS m WHERE outbox.id = m.id"""


def _tell(dialect: Dialect) -> str:
    return f"""
UPDATE subscription SET source = t.source, version = t.version, known = t.known
FROM {dialect.given("rows", TOLD_COLUMNS)} AS t
WHERE subscription.recipient = t.recipient AND subscription.dossier_code = t.dossier_code AND {STILL_FOLLOWED}"""


def _move(dialect: Dialect) -> str:
    conflict = "ON CONFLICT (source, feed) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at"
    return insert(dialect, "feed_cursor", CURSOR_COLUMNS, conflict)


def _encoded(rows: Sequence[object]) -> str:
    return encode(rows) or "[]"
