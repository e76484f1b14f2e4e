"""Modules of JavaScript that import one another, under the name of what they hold together: one is never newer than its
neighbour. The widget's solver of proofs of work is served like this to pages of ours, so that there is one of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from channels.base import RouteDef
from channels.web.layout import FOREVER, HERE

SOLVER = HERE / "widget" / "src", ("work.js", "sha256.js")


class StaticModules:
    """The files of `folder` with these names; `path` is that of the first."""

    __slots__ = ("_bodies", "_folder", "path")

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._bodies: Mapping[str, bytes] = {name: (folder / name).read_bytes() for name in names}
        digest = hashlib.blake2b(b"\0".join(self._bodies.values()), digest_size=8).hexdigest()
        self._folder = f"/static/{digest}"
        self.path = f"{self._folder}/{names[0]}"

    def routes(self) -> Iterable[RouteDef]:
        """One for each."""
        for name, body in self._bodies.items():
            path = f"{self._folder}/{name}"
            yield RouteDef(
                method="GET", path=path, handler=_serving(body), summary="A module that a page's script loads."
            )


def _serving(body: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_: web.Request) -> web.Response:
        headers = {"Cache-Control": FOREVER}
        return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)

    return serve
