"""Every store, for the suites of Journal, People and Outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.store.migrate import sqlite_url, upgrade
from tests.contract.stores import STORES, Store, StoreKit


def make_kit(kind: type[StoreKit], request: pytest.FixtureRequest, folder: Path) -> StoreKit:
    """The server is started for the first test that needs it, and not at all without one."""
    return kind(folder, *([request.getfixturevalue(kind.needs)] if kind.needs else []))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, whose tables were made as a gateway makes them."""
    file = tmp_path_factory.mktemp("sqlite") / "store.db"
    upgrade(sqlite_url(file))
    return file


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def store_kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreKit]:
    kit: StoreKit = make_kit(request.param, request, tmp_path)
    yield kit
    await kit.close()


@pytest.fixture
async def store(store_kit: StoreKit) -> Store:
    return await store_kit.open()
