"""A page of ours as PDF, made by WeasyPrint in a process of its own, which is started for one page and ends with it.

A process and not a thread: WeasyPrint takes a second to be imported and a fifth of one for a receipt, all of it holding the
interpreter, and what a page says was typed by people. It is rare, since paper is printed from the browser, so that nothing
is kept running for it. The process reads nothing but our own style sheets and is given no secret in its environment.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Final

import structlog

WORKER: Final = Path(__file__).with_name("pdf_worker.py")
EXTRA: Final = "weasyprint"  # tracuu-gateway[pdf]
AT_ONCE: Final = 1
SLOWEST_S: Final = 30.0
NO_LIBRARY: Final = 3  # how the worker ends where Pango is not to be had
INHERITED: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME", "XDG_CACHE_HOME", "FONTCONFIG_PATH")

log = structlog.get_logger()


class PdfAbsent(Exception):
    """WeasyPrint, or the Pango under it, is not installed."""


class PdfFailed(Exception):
    """It was not made; the log says more."""


class PdfMaker:
    """Makes one at a time; whoever comes meanwhile waits. `installed`: whether the extra is there."""

    __slots__ = ("_installed", "_turn", "_worker")

    def __init__(self, *, worker: Path = WORKER, installed: bool | None = None) -> None:
        self._worker = worker
        self._installed = importlib.util.find_spec(EXTRA) is not None if installed is None else installed
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def make(self, page: str) -> bytes:
        """The page as PDF/UA-1.

        Raises:
            PdfAbsent: the extra is not installed.
            PdfFailed: it was not made.
        """
        if not self._installed:
            raise PdfAbsent
        async with self._turn:
            code, made = await self._run(page.encode())
        if code == NO_LIBRARY:
            raise PdfAbsent
        if code != 0 or not made.startswith(b"%PDF-"):
            log.error("intake.pdf_failed", code=code)
            raise PdfFailed
        return made

    async def _run(self, page: bytes) -> tuple[int | None, bytes]:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(self._worker),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            log.error("intake.pdf_failed", error=type(error).__name__)  # noqa: TRY400 - nothing of a page in a log
            raise PdfFailed from None
        try:
            async with asyncio.timeout(SLOWEST_S):
                made, _ = await process.communicate(page)
        except TimeoutError:
            return None, b""
        finally:
            if process.returncode is None:  # it is too slow, or nobody waits for it any more
                process.kill()
                await process.wait()
        return process.returncode, made
