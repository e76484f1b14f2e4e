"""A process that renews Zalo's tokens and stops at one step for ever, so that it can be killed there."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import structlog

from channels.zalo.account import ZaloAccount
from channels.zalo.api import ZaloApi
from channels.zalo.counters import ZaloCounters
from channels.zalo.renewing import SurvivingRenewer
from channels.zalo.tokens import TokenKeeper
from tests.peers.zalo_token_file import FileTokens, now


class Stopping:
    """Says where it is; at `where` it stays. "written" counts only of the new pair."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._answered = False

    def __call__(self, step: str) -> None:
        self._answered = self._answered or step == "answered"
        if step == self._where and (step != "written" or self._answered):
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()
            signal.pause()


async def main(folder: Path, where: str, fields: dict[str, str], *, spooled: bool) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the parent
    account = ZaloAccount(**fields)  # type: ignore[arg-type]
    tokens = FileTokens(folder / "tokens.json", on_step=Stopping(where))
    api = ZaloApi(account)
    renewer = SurvivingRenewer(account, folder) if spooled else api
    keeper = TokenKeeper(account, tokens, renewer, ZaloCounters(), clock=now, monotonic=time.monotonic)
    stored = await tokens.load(account.name)
    assert stored is not None
    await keeper.renew(stored.pair.access_token)
    await api.close()
    sys.stdout.write("used\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    names = ("name", "app_id", "oa_id", "oa_secret", "app_secret", "api_url", "oauth_url")
    told = dict(zip(names, sys.argv[4:], strict=True))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], told, spooled=sys.argv[3] == "spooled"))
