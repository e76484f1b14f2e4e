"""How long the longest text of a list is: never shorter than any text of it, counted by the encoder that sends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.sms.segments import plan
from domain.broadcast_fitness import SIGNS, Longest, longest_values
from domain.broadcast_texts import LONGEST_VALUE, filled

# What stands in lists: names, streets, brackets, signs of other scripts, and what is far longer than is sent.
VALUES = st.one_of(
    st.text(st.sampled_from("aB 0đĐễạ[]{}€|漢😀ñ-_…“"), max_size=80), st.text(max_size=20), st.just("Nguyễn " * 20)
)
LISTS = st.lists(st.fixed_dictionaries({"ten": VALUES, "so": VALUES}), min_size=1, max_size=4)
TEXTS = st.sampled_from(["x" * 90 + "{ten}", "x" * 270 + " {ten} {so}", "ơ" * 40 + "{ten}{so}", "{ten}" * 4])


def segments(text: str) -> int:
    return len(plan(text).parts)


@given(TEXTS, LISTS)
def test_no_text_of_a_list_is_longer_than_the_one_that_was_measured(text: str, rows: list[dict[str, str]]) -> None:
    longest = Longest()
    for row in rows:
        longest.add(row)
    measured = filled(text, longest_values(longest.values()))
    assert all(segments(filled(text, row)) <= segments(measured) for row in rows)


def test_accents_make_nobodys_text_longer_than_plain_letters() -> None:
    longest = Longest()
    for name in ("Lê Thị Ánh", "Đỗ Ước", "An"):
        longest.add({"ten": name})
    assert longest.values() == {"ten": SIGNS[0] * 10}


def test_of_a_value_no_more_is_measured_than_is_sent() -> None:
    longest = Longest()
    longest.add({"ten": "x" * 500})
    assert longest.values() == {"ten": SIGNS[0] * LONGEST_VALUE}


def test_the_dearest_sign_of_a_column_stands_for_all_of_it() -> None:
    longest = Longest()
    for value in ("x" * 9, "[1]", "漢字"):
        longest.add({"so": value})
    assert longest.values() == {"so": SIGNS[2] * 9}
