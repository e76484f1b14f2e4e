"""One serving process per database file: an advisory lock that the kernel drops with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from domain.errors import StoreError, StoreUnavailable


class LockFile:
    """Held from `acquire` to `release` or to the end of the process, whichever comes first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or not at all.

        Raises:
            StoreError: another process holds it.
            StoreUnavailable: the file cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"the lock file {self._path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"another gateway (process {holder}) serves this database: {self._path} is held. "
                "Stop it, or give this one a database of its own."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; the file stays, since deleting it would let two processes hold different files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
