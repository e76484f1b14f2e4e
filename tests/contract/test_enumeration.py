"""Ten thousand codes asked for one after the other, over the web: how many answers a walker gets, and who else is hurt.

Every bound is derived from the settings as they are shipped. Misses may go over by what is under way at one moment. Work
is a price: where it is done, the budgets of address, block and prefix are what stops a walk, as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from adapters.redis.budgets import RedisBudgets
from adapters.redis.client import connect
from conversation.guards import MOST_OF_A_PREFIX, Guards, GuardSettings
from conversation.ports import Budgets
from conversation.questions import Questions
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode, parse_canonical
from domain.dossier import Dossier, DossierStatus
from domain.message import Address
from domain.proof import Proof, ProofKind, Sealer
from domain.questions import Question, QuestionAnswer
from lookup.disclosure import Disclosure, DisclosureRules
from tests.servers.redis import PATIENCE, running_redis
from tests.whole.gateways import tell

WALKED = 10_000
WALKED_IN_REDIS = 1_000  # of them: every bound is reached by then
EVERY = 25  # of the codes, every so many is a dossier
UNDER_WAY = 10  # questions at one moment
STEP = UNDER_WAY * 3_600.0 / WALKED  # seconds from one moment to the next: the walk takes an hour
NOW = datetime(2026, 10, 8, 7, 30, tzinfo=UTC)
SITE = "ts_aaaaaaaaaaaaaaaa"
SHIPPED = GuardSettings()
SEALER = Sealer(b"only for the walks of the tests")
RIGHT = Proof(ProofKind.LAST_FOUR, "5678")
NEIGHBOURS = "H51.29-250801-0001"  # a dossier of another agency and day
OWNED = "H51.18-250701-10024"  # one of those that are walked through

ONE_PREFIX = tuple(f"H51.18-250701-{10_000 + number}" for number in range(WALKED))
MANY_PREFIXES = tuple(
    f"H51.{agency:02d}-2507{day:02d}-{serial:04d}"
    for agency in range(10, 20)
    for day in range(1, 11)
    for serial in range(1, 101)
)


class Office:
    """Implements LookUps: it knows every 25th code of a walk, and the neighbours'."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._known = frozenset((*codes[EVERY - 1 :: EVERY], NEIGHBOURS))

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return {code: self._answer(code) for code in codes}

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return await self.cached(codes)

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        return await self.cached(codes)

    def _answer(self, code: DossierCode) -> DossierAnswer:
        if code.text not in self._known:
            return DossierAnswer(code=code, outcome=Outcome.NOT_FOUND, as_of=NOW)
        seals = SEALER.seals_of(code, numbers=["0912345678"]) if code.text == OWNED else frozenset[str]()
        dossier = Dossier(code=code, source="here", status=DossierStatus.IN_PROCESS, agency=code.agency, proofs=seals)
        return DossierAnswer(code=code, outcome=Outcome.FOUND, dossier=dossier, as_of=NOW)


@dataclass
class Walk:
    """Somebody who asks for every code once; if he `works`, with the work done as soon as it was needed once."""

    questions: Questions
    works: bool
    suspected: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    solved: int = 0

    @property
    def told(self) -> int:
        """How many codes he knows something of."""
        return self.found + self.missed

    @property
    def found(self) -> int:
        return self.answers["found"]

    @property
    def missed(self) -> int:
        return self.answers["not_found"]

    async def ask(self, wanted: Sequence[tuple[str, Address]], site: str) -> None:
        """What is under way at one moment."""
        worked = self.suspected and self.works
        self.solved += len(wanted) * worked
        asked = await self.questions.ask(
            [Question(text=text, asker=asker, site=site, worked=worked) for text, asker in wanted]
        )
        said = [answer.reason or str(answer.outcome) for answer, _ in asked if isinstance(answer, QuestionAnswer)]
        self.suspected |= "work_needed" in said
        self.answers.update(said)


def one_64(_: int) -> Address:
    return Address("web", "2001:db8:1:2::/64")


def of_one_48(number: int) -> Address:
    return Address("web", f"2001:db8:1:{number % 256:x}::/64")


def scattered(number: int) -> Address:
    return Address("web", f"198.{number // 250}.{number % 250}.7")


@dataclass(frozen=True)
class Origin:
    """From where a walk comes, and the misses after which it stops: without work, and with it."""

    name: str
    address: Callable[[int], Address]
    codes: Sequence[str]
    site: str
    idle: int
    working: int


def count_of(limits: Sequence[object]) -> int:
    (limit,) = limits
    count: int = limit.count  # type: ignore[attr-defined]
    return count


