"""What all tests of the whole gateway share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from demo import zalo_calls

PATIENCE = 30.0  # seconds; the real platform waits for two, and a source that hangs in a test for sixty


@pytest.fixture(autouse=True)
def patient_zalo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason for the platform to say something again."""
    monkeypatch.setattr(zalo_calls, "PATIENCE", PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Python is told to keep no compiled modules, each start of a gateway would compile them all: 3 s, not 1."""
    with pytest.MonkeyPatch.context() as environment:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            environment.delenv("PYTHONDONTWRITEBYTECODE")
            environment.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield
