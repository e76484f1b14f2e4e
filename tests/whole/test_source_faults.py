"""A one-stop system falls ill in every way we know under a running gateway: what people read meanwhile is true, other
systems' dossiers are told as ever, and it is asked again as soon as it is well; nobody restarts anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from demo.onestop import DemoDossier
from domain.calendar import local_day
from domain.dossier import DossierStatus
from tests.onestop.faults import ANSWERS, EXPECTED, FAULTS, KINDS, PAGE, Seen, expected, page
from tests.onestop.gateways import People, Shown, Source, asked_by_people
from tests.onestop.planted import planted_database
from tests.onestop.sick import AGENCY, Sick, sick_http, sick_mariadb, sick_postgres, sick_sqlite
from tests.onestop.twelve import Sketch, code, dossiers
from tests.onestop_schemas.databases import SqliteDatabase
from tests.servers.faulty_proxy import Manner
from tests.whole.gateways import log_lines, tell

HEALTHY: Final = "H51.11"
SKETCH: Final = Sketch(what="in process", status=DossierStatus.IN_PROCESS)
PATIENCE: Final = 60.0  # seconds until a system that is well is told again
POLL: Final = 0.05
ALL: Final = 600.0  # seconds for the faults of one kind
WIRED: Final = ("PostgreSQL", "MariaDB", "HTTP")
CROWD: Final = 20  # people who ask at a time


@dataclass(frozen=True, slots=True)
class Town:
    """A gateway over two systems, one of which falls ill; `planted` is what that one holds."""

    directory: Path
    people: People
    sick: Sick
    healthy: Source
    planted: Sequence[DemoDossier]

    @property
    def due(self) -> str:
        moment = self.planted[0].due_at
        assert moment is not None
        return f"{moment:%d/%m/%Y}"

    def sms(self, asked: str, text: str) -> str:
        """What of ANSWERS a text about a dossier of the ill one is, else the text itself."""
        bare = self.sick.source.masked(text.replace(asked, "{code}")).replace(self.due, "{due}")
        return next((name for name, each in ANSWERS.items() if each.is_sms(bare)), bare)

    async def strike(self, fault: str, new: str, known: str) -> Seen:
        """The fault, what two people read meanwhile of each dossier, and what was logged until it was over."""
        await self.until_well(known)
        logged = len(log_lines(self.directory))
        async with self.sick.illnesses[fault]():
            texts, _ = await asyncio.gather(
                asyncio.gather(self.people.by_sms(new), self.people.by_sms(known)), self.others_are_told()
            )
            told = await self.shown_as(new, texts[0]), await self.shown_as(known, texts[1])
        await self.until_well(new)
        return Seen(*told, self.actions_from(logged))

    async def shown_as(self, asked: str, text: str) -> str:
        """What of ANSWERS the text is, if the web says the same."""
        word, shown = self.sms(asked, text), await self.people.on_the_web(asked)
        same = word in ANSWERS and ANSWERS[word].is_shown(shown.status, shown.body)
        return word if same else f"{word}, but {shown}"

    async def others_are_told(self) -> None:
        asked = code(HEALTHY, 1)
        text, shown = await asyncio.gather(self.people.by_sms(asked), self.people.on_the_web(asked))
        bare = self.healthy.masked(text.replace(asked, "{code}")).replace(self.due, "{due}")
        assert ANSWERS["as it is"].is_sms(bare), bare
        assert ANSWERS["as it is"].is_shown(shown.status, shown.body), shown

    async def until_well(self, asked: str) -> None:
        """The ill one is asked again, and told."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.is_well(await self.people.on_the_web(asked)):  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise AssertionError(f"it is well, and not told: {log_lines(self.directory)[-3:]}") from None

    @staticmethod
    def is_well(shown: Shown) -> bool:
        return ANSWERS["as it is"].is_shown(shown.status, shown.body) and shown.body["due_on"] is not None

    def actions_from(self, line: int) -> frozenset[str]:
        """What was logged of a one-stop system since that line: of the ill one only."""
        actions = [each for each in log_lines(self.directory)[line:] if each["action"].startswith("source.")]
        assert {each["source"] for each in actions} <= {self.sick.source.name}
        return frozenset(each["action"] for each in actions)


def fallen_ill(
    kind: str, directory: Path, request: pytest.FixtureRequest, planted: Sequence[DemoDossier]
) -> AbstractAsyncContextManager[Sick]:
    """A system of this kind; its server is started for the first test that needs it."""
    if kind == "PostgreSQL":
        return sick_postgres(request.getfixturevalue("postgres"), planted)
    if kind == "MariaDB":
        return sick_mariadb(request.getfixturevalue("mariadb"), planted)
    return {"SQLite": sick_sqlite, "HTTP": sick_http}[kind](directory, planted)


@asynccontextmanager
async def town(
    kind: str, directory: Path, request: pytest.FixtureRequest, dossiers_of_it: int, **more: str
) -> AsyncIterator[Town]:
    """`more` are other settings of the system that falls ill."""
    today = local_day(datetime.now(UTC))
    planted = dossiers(AGENCY, [SKETCH] * dossiers_of_it, today)
    ill, well = directory / "ill", directory / "well"
    ill.mkdir()
    well.mkdir()
    with planted_database("thanhhoa", SqliteDatabase(well), HEALTHY, dossiers(HEALTHY, [SKETCH], today)) as healthy:
        async with fallen_ill(kind, ill, request, planted) as sick:
            source = replace(sick.source, more={**sick.source.more, **more})
            async with asked_by_people(directory, [source, healthy]) as people:
                yield Town(directory, people, replace(sick, source=source), healthy, planted)


@pytest.mark.parametrize("kind", KINDS)
async def test_people_read_what_is_true_while_a_system_is_ill_and_it_is_asked_again_when_it_is_well(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = expected(kind)
    async with town(kind, tmp_path, request, 2 * len(wanted)) as place, asyncio.timeout(ALL):
        codes = iter([each.code for each in place.planted])
        seen = {fault: await place.strike(fault, next(codes), next(codes)) for fault in wanted}
    for fault, each in seen.items():
        tell(capsys, f"{kind}, {fault}: {each.new} / {each.known}")

    assert seen == wanted


@pytest.mark.parametrize("kind", WIRED)
async def test_while_a_system_hangs_nobody_else_waits_for_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with town(kind, tmp_path, request, CROWD, timeout_s="15.0") as place, asyncio.timeout(ALL):
        proxy = place.sick.proxy
        assert proxy is not None
        async with proxy.being(Manner.HANGING):
            waiting = [await place.people.text(each.code) for each in place.planted]
            await proxy.until_held()
            await asyncio.gather(*(place.others_are_told() for _ in range(CROWD)))
            assert not any(ticket.replies for ticket in waiting)
        for each, ticket in zip(place.planted, waiting, strict=True):
            assert place.sms(each.code, (await ticket.reply()).text) == "as it is"


def test_every_kind_of_system_goes_through_ten_faults_and_the_page_shows_them_all() -> None:
    assert EXPECTED.keys() == FAULTS.keys()
    assert all(len(expected(kind)) >= 10 for kind in KINDS)
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.faults_page`"
