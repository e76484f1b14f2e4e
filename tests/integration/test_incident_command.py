"""`tracuu incident report`: the console's button, from the command line, beside a gateway that serves."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.accounts.ports import AuditSearch
from gateway import incident_command
from gateway.bootstrap import report_incident
from gateway.bootstrap.checking import check
from gateway.configuration import load_settings
from gateway.incident_command import IncidentFault
from gateway.settings import Settings
from tests.console_made import made_console


def settings_of(folder: Path) -> Settings:
    return load_settings(folder / "gateway.toml")


async def test_a_report_leaves_with_the_replies_and_is_noted(tmp_path: Path) -> None:
    async with made_console(tmp_path) as console:
        reported = await report_incident(settings_of(tmp_path), "Máy chủ đầy đĩa")
        assert reported.recipients == ["sms:…678", "sms:…321"]
        claimed = await console.store.claim("demo", 10, replies_only=True)
        assert ["May chu day dia" in message.text for message in claimed] == [True, True]
        (entry,) = await console.store.audit().find(AuditSearch(agencies=None), limit=10)
        assert (entry.login, entry.action) == ("tracuu", "incident.reported")
        for number in range(4):
            await report_incident(settings_of(tmp_path), f"lần {number}")
        with pytest.raises(IncidentFault, match="5 reports were made within an hour"):
            await report_incident(settings_of(tmp_path), "lần nữa")


@pytest.mark.parametrize(("text", "why"), [("", "say what is wrong"), ("[" * 240, "SMS segments")])
async def test_what_says_nothing_or_too_much_is_refused(tmp_path: Path, text: str, why: str) -> None:
    async with made_console(tmp_path) as console:
        with pytest.raises(IncidentFault, match=why):
            await report_incident(settings_of(tmp_path), text)
        assert dict(await console.store.depth()) == {}


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_where_nobody_is_to_be_told_nothing_is_asked(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = types.SimpleNamespace(console=types.SimpleNamespace(incident_recipients=()))
    monkeypatch.setattr(incident_command, "quiet_settings", lambda _: nobody)
    said = CliRunner().invoke(incident_command.incident, ["report", "x", *words])
    assert (said.exit_code, said.output) == (1, "Error: nobody is to be told: set console.incident_recipients\n")


async def test_check_config_says_how_the_console_stands(tmp_path: Path) -> None:
    async with made_console(tmp_path):
        findings = {each.name: each.health for each in await check(settings_of(tmp_path))}
        assert findings["console"].ok
        assert "no officer yet: tracuu officer add" in findings["console"].detail
        assert "incidents are told to 2" in findings["console"].detail
