"""The process that reads a file of recipients, from outside: begun, listened to, and ended when it takes too much."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from console.broadcasts import reading
from console.broadcasts.file_limits import FileFault, FileRefused
from domain.errors import GatewayError

LONGEST_LINE: Final = 1 << 21  # octets: what reading.lines_of says at once, each sign four of them, and quotes
KEPT_OF_OURS: Final = ("LANG", "LC_ALL", "TMPDIR")  # of our environment; nothing of the settings

Rows = Sequence[Sequence[str]]
ReadRows = Callable[[Path], AsyncGenerator[Rows, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLimits:
    """`memory`: octets of address space; `cpu_s`: seconds of a processor; `silent_s`: seconds without a row."""

    memory: int = 1 << 30
    cpu_s: int = 180
    silent_s: float = 180.0


class ReaderBrokenError(GatewayError):
    """The process that reads ended as none of ours should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReader:
    """Reads one file in one process."""

    limits: ReaderLimits = ReaderLimits()

    async def __call__(self, path: Path) -> AsyncGenerator[Rows, None]:
        """The rows of a file, some at a time; whoever listens no longer ends the process.

        Raises:
            FileRefused: it is none of ours, is damaged, or takes too much to read (HEAVY).
            ReaderBrokenError: a fault of ours.
        """
        process = await self._begun(path)
        try:
            while isinstance(line := await self._line(process), list):
                yield line
            _judge(line)
        finally:
            await _ended(process)

    async def _begun(self, path: Path) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-s",
            "-m",
            reading.__name__,
            str(path),
            str(self.limits.memory),
            str(self.limits.cpu_s),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,  # what an error says may be of the file
            env=_environment(),
            limit=LONGEST_LINE,
        )

    async def _line(self, process: Process) -> reading.Line:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            async with asyncio.timeout(self.limits.silent_s):
                said = await process.stdout.readline()
        except TimeoutError as error:
            raise FileRefused(FileFault.HEAVY) from error
        if not said.endswith(b"\n"):
            code = await process.wait()
            if code < 0:  # a limit ended it, or whoever has no more memory for it
                raise FileRefused(FileFault.HEAVY)
            raise ReaderBrokenError(f"the process that reads a list ended with {code}")
        line: reading.Line = msgspec.json.decode(said, type=reading.Line)
        return line


def _judge(ended: reading.Ended) -> None:
    if ended.bug:
        raise ReaderBrokenError(f"the process that reads a list met {ended.bug}")
    if ended.fault:
        raise FileRefused(FileFault(ended.fault), ended.row)


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _environment() -> Mapping[str, str]:
    """Enough to find our packages, as this process finds them."""
    kept = {name: os.environ[name] for name in KEPT_OF_OURS if name in os.environ}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a library that brings some would fill the memory
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(each or str(Path.cwd()) for each in sys.path)}
