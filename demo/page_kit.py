"""What the demo's pages have in common: templates, headers, bodies in JSON, streams of events."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo.event_log import Numbered

HERE = Path(__file__).parent
KEEP_ALIVE_S = 15.0  # a silent stream is closed by proxies
LAST_ID = re.compile(r"[0-9]{1,15}", re.ASCII)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
}

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What to try next, in both languages of the pages."""

    vi: str
    en: str


class Follow(Protocol):
    """As `EventLog.follow`."""

    def __call__(self, after: int = 0, *, idle: float | None = None) -> AsyncGenerator[Numbered | None]: ...


class Templates:
    """The demo's templates. `with_chat`: there is a chat to lead to."""

    def __init__(self, *, with_chat: bool) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["with_chat"] = with_chat

    def page(self, name: str, **values: object) -> web.Response:
        """A whole page."""
        text = self._environment.get_template(name).render(**values)
        return web.Response(text=text, content_type="text/html", headers=HEADERS)


def as_json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def read_body(request: web.Request, kind: type[Body]) -> Body:
    """The JSON body. Only our own page may send one: another site's script cannot set this content type unasked.

    Raises:
        HTTPForbidden: it comes from elsewhere.
        HTTPUnprocessableEntity: it is not what it should be.
    """
    if request.content_type != "application/json" or not from_our_page(request):
        raise web.HTTPForbidden(text="application/json from this very page only")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from error


def from_our_page(request: web.Request) -> bool:
    """No other site sent it, as far as the browser says."""
    return request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")


async def stream(request: web.Request, follow: Follow) -> web.StreamResponse:
    """Events as a page's EventSource takes them, from the last one that it had."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    last = request.headers.get("Last-Event-ID", "")
    events = follow(int(last) if LAST_ID.fullmatch(last) else 0, idle=KEEP_ALIVE_S)
    try:
        async with aclosing(events):
            async for event in events:
                await response.write(_written(event))
    except ConnectionError:  # the page was closed: nobody is left to tell
        return response
    return response


def _written(event: Numbered | None) -> bytes:
    """As the stream carries it: a comment while nothing happens."""
    return b": still here\n\n" if event is None else b"id: %d\ndata: %s\n\n" % (event.id, msgspec.json.encode(event))
