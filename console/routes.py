"""One route of the console: what it needs stands beside it, so that who may what is one table (docs/console-rights.md)."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from domain.officers import Right

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access(enum.StrEnum):
    """What a route needs that no role gives."""

    PUBLIC = "public"  # signing in, the style sheet
    SIGNED_IN = "signed_in"  # one's own account, help


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRoute:
    """A route; `needs` is checked before `handler` is called. Which agency's objects it may touch checks the handler."""

    method: str
    path: str
    needs: Right | Access
    handler: Handler
    summary: str
