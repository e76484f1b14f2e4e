"""How a change column writes moments, learnt from what stands in it (pure): a poll compares in the column's own terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, DateTime, String
from sqlalchemy.types import TypeEngine

from adapters.onestop.dates import DATE_FORMATS, is_nothing, read_moment
from adapters.onestop.mapping import SourceMapping
from adapters.onestop.plain import plain

WITH_A_TIME = {"yyyyMMddHHmmss": 14, "yyyy-MM-dd HH:mm:ss": 19, "iso": 16}
"""Formats that sort as texts do -> the least length of one that has a time."""
SEPARATOR_AT = 10  # in an ISO text: "T" or a space, which sort differently
DASH_AT = 4


class NotPollable(ValueError):
    """Why a column cannot be polled, or not any more as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One column. `kind` is what a parameter is sent as; `write` makes one of an aware moment; `zone` is that of values
    without an offset.
    """

    kind: TypeEngine[Any]
    write: Callable[[datetime], object]
    zone: tzinfo
    formats: tuple[Callable[[str], datetime], ...]
    nothings: frozenset[str]

    def read(self, value: object) -> datetime | None:
        """The moment there; None where there is none, or none that can be read."""
        try:
            return read_moment(value, self.formats, self.zone, self.nothings)
        except (ValueError, OverflowError):  # silent on purpose: whoever reads the dossier notes it
            return None


def how_written(samples: Iterable[object], mapping: SourceMapping) -> Written | None:
    """How the column writes today, by the first of `samples` that can be read; None where nothing stands there yet.

    Raises:
        NotPollable: it does not sort by time; says why.
    """
    nothings = mapping.nothings()
    given = [sample for sample in samples if not is_nothing(sample, nothings)]
    faults: list[NotPollable] = []
    for sample in given:
        try:
            kind, write = _by_kind(sample, mapping)
        except NotPollable as fault:
            faults.append(fault)
            continue
        formats = tuple(DATE_FORMATS[name] for name in mapping.date_formats)
        return Written(kind=kind, write=write, zone=ZoneInfo(mapping.time_zone), formats=formats, nothings=nothings)
    if faults:
        raise faults[0]
    return None


_How = tuple[TypeEngine[Any], Callable[[datetime], object]]


def _by_kind(sample: object, mapping: SourceMapping) -> _How:
    zone = ZoneInfo(mapping.time_zone)
    if isinstance(sample, datetime):
        return _as_moments(sample, zone)
    if isinstance(sample, date):
        raise NotPollable("it holds days without a time")
    value = plain(sample)
    if not isinstance(value, str | int):
        raise NotPollable("it holds no moments")
    pattern, offset = _as_text(str(value), mapping.date_formats[0])
    within = offset or zone
    if isinstance(value, int):
        return BigInteger(), lambda moment: int(moment.astimezone(within).strftime(pattern))
    return String(), lambda moment: moment.astimezone(within).strftime(pattern)


def _as_moments(sample: datetime, zone: tzinfo) -> _How:
    if sample.tzinfo is None:
        return DateTime(), lambda moment: moment.astimezone(zone).replace(tzinfo=None)
    return DateTime(timezone=True), lambda moment: moment


def _as_text(text: str, name: str) -> tuple[str, tzinfo | None]:
    """The pattern of strftime, to the second, and the offset all of them are written with, if they are."""
    if name not in WITH_A_TIME:
        raise NotPollable(
            f"texts in the form {name} do not sort by time; the first of date_formats says what is written"
        )
    moment: datetime | None = None
    with suppress(ValueError):
        moment = DATE_FORMATS[name](text)
    if moment is None or len(text) < WITH_A_TIME[name]:
        raise NotPollable(f"its newest values are no moments in the form {name}, the first of date_formats")
    if name == "yyyyMMddHHmmss":
        return "%Y%m%d%H%M%S", None
    if text[DASH_AT] != "-" or text[SEPARATOR_AT] not in "T ":
        raise NotPollable("it is written in a form of ISO 8601 without dashes")
    return f"%Y-%m-%d{text[SEPARATOR_AT]}%H:%M:%S", moment.tzinfo


def kept(value: object) -> str | int:
    """A column's value as it is kept in a cursor."""
    if isinstance(value, datetime):
        return value.isoformat()
    value = plain(value)
    return value if isinstance(value, str | int) else str(value)


def restored(value: str | int, written: Written) -> object:
    """A kept value as it is sent.

    Raises:
        NotPollable: the column is of another type by now.
    """
    expects: Mapping[type, type] = {DateTime: str, BigInteger: int, String: str}
    if not isinstance(value, expects[type(written.kind)]):
        raise NotPollable("the column is of another type now")
    if not isinstance(written.kind, DateTime):
        return value
    moment = datetime.fromisoformat(str(value))
    if (moment.tzinfo is None) is written.kind.timezone:
        raise NotPollable("the column is of another type now")
    return moment
