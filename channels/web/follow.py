"""/theo-doi and /api/v1/subscriptions: a number that is proved by a code sent to it follows a dossier; whole without a script.

Nothing is remembered of whoever asks: a token names the request, in the body of a form. There is no cookie that a
foreign page could use; that it makes its readers' browsers order codes is refused where a browser says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.api import WorkDesk
from channels.web.client import Clients, Network
from channels.web.cross_origin import site_of
from channels.web.layout import HEADERS, Stylesheet, environment, link, page_texts, read_form
from channels.web.problem import Moment, Problem, ProblemKind, problem_response
from channels.web.static_file import StaticFile
from channels.web.static_modules import SOLVER, StaticModules
from channels.web.telling import Teller
from domain.calendar import LOCAL_ZONE
from domain.errors import GatewayError
from domain.message import Address
from domain.pins import PinAnswer, PinOutcome
from domain.text import safe_text

PATH = paths.FOLLOW
CONFIRM_PATH = paths.FOLLOW_CONFIRM
LOOK_UP_PATH = paths.LOOK_UP
API_PATH = paths.API_SUBSCRIPTIONS
API_ONE_PATH = paths.API_SUBSCRIPTION
LONGEST_ECHO = 120  # characters of what was typed that are shown again
LONGEST_NUMBER = 20
LONGEST_PIN = 12
SECTIONS = ("page", "label", "follow", "work")
FOREIGN = frozenset({"cross-site", "same-site"})  # Sec-Fetch-Site of a form on somebody else's page
KINDS: Mapping[PinOutcome, ProblemKind] = {
    PinOutcome.NO_NUMBER: ProblemKind.NO_NUMBER,
    PinOutcome.OVER: ProblemKind.NOTHING_TO_FOLLOW,
    PinOutcome.REFUSED: ProblemKind.REFUSED,
    PinOutcome.WRONG: ProblemKind.PIN_WRONG,
    PinOutcome.SPENT: ProblemKind.PIN_SPENT,
}


Body = TypeVar("Body", bound=msgspec.Struct)


class FollowDesk(Protocol):
    """What is decided about a wish; both raise GatewayError when our store is away, and whoever raised it logged it."""

    async def ask(
        self,
        asker: Address,
        code: str,
        number: str,
        *,
        language: str,
        words: str,
        site: str = "",
        worked: bool = False,
    ) -> PinAnswer: ...

    async def redeem(self, asker: Address, token: str, pin: str) -> PinAnswer: ...


class WishBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a wish."""

    code: str
    phone: str
    work: str | None = None  # the proof of work asked for, solved


class PinBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a code that is typed back."""

    pin: str


class SentBody(msgspec.Struct, frozen=True, kw_only=True):
    """A code is on its way: type it back to `/api/v1/subscriptions/{token}` before `expires_at`."""

    token: str
    expires_at: Moment


class FollowingBody(msgspec.Struct, frozen=True, kw_only=True):
    """The number follows the dossier."""

    following: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the page shows: the form for a number, the form for a code (there is a token), or that it is done. `work`: what
    the script needs for a proof of work.
    """

    typed: str = ""
    token: str = ""
    until: datetime | None = None
    problem: Problem | None = None
    work: Mapping[str, Any] | None = None
    done: bool = False


