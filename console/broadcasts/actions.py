"""What is done to a broadcast: one row an action, each behind the right it needs; the store decides in its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from aiohttp import web

from console import paths
from console.accounts.doors import Doors
from console.accounts.ports import AuditEntry
from console.broadcasts.desk import Desk, at, done
from console.broadcasts.form import text_faults
from console.broadcasts.pages import SENT_BACK, BroadcastPages
from console.broadcasts.ports import Standing
from console.forms import Fault, one_line, read_form, row_id
from console.routes import ConsoleRoute
from console.signed import signed
from domain.broadcasts import AudienceKind, BroadcastAction, Refusal, decide
from domain.officers import Officer, Right

LONGEST_CODE: Final = 20
LONGEST_REASON: Final = 300
SURE: Final = "sure"


@dataclass(frozen=True, slots=True)
class Act:
    """`noted`: what the audit log calls it; `done`: a name under [broadcast_done]."""

    action: BroadcastAction
    noted: str
    done: str


_A = BroadcastAction
SUBMIT: Final = Act(_A.SUBMIT, "broadcast.submitted", "submitted")
BACK: Final = Act(_A.SEND_BACK, SENT_BACK, "sent_back")
APPROVE: Final = Act(_A.APPROVE, "broadcast.approved", "approved")
PAUSE: Final = Act(_A.PAUSE, "broadcast.paused", "paused")
RESUME: Final = Act(_A.RESUME, "broadcast.resumed", "resumed")
STOP: Final = Act(_A.STOP, "broadcast.stopped", "stopped")
ACTS: Final = (SUBMIT, BACK, APPROVE, PAUSE, RESUME, STOP)


class BroadcastActions:
    """The forms on the page of a broadcast. `doors` asks for the second factor again before anything is approved."""

    __slots__ = ("_desk", "_doors", "_pages")

    def __init__(self, desk: Desk, pages: BroadcastPages, *, doors: Doors) -> None:
        self._desk = desk
        self._pages = pages
        self._doors = doors

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_SUBMIT,
            needs=Right.BROADCASTS_WRITE,
            handler=partial(self._act, SUBMIT),
            summary="gives a draft to be approved",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_SEND_BACK,
            needs=Right.BROADCASTS_APPROVE,
            handler=partial(self._act, BACK),
            summary="gives it back to its author, with a reason",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_APPROVE,
            needs=Right.BROADCASTS_APPROVE,
            handler=partial(self._act, APPROVE),
            summary="lets it leave; asks for the second factor",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_PAUSE,
            needs=Right.BROADCASTS_STEER,
            handler=partial(self._act, PAUSE),
            summary="holds it",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_RESUME,
            needs=Right.BROADCASTS_STEER,
            handler=partial(self._act, RESUME),
            summary="lets it go on",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_STOP,
            needs=Right.BROADCASTS_STEER,
            handler=partial(self._act, STOP),
            summary="ends it for good, once it was said to be meant",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_STOP,
            needs=Right.BROADCASTS_STEER,
            handler=self.ask,
            summary="asks whether stopping is meant",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_RESEND,
            needs=Right.BROADCASTS_WRITE,
            handler=self.resend,
            summary="a new draft for those it did not reach",
        )

    async def _act(self, act: Act, request: web.Request) -> web.Response:
        fields = await read_form(request)
        standing = await self._desk.one(request)
        if standing is None:
            return self._desk.missing(request)
        refused = await self._refused(act, request, fields, standing)
        if refused is not None:
            return refused
        identifier, version = standing.broadcast.id, row_id(fields.get("version", "")) or 0
        reason = one_line(fields, "reason", LONGEST_REASON)
        detail = {"reason": reason} if act.action is _A.SEND_BACK else {}
        noted = self._desk.noted(request, act.noted, identifier, version=version, **detail)
        officer, scope = signed(request).officer, signed(request).scope
        acted = await self._desk.broadcasts.act(identifier, version, act.action, officer, scope, noted)
        return await self._pages.told(request, acted, act.done)

    async def _refused(
        self, act: Act, request: web.Request, fields: Mapping[str, str], standing: Standing
    ) -> web.Response | None:
        """What speaks against it before the store is asked."""
        if act.action is _A.STOP and fields.get(SURE) != "1":
            return self._ask(request, standing, HTTPStatus.UNPROCESSABLE_ENTITY)
        fault: Fault | None = None
        if act.action is _A.SEND_BACK and not one_line(fields, "reason", LONGEST_REASON):
            fault = self._fault(request, "reason", "no_reason")
        elif act.action is _A.SUBMIT:
            fault = self._unfinished(request, standing)
        elif act.action is _A.APPROVE:
            return await self._unproved(request, fields, standing)
        return await self._pages.page(request, standing, faults=[fault]) if fault else None

    def _unfinished(self, request: web.Request, standing: Standing) -> Fault | None:
        """No list, or texts that name what it does not bring: a draft may be so."""
        broadcast = standing.broadcast
        if broadcast.audience.kind is AudienceKind.FILE and not broadcast.audience.file:
            return self._fault(request, "actions", "no_list")
        found = text_faults(broadcast.texts, broadcast.audience.kind, standing.columns, listed=True)
        if not found:
            return None
        _, name, what = found[0]
        return Fault("actions", self._desk.words(request, "broadcast_fault")[name].format(what))

    async def _unproved(
        self, request: web.Request, fields: Mapping[str, str], standing: Standing
    ) -> web.Response | None:
        """What would be refused anyhow uses up no code."""
        broadcast, me = standing.broadcast, signed(request)
        verdict = decide(broadcast, _A.APPROVE, me.officer, seal=broadcast.seal, scope=me.scope)
        if isinstance(verdict, Refusal):
            return await self._pages.page(request, standing, verdict)
        if str(broadcast.version) != fields.get("version", ""):
            return await self._pages.page(request, standing, Refusal.CHANGED)

        def note(officer: Officer, action: str) -> AuditEntry:
            return self._desk.audit.entry_of(officer, request, action)

        code, address = one_line(fields, "code", LONGEST_CODE), self._desk.audit.address(request)
        if await self._doors.prove_again(me.officer, code, address, note):
            return None
        return await self._pages.page(request, standing, faults=[self._fault(request, "code", "wrong_code")])

    # ---- stopping

    async def ask(self, request: web.Request) -> web.Response:
        standing = await self._desk.one(request)
        return self._desk.missing(request) if standing is None else self._ask(request, standing, HTTPStatus.OK)

    def _ask(self, request: web.Request, standing: Standing, status: HTTPStatus) -> web.Response:
        broadcast = standing.broadcast
        return self._desk.pages.render(
            request,
            "broadcasts-stop.html",
            status=status,
            broadcast=broadcast,
            action=at(paths.BROADCAST_STOP, broadcast.id),
            back=at(paths.BROADCAST, broadcast.id),
        )

    # ---- again

    async def resend(self, request: web.Request) -> web.Response:
        fields = await read_form(request)
        standing = await self._desk.one(request)
        if standing is None:
            return self._desk.missing(request)
        of, new = standing.broadcast.id, self._desk.form_id(fields.get("id", ""))
        noted = self._desk.noted(request, "broadcast.resend_made", new, of=of)
        officer, scope = signed(request).officer, signed(request).scope
        acted = await self._desk.broadcasts.resend(of, new, officer, scope, noted)
        if acted is Refusal.NOT_NOW and standing.resend is not None:  # sent twice: it is there
            return done(standing.resend, "resend_made")
        return await self._pages.told(request, acted, "resend_made")

    def _fault(self, request: web.Request, field: str, name: str) -> Fault:
        return Fault(field, self._desk.words(request, "broadcast_fault")[name])
