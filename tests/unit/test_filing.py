"""Filing online: what is decided about a form, a draft and its number, and what becomes of a file on its way in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.files.vault import FolderVault
from adapters.memory.budgets import MemoryBudgets
from conversation.filing_pins import ProveByPin
from conversation.guards import Dues, Guards, GuardSettings, Miss
from conversation.pins import PinPost, PinRules, PinSealer
from conversation.ports import Limit, Link, LinkRequest, Person, PinResult
from domain.errors import StoreUnavailable
from domain.filing import (
    FilingDraft,
    FilingFault,
    FilingForm,
    NumberOutcome,
    UploadLeave,
    UploadLimits,
    form_faults,
    may_be_filed,
    read_filing,
)
from domain.intake import FileKind, IntakeFile
from domain.message import Address
from domain.procedure import Procedure
from gateway.bootstrap.filing import BudgetQuota
from gateway.settings.intake import IntakeSettings
from intake.filing import FilingUse
from intake.filing_decisions import changed, fields_of, form_of, papers_of, registration_of, send_faults
from intake.filing_uploads import NO_LEAVE, TOO_MANY, FilingUploads
from intake.ports import Draft
from intake.uploads import FileFormat, Sniffed, UploadRefusal
from tests.unit.speaking import NOW, shipped_writer
from tests.unit.test_conversation import CODE, FakePeople
from tests.unit.test_following import code
from tests.unit.test_pins import HERE, LINE, MOTHER, TYPED

WHOLE = FilingForm(name="Nguyễn Thị Bé", phone=TYPED, notify_words="Tôi đồng ý")
BIRTH = Procedure(
    code="1.001193",
    names={"vi": "Khai sinh"},
    where={"vi": "xã"},
    fee={"vi": "không"},
    papers={"vi": ("Tờ khai", "Giấy chứng sinh")},
)
DRAFT = Draft(
    id=7,
    token_digest="d",
    agency="H51.18",
    procedure=BIRTH.code,
    language="vi",
    fields=fields_of(WHOLE),
    created_at=NOW,
    changed_at=NOW,
    expires_at=NOW + timedelta(days=7),
    phone=WHOLE.number,
    phone_proved_at=NOW,
)


def shown(**changes: Any) -> FilingDraft:
    values: dict[str, Any] = {
        "agency": "H51.18",
        "procedure": BIRTH,
        "form": WHOLE,
        "files": (),
        "proved": True,
        "expires_at": NOW,
        "now": NOW,
        "counts_from": NOW.date(),
    }
    return FilingDraft(**{**values, **changes})


def file(paper: int | None, **changes: Any) -> IntakeFile:
    values: dict[str, Any] = {
        "id": 1,
        "owner": 7,
        "kind": FileKind.PAPER,
        "name": "đơn.pdf",
        "media_type": "application/pdf",
        "size": 9,
        "sha256": "0",
        "key": "k",
        "added_at": NOW,
        "paper": paper,
    }
    return IntakeFile(**{**values, **changes})


# ---- what is decided about a form


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": ""}, FilingFault.NO_NAME),
        ({"phone": "02993 821 888"}, FilingFault.BAD_PHONE),
        ({"phone": "+1 202 555 0143"}, FilingFault.BAD_PHONE),
        ({"id_number": "12345"}, FilingFault.BAD_ID),
        ({"id_number": "0" * 21}, FilingFault.BAD_ID),
        ({"email": "a@b"}, FilingFault.BAD_EMAIL),
        ({"email": "a@b.vn, c@d.vn"}, FilingFault.BAD_EMAIL),
    ],
)
def test_each_thing_that_is_wrong_has_its_name(changes: dict[str, str], fault: FilingFault) -> None:
    assert [each for _, each in form_faults(replace(WHOLE, **changes))] == [fault]


@pytest.mark.parametrize("typed", ["094 123 456 789", "094.123.456.789", "C1234567", "０９４１２３４５６"])
def test_an_identity_number_may_be_laid_out(typed: str) -> None:
    assert form_faults(replace(WHOLE, id_number=typed)) == ()


def test_the_consent_kept_is_what_was_asked_and_only_where_it_was_ticked() -> None:
    assert read_filing({"notify": "1"}, consent="Tôi đồng ý").notify_words == "Tôi đồng ý"
    assert not read_filing({"notify_words": "of somebody else"}, consent="Tôi đồng ý").notify


def test_whatever_is_typed_is_one_safe_line() -> None:
    form = read_filing({"name": "  A\n\x00B\u202eC  ", "language": "xx"}, consent="")
    assert form.name == "A BC"
    assert form.language == "vi"


def test_a_draft_is_kept_as_it_was_typed() -> None:
    assert form_of(replace(DRAFT, fields=fields_of(WHOLE))) == WHOLE
    assert form_of(replace(DRAFT, fields={"strange": "x"})) == FilingForm()


def test_the_same_number_written_otherwise_stays_proved_and_another_does_not() -> None:
    assert changed(DRAFT, replace(WHOLE, phone="+84 912 345 678"), NOW).phone_proved_at == NOW
    assert changed(DRAFT, replace(WHOLE, phone="0912 345 679"), NOW).phone_proved_at is None
    assert changed(replace(DRAFT, phone=""), replace(WHOLE, phone=""), NOW).phone_proved_at is None


@pytest.mark.parametrize(
    ("changes", "declared", "faults"),
    [
        ({}, True, []),
        ({}, False, [FilingFault.UNDECLARED]),
        ({"proved": False}, True, [FilingFault.UNPROVED]),
        ({"procedure": None}, True, [FilingFault.PROCEDURE_OVER]),
        ({"form": FilingForm()}, True, [FilingFault.NO_NAME, FilingFault.BAD_PHONE]),
    ],
)
def test_nothing_is_sent_that_is_not_whole(
    changes: dict[str, Any], *, declared: bool, faults: list[FilingFault]
) -> None:
    assert [fault for _, fault in send_faults(shown(**changes), declared=declared)] == faults


def test_a_paper_with_a_file_is_handed_in_and_neither_complete_nor_legal_before_an_officer_says_so() -> None:
    papers = papers_of(BIRTH, [file(1), file(None), file(9)])
    assert [(paper.name, paper.copies, paper.complete, paper.legal) for paper in papers] == [
        ("Tờ khai", 0, False, False),
        ("Giấy chứng sinh", 1, False, False),
    ]


def test_a_registration_says_when_it_was_declared_and_that_nobody_looked_at_it_yet() -> None:
    wish = registration_of(DRAFT, BIRTH, [], NOW)
    assert (wish.id, wish.declared_at, wish.status.name, wish.source.value) == (7, NOW, "NEWLY_REGISTERED", "online")


def test_a_procedure_for_information_only_is_not_filed() -> None:
    assert may_be_filed(BIRTH)
    assert not may_be_filed(replace(BIRTH, level="thông tin"))


# ---- its number


class FakeLinks:
    """Keeps requests as a store does; time does not pass."""

    def __init__(self) -> None:
        self.requests: dict[Address, LinkRequest] = {}
        self.tried: dict[Address, int] = {}
        self.away = False

    async def ask(self, request: LinkRequest) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.requests[request.asker] = request
        self.tried[request.asker] = 0

    async def redeem(self, asker: Address, pin_seal: str, *, tries: int) -> tuple[PinResult, Link | None]:
        request = self.requests.get(asker)
        if request is None or self.tried[asker] >= tries:
            return PinResult.SPENT, None
        if request.pin_seal != pin_seal:
            self.tried[asker] += 1
            return PinResult.WRONG, None
        return PinResult.FOLLOWING, self.requests.pop(asker).link


@dataclass
class Prover:
    """The real one over dictionaries."""

    rules: PinRules = field(default_factory=PinRules)
    language: str = "vi"

    def __post_init__(self) -> None:
        self.links, self.people = FakeLinks(), FakePeople()
        self.budgets = MemoryBudgets(lambda: 0.0)
        self.guards = Guards(self.budgets, GuardSettings(misses_before_work=(Limit(1, 3600.0),)))
        writer = shipped_writer()
        post = PinPost(
            people=self.people,
            budgets=self.budgets,
            guards=self.guards,
            writer=writer,
            line=LINE,
            rules=self.rules,
            new_id=lambda: 7,
        )
        self.prove = ProveByPin(
            links=self.links,
            budgets=self.budgets,
            guards=self.guards,
            post=post,
            line=LINE,
            rules=self.rules,
            sealer=PinSealer(b"sixteen bytes or more of them"),
            clock=lambda: NOW,
        )

    async def ask(self, draft: int = 1, number: str = TYPED, *, worked: bool = False) -> NumberOutcome:
        return (await self.prove.ask(HERE, draft, number, language=self.language, worked=worked)).outcome

    def pin(self, draft: int = 1) -> str:
        found = re.match(r"(\d{6}) ", self.links.requests[Address("filing", str(draft))].message.text)
        assert found is not None
        return found[1]


@pytest.mark.parametrize("typed", ["", "8100", "02993 821 888", "+1 202 555 0143", "9" * 10_000])
async def test_a_code_goes_to_mobile_numbers_of_this_country_only(typed: str) -> None:
    prover = Prover()
    assert await prover.ask(number=typed) is NumberOutcome.NO_NUMBER
    assert prover.links.requests == {}


async def test_the_code_that_comes_back_proves_the_number_it_was_sent_to() -> None:
    prover = Prover()
    assert await prover.ask() is NumberOutcome.SENT
    answer = await prover.prove.redeem(1, f" {prover.pin()} ")
    assert (answer.outcome, answer.number) == (NumberOutcome.PROVED, MOTHER.value)
    assert (await prover.prove.redeem(1, "123456")).outcome is NumberOutcome.SPENT


async def test_a_code_is_good_for_its_own_draft_only() -> None:
    prover = Prover()
    await prover.ask(1)
    await prover.ask(2)
    assert (await prover.prove.redeem(2, prover.pin(1))).outcome is NumberOutcome.WRONG


async def test_a_later_code_takes_the_place_of_the_one_before() -> None:
    prover = Prover()
    await prover.ask()
    first = prover.pin()
    await prover.ask()
    if first != prover.pin():
        assert (await prover.prove.redeem(1, first)).outcome is NumberOutcome.WRONG


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "9" * 10_000])
async def test_what_can_be_no_code_costs_no_try(typed: str) -> None:
    prover = Prover()
    await prover.ask()
    for _ in range(9):
        assert (await prover.prove.redeem(1, typed)).outcome is NumberOutcome.WRONG
    assert (await prover.prove.redeem(1, prover.pin())).outcome is NumberOutcome.PROVED


async def test_a_number_that_wants_no_messages_looks_like_any_other_and_no_code_fits() -> None:
    prover = Prover()
    prover.people.persons = {MOTHER: Person(address=MOTHER, stopped_at=NOW)}
    assert await prover.ask() is NumberOutcome.SENT
    request = prover.links.requests[Address("filing", "1")]
    assert request.message.expires_at < NOW
    assert (await prover.prove.redeem(1, prover.pin())).outcome is NumberOutcome.WRONG


async def test_so_many_codes_an_hour_go_out_for_one_address() -> None:
    prover = Prover(rules=PinRules(per_address=2))
    told = [await prover.ask(draft) for draft in range(3)]
    assert told == [NumberOutcome.SENT, NumberOutcome.SENT, NumberOutcome.REFUSED]


async def test_whoever_missed_a_lot_works_first() -> None:
    prover = Prover()
    await prover.guards.settle(Dues(misses=[Miss(HERE, code(CODE))]))
    assert await prover.ask() is NumberOutcome.WORK_NEEDED
    assert prover.links.requests == {}
    assert await prover.ask(worked=True) is NumberOutcome.SENT


async def test_a_code_that_was_not_sent_is_not_paid_for() -> None:
    prover = Prover(rules=PinRules(per_address=1))
    prover.links.away = True
    with pytest.raises(StoreUnavailable):
        await prover.ask()
    prover.links.away = False
    assert await prover.ask() is NumberOutcome.SENT


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_the_message_says_what_it_is_for_and_to_keep_it(language: str) -> None:
    prover = Prover(language=language)
    await prover.ask()
    text = prover.links.requests[Address("filing", "1")].message.text
    assert ("nop ho so" if language == "vi" else "file a dossier") in text


# ---- files


class FakeBook:
    """Notes what it is told."""

    def __init__(self, *, room: bool = True) -> None:
        self.noted: list[IntakeFile] = []
        self.room = room

    async def files(self, _: int) -> list[IntakeFile]:
        return self.noted

    async def add_file(self, noted: IntakeFile, *, most: int, most_bytes: int) -> bool:
        if self.room:
            self.noted.append(noted)
        return self.room

    async def loose_bytes(self) -> int:
        return 0


class FakeInspector:
    """Says what it is told to, or never."""

    def __init__(self, says: Sniffed | UploadRefusal | None) -> None:
        self.says = says
        self.looking = asyncio.Event()

    async def inspect_file(self, *_: object) -> Sniffed | UploadRefusal:
        self.looking.set()
        if self.says is None:
            await asyncio.Event().wait()
        assert self.says is not None
        return self.says


@dataclass
class Service:
    book: FakeBook


@dataclass
class Allowing:
    yes: bool = True

    async def allows(self, _use: FilingUse, _whose: Address) -> bool:
        return self.yes


GOOD = Sniffed(format=FileFormat.PDF, media_type="application/pdf", name="đơn.pdf")
LEAVE = UploadLeave(owner=7, kind=FileKind.PAPER, papers=2, room=9_999)


def uploads(
    folder: Path, inspector: FakeInspector, *, book: FakeBook | None = None, allowed: bool = True
) -> FilingUploads:
    filing: Any = None  # who asks for leave asks it
    service: Any = Service(book or FakeBook())
    return FilingUploads(
        filing,
        service,
        vault=FolderVault(folder, now=lambda: NOW),
        inspector=inspector,
        quota=Allowing(allowed),
        limits=UploadLimits(formats=("pdf",), largest=100, most=9, most_bytes=9_999),
        most_loose=10_000,
        new_id=lambda: 5,
        clock=lambda: NOW,
    )


async def pieces(*content: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for each in content:
        yield each
    if then is not None:
        raise then


def left(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.parametrize(
    ("says", "size", "room", "allowed", "why"),
    [
        (UploadRefusal.MIXED, 10, True, True, UploadRefusal.MIXED),
        (GOOD, 101, True, True, UploadRefusal.TOO_LARGE),
        (GOOD, 10, False, True, TOO_MANY),
        (GOOD, 10, True, False, NO_LEAVE),
    ],
)
async def test_what_is_refused_leaves_nothing(
    tmp_path: Path, says: Sniffed | UploadRefusal, size: int, why: str, *, room: bool, allowed: bool
) -> None:
    desk = uploads(tmp_path, FakeInspector(says), book=FakeBook(room=room), allowed=allowed)
    assert await desk.take(LEAVE, HERE, "x.pdf", pieces(bytes(size)), 0) == why
    assert left(tmp_path) == []


async def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    desk = uploads(tmp_path, FakeInspector(GOOD))
    for broken in (ConnectionResetError(), ValueError("no end")):
        with pytest.raises(type(broken)):
            await desk.take(LEAVE, HERE, "x.pdf", pieces(b"%PDF", then=broken), 0)
    assert left(tmp_path) == []


async def test_a_file_that_is_being_looked_into_when_its_sender_leaves_is_gone(tmp_path: Path) -> None:
    inspector = FakeInspector(None)
    task = asyncio.create_task(uploads(tmp_path, inspector).take(LEAVE, HERE, "x.pdf", pieces(b"%PDF"), 0))
    async with asyncio.timeout(60):
        await inspector.looking.wait()
    assert len(left(tmp_path)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(tmp_path) == []


@pytest.mark.parametrize(("typed", "kept"), [(0, 0), (1, 1), (2, None), (-1, None), (None, None)])
async def test_a_file_belongs_to_a_paper_there_is_or_to_none(
    tmp_path: Path, typed: int | None, kept: int | None
) -> None:
    found = await uploads(tmp_path, FakeInspector(GOOD)).take(LEAVE, HERE, "x.pdf", pieces(b"%PDF"), typed)
    assert isinstance(found, IntakeFile)
    assert (found.paper, found.owner, found.name) == (kept, 7, "đơn.pdf")
    assert len(left(tmp_path)) == 1


async def test_the_same_file_for_another_paper_is_another_file(tmp_path: Path) -> None:
    desk = uploads(tmp_path, FakeInspector(GOOD))
    for paper in (0, 0, 1):
        await desk.take(LEAVE, HERE, "x.pdf", pieces(b"%PDF"), paper)
    assert len(left(tmp_path)) == 2


# ---- how often


async def test_neighbours_of_an_address_together_open_no_more_than_ten_times_as_many() -> None:
    quota = BudgetQuota(MemoryBudgets(lambda: 0.0), IntakeSettings(drafts_per_address=1))
    told = [await quota.allows(FilingUse.DRAFT, Address("web", f"203.0.113.{last}")) for last in range(12)]
    assert told == [True] * 10 + [False] * 2
    assert not await quota.allows(FilingUse.DRAFT, Address("web", "203.0.113.0"))
    assert await quota.allows(FilingUse.DRAFT, Address("web", "198.51.100.1"))
