"""What no page can be relied on for, on both engines: whose list it is, what may leave at all, and who sees a number."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection

from console.broadcasts.ports import TESTED, TESTS_A_DAY, FileRow, Standing, Upload
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastAction, Refusal
from domain.message import Category, OutboundMessage
from domain.officers import Officer, OfficerRole
from notifications.ports import UnderWay
from tests.contract.broadcasting import (
    APPROVER,
    AUTHOR,
    BASIS,
    FITNESS,
    FOLLOWERS,
    SCOPE,
    done,
    draft,
    follow,
    noted,
    office,
    officer,
    person,
    running,
    submitted,
    written,
)
from tests.contract.stores import ACCOUNT, SHORT_CODE, Store, StoreKit

A: TypeAlias = BroadcastAction
FILE = Audience(kind=AudienceKind.FILE, agencies=("H51.18",), basis=BASIS.words)
NUMBERS = replace(FILE, kind=AudienceKind.NUMBERS)
TO_NAMES = {"vi": "Chào {ten}"}
ELSEWHERE = frozenset({"H51.19"})


def rows(*numbers: int, ten: str = "Lan") -> list[FileRow]:
    return [FileRow(position=n, recipient=person(n), values={"ten": ten}) for n in numbers]


async def drafted(kit: StoreKit, store: Store, **changes: Any) -> Broadcast:
    """To a list, unless told otherwise."""
    chosen = draft(**{"audience": FILE, "texts": TO_NAMES, **changes})
    made = await office(store).create(kit.new_id(), chosen, AUTHOR, SCOPE, noted(kit))
    assert isinstance(made, Standing), made
    return made.broadcast


async def take(kit: StoreKit, store: Store, it: Broadcast, upload: Upload) -> Any:
    return await office(store).take_rows(it.id, it.version, upload, AUTHOR, SCOPE, noted(kit))


async def listed(kit: StoreKit, store: Store, *people: int, ten: str = "Lan", **changes: Any) -> Broadcast:
    """A draft with a list that was taken."""
    it = await drafted(kit, store, **changes)
    upload = Upload(id=kit.new_id(), digest="d", rows=len(people), columns=("ten",))
    assert await office(store).add_rows(it.id, upload.id, rows(*people, ten=ten), SCOPE) == len(people)
    taken = await take(kit, store, it, upload)
    assert isinstance(taken, Standing), taken
    return taken.broadcast


async def act(kit: StoreKit, store: Store, it: Broadcast, action: A, by: Officer, **changes: Any) -> Any:
    fitness = replace(FITNESS, **changes)
    return await office(store, fitness).act(it.id, it.version, action, by, SCOPE, noted(kit, by))


async def change(kit: StoreKit, statement: str) -> None:
    """Behind our back."""
    await kit.outside().writing(partial(_say, statement))


def _say(statement: str, connection: Connection, now: int) -> None:
    connection.exec_driver_sql(statement)


# ---- whose list it is


async def test_a_list_of_another_broadcast_is_not_taken(store_kit: StoreKit, store: Store) -> None:
    mine, theirs = await drafted(store_kit, store), await drafted(store_kit, store)
    upload = Upload(id=store_kit.new_id(), digest="d", rows=2, columns=("ten",))
    assert await office(store).add_rows(theirs.id, upload.id, rows(1, 2), SCOPE) == 2
    assert await take(store_kit, store, mine, upload) is Refusal.NO_LIST
    found = await office(store).find(mine.id, SCOPE)
    assert found is not None
    assert (found.rows, found.broadcast.audience.file, found.broadcast.version) == (0, "", mine.version)
    assert isinstance(await take(store_kit, store, theirs, upload), Standing)


async def test_a_list_of_which_something_is_missing_is_not_taken(store_kit: StoreKit, store: Store) -> None:
    it = await drafted(store_kit, store)
    upload = Upload(id=store_kit.new_id(), digest="d", rows=3)
    await office(store).add_rows(it.id, upload.id, rows(1, 2), SCOPE)
    assert await take(store_kit, store, it, upload) is Refusal.NO_LIST
    assert await take(store_kit, store, it, Upload(id=7, digest="d", rows=0)) is Refusal.NO_LIST


async def test_a_row_that_points_to_anothers_list_reaches_nobody(store_kit: StoreKit, store: Store) -> None:
    theirs = await listed(store_kit, store, 1, 2)
    mine = await listed(store_kit, store, 3)
    await change(
        store_kit,
        f"UPDATE broadcast SET upload = (SELECT upload FROM broadcast WHERE id = {theirs.id}), row_count = 2"
        f" WHERE id = {mine.id}",
    )
    assert (await office(store).count(FILE, SCOPE, identifier=mine.id)).total == 0
    assert await office(store).preview(FILE, SCOPE, identifier=mine.id, limit=9) == []
    assert (await store.mass_mail().stretch(UnderWay(broadcast=mine), 9)).candidates == ()
    assert await act(store_kit, store, mine, A.SUBMIT, AUTHOR) is Refusal.EMPTY


async def test_nothing_of_a_list_is_told_or_added_to_from_another_agency(store_kit: StoreKit, store: Store) -> None:
    it = await listed(store_kit, store, 1, 2)
    broadcasts, upload = office(store), store_kit.new_id()
    assert await broadcasts.add_rows(it.id, upload, rows(3), ELSEWHERE) == 0
    for scope in (ELSEWHERE, frozenset[str]()):
        assert (await broadcasts.count(FILE, scope, identifier=it.id)).dossiers == 0
        assert await broadcasts.preview(FILE, scope, identifier=it.id, limit=9) == []
    theirs = replace(FILE, agencies=("H51.19",))
    assert (await broadcasts.count(theirs, ELSEWHERE, identifier=it.id)).dossiers == 0


async def test_only_dossiers_within_reach_are_counted(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1, 2)
    await follow(store_kit, 3, agency="H51.19")
    both = replace(FOLLOWERS, agencies=("H51.18", "H51.19"))
    assert (await office(store).count(both, SCOPE)).people == {"sms": 2}
    assert len(await office(store).preview(both, SCOPE, limit=9)) == 2


async def test_what_is_submitted_is_added_to_by_nobody(store_kit: StoreKit, store: Store) -> None:
    it = await done(store_kit, store, await listed(store_kit, store, 1), A.SUBMIT, AUTHOR)
    assert await office(store).add_rows(it.id, store_kit.new_id(), rows(2), SCOPE) == 0


async def test_a_list_is_still_there_when_the_draft_comes_back_to_it(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 5)
    it = await listed(store_kit, store, 1, 2)
    for audience in (FOLLOWERS, NUMBERS, FILE):
        changed = draft(audience=audience, texts=TO_NAMES if audience is FILE else {"vi": "Nghỉ lễ"})
        edited = await office(store).edit(it.id, it.version, changed, AUTHOR, SCOPE, noted(store_kit))
        assert isinstance(edited, Standing)
        it = edited.broadcast
        assert (it.audience.file, edited.rows, edited.columns) == ("d", 2, ["ten"])
    it = await done(store_kit, store, it, A.SUBMIT, AUTHOR)
    assert it.people == 2


async def test_a_resend_of_a_resend_goes_to_the_list_of_the_first(store_kit: StoreKit, store: Store) -> None:
    it, broadcasts = await listed(store_kit, store, 1, 2, 3, canary=0), office(store)
    for failing in (2, 1):
        it = await done(store_kit, store, it, A.SUBMIT, AUTHOR)
        it = await done(store_kit, store, it, A.APPROVE, APPROVER)
        assert await store.mass_mail().move(it, A.START, store_kit.new_id(), seal=it.seal)
        [under_way] = [each for each in await store.mass_mail().under_way() if each.broadcast.id == it.id]
        await written(store_kit, store, under_way, *map(person, range(1, failing + 1)))
        await change(store_kit, f"UPDATE outbox SET state = 'rejected' WHERE broadcast_id = {it.id}")
        store_kit.clock.advance(2)
        await store.mass_mail().tally(it.id, stretches=5)
        [under_way] = [each for each in await store.mass_mail().under_way() if each.broadcast.id == it.id]
        assert await store.mass_mail().move(under_way.broadcast, A.FINISH, store_kit.new_id())
        resent = await broadcasts.resend(it.id, store_kit.new_id(), AUTHOR, SCOPE, noted(store_kit))
        assert isinstance(resent, Standing), resent
        it = resent.broadcast
        assert (await broadcasts.count(it.audience, SCOPE, identifier=it.id)).total == failing


# ---- what may leave at all


async def test_to_a_list_nothing_is_submitted_before_the_list_is_there(store_kit: StoreKit, store: Store) -> None:
    it = await drafted(store_kit, store)
    assert await act(store_kit, store, it, A.SUBMIT, AUTHOR) is Refusal.NO_LIST
    await office(store).add_rows(it.id, store_kit.new_id(), rows(1), SCOPE)
    assert await act(store_kit, store, it, A.SUBMIT, AUTHOR) is Refusal.NO_LIST


@pytest.mark.parametrize("action", [A.SUBMIT, A.APPROVE])
async def test_a_list_that_is_not_whole_any_more_goes_nowhere(store_kit: StoreKit, store: Store, action: A) -> None:
    it = await listed(store_kit, store, 1, 2)
    by = AUTHOR
    if action is A.APPROVE:
        it, by = await done(store_kit, store, it, A.SUBMIT, AUTHOR), APPROVER
    await change(store_kit, f"DELETE FROM broadcast_row WHERE broadcast_id = {it.id} AND position = 2")
    assert await act(store_kit, store, it, action, by) is Refusal.NO_LIST


UNFIT: Mapping[str, tuple[dict[str, str], Refusal]] = {
    "no Vietnamese": ({"en": "Closed on 30 April"}, Refusal.EMPTY),
    "Vietnamese of nothing": ({"vi": "  ", "en": "Closed"}, Refusal.EMPTY),
    "no text": ({}, Refusal.EMPTY),
    "too long": ({"vi": "x" * 307}, Refusal.TOO_LONG),
    "too long in Khmer": ({"vi": "Nghỉ", "km": "ក" * 135}, Refusal.TOO_LONG),
    "too long with the longest values": ({"vi": "x" * 270 + "{thu_tuc}"}, Refusal.TOO_LONG),
    "a place nobody fills": ({"vi": "Chào {ten}"}, Refusal.BAD_TEXT),
    "signs that cannot be sent": ({"vi": "Nghỉ\x00"}, Refusal.BAD_TEXT),
}


@pytest.mark.parametrize(("texts", "refusal"), UNFIT.values(), ids=UNFIT)
async def test_no_hand_made_form_submits_what_is_unfit(
    store_kit: StoreKit, store: Store, texts: dict[str, str], refusal: Refusal
) -> None:
    await follow(store_kit, 1)
    it = await drafted(store_kit, store, audience=FOLLOWERS, texts=texts)
    assert await act(store_kit, store, it, A.SUBMIT, AUTHOR) is refusal
    found = await office(store).find(it.id, SCOPE)
    assert found is not None
    assert found.broadcast == it


async def test_what_became_unfit_after_it_was_submitted_is_not_approved(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await submitted(store_kit, store, texts={"vi": "x" * 200})
    assert await act(store_kit, store, it, A.APPROVE, APPROVER, most_segments=1) is Refusal.TOO_LONG
    lawful = await submitted(store_kit, store, audience=NUMBERS)
    assert await act(store_kit, store, lawful, A.APPROVE, APPROVER, bases=()) is Refusal.NO_BASIS
    assert isinstance(await act(store_kit, store, lawful, A.APPROVE, APPROVER), Standing)


async def test_only_a_basis_declared_for_all_agencies_opens_numbers(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    it = await drafted(store_kit, store, audience=replace(NUMBERS, basis="Vì tôi muốn"), texts={"vi": "Nghỉ"})
    assert await act(store_kit, store, it, A.SUBMIT, AUTHOR) is Refusal.NO_BASIS
    elsewhere = (replace(BASIS, agency="H51.19"),)
    lawful = await drafted(store_kit, store, audience=NUMBERS, texts={"vi": "Nghỉ"})
    assert await act(store_kit, store, lawful, A.SUBMIT, AUTHOR, bases=elsewhere) is Refusal.NO_BASIS
    assert isinstance(await act(store_kit, store, lawful, A.SUBMIT, AUTHOR), Standing)


@pytest.mark.parametrize(
    ("value", "fits"),
    [("x" * 35, True), ("x" * 36, False), ("€" * 17, True), ("€" * 18, False), ("漢", False), ("Nguyễn Thị Đào", True)],
)
async def test_the_longest_text_is_that_of_the_list_itself(
    store_kit: StoreKit, store: Store, value: str, *, fits: bool
) -> None:
    """271 signs of seven bits leave room for 35 in two segments; one sign outside them leaves room for none."""
    it = await listed(store_kit, store, 1, ten="An", texts={"vi": "x" * 271 + "{ten}"})
    await change(store_kit, f"""UPDATE broadcast_row SET cells = '{{"ten": "{value}"}}' WHERE broadcast_id = {it.id}""")
    acted = await act(store_kit, store, it, A.SUBMIT, AUTHOR)
    assert isinstance(acted, Standing) if fits else acted is Refusal.TOO_LONG


async def test_an_audience_is_not_submitted_by_a_version_that_was_not_looked_at(
    store_kit: StoreKit, store: Store
) -> None:
    """Who guesses the next version does not have one audience counted and another sealed."""
    await follow(store_kit, 1)
    it = await drafted(store_kit, store, audience=FOLLOWERS, texts={"vi": "Nghỉ"})
    guessed = replace(it, version=it.version + 1)
    assert await act(store_kit, store, guessed, A.SUBMIT, AUTHOR) is Refusal.CHANGED


# ---- who sees a number


async def test_numbers_in_full_are_for_who_may_search_by_them(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    under_way = await written(store_kit, store, await running(store_kit, store), person(1))
    broadcasts, it = office(store), under_way.broadcast.id
    operator = officer(40, OfficerRole.OPERATOR)
    for role in OfficerRole:
        by = officer(50, role)
        shown = await broadcasts.results(it, by, SCOPE, limit=9)
        full = await broadcasts.results(it, by, SCOPE, limit=9, unmasked=True)
        assert shown is None or [row.recipient for row in shown] == ["84910***001"], role
        assert (full is not None) == (role is OfficerRole.OPERATOR), role
    [row] = await broadcasts.results(it, operator, SCOPE, limit=9, unmasked=True) or ()
    assert row.recipient == person(1).value
    assert await broadcasts.results(it, operator, ELSEWHERE, limit=9, unmasked=True) is None


# ---- to oneself


async def test_tests_of_one_moment_are_counted_one_after_the_other(store_kit: StoreKit, store: Store) -> None:
    await follow(store_kit, 1)
    drafts = [await drafted(store_kit, store, audience=FOLLOWERS, texts={"vi": "Nghỉ"}) for _ in range(3)]
    now = store_kit.clock.now

    async def sent(number: int) -> Any:
        test = OutboundMessage(
            id=store_kit.new_id(),
            channel="sms",
            account=ACCOUNT,
            category=Category.BROADCAST,
            recipient=person(9),
            sender=SHORT_CODE,
            text="thu",
            created_at=now,
            expires_at=now + timedelta(minutes=5),
        )
        it = drafts[number % len(drafts)]
        return await office(store).test(it.id, test, AUTHOR, SCOPE, noted(store_kit, AUTHOR, TESTED, it.id))

    acted = await asyncio.gather(*(sent(number) for number in range(TESTS_A_DAY + 5)))
    assert TESTS_A_DAY == 10
    assert Counter(type(each) for each in acted) == {Standing: TESTS_A_DAY, Refusal: 5}
    assert len(await store_kit.rows("outbox")) == TESTS_A_DAY
