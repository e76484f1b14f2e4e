"""Several systems know one dossier: what is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from lookup.merging import FURTHER, latest, merge, moved_at

S = DossierStatus
CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
DAY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def row(source: str, status: DossierStatus | None = S.IN_PROCESS, at: int | None = None, **more: object) -> Dossier:
    """What one system says; `at`: hours after DAY at which the dossier moved there."""
    moved = None if at is None else DAY + timedelta(hours=at)
    return replace(
        Dossier(code=CODE, source=source, status=status, agency=source.upper(), changed_at=moved),
        **more,  # type: ignore[arg-type]
    )


def test_every_state_and_none_has_a_place() -> None:
    assert set(FURTHER) == {*DossierStatus, None}


# earlier believed, then the other; who tells
WHO_TELLS = [
    (("a", S.IN_PROCESS, 1), ("b", S.ACCEPTED, 2), "b"),  # known times decide ...
    (("a", S.RETURNED, 1), ("b", S.DONE, 2), "b"),  # ... even where a state goes back: 10 -> 9 is a legal move
    (("a", S.DONE, 2), ("b", S.IN_PROCESS, 1), "a"),
    (("a", S.IN_PROCESS, 1), ("b", S.IN_PROCESS, 1), "a"),  # the same time and the same state: who is believed first
    (("a", S.IN_PROCESS, 1), ("b", S.RETURNED, 1), "b"),  # the same time: a result handed over is not undone
    (("a", S.RETURNED, 1), ("b", S.IN_PROCESS, 1), "a"),
    (("a", S.IN_PROCESS, None), ("b", S.DONE, None), "b"),  # nobody knows when
    (("a", S.DONE, None), ("b", S.IN_PROCESS, None), "a"),
    (("a", S.DONE, None), ("b", S.STOPPED, None), "a"),
    (("a", S.IN_PROCESS, None), ("b", S.RETURNED, 1), "b"),  # one is not known
    (("a", S.RETURNED, None), ("b", S.IN_PROCESS, 1), "a"),
    (("a", S.IN_PROCESS, 1), ("b", S.RETURNED, None), "b"),
    (("a", S.IN_PROCESS, 1), ("b", S.MORE_DOCUMENTS, None), "a"),
    (("a", S.IN_PROCESS, None), ("b", S.MORE_DOCUMENTS, 1), "a"),
    (("a", None, None), ("b", S.ACCEPTED, None), "a"),  # a state no mapping knows is told as "in process"
    (("a", None, None), ("b", S.DONE, None), "b"),
]


@pytest.mark.parametrize(("first", "second", "teller"), WHO_TELLS)
def test_the_one_that_moved_last_tells(
    first: tuple[str, S | None, int | None], second: tuple[str, S | None, int | None], teller: str
) -> None:
    merged = merge([row(*first), row(*second)])
    assert (merged.source, merged.agency) == (teller, teller.upper())


def test_result_no_longer_counts_when_its_dossier_is_known_to_have_moved_since() -> None:
    """What has no time is compared with the latest of the others, not with an older one it would lose to or win over."""
    rows = [row("a", S.ACCEPTED, None), row("b", S.IN_PROCESS, 5), row("c", S.RETURNED, 3)]
    assert latest(rows).source == "b"


def test_without_a_time_of_change_the_latest_date_counts() -> None:
    assert moved_at(row("a")) is None
    assert moved_at(row("a", received_at=DAY)) == DAY
    later = DAY + timedelta(days=3)
    assert moved_at(row("a", received_at=DAY, finished_at=later)) == later
    assert moved_at(row("a", received_at=DAY, returned_at=later)) == later
    assert moved_at(row("a", at=1, returned_at=later)) == DAY + timedelta(hours=1)


def test_it_was_received_when_and_where_the_first_received_it() -> None:
    commune = row("commune", S.ACCEPTED, 1, received_at=DAY)
    province = row("province", S.IN_PROCESS, 9, received_at=DAY + timedelta(hours=8))
    for rows in permutations([commune, province]):
        merged = merge(rows)
        assert (merged.received_at, merged.receiving_agency, merged.agency) == (DAY, "COMMUNE", "PROVINCE")
    said = replace(commune, receiving_agency="DESK")
    assert merge([said, province]).receiving_agency == "DESK"


def test_agency_is_not_named_twice() -> None:
    rows = [row("a", at=2, received_at=DAY), row("b", at=1, received_at=DAY + timedelta(hours=1))]
    assert merge(rows).receiving_agency == ""
    assert merge([row("a", at=2), row("b", at=1, returning_agency="A")]).returning_agency == ""
    assert merge([row("a", at=2), row("b", at=1, returning_agency="B")]).returning_agency == "B"


def test_promised_day_is_that_of_the_teller() -> None:
    early, late = date(2026, 11, 25), date(2026, 11, 30)
    assert merge([row("a", at=1, due_on=early), row("b", at=2, due_on=late)]).due_on == late


def test_dossier_without_a_promised_day_is_not_told_overdue_for_a_day_promised_elsewhere() -> None:
    merged = merge([row("a", at=1, due_on=date(2026, 11, 25)), row("b", at=2)])
    assert (merged.due_on, merged.due_unknown) == (None, False)
    merged = merge([row("a", at=1, due_unknown=True), row("b", at=2)])
    assert (merged.due_on, merged.due_unknown) == (None, False)


def test_promised_day_the_teller_does_not_say_is_taken_from_who_knows_it() -> None:
    early = date(2026, 11, 25)
    merged = merge([row("a", at=1, due_on=early), row("b", at=2, due_unknown=True)])
    assert (merged.due_on, merged.due_unknown) == (early, False)
    merged = merge([row("a", at=1), row("b", at=2, due_unknown=True)])
    assert (merged.due_on, merged.due_unknown) == (None, True)


def test_what_belongs_to_a_state_is_never_taken_from_another_system() -> None:
    asks = row("a", S.MORE_DOCUMENTS, 1, unit="Desk 3", missing="a photo", fee="20,000", finished_at=DAY)
    moved = row("b", S.IN_PROCESS, 2, procedure="1.004946")
    merged = merge([asks, moved])
    assert (merged.status, merged.unit, merged.missing, merged.fee, merged.finished_at) == (
        S.IN_PROCESS,
        "",
        "",
        "",
        None,
    )
    named = replace(asks, procedure_name="Birth", procedure="2.000001")
    assert (merge([named, moved]).procedure, merge([named, moved]).procedure_name) == ("1.004946", "Birth")


def test_what_proves_a_right_to_one_proves_it_to_all() -> None:
    rows = [row("a", proofs=frozenset({"1", "2"})), row("b", proofs=frozenset({"2", "3"})), row("c")]
    assert merge(rows).proofs == {"1", "2", "3"}


def test_one_system_is_told_as_it_is() -> None:
    only = row("a")
    assert merge([only]) is only


ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from("abcd"),
        st.sampled_from([*DossierStatus, None]),
        st.none() | st.integers(0, 3),
        received_at=st.none() | st.just(DAY),
    ),
    min_size=1,
    max_size=4,
)


@given(ROWS)
def test_whoever_tells_nobody_is_known_to_have_moved_later_unless_less_far(rows: list[Dossier]) -> None:
    teller = latest(rows)
    for other in rows:
        ours, theirs = moved_at(teller), moved_at(other)
        if ours is not None and theirs is not None:
            assert theirs <= ours
        elif ours is None and theirs is not None:
            assert FURTHER[teller.status] >= FURTHER[other.status] or theirs != max(filter(None, map(moved_at, rows)))
