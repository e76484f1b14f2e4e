"""What all pages share: headers, the style sheet under the name of its contents, and how templates are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.base import RouteDef
from domain.catalogue import Catalogue

HERE = Path(__file__).parent

# Nothing inline, nothing from elsewhere, and no text becomes markup or a script (Trusted Types).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "
)
HEADERS = {
    "Content-Security-Policy": f"{POLICY}'none'",
    "Cache-Control": "no-store",  # counter computers are shared
    "Referrer-Policy": "same-origin",  # a code stands in the address
    "X-Robots-Tag": "noindex",
    "Vary": "Accept-Language",
}
MOST_FIELDS = 8  # of a form
FOREVER = "public, max-age=31536000, immutable"

Texts = Mapping[str, Mapping[str, str]]


class Stylesheet:
    """The one style sheet of all pages, its path and the route that serves it."""

    __slots__ = ("_body", "path", "route")

    def __init__(self) -> None:
        self._body = (HERE / "static" / "look-up.css").read_bytes()
        self.path = f"/static/look-up.{hashlib.blake2b(self._body, digest_size=8).hexdigest()}.css"
        self.route = RouteDef(method="GET", path=self.path, handler=self._serve, summary="The pages' style sheet.")

    async def _serve(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._body, content_type="text/css", charset="utf-8", headers={"Cache-Control": FOREVER}
        )


def environment() -> Environment:
    """Templates that escape what they are given and refuse what they are not."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_texts(catalogue: Catalogue, language: str, sections: Sequence[str]) -> Texts:
    """The raw texts of these sections of the web's, by section and name."""
    return {name: catalogue.section(language, f"web.{name}") for name in sections}


def link(path: str, language: str, **query: str) -> str:
    """A page of ours in a language, with what was typed if anything was."""
    return f"{path}?{urlencode({name: typed for name, typed in query.items() if typed} | {'lang': language})}"


def read_form(body: bytes, *, most_fields: int = MOST_FIELDS) -> dict[str, str]:
    """The fields of a form as a page of ours sends it; none of anything else."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=most_fields))
    except ValueError:  # more fields than any form of ours has
        return {}
