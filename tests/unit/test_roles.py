"""Roles and leases: who does what, whoever dies; what does not exist yet is refused in one clear line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest

from channels.base import Channel, Health
from domain.errors import CredentialsRefused, StoreUnavailable
from gateway.leases import Lease, LeaseKeeper, health_of, while_held
from gateway.roles import ROLES, Role, RolesFault, choose

ACCOUNTS = {Role.SMS: ["viettel", "vnpt"], Role.CHAT: ["bot"]}
LONG = timedelta(seconds=60)
SHORT = timedelta(seconds=0.06)


# ---- what a process is for


def test_a_process_does_everything_unless_told_otherwise() -> None:
    duties = choose(None, (), ACCOUNTS, alone=True)
    assert duties.roles == set(ROLES)
    assert duties.accounts == {"viettel", "vnpt", "bot"}
    assert duties.named == ["sms", "chat", "web", "watch", "delivery", "console"]


def test_every_role_says_what_it_does() -> None:
    assert ROLES.keys() == set(Role)


@pytest.mark.parametrize("roles", ["smss", "sms,", "", "sms web", "SMS"])
def test_a_role_nobody_knows_is_refused(roles: str) -> None:
    with pytest.raises(RolesFault, match="there is no role"):
        choose(roles, (), ACCOUNTS, alone=False)


def test_sms_may_be_narrowed_to_some_accounts() -> None:
    duties = choose("sms, delivery", ["vnpt"], ACCOUNTS, alone=False)
    assert duties.roles == {Role.SMS, Role.DELIVERY}
    assert duties.accounts == {"vnpt"}


def test_without_sms_a_process_holds_no_account() -> None:
    assert choose("web", (), ACCOUNTS, alone=False).accounts == frozenset()


@pytest.mark.parametrize(
    ("roles", "accounts", "alone", "told"),
    [
        (None, ["mobifone"], False, "there is no account named mobifone; the settings have viettel, vnpt, bot"),
        ("web", ["vnpt"], False, "--account vnpt narrows the role sms"),
        ("sms", ["bot"], False, "--account bot narrows the role chat"),
        ("sms,web", (), True, "with SQLite one process does everything"),
    ],
)
def test_what_cannot_be_done_is_refused(roles: str | None, accounts: list[str], alone: bool, told: str) -> None:  # noqa: FBT001
    with pytest.raises(RolesFault, match=told):
        choose(roles, accounts, ACCOUNTS, alone=alone)


# ---- leases


@dataclass
class FakeLeases:
    """A store that lends to whoever is not refused."""

    refused: set[str] = field(default_factory=set)
    trouble: bool = False
    taken: list[frozenset[str]] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, names: Collection[str], length: timedelta) -> frozenset[str]:
        self.asked.set()
        if self.trouble:
            raise StoreUnavailable("away")
        self.taken.append(frozenset(names) - self.refused)
        return self.taken[-1]

    async def give_back(self, names: Collection[str]) -> None:
        if self.trouble:
            raise StoreUnavailable("away")
        self.given_back += names

    async def looked(self, times: int = 1) -> None:
        for _ in range(times):
            self.asked.clear()
            await asyncio.wait_for(self.asked.wait(), 60)
        await asyncio.sleep(0)


@asynccontextmanager
async def kept(leases: FakeLeases, length: timedelta = SHORT, *, alone: bool = False) -> AsyncIterator[LeaseKeeper]:
    keeper = LeaseKeeper(leases, length=length, alone=alone, look_every=0.005)
    keeper.want("sms viettel")
    running = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await keeper.close()


async def soon(awaited: Any) -> Any:
    return await asyncio.wait_for(awaited, 60)


async def test_what_is_free_is_taken_and_renewed_well_before_it_ends() -> None:
    leases = FakeLeases()
    async with kept(leases, timedelta(seconds=0.9)) as keeper:
        lease = keeper.want("sms viettel")
        await soon(lease.taken())
        for _ in range(4):  # longer than one length
            await leases.looked()
            assert lease.held


async def test_a_lease_that_cannot_be_renewed_ends_by_itself_in_time() -> None:
    leases = FakeLeases()
    async with kept(leases) as keeper:
        lease = keeper.want("sms viettel")
        await soon(lease.taken())
        leases.trouble = True
        await soon(lease.lost())
        leases.trouble = False
        await soon(lease.taken())


async def test_a_lease_somebody_else_has_is_lost_at_once() -> None:
    leases = FakeLeases()
    async with kept(leases) as keeper:
        lease = keeper.want("sms viettel")
        await soon(lease.taken())
        leases.refused.add("sms viettel")
        await soon(lease.lost())
        leases.refused.clear()
        await soon(lease.taken())


async def test_alone_on_a_store_a_lease_once_taken_is_never_lost() -> None:
    leases = FakeLeases()
    async with kept(leases, alone=True) as keeper:
        lease = keeper.want("sms viettel")
        await soon(lease.taken())
        leases.trouble = True
        await leases.looked(20)  # far longer than its length
        assert lease.held


async def test_what_is_held_is_given_back_at_the_end() -> None:
    leases = FakeLeases(refused={"delivery"})
    async with kept(leases, LONG) as keeper:
        keeper.want("delivery")
        await soon(keeper.want("sms viettel").taken())
    assert leases.given_back == ["sms viettel"]


async def test_an_end_without_the_store_is_an_end_all_the_same() -> None:
    leases = FakeLeases()
    async with kept(leases, LONG) as keeper:
        await soon(keeper.want("sms viettel").taken())
        leases.trouble = True
    assert leases.given_back == []


# ---- work under a lease


@dataclass
class Work:
    """Something that may be done by one process only."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    async def run(self) -> None:
        self.begun.set()
        try:
            if self.failure is not None:
                raise self.failure
            await self.left.wait()
        finally:
            self.begun.clear()
            self.ended.set()

    async def leave(self) -> None:
        self.left.set()


