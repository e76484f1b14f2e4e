"""The demo's one-stop desk: the dossiers of both demo systems, and a step forward for one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from demo import onestop
from demo.onestop import DemoDossier
from domain.dossier import DossierStatus


class Desk(Protocol):
    """What the desk's page needs."""

    async def dossiers(self) -> Sequence[DemoDossier]: ...

    async def advance(self, code: str) -> DossierStatus | None:
        """The state it moved to; None when it stays where it is, or is not there."""
        ...


class OnestopDesk:
    """The desk over the databases that `demo.onestop.seed` made in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def dossiers(self) -> Sequence[DemoDossier]:
        return await asyncio.to_thread(onestop.list_dossiers, self._directory)

    async def advance(self, code: str) -> DossierStatus | None:
        return await asyncio.to_thread(onestop.advance, self._directory, code)
