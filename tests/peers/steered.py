"""An SMSC of strangers in a process of its own: told what to do and telling what happens, in lines of JSON.

What every such program understands on stdin, and what it says on stdout (a program that cannot do one says so in
tests/peers/smscs.py):

    {"command": "deliver", "ref", "source", "destination", "data_coding", "esm_class", "hex", "tlvs": [[tag, hex], ...]}
    {"command": "behave", "statuses": [88, 0], "receipts": "after" | "before" | "", "reversed": 3, "hold": true}
    {"command": "enquire"}   {"command": "unbind"}   {"command": "drop"}   {"command": "stop"}

    listening(port)   behaves   bound(system_id)   bind_refused(status)   resp(ref, status)   enquired   unbound(by)   closed
    submit(id, status, source, destination, data_coding, esm_class, tlvs, and `text` with `part` where it decodes, else `hex`)

`statuses` are the answers to the next submits; `reversed`: the next so many are answered together, the last first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds a test waits for what must happen
ROOT = Path(__file__).absolute().parents[2]

Event = dict[str, Any]


class SteeredSmsc:
    """A running one. Every event is kept; `event` waits for the next of a kind."""

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

    def deliver(
        self,
        octets: bytes,
        *,
        ref: str = "mo",
        source: str = "84912345678",
        destination: str = "8088",
        data_coding: int = 0,
        esm_class: int = 0,
        tlvs: Mapping[int, bytes] | None = None,
    ) -> None:
        """Order a deliver_sm of these octets; its answer is the event `resp` of this `ref`."""
        self.order(
            "deliver",
            ref=ref,
            source=source,
            destination=destination,
            data_coding=data_coding,
            esm_class=esm_class,
            hex=octets.hex(),
            tlvs=[[tag, value.hex()] for tag, value in (tlvs or {}).items()],
        )

    async def behave(self, **changes: Any) -> None:
        """Order how the next submits are met, and wait until that holds."""
        known = len(self.of("behaves"))
        self.order("behave", **changes)
        await self.event("behaves", known + 1)

    def of(self, kind: str) -> list[Event]:
        """All events of a kind so far, in order."""
        return [event for event in self.events if event["event"] == kind]

    async def event(self, kind: str, count: int = 1, *, matching: Callable[[Event], bool] | None = None) -> list[Event]:
        """The first `count` events of a kind, waiting for those that have not happened yet."""

        def found() -> list[Event]:
            return [event for event in self.of(kind) if matching is None or matching(event)]

        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(found()) >= count or self._reader.done())
        assert len(found()) >= count, f"the SMSC ended before {count} x {kind}; it told {self.events}"
        return found()[:count]

    async def stop(self) -> None:
        """End the process: as ordered, or by force if it does not listen any more."""
        if self._process.returncode is None:
            self.order("stop")
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            async for line in self._process.stdout:
                self.events.append(json.loads(line))
                await self._wake()
        finally:
            await self._wake()

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def steered(command: Sequence[str | Path], **settings: Any) -> AsyncIterator[SteeredSmsc]:
    """Start it with these settings as its last argument, and wait until it listens."""
    process = await asyncio.create_subprocess_exec(
        *command, json.dumps(settings), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    smsc = SteeredSmsc(process)
    try:
        smsc.port = (await smsc.event("listening"))[0]["port"]
        yield smsc
    finally:
        await smsc.stop()
