"""One Redis shared by several gateways: it is asked, or done without, and nobody waits for it longer than agreed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

T = TypeVar("T")

AWAY = (exceptions.RedisError, OSError, TimeoutError)  # what a call raises when Redis does not do what it should
FAULTS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits; never a name or a password
    (exceptions.AuthenticationError, "it refused our user or password"),
    (exceptions.NoPermissionError, "our user may not run that command, or not on our keys and channels"),
    (exceptions.BusyLoadingError, "it is still loading its data"),
    (exceptions.ReadOnlyError, "it is a replica and takes no writes"),
    (exceptions.OutOfMemoryError, "it is full (maxmemory)"),
    (exceptions.TimeoutError, "it did not answer in time"),
    (TimeoutError, "it did not answer in time"),
    (exceptions.ConnectionError, "it could not be reached"),
    (OSError, "it could not be reached"),
)
UNTRUSTED = "its certificate is not signed by an authority we trust for that name"
UNVERIFIED = frozenset({"ssl_cert_reqs", "ssl_check_hostname", "ssl_exclude_verify_flags"})

log = structlog.get_logger()


class SharedRedis:
    """What everything we keep in Redis goes through; one per process.

    After a failure Redis is left alone for `back_off` seconds and then tried by one caller while the others do without:
    a dead one costs at most one time limit per back-off, whoever asks. An outage is logged when it begins and when it
    ends, once each.
    """

    def __init__(self, client: Redis, *, time_limit: float = 0.25, back_off: float = 1.0) -> None:
        """Both in seconds; `time_limit` is for one call, connecting included."""
        self.client = client  # has no time limit of its own
        self.time_limit = time_limit
        self.back_off = back_off
        self.fault = ""  # what was wrong with the last failed call, in words
        self._retry_at: float | None = None  # event loop time; None: it answers
        self._failed_at = 0.0

    @property
    def away(self) -> bool:
        """The last call failed."""
        return self._retry_at is not None

    async def ask(self, call: Callable[[Redis], Awaitable[Any]], default: T) -> T:
        """What `call` answers, or `default` when Redis is away. Never raises for Redis' sake."""
        started = asyncio.get_running_loop().time()
        if self._retry_at is not None:
            if started < self._retry_at:
                return default
            self._retry_at = started + self.back_off  # this caller tries; the others do without until it knows
        try:
            async with asyncio.timeout(self.time_limit):
                answer: T = await call(self.client)
        except AWAY as failure:
            self._went_away(failure)
            return default
        self._came_back(started)
        return answer

    async def check(self) -> bool:
        """It answers now; for /readyz. It is tried at most once per back-off, and `fault` says what is wrong."""
        return bool(await self.ask(lambda client: client.ping(), default=False))

    async def aclose(self) -> None:
        """Close every connection."""
        await self.client.aclose()

    def _went_away(self, failure: Exception) -> None:
        self.fault = in_words(failure)
        if self._retry_at is None:
            log.warning("redis.away", fault=self.fault)
        self._failed_at = asyncio.get_running_loop().time()
        self._retry_at = self._failed_at + self.back_off

    def _came_back(self, started: float) -> None:
        """Only a call that began after the failure proves anything."""
        if self._retry_at is not None and started >= self._failed_at:
            self._retry_at = None
            self.fault = ""
            log.info("redis.back")


def connect(
    url: str,
    *,
    time_limit: float = 0.25,
    back_off: float = 1.0,
    connections: int = 8,
    ca_certs: Path | None = None,
) -> SharedRedis:
    """A Redis at `redis://user:password@host:6379/0`, `rediss://` with TLS or `unix://`; nothing is opened yet.

    A certificate is always verified, against the system's authorities and those in `ca_certs` (PEM; in the URL:
    `?ssl_ca_certs=/path`). At most `connections` for calls, and one for listening.

    No retries, and one time limit around each call. (redis-py 8.1 as it comes tries ten times with 5 s each: a dead
    server would cost every caller between 4 and 60 s. Its own `socket_timeout` sends by asyncio.wait_for, which costs a
    task per command and on Python 3.11 may swallow a cancellation. Its maintenance notices would raise time limits to
    10 s, and cost a command per connection that a user may not be allowed.)

    Raises:
        ValueError: the URL cannot be read, or asks not to verify the certificate.
    """
    options: dict[str, Any] = {**parse_url(url)}
    switched_off = UNVERIFIED & options.keys()
    if switched_off:
        raise ValueError(f"a certificate is always verified: leave out {', '.join(sorted(switched_off))}")
    if ca_certs is not None and url.startswith("rediss://"):
        options["ssl_ca_certs"] = str(ca_certs)
    options.update(
        max_connections=connections + 1,
        timeout=time_limit,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,
        socket_connect_timeout=time_limit,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return SharedRedis(Redis.from_pool(BlockingConnectionPool(**options)), time_limit=time_limit, back_off=back_off)


def in_words(failure: Exception) -> str:
    """What is wrong, for an operator."""
    if "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return UNTRUSTED
    return next((words for kind, words in FAULTS if isinstance(failure, kind)), type(failure).__name__)
