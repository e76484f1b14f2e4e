"""The other side of the Telegram bench, as cheap as it can be, so that the bot is what is measured: a Bot API that says
yes to everything, and calls of the webhook as fast as they are answered. HTTP/1.1 with Content-Length, no more.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from channels.telegram.webhook import SECRET_HEADER
from demo.process import free_port

END_OF_HEADERS = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHAT = re.compile(rb'chat_id"?[:=](\d+)')  # ours sends JSON, the library a form
ME = {"id": 123456, "is_bot": True, "first_name": "Bench", "username": "BenchBot"}
ACCEPTED = {"message_id": 1, "date": 1764000000, "chat": {"id": 1, "type": "private"}, "text": "x"}


def _answer(result: object) -> bytes:
    body = json.dumps({"ok": True, "result": result}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWERS = {b"/sendMessage": _answer(ACCEPTED), b"/getMe": _answer(ME)}
TRUE = _answer(result=True)


class _Wire(asyncio.Protocol):
    """One connection, cut into messages: the first line and the body."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def messages(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._data += data
        while True:
            end = self._data.find(END_OF_HEADERS)
            if end < 0:
                return
            head = self._data[:end]
            length = LENGTH.search(head)
            whole = end + len(END_OF_HEADERS) + (int(length[1]) if length else 0)
            if len(self._data) < whole:
                return
            body, self._data = self._data[end + len(END_OF_HEADERS) : whole], self._data[whole:]
            yield head.partition(b"\r\n")[0], body


class _ApiWire(_Wire):
    def __init__(self, api: FakeApi) -> None:
        super().__init__()
        self._api = api

    def data_received(self, data: bytes) -> None:
        for line, body in self.messages(data):
            method = b"/" + line.split(b" ")[1].rpartition(b"/")[2]
            self.transport.write(ANSWERS.get(method, TRUE))
            if method == b"/sendMessage":
                self._api.note(body)


class FakeApi:
    """Remembers which chats were answered."""

    def __init__(self) -> None:
        self.port = free_port()
        self.answered: set[bytes] = set()
        self.done = asyncio.Event()
        self._wanted = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeApi]:
        server = await asyncio.get_running_loop().create_server(lambda: _ApiWire(self), "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()

    def expect(self, count: int) -> None:
        self.answered.clear()
        self.done.clear()
        self._wanted = count

    def note(self, body: bytes) -> None:
        told = CHAT.search(body)
        if told is not None:
            self.answered.add(told[1])
        if len(self.answered) == self._wanted:
            self.done.set()


class _Caller(_Wire):
    """Calls the webhook with one update after the other; one that is refused comes again, as Telegram does it."""

    def __init__(self, updates: Iterator[bytes], done: asyncio.Future[None]) -> None:
        super().__init__()
        self._updates = updates
        self._done = done
        self._update = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        for line, _ in self.messages(data):
            if b" 200 " in line:
                self._next()
            else:
                self.transport.write(self._update)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the bot hung up"))

    def _next(self) -> None:
        self._update = next(self._updates, b"")
        if self._update:
            self.transport.write(self._update)
        elif not self._done.done():
            self._done.set_result(None)
            self.transport.close()


async def hand_in(port: int, path: str, secret: str, numbers: Sequence[int], connections: int) -> None:
    """Each update once, over so many connections."""
    loop = asyncio.get_running_loop()
    updates = iter([_call(path, secret, update_of(number)) for number in numbers])
    done = [loop.create_future() for _ in range(connections)]
    for each in done:
        await loop.create_connection(lambda each=each: _Caller(updates, each), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*done)


def _call(path: str, secret: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{SECRET_HEADER}: {secret}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def update_of(number: int) -> bytes:
    """A question of a chat of its own, in the shape of the Bot API."""
    person = {"id": number, "is_bot": False, "first_name": "An", "language_code": "vi"}
    chat = {"id": number, "type": "private", "first_name": "An"}
    message = {"message_id": 10, "date": 1764000000, "chat": chat, "from": person, "text": "000.00.18.H51-161220-0001"}
    return json.dumps({"update_id": number, "message": message}).encode()
