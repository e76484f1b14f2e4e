"""Attacks with the guards as they are shipped: how much somebody learns who has no right to, and what it costs us.

The bounds follow from the budgets: 10 distinct codes a day and 5 misses an hour for a number, 60 and 20 for a web
address, 30 misses an hour told to a block of either, 100 misses a day for the codes of one agency and day, of which five
of one asker count, 10 wrong proofs a day for one dossier. On the web a proof of work comes first after 3 misses of an
address in an hour or 10 of a block; what who does it gets is shown in tests/contract/test_enumeration.py. Misses may go
over by what is under way at one moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from domain.answers import Outcome
from tests.whole.attackers import CODES, EVERY, EXISTING, OWNED, OWNER, PREFIX, SECRET, WALKED, Town
from tests.whole.gateways import tell

AT_ONCE, A_MINUTE, A_DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
STRANGER = "84355512345"
SCATTERED = [f"84{70 + number % 29}{number:03d}0001"[:11] for number in range(200)]
CONSECUTIVE = [f"8435550{number:04d}" for number in range(200)]
CODES_A_DAY, PREFIX_MISSES, PROOFS_A_DAY = 10, 100, 10
MISSES_BEFORE_WORK, BLOCK_MISSES_BEFORE_WORK = 3, 10
REPLIES_A_DAY = 30 + 1  # and one refusal that is told
REPLIES_OF_A_BLOCK = 200
WALKED_THROUGH = PREFIX_MISSES // (EVERY - 1) + 1  # dossiers met on the way to a hundred misses
Client = TestClient[Any, Any]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    it = Town()
    yield it
    await it.close()


def shared_out(numbers: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str]]:
    """The numbers take turns."""
    return [(numbers[turn % len(numbers)], text) for turn, text in enumerate(texts)]


# ---- walking, by SMS


@pytest.mark.parametrize("within", [AT_ONCE, A_DAY])
async def test_one_number_that_walks_learns_no_more_than_its_codes_of_a_day(
    town: Town, capsys: pytest.CaptureFixture[str], within: timedelta
) -> None:
    await town.hear_all(shared_out([STRANGER], CODES), within=within)
    tell(capsys, f"1 number, {WALKED} codes in {within}: {row(town)}")
    assert len(town.source.reads) <= CODES_A_DAY
    assert len(town.learnt) <= CODES_A_DAY
    assert town.replies <= REPLIES_A_DAY


async def test_one_number_that_sends_all_at_once_in_a_batch_learns_no_more(town: Town) -> None:
    await town.hear(*shared_out([STRANGER], CODES))
    assert len(town.source.reads) <= CODES_A_DAY
    assert town.replies <= CODES_A_DAY + 1


@pytest.mark.parametrize("numbers", [SCATTERED, CONSECUTIVE], ids=["scattered", "consecutive"])
async def test_two_hundred_numbers_that_walk_are_stopped_by_the_misses_of_the_prefix(
    town: Town, capsys: pytest.CaptureFixture[str], numbers: Sequence[str]
) -> None:
    assert len(set(numbers)) == 200
    with capture_logs() as logs:
        await town.hear_all(shared_out(numbers, CODES), within=A_DAY / 2)
    kind = "scattered" if numbers is SCATTERED else "consecutive"
    tell(capsys, f"200 {kind} numbers, {WALKED} codes in half a day: {row(town)}")
    assert len(town.learnt) <= WALKED_THROUGH
    assert town.alarms["prefix_walked"] == 1
    assert [line["prefix"] for line in logs if line["event"] == "guard.prefix_walked"] == [PREFIX]
    assert town.replies <= WALKED


async def test_numbers_of_one_block_share_their_misses_of_an_hour(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = await town.hear_all(shared_out(CONSECUTIVE, CODES), within=A_MINUTE)
    tell(capsys, f"200 consecutive numbers, {WALKED} codes in a minute: {row(town)}")
    assert sum(each.outcome is Outcome.NOT_FOUND for each in decided) <= 30
    assert len(town.learnt) <= WALKED_THROUGH
    assert town.replies <= REPLIES_OF_A_BLOCK + len(CONSECUTIVE)  # each number is told once that the block is busy


async def test_a_walk_that_arrives_in_one_moment_is_stopped_by_the_codes_of_each_number(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is known of misses yet: this is what may be under way. The next moment nothing more is told."""
    await town.hear(*shared_out(SCATTERED, CODES))
    tell(capsys, f"200 scattered numbers, {WALKED} codes in one batch: {row(town)}")
    assert len(town.source.reads) <= 200 * CODES_A_DAY
    before = set(town.learnt)
    await town.hear(*[(f"84911{number:06d}", code) for number, code in enumerate(sorted(EXISTING))])
    assert town.learnt == before


