"""Help: a page for each screen; who may do what is said from the table that the server itself obeys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.page import Pages
from console.routes import Access, ConsoleRoute
from domain.officers import RIGHTS, OfficerRole, Right

# By the name of the page, which is that of the screen in the menu where it stands there: its rights.
SCREENS: Mapping[str, Sequence[Right]] = {
    "account": (),
    "health": (Right.HEALTH_SEE, Right.INCIDENT_REPORT),
    "intake": (Right.INTAKE_SEE, Right.INTAKE_WORK, Right.INTAKE_NUMBERS),
    "outage": (Right.INTAKE_NUMBERS, Right.INTAKE_WORK, Right.INTAKE_SEE),
    "broadcasts": (
        Right.BROADCASTS_SEE,
        Right.BROADCASTS_WRITE,
        Right.BROADCASTS_APPROVE,
        Right.BROADCASTS_STEER,
        Right.BROADCASTS_RESULTS,
    ),
    "messages": (Right.MESSAGES_SEE, Right.MESSAGES_FIND),
    "feedback": (Right.FEEDBACK_SEE, Right.FEEDBACK_ANSWER),
    "officers": (Right.OFFICERS_SEE, Right.OFFICERS_MANAGE),
    "sites": (Right.SITES_MANAGE,),
    "audit": (Right.AUDIT_SEE,),
}


class HelpPages:
    """The list, and each page."""

    __slots__ = ("_pages",)

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET", path=paths.HELP, needs=Access.SIGNED_IN, handler=self.listed, summary="help: all pages"
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.HELP_ONE,
            needs=Access.SIGNED_IN,
            handler=self.show,
            summary="help about one screen, with who may do what there",
        )

    async def listed(self, request: web.Request) -> web.Response:
        texts = self._pages.texts(request)["help_page"]
        return self._pages.render(
            request, "help.html", screens=[(name, texts[name]) for name in SCREENS if name not in self._pages.absent]
        )

    async def show(self, request: web.Request) -> web.Response:
        name = request.match_info["page"]
        if name not in SCREENS or name in self._pages.absent:
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        texts = self._pages.texts(request)
        return self._pages.render(
            request,
            "help-one.html",
            screen=texts["help_page"][name],
            rights=[
                (texts["right"][right], [role in RIGHTS[right] for role in OfficerRole]) for right in SCREENS[name]
            ],
            roles=[texts["role"][role] for role in OfficerRole],
        )
