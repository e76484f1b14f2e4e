"""The files beside the pages, each under the name of its contents: it may be kept for ever and never be an old one."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from console import paths
from console.routes import Access, ConsoleRoute

HERE = Path(__file__).parent
VENDOR = HERE / "static" / "vendor"
FOREVER = "public, max-age=31536000, immutable"
TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# What others made, by the name pages call it; where it is from and what it must hold says manifest.json beside it.
VENDORED: Mapping[str, str] = {
    "bootstrap.css": "bootstrap-5.3.9/bootstrap.min.css",
    "uplot.css": "uplot-1.6.32/uPlot.min.css",
    "uplot.js": "uplot-1.6.32/uPlot.iife.min.js",
}
IMPORT = re.compile(rb"""(?<=from )(["'])\./([a-z0-9_-]+\.js)\1""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file, plain and made small with gzip."""

    kind: str
    body: bytes
    small: bytes


class Assets:
    """All of them: those of `static` in every slice, and the vendored ones. `addresses`: by file name, where each is.

    A module of ours may import its neighbours (`from "./clock.js"`); it is served with their addresses.

    Raises:
        ValueError: two files have one name.
    """

    __slots__ = ("_files", "addresses")

    def __init__(self, folder: Path = HERE) -> None:
        found = {name: VENDOR / place for name, place in VENDORED.items()}
        for path in sorted(each for each in folder.glob("**/static/*") if each.suffix in TYPES):
            if path.name in found:
                raise ValueError(f"two files of the console are called {path.name}")
            found[path.name] = path
        self._files: dict[str, _File] = {}
        self.addresses: dict[str, str] = {}
        for name in found:
            self._add(name, found)

    def _add(self, name: str, found: Mapping[str, Path]) -> str:
        """Its address; those it imports come first, since they are part of what it holds."""
        if name not in self.addresses:
            self.addresses[name] = ""  # a ring of imports ends here, and is found out by the test that opens the pages
            body = IMPORT.sub(
                lambda match: b'"%s"' % self._add(match[2].decode(), found).encode(), found[name].read_bytes()
            )
            stem, suffix = Path(name).stem, Path(name).suffix
            served = f"{stem}.{hashlib.blake2b(body, digest_size=8).hexdigest()}{suffix}"
            self._files[served] = _File(kind=TYPES[suffix], body=body, small=gzip.compress(body, 9, mtime=0))
            self.addresses[name] = paths.STATIC.replace("{file}", served)
        return self.addresses[name]

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET", path=paths.STATIC, needs=Access.PUBLIC, handler=self.serve, summary="style sheets and scripts"
        )

    async def serve(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["file"])
        if file is None:
            return web.Response(status=HTTPStatus.NOT_FOUND, text="There is no such file.\n")
        small = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"} | (
            {"Content-Encoding": "gzip"} if small else {}
        )
        return web.Response(
            body=file.small if small else file.body, content_type=file.kind, charset="utf-8", headers=headers
        )
