"""Broadcasts: listed, written, changed while they are drafts, and the page of one with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from console import paths
from console.accounts.ports import AuditEntry, AuditSearch
from console.broadcasts import shown
from console.broadcasts.desk import DONE, Desk, at, done
from console.broadcasts.estimates import Estimate, Estimator
from console.broadcasts.form import (
    MOST_FIELDS,
    BroadcastForm,
    audience_of,
    draft_of,
    form_of,
    read_broadcast_form,
)
from console.broadcasts.ports import Acted, Draft, PreviewRow, Standing
from console.forms import Fault, read_form, row_id
from console.routes import ConsoleRoute
from console.signed import signed
from domain.broadcast_texts import VIETNAMESE
from domain.broadcasts import NEEDS, OVER, AudienceKind, BroadcastAction, BroadcastState, Refusal, decide
from domain.dossier import DossierStatus
from domain.officers import Right
from domain.text import unaccent

PAGE: Final = 50
SAMPLE: Final = 5
TRAIL: Final = 100
STATES: Final = frozenset({BroadcastState.RUNNING, BroadcastState.PAUSED, BroadcastState.DONE, BroadcastState.STOPPED})
FOLLOWED: Final = STATES | {BroadcastState.APPROVED}  # its page goes on by itself: it may begin any moment
STATUS_OF: Final[Mapping[Refusal, HTTPStatus]] = {
    Refusal.NOT_NOW: HTTPStatus.CONFLICT,
    Refusal.CHANGED: HTTPStatus.CONFLICT,
    Refusal.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Refusal.OWN: HTTPStatus.FORBIDDEN,
    **dict.fromkeys(
        (Refusal.EMPTY, Refusal.NO_LIST, Refusal.BAD_TEXT, Refusal.TOO_LONG, Refusal.NO_BASIS),
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
}
FOUND_WHEN_SUBMITTED: Final = frozenset({Refusal.EMPTY, Refusal.NO_LIST})  # people are counted then, lists taken before


class BroadcastPages:
    """The pages that are looked at, and the form."""

    __slots__ = ("_desk", "_estimator")

    def __init__(self, desk: Desk, estimator: Estimator) -> None:
        self._desk = desk
        self._estimator = estimator

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCASTS,
            needs=Right.BROADCASTS_SEE,
            handler=self.listed,
            summary="broadcasts of the own agencies",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_NEW,
            needs=Right.BROADCASTS_WRITE,
            handler=self.new,
            summary="the form of a new broadcast",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_NEW,
            needs=Right.BROADCASTS_WRITE,
            handler=self.create,
            summary="keeps a new draft",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_COUNT,
            needs=Right.BROADCASTS_WRITE,
            handler=self.count,
            summary="segments, people and cost of what stands in the form",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST,
            needs=Right.BROADCASTS_SEE,
            handler=self.show,
            summary="one broadcast: what is sent to whom, how far it is, who did what",
        )
        yield ConsoleRoute(
            method="GET",
            path=paths.BROADCAST_EDIT,
            needs=Right.BROADCASTS_WRITE,
            handler=self.edit,
            summary="the form of a draft",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.BROADCAST_EDIT,
            needs=Right.BROADCASTS_WRITE,
            handler=self.change,
            summary="changes a draft",
        )

    # ---- the list

    async def listed(self, request: web.Request) -> web.Response:
        desk, wanted = self._desk, request.query.get("trang_thai", "")
        states = frozenset({BroadcastState(wanted)}) if wanted in set(BroadcastState) else frozenset()
        before = row_id(request.query.get("truoc", ""))
        found = await desk.broadcasts.listed(signed(request).scope, states=states, before=before, limit=PAGE + 1)
        texts, language = desk.pages.texts(request), desk.pages.language(request)
        asked = {"trang_thai": wanted} if states else {}
        last = found[PAGE - 1].broadcast.id if len(found) > PAGE else 0
        return desk.pages.render(
            request,
            "broadcasts-list.html",
            rows=[shown.row_of(each, texts, desk.agencies, language) for each in found[:PAGE]],
            states=[(state.value, texts["broadcast_state"][state], state in states) for state in BroadcastState],
            older=f"{paths.BROADCASTS}?{urlencode({**asked, 'truoc': last})}" if last else "",
            may_write=signed(request).officer.may(Right.BROADCASTS_WRITE),
        )

    # ---- writing

    async def new(self, request: web.Request) -> web.Response:
        blank = BroadcastForm(
            texts=dict.fromkeys(self._desk.languages, ""),
            agencies=(signed(request).officer.agency,),
            canary=str(self._desk.canary),
        )
        return await self._form(request, blank, self._desk.ids())

    async def create(self, request: web.Request) -> web.Response:
        fields = await read_form(request, most_fields=MOST_FIELDS)
        desk, identifier = self._desk, self._desk.form_id(fields.get("id", ""))
        form = read_broadcast_form(fields, desk.languages)
        if not signed(request).scope.issuperset(form.agencies):
            return desk.missing(request)
        draft = draft_of(form, desk.frame(request))
        if not isinstance(draft, Draft):
            return await self._form(request, form, identifier, faults=self._faults(request, draft))
        officer, scope = signed(request).officer, signed(request).scope
        noted = desk.noted(request, "broadcast.created", identifier, kind=draft.audience.kind.value)
        acted = await desk.broadcasts.create(identifier, draft, officer, scope, noted)
        return await self.told(request, acted, "created")

    async def edit(self, request: web.Request) -> web.Response:
        standing = await self._desk.one(request)
        if standing is None:
            return self._desk.missing(request)
        if standing.broadcast.state is not BroadcastState.DRAFT:
            return await self.page(request, standing, Refusal.NOT_NOW)
        form = form_of(standing.broadcast, self._desk.languages)
        return await self._form(request, form, standing.broadcast.id, standing)

    async def change(self, request: web.Request) -> web.Response:
        fields = await read_form(request, most_fields=MOST_FIELDS)
        desk, standing = self._desk, await self._desk.one(request)
        form = read_broadcast_form(fields, desk.languages)
        if standing is None or not signed(request).scope.issuperset(form.agencies):
            return desk.missing(request)
        identifier, version = standing.broadcast.id, row_id(fields.get("version", "")) or 0
        draft = draft_of(form, desk.frame(request, standing))
        if not isinstance(draft, Draft):
            found = self._faults(request, draft)
            return await self._form(request, form, identifier, standing, faults=found, version=version)
        officer, scope = signed(request).officer, signed(request).scope
        noted = desk.noted(request, "broadcast.edited", identifier, version=version)
        acted = await desk.broadcasts.edit(identifier, version, draft, officer, scope, noted)
        return await self.told(request, acted, "edited")

    # ---- counting

    async def count(self, request: web.Request) -> web.Response:
        """As JSON for the script, as the form with what it comes to for everybody else."""
        fields = await read_form(request, most_fields=MOST_FIELDS)
        desk, standing, identifier = self._desk, None, row_id(fields.get("id", "")) or 0
        scope = signed(request).scope
        form = read_broadcast_form(fields, desk.languages)
        if not scope.issuperset(form.agencies):
            return desk.missing(request)
        standing = await desk.broadcasts.find(identifier, scope) if identifier else None
        plain = fields.get("plain", "")
        if plain in form.texts:
            form = _without_accents(form, plain)
        if "application/json" in request.headers.get("Accept", ""):
            estimate = await self._estimate(request, form, standing)
            sections = shown.sections_of(estimate, desk.pages.texts(request))
            told = {"sections": [each.plain() for each in sections], "counting": estimate.counting}
            return web.json_response(told)
        version = row_id(fields.get("version", "")) or 0
        return await self._form(request, form, identifier, standing, version=version)

    async def _estimate(self, request: web.Request, form: BroadcastForm, standing: Standing | None) -> Estimate:
        frame = self._desk.frame(request, standing)
        audience = audience_of(form, frame)
        return await self._estimator.estimate(
            form.texts,
            None if isinstance(audience, list) else audience,
            broadcast=standing.broadcast.id if standing else 0,
            columns=frame.columns,
            officer=signed(request).officer,
            scope=signed(request).scope,
            known=_known(standing, None if isinstance(audience, list) else audience.kind),
        )

    # ---- one

    async def show(self, request: web.Request) -> web.Response:
        standing = await self._desk.one(request)
        return self._desk.missing(request) if standing is None else await self.page(request, standing)

    async def told(self, request: web.Request, acted: Acted, name: str) -> web.Response:
        """What became of an action: on to the page, or the page with why nothing was done."""
        if isinstance(acted, Standing):
            return done(acted.broadcast.id, name)
        standing = await self._desk.one(request) if acted is not None and "broadcast" in request.match_info else None
        if standing is None or acted is None:
            return self._desk.missing(request)
        return await self.page(request, standing, acted)

    async def page(
        self,
        request: web.Request,
        standing: Standing,
        refusal: Refusal | None = None,
        *,
        faults: Sequence[Fault] = (),
    ) -> web.Response:
        """The page of one; `faults` of a form on it."""
        desk, broadcast = self._desk, standing.broadcast
        texts, language = desk.pages.texts(request), desk.pages.language(request)
        if refusal is not None:
            faults = [*faults, Fault("actions", texts["broadcast_refusal"][refusal])]
        trail = await desk.log.find(AuditSearch(agencies=None, about=f"broadcast:{broadcast.id}"), limit=TRAIL)
        scope = signed(request).scope
        sample = await desk.broadcasts.preview(broadcast.audience, scope, identifier=broadcast.id, limit=SAMPLE)
        status = STATUS_OF[refusal] if refusal else HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK
        sections: Sequence[shown.Section] = ()
        if broadcast.state not in STATES:
            estimate = await self._estimate(request, form_of(broadcast, broadcast.texts), standing)
            sections = shown.sections_of(estimate, texts)
        return desk.pages.render(
            request,
            "broadcasts-one.html",
            status=status,
            broadcast=broadcast,
            state=texts["broadcast_state"][broadcast.state],
            facts=shown.facts_of(standing, texts, desk.agencies, language),
            written=[(name, texts["broadcast_language"][name], text) for name, text in broadcast.texts.items()],
            sections=sections,
            sample=self._sample(standing, sample),
            progress=shown.progress_of(standing, texts) if broadcast.state in FOLLOWED else None,
            results=shown.results_of(standing.tally, texts),
            trail=shown.trail_of(trail, texts),
            back=_sent_back(standing, trail),
            at={name: at(path, broadcast.id) for name, path in ADDRESSES.items()},
            act={action: at(paths.BROADCAST_ACT, broadcast.id, action) for action in ACTIONS},
            may=self._may(request, standing),
            resent=at(paths.BROADCAST, standing.resend) if standing.resend else "",
            new_id=desk.ids(),
            held_back=standing.tally.held_back and broadcast.state is BroadcastState.PAUSED,
            faults=faults,
            done=texts["broadcast_done"].get(request.query.get(DONE, ""), ""),
            languages_written=list(broadcast.texts),
        )

    def _may(self, request: web.Request, standing: Standing) -> Mapping[str, bool]:
        """What is offered on the page; what is done is decided in the store's transaction."""
        officer, scope = signed(request).officer, signed(request).scope
        broadcast = standing.broadcast
        decided = {action: decide(broadcast, action, officer, seal=broadcast.seal, scope=scope) for action in NEEDS}
        may = {action.value: isinstance(each, BroadcastState) for action, each in decided.items()}
        may["submit"] = may["submit"] or decided[BroadcastAction.SUBMIT] in FOUND_WHEN_SUBMITTED
        may["own"] = decided[BroadcastAction.APPROVE] is Refusal.OWN
        writes = officer.may(Right.BROADCASTS_WRITE)
        may["resend"] = writes and broadcast.state in OVER and standing.tally.failed > 0 and standing.resend is None
        may["test"] = writes and broadcast.state not in OVER
        may["results"] = officer.may(Right.BROADCASTS_RESULTS) and broadcast.state in STATES
        may["unmasked"] = may["results"] and officer.may(Right.MESSAGES_FIND)
        return may

    def _sample(self, standing: Standing, rows: Iterable[PreviewRow]) -> Sequence[Mapping[str, str]]:
        """What some of them would read."""
        return [
            {"recipient": row.recipient, "channel": row.channel, "text": self._desk.text_for(standing, row)}
            for row in rows
        ]

    # ---- the form

    async def _form(
        self,
        request: web.Request,
        form: BroadcastForm,
        identifier: int,
        standing: Standing | None = None,
        *,
        faults: Sequence[Fault] = (),
        version: int | None = None,
    ) -> web.Response:
        desk, texts, language = self._desk, self._desk.pages.texts(request), self._desk.pages.language(request)
        frame = desk.frame(request, standing)
        estimate = await self._estimate(request, form, standing)
        return desk.pages.render(
            request,
            "broadcasts-form.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
            form=form,
            identifier=identifier,
            version=version if version is not None else standing.broadcast.version if standing else 0,
            action=at(paths.BROADCAST_EDIT, identifier) if standing else paths.BROADCAST_NEW,
            back=at(paths.BROADCAST, identifier) if standing else paths.BROADCASTS,
            is_new=standing is None,
            faults=faults,
            kinds=[(kind, name) for kind, name in texts["broadcast_kind"].items()],
            agencies=sorted(
                (each.identifier, each.name(language)) for each in desk.agencies if each.identifier in frame.scope
            ),
            statuses=[(str(int(each)), texts["broadcast_status"][str(int(each))]) for each in DossierStatus],
            bases=list(dict.fromkeys(basis.words for basis in frame.bases)),
            text_languages=[(name, texts["broadcast_language"][name], name == VIETNAMESE) for name in desk.languages],
            placeholders=shown.placeholders_of(frame.columns, form.kind, language),
            sections=shown.sections_of(estimate, texts),
            counting=estimate.counting,
        )

    def _faults(self, request: web.Request, found: Iterable[tuple[str, str, str]]) -> Sequence[Fault]:
        words = self._desk.words(request, "broadcast_fault")
        return [Fault(field, words[name].format(what)) for field, name, what in found]


