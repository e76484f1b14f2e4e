"""Dossiers that change one at a time, and the ways by which their system tells a gateway of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp
from click.testing import CliRunner

from demo.process import GatewayProcess
from domain.dossier import DossierStatus
from gateway.cli import cli
from tests.onestop.changing import ChangingSystem

KEY: Final = ("2026-1", "a secret of the tests, thirty-two or more")  # of the webhook: its id and its secret

AfterCommit = Callable[[str], Awaitable[None]]


async def nothing(_code: str) -> None:
    """The system tells nobody."""


async def change_singly(
    system: ChangingSystem, codes: Sequence[str], pace: float, after: AfterCommit = nothing, *, seed: int
) -> None:
    """One after another, about `pace` of them in a second, at moments nobody can foresee."""
    dice = random.Random(f"{seed} {system.name} singles")
    async with system.hand() as hand:
        for code in codes:
            await asyncio.sleep(dice.expovariate(pace))  # else a poll would always be equally far
            await system.move(hand, code, next_state(system, code))
            await after(code)


def next_state(system: ChangingSystem, code: str) -> DossierStatus:
    """Another one than before, told by the usual text."""
    return DossierStatus.IN_PROCESS if system.now(code) is DossierStatus.ACCEPTED else DossierStatus.DONE


def signed(body: bytes) -> str:
    """The header as docs/webhooks.md says it is made, by nobody else's code."""
    moment, nonce = int(time.time()), uuid.uuid4().hex
    mac = hmac.new(KEY[1].encode(), f"{moment}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},k={KEY[0]},n={nonce},v1={mac}"


@asynccontextmanager
async def caller(gateway: GatewayProcess, source: str) -> AsyncIterator[AfterCommit]:
    """A one-stop system that calls the webhook."""
    async with aiohttp.ClientSession() as http:

        async def call(code: str) -> None:
            body = json.dumps({"codes": [code]}).encode()
            headers = {"Content-Type": "application/json", "Tracuu-Signature": signed(body)}
            async with http.post(f"{gateway.public}/hooks/onestop/{source}", data=body, headers=headers) as response:
                assert response.status == HTTPStatus.ACCEPTED, await response.text()

        yield call


def install_trigger(gateway: GatewayProcess, system: ChangingSystem) -> None:
    """What its owner does with what `tracuu source trigger` prints."""
    printed = CliRunner().invoke(cli, ["source", "trigger", "--config", str(gateway.config), system.name])
    assert printed.exit_code == 0, printed.output
    system.database.execute(printed.stdout)


async def listened(system: ChangingSystem) -> None:
    """Wait until the gateway listens."""
    asked = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tracuu-listen'"
    async with system.hand() as hand:
        while not await hand.rows(asked):  # noqa: ASYNC110 - another process begins to
            await asyncio.sleep(0.05)
