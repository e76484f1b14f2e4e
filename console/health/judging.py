"""What is wrong in a picture: the rules by which the screen raises its voice, in one place (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from console.health.board import Picture, total
from console.health.ports import AccountSeen, LeaseSeen

SLOW, STUCK = timedelta(minutes=1), timedelta(minutes=5)  # the oldest message that could leave, or waits for its answer
SILENT = timedelta(seconds=60)  # a process gives a sign of life at least every third of a lease
FORGOTTEN = timedelta(minutes=30)  # after which a process that is gone is news no more
HURRIED = frozenset({"open", "ready"})  # queues in which nobody is to wait
ENOUGH = 20  # replies; a share of fewer says nothing
LEAST_IN_5S = 0.95
LAGGING_S = 120.0  # seconds; as long may a step of a watcher be overdue


class Mark(enum.StrEnum):
    """How something is; names under [health_mark] in the texts."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"  # from here it cannot be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something wrong; `rule` is a name under [health_alarm] in the texts, which `facts` fill."""

    rule: str
    mark: Mark
    facts: Mapping[str, str | int] = field(default_factory=dict)


def alarms(picture: Picture) -> Sequence[Alarm]:
    """The worst first."""
    found = [alarm for rule in _RULES for alarm in rule(picture)]
    return sorted(found, key=lambda alarm: alarm.mark is not Mark.BAD)


def holder(account: AccountSeen, picture: Picture) -> LeaseSeen | None:
    """The lease of an account, if somebody holds it now."""
    now = picture.at
    return next(
        (
            lease
            for lease in picture.standing.leases
            if lease.name == account.lease and lease.until > now and lease.process is not None
        ),
        None,
    )


def mark_of(account: AccountSeen, picture: Picture) -> Mark:
    """Ready or not where it is held here; elsewhere only that somebody holds it can be seen."""
    held = holder(account, picture)
    if held is None:
        return Mark.BAD
    if held.process != picture.nearby.number or account.ready is None:
        return Mark.UNKNOWN
    return Mark.GOOD if account.ready else Mark.BAD


# ---- the rules


def _accounts(picture: Picture) -> Iterator[Alarm]:
    for account in picture.nearby.accounts:
        if mark_of(account, picture) is Mark.BAD:
            rule = "account_away" if holder(account, picture) else "account_unheld"
            yield Alarm(rule=rule, mark=Mark.BAD, facts={"account": account.lease})


def _sources(picture: Picture) -> Iterator[Alarm]:
    for source in picture.nearby.sources:
        if not source.ok:
            yield Alarm(rule="source_down", mark=Mark.BAD, facts={"source": source.name})
        elif source.lag_s is not None and source.lag_s > LAGGING_S:
            yield Alarm(
                rule="source_lags", mark=Mark.WARN, facts={"source": source.name, "minutes": _minutes(source.lag_s)}
            )


def _queues(picture: Picture) -> Iterator[Alarm]:
    for queue in picture.standing.queues:
        waited = picture.at - queue.oldest_at
        if queue.state in HURRIED and waited >= SLOW:
            facts: Mapping[str, str | int] = {
                "account": queue.account,
                "messages": queue.messages,
                "minutes": _minutes(waited.total_seconds()),
            }
            yield Alarm(rule="queue_waits", mark=Mark.BAD if waited >= STUCK else Mark.WARN, facts=facts)


def _shares(picture: Picture) -> Iterator[Alarm]:
    replies = total(picture.last_hour)
    if replies.replies >= ENOUGH and replies.in_5s < LEAST_IN_5S * replies.replies:
        yield Alarm(rule="slow_replies", mark=Mark.WARN, facts={"percent": 100 * replies.in_5s // replies.replies})


def _holds(picture: Picture) -> Iterator[Alarm]:
    for hold in picture.standing.holds:
        yield Alarm(rule="held", mark=Mark.WARN, facts={"source": hold.source, "messages": hold.notices})


def _processes(picture: Picture) -> Iterator[Alarm]:
    for process in picture.standing.processes:
        if is_silent(process.heartbeat_at, picture.at) and picture.at - process.heartbeat_at < FORGOTTEN:
            yield Alarm(rule="process_gone", mark=Mark.WARN, facts={"process": process.number})


def is_silent(heartbeat_at: datetime, now: datetime) -> bool:
    """It lives no more, as far as anybody knows."""
    return now - heartbeat_at > SILENT


_RULES = (_accounts, _sources, _queues, _shares, _holds, _processes)


def _minutes(seconds: float) -> int:
    return max(1, round(seconds / 60))
