"""Who is asking: the officer of the session a request came with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from domain.officers import Officer


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An officer signed in. `session` is the digest of the session's secret, which is its id in the store. `scope`: the
    identifiers of the agencies the officer works with. `must_set_up`: the password was given by somebody else, or there
    is no second factor yet, so that nothing but the own account opens.
    """

    officer: Officer
    session: str
    scope: frozenset[str]
    signed_in_at: datetime
    must_set_up: bool = False


SIGNED = web.RequestKey("signed", Signed)


def signed(request: web.Request) -> Signed:
    """Who asks; only behind a route that needs more than Access.PUBLIC."""
    return request[SIGNED]
