"""Mutated PDUs: the codec reads or refuses them, and what stands above it takes whatever was read. Seeded."""

from __future__ import annotations

import itertools
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import phonenumbers
import pytest

from channels.sms import pdu as p
from channels.sms import reports
from channels.sms.account import SmppAccount
from channels.sms.decoding import decode_text, payload_of, split_header
from channels.sms.incoming import Incoming
from channels.sms.segments import DefaultAlphabet
from tests.mutations import PDUS, distorted, framed, mutant

SEED: Final = 20_261_123
NOW: Final = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FULL: Final = 1_000_000
SCALED: Final = 50_000
READ: Final = 1024  # octets: so much comes with one read of a socket
LINES_OF_ANY_PDU: Final = 1_200  # most are spent on a number of no known form, read for report and message
LINES_OF_AN_OCTET: Final = 6
MOST_LEFT: Final = 128 * 1024  # octets, of patterns compiled late; one list entry a mutant would be more

ACCOUNTS: Final = tuple(
    SmppAccount(
        name=f"{alphabet}{packed}",
        host="127.0.0.1",
        system_id="demo",
        password="demo",
        short_code="8100",
        default_alphabet=alphabet,
        packed=packed,
    )
    for alphabet in DefaultAlphabet
    for packed in (False, True)
)


class Above:
    """All that is done with a PDU once it is read, for accounts of every default alphabet in turn. Nothing may raise."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self._readers = itertools.cycle([(account, Incoming(account, lambda: next(numbers))) for account in ACCOUNTS])

    def take(self, pdu: p.Pdu) -> None:
        if isinstance(pdu, p.SubmitSm):
            payload_of(pdu)
        if not isinstance(pdu, p.DeliverSm | p.DataSm):
            return
        account, incoming = next(self._readers)
        payload = payload_of(pdu)
        decode_text([payload, payload], pdu.data_coding, account.default_alphabet, packed=account.packed)
        split_header(payload.body)
        reports.is_receipt(pdu.esm_class)
        reports.looks_like_receipt(pdu)
        reports.id_forms(reports.read_receipt(pdu).message_id)
        incoming.report(pdu, NOW)
        incoming.message(pdu, "demo:1", NOW)


class Codec:
    """Reads one mutant after the other as a session does; `counts` tells what became of them."""

    def __init__(self) -> None:
        self.above = Above()
        self.counts: Counter[str] = Counter()

    def take(self, frame: bytes) -> None:
        """Anything but a ProtocolError, from anywhere, fails the test."""
        try:
            pdu = p.decode(frame)
        except p.ProtocolError as error:
            self.counts["refused"] += 1
            refusal = error.refusal()
            assert refusal is None or p.decode(p.encode(refusal)) == refusal
            return
        self.counts[type(pdu).__name__] += 1
        self._write_again(pdu)
        self.above.take(pdu)

    def _write_again(self, pdu: p.Pdu) -> None:
        try:
            written = p.encode(pdu)
        except p.ProtocolError:  # read by the tolerance for others: an id of more than 64 octets, a message of 255
            self.counts["not written"] += 1
            return
        assert p.encode(p.decode(written)) == written


def mutants(seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        yield mutant(chance, chance.choice(PDUS))


def read_in_pieces(seed: int, count: int, take: Callable[[bytes], None]) -> tuple[int, int]:
    """Mutants as a stream, cut anywhere: how many frames came out of it, how often the stream was lost.

    Of a hundred, one may have a length that lies; of a stream of such ones little would be read.
    """
    frames, whole, lost = p.Frames(), 0, 0
    stream = bytearray()
    chance = random.Random(seed)
    for _ in range(count):
        frame = chance.choice(PDUS)
        stream += mutant(chance, frame) if chance.random() < 0.01 else framed(distorted(chance, frame))
        while len(stream) >= READ:
            size = chance.randrange(1, READ)
            try:
                found = frames.feed(bytes(stream[:size]))
            except p.ProtocolError as error:
                found, frames, lost = list(error.frames), p.Frames(), lost + error.close
                stream.clear()  # as a closed connection does
            assert frames.pending <= p.DEFAULT_MAX_LENGTH
            del stream[:size]
            whole += len(found)
            for frame in found:
                take(frame)
    return whole, lost


@pytest.mark.parametrize(
    ("seed", "count"),
    [pytest.param(SEED, SCALED, id="scaled"), pytest.param(SEED + 1, FULL, id="full", marks=pytest.mark.long)],
)
def test_mutants_are_read_or_refused_and_nothing_above_the_codec_falls(
    seed: int, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    codec, slowest, begun = Codec(), 0.0, time.perf_counter()
    for each in mutants(seed, count):
        before = time.perf_counter()
        codec.take(each)
        slowest = max(slowest, time.perf_counter() - before)
    seconds = time.perf_counter() - begun
    counts = codec.counts
    with capsys.disabled():
        print(  # noqa: T201 - figures that are meant to be read
            f"\n  {count:,} mutants: {counts['refused']:,} refused, {counts['not written']:,} read that we would not write;"
            f" {seconds * 1e6 / count:.0f} us each, the slowest {slowest * 1000:.1f} ms",
            end="",
        )
    assert count // 10 < counts["refused"] < count * 9 // 10  # both ways are walked
    assert len(counts) > len({type(p.decode(frame)) for frame in PDUS})  # and every kind of PDU is among them


@pytest.mark.parametrize(
    ("seed", "count"),
    [pytest.param(SEED, 5_000, id="scaled"), pytest.param(SEED + 1, 200_000, id="full", marks=pytest.mark.long)],
)
def test_a_stream_of_mutants_is_cut_into_frames_or_lost(seed: int, count: int) -> None:
    codec = Codec()
    whole, lost = read_in_pieces(seed, count, codec.take)
    assert whole > count // 2
    assert lost > count // 2_000


# Work and memory


class Steps:
    """Counts the lines executed: a bound on work that no slow machine can break."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: Any, event: str, argument: object) -> Any:
        self.count += event == "line"
        return self

    def of(self, work: Callable[[], object]) -> int:
        self.count, before = 0, sys.gettrace()
        sys.settrace(self)
        try:
            work()
        finally:
            sys.settrace(before)
        return self.count


