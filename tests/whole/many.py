"""Several gateways on one PostgreSQL and one Redis: their processes, SMSCs that count, and the store seen from outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp

from demo.process import GatewayProcess
from demo.smsc import MoTicket, Smsc
from demo.smsc_load_server import Announce, LoadServer
from demo.smsc_tally import NUMBER_DIGITS, NUMBER_PREFIX, Load, LoadOptions, LoadResult, number_of
from domain.ids import IdSequence
from tests.servers.postgres import Hand
from tests.whole.gateways import SHORT_CODE, Account, make_gateway
from tests.whole.store_files import Written

FIRST_NOTICE: Final = 50_000_000  # the digits of the first number that is sent a notice; questions come from below
NUMBERS_OF_ONE: Final = 1_000_000  # an account's numbers: its questions' and its notices'
CODES: Final = tuple(f"{office}-250701-000{n}" for office in ("H51.18", "H51.29.18") for n in range(1, 6))
TEXTS: Final = ("H51.18-250701-0001", "h51 18 250701 0002", "H51.29.18-250701-0004", "H13.18-250701-0001")
POLL: Final = 0.1  # seconds between two looks at the store
NOTICE_PROCESS: Final = 1_023  # whoever writes notices has a process number of its own in their ids

# A lease short enough to see it pass on, long enough not to be lost on a busy machine, and the time limit of a
# statement that goes with it.
LEASE: Final = 8.0
SHORT_LEASE: Final[Mapping[str, str]] = {
    "TRACUU_GATEWAY__LEASE_S": str(LEASE),
    "TRACUU_DATABASE__STATEMENT_TIMEOUT_S": str(LEASE / 4),
    # Whoever is held up at the start waits, and gives no renewal up for it.
    "TRACUU_DATABASE__CONNECT_TIMEOUT_S": "60",
    "TRACUU_DATABASE__TURN_TIMEOUT_S": "60",
}


def resident(gateway: GatewayProcess) -> float:
    """The memory of a gateway that runs, in MB."""
    status = Path(f"/proc/{gateway.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def shared_gateway(
    directory: Path,
    *accounts: Account,
    database: str,
    redis: str,
    holds: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> GatewayProcess:
    """One of several gateways, not started. All are configured alike; `holds` are the accounts this one may hold."""
    shared = {"TRACUU_DATABASE__URL": database, "TRACUU_REDIS__URL": redis}
    gateway = make_gateway(directory, *accounts, settings=shared | dict(settings or {}))
    gateway.arguments = [word for account in holds for word in ("--account", account)]
    return gateway


@asynccontextmanager
async def running_all(*gateways: GatewayProcess) -> AsyncIterator[None]:
    """Start them at once; at the end all are stopped, or killed if they do not go."""
    try:
        await asyncio.gather(*(gateway.start() for gateway in gateways))
        yield
    finally:
        await asyncio.gather(*(gateway.stop() for gateway in gateways))


# ---- SMSCs


class Counted(Load):
    """A load whose SMSC also counts the notices that come, by number; it ends when it is told to."""

    def __init__(self, options: LoadOptions, announce: Announce) -> None:
        super().__init__(options, announce)
        self.notices: Counter[str] = Counter()

    def answer(self, buffer: bytes, pdu: slice, number_ends: int, now: float) -> None:
        digits = buffer[number_ends - NUMBER_DIGITS : number_ends].decode("ascii")
        if digits.isdigit() and int(digits) >= FIRST_NOTICE:
            self.notices[NUMBER_PREFIX + digits] += 1
        else:
            super().answer(buffer, pdu, number_ends, now)

    def turn_ended(self, now: float) -> None:
        """The base would end the run with the last answer, whatever notices are still to come."""
        self.last_news = now

    @property
    def came(self) -> int:
        """Answers and notices, each person's counted once."""
        return self.answered + len(self.notices)


