"""A TCP proxy before a one-stop system that falls ill when it is told to: silent, slow, cut off, talking nonsense, gone.

What it is told holds for connections that are there already as well: a gateway keeps some in its pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

DRIP = 0.05  # seconds from one octet to the next of a slow answer
CHUNK = 65_536
NO_FAREWELL = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset
HTML = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n"


class Manner(enum.Enum):
    """What becomes of an answer of the system behind."""

    WELL = "it passes"
    HANGING = "it is held until the proxy is well again"
    SLOW = "it passes octet by octet"
    RESET = "the connection is reset in its place"
    ENDED = "the connection is closed in its place"
    NONSENSE = "a page of HTML comes in its place"


class FaultyProxy:
    """Listens on `port` of the loopback and passes everything on to `behind`, another port of it."""

    def __init__(self, behind: int) -> None:
        self.port = 0
        self.manner = Manner.WELL
        self.swaps: Mapping[bytes, bytes] = {}  # in what the system behind says; as long as what they replace
        self._behind = behind
        self._well = asyncio.Event()
        self._well.set()
        self._held = 0  # answers
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._passes: Mapping[Manner, Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]] = {
            Manner.WELL: self._pass,
            Manner.HANGING: self._hold,
            Manner.SLOW: self._drip,
            Manner.RESET: self._reset,
            Manner.ENDED: self._end,
            Manner.NONSENSE: self._talk_nonsense,
        }

    async def open(self) -> None:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(self._call, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse new connections and cut off those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._well.set()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    @asynccontextmanager
    async def being(self, manner: Manner) -> AsyncIterator[None]:
        """Behave so within the block."""
        self.manner = manner
        self._well.clear()
        try:
            yield
        finally:
            self.manner = Manner.WELL
            self._well.set()

    @asynccontextmanager
    async def swapping(self, swaps: Mapping[bytes, bytes]) -> AsyncIterator[None]:
        """Say something else within the block."""
        self.swaps = swaps
        try:
            yield
        finally:
            self.swaps = {}

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """Nobody listens within the block."""
        await self.close()
        try:
            yield
        finally:
            await self.open()

    async def until_held(self) -> None:
        """An answer is held back."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held > 0)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        behind: asyncio.StreamWriter | None = None
        try:
            answers, behind = await asyncio.open_connection("127.0.0.1", self._behind)
            await _first_of(self._forward(reader, behind), self._answer(answers, writer))
        except (OSError, asyncio.CancelledError):  # cut off; the finally below says goodbye to both sides
            _break_off(writer)
        finally:
            self._calls.discard(task)
            for each in (writer, behind):
                if each is not None:
                    each.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(CHUNK):
            await self._pass(octets, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (octets := await reader.read(CHUNK)) and not writer.is_closing():
            for said, other in self.swaps.items():
                octets = octets.replace(said, other)
            await self._passes[self.manner](octets, writer)

    async def _pass(self, octets: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        await writer.drain()

    async def _hold(self, octets: bytes, writer: asyncio.StreamWriter) -> None:
        self._held += 1
        async with self._changed:
            self._changed.notify_all()
        try:
            await self._well.wait()
        finally:
            self._held -= 1
        await self._pass(octets, writer)

    async def _drip(self, octets: bytes, writer: asyncio.StreamWriter) -> None:
        for number in range(len(octets)):
            with contextlib.suppress(TimeoutError):  # the time-out is what makes it slow
                await asyncio.wait_for(self._well.wait(), DRIP)
            await self._pass(octets[number : number + 1], writer)

    async def _reset(self, _octets: bytes, _writer: asyncio.StreamWriter) -> None:
        raise ConnectionResetError

    async def _end(self, _octets: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def _talk_nonsense(self, _octets: bytes, writer: asyncio.StreamWriter) -> None:
        await self._pass(HTML, writer)


@asynccontextmanager
async def faulty_proxy(behind: int) -> AsyncIterator[FaultyProxy]:
    """A running proxy before this port of the loopback."""
    proxy = FaultyProxy(behind)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()


async def _first_of(*flows: Awaitable[None]) -> None:
    """Until one direction ends, which ends the other."""
    tasks = [asyncio.ensure_future(flow) for flow in flows]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _break_off(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset instead of a farewell."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_FAREWELL)
    writer.transport.abort()
