"""A gateway in a process of its own, as an operator would start it: for the demo, the bench and the crash tests."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

POLL = 0.05  # seconds between two looks at /readyz while the gateway starts
READY_WITHIN = 120.0  # seconds for a start on however busy a machine
LEAVE_WITHIN = 60.0  # seconds for a goodbye before the process is killed
# Below what Linux gives to whoever connects or does not mind (net.ipv4.ip_local_port_range): nobody takes it meanwhile.
FREE_PORTS = range(15_000, 32_000)


class GatewayFailed(Exception):
    """The gateway ended by itself; the message carries what it said."""


def free_port(preferred: int = 0) -> int:
    """The preferred port of this machine's loopback if nobody has it, else a free one."""
    return preferred if preferred and _is_free(preferred) else free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different free ports of this machine's loopback."""
    chance, found = random.SystemRandom(), set[int]()
    while len(found) < count:
        port = chance.choice(FREE_PORTS)
        if _is_free(port):
            found.add(port)
    return list(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(slots=True, kw_only=True)
class GatewayProcess:
    """`tracuu serve` with a configuration and settings from the environment. Restartable."""

    config: Path
    public_port: int
    operations_port: int
    staff_port: int = 0  # any free one
    settings: Mapping[str, str] = field(default_factory=dict)  # TRACUU_... variables
    log: Path | None = None  # where its log goes; None: to ours
    arguments: Sequence[str] = ()  # of `tracuu serve`, beside --config
    _process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Only while it runs."""
        if self._process is None:
            raise RuntimeError("the gateway is not running")
        return self._process.pid

    @property
    def public(self) -> str:
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def operations(self) -> str:
        return f"http://127.0.0.1:{self.operations_port}"

    @property
    def staff(self) -> str:
        return f"http://127.0.0.1:{self.staff_port}"

    async def start(self, *, ready_within: float = READY_WITHIN) -> None:
        """Start it and wait until /readyz says that every dependency answers.

        Raises:
            GatewayFailed: it ended, or was not ready in time.
        """
        await self.launch()
        try:
            async with asyncio.timeout(ready_within), aiohttp.ClientSession() as http:
                while not await self._ready(http):  # noqa: ASYNC110 (another process has no event to await)
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            await self.kill()
            raise GatewayFailed(f"not ready within {ready_within:g} s{self._said()}") from error

    async def launch(self) -> None:
        """Start it and do not wait."""
        environment = os.environ | {
            "TRACUU_LISTEN__PUBLIC__PORT": str(self.public_port),
            "TRACUU_LISTEN__OPERATIONS__PORT": str(self.operations_port),
            "TRACUU_LISTEN__STAFF__PORT": str(self.staff_port),
            **self.settings,
        }
        command = (sys.executable, "-m", "gateway.cli", "serve", "--config", str(self.config), *self.arguments)
        output = self.log.open("ab") if self.log is not None else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        finally:
            if output is not None:
                output.close()

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        if self._process is None:
            return 0
        return await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait; returns its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(LEAVE_WITHIN):
                code = await self._process.wait()
        except TimeoutError:
            await self.kill()
            return -int(signal.SIGKILL)
        self._process = None
        return code

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to say or write anything."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        process = self._process
        if process is None or process.returncode is not None:
            code = process.returncode if process is not None else "?"
            raise GatewayFailed(f"the gateway ended with exit code {code}{self._said()}")
        try:
            async with http.get(f"{self.operations}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    def _said(self) -> str:
        if self.log is None or not self.log.exists():
            return ""
        return ":\n" + self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
