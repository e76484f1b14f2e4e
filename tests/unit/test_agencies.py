"""Agencies: found under every spelling, checked all at once, followed to who does their work today."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from domain.agencies import PHONE_MAX, SHORT_NAME_MAX, Agencies, Agency, AgencyLevel
from domain.codes import CodeFamily, DossierCode
from tests.unit.speaking import shipped_agencies

TODAY = date(2026, 10, 8)


def code(agency: str) -> DossierCode:
    family = CodeFamily.OLD if agency[:1].isdigit() else CodeFamily.NEW
    return DossierCode(text=f"{agency}-250701-0001", family=family, agency=agency)


def row(identifier: str, **more: Any) -> dict[str, Any]:
    return {"identifier": identifier, "short_name": "Sở Y tế", "phone": "02993 000000", "level": "province", **more}


def catalogue(*rows: dict[str, Any], default: str = "H51") -> Agencies:
    return Agencies.from_mapping({"default": default, "agency": [row("H51"), *rows]})


@pytest.fixture(scope="module")
def shipped() -> Agencies:
    return Agencies.from_mapping(shipped_agencies())


@pytest.mark.parametrize(
    ("typed", "identifier"),
    [
        ("H51.18", "H51.18"),
        ("000.00.18.H51", "H51.18"),
        ("H51.29.18", "H51.29.18"),
        ("000.18.29.H51", "H51.29.18"),
        ("000.00.04.H51", "H51.04"),
    ],
)
def test_an_agency_is_found_in_the_old_order_and_in_the_new(shipped: Agencies, typed: str, identifier: str) -> None:
    found = shipped.for_code(code(typed))
    assert found is not None
    assert found.identifier == identifier


@pytest.mark.parametrize(
    ("typed", "identifier"),
    [("H51.29.18.05", "H51.29.18"), ("H51.29.77", "H51.29"), ("000.77.29.H51", "H51.29"), ("H51.77", "H51")],
)
def test_an_unlisted_section_is_answered_by_the_nearest_agency_above(
    shipped: Agencies, typed: str, identifier: str
) -> None:
    found = shipped.for_code(code(typed))
    assert found is not None
    assert found.identifier == identifier


@pytest.mark.parametrize("typed", ["", "G09.20", "H5", "H512.18", "H51x", ".", "000.00.00.000"])
def test_nobody_of_ours_answers_for_a_strangers_code(shipped: Agencies, typed: str) -> None:
    assert shipped.find(typed) is None


def test_levels_are_compared_whole_and_not_letter_by_letter() -> None:
    agencies = catalogue(row("H51.1"))
    found = agencies.for_code(code("H51.18"))
    assert found is agencies.default


def test_a_table_row_wins_over_the_rule_of_reversal() -> None:
    agencies = catalogue(row("H51.18"), row("H51.30", aliases=["000.00.18.H51"]))
    found = agencies.for_code(code("000.00.18.H51"))
    assert found is not None
    assert found.identifier == "H51.30"


def test_a_code_of_an_abolished_agency_is_answered_by_the_successors_successor() -> None:
    agencies = catalogue(
        row("H51.15", valid_to=date(2025, 2, 28), successor="H51.08"),
        row("H51.08", valid_to=date(2025, 6, 30), successor="H51.09"),
        row("H51.09", valid_from=date(2025, 7, 1)),
    )

    def answering(day: date) -> str:
        agency = agencies.answering("H51.15", day)
        return agency.identifier if agency else ""

    assert answering(date(2025, 2, 28)) == "H51.15"
    assert answering(date(2025, 3, 1)) == "H51.08"
    assert answering(date(2025, 7, 1)) == "H51.09"
    found = agencies.for_code(code("H51.15"))
    assert found is not None
    assert found.identifier == "H51.15"  # whose number it is does not change


def test_an_agency_without_heir_leaves_the_answer_to_the_help_desk() -> None:
    agencies = catalogue(row("H51.15", valid_to=date(2025, 2, 28)))
    assert agencies.answering("H51.15", TODAY) is None
    assert agencies.default.identifier == "H51"


def test_every_fault_of_a_catalogue_is_named_at_once() -> None:
    mapping = {
        "default": "H51.99",
        "colour": "blue",
        "agency": [
            row("H51.01", short_name="x" * (SHORT_NAME_MAX + 1), phone="0" * (PHONE_MAX + 1)),
            row("H51.02", phone="call me"),
            row("H51.03", short_name="Sở [Y tế]"),
            row("h51"),
            row("H51.05", aliases=["H51.06"]),
            row("H51.06", parent="H51.77"),
            row("H51.07", successor="H51.08"),
            row("H51.08", successor="H51.07"),
            row("H51.09", valid_from=date(2025, 2, 1), valid_to=date(2025, 1, 1)),
            row("H51.10", level="kingdom", colour="red", names={"vi": 7}),
            row("H51.11", address="a\x00b"),
            {"identifier": "H51.12"},
        ],
    }
    with pytest.raises(ValueError, match=r"H51\.01") as caught:
        Agencies.from_mapping(mapping)
    told = str(caught.value).splitlines()
    for expected in (
        "agencies: unknown key colour",
        "agency H51.01: short_name has 31 characters, at most 30 fit",
        "agency H51.01: phone has 13 characters, at most 12 fit",
        "agency H51.02: phone may hold digits and spaces only",
        "agency H51.03: short_name is empty or holds signs a text message cannot carry plainly",
        "agency h51: the identifier is not of the form H51.18",
        "agency H51.06: named 2 times",
        "agency H51.06: parent H51.77 is unknown",
        "agency H51.07: successor leads back to itself",
        "agency H51.08: successor leads back to itself",
        "agency H51.09: valid_from is later than valid_to",
        "agency H51.10: unknown key colour",
        "agency H51.10: level must be one of province, district, commune",
        "agency H51.10: names may hold texts only",
        "agency H51.11: a name or the address holds control characters",
        "agency H51.12: level is missing",
        "agency H51.12: short_name is missing",
        "agencies: default 'H51.99' is unknown",
    ):
        assert expected in told


def test_the_help_desk_must_have_a_telephone() -> None:
    with pytest.raises(ValueError, match="default H51 needs a phone"):
        Agencies([Agency(identifier="H51", short_name="TT HCC", level=AgencyLevel.PROVINCE)], default="H51")


def test_an_agency_is_called_by_its_full_name_in_the_readers_language(shipped: Agencies) -> None:
    agency = shipped.answering("H51.18", TODAY)
    assert agency is not None
    assert agency.name("en") == "Department of Natural Resources and Environment of Sóc Trăng"
    assert agency.name("km") == agency.names["vi"]


def test_the_shipped_catalogue_is_plainly_a_sample(shipped: Agencies) -> None:
    assert len(shipped) >= 12
    assert all(agency.phone.startswith("02993 00") for agency in shipped)


def test_the_help_desk_is_reached_where_the_settings_say() -> None:
    agencies = Agencies.from_mapping(shipped_agencies())
    moved = agencies.helped_at("1022")
    assert moved.default.phone == "1022"
    assert [each for each in moved if each is not moved.default] == [
        each for each in agencies if each is not agencies.default
    ]
