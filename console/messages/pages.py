"""Messages, found by dossier or by a number typed in full: what was asked, answered and told, and whether it arrived.

Both are looked for by a form that is sent, so that no number stands in an address, a history or a log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.reach import reach, reaches
from console.forms import Fault, one_line, read_form, row_id
from console.messages.ports import Conversations, Followed, Turn
from console.messages.shown import code_text, followed_cells, turn_cells
from console.page import Pages
from console.routes import ConsoleRoute
from console.signed import signed
from domain.agencies import Agencies
from domain.codes import CodeReading, DossierCode, read_reference
from domain.message import Address
from domain.officers import Right

PAGE = 30
FOLLOWS = 50
LOOK = 200  # messages of one person read at a time by who sees only some of them
MOST_LOOKS = 10
LONGEST = 200  # characters of what is looked for
NUMBER: Final = re.compile(r"[1-9]\d{7,14}", re.ASCII)  # typed in full, its country's digits included (E.164)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is shown: `field` and `value` are looked for again by who wants `older` ones (below this id)."""

    field: str
    value: str
    shown: str
    turns: Sequence[Turn]
    follows: Sequence[Followed]
    older: int | None
    later: bool  # these are not the newest


class MessagePages:
    """`read_code` reads dossier codes out of what was typed (domain.codes), `read_number` gives the international digits
    of a telephone number; of what is none, anything else.
    """

    __slots__ = ("_agencies", "_audit", "_conversations", "_pages", "_read_code", "_read_number")

    def __init__(
        self,
        pages: Pages,
        *,
        conversations: Conversations,
        audit: Audit,
        agencies: Agencies,
        read_code: Callable[[str], CodeReading],
        read_number: Callable[[str], str],
    ) -> None:
        self._pages = pages
        self._conversations = conversations
        self._audit = audit
        self._agencies = agencies
        self._read_code = read_code
        self._read_number = read_number

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.MESSAGES,
            needs=Right.MESSAGES_SEE,
            handler=self.form,
            summary="the forms to look for messages",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.MESSAGES,
            needs=Right.MESSAGES_SEE,
            handler=self.by_dossier,
            summary="what was asked, answered and told about a dossier of the own agencies",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.MESSAGES_NUMBER,
            needs=Right.MESSAGES_FIND,
            handler=self.by_number,
            summary="the same with one telephone number; noted in the audit log",
        )

    async def form(self, request: web.Request) -> web.Response:
        return self._page(request)

    # ---- by dossier

    async def by_dossier(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        typed = one_line(form, "code", LONGEST)
        codes = self._codes(typed)
        if not codes:
            return self._fault(request, "code", "no_code", typed)
        own = [code for code in codes if self._is_own(request, code)]
        if not own:
            return self._fault(request, "code", "not_yours", typed, HTTPStatus.NOT_FOUND)
        if len(own) > 1:
            return self._page(request, typed=typed, choices=[(each.reference, each.text) for each in own])
        return await self._about(request, own[0], row_id(form.get("before", "")))

    async def _about(self, request: web.Request, code: DossierCode, before: int | None) -> web.Response:
        turns = await self._conversations.about(code, before=before, limit=PAGE + 1)
        follows = await self._conversations.followers(code, limit=FOLLOWS) if before is None else ()
        found = Found(
            field="code",
            value=code.reference,
            shown=code.text,
            turns=turns[:PAGE],
            follows=follows,
            older=turns[PAGE - 1].id if len(turns) > PAGE else None,
            later=before is not None,
        )
        return self._page(request, typed=code_text(code.reference), found=found)

    def _codes(self, typed: str) -> Sequence[DossierCode]:
        """What was chosen among several says which one it is; what was typed may have several readings."""
        chosen = read_reference(typed)
        if chosen is not None:
            return [chosen]
        reading = self._read_code(typed)
        return list(dict.fromkeys((*reading.codes, *reading.candidates)))

    # ---- by number

    async def by_number(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        typed = one_line(form, "number", LONGEST)
        digits = self._read_number(typed)
        if not NUMBER.fullmatch(digits):
            return self._fault(request, "number", "no_number", typed)
        before = row_id(form.get("before", ""))
        await self._audit.note(request, "messages.found_by_number", number=digits[-3:], older=before is not None)
        address = Address("sms", digits)
        turns, older = await self._own_turns(request, address, before)
        follows = await self._conversations.followed(address, limit=FOLLOWS) if before is None else ()
        found = Found(
            field="number",
            value=digits,
            shown=digits,
            turns=turns,
            follows=[each for each in follows if self._may_see(request, each.dossier_code)],
            older=older,
            later=before is not None,
        )
        return self._page(request, number=typed, found=found)

    async def _own_turns(
        self, request: web.Request, address: Address, before: int | None
    ) -> tuple[Sequence[Turn], int | None]:
        """A page of those about dossiers of the own agencies, and where to go on; None: there is no more."""
        own: list[Turn] = []
        look = PAGE + 1 if reach(signed(request).scope, self._agencies) is None else LOOK
        for _ in range(MOST_LOOKS):
            turns = await self._conversations.with_person(address, before=before, limit=look)
            own += [turn for turn in turns if self._may_see(request, turn.dossier_code)]
            if len(own) > PAGE:
                return own[:PAGE], own[PAGE - 1].id
            if len(turns) < look:
                return own, None
            before = turns[-1].id
        return own, before

    # ---- whose it is

    def _may_see(self, request: web.Request, reference: str) -> bool:
        """What is about no dossier is the whole province's: whoever else asked for it is nobody's to know."""
        code = read_reference(reference) if reference else None
        if code is None:
            return reach(signed(request).scope, self._agencies) is None
        return self._is_own(request, code)

    def _is_own(self, request: web.Request, code: DossierCode) -> bool:
        agency = self._agencies.for_code(code)
        return reaches(signed(request).scope, "" if agency is None else agency.identifier, self._agencies)

    # ---- pages

    def _fault(
        self, request: web.Request, field: str, name: str, typed: str, status: int = HTTPStatus.UNPROCESSABLE_ENTITY
    ) -> web.Response:
        fault = Fault(field, self._pages.texts(request)["messages"][name])
        return self._page(
            request,
            faults=[fault],
            status=status,
            typed=typed if field == "code" else "",
            number=typed if field == "number" else "",
        )

    def _page(
        self,
        request: web.Request,
        *,
        faults: Sequence[Fault] = (),
        status: int = HTTPStatus.OK,
        typed: str = "",
        number: str = "",
        choices: Sequence[tuple[str, str]] = (),
        found: Found | None = None,
    ) -> web.Response:
        texts = self._pages.texts(request)
        return self._pages.render(
            request,
            "messages-search.html",
            status=status,
            faults=faults,
            typed=typed,
            number=number,
            choices=choices,
            may_find=signed(request).officer.may(Right.MESSAGES_FIND),
            found=found,
            turns=[turn_cells(each, texts) for each in found.turns] if found else (),
            follows=[followed_cells(each, texts) for each in found.follows] if found else (),
        )