@dataclass(slots=True, kw_only=True)
class Operator:
    """The SMSC of one account, its questions and the notices that shall leave by it."""

    name: str
    server: LoadServer
    options: LoadOptions
    notices: Sequence[str]  # numbers
    rate: int  # segments a second
    more: Mapping[str, str]
    _task: asyncio.Task[LoadResult] | None = None

    @property
    def account(self) -> Account:
        figures = {"window": "100", "rate": str(self.rate), "reconnect_first": "0.1", "reconnect_cap": "0.5"}
        return Account(port=self.server.port, name=self.name, more={**figures, **self.more})

    @property
    def load(self) -> Counted:
        assert isinstance(self.server.load, Counted)
        return self.server.load

    @property
    def questions(self) -> list[str]:
        """The numbers that ask."""
        return [number_of(index, self.options) for index in range(self.options.total)]

    @property
    def complete(self) -> bool:
        """Whoever asked or was to be told has heard."""
        return self.load.answered == self.load.acknowledged == self.options.total and (
            len(self.load.notices) == len(self.notices)
        )

    async def begin(self) -> None:
        """Ask whenever somebody is bound; questions wait for the first bind."""
        self._task = asyncio.create_task(self.server.run(self.options))
        await until(lambda: self.server.load is not None)

    async def end(self) -> tuple[LoadResult, Counter[str]]:
        """Stop counting; what came of the questions, and how often each number had a notice."""
        assert self._task is not None
        load = self.load
        load.finished.set()
        return await self._task, load.notices


@asynccontextmanager
async def operators(
    *names: str, questions: int, notices: int, rate: int, window: int = 10, more: Mapping[str, str] | None = None
) -> AsyncIterator[list[Operator]]:
    """An SMSC for each account; `questions` and `notices` are for all of them together, shared out evenly."""
    async with AsyncExitStack() as stack:
        made = []
        for turn, name in enumerate(names):
            server = await stack.enter_async_context(LoadServer(make_load=Counted))
            mine = [len(range(turn, total, len(names))) for total in (questions, notices)]
            options = LoadOptions(
                total=mine[0],
                window=window,
                texts=TEXTS,
                destination=SHORT_CODE,
                first_number=turn * NUMBERS_OF_ONE,
                patience=600.0,  # the test's own time limit is shorter
                linger=1.0,  # second copies on their way are still counted
            )
            first = FIRST_NOTICE + turn * NUMBERS_OF_ONE
            numbers = [f"{NUMBER_PREFIX}{first + index:0{NUMBER_DIGITS}d}" for index in range(mine[1])]
            made.append(
                Operator(name=name, server=server, options=options, notices=numbers, rate=rate, more=more or {})
            )
        yield made


async def until(condition: Callable[[], bool]) -> None:
    """Other processes bring it about: there is no event to await."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(POLL / 10)


class Crowd:
    """People with a number each, who ask one after another at every SMSC, until the block ends."""

    def __init__(self, *smscs: Smsc, pace: float) -> None:
        """`pace`: seconds from one question at an SMSC to the next there."""
        self.tickets: list[MoTicket] = []
        self._smscs = smscs
        self._pace = pace

    async def ask(self) -> None:
        """One question at each."""
        for smsc in self._smscs:
            number = f"{NUMBER_PREFIX}{len(self.tickets):0{NUMBER_DIGITS}d}"
            text = CODES[len(self.tickets) % len(CODES)]
            self.tickets.append(await smsc.send_mo(number, SHORT_CODE, text))

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._ask_on())
            yield
            task.cancel()

    async def answered(self) -> None:
        """Wait until everybody has an answer."""
        await asyncio.gather(*(ticket.reply() for ticket in self.tickets))

    async def _ask_on(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(self._pace)


class Memory:
    """How much gateways take, before, at most, and now; in MB."""

    def __init__(self, *gateways: GatewayProcess) -> None:
        self._gateways = gateways
        self.before = self.highest = self.now = self._read()

    @property
    def growth(self) -> float:
        """The largest growth of any of them."""
        return max(high - before for high, before in zip(self.highest, self.before, strict=True))

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._watch())
            yield
            task.cancel()

    def __str__(self) -> str:
        """For a person to read."""
        figures = zip(self.before, self.highest, self.now, strict=True)
        return ", ".join(f"{before:.1f} -> {now:.1f} MB (at most {high:.1f})" for before, high, now in figures)

    async def _watch(self) -> None:
        while True:
            self.now = self._read()
            self.highest = [max(pair) for pair in zip(self.highest, self.now, strict=True)]
            await asyncio.sleep(POLL)

    def _read(self) -> list[float]:
        return [resident(gateway) for gateway in self._gateways]


async def ready(gateway: GatewayProcess) -> bool:
    """What /readyz says."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/readyz") as response:
        return response.status == HTTPStatus.OK


async def until_ready(*gateways: GatewayProcess) -> None:
    """Other processes, again."""
    for gateway in gateways:
        while not await ready(gateway):  # noqa: ASYNC110
            await asyncio.sleep(POLL)