async def test_the_owner_is_answered_while_the_prefix_of_his_dossier_is_walked(town: Town) -> None:
    await town.hear_all(shared_out(SCATTERED, CODES[EVERY:]), within=A_MINUTE)
    assert town.alarms["prefix_walked"] == 1
    (stranger,) = await town.hear((STRANGER, OWNED))
    (unknown,) = await town.hear((STRANGER, CODES[0]))
    (owner,) = await town.hear((OWNER, OWNED))
    (by_secret,) = await town.hear(("84355599999", f"{OWNED} MK {SECRET}"))
    assert stranger.outcome is unknown.outcome is Outcome.REFUSED
    assert (stranger.text or "").replace(OWNED, "") == (unknown.text or "").replace(CODES[0], "")
    assert owner.outcome is by_secret.outcome is Outcome.FOUND
    assert "Cap giay chung nhan" in (owner.text or "")


# ---- walking, over the web


async def walk(client: Client, addresses: Sequence[str]) -> list[int]:
    """Every code, with the addresses in turn as the asker claims them; the statuses."""
    statuses = []
    for turn, code in enumerate(CODES):
        headers = {"X-Forwarded-For": addresses[turn % len(addresses)]} if addresses else {}
        async with client.get(f"/api/v1/dossiers/{code}", headers=headers) as response:
            statuses.append(response.status)
    return statuses


SUBNET = [f"2001:db8:1:2::{number:x}" for number in range(1, 1_001)]
STREETS = [f"198.51.100.{number}" for number in range(1, 201)]


@pytest.mark.parametrize(
    ("addresses", "trusted"),
    [((), ()), (SUBNET, ("127.0.0.0/8",)), (STREETS, ())],
    ids=["one address", "one /64 behind a declared proxy", "undeclared proxy"],
)
async def test_whoever_walks_over_the_web_is_one_asker_however_many_addresses_he_shows(
    town: Town,
    aiohttp_client: AiohttpClient,
    capsys: pytest.CaptureFixture[str],
    addresses: Sequence[str],
    trusted: Sequence[str],
) -> None:
    statuses = await walk(await aiohttp_client(town.listener(*trusted)), addresses)
    found, missed = statuses.count(HTTPStatus.OK), statuses.count(HTTPStatus.NOT_FOUND)
    worked, refused = statuses.count(HTTPStatus.FORBIDDEN), statuses.count(HTTPStatus.TOO_MANY_REQUESTS)
    tell(
        capsys,
        f"web, {len(addresses) or 1} addresses shown: {found} learnt, {missed} not found, {worked} told to work, read "
        f"{len(town.source.reads)}",
    )
    assert missed <= MISSES_BEFORE_WORK
    assert found + missed + worked <= 30
    assert refused == WALKED - found - missed - worked


