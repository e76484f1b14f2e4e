"""Many askers, few reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import SourceUnavailable
from lookup.batching import Batcher, at_once


class Reads:
    """A read that waits until it is let go, and remembers what it was asked for."""

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.gates: list[asyncio.Future[None]] = []
        self.held = held
        self.most_at_once = 0
        self._now = 0

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.batches.append(list(keys))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.held:
                gate = asyncio.get_running_loop().create_future()
                self.gates.append(gate)
                await gate
        finally:
            self._now -= 1
        return {key: key.upper() for key in keys if not key.startswith("?")}


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_failing_read_fails_its_askers_only() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads), in_flight=2)
    unlucky = [asyncio.ensure_future(batcher.get(["a"])), asyncio.ensure_future(batcher.get(["a", "b"]))]
    await turns()
    lucky = asyncio.ensure_future(batcher.get(["c"]))
    await turns()
    reads.gates[0].set_exception(OSError("away"))
    reads.gates[1].set_result(None)
    assert await lucky == {"c": "C"}
    for asker in unlucky:
        with pytest.raises(OSError, match="away"):
            await asker
    reads.held = False
    assert await batcher.get(["a"]) == {"a": "A"}


async def test_cancelled_asker_does_not_cancel_the_flight() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads))
    impatient = asyncio.ensure_future(batcher.get(["a"]))
    patient = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    impatient.cancel()
    await turns()
    reads.gates[0].set_result(None)
    assert await patient == {"a": "A"}
    assert impatient.cancelled()


async def test_nothing_is_read_for_askers_who_left_before_their_turn() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads), in_flight=1, largest=2)
    askers = []
    for number in range(9):
        askers.append(asyncio.ensure_future(batcher.get([f"a{number}", f"b{number // 8}"])))
        await turns()
    for asker in askers[1:8]:
        asker.cancel()
    await turns()
    reads.held = False
    reads.gates[0].set_result(None)
    assert await askers[8] == {"a8": "A8", "b1": "B1"}
    assert reads.batches == [["a0", "b0"], ["a8", "b1"]]


async def test_key_that_was_given_up_is_read_for_whoever_asks_for_it_again() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads), in_flight=1)
    first = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    impatient = asyncio.ensure_future(batcher.get(["b"]))
    await turns()
    impatient.cancel()
    await turns()
    reads.held = False
    reads.gates[0].set_result(None)
    assert await first == {"a": "A"}
    assert await batcher.get(["b"]) == {"b": "B"}


async def test_who_comes_when_too_many_wait_is_refused_and_nobody_else_is() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads), in_flight=1, most_waiting=2)
    askers = []
    for key in "abc":
        askers.append(asyncio.ensure_future(batcher.get([key])))
        await turns()
    with pytest.raises(SourceUnavailable):
        await batcher.get(["d"])
    assert not any(asker.done() for asker in askers)
    reads.held = False
    reads.gates[0].set_result(None)
    assert await asyncio.gather(*askers) == [{"a": "A"}, {"b": "B"}, {"c": "C"}]
    assert await batcher.get(["d"]) == {"d": "D"}


async def test_failure_after_every_asker_left_disturbs_nobody() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads))
    asker = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    asker.cancel()
    await turns()
    reads.gates[0].set_exception(OSError("away"))
    await turns()
    reads.held = False
    assert await batcher.get(["a"]) == {"a": "A"}


async def test_what_is_known_early_is_told_before_the_rest() -> None:
    gate = asyncio.Event()

    async def read(keys: Sequence[str]) -> AsyncIterator[Mapping[str, str]]:
        yield {"a": "A"}
        await gate.wait()
        yield {"b": "B", "never asked": "?"}

    batcher = Batcher(read)
    late = [asyncio.ensure_future(batcher.get(["a", "b"])), asyncio.ensure_future(batcher.get(["c"]))]
    assert await batcher.get(["a"]) == {"a": "A"}
    assert not any(asker.done() for asker in late)
    gate.set()
    assert await asyncio.gather(*late) == [{"a": "A", "b": "B"}, {}]


async def test_failure_after_the_first_part_fails_the_rest_only() -> None:
    async def read(keys: Sequence[str]) -> AsyncIterator[Mapping[str, str]]:
        yield {"a": "A"}
        raise OSError("away")

    batcher = Batcher(read)
    rest = asyncio.ensure_future(batcher.get(["b"]))
    assert await batcher.get(["a"]) == {"a": "A"}
    with pytest.raises(OSError, match="away"):
        await rest


async def test_early_answer_of_a_forgotten_read_reaches_those_who_asked_before_only() -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    reads = iter((0, 1))

    async def read(keys: Sequence[str]) -> AsyncIterator[Mapping[str, str]]:
        number = next(reads)
        await gates[number].wait()
        yield {"a": f"read {number}"}

    batcher = Batcher(read)
    before = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    batcher.forget(["a"])
    after = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    gates[0].set()
    assert await before == {"a": "read 0"}
    assert not after.done()
    gates[1].set()
    assert await after == {"a": "read 1"}


async def test_unknown_key_is_absent_not_an_error() -> None:
    assert await Batcher(at_once(Reads())).get(["?", "a"]) == {"a": "A"}


async def test_nothing_asked_reads_nothing() -> None:
    reads = Reads()
    assert await Batcher(at_once(reads)).get([]) == {}
    assert reads.batches == []


async def test_askers_of_one_loop_turn_share_a_read() -> None:
    reads = Reads()
    batcher = Batcher(at_once(reads))
    found = await asyncio.gather(*(batcher.get([key]) for key in "abcd"))
    assert found == [{key: key.upper()} for key in "abcd"]
    assert reads.batches == [["a", "b", "c", "d"]]


async def test_second_asker_of_a_key_joins_its_flight() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads))
    first = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    second = asyncio.ensure_future(batcher.get(["a", "a"]))
    await turns()
    reads.gates[0].set_result(None)
    assert await first == await second == {"a": "A"}
    assert reads.batches == [["a"]]


async def test_what_is_asked_while_reads_are_under_way_is_collected() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads), in_flight=2)
    askers = []
    for key in "abcdef":
        askers.append(asyncio.ensure_future(batcher.get([key])))
        await turns()
    assert reads.batches == [["a"], ["b"]]
    reads.held = False
    reads.gates[1].set_result(None)
    await asyncio.gather(*askers[1:])
    assert reads.batches == [["a"], ["b"], ["c", "d", "e", "f"]]
    reads.gates[0].set_result(None)
    assert await askers[0] == {"a": "A"}


async def test_no_read_is_larger_than_allowed() -> None:
    reads = Reads()
    batcher = Batcher(at_once(reads), largest=3, in_flight=1)
    assert len(await batcher.get("abcdefgh")) == 8
    assert [len(batch) for batch in reads.batches] == [3, 3, 2]


async def test_forgotten_key_is_read_again_not_joined() -> None:
    reads = Reads(held=True)
    batcher = Batcher(at_once(reads))
    before = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    batcher.forget(["a", "never asked"])
    after = asyncio.ensure_future(batcher.get(["a"]))
    await turns()
    assert reads.batches == [["a"], ["a"]]
    for gate in reads.gates:
        gate.set_result(None)
    assert await before == await after == {"a": "A"}


async def test_key_that_waits_is_not_lost_by_forgetting() -> None:
    reads = Reads()
    batcher = Batcher(at_once(reads))
    asker = asyncio.ensure_future(batcher.get(["a"]))
    await asyncio.sleep(0)
    batcher.forget(["a"])
    assert await asker == {"a": "A"}


async def test_close_lets_nobody_wait_for_ever() -> None:
    batcher = Batcher(at_once(Reads(held=True)), in_flight=1)
    askers = []
    for key in "ab":
        askers.append(asyncio.ensure_future(batcher.get([key])))
        await turns()
    await batcher.close()
    for asker in askers:
        with pytest.raises(asyncio.CancelledError):
            await asker


@pytest.mark.parametrize("options", [{"in_flight": 0}, {"largest": 0}])
def test_impossible_sizes_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Batcher(at_once(Reads()), **options)


@given(st.lists(st.lists(st.sampled_from("abcdefg?"), max_size=6), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_everybody_gets_exactly_what_they_asked_for(asked: list[list[str]], in_flight: int, largest: int) -> None:
    async def ask() -> None:
        reads = Reads()
        batcher = Batcher(at_once(reads), in_flight=in_flight, largest=largest)

        async def one(keys: list[str], wait: int) -> dict[str, str]:
            await turns(wait)
            return await batcher.get(keys)

        found = await asyncio.gather(*(one(keys, place % 5) for place, keys in enumerate(asked)))
        assert found == [{key: key.upper() for key in keys if key != "?"} for keys in asked]
        assert reads.most_at_once <= in_flight
        assert all(len(batch) <= largest for batch in reads.batches)

    asyncio.run(ask())
