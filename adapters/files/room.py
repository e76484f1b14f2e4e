"""Whether the folder for files takes more of them, and how many octets there is room for. Blocking: for threads."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from adapters.files.folders import top_of


def free_octets(folder: Path) -> int:
    """Where it is not there yet: of where it will be made.

    Raises:
        OSError: we may not write there, or others may.
    """
    place = folder if folder.exists() else next(parent for parent in folder.absolute().parents if parent.exists())
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "we may not write there", str(place))
    if place == folder:
        with top_of(folder) as top:
            return _free(top)
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "no folder can be made there", str(place))
    return _free(place)


def _free(place: int | Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