# ---- the store, from outside

INSERT_NOTICES = f"""
WITH followed AS (
    INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, followed_at)
    SELECT 'sms:' || n.number, 'H51.18-250701-9901', 'elsewhere', 'sms', n.account, 'sms:{SHORT_CODE}', 'text', false, 0
    FROM unnest($2::text[], $3::text[]) AS n (account, number) ON CONFLICT DO NOTHING)
INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, source, dossier_code, version,
    state, created_at, available_at, expires_at, attempts)
SELECT n.id, 'sms', n.account, 'notice', 1, 'sms:' || n.number, 'sms:{SHORT_CODE}', 'Ho so H51.18-250701-9901 da xong.',
    'elsewhere', 'H51.18-250701-9901', 1, 'ready', clock.now, clock.now, clock.now + 86400000, 0
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (id, account, number),
    (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS clock"""
HELD = """
SELECT substr(o.recipient, 5) AS number, o.state FROM outbox AS o JOIN process AS p USING (owner)
JOIN process_about AS a ON a.number = p.number
WHERE a.pid = $1 AND o.state IN ('claimed', 'handed_over') AND p.number = (
    SELECT max(number) FROM process_about WHERE pid = $1)"""
UNSETTLED = """
SELECT (SELECT count(*) FROM inbox WHERE state = 'open')
    + (SELECT count(*) FROM outbox WHERE state IN ('ready', 'claimed', 'handed_over')) AS rows"""
IN_DOUBT = """
SELECT count(*) AS rows FROM outbox WHERE category = 'reply' AND state IN ('ready', 'claimed', 'handed_over')
AND substr(recipient, 5) = ANY ($1::text[])"""
TEN_MINUTES_LATER = """
UPDATE outbox SET available_at = created_at
WHERE state = 'ready' AND category = 'notice' AND attempts > 0 AND available_at > created_at"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a gateway that was killed held in the outbox: numbers."""

    claimed: frozenset[str]
    handed_over: frozenset[str]  # and what became of it not written down


class SharedStore:
    """The database two gateways share. Its calls wait in a thread: SMSCs go on meanwhile."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._ids = IdSequence(NOTICE_PROCESS)
        self._one_at_a_time = asyncio.Lock()

    async def reconnect(self) -> None:
        """PostgreSQL was away."""
        await asyncio.to_thread(self._hand.close)
        await asyncio.to_thread(self._hand.open)

    async def queue_notices(self, numbers: Iterable[tuple[str, str]]) -> None:
        """Write rows (account, number) into the outbox in one statement, as whoever tells of changes will."""
        pairs = list(numbers)
        now = round(datetime.now(UTC).timestamp() * 1000)
        ids = [self._ids.next(now) for _ in pairs]
        await self._execute(INSERT_NOTICES, ids, [account for account, _ in pairs], [number for _, number in pairs])

    async def left_by(self, pid: int) -> Left:
        rows = await self.fetch(HELD, pid)
        return Left(
            claimed=frozenset(row["number"] for row in rows if row["state"] == "claimed"),
            handed_over=frozenset(row["number"] for row in rows if row["state"] == "handed_over"),
        )

    async def made_good(self, left: Left) -> None:
        """Wait until the replies somebody left in doubt have left again."""
        while (await self.fetch(IN_DOUBT, list(left.handed_over)))[0]["rows"]:  # noqa: ASYNC110
            await asyncio.sleep(POLL)

    async def settled(self) -> None:
        """Wait until every message is decided and every row has left, or never will. A notice in doubt would wait ten
        minutes for a delivery report; here they pass at once.
        """
        while (await self.fetch(UNSETTLED))[0]["rows"]:
            await self._execute(TEN_MINUTES_LATER)
            await asyncio.sleep(POLL)

    async def written(self) -> Written:
        inbox = await self.fetch("SELECT substr(sender, 5) AS number, state FROM inbox ORDER BY id")
        outbox = await self.fetch("SELECT substr(recipient, 5) AS number, state FROM outbox ORDER BY id")
        return Written([(r["number"], r["state"]) for r in inbox], [(r["number"], r["state"]) for r in outbox])

    async def fetch(self, statement: str, *parameters: object) -> Sequence[Mapping[str, Any]]:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._hand.fetch, statement, *parameters)

    async def _execute(self, statement: str, *parameters: object) -> None:
        async with self._one_at_a_time:
            await asyncio.to_thread(self._hand.execute, statement, *parameters)
