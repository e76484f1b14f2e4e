"""Collects what one turn of the loop has to say and writes it once: two small writes meet delayed acknowledgements."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

UNREAD_LIMIT: Final = 4 * 1024 * 1024  # octets the other side leaves unread before the link is given up


class Writer:
    """The writing half of a connection. `stuck` is called when the other side has stopped reading for good."""

    __slots__ = ("_due", "_loop", "_out", "_stuck", "_transport", "paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, stuck: Callable[[], None]) -> None:
        self.paused = False  # the transport's buffer is full: nothing new should be begun
        self._loop = loop
        self._stuck = stuck
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._due = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Write to this from now on, without Nagle's delay."""
        self._transport = transport
        endpoint: socket.socket | None = transport.get_extra_info("socket")
        if endpoint is not None and endpoint.family in {socket.AF_INET, socket.AF_INET6}:
            endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def alive(self) -> bool:
        """What is written now has a chance to be read."""
        return self._transport is not None and not self._transport.is_closing()

    def write(self, *frames: bytes) -> None:
        """Say these with this turn's write, in order."""
        self._out += frames
        if not self._due:
            self._due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """One write for all that was collected."""
        self._due = False
        out, self._out = self._out, []
        if out and self._transport is not None and self.alive:
            self._transport.write(b"".join(out))
            if self._transport.get_write_buffer_size() > UNREAD_LIMIT:
                self._stuck()

    def close(self) -> None:
        """No more after what was written; the other side may still read that."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """No more, at once."""
        if self._transport is not None:
            self._transport.abort()
