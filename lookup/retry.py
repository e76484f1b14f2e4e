"""The one policy for trying a one-stop system again, on tenacity.

The first call is made bare, since it nearly always succeeds and tenacity costs some 40 us; the policy is entered only
after a first failure. Only SourceUnavailable is tried again: a misread answer would be misread twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from domain.errors import SourceUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """`attempts` counts the first call. Waits double from `first_wait` to `longest_wait`, each with up to
    `first_wait` of jitter. After the first failure nothing may take longer than `total`. All times in seconds.
    """

    attempts: int = 3
    first_wait: float = 0.1
    longest_wait: float = 1.0
    total: float = 3.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first_wait, self.longest_wait, self.total) < 0:
            raise ValueError("attempts is at least 1, times are not negative")


async def call_with_retries(call: Callable[[], Awaitable[T]], policy: RetryPolicy) -> T:
    """What `call` returns, perhaps on a later attempt.

    Raises:
        SourceUnavailable: every attempt failed, or time ran out; the last failure there was.
    """
    try:
        return await call()
    except SourceUnavailable as failure:
        first = failure
    if policy.attempts == 1:
        raise first
    try:
        async with asyncio.timeout(policy.total):
            return await _again(call, policy, first)
    except TimeoutError:
        raise first from None


async def _again(call: Callable[[], Awaitable[T]], policy: RetryPolicy, first: SourceUnavailable) -> T:
    failures = iter((first,))

    async def attempt() -> T:
        # The call that already failed is the policy's first attempt, so that it waits before the next one.
        for failure in failures:
            raise failure
        return await call()

    retrying = AsyncRetrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_exponential_jitter(multiplier=policy.first_wait, max=policy.longest_wait, jitter=policy.first_wait),
        retry=retry_if_exception_type(SourceUnavailable),
        reraise=True,
    )
    return await retrying(attempt)
