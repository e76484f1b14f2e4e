"""`tracuu site`: a key and its secret are given once, and everything that is wrong is one clear line."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.sites import KEY as KEYS
from domain.sites import Site, SiteUse, Used, digest
from gateway import site_command
from gateway.bootstrap import sites as made
from gateway.bootstrap.store import migrate
from gateway.settings import DatabaseSettings
from gateway.settings.outside import WebSettings
from gateway.site_command import NewSecret, Pasted, use_table
from tests.unit.keeping_sites import CLOSED, KEY, ORIGIN, REVOKED, SITE
from tests.unit.speaking import shipped_agencies, shipped_texts

SECRET = "the-secret-itself"
PASTED = Pasted(tags="<script>\n<tag>", policies=["script-src X", "connect-src X"], use_page="U", more="M", assumed="")


@dataclass
class Desk:
    """Stands in for bootstrap."""

    sites: list[Site] = field(default_factory=lambda: [SITE, CLOSED])
    used: Sequence[Used] = ()
    done: list[Any] = field(default_factory=list)
    assumed: str = ""
    settings: Any = None

    async def list_sites(self, settings: object) -> Sequence[Site]:
        return self.sites

    async def add_site(self, settings: object, **asked: Any) -> NewSecret:
        self.done.append(asked)
        return NewSecret(site=replace(SITE, **asked), secret=SECRET)

    async def change_site(self, settings: object, site: Site, *, new_secret: bool) -> NewSecret | None:
        self.done.append((site, new_secret))
        return NewSecret(site=site, secret=SECRET if new_secret else "") if site.revoked_at is None else None

    async def revoke_site(self, settings: object, key: str) -> bool:
        self.done.append(key)
        return key == KEY

    async def site_use(self, settings: object, key: str, days: int) -> Sequence[Used]:
        return self.used

    def site_agency(self, settings: object, typed: str) -> str | None:
        return {"H51.18": "H51.18", "000.00.18.H51": "H51.18"}.get(typed)

    def pasted(self, settings: object, site: Site) -> Pasted:
        return replace(PASTED, assumed=self.assumed)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    stand_in = Desk()
    settings = types.SimpleNamespace(
        agencies=types.SimpleNamespace(path=Path("agencies.toml")),
        web=WebSettings(base_url="https://tracuu.soctrang.gov.vn"),
    )
    stand_in.settings = settings
    monkeypatch.setattr(site_command, "_bootstrap", lambda: stand_in)
    monkeypatch.setattr(site_command, "quiet_settings", lambda _config: settings)
    return stand_in


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(site_command.site, words, input=typed)


# ---- what is refused


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["add", "Sở"], "--origin: a site has at least one origin"),
        (
            ["add", "Sở", "--origin", "https://a.vn/x"],
            "--origin: 'https://a.vn/x' is more than an origin: write https://a.vn",
        ),
        (["add", "Sở", "--origin", "a.vn"], "--origin: 'a.vn' has no scheme: write https://a.vn"),
        (["add", " ", "--origin", ORIGIN], "NAME: a site has a name"),
        (["add", "Sở", "--origin", ORIGIN, "--agency", "H99"], "--agency: there is no agency H99 in agencies.toml"),
        (["show", "ts_x"], "there is no site ts_x; `tracuu site list` shows them"),
        (["change", "ts_x", "--name", "n"], "there is no site ts_x; `tracuu site list` shows them"),
        (["change", KEY], "nothing to change: give --name, --origin, --agency or --new-secret"),
        (["change", KEY, "--origin", "*"], "--origin: '*' has no scheme: write https://*"),
        (["revoke", "ts_x", "--yes"], "there is no site ts_x; `tracuu site list` shows them"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_done(desk: Desk, words: list[str], line: str) -> None:
    result = run(*words)
    assert result.exit_code != 0
    assert result.output.startswith(f"Error: {line}")
    assert result.output.count("\n") == 1
    assert desk.done == []


def test_what_is_revoked_stays_so(desk: Desk) -> None:
    for words, line in (
        (["change", REVOKED, "--name", "n"], f"site {REVOKED} is revoked, for good: add another one"),
        (["revoke", REVOKED, "--yes"], f"site {REVOKED} was revoked before"),
    ):
        result = run(*words)
        assert (result.exit_code, result.output) == (1, f"Error: {line}\n")


def test_revoking_is_asked_about(desk: Desk) -> None:
    assert run("revoke", KEY, typed="n\n").exit_code != 0
    assert desk.done == []
    assert SITE.name in run("revoke", KEY, typed="y\n").output
    assert desk.done == [KEY]


# ---- what is done


def test_a_new_site_is_told_with_its_secret_once_and_what_to_paste(desk: Desk) -> None:
    output = run(
        "add", " Sở  TNMT ", "--origin", "HTTPS://A.vn:443", "--origin", "https://b.vn", "--agency", "000.00.18.H51"
    ).output
    assert desk.done == [{"name": "Sở TNMT", "agency": "H51.18", "origins": ("https://a.vn", "https://b.vn")}]
    assert output.count(SECRET) == 1
    for told in (KEY, PASTED.tags, *PASTED.policies, PASTED.use_page, PASTED.more):
        assert told in output
    assert "WARNING" not in output


def test_no_site_is_added_while_nobody_knows_the_address_it_would_load_from(desk: Desk) -> None:
    desk.settings.web = WebSettings()
    result = run("add", "Sở", "--origin", ORIGIN)
    assert (result.exit_code, desk.done) == (1, [])
    assert result.output.startswith("Error: web.base_url is not set")


def test_an_address_that_is_only_an_example_is_called_so_apart_from_what_is_pasted(desk: Desk) -> None:
    desk.assumed = "https://example"
    shown = run("show", KEY)
    assert "WARNING: web.base_url is not set" in shown.stderr
    assert "WARNING" not in shown.stdout


@pytest.mark.parametrize("words", [("add", "Sở"), ("change", KEY)])
def test_an_origin_without_encryption_is_warned_of_but_for_this_machine(desk: Desk, words: Sequence[str]) -> None:
    assert "WARNING: http://a.vn is not https" in run(*words, "--origin", ORIGIN, "--origin", "http://a.vn").stderr
    for sound in (ORIGIN, "http://localhost:8085", "http://127.0.0.1:8085"):
        assert "WARNING" not in run(*words, "--origin", sound).output


def test_only_what_is_named_is_changed(desk: Desk) -> None:
    for words, expected, secret in (
        (["--name", "Khác"], {"name": "Khác"}, False),
        (["--origin", "https://c.vn"], {"origins": ("https://c.vn",)}, False),
        (["--agency", ""], {"agency": ""}, False),
        (["--new-secret"], {}, True),
    ):
        output = run("change", KEY, *words).output
        assert desk.done.pop() == (replace(SITE, **expected), secret)
        assert output.count(SECRET) == secret


def test_sites_are_listed_for_people_and_for_programs(desk: Desk) -> None:
    output = run("list").output
    assert all(told in output for told in (KEY, REVOKED, SITE.name, "H51.18", "the province", "revoked 08/10/2026"))
    plain = json.loads(run("list", "--json").output)
    assert [each["key"] for each in plain] == [KEY, REVOKED]
    assert plain[0]["origins"] == list(SITE.origins)
    assert all(SITE.secret_digest not in str(each) for each in (output, plain))
    desk.sites = []
    assert run("list").output.strip() == "no site has a key"


def test_a_site_is_shown_with_its_use(desk: Desk) -> None:
    assert "it was not used in the last 30 days" in run("show", KEY).output
    desk.used = [Used(day=date(2026, 11, 23), use=SiteUse.NOT_FOUND, count=41)]
    output = run("show", KEY).output
    assert all(told in output for told in ("in force", "23/11/2026", "not found", "41", PASTED.tags))
    assert PASTED.tags not in run("show", REVOKED).output


def test_use_is_a_table_of_days_with_totals() -> None:
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    heads, rows = use_table(
        [
            Used(day=monday, use=SiteUse.FOUND, count=3),
            Used(day=monday, use=SiteUse.OTHER, count=1),
            Used(day=tuesday, use=SiteUse.FOUND, count=2),
        ]
    )
    assert heads == ["day", "found", "other", "all"]
    assert rows == [["24/11/2026", "2", "0", "2"], ["23/11/2026", "3", "1", "4"], ["all", "5", "1", "6"]]


# ---- behind the command


@pytest.fixture
async def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    words = types.SimpleNamespace(
        catalogue=Catalogue.from_mapping(shipped_texts()), agencies=Agencies.from_mapping(shipped_agencies())
    )
    monkeypatch.setattr(made, "read_words", lambda _: words)
    database = DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    settings: Any = types.SimpleNamespace(database=database, web=WebSettings())
    await migrate(settings)
    return settings


async def test_keys_and_secrets_are_random_and_only_a_digest_is_kept(settings: Any) -> None:
    added = [await made.add_site(settings, name=f"Sở {n}", agency="", origins=[ORIGIN]) for n in range(2)]
    kept = await made.list_sites(settings)
    assert [each.site.name for each in added] == [each.name for each in kept]
    for each, site in zip(added, kept, strict=True):
        assert KEYS.fullmatch(site.key)
        assert re.fullmatch(r"[a-z2-7]{26}", each.secret)
        assert site.secret_digest == digest(each.secret)
    assert len({each.secret for each in added} | {each.key for each in kept}) == 4


async def test_a_new_secret_takes_the_place_of_the_old_one(settings: Any) -> None:
    added = await made.add_site(settings, name="Sở", agency="", origins=[ORIGIN])
    changed = await made.change_site(settings, replace(added.site, name="Khác"), new_secret=True)
    assert changed is not None
    (kept,) = await made.list_sites(settings)
    assert (kept.name, kept.secret_digest) == ("Khác", digest(changed.secret))
    assert changed.secret != added.secret
    assert await made.revoke_site(settings, kept.key)
    assert await made.change_site(settings, kept, new_secret=True) is None
    assert await made.site_use(settings, kept.key, 30) == []


async def test_what_is_pasted_names_the_key_and_our_own_address(settings: Any) -> None:
    told = made.pasted(settings, SITE)
    assert (told.assumed, told.policies) == (
        made.EXAMPLE,
        (f"script-src {made.EXAMPLE}", f"connect-src {made.EXAMPLE}"),
    )
    settings.web = settings.web.model_copy(update={"base_url": "https://tracuu.soctrang.gov.vn"})
    told = made.pasted(settings, SITE)
    assert told.assumed == ""
    assert told.tags.count("<script ") == told.tags.count("<dossier-status ") == 1
    assert f'site-key="{KEY}"' in told.tags
    assert told.use_page == "https://tracuu.soctrang.gov.vn/webmaster"


async def test_an_agency_is_known_by_any_of_its_spellings_and_by_no_other(settings: Any) -> None:
    assert made.site_agency(settings, "H51.18") == "H51.18"
    for unknown in ("H51.99", "H51.18.77", "X", ""):
        assert made.site_agency(settings, unknown) is None
