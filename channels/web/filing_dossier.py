"""/ho-so/<secret> once it was sent: where the dossier is, what is asked for, what was done, and the result to fetch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.filing_draft import WHO, DraftPages
from channels.web.filing_files import Arrived, read_files
from channels.web.filing_shell import SECRET, FilingShell, at, sent_on
from channels.web.layout import link, read_form
from channels.web.qr import own_address, qr_code
from channels.web.telling import TONES
from domain.calendar import local_day
from domain.filing import SUPPLEMENTED, FiledDossier, FilingDraft, FilingRefusal
from domain.intake import LONGEST_TEXT, IntakeFile, IntakeStep
from domain.intake_moves import IntakeAction
from domain.reply_keys import STATE_KEYS
from domain.text import safe_text

LONGEST_ID: Final = 20
# Told to whoever filed it; of what officers note for themselves nothing is.
TELLS_WHY: Final = frozenset(
    {
        IntakeAction.REFUSE,
        IntakeAction.ASK_SUPPLEMENT,
        IntakeAction.ASK_PAYMENT,
        IntakeAction.DECLINE_WITHDRAWAL,
        IntakeAction.STOP,
        IntakeAction.RESUME,
        IntakeAction.APOLOGISE,
        IntakeAction.REOPEN,
    }
)
# Whatever it is, it is saved and not opened here; were it opened all the same, it could do nothing.
DOWNLOAD: Final = {
    **SECRET,
    "Content-Type": "application/octet-stream",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class DossierPages:
    """The page of a filed dossier, and what whoever filed it may do."""

    __slots__ = ("_drafts", "_shell")

    def __init__(self, shell: FilingShell, drafts: DraftPages) -> None:
        self._shell = shell
        self._drafts = drafts

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(
            method="GET",
            path=paths.FILED,
            handler=self._open,
            summary="What a secret link opens: a draft, or a dossier.",
        )
        yield RouteDef(
            method="POST",
            path=paths.FILED_SUPPLEMENT,
            handler=self._supplement,
            summary="Takes files that were asked for, each looked into.",
        )
        yield RouteDef(
            method="POST", path=paths.FILED_WITHDRAW, handler=self._withdraw, summary="Asks to have a dossier back."
        )
        yield RouteDef(
            method="GET", path=paths.FILED_RESULT, handler=self._result, summary="A file with the result, to be saved."
        )

    async def _open(self, request: web.Request) -> web.StreamResponse:
        refused = await self._shell.refused(request)
        return refused or await self._again(request)

    async def _again(
        self, request: web.Request, *, arrived: Arrived | None = None, told: str = "", status: int = HTTPStatus.OK
    ) -> web.Response:
        shell, token = self._shell, request.match_info["token"]
        opened = await shell.decided(request, shell.parts.desk.opened(token))
        if isinstance(opened, web.Response):
            return opened
        if opened is None:
            return shell.nothing(request)
        if isinstance(opened, FilingDraft):
            return self._drafts.show(request, opened, WHO)
        return self._show(request, opened, arrived, told, status)

    def _show(
        self, request: web.Request, filed: FiledDossier, arrived: Arrived | None, told: str, status: int
    ) -> web.Response:
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        texts, parts, dossier = shell.texts(language), shell.parts, filed.dossier
        agency = shell.agency(dossier.holder, language)
        base = own_address(request, parts.base_url)
        here = f"{base}{at(paths.FILED, token)}" if base else ""
        name = STATE_KEYS[dossier.status]
        return shell.page(
            request,
            "filing-dossier",
            at(paths.FILED, token),
            status=status,
            filed=filed,
            dossier=dossier,
            code=dossier.code.text,
            state=texts["state"][name],
            state_name=name,
            tone=TONES.get(name, "ongoing"),
            sentence=parts.teller.catalogue.text(language, f"web.sentence.{name}", agency=agency),
            todo=texts["todo"][name],
            agency=agency,
            late=filed.counts_from != local_day(dossier.received_at),
            steps=[self._told(each, language) for each in filed.steps if _is_told(each)],
            results=[
                (each, link(at(paths.FILED_RESULT, token).replace("{file}", str(each.id)), language))
                for each in filed.results
            ],
            supplement=link(at(paths.FILED_SUPPLEMENT, token), language),
            withdraw=link(at(paths.FILED_WITHDRAW, token), language),
            look_up=link(paths.LOOK_UP, language, ma=dossier.code.reference),
            accept=",".join(f".{each}" for each in parts.uploads.limits.formats),
            limits=parts.uploads.limits,
            refused=[(each, texts["upload_fault"][why]) for each, why in arrived.refused] if arrived else (),
            taken=arrived.taken if arrived else (),
            told=texts["filing"][told] if told else "",
            supplemented="bo-sung" in request.query,
            here=here,
            qr=qr_code(here) if here else "",
            numbers=parts.numbers,
            scripts=[shell.printing.path],
            longest_reason=LONGEST_TEXT,
        )

    def _told(self, step: IntakeStep, language: str) -> Mapping[str, str]:
        """What was done, when, and why where that was said to whoever filed it."""
        shell, texts = self._shell, self._shell.texts(language)
        to = shell.agency(step.to_agency, language) if step.to_agency else ""
        by_citizen = step.action == IntakeAction.NOTE
        return {
            "at": shell.parts.teller.catalogue.moment(language, step.at),
            "what": texts["filing_act"].get("supplemented" if by_citizen else step.action, ""),
            "to": ", ".join(each for each in (to, step.to_unit) if each),
            "why": step.reason if step.action in TELLS_WHY else "",
        }

    # ---- doing

    async def _supplement(self, request: web.Request) -> web.Response:
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        refused = await shell.refused(request)
        if refused is not None:
            return refused
        if shell.foreign(request):
            return sent_on(at(paths.FILED, token), language)
        leave = await shell.decided(request, shell.parts.uploads.leave(token))
        if isinstance(leave, web.Response):
            return leave
        if leave is None:
            return shell.nothing(request)
        if isinstance(leave, FilingRefusal):
            return await self._again(request, told=f"refusal_{leave}", status=HTTPStatus.CONFLICT)
        files = read_files(request, shell.parts.uploads, leave, shell.parts.clients.address(request))
        return await self._handed_in(request, await shell.decided(request, files))

    async def _handed_in(self, request: web.Request, arrived: Arrived | web.Response) -> web.Response:
        shell, token = self._shell, request.match_info["token"]
        if isinstance(arrived, web.Response):
            return arrived
        if arrived.taken:
            noted = await shell.decided(request, shell.parts.uploads.supplemented(token, arrived.taken))
            if isinstance(noted, web.Response):
                return noted
        if arrived.refused:
            return await self._again(request, arrived=arrived, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return sent_on(at(paths.FILED, token), shell.language(request), **{"bo-sung": "1"})

    async def _withdraw(self, request: web.Request) -> web.Response:
        shell, token, language = self._shell, request.match_info["token"], self._shell.language(request)
        refused = await shell.refused(request)
        if refused is not None:
            return refused
        form = read_form(await request.read())
        if shell.foreign(request) or "sure" not in form:
            return sent_on(at(paths.FILED, token), language)
        reason = safe_text(form.get("reason", ""), LONGEST_TEXT)
        asked = await shell.decided(request, shell.parts.desk.withdraw(token, reason))
        if isinstance(asked, web.Response):
            return asked
        if asked is not None:
            return await self._again(request, told="not_withdrawn", status=HTTPStatus.CONFLICT)
        return sent_on(at(paths.FILED, token), language)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        shell, number = self._shell, request.match_info["file"]
        refused = await shell.refused(request)
        if refused is not None:
            return refused
        if not (number.isascii() and number.isdecimal() and len(number) <= LONGEST_ID):
            return shell.nothing(request)
        found = await shell.decided(request, shell.parts.desk.result(request.match_info["token"], int(number)))
        if isinstance(found, web.Response):
            return found
        if found is None:
            return shell.nothing(request)
        file, path = found
        return web.FileResponse(path, headers={**DOWNLOAD, **attached(file)})


def attached(file: IntakeFile) -> dict[str, str]:
    """Saved under its own name (RFC 6266)."""
    ending = file.name.rpartition(".")[2]
    plain = f"ket-qua-{file.id}.{ending if ending.isascii() and ending.isalnum() else 'bin'}"
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"}


def _is_told(step: IntakeStep) -> bool:
    """Of notes only that of the citizen's own supplement; the others are the officers'."""
    own = step.actor.officer is None and step.reason.startswith(SUPPLEMENTED)
    return step.action != IntakeAction.NOTE or own
