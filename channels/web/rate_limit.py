"""What an asker has left, as headers (draft-ietf-httpapi-ratelimit-headers), so that a program slows down by itself."""

from __future__ import annotations

import math

from aiohttp import web

from channels.web.problem import ProblemKind
from domain.questions import Left

POLICY = "address"  # what is counted: an IPv4 address, or the /64 of an IPv6 one


def tell_left(response: web.Response, left: Left | None) -> None:
    """Say it; nothing where nothing is known."""
    if left is None:
        return
    headers = response.headers
    headers["RateLimit-Policy"] = f'"{POLICY}";q={left.most};w={_seconds(left.window_s)}'
    headers["RateLimit"] = f'"{POLICY}";r={left.left};t={_seconds(left.resets_s)}'
    if response.status == ProblemKind.REFUSED.status and not left.left:
        headers["Retry-After"] = str(max(1, _seconds(left.resets_s)))


def _seconds(seconds: float) -> int:
    return max(0, math.ceil(seconds))
