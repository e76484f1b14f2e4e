"""Signals within one process: the embedded default, where nobody else has to be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from domain.codes import DossierCode
from lookup.ports import Signal


class _Listener:
    """What one listener has not heard yet."""

    def __init__(self) -> None:
        self.codes: dict[DossierCode, None] = {}
        self.missed = True
        self.spoken = asyncio.Event()
        self.spoken.set()


class MemorySignals:
    """Implements lookup.ports.Signals. A listener that does not keep up has missed something: memory is bounded."""

    def __init__(self, *, unheard: int = 10_000) -> None:
        """`unheard` is how many codes wait for a listener."""
        if unheard < 1:
            raise ValueError("unheard is at least 1")
        self._unheard = unheard
        self._listeners: set[_Listener] = set()

    async def publish(self, codes: Sequence[DossierCode]) -> None:
        for listener in self._listeners:
            listener.codes.update(dict.fromkeys(codes))
            if len(listener.codes) > self._unheard:
                listener.codes.clear()
                listener.missed = True
            listener.spoken.set()

    async def listen(self) -> AsyncGenerator[Signal, None]:
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                await listener.spoken.wait()
                listener.spoken.clear()
                codes, listener.codes = listener.codes, {}
                if listener.missed:
                    listener.missed = False
                    yield Signal(missed=True)
                if codes:
                    yield Signal(codes=tuple(codes))
        finally:
            self._listeners.discard(listener)
