"""Broadcasts as officers see them, on both engines: what one does is decided on the row as it stands, and noted with it."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.store.audit import noting
from adapters.store.broadcast_audience import FAILED, recipients, stretch
from adapters.store.broadcast_rows import (
    BROADCAST_COLUMNS,
    CHANGED_COLUMNS,
    PROGRESS_COLUMNS,
    as_json,
    broadcast_cells,
    read_standing,
)
from adapters.store.housekeeping import first_id
from adapters.store.letters import masked
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_rows import read_moment
from adapters.store.pins import SEND, Runner
from adapters.store.rows import OUTBOX_COLUMNS, decode, from_ms, to_ms, waiting_row
from adapters.store.steps import Steps, Values
from console.accounts.ports import AuditEntry
from console.broadcasts.ports import (
    TESTED,
    TESTS_A_DAY,
    Acted,
    AudienceCount,
    DayCount,
    Draft,
    FileRow,
    PreviewRow,
    ResultRow,
    Standing,
    Upload,
)
from domain.broadcasts import (
    OVER,
    Audience,
    AudienceKind,
    Broadcast,
    BroadcastAction,
    BroadcastState,
    Refusal,
    decide,
    moved,
    seal_now,
    seal_of,
)
from domain.message import Address, OutboundMessage
from domain.officers import Officer, Right
from notifications.ports import Candidate, Recipient

COUNTED_AT_ONCE = 500  # candidates
ROWS_AT_ONCE = 200  # of a list, in one transaction: a commit waits no longer than that for its turn
RESULTS_LOOKED_AT = 20  # stretches of the outbox, in one statement
ANY_VERSION = frozenset({BroadcastAction.PAUSE, BroadcastAction.RESUME, BroadcastAction.STOP})
COUNTED = frozenset({BroadcastAction.SUBMIT, BroadcastAction.APPROVE})
BUSY = frozenset({BroadcastState.APPROVED, BroadcastState.RUNNING, BroadcastState.PAUSED})
NUMBERS_CHANNEL = "sms"

_COLUMNS = ", ".join(f"b.{name}" for name in (*BROADCAST_COLUMNS, *PROGRESS_COLUMNS))
_NAMES = ", ".join(
    f"(SELECT o.name FROM officer AS o WHERE o.id = b.{name})" for name in ("author", "submitted_by", "approved_by")
)
_RESEND = "(SELECT max(r.id) FROM broadcast AS r WHERE r.resend_of = b.id AND r.resend_of IS NOT NULL AND r.state <> 'stopped')"
SELECT = f"SELECT {_COLUMNS}, {_NAMES}, {_RESEND} FROM broadcast AS b"
FIND = f"{SELECT} WHERE b.id = :id"
_MADE = (*BROADCAST_COLUMNS, "upload", "row_count", "row_columns")
ADD = f"""INSERT INTO broadcast ({", ".join(_MADE)}, busy, position, written, left_out, all_written, held_back, results)
VALUES ({", ".join(f":{name}" for name in _MADE)}, false, '', 0, '{{}}', false, false, '[]')
ON CONFLICT (id) DO NOTHING RETURNING 1"""
CHANGE = f"""UPDATE broadcast SET {", ".join(f"{name} = :{name}" for name in CHANGED_COLUMNS)}, busy = (busy AND NOT :idle) OR :busy,
    canary_left = CASE WHEN :resumed AND held_back THEN NULL WHEN :started THEN nullif(canary, 0) ELSE canary_left END,
    held_back = :held_back OR (held_back AND NOT :resumed),
    started_at = CASE WHEN :started THEN :now ELSE started_at END,
    finished_at = CASE WHEN :over THEN :now ELSE finished_at END WHERE id = :id"""
TAKE = "UPDATE broadcast SET upload = :upload, row_count = :row_count, row_columns = :row_columns WHERE id = :id"
TESTS = "SELECT count(*) FROM audit WHERE login = :login AND action = :action AND id >= :since"
FAILED_OF = f"SELECT count(*) FROM outbox AS o WHERE o.broadcast_id = :id AND {FAILED}"


def change(before: Broadcast, after: Broadcast, action: BroadcastAction, now: int) -> Steps[None]:
    """Write what an action made of it; what has to do with its messages follows from its state."""
    begun = before.state in BUSY
    values: Values = {
        **{name: value for name, value in broadcast_cells(after).items() if name in ("id", *CHANGED_COLUMNS)},
        "busy": after.state in BUSY,
        # Stopped before anything was written, or back to a draft: nothing is left to be done.
        "idle": after.state is BroadcastState.DRAFT or (not begun and after.state in OVER),
        "resumed": action is BroadcastAction.RESUME,
        "started": action is BroadcastAction.START,
        "held_back": action is BroadcastAction.HOLD_CANARY,
        "over": after.state in OVER,
        "now": now,
    }
    yield CHANGE, values


def locked(dialect: Dialect, identifier: int) -> Steps[Standing | None]:
    """As it stands, and nobody else changes it before this transaction ends."""
    yield f"SELECT id FROM broadcast WHERE id = :id{dialect.lock}", {"id": identifier}
    return (yield from found(identifier))


def found(identifier: int) -> Steps[Standing | None]:
    rows = yield FIND, {"id": identifier}
    return read_standing(rows[0]) if rows else None


class StoreBroadcasts:
    """Implements console.broadcasts.ports.Broadcasts. `run` writes, `look` only reads; `good_for`: how long an approval is."""

    def __init__(
        self, run: Runner, look: Runner, dialect: Dialect, clock: Callable[[], datetime], *, good_for: timedelta
    ) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect
        self._clock = clock
        self._good_for = good_for

    async def create(
        self, identifier: int, draft: Draft, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        made = Broadcast(
            id=identifier,
            agency=officer.agency,
            title=draft.title,
            author=officer.id,
            texts=draft.texts,
            audience=replace(draft.audience, file="", failed_of=0),
            state=BroadcastState.DRAFT,
            created_at=self._clock(),
            starts_at=draft.starts_at,
            canary=draft.canary,
        )
        if not self._may_write(made, officer, scope):
            return Refusal.NOT_ALLOWED
        return await self._run(_create(made, noted))

    async def edit(
        self, identifier: int, version: int, draft: Draft, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        def drafted(standing: Standing) -> Broadcast | Refusal:
            before = standing.broadcast
            kept = before.audience.file if draft.audience.kind is before.audience.kind else ""
            # A resend is for those it was made for, whatever a form says.
            resent = before.audience.failed_of > 0
            audience = before.audience if resent else replace(draft.audience, file=kept, failed_of=0)
            after = replace(
                before,
                title=draft.title,
                texts=draft.texts,
                audience=audience,
                starts_at=draft.starts_at,
                canary=draft.canary,
            )
            return after if self._may_write(after, officer, scope) else Refusal.NOT_ALLOWED

        return await self._run(self._edit(identifier, version, drafted, officer, scope, noted))

    async def act(
        self,
        identifier: int,
        version: int,
        action: BroadcastAction,
        officer: Officer,
        scope: frozenset[str],
        noted: AuditEntry,
    ) -> Acted:
        standing = await self.find(identifier, scope)
        if standing is None:
            return None
        counted = 0
        if action in COUNTED:
            # Who may not do it at all is told so before anybody is counted.
            before = replace(standing.broadcast, people=max(1, standing.broadcast.people))
            refused = decide(before, action, officer, seal=before.seal, scope=scope)
            if isinstance(refused, Refusal):
                return refused
            counted = await self.people(standing.broadcast)
        return await self._run(self._act(identifier, version, action, officer, scope, noted, counted))

    async def resend(
        self, identifier: int, new: int, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        return await self._run(self._resend(identifier, new, officer, scope, noted))

    async def find(self, identifier: int, scope: frozenset[str]) -> Standing | None:
        standing = await self._look(found(identifier))
        return standing if standing is not None and standing.broadcast.agency in scope else None

    async def listed(
        self,
        scope: frozenset[str],
        *,
        states: frozenset[BroadcastState] = frozenset(),
        before: int | None = None,
        limit: int,
    ) -> Sequence[Standing]:
        return await self._look(_listed(self._dialect, scope, states, before, limit))

    # ---- whom it goes to

    async def count(
        self, audience: Audience, *, identifier: int = 0, limit: int | None = None, day: DayCount | None = None
    ) -> AudienceCount:
        counting = Counting()
        if audience.failed_of and audience.kind is AudienceKind.NUMBERS:
            failed = (await self._look(_rows(FAILED_OF, {"id": audience.failed_of})))[0][0]
            return AudienceCount(dossiers=failed, people={NUMBERS_CHANNEL: failed})
        upload, position, end = await self._upload(audience, identifier), "", False
        while not end and (limit is None or counting.dossiers < limit):
            part = await self._look(stretch(self._dialect, audience, upload, position, COUNTED_AT_ONCE, self._clock()))
            known = await self._look(
                recipients(
                    self._dialect,
                    counting.fresh(part.candidates),
                    failed_of=audience.failed_of,
                    booked_since=None if day is None else day.began,
                )
            )
            counting.add(part.candidates, known, part.looked_at, failed_only=bool(audience.failed_of), day=day)
            position, end = part.position, part.end
        return counting.result(more=not end)

    async def people(self, broadcast: Broadcast) -> int:
        """How many it would reach now."""
        return (await self.count(broadcast.audience, identifier=broadcast.id)).total

    async def preview(self, audience: Audience, *, identifier: int = 0, limit: int) -> Sequence[PreviewRow]:
        upload, position, end = await self._upload(audience, identifier), "", False
        rows: list[PreviewRow] = []
        seen: set[Address] = set()
        while not end and len(rows) < limit:
            part = await self._look(stretch(self._dialect, audience, upload, position, limit, self._clock()))
            fresh = [each for each in part.candidates if each.address is None or each.address not in seen]
            addresses = list(dict.fromkeys(each.address for each in fresh if each.address is not None))
            known = await self._look(recipients(self._dialect, addresses, failed_of=audience.failed_of))
            for each in fresh:
                person = known.get(each.address, Recipient()) if each.address else Recipient(failed=True)
                if each.address in seen or person.silent or (audience.failed_of and not person.failed):
                    continue
                seen |= {each.address} if each.address else set()
                rows.append(_preview(each, person))
            position, end = part.position, part.end
        return rows[:limit]

    async def add_rows(self, identifier: int, upload: int, rows: Sequence[FileRow]) -> int:
        kept = 0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            kept += await self._run(_add_rows(self._dialect, identifier, upload, rows[start : start + ROWS_AT_ONCE]))
        return kept

    async def take_rows(
        self, identifier: int, version: int, upload: Upload, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        def taken(standing: Standing) -> Broadcast | Refusal:
            audience = standing.broadcast.audience
            if audience.kind is not AudienceKind.FILE or audience.failed_of:
                return Refusal.NOT_NOW
            return replace(standing.broadcast, audience=replace(audience, file=upload.digest))

        return await self._run(self._edit(identifier, version, taken, officer, scope, noted, upload))

    async def test(
        self, identifier: int, message: OutboundMessage, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Acted:
        return await self._run(self._test(identifier, message, officer, scope, noted))

    # ---- what became of it

    async def results(
        self, identifier: int, scope: frozenset[str], *, after: int = 0, limit: int
    ) -> Sequence[ResultRow] | None:
        if await self.find(identifier, scope) is None:
            return None
        return await self._look(_results(self._dialect, identifier, after, limit))

    # ---- one transaction each

    def _edit(
        self,
        identifier: int,
        version: int,
        drafted: Callable[[Standing], Broadcast | Refusal],
        officer: Officer,
        scope: frozenset[str],
        noted: AuditEntry,
        upload: Upload | None = None,
    ) -> Steps[Acted]:
        standing = yield from locked(self._dialect, identifier)
        if standing is None or standing.broadcast.agency not in scope:
            return None
        before, after = standing.broadcast, drafted(standing)
        state = decide(before, BroadcastAction.EDIT, officer, scope=scope)
        if isinstance(state, Refusal):
            return state
        if before.version != version:
            return Refusal.CHANGED
        if isinstance(after, Refusal):
            return after
        now = self._clock()
        if upload is not None:
            yield from _take(identifier, upload)
        after = moved(after, BroadcastAction.EDIT, state, officer, now=now)
        yield from change(before, after, BroadcastAction.EDIT, to_ms(now))
        yield from noting(noted)
        return (yield from found(identifier))

    def _act(
        self,
        identifier: int,
        version: int,
        action: BroadcastAction,
        officer: Officer,
        scope: frozenset[str],
        noted: AuditEntry,
        counted: int,
    ) -> Steps[Acted]:
        standing = yield from locked(self._dialect, identifier)
        if standing is None or standing.broadcast.agency not in scope:
            return None
        before = standing.broadcast
        if before.version != version and action not in ANY_VERSION:
            return Refusal.CHANGED
        sealed, seal = _sealed(before, action, counted)
        state = decide(sealed, action, officer, seal=seal, scope=scope)
        if isinstance(state, Refusal):
            return state
        now = self._clock()
        after = moved(sealed, action, state, officer, now=now, good_for=self._good_for)
        yield from change(before, after, action, to_ms(now))
        yield from noting(noted)
        return (yield from found(identifier))

    def _resend(
        self, identifier: int, new: int, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Steps[Acted]:
        standing = yield from locked(self._dialect, identifier)
        if standing is None or standing.broadcast.agency not in scope:
            return None
        before = standing.broadcast
        refusal = _no_resend(standing, officer)
        if refusal is not None:
            return refusal
        made = Broadcast(
            id=new,
            agency=before.agency,
            title=before.title,
            author=officer.id,
            texts=before.texts,
            audience=replace(before.audience, failed_of=before.id),
            state=BroadcastState.DRAFT,
            created_at=self._clock(),
            canary=before.canary,
            editors=before.hands,  # whose words these are may not approve them now either
        )
        [(upload, rows, columns)] = yield (
            "SELECT upload, row_count, row_columns FROM broadcast WHERE id = :id",
            {"id": before.id},
        )
        cells = {**broadcast_cells(made), "resend_of": before.id}
        if (yield ADD, {**cells, "upload": upload, "row_count": rows, "row_columns": columns}):
            yield from noting(noted)
        return (yield from found(new))

    def _test(
        self, identifier: int, message: OutboundMessage, officer: Officer, scope: frozenset[str], noted: AuditEntry
    ) -> Steps[Acted]:
        standing = yield from locked(self._dialect, identifier)
        if standing is None or standing.broadcast.agency not in scope:
            return None
        if not officer.may(Right.BROADCASTS_WRITE) or noted.action != TESTED:
            return Refusal.NOT_ALLOWED
        day_ago = first_id(self._clock() - timedelta(days=1))
        [(sent,)] = yield TESTS, {"login": noted.login, "action": TESTED, "since": day_ago}
        if sent >= TESTS_A_DAY or standing.broadcast.state in OVER:
            return Refusal.NOT_NOW
        yield SEND, dict(zip(OUTBOX_COLUMNS, waiting_row(message), strict=True))
        yield from noting(noted)
        return standing

    # ---- how it is done

    def _may_write(self, broadcast: Broadcast, officer: Officer, scope: frozenset[str]) -> bool:
        allowed = officer.may(Right.BROADCASTS_WRITE) and broadcast.agency in scope
        return allowed and scope.issuperset(broadcast.audience.agencies)

    async def _upload(self, audience: Audience, identifier: int) -> int | None:
        if audience.kind is not AudienceKind.FILE:
            return None
        rows = await self._look(_rows("SELECT upload FROM broadcast WHERE id = :id", {"id": identifier}))
        return rows[0][0] if rows else None


def _sealed(before: Broadcast, action: BroadcastAction, counted: int) -> tuple[Broadcast, str]:
    """What is decided upon, and what its texts, audience and count come to now."""
    if action is BroadcastAction.SUBMIT:
        seal = seal_of(before.texts, before.audience, counted, before.starts_at)
        return replace(before, people=counted, seal=seal), seal
    return before, seal_now(before, counted) if action is BroadcastAction.APPROVE else ""


def _create(made: Broadcast, noted: AuditEntry) -> Steps[Acted]:
    cells = {**broadcast_cells(made), "resend_of": None, "upload": None, "row_count": 0, "row_columns": "[]"}
    if (yield ADD, cells):
        yield from noting(noted)
    standing = yield from found(made.id)
    if standing is None or (standing.broadcast.author, standing.broadcast.agency) != (made.author, made.agency):
        return Refusal.NOT_ALLOWED
    return standing


def _no_resend(standing: Standing, officer: Officer) -> Refusal | None:
    """Why what failed is not sent again."""
    if not officer.may(Right.BROADCASTS_WRITE):
        return Refusal.NOT_ALLOWED
    if standing.broadcast.state not in OVER or standing.resend is not None:
        return Refusal.NOT_NOW
    return None if standing.tally.failed else Refusal.EMPTY


def _take(identifier: int, upload: Upload) -> Steps[None]:
    [(rows,)] = yield (
        "SELECT count(*) FROM broadcast_row WHERE upload = :upload AND broadcast_id = :id",
        {"upload": upload.id, "id": identifier},
    )
    yield (
        TAKE,
        {"id": identifier, "upload": upload.id, "row_count": rows, "row_columns": as_json(list(upload.columns))},
    )


def _add_rows(dialect: Dialect, identifier: int, upload: int, rows: Sequence[FileRow]) -> Steps[int]:
    """Not to a list that was taken already, nor to another broadcast's: what was approved stays what it is."""
    columns = (("position", "integer"), ("recipient", "text"), ("language", "text"), ("cells", "text"))
    given = dialect.given("rows", columns)
    statement = f"""INSERT INTO broadcast_row (upload, position, broadcast_id, recipient, language, cells)
SELECT CAST(:upload AS bigint), n.position, CAST(:id AS bigint), n.recipient, n.language, n.cells FROM {given} AS n
WHERE NOT EXISTS (SELECT 1 FROM broadcast AS b WHERE b.id = :id AND b.upload = :upload)
  AND coalesce((SELECT r.broadcast_id FROM broadcast_row AS r WHERE r.upload = :upload LIMIT 1), :id) = :id
ON CONFLICT DO NOTHING RETURNING 1"""
    cells = [(row.position, row.recipient.urn, row.language, as_json(dict(row.values))) for row in rows]
    kept = yield statement, {"upload": upload, "id": identifier, "rows": as_json(cells)}
    return len(kept)


