"""The same twelve dossiers, planted in every shipped schema and shape on real servers, read the same: by SMS through an
SMSC and on the web, whatever system holds them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pytest

from demo.onestop import DemoDossier
from domain.calendar import local_day
from tests.onestop.gateways import People, Source, asked_by_people
from tests.onestop.planted import planted_database, planted_http
from tests.onestop.twelve import CANNOT_SAY, NO_GAP, TWELVE, Gap, code, dossiers
from tests.onestop_schemas.databases import Database, MariadbDatabase, PostgresDatabase
from tests.onestop_schemas.schemas import PHONE
from tests.servers.mariadb import Mariadb
from tests.servers.onestop_http import IDENTITY, PERSON, SECRET
from tests.servers.postgres import Postgres
from tests.whole.gateways import actions, assert_quiet, tell

REFERENCE: Final = "thanhhoa"  # can say everything: the others are compared with it
# Schema -> the server it is planted on, and the agency; that of some mappings is a constant.
DATABASES: Final[Mapping[str, tuple[type[Database], str]]] = {
    "thanhhoa": (PostgresDatabase, "H51.11"),
    "opencps": (MariadbDatabase, "H51.12"),
    "bkav": (MariadbDatabase, "H51.29"),
    "smallmysql": (MariadbDatabase, "H51.31"),
    "dvcv2": (PostgresDatabase, "H51.18"),
    "oepv2": (PostgresDatabase, "H51"),
}
HTTP: Final = {"soctrang": "H51.15", "digo": "H51.16", "opencps": "H51.17"}
TWIN: Final = 100  # behind it the reference holds the dossiers as a system with gaps can say them, a hundred for each
PRIVATE: Final = (PERSON, IDENTITY, PHONE, SECRET, "Nguyen Van Mau")
NUMBERS: Final = range(1, len(TWELVE) + 1)


@dataclass(frozen=True, slots=True)
class Told:
    """What one person reads about one dossier by SMS, and another on the web, but for the source's own agency."""

    sms: str
    status: int
    shown: str

    @property
    def facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = json.loads(self.shown)
        return facts


def twins(today: date) -> list[DemoDossier]:
    """For every style with gaps the twelve as it can say them, in the reference's own schema."""
    agency = DATABASES[REFERENCE][1]
    return [
        dossier
        for place, gap in enumerate(CANNOT_SAY.values(), start=1)
        for dossier in dossiers(agency, [gap.left_of(each) for each in TWELVE], today, first=place * TWIN + 1)
    ]


def expected_at(source: Source, number: int) -> int:
    """The number of the reference's dossier that must read the same as this one of the source."""
    style = source.name.removesuffix("-http")
    if style not in CANNOT_SAY:
        return number
    return (list(CANNOT_SAY).index(style) + 1) * TWIN + number


async def told(people: People, source: Source, number: int) -> Told:
    asked = code(source.agency, number)
    sms, shown = await asyncio.gather(people.by_sms(asked), people.on_the_web(asked))
    assert not [private for private in PRIVATE if private in sms or private in str(shown.body)]
    body = {name: value for name, value in shown.body.items() if name != "as_of"}
    serials = (code(source.agency, number), code(source.agency, number % TWIN))  # a twin bears another serial
    return Told(
        source.masked(sms.replace(*serials)),
        shown.status,
        source.masked(json.dumps(body, ensure_ascii=False).replace(*serials)),
    )


def gaps(source: Source) -> Gap:
    return CANNOT_SAY.get(source.name.removesuffix("-http"), NO_GAP)


async def plant(stack: AsyncExitStack, directory: Path, postgres: Postgres, mariadb: Mariadb) -> Sequence[Source]:
    today = local_day(datetime.now(UTC))
    servers = {PostgresDatabase: postgres, MariadbDatabase: mariadb}
    sources = []
    for style, (kind, agency) in DATABASES.items():
        planted = dossiers(agency, TWELVE, today) + (twins(today) if style == REFERENCE else [])
        database = kind(servers[kind])  # type: ignore[call-arg] # each takes its own server
        sources.append(stack.enter_context(planted_database(style, database, agency, planted)))
    for style, agency in HTTP.items():
        planted = dossiers(agency, TWELVE, today)
        sources.append(await stack.enter_async_context(planted_http(style, directory, agency, planted)))
    return sources


async def test_the_same_twelve_dossiers_read_the_same_from_every_one_stop_system(
    tmp_path: Path, postgres: Postgres, mariadb: Mariadb, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(600), AsyncExitStack() as stack:
        sources = await plant(stack, tmp_path, postgres, mariadb)
        people = await stack.enter_async_context(asked_by_people(tmp_path, sources))
        reference = sources[0]
        answers = {source.name: [await told(people, source, number) for number in NUMBERS] for source in sources}
        expected = {
            source.name: [await told(people, reference, expected_at(source, number)) for number in NUMBERS]
            for source in sources
        }

    tell(capsys, f"{len(sources)} sources, {len(TWELVE)} dossiers each, by SMS and on the web; what {REFERENCE} says:")
    for sketch, each in zip(TWELVE, answers[REFERENCE], strict=True):
        tell(capsys, f"  {sketch.what}: {each.sms}")
    for source in sources:
        tell(capsys, f"  {source.name}: {_said(source)}")

    assert {name: [each.status for each in told] for name, told in answers.items()} == {
        source.name: [200] * len(TWELVE) for source in sources
    }
    for source in sources:
        assert answers[source.name] == expected[source.name], source.name
    assert len({each.sms for each in answers[REFERENCE]}) == len(TWELVE)
    assert [each.facts["status"] for each in answers[REFERENCE]] == [sketch.status for sketch in TWELVE]
    assert [each.facts["overdue"] for each in answers[REFERENCE]] == ["overdue" in sketch.what for sketch in TWELVE]
    assert_quiet(tmp_path)
    assert actions(tmp_path)["source.status_unmapped"] >= len(sources), "a state nobody mapped raises the alarm"


def _said(source: Source) -> str:
    """What of the twelve it cannot say, and why."""
    gap = gaps(source)
    unsaid = [sketch.what for sketch in TWELVE if sketch.status in gap.states]
    unsaid += [f"the day it was {name}" for name in sorted(gap.dates)]
    return f"cannot say: {'; '.join(unsaid)} ({gap.why})" if unsaid else "all of them"
