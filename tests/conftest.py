"""What all tests share: servers that are started once for a test run, by the first that asks, and no time limits."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.postgres", "tests.servers.mariadb"]

# How long an example takes says how busy the machine is. The same code is tried with the same examples every time; new
# ones are looked for by `--hypothesis-profile=search` (make fuzz).
SLOW_IS_RIGHT = [HealthCheck.too_slow]
settings.register_profile("same", deadline=None, suppress_health_check=SLOW_IS_RIGHT, derandomize=True)
settings.register_profile("search", deadline=None, suppress_health_check=SLOW_IS_RIGHT, max_examples=500)
settings.load_profile("same")
