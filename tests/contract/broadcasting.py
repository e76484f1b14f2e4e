"""Officers, drafts, dossiers and followers for the suites of broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from channels.sms.segments import plan
from console.accounts.ports import AuditEntry
from console.broadcasts.ports import Broadcasts, Draft, Standing
from domain.agencies import Agencies, Agency, AgencyLevel
from domain.broadcast_fitness import Basis, Fitness
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastAction
from domain.message import Address
from domain.officers import Officer, OfficerRole
from notifications.ports import MassMail, MassMessage, Portion, UnderWay
from tests.contract.stores import ACCOUNT, SHORT_CODE, START, Store, StoreKit

SCOPE = frozenset({"H51.18"})
SOURCE = "province"
GOOD_FOR = timedelta(hours=24)
TEXTS = {"vi": "Hồ sơ {ma_ho_so}: nghỉ ngày 30/4", "en": "Dossier {ma_ho_so}: closed on 30 April"}
FOLLOWERS = Audience(kind=AudienceKind.FOLLOWERS, agencies=("H51.18",))
BASIS = Basis(agency="H51.18", words="Quyết định 40/2016")
FITNESS = Fitness(
    agencies=Agencies(
        [Agency(identifier="H51.18", short_name="Sở Nội vụ", level=AgencyLevel.PROVINCE, phone="02993 000000")],
        default="H51.18",
    ),
    bases=(BASIS,),
    segments=lambda text: len(plan(text).parts),
    most_segments=2,
)


def office(store: Store, fitness: Fitness = FITNESS) -> Broadcasts:
    """What officers see of a store."""
    return store.broadcasts(good_for=GOOD_FOR, fitness=fitness)


def officer(number: int, *roles: OfficerRole, agency: str = "H51.18") -> Officer:
    return Officer(
        id=number,
        login=f"officer-{number}",
        name=f"Officer {number}",
        agency=agency,
        roles=frozenset(roles),
        created_at=START,
    )


AUTHOR = officer(11, OfficerRole.AUTHOR)
APPROVER = officer(12, OfficerRole.APPROVER)
BOTH = officer(13, OfficerRole.AUTHOR, OfficerRole.APPROVER)


def draft(**changes: Any) -> Draft:
    return Draft(**{"title": "Nghỉ lễ", "texts": TEXTS, "audience": FOLLOWERS, "canary": 0, **changes})


def noted(kit: StoreKit, who: Officer = AUTHOR, action: str = "broadcast.changed", about: int = 0) -> AuditEntry:
    return AuditEntry(
        id=kit.new_id(),
        at=kit.clock.now,
        officer_id=who.id,
        login=who.login,
        agency=who.agency,
        action=action,
        about=f"broadcast:{about}",
    )


def reference(number: int) -> str:
    return f"H51.18-210817-{number:04}"


def person(number: int) -> Address:
    return Address("sms", f"8491{number:07}")


def dossier(kit: StoreKit, number: int, **changes: Any) -> Mapping[str, Any]:
    """A row of dossier_seen."""
    now = kit.now_ms()
    values = {
        "source": SOURCE,
        "dossier_code": reference(number),
        "version": 1,
        "known": "4|2026-03-09|",
        "status": 4,
        "due_on": "2026-03-09",
        "agency": "H51.18",
        "unit": "",
        "procedure": "1.004946",
        "received_at": now,
        "first_seen_at": now,
        "seen_at": now,
        "apologised": False,
        "gone": False,
    }
    return {**values, **changes}


async def follow(kit: StoreKit, *numbers: int, **changes: Any) -> None:
    """One dossier each, followed by one person each."""
    await kit.put("dossier_seen", *(dossier(kit, number, **changes) for number in numbers))
    rows = (kit.following(reference(number), recipient=person(number).urn) for number in numbers)
    await kit.put("subscription", *rows)


async def submitted(kit: StoreKit, store: Store, by: Officer = AUTHOR, **changes: Any) -> Broadcast:
    broadcasts, identifier = office(store), kit.new_id()
    made = await broadcasts.create(identifier, draft(**changes), by, SCOPE, noted(kit, by))
    assert isinstance(made, Standing), made
    return await done(kit, store, made.broadcast, BroadcastAction.SUBMIT, by)


async def done(kit: StoreKit, store: Store, before: Broadcast, action: BroadcastAction, by: Officer) -> Broadcast:
    acted = await office(store).act(
        before.id, before.version, action, by, SCOPE, noted(kit, by, f"broadcast.{action.value}", before.id)
    )
    assert isinstance(acted, Standing), acted
    return acted.broadcast


async def running(kit: StoreKit, store: Store, **changes: Any) -> UnderWay:
    """Submitted, approved by somebody else and started."""
    approved = await done(kit, store, await submitted(kit, store, **changes), BroadcastAction.APPROVE, APPROVER)
    assert await store.mass_mail().move(approved, BroadcastAction.START, kit.new_id(), seal=approved.seal)
    return await only(store.mass_mail())


async def only(mail: MassMail) -> UnderWay:
    [under_way] = await mail.under_way()
    return under_way


def message(kit: StoreKit, recipient: Address, **changes: Any) -> MassMessage:
    values = {
        "id": kit.new_id(),
        "channel": "sms",
        "account": ACCOUNT,
        "recipient": recipient,
        "sender": SHORT_CODE,
        "text": "Nghi le",
        "language": "vi",
        "created_at": kit.clock.now,
        "available_at": kit.clock.now,
        "expires_at": kit.clock.now + timedelta(hours=1),
    }
    return MassMessage(**{**values, **changes})


async def written(kit: StoreKit, store: Store, under_way: UnderWay, *people: Address, end: bool = True) -> UnderWay:
    """As if the audience were these."""
    portion = Portion(
        broadcast=under_way.broadcast.id,
        before=under_way.position,
        after=f"{under_way.position}+",
        end=end,
        messages=[message(kit, each) for each in people],
    )
    assert await store.mass_mail().write(portion)
    return replace(under_way, position=portion.after)
