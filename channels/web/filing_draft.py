"""/ho-so/<secret>: a draft in four steps (who, papers, number, send), kept at each of them; whole without a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.filing_files import Arrived, read_files
from channels.web.filing_shell import MOST_FIELDS, FilingShell, at, sent_on
from channels.web.layout import link, read_form
from channels.web.procedure_telling import procedure_facts
from channels.web.proving import LONGEST_NUMBER, LONGEST_WORK
from channels.web.qr import own_address
from domain.calendar import local_day
from domain.filing import LANGUAGES, LENGTHS, FilingDraft, FilingRefusal, NumberOutcome, UploadLeave, read_filing
from domain.intake import IntakeFile

WHO, PAPERS, NUMBER, SEND = "who", "papers", "number", "send"
STEPS: Final[Mapping[str, str]] = {
    WHO: paths.FILED,
    PAPERS: paths.FILED_PAPERS,
    NUMBER: paths.FILED_NUMBER,
    SEND: paths.FILED_SEND,
}
LONGEST_PIN: Final = 12
# The status of a page that tells what came of a wish for a code, or of a code.
STATUSES: Final[Mapping[NumberOutcome, int]] = {
    NumberOutcome.SENT: HTTPStatus.ACCEPTED,
    NumberOutcome.NO_NUMBER: HTTPStatus.BAD_REQUEST,
    NumberOutcome.WORK_NEEDED: HTTPStatus.FORBIDDEN,
    NumberOutcome.REFUSED: HTTPStatus.TOO_MANY_REQUESTS,
    NumberOutcome.WRONG: HTTPStatus.UNPROCESSABLE_ENTITY,
    NumberOutcome.SPENT: HTTPStatus.GONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A paper of the check list with the files handed in for it; `number` -1: what is of none of them."""

    number: int
    name: str
    language: str
    files: Sequence[IntakeFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a page says beside the draft: what was wrong, what came of files, what is wanted for a proof of work."""

    faults: Sequence[tuple[str, str]] = ()
    arrived: Arrived | None = None
    told: str = ""  # a name under [web.filing]
    good: bool = False
    work: Mapping[str, Any] | None = None
    status: int = HTTPStatus.OK


NOTHING_SAID: Final = Said()


class DraftPages:
    """The steps of a draft, each a page of its own."""

    __slots__ = ("_shell",)

    def __init__(self, shell: FilingShell) -> None:
        self._shell = shell

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it, but for the first page, which shows the dossier as well."""
        yield RouteDef(method="GET", path=paths.FILED_PAPERS, handler=self._step, summary="A draft: its papers.")
        yield RouteDef(method="GET", path=paths.FILED_NUMBER, handler=self._step, summary="A draft: its number.")
        yield RouteDef(method="GET", path=paths.FILED_SEND, handler=self._step, summary="A draft: looked at again.")
        yield RouteDef(method="POST", path=paths.FILED, handler=self._save, summary="Keeps what was filled in.")
        yield RouteDef(
            method="POST", path=paths.FILED_PAPERS, handler=self._upload, summary="Takes files, each looked into."
        )
        yield RouteDef(
            method="POST", path=paths.FILED_UNTAKE, handler=self._untake, summary="Takes a file out of a draft."
        )
        yield RouteDef(
            method="POST", path=paths.FILED_NUMBER, handler=self._ask, summary="A code is sent to the draft's number."
        )
        yield RouteDef(
            method="POST", path=paths.FILED_CODE, handler=self._redeem, summary="The code: the number is proved."
        )
        yield RouteDef(
            method="POST", path=paths.FILED_SEND, handler=self._send, summary="The draft becomes a dossier, once."
        )
        yield RouteDef(
            method="POST", path=paths.FILED_DELETE, handler=self._delete, summary="Forgets a draft and its files."
        )

    # ---- showing

    async def _step(self, request: web.Request) -> web.StreamResponse:
        resource = request.match_info.route.resource
        path = resource.canonical if resource else ""
        step = next((name for name, each in STEPS.items() if each == path), WHO)
        return await self._again(request, step)

    async def _again(self, request: web.Request, step: str, said: Said = NOTHING_SAID) -> web.Response:
        """The page of a step as the draft is now; on to the dossier once it was sent."""
        shell, token = self._shell, request.match_info["token"]
        refused = await shell.refused(request) if request.method in ("GET", "HEAD") else None
        if refused is not None:
            return refused
        opened = await shell.decided(request, shell.parts.desk.opened(token))
        if isinstance(opened, web.Response):
            return opened
        if opened is None:
            return shell.nothing(request)
        if not isinstance(opened, FilingDraft):
            return sent_on(at(paths.FILED, token), shell.language(request))
        return self.show(request, opened, step, said)

    def show(self, request: web.Request, draft: FilingDraft, step: str, said: Said = NOTHING_SAID) -> web.Response:
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        texts, catalogue = shell.texts(language), shell.parts.teller.catalogue
        procedure = draft.procedure
        links = {name: link(at(path, token), language) for name, path in STEPS.items()}
        return shell.page(
            request,
            "filing-draft",
            at(STEPS[step], token),
            status=said.status,
            step=step,
            steps=[(name, links[name]) for name in STEPS],
            links=links,
            actions={
                "untake": link(at(paths.FILED_UNTAKE, token), language),
                "code": link(at(paths.FILED_CODE, token), language),
                "delete": link(at(paths.FILED_DELETE, token), language),
            },
            draft=draft,
            one=procedure_facts(procedure, catalogue, language) if procedure else None,
            agency=shell.agency(draft.agency, language),
            lengths=LENGTHS,
            languages=[(each, texts["filing"][f"language_{each}"]) for each in LANGUAGES],
            lines=_lines(draft, language),
            limits=shell.parts.uploads.limits,
            accept=",".join(f".{each}" for each in shell.parts.uploads.limits.formats),
            faults=[(field, texts["filing_fault"][fault]) for field, fault in said.faults],
            wrong={field for field, _ in said.faults},
            open_faults=[(_where(field), texts["filing_fault"][fault]) for field, fault in draft.faults],
            said=said,
            late=draft.counts_from != local_day(draft.now),
            fresh="moi" in request.query,
            saved="luu" in request.query,
            here=self._here(request),
            refused=[(name, texts["upload_fault"][why]) for name, why in said.arrived.refused] if said.arrived else (),
            longest_number=LONGEST_NUMBER,
            longest_pin=LONGEST_PIN,
            scripts=[shell.worker.path] if said.work else [],
        )

    def _here(self, request: web.Request) -> str:
        """The secret link as it is written down; a path where nobody knows how we are reached."""
        base = own_address(request, self._shell.parts.base_url)
        return f"{base}{at(paths.FILED, request.match_info['token'])}" if base else ""

    # ---- doing

    async def _started(self, request: web.Request) -> web.Response | None:
        """Why nothing is done; a form of a foreign page leads to ours."""
        refused = await self._shell.refused(request)
        if refused is None and self._shell.foreign(request):
            return sent_on(at(paths.FILED, request.match_info["token"]), self._shell.language(request))
        return refused

    async def _save(self, request: web.Request) -> web.Response:
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        sent = read_form(await request.read(), most_fields=MOST_FIELDS)
        form = read_filing(sent, consent=shell.texts(language)["filing"]["consent"])
        saved = await shell.decided(request, shell.parts.desk.save(token, form))
        if isinstance(saved, web.Response):
            return saved
        if not saved:
            return await self._again(request, WHO)
        if sent.get("then") != "next":
            return sent_on(at(paths.FILED, token), language, luu="1")
        opened = await shell.decided(request, shell.parts.desk.opened(token))
        faults = opened.faults if isinstance(opened, FilingDraft) else ()
        of_form = [(field, fault) for field, fault in faults if field in LENGTHS]
        if isinstance(opened, FilingDraft) and of_form:
            return self.show(request, opened, WHO, Said(faults=of_form, status=HTTPStatus.UNPROCESSABLE_ENTITY))
        return sent_on(at(paths.FILED_PAPERS, token), language)

    async def _upload(self, request: web.Request) -> web.Response:
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token = self._shell, request.match_info["token"]
        leave = await shell.decided(request, shell.parts.uploads.leave(token))
        if isinstance(leave, web.Response):
            return leave
        if leave is None:
            return await self._again(request, PAPERS)
        if isinstance(leave, FilingRefusal):
            return await self._again(request, PAPERS, refusal_said(leave))
        return await self._taken(request, leave)

    async def _taken(self, request: web.Request, leave: UploadLeave) -> web.Response:
        """The files of the form; each that is refused is told with why."""
        shell, token = self._shell, request.match_info["token"]
        files = read_files(request, shell.parts.uploads, leave, shell.parts.clients.address(request))
        arrived = await shell.decided(request, files)
        if isinstance(arrived, web.Response):
            return arrived
        if arrived.refused:
            return await self._again(request, PAPERS, Said(arrived=arrived, status=HTTPStatus.UNPROCESSABLE_ENTITY))
        onward = sent_on(at(paths.FILED_PAPERS, token), shell.language(request))
        if arrived.paper.isdecimal():
            onward.headers["Location"] += f"#paper-{arrived.paper}"
        return onward

    async def _untake(self, request: web.Request) -> web.Response:
        return await self._done(request, paths.FILED_PAPERS, self._drop)

    async def _drop(self, token: str, form: Mapping[str, str]) -> bool:
        number = form.get("file", "")
        known = number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER
        return known and await self._shell.parts.desk.drop_file(token, int(number))

    async def _delete(self, request: web.Request) -> web.Response:
        return await self._done(request, paths.FILING, self._forget, xoa="1")

    async def _forget(self, token: str, form: Mapping[str, str]) -> bool:
        return "sure" in form and await self._shell.parts.desk.delete(token)

    async def _done(self, request: web.Request, path: str, act: Any, **query: str) -> web.Response:  # noqa: ANN401 - a method above
        """What it did, or the first page again where it did nothing."""
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token = self._shell, request.match_info["token"]
        done = await shell.decided(request, act(token, read_form(await request.read())))
        if isinstance(done, web.Response):
            return done
        if not done:
            return sent_on(at(paths.FILED, token), shell.language(request))
        return sent_on(at(path, token), shell.language(request), **query)

    # ---- the number

    async def _ask(self, request: web.Request) -> web.Response:
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token = self._shell, request.match_info["token"]
        work = read_form(await request.read()).get("work", "")
        worked = bool(work) and len(work) <= LONGEST_WORK and await shell.parts.work.verify(work, "")
        asker = shell.parts.clients.address(request)
        answer = await shell.decided(request, shell.parts.desk.ask_code(asker, token, worked=worked))
        if isinstance(answer, web.Response):
            return answer
        if answer is None:
            return await self._again(request, NUMBER)
        challenge = self._challenge(worked=bool(work)) if answer.outcome is NumberOutcome.WORK_NEEDED else None
        good = answer.outcome is NumberOutcome.SENT
        said = Said(told=f"code_{answer.outcome}", good=good, work=challenge, status=STATUSES[answer.outcome])
        return await self._again(request, NUMBER, said)

    async def _redeem(self, request: web.Request) -> web.Response:
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token = self._shell, request.match_info["token"]
        pin = read_form(await request.read()).get("pin", "")
        answer = await shell.decided(request, shell.parts.desk.redeem(token, pin))
        if isinstance(answer, web.Response):
            return answer
        if answer is None:
            return await self._again(request, NUMBER)
        if answer.outcome is NumberOutcome.PROVED:
            return sent_on(at(paths.FILED_SEND, token), shell.language(request))
        said = Said(told=f"code_{answer.outcome}", status=STATUSES[answer.outcome])
        return await self._again(request, NUMBER, said)

    def _challenge(self, *, worked: bool) -> Mapping[str, Any]:
        """The form that a script fills in. Nobody works twice by himself."""
        challenge = msgspec.json.encode(self._shell.parts.work.challenge("")).decode()
        return {"challenge": challenge, "solver": self._shell.solver.path, "again": worked}

    # ---- sending

    async def _send(self, request: web.Request) -> web.Response:
        stopped = await self._started(request)
        if stopped is not None:
            return stopped
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        declared = "declared" in read_form(await request.read())
        sent = await shell.decided(request, shell.parts.desk.send(token, declared=declared))
        if isinstance(sent, web.Response):
            return sent
        if isinstance(sent, Sequence):
            return await self._again(request, SEND, Said(faults=sent, status=HTTPStatus.UNPROCESSABLE_ENTITY))
        if sent is None:
            return shell.nothing(request)
        return sent_on(at(paths.FILED, token), language)


def refusal_said(refusal: FilingRefusal) -> Said:
    """Why nothing is taken now."""
    return Said(told=f"refusal_{refusal}", status=HTTPStatus.TOO_MANY_REQUESTS)


def _where(field: str) -> str:
    """The step at which a fault is mended."""
    return NUMBER if field == "code" else WHO


def _lines(draft: FilingDraft, language: str) -> Sequence[Line]:
    papers = draft.procedure.papers if draft.procedure else {}
    spoken = language if len(papers.get(language, ())) == len(papers.get("vi", ())) else "vi"
    lines = [
        Line(
            number=number,
            name=name,
            language=spoken,
            files=[each for each in draft.files if each.paper == number],
        )
        for number, name in enumerate(papers.get(spoken, ()))
    ]
    others = [each for each in draft.files if each.paper is None or each.paper >= len(lines)]
    return [*lines, Line(number=-1, name="", language=language, files=others)]
