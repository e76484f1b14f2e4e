"""The widget's files: small, never changed once released, exactly what the source makes, and served for every site."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import altcha
import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.widget_files import HERE, INTEGRITY_FILE, WidgetFiles, read_releases
from gateway.http import make_app
from tests.node import install, run

Client = TestClient[Any, Any]
FILE = "dossier-status.js"
MOST_GZIP = 6_000  # bytes of what every page loads
SECRET = "0123456789abcdef"
# A page of https has crypto.subtle, one of http has not; node has it, unless it is taken away.
SOLVE = """
const [challenge, secure] = JSON.parse(process.argv[2]);
globalThis.self = secure ? globalThis : { crypto: {} };
const { work } = await import(process.argv[3]);
process.stdout.write(await work(challenge));
"""


def sri(body: bytes) -> str:
    return f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}"


def version_of_the_source() -> str:
    return str(json.loads((HERE / "package.json").read_text())["version"])


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(make_app(WidgetFiles().routes()), auto_decompress=False)


# ---- what is released


def test_the_bytes_of_a_version_are_those_that_were_noted() -> None:
    for version, release in read_releases().items():
        folder = HERE / "dist" / version
        assert {name: sri((folder / name).read_bytes()) for name in release.files} == release.files
        assert {each.name for each in folder.iterdir()} == set(release.files)
        assert FILE in release.files


def test_no_version_is_there_without_its_hashes() -> None:
    assert {each.name for each in (HERE / "dist").iterdir()} == set(read_releases())


def test_what_every_page_loads_is_small() -> None:
    for version in read_releases():
        assert len(gzip.compress((HERE / "dist" / version / FILE).read_bytes(), 9, mtime=0)) <= MOST_GZIP


def test_the_source_makes_the_newest_version_byte_for_byte(tmp_path: Path) -> None:
    assert version_of_the_source() == WidgetFiles().newest
    install(HERE, "esbuild")
    built = run(HERE, "build.mjs", str(tmp_path))
    assert built.returncode == 0, built.stderr
    for name in read_releases()[WidgetFiles().newest].files:
        committed = HERE / "dist" / WidgetFiles().newest / name
        assert (tmp_path / name).read_bytes() == committed.read_bytes(), f"{name}: make widget"


def test_what_is_released_is_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "widget"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(install(HERE, "esbuild").parent)
    releases = json.loads((folder / "releases.json").read_text())
    releases[version_of_the_source()]["released_on"] = "2026-11-23"
    (folder / "releases.json").write_text(json.dumps(releases))
    assert run(folder, "build.mjs").returncode == 0  # the same again is no change
    with (folder / "src" / "index.js").open("a") as source:
        source.write('globalThis.other = "x";\n')
    refused = run(folder, "build.mjs")
    assert refused.returncode != 0
    assert "was released and never changes" in refused.stderr
    assert json.loads((folder / "releases.json").read_text()) == releases


def test_the_three_languages_have_the_same_words() -> None:
    for name in ("words.js", "steps-words.js"):
        source = (HERE / "src" / name).read_text(encoding="utf-8")
        tables = re.findall(r"^const (vi|en|km) = \{\n(.*?)^\};", source, re.MULTILINE | re.DOTALL)
        assert [language for language, _ in tables] == ["vi", "en", "km"]
        keys = [re.findall(r"^  (\w+):", table, re.MULTILINE) for _, table in tables]
        assert keys[0] == keys[1] == keys[2]
        assert keys[0]


def test_no_source_makes_markup_of_a_string_keeps_anything_or_evaluates() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\.style\b|cookie|Storage|indexedDB|eval\("
    )
    for path in [*(HERE / "src").glob("*.js"), *(HERE / "dist").rglob("*.js")]:
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("secure", [True, False])
def test_the_solver_finds_what_altcha_asks_for(tmp_path: Path, secure: bool) -> None:  # noqa: FBT001
    challenge = altcha.create_challenge(
        "PBKDF2/SHA-256", cost=300, counter=23, hmac_secret=SECRET, hmac_key_secret=SECRET, data={"site": "ts_1"}
    )
    (tmp_path / "solve.mjs").write_text(SOLVE)
    given = json.dumps([challenge.to_dict(), secure])
    solved = run(tmp_path, "solve.mjs", given, str(HERE / "dist" / WidgetFiles().newest / "steps.js"))
    assert solved.returncode == 0, solved.stderr
    assert altcha.verify_solution(solved.stdout, SECRET, hmac_key_secret=SECRET).verified
    assert json.loads(base64.b64decode(solved.stdout))["solution"]["counter"] == 23


# ---- serving


async def test_a_full_version_is_kept_for_ever_and_open_to_every_site(client: Client) -> None:
    files = WidgetFiles()
    answer = await client.get(files.path(files.newest), headers={"Accept-Encoding": "identity"})
    assert answer.status == 200
    assert sri(await answer.read()) == files.integrity(files.newest)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_the_first_number_leads_to_the_newest_and_is_asked_again(client: Client) -> None:
    files = WidgetFiles()
    exact = await client.get(files.path(files.newest))
    newest = await client.get(files.path(files.newest.partition(".")[0]))
    assert await newest.read() == await exact.read()
    assert newest.headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "*", "br;q=1.0, GZIP;q=0.5"])
async def test_it_is_sent_small_to_who_takes_it(client: Client, accepted: str) -> None:
    files = WidgetFiles()
    answer = await client.get(files.path("1"), headers={"Accept-Encoding": accepted})
    body = await answer.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(body) <= MOST_GZIP
    assert sri(gzip.decompress(body)) == files.integrity(files.newest)


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br"])
async def test_it_is_sent_plain_to_who_does_not(client: Client, accepted: str) -> None:
    answer = await client.get(WidgetFiles().path("1"), headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert sri(await answer.read()) == WidgetFiles().integrity(WidgetFiles().newest)


async def test_who_has_it_is_told_so_without_a_body(client: Client) -> None:
    path = WidgetFiles().path("1")
    for accepted in ("gzip", "identity"):
        first = await client.get(path, headers={"Accept-Encoding": accepted})
        again = {"Accept-Encoding": accepted, "If-None-Match": f'"x", {first.headers["ETag"]}'}
        second = await client.get(path, headers=again)
        assert second.status == 304
        assert await second.read() == b""
        assert second.headers["ETag"] == first.headers["ETag"]
        assert second.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_hashes_are_served_for_webmasters(client: Client) -> None:
    newest = WidgetFiles().newest
    answer = await client.get(f"/widget/{newest}/{INTEGRITY_FILE}", headers={"Accept-Encoding": "identity"})
    assert json.loads(await answer.read()) == {"version": newest, "files": dict(read_releases()[newest].files)}
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["9.9.9/dossier-status.js", "2/dossier-status.js", "1.0.0/x.js", "1.0.0/..%2Fpackage.json"]
)
async def test_what_is_not_there_is_said_in_plain_text(client: Client, path: str) -> None:
    answer = await client.get(f"/widget/{path}")
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert WidgetFiles().path(WidgetFiles().newest) in await answer.text()


def test_the_newest_is_the_highest_number_and_not_the_longest_text(tmp_path: Path) -> None:
    releases = {}
    for version in ("1.9.0", "1.10.0", "2.0.0"):
        (tmp_path / "dist" / version).mkdir(parents=True)
        (tmp_path / "dist" / version / FILE).write_text(version)
        releases[version] = {"released_on": "2026-11-23", "files": {FILE: sri(version.encode())}}
    (tmp_path / "releases.json").write_text(json.dumps(releases))
    files = WidgetFiles(tmp_path)
    assert files.newest == "2.0.0"
    assert list(files.versions) == ["2.0.0", "1.10.0", "1.9.0"]
    assert files._files["1", FILE].body == b"1.10.0"
