"""The command line: every fault is clear lines and its exit code, never a traceback; secrets are never shown."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner

from domain.errors import CredentialsRefused, GatewayError, StoreUnavailable
from gateway import cli as command_line
from gateway import terminal
from gateway.cli import cli, main
from gateway.exit_codes import ExitCode, PortTaken
from gateway.loop import run
from gateway.roles import Duties
from gateway.settings import Settings
from gateway.terminal import without_secret

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mapping.toml").touch()
    path = tmp_path / "gateway.toml"
    path.write_text(
        """
[replies]
help_phone = "1022"
[redis]
url = "redis://:hunter2@localhost/0"
[[sources]]
name = "thanh-hoa"
url = "mysql+aiomysql://reader:hunter2@onestop/db"
mapping = "mapping.toml"
[[sms]]
name = "viettel"
host = "smsc.example"
system_id = "tracuu"
password = "hunter2"
short_code = "8100"
""",
        encoding="utf-8",
    )
    return path


class Bootstrap(types.ModuleType):
    """Stands for gateway.bootstrap."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__("bootstrap")
        self.failure = failure
        self.seen: list[tuple[str, Settings]] = []
        self.duties: list[Duties] = []

    async def serve(self, settings: Settings, duties: Duties) -> int:
        self.duties.append(duties)
        self._do("serve", settings)
        return ExitCode.OK

    async def migrate(self, settings: Settings) -> str:
        self._do("migrate", settings)
        return "the store was made: schema 1"

    def _do(self, name: str, settings: Settings) -> None:
        self.seen.append((name, settings))
        if self.failure is not None:
            raise self.failure


def call(monkeypatch: pytest.MonkeyPatch, bootstrap: Bootstrap, *arguments: str) -> int:
    monkeypatch.setattr(command_line, "_bootstrap", lambda: bootstrap)
    for module in (command_line, terminal):
        monkeypatch.setattr(module, "configure_logs", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["tracuu", *arguments])
    codes: list[int] = []
    monkeypatch.setattr(sys, "exit", codes.append)
    main()
    return codes[-1] if codes else 0


def test_serve_hands_the_settings_over_and_returns_its_code(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    bootstrap = Bootstrap()
    assert call(monkeypatch, bootstrap, "serve", "--config", str(config)) == 0
    ((name, settings),) = bootstrap.seen
    assert (name, settings.sms[0].name) == ("serve", "viettel")


def test_the_config_may_be_named_by_a_variable(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    monkeypatch.setenv("TRACUU_CONFIG", str(config))
    bootstrap = Bootstrap()
    assert call(monkeypatch, bootstrap, "migrate") == 0
    assert [name for name, _ in bootstrap.seen] == ["migrate"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PortTaken("cannot listen on 127.0.0.1:8080"), 3),
        (CredentialsRefused("the SMSC refused us"), 4),
        (StoreUnavailable("cannot open the store"), 5),
        (GatewayError("something else"), 1),
    ],
)
def test_a_fault_is_one_line_and_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config: Path,
    failure: GatewayError,
    code: int,
) -> None:
    assert call(monkeypatch, Bootstrap(failure), "serve", "--config", str(config)) == code
    assert capsys.readouterr().err == f"tracuu: {failure}\n"


@pytest.mark.parametrize("command", ["serve", "migrate", "check-config"])
def test_bad_config_is_told_in_full_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, command: str
) -> None:
    config.write_text("[logs]\nlevel = 'loud'\nlevl = 1\n", encoding="utf-8")
    assert call(monkeypatch, Bootstrap(), command, "--config", str(config)) == 2
    told = capsys.readouterr().err
    assert f"{config}:2: logs.level: " in told
    assert f"{config}:3: logs.levl: unknown key; did you mean level?" in told
    assert "replies.help_phone: is missing" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("arguments", [["serve", "--no-such-option"], ["no-such-command"]])
def test_a_wrong_command_line_is_code_2(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert call(monkeypatch, Bootstrap(), *arguments) == 2


def test_check_config_shows_what_is_set_and_no_secret(config: Path) -> None:
    result = CliRunner().invoke(cli, ["check-config", "--no-connect", "--config", str(config)])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert lines["sms[0].password"].split() == ["sms[0].password", "***"]
    assert lines["sources[0].name"].split() == ["sources[0].name", "thanh-hoa"]
    assert lines["sources[0].url"].split()[1] == "mysql+aiomysql://***@onestop/db"
    assert "hunter2" not in result.output


def test_check_config_cuts_nothing_off(config: Path) -> None:
    long = f"/{'x' * 200}.sqlite3"
    with config.open("a", encoding="utf-8") as file:
        file.write(f'[database]\nurl = "sqlite:///{long}"\n')
    result = CliRunner().invoke(cli, ["check-config", "--no-connect", "--config", str(config)])
    assert f"sqlite:///{long}" in result.output


def test_quietly_only_what_was_tried_is_shown(config: Path) -> None:
    result = CliRunner().invoke(cli, ["check-config", "--quiet", "--no-connect", "--config", str(config)])
    assert (result.exit_code, result.output) == (0, "the settings have no faults; nothing was tried\n")


def test_what_came_of_the_tables_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert call(monkeypatch, Bootstrap(), "migrate", "--config", str(config)) == 0
    assert capsys.readouterr().out == "the store was made: schema 1\n"


@pytest.mark.parametrize("command", ["status", "officer", "outbox"])
def test_a_store_nobody_made_yet_says_how_it_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, command: str
) -> None:
    store = config.parent / "store.sqlite3"
    monkeypatch.setenv("TRACUU_DATABASE__URL", f"sqlite:///{store}")
    monkeypatch.setenv("TRACUU_CONFIG", str(config))
    words = [command] if command == "status" else [command, "list"]
    monkeypatch.setattr(terminal, "configure_logs", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["tracuu", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.STORE_UNAVAILABLE
    assert capsys.readouterr().err == (
        f"tracuu: there is no file {store}: run `tracuu migrate`, or start the gateway once\n"
    )
    assert not store.exists()


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("hunter2", "***"),
        ("redis://:hun?ter2@h/0", "redis://***"),
        ("mysql+aiomysql://u:x@h/d?password=hunt@er2", "mysql+aiomysql://***"),
        ("sqlite:////var/lib/x.sqlite3", "sqlite:////var/lib/x.sqlite3"),
        ("redis://:hunter2@h/0", "redis://***@h/0"),
        ("mysql+aiomysql://u:hunt@er/2@h/d?password=hunter2", "mysql+aiomysql://***@h/d"),
    ],
)
def test_of_an_address_the_place_is_shown_and_who_asks_is_not(secret: str, told: str) -> None:
    assert without_secret(secret) == told


def test_docs_are_written_where_asked(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["docs", "--directory", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert (tmp_path / "out" / "settings.md").is_file()


def test_a_directory_that_cannot_be_written_is_one_line(config: Path) -> None:
    result = CliRunner().invoke(cli, ["docs", "--directory", str(config / "out")])
    assert result.exit_code == 1
    assert result.output == f"Error: {config / 'out'} cannot be written: Not a directory\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_loop_runs_to_its_end_and_returns_what_came_of_it() -> None:
    async def main() -> str:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__module__

    assert run(main()) in {"uvloop", "asyncio.unix_events"}
