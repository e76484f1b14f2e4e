"""The API against its own document, over real HTTP: no server error, and no answer that is not documented.

Whatever is typed is answered in one of all the ways there are, so that each of them is seen.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from schemathesis.config import NotAServerErrorConfig, SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from domain.answers import Outcome
from domain.message import Address
from domain.pins import PinAnswer, PinOutcome
from domain.questions import Answer, Asked, Left, Question, QuestionAnswer
from tests.unit.asking_the_web import Behind, answered, unreadable, without_dossier
from tests.unit.serving_the_api import SENT, Api, Desk

EXAMPLES = 15  # of each way of making them up, for each operation
WAYS = (
    answered(),
    answered(outcome=Outcome.SOURCE_DOWN),
    answered(None, due_on=None),
    unreadable("no_code"),
    unreadable("ambiguous", "H51.18-250701-0001", "H51.18-250701-0004"),
    without_dossier(Outcome.NOT_FOUND),
    without_dossier(Outcome.SOURCE_DOWN),
    QuestionAnswer(outcome=Outcome.REFUSED),
    QuestionAnswer(outcome=Outcome.REFUSED, reason="proof_needed"),
    QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed"),
)
WISHES = (
    SENT,
    *(PinAnswer(outcome=each) for each in (PinOutcome.NO_NUMBER, PinOutcome.OVER, PinOutcome.REFUSED)),
    *(PinAnswer(outcome=PinOutcome.NOT_TOLD, answer=each) for each in WAYS[3:]),
)
PINS = tuple(
    PinAnswer(outcome=each) for each in (PinOutcome.FOLLOWING, PinOutcome.WRONG, PinOutcome.SPENT, PinOutcome.REFUSED)
)


def one_of(ways: Sequence[Any], typed: str) -> Any:
    return ways[zlib.crc32(typed.encode("utf-8", "surrogatepass")) % len(ways)]


class AllWays(Behind):
    """Answers a code in one way, always the same."""

    async def ask(self, questions: Sequence[Question]) -> Sequence[Asked[Answer]]:
        return [Asked(self._says(each), Left(30, 60.0, 27, 40.2)) for each in questions]

    def _says(self, question: Question) -> QuestionAnswer:
        if question.proof is not None:
            return answered(proved=True)
        way: QuestionAnswer = one_of(WAYS, question.text)
        return way


class AllWishes(Desk):
    async def ask(
        self,
        asker: Address,
        code: str,
        number: str,
        *,
        language: str,
        words: str,
        site: str = "",
        worked: bool = False,
    ) -> PinAnswer:
        wish: PinAnswer = one_of(WISHES, code + number)
        return wish

    async def redeem(self, asker: Address, token: str, pin: str) -> PinAnswer:
        answer: PinAnswer = one_of(PINS, token + pin)
        return answer


class Listener(threading.Thread):
    """Serves the API from a thread of its own until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.up = threading.Event()
        self.address = ""
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        self._loop.run_until_complete(self._start())
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _start(self) -> None:
        self._runner = web.AppRunner(await Api(AllWays(), AllWishes(), base_url="").app(told=True), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.up.set()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join()


@pytest.fixture
def address() -> Iterator[str]:
    listener = Listener()
    listener.start()
    assert listener.up.wait(30)
    yield listener.address
    listener.stop()


def described_at(address: str) -> Any:
    url, config = f"{address}/api/v1/openapi.json?lang=en", SchemathesisConfig(seed=1)
    schema = schemathesis.openapi.from_url(url, config=config)
    schema.config.update(continue_on_failure=True)
    schema.config.generation.update(max_examples=EXAMPLES, database="none")
    any_code_may_be_typed = "positive_data_acceptance"  # and few are anybody's
    schema.config.checks.update(excluded_check_names=[any_code_may_be_typed])
    schema.config.checks.not_a_server_error = NotAServerErrorConfig(expected_statuses=["2xx", "3xx", "4xx", 503])
    return schema


def test_no_server_error_and_no_undocumented_answer(address: str) -> None:
    schema = described_at(address)
    asked, faults = set(), []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            asked.add(event.recorder.label)
            faults += faults_of(event.recorder)
        assert not isinstance(event, events.FatalError | events.NonFatalError | events.Interrupted), event
    assert faults == []
    assert asked >= {each.ok().label for each in schema.get_all_operations()}


def faults_of(recorder: Any) -> list[str]:
    return [
        f"{check.name}: {check.failure_info.failure.title}: {check.failure_info.code_sample}"
        for checks in recorder.checks.values()
        for check in checks
        if check.status is Status.FAILURE
    ]
