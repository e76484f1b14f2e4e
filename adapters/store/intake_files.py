"""Files and drafts of the intake module, on both engines. A draft and the dossier it becomes have one id, so that its files
stay where they are; those of nobody's dossier are forgotten with the draft.
"""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.store.broadcast_rows import as_json
from adapters.store.intake_rows import DRAFT_COLUMNS, FILE_COLUMNS, draft_cells, file_cells, read_draft, read_file
from adapters.store.notices_dialect import Dialect
from adapters.store.pins import Runner
from adapters.store.rows import to_ms
from adapters.store.steps import Steps, Values
from domain.intake import IntakeFile
from intake.ports import Draft

LOOSE_FOR = timedelta(days=7)  # files of a form that was never sent, and is no draft

_FILE = ", ".join(FILE_COLUMNS)
_DRAFT = ", ".join(DRAFT_COLUMNS)
FILES = f"SELECT {_FILE} FROM intake_file WHERE owner = :owner ORDER BY id"
TOGETHER = "SELECT count(*), CAST(coalesce(sum(size), 0) AS bigint) FROM intake_file WHERE owner = :owner"
ADD_FILE = f"""INSERT INTO intake_file ({_FILE}, of_dossier) VALUES ({", ".join(f":{name}" for name in FILE_COLUMNS)},
    EXISTS (SELECT 1 FROM intake_dossier AS d WHERE d.id = :owner))"""
DROP_FILE = f"DELETE FROM intake_file WHERE id = :id AND owner = :owner AND NOT of_dossier RETURNING {_FILE}"
KEEP_FILES = "UPDATE intake_file SET of_dossier = true WHERE owner = :id AND NOT of_dossier"
# Sent, it is a dossier: what was filled in is there, and only what its secret link opens stays here.
END_DRAFT = """UPDATE intake_draft SET fields = '{}', phone = '', phone_proved_at = NULL, expires_at = :never
    WHERE id = :id"""
NEVER = 253_402_300_799_000  # the end of the year 9999, in epoch milliseconds
CHANGED = ("agency", "procedure", "language", "fields", "changed_at", "expires_at", "phone", "phone_proved_at")
SAVE_DRAFT = f"""INSERT INTO intake_draft ({_DRAFT}) VALUES ({", ".join(f":{name}" for name in DRAFT_COLUMNS)})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in CHANGED)}"""
DRAFT_OF = (
    f"SELECT {_DRAFT} FROM intake_draft WHERE token_digest = :token AND expires_at > :now AND expires_at < :never"
)
LOOSE_BYTES = "SELECT CAST(coalesce(sum(size), 0) AS bigint) FROM intake_file WHERE NOT of_dossier"


def kept_now(identifier: int) -> Steps[None]:
    """The draft is a dossier from now on, and its files are that one's."""
    yield END_DRAFT, {"id": identifier, "never": NEVER}
    yield KEEP_FILES, {"id": identifier}


class StoreIntakeFiles:
    """What was handed in, and what is being filled in."""

    def __init__(self, run: Runner, look: Runner, dialect: Dialect) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect

    async def add(self, file: IntakeFile, most: int, most_bytes: int) -> bool:
        return await self._run(_add(self._dialect, file, most, most_bytes))

    async def of(self, owner: int) -> Sequence[IntakeFile]:
        return await self._look(_read(FILES, {"owner": owner}))

    async def drop(self, owner: int, identifier: int) -> IntakeFile | None:
        dropped = await self._run(_read(DROP_FILE, {"owner": owner, "id": identifier}))
        return dropped[0] if dropped else None

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return await self._look(_known(self._dialect, keys))

    async def save_draft(self, draft: Draft) -> None:
        await self._run(_save(self._dialect, draft))

    async def draft(self, token_digest: str, now: datetime) -> Draft | None:
        return await self._look(_draft(token_digest, to_ms(now)))

    async def loose_bytes(self) -> int:
        return await self._look(_loose_bytes())

    async def expired(self, now: datetime, limit: int) -> Sequence[IntakeFile]:
        return await self._run(_expired(self._dialect, to_ms(now), limit))


def _add(dialect: Dialect, file: IntakeFile, most: int, most_bytes: int) -> Steps[bool]:
    if dialect.alone:  # what is counted must not grow meanwhile, nor become a dossier
        yield dialect.alone, {"source": f"intake:{file.owner}"}
    there = yield "SELECT 1 FROM intake_file WHERE id = :id", {"id": file.id}
    if there:
        return True
    [(count, size)] = yield TOGETHER, {"owner": file.owner}
    if count >= most or size + file.size > most_bytes:
        return False
    yield ADD_FILE, file_cells(file)
    return True


def _read(statement: str, values: Values) -> Steps[Sequence[IntakeFile]]:
    rows = yield statement, values
    return [read_file(row) for row in rows]


def _known(dialect: Dialect, keys: Sequence[str]) -> Steps[frozenset[str]]:
    rows = yield f"SELECT key FROM intake_file WHERE key {dialect.among('keys')}", {"keys": as_json(list(keys))}
    return frozenset(row[0] for row in rows)


def _save(dialect: Dialect, draft: Draft) -> Steps[None]:
    """Not once it was sent: a page that was left open must not bring it back."""
    if dialect.alone:
        yield dialect.alone, {"source": f"intake:{draft.id}"}
    sent = yield "SELECT 1 FROM intake_dossier WHERE id = :id", {"id": draft.id}
    if not sent:
        yield SAVE_DRAFT, draft_cells(draft)


def _draft(token_digest: str, now: int) -> Steps[Draft | None]:
    rows = yield DRAFT_OF, {"token": token_digest, "now": now, "never": NEVER}
    return read_draft(rows[0]) if rows else None


def _loose_bytes() -> Steps[int]:
    [(size,)] = yield LOOSE_BYTES, {}
    return int(size)


def _expired(dialect: Dialect, now: int, limit: int) -> Steps[Sequence[IntakeFile]]:
    """Drafts that are over, then files that are of nothing at all."""
    skipping = dialect.taking("t")
    over = yield (
        f"""DELETE FROM intake_draft WHERE id IN (SELECT t.id FROM intake_draft AS t WHERE t.expires_at <= :now
        ORDER BY t.expires_at LIMIT :limit{skipping}) RETURNING id""",
        {"now": now, "limit": limit},
    )
    files = yield (
        f"DELETE FROM intake_file WHERE owner {dialect.among_ids('owners')} AND NOT of_dossier RETURNING {_FILE}",
        {"owners": as_json([row[0] for row in over])},
    )
    loose = yield (
        f"""DELETE FROM intake_file WHERE id IN (SELECT t.id FROM intake_file AS t WHERE NOT t.of_dossier
        AND t.added_at < :before AND NOT EXISTS (SELECT 1 FROM intake_draft AS d WHERE d.id = t.owner)
        ORDER BY t.added_at LIMIT :limit{skipping}) RETURNING {_FILE}""",
        {"before": now - round(LOOSE_FOR.total_seconds() * 1000), "limit": limit},
    )
    return [read_file(row) for row in (*files, *loose)]
