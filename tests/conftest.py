"""Servers that are started once for a test run, by the first test that asks."""

from __future__ import annotations

pytest_plugins = ["tests.servers.postgres", "tests.servers.mariadb"]
