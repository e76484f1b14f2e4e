"""How a printed paper speaks: Vietnamese, which is the legal text, and under it the language its applicant reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import segno
from markupsafe import Markup

from domain.calendar import local_day
from domain.catalogue import Catalogue
from domain.working_time import LimitUnit, TimeLimit

LEGAL: Final = "vi"
SECTION: Final = "print"
QUIET: Final = 4  # modules of white around a code (ISO/IEC 18004 §9.1)
DOTS_PER_MM: Final = 8  # of a thermal printer of 203 dpi
LEAST_MM: Final = 25  # the code without the white around it
_LEADING_ZERO_BEFORE: Final = 3  # of months; of days 10 (decree 30/2020/NĐ-CP, appendix I)
_TWO_DIGITS: Final = 10

Value = str | int | date | datetime | Mapping[str, str]
Said = Sequence[tuple[str, str]]  # (language, text), the legal one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Texts of [print] in one or two languages; `second` empty, or a language nobody wrote texts in: Vietnamese only."""

    catalogue: Catalogue
    second: str = ""

    @property
    def languages(self) -> Sequence[str]:
        """Those of the paper."""
        known = self.second in self.catalogue.languages and self.second != LEGAL
        return (LEGAL, self.second) if known else (LEGAL,)

    def __call__(self, key: str, **values: Value) -> Said:
        """A text in each language. A moment or a day is written as its readers write it; of names by language, theirs."""
        return [(language, self._text(language, key, values)) for language in self.languages]

    def legal(self, key: str, **values: Value) -> str:
        """The Vietnamese alone."""
        return self(key, **values)[0][1]

    def limit(self, limit: TimeLimit | None) -> Said:
        """The time the law allows."""
        if limit is None:
            return self("no_limit")
        if limit.unit is LimitUnit.WORKING_DAYS and limit.count == 0:
            return self("same_day")
        return self(limit.unit.value, count=limit.count)

    def moment(self, moment: datetime) -> str:
        """`14:30 08/10/2026`, in Asia/Ho_Chi_Minh; never broken into two lines."""
        return self.catalogue.moment(LEGAL, moment).replace(" ", "\N{NO-BREAK SPACE}")

    def _text(self, language: str, key: str, values: Mapping[str, Value]) -> str:
        template = self.catalogue.template(language, f"{SECTION}.{key}", accents=True)
        return template.render({name: self._value(language, value) for name, value in values.items()})

    def _value(self, language: str, value: Value) -> str:
        match value:
            case datetime():
                return self.catalogue.moment(language, value)
            case date():
                return self.catalogue.day(language, value)
            case Mapping():
                return value.get(language) or value[LEGAL]
            case _:
                return str(value)


def long_day(moment: datetime) -> str:
    """`Ngày 05 tháng 02 năm 2026`, as above a Vietnamese letter."""
    day = local_day(moment)
    number = f"{day.day:02}" if day.day < _TWO_DIGITS else str(day.day)
    month = f"{day.month:02}" if day.month < _LEADING_ZERO_BEFORE else str(day.month)
    return f"Ngày {number} tháng {month} năm {day.year}"


def qr_drawing(text: str) -> Markup:
    """As lines of a drawing, not smaller than LEAST_MM, each module a whole number of dots of a thermal printer."""
    code = segno.make(text, micro=False, error="m", boost_error=False)
    modules = code.symbol_size(border=0)[0]
    dots = -(-LEAST_MM * DOTS_PER_MM // modules)
    drawn = code.svg_inline(border=QUIET, scale=dots / DOTS_PER_MM, unit="mm", svgclass="qr", lineclass=None)
    # segno writes the drawing out of numbers alone: nothing of `text` stands in it.
    return Markup(drawn)  # noqa: S704
