"""A number is proved by a code sent back; whoever types somebody else's number learns nothing about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from adapters.memory.budgets import MemoryBudgets
from channels.sms.numbers import normalise
from conversation.case import Shape
from conversation.guards import Guards, GuardSettings
from conversation.pins import FollowByPin, PinLine, PinPost, PinRules
from conversation.ports import Following, Limit, Person, PinRequest, PinResult
from conversation.questions import Questions
from domain.answers import Outcome
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable
from domain.gsm import segments_needed
from domain.message import Address, Capabilities, Category
from domain.notices import Known
from domain.pins import PinAnswer, PinOutcome
from domain.proof import Sealer
from lookup.disclosure import Disclosure, DisclosureRules
from tests.unit.speaking import NOW, shipped_writer
from tests.unit.test_conversation import CODE, OTHER, FakeLookUps, FakePeople, dossier
from tests.unit.test_following import NOBODYS, code

HERE = Address("web", "203.0.113.9")
MOTHER = Address("sms", "84912345678")
TYPED = "0912 345 678"
WORDS = "Bấm Gửi mã là đồng ý nhận tin nhắn về hồ sơ này."
SEALER = Sealer(b"only for the tests of the codes")
LINE = PinLine(
    channel="sms",
    account="main",
    sender=Address("sms", "8100"),
    shape=Shape(Capabilities(accents=False), lambda text: segments_needed(text)[1] <= 2),
    normalise=normalise,
)


class FakePins:
    """Keeps requests as a store does; time does not pass."""

    def __init__(self) -> None:
        self.requests: dict[str, PinRequest] = {}
        self.tried: dict[str, int] = {}
        self.following: list[PinRequest] = []
        self.away = False

    async def ask(self, request: PinRequest) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.requests[request.token] = request

    async def redeem(self, token: str, pin_seal: str, *, tries: int) -> PinResult:
        request = self.requests.get(token)
        if request is None or self.tried.get(token, 0) >= tries:
            return PinResult.SPENT
        if request.pin_seal != pin_seal:
            self.tried[token] = self.tried.get(token, 0) + 1
            return PinResult.SPENT if self.tried[token] == tries else PinResult.WRONG
        self.following.append(self.requests.pop(token))
        return PinResult.FOLLOWING


@dataclass
class Desk:
    """The following from the web with a store that is a dictionary."""

    rules: PinRules = field(default_factory=PinRules)
    disclosure: Disclosure = field(default_factory=lambda: Disclosure(DisclosureRules(), SEALER))
    guard_settings: GuardSettings = field(default_factory=GuardSettings)

    def __post_init__(self) -> None:
        self.lookups, self.people, self.pins = FakeLookUps(), FakePeople(), FakePins()
        self.lookups.known = {text: dossier(code(text)) for text in (CODE, OTHER)}
        budgets = MemoryBudgets(lambda: 0.0)
        guards = Guards(budgets, self.guard_settings)
        questions = Questions(lookups=self.lookups, guards=guards, clock=clock, disclosure=self.disclosure)
        post = PinPost(
            people=self.people,
            budgets=budgets,
            guards=guards,
            writer=shipped_writer(),
            line=LINE,
            rules=self.rules,
            new_id=lambda: 7,
        )
        self.follow = FollowByPin(
            questions=questions,
            lookups=self.lookups,
            disclosure=self.disclosure,
            pins=self.pins,
            budgets=budgets,
            post=post,
            line=LINE,
            rules=self.rules,
            key=b"sixteen bytes or more of them",
            clock=clock,
        )

    async def ask(
        self, typed: str = TYPED, *, about: str = CODE, asker: Address = HERE, language: str = "vi"
    ) -> PinAnswer:
        return await self.follow.ask(asker, about, typed, language=language, words=WORDS)

    @property
    def last(self) -> PinRequest:
        return list(self.pins.requests.values())[-1]

    def pin(self, token: str) -> str:
        """As its owner reads it in the message."""
        found = re.match(r"(\d{6}) ", self.pins.requests[token].message.text)
        assert found is not None
        return found[1]

    def leaves(self) -> bool:
        return self.last.message.expires_at > NOW


def clock() -> datetime:
    return NOW


@pytest.mark.parametrize(
    "typed", ["", "8100", "02993 821 888", "+1 202 555 0143", "0912 345 67", "số của tôi", "19001234", "9" * 10_000]
)
async def test_a_code_is_sent_to_mobile_numbers_of_this_country_only(typed: str) -> None:
    desk = Desk()
    assert (await desk.ask(typed)).outcome is PinOutcome.NO_NUMBER
    assert desk.pins.requests == {}


@pytest.mark.parametrize(
    "typed", ["0912345678", " 0912.345.678 ", "+84 912 345 678", "０９１２３４５６７８", "84912345678"]
)
async def test_a_number_is_read_however_it_is_written(typed: str) -> None:
    desk = Desk()
    assert (await desk.ask(typed)).outcome is PinOutcome.SENT
    assert desk.last.address == MOTHER


async def test_no_code_is_sent_about_a_dossier_that_is_not_there_and_it_costs_a_miss() -> None:
    desk = Desk(guard_settings=GuardSettings(misses_per_address=(Limit(1, 3600.0),)))
    answer = await desk.ask(about=NOBODYS)
    assert answer.outcome is PinOutcome.NOT_TOLD
    assert answer.answer is not None
    assert answer.answer.outcome is Outcome.NOT_FOUND
    refused = await desk.ask()
    assert refused.answer is not None
    assert refused.answer.outcome is Outcome.REFUSED
    assert desk.pins.requests == {}


async def test_no_code_is_sent_while_the_source_is_down_or_when_nothing_can_change() -> None:
    desk = Desk()
    desk.lookups.known[OTHER] = dossier(code(OTHER), DossierStatus.RETURNED)
    assert (await desk.ask(about=OTHER)).outcome is PinOutcome.OVER
    desk.lookups.down = True
    assert (await desk.ask()).outcome is PinOutcome.NOT_TOLD
    assert desk.pins.requests == {}


async def test_the_message_names_the_dossier_and_the_code_and_is_a_reply() -> None:
    desk = Desk()
    answer = await desk.ask()
    message = desk.last.message
    assert CODE in message.text
    assert re.match(r"\d{6} ", message.text)
    assert "Khong dua ma cho ai" in message.text
    assert segments_needed(message.text)[1] == 1
    assert (message.category, message.recipient, message.sender) == (Category.REPLY, MOTHER, LINE.sender)
    assert answer.expires_at == message.expires_at == NOW + timedelta(minutes=10)


async def test_the_message_is_in_the_language_its_reader_chose_else_in_that_of_the_page() -> None:
    desk = Desk()
    await desk.ask(language="en")
    assert "is the code" in desk.last.message.text
    desk.people.persons[MOTHER] = Person(address=MOTHER, language="vi", accents=True)
    await desk.ask(language="en")
    assert "là mã nhận tin" in desk.last.message.text


async def test_nothing_of_the_code_is_kept_but_a_seal_of_this_request() -> None:
    desk = Desk()
    first, second = (await desk.ask()).token, (await desk.ask()).token
    assert first != second
    seals = [desk.follow._seal(token, "123456") for token in (first, second)]
    assert seals[0] != seals[1]
    assert desk.pin(first) not in desk.pins.requests[first].pin_seal


async def test_the_code_typed_back_follows_once() -> None:
    desk = Desk()
    token = (await desk.ask()).token
    pin = desk.pin(token)
    assert (await desk.follow.redeem(HERE, token, f" {pin[:3]} {pin[3:]} ")).outcome is PinOutcome.FOLLOWING
    assert (await desk.follow.redeem(HERE, token, pin)).outcome is PinOutcome.SPENT
    (kept,) = desk.pins.following
    assert (kept.change.code, kept.change.source, kept.change.words) == (code(CODE), "hoso", WORDS)


async def test_a_wrong_code_follows_nothing_and_after_five_the_right_one_neither() -> None:
    desk = Desk()
    token = (await desk.ask()).token
    pin = desk.pin(token)
    wrong = f"{(int(pin) + 1) % 1_000_000:06}"
    tried = [(await desk.follow.redeem(HERE, token, wrong)).outcome for _ in range(5)]
    assert tried == [PinOutcome.WRONG] * 4 + [PinOutcome.SPENT]
    assert (await desk.follow.redeem(HERE, token, pin)).outcome is PinOutcome.SPENT
    assert desk.pins.following == []


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５", "1" * 100_000])
async def test_what_is_no_code_costs_no_try(typed: str) -> None:
    desk = Desk()
    token = (await desk.ask()).token
    for _ in range(9):
        assert (await desk.follow.redeem(HERE, token, typed)).outcome is PinOutcome.WRONG
    assert desk.pins.tried == {}


@pytest.mark.parametrize("token", ["", "unknown", "x" * 10_000, "ô\udc80", "a\0b", "a b"])
async def test_an_unknown_request_is_spent(token: str) -> None:
    assert (await Desk().follow.redeem(HERE, token, "123456")).outcome is PinOutcome.SPENT


async def test_what_only_a_proof_opens_is_known_to_the_number_on_the_dossier() -> None:
    desk = Desk()
    wanting = replace(
        dossier(code(CODE), DossierStatus.MORE_DOCUMENTS),
        missing="Bản gốc",
        proofs=SEALER.seals_of(code(CODE), numbers=["0912345678"]),
    )
    desk.lookups.known[CODE] = wanting
    await desk.ask()
    assert (desk.last.change.proved, desk.last.change.known) == (True, Known.of(wanting).text)
    await desk.ask("0987654321")
    assert not desk.last.change.proved


# ---- who asks too often


async def test_who_asks_too_often_is_told_so_and_nothing_is_sent() -> None:
    desk = Desk(rules=PinRules(per_address=2, per_number=100))
    outcomes = [(await desk.ask(f"091234567{last}")).outcome for last in range(3)]
    assert outcomes == [PinOutcome.SENT, PinOutcome.SENT, PinOutcome.REFUSED]
    assert len(desk.pins.requests) == 2
    assert (await desk.ask(asker=Address("web", "198.51.100.1"))).outcome is PinOutcome.SENT


async def test_neighbours_and_everybody_together_have_a_bound() -> None:
    desk = Desk(rules=PinRules(per_block=2, in_all=3, per_number=100))
    near = [(await desk.ask(asker=Address("web", f"203.0.113.{last}"))).outcome for last in range(1, 4)]
    assert near == [PinOutcome.SENT, PinOutcome.SENT, PinOutcome.REFUSED]
    far = [(await desk.ask(asker=Address("web", f"198.51.{last}.1"))).outcome for last in range(1, 3)]
    assert far == [PinOutcome.SENT, PinOutcome.REFUSED]


async def test_a_day_of_everybody_together_has_a_bound_too() -> None:
    desk = Desk(rules=PinRules(per_address=100, per_block=100, in_all=100, in_all_a_day=2, per_number=100))
    answers = [await desk.ask(f"091234567{each}", asker=Address("web", f"198.18.{each}.7")) for each in range(3)]
    assert [answer.outcome for answer in answers] == [PinOutcome.SENT, PinOutcome.SENT, PinOutcome.REFUSED]


async def test_codes_are_tried_as_often_as_questions_are_asked() -> None:
    desk = Desk(guard_settings=GuardSettings(questions_per_address=(Limit(3, 60.0),)))
    token = (await desk.ask()).token
    outcomes = [(await desk.follow.redeem(HERE, token, "000000")).outcome for _ in range(4)]
    assert outcomes[-1] is PinOutcome.REFUSED


async def test_a_store_that_is_away_costs_the_asker_nothing() -> None:
    desk = Desk(rules=PinRules(per_address=1))
    desk.pins.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await desk.ask()
    desk.pins.away = False
    assert (await desk.ask()).outcome is PinOutcome.SENT


# ---- what is true of the number is told to the number


async def test_a_number_whose_day_is_spent_gets_nothing_and_the_asker_cannot_tell() -> None:
    desk = Desk(rules=PinRules(per_number=1, per_address=100))
    first = await desk.ask()
    assert desk.leaves()
    second = await desk.ask()
    assert not desk.leaves()
    assert (second.outcome, second.expires_at) == (first.outcome, first.expires_at)
    tried = [(await desk.follow.redeem(HERE, second.token, "000000")).outcome for _ in range(6)]
    assert tried == [PinOutcome.WRONG] * 4 + [PinOutcome.SPENT] * 2


async def test_a_number_that_stopped_everything_gets_nothing() -> None:
    desk = Desk()
    desk.people.persons[MOTHER] = Person(address=MOTHER, stopped_at=NOW)
    assert (await desk.ask()).outcome is PinOutcome.SENT
    assert not desk.leaves()


async def test_a_code_that_was_not_sent_cannot_be_guessed() -> None:
    desk = Desk()
    desk.people.persons[MOTHER] = Person(address=MOTHER, stopped_at=NOW)
    asked = await desk.ask()
    assert (await desk.follow.redeem(HERE, asked.token, desk.pin(asked.token))).outcome is PinOutcome.WRONG


async def test_a_number_of_our_own_gets_nothing() -> None:
    desk = Desk(guard_settings=GuardSettings(own_numbers=frozenset({MOTHER.value})))
    assert (await desk.ask()).outcome is PinOutcome.SENT
    assert not desk.leaves()


async def test_a_number_that_follows_enough_is_told_so_instead_of_a_code() -> None:
    desk = Desk(rules=PinRules(follows_per_person=1))
    desk.people.followings[MOTHER] = [Following(code=code(OTHER), since=NOW)]
    assert (await desk.ask()).outcome is PinOutcome.SENT
    assert "HUY" in desk.last.message.text
    assert not re.match(r"\d{6} ", desk.last.message.text)
    assert (await desk.ask(about=OTHER)).outcome is PinOutcome.SENT
    assert re.match(r"\d{6} ", desk.last.message.text)


class Lines:
    """Two accounts: who wrote by the other one is reached by it."""

    def __init__(self, wrote: frozenset[Address]) -> None:
        self._wrote = wrote

    def recipient(self, typed: str) -> Address | None:
        return LINE.recipient(typed)

    def usual(self, recipient: Address) -> PinLine:
        return LINE

    async def to(self, recipient: Address) -> PinLine:
        return OTHER_LINE if recipient in self._wrote else LINE


OTHER_LINE = replace(LINE, account="other", sender=Address("sms", "6089"))


@pytest.mark.parametrize(("wrote", "line"), [(frozenset(), LINE), (frozenset({MOTHER}), OTHER_LINE)])
async def test_a_code_leaves_by_the_account_its_number_is_reached_by(wrote: frozenset[Address], line: PinLine) -> None:
    desk = Desk()
    desk.follow._post._line = Lines(wrote)
    assert (await desk.ask()).outcome is PinOutcome.SENT
    message = desk.last.message
    assert (message.account, message.sender) == (line.account, line.sender)


def test_a_key_that_is_too_short_is_refused_at_start() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="16"):
        FollowByPin(
            questions=desk.follow._questions,
            lookups=desk.lookups,
            disclosure=desk.disclosure,
            pins=desk.pins,
            budgets=desk.follow._budgets,
            post=desk.follow._post,
            line=LINE,
            rules=desk.rules,
            key=b"short",
            clock=clock,
        )
