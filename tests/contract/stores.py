"""The stores the contract suites run on, how to hurt each of them, and messages to put into them."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, select

from adapters.store.lane import Lane
from adapters.store.migrate import sqlite_url, upgrade
from adapters.store.outside import Outside, SqliteOutside
from adapters.store.plan import Rules
from adapters.store.postgres import PostgresSettings, PostgresStore
from adapters.store.postgres_outside import PostgresOutside
from adapters.store.postgres_pool import Timeouts
from adapters.store.rows import to_ms
from adapters.store.sqlite import SqliteSettings, SqliteStore
from adapters.store.tables import metadata
from conversation.ports import Acknowledgement, Decision, Exchange, FollowChange, JournalBatch, Person
from conversation.redelivery import is_redelivery
from domain.answers import Outcome
from domain.codes import CodeFamily, DossierCode
from domain.ids import IdSequence
from domain.message import Address, Category, InboundMessage, OutboundMessage, SegmentResult, SendResult, SendStatus
from notifications.retry import after_send
from tests.servers.postgres import Database

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
# Seconds a locked file is waited for, and a turn: in a test that locks it, and else, on however busy a machine.
HASTY, PATIENT = 0.05, 60.0
# PostgreSQL's is said when a connection opens: long enough for a busy machine, short enough to be waited for.
PATIENT_TIMEOUTS = Timeouts(connect=PATIENT, turn=PATIENT, lock=1.0, statement=LEASE.total_seconds() / 4)
RULES = Rules(is_redelivery=is_redelivery, after_send=after_send)
ACCOUNT = "smsc-1"
SENDER = Address("sms", "84912345678")
SHORT_CODE = Address("sms", "8079")
CODE = DossierCode(text="H51.18-210817-0005", family=CodeFamily.NEW, agency="H51.18")

Store = SqliteStore | PostgresStore


class FakeClock:
    """Stands still until told to move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class StoreKit(ABC):
    """One kind of store in a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self._owners = itertools.count(1001)
        self._ids = IdSequence(1)

    def new_id(self) -> int:
        return self._ids.next(round(self.clock.now.timestamp() * 1000))

    name: str
    needs: str | None = None  # a fixture whose value it is given, beside the folder

    @abstractmethod
    async def open(self) -> Store:
        """A process starts: a store with an owner of its own."""

    @abstractmethod
    async def crash(self, store: Any) -> None:
        """Its process dies without a word, and long enough ago for its leases to have run out."""

    @abstractmethod
    async def close(self) -> None:
        """Close what the test left open."""

    @abstractmethod
    def locked(self) -> Any:
        """While this context lasts, nobody else can write."""

    @abstractmethod
    def commit_breaks(self, store: Any) -> Any:
        """While this context lasts, COMMIT itself fails."""

    @abstractmethod
    async def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        """What the table holds, in the order of its primary key."""

    @abstractmethod
    async def recategorise(self, categories: Mapping[int, str]) -> None:
        """Make notices or broadcasts of rows of the outbox, about nothing that could be followed."""

    @abstractmethod
    async def put(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Write these rows as they are."""

    @abstractmethod
    def outside(self) -> Outside:
        """The same database as an operator reaches it, beside who serves."""

    def now_ms(self) -> int:
        return to_ms(self.clock.now)

    def following(self, code: str = CODE.reference, **changes: Any) -> Mapping[str, Any]:
        """A row of subscription."""
        values = {
            "recipient": SENDER.urn,
            "dossier_code": code,
            "source": "province",
            "channel": "sms",
            "account": ACCOUNT,
            "sender": SHORT_CODE.urn,
            "origin": "text",
            "proved": False,
            "followed_at": self.now_ms(),
        }
        return {**values, **changes}

    def notice(self, **changes: Any) -> Mapping[str, Any]:
        """A row of the outbox: a notice about CODE that is due."""
        now = self.now_ms()
        values = {
            "id": self.new_id(),
            "channel": "sms",
            "account": ACCOUNT,
            "category": "notice",
            "priority": 1,
            "recipient": SENDER.urn,
            "sender": SHORT_CODE.urn,
            "text": "Ho so da xong",
            "params": '{"kind":"ready"}',
            "source": "province",
            "dossier_code": CODE.reference,
            "version": 1,
            "state": "ready",
            "created_at": now,
            "available_at": now,
            "expires_at": now + 3_600_000,
            "attempts": 0,
        }
        return {**values, **changes}

    async def row(self, table: str, identifier: int) -> Mapping[str, Any]:
        return next(row for row in await self.rows(table) if row["id"] == identifier)

    def message(self, text: str = "H51.18-210817-0005", **changes: Any) -> InboundMessage:
        """A text message; `identity` follows from its text and sender unless given."""
        sender = changes.get("sender", SENDER)
        values = {
            "id": self.new_id(),
            "channel": "sms",
            "account": ACCOUNT,
            "sender": sender,
            "recipient": SHORT_CODE,
            "text": text,
            "received_at": self.clock.now,
            "identity": f"sha of {sender.urn} {text}",
            "session": "smsc-1/1",
        }
        return InboundMessage(**{**values, **changes})

    def exchange(self, text: str = "H51.18-210817-0005", *, handed_over: bool = False, **changes: Any) -> Exchange:
        """A message with its answer."""
        return self.decided(self.message(text, **changes), handed_over=handed_over)

    def decided(self, message: InboundMessage, *, handed_over: bool = False, **changes: Any) -> Exchange:
        values = {"inquiry": "look_up", "outcome": Outcome.FOUND, "text": "Ho so dang xu ly", "dossier_code": "C-1"}
        return Exchange(
            message=message,
            decision=Decision(**{**values, **changes}),
            reply=self.reply(message),
            handed_over=handed_over,
        )

    def silent(
        self,
        text: str,
        *,
        person: Person | None = None,
        changes: frozenset[str] | None = None,
        muted: bool = False,
        follows: Sequence[FollowChange] = (),
    ) -> Exchange:
        decision = Decision(inquiry="thanks", person=person, changes=changes, muted=muted, follows=follows)
        return Exchange(message=self.message(text), decision=decision)

    def reply(self, message: InboundMessage, valid_for: float = 3600) -> OutboundMessage:
        return OutboundMessage(
            id=self.new_id(),
            channel=message.channel,
            account=message.account,
            category=Category.REPLY,
            recipient=message.sender,
            sender=message.recipient,
            text="Ho so dang xu ly",
            created_at=self.clock.now,
            expires_at=self.clock.now + timedelta(seconds=valid_for),
            inbound_id=message.id,
        )

    def acknowledged(self, *exchanges: Exchange, durable: bool = True) -> JournalBatch:
        return JournalBatch(
            acknowledgements=[
                Acknowledgement(inbound_id=e.message.id, at=self.clock.now, durable=durable) for e in exchanges
            ]
        )


