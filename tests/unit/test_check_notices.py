"""`tracuu check-config` says what keeps people from being told, before anybody waits for a notice in vain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from demo import onestop
from domain.errors import StoreUnavailable
from gateway.bootstrap import check, list_holds, list_stoppages
from gateway.configuration import CONFIG_DIRECTORY, load_settings

CONFIG = """
[database]
url = "sqlite:///tracuu.sqlite3"
[replies]
help_phone = "1022"
[[sources]]
name = "province"
url = "sqlite+aiosqlite:///{file}"
mapping = "{mapping}"
{watch}
[notices]
{notices}
"""


async def found(directory: Path, *, notices: str = "", watch: str = "", mapping: str = "opencps") -> Mapping[str, str]:
    onestop.seed(directory, date(2026, 11, 23))
    path = directory / "gateway.toml"
    shipped = (CONFIG_DIRECTORY / "onestop" / f"{mapping}.toml").read_text(encoding="utf-8")
    (directory / "mapping.toml").write_text(shipped.replace("[notify]", "# [notify]").replace("numbers =", "# ="))
    text = CONFIG.format(file=onestop.DOSSIER_FILE, mapping="mapping.toml", watch=watch, notices=notices)
    path.write_text(text, encoding="utf-8")
    findings = await check(load_settings(path))
    return {each.name: ("" if each.health.ok else "WRONG ") + each.health.detail for each in findings}


async def test_how_each_system_is_watched_is_told(tmp_path: Path) -> None:
    told = await found(tmp_path, watch="watch = { poll_s = 7 }")
    assert told["watch province"] == "poll every 7 s; what is followed is read anew every 600 s"
    assert told["notices"] == "quiet from 22:00 to 07:00, 3 a day, officers of 0 agencies"


async def test_quiet_hours_that_end_when_they_begin_are_none(tmp_path: Path) -> None:
    told = await found(tmp_path, notices='quiet_from = "00:00"\nquiet_until = "00:00"')
    assert told["notices"].startswith("no quiet hours")


@pytest.mark.parametrize(
    ("watch", "wrong"),
    [
        ("listen = true", "only PostgreSQL"),
        ('follow_applicants = true, follow_basis = "QD 12"', "has no [notify]"),
        ("poll = true", "it can be swept, not polled"),
    ],
)
async def test_a_system_that_cannot_be_watched_so_is_told(tmp_path: Path, watch: str, wrong: str) -> None:
    account = (
        '[[sms]]\nname = "a"\nhost = "127.0.0.1"\nport = 1\nsystem_id = "a"\npassword = "x"\nshort_code = "8100"\n'
    )
    told = await found(tmp_path, watch=f"watch = {{ {watch} }}", mapping="bkav", notices=account)
    assert told["watch province"].startswith("WRONG")
    assert wrong in told["watch province"]


async def test_agencies_nobody_knows_are_named(tmp_path: Path) -> None:
    told = await found(
        tmp_path,
        notices='officers = [{ agency = "Q77", numbers = ["0912345678"] }]\noff = [{ agency = "Z99.01" }]',
    )
    assert told["notices"] == "WRONG no agency of this name, nor one above it: officers: Q77; off: Z99.01"


ACCOUNT = """
[[sms]]
name = "a"
host = "{host}"
port = 1
system_id = "a"
password = "x"
short_code = "8100"
"""


async def test_a_host_whose_name_nobody_knows_is_told_as_such(tmp_path: Path) -> None:
    told = await found(tmp_path, notices=ACCOUNT.format(host="smsc.invalid"))
    assert told["sms a"].startswith("WRONG smsc.invalid:1: the name is not known (")
    assert "Unknown error" not in told["sms a"]


async def test_a_port_nobody_listens_on_is_told_in_the_systems_words(tmp_path: Path) -> None:
    told = await found(tmp_path, notices=ACCOUNT.format(host="127.0.0.1"))
    assert told["sms a"] == "WRONG 127.0.0.1:1 cannot be reached: Connection refused"


async def test_a_database_that_cannot_be_read_is_named_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACUU_SOURCES__PROVINCE__URL", f"sqlite+aiosqlite:///{tmp_path}/no/where.sqlite3")
    monkeypatch.setenv("TRACUU_DATABASE__URL", "postgresql+asyncpg://keeper:hunter2@127.0.0.1:1/tracuu")
    told = await found(tmp_path)
    assert told["source province"].startswith(f"WRONG sqlite+aiosqlite:///{tmp_path}/no/where.sqlite3: ")
    assert told["store"].startswith("WRONG postgresql+asyncpg://***@127.0.0.1:1/tracuu: ")
    assert not any("hunter2" in line for line in told.values())


async def test_an_operator_who_looks_in_the_wrong_place_leaves_no_empty_store_there(tmp_path: Path) -> None:
    await found(tmp_path)
    settings = load_settings(tmp_path / "gateway.toml")
    for look in (list_holds, list_stoppages):
        with pytest.raises(StoreUnavailable, match="there is no file"):
            await look(settings)
    assert not settings.database.path.exists()
