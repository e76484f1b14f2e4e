"""The promises of console.accounts.ports, for every store and from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from adapters.store.officers import StoreOfficers
from adapters.store.outside import OutsideSteps
from console.accounts.ports import Account, AuditEntry, AuditSearch, Changed, Session, SessionEnd
from domain.errors import StoreError, StoreUnavailable
from domain.officers import Officer, OfficerRole
from tests.contract.stores import SqliteKit, Store, StoreKit

TRIES: Mapping[str, Any] = {"lock_after": 3, "lock_for": timedelta(minutes=15)}
SECRET = "JBSWY3DPEHPK3PXP"
EVERYBODYS = AuditSearch(agencies=None)


def account(kit: StoreKit, login: str = "an", **changes: Any) -> Account:
    of_account = {name: changes.pop(name) for name in ("totp_secret", "totp_step") if name in changes}
    values = {"name": "Trần Văn An", "agency": "H13.01", "roles": frozenset({OfficerRole.AUTHOR})}
    officer = Officer(id=kit.new_id(), login=f"{login}.h13", created_at=kit.clock.now, **{**values, **changes})
    return Account(officer=officer, password_hash="hash", must_set_password=True, created_by="tracuu", **of_account)


def noted(kit: StoreKit, action: str = "officer.added", **changes: Any) -> AuditEntry:
    values = {"officer_id": 1, "login": "chi", "agency": "H13", "about": "officer:7", "address": "10.0.0.1"}
    return AuditEntry(id=kit.new_id(), at=kit.clock.now, action=action, **{**values, **changes})


def session(kit: StoreKit, whose: Account, digest: str = "d1") -> Session:
    now = kit.clock.now
    return Session(
        digest=digest, officer_id=whose.officer.id, created_at=now, seen_at=now, address="10.0.0.1", agent="Firefox"
    )


async def added(kit: StoreKit, store: Store, login: str = "an", **changes: Any) -> Account:
    made = account(kit, login, **changes)
    assert await store.officers().add(made, noted(kit))
    return made


async def signed_in(kit: StoreKit, store: Store, whose: Account, *digests: str) -> None:
    for digest in digests:
        begun = session(kit, whose, digest)
        assert await store.officers().admit(whose, step=None, password_hash="hash", session=begun, noted=None)


# ---- accounts


async def test_a_login_is_given_once_and_the_second_leaves_no_trace(store_kit: StoreKit, store: Store) -> None:
    first = await added(store_kit, store)
    again = replace(first, officer=replace(first.officer, id=store_kit.new_id(), name="Người khác"))
    assert not await store.officers().add(again, noted(store_kit))
    assert await store.officers().find(first.officer.id) == first
    assert await store.officers().find_login("an.h13") == first
    assert await store.officers().find(again.officer.id) is None
    assert len(await store_kit.rows("audit")) == 1


async def test_officers_are_listed_by_login_of_the_agencies_asked_for(store_kit: StoreKit, store: Store) -> None:
    for login, agency in (("an", "H13.01"), ("binh", "H13"), ("chi", "H13.1")):
        await added(store_kit, store, login, agency=agency)

    async def listed(agencies: frozenset[str] | None, after: str = "", limit: int = 9) -> list[str]:
        return [each.officer.login for each in await store.officers().listed(agencies, after=after, limit=limit)]

    assert await listed(frozenset({"H13.01", "H13.02"})) == ["an.h13"]
    assert await listed(frozenset()) == []
    assert await listed(None, limit=2) == ["an.h13", "binh.h13"]
    assert await listed(None, after="an.h13") == ["binh.h13", "chi.h13"]


async def test_a_change_of_what_moved_meanwhile_changes_nothing(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    seen, officers = kept.officer, store.officers()
    wanted = replace(seen, name="An", agency="H13.02", roles=frozenset({OfficerRole.INTAKE, OfficerRole.APPROVER}))
    assert await officers.change(seen, wanted, noted(store_kit)) is Changed.DONE
    assert await officers.change(seen, seen, noted(store_kit)) is Changed.MOVED
    assert await officers.reset(seen, "theirs", noted(store_kit)) is Changed.MOVED
    assert await officers.close(seen, store_kit.clock.now, noted(store_kit)) is Changed.MOVED
    now = await officers.find(seen.id)
    assert now is not None
    assert (now.officer, now.password_hash) == (wanted, "hash")
    assert len(await store_kit.rows("audit")) == 2


async def test_closing_ends_the_sessions_and_can_be_taken_back(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    await signed_in(store_kit, store, kept, "d1", "d2")
    officers = store.officers()
    assert await officers.close(kept.officer, store_kit.clock.now, noted(store_kit)) is Changed.DONE
    assert await store.sessions().of(kept.officer.id) == []
    assert not await officers.admit(kept, step=None, password_hash="hash", session=None, noted=None)
    closed = replace(kept.officer, disabled_at=store_kit.clock.now)
    assert await officers.close(closed, None, noted(store_kit)) is Changed.DONE
    assert await officers.admit(kept, step=None, password_hash="hash", session=None, noted=None)


async def test_the_last_operator_stays_one(store_kit: StoreKit, store: Store) -> None:
    first, second = [
        await added(store_kit, store, login, roles=frozenset({OfficerRole.OPERATOR})) for login in ("an", "binh")
    ]
    officers, less = store.officers(), frozenset({OfficerRole.INSPECTOR})
    assert await officers.close(first.officer, store_kit.clock.now, noted(store_kit)) is Changed.DONE
    closing = officers.close(second.officer, store_kit.clock.now, noted(store_kit))
    assert await closing is Changed.LAST_OPERATOR
    wanted = replace(second.officer, roles=less)
    assert await officers.change(second.officer, wanted, noted(store_kit)) is Changed.LAST_OPERATOR
    now = await officers.find(second.officer.id)
    assert now is not None
    assert now.officer == second.officer


async def test_two_operators_closed_at_once_leave_one(store_kit: StoreKit, store: Store) -> None:
    both = [await added(store_kit, store, login, roles=frozenset({OfficerRole.OPERATOR})) for login in ("an", "binh")]
    now = store_kit.clock.now
    ended = await asyncio.gather(
        *(store.officers().close(each.officer, now, noted(store_kit)) for each in both), return_exceptions=True
    )
    assert sum(each is Changed.DONE for each in ended) <= 1
    assert [row for row in await store_kit.rows("officer") if row["disabled_at"] is None]


async def test_a_reset_takes_the_second_factor_the_lock_and_the_sessions(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store, totp_secret=SECRET, totp_step=5)
    officers = store.officers()
    assert await officers.admit(kept, step=6, password_hash="hash", session=session(store_kit, kept), noted=None)
    for _ in range(3):
        await officers.attempt("an.h13", store_kit.clock.now, **TRIES)
    assert await officers.reset(kept.officer, "given", noted(store_kit)) is Changed.DONE
    now = await officers.find(kept.officer.id)
    assert now == replace(kept, password_hash="given", totp_secret="", totp_step=None)
    assert await store.sessions().find("d1") is None


async def test_ones_own_password_ends_all_sessions_and_begins_one(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    await signed_in(store_kit, store, kept, "d1", "d2")
    renewed = session(store_kit, kept, "d3")
    await store.officers().set_password(kept.officer.id, "own", renewed=renewed, noted=noted(store_kit))
    assert await store.sessions().of(kept.officer.id) == [renewed]
    now = await store.officers().find(kept.officer.id)
    assert now is not None
    assert (now.password_hash, now.must_set_password) == ("own", False)


async def test_a_second_factor_counts_once_it_is_confirmed_and_by_its_own_secret(
    store_kit: StoreKit, store: Store
) -> None:
    kept = await added(store_kit, store)
    officers, whose = store.officers(), kept.officer.id
    await officers.begin_totp(whose, "OLD", keep="", noted=noted(store_kit))
    await officers.begin_totp(whose, SECRET, keep="", noted=noted(store_kit))
    begun = await officers.find(whose)
    assert begun is not None
    assert not begun.has_second_factor
    note, again = noted(store_kit), session(store_kit, kept, "d2")
    assert not await officers.confirm_totp(whose, "OLD", 7, renewed=again, noted=note)
    assert await officers.confirm_totp(whose, SECRET, 7, renewed=again, noted=note)
    assert not await officers.confirm_totp(
        whose, SECRET, 8, renewed=session(store_kit, kept, "d3"), noted=noted(store_kit)
    )
    assert await store.sessions().of(whose) == [again]
    there = await officers.find(whose)
    assert there is not None
    assert (there.has_second_factor, there.totp_step) == (True, 7)


async def test_the_present_second_factor_holds_until_the_next_is_confirmed(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store, totp_secret=SECRET, totp_step=7)
    begun = session(store_kit, kept)
    assert await store.officers().admit(kept, step=8, password_hash="hash", session=begun, noted=None)
    await store.officers().begin_totp(kept.officer.id, "NEXT", keep="", noted=noted(store_kit))
    assert await store.sessions().of(kept.officer.id) == [], "each of them would show the next secret"
    waiting = await store.officers().find(kept.officer.id)
    assert waiting is not None
    assert (waiting.totp_secret, waiting.totp_step, waiting.totp_pending) == (SECRET, 8, "NEXT")
    assert waiting.has_second_factor
    renewed = session(store_kit, kept, "d2")
    assert await store.officers().confirm_totp(kept.officer.id, "NEXT", 9, renewed=renewed, noted=noted(store_kit))
    now = await store.officers().find(kept.officer.id)
    assert now is not None
    assert (now.totp_secret, now.totp_step, now.totp_pending) == ("NEXT", 9, "")


async def test_the_language_is_kept(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    await store.officers().set_language(kept.officer.id, "en")
    now = await store.officers().find(kept.officer.id)
    assert now is not None
    assert now.officer.language == "en"


# ---- signing in


async def test_of_many_tries_at_once_no_more_are_judged_than_of_tries_in_a_row(
    store_kit: StoreKit, store: Store
) -> None:
    await added(store_kit, store)
    now = store_kit.clock.now
    tries = await asyncio.gather(*(store.officers().attempt("an.h13", now, **TRIES) for _ in range(8)))
    assert [each.allowed for each in tries if each is not None].count(True) == 3
    assert [each.locking for each in tries if each is not None].count(True) == 1
    assert await store.officers().attempt("nobody", now, **TRIES) is None


async def test_a_lock_is_over_in_time_and_the_right_password_forgets_the_count(
    store_kit: StoreKit, store: Store
) -> None:
    kept = await added(store_kit, store)
    officers = store.officers()
    for _ in range(4):
        await officers.attempt("an.h13", store_kit.clock.now, **TRIES)
    last = store_kit.clock.advance(15 * 60 - 1)
    barred = await officers.attempt("an.h13", last, **TRIES)
    assert barred is not None
    assert not barred.allowed
    after = await officers.attempt("an.h13", store_kit.clock.advance(1), **TRIES)
    assert after is not None
    assert (after.allowed, after.locking) == (True, False)
    assert await officers.admit(kept, step=None, password_hash="new", session=None, noted=noted(store_kit))
    now = await officers.find(kept.officer.id)
    assert now == replace(kept, password_hash="new")


async def test_a_code_is_used_once_even_by_two_at_once(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store, totp_secret=SECRET, totp_step=5)
    admitted = await asyncio.gather(
        *(
            store.officers().admit(
                kept, step=6, password_hash="hash", session=session(store_kit, kept, digest), noted=None
            )
            for digest in ("d1", "d2", "d3")
        )
    )
    assert sorted(admitted) == [False, False, True]
    assert len(await store.sessions().of(kept.officer.id)) == 1
    assert not await store.officers().admit(kept, step=5, password_hash="hash", session=None, noted=None)


async def test_who_was_judged_by_an_old_password_is_not_admitted(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    renewed = session(store_kit, kept, "d9")
    await store.officers().set_password(kept.officer.id, "own", renewed=renewed, noted=noted(store_kit))
    begun = session(store_kit, kept)
    assert not await store.officers().admit(kept, step=None, password_hash="hash", session=begun, noted=None)
    assert await store.sessions().find("d1") is None


# ---- sessions


async def test_a_session_is_found_until_it_is_ended_by_its_officer(store_kit: StoreKit, store: Store) -> None:
    kept, other = await added(store_kit, store), await added(store_kit, store, "binh")
    await signed_in(store_kit, store, kept, "d1")
    sessions, now = store.sessions(), store_kit.clock.now
    found = await sessions.find("d1")
    assert found == (kept, session(store_kit, kept))
    assert not await sessions.end(other.officer.id, "d1", SessionEnd.ENDED, now, noted(store_kit))
    assert await sessions.end(kept.officer.id, "d1", SessionEnd.ENDED, now, noted(store_kit))
    assert not await sessions.end(kept.officer.id, "d1", SessionEnd.ENDED, now, noted(store_kit))
    assert await sessions.find("d1") is None
    assert len(await store_kit.rows("audit")) == 3
    [row] = await store_kit.rows("officer_session")
    assert (row["end_reason"], row["ended_at"]) == ("ended", store_kit.now_ms())


async def test_a_session_is_seen_later_never_earlier(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    await signed_in(store_kit, store, kept, "d1", "d2")
    later = store_kit.clock.advance(60)
    await store.sessions().touch("d1", later)
    await store.sessions().touch("d1", later - timedelta(seconds=5))
    assert [(each.digest, each.seen_at == later) for each in await store.sessions().of(kept.officer.id)] == [
        ("d1", True),
        ("d2", False),
    ]


async def test_old_sessions_are_removed_and_the_audit_stays(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    await signed_in(store_kit, store, kept, "d1")
    before = store_kit.clock.advance(86_400)
    await store.purge(before, 10)
    assert await store_kit.rows("officer_session") == []
    assert len(await store_kit.rows("audit")) == 1


async def test_a_locked_store_admits_nobody(store_kit: StoreKit, store: Store) -> None:
    kept = await added(store_kit, store)
    with store_kit.locked(), pytest.raises(StoreUnavailable):
        await store.officers().admit(
            kept, step=None, password_hash="hash", session=session(store_kit, kept), noted=noted(store_kit)
        )
    assert await store_kit.rows("officer_session") == []


# ---- the audit log


async def test_what_is_noted_is_found_whichever_way_it_is_asked_for(store_kit: StoreKit, store: Store) -> None:
    audit = store.audit()
    first = noted(store_kit, "officer.added", detail={"roles": ["author"], "first": True, "name": "Ân"})
    store_kit.clock.advance(3_600)
    second = noted(store_kit, "broadcast.approved", about="broadcast:1", agency="H13.01", login="an")
    third = noted(store_kit, "broadcast.stopped", about="broadcast:1", agency="H13.02", login="an", officer_id=None)
    await audit.note([first, second, third])

    async def found(**asked: Any) -> list[AuditEntry]:
        return list(await audit.find(replace(EVERYBODYS, **asked), limit=9))

    assert await found() == [third, second, first]
    assert await found(agencies=frozenset({"H13", "H13.01"})) == [second, first]
    assert await found(agencies=frozenset()) == []
    assert await found(login="an", action="broadcast.stopped") == [third]
    assert await found(about="broadcast:1", agencies=frozenset({"H13.01"})) == [second]
    assert await found(since=second.at) == [third, second]
    assert await found(until=second.at) == [first]
    assert await found(before=second.id) == [first]
    assert await audit.find(EVERYBODYS, limit=1) == [third]


async def test_nothing_noted_is_changed_or_taken_out(store_kit: StoreKit, store: Store) -> None:
    await store.audit().note([noted(store_kit)])
    before = await store_kit.rows("audit")
    for statement in (
        "UPDATE audit SET login = 'nobody'",
        "UPDATE audit SET login = login WHERE false OR true",
        "DELETE FROM audit",
        *(("REPLACE INTO audit SELECT * FROM audit",) if isinstance(store_kit, SqliteKit) else ()),
    ):
        with pytest.raises(Exception, match="append-only"):
            await store_kit.outside().writing(partial(_run, statement))
    assert await store_kit.rows("audit") == before


def _run(statement: str, connection: Connection, now: int) -> None:
    connection.exec_driver_sql(statement)


async def test_a_locked_store_notes_nothing(store_kit: StoreKit, store: Store) -> None:
    with store_kit.locked(), pytest.raises(StoreError):
        await store.audit().note([noted(store_kit)])
    assert await store_kit.rows("audit") == []


# ---- from outside


async def test_an_officer_is_added_and_closed_beside_who_serves(store_kit: StoreKit, store: Store) -> None:
    steps = OutsideSteps(store_kit.outside())
    officers = StoreOfficers(steps.write, steps.look)
    made = account(store_kit)
    assert await officers.add(made, noted(store_kit, officer_id=None, login="tracuu"))
    assert not await officers.add(made, noted(store_kit))
    assert await store.officers().find_login("an.h13") == made
    assert [each.officer for each in await officers.listed(None, after="", limit=5)] == [made.officer]
    assert await officers.reset(made.officer, "given", noted(store_kit)) is Changed.DONE
    assert await officers.close(made.officer, store_kit.clock.now, noted(store_kit)) is Changed.DONE
    assert [row["login"] for row in await store_kit.rows("audit")] == ["tracuu", "chi", "chi"]