async def test_two_hundred_addresses_of_one_block_share_its_misses(
    town: Town, aiohttp_client: AiohttpClient, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = await walk(await aiohttp_client(town.listener("127.0.0.0/8")), STREETS)
    found, missed = statuses.count(HTTPStatus.OK), statuses.count(HTTPStatus.NOT_FOUND)
    tell(capsys, f"web, 200 addresses of one /24: {found} learnt, {missed} not found")
    assert missed <= BLOCK_MISSES_BEFORE_WORK
    assert found <= WALKED_THROUGH


# ---- guessing


DIGITS = [f"{OWNED} SDT {guess:04d}" for guess in range(1_000)]
SECRETS = [f"{OWNED} MK GUESS{guess:04d}" for guess in range(1_000)]


@pytest.mark.parametrize("numbers", [[STRANGER], SCATTERED], ids=["one number", "200 numbers"])
@pytest.mark.parametrize("guesses", [DIGITS, SECRETS], ids=["last four digits", "secret"])
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "over a day"])
async def test_a_proof_is_guessed_at_ten_times_a_day_whoever_guesses(
    town: Town, capsys: pytest.CaptureFixture[str], numbers: Sequence[str], guesses: Sequence[str], *, at_once: bool
) -> None:
    guessed = shared_out(numbers, guesses)
    decided = await (town.hear(*guessed) if at_once else town.hear_all(guessed, within=A_DAY * 0.9))
    judged = sum(each.outcome is Outcome.NOT_FOUND for each in decided)
    tell(capsys, f"{len(numbers)} numbers guess {len(guesses)} proofs ({at_once=}): {judged} judged, {row(town)}")
    assert judged <= PROOFS_A_DAY
    assert town.learnt == set()
    (owner,) = await town.hear((OWNER, OWNED))
    assert owner.outcome is Outcome.FOUND


async def test_who_knows_the_proof_is_not_locked_out_by_using_it(town: Town) -> None:
    told = [await town.hear((number, f"{OWNED} SDT {OWNER[-4:]}")) for number in SCATTERED[:20]]
    assert {decision.outcome for (decision,) in told} == {Outcome.FOUND}


# ---- attacks on the others


async def test_the_neighbours_of_a_walker_are_told_what_there_is(town: Town) -> None:
    """Six numbers of a block spend its misses; whoever has a number near theirs did nothing."""
    guesses = shared_out(CONSECUTIVE[:6], CODES[: EVERY - 1] + CODES[EVERY : EVERY + 6])
    await town.hear_all(guesses, within=A_MINUTE)
    innocent, mistaken = "84355509999", "84355508888"
    assert (await town.hear((innocent, OWNED)))[0].outcome is Outcome.FOUND
    wrong = [(await town.hear((mistaken, CODES[0])))[0] for _ in range(3)]
    assert [each.outcome for each in wrong] == [Outcome.REFUSED] * 3
    assert "qua nhieu tin" in (wrong[0].text or "")
    assert [each.text for each in wrong[1:]] == [None, None]
    assert (await town.hear((mistaken, OWNED)))[0].outcome is Outcome.FOUND
    assert (await town.hear((OWNER, OWNED)))[0].outcome is Outcome.FOUND


async def test_where_misses_are_refused_a_wrong_proof_reads_as_a_code_that_nobody_knows(town: Town) -> None:
    guesses = shared_out(CONSECUTIVE[:6], CODES[: EVERY - 1] + CODES[EVERY : EVERY + 6])
    await town.hear_all(guesses, within=A_MINUTE)
    (wrong,) = await town.hear(("84355509999", f"{OWNED} MK 9Z9Z9Z"))
    (unknown,) = await town.hear(("84355508888", f"{CODES[0]} MK 9Z9Z9Z"))
    (right,) = await town.hear(("84355507777", f"{OWNED} MK {SECRET}"))
    assert wrong == unknown
    assert wrong.outcome is Outcome.REFUSED
    assert right.outcome is Outcome.FOUND


async def test_a_block_that_has_sent_too_much_is_told_so_number_by_number(town: Town) -> None:
    await town.hear(*[(number, "HELP") for number in CONSECUTIVE])
    innocent = [(await town.hear(("84355509999", OWNED)))[0] for _ in range(2)]
    assert [each.outcome for each in innocent] == [Outcome.REFUSED] * 2
    assert "So nay" not in (innocent[0].text or "")
    assert "qua nhieu tin" in (innocent[0].text or "")
    assert innocent[1].text is None


# ---- loops


async def test_two_answering_machines_stop(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    (decision,) = await town.hear((STRANGER, OWNED))
    for _ in range(1_000):
        if decision.text is not None:
            text = decision.text
        (decision,) = await town.hear((STRANGER, f"Tu dong tra loi: {text}"))
        town.now += A_DAY / 1_000
    tell(capsys, f"an answering machine, 1,000 messages in a day: {row(town)}")
    assert town.replies <= REPLIES_A_DAY + 1


def row(town: Town) -> str:
    return f"{len(town.learnt)} learnt, {len(town.source.reads)} read, {town.replies} replies"
