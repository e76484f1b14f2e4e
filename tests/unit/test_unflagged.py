"""Of an SMSC that does not flag its delivery reports, reports are told from questions, and nobody can forge one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest
from structlog.testing import capture_logs

from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.session import Delivery, Session
from channels.sms.unflagged import LOOKS, MOST_AT_ONCE, Suspect, Unflagged
from domain.errors import StoreUnavailable
from domain.message import Address, DeliveryReport, DeliveryStatus

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PATIENCE = 60.0


class Line:
    """A connection: the status each was answered with."""

    def __init__(self) -> None:
        self.answers: list[int] = []

    def acknowledge(self, _pdu: DeliverSm | DataSm, status: int) -> bool:
        self.answers.append(status)
        return True


class Sent:
    """What was sent; `looks` are those asked about at once."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.looks: list[list[str]] = []
        self.away = False
        self.learns: str | None = None  # after a look

    async def sent(self, account: str, candidates: Sequence[DeliveryReport]) -> Collection[int]:
        assert account == "viettel"
        if self.away:
            raise StoreUnavailable("away")
        self.looks.append([each.external_id for each in candidates])
        found = {at for at, each in enumerate(candidates) if each.external_id in self.ids}
        self.ids |= {self.learns} if self.learns else set()
        return found


class Desk:
    def __init__(self) -> None:
        self.store = Sent("mine")
        self.line = Line()
        self.reports: list[str] = []
        self.questions: list[str] = []
        self.unflagged = Unflagged(
            "viettel", self.store, believed=self._believed, person=self._person, second_look=0.001
        )

    def _believed(self, suspect: Suspect) -> None:
        self.reports.append(suspect.report.external_id)

    def _person(self, suspect: Suspect) -> None:
        if suspect.report.external_id == "bug":
            raise LookupError("84912345678")
        self.questions.append(suspect.report.external_id)

    def take(self, *ids: str) -> None:
        session = cast("Session", self.line)
        for each in ids:
            report = DeliveryReport(
                channel="sms",
                account="viettel",
                external_id=each,
                status=DeliveryStatus.DELIVERED,
                received_at=NOW,
                recipient=Address("sms", "84912345678"),
            )
            self.unflagged.take(session, Delivery(session, DeliverSm(1)), report, NOW)

    async def all_told(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.reports) + len(self.questions) + len(self.line.answers) < count:  # noqa: ASYNC110 - three lists
                await asyncio.sleep(0.001)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.unflagged.run())
        yield made
        running.cancel()


async def test_what_names_a_message_of_ours_is_a_report_and_anything_else_a_question(desk: Desk) -> None:
    desk.take("mine", "theirs")
    await desk.all_told(2)
    assert (desk.reports, desk.questions) == (["mine"], ["theirs"])
    assert desk.line.answers == []  # whoever was told acknowledges


async def test_a_report_that_overtook_the_answer_to_its_submit_is_one(desk: Desk) -> None:
    desk.store.learns = "early"
    desk.take("early")
    await desk.all_told(1)
    assert desk.reports == ["early"]
    assert desk.store.looks == [["early"]] * LOOKS


async def test_many_are_looked_up_together(desk: Desk) -> None:
    desk.take(*["mine"] * (MOST_AT_ONCE + 1))
    await desk.all_told(MOST_AT_ONCE + 1)
    assert [len(look) for look in desk.store.looks] == [MOST_AT_ONCE, 1]


async def test_while_the_store_is_away_the_smsc_keeps_them(desk: Desk) -> None:
    desk.store.away = True
    with capture_logs() as logs:
        desk.take("mine", "theirs")
        await desk.all_told(2)
    assert 0 not in desk.line.answers
    assert (desk.reports, desk.questions) == ([], [])
    assert [line["event"] for line in logs] == ["sms.reports_not_told_apart"]
    desk.store.away = False
    desk.take("mine")
    await desk.all_told(3)
    assert desk.reports == ["mine"]


async def test_one_that_cannot_be_handed_in_costs_no_other_its_turn(desk: Desk) -> None:
    with capture_logs() as logs:
        desk.take("bug", "theirs")
        await desk.all_told(2)
    assert desk.questions == ["theirs"]
    assert 0 not in desk.line.answers
    assert [(line["event"], line["error"]) for line in logs] == [("sms.delivery_failed", "LookupError")]
