"""What is shipped: exactly our packages and the default config; and locks that hold versions and hashes only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
# Each holds all that is in those before it: the gateway itself, `make demo`, work on the gateway.
LOCKS = ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock")
HEAVY = ("sqlserver", "oracle", "pdf")  # extras that few installations need
LEFT_OUT = {"requirements.lock": (*HEAVY, "demo"), "requirements-demo.lock": HEAVY}


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text(encoding="utf-8")))


def wanted(lock: str) -> list[Requirement]:
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    whole = lock == "requirements-dev.lock"
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], *(extras[name] for name in extras if name not in LEFT_OUT.get(lock, ()))]
    lists += [groups["test"], groups["check"]] if whole else []
    return [Requirement(text) for texts in lists for text in texts]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address_of_a_registry(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host|\bfile:|@ ", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_all_that_is_asked_for_within_its_bounds(lock: str) -> None:
    pinned = pins(lock)
    for requirement in wanted(lock):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}: make lock"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in entries:
        assert not entry.strip() or "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_locks_agree() -> None:
    runtime, demo, dev = map(pins, LOCKS)
    assert runtime.items() <= demo.items() <= dev.items()


def test_what_serves_citizens_holds_nothing_that_only_plays() -> None:
    demo = {canonicalize_name(Requirement(each).name) for each in PYPROJECT["project"]["optional-dependencies"]["demo"]}
    assert not demo & pins("requirements.lock").keys()


def test_every_dependency_has_a_floor() -> None:
    for requirement in wanted("requirements-dev.lock"):
        assert any(specifier.operator == ">=" for specifier in requirement.specifier), requirement


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_holds_exactly_the_packages_and_the_config(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts)
    }
    assert names == expected
    assert {"gateway/cli.py", "config/default.toml", "config/agencies.toml", "config/texts/vi.toml"} <= names
    assert "channels/web/widget/dist/1.0.0/dossier-status.js" in names


def test_the_wheel_carries_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        told = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name}
    assert "Apache License" in told["LICENSE"]
    assert "tracuu = gateway.cli:main" in told["entry_points.txt"]


def test_the_wheel_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked as pip does it, with its own config beside it; the dependencies are this environment's."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = "import gateway.cli, sys; sys.argv[1:] = ['check-config']; print(gateway.cli.__file__); gateway.cli.main()"
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(str(tmp_path / "site" / "gateway" / "cli.py"))
    assert done.returncode == 2
    assert "replies.help_phone: is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert "texts.path" not in done.stderr
