"""The texts of the QR codes and barcodes in a picture, decoded in a process of its own.

A process and not a thread: the decoders are C and C++ over files of strangers. A thread that hangs in one can never be
ended, and one that crashes takes the gateway along; a process is killed and another is started. What that costs was
measured: 0.1 s at the first picture, 25 to 55 MB, and less than a millisecond for handing a picture over; a photograph of
12 megapixels takes a third of a second in either, and holds the event loop up half as long as a thread does (8 against
18 ms). The worker is given no secret: its environment is nearly empty.
"""

from __future__ import annotations

import asyncio
import enum
import json
import os
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from domain.errors import ChannelError
from domain.text import safe_text

WORKER: Final = Path(__file__).with_name("media_worker.py")
HEADER: Final = struct.Struct(">I")
LONGEST_ANSWER: Final = 64 * 1024  # octets; eight texts of 512 characters are fewer
LONGEST_TEXT: Final = 512
INHERITED: Final = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
)  # where the interpreter finds itself; no secret stands there

log = structlog.get_logger()


class Refusal(enum.StrEnum):
    """Why a picture was not read. What is wrong with the picture, then what is wrong with us."""

    TOO_LARGE = "too_large"  # octets
    NOT_A_PICTURE = "not_a_picture"  # or none of the formats we read
    TOO_MANY_PIXELS = "too_many_pixels"
    DAMAGED = "damaged"
    TOO_SLOW = "too_slow"
    BUSY = "busy"  # too many wait already
    FAILED = "failed"  # the worker died, or could not be started


class PictureRefused(ChannelError):
    """This picture was not read; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the picture was not read: {refusal}")
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """How much of a picture, and of our machine, at most. Times are seconds.

    Raises:
        ValueError: one of them is not positive.
    """

    octets: int = 5 * 1024 * 1024  # as Zalo and Telegram make of photographs; a document may be larger
    pixels: int = 40_000_000  # checked before anything is decoded
    decoding: float = 3.0  # then the worker is killed
    starting: float = 10.0
    waiting: int = 20  # pictures being read or waiting for it; beyond, they are refused
    workers: int = 1
    memory: int = 1024**3  # octets of address space of one worker

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")


class PictureReader:
    """Reads pictures, so many at a time; workers start with the first picture. `close` ends them."""

    def __init__(self, limits: PictureLimits | None = None, *, worker: Path = WORKER) -> None:
        self._limits = limits or PictureLimits()
        self._idle: list[_Worker | None] = [None] * self._limits.workers  # None: to be started
        self._script = worker
        self._turn = asyncio.Semaphore(self._limits.workers)
        self._inside = 0
        self._closed = False

    async def read(self, data: bytes) -> Sequence[str]:
        """The texts of the codes in a picture, the likeliest first; none when there is no code in it.

        Raises:
            PictureRefused: it was not read; nothing else is raised, whatever the octets are.
        """
        if len(data) > self._limits.octets:
            raise PictureRefused(Refusal.TOO_LARGE)
        if not looks_like_a_picture(data):
            raise PictureRefused(Refusal.NOT_A_PICTURE)
        if self._closed or self._inside >= self._limits.waiting:
            raise PictureRefused(Refusal.BUSY)
        self._inside += 1
        try:
            async with self._turn:
                if self._closed:
                    raise PictureRefused(Refusal.BUSY)
                async with self._borrowed() as worker:
                    return await worker.decode(data)
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """End the workers. A picture that is being read is finished first, one that waits is refused."""
        self._closed = True
        for _ in range(self._limits.workers):
            await self._turn.acquire()
            worker = self._idle.pop()
            if worker is not None:
                await worker.end()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Worker]:
        """A worker for one picture: it is kept if it answered, and killed whatever else happened."""
        worker = self._idle.pop() or _Worker(self._script, self._limits)
        sound: _Worker | None = None
        try:
            yield worker
            sound = worker
        except PictureRefused as refused:
            sound = worker if refused.refusal in OF_THE_PICTURE else None
            raise
        finally:
            self._idle.append(sound)
            if sound is None:
                await worker.end()


OF_THE_PICTURE: Final = frozenset({Refusal.NOT_A_PICTURE, Refusal.TOO_MANY_PIXELS, Refusal.DAMAGED})


class _Worker:
    """One process; it is started with its first picture."""

    def __init__(self, script: Path, limits: PictureLimits) -> None:
        self._script = script
        self._limits = limits
        self._process: Process | None = None

    async def decode(self, data: bytes) -> Sequence[str]:
        """Hand one picture over and wait for what is in it.

        Raises:
            PictureRefused: as the worker said, or it was too slow, or is gone: then it must be ended.
        """
        process = self._process or await self._started()
        try:
            async with asyncio.timeout(self._limits.decoding):
                return await self._asked(process, data)
        except TimeoutError:
            log.warning("media.worker_lost", reason=Refusal.TOO_SLOW.value)
            raise PictureRefused(Refusal.TOO_SLOW) from None
        except (OSError, EOFError, ValueError) as error:
            log.warning("media.worker_lost", reason=type(error).__name__)
            raise PictureRefused(Refusal.FAILED) from None

    async def end(self) -> None:
        """Kill it; there is nothing in it worth keeping."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _started(self) -> Process:
        """A process that has loaded its decoders.

        Raises:
            PictureRefused: it did not start.
        """
        command = [sys.executable, "-P", str(self._script), str(self._limits.pixels), str(self._limits.memory)]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            async with asyncio.timeout(self._limits.starting):
                # A session of its own: Ctrl-C at the terminal is for the gateway, which then ends it.
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
                )
                await _answer(self._process)
        except (OSError, EOFError, ValueError) as error:  # a TimeoutError is an OSError
            log.error("media.worker_not_started", error=type(error).__name__)  # noqa: TRY400 - no octets in a traceback
            raise PictureRefused(Refusal.FAILED) from None
        return self._process

    @staticmethod
    async def _asked(process: Process, data: bytes) -> Sequence[str]:
        assert process.stdin is not None  # noqa: S101 - it was opened with a pipe
        process.stdin.write(HEADER.pack(len(data)) + data)
        await process.stdin.drain()
        return await _answer(process)


async def _answer(process: Process) -> Sequence[str]:
    """What the worker said. It decodes files of strangers, so its words are checked like theirs.

    Raises:
        PictureRefused: it said why it did not read the picture.
        EOFError, ValueError: it said something else, or nothing.
    """
    assert process.stdout is not None  # noqa: S101 - it was opened with a pipe
    (length,) = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
    if length > LONGEST_ANSWER:
        raise ValueError("an answer that long is none")
    answer = json.loads(await process.stdout.readexactly(length))
    match answer:
        case {"texts": [*texts]} if all(isinstance(text, str) for text in texts):
            return tuple(filter(None, (safe_text(text, LONGEST_TEXT) for text in texts)))
        case {"error": str(reason)} if reason in OF_THE_PICTURE:
            raise PictureRefused(Refusal(reason))
    raise ValueError("the worker's answer cannot be read")


def looks_like_a_picture(data: bytes) -> bool:
    """It begins as a JPEG, PNG, GIF or WEBP does; an SVG or a page of HTML never reaches a decoder."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")) or (
        data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    )
