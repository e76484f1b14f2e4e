"""Dossiers at the desk, for tests of the book that keeps them: forms, steps, blocks, files and drafts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Protocol

from domain.calendar import local_day
from domain.codes import CodeFamily, DossierCode
from domain.dossier import DossierStatus
from domain.intake import (
    Actor,
    FileKind,
    IntakeDossier,
    IntakeFile,
    IntakeSource,
    IntakeStep,
    NumberBlock,
    Paper,
    Person,
)
from domain.intake_moves import REGISTERED, IntakeDoing, moved
from domain.numbering import NumberPattern
from domain.working_time import SupplementRule, TimeLimit
from intake.ports import Draft, IntakeBook, IntakeSearch, NewDossier
from tests.contract.stores import FakeClock

AGENCY, OTHER = "H51.18", "H51.19"
SCOPE = frozenset({AGENCY})
PATTERN = NumberPattern(agency=AGENCY)
STAND_IN = DossierCode(text=f"{AGENCY}-260101-0001", family=CodeFamily.NEW, agency=AGENCY)
OFFICER = Actor(officer=7, login="an.h51", name="Trần Văn An", agency=AGENCY, address="10.0.0.1")
CITIZEN = Actor(officer=None)
PERSON = Person(name="Nguyễn Thị Bé", phone="0912 345 678", address="12 Hai Bà Trưng", id_number="094123456789")
PAPERS = (
    Paper(name="Đơn đề nghị", originals=1, complete=True, legal=True),
    Paper(name="Giấy khai sinh", certified=2, note="bản sao mờ"),
)


class Forms(Protocol):
    """What a form is made with: a clock, and ids."""

    clock: FakeClock

    def new_id(self) -> int: ...


def dossier(kit: Forms, **changes: Any) -> IntakeDossier:
    now = kit.clock.now
    values: dict[str, Any] = {
        "id": kit.new_id(),
        "code": STAND_IN,
        "agency": AGENCY,
        "holder": AGENCY,
        "procedure": "1.004946",
        "procedure_name": "Cấp bản sao trích lục hộ tịch",
        "source": IntakeSource.COUNTER,
        "status": DossierStatus.ACCEPTED,
        "person": PERSON,
        "papers": PAPERS,
        "subject": "Xin bản sao",
        "received_at": now,
        "entered_at": now,
        "changed_at": now,
        "limit": TimeLimit(5),
        "rule": SupplementRule.EXTEND,
        "due_at": now + timedelta(days=7),
        "first_due_at": now + timedelta(days=7),
        "fee": "8.000 đồng một bản",
        "fee_dong": 8_000,
        "secret": "K7M4PX",
    }
    return IntakeDossier(**{**values, **changes})


def step(kit: Forms, of: IntakeDossier, action: str = REGISTERED, **changes: Any) -> IntakeStep:
    now = kit.clock.now
    values: dict[str, Any] = {
        "id": kit.new_id(),
        "dossier": of.id,
        "at": now,
        "entered_at": now,
        "action": action,
        "actor": OFFICER,
        "after": of.status,
        "due_at": of.due_at,
    }
    return IntakeStep(**{**values, **changes})


def new(
    of: IntakeDossier, *, day: date | None = None, pattern: NumberPattern | None = None, **block: Any
) -> NewDossier:
    numbered = pattern or NumberPattern(agency=of.agency)
    return NewDossier(dossier=of, pattern=numbered, day=day or local_day(of.received_at), **block)


async def registered(kit: Forms, book: IntakeBook, **changes: Any) -> IntakeDossier:
    made = dossier(kit, **changes)
    kept = await book.register(new(made), step(kit, made))
    assert isinstance(kept, IntakeDossier)
    return kept


async def done(
    kit: Forms, book: IntakeBook, before: IntakeDossier, doing: IntakeDoing, **changes: Any
) -> IntakeDossier:
    """A legal act, as the desk does it."""
    after = moved(before, doing)
    assert isinstance(after, IntakeDossier), after
    made = step(kit, after, str(doing.action), before=before.status, reason=doing.reason, **changes)
    assert await book.write(after, made, was=before.version)
    return after


def block(kit: Forms, day: date, **changes: Any) -> NumberBlock:
    values = {"agency": AGENCY, "first": 0, "last": 0, "reserved_at": kit.clock.now, "reserved_by": OFFICER.login}
    return NumberBlock(id=kit.new_id(), day=day, **{**values, **changes})


def file(kit: Forms, owner: int, **changes: Any) -> IntakeFile:
    identifier = kit.new_id()
    values: dict[str, Any] = {
        "id": identifier,
        "owner": owner,
        "kind": FileKind.PAPER,
        "name": "giấy khai sinh.pdf",
        "media_type": "application/pdf",
        "size": 1_000,
        "sha256": "0" * 64,
        "key": f"key-{identifier}",
        "added_at": kit.clock.now,
        "paper": 1,
    }
    return IntakeFile(**{**values, **changes})


def draft(kit: Forms, **changes: Any) -> Draft:
    now = kit.clock.now
    values: dict[str, Any] = {
        "id": kit.new_id(),
        "token_digest": f"digest of {kit.new_id()}",
        "agency": AGENCY,
        "procedure": "1.004946",
        "language": "vi",
        "fields": {"name": "Nguyễn Thị Bé"},
        "created_at": now,
        "changed_at": now,
        "expires_at": now + timedelta(days=7),
    }
    return Draft(**{**values, **changes})


async def found(book: IntakeBook, *, limit: int = 20, agencies: frozenset[str] = SCOPE, **search: Any) -> Sequence[int]:
    """Ids."""
    return [each.id for each in await book.listed(IntakeSearch(agencies=agencies, **search), limit=limit)]


def serial_of(kept: IntakeDossier) -> int:
    return int(kept.code.text.rpartition("-")[2])


def renamed(of: IntakeDossier, name: str) -> IntakeDossier:
    return replace(of, person=replace(of.person, name=name), version=of.version + 1)
