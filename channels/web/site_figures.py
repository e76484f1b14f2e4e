"""A site's use as a table, for a page and for a spreadsheet (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.csv_lines import MARK, csv_lines
from domain.sites import Site, SiteUse, Used


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How often what happened on the days up to `last`, the last one included."""

    last: date
    days: Mapping[date, Mapping[SiteUse, int]]  # every day, the oldest first
    totals: Mapping[SiteUse, int]

    @property
    def total(self) -> int:
        return sum(self.totals.values())

    @property
    def seen(self) -> Sequence[SiteUse]:
        """What happened at all."""
        return [use for use in SiteUse if self.totals[use]]

    @property
    def busy(self) -> Sequence[tuple[date, Mapping[SiteUse, int]]]:
        """The days on which something happened, the newest first."""
        return [(day, counts) for day, counts in reversed([*self.days.items()]) if any(counts.values())]


def figures(used: Sequence[Used], last: date, days: int) -> Figures:
    """Put in order what was counted; what is of no day asked for is left out."""
    by_day = {last - timedelta(days=back): dict.fromkeys(SiteUse, 0) for back in reversed(range(days))}
    totals: Counter[SiteUse] = Counter()
    for each in used:
        if each.day in by_day:
            by_day[each.day][each.use] += each.count
            totals[each.use] += each.count
    return Figures(last=last, days=by_day, totals=totals)


def as_csv(site: Site, told: Figures, words: Mapping[str, str]) -> bytes:
    """UTF-8 with a byte order mark, by which spreadsheets know it; every day a row, every use a column."""
    heads = [words["name"], words["key"], words["day"], *(words[f"use_{use}"] for use in SiteUse), words["total"]]
    rows = [
        [site.name, site.key, day.isoformat(), *(str(counts[use]) for use in SiteUse), str(sum(counts.values()))]
        for day, counts in told.days.items()
    ]
    return MARK + csv_lines([heads, *rows])
