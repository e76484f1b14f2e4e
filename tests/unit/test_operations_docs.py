"""The operations page names only what there is; the unit and the compose file are what their own tools accept."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from compose_spec import PyCompose
from pydantic import BaseModel

from gateway.cli import cli
from gateway.configuration import CONFIG_DIRECTORY, inner_model
from gateway.exit_codes import ExitCode
from gateway.log_actions import LOG_ACTIONS
from gateway.metrics import COUNTED, PREFIX, READ, RISING
from gateway.roles import ROLES
from gateway.settings import Settings
from tests.debian import provide

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
QUOTED = frozenset(re.findall(r"`([^`\n]+)`", PAGE))
UNIT = ROOT / "deploy" / "tracuu.service"
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")


def keys(model: type[BaseModel], path: str = "") -> set[str]:
    """Every setting as `section.key`."""
    found = set()
    for name, info in model.model_fields.items():
        inner = inner_model(info)
        found |= {f"{path}{name}"} | (keys(inner, f"{path}{name}.") if inner is not None else set())
    return found


KEYS = keys(Settings)
SECTIONS = "|".join(Settings.model_fields)


@pytest.mark.parametrize("key", sorted(word for word in QUOTED if re.fullmatch(rf"({SECTIONS})\.\w+(\.\w+)*", word)))
def test_a_setting_the_page_names_exists(key: str) -> None:
    assert key in KEYS | LOG_ACTIONS.keys()


@pytest.mark.parametrize("metric", sorted(word for word in QUOTED if word.startswith(PREFIX)))
def test_a_metric_the_page_names_exists(metric: str) -> None:
    counters = {figure.name for figure in COUNTED if not figure.buckets} | RISING
    names = {PREFIX + figure.name + ("_total" if figure.name in counters else "") for figure in (*COUNTED, *READ)}
    assert metric in names


@pytest.mark.parametrize(
    "action",
    sorted(
        word for word in QUOTED if re.fullmatch(r"(lease|source|sms|journal|upkeep|changes|hook|calendar)\.\w+", word)
    ),
)
def test_a_log_action_the_page_names_exists(action: str) -> None:
    assert action in LOG_ACTIONS


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`tracuu ([a-z-]+)", PAGE))))
def test_a_command_the_page_names_exists(command: str) -> None:
    assert command in cli.commands


def test_an_option_the_page_names_exists() -> None:
    groups = [command for command in cli.commands.values() if isinstance(command, click.Group)]
    commands = [*cli.commands.values(), *(each for group in groups for each in group.commands.values())]
    options = {name for command in commands for param in command.params for name in param.opts}
    assert {word for word in QUOTED if word.startswith("--")} <= options


def test_every_alarm_is_about_a_figure() -> None:
    rows = PAGE.partition("| alarm when |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) >= 8
    assert all(PREFIX in row for row in rows)


# ---- systemd


def unit(key: str) -> str:
    (value,) = re.findall(rf"^{key}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return str(value)


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = provide("systemd", lambda: shutil.which("systemd-analyze"), "systemd-analyze reads our unit")
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/tracuu/bin/tracuu serve " in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/tracuu/bin/tracuu", sys.executable), encoding="utf-8")  # a program that is here
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_does_not_try_again_what_trying_would_not_mend() -> None:
    never = {int(code) for code in unit("RestartPreventExitStatus").split()}
    assert never == {ExitCode.BAD_CONFIG, ExitCode.CREDENTIALS_REFUSED}
    assert unit("Restart") == "always"


def test_the_unit_leaves_time_to_drain() -> None:
    drain = Settings.model_fields["gateway"].annotation.model_fields["drain_timeout_s"].default  # type: ignore[union-attr]
    assert int(unit("TimeoutStopSec").removesuffix("s")) >= 2 * drain
    assert unit("KillMode") == "mixed"


def test_the_unit_starts_what_the_command_knows(tmp_path: Path) -> None:
    words = unit("ExecStart").split()
    assert words[1] in cli.commands
    options = {name for param in cli.commands[words[1]].params for name in param.opts}
    assert {word for word in words if word.startswith("--")} <= options


# ---- compose


def test_the_compose_file_is_what_the_specification_says() -> None:
    compose = PyCompose.from_yaml(COMPOSE).to_spec()
    assert compose.services is not None
    assert set(compose.services) == {"gateway", "postgres", "redis"}


def test_a_compose_file_with_a_slip_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="service_health"):
        PyCompose.from_yaml(COMPOSE.replace("condition: service_healthy", "condition: service_health"))


def test_the_compose_file_copies_every_package_into_the_image() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert re.findall(r"COPY (\w+) \1\n", COMPOSE) == packages


def test_both_files_say_that_they_were_only_checked() -> None:
    assert "only checked" in COMPOSE.replace("\n# ", " ")
    assert "checked by `systemd-analyze verify`, no more" in PAGE
    assert "checked against the Compose specification only so far" in PAGE


# ---- roles and the example


def test_the_roles_of_the_page_are_the_roles_there_are() -> None:
    named = set(re.findall(r"[Rr]oles? `(\w+)`", PAGE))
    assert named <= {role.value for role in ROLES}


def test_the_example_for_production_speaks_of_several_gateways() -> None:
    example = (CONFIG_DIRECTORY / "production.example.toml").read_text(encoding="utf-8")
    assert "postgresql+asyncpg://" in example
    assert "[retention]" in example
