"""Broadcasts as officers see them, on both engines: what one does is decided on the row as it stands, and noted with it."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.store.audit import noting
from adapters.store.broadcast_counting import StoreAudiences
from adapters.store.broadcast_results import results
from adapters.store.broadcast_rows import (
    BROADCAST_COLUMNS,
    CHANGED_COLUMNS,
    PROGRESS_COLUMNS,
    as_json,
    broadcast_cells,
    read_standing,
)
from adapters.store.housekeeping import first_id
from adapters.store.notices_dialect import Dialect
from adapters.store.pins import SEND, Runner
from adapters.store.rows import OUTBOX_COLUMNS, to_ms, waiting_row
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
from domain.broadcast_fitness import Fitness
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
from domain.message import OutboundMessage
from domain.officers import Officer, Right

ROWS_AT_ONCE = 200  # of a list, in one transaction: a commit waits no longer than that for its turn
ANY_VERSION = frozenset({BroadcastAction.PAUSE, BroadcastAction.RESUME, BroadcastAction.STOP})
COUNTED = frozenset({BroadcastAction.SUBMIT, BroadcastAction.APPROVE})
BUSY = frozenset({BroadcastState.APPROVED, BroadcastState.RUNNING, BroadcastState.PAUSED})

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
TESTS = "SELECT about, detail FROM audit WHERE login = :login AND action = :action AND id >= :since"
# Two tests of one moment, of whatever broadcasts, are counted one after the other.
LOCK_TESTS = """INSERT INTO counter (name, value) VALUES ('broadcast_test', 0)
ON CONFLICT (name) DO UPDATE SET value = counter.value RETURNING 1"""


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
    """Implements console.broadcasts.ports.Broadcasts. `run` writes, `look` only reads; `good_for`: how long an approval is;
    `fitness`: what may leave at all.
    """

    def __init__(
        self,
        run: Runner,
        look: Runner,
        dialect: Dialect,
        clock: Callable[[], datetime],
        *,
        good_for: timedelta,
        fitness: Fitness,
    ) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect
        self._clock = clock
        self._good_for = good_for
        self._fitness = fitness
        self._audiences = StoreAudiences(look, dialect, clock)

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
            # A list is kept while the draft goes to others: it is the broadcast's until another is taken. A resend is for
            # those it was made for, whatever a form says.
            resent = before.audience.failed_of > 0
            audience = before.audience if resent else replace(draft.audience, file=before.audience.file, failed_of=0)
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
        counted = AudienceCount(dossiers=0, people={})
        if action in COUNTED:
            # Who may not do it at all is told so before anybody is counted.
            before = replace(standing.broadcast, people=max(1, standing.broadcast.people))
            refused = decide(before, action, officer, seal=before.seal, scope=scope)
            if isinstance(refused, Refusal):
                return refused
            if before.version != version:  # what is counted is what was looked at, and no earlier or later one
                return Refusal.CHANGED
            counted = await self._audiences.count(before.audience, identifier=identifier)
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
        self,
        audience: Audience,
        scope: frozenset[str],
        *,
        identifier: int = 0,
        limit: int | None = None,
        day: DayCount | None = None,
    ) -> AudienceCount:
        within = await self._audiences.within(audience, identifier, scope)
        if within is None:
            return AudienceCount(dossiers=0, people={})
        return await self._audiences.count(within, identifier=identifier, limit=limit, day=day)

    async def preview(
        self, audience: Audience, scope: frozenset[str], *, identifier: int = 0, limit: int
    ) -> Sequence[PreviewRow]:
        within = await self._audiences.within(audience, identifier, scope)
        return [] if within is None else await self._audiences.preview(within, identifier=identifier, limit=limit)

    async def add_rows(self, identifier: int, upload: int, rows: Sequence[FileRow], scope: frozenset[str]) -> int:
        kept = 0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            kept += await self._run(_add_rows(self._dialect, identifier, upload, some, scope))
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
        self,
        identifier: int,
        officer: Officer,
        scope: frozenset[str],
        *,
        after: int = 0,
        limit: int,
        unmasked: bool = False,
    ) -> Sequence[ResultRow] | None:
        needed = (Right.BROADCASTS_RESULTS, Right.MESSAGES_FIND) if unmasked else (Right.BROADCASTS_RESULTS,)
        if not all(map(officer.may, needed)) or await self.find(identifier, scope) is None:
            return None
        return await self._look(results(self._dialect, identifier, after, limit, unmasked=unmasked))

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
        if upload is not None and not (yield from _taken(identifier, upload)):
            return Refusal.NO_LIST
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
        counted: AudienceCount,
    ) -> Steps[Acted]:
        standing = yield from locked(self._dialect, identifier)
        if standing is None or standing.broadcast.agency not in scope:
            return None
        before = standing.broadcast
        if before.version != version and action not in ANY_VERSION:
            return Refusal.CHANGED
        sealed, seal = _sealed(before, action, counted.total)
        unfit = self._unfit(standing, counted) if action in COUNTED else None
        state = decide(sealed, action, officer, seal=seal, scope=scope, unfit=unfit)
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
        yield LOCK_TESTS, {}
        day_ago = first_id(self._clock() - timedelta(days=1))
        sent = yield TESTS, {"login": noted.login, "action": TESTED, "since": day_ago}
        if any(_same_form(about, detail, noted) for about, detail in sent):
            return standing
        if len(sent) >= TESTS_A_DAY or standing.broadcast.state in OVER:
            return Refusal.NOT_NOW
        yield SEND, dict(zip(OUTBOX_COLUMNS, waiting_row(message), strict=True))
        yield from noting(noted)
        return standing

    # ---- how it is done

    def _unfit(self, standing: Standing, counted: AudienceCount) -> Refusal | None:
        """Why it may not leave, by what stands in its row and what was just counted. A list is whole where all of the rows
        that were taken were walked over.
        """
        audience = standing.broadcast.audience
        if audience.kind is AudienceKind.FILE and not 0 < standing.rows == counted.dossiers:
            return Refusal.NO_LIST
        return self._fitness.refusal(standing.broadcast, columns=standing.columns, listed=counted.longest)

    def _may_write(self, broadcast: Broadcast, officer: Officer, scope: frozenset[str]) -> bool:
        allowed = officer.may(Right.BROADCASTS_WRITE) and broadcast.agency in scope
        return allowed and scope.issuperset(broadcast.audience.agencies)


def _sealed(before: Broadcast, action: BroadcastAction, counted: int) -> tuple[Broadcast, str]:
    """What is decided upon, and what its texts, audience and count come to now."""
    if action is BroadcastAction.SUBMIT:
        seal = seal_of(before.texts, before.audience, counted, before.starts_at)
        return replace(before, people=counted, seal=seal), seal
    return before, seal_now(before, counted) if action is BroadcastAction.APPROVE else ""


def _same_form(about: str, detail: str, noted: AuditEntry) -> bool:
    """It was sent twice."""
    form = noted.detail.get("form")
    return form is not None and about == noted.about and json.loads(detail).get("form") == form


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


def _taken(identifier: int, upload: Upload) -> Steps[bool]:
    """False: it is another broadcast's, or not all of it is there."""
    [(rows,)] = yield (
        "SELECT count(*) FROM broadcast_row WHERE upload = :upload AND broadcast_id = :id",
        {"upload": upload.id, "id": identifier},
    )
    if not 0 < rows == upload.rows:
        return False
    columns = as_json(list(upload.columns))
    yield TAKE, {"id": identifier, "upload": upload.id, "row_count": rows, "row_columns": columns}
    return True


