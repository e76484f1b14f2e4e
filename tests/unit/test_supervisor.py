"""The supervisor: in order, in reverse, within a bounded time, and nothing dies unnoticed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from domain.errors import CredentialsRefused, StoreUnavailable
from gateway.exit_codes import ExitCode, PortTaken, exit_code_for
from gateway.supervisor import Backoff, OnCrash, Part, Supervisor

AT_ONCE = Backoff(first_s=0.0, highest_s=0.0)


class Diary:
    """What happened, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> Callable[[], Awaitable[None]]:
        async def write() -> None:
            self.lines.append(line)

        return write

    def part(self, name: str, **more: object) -> Part:
        async def run() -> None:
            self.lines.append(f"run {name}")
            await asyncio.Event().wait()

        steps = {step: self.note(f"{step} {name}") for step in ("start", "drain", "close")}
        return Part(**{"name": name, "run": run, **steps, **more})  # type: ignore[arg-type]


async def forever() -> None:
    await asyncio.Event().wait()


async def refused() -> None:
    raise CredentialsRefused("the SMSC refused us")


async def ended_with(supervisor: Supervisor) -> ExitCode:
    async with asyncio.timeout(60):
        return await supervisor.run()


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    diary = Diary()
    supervisor = Supervisor([diary.part("store"), diary.part("dispatcher"), diary.part("sms")])
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    await asyncio.sleep(0)
    assert (await supervisor.health()).ok
    supervisor.stop()
    assert await running is ExitCode.OK
    starts = [line for line in diary.lines if line.startswith("start")]
    assert starts == ["start store", "start dispatcher", "start sms"]
    assert diary.lines[-6:] == [
        "drain sms",
        "close sms",
        "drain dispatcher",
        "close dispatcher",
        "drain store",
        "close store",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_what_is_under_way(number: signal.Signals) -> None:
    diary = Diary()
    supervisor = Supervisor([diary.part("sms")])
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    os.kill(os.getpid(), number)
    assert await running is ExitCode.OK
    assert diary.lines == ["start sms", "run sms", "drain sms", "close sms"]


async def test_a_drain_that_hangs_is_cut_short_and_the_others_still_close() -> None:
    diary = Diary()
    parts = [diary.part("store"), diary.part("sms", drain=forever)]
    supervisor = Supervisor(parts, drain_timeout_s=0.05)
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    supervisor.stop()
    assert await asyncio.wait_for(running, 60) is ExitCode.OK
    assert diary.lines[-3:] == ["close sms", "drain store", "close store"]


async def test_a_second_signal_does_not_wait_for_the_drain() -> None:
    draining = asyncio.Event()

    async def drain() -> None:
        draining.set()
        await forever()

    supervisor = Supervisor([Diary().part("sms", drain=drain)], drain_timeout_s=3_600)
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    supervisor.stop()
    await draining.wait()
    supervisor.stop()
    assert await asyncio.wait_for(running, 60) is ExitCode.OK


async def test_a_close_that_fails_does_not_keep_the_others_open() -> None:
    async def broken() -> None:
        raise RuntimeError("no")

    diary = Diary()
    supervisor = Supervisor([diary.part("store"), diary.part("sms", close=broken, drain=broken)])
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    supervisor.stop()
    assert await running is ExitCode.OK
    assert diary.lines[-1] == "close store"


async def test_a_crashed_part_runs_again() -> None:
    runs: list[int] = []
    again = asyncio.Event()

    async def run() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("a bug")
        again.set()
        await forever()

    supervisor = Supervisor([Part(name="sms", run=run)], backoff=AT_ONCE)
    running = asyncio.create_task(supervisor.run())
    await again.wait()
    assert (await supervisor.health()).ok
    supervisor.stop()
    assert await running is ExitCode.OK


async def test_a_part_that_ends_by_itself_counts_as_crashed() -> None:
    runs: list[int] = []
    again = asyncio.Event()

    async def run() -> None:
        runs.append(1)
        if len(runs) > 1:
            again.set()
            await forever()

    supervisor = Supervisor([Part(name="sms", run=run)], backoff=AT_ONCE)
    running = asyncio.create_task(supervisor.run())
    await again.wait()
    supervisor.stop()
    assert await running is ExitCode.OK


async def test_a_part_the_process_cannot_do_without_ends_it() -> None:
    async def run() -> None:
        raise StoreUnavailable("the disk is gone")

    diary = Diary()
    supervisor = Supervisor([diary.part("store"), Part(name="journal", run=run, on_crash=OnCrash.END)])
    assert await ended_with(supervisor) is ExitCode.STORE_UNAVAILABLE
    assert diary.lines[-1] == "close store"


async def test_refused_credentials_stop_one_channel_and_readiness_says_so() -> None:
    parts = [Part(name="viettel", run=refused, channel=True), Part(name="vnpt", run=forever, channel=True)]
    supervisor = Supervisor(parts)
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    await asyncio.sleep(0)
    health = await supervisor.health()
    assert not health.ok
    assert health.detail == "viettel: credentials refused"
    assert not running.done()
    supervisor.stop()
    assert await running is ExitCode.OK


async def test_refused_credentials_of_the_last_channel_end_the_process() -> None:
    parts = [Part(name="journal", run=forever), Part(name="viettel", run=refused, channel=True)]
    assert await ended_with(Supervisor(parts)) is ExitCode.CREDENTIALS_REFUSED


async def test_a_part_that_cannot_start_ends_the_process_and_what_started_is_closed() -> None:
    async def taken() -> None:
        raise PortTaken("cannot listen on 127.0.0.1:8080")

    diary = Diary()
    supervisor = Supervisor([diary.part("store"), diary.part("http", start=taken), diary.part("sms")])
    with pytest.raises(PortTaken):
        await ended_with(supervisor)
    assert diary.lines[-3:] == ["close http", "drain store", "close store"]
    assert "start sms" not in diary.lines


async def test_what_others_may_hold_is_taken_before_any_part_starts() -> None:
    diary = Diary()
    supervisor = Supervisor([diary.part("sms"), diary.part("http", take=diary.note("take http"))])
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    supervisor.stop()
    assert await running is ExitCode.OK
    assert diary.lines[:2] == ["take http", "start sms"]
    assert diary.lines.index("drain http") < diary.lines.index("drain sms"), "taken first, and still stopped first"


async def test_what_cannot_be_taken_ends_the_process_before_any_part_starts() -> None:
    async def taken() -> None:
        raise PortTaken("cannot listen on 127.0.0.1:8082")

    diary = Diary()
    parts = [
        diary.part("sms"),
        diary.part("public", take=diary.note("take public")),
        diary.part("operations", take=taken),
        diary.part("late", take=diary.note("take late")),
    ]
    with pytest.raises(PortTaken):
        await ended_with(Supervisor(parts))
    assert diary.lines == ["take public", "close operations", "close public"], "what was taken is given back, no more"


async def test_not_ready_while_what_others_may_hold_is_taken() -> None:
    taking, go_on = asyncio.Event(), asyncio.Event()

    async def take() -> None:
        taking.set()
        await go_on.wait()

    supervisor = Supervisor([Diary().part("http", take=take)])
    running = asyncio.create_task(supervisor.run())
    await taking.wait()
    assert (await supervisor.health()).detail == "starting"
    go_on.set()
    await supervisor.started()
    assert (await supervisor.health()).ok
    supervisor.stop()
    assert await running is ExitCode.OK


async def test_asked_to_stop_while_it_takes_it_starts_nothing() -> None:
    diary = Diary()
    supervisor = Supervisor([diary.part("sms")])

    async def take() -> None:
        supervisor.stop()

    supervisor.parts = [*supervisor.parts, diary.part("http", take=take), diary.part("late", take=diary.note("late"))]
    assert await ended_with(supervisor) is ExitCode.OK
    assert diary.lines == ["close http"]


async def test_a_hang_up_ends_nothing_and_is_told() -> None:
    diary = Diary()
    supervisor = Supervisor([diary.part("sms")])
    with capture_logs() as lines:
        running = asyncio.create_task(supervisor.run())
        await supervisor.started()
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(60):
            while not any(line["event"] == "process.not_reloaded" for line in lines):  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running is ExitCode.OK
    assert [line["event"] for line in lines if line["event"].startswith("process.")] == [
        "process.ready",
        "process.not_reloaded",
        "process.stop_asked",
        "process.ended",
    ]


async def test_not_ready_while_starting_and_while_stopping() -> None:
    supervisor = Supervisor([])
    assert (await supervisor.health()).detail == "starting"
    running = asyncio.create_task(supervisor.run())
    await supervisor.started()
    supervisor.stop()
    assert (await supervisor.health()).detail == "stopping"
    await running


def test_pauses_grow_to_a_cap() -> None:
    backoff = Backoff(first_s=1.0, highest_s=8.0)
    for crashes, longest in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)]:
        assert longest / 2 <= backoff.pause(crashes) <= longest


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PortTaken("x"), 3),
        (CredentialsRefused("x"), 4),
        (StoreUnavailable("x"), 5),
        (ValueError("x"), 1),
    ],
)
def test_an_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_for(error) == code
