"""One's own account: password, second factor, sessions, language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from markupsafe import Markup

from console import paths
from console.accounts import passwords, totp
from console.accounts.audit import Audit
from console.accounts.doors import Doors, Typed
from console.accounts.passwords import Hasher, HasherBusy
from console.accounts.ports import Account, AuditEntry, Officers, Session, SessionEnd, Sessions
from console.accounts.sessions import Cookies, Limits, digest_of, new_secret, over, short_agent
from console.accounts.shown import local
from console.forms import Fault, one_line, read_form
from console.page import Pages
from console.routes import Access, ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.officers import Officer

DIGEST = re.compile(r"[0-9a-f]{64}")
LONGEST_CODE = 20
DONE = "xong"  # of the address one is sent to afterwards: a name under [account_done]


class OwnAccount:
    """What an officer does about oneself. Whatever proves one is changed only by whoever proves it again."""

    __slots__ = (
        "_agencies",
        "_audit",
        "_clock",
        "_cookies",
        "_doors",
        "_hasher",
        "_limits",
        "_officers",
        "_pages",
        "_sessions",
    )

    def __init__(
        self,
        pages: Pages,
        *,
        officers: Officers,
        sessions: Sessions,
        doors: Doors,
        hasher: Hasher,
        cookies: Cookies,
        limits: Limits,
        audit: Audit,
        agencies: Agencies,
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._officers = officers
        self._sessions = sessions
        self._doors = doors
        self._hasher = hasher
        self._cookies = cookies
        self._limits = limits
        self._audit = audit
        self._agencies = agencies
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET", path=paths.ACCOUNT, needs=Access.SIGNED_IN, handler=self.show, summary="one's own account"
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.ACCOUNT_PASSWORD,
            needs=Access.SIGNED_IN,
            handler=self.change_password,
            summary="changes one's password; ends one's other sessions",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.ACCOUNT_TOTP,
            needs=Access.SIGNED_IN,
            handler=self.set_up_totp,
            summary="begins or confirms one's second factor",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.ACCOUNT_SESSION_END,
            needs=Access.SIGNED_IN,
            handler=self.end_session,
            summary="ends a session of one's own",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.ACCOUNT_LANGUAGE,
            needs=Access.SIGNED_IN,
            handler=self.choose_language,
            summary="the language of the console",
        )

    async def show(self, request: web.Request) -> web.Response:
        return await self._page(request)

    # ---- password

    async def change_password(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        me = signed(request)
        wanted, present = fields.get("wanted", ""), fields.get("present", "")
        fault = self._password_fault(request, wanted, fields.get("again", ""), present)
        if fault is not None:
            return await self._page(request, fault)
        try:
            proved = await self._proved(request, fields)
            new_hash = await self._hasher.hash(wanted) if proved else ""
        except HasherBusy:  # told, to try again
            return await self._page(request, self._fault(request, "present", "sign_in", "busy"))
        if not proved:
            return await self._page(request, self._fault(request, "present", "account", "not_proved"))
        noted = self._audit.entry(request, "account.password_changed", about=_about(me.officer))
        renewed, secret = self._renewed(request)
        await self._officers.set_password(me.officer.id, new_hash, renewed=renewed, noted=noted)
        return self._given(_back("password"), secret)

    def _renewed(self, request: web.Request) -> tuple[Session, str]:
        """This session under a new secret, since more hangs on it from now on; and the secret. It ends when it would have."""
        me, secret = signed(request), new_secret()
        session = Session(
            digest=digest_of(secret),
            officer_id=me.officer.id,
            created_at=me.signed_in_at,
            seen_at=self._clock(),
            address=self._audit.address(request),
            agent=short_agent(request.headers.get("User-Agent", "")),
        )
        return session, secret

    def _given(self, response: web.Response, secret: str) -> web.Response:
        self._cookies.give(response, secret)
        return response

    def _password_fault(self, request: web.Request, wanted: str, again: str, present: str) -> Fault | None:
        wrong = passwords.fault(wanted, login=signed(request).officer.login, present=present)
        if wrong is not None:
            return self._fault(request, "wanted", "password_fault", wrong)
        return None if wanted == again else self._fault(request, "again", "password_fault", "again")

    # ---- second factor

    async def set_up_totp(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        account = await self._account(request)
        if fields.get("step") == "confirm":
            return await self._confirm_totp(request, account, one_line(fields, "new_code", LONGEST_CODE))
        try:
            if account.has_second_factor and not await self._proved(request, fields):
                return await self._page(request, self._fault(request, "present_for_code", "account", "not_proved"))
        except HasherBusy:  # told, to try again
            return await self._page(request, self._fault(request, "present_for_code", "sign_in", "busy"))
        noted = self._audit.entry(request, "account.second_factor_begun", about=_about(account.officer))
        keep = signed(request).session
        await self._officers.begin_totp(account.officer.id, totp.new_secret(), keep=keep, noted=noted)
        return _back()

    async def _confirm_totp(self, request: web.Request, account: Account, code: str) -> web.Response:
        """Guessing is worth nothing: the page shows the secret itself."""
        wanted, whose = account.totp_pending, account.officer
        step = totp.matching_step(wanted, code, self._clock(), after=None) if wanted else None
        noted = self._audit.entry(request, "account.second_factor_set", about=_about(whose))
        renewed, secret = self._renewed(request)
        if step is None or not await self._officers.confirm_totp(whose.id, wanted, step, renewed=renewed, noted=noted):
            return await self._page(request, self._fault(request, "new_code", "account", "wrong_code"))
        return self._given(_back("second_factor"), secret)

    async def _proved(self, request: web.Request, fields: Mapping[str, str]) -> bool:
        def note(officer: Officer, action: str) -> AuditEntry:
            return self._audit.entry_of(officer, request, action)

        typed = Typed(
            login=signed(request).officer.login,
            password=fields.get("present", ""),
            code=one_line(fields, "code", LONGEST_CODE),
            address=self._audit.address(request),
        )
        return await self._doors.prove(typed, note)

    # ---- sessions, language

    async def end_session(self, request: web.Request) -> web.Response:
        me, digest = signed(request), request.match_info["session"]
        noted = self._audit.entry(request, "account.session_ended", about=_about(me.officer))
        ended = DIGEST.fullmatch(digest) is not None and await self._sessions.end(
            me.officer.id, digest, SessionEnd.ENDED, self._clock(), noted
        )
        if not ended:
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        if digest != me.session:
            return _back("session")
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": paths.SIGN_IN})
        self._cookies.take(response)
        return response

    async def choose_language(self, request: web.Request) -> web.Response:
        wanted = (await read_form(request)).get("language", "")
        if wanted in self._pages.languages:
            await self._officers.set_language(signed(request).officer.id, wanted)
        return _back("language")

    # ---- the page

    async def _account(self, request: web.Request) -> Account:
        """Raises web.HTTPNotFound: it went this moment."""
        account = await self._officers.find(signed(request).officer.id)
        if account is None:
            raise web.HTTPNotFound
        return account

    async def _page(self, request: web.Request, fault: Fault | None = None) -> web.Response:
        account, me, now = await self._account(request), signed(request), self._clock()
        texts = self._pages.texts(request)
        pending = account.totp_pending
        agency = self._agencies.find(account.officer.agency)
        language = self._pages.language(request)
        return self._pages.render(
            request,
            "accounts-own.html",
            status=HTTPStatus.OK if fault is None else HTTPStatus.UNPROCESSABLE_ENTITY,
            account=account,
            agency=agency.name(language) if agency else account.officer.agency,
            role_names=[texts["role"][role] for role in sorted(account.officer.roles)],
            sessions=[
                _shown(each, me.session)
                for each in await self._sessions.of(account.officer.id)
                if over(each, now, self._limits) is None
            ],
            secret=totp.in_groups(pending),
            qr=Markup(totp.qr_svg(pending, account.officer.login)) if pending else "",  # noqa: S704 - drawn by segno
            done=texts["account_done"].get(request.query.get(DONE, ""), ""),
            faults=[fault] if fault else [],
        )

    def _fault(self, request: web.Request, field: str, section: str, name: str) -> Fault:
        return Fault(field, self._pages.texts(request)[section][name])


def _shown(session: Session, own: str) -> Mapping[str, object]:
    return {
        "digest": session.digest,
        "began": local(session.created_at),
        "seen": local(session.seen_at),
        "address": session.address,
        "agent": session.agent,
        "own": session.digest == own,
    }


def _about(officer: Officer) -> str:
    return f"officer:{officer.id}"


def _back(done: str = "") -> web.Response:
    address = f"{paths.ACCOUNT}?{DONE}={done}" if done else paths.ACCOUNT
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
