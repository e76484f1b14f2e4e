"""A dossier changed: every gateway forgets what it knew of it, whoever found out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from domain.codes import DossierCode
from lookup.ports import Signals
from lookup.service import LookupService


class Changes:
    """Takes changes to and from the other gateways."""

    def __init__(self, signals: Signals, lookups: LookupService) -> None:
        self._signals = signals
        self._lookups = lookups

    async def announce(self, codes: Sequence[DossierCode]) -> None:
        """These changed, and we are the first to know: forget them here at once, then tell the others."""
        if codes:
            await self._lookups.drop(codes)
            await self._signals.publish(codes)

    async def run(self) -> None:
        """Forget what the others announce, until cancelled."""
        async with aclosing(self._signals.listen()) as heard:
            async for signal in heard:
                if signal.missed:
                    await self._lookups.clear()
                else:
                    await self._lookups.drop(signal.codes)
