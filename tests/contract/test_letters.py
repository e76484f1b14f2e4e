"""What an operator may do from outside with what did not leave (notifications.ports.Letters), beside who serves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.store.letters import StoreLetters, masked
from adapters.store.rows import to_ms
from domain.errors import StoreUnavailable
from tests.contract.stores import ACCOUNT, CODE, START, SqliteKit, Store, StoreKit

LATER = START + timedelta(hours=2)
FAILED = ("rejected", "stopped", "expired", "unknown")


@pytest.fixture
def letters(store_kit: StoreKit, store: Store) -> StoreLetters:
    """Beside an open store."""
    return StoreLetters(store_kit.outside())


async def filled(kit: StoreKit) -> dict[str, int]:
    """One row of each kind, by what it is."""
    later = kit.now_ms() + 60_000
    rows = {
        **{state: kit.notice(state=state) for state in (*FAILED, "accepted", "claimed", "merged", "dropped", "held")},
        "undelivered": kit.notice(state="accepted", delivery_status="undeliverable"),
        "doubt settled": kit.notice(state="unknown", delivery_status="delivered"),
        "sent on": kit.notice(state="rejected", params='{"kind":"ready","next":7}'),
        "broadcast": kit.notice(state="rejected", category="broadcast", priority=2),
        "reply": kit.notice(state="rejected", category="reply", priority=0),
        "ready": kit.notice(),
        "deferred": kit.notice(available_at=later, reason="quiet_hours"),
    }
    await kit.put("outbox", *({**row, "version": number} for number, row in enumerate(rows.values())))
    return {name: row["id"] for name, row in rows.items()}


async def test_a_store_that_is_locked_or_absent_says_so(store_kit: StoreKit, store: Store) -> None:
    letters = StoreLetters(store_kit.outside())
    row = store_kit.notice(state="rejected")
    await store_kit.put("outbox", row)
    if isinstance(store_kit, SqliteKit):
        store_kit.path = store_kit.folder / "absent.db"
        with pytest.raises(StoreUnavailable):
            await StoreLetters(store_kit.outside()).listed("dead", limit=1)
        return
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await letters.drop([row["id"]])
    assert (await store_kit.row("outbox", row["id"]))["state"] == "rejected"


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("dead", {*FAILED, "undelivered", "broadcast"}),
        ("deferred", {"deferred"}),
        ("held", {"held"}),
        ("ready", {"ready"}),
        ("all", {*FAILED, "undelivered", "broadcast", "deferred", "held", "ready"}),
    ],
)
async def test_what_did_not_leave_is_listed_by_id(
    store_kit: StoreKit, letters: StoreLetters, which: str, names: set[str]
) -> None:
    ids = await filled(store_kit)
    expected = sorted(ids[name] for name in names)
    assert [letter.id for letter in await letters.listed(which, limit=100)] == expected
    assert [letter.id for letter in await letters.listed(which, limit=1)] == expected[:1]
    assert [letter.id for letter in await letters.listed(which, limit=100, after=expected[0])] == expected[1:]


async def test_a_letter_shows_what_it_is_and_hides_whose_it_is(store_kit: StoreKit, letters: StoreLetters) -> None:
    await store_kit.put("outbox", store_kit.notice(state="rejected", reason="0x0b"))
    [letter] = await letters.listed("dead", limit=10)
    assert (letter.category, letter.kind, letter.state, letter.reason) == ("notice", "ready", "rejected", "0x0b")
    assert (letter.source, letter.dossier_code, letter.account) == ("province", CODE.reference, ACCOUNT)
    assert (letter.created_at, letter.recipient, letter.text) == (START, "84912***678", "Ho so da xong")


def test_of_a_short_address_only_the_end_is_shown() -> None:
    assert masked("84912345013") == "84912***013"
    assert masked("12345678") == "***678"


async def test_dead_ones_leave_once_more_and_nothing_else_does(
    store_kit: StoreKit, store: Store, letters: StoreLetters
) -> None:
    ids = await filled(store_kit)
    await store_kit.put("subscription", store_kit.following())
    dead = sorted(ids[name] for name in (*FAILED, "undelivered", "broadcast"))
    assert await letters.retry(ids.values(), expires_at=LATER) == dead
    row = await store_kit.row("outbox", ids["undelivered"])
    assert (row["state"], row["delivery_status"], row["settled_at"]) == ("ready", None, None)
    assert row["expires_at"] == to_ms(LATER)
    assert await letters.retry(ids.values(), expires_at=LATER) == []
    assert ids["broadcast"] in [message.id for message in await store.claim(ACCOUNT, 100)]


async def test_the_report_of_an_earlier_try_is_forgotten(store_kit: StoreKit, letters: StoreLetters) -> None:
    row = store_kit.notice(state="accepted", delivery_status="undeliverable", attempts=1)
    await store_kit.put("outbox", row)
    segment = {"outbox_id": row["id"], "attempt": 1, "segment": 1, "segments": 1, "account": ACCOUNT}
    told = {"command_status": 0, "submitted_at": 1, "report_status": "undeliverable", "report_at": 2}
    await store_kit.put("submission", {**segment, **told})
    await letters.retry([row["id"]], expires_at=LATER)
    [submission] = await store_kit.rows("submission")
    assert (submission["report_status"], submission["report_at"]) == (None, None)


async def test_what_waits_is_held_or_dead_can_be_dropped_and_what_left_cannot(
    store_kit: StoreKit, letters: StoreLetters
) -> None:
    ids = await filled(store_kit)
    gone = sorted(ids[name] for name in (*FAILED, "undelivered", "broadcast", "held", "ready", "deferred"))
    assert await letters.drop(ids.values()) == gone
    assert {(await store_kit.row("outbox", each))["reason"] for each in gone} == {"operator"}
    assert await letters.listed("all", limit=100) == []
    assert await letters.drop(gone) == []
