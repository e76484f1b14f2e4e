"""What an answer of the API carries beside the dossier: what is left, a proof of work, where to follow, the page."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.api import WebApi
from channels.web.asking import Asker
from channels.web.chat_links import ChatLink
from channels.web.health import HealthApi
from channels.web.telling import Teller
from domain.answers import Outcome
from domain.dossier import DossierStatus
from domain.questions import Left, QuestionAnswer
from domain.stoppage import Announced
from gateway.http import make_app, public_routes
from tests.unit.asking_the_web import CODE, Behind, answered, unreadable, without_dossier
from tests.unit.serving_the_api import BASE, SITE, Api, Desk, known_agencies, shipped_teller
from tests.unit.speaking import NOW

URL = f"/api/v1/dossiers/{CODE}"
LEFT = Left(30, 60.0, 27, 40.2)
WORK_NEEDED = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
Client = TestClient[Any, Any]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, behind: Behind, desk: Desk) -> Client:
    return await aiohttp_client(await Api(behind, desk).app())


def teller(announced: Announced | None = None) -> Teller:
    return Teller(shipped_teller().catalogue, known_agencies(), announced=lambda: announced)


# ---- what is left


@pytest.mark.parametrize("says", [answered(), unreadable("partial"), without_dossier(Outcome.NOT_FOUND), WORK_NEEDED])
async def test_whatever_the_answer_it_tells_what_is_left(client: Client, behind: Behind, says: QuestionAnswer) -> None:
    behind.says, behind.left = says, LEFT
    for response in (await client.get(URL), await client.post(URL, json={})):
        assert response.headers["RateLimit-Policy"] == '"address";q=30;w=60'
        assert response.headers["RateLimit"] == '"address";r=27;t=41'


async def test_who_has_the_answer_already_is_told_what_is_left_too(client: Client, behind: Behind) -> None:
    behind.left = LEFT
    tag = (await client.get(URL)).headers["ETag"]
    again = await client.get(URL, headers={"If-None-Match": tag})
    assert (again.status, again.headers["RateLimit"]) == (304, '"address";r=27;t=41')


async def test_what_is_not_known_is_not_told(client: Client) -> None:
    assert not {name for name in (await client.get(URL)).headers if name.startswith("RateLimit")}


async def test_a_spent_budget_says_when_there_is_more(client: Client, behind: Behind) -> None:
    behind.says, behind.left = QuestionAnswer(outcome=Outcome.REFUSED), Left(30, 60.0, 0, 12.5)
    response = await client.get(URL)
    assert (response.status, response.headers["Retry-After"]) == (429, "13")
    behind.left = Left(30, 60.0, 0, 0.0)
    assert (await client.get(URL)).headers["Retry-After"] == "1"
    behind.left = LEFT  # another budget was spent, of which nothing is known
    assert (await client.get(URL)).headers["Retry-After"] == "60"


# ---- proofs of work


async def test_who_is_suspected_gets_a_challenge_with_the_refusal(client: Client, behind: Behind) -> None:
    behind.says = WORK_NEEDED
    response = await client.get(URL)
    told = await response.json()
    assert (response.status, told["type"]) == (403, "/problems/work-needed")
    assert told["challenge"]["parameters"]["algorithm"] == "PBKDF2/SHA-256"
    behind.says = without_dossier(Outcome.NOT_FOUND)
    assert "challenge" not in await (await client.get(URL)).json()


def solved(challenge: Any) -> str:
    """As the guide tells it."""
    wanted = challenge["parameters"]
    for counter in range(1_000):
        password = bytes.fromhex(wanted["nonce"]) + counter.to_bytes(4, "big")
        salt = bytes.fromhex(wanted["salt"])
        key = hashlib.pbkdf2_hmac("sha256", password, salt, wanted["cost"], wanted["keyLength"]).hex()
        if key.startswith(wanted["keyPrefix"]):
            solution = {"challenge": challenge, "solution": {"counter": counter, "derivedKey": key}}
            return base64.b64encode(json.dumps(solution).encode()).decode()
    raise AssertionError


async def test_work_done_as_the_guide_tells_is_handed_on_as_done(client: Client, behind: Behind) -> None:
    behind.says = WORK_NEEDED
    challenge = (await (await client.get(URL)).json())["challenge"]
    behind.says = answered()
    response = await client.post(URL, json={"work": solved(challenge)})
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert (behind.last.worked, behind.last.proof) == (True, None)


async def test_a_challenge_can_be_had_before_and_is_good_for_its_site_only(client: Client, behind: Behind) -> None:
    challenge = await (await client.get("/api/v1/challenge", params={"site": SITE.key})).json()
    await client.post(URL, json={"work": solved(challenge)})
    assert not behind.last.worked
    await client.post(URL, json={"work": solved(challenge)}, params={"site": SITE.key})
    assert (behind.last.worked, behind.last.site) == (True, SITE.key)


async def test_wrong_work_asks_as_if_there_were_none(client: Client, behind: Behind) -> None:
    assert (await client.post(URL, json={"work": "bm90aGluZw=="})).status == 200
    assert not behind.last.worked


async def test_an_empty_body_asks_what_get_asks_and_is_kept_by_nobody(client: Client) -> None:
    plain, posted = await client.get(URL), await client.post(URL, json={})
    assert await plain.read() == await posted.read()
    assert posted.headers["Cache-Control"] == "no-store"
    assert "ETag" not in posted.headers


async def test_where_no_proof_can_be_compared_none_is_taken_with_the_work(
    aiohttp_client: AiohttpClient, behind: Behind
) -> None:
    class Desk:
        def challenge(self, site: str) -> dict[str, Any]:
            return {}

        async def verify(self, payload: str, site: str) -> bool:
            return True

    api = WebApi(asker=Asker(behind.ask), teller=teller(), clock=lambda: NOW, work=Desk())
    client = await aiohttp_client(make_app(public_routes(api.routes())))
    assert (await client.post(URL, json={"last_four": "5678", "work": "x"})).status == 400
    assert (await client.post(URL, json={"work": "x"})).status == 200


# ---- following, and the page


async def test_a_dossier_says_where_it_can_be_followed_and_seen(client: Client) -> None:
    told = await (await client.get(URL)).json()
    link = {"name": "telegram", "url": "https://t.me/bot?start=H51_18-250701-0004"}
    assert told["follow"] == {"phone": True, "links": [link]}
    assert told["page"] == f"{BASE}/d/{CODE}"


@pytest.mark.parametrize(
    "says",
    [
        answered(DossierStatus.RETURNED),
        answered(DossierStatus.NOT_ACCEPTED),
        answered(outcome=Outcome.SOURCE_DOWN),
    ],
)
async def test_what_will_not_change_or_cannot_be_seen_offers_nothing_to_follow(
    client: Client, behind: Behind, says: QuestionAnswer
) -> None:
    behind.says = says
    assert "follow" not in await (await client.get(URL)).json()


async def test_a_bot_that_comes_up_is_told_although_the_answer_was_ready(
    aiohttp_client: AiohttpClient, behind: Behind
) -> None:
    links: list[ChatLink] = []
    api = WebApi(asker=Asker(behind.ask), teller=teller(), clock=lambda: NOW, chat_links=lambda _: links)
    client = await aiohttp_client(make_app(public_routes(api.routes())))
    before = await client.get(URL)
    assert "follow" not in await before.json()
    links.append(ChatLink("zalo", "https://zalo.me/1"))
    after = await client.get(URL, headers={"If-None-Match": before.headers["ETag"]})
    assert (await after.json())["follow"] == {"phone": False, "links": [{"name": "zalo", "url": "https://zalo.me/1"}]}
    links.clear()
    assert "follow" not in await (await client.get(URL)).json()


# ---- following from a page of another origin


async def test_a_registered_page_orders_a_code_and_a_foreign_one_does_not(client: Client, desk: Desk) -> None:
    wish, headers = {"code": CODE, "phone": "0912345678"}, {"Sec-Fetch-Site": "cross-site"}
    url = f"/api/v1/subscriptions?site={SITE.key}"
    foreign = await client.post(url, json=wish, headers=headers | {"Origin": "https://evil.example"})
    assert (foreign.status, desk.asked) == (403, [])
    right = await client.post(url, json=wish, headers=headers | {"Origin": SITE.origins[0]})
    assert (right.status, right.headers["Access-Control-Allow-Origin"]) == (202, SITE.origins[0])
    assert desk.asked == [(CODE, "0912345678")]


# ---- health


async def health(aiohttp_client: AiohttpClient, announced: Announced | None) -> Any:
    api = HealthApi(teller=teller(announced), clock=lambda: NOW)
    client = await aiohttp_client(make_app(public_routes(api.routes())))
    response = await client.get("/api/v1/health")
    assert (response.status, response.content_type) == (200, "application/health+json")
    assert response.headers["Cache-Control"] == "no-store"
    return await response.json()


STOPPAGE = Announced(starts_at=NOW, ends_at=NOW + timedelta(hours=1), texts={"vi": "Bảo trì"})


async def test_health_tells_that_the_api_answers_and_nothing_of_what_is_behind(aiohttp_client: AiohttpClient) -> None:
    assert await health(aiohttp_client, None) == {"status": "pass", "version": "1"}


async def test_health_warns_while_a_planned_stoppage_lasts(aiohttp_client: AiohttpClient) -> None:
    told = await health(aiohttp_client, STOPPAGE)
    assert told["status"] == "warn"
    assert "Bảo trì" in told["notes"][0]
    later = replace(STOPPAGE, starts_at=NOW + timedelta(minutes=1))
    assert (await health(aiohttp_client, later))["status"] == "pass"
