"""Spends refresh tokens by way of a small process that outlives us: a pair the platform gave is on this machine's disk,
whatever kills the gateway. Shown the same token again, it answers with the pair that token has brought.

What it does not help against is the end of the whole machine, or of everything the gateway has started, in the one round
trip between the platform's spending and the file.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from channels.zalo.account import ZaloAccount
from channels.zalo.api import TOKENS, Grant, read_grant
from channels.zalo.errors import NoAnswer, NotSent

CHILD: Final = "channels.zalo.renewal_child"
GRACE: Final = 3.0  # seconds for it to start and to end


class Kept(msgspec.Struct, frozen=True):
    """What stands in the file: the answer to the token whose hash is `answers`. `at`: seconds since 1970."""

    answers: str = msgspec.field(name="for")
    at: float
    status: int
    body: str


class SurvivingRenewer:
    """Implements channels.zalo.tokens.Renewer. folder: where answers are kept, readable by this user alone."""

    def __init__(self, account: ZaloAccount, folder: Path) -> None:
        self._account = account
        self._file = folder / f"zalo-{account.name}.json"

    async def renew(self, refresh_token: str) -> Grant:
        """As channels.zalo.api.ZaloApi.renew, and raises the same."""
        digest = hashlib.sha256(refresh_token.encode()).hexdigest()
        kept = self._kept(digest)
        if kept is not None:
            return kept
        told = await self._asked(self._order(refresh_token, digest))
        if not told.get("sent", True):
            raise NotSent("the platform cannot be reached, or its answer could not be kept in the spool")
        if "status" not in told:
            raise NoAnswer("the platform did not answer")
        return read_grant(told["status"], told["body"].encode())

    def _kept(self, digest: str) -> Grant | None:
        """The pair this token has brought before; its access token is as old as the file says."""
        try:
            kept = _KEPT.decode(self._file.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        if kept.answers != digest:
            return None
        try:
            grant = read_grant(kept.status, kept.body.encode())
        except Exception:  # noqa: BLE001 - a refusal is kept, too, and is asked for anew
            return None
        age = max(0.0, time.time() - kept.at)
        return Grant(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            expires_in=max(0.0, grant.expires_in - age),
        )

    def _order(self, refresh_token: str, digest: str) -> bytes:
        account = self._account
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "app_id": account.app_id}
        order: dict[str, Any] = {
            "url": account.oauth_url + TOKENS,
            "headers": {"secret_key": account.app_secret},
            "form": form,
            "connect_patience": account.connect_timeout,
            "patience": account.timeout,
            "file": str(self._file),
            "for": digest,
        }
        return json.dumps(order).encode() + b"\n"

    async def _asked(self, order: bytes) -> dict[str, Any]:
        """Raises NotSent, NoAnswer."""
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", CHILD),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent.parent,
                start_new_session=True,  # what is sent to our group does not reach it
            )
        except OSError as error:
            raise NotSent(f"no process could be started ({type(error).__name__})") from error
        try:
            async with asyncio.timeout(self._account.timeout + self._account.connect_timeout + GRACE):
                line, _ = await child.communicate(order)
        except TimeoutError as error:
            raise NoAnswer("the platform did not answer in time") from error
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise NoAnswer("the process that asked has died") from error
        return told


_KEPT = msgspec.json.Decoder(Kept)
