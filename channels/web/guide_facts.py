"""What a page about asking by text message says (pure): numbers, words to type, and an agency's own examples.

Every example is nobody's dossier: a serial of zeros only is reserved for examples, and the gateway answers it as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from channels.web.chat_links import ChatLink
from domain.agencies import Agencies, Agency
from domain.text import bare, fold

EXAMPLE_DAY = date(2025, 7, 1)  # of the codes in examples, where the agency gave any on that day
NOBODYS = "0000"  # the serial of examples
MOST_RECEIPTS = 2  # kinds of old receipt numbers on one page
MOST_FOUND = 40  # agencies of one search
MASKS = (("#+", "0"), ("#", "0"), ("@", "A"))  # domain.codes.LegacyPattern
LEVELS = ("province", "district", "commune")


Chats = Callable[[], Sequence[ChatLink]]


def no_chats() -> Sequence[ChatLink]:
    """There is no bot, or none that is up."""
    return ()


def example_day(agency: Agency) -> date:
    """A day on which this agency gave codes."""
    day = max(EXAMPLE_DAY, agency.valid_from or EXAMPLE_DAY)
    return min(day, agency.valid_to or day)


def example_code(agency: Agency) -> str:
    """A code as this agency gives it, or gave it while it existed."""
    return f"{agency.identifier}-{example_day(agency):%y%m%d}-{NOBODYS}"


def loosely(code: str) -> str:
    """The same as a hurried thumb types it."""
    return code.lower().replace(".", " ").replace("-", " ")


def words_to_type(code: str) -> Mapping[str, str]:
    """What to send, by what it does; domain.inquiry reads each as its name says."""
    return {
        "look_up": code,
        "loosely": loosely(code),
        "follow": f"DK {code}",
        "unfollow": f"HUY {code}",
        "stop_all": "DUNG",
        "resume": "BAT",
        "procedure": "TT khai sinh",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OldReceipt:
    """A receipt number from before the national codes, as it is typed: the agency's keyword first."""

    agency: str
    keyword: str
    typed: str


def old_receipts(agency: Agency, agencies: Agencies, today: date) -> Sequence[OldReceipt]:
    """Those of this agency, and of the agencies whose work it carries on today."""
    giving = [each for each in agencies if each.keyword and each.legacy and _asks_there(each, agency, agencies, today)]
    return [
        OldReceipt(agency=each.short_name, keyword=each.keyword, typed=f"{each.keyword} {_zeros(each.legacy[0])}")
        for each in giving[:MOST_RECEIPTS]
    ]


def _asks_there(giving: Agency, agency: Agency, agencies: Agencies, today: date) -> bool:
    return giving is agency or agencies.answering(giving.identifier, today) is agency


def _zeros(mask: str) -> str:
    for sign, written in MASKS:
        mask = mask.replace(sign, written)
    return mask


# ---- finding an agency


def exactly(agencies: Agencies, typed: str) -> Agency | None:
    """The agency of this identifier or alias; not the one above it."""
    name = typed.strip().upper()
    found = agencies.find(name)
    return found if found is not None and name in (found.identifier, *found.aliases) else None


def ended_on(agency: Agency, today: date) -> date | None:
    """The day from which it does not exist any more, if that has come."""
    if agency.valid_to is None or agency.valid_to >= today:
        return None
    return agency.valid_to + timedelta(days=1)


def by_level(agencies: Agencies, today: date) -> Mapping[str, Sequence[Agency]]:
    """Those that exist today, by the level they are of, in the catalogue's order."""
    return {level: [each for each in agencies if each.level == level and each.in_force(today)] for level in LEVELS}


def found(agencies: Agencies, typed: str, today: date) -> Sequence[Agency]:
    """Those whose names hold every word that was typed, accents aside; those that exist today first."""
    words = frozenset(bare(fold(typed)).split())
    hits = [each for each in agencies if words and _holds(_names(each), words)]
    return sorted(hits, key=lambda each: not each.in_force(today))[:MOST_FOUND]


def _holds(names: str, words: Iterable[str]) -> bool:
    return all(word in names for word in words)


def _names(agency: Agency) -> str:
    named = agency.identifier, *agency.aliases, agency.short_name, *agency.names.values(), agency.keyword
    return bare(fold(" ".join(named)))
