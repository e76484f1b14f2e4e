"""The budgets of one asker by name: worked out once, since only the codes differ from question to question."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network

from conversation.ports import BudgetAsk, Limit
from domain.codes import CodeFamily, DossierCode
from domain.message import Address

LINE_DIGITS = 4  # numbers that differ in these only are often bought together
IPV6_BLOCK = 48  # what one IPv6 site may hold (RFC 6177)
REMEMBERED = 4_096  # askers whose budgets are kept worked out; beyond, all are forgotten and made again
SITE_MISSES = "site-miss"  # a purpose whose end raises an alarm
NOTICE = (Limit(1, 3600.0),)  # how often one number is told that its neighbours have spent a budget
_LAST_DIGITS = re.compile(r"\d+\D*\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The budgets of one kind of asking: of messages, or of questions on the web. `tells`: whoever asks hears what is left
    of `answers`. `known`: the askers worked out.
    """

    purpose: str
    answers: tuple[Limit, ...]
    answers_per_block: tuple[Limit, ...]
    ceiling: tuple[Limit, ...]
    codes: tuple[Limit, ...]
    misses: tuple[Limit, ...]
    misses_per_block: tuple[Limit, ...]
    misses_before_work: tuple[Limit, ...] = ()
    block_misses_before_work: tuple[Limit, ...] = ()
    tells: bool = False
    known: dict[tuple[str, str], Charges] = field(default_factory=dict)

    def of(self, asker: Address) -> Charges:
        """The budgets of this asker."""
        name = (asker.scheme, asker.value)
        charges = self.known.get(name)
        if charges is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            charges = self.known[name] = Charges(self, asker)
        return charges


class Charges:
    """The budgets of one asker, each as it is asked; of a block or an hour only where there are limits.

    `answer`: what an answer is charged to. `asked`: that, and whether any misses are left. That needs the answer to be
    allowed, by its block too, but not by the ceiling: beyond that, who proves is still answered.

    `suspicions`: whether so much was missed from there that a proof of work comes first. They stand behind what is asked
    and in front of the codes, each needing the one before it, and are counters of their own: what they refuse is done
    all the same, once the work is. `suspected`: what a miss adds to them.
    """

    __slots__ = (
        "_codes",
        "answer",
        "asked",
        "block",
        "ceiling",
        "left",
        "left_if_paid",
        "left_of_block",
        "misses",
        "misses_of_block",
        "notice",
        "own",
        "suspected",
        "suspicions",
        "whose",
    )

    def __init__(self, rules: Rules, asker: Address) -> None:
        block = block_of(asker)
        self.whose = whose = f"{block}|{asker.value}" if block else asker.urn
        self.own = BudgetAsk(f"{rules.purpose}:{whose}", rules.answers)
        self.block = BudgetAsk(f"{rules.purpose}-block:{block}", rules.answers_per_block if block else (), needs=1)
        self.ceiling = BudgetAsk(f"{rules.purpose}-all:", rules.ceiling, needs=1)
        self.answer = (self.own, *(ask for ask in (self.block, self.ceiling) if ask.limits))
        self.misses = BudgetAsk(f"miss:{whose}", rules.misses)
        self.left_if_paid = self.misses._replace(units=0)
        self.left = self.misses._replace(units=0, needs=2 if rules.ceiling else 1)
        self.asked = (*self.answer, self.left)
        self.misses_of_block = BudgetAsk(f"miss-block:{block}", rules.misses_per_block if block else ())
        self.left_of_block = self.misses_of_block._replace(units=0)
        of_asker = BudgetAsk(f"work-miss:{whose}", rules.misses_before_work)
        of_block = BudgetAsk(f"work-block:{block}", rules.block_misses_before_work if block else ())
        self.suspected = tuple(ask for ask in (of_asker, of_block) if ask.limits)
        self.suspicions = _only_asked(self.suspected)
        self._codes = (f"code:{whose}", rules.codes)
        self.notice = BudgetAsk(f"notice:{whose}", NOTICE)

    def code(self, code: DossierCode, place: int) -> BudgetAsk:
        """One distinct code, the `place`th behind the misses, which it needs."""
        key, limits = self._codes
        return BudgetAsk(key, limits, code.reference, 1, place)


class SiteCharges:
    """What is counted of one site's key, each only where there are limits; see Charges of `suspicions`. Its questions
    without a proof of work are counted as they are asked.
    """

    __slots__ = ("suspected", "suspicions")

    def __init__(self, site: str, misses: tuple[Limit, ...], questions: tuple[Limit, ...]) -> None:
        of_site = BudgetAsk(f"{SITE_MISSES}:site:{site}", misses)
        asked = BudgetAsk(f"site-asked:site:{site}", questions, needs=1)
        self.suspected = (of_site,) if misses else ()
        self.suspicions = (*_only_asked(self.suspected), *((asked,) if questions else ()))


def _only_asked(asks: Iterable[BudgetAsk]) -> tuple[BudgetAsk, ...]:
    """Whether anything is left of them, each needing the one before it."""
    return tuple(ask._replace(units=0, needs=1) for ask in asks)


def block_of(asker: Address) -> str:
    """The block an asker's address lies in; empty where addresses are given out one by one (accounts of a chat)."""
    value = asker.value
    if asker.scheme == "sms":
        return f"sms:{value[:-LINE_DIGITS]}"
    if asker.scheme != "web":
        return ""
    if ":" in value:
        return f"web:{ip_network(value, strict=False).supernet(new_prefix=IPV6_BLOCK)}"
    return f"web:{value.rpartition('.')[0]}"


def prefix_of(code: DossierCode) -> str:
    """What codes that follow one another share: agency and day; of receipt numbers from before, the agency and all but
    the last group of digits.
    """
    if code.family is CodeFamily.LEGACY:
        return _LAST_DIGITS.sub("", code.reference)
    return code.text.rpartition("-")[0]
