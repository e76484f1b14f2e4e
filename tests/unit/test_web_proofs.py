"""Proofs on the web: asked for in a body and never in an address, and a wrong one looks like a code nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.proving import LONGEST, LONGEST_WORK, Given, given_in_json, proof_in_form
from conversation.questions import Questions
from domain.answers import Outcome
from domain.errors import StoreUnavailable
from domain.proof import Proof, ProofKind, Sealer
from domain.questions import QuestionAnswer
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.asking_the_web import CODE, MORE, Behind, answered, listener, unreadable, without_dossier
from tests.unit.looking_up_for_the_web import Known, ask_behind, known_dossier, plenty
from tests.unit.speaking import shipped_texts
from tests.unit.test_web_pages import Reader

API = f"/api/v1/dossiers/{CODE}"
PAGE = "/tra-cuu"
LAST_FOUR = {"last_four": "5678"}
Client = TestClient[Any, Any]


@pytest.fixture
def behind() -> Behind:
    return Behind(answered(proved=True))


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, behind: Behind) -> Client:
    return await aiohttp_client(listener(behind, proofs=True))


# ---- what is read as a proof


@pytest.mark.parametrize(
    ("body", "proof"),
    [
        (b'{"last_four": "5678"}', Proof(ProofKind.LAST_FOUR, "5678")),
        (b'{"last_four": " 5678 "}', Proof(ProofKind.LAST_FOUR, "5678")),
        (b'{"secret": "7K3M-9Q"}', Proof(ProofKind.SECRET, "7K3M-9Q")),
        (b'{"secret": "1234"}', Proof(ProofKind.SECRET, "1234")),
        (b'{"last_four": "5678", "secret": "7K3M"}', None),
        (b"", None),
        (b"null", None),
        (b"[]", None),
        (b'{"last_four": 5678}', None),
        (b'{"last_four": "567"}', None),
        (b'{"last_four": "56789"}', None),
        (b'{"last_four": "\xd9\xa5\xd9\xa6\xd9\xa7\xd9\xa8"}', None),
        (b'{"secret": ""}', None),
        (b'{"secret": "---"}', None),
        (b'{"secret": "' + b"7" * (LONGEST + 1) + b'"}', None),
        (b'{"last_four": "5678", "code": "x"}', None),
        (b'{"last_four": "\xff\xfe"}', None),
        (b"\xff\xfe\x00", None),
        (b"[" * 10_000, None),
    ],
)
def test_exactly_one_proof_is_read_from_a_body(body: bytes, proof: Proof | None) -> None:
    assert given_in_json(body) == (None if proof is None else Given(proof=proof))


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (b"{}", Given()),
        (b'{"work": "eyJ9"}', Given(work="eyJ9")),
        (b'{"work": "eyJ9", "secret": "7K3M"}', Given(proof=Proof(ProofKind.SECRET, "7K3M"), work="eyJ9")),
        (b'{"work": 5}', None),
        (b'{"work": "' + b"7" * (LONGEST_WORK + 1) + b'"}', None),
        (b'{"work": "eyJ9", "last_four": "5"}', None),
    ],
)
def test_a_proof_of_work_may_come_with_a_proof_or_without(body: bytes, given: Given | None) -> None:
    assert given_in_json(body) == given


@pytest.mark.parametrize(
    ("last_four", "proof"),
    [
        ("5678", Proof(ProofKind.LAST_FOUR, "5678")),
        (" 5678\n", Proof(ProofKind.LAST_FOUR, "5678")),
        ("56 78", Proof(ProofKind.LAST_FOUR, "5678")),
        ("០១២៣", Proof(ProofKind.LAST_FOUR, "0123")),
        ("0912 345 678", Proof(ProofKind.LAST_FOUR, "5678")),
        ("+84 912.345.678", Proof(ProofKind.LAST_FOUR, "5678")),
        ("123456789", None),  # no telephone number
        ("56789", None),
        ("7k3m-9q", None),
        ("---", None),
    ],
)
def test_the_first_field_takes_four_digits_or_a_whole_telephone_number(last_four: str, proof: Proof | None) -> None:
    assert proof_in_form(last_four, "") == proof


@pytest.mark.parametrize("secret", ["8842", "123456789", "0912345678", "7k3m-9q", "88 42"])
def test_the_second_field_takes_any_secret_also_one_of_digits(secret: str) -> None:
    assert proof_in_form("", secret) == proof_in_form("  ", secret) == Proof(ProofKind.SECRET, secret)


@pytest.mark.parametrize("secret", ["", "  ", "---", "7" * (LONGEST + 1)])
def test_what_is_no_secret_proves_nothing(secret: str) -> None:
    assert proof_in_form("", secret) is None


def test_of_two_filled_fields_the_first_counts() -> None:
    assert proof_in_form("5678", "7K3M9Q") == Proof(ProofKind.LAST_FOUR, "5678")
    assert proof_in_form("567", "7K3M9Q") is None


# ---- the API


async def test_whoever_proves_is_told_the_rest(client: Client, behind: Behind) -> None:
    public = await (await client.get(API)).json()
    response = await client.post(API, json=LAST_FOUR)
    told = await response.json()
    assert response.status == 200
    assert behind.last.proof == Proof(ProofKind.LAST_FOUR, "5678")
    assert (told["tier"], {name: told[name] for name in MORE}) == ("proved", MORE)
    assert told.items() >= {name: value for name, value in public.items() if name != "tier"}.items()


async def test_what_was_proved_is_kept_by_nobody(client: Client) -> None:
    response = await client.post(API, json=LAST_FOUR)
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


async def test_what_the_agency_does_not_say_is_empty(client: Client, behind: Behind) -> None:
    behind.says = QuestionAnswer(outcome=Outcome.FOUND, answer=answered().answer, proved=True)
    told = await (await client.post(API, json=LAST_FOUR)).json()
    assert {told[name] for name in MORE} == {""}


async def test_a_proof_that_nothing_can_be_compared_with_opens_what_the_code_opens(
    client: Client, behind: Behind
) -> None:
    behind.says = answered()
    told = await (await client.post(API, json=LAST_FOUR)).json()
    assert told["tier"] == "public"
    assert not MORE.keys() & told.keys()


@pytest.mark.parametrize("body", [b"", b"{", b'{"last_four": "56"}', b"last_four=5678", b"\xff" * 100])
async def test_what_is_no_proof_is_refused_and_asks_nobody(client: Client, behind: Behind, body: bytes) -> None:
    response = await client.post(API, data=body)
    assert response.status == 400
    assert (await response.json())["type"] == "/problems/unreadable-proof"
    assert behind.asked == []


async def test_a_body_too_large_is_refused(client: Client, behind: Behind) -> None:
    assert (await client.post(API, data=b"7" * 100_000)).status == 413
    assert behind.asked == []


@pytest.mark.parametrize(
    ("says", "status"),
    [
        (unreadable("partial"), 400),
        (QuestionAnswer(outcome=Outcome.REFUSED), 429),
        (without_dossier(Outcome.SOURCE_DOWN), 503),
    ],
)
async def test_a_proof_changes_nothing_about_a_problem(
    client: Client, behind: Behind, says: QuestionAnswer, status: int
) -> None:
    behind.says = says
    plain, proved = await client.get(API), await client.post(API, json=LAST_FOUR)
    assert plain.status == proved.status == status
    assert await plain.read() == await proved.read()


async def test_that_nothing_matches_a_proof_is_said_of_both(client: Client, behind: Behind) -> None:
    """Below an answer that stands there, "there is no such dossier" would be a riddle."""
    behind.says = without_dossier(Outcome.NOT_FOUND)
    plain = await (await client.get(API)).json()
    proved = await (await client.post(API, json=LAST_FOUR)).json()
    assert proved.pop("detail") == shipped_texts()["vi"]["web"]["error"]["not_matched"] != plain.pop("detail")
    assert proved == plain


async def test_our_own_trouble_is_told_as_ours(client: Client, behind: Behind) -> None:
    behind.fails = StoreUnavailable("away")
    assert (await client.post(API, json=LAST_FOUR)).status == 503


async def test_an_installation_without_proofs_takes_none(aiohttp_client: AiohttpClient, behind: Behind) -> None:
    client = await aiohttp_client(listener(behind))
    assert (await client.post(API, json=LAST_FOUR)).status == 405
    assert (await client.post(PAGE, data={"ma": CODE, "last_four": "5678"})).status == 405
    assert Reader(await (await client.get(PAGE, params={"ma": CODE})).text()).all("details") == []
    assert behind.asked[0][0].proof is None


# ---- the page


async def form_of(client: Client, code: str = CODE) -> Reader:
    return Reader(await (await client.get(PAGE, params={"ma": code})).text())


@pytest.mark.parametrize("says", [answered(), without_dossier(Outcome.NOT_FOUND)])
async def test_the_page_asks_for_a_proof_whether_or_not_there_is_a_dossier(
    client: Client, behind: Behind, says: QuestionAnswer
) -> None:
    behind.says = says
    page = await form_of(client)
    form = page.all("form")[1]
    assert (form["method"], form["action"]) == ("post", f"{PAGE}?lang=vi")
    assert {"type": "hidden", "name": "ma", "value": CODE} in page.all("input")
    fields = {each["id"]: each["name"] for each in page.all("input") if each.get("id") in ("last-four", "secret")}
    assert fields == {"last-four": "last_four", "secret": "secret"}
    assert {each["for"] for each in page.all("label")} == {"code", *fields}
    assert "4 số cuối điện thoại" in page.words
    assert "Hoặc mã tra cứu trên biên nhận" in page.words
    assert page.strangers() == []


@pytest.mark.parametrize(
    "says", [answered(proved=True), QuestionAnswer(outcome=Outcome.REFUSED), unreadable("partial")]
)
async def test_the_page_asks_for_no_proof_where_it_opens_nothing(
    client: Client, behind: Behind, says: QuestionAnswer
) -> None:
    behind.says = says
    assert (await form_of(client)).all("details") == []


NEEDED = QuestionAnswer(outcome=Outcome.REFUSED, answer=without_dossier(Outcome.REFUSED).answer, reason="proof_needed")


async def test_a_code_that_needs_a_proof_is_no_spent_budget_and_the_page_asks_for_one(
    client: Client, behind: Behind
) -> None:
    behind.says = NEEDED
    response = await client.get(PAGE, params={"ma": CODE})
    page = Reader(await response.text())
    assert response.status == 403
    assert "Retry-After" not in response.headers
    assert "open" in page.all("details")[0]
    assert "quá nhiều lượt" not in page.words
    assert "cần thêm 4 số cuối điện thoại" in page.words
    assert any((link["href"] or "").startswith("tel:") for link in page.all("a"))


async def test_a_code_that_needs_a_proof_has_a_problem_of_its_own(client: Client, behind: Behind) -> None:
    behind.says = NEEDED
    response = await client.get(API)
    told = await response.json()
    assert (response.status, told["type"], told["code"]) == (403, "/problems/proof-needed", CODE)
    assert told["reason"] == "proof_needed"
    assert "Retry-After" not in response.headers
    behind.says = answered(proved=True)
    assert (await client.post(API, json=LAST_FOUR)).status == 200


async def test_an_installation_that_compares_no_proofs_shows_no_form_for_one(
    aiohttp_client: AiohttpClient, behind: Behind
) -> None:
    behind.says = NEEDED
    page = Reader(await (await (await aiohttp_client(listener(behind))).get(PAGE, params={"ma": CODE})).text())
    assert page.all("details") == []


async def test_the_page_tells_the_rest_to_whoever_proves(client: Client, behind: Behind) -> None:
    response = await client.post(PAGE, data={"ma": CODE, "last_four": "5678", "secret": ""})
    page = Reader(await response.text())
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert behind.last.proof == Proof(ProofKind.LAST_FOUR, "5678")
    assert all(value in page.words for value in MORE.values())


async def test_the_page_does_not_say_whether_the_code_or_the_proof_was_wrong(client: Client, behind: Behind) -> None:
    behind.says = without_dossier(Outcome.NOT_FOUND)
    response = await client.post(PAGE, data={"ma": CODE, "last_four": "0000"})
    assert response.status == 404
    assert "Không có hồ sơ nào khớp với mã và thông tin vừa nhập" in await response.text()


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_a_proof_that_cannot_be_read_is_asked_for_again(client: Client, behind: Behind, language: str) -> None:
    response = await client.post(f"{PAGE}?lang={language}", data={"ma": CODE, "last_four": " ", "secret": ""})
    page = Reader(await response.text())
    assert (response.status, page.all("html")[0]["lang"]) == (400, language)
    assert "open" in page.all("details")[0]
    field = next(each for each in page.all("input") if each["name"] == "last_four")
    identifiers = {attributes.get("id") for _, attributes in page.elements}
    assert field["aria-invalid"] == "true"
    assert set((field["aria-describedby"] or "").split()) <= identifiers
    assert "aria-invalid" not in next(each for each in page.all("input") if each["name"] == "ma" and "id" in each)
    assert behind.asked == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"&" * 50, b"a=1&" * 50, b"last_four=5678", b"ma=%00&secret=%00"])
async def test_no_form_makes_the_page_fail(client: Client, behind: Behind, body: bytes) -> None:
    behind.says = unreadable("empty")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post(PAGE, data=body, headers=headers)).status == 400


# ---- the whole way, from the request to what is disclosed


def questions(known: Known, rules: DisclosureRules | None = None) -> Questions:
    disclosure = Disclosure(rules or DisclosureRules(), Sealer(b"a key of the tests"))
    return Questions(lookups=known, guards=plenty(), clock=known.clock, disclosure=disclosure)


async def test_the_code_alone_opens_neither_section_nor_procedure(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(listener(ask_behind(questions(known_dossier())), proofs=True))
    told = await (await client.get(API)).json()
    assert told["tier"] == "public"
    assert not MORE.keys() & told.keys()


async def test_the_right_digits_and_the_right_secret_open_the_rest(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(listener(ask_behind(questions(known_dossier())), proofs=True))
    for proof in (LAST_FOUR, {"secret": "7k3m 9q"}):
        told = await (await client.post(API, json=proof)).json()
        assert (told["tier"], told["missing"]) == ("proved", MORE["missing"])
    told = await (await client.get(API)).json()
    assert told["tier"] == "public"


async def test_a_wrong_proof_is_answered_word_for_word_like_a_code_nobody_has(aiohttp_client: AiohttpClient) -> None:
    known = known_dossier()
    client = await aiohttp_client(listener(ask_behind(questions(known)), proofs=True))
    nobodys = CODE[:-1] + "5"
    wrong = await client.post(API, json={"last_four": "0000"})
    unknown = await client.post(API[:-1] + "5", json={"last_four": "0000"})
    assert wrong.status == unknown.status == 404
    assert (await wrong.text()).replace(CODE, "") == (await unknown.text()).replace(nobodys, "")
    assert {name for name in wrong.headers if name != "Date"} == {name for name in unknown.headers if name != "Date"}
    page = [await client.post(PAGE, data={"ma": code, "last_four": "0000"}) for code in (CODE, nobodys)]
    assert (await page[0].text()).replace(CODE, "") == (await page[1].text()).replace(nobodys, "")


async def test_what_the_installation_tells_everybody_is_told_everybody(aiohttp_client: AiohttpClient) -> None:
    rules = DisclosureRules(public=frozenset({"unit"}))
    client = await aiohttp_client(listener(ask_behind(questions(known_dossier(), rules))))
    told = await (await client.get(API)).json()
    assert told["unit"] == MORE["unit"]
    assert "procedure" not in told


async def test_where_a_proof_is_required_the_code_alone_opens_nothing_twice(aiohttp_client: AiohttpClient) -> None:
    rules = DisclosureRules(proof_required=True)
    client = await aiohttp_client(listener(ask_behind(questions(known_dossier(), rules)), proofs=True))
    assert [(await client.get(API)).status for _ in range(2)] == [404, 404]
    assert (await client.post(API, json=LAST_FOUR)).status == 200
    assert (await client.get(API)).status == 404
