"""By the calendar: reminders of promised days, and what an agency's officers are told; once a day, restarts included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from domain.agencies import Agencies
from domain.calendar import LOCAL_ZONE, WorkCalendar
from domain.codes import DossierCode
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable
from domain.message import Address
from domain.notices import Known, NoticeKind
from domain.replies import Voice
from notifications.officers import OfficerNotices, OfficerRules
from notifications.ports import Recording, SeenDossier
from notifications.reminders import Reminders
from notifications.routing import Reached, Routes, Routing
from notifications.schedule import ScheduleRules
from notifications.switches import Switch
from tests.unit.watching import US, FakeNotices, FakePlanner, Ids, code, codes, follower, seen

MONDAY = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)  # half past eight
TOMORROW = date(2026, 11, 24)
SCHEDULE = ScheduleRules(
    quiet_from=time(22), quiet_until=time(7), per_day=3, office_from=time(7, 30), office_until=time(17)
)


@dataclass
class At:
    now: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.now


def due(which: DossierCode, day: date = TOMORROW, **more: Any) -> SeenDossier:
    return seen(which, known=Known(DossierStatus.IN_PROCESS, day), **more)


# ---- reminders


def reminders(notices: FakeNotices, at: At, days: int = 1) -> Reminders:
    return Reminders(notices=notices, planner=FakePlanner(), clock=at, days=days)


def promised(*rows: SeenDossier) -> FakeNotices:
    return FakeNotices(seen={row.code: row for row in rows}, follows={row.code: [follower(row.code)] for row in rows})


async def test_followers_are_reminded_the_day_before_and_once() -> None:
    notices, at = promised(due(code(1)), due(code(2), date(2026, 11, 25))), At()
    service = reminders(notices, at)
    await service.tick()
    await service.tick()
    await reminders(notices, at).tick()  # a restart
    assert [notice.code for notice in notices.outbox] == [code(1)]


async def test_nobody_is_reminded_before_the_morning() -> None:
    notices, at = promised(due(code(1))), At(MONDAY - timedelta(hours=1))
    service = reminders(notices, at)
    await service.tick()
    assert not notices.asked
    at.now = MONDAY
    await service.tick()
    assert len(notices.outbox) == 1


async def test_the_next_day_has_its_own_reminders() -> None:
    notices, at = promised(due(code(1)), due(code(2), date(2026, 11, 25))), At()
    service = reminders(notices, at)
    await service.tick()
    at.now += timedelta(days=1)
    await service.tick()
    assert [notice.code for notice in notices.outbox] == [code(1), code(2)]


async def test_more_than_a_page_is_reminded_page_by_page() -> None:
    notices = promised(*[due(each) for each in codes(450)])
    await reminders(notices, At()).tick()
    assert len(notices.outbox) == 450
    assert [len(recording.sightings) for recording in notices.recordings] == [200, 200, 50]


async def test_a_dossier_somebody_else_writes_meanwhile_is_reminded_with_the_next_page() -> None:
    notices = promised(due(code(1)))
    notices.conflicts = [frozenset({code(1)})]
    await reminders(notices, At()).tick()
    assert len(notices.outbox) == 1


async def test_a_dossier_that_can_never_be_written_does_not_go_round_for_ever() -> None:
    notices = promised(due(code(1)))
    notices.conflicts = [frozenset({code(1)})] * 100
    with capture_logs() as lines:
        await reminders(notices, At()).tick()
    assert [line["event"] for line in lines] == ["reminders.stuck"]
    assert not notices.outbox


async def test_a_store_that_is_away_puts_the_reminders_off() -> None:
    notices, at = promised(due(code(1))), At()
    service = reminders(notices, at)
    notices.away = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await service.tick()
    notices.away = None
    await service.tick()
    assert len(notices.outbox) == 1


async def test_without_days_nobody_is_reminded() -> None:
    notices = promised(due(code(1)))
    await reminders(notices, At(), days=0).tick()
    assert not notices.asked


async def test_each_source_is_recorded_by_itself() -> None:
    notices = promised(due(code(1)), due(code(2), source="g09"))
    await reminders(notices, At()).tick()
    recordings: Sequence[Recording] = notices.recordings
    assert sorted(recording.source for recording in recordings) == ["g09", "h51"]


# ---- officers

AGENCIES = Agencies.from_mapping(
    {
        "default": "H51",
        "agency": [
            {"identifier": "H51", "short_name": "UBND tinh", "level": "province", "phone": "1022"},
            {"identifier": "H51.18", "short_name": "So 18", "level": "province", "parent": "H51"},
            {"identifier": "H51.18.02", "short_name": "Phong 2", "level": "commune", "parent": "H51.18"},
            {"identifier": "H51.29", "short_name": "Huyen", "level": "district", "valid_to": date(2025, 6, 30)}
            | {"successor": "H51.18.02"},
        ],
    }
)
PROVINCE, DEPARTMENT = Address("sms", "84900000001"), Address("sms", "84900000018")


@dataclass
class Writer:
    told: list[tuple[NoticeKind, str, list[DossierCode], int]] = field(default_factory=list)

    def officers(
        self, kind: NoticeKind, agency: str, codes: Sequence[DossierCode], total: int, voice: Voice, *, days: int = 0
    ) -> str:
        self.told.append((kind, agency, list(codes), total))
        return f"{kind} {agency} {total} {days}" + (" en" if voice.language == "en" else "")


@dataclass
class Office:
    notices: FakeNotices = field(default_factory=FakeNotices)
    at: At = field(default_factory=At)
    writer: Writer = field(default_factory=Writer)
    officers: dict[str, list[Address]] = field(default_factory=lambda: {"H51": [PROVINCE], "H51.18": [DEPARTMENT]})
    off: tuple[Switch, ...] = ()
    routing: Routing = field(
        default_factory=lambda: Routing(
            lines={"viettel": Reached(channel="sms", account="viettel", sender=US)}, routes=Routes(default="viettel")
        )
    )
    calendar: WorkCalendar = field(
        default_factory=lambda: WorkCalendar(
            days_off=frozenset({date(2026, 8, 31)}), make_up_days=frozenset({date(2026, 8, 22)})
        )
    )

    async def tick(self) -> None:
        """As after a restart."""
        rules = OfficerRules(
            officers=self.officers,
            waiting_days=3,
            late_soon_days=2,
            schedule=SCHEDULE,
            valid_for=timedelta(hours=72),
            off=self.off,
        )
        await OfficerNotices(
            notices=self.notices,
            writer=self.writer,
            voice=self.voice,
            rules=rules,
            routing=self.routing,
            agencies=AGENCIES,
            calendar=self.calendar,
            clock=self.at,
            new_id=Ids(),
        ).tick()

    def voice(self, account: str, now: datetime) -> Voice:
        """An account named after a language speaks it."""
        language = "en" if account == "english" else "vi"
        return Voice(language=language, accents=False, now=now, fits=lambda _: True)

    def told(self) -> list[tuple[str, str]]:
        return [(row.recipient.value[-2:], row.text) for row in self.notices.outbox]


def waiting(which: int, day: date, agency: str = "H51.18") -> SeenDossier:
    received = datetime.combine(day, time(10), LOCAL_ZONE)
    return seen(code(which), DossierStatus.NEWLY_REGISTERED, agency=agency, received_at=received)


async def test_officers_are_told_once_a_day_of_what_waits_longer_than_the_rule() -> None:
    office = Office()
    office.notices.registered = [waiting(1, date(2026, 11, 17)), waiting(2, date(2026, 11, 18))]
    await office.tick()
    await office.tick()
    # Received on Tuesday: Wednesday, Thursday and Friday are over on Monday.
    assert office.told() == [("18", "officers_waiting H51.18 1 3")]
    assert office.writer.told[0][2] == [code(1)]


async def test_each_officer_is_told_by_the_account_of_the_number_in_its_words_and_under_its_name() -> None:
    name = Address("sms", "TRACUU")
    lines = {
        "viettel": Reached(channel="sms", account="viettel", sender=US),
        "english": Reached(channel="sms", account="english", sender=Address("sms", "6089"), name=name),
    }
    routes = Routes(by_prefix={DEPARTMENT.value: "english"}, default="viettel")
    office = Office(routing=Routing(lines=lines, routes=routes))
    office.officers = {"H51.18": [PROVINCE, DEPARTMENT]}
    office.notices.registered = [waiting(1, date(2026, 11, 17))]
    await office.tick()
    left = [(row.recipient, row.account, row.sender, row.text) for row in office.notices.outbox]
    assert left == [
        (PROVINCE, "viettel", US, "officers_waiting H51.18 1 3"),
        (DEPARTMENT, "english", name, "officers_waiting H51.18 1 3 en"),
    ]


async def test_officers_are_told_of_what_is_promised_within_the_next_working_days() -> None:
    office = Office()
    days = [date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 25), date(2026, 11, 26)]
    office.notices.promised = [due(code(number), day, agency="H51") for number, day in enumerate(days, 1)]
    await office.tick()
    assert office.told() == [("01", "officers_late H51 2 3")]
    assert office.writer.told[0][2] == [code(2), code(3)]


@pytest.mark.parametrize(
    ("agency", "officer"),
    [
        ("H51.18", "18"),
        ("H51.18.02", "18"),  # its parent's
        ("000.02.18.H51", "18"),  # the old order of levels
        ("H51.29", "18"),  # its successor's parent's
        ("H51.77", "01"),  # not in the catalogue: the province's
    ],
)
async def test_the_nearest_officers_above_are_told(agency: str, officer: str) -> None:
    office = Office()
    office.notices.registered = [waiting(1, date(2026, 11, 2), agency)]
    await office.tick()
    assert [recipient for recipient, _ in office.told()] == [officer]


async def test_dossiers_nobody_is_named_for_are_told_to_nobody() -> None:
    office = Office(officers={"H51.18": [DEPARTMENT]})
    office.notices.registered = [waiting(1, date(2026, 11, 2), "G09")]
    await office.tick()
    assert not office.told()


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (datetime(2026, 11, 22, 10, 0, tzinfo=LOCAL_ZONE), False),  # a Sunday
        (datetime(2026, 11, 23, 7, 29, tzinfo=LOCAL_ZONE), False),
        (datetime(2026, 11, 23, 7, 30, tzinfo=LOCAL_ZONE), True),
        (datetime(2026, 11, 23, 17, 0, tzinfo=LOCAL_ZONE), False),
        (datetime(2026, 8, 22, 9, 0, tzinfo=LOCAL_ZONE), True),  # a Saturday that is worked
        (datetime(2026, 8, 31, 9, 0, tzinfo=LOCAL_ZONE), False),  # a Monday that is off
    ],
)
async def test_officers_are_told_in_the_hours_of_working_days(now: datetime, told: bool) -> None:  # noqa: FBT001
    office = Office(at=At(now))
    office.notices.registered = [waiting(1, date(2026, 1, 5))]
    await office.tick()
    assert bool(office.told()) is told


async def test_what_an_agency_switched_off_is_not_told_to_its_officers() -> None:
    off = Switch(agency="H51.18", kinds=frozenset({NoticeKind.OFFICERS_WAITING}))
    office = Office(off=(off,))
    office.notices.registered = [waiting(1, date(2026, 11, 2)), waiting(2, date(2026, 11, 2), "H51")]
    office.notices.promised = [due(code(3), date(2026, 11, 24))]
    await office.tick()
    assert office.told() == [("01", "officers_waiting H51 1 3"), ("18", "officers_late H51.18 1 3")]


async def test_the_text_counts_all_and_is_handed_the_first_codes() -> None:
    office = Office()
    office.notices.registered = [waiting(number, date(2026, 11, 2)) for number in range(1, 101)]
    await office.tick()
    ((_, _, listed, total),) = office.writer.told
    assert (len(listed), total) == (20, 100)


async def test_a_store_that_fails_between_two_agencies_is_gone_on_with() -> None:
    office = Office()
    office.notices.registered = [waiting(1, date(2026, 11, 2)), waiting(2, date(2026, 11, 2), "H51")]
    office.notices.failures = []
    await office.notices.enqueue([], once="officers:officers_waiting:H51.18:2026-11-23")  # done before the store failed
    await office.tick()
    assert office.told() == [("01", "officers_waiting H51 1 3")]
