"""Burglars try the public listener: other origins, other hosts, other people's budgets, telephones and dossiers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.whole.gateways import STORE
from tests.whole.public_listener import BASE_URL, KEY, ORIGIN, Public, public_listener

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOUND: Final = "H51.18-250701-0005"
OTHER: Final = "H51.18-250701-0002"
UNKNOWN: Final = "H51.18-260102-0099"
DOSSIER: Final = f"/api/v1/dossiers/{FOUND}"
FOREIGN: Final = (
    "null",
    "*",
    "https://evil.example",
    "https://agency.example.vn.evil.example",
    "https://evil-agency.example.vn",
    "https://sub.agency.example.vn",
    "https://agency.example.vn.",
    "https://agency.example.vn:443",
    "https://agency.example.vn:8443",
    "http://agency.example.vn",
    "https://AGENCY.example.vn",
    "HTTPS://agency.example.vn",
    "https://user@agency.example.vn",
    "https://agency.example.vn@evil.example",
    "https://agency.example.vn/",
    "https://agency.example.vn, https://evil.example",
    "https://agency.example.vn https://evil.example",
    "https://agencyxexample.vn",
    "https://xn--agency-example.vn",
    "agency.example.vn",
    "https://",
    "file://",
    f"{BASE_URL}.evil.example",
)
# Ways to name the site, of which only the first two name it.
NAMED: Final = ("site={key}", "site={key}&site=ts_nobodys", "site=ts_nobodys&site={key}", "%73ite={key}", "SITE={key}")
SPELLED: Final = ("site={key}%20", "site={key}%00", "site=%20{key}", "site[]={key}", "site={key};x", "site={KEY}")
TELEPHONES: Final = ("0912345671", "0912 345 672", "+84912345673", "84987654321", "0000", "113", "+15551234567", "")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Public]:
    async with public_listener(tmp_path_factory.mktemp("burgled")) as listening:
        yield listening


# ---- other origins


@pytest.mark.parametrize("origin", FOREIGN)
async def test_an_origin_that_only_looks_like_the_sites_reads_nothing(public: Public, origin: str) -> None:
    for query in ("", f"?site={KEY}", *(f"?{each.format(key=KEY, KEY=KEY.upper())}" for each in (*NAMED, *SPELLED))):
        for method in ("GET", "HEAD", "OPTIONS"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            async with public.ask(method, DOSSIER + query, headers=headers) as answer:
                opened, body = answer.headers.get("Access-Control-Allow-Origin", ""), await answer.text()
                assert opened in ("", "*"), query
                assert opened != "*" or answer.status == 403, query
                assert opened != "*" or FOUND not in body, query


async def test_the_sites_own_origin_reads_for_its_own_key_only(public: Public) -> None:
    read = []
    for way in (*NAMED, *SPELLED):
        async with public.ask(
            "GET", f"{DOSSIER}?{way.format(key=KEY, KEY=KEY.upper())}", headers={"Origin": ORIGIN}
        ) as got:
            if got.headers.get("Access-Control-Allow-Origin") == ORIGIN:
                assert "Origin" in got.headers["Vary"]
                read.append(way)
    assert read == list(NAMED[:2])


# ---- other hosts


async def test_no_header_moves_us_to_another_address(public: Public) -> None:
    headers = dict.fromkeys(
        ("Host", "X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"), "evil.example"
    )
    headers |= {"Forwarded": "host=evil.example;proto=evil", "X-Forwarded-Proto": "evil", "X-Forwarded-Port": "666"}
    for path in (
        "/",
        "/tra-cuu",
        f"/d/{FOUND}",
        "/huong-dan/H51.18",
        "/to-roi",
        "/integrate",
        "/integrate/qr.svg",
        "/api",
        "/api/v1/openapi.json",
        DOSSIER,
        "/theo-doi",
        "/webmaster",
        "/embed",
    ):
        async with public.ask("GET", path, headers=headers) as answer:
            assert b"evil" not in (await answer.read()).lower(), path
            assert "evil" not in json.dumps(dict(answer.headers)), path


async def test_without_an_address_of_ours_only_the_host_header_is_believed_and_no_cache_keeps_it(
    tmp_path: Path,
) -> None:
    async with public_listener(tmp_path, base_url="") as public:
        for path in (f"/d/{FOUND}", "/huong-dan/H51.18", "/to-roi", "/integrate", "/integrate/qr.svg", "/api"):
            for host in (
                "evil.example",
                '"><script>',
                "evil.example/..",
                "a b",
                "user@evil.example",
                "evil.example:99999",
            ):
                async with public.ask(
                    "GET", path, headers={"Host": host, "X-Forwarded-Host": "worse.example"}
                ) as answer:
                    page = await answer.text()
                    assert answer.status in (200, 400)
                    assert "worse" not in page
                    assert '"><script>' not in page
                    assert ("evil" in page.lower()) <= ("public" not in answer.headers.get("Cache-Control", ""))


async def test_no_address_leads_out_of_what_is_served(public: Public) -> None:
    for start in ("/widget/", "/widget/1/", "/bieu-mau/", "/static/", "/d/", "/problems/", "/api/v1/agencies/", "/"):
        for trick in (
            "..",
            "%2e%2e",
            "../",
            "%2e%2e%2f",
            "..%2f..%2f..%2fetc%2fpasswd",
            "%2e%2e/%2e%2e/etc/passwd",
            "....//",
            "%5c..%5c",
            "/etc/passwd",
            "//evil.example",
            "%00",
            "look-up.css",
            "file:///etc/passwd",
        ):
            async with public.ask("GET", start + trick) as answer:
                body = await answer.read()
                assert answer.status in (302, 400, 404), (start, trick)
                assert b"root:" not in body
                assert answer.headers.get("Location", "/tra-cuu") == "/tra-cuu"


# ---- budgets


WAYS: Final[Sequence[tuple[str, str, Mapping[str, Any]]]] = (
    ("GET", DOSSIER, {}),
    ("HEAD", DOSSIER, {}),
    ("GET", f"/d/{FOUND}", {}),
    ("HEAD", f"/D/{FOUND}", {}),
    ("GET", f"/tra-cuu?ma={FOUND}", {}),
    ("GET", "/tra-cuu?ma=x", {}),
    ("POST", DOSSIER, {"data": b"{}"}),
    ("POST", DOSSIER, {"data": b'{"last_four": "0000"}'}),
    ("POST", "/tra-cuu", {"data": {"ma": FOUND, "last_four": "0000"}}),
    ("GET", f"{DOSSIER}?site={KEY}", {}),
    ("GET", "/api/v1/challenge", {}),
    ("GET", "/api/v1/procedures?q=khai", {}),
    ("GET", "/thu-tuc?tim=khai", {}),
    ("POST", "/api/v1/subscriptions", {"json": {"code": FOUND, "phone": "0912345678"}}),
    ("POST", "/api/v1/subscriptions/x", {"json": {"pin": "123456"}}),
    ("POST", "/theo-doi", {"data": {"ma": FOUND, "phone": "0912345678"}}),
    ("POST", "/webmaster", {"data": {"site": KEY, "secret": "x"}}),
)


async def test_no_way_of_asking_is_free_whatever_the_headers_say(tmp_path: Path) -> None:
    guards = "questions_per_address = [{ count = 3, seconds = 3600.0 }]\n"
    async with public_listener(tmp_path, guards=guards, trusted='["127.0.0.0/8"]') as public:
        for number, (method, path, options) in enumerate(WAYS):
            for whose in (f"198.18.{number}.7", f"2001:db8:{number}::{{}}"):
                statuses = []
                for time in range(5):
                    headers = {
                        "X-Forwarded-For": f"10.{time}.1.1, {whose.format(time)}",
                        "X-Real-IP": f"9.9.9.{time}",
                        "Forwarded": f"for=8.8.8.{time}",
                        "Origin": ORIGIN,
                        "If-None-Match": "*",
                    }
                    async with public.ask(method, path, headers=headers, **options) as answer:
                        statuses.append(answer.status)
                assert 429 not in statuses[:3], (method, path, statuses)
                assert statuses[3:] == [429, 429], (method, path, statuses)


# ---- telephones and dossiers


async def test_ordering_a_code_tells_no_more_of_a_dossier_than_looking_it_up(tmp_path: Path) -> None:
    more = "\n[lookup]\nnot_found_s = 0.1\n"
    async with public_listener(tmp_path, more=more) as public:
        told: dict[str, set[str]] = {FOUND: set(), UNKNOWN: set()}
        for code, seen in told.items():
            for phone in TELEPHONES[:4]:
                body = {"code": code, "phone": phone}
                async with public.ask("POST", "/api/v1/subscriptions", json=body) as answer:
                    said = await answer.json()
                    kept = {name: value for name, value in said.items() if name not in ("token", "expires_at")}
                    seen.add(json.dumps([answer.status, sorted(said), kept]))
        assert all(len(seen) == 1 for seen in told.values())
        async with public.ask("GET", f"/api/v1/dossiers/{UNKNOWN}") as answer:
            said = await answer.json()
            assert told[UNKNOWN] == {json.dumps([answer.status, sorted(said), said])}
        for phone in TELEPHONES[4:]:
            for code in told:
                async with public.ask("POST", "/api/v1/subscriptions", json={"code": code, "phone": phone}) as answer:
                    assert (answer.status, (await answer.json())["type"]) == (400, "/problems/unreadable-number")


async def test_who_is_suspected_reads_the_same_of_what_there_is_and_of_what_there_is_not(tmp_path: Path) -> None:
    guards = "misses_before_work = [{ count = 1, seconds = 3600.0 }]\n"
    async with public_listener(tmp_path, guards=guards) as public:
        async with public.ask("GET", f"/api/v1/dossiers/{UNKNOWN}") as answer:
            assert answer.status == 404
        for given in (None, b"{}", b'{"last_four": "1234"}', b'{"work": "bm8="}', b'{"secret": "NOBODYS"}'):
            assert await said_of(public, FOUND, given) == await said_of(public, OTHER, given)
            assert await said_of(public, FOUND, given) == await said_of(public, UNKNOWN, given)


async def said_of(public: Public, code: str, given: bytes | None) -> Any:
    """All that is told, but for the code and what is different each time."""
    method = "GET" if given is None else "POST"
    async with public.ask(method, f"/api/v1/dossiers/{code}", data=given) as answer:
        said = await answer.json()
        challenge = sorted(said.pop("challenge", ()))
        assert said.pop("code", code) == code
        headers = {
            name: value for name, value in answer.headers.items() if name not in ("Date", "RateLimit", "Content-Length")
        }
        return answer.status, said, challenge, headers


async def test_codes_are_sent_so_often_and_no_more_whoever_orders_them(tmp_path: Path) -> None:
    async with public_listener(tmp_path) as public:
        for _ in range(5):
            assert await ordered(public, "0912345678") == 202
        assert leaving(public.directory) == 3  # a day, to one number
        assert await ordered(public, "0987654321") == 429  # of one address


async def ordered(public: Public, phone: str, whose: str = "198.18.0.7") -> int:
    """By the page of a site; the status."""
    body, headers = {"code": FOUND, "phone": phone}, {"Origin": ORIGIN, "X-Forwarded-For": whose}
    async with public.ask("POST", f"/api/v1/subscriptions?site={KEY}", json=body, headers=headers) as answer:
        status: int = answer.status
        return status


def leaving(directory: Path) -> int:
    """Messages that are to be sent; others expired when they were written."""
    with closing(sqlite3.connect(directory / STORE)) as store:
        [(count,)] = store.execute("SELECT count(*) FROM outbox WHERE expires_at > created_at").fetchall()
    found: int = count
    return found
