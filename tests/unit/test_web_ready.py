"""Answers told again from ready bytes: only the very same answer, and never past a guard, a count, a day or a tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.ready import Ready, ReadyAnswers
from channels.web.telling import Teller
from conversation.asked_again import AskedAgain
from conversation.guards import Guards
from conversation.ports import Limit
from conversation.questions import Questions
from domain.answers import DossierAnswer, Outcome
from domain.codes import parse_canonical
from domain.dossier import DossierStatus
from domain.proof import Sealer
from domain.questions import QuestionAnswer
from gateway.bootstrap.talking import counted
from gateway.metrics import Metrics
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.asking_the_web import CODE, Behind, answered, listener
from tests.unit.looking_up_for_the_web import KEY, Known, ask_behind, known_dossier, plenty

PATH = f"/api/v1/dossiers/{CODE}"
DAY = date(2026, 10, 8)
Client = TestClient[Any, Any]


@pytest.fixture
def known() -> Known:
    return known_dossier()


def questions(known: Known, guards: Guards | None = None) -> Questions:
    disclosure = Disclosure(DisclosureRules(), Sealer(KEY))
    return Questions(lookups=known, guards=guards or plenty(), clock=known.clock, disclosure=disclosure)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, known: Known) -> Client:
    return await aiohttp_client(listener(ask_behind(questions(known)), clock=known.clock, proofs=True))


@pytest.fixture
def worded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In which languages an answer was put into words."""
    languages: list[str] = []
    tell = Teller.tell

    def counting(teller: Teller, answer: QuestionAnswer, language: str, now: datetime) -> Any:
        languages.append(language)
        return tell(teller, answer, language, now)

    monkeypatch.setattr(Teller, "tell", counting)
    return languages


async def test_the_same_answer_is_put_into_words_once_for_each_language(client: Client, worded: list[str]) -> None:
    first = [await (await client.get(PATH, params={"lang": language})).read() for language in ("vi", "en")]
    again = [await (await client.get(PATH, headers={"Accept-Language": language})).read() for language in ("vi", "en")]
    assert first == again
    assert first[0] != first[1]
    assert worded == ["vi", "en"]


async def test_the_headers_of_a_ready_answer_are_those_of_the_first(client: Client) -> None:
    first, again = await client.get(PATH), await client.get(PATH)
    changing = {"Date": "", "RateLimit": ""}
    assert dict(first.headers) | changing == dict(again.headers) | changing


async def test_what_changed_is_told_at_once(client: Client, known: Known) -> None:
    assert (await (await client.get(PATH)).json())["status"] == 4
    known.dossier = replace(known.dossier, status=DossierStatus.DONE)
    assert (await (await client.get(PATH)).json())["status"] == 9


async def test_what_was_read_anew_is_told_with_its_own_time(client: Client, known: Known) -> None:
    await client.get(PATH)
    known.as_of += timedelta(minutes=1)
    assert (await (await client.get(PATH)).json())["as_of"] == "2026-10-08T14:30:30+07:00"


async def test_what_is_no_longer_fresh_is_read_before_it_is_told(client: Client, known: Known) -> None:
    await client.get(PATH)
    known.fresh = False
    known.dossier = replace(known.dossier, status=DossierStatus.DONE)
    assert (await (await client.get(PATH)).json())["status"] == 9


async def test_a_source_that_goes_down_is_told_as_down(client: Client, known: Known) -> None:
    assert (await (await client.get(PATH)).json())["stale"] is False
    known.outcome = Outcome.SOURCE_DOWN
    assert (await (await client.get(PATH)).json())["stale"] is True
    known.outcome = Outcome.FOUND
    assert (await (await client.get(PATH)).json())["stale"] is False


async def test_the_next_day_is_told_as_the_next_day(client: Client, known: Known) -> None:
    known.now = datetime(2026, 10, 12, 16, 59, 59, tzinfo=UTC)  # the last second of the day it is due
    assert (await (await client.get(PATH)).json())["overdue"] is False
    known.now += timedelta(seconds=1)
    assert (await (await client.get(PATH)).json())["overdue"] is True


async def test_a_tag_is_recognised_from_a_ready_answer_too(client: Client, known: Known) -> None:
    tag = (await client.get(PATH)).headers["ETag"]
    for _ in range(2):
        response = await client.get(PATH, headers={"If-None-Match": tag})
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in response.headers
    assert (await client.get(PATH)).status == 200
    known.dossier = replace(known.dossier, status=DossierStatus.DONE)
    assert (await client.get(PATH, headers={"If-None-Match": tag})).status == 200


