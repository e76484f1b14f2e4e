"""The clock of opinions, hidden numbers, an answer's words, and whose an opinion is, each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from console.messages import clock
from console.messages.hiding import hidden, without_numbers
from console.messages.ports import Opinion, Routing, Unrouted
from console.messages.routing import MOST_PAGES, PAGE, Router
from console.messages.wording import worded
from domain.agencies import Agencies, Agency, AgencyLevel
from domain.calendar import WorkCalendar, local_day, local_moment
from domain.codes import read_codes
from domain.gsm import segments_needed
from domain.message import Address
from domain.replies import Voice

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday
HOLIDAYS = WorkCalendar(days_off=frozenset({date(2026, 3, 5)}), make_up_days=frozenset({date(2026, 3, 7)}))


def opinion(**changes: Any) -> Opinion:
    return Opinion(**{"number": 7, "sender": Address("sms", "84912345678"), "text": "x", "received_at": NOW, **changes})


# ---- the clock


@pytest.mark.parametrize(
    ("calendar", "last"),
    [(WorkCalendar(), date(2026, 3, 16)), (HOLIDAYS, date(2026, 3, 16))],
    ids=["plain weeks", "a holiday and the Saturday worked for it"],
)
def test_an_opinion_waits_ten_working_days_and_no_longer(calendar: WorkCalendar, last: date) -> None:
    assert clock.due_on(NOW, calendar) == last
    assert clock.state(opinion(), last, calendar) == "open"
    assert clock.state(opinion(), last + timedelta(days=1), calendar) == "overdue"
    assert clock.state(opinion(answered_at=NOW), last + timedelta(days=1), calendar) == "answered"


def test_what_the_store_is_asked_is_the_same_clock() -> None:
    for number in range(60):
        today = date(2026, 3, 2) + timedelta(days=number)
        before = clock.overdue_before(today, HOLIDAYS)
        for ago in range(40):
            received = local_moment(today - timedelta(days=ago), datetime.min.time())
            assert (received < before) is (clock.state(opinion(received_at=received), today, HOLIDAYS) == "overdue")


# ---- numbers


@pytest.mark.parametrize(
    ("urn", "shown"),
    [
        ("sms:84912345678", "84•••••678"),
        ("sms:8079", "•••••079"),
        ("telegram:123456789", "•••••789"),
        ("masked:*", ""),
    ],
)
def test_a_number_is_not_shown_to_who_did_not_type_it(urn: str, shown: str) -> None:
    assert hidden(Address.from_urn(urn)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("H13.01-260302-0005 0912345678", "H13.01-260302-0005 09•••••678"),
        ("goi +84 912 345 678 nhe", "goi +8•••••678 nhe"),
        ("000.18.29.H51-161220-0001", "000.18.29.H51-161220-0001"),
        ("H51.18-20210817-0345678", "H51.18-20210817-0345678"),
        ("G09.20-20260609-0926370", "G09.20-20260609-0926370"),
        ("1.004946.000.00.00.H51", "1.004946.000.00.00.H51"),
    ],
)
def test_nor_is_one_that_stands_in_a_text_but_codes_are(text: str, shown: str) -> None:
    assert without_numbers(text) == shown


# ---- an answer


def voice(**changes: Any) -> Voice:
    values = {"language": "vi", "accents": False, "now": NOW, "fits": lambda text: segments_needed(text)[1] <= 2}
    return Voice(**{**values, **changes})


def test_an_answer_says_to_which_opinion_and_keeps_accents_only_where_they_fit() -> None:
    opening = "Trả lời góp ý số {number}: "
    assert worded("Đã sửa.", 12, opening, voice()) == "Tra loi gop y so 12: Da sua."
    assert worded("Đã sửa.", 12, opening, voice(accents=True)) == "Trả lời góp ý số 12: Đã sửa."
    long = "Đã sửa. " * 15
    assert worded(long, 12, opening, voice(accents=True)) == "Tra loi gop y so 12: " + "Da sua. " * 15
    assert worded("Đã sửa. " * 40, 12, opening, voice(accents=True)) is None


def test_an_answer_is_not_a_template() -> None:
    assert worded("{number} {x} %s", 12, "{number}: ", voice()) == "12: {number} {x} %s"


# ---- whose it is


class FakeOpinions:
    def __init__(self, *found: Unrouted, pages: int = 1) -> None:
        self.found = found
        self.pages = pages
        self.routed: list[Routing] = []

    async def unrouted(self, *, within: timedelta, limit: int) -> Sequence[Unrouted]:
        assert (within, limit) == (timedelta(days=7), PAGE)
        self.pages -= 1
        return self.found if self.pages >= 0 else ()

    async def route(self, routings: Sequence[Routing]) -> None:
        self.routed += routings


def agency(identifier: str, **changes: Any) -> Agency:
    return Agency(identifier=identifier, short_name=identifier, level=AgencyLevel.PROVINCE, **changes)


AGENCIES = Agencies(
    [
        agency("H13", phone="02993 000000"),
        agency("H13.01", parent="H13"),
        agency("H13.02", parent="H13", valid_to=date(2025, 6, 30), successor="H13.01"),
        agency("H13.03", parent="H13", valid_to=date(2025, 6, 30)),
    ],
    default="H13",
)


def router(opinions: Any) -> Router:
    def read_code(text: str) -> Any:
        return read_codes(text, today=local_day(NOW))

    return Router(opinions, agencies=AGENCIES, read_code=read_code, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("text", "asked", "agency", "code"),
    [
        ("cham qua", "", "H13", ""),
        ("cham qua", "H13.01-260302-0005", "H13.01", "H13.01-260302-0005"),
        ("cham qua", "H13.02-230302-0005", "H13.01", "H13.02-230302-0005"),
        ("cham qua", "H13.03-230302-0005", "H13", "H13.03-230302-0005"),
        ("h13.01 260302 0007 cham qua", "H13.02-230302-0005", "H13.01", "H13.01-260302-0007"),
        ("H99.01-260302-0007 cham qua", "", "H13", "H99.01-260302-0007"),
        ("cham qua", "stoppage-7", "H13", ""),
    ],
)
async def test_an_opinion_goes_to_who_answers_for_the_dossier_else_to_the_province(
    text: str, asked: str, agency: str, code: str
) -> None:
    opinions = FakeOpinions(Unrouted(number=1, text=text, asked=asked))
    await router(opinions).route()
    assert opinions.routed == [Routing(number=1, agency=agency, dossier_code=code)]


async def test_a_look_does_not_route_without_end() -> None:
    opinions = FakeOpinions(*(Unrouted(number=n, text="x") for n in range(PAGE)), pages=10**6)
    await router(opinions).route()
    assert len(opinions.routed) == PAGE * MOST_PAGES
