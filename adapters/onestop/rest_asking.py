"""A request of a mapping, filled in (pure)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from adapters.onestop.rest_client import HttpRequest
from adapters.onestop.rest_mapping import MANY, PLACEHOLDER, Paging, Request

Words = Mapping[str, str]
"""Placeholder -> what is put there."""

_BODY = "Content-Type"


def fill_in(request: Request, words: Words, *, codes: tuple[str, ...] = ()) -> HttpRequest:
    """What is sent. `codes` take the place of a {codes} that stands alone in a JSON body, as a list."""
    body, kind = _body(request, words, codes)
    return HttpRequest(
        method=request.method,
        path=_put(request.path, {word: quote(value, safe="") for word, value in words.items()}),
        query=[(name, _put(value, words)) for name, value in request.query.items()],
        headers={**kind, **{name: _put(value, words) for name, value in request.headers.items()}},
        body=body,
    )


def page_words(paging: Paging | None, number: int) -> Words:
    """The placeholders of page `number`, counted from 0."""
    if paging is None:
        return {}
    start = number * paging.size
    said = {"page": number + paging.first, "size": paging.size, "start": start, "end": start + paging.size}
    return {word: str(value) for word, value in said.items()}


def basic(username: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _body(request: Request, words: Words, codes: tuple[str, ...]) -> tuple[bytes | None, dict[str, str]]:
    if request.form is not None:
        filled = [(name, _put(value, words)) for name, value in request.form.items()]
        return urlencode(filled).encode(), {_BODY: "application/x-www-form-urlencoded"}
    if request.body is not None:
        return json.dumps(_put_all(request.body, words, codes)).encode(), {_BODY: "application/json"}
    return None, {}


def _put_all(body: JsonValue, words: Words, codes: tuple[str, ...]) -> JsonValue:
    if isinstance(body, str):
        return list(codes) if codes and body == f"{{{MANY}}}" else _put(body, words)
    if isinstance(body, dict):
        return {name: _put_all(value, words, codes) for name, value in body.items()}
    if isinstance(body, list):
        return [_put_all(value, words, codes) for value in body]
    return body


def _put(template: str, words: Words) -> str:
    """Placeholders are put in at once, so that nothing that is put in is taken for a placeholder."""
    return PLACEHOLDER.sub(lambda match: words.get(match[1], match[0]), template)
