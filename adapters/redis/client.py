"""A Redis client that fails fast: the defaults of redis-py wait for seconds where we would rather do without."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect(url: str, *, time_limit: float = 0.25, connections: int = 8) -> Redis:
    """A client for `redis://...`; nothing is opened yet, and closing it closes its connections.

    No retries, `time_limit` seconds for connecting, for each answer and for a free connection. (redis-py 8.1 as it
    comes tries ten times with 5 s each: a dead server would cost every caller between 4 and 60 s.)
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=time_limit,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=time_limit,
        socket_connect_timeout=time_limit,
    )
    return Redis.from_pool(pool)
