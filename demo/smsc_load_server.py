"""The listening part of the load generator: binds gateways, writes questions, hands what comes back to the tally.

It shares the machine with the gateway it measures, so it is not the simulator: questions are encoded before the clock
starts, a whole socket read is worked through in one loop, and a turn ends in one write. It knows just the PDUs it needs
and checks nothing else.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Self, cast

from demo.smsc_tally import HEADER, OK, Load, LoadOptions, LoadResult, Mode

SUBMIT_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x06, 0x15
BIND_TRANSMITTER = 0x02
BINDS = frozenset({0x01, BIND_TRANSMITTER, 0x09})
RESPONSE, GENERIC_NACK, SUBMIT_SM_RESP, DELIVER_SM_RESP = 0x80000000, 0x80000000, 0x80000004, 0x80000005
INVALID_COMMAND_ID, BIND_FAILED = 0x03, 0x0D
SUBMIT_ANSWER = struct.Struct(">IIII11s")  # ten hexadecimal digits of message id and their NUL
TICK = 0.005  # seconds between two looks at the clock in the open loop
HOUSEKEEPING = 0.5  # seconds between two looks for what was forgotten

Announce = Callable[[dict[str, object]], None]


def silent(_event: dict[str, object]) -> None:
    """Announce nothing."""


class LoadSession(asyncio.Protocol):
    """One bound gateway."""

    def __init__(self, server: LoadServer, number: int) -> None:
        self.number = number
        self.receives = False
        self._server = server
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (whatever ended it, it is over)
        self._transport = None
        self._server.session_lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def write(self, pdus: Sequence[bytes]) -> None:
        if pdus and self._transport is not None:
            self._transport.write(b"".join(pdus))

    def data_received(self, data: bytes) -> None:
        """Work through everything that came and answer it, and ask what may be asked now, in one write."""
        buffer = self._rest + data if self._rest else data
        now = time.perf_counter()
        answers = self._work_through(buffer, now)
        load = self._server.load
        if load is not None and self.receives:
            answers += load.take(self.number, now)
        self.write(answers)

    def _work_through(self, buffer: bytes, now: float) -> list[bytes]:
        """The hot loop: some 2 us a PDU, so everything it needs is a local name."""
        server, load = self._server, self._server.load
        unpack, find_nul, end = HEADER.unpack_from, buffer.index, len(buffer)
        out: list[bytes] = []
        position = 0
        news = False
        while end - position >= HEADER.size:
            length, command, status, sequence = unpack(buffer, position)
            if end - position < length:
                break
            if command == SUBMIT_SM and load is not None:
                news = True
                at = find_nul(0, position + 16) + 3  # past service_type and the source's type and plan
                at = find_nul(0, at) + 3  # past the source and the destination's type and plan
                load.answer(buffer, slice(position, position + length), find_nul(0, at), now)
                out.append(SUBMIT_ANSWER.pack(27, SUBMIT_SM_RESP, OK, sequence, b"%010x" % next(server.message_ids)))
            elif command == DELIVER_SM_RESP and load is not None:
                news = True
                if status == OK:
                    load.acknowledge(load.index_of(sequence))
                else:
                    server.refused(load.index_of(sequence))
            else:
                out.append(self._other(command, sequence, buffer[position : position + length]))
            position += max(length, HEADER.size)
        self._rest = buffer[position:]
        if news and load is not None:
            load.turn_ended(now)
        return out

    def _other(self, command: int, sequence: int, pdu: bytes) -> bytes:
        """Everything that is not the load itself: binds, enquire_link, unbind, and what nobody expects."""
        if command in BINDS:
            admitted = self._server.admits(pdu)
            self.receives = admitted and command != BIND_TRANSMITTER
            if self.receives:
                self._server.session_bound(self)
            return (
                HEADER.pack(HEADER.size + 5, RESPONSE | command, OK if admitted else BIND_FAILED, sequence) + b"load\0"
            )
        if command == UNBIND:
            self.receives = False
        if command in {UNBIND, ENQUIRE_LINK}:
            return HEADER.pack(HEADER.size, RESPONSE | command, OK, sequence)
        if command & RESPONSE:
            return b""
        return HEADER.pack(HEADER.size, GENERIC_NACK, INVALID_COMMAND_ID, sequence)


class LoadServer:
    """Listens for gateways and runs one load after another over their binds. An async context manager."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        system_id: str = "demo",
        password: str = "demo",  # noqa: S107 (a simulator's account)
        announce: Announce = silent,
        make_load: Callable[[LoadOptions, Announce], Load] = Load,
    ) -> None:
        self.host, self.port = host, port
        self.load: Load | None = None
        self.sessions: list[LoadSession] = []
        # Ids go on from a random start, so that two runs against one gateway never give the same id twice.
        self.message_ids = count(random.getrandbits(16) << 24)
        self._credentials = (system_id.encode(), password.encode())
        self._announce = announce
        self._make_load = make_load
        self._numbers = count(1)
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: LoadSession(self, next(self._numbers)), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._announce({"event": "listening", "host": self.host, "port": self.port})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.close()

    def admits(self, bind: bytes) -> bool:
        system_id, password, _ = bind[HEADER.size :].split(b"\0", 2)
        return (system_id, password) == self._credentials

    def session_bound(self, session: LoadSession) -> None:
        self.sessions.append(session)
        self._announce({"event": "bound", "binds": len(self.sessions)})
        self._changed.set()

    def session_lost(self, session: LoadSession) -> None:
        if session not in self.sessions:
            return
        self.sessions.remove(session)
        self._announce({"event": "lost", "binds": len(self.sessions)})
        if self.load is not None:
            self.load.connection_lost(session.number)
            self._ask()

    async def bound(self, binds: int = 1) -> None:
        """Wait until so many gateways are bound."""
        while len(self.sessions) < binds:
            self._changed.clear()
            await self._changed.wait()

    def refused(self, index: int) -> None:
        """A question the gateway could not take now is asked again after a pause."""
        load = self.load
        if load is not None and load.refuse(index):
            asyncio.get_running_loop().call_later(load.options.retry_after, load.ask_again, (index,))

    async def run(self, options: LoadOptions) -> LoadResult:
        """Ask, count and return the figures. At least one gateway must be bound."""
        load = self._make_load(options, self._announce)
        self.load = load
        cpu = time.process_time()
        load.start(time.perf_counter())
        clock = asyncio.create_task(self._keep_time(load))
        self._ask()
        try:
            await load.finished.wait()
            await asyncio.sleep(options.linger)
        finally:
            clock.cancel()
            self.load = None
        return load.result(time.process_time() - cpu)

    def _ask(self) -> None:
        """Write what may be asked now, on the bind whose turn it is."""
        if self.load is not None and self.sessions:
            now = time.perf_counter()
            session = self.sessions.pop(0)
            self.sessions.append(session)
            session.write(self.load.take(session.number, now))

    async def _keep_time(self, load: Load) -> None:
        pause = TICK if load.options.mode is Mode.OPEN else HOUSEKEEPING
        next_look = 0.0
        while True:
            await asyncio.sleep(pause)
            now = time.perf_counter()
            if now >= next_look:
                next_look = now + HOUSEKEEPING
                load.look_at_the_clock(now)
            self._ask()


async def run_load(
    options: LoadOptions, *, host: str = "127.0.0.1", port: int = 0, binds: int = 1, announce: Announce = silent
) -> LoadResult:
    """Listen, wait for the gateway's binds, run one load. `announce` tells the port first."""
    async with LoadServer(host=host, port=port, announce=announce) as server:
        await server.bound(binds)
        return await server.run(options)
