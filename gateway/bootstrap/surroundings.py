"""What this process sees of the channels it may hold and the systems it reaches, for the console's screen of health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from channels.base import Channel, Health
from console.health.ports import AccountSeen, Nearby, SourceSeen
from gateway.bootstrap.sources import Source
from gateway.http import ask
from notifications.watcher import SourceWatcher

SOURCES_EVERY = 15.0  # seconds between two looks at each source: they are somebody else's machines


@dataclass(slots=True)
class _Since:
    """How something is, and since when it is so, as far as was seen."""

    ok: bool
    since: datetime


@dataclass(slots=True, kw_only=True)
class ProcessSurroundings:
    """Implements console.health.ports.Surroundings. `held`: the channels this process may hold; `paused`: the names of the
    sources that are left alone for a while. `monotonic`: seconds.
    """

    number: int
    channels: Sequence[Channel]
    held: Collection[str]  # accounts
    sources: Sequence[Source]
    watchers: Sequence[SourceWatcher]
    paused: Callable[[], Collection[str]]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    _states: dict[str, _Since] = field(default_factory=dict)
    _answers: Mapping[str, Health] = field(default_factory=dict)  # of the sources
    _asked_at: float | None = None

    async def look(self) -> Nearby:
        accounts = [await self._account(channel) for channel in self.channels]
        return Nearby(number=self.number, accounts=accounts, sources=await self._sources())

    async def _account(self, channel: Channel) -> AccountSeen:
        if channel.account not in self.held:
            return AccountSeen(channel=channel.name, account=channel.account)
        name = f"{channel.name} {channel.account}"
        health = await ask(name, channel.health)
        return AccountSeen(
            channel=channel.name,
            account=channel.account,
            ready=health.ok,  # not channel.ready: a pause of a second the SMSC asked for is no fault
            since=self._since(name, ok=health.ok),
            detail=health.detail,
        )

    async def _sources(self) -> Sequence[SourceSeen]:
        await self._ask_sources()
        paused = self.paused()
        lags = {each.name: max(each.lags().values(), default=0.0) for each in self.watchers}
        return [
            SourceSeen(
                name=name,
                ok=health.ok,
                since=self._since(f"source {name}", ok=health.ok),
                detail=health.detail,
                paused=name in paused,
                lag_s=lags.get(name),
            )
            for name, health in self._answers.items()
        ]

    async def _ask_sources(self) -> None:
        now = self.monotonic()
        if self._asked_at is not None and now - self._asked_at < SOURCES_EVERY:
            return
        self._asked_at = now
        names = [source.adapter.name for source in self.sources]
        answers = await asyncio.gather(*(ask(f"source {each.adapter.name}", each.check) for each in self.sources))
        self._answers = dict(zip(names, answers, strict=True))

    def _since(self, name: str, *, ok: bool) -> datetime:
        known = self._states.get(name)
        if known is None or known.ok is not ok:
            known = self._states[name] = _Since(ok, self.clock())
        return known.since
