"""The gateway's own database seen from outside: what is written in it, and somebody else's hand on it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMITTED = ("", "-wal")  # the shared memory file is made anew by whoever opens the copy


@dataclass(frozen=True, slots=True)
class Written:
    """What the store holds: (number, state) of every inbox and outbox row."""

    inbox: list[tuple[str, str]]
    outbox: list[tuple[str, str]]

    def asked(self) -> Counter[str]:
        """How many inbox rows each number has."""
        return Counter(number for number, _ in self.inbox)

    def replied(self, state: str | None = None) -> Counter[str]:
        """How many outbox rows each number has, of one state or of all."""
        return Counter(number for number, its in self.outbox if state in (None, its))

    def opened(self) -> int:
        """Messages whose look-up was still going on."""
        return sum(state == "open" for _, state in self.inbox)


def read_written(store: Path) -> Written:
    """Read a store nobody has open. A copy is read: the gateway is to find exactly what its end left."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / store.name
        for suffix in COMMITTED:
            if Path(f"{store}{suffix}").exists():
                shutil.copyfile(f"{store}{suffix}", f"{copy}{suffix}")
        with closing(sqlite3.connect(copy)) as connection:
            return Written(
                connection.execute("SELECT substr(sender, 5), state FROM inbox ORDER BY id").fetchall(),
                connection.execute("SELECT substr(recipient, 5), state FROM outbox ORDER BY id").fetchall(),
            )


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program holds the SQLite file, as a shell or a careless backup does."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
