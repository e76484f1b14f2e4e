"""`tracuu outbox` and `tracuu person`: an operator sees why something did not leave, and a person's data on request."""

from __future__ import annotations

import json
import types
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from channels.sms.numbers import normalise
from domain.message import Address
from gateway import outbox_command, person_command
from gateway.bootstrap.sms_tools import persons_number
from notifications.ports import Letter

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


def letter(identifier: int, **changes: Any) -> Letter:
    values = {
        "id": identifier,
        "category": "notice",
        "kind": "ready",
        "recipient": "84912***013",
        "state": "rejected",
        "reason": "no such number",
        "delivery_status": "",
        "source": "province",
        "dossier_code": "H51.18-210817-0005",
        "account": "viettel",
        "created_at": NOW,
        "available_at": NOW,
        "expires_at": NOW + timedelta(days=1),
        "attempts": 1,
        "text": "Ho so da xong",
    }
    return Letter(**{**values, **changes})


@dataclass
class FakeLetters:
    """Notes what it is asked."""

    dead: Sequence[Letter] = ()
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    async def listed(self, which: str, *, limit: int, after: int = 0) -> Sequence[Letter]:
        self.asked.append((which, limit, after))
        found = [each for each in self.dead if each.id > after] if which == "dead" else []
        return found[:limit]

    async def retry(self, ids: Collection[int], *, expires_at: datetime) -> Sequence[int]:
        done = [each.id for each in self.dead if each.id in ids]
        self.retried += done
        return done

    async def drop(self, ids: Collection[int]) -> Sequence[int]:
        self.dropped += ids
        return [each.id for each in self.dead if each.id in ids]


