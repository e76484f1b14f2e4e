"""A tiny SMSC that does what a test says, on the loopback; it speaks through our own codec and keeps what it hears."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from channels.sms import commands as c
from channels.sms.pdu import (
    Bind,
    BindResp,
    EnquireLink,
    EnquireLinkResp,
    Frames,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
)

P = TypeVar("P", bound=Pdu)
PATIENCE = 60.0  # seconds a test waits for what must happen


class ScriptedSmsc:
    """One server for many connections; what it heard, of all of them, is in `heard`."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[Pdu] = []
        self.links: list[Link] = []
        self.bind_statuses: deque[int] = deque()  # of the next binds; then ROK
        self.submit_statuses: deque[int] = deque()  # of the next submits; then ROK
        self.answers_submits = True
        self.silent_submits = 0  # the next so many are not answered
        self._news = asyncio.Condition()
        self._notifying: set[asyncio.Task[None]] = set()
        self._ids = 0

    @property
    def link(self) -> Link:
        """The newest connection."""
        return self.links[-1]

    def of(self, kind: type[P]) -> list[P]:
        return [pdu for pdu in self.heard if type(pdu) is kind]

    def say(self, *pdus: Pdu) -> None:
        """Write these to the newest connection in one go."""
        self.link.say(*pdus)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever a PDU or a connection came or went."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(condition)

    async def until_heard(self, kind: type[P], count: int = 1) -> list[P]:
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    def answer(self, pdu: Pdu) -> list[Pdu]:
        """What a well-behaved SMSC says, but for the statuses it was told to give."""
        match pdu:
            case Bind():
                status = self.bind_statuses.popleft() if self.bind_statuses else c.ROK
                return [BindResp(pdu.command | c.RESPONSE_BIT, pdu.sequence, status, "" if status else "SMSC")]
            case SubmitSm() if self.silent_submits:
                self.silent_submits -= 1
                return []
            case SubmitSm() if self.answers_submits:
                status = self.submit_statuses.popleft() if self.submit_statuses else c.ROK
                self._ids += 1
                return [SubmitSmResp(pdu.sequence, status, "" if status else f"id{self._ids}")]
            case EnquireLink():
                return [EnquireLinkResp(pdu.sequence)]
            case Unbind():
                return [UnbindResp(pdu.sequence)]
            case _:
                return []

    def notify(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._notifying.add(task)
        task.add_done_callback(self._notifying.discard)

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, smsc: ScriptedSmsc) -> None:
        self.smsc = smsc
        self.transport: asyncio.Transport
        self.open = True
        self.heard: list[Pdu] = []
        self._frames = Frames()

    def of(self, kind: type[P]) -> list[P]:
        return [pdu for pdu in self.heard if type(pdu) is kind]

    def say(self, *pdus: Pdu) -> None:
        """Write these in one go."""
        self.transport.write(b"".join(map(encode, pdus)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.smsc.links.append(self)
        self.smsc.notify()

    def data_received(self, data: bytes) -> None:
        pdus = [decode(frame) for frame in self._frames.feed(data)]
        self.heard += pdus
        self.smsc.heard += pdus
        self.transport.write(b"".join(encode(answer) for pdu in pdus for answer in self.smsc.answer(pdu)))
        self.smsc.notify()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self.smsc.notify()


@asynccontextmanager
async def scripted_smsc() -> AsyncIterator[ScriptedSmsc]:
    """Serve on a free port; every connection is cut at the end."""
    smsc = ScriptedSmsc()
    server = await asyncio.get_running_loop().create_server(lambda: Link(smsc), "127.0.0.1", 0)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        server.close()
        for link in smsc.links:
            link.transport.abort()
        await server.wait_closed()
        await smsc.until(lambda: not any(link.open for link in smsc.links))
