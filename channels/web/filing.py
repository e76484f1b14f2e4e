"""/nop-ho-so: the procedure, its papers and who takes it online, and a draft begun; whole without a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.filing_shell import FilingShell, at, sent_on
from channels.web.layout import link, read_form
from channels.web.problem import ProblemKind
from channels.web.procedure_telling import procedure_facts
from domain.filing import FilingRefusal, may_be_filed
from domain.text import safe_text

MOST_RESULTS: Final = 20
LONGEST_ECHO: Final = 120  # characters of what was typed that are shown again


class FilingStart:
    """Finding and beginning. `sizes`: in bytes, of the forms that people may take."""

    __slots__ = ("_shell", "_sizes")

    def __init__(self, shell: FilingShell, sizes: Mapping[str, int]) -> None:
        self._shell = shell
        self._sizes = sizes

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET", path=paths.FILING, handler=self._find, summary="What to file online: ?tim=words, ?lang=."
        )
        yield RouteDef(
            method="GET",
            path=paths.FILING_PROCEDURE,
            handler=self._one,
            summary="One procedure: papers, forms, and the agencies that take it online.",
        )
        yield RouteDef(
            method="POST", path=paths.FILING_PROCEDURE, handler=self._start, summary="A draft is begun, with its link."
        )

    async def _find(self, request: web.Request) -> web.Response:
        shell, language = self._shell, self._shell.language(request)
        words = safe_text(request.query.get("tim", ""), LONGEST_ECHO)
        refused = await shell.refused(request) if words else None
        if refused is not None:
            return refused
        found = shell.parts.desk.search(words, MOST_RESULTS) if words else None
        facts = [procedure_facts(each, shell.parts.teller.catalogue, language) for each in found or ()]
        return shell.page(
            request,
            "filing",
            paths.FILING,
            query={"tim": words},
            typed=words,
            searched=found is not None,
            hits=[(each, link(_of(each.code), language)) for each in facts],
            action=paths.FILING,
            deleted="xoa" in request.query,
        )

    async def _one(self, request: web.Request) -> web.Response:
        return await self._shell.refused(request) or self._shown(request)

    async def _start(self, request: web.Request) -> web.Response:
        shell, language = self._shell, self._shell.language(request)
        refused = await shell.refused(request)
        if refused is not None:
            return refused
        if shell.foreign(request):
            return self._shown(request)
        form, code = read_form(await request.read()), request.match_info["code"]
        asker = shell.parts.clients.address(request)
        agency = form.get("agency", "")
        started = await shell.decided(request, shell.parts.desk.start(asker, agency, code, language))
        if isinstance(started, web.Response):
            return started
        if isinstance(started, FilingRefusal):
            return self._shown(request, started)
        return sent_on(at(paths.FILED, started), language, moi="1")

    def _shown(self, request: web.Request, refusal: FilingRefusal | None = None) -> web.Response:
        shell, language, desk = self._shell, self._shell.language(request), self._shell.parts.desk
        procedure = desk.procedure(request.match_info["code"])
        if procedure is None:
            return shell.problem(request, ProblemKind.PROCEDURE_UNKNOWN)
        texts = shell.texts(language)["filing"]
        return shell.page(
            request,
            "filing-procedure",
            _of(procedure.code),
            status=ProblemKind.REFUSED.status if refusal else 200,
            one=procedure_facts(procedure, shell.parts.teller.catalogue, language, self._sizes),
            fileable=may_be_filed(procedure),
            agencies=[(each, shell.agency(each, language)) for each in desk.agencies],
            refusal=texts[f"refusal_{refusal}"] if refusal else "",
            action=link(_of(procedure.code), language),
        )


def _of(code: str) -> str:
    return paths.FILING_PROCEDURE.replace("{code}", code)
