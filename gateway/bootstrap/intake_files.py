"""The folder for files of the intake module: whether it takes more of them; and what goes of dossiers closed long ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from adapters.files.room import free_octets
from channels.base import Health
from gateway.bootstrap.upkeep import TIDY_BATCH, TIDY_PAUSE, until_done
from gateway.settings import IntakeSettings, RetentionSettings
from intake.ports import IntakeBook, Vault

log = structlog.get_logger()

LOOK_EVERY = 60.0  # seconds
_GIB = 1 << 30


class FilesRoom:
    """What /readyz and /metrics say of the folder; a look waits for the disk in a thread."""

    def __init__(self, chosen: IntakeSettings) -> None:
        self._folder: Path = chosen.files
        self._least = chosen.most_bytes  # one dossier's files
        self._free: int | None = None

    async def health(self) -> Health:
        """It takes the files of one more dossier."""
        try:
            self._free = await asyncio.to_thread(free_octets, self._folder)
        except OSError as error:
            self._free = None
            return Health(ok=False, detail=f"{self._folder}: {error.strerror}")
        place = (
            f"{self._free / _GIB:.1f} GiB free" if self._folder.exists() else "not there yet; the first file makes it"
        )
        return Health(ok=self._free >= self._least, detail=f"{self._folder}, {place}")

    async def look(self) -> None:
        """So that the figure is of now."""
        await self.health()

    def reading(self) -> Mapping[tuple[str, ...], float]:
        """Octets there is room for, as looked at last; nothing where we may not write."""
        return {} if self._free is None else {(): self._free}


async def tidy_intake(
    book: IntakeBook, vault: Vault, clock: Callable[[], datetime], retention: RetentionSettings
) -> None:
    """Of dossiers closed long ago the files go, then who handed them in, a few at a time.

    Raises:
        StoreError: the store is away; the rest is done the next time.
    """
    dropped, days = 0, retention.mask_dossiers_after_days
    old_files = clock() - timedelta(days=min(days, retention.drop_files_after_days))
    while files := await book.drop_files_of_closed(old_files, TIDY_BATCH):
        for file in files:
            await _drop(vault, file.key)
        dropped += len(files)
        await asyncio.sleep(TIDY_PAUSE)
    masked = await until_done(book.mask_closed, clock() - timedelta(days=days))
    if masked or dropped:
        log.info("intake.tidied", masked=masked, files=dropped)


async def _drop(vault: Vault, key: str) -> None:
    """What the disk does not take out now is taken out by the next sweep: nobody knows it any more."""
    try:
        await vault.drop(key)
    except OSError as error:
        log.warning("intake.file_stays", error=type(error).__name__)
