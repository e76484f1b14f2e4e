"""Redis behind TLS and under a user of its own: the certificate is verified, and the user needs only what is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.memory.budgets import MemoryBudgets
from adapters.redis.budgets import RedisBudgets
from adapters.redis.cache import RedisStatusCache
from adapters.redis.client import UNTRUSTED, SharedRedis, connect
from adapters.redis.signals import RedisSignals
from conversation.ports import BudgetAsk, Limit, Verdict
from domain.codes import CodeFamily, DossierCode
from lookup.ports import CachedAnswer, Signal
from tests.servers.redis import PATIENCE, Certificates, running_redis, running_tls_redis

CODE = DossierCode(text="H51.18-210817-0005", family=CodeFamily.NEW, agency="H51.18")
ASK = BudgetAsk("reply:sms:84912345678", (Limit(4, 600.0),))
# All that the gateway needs of a Redis it shares with others.
COMMANDS = "-@all +ping +get +set +mget +del +time +eval +evalsha +publish +subscribe +unsubscribe"
USER = f"tracuu on >s3cret ~tracuu:* &tracuu:* {COMMANDS}"


def no_time() -> float:
    return 0.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls")).make()


@asynccontextmanager
async def opened(url: str, ca_certs: Path | None = None) -> AsyncIterator[SharedRedis]:
    shared = connect(url, time_limit=PATIENCE, back_off=0.0, ca_certs=ca_certs)
    try:
        yield shared
    finally:
        await shared.aclose()


async def use_everything(shared: SharedRedis) -> None:
    """Every command of every adapter, and none is refused."""
    now = datetime.now(UTC)
    cache = RedisStatusCache(shared, lambda: now)
    budgets = RedisBudgets(shared, MemoryBudgets(no_time))
    signals = RedisSignals(shared, ping_every=0.01)
    later = now + timedelta(hours=1)
    with capture_logs() as logs:
        assert await shared.check() is True, shared.fault
        kept = CachedAnswer(code=CODE, dossier=None, read_at=now, fresh_until=later, usable_until=later)
        await cache.put([kept])
        assert await cache.get([CODE]) == {CODE: kept}
        await cache.drop([CODE])
        assert await cache.get([CODE]) == {}
        assert await budgets.spend([ASK] * 5) == [Verdict.ALLOWED] * 4 + [Verdict.FIRST_REFUSAL]
        await budgets.refund([ASK])
        assert await budgets.spend([ASK]) == [Verdict.ALLOWED]
        async with aclosing(signals.listen()) as heard:
            assert await anext(heard) == Signal(missed=True)
            await signals.publish([CODE])
            assert await anext(heard) == Signal(codes=(CODE,))
    assert not logs, shared.fault


async def fault_of(url: str, ca_certs: Path | None = None) -> str:
    async with opened(url, ca_certs) as shared:
        assert await shared.check() is False
        return shared.fault


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path, certificates: Certificates) -> None:
    async with running_tls_redis(tmp_path, certificates, users=[USER]) as address:
        async with opened(f"rediss://tracuu:s3cret@{address}", certificates.authority) as shared:
            await use_everything(shared)
        async with opened(f"rediss://tracuu:s3cret@{address}?ssl_ca_certs={certificates.authority}") as shared:
            assert await shared.check() is True


async def test_certificate_of_a_stranger_is_not_trusted(tmp_path: Path, certificates: Certificates) -> None:
    async with running_tls_redis(tmp_path, certificates) as address:
        assert await fault_of(f"rediss://{address}") == UNTRUSTED


async def test_certificate_of_another_name_is_not_trusted(tmp_path: Path) -> None:
    elsewhere = Certificates(tmp_path).make(name="DNS:redis.example")
    async with running_tls_redis(tmp_path, elsewhere) as address:
        assert await fault_of(f"rediss://{address}", elsewhere.authority) == UNTRUSTED


async def test_plain_speech_to_a_tls_port_fails(tmp_path: Path, certificates: Certificates) -> None:
    async with running_tls_redis(tmp_path, certificates) as address:
        assert await fault_of(f"redis://{address}")


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=False", "ssl_cert_reqs=optional"])
def test_certificate_cannot_be_left_unverified(option: str) -> None:
    with pytest.raises(ValueError, match="always verified"):
        connect(f"rediss://127.0.0.1:1/0?{option}")


async def test_user_needs_only_the_commands_listed(tmp_path: Path) -> None:
    with running_redis(tmp_path, users=[USER]) as server:
        async with opened(f"redis://tracuu:s3cret@{server.address}") as shared:
            await use_everything(shared)


async def test_wrong_password_is_said_without_saying_it(tmp_path: Path) -> None:
    with running_redis(tmp_path, users=[USER]) as server:
        assert await fault_of(server.url) == "it refused our user or password"
        with capture_logs() as logs:
            assert await fault_of(f"redis://tracuu:wrong@{server.address}") == "it refused our user or password"
        assert "wrong" not in str(logs)


async def test_user_who_may_not_run_scripts_leaves_us_with_our_own_budgets(tmp_path: Path) -> None:
    with running_redis(tmp_path, users=[f"{USER} -evalsha"]) as server:
        async with opened(f"redis://tracuu:s3cret@{server.address}") as shared:
            budgets = RedisBudgets(shared, MemoryBudgets(no_time))
            with capture_logs() as logs:
                verdicts = await budgets.spend([ASK] * 3)
            assert verdicts == [Verdict.ALLOWED, Verdict.ALLOWED, Verdict.FIRST_REFUSAL]
            assert [line["fault"] for line in logs] == [
                "our user may not run that command, or not on our keys and channels"
            ]
