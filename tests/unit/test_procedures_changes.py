"""What another catalogue would change is told before it is taken, and what would be gone is not gone by accident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from typing import Any

import pytest

from domain.procedure import Procedure, ProcedureForm
from domain.working_time import SupplementRule
from intake.procedure_changes import ChangeKind, changes, dropped

TODAY = date(2026, 11, 23)
YESTERDAY, TOMORROW = date(2026, 11, 22), date(2026, 11, 24)
NEW_YEAR = date(2027, 1, 1)
OTHER = "1.000002"


def version(code: str = "1.000001", **more: Any) -> Procedure:
    texts: dict[str, Any] = {"names": {"vi": "Đăng ký thử"}, "where": {"vi": "UBND xã"}, "fee": {"vi": "không thu"}}
    return Procedure(code=code, **{**texts, "days": 3, **more})


def told(before: Sequence[Procedure], after: Sequence[Procedure]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.kind, each.code, tuple(each.what)) for each in changes(before, after, TODAY)]


def test_the_same_catalogue_in_another_order_changes_nothing() -> None:
    both = [version(), version(OTHER, valid_from=NEW_YEAR)]
    assert changes(both, both[::-1], TODAY) == []


def test_each_kind_of_change_is_told_apart() -> None:
    before = [version(), version(OTHER), version("1.000003", valid_to=YESTERDAY)]
    after = [
        version(valid_to=date(2026, 12, 31)),
        version(valid_from=NEW_YEAR, days=2),
        version(OTHER, days=4),
        version("1.000004"),
        version("1.000005", valid_from=TOMORROW),
    ]
    assert told(before, after) == [
        (ChangeKind.ADDED, "1.000004", ("holds always",)),
        (ChangeKind.BEGINS, "1.000001", ("holds from 01/01/2027", "days: 3 -> 2")),
        (ChangeKind.BEGINS, "1.000005", ("holds from 24/11/2026",)),
        (ChangeKind.CHANGED, OTHER, ("days: 3 -> 4",)),
        (ChangeKind.ENDS, "1.000001", ("last day 31/12/2026",)),
        (ChangeKind.REMOVED, "1.000003", ("held until 22/11/2026",)),
    ]


def test_every_field_that_differs_is_told_as_it_was_and_as_it_is() -> None:
    before = version(
        papers={"vi": ("Tờ khai", "Giấy chứng sinh")},
        forms=(ProcedureForm("Tờ khai"),),
        keywords=("khai sinh", "sinh con"),
        level="một phần",
    )
    after = version(
        names={"vi": "Đăng ký thử", "en": "Test"},
        days=None,
        same_day=True,
        days_note={"vi": "trong ngày"},
        fee={"vi": "8.000 đồng"},
        fee_dong=8_000,
        supplement=SupplementRule.EXTEND,
        cut_off=time(16),
        papers={"vi": ("Tờ khai", "Căn cước")},
        forms=(ProcedureForm("Tờ khai", "to-khai.docx"),),
        keywords=("sinh con", "khai sinh"),
        field_name="Hộ tịch",
    )
    ((kind, _, what),) = told([before], [after])
    assert kind == ChangeKind.CHANGED
    assert what == (
        "names (en): nothing -> Test",
        "fee (vi): không thu -> 8.000 đồng",
        "days: 3 -> nothing",
        "same_day: no -> yes",
        "days_note (vi): nothing -> trong ngày",
        "supplement: restart -> extend",
        "cut_off: nothing -> 16:00",
        "fee_dong: nothing -> 8000",
        "papers (vi): + Căn cước; - Giấy chứng sinh",
        "forms: + Tờ khai (to-khai.docx); - Tờ khai",
        "level: một phần -> nothing",
        "field: nothing -> Hộ tịch",
        "keywords: in another order",
    )


def test_papers_in_one_more_language_are_told() -> None:
    ((_, _, what),) = told(
        [version(papers={"vi": ("Tờ khai",)})], [version(papers={"vi": ("Tờ khai",), "en": ("Form",)})]
    )
    assert what == ("papers (en): + Form",)


def test_a_version_that_begins_on_another_day_is_the_same_one_moved() -> None:
    assert told([version(valid_from=NEW_YEAR)], [version(valid_from=TOMORROW)]) == [
        (ChangeKind.CHANGED, "1.000001", ("valid_from: 01/01/2027 -> 24/11/2026",))
    ]


def test_an_end_that_is_taken_back_is_a_change() -> None:
    assert told([version(valid_to=NEW_YEAR)], [version()]) == [
        (ChangeKind.CHANGED, "1.000001", ("valid_to: 01/01/2027 -> nothing",))
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([version()], []),
        ([version()], [version(OTHER)]),
        ([version(valid_to=NEW_YEAR)], []),  # before its last day
        ([version(valid_from=NEW_YEAR)], []),  # before it ever held
        ([version()], [version(valid_from=NEW_YEAR)]),  # nothing holds until then
    ],
)
def test_a_procedure_without_a_last_day_does_not_disappear(
    before: Sequence[Procedure], after: Sequence[Procedure]
) -> None:
    assert dropped(before, after, TODAY) == ["1.000001"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([version()], [version(days=2)]),
        ([version()], [version(valid_to=NEW_YEAR)]),
        ([version()], [version(valid_to=YESTERDAY)]),  # said plainly, though late
        ([version()], [version(valid_to=YESTERDAY), version(valid_from=NEW_YEAR)]),
        ([version(valid_to=YESTERDAY)], []),
        ([version(valid_to=YESTERDAY), version(valid_from=TODAY)], [version(valid_from=TODAY)]),
        ([version(valid_from=NEW_YEAR)], [version(valid_from=TOMORROW)]),
        ([], [version()]),
    ],
)
def test_what_has_its_days_is_not_dropped(before: Sequence[Procedure], after: Sequence[Procedure]) -> None:
    assert dropped(before, after, TODAY) == []
