"""What a poll looks at again, without a database: the overlap, equal moments, cursors and pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, DateTime, String

from adapters.onestop.changes_codes import RowCodes
from adapters.onestop.changes_cursor import read_cursor, whole_groups, write_cursor
from adapters.onestop.changes_statement import change_column
from adapters.onestop.changes_times import NotPollable, how_written, kept, restored
from adapters.onestop.changes_window import Span, Window
from adapters.onestop.mapping import SourceMapping, load_mapping
from domain.codes import CodeFamily, DossierCode, LegacyPattern
from domain.errors import SettingsError

START = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)  # 10:00 in Asia/Ho_Chi_Minh
OVERLAP, RESOLUTION = 120, 2
MAPPING = """
name = "small"
table = "t"
agency = "{agency}"
date_formats = ["{formats}", "dd/MM/yyyy HH:mm:ss"]
[columns]
code = "c"
status = "s"
changed_at = {changed_at}
[status]
4 = 4
[[joins]]
name = "beside"
table = "b"
on = {{ id = "c" }}
"""


def mapping(formats: str = "iso", changed_at: str = '"m"', agency: str = "H51") -> SourceMapping:
    return load_mapping(MAPPING.format(formats=formats, changed_at=changed_at, agency=agency), "small.toml")


def naive(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001 - as databases keep local time


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Rounds:
    """Rounds of a poll over rows (code -> the moment it bears), every one on a single page."""

    def __init__(self) -> None:
        self.rows: dict[str, datetime | None] = {}
        self.window = Window(timedelta(seconds=RESOLUTION))
        self.since = after(-OVERLAP)

    def at(self, seconds: float) -> set[str]:
        """The codes given by a poll at this moment of the source's clock."""
        then = after(seconds - OVERLAP)
        span = Span(since=self.since, then=then, now=after(seconds))
        given = {code for code, moment in self.rows.items() if self.window.is_due((code, moment), moment, span)}
        self.window.end_round()
        self.since = then
        return given


def test_row_is_given_once_then_left_alone_until_it_leaves_the_overlap() -> None:
    rounds = Rounds()
    rounds.rows["a"] = after(1)
    assert rounds.at(2) == {"a"}
    assert not any(rounds.at(seconds) for seconds in range(5, 121, 5))
    assert rounds.at(125) == {"a"}
    assert not any(rounds.at(seconds) for seconds in range(130, 200, 5))


def test_row_committed_late_is_given() -> None:
    rounds = Rounds()
    assert rounds.at(100) == set()
    rounds.rows["late"] = after(1)
    assert rounds.at(105) == {"late"}


def test_row_that_changed_again_is_given_again() -> None:
    rounds = Rounds()
    rounds.rows["a"] = after(1)
    assert rounds.at(10) == {"a"}
    rounds.rows["a"] = after(11)
    assert rounds.at(15) == {"a"}
    assert rounds.at(20) == set()


def test_row_that_got_its_old_moment_back_is_given_again() -> None:
    rounds = Rounds()
    for seconds, moment in ((10, 1), (15, 11), (20, 1)):
        rounds.rows["a"] = after(moment)
        assert rounds.at(seconds) == {"a"}


def test_second_change_under_the_same_moment_is_seen() -> None:
    rounds = Rounds()
    rounds.rows["a"] = after(1)
    assert rounds.at(1.5) == {"a"}
    assert rounds.at(2.5) == {"a"}  # another one may have come within that second
    assert rounds.at(5) == set()
    assert rounds.at(130) == {"a"}  # or was committed much later


def test_row_dated_in_the_future_is_looked_at_once_and_does_not_hide_the_others() -> None:
    rounds = Rounds()
    rounds.rows["future"] = after(10_000_000)
    assert rounds.at(5) == {"future"}
    rounds.rows["now"] = after(6)
    assert rounds.at(10) == {"now"}
    assert rounds.at(15) == set()


def test_row_without_a_readable_moment_is_given_once() -> None:
    rounds = Rounds()
    rounds.rows["odd"] = None
    assert [rounds.at(5), rounds.at(10)] == [{"odd"}, set()]


