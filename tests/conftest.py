"""What all tests share: servers that are started once for a test run, by the first that asks, and no time limits."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from demo import zalo_calls

pytest_plugins = ["tests.servers.postgres", "tests.servers.mariadb"]

# How long an example takes says how busy the machine is. The same code is tried with the same examples every time; new
# ones are looked for by `--hypothesis-profile=search` (make fuzz).
SLOW_IS_RIGHT = [HealthCheck.too_slow]
settings.register_profile("same", deadline=None, suppress_health_check=SLOW_IS_RIGHT, derandomize=True)
settings.register_profile("search", deadline=None, suppress_health_check=SLOW_IS_RIGHT, max_examples=500)
settings.load_profile("same")

ZALO_WAITS = 30.0  # seconds; the real platform waits for two, and a source that hangs in a test for sixty


@pytest.fixture(scope="session", autouse=True)
def patient_zalo() -> Iterator[None]:
    """A busy machine is no reason for the platform to say something again."""
    with pytest.MonkeyPatch.context() as platform:
        platform.setattr(zalo_calls, "PATIENCE", ZALO_WAITS)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Python is told to keep no compiled modules, each start of a gateway would compile them all: 3 s, not 1."""
    with pytest.MonkeyPatch.context() as environment:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            environment.delenv("PYTHONDONTWRITEBYTECODE")
            environment.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield
