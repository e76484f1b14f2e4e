"""The book of the intake module, on both engines: what is done to a dossier, its number and its audit row are one transaction.

Codes of an agency and a day have no gaps: the row that counts them is locked until the dossier that got the number is
kept, or neither is.
"""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from adapters.store.audit import noting
from adapters.store.broadcast_rows import as_json
from adapters.store.intake_files import StoreIntakeFiles, kept_now
from adapters.store.intake_numbers import StoreNumbers, next_serial
from adapters.store.intake_old import drop_files_of_closed, mask_closed
from adapters.store.intake_rows import (
    CHANGED_COLUMNS,
    DOSSIER_COLUMNS,
    STEP_COLUMNS,
    dossier_cells,
    read_dossier,
    read_step,
    step_cells,
)
from adapters.store.intake_search import counts, listed, tallied
from adapters.store.intake_words import words_of
from adapters.store.notices_dialect import Dialect
from adapters.store.pins import Runner
from adapters.store.rows import to_ms
from adapters.store.steps import Steps, Values
from console.accounts.ports import AuditEntry
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.intake import Actor, IntakeDossier, IntakeFile, IntakeStep, NumberBlock
from domain.numbering import NumberPattern
from intake.ports import Draft, IntakeSearch, NewDossier, NumberTrouble

_COLUMNS = ", ".join(DOSSIER_COLUMNS)
SELECT = f"SELECT {_COLUMNS} FROM intake_dossier"
STANDS = "SELECT version, agency, holder, status FROM intake_dossier"
ADD = f"INSERT INTO intake_dossier ({_COLUMNS}) VALUES ({', '.join(f':{name}' for name in DOSSIER_COLUMNS)})"
CHANGE = f"UPDATE intake_dossier SET {', '.join(f'{name} = :{name}' for name in CHANGED_COLUMNS)} WHERE id = :id"
ADD_STEP = (
    f"INSERT INTO intake_step ({', '.join(STEP_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in STEP_COLUMNS)})"
)
STEPS = f"SELECT {', '.join(STEP_COLUMNS)} FROM intake_step WHERE dossier_id = :id ORDER BY id"
BY_LINK = "id = (SELECT d.id FROM intake_draft AS d WHERE d.token_digest = :wanted)"
DONE = "SELECT 1 FROM intake_step WHERE id = :step AND dossier_id = :id"


class StoreIntake:
    """Implements intake.ports.IntakeBook. `run` writes, `look` only reads; `clock`: the store's."""

    def __init__(self, run: Runner, look: Runner, dialect: Dialect, clock: Callable[[], datetime]) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect
        self._clock = clock
        self._numbers = StoreNumbers(run, look, dialect, clock)
        self._files = StoreIntakeFiles(run, look, dialect)

    async def register(self, new: NewDossier, step: IntakeStep) -> IntakeDossier | NumberTrouble:
        return await self._run(register(self._dialect, new, step, self._clock))

    async def write(self, after: IntakeDossier, step: IntakeStep, *, was: int) -> bool:
        return await self._run(write(self._dialect, after, step, was, self._clock))

    async def find(self, code: DossierCode) -> IntakeDossier | None:
        return await self._look(_one("code = :wanted", code.reference))

    async def by_id(self, identifier: int) -> IntakeDossier | None:
        return await self._look(_one("id = :wanted", identifier))

    async def listed(self, search: IntakeSearch, *, limit: int) -> Sequence[IntakeDossier]:
        return await self._look(listed(self._dialect, search, limit))

    async def counts(self, agencies: frozenset[str], *, now: datetime) -> Mapping[str, int]:
        return await self._look(counts(self._dialect, agencies, to_ms(now)))

    async def steps(self, identifier: int) -> Sequence[IntakeStep]:
        return [read_step(row) for row in await self._look(_rows(STEPS, {"id": identifier}))]

    # ---- numbers set aside

    async def reserve(self, block: NumberBlock, pattern: NumberPattern, count: int, actor: Actor) -> NumberBlock:
        return await self._numbers.reserve(block, pattern, count, actor)

    async def blocks(self, agencies: frozenset[str], *, since: date) -> Sequence[NumberBlock]:
        return await self._numbers.blocks(agencies, since)

    async def void(self, block: int, serial: int, why: str, actor: Actor) -> bool:
        return await self._numbers.void(block, serial, why, actor)

    # ---- files, and drafts of citizens

    async def add_file(self, file: IntakeFile, *, most: int, most_bytes: int) -> bool:
        return await self._files.add(file, most, most_bytes)

    async def files(self, owner: int) -> Sequence[IntakeFile]:
        return await self._files.of(owner)

    async def drop_file(self, owner: int, identifier: int) -> IntakeFile | None:
        return await self._files.drop(owner, identifier)

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        return await self._files.known(keys)

    async def save_draft(self, draft: Draft) -> None:
        await self._files.save_draft(draft)

    async def draft(self, token_digest: str, *, now: datetime) -> Draft | None:
        return await self._files.draft(token_digest, now)

    async def filed(self, token_digest: str) -> IntakeDossier | None:
        return await self._look(_one(BY_LINK, token_digest))

    async def loose_bytes(self) -> int:
        return await self._files.loose_bytes()

    async def expired(self, *, now: datetime, limit: int) -> Sequence[IntakeFile]:
        return await self._files.expired(now, limit)

    # ---- what is old

    async def mask_closed(self, before: datetime, limit: int) -> int:
        return await self._run(mask_closed(self._dialect, before, limit, to_ms(self._clock())))

    async def drop_files_of_closed(self, before: datetime, limit: int) -> Sequence[IntakeFile]:
        return await self._run(drop_files_of_closed(before, limit))


