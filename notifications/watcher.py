"""Watches one one-stop system: decides what to look at next, and never does two things of one source at once.

What is due first is done first: a page of a feed, dossiers somebody asked us to look at, what was heard live, a page of
the dossiers that are followed. What fails is tried again after a pause of its own; the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from domain.codes import DossierCode
from domain.errors import SourceError, SourceUnavailable, StoreError
from notifications.backlog import Backlog, Filling
from notifications.listening import FIRST_PAUSE, Listener, Pauses
from notifications.looking import BEGAN, Batch, LookingAt
from notifications.ports import ChangeFeed, Heard, LiveFeed, Look

log = structlog.get_logger()

T = TypeVar("T")
LOOKS, LIVE, FOLLOWED = "looks", "live", "followed"
FEED_WITHIN = 120.0  # seconds for one page of a feed, should the adapter's own limit fail
FOLLOWED_FROM = 60.0  # seconds after the start: what the feeds find first needs no sweep
READS_A_STEP = 20  # of the source's largest: live changes do not wait behind a longer step
LOOKS_AT_ONCE = 5_000  # a webhook's burst, seen whole before the first of it is recorded
HEARD_MOST = 100_000  # codes heard and not looked at; beyond, the polls find them


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules:
    """How often and how much; times in seconds. `page`: codes in one step."""

    page: int = 500
    looks_every: float = 1.0
    followed_every: float = 600.0
    followed_pause: float = 1.0  # between two pages of the followed, so that the source is not pressed
    first_pause: float = FIRST_PAUSE  # after something failed


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFeed:
    """A feed, the seconds between two looks at what it has, and between two pages of one look: a whole table read round
    and round must not press the source.
    """

    feed: ChangeFeed
    every: float
    pause: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Job:
    """A reason to look at dossiers. `due_at` and `good_at` by the loop's clock."""

    name: str
    backlog: Backlog
    every: Callable[[], float]  # seconds until it is due again once nothing waits
    due_at: float
    good_at: float
    pause: float = 0.0  # before the next batch
    failures: int = 0
    trouble: str = ""  # the kind of the last failure


