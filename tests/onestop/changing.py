"""One-stop systems on real servers whose dossiers change: by many writers at once, some late, some by a wrong clock."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Final

from demo.onestop import OPENCPS_STATES, DemoDossier
from domain.calendar import LOCAL_ZONE
from domain.dossier import DossierStatus
from domain.notices import Known
from tests.onestop.hands import Connection, connect
from tests.onestop_schemas.databases import Database, literal
from tests.onestop_schemas.schemas import SCHEMAS, Schema

S = DossierStatus
LATE: Final = 0.1  # share of the transactions that stay open
LONGEST: Final = 1.5  # for so many seconds at most
TOUCHED: Final = 0.05  # share of the transactions that move the moment of change and nothing else
SKEWS: Final = (-120, 0, 0, 120)  # seconds by which a writer's clock is wrong
LONG_AGO: Final = "2026-01-01 08:00:00"  # when everything that is planted changed last
PROMISED_IN: Final = timedelta(days=30)
A_DAY: Final = 5_000  # dossiers with the same date in their code
ROWS: Final = 1_000  # of one INSERT
# The column is a comment in the shipped mapping: not every installation has it.
NO_CHANGE_COLUMN: Final = re.compile(r'^# (changed_at = "\w+").*$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a schema writes its state and the moment of a change."""

    schema: Schema
    status: str
    changed: str
    written: Mapping[DossierStatus, str]

    @property
    def as_it_changes(self) -> Schema:
        """With the moment of a change as these systems really keep it: to the second."""
        table = self.schema.table
        columns = {**self.schema.tables[table], self.changed: "moment"}
        return replace(self.schema, tables={**self.schema.tables, table: columns})


STYLES: Final[Mapping[str, Style]] = {
    "thanhhoa": Style(
        schema=SCHEMAS["thanhhoa"],
        status="TrangThaiHoSoId",
        changed="NgayCapNhat",
        written={status: str(int(status)) for status in S},
    ),
    "opencps": Style(schema=SCHEMAS["opencps"], status="dossierStatus", changed="modifiedDate", written=OPENCPS_STATES),
}


@dataclass(slots=True, kw_only=True)
class Change:
    """`committed_at` is time.monotonic() just before the commit was asked for; infinite until then."""

    status: DossierStatus
    committed_at: float = float("inf")


@dataclass(slots=True, kw_only=True)
class ChangingSystem:
    """`planted` are its dossiers and the states they began with; `history` is what became of each since, in the order of
    the commits: a row stays locked until then.
    """

    name: str
    agency: str
    database: Database
    style: Style
    promised: datetime
    planted: Mapping[str, DossierStatus]
    history: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    touches: int = 0

    def known(self, status: DossierStatus) -> Known:
        """What somebody knows who was told this state."""
        return Known(status, self.promised.date())

    def now(self, code: str) -> DossierStatus:
        """The state of a dossier, as we wrote it."""
        changes = self.history.get(code)
        return changes[-1].status if changes else self.planted[code]

    async def truth(self) -> Mapping[str, DossierStatus]:
        """The states of all dossiers, as the system holds them."""
        read = {written: status for status, written in self.style.written.items()}
        async with self.hand() as hand:
            rows = await hand.rows(f"SELECT {self._code}, {self._status} FROM {self._table}")
        return {code: read[status] for code, status in rows}

    @asynccontextmanager
    async def hand(self) -> AsyncIterator[Connection]:
        """A connection of somebody who works there."""
        hand = await connect(self.database)
        try:
            yield hand
        finally:
            await hand.close()

    async def storm(self, codes: Sequence[str], *, writers: int, seed: int) -> None:
        """Change these, in this order, by so many at once: whoever is free takes the next."""
        work = iter(codes)
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for number in range(writers):
                hand = await stack.enter_async_context(self.hand())
                dice = random.Random(f"{seed} {self.name} {number}")
                group.create_task(self._write(hand, work, dice, SKEWS[number % len(SKEWS)]))

    async def move(self, hand: Connection, code: str, status: DossierStatus) -> None:
        """One dossier, at once and by the right clock."""
        await hand.run("BEGIN")
        await self._set(hand, code, status, skew=0)
        await self._commit(hand, [self._changed(code, status)])

    async def _write(self, hand: Connection, work: Iterator[str], dice: random.Random, skew: int) -> None:
        for code in work:
            await hand.run("BEGIN")
            condition = f"{self._code} = {literal(code)}"
            ((was,),) = await hand.rows(f"SELECT {self._status} FROM {self._table} WHERE {condition} FOR UPDATE")
            touched = dice.random() < TOUCHED
            others = [status for status, written in self.style.written.items() if (written == was) is touched]
            status = dice.choice(others)
            await self._set(hand, code, status, skew=skew)
            self.touches += touched
            changes = [] if touched else [self._changed(code, status)]
            if dice.random() < LATE:
                await asyncio.sleep(dice.uniform(0.1, LONGEST))  # the writer who is late is what is tested
            await self._commit(hand, changes)

    def _changed(self, code: str, status: DossierStatus) -> Change:
        change = Change(status=status)
        self.history[code].append(change)
        return change

    async def _set(self, hand: Connection, code: str, status: DossierStatus, *, skew: int) -> None:
        offset = datetime.now(LOCAL_ZONE).utcoffset() or timedelta()
        moment = hand.now.format(int(offset.total_seconds()) + skew)
        await hand.run(
            f"UPDATE {self._table} SET {self._status} = {literal(self.style.written[status])}, "
            f"{self._named(self.style.changed)} = {moment} WHERE {self._code} = {literal(code)}"
        )

    async def _commit(self, hand: Connection, changes: Sequence[Change]) -> None:
        for change in changes:
            change.committed_at = time.monotonic()
        await hand.run("COMMIT")

    @property
    def _table(self) -> str:
        return self._named(self.style.schema.table)

    @property
    def _code(self) -> str:
        return self._named(self.style.schema.code)

    @property
    def _status(self) -> str:
        return self._named(self.style.status)

    def _named(self, name: str) -> str:
        return self.database.named(name)


