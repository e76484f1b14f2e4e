"""The judge of a soak: it must see what is lost, doubled or left lying, and let pass what the design lets pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from bench.soak_smsc import Segment
from bench.soak_verdict import OutboxRow, Sample, Verdict, growth, judge, judge_orphans
from channels.sms import commands as c
from domain.message import Category
from notifications.retry import OutboxState

NUMBER = "84910000001"
TAKEN = Segment(session=1, at=0.0, status=c.ROK, answered_at=0.1)
UNHEARD = Segment(session=1, at=0.0)
REFUSED = Segment(session=1, at=0.0, status=c.RSUBMITFAIL, answered_at=0.1)


@dataclass(kw_only=True)
class Paper:
    """A book written by hand: an answer that was not written is in doubt."""

    came: Mapping[str, Sequence[Segment]] = field(default_factory=dict)
    copies: Mapping[str, int] = field(default_factory=dict)
    receipts: Mapping[str, Segment] = field(default_factory=dict)

    def doubtful(self, segment: Segment) -> bool:
        return segment.status is None


def row(
    state: OutboxState = OutboxState.ACCEPTED,
    *,
    category: Category = Category.REPLY,
    attempts: int = 1,
    waits_ms: int = 0,
    delivery_status: str | None = "delivered",
) -> OutboxRow:
    return OutboxRow(
        number=NUMBER,
        category=category,
        state=state,
        attempts=attempts,
        created_at=0,
        available_at=1_000 + waits_ms,
        handed_over_at=1_000,
        settled_at=None,
        delivery_status=delivery_status,
    )


def verdict_on(*rows: OutboxRow, copies: int = 1, came: Sequence[Segment] = (TAKEN,)) -> Verdict:
    verdict = Verdict()
    judge({NUMBER: Paper(came={NUMBER: came}, copies={NUMBER: copies})}, {}, rows, verdict)
    return verdict


def test_one_answer_to_one_question_is_as_it_should_be() -> None:
    verdict = verdict_on(row())
    assert (verdict.breaches, verdict.let_pass) == ({}, {})
    assert verdict.kept["reply arrived once"] == 1


NOTICE, BROADCAST = Category.NOTICE, Category.BROADCAST
TEN_MINUTES = 600_000
BREACHES = {
    "no row": verdict_on(),
    "two rows": verdict_on(row(), row()),
    "accepted and never there": verdict_on(row(), copies=0),
    "expired": verdict_on(row(OutboxState.EXPIRED), copies=0),
    "still ready": verdict_on(row(OutboxState.READY)),
    "a refused notice that waits": verdict_on(row(OutboxState.READY, category=NOTICE, waits_ms=1_000), copies=0),
    "twice with its answer": verdict_on(row(attempts=2), copies=2, came=(TAKEN, TAKEN)),
    "twice by one hand-over": verdict_on(row(), copies=2, came=(UNHEARD, TAKEN)),
    "a broadcast twice": verdict_on(row(category=BROADCAST, attempts=2), copies=2, came=(UNHEARD, TAKEN)),
    "three times": verdict_on(row(attempts=3), copies=3, came=(UNHEARD, UNHEARD, TAKEN)),
    "rejected and never refused": verdict_on(row(OutboxState.REJECTED), copies=0),
    "given up at once": verdict_on(row(OutboxState.UNKNOWN), copies=0),
    "a report that found nothing": verdict_on(row(delivery_status=None)),
}


@pytest.mark.parametrize("verdict", BREACHES.values(), ids=BREACHES)
def test_what_must_not_be_is_a_breach(verdict: Verdict) -> None:
    assert verdict.breaches.total() > 0


LET_PASS = {
    "sent once more": verdict_on(row(attempts=2), copies=2, came=(UNHEARD, TAKEN)),
    "refused for good": verdict_on(row(OutboxState.REJECTED), copies=0, came=(REFUSED,)),
    "a notice waits for its report": verdict_on(
        row(OutboxState.READY, category=NOTICE, waits_ms=TEN_MINUTES), copies=0, came=()
    ),
    "a broadcast of unknown outcome": verdict_on(row(OutboxState.UNKNOWN, category=BROADCAST), copies=0, came=()),
    "a reply unknown twice": verdict_on(row(OutboxState.UNKNOWN, attempts=2), copies=0, came=()),
    "its id never came": verdict_on(row(OutboxState.UNKNOWN, delivery_status=None), came=(UNHEARD,)),
}


@pytest.mark.parametrize("verdict", LET_PASS.values(), ids=LET_PASS)
def test_what_the_design_lets_pass_is_counted_and_no_breach(verdict: Verdict) -> None:
    assert verdict.breaches == {}
    assert verdict.let_pass.total() == 1


def test_a_report_without_a_submission_is_a_breach_unless_its_answer_never_came() -> None:
    book, verdict = Paper(receipts={"3E8": UNHEARD, "3E9": TAKEN}), Verdict()
    judge_orphans([(book, "3E8"), (book, "3E9"), (book, "stranger")], verdict)
    assert (verdict.let_pass.total(), verdict.breaches.total()) == (1, 2)


def test_memory_that_goes_on_growing_is_seen_and_what_the_store_takes_is_not_counted() -> None:
    def samples(per_second: float, stored_per_second: float = 0.0) -> list[Sample]:
        return [
            Sample(at=float(at), resident=100 + per_second * at, stored=stored_per_second * at) for at in range(400)
        ]

    assert growth(samples(0.0), per_stored=1.0) == 0
    assert growth(samples(1.0), per_stored=1.0) == pytest.approx(123, abs=2)
    assert growth(samples(1.0, 1.0), per_stored=1.0) == 0
    assert growth(samples(1.0)[:100], per_stored=1.0) is None
