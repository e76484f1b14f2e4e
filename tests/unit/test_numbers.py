"""One person has one number, however it was written; nobody's machine gets a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.numbers import normalise
from domain.phones import PREFIXES_OF_2018

INTERNATIONAL = 1
ALPHANUMERIC = 5


@pytest.mark.parametrize(
    "written",
    ["0912345678", "84912345678", "+84912345678", "0084912345678", "912345678", "840912345678", "0912 345.678"],
)
@pytest.mark.parametrize("ton", [0, INTERNATIONAL, 2])
def test_every_way_to_write_a_vietnamese_mobile_is_one(written: str, ton: int) -> None:
    assert normalise(written, ton) == "84912345678"


@pytest.mark.parametrize(
    ("written", "ton", "kept"),
    [
        ("66812345678", INTERNATIONAL, "66812345678"),  # Thai, without its plus
        ("66812345678", 0, "66812345678"),
        ("+85512345678", 0, "85512345678"),
        ("352621123456", INTERNATIONAL, "352621123456"),
        ("35226123", INTERNATIONAL, "35226123"),
        ("0237 3852 111", 0, "842373852111"),
        ("8088", 0, "8088"),
        ("8088", INTERNATIONAL, "8088"),
        ("1022", 3, "1022"),
        ("1990000", 0, "1990000"),  # a hotline; 84 before it would make it a mobile's nine digits
        ("19001234", 0, "19001234"),
        ("+1 283275027", 0, "+1283275027"),  # nobody's; without its plus it would be an old number of ours
        ("VIETTEL", ALPHANUMERIC, "VIETTEL"),
        (" DVC-TH ", 0, "DVC-TH"),
        ("123456", ALPHANUMERIC, "123456"),
        ("999999999999", 0, "999999999999"),
        ("", 0, ""),
    ],
)
def test_others_are_kept_as_what_they_are(written: str, ton: int, kept: str) -> None:
    assert normalise(written, ton) == kept


def test_a_foreign_number_of_nine_digits_is_not_taken_for_ours() -> None:
    assert normalise("352261234", INTERNATIONAL) != "84352261234"


@pytest.mark.parametrize(("old", "new"), PREFIXES_OF_2018.items())
@pytest.mark.parametrize("lead", ["0", "84", "+84", "0084", ""])
def test_an_eleven_digit_number_is_the_ten_digit_one_of_today(old: str, new: str, lead: str) -> None:
    assert normalise(f"{lead}{old}7654321") == f"84{new}7654321"


def test_all_old_prefixes_lead_to_different_new_ones() -> None:
    assert len(PREFIXES_OF_2018) == len(set(PREFIXES_OF_2018.values())) == 21


@given(st.text(max_size=40), st.integers(0, 255))
def test_no_address_raises(address: str, ton: int) -> None:
    normalise(address, ton)


@given(
    st.sampled_from(["", "0", "84", "+84", "0084"]),
    st.from_regex(r"[35789][0-9]{8}", fullmatch=True),
    st.sampled_from(["", " ", ".", "-"]),
)
def test_every_mobile_is_one_number_and_stays_it(lead: str, subscriber: str, separator: str) -> None:
    written = separator.join([lead, subscriber[:2], subscriber[2:5], subscriber[5:]])
    assert normalise(written) == normalise(normalise(written)) == "84" + subscriber
