"""What a soak may leave behind and what it may not: every question and every notice accounted for (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from bench.soak_smsc import PERMANENT, Segment
from domain.message import Category
from notifications.retry import HIGHEST_ATTEMPTS, NOTICE_RESEND_AFTER, OutboxState

FINAL: Final = frozenset(
    {
        OutboxState.ACCEPTED,
        OutboxState.REJECTED,
        OutboxState.STOPPED,
        OutboxState.EXPIRED,
        OutboxState.UNKNOWN,
        OutboxState.MERGED,
        OutboxState.DROPPED,
    }
)
# Of a notice whose outcome is unknown, from its hand-over to its next try; a refused one waits for less.
WAITS_MS: Final = NOTICE_RESEND_AFTER.total_seconds() * 1000 - 1000


WARM_UP: Final = 30.0  # seconds of a process: caches, pools, allocator
SHORTEST_LOOK: Final = 150.0  # seconds


class Book(Protocol):
    """What an SMSC knows, by destination, and of its receipts by id."""

    @property
    def came(self) -> Mapping[str, Sequence[Segment]]: ...

    @property
    def copies(self) -> Mapping[str, int]: ...

    @property
    def receipts(self) -> Mapping[str, Segment]: ...

    def doubtful(self, segment: Segment) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """As the store holds it at the end. Times are Unix milliseconds."""

    number: str
    category: Category
    state: OutboxState
    attempts: int
    created_at: int
    available_at: int
    handed_over_at: int | None
    settled_at: int | None
    delivery_status: str | None

    @property
    def pause(self) -> int:
        """Milliseconds from its last hand-over to its next try."""
        return self.available_at - (self.handed_over_at or 0)

    @property
    def story(self) -> str:
        """When it was handed over last and when that was settled, in seconds of its age; for the example of a breach."""
        moments = [
            "never" if at is None else f"{(at - self.created_at) / 1000:.1f} s"
            for at in (self.handed_over_at, self.settled_at)
        ]
        return f"{self.number}, attempt {self.attempts} at {moments[0]}, settled at {moments[1]}"

    @property
    def waits(self) -> bool:
        """A notice of unknown outcome, for its delivery report."""
        return (
            self.category is Category.NOTICE
            and self.state is OutboxState.READY
            and self.attempts > 0
            and self.pause >= WAITS_MS
        )


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Counts of what is as it should be, of what the design lets pass, and of what must not be."""

    kept: Counter[str] = field(default_factory=Counter)
    let_pass: Counter[str] = field(default_factory=Counter)
    breaches: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # of each breach, one number

    def breach(self, what: str, number: str = "") -> None:
        self.breaches[what] += 1
        self.examples.setdefault(what, number)


def judge(questions: Mapping[str, Book], mail: Mapping[str, Book], rows: Iterable[OutboxRow], verdict: Verdict) -> None:
    """Every question and every message nobody asked for, by the number it is from or for."""
    by_number: dict[str, list[OutboxRow]] = {}
    for row in rows:
        by_number.setdefault(row.number, []).append(row)
        if row.state not in FINAL and not row.waits:
            verdict.breach(f"{row.category.value} not final: {row.state.value}", f"{row.number}, {row.pause} ms apart")
    for number, book in (*questions.items(), *mail.items()):
        found = by_number.get(number, [])
        if len(found) != 1:
            verdict.breach(f"{len(found)} rows of the outbox, not 1", number)
            continue
        _judge_message(book, found[0], verdict)


def _judge_message(book: Book, row: OutboxRow, verdict: Verdict) -> None:
    copies = book.copies.get(row.number, 0)
    if copies == 1:
        verdict.kept[f"{row.category.value} arrived once"] += 1
        _judge_report(book, row, verdict)
    elif copies == 0:
        _judge_absent(book, row, verdict)
    elif copies <= min(row.attempts, HIGHEST_ATTEMPTS[row.category]) and _in_doubt(book, row.number):
        verdict.let_pass[f"{row.category.value} sent once more, its answer had not come"] += 1
    else:
        verdict.breach(f"{row.category.value} arrived {copies} times, handed over {row.attempts}", row.number)


def _judge_absent(book: Book, row: OutboxRow, verdict: Verdict) -> None:
    refused = any(segment.status in PERMANENT for segment in book.came.get(row.number, ()))
    if row.state is OutboxState.REJECTED and refused:
        verdict.let_pass[f"{row.category.value} refused for good by the SMSC"] += 1
    elif row.state is OutboxState.UNKNOWN and row.attempts >= HIGHEST_ATTEMPTS[row.category]:
        verdict.let_pass[f"{row.category.value} of unknown outcome after {row.attempts} hand-overs"] += 1
    elif row.waits:
        verdict.let_pass[f"{row.category.value} of unknown outcome waits for its report"] += 1
    else:
        verdict.breach(f"{row.category.value} never arrived: {row.state.value}", row.story)


def _judge_report(book: Book, row: OutboxRow, verdict: Verdict) -> None:
    if row.delivery_status is not None:
        verdict.kept["delivery reported"] += 1
    elif any(book.doubtful(segment) for segment in book.came[row.number]):
        verdict.let_pass["not reported: the id never came"] += 1
    else:
        verdict.breach("not reported, though its id came", row.number)


def _in_doubt(book: Book, number: str) -> bool:
    """One of the segments before the last may have been taken unheard."""
    return any(book.doubtful(segment) for segment in book.came[number][:-1])


def judge_orphans(orphans: Iterable[tuple[Book, str]], verdict: Verdict) -> None:
    """Reports the store keeps without a submission: only of segments whose answer did not come."""
    for book, external_id in orphans:
        segment = book.receipts.get(external_id)
        if segment is None or not book.doubtful(segment):
            verdict.breach("a report without its submission", external_id)
        else:
            verdict.let_pass["report of a segment whose answer never came"] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Memory of the gateway and of its store's file, in MiB. `at` is time.monotonic()."""

    at: float
    resident: float
    stored: float


def growth(samples: Sequence[Sample], *, per_stored: float) -> float | None:
    """MiB by which the last third stands above the second, less what the store's pages account for. What comes before
    is warming up: the first third, and at least WARM_UP seconds. None: they span less than SHORTEST_LOOK.

    The median of each third: one large answer is no growth.
    """
    if not samples or samples[-1].at - samples[0].at < SHORTEST_LOOK:
        return None
    warm = [each for each in samples if each.at - samples[0].at >= WARM_UP]
    third = len(warm) // 3
    rest = [
        sorted(each.resident - per_stored * each.stored for each in part)
        for part in (warm[third : 2 * third], warm[2 * third :])
    ]
    return rest[1][len(rest[1]) // 2] - rest[0][len(rest[0]) // 2]
