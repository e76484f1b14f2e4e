"""What every implementation of the signals promises, and what a gateway does with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from adapters.memory.cache import MemoryStatusCache
from adapters.memory.signals import MemorySignals
from adapters.redis.client import SharedRedis, connect
from adapters.redis.signals import RedisSignals
from demo.process import free_port
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier
from lookup.cache import TwoLevelCache
from lookup.ports import CachedAnswer, Signal, Signals, SourceReport, StatusCache
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings
from lookup.signals import Changes
from tests.servers.redis import PATIENCE, RedisServer, running_redis

NUMBERS = count()
MISSED = Signal(missed=True)
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def code(number: int, family: CodeFamily = CodeFamily.NEW, agency: str = "H51.18") -> DossierCode:
    return DossierCode(text=f"H51.18-210817-{number:04d}", family=family, agency=agency)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
async def shared(server: RedisServer) -> AsyncIterator[SharedRedis]:
    client = connect(server.url, time_limit=PATIENCE)
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
def signals(request: pytest.FixtureRequest) -> Signals:
    if request.param == "memory":
        return MemorySignals()
    return RedisSignals(request.getfixturevalue("shared"), prefix=f"test{next(NUMBERS)}:")


async def codes_of(heard: AsyncGenerator[Signal, None], many: int) -> list[DossierCode]:
    """So many codes, however they were put together."""
    codes: list[DossierCode] = []
    while len(codes) < many:
        signal = await anext(heard)
        assert not signal.missed
        codes.extend(signal.codes)
    return codes


async def test_listener_begins_by_knowing_that_it_missed_what_was_before(signals: Signals) -> None:
    await signals.publish([code(1)])
    async with aclosing(signals.listen()) as heard:
        assert await anext(heard) == MISSED
        await signals.publish([code(2)])
        assert await codes_of(heard, 1) == [code(2)]


async def test_every_listener_hears_every_code_in_order(signals: Signals) -> None:
    async with aclosing(signals.listen()) as ours, aclosing(signals.listen()) as theirs:
        assert await anext(ours) == await anext(theirs) == MISSED
        published = [code(1), code(2, CodeFamily.LEGACY, "Sở Y tế"), code(3), code(4)]
        await signals.publish(published[:2])
        await signals.publish([])
        await signals.publish(published[2:])
        assert await codes_of(ours, 4) == published
        assert await codes_of(theirs, 4) == published


async def test_listener_who_leaves_leaves_nothing_behind(signals: Signals) -> None:
    async with aclosing(signals.listen()) as staying:
        assert await anext(staying) == MISSED
        async with aclosing(signals.listen()) as leaving:
            assert await anext(leaving) == MISSED
        listening = asyncio.ensure_future(anext(signals.listen()))
        await asyncio.sleep(0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await signals.publish([code(1)])
        assert await codes_of(staying, 1) == [code(1)]


async def test_nobody_listens_and_nothing_happens(signals: Signals) -> None:
    await signals.publish([code(1)])


# ---- memory


async def test_slow_listener_takes_bounded_memory_and_is_told_that_it_missed_something() -> None:
    signals = MemorySignals(unheard=3)
    async with aclosing(signals.listen()) as heard:
        assert await anext(heard) == MISSED
        for number in range(5):
            await signals.publish([code(number)])
        assert await anext(heard) == MISSED
        assert await anext(heard) == Signal(codes=(code(4),))


def test_memory_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemorySignals(unheard=0)


# ---- Redis


async def test_signal_of_another_shape_means_that_anything_may_have_changed(
    shared: SharedRedis, server: RedisServer
) -> None:
    signals = RedisSignals(shared, prefix=f"test{next(NUMBERS)}:")
    async with aclosing(signals.listen()) as heard:
        assert await anext(heard) == MISSED
        with redis.Redis(port=server.port) as client, capture_logs() as logs:
            for spoilt in (b"", b"{}", b"\xff", b'[{"text": 1}]'):
                client.publish(signals._channel, spoilt)
                assert await anext(heard) == MISSED
        assert [line["event"] for line in logs] == ["signals.unreadable"] * 4


async def test_silence_is_asked_whether_the_line_stands(shared: SharedRedis) -> None:
    signals = RedisSignals(shared, prefix=f"test{next(NUMBERS)}:", ping_every=0.02)
    async with aclosing(signals.listen()) as heard:
        assert await anext(heard) == MISSED
        with capture_logs() as logs:
            next_one = asyncio.ensure_future(anext(heard))
            await asyncio.wait([next_one], timeout=0.3)  # a dozen questions
            await signals.publish([code(1)])
            assert await next_one == Signal(codes=(code(1),))
        assert not logs


async def test_listener_finds_back_after_a_restart_and_says_so_once(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        client = connect(server.url, time_limit=PATIENCE, back_off=0.0)
        signals = RedisSignals(client, longest_pause=0.05)
        async with aclosing(signals.listen()) as heard:
            assert await anext(heard) == MISSED
            with capture_logs() as logs:
                interrupted = asyncio.ensure_future(anext(heard))
                server.stop()
                await signals.publish([code(1)])
                await asyncio.wait([interrupted], timeout=0.3)  # several tries
                assert not interrupted.done()
                server.start()
                assert await interrupted == MISSED
                await signals.publish([code(2)])
                assert await codes_of(heard, 1) == [code(2)]
            events = [line["event"] for line in logs]
            assert sorted(events) == ["redis.away", "redis.back", "signals.heard", "signals.lost"]
        await client.aclose()


async def test_line_that_went_dead_silently_is_noticed(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        client = connect(server.url, time_limit=0.2, back_off=0.0)
        signals = RedisSignals(client, ping_every=0.05, longest_pause=0.05)
        async with aclosing(signals.listen()) as heard:
            assert await anext(heard) == MISSED
            with capture_logs() as logs:
                next_one = asyncio.ensure_future(anext(heard))
                server.freeze()
                async with asyncio.timeout(PATIENCE):
                    while not logs:
                        await asyncio.wait([next_one], timeout=0.02)
                await asyncio.wait([next_one], timeout=0.5)  # several tries
                assert not next_one.done()
                assert [line["fault"] for line in logs] == ["it did not answer in time"]
                server.thaw()
                assert await next_one == MISSED
        await client.aclose()


async def test_listener_does_not_give_up_on_a_redis_that_was_never_there() -> None:
    client = connect(f"redis://127.0.0.1:{free_port()}/0", time_limit=PATIENCE)
    signals = RedisSignals(client, longest_pause=0.02)
    with capture_logs() as logs:
        listening = asyncio.ensure_future(anext(signals.listen()))
        async with asyncio.timeout(PATIENCE):
            while not logs:
                await asyncio.wait([listening], timeout=0.02)
        await asyncio.wait([listening], timeout=0.3)  # several tries more
        assert not listening.done()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert [(line["event"], line["fault"]) for line in logs] == [("signals.lost", "it could not be reached")]
    await client.aclose()


# ---- what a gateway does with them


class Office:
    """A source that knows every code and may be held up."""

    name = "office"
    largest_read = 200

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.reads = 0

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        self.reads += 1
        self.asked.set()
        await self.open.wait()
        return {each: Dossier(code=each, source=self.name, status=None, agency="H51.18") for each in codes}

    async def check(self) -> str:
        return ""

    async def inspect(self) -> SourceReport:
        return SourceReport(source=self.name, system="", place="")

    async def close(self) -> None:
        return


class Gateway:
    """One process's look-up, with its own cache before one it may share."""

    def __init__(self, signals: Signals, far: StatusCache) -> None:
        self.office = Office()
        self.near = MemoryStatusCache(lambda: NOW)
        self.cache = TwoLevelCache(self.near, far, lambda: NOW)
        self.lookups = LookupService(
            router=Router([RoutedSource(source=self.office, default=True)]),
            cache=self.cache,
            clock=lambda: NOW,
            settings=LookupSettings(),
        )
        self.changes = Changes(signals, self.lookups)

    async def close(self) -> None:
        await self.lookups.close()
        await self.cache.close()


