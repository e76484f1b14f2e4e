"""A file of ours beside the pages, under the name of its contents: it may be kept for ever and never be an old one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aiohttp import web

from channels.base import RouteDef
from channels.web.layout import FOREVER, HERE

TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript"}


class StaticFile:
    """One file of `static`, its path and the route that serves it."""

    __slots__ = ("_body", "_type", "path", "route")

    def __init__(self, name: str) -> None:
        file = HERE / "static" / name
        self._body = file.read_bytes()
        self._type = TYPES[file.suffix]
        digest = hashlib.blake2b(self._body, digest_size=8).hexdigest()
        self.path = f"/static/{file.stem}.{digest}{file.suffix}"
        self.route = RouteDef(method="GET", path=self.path, handler=self._serve, summary="A file beside the pages.")

    async def _serve(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._body, content_type=self._type, charset="utf-8", headers={"Cache-Control": FOREVER}
        )