def _listed(
    dialect: Dialect,
    scope: frozenset[str],
    states: frozenset[BroadcastState],
    before: int | None,
    limit: int,
) -> Steps[Sequence[Standing]]:
    """Along the agencies, newest first in each; of those the newest."""
    conditions = [f"n.state {dialect.among('states')}"] if states else []
    conditions += ["n.id < :before"] if before is not None else []
    narrowed = "".join(f" AND {condition}" for condition in conditions)
    agencies = dialect.given("agencies", (("agency", "text"),))
    ids = f"""SELECT n.id FROM {agencies} AS a CROSS JOIN broadcast AS n{dialect.by("ix_broadcast_agency")}
    WHERE n.agency = a.agency{narrowed} ORDER BY n.id DESC LIMIT :limit"""
    values: dict[str, int | str | None] = {
        "agencies": as_json([(agency,) for agency in sorted(scope)]),
        "limit": limit,
    }
    values |= {"states": as_json(sorted(states))} if states else {}
    values |= {"before": before} if before is not None else {}
    rows = yield f"{SELECT} WHERE b.id IN ({ids}) ORDER BY b.id DESC", values
    return [read_standing(row) for row in rows]


def _rows(statement: str, values: Values) -> Steps[Sequence[Any]]:
    return (yield statement, values)


