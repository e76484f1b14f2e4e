"""What the suites of Notices put into a store: dossiers, followers, notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import NullPool, UpdateBase, create_engine
from sqlalchemy.dialects import postgresql

from adapters.store.migrate import sqlite_url
from adapters.store.rows import to_ms
from adapters.store.tables import metadata
from domain.codes import DossierCode, parse_canonical
from domain.dossier import DossierStatus
from domain.message import Address
from domain.notices import Known, NoticeKind
from notifications.ports import (
    NewFollow,
    NewNotice,
    PendingNotice,
    Recording,
    Review,
    SeenDossier,
    Sighting,
    Told,
)
from tests.contract.stores import ACCOUNT, SENDER, SHORT_CODE, PostgresKit, SqliteKit, StoreKit

SOURCE = "bac-lieu"
OTHER = Address("sms", "84987654321")
ZALO = Address("zalo", "777")
DUE = date(2026, 3, 9)
ACCEPTED = Known(DossierStatus.ACCEPTED, DUE)
IN_PROCESS = Known(DossierStatus.IN_PROCESS, DUE)
DONE = Known(DossierStatus.DONE, DUE)


def code_of(serial: int) -> DossierCode:
    code = parse_canonical(f"H51.18-210817-{serial:04}")
    assert code is not None
    return code


CODE = code_of(5)


async def put(kit: StoreKit, table: str, *rows: Mapping[str, Any]) -> None:
    """Rows that another port would write."""
    for row in rows:
        execute(kit, metadata.tables[table].insert().values(dict(row)))


async def change(kit: StoreKit, identifier: int, **values: Any) -> None:
    """What becomes of a row of the outbox by another port's doing."""
    outbox = metadata.tables["outbox"]
    execute(kit, outbox.update().where(outbox.c.id == identifier).values(values))


def execute(kit: StoreKit, statement: UpdateBase) -> None:
    if isinstance(kit, PostgresKit):
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy gives it no types
        kit.hand.execute(str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
    elif isinstance(kit, SqliteKit):
        with create_engine(sqlite_url(kit.path), poolclass=NullPool).begin() as connection:
            connection.execute(statement)


async def subscribe(kit: StoreKit, address: Address = SENDER, code: DossierCode = CODE, **changes: Any) -> None:
    values = {
        "recipient": address.urn,
        "dossier_code": code.reference,
        "source": SOURCE,
        "channel": "sms",
        "account": ACCOUNT,
        "sender": SHORT_CODE.urn,
        "origin": "text",
        "proved": False,
        "known": ACCEPTED.text,
        "version": None,
        "followed_at": to_ms(kit.clock.now),
    }
    await put(kit, "subscription", {**values, **changes})


async def choose(kit: StoreKit, address: Address = SENDER, **changes: Any) -> None:
    await put(kit, "person", {"address": address.urn, "updated_at": 0, **changes})


async def agree(kit: StoreKit, address: Address, place: int, to: Address) -> None:
    """A place to go on to when a channel is closed."""
    row = {
        "recipient": address.urn,
        "place": place,
        "channel": to.scheme,
        "account": f"{to.scheme}-1",
        "sender": f"{to.scheme}:ours",
        "address": to.urn,
        "agreed_at": 0,
    }
    await put(kit, "next_address", row)


def seen(
    kit: StoreKit, code: DossierCode = CODE, known: Known = ACCEPTED, version: int = 1, **changes: Any
) -> SeenDossier:
    values = {
        "source": SOURCE,
        "code": code,
        "version": version,
        "known": known,
        "agency": "H51.18",
        "first_seen_at": kit.clock.now,
    }
    return SeenDossier(**{**values, **changes})


def sighting(dossier: SeenDossier) -> Sighting:
    """As it follows from the version before."""
    return Sighting(dossier=dossier, expected=dossier.version - 1 or None)


def notice(kit: StoreKit, **changes: Any) -> NewNotice:
    values = {
        "id": kit.new_id(),
        "channel": "sms",
        "account": ACCOUNT,
        "recipient": SENDER,
        "sender": SHORT_CODE,
        "text": "Ho so da co ket qua",
        "language": "vi",
        "kind": NoticeKind.READY,
        "created_at": kit.clock.now,
        "available_at": kit.clock.now,
        "expires_at": kit.clock.now + timedelta(hours=72),
        "source": SOURCE,
        "code": CODE,
        "version": 2,
        "before": ACCEPTED,
    }
    return NewNotice(**{**values, **changes})


def told(version: int, known: Known, address: Address = SENDER, code: DossierCode = CODE) -> Told:
    return Told(address=address, code=code, source=SOURCE, version=version, known=known)


def follow(address: Address = SENDER, code: DossierCode = CODE, **changes: Any) -> NewFollow:
    values = {
        "address": address,
        "channel": "sms",
        "account": ACCOUNT,
        "sender": SHORT_CODE,
        "code": code,
        "source": SOURCE,
        "known": None,
        "version": None,
        "words": "QD 12/2026 cua UBND tinh",
    }
    return NewFollow(**{**values, **changes})


def recording(*sightings: Sighting, **changes: Any) -> Recording:
    return Recording(source=SOURCE, sightings=sightings, **changes)


def only(review: Review, code: DossierCode = CODE) -> Any:
    [follower] = review.followers[code]
    return follower


def pending(review: Review) -> PendingNotice:
    found = only(review).pending
    assert isinstance(found, PendingNotice)
    return found


async def states(kit: StoreKit) -> Sequence[tuple[int, str, str | None]]:
    return [(row["id"], row["state"], row["reason"]) for row in await kit.rows("outbox")]


def in_hours(kit: StoreKit, hours: float) -> datetime:
    return kit.clock.now + timedelta(hours=hours)
