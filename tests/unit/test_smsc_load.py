"""The load generator counts what a gateway really did: answers, second answers, missing ones, further segments."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from channels.sms import commands as c
from channels.sms.frames import Frames
from channels.sms.pdu import Bind, BindResp, DeliverSm, DeliverSmResp, SubmitSm, Unbind, decode, encode
from demo.smsc_load import LoadServer, run_load
from demo.smsc_tally import LoadOptions, LoadResult, Mode, encode_questions, part_number

Answers = Callable[[DeliverSm], list[bytes]]


def answer(question: DeliverSm, text: bytes = b"Da xong", esm_class: int = 0) -> bytes:
    return encode(
        SubmitSm(question.sequence, source="8088", destination=question.source, short_message=text, esm_class=esm_class)
    )


def acknowledge(question: DeliverSm, status: int = c.ROK) -> bytes:
    return encode(DeliverSmResp(question.sequence, status))


def plain(question: DeliverSm) -> list[bytes]:
    return [acknowledge(question), answer(question)]


class EchoGateway(asyncio.Protocol):
    """Binds, and answers each question as `answers` says."""

    def __init__(self, answers: Answers, password: str = "demo") -> None:
        self._answers = answers
        self._password = password
        self._frames = Frames()
        self.bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(encode(Bind(c.BIND_TRANSCEIVER, 1, "demo", self._password)))

    def data_received(self, data: bytes) -> None:
        out: list[bytes] = []
        for frame in self._frames.feed(data):
            pdu = decode(frame)
            if isinstance(pdu, BindResp):
                self.bound.set_result(pdu.status)
            if isinstance(pdu, DeliverSm):
                out += self._answers(pdu)
        self.transport.write(b"".join(out))


@asynccontextmanager
async def gateway(port: int, answers: Answers = plain, password: str = "demo") -> AsyncIterator[EchoGateway]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: EchoGateway(answers, password), "127.0.0.1", port)
    try:
        yield protocol
    finally:
        transport.abort()
        await asyncio.sleep(0)


async def load(answers: Answers, **options: object) -> LoadResult:
    wanted = LoadOptions(**{"total": 200, "window": 10, "patience": 60.0, "retry_after": 0.01} | options)  # type: ignore[arg-type]
    async with LoadServer() as server, gateway(server.port, answers), asyncio.timeout(60):
        await server.bound()
        return await server.run(wanted)


@pytest.mark.parametrize("mode", list(Mode))
async def test_every_answer_is_counted_once(mode: Mode) -> None:
    result = await load(plain, mode=mode, rate=2000.0)
    assert (result.asked, result.acknowledged, result.answered) == (200, 200, 200)
    assert (result.duplicates, result.missing, result.unknown, result.redelivered) == (0, 0, 0, 0)
    assert result.replies_per_second > 0
    assert 0 < result.p50_ms <= result.p99_ms <= result.max_ms


async def test_the_window_is_never_exceeded() -> None:
    unanswered: list[DeliverSm] = []
    most = 0

    def in_pairs(question: DeliverSm) -> list[bytes]:
        nonlocal most
        unanswered.append(question)
        most = max(most, len(unanswered))
        if len(unanswered) < 3:
            return [acknowledge(question)]
        return [acknowledge(question)] + [answer(unanswered.pop()) for _ in range(3)]

    assert (await load(in_pairs, window=3, total=30)).missing == 0
    assert most == 3


async def test_a_second_answer_is_a_duplicate_and_a_second_part_is_none() -> None:
    def twice(question: DeliverSm) -> list[bytes]:
        return [answer(question), answer(question), acknowledge(question)]

    def in_parts(question: DeliverSm) -> list[bytes]:
        header = b"\x05\x00\x03\x01\x02"
        parts = [answer(question, header + bytes((number,)) + b"x", esm_class=c.ESM_UDHI) for number in (1, 2)]
        return [*parts, acknowledge(question)]

    result = await load(twice, total=20)
    assert (result.duplicates, result.further_segments, len(result.duplicate_numbers)) == (20, 0, 20)
    result = await load(in_parts, total=20)
    assert (result.duplicates, result.further_segments, result.answered) == (0, 20, 20)


async def test_what_is_never_answered_is_missing_by_number() -> None:
    def deaf_to_one(question: DeliverSm) -> list[bytes]:
        silent = question.source.endswith("05")
        return [acknowledge(question)] if silent else plain(question)

    result = await load(deaf_to_one, total=20, patience=0.05, first_number=7000)
    assert (result.missing, result.missing_numbers) == (1, ["84900007005"])


async def test_a_refused_question_is_asked_again_under_a_new_sequence_number() -> None:
    sequences: list[int] = []

    def refuses_first(question: DeliverSm) -> list[bytes]:
        sequences.append(question.sequence)
        return [acknowledge(question, c.RX_T_APPN)] if len(sequences) == 1 else plain(question)

    result = await load(refuses_first, total=5)
    assert (result.refused, result.redelivered, result.missing, result.duplicates) == (1, 1, 0, 0)
    assert len(set(sequences)) == 6


async def test_what_was_unacknowledged_is_asked_again_on_the_next_connection() -> None:
    seen: list[str] = []
    events: list[dict[str, object]] = []

    all_asked = asyncio.Event()

    def deaf(question: DeliverSm) -> list[bytes]:
        seen.append(question.source)
        if len(seen) == 10:
            all_asked.set()
        return []

    async with LoadServer(announce=events.append) as server, asyncio.timeout(60):
        async with gateway(server.port, deaf):
            await server.bound()
            run = asyncio.create_task(server.run(LoadOptions(total=30, window=10, patience=60.0, progress=10)))
            await all_asked.wait()
        async with gateway(server.port):
            result = await run
    assert (result.redelivered, result.missing, result.duplicates) == (10, 0, 0)
    assert [event["event"] for event in events[:4]] == ["listening", "bound", "lost", "bound"]
    assert {"event": "progress", "answered": 10, "acknowledged": 10} in events


async def test_an_old_unacknowledged_question_is_asked_again() -> None:
    seen: set[str] = set()

    def acknowledges_the_second_time(question: DeliverSm) -> list[bytes]:
        known = question.source in seen
        seen.add(question.source)
        return plain(question) if known else []

    result = await load(acknowledges_the_second_time, total=5, redeliver_after=0.5, patience=60.0)
    assert (result.redelivered, result.missing, result.duplicates) == (5, 0, 0)


async def test_the_warm_up_is_left_out() -> None:
    result = await load(plain, total=100, warm_up=60)
    assert result.answered == 100
    assert result.replies_per_second * result.seconds == pytest.approx(40, rel=0.01)


async def test_a_wrong_password_is_refused_and_unbind_is_answered() -> None:
    async with LoadServer() as server:
        async with gateway(server.port, password="wrong") as stranger:
            assert await stranger.bound == c.RBINDFAIL
        assert not server.sessions
        async with gateway(server.port) as friend:
            assert await friend.bound == c.ROK
            friend.transport.write(encode(Unbind(2)))


async def test_one_call_listens_waits_and_runs() -> None:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def announce(event: dict[str, object]) -> None:
        if event["event"] == "listening":
            port.set_result(cast("int", event["port"]))

    running = asyncio.create_task(run_load(LoadOptions(total=50), announce=announce))
    async with gateway(await port):
        assert (await running).answered == 50


async def test_the_command_prints_its_port_and_then_its_result() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo.smsc_load", "--total", "100", "--window", "5", "--window", "20",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    listening = json.loads(await process.stdout.readline())
    assert listening["event"] == "listening"
    async with gateway(listening["port"]):
        lines = (await process.stdout.read()).splitlines()
    results = [event for event in map(json.loads, lines) if event["event"] == "result"]
    assert [(result["window"], result["answered"], result["missing"]) for result in results] == [
        (5, 100, 0),
        (20, 100, 0),
    ]
    assert await process.wait() == 0


def test_questions_are_what_our_codec_reads() -> None:
    options = LoadOptions(total=3, texts=("one", "three"), destination="8088", first_number=41)
    questions = [decode(frame) for frame in encode_questions(options)]
    assert [
        (question.sequence, question.source, question.destination, question.short_message)
        for question in questions
        if isinstance(question, DeliverSm)
    ] == [(1, "84900000041", "8088", b"one"), (2, "84900000042", "8088", b"three"), (3, "84900000043", "8088", b"one")]


@pytest.mark.parametrize(
    ("pdu", "number"),
    [
        (SubmitSm(1, destination="849", short_message=b"x", validity="000000010000000R"), 1),
        (SubmitSm(1, destination="849", esm_class=0x40, short_message=b"\x05\x00\x03\x01\x03\x02x"), 2),
        (SubmitSm(1, destination="849", esm_class=0x40, short_message=b"\x06\x08\x04\x00\x01\x03\x03x"), 3),
        (
            SubmitSm(
                1,
                destination="849",
                short_message=b"x",
                tlvs={c.SAR_MSG_REF_NUM: b"\0\1", c.SAR_TOTAL_SEGMENTS: b"\2", c.SAR_SEGMENT_SEQNUM: b"\2"},
            ),
            2,
        ),
    ],
)
def test_the_part_number_is_read_from_header_or_parameters(pdu: SubmitSm, number: int) -> None:
    frame = encode(pdu)
    esm_class_at = frame.index(b"849\0") + 4
    assert part_number(frame, esm_class_at) == number


@pytest.mark.parametrize(
    "wrong", [{"total": 0}, {"window": 0}, {"rate": 0.0}, {"warm_up": 10}, {"texts": ()}, {"first_number": 10**8}]
)
def test_impossible_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        LoadOptions(**{"total": 10} | wrong)  # type: ignore[arg-type]
