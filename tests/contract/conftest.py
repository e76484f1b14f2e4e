"""Every store, for the suites of Journal, People and Outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.stores import STORES, Store, StoreKit


def make_kit(kind: type[StoreKit], request: pytest.FixtureRequest, folder: Path) -> StoreKit:
    """The server is started for the first test that needs it, and not at all without one."""
    return kind(folder, *([request.getfixturevalue(kind.needs)] if kind.needs else []))


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def store_kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreKit]:
    kit: StoreKit = make_kit(request.param, request, tmp_path)
    yield kit
    await kit.close()


@pytest.fixture
async def store(store_kit: StoreKit) -> Store:
    return await store_kit.open()
