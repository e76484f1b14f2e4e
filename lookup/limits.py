"""What one one-stop system is given: time, reads at once, tries, and when it is left alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from lookup.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """`time_limit`: seconds for one attempt. With the retry policy a read ends within time_limit + retry.total seconds,
    so that two of them, one behind the other, end within the 20 s after which a person is told "try later".
    `in_flight`: reads at a time. `breaker_failures`: reads in a row without an answer, retries included in each, after
    which it is left alone for `breaker_pause` seconds.
    """

    time_limit: float = 5.0
    in_flight: int = 2
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker_failures: int = 5
    breaker_pause: float = 10.0

    def __post_init__(self) -> None:
        if self.time_limit <= 0 or self.breaker_pause < 0:
            raise ValueError("time_limit is positive, breaker_pause is not negative")
        if self.in_flight < 1 or self.breaker_failures < 1:
            raise ValueError("in_flight and breaker_failures are at least 1")
