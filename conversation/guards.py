"""Who gets an answer, and how often; the budgets of all channels live here.

Everything is asked in one round trip before a batch is looked up: what is left of the replies, of the distinct codes and
of the misses. A miss is counted when it is known, so that misses may go over by what was under way at that moment. A
typed proof may not: it is charged beforehand, and given back when it was right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import islice

import structlog

from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from domain.codes import CodeFamily, DossierCode
from domain.message import Address
from domain.proof import Proof

log = structlog.get_logger()

SHORTEST_SUBSCRIBER_NUMBER = 7  # digits; shorter senders are services, and answering them starts loops
LONGEST_SUBSCRIBER_NUMBER = 15  # digits (ITU-T E.164 §6.2.1)
LINE_DIGITS = 4  # numbers that differ in these only are often bought together
IPV6_BLOCK = 48  # what one IPv6 site may hold (RFC 6177)

_HOUR, _DAY = 3600.0, 86_400.0
_CEILING, _MISSED_PREFIX = "reply-all", "miss-prefix"  # purposes of budgets whose end raises an alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """The budgets; raise them for a load test, the code stays on.

    A sender is a telephone number or an account of a chat. An address is one of the web: a whole office may stand
    behind it, so that it may ask for more. A block holds many of either: the numbers that differ in their last four
    digits, an IPv4 /24, an IPv6 /48. The prefix of a code is its agency and day: when its misses are spent somebody is
    walking through its serials, and its dossiers are told only to who proves a right to know.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to know: of which dossiers, and the proof typed for the first of them."""

    asker: Address
    codes: tuple[DossierCode, ...] = ()
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The guards' word: `verdict` is on the whole, `codes` are those that may be looked up.

    `walked`: to be told only to who proves. `locked`: too many wrong proofs were typed for the first of the wanted
    codes. `capped`: this hour's replies are spent. `reply` is what the reply was charged to, `attempt` the typed proof.
    """

    verdict: Verdict
    codes: tuple[DossierCode, ...] = ()
    walked: frozenset[DossierCode] = frozenset()
    locked: bool = False
    capped: bool = False
    reply: tuple[BudgetAsk, ...] = ()
    attempt: tuple[BudgetAsk, ...] = ()


@dataclass(slots=True)
class Dues:
    """What is to be counted, and what given back, once a batch is decided."""

    misses: list[tuple[Address, DossierCode]] = field(default_factory=list)
    back: list[BudgetAsk] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rules:
    """The budgets of one kind of asking: of messages, or of questions on the web."""

    purpose: str
    answers: tuple[Limit, ...]
    answers_per_block: tuple[Limit, ...]
    ceiling: tuple[Limit, ...]
    codes: tuple[Limit, ...]
    misses: tuple[Limit, ...]

    def answer(self, asker: Address, block: str) -> list[BudgetAsk]:
        """What an answer is charged to, the asker's own budget first."""
        return [
            BudgetAsk(f"{self.purpose}:{asker.urn}", self.answers),
            BudgetAsk(f"{self.purpose}-block:{block}", self.answers_per_block if block else ()),
            BudgetAsk(f"{self.purpose}-all:", self.ceiling),
        ]


_ANSWER = 3  # budgets of an answer
_WHOLE = 2  # of them, how many refuse the whole message


def no_count(event: str) -> None:
    """Counts nothing."""


