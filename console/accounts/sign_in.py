"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.doors import Doors, Typed
from console.accounts.passwords import HasherBusy
from console.accounts.ports import AuditEntry, Session, SessionEnd, Sessions
from console.accounts.sessions import Cookies, digest_of, new_secret, short_agent
from console.forms import Fault, one_line, read_form
from console.page import Pages
from console.routes import Access, ConsoleRoute
from console.shell import own_address
from domain.officers import Officer

LONGEST_LOGIN = 40  # characters
LONGEST_BACK = 2_000
LONGEST_CODE = 20
TRY_AGAIN_S = 5
BACK = "tiep"
SIGNED_OUT = "sign_out.done"


class SignIn:
    """The page everybody may see. A new secret with every session: one that was planted before opens nothing."""

    __slots__ = ("_audit", "_clock", "_cookies", "_doors", "_pages", "_sessions")

    def __init__(
        self,
        pages: Pages,
        *,
        doors: Doors,
        sessions: Sessions,
        cookies: Cookies,
        audit: Audit,
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._doors = doors
        self._sessions = sessions
        self._cookies = cookies
        self._audit = audit
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET", path=paths.SIGN_IN, needs=Access.PUBLIC, handler=self.show, summary="the form to sign in"
        )
        yield ConsoleRoute(
            method="POST", path=paths.SIGN_IN, needs=Access.PUBLIC, handler=self.sign_in, summary="signs in"
        )
        yield ConsoleRoute(
            method="POST", path=paths.SIGN_OUT, needs=Access.PUBLIC, handler=self.sign_out, summary="signs out"
        )

    async def show(self, request: web.Request) -> web.Response:
        return self._form(request, request.query, nobody=await self._doors.nobody())

    async def sign_in(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        typed = Typed(
            login=one_line(fields, "login", LONGEST_LOGIN + 1).lower(),
            password=fields.get("password", ""),
            code=one_line(fields, "code", LONGEST_CODE),
            address=self._audit.address(request),
        )
        secret = new_secret()

        def begin(officer: Officer) -> Session:
            return self._session(request, officer, secret)

        def note(officer: Officer, action: str) -> AuditEntry:
            return self._audit.entry_of(officer, request, action)

        try:
            officer = await self._doors.enter(typed, begin, note)
        except HasherBusy:  # told to whoever asks, to try again
            return self._form(request, fields, "busy", HTTPStatus.SERVICE_UNAVAILABLE)
        if officer is None:
            return self._form(request, fields, "wrong", HTTPStatus.UNPROCESSABLE_ENTITY)
        await self._end_former(request)
        response = web.Response(
            status=HTTPStatus.SEE_OTHER, headers={"Location": own_address(fields.get(BACK) or paths.HOME)}
        )
        self._cookies.give(response, secret)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """Whoever is signed out already is, too."""
        digest = self._cookies.read(request)
        found = await self._sessions.find(digest) if digest else None
        if found is not None:
            officer = found[0].officer
            noted = self._audit.entry_of(officer, request, SIGNED_OUT)
            await self._sessions.end(officer.id, digest, SessionEnd.SIGNED_OUT, self._clock(), noted)
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": paths.SIGN_IN})
        self._cookies.take(response)
        return response

    def _session(self, request: web.Request, officer: Officer, secret: str) -> Session:
        now = self._clock()
        return Session(
            digest=digest_of(secret),
            officer_id=officer.id,
            created_at=now,
            seen_at=now,
            address=self._audit.address(request),
            agent=short_agent(request.headers.get("User-Agent", "")),
        )

    async def _end_former(self, request: web.Request) -> None:
        """The session this browser had before."""
        digest = self._cookies.read(request)
        found = await self._sessions.find(digest) if digest else None
        if found is not None:
            await self._sessions.end(found[1].officer_id, digest, SessionEnd.REPLACED, self._clock())

    def _form(
        self,
        request: web.Request,
        fields: Mapping[str, str],
        fault: str = "",
        status: HTTPStatus = HTTPStatus.OK,
        *,
        nobody: bool = False,
    ) -> web.Response:
        texts = self._pages.texts(request)
        response = self._pages.render(
            request,
            "accounts-sign-in.html",
            status=status,
            login=one_line(fields, "login", LONGEST_LOGIN),
            back=own_address(fields.get(BACK, "")[:LONGEST_BACK]),
            faults=[Fault("login", texts["sign_in"][fault])] if fault else [],
            lang=self._pages.language(request),
            nobody=nobody,
        )
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(TRY_AGAIN_S)
        return response