class SourceWatcher:
    """One source's watcher. `run` may be called again after it ended: what was not recorded is still here."""

    def __init__(
        self,
        looking: LookingAt,
        feeds: Sequence[TimedFeed],
        *,
        live: LiveFeed | None = None,
        rules: WatchRules | None = None,
        monotonic: Callable[[], float],
    ) -> None:
        self._looking = looking
        self._rules = rules or WatchRules()
        self._monotonic = monotonic
        pauses = Pauses(first=self._rules.first_pause)
        self._pauses = pauses
        self._listener = None if live is None else Listener(live, self.name, pauses, self._hear)
        self._wake = asyncio.Event()
        self._heard: dict[DossierCode, None] = {}
        self._looks_waiting = 0
        self._followed_after = ""
        self._followed_every = 0.0
        self._positions: dict[str, str] = {}  # by feed, of what was asked for, recorded or not
        self._beginning = {timed.feed.name for timed in feeds}  # feeds of which it is not known that they began before
        self._loaded = False
        self._jobs = {job.name: job for job in self._make_jobs(feeds)}
        self._feeds = [timed.feed.name for timed in feeds]

    @property
    def name(self) -> str:
        """The source's."""
        return self._looking.source.name

    @property
    def looks_waiting(self) -> int:
        """Dossiers somebody asked us to look at that were due at the last look and are not done, as far as one looks."""
        return self._looks_waiting

    def lags(self) -> Mapping[str, float]:
        """Seconds since each feed was last found to have nothing more, or a page of it was recorded."""
        now = self._monotonic()
        return {name: now - self._jobs[name].good_at for name in (*self._feeds, LOOKS, FOLLOWED)}

    def poke(self) -> None:
        """Somebody asked for dossiers to be looked at (the webhook)."""
        self._due_now(LOOKS)

    async def run(self) -> None:
        """Watch until cancelled."""
        listening = None if self._listener is None else asyncio.create_task(self._listener.run())
        try:
            while True:
                job = min(self._jobs.values(), key=lambda each: each.due_at)
                if job.due_at > self._monotonic():
                    await self._idle(job.due_at)
                else:
                    await self._do(job)
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    # ---- one after the other

    async def _idle(self, until: float) -> None:
        """Until then, or until something is due earlier."""
        self._wake.clear()
        if any(job.due_at < until for job in self._jobs.values()):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self._monotonic())):
                await self._wake.wait()

    async def _do(self, job: _Job) -> None:
        begun = self._monotonic()
        job.due_at = math.inf  # a wake-up from now on counts for the next time
        try:
            await self._load()
            more = await job.backlog.step()
        except (SourceError, StoreError) as fault:
            self._failed(job, "store" if isinstance(fault, StoreError) else type(fault).__name__, str(fault))
            return
        except Exception as bug:
            # One source's records must not end the watch of the rest of it; the operator gets the whole story.
            log.exception("watch.step_failed", source=self.name, feed=job.name)
            self._failed(job, type(bug).__name__, "a bug")
            return
        except asyncio.CancelledError:
            job.due_at = begun
            raise
        now = self._monotonic()
        job.good_at = now
        more = more or (job.name == LIVE and bool(self._heard))
        job.due_at = min(job.due_at, now + (job.pause if more else job.every()))
        self._looking.count.looked(self.name, job.name, now - begun)
        self._mended(job)

    async def _load(self) -> None:
        """Where the feeds went on before this process."""
        if self._loaded:
            return
        stored = await self._looking.notices.cursors(self.name)
        self._looking.cursors.update(stored)
        for name in self._feeds:
            if name in stored:
                self._positions.setdefault(name, stored[name])
            if name + BEGAN in stored:  # even if it does not answer now
                self._beginning.discard(name)
        self._loaded = True

    def _failed(self, job: _Job, trouble: str, error: str) -> None:
        # Not earlier for a wake-up: what is away is left alone.
        job.due_at = self._monotonic() + self._pauses.after(job.failures)
        job.failures += 1
        if all(each.trouble != trouble for each in self._jobs.values()):
            log.warning("watch.failed", source=self.name, feed=job.name, trouble=trouble, error=error)
        job.trouble = trouble

    def _mended(self, job: _Job) -> None:
        if not job.failures:
            return
        job.failures, job.trouble = 0, ""
        if not any(each.failures for each in self._jobs.values()):
            log.info("watch.resumed", source=self.name, feed=job.name)

    def _due_now(self, name: str) -> None:
        job = self._jobs[name]
        if not job.failures:
            job.due_at = min(job.due_at, self._monotonic())
            self._wake.set()

    # ---- what there is to look at

    def _make_jobs(self, feeds: Sequence[TimedFeed]) -> Sequence[_Job]:
        """Feeds first: whether they begin anew decides what the others make of dossiers nobody has seen."""
        rules, now = self._rules, self._monotonic()
        jobs = [
            self._job(timed.feed.name, self._filler(timed.feed), _always(timed.every), due_at=now, pause=timed.pause)
            for timed in feeds
        ]
        jobs.append(self._job(LOOKS, self._fill_looks, _always(rules.looks_every), due_at=now))
        jobs.append(self._job(LIVE, self._fill_heard, _always(math.inf), due_at=math.inf))
        followed_from = now + min(rules.followed_every, FOLLOWED_FROM)
        jobs.append(self._job(FOLLOWED, self._fill_followed, self._until_followed, due_at=followed_from))
        return jobs

    def _job(
        self,
        name: str,
        fill: Callable[[], Awaitable[Filling]],
        every: Callable[[], float],
        *,
        due_at: float,
        pause: float = 0.0,
    ) -> _Job:
        backlog = Backlog(looking=self._looking, fill=fill)
        return _Job(name=name, backlog=backlog, every=every, due_at=due_at, good_at=self._monotonic(), pause=pause)

    @property
    def _step_size(self) -> int:
        return max(1, min(self._rules.page, READS_A_STEP * self._looking.source.largest_read))

    @property
    def _baseline(self) -> bool:
        """No feed has said yet that it is past its beginning: what nobody has seen may be years old."""
        return bool(self._feeds) and len(self._beginning) == len(self._feeds)

    def _filler(self, feed: ChangeFeed) -> Callable[[], Awaitable[Filling]]:
        async def fill() -> Filling:
            heard = await self._next(feed)
            if not heard.baseline:
                self._beginning.discard(feed.name)
            moved = heard.cursor is not None and heard.cursor != self._positions.get(feed.name)
            if heard.cursor is not None:
                self._positions[feed.name] = heard.cursor
            batch = Batch(feed=feed.name, codes=heard.codes, cursor=heard.cursor, baseline=heard.baseline)
            return Filling(batches=[batch] if heard.codes or moved else [], more=heard.more)

        return fill

    async def _next(self, feed: ChangeFeed) -> Heard:
        try:
            async with asyncio.timeout(FEED_WITHIN):
                return await feed.next(self._positions.get(feed.name))
        except TimeoutError as late:
            raise SourceUnavailable(f"{self.name}: no answer to {feed.name} within {FEED_WITHIN:g} s") from late

    async def _fill_looks(self) -> Filling:
        looks = await self._looking.notices.looks(self.name, LOOKS_AT_ONCE)
        self._looks_waiting = len(looks)
        return Filling(batches=[self._batch(LOOKS, [look.code for look in each], each) for each in self._cut(looks)])

    async def _fill_heard(self) -> Filling:
        codes, self._heard = list(self._heard), {}
        return Filling(batches=[self._batch(LIVE, each) for each in self._cut(codes)])

    async def _fill_followed(self) -> Filling:
        size = self._step_size
        codes = await self._looking.notices.followed(self.name, self._followed_after, size)
        last = len(codes) < size
        self._followed_after = "" if last else codes[-1].reference
        self._followed_every = self._rules.followed_every if last else self._rules.followed_pause
        return Filling(batches=[self._batch(FOLLOWED, codes)] if codes else [])

    def _until_followed(self) -> float:
        return self._followed_every

    def _batch(self, name: str, codes: Sequence[DossierCode], looks: Sequence[Look] = ()) -> Batch:
        return Batch(feed=name, codes=codes, looks=looks, baseline=self._baseline)

    def _cut(self, things: Sequence[T]) -> Sequence[Sequence[T]]:
        size = self._step_size
        return [things[start : start + size] for start in range(0, len(things), size)]

    # ---- what is heard live

    def _hear(self, heard: Heard) -> None:
        self._heard.update(dict.fromkeys(heard.codes))
        missed = heard.missed or len(self._heard) > HEARD_MOST
        if len(self._heard) > HEARD_MOST:
            self._heard.clear()
        if self._heard:
            self._due_now(LIVE)
        if missed:
            for name in self._feeds:
                self._due_now(name)


def _always(seconds: float) -> Callable[[], float]:
    return lambda: seconds
