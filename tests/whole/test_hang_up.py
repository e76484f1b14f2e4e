"""SIGHUP, from the habit of `kill -HUP` or from a terminal that is gone, ends nothing and loses nothing."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from demo.process import GatewayProcess
from demo.smsc import Smsc
from tests.whole.gateways import SHORT_CODE, Account, actions, assert_quiet, make_gateway, running

PATIENCE = 120.0
LOOK_AGAIN = 0.05  # seconds
CODE = "H51.18-250701-0001"
AT_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


async def test_a_hang_up_is_told_and_people_are_answered_as_before(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port))
        async with running(gateway):
            os.kill(gateway.pid, signal.SIGHUP)
            while not actions(tmp_path)["process.not_reloaded"]:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(LOOK_AGAIN)
            ticket = await smsc.send_mo("84912345678", SHORT_CODE, CODE)
            assert CODE in (await ticket.reply()).text
            assert await gateway.stop() == 0
    told = actions(tmp_path)
    assert (told["process.not_reloaded"], told["sms.bound"]) == (1, 1)
    assert_quiet(tmp_path)


@asynccontextmanager
async def at_a_terminal(gateway: GatewayProcess) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """It runs in the foreground of a terminal, and its log goes there; with the terminal's other end."""
    ours, its = pty.openpty()
    environment = os.environ | {
        "TRACUU_LISTEN__PUBLIC__PORT": str(gateway.public_port),
        "TRACUU_LISTEN__OPERATIONS__PORT": str(gateway.operations_port),
        "TRACUU_LISTEN__STAFF__PORT": "0",
    }
    command = (sys.executable, "-c", AT_A_TERMINAL, "-m", "gateway.cli", "serve", "--config", str(gateway.config))
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    try:
        yield process, ours
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def read_until(terminal: int, word: bytes) -> None:
    said = b""
    while word not in said:
        said += await asyncio.to_thread(os.read, terminal, 65_536)


async def test_a_terminal_that_is_gone_takes_nothing_with_it(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), Smsc() as smsc:
        gateway = make_gateway(tmp_path, Account(port=smsc.port))
        async with at_a_terminal(gateway) as (process, terminal):
            await read_until(terminal, b"process.ready")
            await smsc.bound()
            os.close(terminal)  # the line is cut: SIGHUP for whoever is in its foreground, and no place to write to
            ticket = await smsc.send_mo("84912345678", SHORT_CODE, CODE)
            assert CODE in (await ticket.reply()).text
            async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/readyz") as response:
                assert response.status == 200
            process.terminate()
            assert await process.wait() == 0
