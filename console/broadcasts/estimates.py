"""What a broadcast as it stands in the form would take: segments, people, đồng, time, told in lines a page can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.broadcasts.counts import Counts
from console.broadcasts.ports import AudienceCount
from console.broadcasts.sizing import Cost, Segments, Size, cost_of, size_of
from domain.broadcast_fitness import longest_values
from domain.broadcast_texts import LONGEST_VALUE
from domain.broadcasts import Audience
from domain.invitations import invites_answer
from domain.officers import Officer

USUAL: Final[Mapping[str, int]] = {"ma_ho_so": 20, "co_quan": 15, "ngay_hen": 10, "thu_tuc": 40, "trang_thai": 15}
USUAL_COLUMN: Final = 15
_LETTER: Final = "x"  # takes one unit in either alphabet, as letters do


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What sending takes. `segments` counts as the SMS channel that sends does; `tps` is what it sends a second now, 0:
    nothing. `names`: the registered ones it may leave under, which nobody can answer; `numbers`: ours that can be.
    """

    segments: Segments
    tps: Callable[[], float]
    dong_per_segment: float
    names: Sequence[str] = ()
    numbers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`count` None: the audience is not complete yet. `counting`: more of it is known soon. `known`: how many there are at
    most although counting is not over; 0: nobody knows yet.
    """

    sizes: Sequence[Size]
    count: AudienceCount | None = None
    cost: Cost | None = None
    counting: bool = False
    known: int = 0
    unanswered: frozenset[str] = frozenset()
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """Says what it comes to."""

    counts: Counts
    rates: Rates

    async def estimate(
        self,
        texts: Mapping[str, str],
        audience: Audience | None,
        *,
        broadcast: int,
        columns: Sequence[str],
        officer: Officer,
        scope: frozenset[str],
        known: int = 0,
    ) -> Estimate:
        """`known`: people as they were counted when it was submitted, or rows of its list; 0: neither.

        Raises:
            StoreUnavailable: nothing was counted.
        """
        counted = None
        if audience is not None:
            counted = await self.counts.of(officer.id, audience, broadcast=broadcast, scope=scope)
        values = values_of(columns, counted.count.longest if counted else {})
        sizes = [size_of(name, text, values, self.rates.segments) for name, text in texts.items() if text]
        alone = Estimate(sizes=sizes, unanswered=self._unanswered(texts), names=self.rates.names)
        if counted is None:
            return alone
        known = known if counted.count.more else 0
        cost = cost_of(
            [size.most for size in sizes],
            known or counted.count.people.get("sms", 0),
            dong_per_segment=self.rates.dong_per_segment,
            tps=self.rates.tps(),
        )
        return replace(alone, count=counted.count, cost=cost, counting=counted.going_on and not known, known=known)

    def _unanswered(self, texts: Mapping[str, str]) -> frozenset[str]:
        if not self.rates.names:
            return frozenset()
        return frozenset(name for name, text in texts.items() if invites_answer(text, self.rates.numbers))


def values_of(columns: Sequence[str], listed: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
    """The usual and the longest value of each placeholder, as long as they are; the letters say nothing. `listed`: the
    longest of each column that was counted.
    """
    unseen = dict.fromkeys(columns, _LETTER * LONGEST_VALUE)
    longest = longest_values({**unseen, **listed})
    return {name: (_LETTER * min(USUAL.get(name, USUAL_COLUMN), len(most)), most) for name, most in longest.items()}