ORIGINS = (
    Origin(
        name="one /64",
        address=one_64,
        codes=ONE_PREFIX,
        site="",
        idle=count_of(SHIPPED.misses_before_work),
        working=count_of(SHIPPED.misses_per_address),
    ),
    Origin(
        name="256 /64s of one /48",
        address=of_one_48,
        codes=ONE_PREFIX,
        site="",
        idle=count_of(SHIPPED.block_misses_before_work),
        working=count_of(SHIPPED.misses_per_block),
    ),
    Origin(
        name="10,000 addresses through one site, one agency and day",
        address=scattered,
        codes=ONE_PREFIX,
        site=SITE,
        idle=count_of(SHIPPED.site_misses_before_work),
        working=count_of(SHIPPED.misses_per_prefix),
    ),
    Origin(
        name="10,000 addresses through one site, 100 agencies and days",
        address=scattered,
        codes=MANY_PREFIXES,
        site=SITE,
        idle=count_of(SHIPPED.site_misses_before_work),
        working=WALKED,  # nothing but its price stops this one
    ),
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
async def budgets(
    request: pytest.FixtureRequest, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Budgets]:
    if request.param == "memory":
        yield MemoryBudgets(clock)
        return
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        shared = connect(server.url, time_limit=PATIENCE)
        in_redis = RedisBudgets(shared, MemoryBudgets(clock), clock=clock)
        yield in_redis
        await in_redis.close()
        await shared.aclose()


@pytest.mark.parametrize("works", [False, True], ids=["without work", "with work"])
@pytest.mark.parametrize("origin", ORIGINS, ids=[origin.name for origin in ORIGINS])
async def test_a_walker_is_told_no_more_than_the_settings_say_and_his_neighbour_what_he_asks(
    budgets: Budgets, clock: Clock, capsys: pytest.CaptureFixture[str], origin: Origin, *, works: bool
) -> None:
    guards = Guards(budgets, SHIPPED)
    questions = Questions(
        lookups=Office(origin.codes),
        guards=guards,
        clock=lambda: NOW,
        disclosure=Disclosure(DisclosureRules(), SEALER),
    )
    walk = Walk(questions, works)
    walked = WALKED if isinstance(budgets, MemoryBudgets) else WALKED_IN_REDIS
    with capture_logs() as logs:
        for start in range(0, walked, UNDER_WAY):
            places = range(start, start + UNDER_WAY)
            await walk.ask([(origin.codes[place], origin.address(place)) for place in places], origin.site)
            clock.now += STEP
    kind = "with" if works else "without"
    tell(
        capsys,
        f"{origin.name}, {kind} work, {type(budgets).__name__}: told of {walk.told} of {walked:,} codes ({walk.found} "
        f"found, {walk.missed} not), {walk.solved} solved; {dict(walk.answers)}",
    )

    misses = origin.working if works else origin.idle
    assert walk.missed <= misses + UNDER_WAY
    assert walk.found <= _found_on_the_way_to(_last_told(origin, works=works) + UNDER_WAY)
    assert ("guard.site_walked" in {line["event"] for line in logs}) is bool(origin.site)
    await _assert_the_neighbours_are_told(questions, origin)


def _last_told(origin: Origin, *, works: bool) -> int:
    """The misses after which what exists is no longer told either: those of a block are only closed to misses, until
    those of the prefix are spent, of which few of each asker count.
    """
    if works and origin.address is of_one_48:
        return count_of(SHIPPED.misses_per_prefix)
    return origin.working if works else origin.idle


def _found_on_the_way_to(misses: int) -> int:
    return misses // (EVERY - 1) + 1


async def _assert_the_neighbours_are_told(questions: Questions, origin: Origin) -> None:
    """From the same block and the same site, after the work if there must be: the dossier of somebody else; and with a
    proof, and no work, one of those that are walked through.
    """
    next_door = (
        Address("web", "2001:db8:1:fff0::/64") if ":" in origin.address(0).value else Address("web", "198.1.1.8")
    )
    plain = await _told(questions, _question(NEIGHBOURS, next_door, origin.site))
    if plain.reason == "work_needed":
        plain = await _told(questions, Question(text=NEIGHBOURS, asker=next_door, site=origin.site, worked=True))
    assert plain.outcome is Outcome.FOUND
    if OWNED in origin.codes:
        proved = await _told(questions, Question(text=OWNED, asker=next_door, site=origin.site, proof=RIGHT))
        assert (proved.outcome, proved.proved) == (Outcome.FOUND, True)


async def _told(questions: Questions, question: Question) -> QuestionAnswer:
    ((answer, _),) = await questions.ask([question])
    assert isinstance(answer, QuestionAnswer)
    return answer


def _question(text: str, asker: Address, site: str) -> Question:
    return Question(text=text, asker=asker, site=site)


def test_the_walks_are_of_codes_and_the_figures_of_one_window_each() -> None:
    for codes in (ONE_PREFIX, MANY_PREFIXES):
        assert len({parse_canonical(code) for code in codes} - {None}) == WALKED
    assert OWNED in ONE_PREFIX[EVERY - 1 :: EVERY]
    assert count_of(SHIPPED.misses_per_prefix) > MOST_OF_A_PREFIX