# ---- results


def _results(dialect: Dialect, identifier: int, after: int, limit: int) -> Steps[Sequence[ResultRow]]:
    """Stretch by stretch, as they were written: other messages lie between them."""
    chunks = yield (
        """SELECT first_id, last_id FROM broadcast_chunk WHERE broadcast_id = :id AND last_id > :after
ORDER BY first_id LIMIT :chunks""",
        {"id": identifier, "after": after, "chunks": RESULTS_LOOKED_AT},
    )
    names = ("id", "recipient", "channel", "dossier_code", "language", "state", "delivery_status", "reason")
    moments = ("created_at", "settled_at", "delivered_at", "attempts")
    cells = [f"w.{name}" for name in (*names, *moments)]
    # The plus keeps an engine from walking all of the broadcast.
    page = """(SELECT * FROM outbox AS o WHERE o.id > :after AND o.id >= :first AND o.id <= :last
    AND +o.broadcast_id = :id ORDER BY o.id LIMIT :limit) AS w"""
    found_rows: list[ResultRow] = []
    for first, last in chunks:
        if len(found_rows) >= limit:
            break
        values: Values = {
            "id": identifier,
            "after": after,
            "first": first,
            "last": last,
            "limit": limit - len(found_rows),
        }
        [(payload,)] = yield dialect.grouped(cells, page), values
        found_rows += [_result(row) for row in sorted(decode(payload, list[tuple[Any, ...]]))]
    return found_rows


