"""One file on its way into a vault: written beside the others, then renamed to its place. Blocking: for threads."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.files.folders import ARRIVING, below, folder_of, top_of, unlink_keys
from intake.ports import FileTooLarge, KeptBytes

_KEY_OCTETS: Final = 20  # 160 bits
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER_READS_AND_WRITES: Final = 0o600


class Arriving:
    """Opened, written, then finished or abandoned; each in a thread, never two at once."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._key = secrets.token_hex(_KEY_OCTETS)
        self._digest = hashlib.sha256()
        self._file: int | None = None
        self.size = 0

    def open(self) -> None:
        """Make room.

        Raises:
            OSError: there is none.
        """
        with top_of(self._folder, make=True) as top, below(top, ARRIVING, make=True) as arriving:
            self._file = os.open(self._key, _NEW, _OWNER_READS_AND_WRITES, dir_fd=arriving)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Take these in.

        Raises:
            FileTooLarge: they are too many; nothing of them is written.
            OSError: the disk does not take them.
        """
        size = self.size + sum(map(len, pieces))
        if size > self._most:
            raise FileTooLarge
        assert self._file is not None  # noqa: S101 - it was opened
        for piece in pieces:
            self._digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        self.size = size

    def finish(self) -> KeptBytes:
        """On the disk, and in its place.

        Raises:
            OSError: the disk does not take it.
        """
        assert self._file is not None  # noqa: S101 - it was opened
        os.fsync(self._file)
        self._close()
        with (
            top_of(self._folder) as top,
            below(top, ARRIVING) as arriving,
            folder_of(self._folder, self._key, make=True) as holder,
        ):
            os.rename(self._key, self._key, src_dir_fd=arriving, dst_dir_fd=holder)
            os.fsync(holder)
        return KeptBytes(key=self._key, size=self.size, sha256=self._digest.hexdigest())

    def abandon(self) -> None:
        """Nothing of it stays, wherever it is by now. What the disk does not take out, the next sweep does."""
        with suppress(OSError):
            self._close()
        with suppress(OSError), top_of(self._folder) as top, below(top, ARRIVING) as arriving:
            os.unlink(self._key, dir_fd=arriving)
        with suppress(OSError):
            unlink_keys(self._folder, [self._key])

    def _close(self) -> None:
        number, self._file = self._file, None
        if number is not None:
            os.close(number)
