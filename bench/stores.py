"""Where the journal is kept during a bench: the embedded default, or PostgreSQL and Redis started for it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class StoreKind(enum.StrEnum):
    """The two ways the gateway is run."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL, Redis"


def stores_option(what: str) -> Callable[[Command], Command]:
    """`--store`, as often as wanted, for a command that takes `stores`; unset: all kinds. `what` begins its help."""
    kinds = [kind.name.lower() for kind in StoreKind]
    return click.option(
        "--store",
        "stores",
        multiple=True,
        type=click.Choice(kinds),
        default=kinds,
        show_default=True,
        help=f"{what}; all are run one after the other.",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses for the gateway's settings; no Redis: the process's own memory."""

    database: str
    redis: str | None = None

    @property
    def settings(self) -> str:
        """As lines of its TOML file."""
        redis = f'\n[redis]\nurl = "{self.redis}"\n' if self.redis else ""
        return f'[database]\nurl = "{self.database}"\n{redis}'


@contextmanager
def place(kind: StoreKind, directory: Path) -> Iterator[Place]:
    """An empty store; its servers run until the end of the block, as they come (fsync on)."""
    if kind is StoreKind.SQLITE:
        yield Place(f"sqlite:///{directory}/tracuu.sqlite3")
        return
    from tests.servers import postgres, redis  # noqa: PLC0415 - only where servers are to be started

    with (
        postgres.running({}) as server,
        server.database("bench") as database,
        redis.running_redis(directory) as cache,
    ):
        yield Place(database, cache.url)
