"""Looking into a file in a process of its own, which is killed when it takes too long or too much.

A process and not a thread, one for each file: what a decoder does to its memory ends with the file, and no file sees
another's. What that costs is the start of an interpreter, a quarter of a second; a file is handed in by a person.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from intake.uploads.kinds import FORMATS, FileFormat, Sniffed, UploadRefusal
from intake.uploads.names import safe_file_name

WORKER: Final = "intake.uploads.worker"
LONGEST_ANSWER: Final = 4_096  # octets
LONGEST_NAME: Final = 4_000  # characters of a typed name, from its end
# Where the interpreter finds itself; no secret stands there.
INHERITED: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionLimits:
    """How much of this machine one file may cost. Times are seconds.

    Raises:
        ValueError: one of them is not positive.
    """

    memory: int = 1024**3  # octets of address space; a picture of 80 million pixels needs half of it
    processor: int = 20
    waiting: float = 60.0  # by the clock on the wall; then it is killed
    at_once: int = 2
    queue: int = 30  # files being looked into or waiting for it; beyond, they are refused

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")


class FileInspector:
    """Looks into files, so many at a time. Holds no process while it has nothing to do."""

    def __init__(self, limits: InspectionLimits | None = None, *, worker: str = WORKER) -> None:
        self._limits = limits or InspectionLimits()
        self._worker = worker
        self._turn = asyncio.Semaphore(self._limits.at_once)
        self._inside = 0

    async def inspect_file(self, path: Path, name: str, allowed: Collection[str]) -> Sniffed | UploadRefusal:
        """What this file is, or why it is not taken; `name` as it was typed, `allowed` names of FileFormat. Raises nothing,
        whatever the file is; cancelled, its process is gone.
        """
        if self._inside >= self._limits.queue:
            return UploadRefusal.BUSY
        self._inside += 1
        try:
            async with self._turn:
                return await self._asked(path, name, allowed)
        finally:
            self._inside -= 1

    async def _asked(self, path: Path, name: str, allowed: Collection[str]) -> Sniffed | UploadRefusal:
        question = json.dumps({"path": str(path), "name": name[-LONGEST_NAME:], "allowed": sorted(allowed)}).encode(
            "ascii"
        )
        process: Process | None = None
        try:
            async with asyncio.timeout(self._limits.waiting):
                process = await self._started()
                said, _ = await process.communicate(question)
            return _understood(said, name)
        except TimeoutError:
            return self._lost(UploadRefusal.TOO_SLOW, "time")
        except (OSError, ValueError) as error:
            slow = process is not None and process.returncode in _KILLED_FOR_TIME
            return self._lost(UploadRefusal.TOO_SLOW if slow else UploadRefusal.FAILED, type(error).__name__)
        finally:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    async def _started(self) -> Process:
        command = [sys.executable, "-P", "-m", self._worker, str(self._limits.memory), str(self._limits.processor)]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        # A session of its own: Ctrl-C at the terminal is for the gateway, which then ends it.
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
        )

    @staticmethod
    def _lost(why: UploadRefusal, reason: str) -> UploadRefusal:
        log.warning("intake.inspection_lost", refusal=why.value, reason=reason)
        return why


_KILLED_FOR_TIME: Final = (-24, -9)  # SIGXCPU, and SIGKILL where the first was not enough


def _understood(said: bytes, typed: str) -> Sniffed | UploadRefusal:
    """What the worker said. It reads files of strangers, so its words are checked like theirs; the name is made here.

    Raises:
        ValueError: it said nothing, or something else.
    """
    if len(said) > LONGEST_ANSWER:
        raise ValueError("an answer that long is none")
    match json.loads(said):
        case {"format": str(kind)}:
            true = FileFormat(kind)
            return Sniffed(format=true, media_type=FORMATS[true].media_type, name=safe_file_name(typed, true))
        case {"refused": str(why)}:
            return UploadRefusal(why)
    raise ValueError("the worker's answer cannot be read")
