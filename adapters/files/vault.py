"""A folder of files under random names: written whole or not at all, never through a link, readable by nobody else.

All of it is done in threads, so that the loop never waits for a disk. A thread cannot be stopped: who is cancelled waits
until the disk has done what it was asked last, and only then cleans up; a half of a file is never left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from adapters.files.arriving import Arriving
from adapters.files.folders import key_levels, old_arrivals, old_keys, read_head, top_folders, unlink_keys
from intake.ports import KeptBytes

_PIECE: Final = 1 << 18  # octets that are written at once
_ASKED_AT_ONCE: Final = 500
UNKNOWN_FOR: Final = timedelta(days=1)  # then it is taken out: nothing takes so long to be written down

_P = ParamSpec("_P")
_T = TypeVar("_T")


class FolderVault:
    """Implements `intake.ports.Vault` in one folder, which is made when the first file comes. `now`: an aware clock that
    goes as the disk's does.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    async def keep(self, chunks: AsyncIterator[bytes], *, most: int) -> KeptBytes:
        """Keep them under a new key; they are on the disk when this returns.

        Raises:
            FileTooLarge: there are more than `most` octets.
            OSError: the disk does not take them.

        Nothing is left behind then, nor when it is cancelled, nor when `chunks` raises.
        """
        arriving = Arriving(self._folder, most)
        try:
            await _in_thread(arriving.open)
            waiting: list[bytes] = []
            size = 0
            async for chunk in chunks:
                waiting.append(chunk)
                size += len(chunk)
                if size >= _PIECE or arriving.size + size > most:
                    await _in_thread(arriving.write, waiting)
                    waiting, size = [], 0
            await _in_thread(arriving.write, waiting)
            return await _in_thread(arriving.finish)
        except BaseException:  # whatever it was: nothing is left behind
            await _in_thread(arriving.abandon)
            raise

    async def head(self, key: str, size: int) -> bytes:
        """The first `size` octets.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        return await _in_thread(read_head, self._folder, key, size)

    def path(self, key: str) -> Path:
        """Where the file is.

        Raises:
            FileNotFoundError: that is no key.
        """
        return self._folder.joinpath(*key_levels(key))

    async def drop(self, key: str) -> None:
        """Take it out; what is not there is no error.

        Raises:
            OSError: the disk does not take it out, or that is no key.
        """
        await _in_thread(unlink_keys, self._folder, [key])

    async def sweep(self, known: Callable[[Sequence[str]], Awaitable[frozenset[str]]]) -> int:
        """Take out what nobody knows and is older than a day; gives how many, halves that a crash left included.

        Raises:
            OSError: the disk; what `known` raises goes through. What it was not asked about stays.
        """
        before = (self._now() - UNKNOWN_FOR).timestamp()
        gone = await _in_thread(old_arrivals, self._folder, before)
        for top in await _in_thread(top_folders, self._folder):
            keys = await _in_thread(old_keys, self._folder, top, before)
            for place in range(0, len(keys), _ASKED_AT_ONCE):
                some = keys[place : place + _ASKED_AT_ONCE]
                unknown = sorted(frozenset(some) - await known(some))
                gone += await _in_thread(unlink_keys, self._folder, unknown)
        return gone


async def _in_thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What `call` gives. Cancelled, it waits for the end of it all the same: a thread goes on whoever waits for it."""
    work = asyncio.get_running_loop().run_in_executor(None, partial(call, *args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return work.result()
    work.exception()  # it was asked for: what came of it no longer matters
    raise cancelled
