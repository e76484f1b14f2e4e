"""Proofs of work: what solves a challenge of ours is taken once, in time, for its site; nothing else is, nor makes us fail."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import pytest
import time_machine
from aiohttp.test_utils import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from channels.web import paths
from channels.web.telling import Teller
from channels.web.work import FEWEST_STEPS, LONGEST_PAYLOAD, MORE_STEPS, WorkDesk
from channels.web.work_routes import WorkRoutes
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.errors import StoreUnavailable
from domain.message import Address
from gateway.bootstrap.work import spent_once
from gateway.http import make_app, public_routes
from tests.unit.speaking import NOW, shipped_agencies, shipped_texts

KEY = b"a key of the tests, and of nothing"
SITE, OTHER = "ts_aaaaaaaaaaaaaaaa", "ts_bbbbbbbbbbbbbbbb"
COST = 2  # rounds: the arithmetic is the same
Client = TestClient[Any, Any]


def utc_now() -> datetime:
    return datetime.now(UTC)


def budgets() -> MemoryBudgets:
    return MemoryBudgets(lambda: utc_now().timestamp())


def make_desk(**changes: Any) -> WorkDesk:
    options: dict[str, Any] = {"key": KEY, "once": spent_once(budgets()), "clock": utc_now, "cost": COST}
    return WorkDesk(**(options | changes))


@pytest.fixture
def desk() -> WorkDesk:
    return make_desk()


def solved(challenge: Any) -> dict[str, Any]:
    """As the widget of ALTCHA hands it in."""
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(challenge))
    assert solution is not None
    return {"challenge": dict(challenge), "solution": solution.to_dict()}


def packed(payload: Any) -> str:
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def test_a_solved_challenge_is_taken_once(desk: WorkDesk) -> None:
    payload = packed(solved(desk.challenge(SITE)))
    assert [await desk.verify(payload, SITE) for _ in range(3)] == [True, False, False]


async def test_the_same_solution_written_otherwise_is_the_same_solution(desk: WorkDesk) -> None:
    payload = solved(desk.challenge(SITE))
    assert await desk.verify(packed(payload), SITE)
    payload["solution"] |= {"counter": 7, "derivedKey": payload["solution"]["derivedKey"].upper(), "time": 1}
    payload["more"] = "anything"
    assert not await desk.verify(packed(payload), SITE)


async def test_what_one_gateway_took_no_other_takes() -> None:
    once = spent_once(budgets())
    ours, theirs = make_desk(once=once), make_desk(once=once)
    payload = packed(solved(ours.challenge("")))
    assert [await theirs.verify(payload, ""), await ours.verify(payload, "")] == [True, False]


async def test_work_done_for_one_site_counts_for_no_other(desk: WorkDesk) -> None:
    payload = packed(solved(desk.challenge(SITE)))
    assert [await desk.verify(payload, site) for site in (OTHER, "", SITE)] == [False, False, True]


async def test_an_expired_challenge_is_not_taken_and_a_spent_one_never_again() -> None:
    desk = make_desk(minutes=10)
    late, spent = packed(solved(desk.challenge(SITE))), packed(solved(desk.challenge(SITE)))
    assert await desk.verify(spent, SITE)
    for minutes in (9, 11, 12):
        with time_machine.travel(utc_now() + timedelta(minutes=minutes), tick=False):
            assert not await desk.verify(spent, SITE)
            assert minutes < 10 or not await desk.verify(late, SITE)
    assert await desk.verify(late, SITE)


async def test_a_challenge_of_another_key_is_not_ours(desk: WorkDesk) -> None:
    stranger = make_desk(key=b"another key of the tests")
    assert not await desk.verify(packed(solved(stranger.challenge(SITE))), SITE)


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "cheaper": lambda payload: payload["challenge"]["parameters"].update(cost=1),
    "longer": lambda payload: payload["challenge"]["parameters"].update(expiresAt=2**40),
    "another site": lambda payload: payload["challenge"]["parameters"].update(data={"site": OTHER}),
    "an algorithm that costs us more": lambda payload: payload["challenge"]["parameters"].update(algorithm="SCRYPT"),
    "no signed key": lambda payload: payload["challenge"]["parameters"].pop("keySignature"),
    "an empty signed key": lambda payload: payload["challenge"]["parameters"].update(keySignature=""),
    "more than we signed": lambda payload: payload["challenge"]["parameters"].update(memoryCost=1),
    "no signature": lambda payload: payload["challenge"].pop("signature"),
    "an empty signature": lambda payload: payload["challenge"].update(signature=""),
    "a signature beyond ASCII": lambda payload: payload["challenge"].update(signature="ạ" * 64),
    "half a character": lambda payload: payload["challenge"].update(signature="\ud800"),
    "half a character signed": lambda payload: payload["challenge"]["parameters"].update(nonce="\ud800"),
    "no key": lambda payload: payload["solution"].update(derivedKey=""),
    "the wrong key": lambda payload: payload["solution"].update(derivedKey="00" * 32),
    "the part of the key that is told": lambda payload: payload["solution"].update(
        derivedKey=payload["challenge"]["parameters"]["keyPrefix"]
    ),
    "no hexadecimal key": lambda payload: payload["solution"].update(derivedKey="không"),
    "a number for a key": lambda payload: payload["solution"].update(derivedKey=7),
    "a huge cost": lambda payload: payload["challenge"]["parameters"].update(cost=10**18),
    "never": lambda payload: payload["challenge"]["parameters"].update(expiresAt=None),
    "no solution": lambda payload: payload.pop("solution"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_whatever_is_changed_is_not_taken_and_spends_nothing(
    desk: WorkDesk, change: Callable[[dict[str, Any]], Any]
) -> None:
    payload = solved(desk.challenge(SITE))
    changed = deepcopy(payload)
    change(changed)
    assert not any([await desk.verify(packed(changed), site) for site in (SITE, OTHER)])
    assert await desk.verify(packed(payload), SITE)


NESTED = base64.b64encode(b"[" * 1_500).decode()
DEEP = base64.b64encode(b'{"a":' * 300 + b"1" + b"}" * 300).decode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["challenge", "parameters", "solution", "a"]), inner)
    ),
)


@given(
    st.text()
    | st.binary().map(lambda raw: base64.b64encode(raw).decode())
    | JSON.map(packed)
    | st.sampled_from(["", "=", "\0", "ạ" * 80, "\ud800", NESTED, DEEP, "e30=", "bnVsbA=="])
)
async def test_nothing_that_is_sent_makes_us_fail(payload: str) -> None:
    assert not await make_desk(once=_must_not_be_asked).verify(payload, SITE)


async def _must_not_be_asked(signature: str, seconds: float) -> bool:
    raise AssertionError("spent what proves nothing")


async def test_what_is_too_long_is_not_even_decoded(desk: WorkDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = packed(solved(desk.challenge(SITE)))
    assert len(payload) < LONGEST_PAYLOAD / 2
    monkeypatch.setattr(base64, "b64decode", None)
    assert not await desk.verify("A" * (LONGEST_PAYLOAD + 1), SITE)


async def test_checking_a_solution_derives_no_key(desk: WorkDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = packed(solved(desk.challenge(SITE)))
    monkeypatch.setattr("hashlib.pbkdf2_hmac", None)
    assert await desk.verify(payload, SITE)


def test_the_work_is_bounded_and_cannot_be_foretold(desk: WorkDesk) -> None:
    counters = {solved(desk.challenge(""))["solution"]["counter"] for _ in range(40)}
    assert min(counters) >= FEWEST_STEPS
    assert max(counters) < FEWEST_STEPS + MORE_STEPS
    assert len(counters) > 10


def test_a_challenge_is_what_the_protocol_says(desk: WorkDesk) -> None:
    challenge = json.loads(json.dumps(desk.challenge(SITE)))
    parameters = challenge["parameters"]
    assert (parameters["algorithm"], parameters["cost"], parameters["data"]) == ("PBKDF2/SHA-256", COST, {"site": SITE})
    assert 0 < parameters["expiresAt"] - utc_now().timestamp() <= 600
    assert len(challenge["signature"]) == 64


def test_a_key_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        make_desk(key=b"short")


# ---- over HTTP


def client_of(aiohttp_client: AiohttpClient, admit: Callable[[Address], Awaitable[bool]], desk: WorkDesk) -> Any:
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
    routes = WorkRoutes(desk=desk, teller=teller, admit=admit, clock=lambda: NOW)
    return aiohttp_client(make_app(public_routes(routes.routes())))


async def test_a_challenge_can_be_asked_for_and_solved(aiohttp_client: AiohttpClient, desk: WorkDesk) -> None:
    askers: list[Address] = []

    async def admit(asker: Address) -> bool:
        askers.append(asker)
        return True

    client: Client = await client_of(aiohttp_client, admit, desk)
    with capture_logs() as lines:
        response = await client.get(paths.API_CHALLENGE)
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert response.content_type == "application/json"
    assert await desk.verify(packed(solved(await response.json())), "")
    assert askers == [Address("web", "127.0.0.1")]
    assert lines == []


async def test_who_asks_for_too_many_challenges_gets_none(aiohttp_client: AiohttpClient, desk: WorkDesk) -> None:
    async def admit(_: Address) -> bool:
        return False

    client: Client = await client_of(aiohttp_client, admit, desk)
    response = await client.get(paths.API_CHALLENGE)
    assert (response.status, (await response.json())["type"]) == (429, "/problems/too-many-questions")


async def test_our_own_trouble_is_told_as_ours(aiohttp_client: AiohttpClient, desk: WorkDesk) -> None:
    async def admit(_: Address) -> bool:
        raise StoreUnavailable("away")

    client: Client = await client_of(aiohttp_client, admit, desk)
    response = await client.get(paths.API_CHALLENGE)
    assert (response.status, "Retry-After" in response.headers) == (503, True)
