"""Officers: listed, added, changed, given a new password, closed; each by somebody who may, within the own agencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.officer_form import OfficerForm, read_officer_form
from console.accounts.passwords import Hasher, HasherBusy, one_time_password
from console.accounts.ports import Account, AuditEntry, Changed, Officers
from console.accounts.reach import may_manage, reach, reaches
from console.accounts.shown import local
from console.forms import Fault, one_line, read_form, row_id
from console.page import Pages
from console.routes import ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.officers import Officer, OfficerRole, Right

PAGE = 100
DONE = "xong"  # of the address one is sent to afterwards: a name under [officer_done]
LONGEST_LOGIN = 40
_CHANGED_FAULTS: Mapping[Changed, str] = {Changed.MOVED: "moved", Changed.LAST_OPERATOR: "last_operator"}


class OfficerPages:
    """The pages. `ids` makes identifiers (domain.ids)."""

    __slots__ = ("_agencies", "_audit", "_clock", "_hasher", "_ids", "_officers", "_pages")

    def __init__(
        self,
        pages: Pages,
        *,
        officers: Officers,
        hasher: Hasher,
        audit: Audit,
        agencies: Agencies,
        ids: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._officers = officers
        self._hasher = hasher
        self._audit = audit
        self._agencies = agencies
        self._ids = ids
        self._clock = clock

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.OFFICERS,
            needs=Right.OFFICERS_SEE,
            handler=self.listed,
            summary="officers of the own agencies",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.OFFICER_NEW,
            needs=Right.OFFICERS_MANAGE,
            handler=self.new,
            summary="the form of a new officer",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.OFFICER_NEW,
            needs=Right.OFFICERS_MANAGE,
            handler=self.add,
            summary="adds an officer; shows a one-time password once",
        )
        yield ConsoleRoute(
            method="GET", path=paths.OFFICER, needs=Right.OFFICERS_SEE, handler=self.show, summary="one officer"
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.OFFICER,
            needs=Right.OFFICERS_MANAGE,
            handler=self.change,
            summary="changes name, agency and roles",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.OFFICER_RESET,
            needs=Right.OFFICERS_MANAGE,
            handler=self.reset,
            summary="a new one-time password, no second factor; ends the sessions",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.OFFICER_CLOSE,
            needs=Right.OFFICERS_MANAGE,
            handler=self.close,
            summary="closes an account, or opens it again",
        )

    # ---- looking

    async def listed(self, request: web.Request) -> web.Response:
        me = signed(request)
        found = await self._officers.listed(
            reach(me.scope, self._agencies), after=one_line(request.query, "sau", LONGEST_LOGIN), limit=PAGE + 1
        )
        return self._pages.render(
            request,
            "accounts-officers.html",
            officers=[self._shown(request, each) for each in found[:PAGE]],
            after=found[PAGE - 1].officer.login if len(found) > PAGE else "",
            may_add=me.officer.may(Right.OFFICERS_MANAGE),
        )

    async def show(self, request: web.Request) -> web.Response:
        account = await self._one(request)
        if not isinstance(account, Account):
            return account
        return self._page(request, account, _form_of(account.officer))

    # ---- adding

    async def new(self, request: web.Request) -> web.Response:
        own = signed(request).officer.agency
        blank = OfficerForm(login="", name="", agency=own, roles=frozenset())
        return self._new_page(request, blank)

    async def add(self, request: web.Request) -> web.Response:
        form = read_officer_form(await read_form(request))
        refused = self._refused(request, form)
        if refused is not None:
            return refused
        texts = self._pages.texts(request)["officer"]
        faults = [Fault(*each) for each in form.faults(texts, with_login=True)]
        if faults:
            return self._new_page(request, form, faults)
        password = one_time_password()
        try:
            account = self._account(request, form, await self._hasher.hash(password))
        except HasherBusy:  # told, to try again
            return self._new_page(request, form, [Fault("login", texts["busy"])])
        if not await self._officers.add(account, self._noted(request, "officer.added", account.officer)):
            return self._new_page(request, form, [Fault("login", texts["taken"])])
        return self._given(request, account.officer, password)

    def _account(self, request: web.Request, form: OfficerForm, password_hash: str) -> Account:
        officer = Officer(
            id=self._ids(),
            login=form.login,
            name=form.name,
            agency=form.agency,
            roles=form.roles,
            created_at=self._clock(),
            language=signed(request).officer.language,
        )
        created_by = signed(request).officer.login
        return Account(officer=officer, password_hash=password_hash, must_set_password=True, created_by=created_by)

    # ---- changing

    async def change(self, request: web.Request) -> web.Response:
        account = await self._managed(request)
        if not isinstance(account, Account):
            return account
        form = read_officer_form(await read_form(request))
        refused = self._refused(request, form)
        if refused is not None:
            return refused
        faults = [Fault(*each) for each in form.faults(self._pages.texts(request)["officer"], with_login=False)]
        if faults:
            return self._page(request, account, form, faults)
        seen = account.officer
        wanted = replace(seen, name=form.name, agency=form.agency, roles=form.roles)
        noted = self._noted(request, "officer.changed", wanted, before=sorted(seen.roles), agency_before=seen.agency)
        changed = await self._officers.change(seen, wanted, noted)
        return self._told(request, account, changed, "changed")

    async def reset(self, request: web.Request) -> web.Response:
        account = await self._managed(request)
        if not isinstance(account, Account):
            return account
        password = one_time_password()
        try:
            password_hash = await self._hasher.hash(password)
        except HasherBusy:  # told, to try again
            fault = Fault("reset", self._pages.texts(request)["officer"]["busy"])
            return self._page(request, account, _form_of(account.officer), [fault])
        noted = self._noted(request, "officer.reset", account.officer)
        changed = await self._officers.reset(account.officer, password_hash, noted)
        if changed is not Changed.DONE:
            return self._told(request, account, changed, "")
        return self._given(request, account.officer, password)

    async def close(self, request: web.Request) -> web.Response:
        """`open` in the form: the other way round."""
        account = await self._managed(request)
        if not isinstance(account, Account):
            return account
        reopen = "open" in await read_form(request)
        action = "officer.reopened" if reopen else "officer.closed"
        noted = self._noted(request, action, account.officer)
        closed_at = None if reopen else self._clock()
        changed = await self._officers.close(account.officer, closed_at, noted)
        return self._told(request, account, changed, "reopened" if reopen else "closed")

    # ---- who may do it to whom

    async def _one(self, request: web.Request) -> Account | web.Response:
        """The officer of the address, or the page that says there is none, which is all that is told of others'."""
        number = row_id(request.match_info["officer"])
        account = await self._officers.find(number) if number is not None else None
        if account is None or not reaches(signed(request).scope, account.officer.agency, self._agencies):
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        return account

    async def _managed(self, request: web.Request) -> Account | web.Response:
        """The same, for what only some may do to some."""
        found = await self._one(request)
        if isinstance(found, Account) and not may_manage(signed(request), found.officer):
            return self._pages.refuse(request, HTTPStatus.FORBIDDEN)
        return found

    def _refused(self, request: web.Request, form: OfficerForm) -> web.Response | None:
        """What no form of ours offers: a role one may not give, an agency of others."""
        me = signed(request)
        if form.strange or not form.roles <= me.officer.gives():
            return self._pages.refuse(request, HTTPStatus.FORBIDDEN)
        if form.agency and form.agency not in me.scope:
            return self._pages.refuse(request, HTTPStatus.NOT_FOUND)
        return None

    # ---- pages

    def _new_page(self, request: web.Request, form: OfficerForm, faults: Sequence[Fault] = ()) -> web.Response:
        return self._pages.render(
            request,
            "accounts-officer-new.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            form=form,
            faults=faults,
            **self._choices(request, form),
        )

    def _page(
        self, request: web.Request, account: Account, form: OfficerForm, faults: Sequence[Fault] = ()
    ) -> web.Response:
        done = self._pages.texts(request)["officer_done"].get(request.query.get(DONE, ""), "")
        return self._pages.render(
            request,
            "accounts-officer.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            shown=self._shown(request, account),
            form=form,
            faults=faults,
            done=done,
            manage=may_manage(signed(request), account.officer),
            **self._choices(request, form),
        )

    def _told(self, request: web.Request, account: Account, changed: Changed, done: str) -> web.Response:
        if changed is Changed.DONE:
            address = f"{paths.OFFICERS}/{account.officer.id}?{DONE}={done}"
            return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
        fault = Fault("roles", self._pages.texts(request)["officer"][_CHANGED_FAULTS[changed]])
        return self._page(request, account, _form_of(account.officer), [fault])

    def _given(self, request: web.Request, officer: Officer, password: str) -> web.Response:
        """The one time anybody sees it."""
        return self._pages.render(
            request, "accounts-given.html", of=officer, password=password, back=f"{paths.OFFICERS}/{officer.id}"
        )

    def _choices(self, request: web.Request, form: OfficerForm) -> Mapping[str, object]:
        me, language = signed(request), self._pages.language(request)
        agencies = [(each.identifier, each.name(language)) for each in self._agencies if each.identifier in me.scope]
        gives = me.officer.gives()
        names = self._pages.texts(request)["role"]
        return {
            "agencies": sorted(agencies),
            "roles": [(str(role), names[role], role in form.roles) for role in OfficerRole if role in gives],
        }

    def _shown(self, request: web.Request, account: Account) -> Mapping[str, object]:
        officer, names = account.officer, self._pages.texts(request)["role"]
        agency = self._agencies.find(officer.agency)
        locked = account.locked_until is not None and account.locked_until > self._clock()
        return {
            "id": officer.id,
            "login": officer.login,
            "name": officer.name,
            "agency": agency.name(self._pages.language(request)) if agency else officer.agency,
            "roles": [names[role] for role in OfficerRole if role in officer.roles],
            "state": _state(account, locked=locked),
            "created": local(officer.created_at),
            "created_by": account.created_by,
            "closed": officer.disabled_at is not None,
            "own": officer.id == signed(request).officer.id,
        }

    def _noted(self, request: web.Request, action: str, officer: Officer, **detail: str | Sequence[str]) -> AuditEntry:
        told = {"login": officer.login, "agency": officer.agency, "roles": sorted(officer.roles), **detail}
        return self._audit.entry(request, action, f"officer:{officer.id}", **told)


def _state(account: Account, *, locked: bool) -> str:
    """A name under [officer_state]."""
    if account.officer.disabled_at is not None:
        return "closed"
    if locked:
        return "locked"
    return "not_set_up" if account.must_set_up else "open"


def _form_of(officer: Officer) -> OfficerForm:
    return OfficerForm(login=officer.login, name=officer.name, agency=officer.agency, roles=officer.roles)
