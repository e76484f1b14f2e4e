"""Runs the parts of the process: started in order, watched, stopped in reverse, and always within a bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from channels.base import Health
from domain.errors import CredentialsRefused
from gateway.exit_codes import ExitCode, exit_code_for

log = structlog.get_logger()

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class OnCrash(enum.StrEnum):
    """What follows when a part ends by itself."""

    RESTART = "restart"  # after a pause that grows
    END = "end"  # the process cannot do without it


async def nothing() -> None:
    """The default of a part that has nothing to open, drain or close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One named part of the process.

    `take` holds what somebody else might hold instead of us (an address to listen on) and speaks with nobody: every part
    takes before the first one starts, so that who cannot serve here has bothered nobody outside. `start` opens what the
    part needs and returns when it is ready; what either raises ends the process (exit_codes).
    `run` works until cancelled. `drain` takes nothing new in and finishes what is under way; `close` gives everything
    back and is called even if `take` or `start` failed half way. `channel`: a way for people to reach us; when credentials were
    refused to the last of them, the process ends.
    """

    name: str
    run: Callable[[], Awaitable[None]] | None = None
    take: Callable[[], Awaitable[None]] | None = None
    start: Callable[[], Awaitable[None]] = nothing
    drain: Callable[[], Awaitable[None]] = nothing
    close: Callable[[], Awaitable[None]] = nothing
    on_crash: OnCrash = OnCrash.RESTART
    channel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds before a crashed part runs again: doubled up to `highest_s`, with jitter, forgotten after `steady_s`."""

    first_s: float = 0.5
    highest_s: float = 30.0
    steady_s: float = 60.0

    def pause(self, crashes: int) -> float:
        """The pause after so many crashes in a row (1-based)."""
        longest = min(self.highest_s, self.first_s * 2.0 ** min(crashes - 1, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # jitter is no secret


@dataclass(slots=True)
class _Running:
    part: Part
    task: asyncio.Task[None] | None = None
    begun: bool = False  # there may be something to close
    started: bool = False
    trouble: str = ""  # empty: it runs
    refused: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs parts once. `run` returns the exit code; `stop` asks it to."""

    parts: Sequence[Part]
    drain_timeout_s: float = 10.0
    backoff: Backoff = field(default_factory=Backoff)
    _running: dict[str, _Running] = field(default_factory=dict, init=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _code: ExitCode = field(default=ExitCode.OK, init=False)
    _started: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def stop(self, code: ExitCode = ExitCode.OK) -> None:
        """End the process in good order; asked again, without waiting for what is under way."""
        if self._stop.is_set():
            self._hurry.set()
            return
        self._code = code
        self._stop.set()

    async def started(self) -> None:
        """Wait until every part has started."""
        await self._started.wait()

    @property
    def stopping(self) -> bool:
        """Nothing new is taken in any more."""
        return self._stop.is_set()

    async def health(self) -> Health:
        """One line for /readyz: every part runs, or which do not."""
        if self.stopping:
            return Health(ok=False, detail="stopping")
        if not self._started.is_set():
            return Health(ok=False, detail="starting")
        troubled = [f"{name}: {running.trouble}" for name, running in self._running.items() if running.trouble]
        return Health(ok=not troubled, detail="; ".join(troubled))

    async def run(self) -> ExitCode:
        """Start everything, work until stopped, stop everything.

        Raises:
            GatewayError: a part could not start; what had started is stopped first.
        """
        with self._signals():
            try:
                await self._start_all()
                await self._stop.wait()
            finally:
                self._stop.set()
                await self._stop_all()
        log.info("process.ended", exit_code=int(self._code))
        return self._code

    # ---- starting and watching

    async def _start_all(self) -> None:
        self._running.update((part.name, _Running(part)) for part in self.parts)
        for step in (self._take, self._start):
            for running in self._running.values():
                if self._stop.is_set():
                    return
                await step(running)
        self._started.set()
        log.info("process.ready", parts=len(self.parts))

    async def _take(self, running: _Running) -> None:
        if running.part.take is not None:
            running.begun = True
            await running.part.take()

    async def _start(self, running: _Running) -> None:
        part, running.begun = running.part, True
        await part.start()
        running.started = True
        if part.run is not None:
            running.task = asyncio.create_task(self._watch(running, part.run), name=part.name)
        log.info("part.started", part=part.name)

    async def _watch(self, running: _Running, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part over and over until it may not."""
        crashes = 0
        while not self.stopping:
            begun = asyncio.get_running_loop().time()
            crash = await self._run_once(running, run)
            steady = asyncio.get_running_loop().time() - begun >= self.backoff.steady_s
            crashes = 1 if steady else crashes + 1
            if self.stopping or not self._may_restart(running, crash):
                return
            pause = self.backoff.pause(crashes)
            log.warning("part.restarting", part=running.part.name, pause_s=round(pause, 3), crashes=crashes)
            await asyncio.sleep(pause)

    async def _run_once(self, running: _Running, run: Callable[[], Awaitable[None]]) -> Exception:
        running.trouble = ""
        try:
            await run()
        except CredentialsRefused as error:
            log.error("part.refused", part=running.part.name, error=str(error))  # noqa: TRY400  # no bug, no traceback
            running.trouble, running.refused = "credentials refused", True
            return error
        except Exception as error:
            log.exception("part.crashed", part=running.part.name)
            running.trouble = f"crashed ({type(error).__name__})"
            return error
        if not self.stopping:
            log.warning("part.ended", part=running.part.name)
        running.trouble = "ended by itself"
        return RuntimeError("ended by itself")

    def _may_restart(self, running: _Running, crash: Exception) -> bool:
        if running.refused:
            if self._no_channel_left() or running.part.on_crash is OnCrash.END:
                self.stop(ExitCode.CREDENTIALS_REFUSED)
            return False
        if running.part.on_crash is OnCrash.END:
            code = exit_code_for(crash)
            self.stop(code)
            return False
        return True

    def _no_channel_left(self) -> bool:
        channels = [part.name for part in self.parts if part.channel]
        return bool(channels) and all(name in self._running and self._running[name].refused for name in channels)

    # ---- stopping

    async def _stop_all(self) -> None:
        """In reverse: whoever takes things in stops before whoever they are handed to."""
        deadline = asyncio.get_running_loop().time() + self.drain_timeout_s
        for running in reversed(self._running.values()):
            if running.begun:
                await self._stop_one(running, deadline)

    async def _stop_one(self, running: _Running, deadline: float) -> None:
        part = running.part
        if running.started and not running.refused:
            await self._within("drain", part.name, part.drain(), deadline)
        if running.task is not None:
            running.task.cancel()
            await asyncio.wait({running.task})
        await self._within("close", part.name, part.close(), max(deadline, asyncio.get_running_loop().time() + 1.0))
        log.info("part.stopped", part=part.name)

    async def _within(self, step: str, name: str, work: Awaitable[None], deadline: float) -> None:
        """Do `work`, no longer than until `deadline` nor, for a drain, than a second signal."""
        task = asyncio.ensure_future(work)
        hurry = asyncio.create_task(self._hurry.wait())
        waiting: set[asyncio.Future[object]] = {task, hurry} if step == "drain" else {task}  # type: ignore[arg-type]
        left = max(deadline - asyncio.get_running_loop().time(), 0.0)
        await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not task.done():
            task.cancel()
            log.warning("part.stop_cut_short", part=name, step=step)
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Exception):
            log.error("part.stop_failed", part=name, step=step, error=repr(outcome))

    # ---- signals

    def _signals(self) -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], None]] = {signal.SIGHUP: self._on_hang_up}
        handlers |= {number: partial(self._on_signal, number) for number in STOP_SIGNALS}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
            stack.callback(loop.remove_signal_handler, number)
        return stack

    def _on_signal(self, number: signal.Signals) -> None:
        log.info("process.stop_asked", signal=signal.Signals(number).name)
        self.stop()

    def _on_hang_up(self) -> None:
        """Whoever means a reload, and whoever closes a terminal, does not mean the end."""
        log.warning("process.not_reloaded", hint="settings are read at the start only; restart to apply them")
