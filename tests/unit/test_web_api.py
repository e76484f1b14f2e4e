"""The API: each outcome has its own status and words, nothing typed makes it fail, nobody's address is believed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from channels.web.asking import Asker
from channels.web.client import choose_language, client_address
from domain.answers import Outcome
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable
from domain.message import Address
from domain.questions import Answer, Asked, Question, QuestionAnswer
from domain.reply_keys import UNREADABLE_KEYS
from tests.unit.asking_the_web import CODE, Behind, answered, listener, unreadable, without_dossier

PATH = f"/api/v1/dossiers/{CODE}"
Client = TestClient[Any, Any]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, behind: Behind) -> Client:
    return await aiohttp_client(listener(behind))


async def test_a_dossier_is_told_with_its_dates_its_agency_and_the_time_of_the_data(client: Client) -> None:
    response = await client.get(PATH)
    assert response.status == 200
    assert response.content_type == "application/json"
    assert await response.json() == {
        "code": CODE,
        "status": 4,
        "status_name": "in_process",
        "status_text": "Đang xử lý",
        "sentence": "Hồ sơ đang được xử lý tại Sở Nông nghiệp và Môi trường thành phố Cần Thơ.",
        "what_to_do": "Cơ quan đang giải quyết. Ông/bà chưa cần nộp thêm giấy tờ.",
        "received_on": "2026-10-01",
        "due_on": "2026-10-12",
        "due_unknown": False,
        "finished_on": None,
        "returned_on": None,
        "overdue": False,
        "agency": {"name": "Sở Nông nghiệp và Môi trường thành phố Cần Thơ", "phone": "02993 013010"},
        "as_of": "2026-10-08T14:29:30+07:00",
        "stale": False,
        "tier": "public",
        "page": f"/d/{CODE}",
    }


async def test_nothing_is_told_of_section_or_procedure(client: Client) -> None:
    told = await (await client.get(PATH)).text()
    assert "Phòng" not in told
    assert "1.004946" not in told


@pytest.mark.parametrize("status", DossierStatus)
async def test_every_state_is_told_by_its_national_number(
    client: Client, behind: Behind, status: DossierStatus
) -> None:
    behind.says = answered(status)
    told = await (await client.get(PATH)).json()
    assert (told["status"], told["status_name"]) == (int(status), status.name.lower())


async def test_a_state_without_a_national_number_has_none(client: Client, behind: Behind) -> None:
    behind.says = answered(None)
    told = await (await client.get(PATH)).json()
    assert (told["status"], told["status_name"]) == (None, "unmapped")


async def test_a_known_answer_may_be_kept_and_asked_for_again_by_its_tag(client: Client) -> None:
    first = await client.get(PATH)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Accept-Language"
    again = await client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_a_change_changes_the_tag(client: Client, behind: Behind) -> None:
    first = await client.get(PATH)
    behind.says = answered(DossierStatus.DONE)
    again = await client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 200


async def test_a_last_known_answer_says_that_it_is_one(client: Client, behind: Behind) -> None:
    behind.says = answered(outcome=Outcome.SOURCE_DOWN)
    response = await client.get(PATH)
    assert response.status == 200
    told = await response.json()
    assert told["stale"] is True
    assert told["as_of"] == "2026-10-08T14:29:30+07:00"


PROBLEMS = [
    (without_dossier(Outcome.NOT_FOUND), 404, "/problems/not-found", None),
    (unreadable("partial"), 400, "/problems/unreadable-code", None),
    (unreadable("ambiguous", "H51.18-250701-0001", "H51.18-250701-0004"), 400, "/problems/ambiguous-code", None),
    (QuestionAnswer(outcome=Outcome.REFUSED), 429, "/problems/too-many-questions", "60"),
    (without_dossier(Outcome.SOURCE_DOWN), 503, "/problems/source-unavailable", "30"),
]


@pytest.mark.parametrize(("says", "status", "kind", "retry_after"), PROBLEMS)
async def test_each_problem_has_its_own_status_and_type(
    client: Client, behind: Behind, says: QuestionAnswer, status: int, kind: str, retry_after: str | None
) -> None:
    behind.says = says
    response = await client.get(PATH)
    assert response.status == status
    assert response.content_type == "application/problem+json"
    assert response.headers.get("Retry-After") == retry_after
    assert response.headers["Cache-Control"] == "no-store"
    problem = await response.json()
    assert (problem["type"], problem["status"]) == (kind, status)
    assert problem["title"]
    assert problem["detail"]
    assert problem["agency"]["phone"]


async def test_our_own_trouble_is_told_as_ours(client: Client, behind: Behind) -> None:
    behind.fails = StoreUnavailable("the file /secret is locked")
    response = await client.get(PATH)
    assert (response.status, response.headers["Retry-After"]) == (503, "30")
    told = await response.text()
    assert "/problems/gateway-unavailable" in told
    assert "/secret" not in told


async def test_not_found_depends_on_nothing_but_the_code(client: Client, behind: Behind) -> None:
    behind.says = without_dossier(Outcome.NOT_FOUND)
    missing = await client.get(PATH)
    forbidden = await client.get(PATH)
    assert await missing.read() == await forbidden.read()
    told = await missing.json()
    assert told["agency"]["phone"] == "02993 013010"
    assert set(told) == {"type", "title", "status", "detail", "code", "agency"}


@pytest.mark.parametrize("reason", UNREADABLE_KEYS)
async def test_what_cannot_be_read_says_why(client: Client, behind: Behind, reason: str) -> None:
    behind.says = unreadable(reason)
    problem = await (await client.get(PATH)).json()
    assert problem["reason"] == reason
    behind.says = unreadable("something new")
    assert problem["detail"] != (await (await client.get(PATH)).json())["detail"]


async def test_two_readings_are_handed_back_and_none_is_preferred(client: Client, behind: Behind) -> None:
    readings = ["H51.18-250701-0001", "H51.18-250701-0004"]
    behind.says = unreadable("ambiguous", *readings)
    given = (await (await client.get(PATH)).json())["candidates"]
    assert [each["code"] for each in given] == readings


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "vi"),
        ("", "en", "en"),
        ("", "en-GB,vi;q=0.5", "en"),
        ("", "fr, vi;q=0.1, en;q=0.9", "en"),
        ("", "EN;q=0, vi;q=0.2", "vi"),
        ("", "en;q=x, *;;;,,q", "vi"),
        ("?lang=en", "vi", "en"),
        ("?lang=vi", "en", "vi"),
        ("?lang=../../etc", "en", "en"),
    ],
)
async def test_the_language_is_the_one_asked_for(client: Client, query: str, header: str | None, language: str) -> None:
    response = await client.get(PATH + query, headers={"Accept-Language": header} if header else {})
    assert response.headers["Content-Language"] == language
    assert (await response.json())["status_text"] == {"vi": "Đang xử lý", "en": "In process"}[language]


HOSTILE = [
    "/api/v1/dossiers/",
    "/api/v1/dossiers/" + "9" * 7_000,
    "/api/v1/dossiers/%00%01%7F",
    "/api/v1/dossiers/%E2%80%AEH51.18-250701-0004",
    "/api/v1/dossiers/%FF%FE%C0%AF",
    "/api/v1/dossiers/H51'%20OR%201=1;--%20DROP%20TABLE%20x",
    "/api/v1/dossiers/%7B%7B7*7%7D%7D%3Cscript%3E",
    "/api/v1/dossiers/..%2F..%2Fetc%2Fpasswd",
    "/api/v1/dossiers/12345/2020/00001",
    "/api/v1/dossiers/a%0D%0ASet-Cookie:%20x=1",
    "/api/v1/dossiers/%25%32%46%",
    "/api/v1/dossiers/%F0%9F%98%80",
]


@pytest.mark.parametrize("path", HOSTILE)
async def test_whatever_stands_for_the_code_gets_an_answer(client: Client, behind: Behind, path: str) -> None:
    behind.says = unreadable("no_code")
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/unreadable-code" in answer
    assert b"Set-Cookie" not in answer


async def test_a_path_too_long_to_be_read_is_refused_and_the_next_one_is_answered(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /api/v1/dossiers/" + b"9" * 10_240 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).split()[1] in (b"400", b"414")
    writer.close()
    assert (await client.get(PATH)).status == 200


async def test_a_slash_in_a_code_reaches_the_reader(client: Client, behind: Behind) -> None:
    await client.get("/api/v1/dossiers/12345/2020/00001")
    assert behind.last.text == "12345/2020/00001"


async def test_a_question_costs_no_log_line(client: Client, behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as lines:
        for says in (answered(), without_dossier(Outcome.NOT_FOUND), QuestionAnswer(outcome=Outcome.REFUSED)):
            behind.says = says
            await client.get(PATH)
    assert lines == []
    assert [record for record in caplog.records if record.name != "aiohttp.access"] == []  # the listener has none


async def test_only_reading_is_offered(client: Client) -> None:
    assert (await client.post(PATH)).status == 405


# ---- who asks


TRUSTED = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client_is"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # nobody's word
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # what the client wrote stands left
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),  # two proxies of ours
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", None, "203.0.113.9"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("fd00::1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", "local"),
    ],
)
def test_an_address_is_believed_as_far_as_our_proxies_wrote_it(
    peer: str, forwarded: str | None, client_is: str
) -> None:
    request = make_mocked_request("GET", "/", headers={} if forwarded is None else {"X-Forwarded-For": forwarded})
    request = request.clone(remote=peer)
    assert client_address(request, networks()) == Address("web", client_is)


@given(st.text(st.characters(codec="latin-1"), max_size=300), st.text(st.characters(codec="latin-1"), max_size=300))
def test_no_header_makes_us_fail(forwarded: str, language: str) -> None:
    headers = {"X-Forwarded-For": forwarded, "Accept-Language": language}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote="10.0.0.1")
    assert client_address(request, networks()).value
    assert choose_language(request, ("vi", "en")) in {"vi", "en"}


async def test_the_asker_is_handed_on_with_the_question(aiohttp_client: AiohttpClient, behind: Behind) -> None:
    client = await aiohttp_client(listener(behind, trusted=["127.0.0.0/8"]))
    await client.get(PATH, headers={"X-Forwarded-For": "198.51.100.7"})
    assert behind.last == Question(text=CODE, asker=Address("web", "198.51.100.7"))


def networks() -> Sequence[Any]:
    return [ip_network(each) for each in TRUSTED]


# ---- many at once


def questions(count: int) -> list[Question]:
    return [Question(text=str(number), asker=Address("web", "203.0.113.9")) for number in range(count)]


async def test_the_questions_of_one_turn_are_asked_together(behind: Behind) -> None:
    asker = Asker(behind.ask)
    await asyncio.gather(*(asker.answer(question) for question in questions(20)))
    assert [len(batch) for batch in behind.asked] == [20]


async def test_an_answer_goes_to_whoever_asked() -> None:
    async def echo(batch: Sequence[Question]) -> Sequence[Asked[Answer]]:
        return [Asked(unreadable(question.text)) for question in batch]

    asker = Asker(echo)
    answers = await asyncio.gather(*(asker.answer(question) for question in questions(20)))
    assert [asked.answer.reason for asked in answers] == [question.text for question in questions(20)]


async def test_nobody_is_asked_nothing(behind: Behind) -> None:
    asker = Asker(behind.ask)

    async def one_after_the_other(batch: Sequence[Question]) -> None:
        for question in batch:
            await asker.answer(question)

    await asyncio.gather(*(one_after_the_other(questions(5)) for _ in range(3)))
    await asyncio.sleep(0)
    assert [len(batch) for batch in behind.asked] == [3] * 5


async def test_a_hanging_batch_holds_up_nobody_who_comes_later() -> None:
    asked, hang = asyncio.Event(), asyncio.Event()

    async def ask(batch: Sequence[Question]) -> Sequence[Asked[Answer]]:
        if batch[0].text == "0":
            asked.set()
            await hang.wait()
        return [Asked(unreadable(question.text)) for question in batch]

    asker = Asker(ask)
    first, second = questions(2)
    hanging = asyncio.create_task(asker.answer(first))
    await asked.wait()
    assert (await asker.answer(second)).answer.reason == "1"
    assert not hanging.done()
    hang.set()
    assert (await hanging).answer.reason == "0"


async def test_beyond_the_limit_questions_collect() -> None:
    asked, hang = asyncio.Event(), asyncio.Event()
    sizes: list[int] = []

    async def ask(batch: Sequence[Question]) -> Sequence[Asked[Answer]]:
        sizes.append(len(batch))
        asked.set()
        await hang.wait()
        return [Asked(unreadable(question.text)) for question in batch]

    asker = Asker(ask, in_flight=1)
    first, *others = questions(5)
    waiting = [asyncio.create_task(asker.answer(first))]
    await asked.wait()
    waiting += [asyncio.create_task(asker.answer(question)) for question in others]
    asyncio.get_running_loop().call_soon(hang.set)
    await asyncio.gather(*waiting)
    assert sizes == [1, 4]


async def test_a_failure_reaches_everybody_who_waited_and_the_next_is_answered(behind: Behind) -> None:
    asker = Asker(behind.ask)
    behind.fails = StoreUnavailable("away")
    outcomes = await asyncio.gather(*(asker.answer(each) for each in questions(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    behind.fails = None
    assert (await asker.answer(questions(1)[0])).answer.outcome is Outcome.FOUND


async def test_somebody_who_left_disturbs_nobody(behind: Behind) -> None:
    asker = Asker(behind.ask)
    leaving, staying = (asyncio.create_task(asker.answer(each)) for each in questions(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).answer.outcome is Outcome.FOUND


def reading(text: str, gate: asyncio.Event, ended: list[str]) -> Awaitable[QuestionAnswer]:
    """An answer that waits for an agency."""

    async def wait() -> QuestionAnswer:
        await gate.wait()
        ended.append(text)
        return unreadable(text)

    return wait()


async def test_an_agency_that_hangs_is_waited_for_by_its_own_askers_only() -> None:
    gate, ended = asyncio.Event(), list[str]()

    async def ask(batch: Sequence[Question]) -> Sequence[Asked[Answer]]:
        told = [reading(each.text, gate, ended) if each.text == "0" else unreadable(each.text) for each in batch]
        return list(map(Asked, told))

    asker = Asker(ask)
    hanging, others = asyncio.create_task(asker.answer(questions(1)[0])), questions(3)[1:]
    assert [asked.answer.reason for asked in await asyncio.gather(*map(asker.answer, others))] == ["1", "2"]
    assert not hanging.done()
    gate.set()
    assert (await hanging).answer.reason == "0"


async def test_a_question_whose_asker_left_is_looked_up_and_charged_all_the_same() -> None:
    gate, asked, ended = asyncio.Event(), asyncio.Event(), list[str]()

    async def ask(batch: Sequence[Question]) -> Sequence[Asked[Answer]]:
        asked.set()
        await gate.wait()
        return [Asked(reading(each.text, gate, ended)) for each in batch]

    asker = Asker(ask)
    leaving, staying = (asyncio.create_task(asker.answer(each)) for each in questions(2))
    await asked.wait()
    leaving.cancel()
    gate.set()
    assert (await staying).answer.reason == "1"
    assert set(ended) == {"0", "1"}
