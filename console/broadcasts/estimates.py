"""What a broadcast as it stands in the form would take: segments, people, đồng, time, told in lines a page can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from console.broadcasts.ports import AudienceCount, Broadcasts, DayCount, PreviewRow
from console.broadcasts.sizing import Cost, Segments, Size, cost_of, size_of
from domain.agencies import SHORT_NAME_MAX
from domain.broadcast_texts import LONGEST_VALUE
from domain.broadcasts import Audience

LOOKED_AT: Final = 50_000  # dossiers or rows counted while somebody writes
SAMPLE: Final = 50  # recipients whose values are looked at
KEPT: Final = timedelta(seconds=10)  # a count is not made anew with every letter that is typed
MOST_KEPT: Final = 100
# The longest value of each placeholder, in characters; of a file's columns what was seen, within LONGEST_VALUE.
LONGEST: Final[Mapping[str, int]] = {
    "ma_ho_so": 30,
    "co_quan": SHORT_NAME_MAX,
    "ngay_hen": 10,
    "thu_tuc": LONGEST_VALUE,
    "trang_thai": 40,
}
USUAL: Final[Mapping[str, int]] = {"ma_ho_so": 20, "co_quan": 15, "ngay_hen": 10, "thu_tuc": 40, "trang_thai": 15}
USUAL_COLUMN: Final = 15
_LETTER: Final = "x"  # takes one unit in either alphabet, as letters do


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What sending takes. `segments` counts as the SMS channel that sends does; `tps` is what it sends a second now, 0:
    nothing.
    """

    segments: Segments
    tps: Callable[[], float]
    dong_per_segment: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`count` None: the audience is not complete yet."""

    sizes: Sequence[Size]
    count: AudienceCount | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class _Counted:
    key: tuple[int, Audience]
    at: datetime
    count: AudienceCount
    sample: Sequence[PreviewRow]


@dataclass(slots=True, kw_only=True)
class Estimator:
    """Counts; the last count of each officer is kept for some seconds. `day`: the day's count as it is kept now; None: none
    is.
    """

    broadcasts: Broadcasts
    rates: Rates
    clock: Callable[[], datetime]
    day: Callable[[], DayCount | None]
    _kept: dict[int, _Counted] = field(default_factory=dict)

    async def estimate(
        self,
        texts: Mapping[str, str],
        audience: Audience | None,
        *,
        broadcast: int,
        columns: Sequence[str],
        officer: int,
    ) -> Estimate:
        """Raises StoreUnavailable."""
        counted = await self._counted(audience, broadcast, officer) if audience else None
        values = values_of(columns, counted.sample if counted else ())
        sizes = [size_of(name, text, values, self.rates.segments) for name, text in texts.items() if text]
        if counted is None:
            return Estimate(sizes=sizes)
        cost = cost_of(
            [size.most for size in sizes],
            counted.count.people.get("sms", 0),
            dong_per_segment=self.rates.dong_per_segment,
            tps=self.rates.tps(),
        )
        return Estimate(sizes=sizes, count=counted.count, cost=cost)

    async def _counted(self, audience: Audience, broadcast: int, officer: int) -> _Counted:
        now, key = self.clock(), (broadcast, audience)
        kept = self._kept.get(officer)
        if kept is not None and kept.key == key and now - kept.at < KEPT:
            return kept
        count = await self.broadcasts.count(audience, identifier=broadcast, limit=LOOKED_AT, day=self.day())
        sample = await self.broadcasts.preview(audience, identifier=broadcast, limit=SAMPLE)
        counted = _Counted(key, now, count, sample)
        self._kept.pop(officer, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[officer] = counted
        return counted


def values_of(columns: Sequence[str], sample: Sequence[PreviewRow]) -> Mapping[str, tuple[str, str]]:
    """The usual and the longest value of each placeholder, as long as they are; the letters say nothing."""
    seen = {name: [len(row.values.get(name, "")) for row in sample] for name in columns}
    lengths = {name: (USUAL[name], LONGEST[name]) for name in LONGEST}
    for name, found in seen.items():
        longest = min(max(found, default=0) or LONGEST_VALUE, LONGEST_VALUE)
        lengths[name] = (min(USUAL_COLUMN, longest), longest)
    return {name: (_LETTER * usual, _LETTER * longest) for name, (usual, longest) in lengths.items()}