def _add_rows(
    dialect: Dialect, identifier: int, upload: int, rows: Sequence[FileRow], scope: frozenset[str]
) -> Steps[int]:
    """Only to a draft within reach; not to a list that was taken already, nor to another broadcast's: what was approved
    stays what it is.
    """
    columns = (("position", "integer"), ("recipient", "text"), ("language", "text"), ("cells", "text"))
    given = dialect.given("rows", columns)
    statement = f"""INSERT INTO broadcast_row (upload, position, broadcast_id, recipient, language, cells)
SELECT CAST(:upload AS bigint), n.position, CAST(:id AS bigint), n.recipient, n.language, n.cells FROM {given} AS n
WHERE EXISTS (SELECT 1 FROM broadcast AS b WHERE b.id = :id AND b.state = '{BroadcastState.DRAFT.value}'
    AND coalesce(b.upload, 0) <> :upload AND b.agency {dialect.among("scope")})
  AND coalesce((SELECT r.broadcast_id FROM broadcast_row AS r WHERE r.upload = :upload LIMIT 1), :id) = :id
ON CONFLICT DO NOTHING RETURNING 1"""
    cells = [(row.position, row.recipient.urn, row.language, as_json(dict(row.values))) for row in rows]
    kept = yield (
        statement,
        {
            "upload": upload,
            "id": identifier,
            "rows": as_json(cells),
            "scope": as_json(sorted(scope)),
        },
    )
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
