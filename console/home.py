"""`/`: the first thing in the menu that the officer may open; and a page for addresses there are not."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.page import Pages
from console.routes import Access, ConsoleRoute
from console.signed import signed


class Home:
    """Sends on, or says that there is nothing here."""

    __slots__ = ("_pages",)

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.HOME,
            needs=Access.SIGNED_IN,
            handler=self.go_on,
            summary="leads to the first page of the menu",
        )

    async def go_on(self, request: web.Request) -> web.Response:
        first = self._pages.first(signed(request))
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": first})

    async def lost(self, request: web.Request) -> web.Response:
        """No session is looked for: there is nothing to be shown that needs one."""
        return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