class Watched:
    """Signals that tell when the listeners have dealt with everything told so far."""

    def __init__(self) -> None:
        self.inner = MemorySignals()
        self.heard: asyncio.Queue[Signal] = asyncio.Queue()

    async def publish(self, codes: Sequence[DossierCode]) -> None:
        await self.inner.publish(codes)

    async def listen(self) -> AsyncGenerator[Signal, None]:
        async with aclosing(self.inner.listen()) as heard:
            async for signal in heard:
                yield signal
                self.heard.put_nowait(signal)  # the listener came back for more

    async def dealt_with(self, many: int) -> None:
        for _ in range(many):
            await self.heard.get()


class SlowCache(MemoryStatusCache):
    """Waits to be opened before it answers."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.asked = asyncio.Event()
        self.open = asyncio.Event()

    async def get(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, CachedAnswer]:
        known = await super().get(codes)
        self.asked.set()
        await self.open.wait()
        return known


async def test_change_announced_by_one_gateway_is_forgotten_by_all() -> None:
    signals = Watched()
    far = MemoryStatusCache(lambda: NOW)
    ours, theirs = Gateway(signals, far), Gateway(signals, far)
    listening = [asyncio.ensure_future(each.changes.run()) for each in (ours, theirs)]
    await signals.dealt_with(2)
    for gateway in (ours, theirs):
        await gateway.lookups.find([code(1), code(2)])
    await ours.changes.announce([])
    await ours.changes.announce([code(1)])
    assert await ours.lookups.cached([code(1)]) == {}
    await signals.dealt_with(2)
    for gateway in (ours, theirs):
        assert list(await gateway.lookups.cached([code(1), code(2)])) == [code(2)]
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    assert not signals.inner._listeners
    await ours.close()
    await theirs.close()


async def test_gateway_that_missed_signals_forgets_all_that_only_it_keeps() -> None:
    far = MemoryStatusCache(lambda: NOW)
    gateway = Gateway(MemorySignals(), far)
    await gateway.lookups.find([code(1), code(2)])
    assert len(gateway.near) == 2
    await gateway.lookups.clear()
    assert len(gateway.near) == 0
    assert len(far) == 0  # a memory of the process, too; a Redis keeps what it has
    await gateway.close()


async def test_read_under_way_when_signals_were_missed_is_told_and_not_kept() -> None:
    gateway = Gateway(MemorySignals(), MemoryStatusCache(lambda: NOW))
    gateway.office.open.clear()
    asked = asyncio.ensure_future(gateway.lookups.find([code(1)]))
    await gateway.office.asked.wait()
    await gateway.lookups.clear()
    joined = asyncio.ensure_future(gateway.lookups.find([code(1)]))
    gateway.office.open.set()
    assert (await asked)[code(1)].dossier is not None
    await joined
    assert gateway.office.reads == 2
    assert list(await gateway.lookups.cached([code(1)])) == [code(1)]
    await gateway.close()


async def test_far_read_under_way_when_signals_were_missed_is_told_and_not_kept() -> None:
    far = SlowCache()
    await far.put(
        [CachedAnswer(code=code(1), dossier=None, read_at=NOW, fresh_until=NOW + DAY, usable_until=NOW + DAY)]
    )
    gateway = Gateway(MemorySignals(), far)
    asked = asyncio.ensure_future(gateway.lookups.cached([code(1)]))
    await far.asked.wait()
    await gateway.lookups.clear()
    far.open.set()
    assert list(await asked) == [code(1)]
    assert len(gateway.near) == 0
    await gateway.close()
