"""Every route of the public listener, asked in the usual and in odd ways: a documented answer with our headers, whoever asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.web import paths
from channels.web.openapi import template_of
from channels.web.problem import ProblemKind
from tests.whole.public_listener import KEY, ORIGIN, Public, filled, public_listener

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOUND: Final = "H51.18-250701-0005"
PLAIN: Final = {
    "code": FOUND,
    "agency": "H51.18",
    "identifier": "H51.18",
    "slug": "not-found",
    "version": "1",
    "file": "dossier-status.js",
}
USUAL: Final[Mapping[str, Sequence[Mapping[str, str]]]] = {
    paths.API_PROCEDURE: ({**PLAIN, "code": "1.004946"}, PLAIN),
    paths.PROCEDURE: ({**PLAIN, "code": "1.004946"}, PLAIN),
}
QUERIES: Final = (
    "",
    "?lang=en",
    f"?site={KEY}",
    "?site=ts_nobodys",
    f"?ma={FOUND}",
    "?q=khai%20sinh&tim=khai%20sinh",
    "?ma=x&q=x&tim=x",
)
# What everybody is told alike, and a cache between may therefore keep.
PUBLIC: Final = (
    "/static/",
    "/widget/",
    "/huong-dan",
    "/to-roi",
    "/bieu-mau/",
    "/integrate/qr.svg",
    "/api/v1/agencies",
    "/api/v1/openapi.json",
)
STRICT: Final = (
    "default-src 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "frame-ancestors ",
)
ALWAYS: Final = ("Content-Security-Policy", "Cache-Control", "Referrer-Policy", "Permissions-Policy")
# Of the listener itself: what it cannot read, has not got, does not do, finds too large or expects otherwise.
OF_THE_LISTENER: Final = frozenset({400, 404, 405, 413, 417})
OF_PAGES: Final = frozenset({200, 201, 202, 206, 302, 304, 416}) | {kind.status for kind in ProblemKind}
OUR_METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Public]:
    async with public_listener(tmp_path_factory.mktemp("public")) as listening:
        yield listening


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def documented(public: Public) -> Mapping[tuple[str, str], frozenset[int]]:
    """The statuses of each operation of the API, by method and path."""
    async with public.ask("GET", "/api/v1/openapi.json?lang=en") as answer:
        document = await answer.json()
    return {
        (method.upper(), path): frozenset(map(int, operation["responses"]))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def usual_addresses(public: Public) -> list[str]:
    """Every path of a GET, filled in, with queries."""
    return [
        filled(route.path, values) + query
        for route in public.routes
        if route.method == "GET"
        for values in USUAL.get(route.path, (PLAIN, {}))
        for query in QUERIES
    ]


async def test_every_page_keeps_the_strict_policy_and_every_answer_our_headers(public: Public) -> None:
    pages = set()
    for address in (*usual_addresses(public), "/nowhere"):
        async with public.ask("GET", address, headers={"Accept": "text/html"}) as answer:
            await answer.read()
            assert_our_headers(answer, address)
            if answer.content_type == "text/html":
                pages.add(address.partition("?")[0])
                told = answer.headers["Content-Security-Policy"]
                assert "unsafe" not in told, address
                assert all(each in told for each in STRICT), (address, told)
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Content-Language"] in ("vi", "en"), address
    assert len(pages) >= 14


async def test_what_is_told_to_one_is_kept_by_no_cache_for_another(public: Public) -> None:
    for address in usual_addresses(public):
        for language in ("vi", "en"):
            async with public.ask("GET", address, headers={"Accept-Language": language}) as answer:
                body = await answer.read()
                kept = answer.headers["Cache-Control"]
                assert ("public" in kept) <= address.startswith(PUBLIC), (address, kept)
                assert ("public" in kept) <= (FOUND.encode() not in body or address.startswith("/api/v1/openapi")), (
                    address
                )
                varies = {each.strip() for each in answer.headers.get("Vary", "").split(",")}
                assert ("Content-Language" in answer.headers) <= ("Accept-Language" in varies), address
                assert ("Access-Control-Allow-Origin" in answer.headers) <= (
                    answer.headers.get("Access-Control-Allow-Origin") == "*" or "Origin" in varies
                ), address


async def test_a_tag_of_one_language_is_no_other_languages(public: Public) -> None:
    for path in (f"/api/v1/dossiers/{FOUND}", "/api/v1/procedures?q=khai%20sinh", "/api/v1/openapi.json"):
        async with public.ask("GET", path, headers={"Accept-Language": "vi"}) as answer:
            tag = answer.headers["ETag"]
        for language, status in (("vi", 304), ("en", 200)):
            headers = {"Accept-Language": language, "If-None-Match": tag}
            async with public.ask("GET", path, headers=headers) as answer:
                assert (answer.status, answer.headers["Content-Language"]) == (status, language), path
                assert_our_headers(answer, path)


async def test_head_is_get_without_the_body(public: Public) -> None:
    for route in public.routes:
        if route.method == "GET" and route.path != paths.API_CHALLENGE:
            address = filled(route.path, PLAIN)
            async with public.ask("GET", address) as got, public.ask("HEAD", address) as asked:
                assert asked.status == got.status, address
                assert await asked.read() == b""
                assert_our_headers(asked, address)


# ---- odd requests

ODD_TEXTS: Final = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["..", ".", "%2e%2e", "../../etc/passwd", "//evil.example", "\\\\evil", "\x00", "a" * 700, FOUND, ""]
    ),
)
ODD_HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "Origin": st.sampled_from([ORIGIN, "null", "https://evil.example", "http://", "x"]),
        "Accept": st.sampled_from(["text/html", "*/*", "application/json;q=x", ";"]),
        "Accept-Language": st.sampled_from(["km,en;q=0.1", "*", "x" * 600, ";q=1,,,"]),
        "If-None-Match": st.sampled_from(["*", '"x"', "W/", "x" * 900]),
        "If-Modified-Since": st.sampled_from(["x", "Mon, 23 Nov 2026 00:00:00 GMT"]),
        "Range": st.sampled_from(["bytes=0-1", "bytes=9-1", "x", "bytes=999999999-"]),
        "X-Forwarded-For": st.sampled_from(["1.2.3.4", "x", "::1%eth0", ",,,"]),
        "Sec-Fetch-Site": st.sampled_from(["cross-site", "same-origin", "x"]),
        "Accept-Encoding": st.sampled_from(["gzip", "gzip;q=0", "br", ";;"]),
    },
)
ODD_BODIES: Final = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(["code", "phone", "pin", "work", "last_four", "secret", "x"]),
        st.one_of(ODD_TEXTS, st.integers(), st.none()),
    ).map(lambda body: json.dumps(body).encode()),
    st.sampled_from(
        [b"{}", b"[" * 9_000, b"ma=%ff&phone=0912345678", b"&" * 300, b'{"secret": "\\ud800"}', b"x" * 70_000]
    ),
)
ODD_TYPES: Final = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "x",
        "multipart/form-data; boundary=",
        ";;=",
        "application/json; charset=utf-99",
    ]
)


@settings(max_examples=300)
@given(data=st.data())
async def test_whatever_is_asked_the_answer_is_documented_and_has_our_headers(
    public: Public, documented: Mapping[tuple[str, str], frozenset[int]], data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(public.routes))
    method = data.draw(st.one_of(st.just(route.method), st.sampled_from(OUR_METHODS)))
    values = {name: quote(data.draw(ODD_TEXTS).encode("utf-8", "surrogatepass"), safe="") for name in PLAIN}
    query = data.draw(
        st.dictionaries(
            st.sampled_from(["site", "lang", "q", "ma", "tim", "limit", "after", "code"]), ODD_TEXTS, max_size=3
        )
    )
    given_ = "&".join(f"{name}={quote(text.encode('utf-8', 'surrogatepass'), safe='')}" for name, text in query.items())
    headers, body = data.draw(ODD_HEADERS), data.draw(ODD_BODIES)
    if body is not None:
        headers["Content-Type"] = data.draw(ODD_TYPES)
    path = filled(route.path, values if data.draw(st.booleans()) else PLAIN)
    address = f"{path}?{given_}" if given_ else path
    async with public.ask(method, address, headers=headers, data=body) as answer:
        told = await answer.read()
        assert answer.status in allowed(documented, route.path, method), (method, address, answer.status, told[:200])
        assert_our_headers(answer, address)
        assert answer.headers.get("Location", "/tra-cuu") == "/tra-cuu"
        assert answer.headers.get("Access-Control-Allow-Origin", "*") in ("*", ORIGIN)
        assert "Access-Control-Allow-Credentials" not in answer.headers


def allowed(documented: Mapping[tuple[str, str], frozenset[int]], path: str, method: str) -> frozenset[int]:
    if not path.startswith(paths.API + "/"):
        return OF_PAGES | OF_THE_LISTENER
    if method == "OPTIONS":
        return OF_THE_LISTENER | {204, 403}
    named = "GET" if method == "HEAD" else method
    return documented.get((named, template_of(path)), frozenset()) | OF_THE_LISTENER


def assert_our_headers(answer: aiohttp.ClientResponse, address: str) -> None:
    headers = answer.headers
    assert all(headers.getall(name, []) == [headers.get(name)] for name in ALWAYS), (address, dict(headers))
    assert headers["X-Content-Type-Options"] == "nosniff", address
    assert headers["Cross-Origin-Resource-Policy"] in ("same-origin", "cross-origin"), address
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), address
    assert "Set-Cookie" not in headers, address
    assert "Server" not in headers, address
    assert headers.get("Content-Type", "") or answer.status in (204, 302, 304, 403), address
