"""Dossiers of an agency that move, the people who follow them, and what the gateway's store says of their notices."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from demo.onestop import DOSSIER_FILE, OPENCPS_STATES, DemoDossier, write_dossier
from domain.calendar import LOCAL_ZONE
from domain.dossier import DossierStatus
from domain.notices import Known
from tests.servers.postgres import Hand
from tests.whole.gateways import SHORT_CODE
from tests.whole.store_files import COMMITTED

S = DossierStatus
SOURCE: Final = "dossier"  # of tests.whole.gateways.CONFIG
FIRST_STATE: Final = S.ACCEPTED
# What a notice of a state says, whatever its kind: a step forward, or a correction ("nay ...").
SAYS: Final[Mapping[DossierStatus, Sequence[str]]] = {
    S.ACCEPTED: ("da tiep nhan",),
    S.IN_PROCESS: ("dang xu ly",),
    S.MORE_DOCUMENTS: ("con thieu giay to",),
    S.PAYMENT_DUE: ("can nop phi",),
    S.DONE: ("da co ket qua", "co ket qua som"),
    S.RETURNED: ("da tra ket qua",),
}
BUSY: Final = 10.0  # seconds a locked file is waited for
NUMBERS: Final = "8497"  # where the numbers of those who follow begin; six digits are left


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who follows one dossier."""

    number: str
    code: str


class Agency:
    """A system in the OpenCPS style, a file in `directory`, whose officers move dossiers between the states of SAYS."""

    def __init__(self, directory: Path, dossiers: int, *, seed: int) -> None:
        self._file = directory / DOSSIER_FILE
        self._chance = random.Random(seed)
        self.codes = [f"H13.18-260601-{10_000 + number}" for number in range(dossiers)]
        self.states = dict.fromkeys(self.codes, FIRST_STATE)
        self.changes = 0
        long_ago = datetime(2026, 6, 1, 8, 0)  # noqa: DTZ001 - local time without a zone, as those databases have it
        rows = [DemoDossier(code=c, status=FIRST_STATE, agency="H13.18", received_at=long_ago) for c in self.codes]
        write_dossier(self._file, rows)

    def people(self) -> list[Person]:
        """Every third dossier is followed by two, every seventh by nobody."""
        followed = [code for place, code in enumerate(self.codes) if place % 7]
        shares = [code for place, code in enumerate(followed) for _ in range(2 if place % 3 == 0 else 1)]
        return [Person(f"{NUMBERS}{place:07d}", code) for place, code in enumerate(shares)]

    def change(self) -> None:
        """One dossier moves on, or back."""
        code = self._chance.choice(self.codes)
        state = self._chance.choice([each for each in SAYS if each is not self.states[code]])
        now = datetime.now(LOCAL_ZONE).replace(tzinfo=None).isoformat(timespec="milliseconds")
        with closing(sqlite3.connect(self._file, timeout=BUSY)) as connection, connection:
            connection.execute(
                "UPDATE Dossier SET dossierStatus = ?, modifiedDate = ? WHERE dossierNo = ?",
                (OPENCPS_STATES[state], now, code),
            )
        self.states[code] = state
        self.changes += 1

    @asynccontextmanager
    async def at_work(self, pace: float) -> AsyncIterator[None]:
        """A change every `pace` seconds until the block ends."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._work(pace))
            yield
            task.cancel()

    async def _work(self, pace: float) -> None:
        while True:
            self.change()
            await asyncio.sleep(pace)


# ---- the gateway's store, from outside


class StoreView(Protocol):
    """Statements without parameters, which both engines understand."""

    def fetch(self, statement: str) -> Sequence[Mapping[str, Any]]: ...

    def execute(self, statement: str) -> None: ...

    def left(self, statement: str) -> Sequence[Mapping[str, Any]]:
        """What stands there after a kill; the gateway is to find exactly what its end left."""
        ...


@dataclass(frozen=True, slots=True)
class FileView:
    """Of a SQLite file, beside the gateway that serves it."""

    file: Path

    def fetch(self, statement: str) -> Sequence[Mapping[str, Any]]:
        return _fetch(self.file, statement)

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.file, timeout=BUSY)) as connection, connection:
            connection.execute(statement)

    def left(self, statement: str) -> Sequence[Mapping[str, Any]]:
        with _copy(self.file) as copy:
            return _fetch(copy, statement)


@dataclass(frozen=True, slots=True)
class ServerView:
    """Of a PostgreSQL database."""

    hand: Hand

    def fetch(self, statement: str) -> Sequence[Mapping[str, Any]]:
        return self.hand.fetch(statement)

    def execute(self, statement: str) -> None:
        self.hand.execute(statement)

    left = fetch


def follow(store: StoreView, people: Sequence[Person], *, account: str = "demo") -> None:
    """They follow from now on, and know what is true."""
    known, now = Known(FIRST_STATE).text, round(datetime.now(UTC).timestamp() * 1000)
    rows = ", ".join(
        f"('sms:{p.number}', '{p.code}', '{SOURCE}', 'sms', '{account}', 'sms:{SHORT_CODE}', 'text', false, '{known}', {now})"
        for p in people
    )
    store.execute(
        "INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, known,"
        f" followed_at) VALUES {rows}"
    )


def said(text: str) -> DossierStatus:
    """The state a notice speaks of."""
    [state] = [state for state, phrases in SAYS.items() if any(phrase in text for phrase in phrases)]
    return state


def _fetch(file: Path, statement: str) -> Sequence[Mapping[str, Any]]:
    with closing(sqlite3.connect(file, timeout=BUSY)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]


@contextmanager
def _copy(store: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / store.name
        for suffix in COMMITTED:
            if Path(f"{store}{suffix}").exists():
                shutil.copyfile(f"{store}{suffix}", f"{copy}{suffix}")
        yield copy