async def held() -> Lease:
    lease = Lease("delivery")
    lease.hold(None)
    return lease


async def test_work_begins_with_its_lease_and_ends_with_it() -> None:
    lease, work = Lease("delivery"), Work()
    running = asyncio.create_task(while_held(lease, work.run))
    await asyncio.sleep(0)
    assert not work.begun.is_set()
    for _ in range(2):
        lease.hold(None)
        await soon(work.begun.wait())
        work.ended.clear()
        lease.lose()
        await soon(work.ended.wait())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_work_that_can_take_its_leave_does() -> None:
    lease, work = await held(), Work()
    running = asyncio.create_task(while_held(lease, work.run, work.leave))
    await soon(work.begun.wait())
    lease.lose()
    await soon(work.ended.wait())
    assert work.left.is_set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_leave_that_hangs_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.leases.LEAVE_WITHIN", 0.01)
    lease, work = await held(), Work()
    running = asyncio.create_task(while_held(lease, work.run, asyncio.Event().wait))  # type: ignore[arg-type]
    await soon(work.begun.wait())
    lease.lose()
    await soon(work.ended.wait())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_work_raises_is_raised_and_the_lease_kept() -> None:
    lease, work = await held(), Work(failure=CredentialsRefused("no"))
    with pytest.raises(CredentialsRefused):
        await soon(while_held(lease, work.run))
    assert lease.held, "another process would be refused, too, and the account locked"


async def test_cancelled_from_outside_the_work_is_cancelled() -> None:
    lease, work = await held(), Work()
    running = asyncio.create_task(while_held(lease, work.run))
    await soon(work.begun.wait())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert work.ended.is_set()


# ---- readiness


@dataclass
class Unbound:
    """A channel that is not well."""

    async def health(self) -> Health:
        return Health(ok=False, detail="disconnected")


async def test_an_account_of_another_process_is_no_fault_of_this_one() -> None:
    lease = Lease("sms viettel")
    health = health_of(cast("Channel", Unbound()), lease)
    assert (await health()).detail == "it is not known yet who holds this account"
    assert not (await health()).ok
    lease.lose()
    assert await health() == Health(ok=True, detail="another process holds this account")
    lease.hold(None)
    assert await health() == Health(ok=False, detail="disconnected")
