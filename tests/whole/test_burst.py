"""A burst of notices waits to leave, and people ask: memory stays bounded, answers are not kept waiting, order is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench.burst import LOOK_EVERY, Burst, Drained, Watched, run_burst
from bench.stores import Place
from demo.process import GatewayProcess
from gateway.sender import SECONDS_CLAIMED, SECONDS_OF_ROOM
from tests.whole.gateways import assert_quiet, tell

# What a process may take more than when it was ready: SQLite keeps pages of the file, by setting 64 MiB a connection at
# most, and of its three connections the writer and the one that counts what waits touch many.
GROWTH_MB = 2 * 64.0
LISTED = 5
# Seconds of the account's rate. An answer that stood behind what was claimed would let so much pass; that it stands
# behind no more than a tenth of a second is a promise of tests/unit/test_sender.py, and a figure of the bench.
AT_MOST = SECONDS_CLAIMED / 2
UNDER_WAY = SECONDS_OF_ROOM + SECONDS_CLAIMED  # claimed and not there yet, at most

SCALED = Burst(notices=20_000, rate=200, seconds=5.0)
FULL = Burst(notices=500_000, rate=200, seconds=30.0)


class Operator:
    """Looks on the command line how many are left, in the middle of it; `told`: how many had left before and after."""

    def __init__(self) -> None:
        self.left = 0
        self.told = (0, 0)
        self.listed: Sequence[str] = ()

    def __call__(self, gateway: GatewayProcess, load: Watched) -> None:
        before = load.told
        status: Mapping[str, Any] = json.loads(_tracuu(gateway, "status", "--json"))
        self.told = (before, load.told)
        self.left = sum(queue["messages"] for queue in status["queues"] if queue["state"] == "ready")
        listed = _tracuu(gateway, "outbox", "list", "--ready", "--limit", str(LISTED))
        self.listed = [line for line in listed.splitlines() if "in_process" in line]


def _tracuu(gateway: GatewayProcess, *words: str) -> str:
    command = (sys.executable, "-m", "gateway.cli", *words, "--config", str(gateway.config))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def assert_drained(done: Drained, operator: Operator) -> None:
    burst, answers = done.burst, done.answers
    assert done.misplaced == 0, "somebody's notices came out of order, or one of them twice"
    assert answers.missing == answers.duplicates == 0
    assert median(done.behind) <= burst.rate * AT_MOST, "answers stand behind notices that were claimed"
    assert done.highest_mb - done.before_mb <= GROWTH_MB
    assert done.told > burst.rate, "hardly anything left"
    figures = [waits for _, waits in done.waiting]
    assert figures == sorted(figures, reverse=True), "/metrics says how many are left"
    assert figures[-1] < figures[0] <= burst.notices
    before, after = (burst.notices - told for told in operator.told)
    assert after - burst.rate * UNDER_WAY <= operator.left <= before + answers.asked, (
        "tracuu status says how many are left"
    )
    assert len(operator.listed) == LISTED, "tracuu outbox list --ready shows them"


@pytest.mark.parametrize(
    "burst", [pytest.param(SCALED, id="scaled"), pytest.param(FULL, id="full", marks=pytest.mark.long)]
)
async def test_a_burst_of_notices_leaves_in_order_and_keeps_no_question_waiting(
    burst: Burst, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = Operator()
    done = await run_burst(burst, tmp_path, Place(f"sqlite:///{tmp_path}/tracuu.sqlite3"), meanwhile=operator)
    answers = done.answers
    tell(
        capsys,
        f"{burst.notices:,} notices wait; in {done.seconds:.0f} s {done.told:,} left ({done.rate:.0f}/s of {burst.rate}), "
        f"{answers.answered} answers, p50 {answers.p50_ms:.0f} ms, p99 {answers.p99_ms:.0f} ms, each behind at most "
        f"{max(done.behind)} notices (bound {burst.behind}); memory {done.before_mb:.0f} -> at most {done.highest_mb:.0f} "
        f"MB; seen by /metrics every {LOOK_EVERY} s, by tracuu status in the middle: {operator.left:,} wait",
    )
    assert_drained(done, operator)
    assert_quiet(tmp_path)
