"""Cuts a byte stream into PDUs by their length prefix."""

from __future__ import annotations

import struct
from typing import Final

from channels.sms import commands as c
from channels.sms.pdu_types import ProtocolError

# Octets: the largest message_payload (64 kB, §5.3.2.32) with room for the rest of its PDU. A lower limit would let one
# long message, delivered again after every reconnect, keep an account down; a lost stream shows soon enough by this one.
DEFAULT_MAX_LENGTH: Final = 69_632

_LENGTH: Final = struct.Struct(">L")


class Frames:
    """Cuts a byte stream into PDUs. Memory held: at most one PDU of `max_length` octets and the read it came with."""

    __slots__ = ("_lost", "_max_length", "_needed", "_pending")

    def __init__(self, max_length: int = DEFAULT_MAX_LENGTH) -> None:
        self._max_length = max_length
        self._pending = bytearray()
        self._needed = _LENGTH.size
        self._lost = False  # not the error itself: its traceback would keep this object and the last read alive

    @property
    def pending(self) -> int:
        """Octets of a PDU that has begun and not ended: a timer may watch it."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that `data` completes, each with its length prefix.

        Raises:
            ProtocolError: a length below 16 or above the limit. The stream is lost (`close`), every later call raises
                again; the error's `frames` are the whole PDUs before the fault, which still deserve their answers.
        """
        if self._lost:
            raise ProtocolError(c.RINVCMDLEN, close=True)
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return []
            data = bytes(self._pending)
        return self._cut(data)

    def _cut(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        at, end, needed = 0, len(data), _LENGTH.size
        while end - at >= _LENGTH.size:
            (needed,) = _LENGTH.unpack_from(data, at)
            if not c.HEADER_SIZE <= needed <= self._max_length:
                self._lost = True
                raise ProtocolError(c.RINVCMDLEN, close=True, frames=tuple(frames))
            if end - at < needed:
                break
            frames.append(data[at : at + needed])
            at += needed
            needed = _LENGTH.size
        self._pending[:] = data[at:]
        self._needed = needed
        return frames
