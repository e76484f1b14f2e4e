"""What every status cache promises: in memory, in Redis, and one before the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from adapters.memory.cache import MemoryStatusCache
from adapters.redis.cache import RedisStatusCache
from adapters.redis.client import connect
from demo.process import free_port
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from lookup.cache import TwoLevelCache
from lookup.ports import CachedAnswer, StatusCache
from tests.servers.redis import PATIENCE, RedisServer, running_redis

NUMBERS = count()


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)  # Redis keeps the wall's time

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def far(server: RedisServer, clock: Clock) -> AsyncIterator[RedisStatusCache]:
    shared = connect(server.url, time_limit=PATIENCE)
    yield RedisStatusCache(shared, clock, prefix=f"test{next(NUMBERS)}:")
    await shared.aclose()


@pytest.fixture(params=["memory", "redis", "two levels"])
def cache(request: pytest.FixtureRequest, clock: Clock) -> StatusCache:
    if request.param == "memory":
        return MemoryStatusCache(clock)
    far: RedisStatusCache = request.getfixturevalue("far")
    return far if request.param == "redis" else TwoLevelCache(MemoryStatusCache(clock), far, clock)


def code(number: int, family: CodeFamily = CodeFamily.NEW, agency: str = "H51.18") -> DossierCode:
    return DossierCode(text=f"H51.18-210817-{number:04d}", family=family, agency=agency)


def answer(of: DossierCode, now: datetime, *, found: bool = True, state: DossierStatus | None = None) -> CachedAnswer:
    dossier = Dossier(
        code=of,
        source="thanhhoa",
        status=state,
        agency="H51.18",
        received_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        due_on=date(2026, 11, 30),
        unit="Phòng “Một cửa”",
    )
    return CachedAnswer(
        code=of,
        dossier=dossier if found else None,
        read_at=now,
        fresh_until=now + timedelta(seconds=60),
        usable_until=now + timedelta(hours=24),
    )


async def test_unknown_code_is_a_miss(cache: StatusCache) -> None:
    assert await cache.get([code(1), code(2)]) == {}
    assert await cache.get([]) == {}
    await cache.put([])
    await cache.drop([])
    await cache.drop([code(1)])


@pytest.mark.parametrize("state", [None, *DossierStatus])
async def test_what_is_put_is_what_is_got(cache: StatusCache, clock: Clock, state: DossierStatus | None) -> None:
    kept = [answer(code(1), clock.now, state=state), answer(code(2), clock.now, found=False)]
    await cache.put(kept)
    assert await cache.get([code(1), code(2), code(3)]) == {each.code: each for each in kept}


async def test_dossier_with_every_field_set_comes_back_equal(cache: StatusCache, clock: Clock) -> None:
    full = Dossier(
        code=code(1),
        source="thanhhoa",
        status=DossierStatus.MORE_DOCUMENTS,
        agency="H51.18",
        received_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        due_on=date(2026, 11, 30),
        due_unknown=True,
        finished_at=datetime(2026, 11, 21, 9, 0, 0, 123_456, tzinfo=UTC),
        returned_at=datetime(2026, 11, 21, 16, 0, tzinfo=timezone(timedelta(hours=7))),
        changed_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
        unit="Phòng “Một cửa”",
        procedure="1.004946",
        procedure_name="Đăng ký khai sinh",
        missing="bản chính giấy chứng sinh",
        fee="20.000 đồng",
        receiving_agency="H51.18.1",
        returning_agency="H51.18.2",
        proofs=frozenset({"0123456789abcdef", "fedcba9876543210"}),
    )
    assert all(getattr(full, each.name) for each in fields(Dossier))
    kept = replace(answer(code(1), clock.now), dossier=full)
    await cache.put([kept])
    (got,) = (await cache.get([code(1)])).values()
    assert got == kept
    assert got.dossier is not None
    assert isinstance(got.dossier.proofs, frozenset)


async def test_later_answer_replaces_the_earlier(cache: StatusCache, clock: Clock) -> None:
    await cache.put([answer(code(1), clock.now, found=False)])
    later = answer(code(1), clock.now, state=DossierStatus.DONE)
    await cache.put([later])
    assert await cache.get([code(1)]) == {code(1): later}


async def test_answer_that_is_no_longer_fresh_is_still_given(cache: StatusCache, clock: Clock) -> None:
    kept = answer(code(1), clock.now)
    await cache.put([kept])
    clock.now += timedelta(hours=23)
    assert await cache.get([code(1)]) == {code(1): kept}


async def test_answer_that_may_no_longer_be_told_is_a_miss(cache: StatusCache, clock: Clock) -> None:
    await cache.put([answer(code(1), clock.now)])
    clock.now += timedelta(hours=24)
    assert await cache.get([code(1)]) == {}


async def test_answer_that_is_already_over_is_not_kept(cache: StatusCache, clock: Clock) -> None:
    await cache.put([answer(code(1), clock.now - timedelta(days=2))])
    assert await cache.get([code(1)]) == {}


async def test_dropped_answer_is_a_miss_and_others_stay(cache: StatusCache, clock: Clock) -> None:
    await cache.put([answer(code(1), clock.now), answer(code(2), clock.now)])
    await cache.drop([code(1)])
    assert list(await cache.get([code(1), code(2)])) == [code(2)]


async def test_cleared_cache_keeps_only_what_is_shared(
    request: pytest.FixtureRequest, cache: StatusCache, clock: Clock
) -> None:
    kept = answer(code(1), clock.now)
    await cache.put([kept])
    await cache.clear()
    shared = "memory" not in request.node.callspec.params.values()
    assert await cache.get([code(1)]) == ({code(1): kept} if shared else {})


async def test_same_legacy_number_of_two_agencies_is_two_dossiers(cache: StatusCache, clock: Clock) -> None:
    first, second = (code(1, CodeFamily.LEGACY, agency) for agency in ("A", "B"))
    await cache.put([answer(first, clock.now)])
    assert await cache.get([second]) == {}


# ---- memory


async def test_full_memory_forgets_what_was_not_asked_for_the_longest(clock: Clock) -> None:
    cache = MemoryStatusCache(clock, size=2)
    await cache.put([answer(code(1), clock.now), answer(code(2), clock.now)])
    await cache.get([code(1)])
    await cache.put([answer(code(3), clock.now)])
    assert set(await cache.get([code(1), code(2), code(3)])) == {code(1), code(3)}
    assert len(cache) == 2


def test_memory_without_room_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryStatusCache(clock, size=0)


# ---- Redis


async def test_redis_that_is_away_is_a_miss_and_said_once(clock: Clock) -> None:
    shared = connect(f"redis://127.0.0.1:{free_port()}/0", time_limit=PATIENCE, back_off=0.0)
    cache = RedisStatusCache(shared, clock)
    with capture_logs() as logs:
        for _ in range(3):
            await cache.put([answer(code(1), clock.now)])
            assert await cache.get([code(1)]) == {}
            await cache.drop([code(1)])
        assert await shared.check() is False
    assert [(line["event"], line["fault"]) for line in logs] == [("redis.away", "it could not be reached")]
    assert shared.away
    await shared.aclose()


async def test_redis_that_is_away_is_left_alone_for_a_while(clock: Clock) -> None:
    connections, came = 0, asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        came.set()
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    black_hole = await asyncio.start_server(hang, "127.0.0.1", 0)
    address = f"127.0.0.1:{black_hole.sockets[0].getsockname()[1]}"
    shared = connect(f"redis://{address}/0", time_limit=0.5, back_off=3600.0)
    cache = RedisStatusCache(shared, clock)
    for _ in range(20):
        assert await cache.get([code(1)]) == {}
        assert await shared.check() is False
    async with asyncio.timeout(PATIENCE):
        await came.wait()
    assert connections == 1
    assert shared.fault == "it did not answer in time"
    await shared.aclose()
    black_hole.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_redis_that_came_back_is_used_again_and_said_once(tmp_path: Path, clock: Clock) -> None:
    kept = answer(code(1), clock.now)
    with running_redis(tmp_path) as server:
        shared = connect(server.url, time_limit=PATIENCE, back_off=0.0)
        cache = RedisStatusCache(shared, clock)
        await cache.put([kept])
        with capture_logs() as logs:
            server.stop()
            assert await cache.get([code(1)]) == {}
            server.start()
            await cache.put([kept])
            assert await cache.get([code(1)]) == {code(1): kept}
        assert [line["event"] for line in logs] == ["redis.away", "redis.back"]
        assert await shared.check() is True
        assert not shared.away
        assert not shared.fault
        await shared.aclose()


async def test_entry_of_another_shape_is_a_miss(far: RedisStatusCache, clock: Clock, server: RedisServer) -> None:
    await far.put([answer(code(1), clock.now), answer(code(2), clock.now)])
    with redis.Redis(port=server.port) as client:
        for spoilt in (b"", b"{}", b"\xff", b'{"code": 1}'):
            client.set(far._key(code(1)), spoilt)
            with capture_logs() as logs:
                assert list(await far.get([code(1), code(2)])) == [code(2)]
            assert [line["event"] for line in logs] == ["cache.entry_unreadable"]


async def test_entries_leave_redis_before_their_time_and_not_all_at_once(server: RedisServer, clock: Clock) -> None:
    shared = connect(server.url, time_limit=PATIENCE)
    parts = iter([0.0, 0.5, 1.0])
    cache = RedisStatusCache(shared, clock, prefix="jitter:", jitter=lambda: next(parts))
    await cache.put([answer(code(number), clock.now) for number in range(3)])
    day = 24 * 3600.0
    for number, expected in enumerate([day, 0.95 * day, 0.9 * day]):
        left: Any = await shared.client.pttl(cache._key(code(number)))
        assert expected - 60 < left / 1000 <= expected
    await shared.aclose()


async def test_every_call_is_one_round_trip(far: RedisStatusCache, clock: Clock, server: RedisServer) -> None:
    codes: Sequence[DossierCode] = [code(number) for number in range(50)]
    await far.put([answer(each, clock.now) for each in codes])
    with redis.Redis(port=server.port) as client:
        before: Any = client.info("commandstats")
        assert len(await far.get(codes)) == 50
        await far.drop(codes)
        after: Any = client.info("commandstats")
    for command in ("mget", "del"):
        stats = f"cmdstat_{command}"
        assert after[stats]["calls"] - before.get(stats, {"calls": 0})["calls"] == 1
    assert after.get("cmdstat_get") == before.get("cmdstat_get")


async def test_keys_of_one_call_share_a_slot(far: RedisStatusCache) -> None:
    assert all(far._key(code(number)).startswith(f"{far._prefix}") for number in range(3))
    assert "{status}" in far._prefix


async def test_every_connection_is_found_again_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Not one outage more for each connection that was idle when the server went."""
    with running_redis(tmp_path) as server:
        shared = connect(server.url, time_limit=PATIENCE, back_off=0.0)
        cache = RedisStatusCache(shared, clock)
        await asyncio.gather(*(cache.get([code(number)]) for number in range(8)))
        with capture_logs() as logs:
            server.stop()
            await cache.get([code(1)])
            server.start()
            await cache.get([code(1)])
            await asyncio.gather(*(cache.put([answer(code(number), clock.now)]) for number in range(8)))
            assert len(await cache.get([code(number) for number in range(8)])) == 8
        assert [line["event"] for line in logs] == ["redis.away", "redis.back"]
        await shared.aclose()


async def test_answer_asked_before_the_failure_does_not_end_the_outage(server: RedisServer) -> None:
    shared = connect(server.url, time_limit=PATIENCE, back_off=3600.0)
    slow = asyncio.Event()

    async def wait(_: object) -> bool:
        await slow.wait()
        return True

    async def fail(_: object) -> bool:
        raise redis.ConnectionError

    early = asyncio.ensure_future(shared.ask(wait, default=False))
    await asyncio.sleep(0)
    assert await shared.ask(fail, default=False) is False
    slow.set()
    assert await early is True
    assert shared.away
    await shared.aclose()


async def test_caller_who_is_cancelled_ends_at_whatever_moment(far: RedisStatusCache) -> None:
    async def ask_for_ever() -> None:
        while True:
            await far.get([code(1)])

    for turns in range(40):
        asking = asyncio.ensure_future(ask_for_ever())
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        ended, _ = await asyncio.wait([asking], timeout=PATIENCE)
        asking.cancel()
        assert ended
