"""The two levels of folders of a vault, always entered from the top and never through a link. Blocking: for threads."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ARRIVING: Final = "arriving"
OWNER_ONLY: Final = 0o700
_KEY: Final = re.compile(r"[0-9a-f]{40}")
_LEVEL: Final = re.compile(r"[0-9a-f]{2}")
_TOP: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC  # an operator may put it on another disk by a link
_BELOW: Final = _TOP | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITABLE_BY_OTHERS: Final = 0o022


def key_levels(key: str) -> tuple[str, str, str]:
    """The names that lead to a key.

    Raises:
        FileNotFoundError: that is no key.
    """
    if not _KEY.fullmatch(key):
        raise FileNotFoundError(errno.ENOENT, "no key of the vault")
    return key[:2], key[2:4], key


@contextmanager
def top_of(folder: Path, *, make: bool = False) -> Iterator[int]:
    """The folder itself, opened.

    Raises:
        OSError: it is not there, or others may write into it.
    """
    if make:
        folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    number = os.open(folder, _TOP)
    try:
        if os.fstat(number).st_mode & _WRITABLE_BY_OTHERS:
            raise PermissionError(errno.EPERM, "others may write into the folder for files", str(folder))
        yield number
    finally:
        os.close(number)


@contextmanager
def below(above: int, name: str, *, make: bool = False) -> Iterator[int]:
    """A folder in a folder, opened.

    Raises:
        OSError: it is not there, or is a link.
    """
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, OWNER_ONLY, dir_fd=above)
            os.fsync(above)
    number = os.open(name, _BELOW, dir_fd=above)
    try:
        yield number
    finally:
        os.close(number)


@contextmanager
def folder_of(folder: Path, key: str, *, make: bool = False) -> Iterator[int]:
    """The folder that holds a key, opened."""
    first, second, _ = key_levels(key)
    with (
        top_of(folder, make=make) as top,
        below(top, first, make=make) as middle,
        below(middle, second, make=make) as holder,
    ):
        yield holder


def read_head(folder: Path, key: str, size: int) -> bytes:
    """The first octets of a file.

    Raises:
        OSError: it is not there, or is no plain file.
    """
    with folder_of(folder, key) as holder, os.fdopen(os.open(key, _FILE, dir_fd=holder), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileNotFoundError(errno.ENOENT, "no plain file")
        return file.read(max(0, size))


def unlink_keys(folder: Path, keys: Sequence[str]) -> int:
    """Take these out; how many were there."""
    gone = 0
    for key in keys:
        key_levels(key)
        with suppress(FileNotFoundError), folder_of(folder, key) as holder:
            os.unlink(key, dir_fd=holder)
            gone += 1
    return gone


def top_folders(folder: Path) -> Sequence[str]:
    """The names of the first level; none where nothing was ever kept."""
    try:
        with top_of(folder) as top:
            return sorted(name for name in _names(top) if _LEVEL.fullmatch(name))
    except FileNotFoundError:
        return ()


def old_keys(folder: Path, first: str, before: float) -> Sequence[str]:
    """The keys below one folder of the first level that were written before this moment (seconds since 1970)."""
    keys: list[str] = []
    with top_of(folder) as top, below(top, first) as middle:
        for second in sorted(name for name in _names(middle) if _LEVEL.fullmatch(name)):
            with below(middle, second) as holder:
                keys += [key for key in _older(holder, before) if key.startswith(first + second)]
    return keys


def old_arrivals(folder: Path, before: float) -> int:
    """Take out what a crash left half written; how many."""
    try:
        with top_of(folder) as top, below(top, ARRIVING) as arriving:
            names = list(_older(arriving, before))
            for name in names:
                os.unlink(name, dir_fd=arriving)
            return len(names)
    except FileNotFoundError:
        return 0


def _names(folder: int) -> Sequence[str]:
    return os.listdir(folder)


def _older(holder: int, before: float) -> Iterator[str]:
    """Only what has the name of a key: whatever else is there is not ours."""
    for name in _names(holder):
        if not _KEY.fullmatch(name):
            continue
        with suppress(FileNotFoundError):  # somebody dropped it meanwhile
            found = os.stat(name, dir_fd=holder, follow_symlinks=False)
            if found.st_mtime < before and not stat.S_ISDIR(found.st_mode):
                yield name
