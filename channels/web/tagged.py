"""ETag and If-None-Match (RFC 9110 §8.8.3, §13.1.2): what the reader has already is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aiohttp import web


def tag_of(body: bytes) -> str:
    """The tag of these bytes, in its quotes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def reader_has(request: web.Request, tag: str) -> bool:
    """The reader asks for what is not tagged like this."""
    known = request.if_none_match or ()
    return any(each.value in (tag.strip('"'), "*") for each in known)


def tagged(request: web.Request, body: bytes, tag: str, headers: Mapping[str, str]) -> web.Response:
    """200 with the body, or 304 without it. `headers` hold the content type."""
    if reader_has(request, tag):
        response = web.Response(status=304, headers=headers)
        del response.headers["Content-Type"]
    else:
        response = web.Response(body=body, headers=headers)
    response.headers["ETag"] = tag
    return response