def _wait_for_locks(lane: Lane, seconds: float) -> None:
    """In the lane's own thread."""
    assert lane._connection is not None
    lane._busy_timeout = seconds
    lane._connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


@cache
def empty_store() -> bytes:
    """An SQLite file whose tables were made as a gateway makes them, once a process: a copy is quicker, and what makes
    them is tests/integration/test_migrations.py's.
    """
    with tempfile.TemporaryDirectory(prefix="tracuu-empty-") as folder:
        file = Path(folder) / "store.db"
        upgrade(sqlite_url(file))
        return file.read_bytes()


class SqliteKit(StoreKit):
    """SQLite in a file; a crash only lets go of the file, as the kernel would."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "store.db"
        self._opened: list[SqliteStore] = []

    async def open(self) -> SqliteStore:
        if not self.path.exists():
            self.path.write_bytes(empty_store())
        store = self.make()
        await store.open()
        self._opened.append(store)
        return store

    def make(self) -> SqliteStore:
        return SqliteStore(
            self.path,
            owner=next(self._owners),
            clock=self.clock,
            rules=RULES,
            settings=SqliteSettings(busy_timeout=PATIENT, lease=LEASE),
        )

    async def crash(self, store: SqliteStore) -> None:
        store._process_number = None
        await store._disconnect()
        self.clock.advance(LEASE.total_seconds() + 1)

    async def close(self) -> None:
        for store in self._opened:
            await store.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        self._wait_for_locks(HASTY)
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()
            self._wait_for_locks(PATIENT)

    def _wait_for_locks(self, seconds: float) -> None:
        """What is open waits for so long from now on."""
        for store in self._opened:
            for lane in filter(lambda lane: lane._open, (store._writer, store._reader, store._tidier)):
                lane._executor.submit(_wait_for_locks, lane, seconds).result()

    @asynccontextmanager
    async def commit_breaks(self, store: SqliteStore) -> AsyncIterator[None]:
        def refuse(action: int, operation: str | None, *_: str | None) -> int:
            is_commit = action == sqlite3.SQLITE_TRANSACTION and operation == "COMMIT"
            return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

        await self.on_driver(store, lambda driver: driver.set_authorizer(refuse))
        try:
            yield
        finally:
            await self.on_driver(store, lambda driver: driver.set_authorizer(None))

    async def on_driver(self, store: SqliteStore, act: Any) -> Any:
        """Do something with the writer's own sqlite3 connection, in its thread."""
        return await store._writer.run(lambda connection: act(connection.connection.dbapi_connection))

    async def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        engine = create_engine(sqlite_url(self.path), poolclass=NullPool)
        definition = metadata.tables[table]
        with engine.connect() as connection:
            found = connection.execute(select(definition).order_by(*definition.primary_key.columns))
            return [dict(row) for row in found.mappings()]

    async def put(self, table: str, *rows: Mapping[str, Any]) -> None:
        with create_engine(sqlite_url(self.path), poolclass=NullPool).begin() as connection:
            for row in rows:
                connection.execute(metadata.tables[table].insert().values(**row))

    def outside(self) -> Outside:
        return SqliteOutside(self.path, clock=self.now_ms)

    async def recategorise(self, categories: Mapping[int, str]) -> None:
        outbox = metadata.tables["outbox"]
        engine = create_engine(sqlite_url(self.path), poolclass=NullPool)
        with engine.begin() as connection:
            for identifier, category in categories.items():
                values = {"category": category, "priority": Category(category).priority, "dossier_code": None}
                connection.execute(outbox.update().where(outbox.c.id == identifier).values(values))