@dataclass
class FakePersonData:
    counts: dict[str, int]
    erased: list[Address] = field(default_factory=list)

    async def export(self, address: Address) -> dict[str, Any]:
        return {"address": address.urn, "inbox": [{"text": "tra cứu"}], "person": None}

    async def erase(self, address: Address, now: datetime) -> dict[str, int]:
        assert now.tzinfo is not None
        self.erased.append(address)
        return self.counts


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands in for gateway.bootstrap; a test hangs its fakes on it."""
    stand_in = types.ModuleType("bootstrap")
    stand_in.normalise_number = normalise  # type: ignore[attr-defined]
    stand_in.persons_number = persons_number  # type: ignore[attr-defined]
    for command in (outbox_command, person_command):
        monkeypatch.setattr(command, "_bootstrap", lambda: stand_in)
        monkeypatch.setattr(command, "quiet_settings", lambda _: types.SimpleNamespace())
    return stand_in


def with_letters(told: types.ModuleType, *dead: Letter) -> FakeLetters:
    letters = FakeLetters(dead)
    told.letters = lambda _: letters  # type: ignore[attr-defined]
    return letters


def with_person(told: types.ModuleType, **counts: int) -> FakePersonData:
    data = FakePersonData(counts)
    told.person_data = lambda _: data  # type: ignore[attr-defined]
    return data


def run(command: click.Group, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(command, words, input=typed)


# ---- outbox


@pytest.mark.parametrize("which", outbox_command.NOTHING)
def test_an_empty_list_says_so_in_words(told: types.ModuleType, which: str) -> None:
    letters = with_letters(told)
    assert run(outbox_command.outbox, "list", f"--{which}").output.strip() == outbox_command.NOTHING[which]
    assert letters.asked == [(which, 50, 0)]


def test_dead_letters_are_shown_with_their_reasons_and_where_the_next_page_is(told: types.ModuleType) -> None:
    with_letters(told, letter(7), letter(8))
    output = run(outbox_command.outbox, "list", "--limit", "2").output
    assert "no such number" in output
    assert "84912***013" in output
    assert "23/11 08:30" in output
    assert "--after 8" in output


def test_nothing_is_retried_without_saying_what(told: types.ModuleType) -> None:
    letters = with_letters(told, letter(7))
    assert run(outbox_command.outbox, "retry").exit_code != 0
    assert run(outbox_command.outbox, "retry", "7", "--all-dead").exit_code != 0
    assert letters.retried == []


def test_all_dead_letters_are_retried_once_page_by_page(
    told: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_command, "PAGE", 2)
    letters = with_letters(told, *map(letter, range(1, 6)))
    assert run(outbox_command.outbox, "retry", "--all-dead").output.strip() == "sent once more: 5"
    assert letters.retried == [1, 2, 3, 4, 5]


def test_what_could_not_be_done_is_told(told: types.ModuleType) -> None:
    letters = with_letters(told, letter(7))
    retried = run(outbox_command.outbox, "retry", "7", "9")
    assert (retried.output.strip(), retried.exit_code) == ("sent once more: 1; not a dead letter: id 9", 1)
    dropped = run(outbox_command.outbox, "drop", "7", "9")
    assert (dropped.output.strip(), dropped.exit_code) == ("dropped: 1; neither waiting, held nor dead: id 9", 1)
    nothing = run(outbox_command.outbox, "retry", "5", "6", "5")
    assert (nothing.output.strip(), nothing.exit_code) == ("sent once more: 0; not a dead letter: ids 5, 6", 1)
    assert run(outbox_command.outbox, "drop", "7").exit_code == 0
    assert letters.dropped == [7, 9, 7]


# ---- person


@pytest.mark.parametrize("written", ["nobody", "sms:nobody", ":7", "12 cats", "telegram:"])
def test_what_is_no_address_is_refused(told: types.ModuleType, written: str) -> None:
    data = with_person(told, person=1)
    assert run(person_command.person, "erase", "--yes", written).exit_code != 0
    assert data.erased == []


@pytest.mark.parametrize("written", ["12", "091234567", "8100", "0912 345 67"])
def test_a_number_nobody_can_have_is_refused_and_not_told_as_one_of_which_nothing_is_held(
    told: types.ModuleType, written: str
) -> None:
    data = with_person(told, person=1)
    for words in (["export"], ["erase", "--yes"]):
        refused = run(person_command.person, *words, written)
        assert refused.exit_code != 0
        assert "no telephone number a person can have" in refused.output
    assert data.erased == []


def test_an_address_as_it_is_kept_is_known_whatever_the_numbering_plans_say(told: types.ModuleType) -> None:
    with_person(told)
    assert json.loads(run(person_command.person, "export", "sms:8100").output)["address"] == "sms:8100"


@pytest.mark.parametrize("written", ["0912345678", "+84 912 345 678", "sms:84912345678"])
def test_a_number_is_known_however_it_is_written(told: types.ModuleType, written: str) -> None:
    with_person(told)
    exported = json.loads(run(person_command.person, "export", written).output)
    assert exported["address"] == "sms:84912345678"


def test_an_export_goes_to_a_new_file_of_the_operators_own(told: types.ModuleType, tmp_path: Path) -> None:
    with_person(told)
    path = tmp_path / "person.json"
    first = run(person_command.person, "export", "telegram:77", "--output", str(path))
    assert first.output.strip().endswith("person.json: 1 rows")
    assert json.loads(path.read_text(encoding="utf-8"))["inbox"] == [{"text": "tra cứu"}]
    assert path.stat().st_mode & 0o077 == 0
    second = run(person_command.person, "export", "telegram:77", "--output", str(path))
    assert second.exit_code != 0, "what is there is not written over"


def test_nobody_is_erased_before_the_operator_said_yes(told: types.ModuleType) -> None:
    data = with_person(told, person=1)
    assert run(person_command.person, "erase", "0912345678", typed="n\n").exit_code != 0
    assert data.erased == []
    assert run(person_command.person, "erase", "0912345678", typed="y\n").exit_code == 0
    assert data.erased == [Address("sms", "84912345678")]


def test_what_was_forgotten_is_counted_and_what_is_left_told(told: types.ModuleType) -> None:
    with_person(told, subscriptions=2, inbox=5, person=0, left=1)
    output = run(person_command.person, "erase", "--yes", "0912345678").output
    assert "dossiers followed" in output
    assert "everything stopped" not in output
    assert "again in a minute" in output
    with_person(told, person=0, left=0)
    assert run(person_command.person, "erase", "--yes", "0912345678").output.strip() == "nothing is held about it"


def test_dossiers_that_stay_as_records_are_told_and_never_as_nothing(told: types.ModuleType) -> None:
    with_person(told, person=0, left=0, intake_kept=2)
    output = run(person_command.person, "erase", "--yes", "0912345678").output
    assert output.startswith("2 dossiers received here are kept")
    assert "nothing is held" not in output
