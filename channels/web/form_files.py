"""/bieu-mau/<file>: the forms that procedures need, to take home. Exactly the files the catalogue names are served: what a
request says is looked up among them and never becomes a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths

TYPES: Mapping[str, str] = {
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pdf": "application/pdf",
    ".rtf": "application/rtf",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
KEPT_FOR = "public, max-age=3600"  # then asked for again, and sent again only if it is another


class FormFiles:
    """`files` by the names under which they are served; `titles`: what each form is called, by the same names.

    `sizes`: in bytes, as they were at the start.
    """

    __slots__ = ("_files", "_titles", "sizes")

    def __init__(self, files: Mapping[str, Path], titles: Mapping[str, str]) -> None:
        self._files = dict(files)
        self._titles = dict(titles)
        self.sizes: Mapping[str, int] = {name: path.stat().st_size for name, path in files.items()}

    def routes(self) -> Iterable[RouteDef]:
        """One for all."""
        yield RouteDef(method="GET", path=paths.FORM_FILE, handler=self._file, summary="A form of a procedure.")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        headers = {
            "Content-Type": TYPES[path.suffix],
            "Content-Disposition": attachment(name, self._titles.get(name, "")),
            "Cache-Control": KEPT_FOR,
        }
        return web.FileResponse(path, headers=headers)  # with ETag and Last-Modified, by pieces if asked for


def attachment(file: str, title: str) -> str:
    """A header (RFC 6266): saved under the form's own name where a browser can write it (RFC 8187), else under `file`."""
    saved = f"{title.replace('/', '-')}{Path(file).suffix}" if title else file
    return f"attachment; filename=\"{file}\"; filename*=UTF-8''{quote(saved, safe='')}"
