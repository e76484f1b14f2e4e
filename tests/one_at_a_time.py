"""What two test processes must not do at once, on one machine: install something, say."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Within the block no other process of this user does the same; whoever comes waits."""
    with (Path(tempfile.gettempdir()) / f"tracuu-tests-{what}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
