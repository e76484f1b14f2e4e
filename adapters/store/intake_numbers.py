"""Serials of the intake module, on both engines: one row counts those of an agency and a day, blocks are runs of them."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from adapters.store.audit import noting
from adapters.store.broadcast_rows import as_json
from adapters.store.housekeeping import first_id
from adapters.store.intake_rows import BLOCK_COLUMNS, day_cell, read_block
from adapters.store.notices_dialect import Dialect
from adapters.store.pins import Runner
from adapters.store.rows import to_ms
from adapters.store.steps import Steps, Values
from console.accounts.ports import AuditEntry
from domain.ids import COUNTER_BITS, PROCESS_BITS
from domain.intake import Actor, NumberBlock
from domain.numbering import LAST_SERIAL, NumberPattern
from intake.ports import NewDossier, NumberTrouble

# Whoever takes serials holds the row until what they are for is kept. `filled`: the last of the first ones of a day.
TAKE = """INSERT INTO intake_number AS n (agency, day, last) VALUES (:agency, :day, :filled)
    ON CONFLICT (agency, day) DO UPDATE SET last = CASE WHEN n.last < :first THEN :filled ELSE n.last + :count END
    WHERE n.last + :count <= :most RETURNING last"""
_BLOCK = ", ".join(BLOCK_COLUMNS)
BLOCK = f"SELECT {_BLOCK} FROM intake_block WHERE id = :block"
BLOCK_OF = (
    f"SELECT {_BLOCK} FROM intake_block WHERE agency = :agency AND day = :day AND first <= :serial AND last >= :serial"
)
ADD_BLOCK = f"INSERT INTO intake_block ({_BLOCK}) VALUES ({', '.join(f':{name}' for name in BLOCK_COLUMNS)})"
ACCOUNT = """INSERT INTO intake_serial (block_id, serial, dossier_id, void) VALUES (:block, :serial, :dossier, :void)
    ON CONFLICT DO NOTHING RETURNING 1"""


def next_serial(new: NewDossier) -> Steps[tuple[date, int] | NumberTrouble]:
    """The day and the serial of its code: the next of its day, or the one of a block, whose day it then bears."""
    if new.serial is None:
        last = yield from _take(new.pattern, new.day, 1)
        return NumberTrouble.FULL if last is None else (new.day, last)
    block = yield from _block_of(new, new.serial)
    if block is None or block.agency != new.dossier.agency or not block.first <= new.serial <= block.last:
        return NumberTrouble.NOT_RESERVED
    used: Values = {"block": block.id, "serial": new.serial, "dossier": new.dossier.id, "void": ""}
    accounted = yield ACCOUNT, used
    return (block.day, new.serial) if accounted else NumberTrouble.USED


def _take(pattern: NumberPattern, day: date, count: int) -> Steps[int | None]:
    """The last of the next `count` serials; None: the day has not so many left."""
    first = pattern.first
    values: Values = {"agency": pattern.agency, "day": day_cell(day), "first": first, "filled": first + count - 1}
    taken = yield TAKE, {**values, "count": count, "most": LAST_SERIAL}
    return int(taken[0][0]) if taken else None


def _block_of(new: NewDossier, serial: int) -> Steps[NumberBlock | None]:
    """Without a block's id: the one of its day that the serial is of."""
    if new.block is not None:
        rows = yield BLOCK, {"block": new.block}
    else:
        rows = yield BLOCK_OF, {"agency": new.dossier.agency, "day": day_cell(new.day), "serial": serial}
    return read_block(rows[0]) if rows else None


class StoreNumbers:
    """Blocks that are set aside."""

    def __init__(self, run: Runner, look: Runner, dialect: Dialect, clock: Callable[[], datetime]) -> None:
        self._run = run
        self._look = look
        self._dialect = dialect
        self._clock = clock

    async def reserve(self, block: NumberBlock, pattern: NumberPattern, count: int, actor: Actor) -> NumberBlock:
        """Raises:
        ValueError: the day has not so many left.
        """
        return await self._run(_reserve(self._dialect, block, pattern, count, actor))

    async def blocks(self, agencies: frozenset[str], since: date) -> Sequence[NumberBlock]:
        return await self._look(_blocks(self._dialect, agencies, since))

    async def void(self, block: int, serial: int, why: str, actor: Actor) -> bool:
        return await self._run(_void(block, serial, why, actor, self._clock()))


def _reserve(
    dialect: Dialect, block: NumberBlock, pattern: NumberPattern, count: int, actor: Actor
) -> Steps[NumberBlock]:
    if dialect.alone:
        yield dialect.alone, {"source": f"intake:{block.id}"}
    there = yield BLOCK, {"block": block.id}
    if there:
        return read_block(there[0])
    last = yield from _take(pattern, block.day, count)
    if last is None:
        raise ValueError(f"{block.day} has no {count} serials left")
    made = replace(block, agency=pattern.agency, first=last - count + 1, last=last, used=frozenset(), void={})
    plain: dict[str, Any] = {name: getattr(made, name) for name in BLOCK_COLUMNS}
    yield ADD_BLOCK, {**plain, "day": day_cell(made.day), "reserved_at": to_ms(made.reserved_at)}
    detail: Mapping[str, int | str] = {"first": made.first, "last": made.last, "day": day_cell(made.day)}
    yield from noting(_noted(made.id, "reserved", made.id, made.reserved_at, actor, detail))
    return made


def _blocks(dialect: Dialect, agencies: frozenset[str], since: date) -> Steps[Sequence[NumberBlock]]:
    rows = yield (
        f"SELECT {_BLOCK} FROM intake_block WHERE agency {dialect.among('agencies')} AND day >= :since ORDER BY id DESC",
        {"agencies": as_json(sorted(agencies)), "since": day_cell(since)},
    )
    serials = yield (
        (
            "SELECT block_id, serial, CASE WHEN dossier_id IS NULL THEN void END FROM intake_serial"
            f" WHERE block_id {dialect.among_ids('blocks')}"
        ),
        {"blocks": as_json([row[0] for row in rows])},
    )
    of_block: dict[int, list[tuple[int, str | None]]] = {}
    for block, serial, void in serials:
        of_block.setdefault(block, []).append((serial, void))
    return [read_block(row, of_block.get(row[0], ())) for row in rows]


def _void(block: int, serial: int, why: str, actor: Actor, now: datetime) -> Steps[bool]:
    rows = yield BLOCK, {"block": block}
    if not rows or not read_block(rows[0]).first <= serial <= read_block(rows[0]).last:
        return False
    accounted = yield ACCOUNT, {"block": block, "serial": serial, "dossier": None, "void": why}
    if not accounted:
        return False
    # No id was made for this: any of this millisecond that nobody else is likely to make.
    identifier = first_id(now) | secrets.randbits(PROCESS_BITS + COUNTER_BITS)
    yield from noting(_noted(identifier, "voided", block, now, actor, {"serial": serial}))
    return True


def _noted(
    identifier: int, action: str, block: int, at: datetime, actor: Actor, detail: Mapping[str, int | str]
) -> AuditEntry | None:
    if actor.officer is None and not actor.login:
        return None
    return AuditEntry(
        id=identifier,
        at=at,
        officer_id=actor.officer,
        login=actor.login,
        agency=actor.agency,
        action=f"intake.{action}",
        about=f"block:{block}",
        detail=detail,
        address=actor.address,
    )
