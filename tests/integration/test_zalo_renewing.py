"""The process that spends a refresh token: it outlives us, tells nobody else, and spends nothing it could not keep."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from channels.zalo.account import ZaloAccount
from channels.zalo.api import GrantRefused
from channels.zalo.errors import NoAnswer, NotSent
from channels.zalo.renewing import CHILD, SurvivingRenewer
from demo.zalo import ZaloPlatform
from tests.peers.zalo_desk import ACCOUNT, account_at, zalo_desk


@pytest.fixture
async def platform() -> AsyncIterator[ZaloPlatform]:
    platform = ZaloPlatform()
    async with platform.serving():
        platform.authorise()
        yield platform


@pytest.fixture
def account(platform: ZaloPlatform) -> ZaloAccount:
    return account_at(platform)


async def test_the_same_token_brings_the_same_pair_and_is_spent_once(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path
) -> None:
    seed = platform.refresh_token
    first = await SurvivingRenewer(account, tmp_path).renew(seed)
    again = await SurvivingRenewer(account, tmp_path).renew(seed)  # another process, later
    assert (again.access_token, again.refresh_token) == (first.access_token, first.refresh_token)
    assert again.expires_in <= first.expires_in
    assert platform.grants == 1
    following = await SurvivingRenewer(account, tmp_path).renew(first.refresh_token)
    assert following.refresh_token == platform.refresh_token


async def test_what_is_kept_nobody_else_may_read(platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path) -> None:
    await SurvivingRenewer(account, tmp_path).renew(platform.refresh_token)
    assert stat.S_IMODE((tmp_path / f"zalo-{ACCOUNT}.json").stat().st_mode) == 0o600


async def test_a_refusal_is_told_and_asked_for_anew(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path
) -> None:
    renewer = SurvivingRenewer(account, tmp_path)
    for _ in range(2):
        with pytest.raises(GrantRefused):
            await renewer.renew("revoked")
    assert platform.refusals == 2


async def test_where_the_answer_could_not_be_kept_nothing_is_spent(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path
) -> None:
    with pytest.raises(NotSent):
        await SurvivingRenewer(account, tmp_path / "absent").renew(platform.refresh_token)
    assert platform.grants == 0


async def test_a_platform_that_is_not_there_spends_nothing(platform: ZaloPlatform, tmp_path: Path) -> None:
    account = account_at(platform, oauth_url="http://127.0.0.1:9")
    with pytest.raises(NotSent):
        await SurvivingRenewer(account, tmp_path).renew(platform.refresh_token)


@pytest.mark.parametrize("fault", ["lost_grants", "failed_grants"])
async def test_an_answer_that_does_not_come_is_a_doubt(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path, fault: str
) -> None:
    setattr(platform.faults, fault, 1)
    with pytest.raises(NoAnswer):
        await SurvivingRenewer(account, tmp_path).renew(platform.refresh_token)


async def test_what_is_spoilt_on_the_disk_is_not_believed(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path
) -> None:
    (tmp_path / f"zalo-{ACCOUNT}.json").write_bytes(b'{"for": 1')
    assert (await SurvivingRenewer(account, tmp_path).renew(platform.refresh_token)).refresh_token


def command_lines() -> list[list[bytes]]:
    """Of every process of this machine, one that has just ended being nobody's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().split(b"\0"))
    return found


async def test_no_argument_of_the_process_holds_a_secret(
    platform: ZaloPlatform, account: ZaloAccount, tmp_path: Path
) -> None:
    platform.faults.held_grants = asyncio.Event()
    seed = platform.refresh_token
    renewal = asyncio.create_task(SurvivingRenewer(account, tmp_path).renew(seed))
    await platform.grant_done.wait()
    arguments = [line for line in command_lines() if CHILD.encode() in line]
    platform.faults.held_grants.set()
    await renewal
    assert arguments
    assert not any(seed.encode() in each or account.app_secret.encode() in each for line in arguments for each in line)


async def test_the_channel_renews_by_it_where_it_has_a_place_to_keep_answers(tmp_path: Path) -> None:
    async with zalo_desk(tmp_path, spool=tmp_path) as desk:
        await desk.platform.person("11").say("H51.18-210817-0005")
        desk.platform.expire_access_tokens()
        (result,) = await desk.channel.send([desk.letter("11", "Hồ sơ đã xong")])
        assert result.status.value == "accepted"
        assert (tmp_path / f"zalo-{ACCOUNT}.json").exists()
