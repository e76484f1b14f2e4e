"""An administrative procedure (thủ tục hành chính), as a citizen asks about it (decision 40/2016 art. 9.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from itertools import takewhile

from domain.working_time import LimitUnit, SupplementRule, TimeLimit

_MORE = "..."
_UNITS: Mapping[str, LimitUnit] = {
    "days": LimitUnit.WORKING_DAYS,
    "hours": LimitUnit.WORKING_HOURS,
    "calendar_days": LimitUnit.DAYS,
}


@dataclass(frozen=True, slots=True)
class ProcedureForm:
    """What must be filled in; `file` is the name of a file that people may take, where there is one."""

    name: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One procedure in one version. `code` is the national one, without an agency behind it ("1.004946").

    How long it may take: `days` (working days), `hours` (working hours), `calendar_days`, `same_day`; at most one of them,
    and `days_note` says in words whatever is not `days`. `supplement`: what one does to the promised day. `cut_off`:
    received later counts as the next working day, in place of the desk's own.
    `fee`, `where` and `days_note` are texts per language, `names` too; Vietnamese is always there. `fee_dong` is the fee
    where it is one figure. `keywords` are further words people use for it. `valid_from` and `valid_to` are its first and
    last day (Asia/Ho_Chi_Minh).
    """

    code: str
    names: Mapping[str, str]
    where: Mapping[str, str]
    fee: Mapping[str, str]
    days: int | None = None
    hours: int | None = None
    calendar_days: int | None = None
    same_day: bool = False
    days_note: Mapping[str, str] = field(default_factory=dict)
    supplement: SupplementRule = SupplementRule.RESTART
    cut_off: time | None = None
    fee_dong: int | None = None
    papers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forms: tuple[ProcedureForm, ...] = ()
    level: str = ""  # toàn trình | một phần | thông tin
    field_name: str = ""  # lĩnh vực
    keywords: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None

    def limit(self) -> TimeLimit | None:
        """How long it may take; None: no time is fixed, and no day can be promised."""
        if self.same_day:
            return TimeLimit(0)
        counts = ((getattr(self, name), unit) for name, unit in _UNITS.items())
        return next((TimeLimit(count, unit) for count, unit in counts if count is not None), None)

    def in_force(self, today: date) -> bool:
        """This version holds on this day."""
        return (self.valid_from is None or self.valid_from <= today) and (
            self.valid_to is None or today <= self.valid_to
        )


def told_in(language: str, texts: Mapping[str, str]) -> str:
    """The text in this language, else in Vietnamese, else nothing."""
    return texts.get(language) or texts.get("vi", "")


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, cut behind a word and marked with "...": a name is data and may be long."""
    if len(text) <= limit:
        return text
    whole_words = text[: limit - len(_MORE) + 1].rpartition(" ")[0]
    return (whole_words or text[: limit - len(_MORE)]).rstrip(" ,;:-") + _MORE


def told_apart(names: Sequence[str], limit: int) -> Sequence[str]:
    """The names shortened. Those that would read the same begin where they differ."""
    short = [shortened(name, limit) for name in names]
    told = []
    for name, each in zip(names, short, strict=True):
        alike = [other.split() for other, cut in zip(names, short, strict=True) if cut == each]
        shared = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*alike, strict=False)))
        rest = " ".join(name.split()[shared:])
        told.append(shortened(_MORE + rest, limit) if rest and len(alike) > 1 else each)
    return told