HEAVY: Final = {
    "as many parameters as fit": p.DeliverSm(1, tlvs=dict.fromkeys(range(15_000), b"")),
    "as many header elements as fit": p.DeliverSm(1, esm_class=0x40, short_message=b"\xfd" + bytes((9, 0)) * 126),
    "a long text of escapes": p.DeliverSm(1, tlvs={0x424: b"\x1b" * 20_000}),
    "a receipt that begins again and again": p.DeliverSm(1, esm_class=4, tlvs={0x424: b"id: stat: err: " * 1_300}),
    "spaces after id": p.DeliverSm(1, esm_class=4, tlvs={0x424: b"id:" + b" " * 20_000}),
    "a sender of separators": p.DeliverSm(1, source_ton=1, source="+" + "-" * 19, short_message=b"x"),
}


def test_the_work_on_a_mutant_is_bounded_by_its_size() -> None:
    steps, codec = Steps(), Codec()
    codec.take(PDUS[0])  # what is done once is done
    for each in mutants(7, 1_000):
        assert steps.of(lambda frame=each: codec.take(frame)) < LINES_OF_ANY_PDU + LINES_OF_AN_OCTET * len(each)  # type: ignore[misc] # mypy cannot infer a default


@pytest.mark.parametrize("pdu", HEAVY.values(), ids=HEAVY.keys())
def test_the_work_on_a_pdu_made_to_be_heavy_is_bounded_by_its_size(pdu: p.DeliverSm) -> None:
    frame, codec = p.encode(pdu), Codec()
    codec.take(PDUS[0])
    assert Steps().of(lambda: codec.take(frame)) < LINES_OF_ANY_PDU + LINES_OF_AN_OCTET * len(frame)


@pytest.mark.parametrize(
    "count", [pytest.param(10_000, id="scaled"), pytest.param(100_000, id="full", marks=pytest.mark.long)]
)
def test_memory_is_flat_under_mutants(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    codec = Codec()
    phonenumbers.PhoneMetadata.load_all()  # else the numbering plan of a country comes with its first number
    read_in_pieces(SEED, 3_000, codec.take)  # what is kept once is kept
    tracemalloc.start()
    try:
        read_in_pieces(SEED + 1, 1_000, codec.take)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        read_in_pieces(SEED + 2, count, codec.take)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with capsys.disabled():
        print(  # noqa: T201 - figures that are meant to be read
            f"\n  {count:,} mutants leave {(after - before) / 1024:.1f} KiB; at most {(peak - before) / 1024:.0f} KiB were held",
            end="",
        )
    assert after - before < MOST_LEFT
    assert peak - before < 2 * 1024 * 1024
