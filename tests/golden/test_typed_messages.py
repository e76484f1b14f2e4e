"""Every row of the golden table is understood as it was reviewed, and the page shows the table as it is."""

from __future__ import annotations

import unicodedata

import pytest

from tests.golden import PAGE, Row, page, rows, understood

TABLE = rows()


@pytest.mark.parametrize("row", TABLE, ids=[row.number for row in TABLE])
def test_a_typed_message_is_taken_for_what_its_sender_meant(row: Row) -> None:
    assert understood(row.message) == row.expected, row.why


@pytest.mark.parametrize("row", [row for row in TABLE if not row.expected.startswith(("Feedback", "FindProcedure"))])
def test_decomposed_accents_change_nothing(row: Row) -> None:
    assert understood(unicodedata.normalize("NFD", row.message)) == row.expected, row.why


def test_the_table_is_large_and_no_message_stands_in_it_twice() -> None:
    assert len(TABLE) >= 300
    assert len({row.message for row in TABLE}) == len(TABLE)
    assert [int(row.number) for row in TABLE] == list(range(1, len(TABLE) + 1))


def test_every_kind_of_inquiry_and_every_reason_is_in_the_table() -> None:
    taken_for = {row.expected.split(" ")[0] for row in TABLE}
    assert taken_for == {
        "LookUp", "AskBack", "Choice", "Follow", "Unfollow", "ListFollowed", "StopAll", "Resume", "FindProcedure",
        "ProcedureHelp", "ChooseLanguage", "Feedback", "Help", "Thanks", "Example", "Unreadable",
        "JoinNumber", "PartNumber",
    }  # fmt: skip


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.golden`"
