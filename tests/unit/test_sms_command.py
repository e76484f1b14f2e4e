"""`tracuu sms`: accounts without their secrets, trials as lines a person can act on, and an end that says how it went."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from channels.sms import commands as c
from channels.sms.steps import Step, StepName
from gateway import bootstrap, sms_command, terminal
from gateway.cli import cli
from gateway.exit_codes import ExitCode
from gateway.sms_command import lines

SECRETS = ("s3cret", "t0p")
CONFIG = """\
[replies]
help_phone = "1022"
[[sources]]
name = "province"
url = "sqlite+aiosqlite:///x.sqlite3"
mapping = "mapping.toml"
[database]
url = "sqlite:///store.sqlite3"
[[sms]]
name = "viettel"
host = "smsc.viettel.example"
system_id = "tracuu"
password = "s3cret"
short_code = "8100"
brand_name = "DVC H51"
tls = true
rate = 50
[[sms.bind]]
count = 2
[[sms.bind]]
mode = "receiver"
host = "second.viettel.example"
port = 2776
system_id = "tracuu_rx"
password = "t0p"
[[sms]]
name = "vinaphone"
host = "smsc.vinaphone.example"
system_id = "tracuu"
password = "s3cret"
short_code = "8100"
rate = 0
"""
GOOD = Step(name=StepName.BIND, words="bound", seconds=0.012)
LOCKS = Step(name=StepName.BIND, words="refused", failed=True, status=c.RINVPASWD, advice="Correct the password.")
FAILED = Step(name=StepName.CONNECT, words="Connection refused", failed=True)


@pytest.fixture(autouse=True)
def logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands run in this process, whose logs are other tests' as well."""
    monkeypatch.setattr(terminal, "configure_logs", lambda *_: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").touch()
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run(config: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["sms", *words, "--config", str(config)])
    return result.exit_code, result.output


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the engine was asked for; it is not called."""
    return trials(monkeypatch, [GOOD])


def trials(monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step]) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    async def told() -> AsyncIterator[Step]:
        for step in steps:
            yield step

    def probe_sms(account: Any, bind: str) -> AsyncIterator[Step]:
        asked.append((account.name, bind))
        return told()

    def send_sms(account: Any, number: str, text: str, **details: Any) -> AsyncIterator[Step]:
        asked.append((account.name, number, text, details))
        return told()

    stand_in = types.ModuleType("bootstrap")
    vars(stand_in).update({name: getattr(bootstrap, name) for name in bootstrap.__all__})
    vars(stand_in).update(probe_sms=probe_sms, send_sms=send_sms)
    monkeypatch.setattr(sms_command, "_bootstrap", lambda: stand_in)
    return asked


# ---- list


def test_every_bind_is_listed_as_the_smsc_will_see_it_without_its_secrets(config: Path) -> None:
    code, output = run(config, "list")
    assert code == 0
    rows = [" ".join(line.split()) for line in output.splitlines()]
    assert rows == [
        "account bind mode SMSC as number notices as rate window",
        "viettel 1.1 transceiver smsc.viettel.example:2775 (TLS) tracuu 8100 DVC H51 50 a second 10",
        "viettel 1.2 transceiver smsc.viettel.example:2775 (TLS) tracuu 8100 DVC H51 50 a second 10",
        "viettel 2 receiver second.viettel.example:2776 (TLS) tracuu_rx 8100 DVC H51 50 a second",
        "vinaphone 1 transceiver smsc.vinaphone.example:2775 tracuu 8100 8100 as the windows allow 10",
    ]
    assert not any(secret in output for secret in SECRETS)


# ---- probe


def test_an_account_is_probed_by_its_name_and_may_be_by_one_bind(config: Path, asked: list[tuple[Any, ...]]) -> None:
    assert run(config, "probe", "viettel")[0] == 0
    assert run(config, "probe", "viettel", "--bind", "1.2")[0] == 0
    assert asked == [("viettel", ""), ("viettel", "1.2")]


def test_what_is_not_there_is_not_probed_and_what_is_there_is_named(config: Path, asked: list[tuple[Any, ...]]) -> None:
    code, output = run(config, "probe", "viettle")
    assert (code, output) == (1, "Error: no SMSC account is named viettle; there are: viettel, vinaphone\n")
    code, output = run(config, "probe", "viettel", "--bind", "3")
    assert (code, output) == (1, "Error: account viettel has no bind 3; it has: 1.1, 1.2, 2\n")
    assert asked == []


def test_whether_a_gateway_holds_the_account_is_said_first(config: Path, asked: list[tuple[Any, ...]]) -> None:
    _, output = run(config, "probe", "viettel")
    assert output.startswith("note: whether a gateway holds this account now is not known: there is no file ")
    assert asked


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([GOOD], ExitCode.OK),
        ([FAILED, GOOD], ExitCode.FAILED),
        ([LOCKS, FAILED], ExitCode.CREDENTIALS_REFUSED),
        ([FAILED, LOCKS], ExitCode.CREDENTIALS_REFUSED),
    ],
)
def test_the_worst_step_is_how_the_command_ends(
    config: Path, monkeypatch: pytest.MonkeyPatch, steps: Sequence[Step], code: ExitCode
) -> None:
    trials(monkeypatch, steps)
    assert run(config, "probe", "viettel")[0] == code


# ---- send


def test_a_message_goes_to_the_number_however_it_was_typed(config: Path, asked: list[tuple[Any, ...]]) -> None:
    code, _ = run(config, "send", "viettel", "0912 345 678", "thử", "--wait", "5", "--from", "DVC H51", "--accents")
    assert code == 0
    assert asked == [("viettel", "84912345678", "thử", {"sender": "DVC H51", "accents": True, "waiting": 5.0})]


def test_unless_told_otherwise_a_message_leaves_as_the_account_does(config: Path, asked: list[tuple[Any, ...]]) -> None:
    run(config, "send", "viettel", "0912345678", "thử")
    assert asked[0][3] == {"sender": "", "accents": False, "waiting": 60.0}


@pytest.mark.parametrize("number", ["8100", "091234567", "nobody"])
def test_a_number_nobody_can_have_costs_nothing(config: Path, asked: list[tuple[Any, ...]], number: str) -> None:
    code, output = run(config, "send", "viettel", number, "x")
    assert (code, output) == (1, f"Error: {number} is no telephone number a person can have\n")
    assert asked == []


def test_an_empty_message_is_not_sent(config: Path, asked: list[tuple[Any, ...]]) -> None:
    assert run(config, "send", "viettel", "0912345678", " ") == (1, "Error: a message needs a text\n")
    assert asked == []


# ---- lines


def test_a_step_is_one_line_with_its_time_and_advice_below() -> None:
    assert list(lines(GOOD, 80)) == ["  bind             12 ms  bound"]
    assert list(lines(LOCKS, 80)) == ["  bind                    FAILED: refused", " " * 26 + "Correct the password."]


def test_what_is_long_is_wrapped_and_never_cut() -> None:
    step = Step(name=StepName.REPORT, words="one two three four five", seconds=12.3, advice="do this and that")
    shown = list(lines(step, 40))
    assert shown[0] == "  report          12.3 s  one two three"
    assert " ".join(" ".join(line[26:] for line in shown).split()) == "one two three four five do this and that"


def test_a_bind_begins_at_the_margin() -> None:
    assert list(lines(Step(name=StepName.BEGIN, words="bind 1: transceiver"), 80)) == ["bind 1: transceiver"]


def test_the_step_that_heads_a_bind_is_the_engines() -> None:
    assert sms_command.HEADING == StepName.BEGIN
    assert max(map(len, StepName)) <= sms_command.NAME_WIDTH
