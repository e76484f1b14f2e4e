"""Who gets an answer, and how often; the budgets of all channels live here.

Everything is asked in one round trip before a batch is looked up: what is left of the replies, of the distinct codes and
of the misses. What an earlier budget refuses is charged to no later one. A miss is counted when it is known, so that
misses may go over by what was under way at that moment. A typed proof may not: it is charged beforehand, and given back
when it was right.

A question on the web does a proof of work first when, and only when, much was missed from where it comes. That is decided
before anything is looked up, and refuses nobody: with the work done it is guarded like any other.

Nobody is silenced by his neighbours: when the budget of a block is spent, each of its numbers is told so once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import structlog

from conversation.charges import REMEMBERED, SITE_MISSES, Charges, Rules, SiteCharges, prefix_of
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.codes import DossierCode
from domain.message import Address
from domain.proof import Proof
from domain.questions import Left

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
    misses_before_work: tuple[Limit, ...] = (Limit(3, _HOUR),)  # of an address; then a proof of work comes first
    block_misses_before_work: tuple[Limit, ...] = (Limit(10, _HOUR),)
    site_misses_before_work: tuple[Limit, ...] = (Limit(100, _HOUR),)  # of all who ask by one site's key
    site_questions_before_work: tuple[Limit, ...] = (Limit(600, 60.0),)
    own_numbers: frozenset[str] = frozenset()


class Admission(NamedTuple):
    """The guards' word: `verdict` is on the whole, `codes` are those that may be looked up.

    `busy`: what refuses is the block's budget, nothing the asker did. `walked`: to be told only to who proves. `closed`:
    the misses of the block are spent, so that what is not found is refused. `locked`: too many wrong proofs were typed
    for the first of the wanted codes. `capped`: this hour's replies are spent. `work`: a proof of work comes first; who
    typed a proof is told without, if it is right, as where somebody walks. `reply` is what the reply was charged to, `attempt` the typed
    proof. `left`: what the asker has left. A plain tuple, like BudgetAsk, since every question makes one.
    """

    verdict: Verdict
    codes: tuple[DossierCode, ...] = ()
    walked: frozenset[DossierCode] = frozenset()
    busy: bool = False
    closed: bool = False
    locked: bool = False
    capped: bool = False
    work: bool = False
    reply: tuple[BudgetAsk, ...] = ()
    attempt: tuple[BudgetAsk, ...] = ()
    left: Left | None = None


class Wanted(NamedTuple):
    """What somebody wants to know: of which dossiers, and the proof typed for the first of them.

    `paid`: the answer was charged already, before the text was read. `joined`: telephone numbers that were proved to be
    the asker's, besides the one that is written from. `site`: the key by which a page asked. `worked`: a proof of work
    was done. A plain tuple, like Admission.
    """

    asker: Address
    codes: tuple[DossierCode, ...] = ()
    proof: Proof | None = None
    paid: Admission | None = None
    joined: tuple[str, ...] = ()
    site: str = ""
    worked: bool = False


class Miss(NamedTuple):
    """Somebody asked for what nobody knows, or proved wrongly; by the key of a site, if by any."""

    asker: Address
    code: DossierCode
    site: str = ""


@dataclass(slots=True)
class Dues:
    """What is to be counted, and what given back, once a batch is decided."""

    misses: list[Miss] = field(default_factory=list)
    back: list[BudgetAsk] = field(default_factory=list)


def no_count(event: str) -> None:
    """Counts nothing."""


class Guards:
    """Decides over batches. Nobody is exempt: who shall have more is given more by setting."""

    def __init__(self, budgets: Budgets, settings: GuardSettings, *, count: Callable[[str], None] = no_count) -> None:
        """`count(event)` is told of alarms: prefix_walked, site_walked, ceiling_reached."""
        self._budgets = budgets
        self._settings = settings
        self._count = count
        self._walks: dict[str, BudgetAsk] = {}  # by prefix
        self._sites: dict[str, SiteCharges] = {}  # by key
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
            misses_before_work=told.misses_before_work,
            block_misses_before_work=told.block_misses_before_work,
            tells=True,
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

    async def suspects(self, asker: Address) -> bool:
        """Whether so much was missed from this address of the web that a proof of work comes first."""
        asks = self._questions.of(asker).suspicions
        # Each stands for itself here: none needs the one before it.
        return not _all_allowed(await self._spend([ask._replace(needs=0) for ask in asks]))

    async def notice(self, sender: Address) -> bool:
        """Whether this sender may be told that its neighbours have spent a budget: once an hour."""
        (verdict,) = await self._spend([self._messages.of(sender).notice])
        return verdict is Verdict.ALLOWED

    async def settle(self, dues: Dues) -> None:
        """Count the misses and give back what was charged for nothing; no round trip when there is neither."""
        misses = [ask for miss in dues.misses for ask in self._missed(miss)]
        works: list[Awaitable[object]] = [self._spend(misses)] if misses else []
        if dues.back:
            works.append(self._budgets.refund(dues.back))
        await asyncio.gather(*works)

    async def refund_replies(self, senders: Sequence[Address]) -> None:
        """These replies were not written: the person did not get what they paid for."""
        await self._budgets.refund([ask for sender in senders for ask in self._messages.of(sender).answer])

    async def _admit(self, rules: Rules, wanted: Sequence[Wanted]) -> list[Admission]:
        asks: list[BudgetAsk] = []
        own: list[int] = []  # where those stand whose rest is told
        plans: list[tuple[Wanted, Charges, int]] = []  # with how many asks each has
        for each in wanted:
            charges, before = rules.of(each.asker), len(asks)
            if each.paid is None and rules.tells:
                own.append(before)
            self._plan(charges, each, asks)
            plans.append((each, charges, len(asks) - before))
        verdicts, told = await self._spend_and_tell(asks, own)
        left = iter(told)
        if _all_allowed(verdicts):  # nearly always
            return [
                Admission(Verdict.ALLOWED, each.codes, reply=charges.answer, left=next(left, None))
                if each.proof is None and each.paid is None
                else self._read(each, charges, {}, left)
                for each, charges, _ in plans
            ]
        said = iter(zip(asks, verdicts, strict=True))
        return [self._read(each, charges, dict(islice(said, size)), left) for each, charges, size in plans]

    def _plan(self, charges: Charges, wanted: Wanted, asks: list[BudgetAsk]) -> None:
        """What is asked for one message: of its answer, and where it names codes, of the misses, of a proof of work, of
        each code, each prefix, and of the typed proof.
        """
        codes = wanted.codes
        if not codes:
            asks += charges.answer
            return
        asks += charges.asked if wanted.paid is None else (charges.left_if_paid,)
        work = self._suspicions(charges, wanted)
        asks += work
        for place, code in enumerate(codes, start=_first_place(wanted, work)):
            asks.append(charges.code(code, place))
        if charges.misses_of_block.limits:
            asks.append(charges.left_of_block)
        if self._settings.misses_per_prefix:
            asks.extend(map(self._walk, codes))
        if wanted.proof is not None:
            asks.append(self._attempt(charges, wanted))

    def _suspicions(self, charges: Charges, wanted: Wanted) -> tuple[BudgetAsk, ...]:
        """Whether a proof of work comes first; of who brings one nothing is asked."""
        if wanted.worked:
            return ()
        return charges.suspicions + self._site(wanted.site).suspicions if wanted.site else charges.suspicions

    def _site(self, key: str) -> SiteCharges:
        site = self._sites.get(key)
        if site is None:
            if len(self._sites) >= REMEMBERED:
                self._sites.clear()
            limits = self._settings
            site = SiteCharges(key, limits.site_misses_before_work, limits.site_questions_before_work)
            self._sites[key] = site
        return site

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

    def _read(
        self, wanted: Wanted, charges: Charges, said: Mapping[BudgetAsk, Verdict], rest: Iterator[Left | None]
    ) -> Admission:
        """What the verdicts on a plan mean; the first budget that refuses has the word."""
        codes, paid = wanted.codes, wanted.paid
        attempt = self._attempt(charges, wanted) if codes and wanted.proof is not None else None
        refused = {ask: verdict for ask, verdict in said.items() if verdict is not Verdict.ALLOWED}
        left = charges.left if paid is None else charges.left_if_paid
        first = next((ask for ask in (charges.own, charges.block, left) if ask in refused), None)
        suspicions = self._suspicions(charges, wanted) if codes else ()
        places = enumerate(codes, start=_first_place(wanted, suspicions))
        of_codes = {code: refused.get(charges.code(code, place)) for place, code in places}
        admitted = tuple(code for code, verdict in of_codes.items() if verdict is None)
        verdict = Verdict.ALLOWED if first is None else refused[first]
        work = first is None and any(ask in refused for ask in suspicions)
        if first is None and codes and not admitted:
            verdict = min(each for each in of_codes.values() if each is not None)  # aloud if any is the first
        return Admission(
            verdict=verdict,
            codes=admitted,
            walked=frozenset(code for code in codes if work or self._walk(code) in refused),
            work=work,
            busy=first is charges.block,
            closed=charges.left_of_block in refused,
            locked=attempt in refused,
            capped=charges.ceiling in refused and charges.block not in refused and charges.own not in refused
            if paid is None
            else paid.capped,
            reply=tuple(ask for ask in charges.answer if ask not in refused) if paid is None else paid.reply,
            attempt=(attempt,) if attempt is not None and attempt not in refused else (),
            left=next(rest, None) if paid is None else paid.left,
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

    def _missed(self, miss: Miss) -> list[BudgetAsk]:
        """What a miss is counted in. Of a prefix only so many of one asker's count."""
        asker, code, site = miss
        charges = (self._questions if asker.scheme == "web" else self._messages).of(asker)
        asks = [charges.misses, *charges.suspected]
        if site:
            asks += self._site(site).suspected
        if charges.misses_of_block.limits:
            asks.append(charges.misses_of_block)
        if self._settings.misses_per_prefix:
            longest = max(limit.seconds for limit in self._settings.misses_per_prefix)
            share = f"miss-share:{charges.whose}:{prefix_of(code)}"
            asks.append(BudgetAsk(share, (Limit(MOST_OF_A_PREFIX, longest),)))
            asks.append(self._walk(code)._replace(units=1, needs=1))
        return asks

    async def _spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        verdicts, _ = await self._spend_and_tell(asks, ())
        return verdicts

    async def _spend_and_tell(
        self, asks: Sequence[BudgetAsk], told: Sequence[int]
    ) -> tuple[Sequence[Verdict], Sequence[Left | None]]:
        verdicts, left = await self._budgets.spend_and_tell(asks, told)
        if not _all_allowed(verdicts):
            for ask, verdict in zip(asks, verdicts, strict=True):
                if verdict is Verdict.FIRST_REFUSAL:
                    self._watch(ask)
        return verdicts, left

    def _watch(self, ask: BudgetAsk) -> None:
        """Some budgets raise an alarm when they end: once, since only the first refusal is one."""
        purpose, _, about = ask.key.partition(":")
        if purpose == _MISSED_PREFIX:
            log.warning("guard.prefix_walked", prefix=about.removeprefix(":"))
            self._count("prefix_walked")
        elif purpose == SITE_MISSES:
            log.warning("guard.site_walked", site=about.removeprefix("site:"))
            self._count("site_walked")
        elif purpose == _CEILING:
            log.warning("guard.ceiling_reached")
            self._count("ceiling_reached")


def _all_allowed(verdicts: Sequence[Verdict]) -> bool:
    return verdicts.count(Verdict.ALLOWED) == len(verdicts)


def _first_place(wanted: Wanted, work: Sequence[BudgetAsk]) -> int:
    """How far before the first code the ask stands that it needs: the last about a proof of work, which passes on what
    it needs itself; of who typed a proof the misses.
    """
    return 1 if wanted.proof is None else 1 + len(work)


def _refused_by_own(admission: Admission) -> bool:
    """Refused aloud before anything was charged."""
    return admission.verdict is Verdict.FIRST_REFUSAL and not admission.reply


def _announced(admission: Admission, ceiling: BudgetAsk, first: Verdict, hour: Verdict) -> Admission:
    if first is not Verdict.ALLOWED:
        return admission._replace(verdict=Verdict.REFUSED)
    within = hour is Verdict.ALLOWED
    reply = (*admission.reply, ceiling) if within else admission.reply
    return admission._replace(verdict=Verdict.FIRST_REFUSAL, capped=not within, reply=reply)
