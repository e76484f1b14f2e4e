"""Every store, for the suites of Journal, People and Outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.stores import STORES, Store, StoreKit


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def store_kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreKit]:
    kit: StoreKit = request.param(tmp_path)
    yield kit
    await kit.close()


@pytest.fixture
async def store(store_kit: StoreKit) -> Store:
    return await store_kit.open()