KEPT = ("audit", "intake_step")  # they let no row be deleted
# TRUNCATE would make every table's and index's files anew: a hundred times as long for the few rows of a test.
EMPTY = "; ".join(
    [
        f"LOCK TABLE {', '.join(metadata.tables)}",  # whoever was under way in the test before has ended
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables) if table.name not in KEPT),
        *(f"TRUNCATE {name}" for name in KEPT),
        "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence",
    ]
)


class PostgresKit(StoreKit):
    """PostgreSQL: one server and one database a test run, emptied for each test."""

    name = "postgres"
    needs = "postgres_database"

    def __init__(self, folder: Path, database: Database, *, emptied: bool = True) -> None:
        super().__init__(folder)
        self.database = database
        self.hand = database.hand
        if emptied:
            self.hand.execute(EMPTY)
        self._opened: list[PostgresStore] = []

    async def open(self) -> PostgresStore:
        store = self.make()
        await store.open()
        return store

    def make(self, **changes: Any) -> PostgresStore:
        """A store like the others, but for the named settings."""
        settings: dict[str, Any] = {"timeouts": PATIENT_TIMEOUTS, "lease": LEASE, "migrate": False}
        store = PostgresStore(
            self.database.url,
            owner=next(self._owners),
            rules=RULES,
            settings=PostgresSettings(**{**settings, **changes}),
            store_clock=self.clock,
        )
        self._opened.append(store)
        return store

    async def crash(self, store: PostgresStore) -> None:
        store._process_number = None
        await store._disconnect()
        self.clock.advance(LEASE.total_seconds() + 1)

    async def close(self) -> None:
        for store in self._opened:
            await store.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.hand.execute(f"BEGIN; LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            self.hand.execute("ROLLBACK")

    @asynccontextmanager
    async def commit_breaks(self, store: PostgresStore) -> AsyncIterator[None]:
        """The connection goes while COMMIT runs."""
        self.hand.execute("""
            CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER go AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION go()""")
        try:
            yield
        finally:
            self.hand.execute("DROP TRIGGER go ON inbox; DROP FUNCTION go()")

    async def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        key = ", ".join(column.name for column in metadata.tables[table].primary_key.columns)
        return [dict(row) for row in self.hand.fetch(f"SELECT * FROM {table} ORDER BY {key}")]

    async def put(self, table: str, *rows: Mapping[str, Any]) -> None:
        for row in rows:
            places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            self.hand.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())

    def outside(self) -> Outside:
        return PostgresOutside(self.database.url, replace(PATIENT_TIMEOUTS, lock=0.3), clock=self.now_ms)

    async def recategorise(self, categories: Mapping[int, str]) -> None:
        for identifier, category in categories.items():
            change = "UPDATE outbox SET category = $2, priority = $3, dossier_code = NULL WHERE id = $1"
            self.hand.execute(change, identifier, category, Category(category).priority)


STORES: tuple[type[StoreKit], ...] = (SqliteKit, PostgresKit)


def sent(message: OutboundMessage, status: SendStatus = SendStatus.ACCEPTED, **changes: Any) -> SendResult:
    return SendResult(message_id=message.id, status=status, **changes)


def segments(*external_ids: str) -> Sequence[SegmentResult]:
    return [
        SegmentResult(segment=number, segments=len(external_ids), external_id=external_id)
        for number, external_id in enumerate(external_ids, 1)
    ]
