"""`tracuu hold` and `tracuu stoppage`: an operator sees what follows before it does."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from domain.calendar import LOCAL_ZONE
from gateway import hold_command, stoppage_command
from gateway.stoppage_command import Outlook, PlannedStoppage
from notifications.ports import Hold, Stoppage

HELD = Hold(
    id=7,
    source="province",
    opened_at=datetime(2026, 11, 23, 3, tzinfo=UTC),
    changes=25_000,
    tracked=100_000,
    waiting=812,
)
STARTS = datetime(2026, 11, 30, 22, 0, tzinfo=LOCAL_ZONE)
ENDS = datetime(2026, 12, 1, 2, 0, tzinfo=LOCAL_ZONE)
PLANNED = Stoppage(id=9, starts_at=STARTS, ends_at=ENDS, texts={"vi": "Bao tri"}, tell_followers=True)


class Desk:
    """Stands in for bootstrap."""

    def __init__(self) -> None:
        self.holds: Sequence[Hold] = [HELD]
        self.stoppages: Sequence[Stoppage] = [PLANNED]
        self.outlook = Outlook(followers=3_210, first_day=date(2026, 12, 2))
        self.done: list[tuple[Any, ...]] = []

    async def list_holds(self, settings: object) -> Sequence[Hold]:
        return self.holds

    async def close_hold(
        self, settings: object, hold: int, *, release: bool, on_progress: Callable[[int], None]
    ) -> int:
        self.done.append(("close_hold", hold, release))
        on_progress(500)
        return 812

    def read_words(self, settings: object) -> Any:
        return types.SimpleNamespace(catalogue=types.SimpleNamespace(languages=("vi", "en")))

    async def list_stoppages(self, settings: object) -> Sequence[Stoppage]:
        return self.stoppages

    async def stoppage_outlook(self, settings: object, planned: PlannedStoppage) -> Outlook:
        return self.outlook

    async def plan_stoppage(self, settings: object, planned: PlannedStoppage) -> int:
        self.done.append(("plan", planned))
        return 9

    async def cancel_stoppage(self, settings: object, identifier: int) -> bool:
        self.done.append(("cancel", identifier))
        return identifier == 9


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    stand_in = Desk()
    settings = types.SimpleNamespace(logs=types.SimpleNamespace(format="text"))
    for module in (hold_command, stoppage_command):
        monkeypatch.setattr(module, "_bootstrap", lambda: stand_in)
        monkeypatch.setattr(module, "quiet_settings", lambda _config: settings)
    monkeypatch.setattr(stoppage_command, "_now", lambda: STARTS)
    return stand_in


def run(command: click.Group, *words: str, typed: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(command, list(words), input=typed)
    return result.exit_code, result.output


def test_holds_are_listed(desk: Desk) -> None:
    code, told = run(hold_command.hold, "list")
    assert code == 0
    for expected in ("7", "province", "23/11/2026 10:00", "25000", "100000", "812"):
        assert expected in told


def test_no_hold_is_said_in_words(desk: Desk) -> None:
    desk.holds = []
    assert run(hold_command.hold, "list") == (0, "nothing is held back\n")


@pytest.mark.parametrize(("word", "release"), [("release", True), ("drop", False)])
def test_a_hold_is_closed_only_after_a_yes(desk: Desk, word: str, release: bool) -> None:  # noqa: FBT001
    code, told = run(hold_command.hold, word, "7", typed="n\n")
    assert code != 0
    assert "812" in told
    assert not desk.done
    assert run(hold_command.hold, word, "7", typed="y\n")[0] == 0
    assert run(hold_command.hold, word, "7", "--yes")[0] == 0
    assert desk.done == [("close_hold", 7, release)] * 2


def test_a_hold_that_is_not_there_is_named(desk: Desk) -> None:
    code, told = run(hold_command.hold, "release", "8", "--yes")
    assert code != 0
    assert "there is no hold 8" in told
    assert not desk.done


# ---- stoppages

ADD = ("add", "--from", "30/11/2026 22:00", "--to", "2026-12-01 02:00")


def test_stoppages_are_listed_in_local_time(desk: Desk) -> None:
    code, told = run(stoppage_command.stoppage, "list")
    assert code == 0
    for expected in ("9", "30/11/2026 22:00", "01/12/2026 02:00", "vi: Bao tri", "yes"):
        assert expected in told
    desk.stoppages = []
    assert run(stoppage_command.stoppage, "list") == (0, "no stoppage is announced\n")


def test_a_late_announcement_is_warned_of_and_not_refused(desk: Desk) -> None:
    code, told = run(stoppage_command.stoppage, *ADD, "--tell-followers", typed="y\n")
    assert code == 0
    assert "WARNING" in told
    assert "02/12/2026" in told
    assert "3210 people" in told
    ((_, planned),) = desk.done
    assert planned == PlannedStoppage(starts_at=STARTS, ends_at=ENDS, tell_followers=True)


def test_nothing_is_announced_without_a_yes(desk: Desk) -> None:
    desk.outlook = Outlook(followers=0)
    code, told = run(stoppage_command.stoppage, *ADD, typed="n\n")
    assert code != 0
    assert "WARNING" not in told
    assert not desk.done


def test_an_operators_own_words_are_taken_by_language(desk: Desk) -> None:
    words = ("--text", "vi=Bảo trì = ngắn", "--text", "en=Maintenance")
    assert run(stoppage_command.stoppage, *ADD, *words, "--yes")[0] == 0
    ((_, planned),) = desk.done
    assert planned.texts == {"vi": "Bảo trì = ngắn", "en": "Maintenance"}


@pytest.mark.parametrize(
    "words",
    [
        ("add", "--from", "30/11/2026 22:00", "--to", "30/11/2026 22:00", "--yes"),
        ("add", "--from", "tomorrow", "--to", "30/11/2026 22:00", "--yes"),
        (*ADD, "--text", "no language", "--yes"),
        (*ADD, "--text", f"vi={'x' * 161}", "--yes"),
        (*ADD, "--text", "xx=Maintenance", "--yes"),
        ("add", "--from", "30/11/2020 22:00", "--to", "30/11/2020 23:00", "--yes"),
    ],
    ids=["no length", "no moment", "no language", "too long", "a language without texts", "over already"],
)
def test_what_cannot_be_announced_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    code, told = run(stoppage_command.stoppage, *words)
    assert code != 0
    assert "Error" in told
    assert not desk.done


def test_a_stoppage_is_cancelled(desk: Desk) -> None:
    assert run(stoppage_command.stoppage, "cancel", "9")[0] == 0
    code, told = run(stoppage_command.stoppage, "cancel", "8")
    assert code != 0
    assert "there is no stoppage 8" in told


def test_the_config_option_is_there_as_for_every_command(desk: Desk, tmp_path: Path) -> None:
    assert run(hold_command.hold, "list", "--config", str(tmp_path / "x.toml"))[0] == 0
