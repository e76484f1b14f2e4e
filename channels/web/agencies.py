"""/api/v1/agencies: who answers for dossiers today, and who took over from whom. The same in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.client import choose_language
from channels.web.problem import ProblemKind, problem_response
from channels.web.tagged import tag_of, tagged
from channels.web.telling import Teller
from domain.agencies import Agencies, Agency
from domain.calendar import local_day
from domain.text import unaccent

MOST = 200  # agencies of one answer
USUAL = 50
LONGEST_WORDS = 200  # characters of a search that count
HEADERS = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}


class AgencyBody(msgspec.Struct, frozen=True, kw_only=True):
    """An agency. `level`: province, district or commune. `phone`: empty where the help desk answers. `parent` and
    `successor` are identifiers; `keyword` is typed before a receipt number. `valid_from` and `valid_to`: its first and
    last day, null where none is known; `answered_by`: who does its work today, itself or whoever took over, null where
    nobody did.
    """

    identifier: str
    names: Mapping[str, str]
    short_name: str
    level: str
    phone: str
    address: str
    keyword: str
    parent: str | None
    valid_from: date | None
    valid_to: date | None
    successor: str | None
    answered_by: str | None


class AgenciesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The agencies of today, by identifier. `next`: give it as `after` for those that follow; null: these are the last."""

    agencies: Sequence[AgencyBody]
    next: str | None


class AgenciesApi:
    """The routes. `clock` gives aware moments; agencies are found by their identifier and by its other spellings."""

    __slots__ = ("_agencies", "_by_name", "_clock", "_ordered", "_teller")

    def __init__(self, *, agencies: Agencies, teller: Teller, clock: Callable[[], datetime]) -> None:
        self._agencies = agencies
        self._teller = teller
        self._clock = clock
        self._by_name = {name: each for each in agencies for name in (each.identifier, *each.aliases)}
        in_order = sorted(agencies, key=lambda agency: agency.identifier)
        self._ordered = [(each, searched(each)) for each in in_order]

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=paths.API_AGENCIES, handler=self._list, summary="The agencies of today: ?q=, ?after=."
        )
        yield RouteDef(
            method="GET", path=paths.API_AGENCY, handler=self._one, summary="One agency, also one that is no more."
        )

    async def _list(self, request: web.Request) -> web.Response:
        most = read_limit(request.query.get("limit", str(USUAL)))
        if most is None:
            return self._refuse(request, ProblemKind.BAD_PARAMETER)
        words = _folded(request.query.get("q", "")[:LONGEST_WORDS]).split()
        after = request.query.get("after", "")
        return self._send(request, self._page(words, after, most))

    async def _one(self, request: web.Request) -> web.Response:
        agency = self._by_name.get(request.match_info["identifier"].strip().upper())
        if agency is None:
            return self._refuse(request, ProblemKind.AGENCY_UNKNOWN)
        return self._send(request, agency_body(agency, self._agencies, local_day(self._clock())))

    def _page(self, words: Sequence[str], after: str, most: int) -> AgenciesBody:
        today = local_day(self._clock())
        found = [
            agency
            for agency, text in self._ordered
            if agency.identifier > after and agency.in_force(today) and all(word in text for word in words)
        ]
        shown = [agency_body(agency, self._agencies, today) for agency in found[:most]]
        return AgenciesBody(agencies=shown, next=shown[-1].identifier if len(found) > most else None)

    def _send(self, request: web.Request, told: msgspec.Struct) -> web.Response:
        body = msgspec.json.encode(told)
        return tagged(request, body, tag_of(body), HEADERS)

    def _refuse(self, request: web.Request, kind: ProblemKind) -> web.Response:
        language = choose_language(request, self._teller.catalogue.languages)
        return problem_response(self._teller.problem(kind, language), language)


def agency_body(agency: Agency, agencies: Agencies, today: date) -> AgencyBody:
    """What is told of an agency on this day."""
    answering = agencies.answering(agency.identifier, today)
    return AgencyBody(
        identifier=agency.identifier,
        names=agency.names,
        short_name=agency.short_name,
        level=agency.level,
        phone=agency.phone,
        address=agency.address,
        keyword=agency.keyword,
        parent=agency.parent,
        valid_from=agency.valid_from,
        valid_to=agency.valid_to,
        successor=agency.successor,
        answered_by=None if answering is None else answering.identifier,
    )


def read_limit(typed: str) -> int | None:
    """How many are wanted at most; None: that is no number from 1 to 200."""
    if not typed.isascii() or not typed.isdecimal() or len(typed) > len(str(MOST)):
        return None
    return int(typed) if 1 <= int(typed) <= MOST else None


def searched(agency: Agency) -> str:
    """What a search looks at: every name, without accents and in small letters."""
    names = (agency.identifier, *agency.aliases, agency.keyword, agency.short_name, *agency.names.values())
    return _folded("\n".join(names))


def _folded(text: str) -> str:
    return unaccent(text).casefold()