def _result(row: Sequence[Any]) -> ResultRow:
    identifier, recipient, channel, code, language, state, delivery, reason, created_at, settled_at, *rest = row
    delivered_at, attempts = rest
    return ResultRow(
        id=identifier,
        recipient=masked(recipient.partition(":")[2]),
        channel=channel,
        dossier_code=code or "",
        language=language or "",
        state=state,
        delivery=delivery or "",
        reason=reason or "",
        created_at=from_ms(created_at),
        settled_at=read_moment(settled_at),
        delivered_at=read_moment(delivered_at),
        attempts=attempts,
    )


def _preview(candidate: Candidate, person: Recipient) -> PreviewRow:
    return PreviewRow(
        recipient=masked(candidate.address.value) if candidate.address else "",
        channel=candidate.channel or NUMBERS_CHANNEL,
        language=candidate.language or person.language,
        plain=person.accents is False,
        facts=candidate.facts,
        values=candidate.values,
    )


# ---- counting


class Counting:
    """People counted once each, however long the walk: of each only a number is kept in mind."""

    def __init__(self) -> None:
        self.dossiers = 0
        self._people: Counter[str] = Counter()
        self._taken_out: Counter[str] = Counter()
        self._waits = 0
        self._seen: set[int] = set()

    def fresh(self, candidates: Sequence[Candidate]) -> Sequence[Address]:
        """Those nobody counted yet."""
        addresses = dict.fromkeys(each.address for each in candidates if each.address is not None)
        return [address for address in addresses if hash(address) not in self._seen]

    def add(
        self,
        candidates: Sequence[Candidate],
        known: Mapping[Address, Recipient],
        looked_at: int,
        *,
        failed_only: bool,
        day: DayCount | None,
    ) -> None:
        self.dossiers += looked_at
        for each in candidates:
            if each.address is None:
                self._people[NUMBERS_CHANNEL] += 1
            elif each.address in known and hash(each.address) not in self._seen:
                self._seen.add(hash(each.address))
                self._person(each, known[each.address], failed_only=failed_only, day=day)

    def _person(self, candidate: Candidate, person: Recipient, *, failed_only: bool, day: DayCount | None) -> None:
        if failed_only and not person.failed:
            return
        if person.silent:
            self._taken_out[person.silent] += 1
            return
        self._people[candidate.channel] += 1
        self._waits += day is not None and len(person.booked) >= day.per_day

    def result(self, *, more: bool) -> AudienceCount:
        return AudienceCount(
            dossiers=self.dossiers,
            people=dict(self._people),
            taken_out=dict(self._taken_out),
            waits=self._waits,
            more=more,
        )