ACTIONS: Final = ("edit", "submit", "send_back", "approve", "pause", "resume", "stop", "resend")
ADDRESSES: Final[Mapping[str, str]] = {
    "page": paths.BROADCAST,
    "file": paths.BROADCAST_FILE,
    "test": paths.BROADCAST_TEST,
    "progress": paths.BROADCAST_PROGRESS,
    "results": paths.BROADCAST_RESULTS,
}


def _without_accents(form: BroadcastForm, language: str) -> BroadcastForm:
    return BroadcastForm(
        **{name: getattr(form, name) for name in form.__dataclass_fields__ if name != "texts"},
        texts={**form.texts, language: unaccent(form.texts[language])},
    )


def _sent_back(standing: Standing, trail: Iterable[AuditEntry]) -> str:
    """Why the approver gave it back, while it is a draft again."""
    if standing.broadcast.state is not BroadcastState.DRAFT:
        return ""
    newest = next((each for each in trail if each.action in (SENT_BACK, "broadcast.submitted")), None)
    return str(newest.detail.get("reason", "")) if newest is not None and newest.action == SENT_BACK else ""


SENT_BACK: Final = "broadcast.sent_back"


def _known(standing: Standing | None, kind: AudienceKind | None) -> int:
    """How many there are at most without counting: as many as when it was submitted, or as its list has rows."""
    if standing is None:
        return 0
    if standing.broadcast.state is not BroadcastState.DRAFT:
        return standing.broadcast.people
    return standing.rows if kind is AudienceKind.FILE else 0
