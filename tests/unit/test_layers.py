"""Our packages are top-level names: whatever else is installed must not own one of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
CODE = [name for name in PACKAGES if name != "config"]
OURS = "tracuu-gateway"
# Heavy, and needed by some gateways only: a bot, a Redis, a database server, an XLSX file, a picture.
WHERE_USED = ("asyncpg", "httpx", "openpyxl", "redis", "telegram", "zxingcpp")
LOADED = "import json, sys, gateway.cli, gateway.bootstrap; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("package", CODE)
def test_a_package_of_ours_is_ours(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin == str(ROOT / package / "__init__.py"), f"{package} is taken by {spec.origin}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_brings_a_package_of_our_name(package: str) -> None:
    owners = importlib.metadata.packages_distributions().get(package, [])
    assert set(owners) <= {OURS}, f"{package} is also in {owners}"


def test_the_layer_rules_see_every_package() -> None:
    watched = set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    assert set(CODE) <= watched
    assert set(CODE) <= set(PYPROJECT["tool"]["mypy"]["packages"])


def test_every_package_is_listed() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - set(CODE) == {"bench", "demo", "tests"}


def test_what_only_some_gateways_need_is_imported_where_it_is_used() -> None:
    said = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(WHERE_USED).isdisjoint(json.loads(said))
