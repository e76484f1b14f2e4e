"""What a load run asks and counts: options, questions encoded beforehand, the tally, the result. No sockets here.

Three modes, as in the published comparisons: `a` allows N unacknowledged deliver_sm, `r` allows N unanswered questions
(a closed loop on the answer), `o` asks at a fixed rate whatever comes back.
"""

from __future__ import annotations

import array
import asyncio
import enum
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

HEADER = struct.Struct(">IIII")
SEQUENCE = struct.Struct(">I")
DELIVER_SM, OK = 0x05, 0x00
USER_DATA_HEADER = 0x40  # esm_class: the text begins with a header (SMPP 3.4 §5.2.12)
SAR_SEGMENT_SEQNUM = b"\x02\x0f\x00\x01"

NUMBER_PREFIX = "849"  # a Vietnamese mobile number: 84, 9 and eight digits, which are the question's own number
NUMBER_DIGITS = 8
NOBODY = 0  # connections are counted from 1
LISTED = 1000  # at most so many numbers are listed in a result


class Mode(enum.StrEnum):
    """What limits the asking."""

    ACKNOWLEDGED = "a"
    REPLIED = "r"
    OPEN = "o"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """One run. Times are seconds; `rate` is questions a second and counts in mode `o` only."""

    total: int
    window: int = 10
    mode: Mode = Mode.REPLIED
    rate: float = 100.0
    warm_up: int = 0  # the first answers, left out of rate and latency
    texts: Sequence[str] = ("000.00.18.H51-161220-0001",)  # ASCII, taken in turn
    destination: str = "8088"
    first_number: int = 0  # the first question comes from 849 and these eight digits
    redeliver_after: float = 30.0
    retry_after: float = 1.0  # a refused question is asked again
    patience: float = 10.0  # so long without an answer or an acknowledgement, and the rest counts as missing
    linger: float = 0.0  # so long after the last answer, duplicates are still counted
    progress: int = 0  # announce every so many answers; 0 never

    def __post_init__(self) -> None:
        if not 0 < self.total <= 10**NUMBER_DIGITS - self.first_number:
            raise ValueError("total does not fit into the numbers")
        if self.window < 1 or self.rate <= 0 or not self.texts:
            raise ValueError("window and rate are positive, and there is a text to send")
        if not 0 <= self.warm_up < self.total:
            raise ValueError("warm_up leaves nothing to measure")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What came back. Times are milliseconds, from the first write of the question to the read of its answer."""

    mode: str
    window: int
    total: int
    asked: int
    acknowledged: int
    answered: int
    duplicates: int
    missing: int
    refused: int
    redelivered: int
    unknown: int  # answers to numbers that asked nothing
    further_segments: int
    seconds: float
    replies_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    generator_cpu_seconds: float
    duplicate_numbers: Sequence[str] = field(default=())
    missing_numbers: Sequence[str] = field(default=())


def number_of(index: int, options: LoadOptions) -> str:
    """The telephone number question `index` comes from."""
    return f"{NUMBER_PREFIX}{options.first_number + index:0{NUMBER_DIGITS}d}"


def encode_questions(options: LoadOptions) -> list[bytes]:
    """All deliver_sm of a run; question `index` carries sequence number `index + 1`."""
    tails = [
        b"\0\x00\x01%b\0\0\0\0\0\0\0\0\0\0%c%b"  # destination; ten fixed octets from esm_class on; sm_length; text
        % (options.destination.encode(), len(text), text.encode("ascii"))
        for text in options.texts
    ]
    digits = len(NUMBER_PREFIX) + NUMBER_DIGITS
    lengths = [HEADER.size + 3 + digits + len(tail) for tail in tails]
    questions = []
    for index in range(options.total):
        turn = index % len(tails)
        head = HEADER.pack(lengths[turn], DELIVER_SM, OK, index + 1)
        questions.append(b"%b\0\x01\x01%b%b" % (head, number_of(index, options).encode(), tails[turn]))
    return questions


def part_number(body: bytes, esm_class_at: int) -> int:
    """Which part of its message a submit_sm is, by user data header or sar_segment_seqnum; 1 when it stands alone.

    `body` is the whole PDU, `esm_class_at` where its esm_class stands.
    """
    schedule_end = body.index(0, esm_class_at + 3)
    validity_end = body.index(0, schedule_end + 1)
    text_at = validity_end + 6  # registered, replace, data_coding, default message id, sm_length
    text_end = text_at + body[text_at - 1]
    if body[esm_class_at] & USER_DATA_HEADER:
        return body[text_at + body[text_at]]  # the concatenation element stands last in the header, its number too
    at = body.find(SAR_SEGMENT_SEQNUM, text_end)
    return 1 if at < 0 else body[at + len(SAR_SEGMENT_SEQNUM)]


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Load:
    """The state of one run: what was asked, acknowledged, answered. It touches no socket."""

    def __init__(self, options: LoadOptions, announce: Callable[[dict[str, object]], None]) -> None:
        self.options = options
        self.questions = encode_questions(options)
        self.asked = self.acknowledged = self.answered = 0
        self.duplicates = self.refused = self.redelivered = self.unknown = self.further_segments = 0
        self.answers = bytearray(options.total)  # 1: answered; 2: more than once
        self.acknowledgements = bytearray(options.total)
        self.asked_at = array.array("d", bytes(8 * options.total))
        self.holders = array.array("H", bytes(2 * options.total))  # which connection carried the question last
        self.latencies = array.array("d")
        self.again: deque[int] = deque()  # questions to be delivered once more
        self.rewritten_at: dict[int, float] = {}
        self.attempts: dict[int, int] = {}
        self.finished = asyncio.Event()
        self.started_at = self.measured_from = self.last_news = self.last_answer_at = 0.0
        self._announce = announce
        self._next_progress = options.progress or options.total + 1

    def start(self, now: float) -> None:
        self.started_at = self.measured_from = self.last_news = now

    def room(self, now: float) -> int:
        """How many new questions may be asked at this moment."""
        options = self.options
        if options.mode is Mode.OPEN:
            free = int((now - self.started_at) * options.rate) + 1 - self.asked
        else:
            settled = self.answered if options.mode is Mode.REPLIED else self.acknowledged
            free = options.window + settled - self.asked
        return max(0, min(free, options.total - self.asked))

    def take(self, holder: int, now: float) -> list[bytes]:
        """The PDUs to be written on connection `holder` now: repeated questions first, then new ones."""
        pdus = [self._repeat(self.again.popleft(), holder, now) for _ in range(len(self.again))]
        room = self.room(now)
        if room:
            first, last = self.asked, self.asked + room
            pdus += self.questions[first:last]
            self.asked_at[first:last] = array.array("d", (now,)) * room
            self.holders[first:last] = array.array("H", (holder,)) * room
            self.asked = last
        return pdus

    def _repeat(self, index: int, holder: int, now: float) -> bytes:
        # A repeated question gets a sequence number of its own that still tells its index.
        attempt = self.attempts[index] = self.attempts.get(index, 0) + 1
        self.rewritten_at[index] = now
        self.holders[index] = holder
        self.redelivered += 1
        pdu = self.questions[index]
        return pdu[:12] + SEQUENCE.pack(index + 1 + attempt * self.options.total) + pdu[16:]

    def index_of(self, sequence: int) -> int:
        """Which question a deliver_sm_resp speaks of, whatever the attempt."""
        return (sequence - 1) % self.options.total

    def acknowledge(self, index: int) -> None:
        if not self.acknowledgements[index]:
            self.acknowledgements[index] = 1
            self.acknowledged += 1

    def answer(self, buffer: bytes, pdu: slice, number_ends: int, now: float) -> None:
        """A submit_sm came: `pdu` is where it stands in `buffer`, `number_ends` where its destination ends."""
        try:
            index = int(buffer[number_ends - NUMBER_DIGITS : number_ends]) - self.options.first_number
        except ValueError:  # counted below
            index = -1
        if not 0 <= index < self.asked:
            self.unknown += 1
        elif self.answers[index]:
            self.repeated_or_further(index, buffer[pdu], number_ends + 1 - pdu.start)
        else:
            self.answers[index] = 1
            self.answered += 1
            self.latencies.append(now - self.asked_at[index])
            self.last_answer_at = now

    def repeated_or_further(self, index: int, pdu: bytes, esm_class_at: int) -> None:
        """A second PDU came for an answered question: the next part of a long answer, or an answer too many."""
        if part_number(pdu, esm_class_at) > 1:
            self.further_segments += 1
        else:
            self.answers[index] = 2
            self.duplicates += 1

    def refuse(self, index: int) -> bool:
        """The gateway could not take the question now; if True, the caller puts it into `again` after a pause."""
        if self.acknowledgements[index]:
            return False
        self.refused += 1
        self.holders[index] = NOBODY
        return True

    def ask_again(self, indices: Iterable[int]) -> None:
        """Put these before all new questions."""
        for index in indices:
            self.holders[index] = NOBODY
            self.again.append(index)

    def turn_ended(self, now: float) -> None:
        """Called after every socket read that brought an answer or an acknowledgement."""
        self.last_news = now
        if self.answered >= self._next_progress:
            self._next_progress += self.options.progress
            self._announce({"event": "progress", "answered": self.answered, "acknowledged": self.acknowledged})
        if 0 < self.options.warm_up >= self.answered:
            self.measured_from = now
        if self.answered == self.acknowledged == self.options.total:
            self.finished.set()

    def connection_lost(self, holder: int) -> None:
        """What that connection carried and nobody acknowledged is asked again on the next one."""
        self.ask_again(self._unacknowledged(lambda index: self.holders[index] == holder))

    def look_at_the_clock(self, now: float) -> None:
        """Ask again what stayed unacknowledged too long; give up when nothing comes any more."""
        too_old = now - self.options.redeliver_after
        self.ask_again(
            self._unacknowledged(
                lambda index: (
                    self.holders[index] != NOBODY and self.rewritten_at.get(index, self.asked_at[index]) < too_old
                )
            )
        )
        if now - self.last_news > self.options.patience:
            self.finished.set()

    def _unacknowledged(self, wanted: Callable[[int], bool]) -> list[int]:
        if self.acknowledged == self.asked:
            return []
        return [index for index in range(self.asked) if not self.acknowledgements[index] and wanted(index)]

    def result(self, cpu_seconds: float) -> LoadResult:
        """The figures of the run; rate and latency leave out the warm-up."""
        measured = sorted(self.latencies[self.options.warm_up :])
        seconds = max(self.last_answer_at - self.measured_from, 1e-9) if measured else 0.0
        return LoadResult(
            mode=self.options.mode,
            window=self.options.window,
            total=self.options.total,
            asked=self.asked,
            acknowledged=self.acknowledged,
            answered=self.answered,
            duplicates=self.duplicates,
            missing=self.options.total - self.answered,
            refused=self.refused,
            redelivered=self.redelivered,
            unknown=self.unknown,
            further_segments=self.further_segments,
            seconds=round(seconds, 6),
            replies_per_second=round(len(measured) / seconds, 1) if seconds else 0.0,
            p50_ms=round(percentile(measured, 0.50) * 1000, 3),
            p99_ms=round(percentile(measured, 0.99) * 1000, 3),
            max_ms=round(measured[-1] * 1000, 3) if measured else 0.0,
            generator_cpu_seconds=round(cpu_seconds, 3),
            duplicate_numbers=self._numbers(2),
            missing_numbers=self._numbers(0),
        )

    def _numbers(self, answers: int) -> list[str]:
        found = (number_of(index, self.options) for index, seen in enumerate(self.answers) if seen == answers)
        return list(islice(found, LISTED))
