"""Time that passes at once, so that a limit is reached where reaching it is the promise, and is generous everywhere else."""

from __future__ import annotations

import asyncio


def pass_time(seconds: float) -> None:
    """Set the running loop's clock forward: whatever was to happen by then happens now. Clocks of others stay."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