def test_forgotten_rows_are_given_again() -> None:
    rounds = Rounds()
    rounds.rows["a"] = after(1)
    rounds.at(5)
    rounds.window.forget()
    assert rounds.at(10) == {"a"}


def test_what_is_remembered_is_bounded_by_the_overlap() -> None:
    rounds = Rounds()
    for seconds in range(0, 1000, 5):
        rounds.rows = {f"{moment}": after(moment) for moment in range(max(0, seconds - OVERLAP - 4), seconds)}
        rounds.at(seconds)
    assert len(rounds.window._before) <= OVERLAP + 5


@given(st.data())
def test_every_change_is_given_after_its_commit_however_late_within_the_overlap(data: st.DataObject) -> None:
    """Moments of two seconds' resolution, commits up to the overlap later, polls at any time."""
    rounds = Rounds()
    polls = sorted(data.draw(st.lists(st.integers(0, 600), min_size=5, max_size=40, unique=True)))
    changes = []
    for code in "abc":
        begun = sorted(data.draw(st.lists(st.integers(1, 400), max_size=4)))
        committed = 0
        for moment in begun:  # changes of one row wait for one another
            committed = max(committed, moment + data.draw(st.integers(0, OVERLAP - RESOLUTION - 1)))
            if committed - moment < OVERLAP - RESOLUTION:
                changes.append((committed, code, moment // RESOLUTION * RESOLUTION))
    state: dict[str, int] = {}
    seen: dict[str, int] = {}
    waiting = sorted(changes)
    for seconds in [*polls, 1000, 2000]:
        while waiting and waiting[0][0] <= seconds:
            _, code, moment = waiting.pop(0)
            rounds.rows[code] = after(moment)
            state[code] = state.get(code, 0) + 1
        for code in rounds.at(seconds):
            seen[code] = state[code]
    assert seen == state


# ---- pages and cursors


def test_rows_with_equal_keys_are_never_torn_apart_by_a_page() -> None:
    assert whole_groups("aabb", 5, str) == ("aabb", False)
    assert whole_groups("aabb", 4, str) == (["a", "a"], True)
    assert whole_groups("bbbb", 4, str) == ("bbbb", True)
    assert whole_groups("", 4, str) == ("", False)


@pytest.mark.parametrize("cursor", ["", "{", "[]", "1", '{"v":2}', "{}"])
def test_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_cursor(cursor)


def test_cursor_is_read_as_it_was_written() -> None:
    assert read_cursor(write_cursor(at=["Đ", 5], n=1)) == {"v": 1, "at": ["Đ", 5], "n": 1}
    assert read_cursor(None) == {}


# ---- columns


@pytest.mark.parametrize(
    ("formats", "sample", "written"),
    [
        ("iso", naive(2026, 1, 1, 8), naive(2026, 7, 1, 10)),
        ("iso", datetime(2026, 1, 1, 8, tzinfo=UTC), START),
        ("dd/MM/yyyy HH:mm:ss", naive(2026, 1, 1, 8), naive(2026, 7, 1, 10)),
        ("yyyy-MM-dd HH:mm:ss", "2026-01-01 08:00:00", "2026-07-01 10:00:00"),
        ("iso", "2026-01-01T08:00:00.123", "2026-07-01T10:00:00"),
        ("iso", "2026-01-01 08:00:00", "2026-07-01 10:00:00"),
        ("iso", "2026-01-01T08:00:00Z", "2026-07-01T03:00:00"),
        ("iso", "2026-01-01T08:00:00+09:00", "2026-07-01T12:00:00"),
        ("yyyyMMddHHmmss", "20260101080000", "20260701100000"),
        ("yyyyMMddHHmmss", 20260101080000, 20260701100000),
        ("yyyyMMddHHmmss", Decimal(20260101080000), 20260701100000),
        ("yyyy-MM-dd HH:mm:ss", b"2026-01-01 08:00:00", "2026-07-01 10:00:00"),
    ],
)
def test_moment_is_written_as_the_column_writes_it(formats: str, sample: object, written: object) -> None:
    how = how_written([None, "", "0000-00-00 00:00:00", sample], mapping(formats))
    assert how is not None
    assert how.write(START) == written
    assert how.read(written) is not None
    assert restored(kept(sample), how) == (int(sample) if isinstance(sample, Decimal) else _text(sample))


def _text(sample: object) -> object:
    return sample.decode() if isinstance(sample, bytes) else sample


@pytest.mark.parametrize(
    ("formats", "sample"),
    [
        ("iso", date(2026, 1, 1)),
        ("iso", "2026-01-01"),
        ("iso", "20260101T080000"),
        ("yyyy-MM-dd HH:mm:ss", "2026-01-01"),
        ("yyyy-MM-dd HH:mm:ss", "2026-01-01T08:00:00"),
        ("yyyyMMddHHmmss", 20260101),
        ("dd/MM/yyyy HH:mm:ss", "01/01/2026 08:00:00"),
        ("iso", "yesterday"),
        ("iso", 1_782_900_000),
        ("iso", timedelta(1)),
    ],
)
def test_column_that_does_not_sort_by_time_is_refused(formats: str, sample: object) -> None:
    with pytest.raises(NotPollable):
        how_written([sample], mapping(formats))


def test_one_rubbish_value_does_not_stop_the_polls_and_an_empty_column_says_nothing() -> None:
    how = how_written(["zzz", "2026-01-01 08:00:00"], mapping())
    assert how is not None
    assert how.read("zzz") is None
    assert how_written([None, "", "-"], mapping()) is None


@pytest.mark.parametrize(
    ("sample", "other"),
    [
        (naive(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), naive(2026, 1, 1)),
        ("2026-01-01 08:00:00", 5),
        (naive(2026, 1, 1), "yesterday"),
    ],
)
def test_cursor_of_a_column_that_changed_its_type_is_refused(sample: object, other: object) -> None:
    how = how_written([sample], mapping())
    assert how is not None
    with pytest.raises(ValueError, match=r".*"):
        restored(kept(other), how)


def test_kinds_of_parameters() -> None:
    kinds = [how_written([sample], mapping(form)) for form, sample in (("iso", START), ("iso", "2026-01-01 08:00"))]
    kinds.append(how_written([20260101080000], mapping("yyyyMMddHHmmss")))
    assert [type(how.kind) for how in kinds if how] == [DateTime, String, BigInteger]


@pytest.mark.parametrize("changed_at", ['"beside.m"', '{ first = ["a", "b"] }'])
def test_column_that_is_none_of_the_dossiers_is_refused_when_made(changed_at: str) -> None:
    with pytest.raises(SettingsError, match="swept"):
        change_column(mapping(changed_at=changed_at))


# ---- codes


def test_row_gives_every_code_it_holds_and_one_without_any_is_counted() -> None:
    noted: list[tuple[str, str]] = []
    patterns = [
        LegacyPattern(agency="H51.18", mask="#####/####/#####"),
        LegacyPattern(agency="H51.04", mask="#####/####/#####"),
    ]
    reader = RowCodes(mapping().model_copy(update={"agency": "H51.18"}), patterns, lambda *note: noted.append(note))
    old = DossierCode(text="000.00.18.H51-161220-0001", family=CodeFamily.OLD, agency="000.00.18.H51")
    number = DossierCode(text="12345/2016/00123", family=CodeFamily.LEGACY, agency="H51.18")
    assert reader.of(["000.00.18.h51-161220-0001 ", None]) == [old]
    assert reader.of(["12345/2016/00123", "000.00.18.H51-161220-0001"]) == [number, old]
    assert noted == []
    for row in ([None, ""], ["a letter"], ["A00-250101-0000"], ["12345-2016-00123"]):
        assert reader.of(row) == []
    assert [event for event, _ in noted] == ["code_unreadable"] * 4
    assert "letter" not in str(noted)