# ---- one transaction each


def register(
    dialect: Dialect, new: NewDossier, step: IntakeStep, clock: Callable[[], datetime]
) -> Steps[IntakeDossier | NumberTrouble]:
    """Give it its number and keep it; `clock` is asked once its turn has come."""
    identifier = new.dossier.id
    yield from alone(dialect, identifier)
    there = yield from _one("id = :wanted", identifier)
    if there is not None:
        return there
    numbered = yield from next_serial(new)
    if isinstance(numbered, NumberTrouble):
        return numbered
    dossier = replace(new.dossier, code=new.pattern.code(*numbered), version=1)
    yield ADD, dossier_cells(dossier, version=1, now=to_ms(clock()))
    yield ADD_STEP, step_cells(step)
    yield from _found_by(dialect, dossier)
    yield from tallied(dossier.agency, (dossier.holder, dossier.status, 1))
    yield from kept_now(identifier)
    yield from noting(_noted(dossier, step))
    return dossier


def write(
    dialect: Dialect, after: IntakeDossier, step: IntakeStep, was: int, clock: Callable[[], datetime]
) -> Steps[bool]:
    """Keep what became of it, unless somebody else was quicker; done again (the same step) it is done once."""
    found = yield f"{STANDS} WHERE id = :id{dialect.lock}", {"id": after.id}
    if not found:
        return False
    version, agency, holder, status = found[0]
    if version != was:
        return bool((yield DONE, {"step": step.id, "id": after.id}))
    cells = dossier_cells(after, version=was + 1, now=to_ms(clock()))
    yield CHANGE, {name: cells[name] for name in ("id", *CHANGED_COLUMNS)}
    yield ADD_STEP, step_cells(step)
    yield from _found_by(dialect, after)
    if (holder, status) != (after.holder, after.status):
        yield from tallied(agency, (holder, DossierStatus(status), -1), (after.holder, after.status, 1))
    yield from noting(_noted(after, step))
    return True


def alone(dialect: Dialect, identifier: int) -> Steps[None]:
    """What is not there yet cannot be locked: nobody else makes the row of this id before this transaction ends."""
    if dialect.alone:
        yield dialect.alone, {"source": f"intake:{identifier}"}


def _found_by(dialect: Dialect, dossier: IntakeDossier) -> Steps[None]:
    """By whoever received it and whoever has it."""
    given = dialect.given("words", (("agency", "text"), ("word", "text")))
    words = words_of(dossier.code, dossier.person)
    pairs = [(agency, word) for agency in dict.fromkeys((dossier.agency, dossier.holder)) for word in words]
    yield (
        (
            "INSERT INTO intake_word (agency, word, dossier_id) SELECT n.agency, n.word, CAST(:id AS bigint)"
            f" FROM {given} AS n WHERE true ON CONFLICT DO NOTHING"
        ),
        {"id": dossier.id, "words": as_json(pairs)},
    )


def _noted(dossier: IntakeDossier, step: IntakeStep) -> AuditEntry | None:
    """What an officer did; never who the applicant is."""
    actor = step.actor
    if actor.officer is None and not actor.login:
        return None
    passed = {"to": step.to_agency} if step.to_agency else {}
    return AuditEntry(
        id=step.id,
        at=step.entered_at,
        officer_id=actor.officer,
        login=actor.login,
        agency=actor.agency,
        action=f"intake.{step.action}",
        about=f"dossier:{dossier.code.reference}",
        detail={"status": int(step.after), **passed},
        address=actor.address,
    )


def _one(condition: str, wanted: int | str) -> Steps[IntakeDossier | None]:
    rows = yield f"{SELECT} WHERE {condition}", {"wanted": wanted}
    return read_dossier(rows[0]) if rows else None


def _rows(statement: str, values: Values) -> Steps[Sequence[Any]]:
    return (yield statement, values)