async def test_what_one_proved_is_told_to_nobody_else(client: Client) -> None:
    public = await (await client.get(PATH)).read()
    assert (await (await client.post(PATH, json={"last_four": "5678"})).json())["tier"] == "proved"
    assert await (await client.get(PATH)).read() == public
    assert (await client.post(PATH, json={"last_four": "0000"})).status == 404


async def test_every_question_is_charged_however_ready_its_answer_is(
    aiohttp_client: AiohttpClient, known: Known
) -> None:
    guards = plenty(questions_per_address=(Limit(3, 60.0),))
    client = await aiohttp_client(listener(ask_behind(questions(known, guards))))
    assert [(await client.get(PATH)).status for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_a_ready_answer_is_not_told_while_its_prefix_is_walked(
    aiohttp_client: AiohttpClient, known: Known
) -> None:
    guards = plenty(misses_per_prefix=(Limit(2, 60.0),))
    client = await aiohttp_client(listener(ask_behind(questions(known, guards)), proofs=True))
    assert (await client.get(PATH)).status == 200
    for serial in ("7", "8"):
        assert (await client.get(PATH[:-1] + serial)).status == 404
    assert (await client.get(PATH)).status == 403
    assert (await client.post(PATH, json={"last_four": "5678"})).status == 200


async def test_every_question_is_counted_by_how_it_ended(aiohttp_client: AiohttpClient, known: Known) -> None:
    metrics, behind = Metrics(), Behind()
    behind.ask = counted(questions(known).ask, metrics)  # type: ignore[method-assign,assignment]
    client = await aiohttp_client(listener(behind))
    for path in (PATH, PATH, PATH, PATH[:-1] + "7", "/api/v1/dossiers/x"):
        await client.get(path)
    figures = metrics.exposition().decode()
    for outcome, count in (("found", 3), ("not_found", 1), ("unreadable", 1)):
        assert f'tracuu_questions_total{{outcome="{outcome}"}} {count}.0' in figures


async def test_every_wrong_code_is_missed_every_time(aiohttp_client: AiohttpClient, known: Known) -> None:
    guards = plenty(misses_per_address=(Limit(2, 60.0),))
    client = await aiohttp_client(listener(ask_behind(questions(known, guards))))
    assert [(await client.get(PATH[:-1] + "7")).status for _ in range(3)] == [404, 404, 429]


# ---- bounded


def ready(answer: QuestionAnswer, day: date = DAY) -> Ready:
    return Ready(answer=answer, day=day, body=b"{}", tag='"1"')


def test_only_the_very_same_answer_of_the_same_day_is_ready() -> None:
    kept, answer = ReadyAnswers(), answered()
    kept.keep(CODE, "vi", ready(answer))
    assert kept.get(CODE, "vi", answer, DAY) is not None
    assert kept.get(CODE, "en", answer, DAY) is None
    assert kept.get(CODE, "vi", answer, DAY + timedelta(days=1)) is None
    assert kept.get(CODE, "vi", answered(), DAY) is None


def test_ready_answers_take_bounded_room() -> None:
    kept, answer = ReadyAnswers(size=3), answered()
    for number in range(10):
        kept.keep(str(number), "vi", ready(answer))
        kept.keep(str(number), "vi", ready(answer))
    assert len(kept) == 3
    assert [kept.get(str(number), "vi", answer, DAY) is not None for number in range(6, 10)] == [
        False,
        True,
        True,
        True,
    ]


def test_only_the_very_same_reading_is_told_again() -> None:
    again, found, told = AskedAgain(), answered().answer, answered()
    assert found is not None
    again.keep(found, told)
    same = DossierAnswer(code=found.code, outcome=Outcome.FOUND, dossier=found.dossier, as_of=found.as_of)
    assert again.get(same) is told
    assert found.dossier is not None
    assert found.as_of is not None
    others: Sequence[DossierAnswer] = (
        replace(same, dossier=replace(found.dossier)),
        replace(same, as_of=found.as_of + timedelta(seconds=1)),
        replace(same, outcome=Outcome.SOURCE_DOWN),
    )
    assert [again.get(other) for other in others] == [None] * 3


def test_what_was_told_takes_bounded_room() -> None:
    again = AskedAgain(size=2)
    answers = []
    for serial in range(4):
        code = parse_canonical(f"H51.18-250701-000{serial}")
        assert code is not None
        answers.append(DossierAnswer(code=code, outcome=Outcome.FOUND))
        again.keep(answers[-1], answered())
    assert [again.get(answer) is not None for answer in answers] == [False, False, True, True]


@pytest.mark.parametrize("size", [0, -1])
def test_a_store_of_nothing_is_refused(size: int) -> None:
    for make in (ReadyAnswers, AskedAgain):
        with pytest.raises(ValueError, match="at least 1"):
            make(size)
