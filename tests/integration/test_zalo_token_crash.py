"""kill -9 in the middle of a renewal, at every step. Nothing is lost where a process of its own spends the token, nor
where the platform takes a spent token again for a moment. Otherwise what cannot be kept is known at once, and the account
goes on with the token it has.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.zalo.api import ZaloApi
from channels.zalo.counters import ZaloCounters
from channels.zalo.ports import StoredTokens
from channels.zalo.renewing import SurvivingRenewer
from channels.zalo.tokens import TokenKeeper
from demo.zalo import ZaloPlatform
from tests.peers.zalo_desk import ACCOUNT, account_at, now, until
from tests.peers.zalo_token_file import FileTokens

PATIENCE = 120.0
LATER = timedelta(hours=21)  # the next renewal is due, and whatever was begun is over; the token lives for 25 hours
STEPS = ("begun", "sent", "answered", "written", "saved", "used")
SPENT_AND_NOT_SAVED = frozenset({"sent", "answered", "written"})


@dataclass
class Place:
    """The platform, and what the processes that come and go share."""

    platform: ZaloPlatform
    folder: Path
    seed: str  # in the settings
    spooled: bool = False

    async def stored(self) -> StoredTokens:
        stored = await FileTokens(self.folder / "tokens.json").load(ACCOUNT)
        assert stored is not None
        return stored

    @asynccontextmanager
    async def keeper(self, later: timedelta = timedelta()) -> AsyncIterator[TokenKeeper]:
        """Of a new process, `later` than now."""
        account = account_at(self.platform, refresh_token=self.seed)

        def clock() -> datetime:
            return now() + later

        tokens = FileTokens(self.folder / "tokens.json", clock)
        api = ZaloApi(account)
        renewer = SurvivingRenewer(account, self.folder) if self.spooled else api
        keeper = TokenKeeper(account, tokens, renewer, ZaloCounters(), clock=clock, monotonic=time.monotonic)
        try:
            yield keeper
        finally:
            await api.close()

    async def renewed_and_killed(self, step: str) -> None:
        """A process begins to renew, and is killed there."""
        self.platform.grant_done.clear()
        self.platform.faults.held_grants = asyncio.Event() if step == "sent" else None
        account = account_at(self.platform)
        fields = ("name", "app_id", "oa_id", "oa_secret", "app_secret", "api_url", "oauth_url")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.integration.zalo_renew_until_killed", str(self.folder), step),
            "spooled" if self.spooled else "here",
            *(getattr(account, name) for name in fields),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            if step == "sent":
                await self.platform.grant_done.wait()
            else:
                assert await child.stdout.readline() == f"{step}\n".encode()
        child.kill()
        await child.wait()
        if self.platform.faults.held_grants is not None:
            self.platform.faults.held_grants.set()
            self.platform.faults.held_grants = None

    async def takes(self, access_token: str) -> bool:
        """The platform takes a message with it."""
        self.platform.person("11").spoke_at = now()
        api = ZaloApi(account_at(self.platform))
        try:
            sent = await api.send(access_token, {"recipient": {"user_id": "11"}, "message": {"text": "Hồ sơ đã xong"}})
        finally:
            await api.close()
        return sent.code == 0


@asynccontextmanager
async def place(folder: Path, *, grace: float = 0.0, spooled: bool = False) -> AsyncIterator[Place]:
    platform = ZaloPlatform(grace=grace)
    async with platform.serving():
        here = Place(platform, folder, platform.authorise(), spooled)
        async with here.keeper() as keeper:
            await keeper._turn()
            assert keeper.token
        yield here


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_nothing_is_ever_lost_where_another_process_spends_the_token(
    tmp_path: Path, step: str
) -> None:
    async with place(tmp_path, spooled=True) as here:
        first = (await here.stored()).pair
        await here.renewed_and_killed(step)
        if step == "sent":  # whoever asked is dead, and the answer comes nevertheless
            await until(lambda: here.platform.refresh_token in (tmp_path / f"zalo-{ACCOUNT}.json").read_text())
        with capture_logs() as lines:
            async with here.keeper(LATER) as keeper:
                await keeper._turn()
                assert keeper.token != first.access_token
                assert (await here.stored()).pair.refresh_token == here.platform.refresh_token
                assert await here.takes(keeper.token)
                assert await keeper.renew(keeper.token)  # and the next one works as ever
        assert not [line for line in lines if line["event"] == "zalo.authorisation_lost"]
        assert here.platform.refusals == 0


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_nothing_is_lost_where_the_platform_is_patient(tmp_path: Path, step: str) -> None:
    async with place(tmp_path, grace=60.0) as here:
        first = (await here.stored()).pair
        await here.renewed_and_killed(step)
        async with here.keeper(LATER) as keeper:
            await keeper._turn()
            assert keeper.token != first.access_token
            stored = await here.stored()
            assert stored.pair.refresh_token == here.platform.refresh_token
            assert not stored.begun
            assert await here.takes(keeper.token)
            assert await keeper.renew(keeper.token)  # and the next one works as ever


@pytest.mark.parametrize("step", STEPS)
async def test_killed_where_the_platform_is_not_patient_a_loss_is_known_at_once(tmp_path: Path, step: str) -> None:
    async with place(tmp_path) as here:
        first = (await here.stored()).pair
        await here.renewed_and_killed(step)
        with capture_logs() as lines:
            async with here.keeper(LATER) as keeper:
                await keeper._turn()
        alarms = [line for line in lines if line["event"] == "zalo.authorisation_lost"]
        assert await here.takes(keeper.token)
        if step in SPENT_AND_NOT_SAVED:
            assert [alarm["in_doubt"] for alarm in alarms] == [True]
            assert keeper.token == first.access_token
        else:
            assert alarms == []
            assert keeper.token != first.access_token
            assert (await here.stored()).pair.refresh_token == here.platform.refresh_token


async def test_after_a_loss_a_persons_new_token_is_all_it_takes(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.renewed_and_killed("answered")
        here.seed = here.platform.authorise()
        async with here.keeper() as keeper:
            await keeper._turn()
            assert await here.takes(keeper.token)


async def test_a_person_may_bring_a_code_instead_of_a_token(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        api = ZaloApi(account_at(here.platform))
        try:
            grant = await api.authorise(here.platform.consent("verifier"), "verifier")
        finally:
            await api.close()
        assert await here.takes(grant.access_token)
