"""Everything goes wrong at once for a while: what went in comes out, once, and the gateway does not swell."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import SoakOptions, run_soak
from bench.stores import Place
from tests.whole.gateways import log_lines, tell

SHORT = SoakOptions(seconds=20.0, asked=20.0, bulk=10.0, every=1.5, kills=(0.4,))
LOUD = {"error", "critical"}
EXPECTED = {"sms.bind_refused"}  # it was, now and then
FULL = SoakOptions(seconds=600.0)


@pytest.mark.parametrize(
    "options", [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=pytest.mark.long)]
)
async def test_nothing_is_lost_and_nothing_doubled_whatever_the_operators_do(
    options: SoakOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soaked = await run_soak(options, tmp_path, Place(f"sqlite:///{tmp_path}/tracuu.sqlite3"))
    verdict = soaked.verdict
    tell(
        capsys,
        f"{soaked.questions:,} questions, {soaked.mail:,} notices and broadcasts, {soaked.incidents.total()} incidents, seed"
        f" {options.seed}; let pass: {dict(verdict.let_pass) or 'nothing'}; at rest after {soaked.drained:.0f} s",
    )
    assert verdict.breaches == {}, verdict.examples
    assert {line["action"] for line in log_lines(tmp_path) if line.get("level", "error") in LOUD} <= EXPECTED
    assert sum(verdict.kept[f"{kind} arrived once"] for kind in ("reply", "notice", "broadcast")) > 0.9 * (
        soaked.questions + soaked.mail
    )
