"""A relay between an ESME and an SMSC that notes which PDUs pass: a witness that belongs to neither side."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE = 60.0  # seconds a test waits for what must happen
CHUNK = 65_536
HEADER = struct.Struct(">LLLL")  # length, command, status, sequence number: SMPP 3.4 §3.2
ANSWER = 0x80000000

BIND_RECEIVER = 0x01
BIND_TRANSMITTER = 0x02
BIND_TRANSCEIVER = 0x09
SUBMIT_SM = 0x04
DELIVER_SM = 0x05
UNBIND = 0x06
ENQUIRE_LINK = 0x15


@dataclass(frozen=True, slots=True)
class Passed:
    """One PDU. `ours`: from the ESME to the SMSC."""

    ours: bool
    command: int
    status: int
    sequence: int

    @property
    def answer(self) -> Passed:
        """What answers it well."""
        return Passed(not self.ours, self.command | ANSWER, 0, self.sequence)


class Wire:
    """Listens on `port` of the loopback and passes everything on to another port of it."""

    def __init__(self, behind: int) -> None:
        self.port = 0
        self.passed: list[Passed] = []
        self._behind = behind
        self._news = asyncio.Condition()
        self._calls: set[asyncio.Task[None]] = set()

    def of(self, command: int, *, ours: bool) -> list[Passed]:
        return [each for each in self.passed if (each.command, each.ours) == (command, ours)]

    async def answered(self, command: int, *, ours: bool) -> Passed:
        """The first such request, once it has passed and been answered well."""
        await self.until(lambda: any(each.answer in self.passed for each in self.of(command, ours=ours)))
        return next(each for each in self.of(command, ours=ours) if each.answer in self.passed)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever something passed."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(condition)

    async def call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            answers, behind = await asyncio.open_connection("127.0.0.1", self._behind)
            try:
                await asyncio.gather(
                    self._pass(reader, behind, ours=True),
                    self._pass(answers, writer, ours=False),
                )
            finally:
                behind.close()
        except (OSError, asyncio.CancelledError):  # nobody behind, or it is over: the ESME sees its connection end
            writer.close()
        finally:
            self._calls.discard(task)

    async def hang_up(self) -> None:
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, ours: bool) -> None:
        pending = b""
        try:
            while octets := await reader.read(CHUNK):
                pending = await self._note(pending + octets, ours=ours)
                writer.write(octets)
                await writer.drain()
        except OSError:  # reset: the other side is told below that it is over
            pass
        finally:
            writer.close()

    async def _note(self, octets: bytes, *, ours: bool) -> bytes:
        """What is left after the whole PDUs."""
        while len(octets) >= HEADER.size and len(octets) >= HEADER.unpack_from(octets)[0] >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(octets)
            octets = octets[length:]
            async with self._news:
                self.passed.append(Passed(ours, command, status, sequence))
                self._news.notify_all()
        return octets


@asynccontextmanager
async def wire_to(behind: int) -> AsyncIterator[Wire]:
    """A running one."""
    wire = Wire(behind)
    server = await asyncio.start_server(wire.call, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.hang_up()
