"""An administrative procedure (thủ tục hành chính), as a citizen asks about it (decision 40/2016 art. 9.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile

_MORE = "..."


@dataclass(frozen=True, slots=True)
class ProcedureForm:
    """What must be filled in; `file` is the name of a file that people may take, where there is one."""

    name: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One procedure in one version. `code` is the national one, without an agency behind it ("1.004946").

    `days` are working days; None: the result comes the same day or the time is not fixed, and `days_note` says which.
    `fee`, `where` and `days_note` are texts per language, `names` too; Vietnamese is always there. `keywords` are
    further words people use for it. `valid_from` and `valid_to` are its first and last day (Asia/Ho_Chi_Minh).
    """

    code: str
    names: Mapping[str, str]
    where: Mapping[str, str]
    fee: Mapping[str, str]
    days: int | None = None
    days_note: Mapping[str, str] = field(default_factory=dict)
    papers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forms: tuple[ProcedureForm, ...] = ()
    level: str = ""  # toàn trình | một phần | thông tin
    field_name: str = ""  # lĩnh vực
    keywords: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None

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
