"""Notices and broadcasts leave as fast as the operator lets them, and no answer stands behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.bulk import Mixed, run_mixed
from bench.stores import Place
from tests.whole.gateways import assert_quiet, tell

SCALED = Mixed(bulk=4_000, alone=200)
FULL = Mixed(bulk=20_000, alone=1_000, binds=2)


@pytest.mark.parametrize(
    "mixed", [pytest.param(SCALED, id="scaled"), pytest.param(FULL, id="full", marks=pytest.mark.long)]
)
async def test_no_reply_stands_behind_more_bulk_than_the_windows_hold(
    mixed: Mixed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await run_mixed(mixed, tmp_path, Place(f"sqlite:///{tmp_path}/tracuu.sqlite3"))
    alone, beside = done.alone, done.beside
    tell(
        capsys,
        f"{mixed.bulk:,} bulk messages, {done.segments / done.seconds:.0f} segments/s of {mixed.rate}; answers alone and"
        f" beside: p50 {alone.p50_ms:.0f} and {beside.p50_ms:.0f} ms, p99 {alone.p99_ms:.0f} and {beside.p99_ms:.0f} ms;"
        f" each of {beside.answered} behind at most {max(done.behind)} segments (bound {mixed.behind})",
    )
    assert max(done.behind) <= mixed.behind
    assert (done.segments, done.misplaced) == (mixed.segments, 0)
    for result in (alone, beside):
        assert result.missing == result.duplicates == 0
    assert_quiet(tmp_path)
