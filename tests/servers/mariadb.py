"""A MariaDB server of our own for a test run: Debian's binaries, a free port, a folder that goes.

It refuses to run as root, so root starts it as somebody else. What already runs on the machine is left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped] # it ships no types
import pytest

from demo.process import free_port
from tests.debian import provide
from tests.servers.runner import somebody

START_WITHIN = 120.0  # seconds
SUPERUSER = "root"
OPTIONS = (
    "--bind-address=127.0.0.1",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--innodb-flush-log-at-trx-commit=0",  # a machine that loses its power loses its tests, too
    "--innodb-buffer-pool-size=64M",
    "--skip-log-bin",
    "--skip-name-resolve",
)


def binaries() -> tuple[str, str] | None:
    """What makes a data folder, and the server."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    install, server = (shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd"))
    return (install, server) if install and server else None


class Mariadb:
    """One server."""

    def __init__(self, folder: Path) -> None:
        self.port = 0  # taken when it starts: a free port does not stay free while the data folder is made
        self._folder = folder
        self._install, self._server = provide("mariadb-server", binaries, "one-stop systems on MariaDB")
        self._runner = somebody("mysql")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"mysql+aiomysql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the data folder, start, and wait until it answers."""
        if self._runner:
            os.chown(self._folder, self._runner["user"], self._runner["group"])
        data = f"--datadir={self._folder / 'data'}"
        make = [self._install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(make, check=True, capture_output=True, cwd=self._folder, **self._runner)
        self.port = free_port()
        files = [f"--socket={self._folder / 'socket'}", f"--pid-file={self._folder / 'pid'}"]
        command = [self._server, "--no-defaults", data, f"--port={self.port}", *files, *OPTIONS]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._runner)
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                self.connect().close()
            except pymysql.err.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"MariaDB did not start: {(self._folder / 'log').read_text()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_WITHIN)
            self._process = None

    def connect(self, database: str | None = None) -> pymysql.Connection[Any]:
        """A connection for tests, outside the source; its calls simply wait."""
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, database=database, autocommit=True, charset="utf8mb4"
        )

    @contextmanager
    def database(self, name: str) -> Iterator[pymysql.Connection[Any]]:
        """A database of one's own; gives a connection to it."""
        with self.connect() as hand:
            hand.cursor().execute(f"CREATE DATABASE `{name}`")
        hand = self.connect(name)
        try:
            yield hand
        finally:
            hand.close()
            with self.connect() as last:
                last.cursor().execute(f"DROP DATABASE `{name}`")


@contextmanager
def running() -> Iterator[Mariadb]:
    """A server from here to the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tracuu-mariadb-", ignore_cleanup_errors=True) as folder:
        server = Mariadb(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """The server of this test run."""
    with running() as server:
        yield server