@contextmanager
def changing_system(
    style: str, make: Callable[[], Database], agency: str, dossiers: int, today: date, *, seed: int
) -> Iterator[ChangingSystem]:
    """A system of this style with so many dossiers, accepted or in process, promised for a day that is far; it is
    dropped at the end of the block.
    """
    dice = random.Random(f"{seed} {style}")
    planted = {code: dice.choice((S.ACCEPTED, S.IN_PROCESS)) for code in _codes(agency, dossiers, today)}
    received = datetime.combine(today - timedelta(days=7), clock_time(8))
    promised = datetime.combine(today + PROMISED_IN, clock_time(16))
    database = make()
    try:
        _plant(
            database,
            STYLES[style],
            [
                DemoDossier(code=code, status=status, agency=agency, received_at=received, due_at=promised)
                for code, status in planted.items()
            ],
        )
        yield ChangingSystem(
            name=style, agency=agency, database=database, style=STYLES[style], promised=promised, planted=planted
        )
    finally:
        database.close()


def mapping_file(style: str, directory: Path) -> Path:
    """The shipped mapping, with the column that is polled."""
    text = SCHEMAS[style].text()
    file = directory / f"{style}.toml"
    file.write_text(NO_CHANGE_COLUMN.sub(r"\1", text), encoding="utf-8")
    return file


def _codes(agency: str, dossiers: int, today: date) -> Iterator[str]:
    """Spread over as many days as it takes; as long as each other."""
    for number in range(dossiers):
        days, serial = divmod(number, A_DAY)
        yield f"{agency}-{today - timedelta(days=days + 7):%y%m%d}-{serial + 1:04}"


def _plant(database: Database, style: Style, dossiers: Sequence[DemoDossier]) -> None:
    schema = style.as_it_changes
    schema.make(database)
    table = database.named(schema.table)
    rows = [
        {**row, style.changed: LONG_AGO}
        for dossier in dossiers
        for _, row in schema.rows(dossier, schema.status(dossier))
    ]
    columns = ", ".join(map(database.named, rows[0]))
    for first in range(0, len(rows), ROWS):
        values = ", ".join(f"({', '.join(map(literal, row.values()))})" for row in rows[first : first + ROWS])
        database.execute(f"INSERT INTO {table} ({columns}) VALUES {values}")
    database.execute(f"CREATE INDEX {database.named('ix_changed')} ON {table} ({database.named(style.changed)})")
