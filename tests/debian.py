"""Debian's packages a test needs: installed by root where they are missing, named where they cannot be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TypeVar

from tests.one_at_a_time import one_at_a_time

T = TypeVar("T")

INSTALL = ("install", "--yes", "--no-install-recommends")


def provide(package: str, find: Callable[[], T | None], purpose: str) -> T:
    """What `find` finds, after installing `package` if it must and may be.

    Raises:
        FileNotFoundError: it is not there; the message says what to install and what for.
    """
    found = find()
    if found is None and os.geteuid() == 0:
        with one_at_a_time("apt-get"):
            found = _installed(package, find)
    if found is None:
        raise FileNotFoundError(f"{purpose}: apt-get install {package}")
    return found


def _installed(package: str, find: Callable[[], T | None]) -> T | None:
    found = find()  # another process may have been quicker
    for step in ((*INSTALL, package), ("update",), (*INSTALL, package)):
        if found is None:
            _apt_get(*step)
            found = find()
    return found


def _apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", *arguments], check=False, capture_output=True, env=environment)
