"""Figures: each is counted under its labels, and two registries do not mix."""

from __future__ import annotations

import pytest

from conversation.ports import Decision
from domain.answers import Outcome
from domain.message import SendResult, SendStatus
from gateway.metrics import COUNTED, PREFIX, READ, Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def test_what_comes_in_is_counted_by_account() -> None:
    metrics = Metrics()
    metrics.inbound("sms", "viettel")
    metrics.inbound("sms", "viettel", 4)
    assert value(metrics, "inbound_total", channel="sms", account="viettel") == 5


def test_an_answer_is_counted_by_its_outcome_and_timed() -> None:
    metrics = Metrics()
    metrics.answered("sms", Decision(inquiry="look_up", outcome=Outcome.FOUND, text="x"), 0.02)
    metrics.answered("sms", Decision(inquiry="help", muted=True), 0.02)
    assert value(metrics, "answers_total", channel="sms", inquiry="look_up", outcome="found") == 1
    assert value(metrics, "answers_total", channel="sms", inquiry="help", outcome="none") == 1
    assert value(metrics, "muted_total", channel="sms") == 1
    assert value(metrics, "answer_seconds_count", channel="sms") == 2


def test_what_became_of_a_batch_is_counted_by_status() -> None:
    metrics = Metrics()
    accepted = SendResult(message_id=1, status=SendStatus.ACCEPTED)
    metrics.sent("sms", "viettel", [accepted, accepted, SendResult(message_id=2, status=SendStatus.UNKNOWN)])
    assert value(metrics, "sent_total", channel="sms", account="viettel", status="accepted") == 2
    assert value(metrics, "sent_total", channel="sms", account="viettel", status="unknown") == 1


def test_the_other_figures_count() -> None:
    metrics = Metrics()
    metrics.refused("sms")
    metrics.redelivered("sms")
    metrics.question("found")
    metrics.lookup("hit", "thanh-hoa")
    metrics.source_read("thanh-hoa", 0.004)
    metrics.status_unmapped("thanh-hoa")
    metrics.journal_commit(0.001, 7)
    assert value(metrics, "refused_total", channel="sms") == 1
    assert value(metrics, "redelivered_total", channel="sms") == 1
    assert value(metrics, "questions_total", outcome="found") == 1
    assert value(metrics, "lookups_total", source="thanh-hoa", event="hit") == 1
    assert value(metrics, "source_read_seconds_count", source="thanh-hoa") == 1
    assert value(metrics, "status_unmapped_total", source="thanh-hoa") == 1
    assert value(metrics, "journal_batch_size_sum") == 7


def test_a_reading_is_taken_when_it_is_asked_for() -> None:
    metrics = Metrics()
    queue: dict[tuple[str, ...], float] = {("viettel",): 1.0}
    metrics.read("queued", lambda: queue)
    metrics.read("sms_events", lambda: {("viettel", "binds"): 2.0})
    queue[("viettel",)] = 9.0
    assert value(metrics, "queued", account="viettel") == 9
    assert value(metrics, "sms_events_total", account="viettel", event="binds") == 2


def test_an_unknown_reading_is_refused() -> None:
    with pytest.raises(KeyError):
        Metrics().read("quued", dict)


def test_two_gateways_do_not_mix_their_figures() -> None:
    first, second = Metrics(), Metrics()
    first.redelivered("sms")
    assert value(second, "redelivered_total", channel="sms") is None


def test_every_figure_says_what_it_means_under_a_name_of_its_own() -> None:
    names = [figure.name for figure in (*COUNTED, *READ)]
    assert len(names) == len(set(names))
    assert all(figure.meaning.endswith(".") for figure in (*COUNTED, *READ))
