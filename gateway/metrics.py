"""What the process counts. Every figure is a row of COUNTED or READ, which docs/metrics.md prints.

Labels are bound once for each value and kept (0.6 us a count instead of 2.1). The registry is our own: two gateways in
one process, as in tests, do not mix their figures.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from conversation.ports import Decision
from domain.message import SendResult
from domain.notices import NoticeKind

ANSWER_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
READ_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
WATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: its name without the prefix and suffix, its labels, what it says, buckets if it is a histogram."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        return "histogram" if self.buckets else "counter"


COUNTED = (
    Figure("inbound", ("channel", "account"), "Messages handed in."),
    Figure("refused", ("channel",), "Messages not taken: the other side was asked to send again."),
    Figure("redelivered", ("channel",), "Messages we had already: acknowledged, not answered twice."),
    Figure("answers", ("channel", "inquiry", "outcome"), "Messages answered, by what was asked and how it ended."),
    Figure("muted", ("channel",), "Messages a guard left without a reply."),
    Figure(
        "guards",
        ("event",),
        "Alarm: prefix_walked, site_walked, somebody walks through codes; ceiling_reached, an hour's replies.",
    ),
    Figure("answer_seconds", ("channel",), "From arrival to the commit of the decision.", ANSWER_SECONDS),
    Figure("questions", ("outcome",), "Questions asked over HTTP GET, by how they ended."),
    Figure("sent", ("channel", "account", "status"), "Messages handed to a channel, by what became of it."),
    Figure(
        "lookups",
        ("source", "event"),
        "Reads of a one-stop system, by how they ended; and what in them could not be understood.",
    ),
    Figure("hooks", ("source", "result"), "Calls of the webhook: accepted, or why they were refused."),
    Figure("changes", ("source", "feed"), "Dossiers found changed, by how it was heard of."),
    Figure("notices", ("kind",), "Notices written to the outbox, by what they tell."),
    Figure(
        "broadcast_people",
        ("outcome",),
        "People of broadcasts' audiences gone through: written, dropped (they stopped everything), or left out and why.",
    ),
    Figure(
        "broadcast_events",
        ("event",),
        "What became of broadcasts by the clock (start, hold_canary, finish, lapse); alarm: stuck, and then healed or taken_over.",
    ),
    Figure(
        "mass_changes", ("source",), "Alarm: so many dossiers changed at once that their notices wait for an operator."
    ),
    Figure("watch_seconds", ("source", "feed"), "One step of a watcher: read, compared and recorded.", WATCH_SECONDS),
    Figure("source_read_seconds", ("source",), "One read of a one-stop system.", READ_SECONDS),
    Figure("status_unmapped", ("source",), "Alarm: states the mapping of a source does not know."),
    Figure("journal_commit_seconds", (), "One commit of the journal.", COMMIT_SECONDS),
    Figure("journal_batch_size", (), "Messages in one commit of the journal.", BATCH_SIZES),
    Figure(
        "journal_rejected",
        ("kind", "kept"),
        "Alarm: what the store can never write; `part` of it was kept (of a message all but its answer), or `nothing`.",
    ),
)

READ = (  # read when somebody asks for /metrics, from whoever knows
    Figure("in_flight", (), "Messages taken in and not yet answered."),
    Figure("queued", ("account",), "Messages on their way out of this process."),
    Figure("waiting", ("account",), "Messages in the outbox that wait to be claimed."),
    Figure("deferred", ("account", "reason"), "Messages in the outbox that wait for a later moment or an operator."),
    Figure("held", ("source",), "Notices of a mass change that wait for an operator: `tracuu hold list`."),
    Figure("broadcasts", ("state",), "Broadcasts under way, by their state; on the process that writes them."),
    Figure("broadcast_messages", ("state",), "Messages of these, by their state in the outbox, as counted last."),
    Figure("looks_waiting", ("source",), "Dossiers said to have changed that were not looked at yet, 5,000 at most."),
    Figure(
        "watch_lag_seconds", ("source", "feed"), "Since a feed was last found at its end, or a page of it was recorded."
    ),
    Figure(
        "files_free_bytes",
        (),
        "Room in the folder for files of the intake module, as looked at last; absent while we may not write there.",
    ),
    Figure("bound", ("account",), "1 while the account can send, 0 while it cannot."),
    Figure("leases", ("lease",), "1 while this process does what only one may do, 0 while it waits for its turn."),
    Figure("sms_bind", ("account", "bind", "mode"), "1 while a bind of an SMSC account is bound, 0 while it is not."),
    Figure("sms_window_used", ("account", "bind"), "Submits written on a bind and not yet answered."),
    Figure("sms_window_size", ("account", "bind"), "So many may be."),
    Figure(
        "sms_rate",
        ("account",),
        "Segments a second that may leave now, less than agreed after the SMSC said it is too much; absent without a limit.",
    ),
    Figure("sms_rate_agreed", ("account",), "Segments a second as agreed with the operator; absent without a limit."),
    Figure("sms_paused", ("account",), "1 while nothing leaves because the SMSC said it is too much."),
    Figure("sms_events", ("account", "event"), "What an SMPP account has seen since the start."),
    Figure("telegram_events", ("account", "event"), "What a Telegram bot has seen since the start."),
    Figure("zalo_events", ("account", "event"), "What a Zalo account has seen since the start."),
    Figure(
        "zalo_days_left",
        ("account",),
        "Days until a person has to let us speak for a Zalo account again, if not renewed.",
    ),
)
RISING = frozenset({"sms_events", "telegram_events", "zalo_events"})
PREFIX = "tracuu_"
Reading = Mapping[tuple[str, ...], float]


@dataclass(slots=True)
class _Bound:
    """A metric with its children, one for each set of label values met so far."""

    metric: Any
    children: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def __call__(self, *labels: str) -> Any:  # noqa: ANN401  # a Counter or a Histogram, each used where it is known
        child = self.children.get(labels)
        if child is None:
            child = self.children[labels] = self.metric.labels(*labels) if labels else self.metric
        return child


class _Readings(Collector):
    """Asks whoever knows, at the moment of a scrape."""

    def __init__(self) -> None:
        self.readers: dict[str, Callable[[], Reading]] = {}

    def collect(self) -> Iterable[Metric]:
        for figure in READ:
            reader = self.readers.get(figure.name)
            if reader is not None:
                yield _family(figure, reader())


def _family(figure: Figure, reading: Reading) -> Metric:
    make = CounterMetricFamily if figure.name in RISING else GaugeMetricFamily
    family = make(PREFIX + figure.name, figure.meaning, labels=figure.labels)
    for labels, value in reading.items():
        family.add_metric(list(labels), value)
    return family


class Metrics:
    """One process's figures. None of the methods waits, logs or fails for a label's sake."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        bound = {figure.name: _Bound(_made(figure, self.registry)) for figure in COUNTED}
        self._inbound, self._refused, self._redelivered = bound["inbound"], bound["refused"], bound["redelivered"]
        self._answers, self._muted, self._answer_seconds = bound["answers"], bound["muted"], bound["answer_seconds"]
        self._guards = bound["guards"]
        self._questions, self._sent, self._lookups = bound["questions"], bound["sent"], bound["lookups"]
        self._hooks = bound["hooks"]
        self._changes, self._notices, self._mass_changes = bound["changes"], bound["notices"], bound["mass_changes"]
        self._broadcast_people, self._broadcast_events = bound["broadcast_people"], bound["broadcast_events"]
        self._watch_seconds = bound["watch_seconds"]
        self._source_read_seconds, self._status_unmapped = bound["source_read_seconds"], bound["status_unmapped"]
        self._commit_seconds, self._batch_size = bound["journal_commit_seconds"](), bound["journal_batch_size"]()
        self._journal_rejected = bound["journal_rejected"]
        self._readings = _Readings()
        self.registry.register(self._readings)

    def inbound(self, channel: str, account: str, count: int = 1) -> None:
        self._inbound(channel, account).inc(count)

    def refused(self, channel: str, count: int = 1) -> None:
        self._refused(channel).inc(count)

    def redelivered(self, channel: str, count: int = 1) -> None:
        self._redelivered(channel).inc(count)

    def answered(self, channel: str, decision: Decision, seconds: float) -> None:
        """A decision was written, `seconds` after its message came in."""
        self._answers(channel, decision.inquiry, decision.outcome.value if decision.outcome else "none").inc()
        self._answer_seconds(channel).observe(seconds)
        if decision.muted:
            self._muted(channel).inc()

    def question(self, outcome: str, count: int = 1) -> None:
        """A question asked over HTTP GET, which is counted and not journalled."""
        self._questions(outcome).inc(count)

    def guard(self, event: str) -> None:
        """The `count` of conversation.guards."""
        self._guards(event).inc()

    def sent(self, channel: str, account: str, results: Sequence[SendResult]) -> None:
        for status, count in Tally(result.status.value for result in results).items():
            self._sent(channel, account, status).inc(count)

    def lookup(self, event: str, source: str) -> None:
        """The `count` of lookup.service."""
        self._lookups(source, event).inc()

    def hook(self, source: str, result: str) -> None:
        """A call of the webhook, by how it ended."""
        self._hooks(source, result).inc()

    def changes_seen(self, source: str, feed: str, count: int) -> None:
        """Dossiers found changed; with the next three the `count` of notifications.looking."""
        self._changes(source, feed).inc(count)

    def noticed(self, kind: NoticeKind, count: int) -> None:
        self._notices(kind.value).inc(count)

    def broadcast_people(self, outcome: str, count: int) -> None:
        """With the next one notifications.portions.BroadcastFigures."""
        self._broadcast_people(outcome).inc(count)

    def broadcast_event(self, event: str) -> None:
        self._broadcast_events(event).inc()

    def mass_change(self, source: str) -> None:
        self._mass_changes(source).inc()

    def looked(self, source: str, feed: str, seconds: float) -> None:
        self._watch_seconds(source, feed).observe(seconds)

    def source_read(self, source: str, seconds: float) -> None:
        self._source_read_seconds(source).observe(seconds)

    def status_unmapped(self, source: str, count: int = 1) -> None:
        self._status_unmapped(source).inc(count)

    def journal_commit(self, seconds: float, exchanges: int) -> None:
        self._commit_seconds.observe(seconds)
        self._batch_size.observe(exchanges)

    def journal_rejected(self, kind: str, kept: str) -> None:
        self._journal_rejected(kind, kept).inc()

    def read(self, name: str, reader: Callable[[], Reading]) -> None:
        """Where a figure of READ comes from: label values, in the order of its labels, to its value now.

        Raises:
            KeyError: no such figure.
        """
        if name not in {figure.name for figure in READ}:
            raise KeyError(name)
        self._readings.readers[name] = reader

    def exposition(self) -> bytes:
        """The text /metrics answers (Prometheus text format 0.0.4)."""
        return generate_latest(self.registry)


def _made(figure: Figure, registry: CollectorRegistry) -> Counter | Histogram:
    if figure.buckets:
        return Histogram(PREFIX + figure.name, figure.meaning, figure.labels, buckets=figure.buckets, registry=registry)
    return Counter(PREFIX + figure.name, figure.meaning, figure.labels, registry=registry)