class FollowPages:
    """The routes. `clock` gives aware moments; `trusted` are the proxies whose X-Forwarded-For is believed. The style
    sheet is served by the look-up page.
    """

    __slots__ = (
        "_clients",
        "_clock",
        "_desk",
        "_solver",
        "_style",
        "_teller",
        "_template",
        "_texts",
        "_work",
        "_worker",
    )

    def __init__(
        self,
        *,
        desk: FollowDesk,
        teller: Teller,
        clock: Callable[[], datetime],
        trusted: Sequence[Network] = (),
        work: WorkDesk | None = None,
    ) -> None:
        self._desk = desk
        self._work = work
        self._teller = teller
        self._clock = clock
        self._clients = Clients(trusted, teller.catalogue.languages)
        self._style = Stylesheet()
        self._worker, self._solver = StaticFile("work.js"), StaticModules(*SOLVER)  # served by the look-up page
        self._template = environment().get_template("follow.html")
        self._texts = {
            language: page_texts(teller.catalogue, language, SECTIONS) for language in teller.catalogue.languages
        }

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=PATH, handler=_to_look_up, summary="Leads to the look-up page.")
        yield RouteDef(method="POST", path=PATH, handler=self._wish_page, summary="A number asks for a code to follow.")
        yield RouteDef(method="GET", path=CONFIRM_PATH, handler=_to_look_up, summary="Leads to the look-up page.")
        yield RouteDef(method="POST", path=CONFIRM_PATH, handler=self._pin_page, summary="The code that was sent.")
        yield RouteDef(
            method="POST", path=API_PATH, handler=self._wish_api, summary="A code is sent to a number, to follow."
        )
        yield RouteDef(
            method="POST", path=API_ONE_PATH, handler=self._pin_api, summary="The code back: the number follows."
        )

    # ---- deciding

    async def _wish(
        self, request: web.Request, code: str, number: str, language: str, work: str = ""
    ) -> PinAnswer | Problem:
        words = self._texts[language]["follow"]["consent"]
        asker, site = self._clients.address(request), site_of(request)

        async def asked() -> PinAnswer:
            worked = bool(work) and self._work is not None and await self._work.verify(work, site)
            return await self._desk.ask(asker, code, number, language=language, words=words, site=site, worked=worked)

        answer = await self._decided(asked(), language)
        if isinstance(answer, Problem) or answer.outcome is PinOutcome.SENT:
            return answer
        told = None if answer.answer is None else self._teller.tell(answer.answer, language, self._clock())
        if answer.outcome is PinOutcome.NOT_TOLD and isinstance(told, Problem):
            return told
        # A last known answer is a state to be told, and nothing to be followed: its system is down.
        return self._teller.problem(KINDS.get(answer.outcome, ProblemKind.SOURCE_DOWN), language)

    async def _redeem(self, request: web.Request, token: str, pin: str, language: str) -> PinAnswer | Problem:
        answer = await self._decided(self._desk.redeem(self._clients.address(request), token, pin), language)
        if isinstance(answer, Problem) or answer.outcome is PinOutcome.FOLLOWING:
            return answer
        return self._teller.problem(KINDS.get(answer.outcome, ProblemKind.INTERNAL), language)

    async def _decided(self, answer: Awaitable[PinAnswer], language: str) -> PinAnswer | Problem:
        try:
            return await answer
        except GatewayError:  # our own trouble is told as such; whoever raised it has logged it
            return self._teller.problem(ProblemKind.INTERNAL, language)

    # ---- pages

    async def _wish_page(self, request: web.Request) -> web.Response:
        language, form = self._clients.language(request), read_form(await request.read())
        typed = safe_text(form.get("ma", ""), LONGEST_ECHO)
        if _foreign(request):
            return self._render(language, _Shown(typed=typed))
        number, work = form.get("phone", ""), form.get("work", "")
        answer = await self._wish(request, form.get("ma", ""), number, language, work)
        if isinstance(answer, Problem):
            again = self._asked_work(answer, number, worked=bool(work))
            return self._render(language, _Shown(typed=typed, problem=answer, work=again))
        return self._render(language, _Shown(typed=typed, token=answer.token, until=answer.expires_at), status=202)

    async def _pin_page(self, request: web.Request) -> web.Response:
        language, form = self._clients.language(request), read_form(await request.read())
        typed, token = safe_text(form.get("ma", ""), LONGEST_ECHO), form.get("token", "")
        if _foreign(request):
            return self._render(language, _Shown(typed=typed))
        answer = await self._redeem(request, token, form.get("pin", ""), language)
        if not isinstance(answer, Problem):
            return self._render(language, _Shown(typed=typed, done=True), status=201)
        again = "" if answer.kind is ProblemKind.PIN_SPENT else safe_text(token, LONGEST_ECHO)
        return self._render(language, _Shown(typed=typed, token=again, problem=answer))

    def _render(self, language: str, shown: _Shown, *, status: int = 200) -> web.Response:
        problem, catalogue = shown.problem, self._teller.catalogue
        page = self._template.render(
            language=language,
            texts=self._texts[language],
            others=[
                (each, self._texts[each]["page"]["this_language"], link(LOOK_UP_PATH, each, ma=shown.typed))
                for each in self._texts
            ],
            shown=shown,
            problem=problem,
            until=catalogue.text(language, "web.follow.until", until=catalogue.moment(language, shown.until))
            if shown.until
            else "",
            help_desk=self._teller.help_desk(language),
            notice=self._teller.notice(language, self._clock()),
            style=self._style.path,
            script=self._worker.path if shown.work else "",
            wish=link(PATH, language),
            confirm=link(CONFIRM_PATH, language),
            longest_number=LONGEST_NUMBER,
            longest_pin=LONGEST_PIN,
            back=link(LOOK_UP_PATH, language, ma=shown.typed),
            start=link(LOOK_UP_PATH, language),
        )
        return web.Response(
            status=problem.kind.status if problem else status,
            text=page,
            content_type="text/html",
            headers={**HEADERS, "Content-Language": language, **(problem.kind.headers if problem else {})},
        )

    def _asked_work(self, problem: Problem, number: str, *, worked: bool) -> Mapping[str, Any] | None:
        """The form that a script fills in; the number goes with it. Nobody works twice by himself."""
        if self._work is None or problem.kind is not ProblemKind.WORK_NEEDED:
            return None
        return {
            "challenge": msgspec.json.encode(self._work.challenge("")).decode(),
            "solver": self._solver.path,
            "number": safe_text(number, LONGEST_NUMBER),
            "again": worked,
        }

    # ---- API

    async def _wish_api(self, request: web.Request) -> web.Response:
        language, body = self._clients.language(request), _body(await _json_of(request), WishBody)
        if body is None:
            return self._refuse(self._teller.problem(ProblemKind.NO_NUMBER, language), language)
        answer = await self._wish(request, body.code, body.phone, language, body.work or "")
        if isinstance(answer, Problem):
            challenge = None
            if answer.kind is ProblemKind.WORK_NEEDED and self._work is not None:
                challenge = self._work.challenge(site_of(request))
            return self._refuse(answer, language, challenge)
        until = (answer.expires_at or self._clock()).astimezone(LOCAL_ZONE).replace(microsecond=0)
        return _json(SentBody(token=answer.token, expires_at=until), language, status=202)

    async def _pin_api(self, request: web.Request) -> web.Response:
        language, body = self._clients.language(request), _body(await _json_of(request), PinBody)
        if body is None:
            return self._refuse(self._teller.problem(ProblemKind.PIN_WRONG, language), language)
        answer = await self._redeem(request, request.match_info["token"], body.pin, language)
        if isinstance(answer, Problem):
            return self._refuse(answer, language)
        return _json(FollowingBody(), language, status=201)

    def _refuse(self, problem: Problem, language: str, challenge: Mapping[str, Any] | None = None) -> web.Response:
        return problem_response(problem, language, self._teller.notice(language, self._clock()), challenge)


def _foreign(request: web.Request) -> bool:
    """A browser that says so sends a form of somebody else's page. Old ones say nothing, and are believed."""
    return request.headers.get("Sec-Fetch-Site", "") in FOREIGN


async def _json_of(request: web.Request) -> bytes:
    """The body, if it is called JSON: what a foreign page cannot send without asking us first (CORS), which we refuse."""
    return await request.read() if request.content_type == "application/json" else b""


def _body(body: bytes, shape: type[Body]) -> Body | None:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the caller says what was expected
        return None


def _json(body: msgspec.Struct, language: str, *, status: int) -> web.Response:
    headers = {"Content-Language": language, "Cache-Control": "no-store", "Vary": "Accept-Language"}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


async def _to_look_up(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": LOOK_UP_PATH})
