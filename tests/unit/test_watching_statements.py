"""What a watcher sends, in every dialect, and the command that prints the trigger script."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import DateTime

from adapters.onestop.changes_statement import CLOCKS, by_code, changed_since, newest_moments
from adapters.onestop.engines import DRIVERS
from adapters.onestop.mapping import SourceMapping, load_mapping
from adapters.onestop.trigger import trigger_script
from domain.errors import SettingsError
from gateway import trigger_command
from gateway.trigger_command import print_trigger
from tests.onestop_schemas.schemas import SCHEMAS
from tests.unit.test_dialects import DIALECTS

MAPPING = SCHEMAS["opencps"].mapping()
STATEMENTS: dict[str, Any] = {
    "first changes": changed_since(MAPPING, DateTime(), 500, behind=False),
    "next changes": changed_since(MAPPING, DateTime(), 500, behind=True),
    "first codes": by_code(MAPPING, 500, behind=False),
    "next codes": by_code(MAPPING, 500, behind=True, until=DateTime()),
    "newest": newest_moments(MAPPING),
}
CONFIG = """
[replies]
help_phone = "1022"
[[sources]]
name = "province"
url = "{0}"
mapping = "{1}"
"""


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_watchers_statement_is_one_bounded_select_without_persons_or_joins(name: str, dialect: str) -> None:
    text = str(STATEMENTS[name].compile(dialect=DIALECTS[dialect]))
    assert text.startswith("SELECT ")
    assert re.search(r"LIMIT|TOP|FETCH FIRST|ROWNUM", text)
    assert text.count("ORDER BY") >= 1
    assert "JOIN" not in text
    assert "*" not in text
    for personal in ("applicant", "TelNo", "password"):
        assert personal not in text


def test_every_database_we_speak_to_is_asked_for_its_clock() -> None:
    assert {driver.partition("+")[0] for driver in DRIVERS} == set(CLOCKS)


def test_the_shipped_mappings_say_whom_a_dossier_names() -> None:
    for schema in SCHEMAS.values():
        notify = schema.mapping().notify
        assert notify is not None
        assert set(notify.numbers) <= set(schema.mapping().proof.numbers)


@pytest.mark.parametrize(
    "notify",
    ["numbers = []", 'numbers = ["beside.Phone"]', 'numbers = ["Phone"]\nwanted = { column = "Email", values = [1] }'],
)
def test_notify_that_cannot_be_meant_is_refused(notify: str) -> None:
    with pytest.raises(SettingsError):
        load_mapping(f"{SCHEMAS['thanhhoa'].text().split('[notify]')[0]}\n[status]\n4 = 4\n[notify]\n{notify}", "odd")


def written(folder: Path, url: str) -> str:
    file = folder / "gateway.toml"
    file.write_text(CONFIG.format(url, SCHEMAS["opencps"].folder / "opencps.toml"))
    return str(file)


def script_of(settings: Any, name: str) -> str:
    (source,) = settings.sources
    mapping: SourceMapping = MAPPING
    return trigger_script(mapping, source.url.get_secret_value(), name=name)


def test_command_prints_the_script_and_refuses_what_is_no_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = types.ModuleType("bootstrap")
    stand_in.trigger_script = script_of  # type: ignore[attr-defined]
    monkeypatch.setattr(trigger_command, "_bootstrap", lambda: stand_in)
    run = CliRunner().invoke
    printed = run(print_trigger, ["-c", written(tmp_path, "postgresql+asyncpg://reader:secret@host/x"), "province"])
    assert printed.exit_code == 0, printed.output
    assert 'ON "Dossier"' in printed.output
    assert "secret" not in printed.output
    refused = run(print_trigger, ["-c", written(tmp_path, "mysql+aiomysql://reader:secret@host/x"), "province"])
    assert refused.output.startswith("Error: source province: only PostgreSQL tells of changes")
    unknown = run(print_trigger, ["-c", written(tmp_path, "postgresql+asyncpg://host/x"), "other"])
    assert "there are: province" in unknown.output
