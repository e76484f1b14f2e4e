"""Following from the web, as a browser and as a program see it: every outcome its status and its words, no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.asking import Asker
from channels.web.follow import API_PATH, CONFIRM_PATH, PATH, FollowPages
from channels.web.pages import LookUpPage
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.answers import Outcome
from domain.catalogue import Catalogue
from domain.dossier import DossierStatus
from domain.errors import GatewayError, StoreUnavailable
from domain.message import Address
from domain.pins import PinAnswer, PinOutcome
from domain.questions import QuestionAnswer
from gateway.http import make_app, public_routes
from tests.unit.asking_the_web import CODE, Behind, answered, unreadable, without_dossier
from tests.unit.speaking import LANGUAGES, NOW, shipped_agencies, shipped_texts
from tests.unit.test_web_pages import HOSTILE, Reader

Client = TestClient[Any, Any]
SENT = PinAnswer(outcome=PinOutcome.SENT, token="t0ken", expires_at=NOW + timedelta(minutes=10))
WISH = {"code": CODE, "phone": "0912345678"}
FORM = {"ma": CODE, "phone": "0912345678"}


@dataclass
class FakeDesk:
    """Says the same to everybody; remembers what was asked."""

    says: PinAnswer = SENT
    fails: GatewayError | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)
    worked: list[bool] = field(default_factory=list)

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
    ) -> PinAnswer:
        self.worked.append(worked)
        return self._answer(asker.urn, code, number, language, words)

    async def redeem(self, asker: Address, token: str, pin: str) -> PinAnswer:
        return self._answer(asker.urn, token, pin)

    def _answer(self, *asked: str) -> PinAnswer:
        self.asked.append(asked)
        if self.fails is not None:
            raise self.fails
        return self.says


class FakeWork:
    def challenge(self, site: str) -> Mapping[str, Any]:
        return {"site": site}

    async def verify(self, payload: str, site: str) -> bool:
        return payload == "solved"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, desk: FakeDesk, behind: Behind) -> Client:
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
    page = LookUpPage(asker=Asker(behind.ask), teller=teller, clock=lambda: NOW, follows=PATH)
    follow = FollowPages(desk=desk, teller=teller, clock=lambda: NOW, work=FakeWork())
    return await aiohttp_client(make_app(public_routes([*page.routes(), *follow.routes()])))


OUTCOMES = [
    (PinAnswer(outcome=PinOutcome.NO_NUMBER), 400, "unreadable-number"),
    (PinAnswer(outcome=PinOutcome.OVER), 409, "nothing-to-follow"),
    (PinAnswer(outcome=PinOutcome.REFUSED), 429, "too-many-questions"),
    (PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=without_dossier(Outcome.NOT_FOUND)), 404, "not-found"),
    (PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=unreadable("partial")), 400, "unreadable-code"),
    (PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=answered(outcome=Outcome.SOURCE_DOWN)), 503, "source-unavailable"),
]
TYPED_BACK = [
    (PinAnswer(outcome=PinOutcome.WRONG), 422, "wrong-code"),
    (PinAnswer(outcome=PinOutcome.SPENT), 410, "code-spent"),
    (PinAnswer(outcome=PinOutcome.REFUSED), 429, "too-many-questions"),
]


# ---- as a program sees it


@pytest.mark.parametrize(("says", "status", "kind"), OUTCOMES)
async def test_a_wish_that_is_not_met_says_why(
    client: Client, desk: FakeDesk, says: PinAnswer, status: int, kind: str
) -> None:
    desk.says = says
    response = await client.post(API_PATH, json=WISH)
    assert (response.status, (await response.json())["type"]) == (status, f"/problems/{kind}")


async def test_who_missed_a_lot_is_asked_for_work_and_then_follows(client: Client, desk: FakeDesk) -> None:
    work_needed = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
    desk.says = PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=work_needed)
    for work in ({}, {"work": "made up"}):
        refused = await client.post(API_PATH, json=WISH | work)
        body = await refused.json()
        assert (refused.status, body["type"], body["challenge"]) == (403, "/problems/work-needed", {"site": ""})
    desk.says = SENT
    assert (await client.post(API_PATH, json=WISH | {"work": "solved"})).status == 202
    assert desk.worked == [False, False, True]


async def test_the_page_lets_the_browser_do_the_work_and_keeps_the_number(client: Client, desk: FakeDesk) -> None:
    work_needed = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
    desk.says = PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=work_needed)
    response = await client.post(PATH, data={"ma": CODE, "phone": "0912345678"})
    page = Reader(await response.text())
    (form,) = [each for each in page.all("form") if "data-challenge" in each]
    assert (response.status, form["data-challenge"]) == (403, '{"site":""}')
    fields = {each["name"]: each["value"] for each in page.all("input")}
    assert fields == {"ma": CODE, "phone": "0912345678", "work": ""}
    (script,) = page.all("script")
    assert (await client.get(script["src"] or "")).status == 200
    desk.says = SENT
    done = await client.post(PATH, data={"ma": CODE, "phone": "0912345678", "work": "solved"})
    assert (done.status, desk.worked) == (202, [False, True])


async def test_a_code_on_its_way_is_202_with_the_name_of_the_request(client: Client, desk: FakeDesk) -> None:
    response = await client.post(API_PATH, json=WISH)
    assert response.status == 202
    assert await response.json() == {"token": "t0ken", "expires_at": "2026-10-08T14:40:00+07:00"}
    assert response.headers["Cache-Control"] == "no-store"
    asker, code, number, language, words = desk.asked[0]
    assert (asker, code, number, language) == ("web:127.0.0.1", CODE, "0912345678", "vi")
    assert "đồng ý" in words


@pytest.mark.parametrize(("says", "status", "kind"), TYPED_BACK)
async def test_a_code_that_does_not_follow_says_why(
    client: Client, desk: FakeDesk, says: PinAnswer, status: int, kind: str
) -> None:
    desk.says = says
    response = await client.post(f"{API_PATH}/t0ken", json={"pin": "123456"})
    assert (response.status, (await response.json())["type"]) == (status, f"/problems/{kind}")


async def test_the_right_code_is_201(client: Client, desk: FakeDesk) -> None:
    desk.says = PinAnswer(outcome=PinOutcome.FOLLOWING)
    response = await client.post(f"{API_PATH}/t0ken", json={"pin": "123456"})
    assert (response.status, await response.json()) == (201, {"following": True})
    assert desk.asked == [("web:127.0.0.1", "t0ken", "123456")]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"code": 5, "phone": "1"}', b'{"code": "x"}', b"\xff", b"[" * 9_999]
)
async def test_a_body_that_is_no_wish_asks_nobody(client: Client, desk: FakeDesk, body: bytes) -> None:
    for path, status in ((API_PATH, 400), (f"{API_PATH}/t0ken", 422)):
        response = await client.post(path, data=body, headers={"Content-Type": "application/json"})
        assert response.status == status
    assert desk.asked == []


async def test_a_foreign_page_orders_no_codes(client: Client, desk: FakeDesk) -> None:
    plain = await client.post(
        API_PATH, data=b'{"code": "x", "phone": "0912345678"}', headers={"Content-Type": "text/plain"}
    )
    assert plain.status == 400
    page = await client.post(PATH, data=FORM, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status == 200
    assert CODE in await page.text()  # it may be asked for here
    await client.post(CONFIRM_PATH, data={"token": "t", "pin": "1"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert desk.asked == []


async def test_a_store_that_is_away_is_503_on_both(client: Client, desk: FakeDesk) -> None:
    desk.fails = StoreUnavailable("away")
    assert (await client.post(API_PATH, json=WISH)).status == 503
    assert (await client.post(f"{API_PATH}/t", json={"pin": "1"})).status == 503
    assert (await client.post(PATH, data=FORM)).status == 503


# ---- as a browser sees it


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_found_dossier_offers_the_form(client: Client, language: str) -> None:
    reader = Reader(await (await client.get("/tra-cuu", params={"ma": CODE, "lang": language})).text())
    form = next(each for each in reader.all("form") if each["method"] == "post")
    assert form["action"] == f"{PATH}?lang={language}"
    assert {"id": "phone", "type": "tel"}.items() <= next(
        e for e in reader.all("input") if e.get("id") == "phone"
    ).items()
    assert all("/print." in (each["src"] or "") for each in reader.all("script"))  # the form needs none


@pytest.mark.parametrize(
    "says",
    [
        without_dossier(Outcome.NOT_FOUND),
        answered(outcome=Outcome.SOURCE_DOWN),
        answered(DossierStatus.RETURNED),
        answered(DossierStatus.NOT_ACCEPTED),
    ],
)
async def test_where_nothing_can_be_followed_no_form_is_offered(client: Client, behind: Behind, says: Any) -> None:
    behind.says = says
    assert PATH not in await (await client.get("/tra-cuu", params={"ma": CODE})).text()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_way_through_the_pages(client: Client, desk: FakeDesk, language: str) -> None:
    response = await client.post(PATH, params={"lang": language}, data=FORM)
    assert response.status == 202
    reader = Reader(await response.text())
    assert reader.all("form")[0]["action"] == f"{CONFIRM_PATH}?lang={language}"
    hidden = {each["name"]: each["value"] for each in reader.all("input") if each["type"] == "hidden"}
    assert hidden == {"ma": CODE, "token": "t0ken"}
    assert "0912345678" not in reader.words
    desk.says = PinAnswer(outcome=PinOutcome.WRONG)
    again = await client.post(CONFIRM_PATH, params={"lang": language}, data={**hidden, "pin": "000000"})
    assert again.status == 422
    reader = Reader(await again.text())
    assert {each["name"]: each["value"] for each in reader.all("input") if each["type"] == "hidden"} == hidden
    desk.says = PinAnswer(outcome=PinOutcome.FOLLOWING)
    done = await client.post(CONFIRM_PATH, params={"lang": language}, data={**hidden, "pin": "123456"})
    assert done.status == 201
    assert Reader(await done.text()).all("form") == []
    assert desk.asked[-1] == ("web:127.0.0.1", "t0ken", "123456")


@pytest.mark.parametrize(("says", "status", "_"), OUTCOMES)
async def test_a_page_says_what_is_wrong_and_leads_back(
    client: Client, desk: FakeDesk, says: PinAnswer, status: int, _: str
) -> None:
    desk.says = says
    response = await client.post(PATH, data=FORM)
    assert response.status == status
    reader = Reader(await response.text())
    assert any(CODE in (each.get("href") or "") for each in reader.all("a"))


async def test_a_spent_code_asks_for_the_number_again(client: Client, desk: FakeDesk) -> None:
    desk.says = PinAnswer(outcome=PinOutcome.SPENT)
    response = await client.post(CONFIRM_PATH, data={"ma": CODE, "token": "t0ken", "pin": "123456"})
    assert response.status == 410
    assert Reader(await response.text()).all("form")[0]["action"] == f"{PATH}?lang=vi"


@pytest.mark.parametrize("path", [PATH, CONFIRM_PATH])
async def test_nothing_typed_becomes_markup(client: Client, desk: FakeDesk, path: str) -> None:
    desk.says = PinAnswer(outcome=PinOutcome.WRONG if path == CONFIRM_PATH else PinOutcome.NO_NUMBER)
    response = await client.post(path, data={"ma": HOSTILE, "phone": HOSTILE, "token": HOSTILE, "pin": HOSTILE})
    reader = Reader(await response.text())
    assert reader.all("script") == reader.all("img") == []


@pytest.mark.parametrize("path", [PATH, CONFIRM_PATH])
async def test_a_page_that_was_reloaded_leads_to_the_look_up(client: Client, path: str) -> None:
    response = await client.get(path, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (302, "/tra-cuu")