class Guards:
    """Decides over batches. Nobody is exempt: who shall have more is given more by setting."""

    def __init__(self, budgets: Budgets, settings: GuardSettings, *, count: Callable[[str], None] = no_count) -> None:
        """`count(event)` is told of alarms: prefix_walked, ceiling_reached."""
        self._budgets = budgets
        self._settings = settings
        self._count = count
        told = settings
        self._messages = _Rules(
            "reply", told.replies, told.replies_per_block, told.all_replies, told.codes, told.misses
        )
        self._questions = _Rules(
            "question",
            told.questions_per_address,
            told.questions_per_block,
            (),
            told.codes_per_address,
            told.misses_per_address,
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
        """One reply each, and what it shall tell."""
        return await self._admit(self._messages, wanted)

    async def admit_questions(self, wanted: Sequence[Wanted]) -> list[Admission]:
        """One HTTP question each, and what its answer shall tell."""
        return await self._admit(self._questions, wanted)

    async def settle(self, dues: Dues) -> None:
        """Count the misses and give back what was charged for nothing; no round trip when there is neither."""
        misses = [ask for asker, code in dues.misses for ask in self._missed(asker, code)]
        works: list[Awaitable[object]] = [self._spend(misses)] if misses else []
        if dues.back:
            works.append(self._budgets.refund(dues.back))
        await asyncio.gather(*works)

    async def refund_replies(self, senders: Sequence[Address]) -> None:
        """These replies were not written: the person did not get what they paid for."""
        rules = self._messages
        await self._budgets.refund([ask for sender in senders for ask in rules.answer(sender, block_of(sender))])

    async def _admit(self, rules: _Rules, wanted: Sequence[Wanted]) -> list[Admission]:
        plans = [self._plan(rules, each) for each in wanted]
        verdicts = iter(await self._spend([ask for plan in plans for ask in plan]))
        return [_read(each, plan, list(islice(verdicts, len(plan)))) for each, plan in zip(wanted, plans, strict=True)]

    def _plan(self, rules: _Rules, wanted: Wanted) -> list[BudgetAsk]:
        """What is asked for one message: of its answer, and where it names codes, of the misses, each code, each
        prefix, and of the typed proof. `_read` reads the verdicts in this order.
        """
        asker, codes, limits = wanted.asker, wanted.codes, self._settings
        block = block_of(asker)
        asks = rules.answer(asker, block)
        if codes:
            asks.append(BudgetAsk(f"miss:{asker.urn}", rules.misses, units=0))
            asks.append(BudgetAsk(f"miss-block:{block}", limits.misses_per_block if block else (), units=0))
            asks += [BudgetAsk(f"code:{asker.urn}", rules.codes, member=code.reference) for code in codes]
            asks += [
                BudgetAsk(f"{_MISSED_PREFIX}:{prefix_of(code)}", limits.misses_per_prefix, units=0) for code in codes
            ]
        if codes and wanted.proof is not None:
            asks.append(BudgetAsk(f"miss-code:{codes[0].reference}", limits.misses_per_code))
        return asks

    def _missed(self, asker: Address, code: DossierCode) -> list[BudgetAsk]:
        limits, block = self._settings, block_of(asker)
        own = limits.misses_per_address if asker.scheme == "web" else limits.misses
        return [
            BudgetAsk(f"miss:{asker.urn}", own),
            BudgetAsk(f"miss-block:{block}", limits.misses_per_block if block else ()),
            BudgetAsk(f"{_MISSED_PREFIX}:{prefix_of(code)}", limits.misses_per_prefix),
        ]

    async def _spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        verdicts = await self._budgets.spend(asks)
        if Verdict.FIRST_REFUSAL in verdicts:
            for ask, verdict in zip(asks, verdicts, strict=True):
                if verdict is Verdict.FIRST_REFUSAL:
                    self._watch(ask)
        return verdicts

    def _watch(self, ask: BudgetAsk) -> None:
        """Some budgets raise an alarm when they end: once, since only the first refusal is one."""
        purpose, _, about = ask.key.partition(":")
        if purpose == _MISSED_PREFIX:
            log.warning("guard.prefix_walked", prefix=about)
            self._count("prefix_walked")
        elif purpose == _CEILING:
            log.warning("guard.ceiling_reached")
            self._count("ceiling_reached")


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
    """What codes that follow one another share: agency and day; of receipt numbers from before, the agency."""
    return code.agency if code.family is CodeFamily.LEGACY else code.text.rpartition("-")[0]


def _read(wanted: Wanted, plan: Sequence[BudgetAsk], verdicts: Sequence[Verdict]) -> Admission:
    """What the verdicts on a plan mean; the first budget that refuses has the word."""
    codes, size = wanted.codes, len(wanted.codes)
    if verdicts.count(Verdict.ALLOWED) == len(verdicts):  # nearly always
        attempt = plan[-1:] if codes and wanted.proof is not None else ()
        return Admission(verdict=Verdict.ALLOWED, codes=codes, reply=tuple(plan[:_ANSWER]), attempt=tuple(attempt))
    answer, misses, rest = verdicts[:_ANSWER], verdicts[_ANSWER : _ANSWER + 2], verdicts[_ANSWER + 2 :]
    of_codes, of_prefixes, of_proof = rest[:size], rest[size : 2 * size], rest[2 * size :]
    refusals: list[Verdict] = [verdict for verdict in (*answer[:_WHOLE], *misses) if verdict is not Verdict.ALLOWED]
    if not refusals and codes and Verdict.ALLOWED not in of_codes:
        refusals = [min(of_codes)]  # aloud if any of them is the first
    return Admission(
        verdict=refusals[0] if refusals else Verdict.ALLOWED,
        codes=tuple(code for code, verdict in zip(codes, of_codes, strict=True) if verdict is Verdict.ALLOWED),
        walked=frozenset(
            code for code, verdict in zip(codes, of_prefixes, strict=True) if verdict is not Verdict.ALLOWED
        ),
        locked=any(verdict is not Verdict.ALLOWED for verdict in of_proof),
        capped=answer[-1] is not Verdict.ALLOWED,
        reply=tuple(ask for ask, verdict in zip(plan, answer, strict=False) if verdict is Verdict.ALLOWED),
        attempt=tuple(ask for ask, verdict in zip(plan[-1:], of_proof, strict=False) if verdict is Verdict.ALLOWED),
    )
