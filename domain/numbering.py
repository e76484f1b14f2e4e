"""The codes an agency gives its dossiers: one number after the other, each day anew (decree 61/2018/NĐ-CP art. 26)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from domain.codes import DossierCode, parse_canonical

LAST_SERIAL = 99_999_999  # the longest serial a code may have is eight digits
_FIELD = re.compile(r"\{([a-z]+)(?::(\d))?\}")
_FIELDS = frozenset({"agency", "yymmdd", "yyyymmdd", "serial"})
_TRIED = date(2026, 1, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPattern:
    """How an agency's codes are written: `{agency}-{yymmdd}-{serial:4}` by the rule in force. `first` is the first serial
    of a day: above 1 where another system of the same agency numbers too, so that the two never meet.

    Raises:
        ValueError: it does not make codes that can be read back.
    """

    agency: str
    text: str = "{agency}-{yymmdd}-{serial:4}"
    first: int = 1

    def __post_init__(self) -> None:
        names = [name for name, _ in _FIELD.findall(self.text)]
        if not set(names) <= _FIELDS or names.count("serial") != 1:
            raise ValueError(
                f"a pattern of codes has {{serial}} once, and of {', '.join(sorted(_FIELDS))} what it wants"
            )
        if not 1 <= self.first < LAST_SERIAL:
            raise ValueError(f"the first serial is from 1 to {LAST_SERIAL - 1}")
        if not {"yymmdd", "yyyymmdd"} & set(names):
            raise ValueError("a pattern of codes has {yymmdd} or {yyyymmdd}: each day begins anew")
        self.code(_TRIED, self.first)

    def code(self, day: date, serial: int) -> DossierCode:
        """The code of this serial.

        Raises:
            ValueError: it is no code of today's rules.
        """
        text = self._written(day, serial)
        code = parse_canonical(text)
        if code is None:
            raise ValueError(f"{text} cannot be read as a dossier code")
        return code

    @property
    def agency_in_codes(self) -> str:
        """The agency its codes name; another than its own where the pattern has it so."""
        return self.code(_TRIED, self.first).agency

    def may_meet(self, other: NumberPattern) -> bool:
        """Some serial of the one may make a code of the other, on the same day. Serials have no end: that the two begin at
        different ones keeps them apart for a while only.
        """
        mine, theirs = self._head, other._head
        return mine.startswith(theirs) or theirs.startswith(mine)

    @property
    def _head(self) -> str:
        """What stands before the serial."""
        text = self._written(_TRIED, LAST_SERIAL)
        return text[: text.rindex(str(LAST_SERIAL))]

    def _written(self, day: date, serial: int) -> str:
        values = {
            "agency": self.agency,
            "yymmdd": f"{day:%y%m%d}",
            "yyyymmdd": f"{day:%Y%m%d}",
            "serial": str(serial),
        }
        return _FIELD.sub(lambda found: values[found[1]].zfill(int(found[2] or 0)), self.text)
