"""Who gets an answer, and how often; the budgets of all channels live here.

Everything is asked in one round trip before a batch is looked up: what is left of the replies, of the distinct codes and
of the misses. What an earlier budget refuses is charged to no later one. A miss is counted when it is known, so that
misses may go over by what was under way at that moment. A typed proof may not: it is charged beforehand, and given back
when it was right.

Nobody is silenced by his neighbours: when the budget of a block is spent, each of its numbers is told so once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import structlog

from conversation.charges import REMEMBERED, Charges, Rules, prefix_of
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.codes import DossierCode
from domain.message import Address
from domain.proof import Proof

log = structlog.get_logger()

SHORTEST_SUBSCRIBER_NUMBER = 7  # digits; shorter senders are services, and answering them starts loops
LONGEST_SUBSCRIBER_NUMBER = 15  # digits (ITU-T E.164 §6.2.1)

MOST_OF_A_PREFIX = 5  # misses of one asker that count towards a prefix, so that no few lock it for everybody
_HOUR, _DAY = 3600.0, 86_400.0
_CEILING, _MISSED_PREFIX = "reply-all", "miss-prefix"  # purposes of budgets whose end raises an alarm
_FREE = BudgetAsk("", ())  # always allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """The budgets; raise them for a load test, the code stays on.

    A sender is a telephone number or an account of a chat. An address is one of the web: a whole office may stand
    behind it, so that it may ask for more. A block holds many of either: the numbers that differ in their last four
    digits, an IPv4 /24, an IPv6 /48; when its misses are spent, what is found is still told there, and what is not found
    is refused. The prefix of a code is its agency and day: when its misses are spent somebody is walking through its
    serials, and its dossiers are told only to who proves a right to know.
    """

    replies: tuple[Limit, ...] = (Limit(10, 600.0), Limit(30, _DAY))
    replies_per_block: tuple[Limit, ...] = (Limit(200, _HOUR),)
    all_replies: tuple[Limit, ...] = (Limit(20_000, _HOUR),)  # what an hour may cost
    codes: tuple[Limit, ...] = (Limit(10, _DAY),)
    misses: tuple[Limit, ...] = (Limit(5, _HOUR),)
    questions_per_address: tuple[Limit, ...] = (Limit(30, 60.0),)
    questions_per_block: tuple[Limit, ...] = (Limit(300, 60.0),)
    codes_per_address: tuple[Limit, ...] = (Limit(60, _DAY),)
    misses_per_address: tuple[Limit, ...] = (Limit(20, _HOUR),)
    misses_per_block: tuple[Limit, ...] = (Limit(30, _HOUR),)
    misses_per_code: tuple[Limit, ...] = (Limit(10, _DAY),)  # wrong proofs for one dossier, whoever typed them
    misses_per_prefix: tuple[Limit, ...] = (Limit(100, _DAY),)
    own_numbers: frozenset[str] = frozenset()


class Admission(NamedTuple):
    """The guards' word: `verdict` is on the whole, `codes` are those that may be looked up.

    `busy`: what refuses is the block's budget, nothing the asker did. `walked`: to be told only to who proves. `closed`:
    the misses of the block are spent, so that what is not found is refused. `locked`: too many wrong proofs were typed
    for the first of the wanted codes. `capped`: this hour's replies are spent. `reply` is what the reply was charged to,
    `attempt` the typed proof. A plain tuple, like BudgetAsk, since every question makes one.
    """

    verdict: Verdict
    codes: tuple[DossierCode, ...] = ()
    walked: frozenset[DossierCode] = frozenset()
    busy: bool = False
    closed: bool = False
    locked: bool = False
    capped: bool = False
    reply: tuple[BudgetAsk, ...] = ()
    attempt: tuple[BudgetAsk, ...] = ()


class Wanted(NamedTuple):
    """What somebody wants to know: of which dossiers, and the proof typed for the first of them.

    `paid`: the answer was charged already, before the text was read. A plain tuple, like Admission.
    """

    asker: Address
    codes: tuple[DossierCode, ...] = ()
    proof: Proof | None = None
    paid: Admission | None = None


@dataclass(slots=True)
class Dues:
    """What is to be counted, and what given back, once a batch is decided."""

    misses: list[tuple[Address, DossierCode]] = field(default_factory=list)
    back: list[BudgetAsk] = field(default_factory=list)


def no_count(event: str) -> None:
    """Counts nothing."""


class Guards:
    """Decides over batches. Nobody is exempt: who shall have more is given more by setting."""

    def __init__(self, budgets: Budgets, settings: GuardSettings, *, count: Callable[[str], None] = no_count) -> None:
        """`count(event)` is told of alarms: prefix_walked, ceiling_reached."""
        self._budgets = budgets
        self._settings = settings
        self._count = count
        self._walks: dict[str, BudgetAsk] = {}  # by prefix
        told = settings
        self._messages = Rules(
            purpose="reply",
            answers=told.replies,
            answers_per_block=told.replies_per_block,
            ceiling=told.all_replies,
            codes=told.codes,
            misses=told.misses,
            misses_per_block=told.misses_per_block,
        )
        self._questions = Rules(
            purpose="question",
            answers=told.questions_per_address,
            answers_per_block=told.questions_per_block,
            ceiling=(),
            codes=told.codes_per_address,
            misses=told.misses_per_address,
            misses_per_block=told.misses_per_block,
        )

    def answerable(self, sender: Address) -> bool:
        """No reply to short, alphabetic or own numbers: two answering machines would talk for ever."""
        if sender.scheme != "sms":
            return True
        number = sender.value
        return (
            number.isascii()
            and number.isdecimal()
            and SHORTEST_SUBSCRIBER_NUMBER <= len(number) <= LONGEST_SUBSCRIBER_NUMBER
            and number not in self._settings.own_numbers
        )

    async def admit_messages(self, wanted: Sequence[Wanted]) -> list[Admission]:
        """One reply each, and what it shall tell. Of a refusal it says whether it is told: FIRST_REFUSAL."""
        return await self._announce(wanted, await self._admit(self._messages, wanted))

    async def admit_questions(self, wanted: Sequence[Wanted]) -> list[Admission]:
        """One HTTP question each, and what its answer shall tell."""
        return await self._admit(self._questions, wanted)

    async def notice(self, sender: Address) -> bool:
        """Whether this sender may be told that its neighbours have spent a budget: once an hour."""
        (verdict,) = await self._spend([self._messages.of(sender).notice])
        return verdict is Verdict.ALLOWED

    async def settle(self, dues: Dues) -> None:
        """Count the misses and give back what was charged for nothing; no round trip when there is neither."""
        misses = [ask for asker, code in dues.misses for ask in self._missed(asker, code)]
        works: list[Awaitable[object]] = [self._spend(misses)] if misses else []
        if dues.back:
            works.append(self._budgets.refund(dues.back))
        await asyncio.gather(*works)

    async def refund_replies(self, senders: Sequence[Address]) -> None:
        """These replies were not written: the person did not get what they paid for."""
        await self._budgets.refund([ask for sender in senders for ask in self._messages.of(sender).answer])

    async def _admit(self, rules: Rules, wanted: Sequence[Wanted]) -> list[Admission]:
        asks: list[BudgetAsk] = []
        plans: list[tuple[Wanted, Charges, int]] = []  # with how many asks each has
        for each in wanted:
            charges, before = rules.of(each.asker), len(asks)
            self._plan(charges, each, asks)
            plans.append((each, charges, len(asks) - before))
        verdicts = await self._spend(asks)
        if _all_allowed(verdicts):  # nearly always
            return [
                Admission(Verdict.ALLOWED, each.codes, reply=charges.answer)
                if each.proof is None and each.paid is None
                else self._read(each, charges, {})
                for each, charges, _ in plans
            ]
        said = iter(zip(asks, verdicts, strict=True))
        return [self._read(each, charges, dict(islice(said, size))) for each, charges, size in plans]

    def _plan(self, charges: Charges, wanted: Wanted, asks: list[BudgetAsk]) -> None:
        """What is asked for one message: of its answer, and where it names codes, of the misses, each code, each
        prefix, and of the typed proof.
        """
        codes = wanted.codes
        if not codes:
            asks += charges.answer
            return
        asks += charges.asked if wanted.paid is None else (charges.left_if_paid,)
        for place, code in enumerate(codes, start=1):
            asks.append(charges.code(code, place))
        if charges.misses_of_block.limits:
            asks.append(charges.left_of_block)
        if self._settings.misses_per_prefix:
            asks.extend(map(self._walk, codes))
        if wanted.proof is not None:
            asks.append(self._attempt(charges, wanted))

    def _walk(self, code: DossierCode) -> BudgetAsk:
        """Whether anybody walks through codes like this one."""
        prefix = prefix_of(code)
        walk = self._walks.get(prefix)
        if walk is None:
            if len(self._walks) >= REMEMBERED:
                self._walks.clear()
            walk = self._walks[prefix] = BudgetAsk(
                f"{_MISSED_PREFIX}::{prefix}", self._settings.misses_per_prefix, units=0
            )
        return walk

    def _attempt(self, charges: Charges, wanted: Wanted) -> BudgetAsk:
        """A typed proof: it needs that its code may be looked up, the first behind the misses."""
        limits, codes = self._settings, wanted.codes
        between = len(codes) * (2 if limits.misses_per_prefix else 1) + bool(charges.misses_of_block.limits)
        return BudgetAsk(f"miss-code::{codes[0].reference}", limits.misses_per_code, needs=between)

    def _read(self, wanted: Wanted, charges: Charges, said: Mapping[BudgetAsk, Verdict]) -> Admission:
        """What the verdicts on a plan mean; the first budget that refuses has the word."""
        codes, paid = wanted.codes, wanted.paid
        attempt = self._attempt(charges, wanted) if codes and wanted.proof is not None else None
        refused = {ask: verdict for ask, verdict in said.items() if verdict is not Verdict.ALLOWED}
        left = charges.left if paid is None else charges.left_if_paid
        first = next((ask for ask in (charges.own, charges.block, left) if ask in refused), None)
        of_codes = {code: refused.get(charges.code(code, place)) for place, code in enumerate(codes, start=1)}
        admitted = tuple(code for code, verdict in of_codes.items() if verdict is None)
        verdict = Verdict.ALLOWED if first is None else refused[first]
        if first is None and codes and not admitted:
            verdict = min(each for each in of_codes.values() if each is not None)  # aloud if any is the first
        return Admission(
            verdict=verdict,
            codes=admitted,
            walked=frozenset(code for code in codes if self._walk(code) in refused),
            busy=first is charges.block,
            closed=charges.left_of_block in refused,
            locked=attempt in refused,
            capped=charges.ceiling in refused and charges.block not in refused and charges.own not in refused
            if paid is None
            else paid.capped,
            reply=tuple(ask for ask in charges.answer if ask not in refused) if paid is None else paid.reply,
            attempt=(attempt,) if attempt is not None and attempt not in refused else (),
        )

    async def _announce(self, wanted: Sequence[Wanted], admissions: list[Admission]) -> list[Admission]:
        """A refusal that is told is a reply of this hour too. One for the neighbours' sake is told to each sender once."""
        places = [place for place, each in enumerate(admissions) if each.busy or _refused_by_own(each)]
        if not places:
            return admissions
        asks: list[BudgetAsk] = []
        for place in places:
            charges = self._messages.of(wanted[place].asker)
            asks += (charges.notice if admissions[place].busy else _FREE, charges.ceiling)
        verdicts = await self._spend(asks)
        for number, place in enumerate(places):
            ceiling, (first, capped) = asks[2 * number + 1], verdicts[2 * number : 2 * number + 2]
            admissions[place] = _announced(admissions[place], ceiling, first, capped)
        return admissions

    def _missed(self, asker: Address, code: DossierCode) -> list[BudgetAsk]:
        """What a miss is counted in. Of a prefix only so many of one asker's count."""
        charges = (self._questions if asker.scheme == "web" else self._messages).of(asker)
        asks = [charges.misses]
        if charges.misses_of_block.limits:
            asks.append(charges.misses_of_block)
        if self._settings.misses_per_prefix:
            longest = max(limit.seconds for limit in self._settings.misses_per_prefix)
            share = f"miss-share:{charges.whose}:{prefix_of(code)}"
            asks.append(BudgetAsk(share, (Limit(MOST_OF_A_PREFIX, longest),)))
            asks.append(self._walk(code)._replace(units=1, needs=1))
        return asks

    async def _spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        verdicts = await self._budgets.spend(asks)
        if not _all_allowed(verdicts):
            for ask, verdict in zip(asks, verdicts, strict=True):
                if verdict is Verdict.FIRST_REFUSAL:
                    self._watch(ask)
        return verdicts

    def _watch(self, ask: BudgetAsk) -> None:
        """Some budgets raise an alarm when they end: once, since only the first refusal is one."""
        purpose, _, about = ask.key.partition(":")
        if purpose == _MISSED_PREFIX:
            log.warning("guard.prefix_walked", prefix=about.removeprefix(":"))
            self._count("prefix_walked")
        elif purpose == _CEILING:
            log.warning("guard.ceiling_reached")
            self._count("ceiling_reached")


def _all_allowed(verdicts: Sequence[Verdict]) -> bool:
    return verdicts.count(Verdict.ALLOWED) == len(verdicts)


def _refused_by_own(admission: Admission) -> bool:
    """Refused aloud before anything was charged."""
    return admission.verdict is Verdict.FIRST_REFUSAL and not admission.reply


def _announced(admission: Admission, ceiling: BudgetAsk, first: Verdict, hour: Verdict) -> Admission:
    if first is not Verdict.ALLOWED:
        return admission._replace(verdict=Verdict.REFUSED)
    within = hour is Verdict.ALLOWED
    reply = (*admission.reply, ceiling) if within else admission.reply
    return admission._replace(verdict=Verdict.FIRST_REFUSAL, capped=not within, reply=reply)
