"""A whole gateway in this process over one planted one-stop system, and people who want to know more than they may.

Everything but the wire is real: conversation, guards, budgets, look-up, disclosure, texts, and the public listener. Time
is moved by hand, so that a day of an attack passes in a second.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network

from aiohttp import web

from adapters.memory.budgets import MemoryBudgets
from adapters.memory.cache import MemoryStatusCache
from channels.web.api import WebApi
from channels.web.asking import Asker
from channels.web.telling import Teller
from conversation.answer import Conversation, ConversationSettings, Pending, Shape
from conversation.guards import Guards, GuardSettings
from conversation.ports import BudgetAsk, Decision, Following, Person, Recollection, Verdict
from conversation.questions import Questions
from domain.agencies import Agencies
from domain.answers import Outcome
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.grammar import Grammar
from domain.gsm import segments_needed
from domain.message import Address, Capabilities, InboundMessage
from domain.proof import Sealer
from gateway.http import make_app, public_routes
from lookup.disclosure import Disclosure, DisclosureRules
from lookup.ports import CachedAnswer, SourceReport
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings
from tests.unit.speaking import CONFIG, NOW, shipped_agencies, shipped_texts, shipped_writer

PREFIX = "H51.18-250701"
WALKED = 1_000  # serials an attacker walks through
EVERY = 25  # of them, every so many is a dossier: 40 in all
OWNER = "84912008351"
SECRET = "7K3M9Q"
SEALER = Sealer(b"only for the attacks of the tests")
SHAPES = {"main": Shape(Capabilities(accents=False), lambda text: segments_needed(text)[1] <= 2)}


def code_at(serial: int) -> str:
    return f"{PREFIX}-{serial:04d}"


CODES = tuple(code_at(serial) for serial in range(1, WALKED + 1))
EXISTING = frozenset(CODES[EVERY - 1 :: EVERY])
OWNED = code_at(EVERY)


class Planted:
    """A one-stop system with forty dossiers, all of one owner. Counts its reads."""

    name = "planted"
    largest_read = 200

    def __init__(self, calls: Counter[str]) -> None:
        self.reads: Counter[str] = Counter()
        self._calls = calls

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        self._calls["reads"] += 1
        self.reads.update(code.text for code in codes)
        return {code: self._dossier(code) for code in codes if code.text in EXISTING}

    def _dossier(self, code: DossierCode) -> Dossier:
        return Dossier(
            code=code,
            source=self.name,
            status=DossierStatus.IN_PROCESS,
            agency="H51.18",
            unit="Phòng Đất đai",
            procedure_name="Cấp giấy chứng nhận",
            proofs=SEALER.seals_of(code, numbers=[OWNER], secret=SECRET),
        )

    async def check(self) -> str:
        return "planted"

    async def inspect(self) -> SourceReport:
        return SourceReport(source=self.name, system="memory", place="here")

    async def close(self) -> None:
        return None


class CountedCache(MemoryStatusCache):
    """Counts its calls."""

    def __init__(self, clock: Callable[[], datetime], calls: Counter[str]) -> None:
        super().__init__(clock)
        self._calls = calls

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        self._calls["cache gets"] += 1
        return await super().get(codes)

    async def put(self, answers: Sequence[CachedAnswer]) -> None:
        self._calls["cache puts"] += 1
        await super().put(answers)


class CountedBudgets(MemoryBudgets):
    """Counts its round trips."""

    def __init__(self, clock: Callable[[], float], calls: Counter[str]) -> None:
        super().__init__(clock)
        self._calls = calls

    async def spend(self, asks: Sequence[BudgetAsk]) -> Sequence[Verdict]:
        self._calls["spends"] += 1
        self._calls["asks"] += len(asks)
        return await super().spend(asks)

    async def refund(self, asks: Sequence[BudgetAsk]) -> None:
        self._calls["refunds"] += 1
        await super().refund(asks)


class Remembered:
    """People who chose something."""

    def __init__(self, persons: Mapping[Address, Person]) -> None:
        self._persons = persons

    async def get(self, addresses: Sequence[Address]) -> Mapping[Address, Person]:
        return {address: self._persons[address] for address in addresses if address in self._persons}

    async def recall(self, address: Address) -> Recollection:
        return Recollection()

    async def following(self, address: Address, limit: int) -> Sequence[Following]:
        return ()

    async def next_feedback_number(self) -> int:
        return 1


@dataclass
class Town:
    """The gateway, and what came out of it."""

    settings: GuardSettings = field(default_factory=GuardSettings)
    now: datetime = NOW
    learnt: set[str] = field(default_factory=set)  # codes of which somebody was told that there is a dossier
    replies: int = 0
    alarms: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # of cache, source and budgets
    people: dict[Address, Person] = field(default_factory=dict)
    rules: DisclosureRules = field(default_factory=DisclosureRules)

    def __post_init__(self) -> None:
        self.source = Planted(self.calls)
        self.lookups = LookupService(
            router=Router([RoutedSource(source=self.source, default=True)]),
            cache=CountedCache(lambda: self.now, self.calls),
            clock=lambda: self.now,
            settings=LookupSettings(),
        )
        budgets = CountedBudgets(self.seconds, self.calls)
        guards = Guards(budgets, self.settings, count=lambda event: self.alarms.update([event]))
        disclosure = Disclosure(self.rules, SEALER)
        grammar = Grammar.from_mapping(tomllib.loads((CONFIG / "grammar.toml").read_text(encoding="utf-8")))
        self.conversation = Conversation(
            lookups=self.lookups,
            people=Remembered(self.people),
            guards=guards,
            writer=shipped_writer(),
            grammar=grammar,
            clock=lambda: self.now,
            settings=ConversationSettings(),
            disclosure=disclosure,
        )
        self.questions = Questions(lookups=self.lookups, guards=guards, clock=lambda: self.now, disclosure=disclosure)

    def seconds(self) -> float:
        """The budgets' clock."""
        return (self.now - NOW).total_seconds()

    async def close(self) -> None:
        await self.lookups.close()

    async def hear(self, *messages: tuple[str, str]) -> list[Decision]:
        """One batch of (number, text); what is decided of each."""
        begun = await self.conversation.begin([self._message(number, text) for number, text in messages], SHAPES)
        decided = [await each.finish() if isinstance(each, Pending) else each for each in begun]
        for decision in decided:
            self.replies += decision.text is not None
            if decision.outcome is Outcome.FOUND:
                self.learnt.add(decision.dossier_code)
        return decided

    async def hear_all(self, messages: Iterable[tuple[str, str]], *, within: timedelta) -> list[Decision]:
        """One after the other, spread evenly over a time."""
        spread = list(messages)
        decided: list[Decision] = []
        for message in spread:
            decided += await self.hear(message)
            self.now += within / len(spread)
        return decided

    def _message(self, number: str, text: str) -> InboundMessage:
        return InboundMessage(
            id=1,
            channel="sms",
            account="main",
            sender=Address("sms", number),
            recipient=Address("sms", "8100"),
            text=text,
            received_at=self.now,
        )

    def listener(self, *trusted: str) -> web.Application:
        """The API on a listener of its own; `trusted` are the declared proxies."""
        teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))
        proxies = [ip_network(network) for network in trusted]
        api = WebApi(asker=Asker(self.questions.ask), teller=teller, clock=lambda: self.now, trusted=proxies)
        return make_app(public_routes(api.routes()))
