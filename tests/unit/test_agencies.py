"""Agencies: found under every spelling, checked all at once, followed to who does their work today."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from domain.agencies import PHONE_MAX, SHORT_NAME_MAX, Agencies, Agency, AgencyLevel
from domain.codes import CodeFamily, DossierCode
from tests.unit.speaking import shipped_agencies, shipped_grammar

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


@pytest.mark.parametrize("typed", ["", "H15.20", "H5", "H512.18", "H51x", ".", "000.00.00.000"])
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
    assert agency.name("en") == "Department of Agriculture and Environment of Cần Thơ"
    assert agency.name("km") == agency.names["vi"]


def test_the_shipped_catalogue_is_plainly_a_sample(shipped: Agencies) -> None:
    assert all(re.fullmatch(r"02993 0\d{5}", agency.phone) for agency in shipped)
    assert len({agency.phone for agency in shipped}) == len(shipped)


def test_every_name_ever_printed_leads_to_somebody_in_force_today_with_a_telephone(shipped: Agencies) -> None:
    for agency in shipped:
        for name in (agency.identifier, *agency.aliases):
            assert shipped.find(name) is agency
            today = shipped.answering(name, TODAY)
            assert today is not None, name
            assert today.in_force(TODAY), name
            assert today.phone, name


def test_whoever_ended_says_who_carries_on_and_was_followed_the_next_day(shipped: Agencies) -> None:
    for agency in shipped:
        assert (agency.valid_to is None) == (agency.successor is None), agency.identifier
        if agency.valid_to is not None:
            next_day = shipped.answering(agency.identifier, agency.valid_to + timedelta(days=1))
            assert next_day is not None, agency.identifier
            assert next_day.identifier == agency.successor, agency.identifier


def test_nothing_of_soc_trang_is_in_force_since_it_became_a_part_of_can_tho(shipped: Agencies) -> None:
    its = [agency for agency in shipped if agency.identifier.startswith("H51")]
    assert not any(agency.in_force(date(2025, 7, 1)) for agency in its)
    assert all(agency.in_force(date(2025, 6, 30)) for agency in its if agency.valid_to == date(2025, 6, 30))


# Resolution 1668/NQ-UBTVQH15 of 16 June 2025: eight wards and thirty-five communes made of 108 units.
WARDS = "Phú Lợi, Sóc Trăng, Mỹ Xuyên, Vĩnh Phước, Vĩnh Châu, Khánh Hòa, Ngã Năm, Mỹ Quới"
COMMUNES = (
    "Hòa Tú, Gia Hòa, Nhu Gia, Ngọc Tố, Trường Khánh, Đại Ngãi, Tân Thạnh, Long Phú, Nhơn Mỹ, Phong Nẫm, An Lạc Thôn, "
    "Kế Sách, Thới An Hội, Đại Hải, Phú Tâm, An Ninh, Thuận Hòa, Hồ Đắc Kiện, Mỹ Tú, Long Hưng, Mỹ Phước, Mỹ Hương, "
    "Vĩnh Hải, Lai Hòa, Tân Long, Phú Lộc, Vĩnh Lợi, Lâm Tân, Thạnh Thới An, Tài Văn, Liêu Tú, Lịch Hội Thượng, Trần Đề, "
    "An Thạnh, Cù Lao Dung"
)


def test_the_forty_three_new_units_are_all_there_and_each_has_predecessors(shipped: Agencies) -> None:
    expected = {f"UBND phường {name}" for name in WARDS.split(", ")} | {
        f"UBND xã {name}" for name in COMMUNES.split(", ")
    }
    new = [agency for agency in shipped if agency.level is AgencyLevel.COMMUNE and agency.parent == "H13"]
    assert len(expected) == len(new) == 43
    assert {agency.short_name for agency in new} == expected
    followed = {agency.successor for agency in shipped if agency.level is AgencyLevel.COMMUNE}
    assert {agency.identifier for agency in new} <= followed


def test_the_eleven_districts_and_their_hundred_and_eight_communes_are_all_there(shipped: Agencies) -> None:
    last_day = [agency for agency in shipped if agency.valid_to == date(2025, 6, 30)]
    levels = Counter(agency.level for agency in last_day)
    assert levels[AgencyLevel.DISTRICT] == 11
    assert levels[AgencyLevel.COMMUNE] == 108


@pytest.mark.parametrize(
    ("printed", "today"),
    [
        ("000.00.18.H51", "Sở NN-MT Cần Thơ"),
        ("H51.15", "Sở KH-CN Cần Thơ"),
        ("H51.09", "Sở Nội vụ Cần Thơ"),
        ("000.18.29.H51", "UBND xã Ngọc Tố"),
        ("H51.20.09", "UBND phường Phú Lợi"),  # Ward 9, then Ward 1, then Phú Lợi
        ("H51.26.08", "UBND xã Nhơn Mỹ"),  # Song Phụng went over the border of its district
        ("H51.28.06", "UBND xã Tân Long"),
        ("H51.24", "UBND xã An Thạnh"),  # the town of Cù Lao Dung is in An Thạnh now
        ("H51", "TT Phục vụ HCC TP Cần Thơ"),
        ("G09.20", "Bộ Nội vụ"),
    ],
)
def test_the_one_who_holds_the_dossier_today_is_known(shipped: Agencies, printed: str, today: str) -> None:
    agency = shipped.answering(printed, TODAY)
    assert agency is not None
    assert agency.short_name == today


def test_the_receiving_point_in_phu_loi_answered_for_half_a_year(shipped: Agencies) -> None:
    agency = shipped.answering("H51", date(2025, 12, 31))
    assert agency is not None
    assert agency.identifier == "H13.21"


# ---- receipt numbers from before


def test_a_shipped_keyword_means_nothing_else(shipped: Agencies) -> None:
    assert shipped.clashes(shipped_grammar()) == []
    assert len([agency for agency in shipped if agency.keyword]) >= 15


def test_a_keyword_that_already_means_something_is_named() -> None:
    agencies = catalogue(row("H51.01", keyword="DUNG"), row("H51.02", keyword="STNMT"), row("H51.03", keyword="HELP"))
    assert agencies.clashes(shipped_grammar()) == [
        "agency H51.01: keyword DUNG already means stop_all in the grammar",
        "agency H51.03: keyword HELP already means help in the grammar",
    ]


def test_an_agencys_masks_come_with_all_its_names() -> None:
    agencies = catalogue(row("H51.18", keyword="STNMT", legacy=["#####/####"], aliases=["000.00.18.H51"]))
    (pattern,) = agencies.legacy_patterns()
    assert (pattern.agency, pattern.mask, pattern.keyword) == ("H51.18", "#####/####", "STNMT")
    assert pattern.names == ("H51.18", "000.00.18.H51", "Sở Y tế")


def test_every_fault_of_keywords_and_masks_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"H51\.01") as caught:
        catalogue(
            row("H51.01", keyword="stnmt"),
            row("H51.02", keyword="H51"),
            row("H51.03", keyword="TOOLONGAWORD"),
            row("H51.04", legacy=["####"]),
            row("H51.05", legacy="#####"),
            row("H51.06", keyword="SYT"),
            row("H51.07", keyword="SYT"),
            row("H51.08", legacy=[12]),
        )
    told = str(caught.value).splitlines()
    for number in (1, 2, 3):
        fault = f"agency H51.0{number}: keyword must be two to ten capital letters and digits, two letters first"
        assert fault in told
    assert "agency H51.04: the legacy mask '####' of H51.04 fixes fewer than five digits" in told
    assert "agency H51.05: legacy must be a list" in told
    assert "agency H51.08: legacy may hold texts only" in told
    assert "keyword SYT: given to 2 agencies" in told


def test_the_help_desk_is_reached_where_the_settings_say() -> None:
    agencies = Agencies.from_mapping(shipped_agencies())
    moved = agencies.helped_at("1022")
    assert moved.default.phone == "1022"
    assert [each for each in moved if each is not moved.default] == [
        each for each in agencies if each is not agencies.default
    ]
