"""docs/sms.md names only settings, metrics and commands there are, and its example is sound."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from channels.sms import statuses
from gateway.bootstrap import bind_answers, submit_answers
from gateway.bootstrap.sms_statuses import DOES
from gateway.bootstrap.talking import smpp_account
from gateway.cli import cli
from gateway.configuration import CONFIG_DIRECTORY, load_settings
from gateway.metrics import COUNTED, PREFIX, READ, RISING
from gateway.settings import BindSettings, Settings, SmsSettings

PAGE = (CONFIG_DIRECTORY.parent / "docs" / "sms.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("```toml\n")[2].partition("```")[0]
MINIMAL = '[replies]\nhelp_phone = "1022"\n[[sources]]\nname = "p"\nurl = "sqlite+aiosqlite:///x"\nmapping = "m.toml"\n'
FIELDS = SmsSettings.model_fields.keys() | BindSettings.model_fields.keys()
QUOTED = frozenset(re.findall(r"`([^`\n]+)`", PAGE))
NO_SETTINGS = frozenset({"unknown"})  # a label's value


@pytest.mark.parametrize(
    "name", sorted(word for word in QUOTED - NO_SETTINGS if re.fullmatch(r"[a-z]+(_[a-z]+)*", word))
)
def test_a_setting_the_page_names_exists(name: str) -> None:
    assert name in FIELDS or name.startswith(PREFIX)


def test_every_setting_an_operator_decides_is_asked_for() -> None:
    ours = {
        *(
            "name",
            "bind",
            "accents",
            "service_type",
            "max_unsettled",
            "most_parts",
            "parts_timeout",
            "unfinished_timeout",
        ),
        *("connect_timeout", "bind_timeout", "response_timeout", "unbind_grace", "reconnect_forget", "password"),
        "unproven_timeout",
        *("throttle_pause", "throttle_slowdown", "throttle_recovery", "throttle_hold"),
    }
    asked = PAGE.partition("## What to ask")[2].partition("\n## ")[0]
    assert {name for name in SmsSettings.model_fields.keys() - ours if f"`{name}`" not in asked} == set()


@pytest.mark.parametrize("metric", sorted(word for word in QUOTED if word.startswith(PREFIX)))
def test_a_metric_the_page_names_exists(metric: str) -> None:
    counters = {figure.name for figure in COUNTED if not figure.buckets} | RISING
    assert metric in {PREFIX + f.name + ("_total" if f.name in counters else "") for f in (*COUNTED, *READ)}


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`tracuu ([a-z -]+)", PAGE))))
def test_a_command_the_page_names_exists(words: str) -> None:
    command: click.Command = cli
    for word in words.split():
        if isinstance(command, click.Group):
            command = command.commands[word]


def test_the_example_of_two_operators_is_sound(tmp_path: Path) -> None:
    (tmp_path / "m.toml").touch()
    for name in re.findall(r"/etc/tracuu/([\w.-]+)", EXAMPLE):
        (tmp_path / name).write_text("s3cret", encoding="utf-8")
    config = tmp_path / "gateway.toml"
    config.write_text(MINIMAL + EXAMPLE.replace("/etc/tracuu", str(tmp_path)), encoding="utf-8")
    settings: Settings = load_settings(config)
    accounts = [smpp_account(each) for each in settings.sms]
    assert [[(bind.name, bind.mode) for bind in account.binds] for account in accounts] == [
        [("1.1", "transceiver"), ("1.2", "transceiver")],
        [("1", "transmitter"), ("2", "receiver")],
    ]
    assert accounts[1].tls is not None


def test_every_status_of_the_standard_stands_in_the_printed_table_once() -> None:
    told = [name for named, _ in submit_answers() for name in re.findall(r"`(R\w+)`", named)]
    assert sorted(told) == sorted(statuses.NAMES.values())
    assert DOES.keys() == set(statuses.Verdict)


def test_every_status_that_ends_the_trying_is_told_as_such() -> None:
    ended = [named for named, does, _ in bind_answers() if does.startswith("not tried again")]
    assert len(ended) == len(statuses.FATAL_TO_BIND)
