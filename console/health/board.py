"""What the screen of health shows, read before anybody looks: by itself every few seconds, so that a page waits for nothing.

Hours that are long over are read again now and then only: of them little changes but what failed late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.health.ports import Figures, Nearby, Standing, Surroundings, Traffic
from domain.calendar import LOCAL_ZONE

REFRESH_EVERY = 5.0  # seconds
STALE_AFTER = timedelta(seconds=20)  # nobody refreshed: whoever asks does
AN_HOUR = timedelta(hours=1)
CHANGING = timedelta(hours=2)  # of an hour that is over for longer little changes
READ_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The messages of one hour of today; `begins` in Asia/Ho_Chi_Minh."""

    begins: datetime
    traffic: Sequence[Traffic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything at one moment. `hours`: of today, from midnight to the present one; `last_hour`: sixty minutes."""

    standing: Standing
    nearby: Nearby
    hours: Sequence[Hour] = ()
    last_hour: Sequence[Traffic] = ()

    @property
    def at(self) -> datetime:
        return self.standing.at

    @property
    def today(self) -> Sequence[Traffic]:
        """By channel."""
        by_channel: dict[str, list[Traffic]] = {}
        for hour in self.hours:
            for each in hour.traffic:
                by_channel.setdefault(each.channel, []).append(each)
        return [total(parts, channel) for channel, parts in sorted(by_channel.items())]


def total(parts: Iterable[Traffic], channel: str = "") -> Traffic:
    """All of it as one."""
    parts = tuple(parts)
    names = ("came_in", "replies", "notices", "broadcasts", "in_2s", "in_5s", "failed")
    return Traffic(channel=channel, **{name: sum(getattr(each, name) for each in parts) for name in names})


@dataclass(frozen=True, slots=True)
class _Kept:
    """An hour as it was read."""

    hour: Hour
    read_at: datetime


class Board:
    """The latest picture. `clock` gives aware moments."""

    __slots__ = ("_clock", "_figures", "_hours", "_picture", "_reading", "_surroundings")

    def __init__(self, figures: Figures, surroundings: Surroundings, *, clock: Callable[[], datetime]) -> None:
        self._figures = figures
        self._surroundings = surroundings
        self._clock = clock
        self._hours: dict[datetime, _Kept] = {}
        self._picture: Picture | None = None
        self._reading = asyncio.Lock()

    async def picture(self) -> Picture:
        """Not older than STALE_AFTER. Raises StoreUnavailable."""
        async with self._reading:
            if self._picture is None or self._clock() - self._picture.at >= STALE_AFTER:
                self._picture = await self._read()
            return self._picture

    async def refresh(self) -> None:
        """Read everything anew; to be called every REFRESH_EVERY seconds. Raises StoreUnavailable."""
        async with self._reading:
            self._picture = await self._read()

    async def _read(self) -> Picture:
        now = self._clock()
        return Picture(
            standing=await self._figures.standing(),
            nearby=await self._surroundings.look(),
            hours=await self._today(now),
            last_hour=await self._figures.traffic(now - AN_HOUR, now),
        )

    async def _today(self, now: datetime) -> Sequence[Hour]:
        begins = now.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        kept: dict[datetime, _Kept] = {}
        while begins <= now:
            known = self._hours.get(begins)
            kept[begins] = known if known is not None and not _due(known, now) else await self._hour(begins, now)
            begins += AN_HOUR
        self._hours = kept
        return [each.hour for each in kept.values()]

    async def _hour(self, begins: datetime, now: datetime) -> _Kept:
        return _Kept(Hour(begins=begins, traffic=await self._figures.traffic(begins, begins + AN_HOUR)), now)


def _due(kept: _Kept, now: datetime) -> bool:
    """To be read again. No clock is put on in Vietnam in summer, so that hours are as long as they look."""
    changing = now - (kept.hour.begins + AN_HOUR) < CHANGING
    return changing or now - kept.read_at >= READ_AGAIN
