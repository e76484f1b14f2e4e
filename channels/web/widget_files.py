"""/widget/…: the built widget, for any site to load: under its full version for ever, under its first number the newest.

All is read and made small once, at the start; an answer is a look into a table. Nothing here says who asks.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.layout import FOREVER

HERE = Path(__file__).parent / "widget"
NEWEST_FOR = "public, max-age=3600, stale-while-revalidate=86400"
INTEGRITY_FILE = "integrity.json"
TYPES: Mapping[str, str] = {".js": "text/javascript", ".json": "application/json"}
# Sites load these as scripts with a hash, which takes CORS, and some isolate themselves (COEP), which takes CORP.
FOR_EVERYBODY = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version: what a script tag carries as `integrity`, by the name of the file. None: not released yet, so that
    its bytes may still change.
    """

    released_on: date | None
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file, plain and made small with gzip; `tag` is the ETag of the plain one, without quotes."""

    kind: str
    body: bytes
    small: bytes
    tag: str


class WidgetFiles:
    """The routes, and the facts about the versions that a page for webmasters shows.

    Raises:
        FileNotFoundError: a file that releases.json names is not there; `make widget` makes it.
    """

    __slots__ = ("_files", "_releases", "versions")

    def __init__(self, folder: Path = HERE) -> None:
        self._releases = read_releases(folder)
        self.versions: Sequence[str] = sorted(self._releases, key=_numbers, reverse=True)
        self._files: dict[tuple[str, str], _File] = {}
        for version in reversed(self.versions):  # so that the newest of a first number is the one that stays
            self._read(folder, version)

    @property
    def newest(self) -> str:
        """The full number of the newest version, "1.0.0"."""
        return self.versions[0]

    def integrity(self, version: str) -> str:
        """What a script tag of this version carries, "sha384-…"; KeyError: there is no such version."""
        return self._releases[version].files[paths.WIDGET_FILE]

    def path(self, version: str) -> str:
        """Of the script, by a full version or a first number."""
        return paths.WIDGET.format(version=version, file=paths.WIDGET_FILE)

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=paths.WIDGET, handler=self._serve, summary="The widget that sites load.")

    async def _serve(self, request: web.Request) -> web.Response:
        version, name = request.match_info["version"], request.match_info["file"]
        file = self._files.get((version, name))
        if file is None:
            return web.Response(
                status=404,
                text=f"There is no such version or file. The newest is {self.path(self.newest)}\n",
                headers={**FOR_EVERYBODY, "Cache-Control": "no-store"},
            )
        return _answer(request, file, FOREVER if version in self._releases else NEWEST_FOR)

    def _read(self, folder: Path, version: str) -> None:
        release, first = self._releases[version], version.partition(".")[0]
        bodies = {name: (folder / "dist" / version / name).read_bytes() for name in release.files}
        bodies[INTEGRITY_FILE] = msgspec.json.format(msgspec.json.encode({"version": version, "files": release.files}))
        for name, body in bodies.items():
            self._files[version, name] = self._files[first, name] = _file(name, body)


def read_releases(folder: Path = HERE) -> Mapping[str, Release]:
    """All versions, by their full numbers."""
    return msgspec.json.decode((folder / "releases.json").read_bytes(), type=dict[str, Release])


def _file(name: str, body: bytes) -> _File:
    return _File(
        kind=TYPES[Path(name).suffix],
        body=body,
        small=gzip.compress(body, 9, mtime=0),
        tag=hashlib.blake2b(body, digest_size=12).hexdigest(),
    )


def _answer(request: web.Request, file: _File, kept: str) -> web.Response:
    small = _takes_gzip(request.headers.get("Accept-Encoding", ""))
    tag = f"{file.tag}-gzip" if small else file.tag
    headers = {**FOR_EVERYBODY, "Cache-Control": kept, "ETag": f'"{tag}"'}
    if any(each.value in (tag, "*") for each in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if small:
        headers["Content-Encoding"] = "gzip"
    body = file.small if small else file.body
    return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """RFC 9110 §12.5.3, as far as browsers go: it is named, and not with a quality of nothing."""
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
