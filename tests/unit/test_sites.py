"""Sites: an origin is read as browsers write it or refused, a revoked key opens nothing, and no use is counted twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.web import sites as module
from channels.web.ports import UseKey
from channels.web.problem import ProblemKind
from channels.web.sites import Sites, admit
from domain.calendar import local_day
from domain.errors import StoreUnavailable, StoreUncertain
from domain.sites import LONGEST_NAME, MOST_ORIGINS, Site, SiteUse, digest, read_name, read_origin, read_origins
from tests.unit.keeping_sites import CLOSED, KEY, ORIGIN, OTHER, REVOKED, SECRET, SITE, Book, registry
from tests.unit.speaking import NOW

HOST = "tracuu.example.gov.vn"
BASE = f"https://{HOST}"
AS_BROWSERS_WRITE = re.compile(r"https?://[a-z0-9.-]+(:[1-9][0-9]*)?")


# ---- origins


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "null",
        "*",
        "stnmt.example.gov.vn",
        "https://",
        "https:///",
        "https://*.example.gov.vn",
        "https://a.vn/x",
        "https://a.vn?x",
        "https://a.vn#x",
        "https://a.vn//",
        "https://user@a.vn",
        "https://user:word@a.vn",
        "https://a.vn:0",
        "https://a.vn:65536",
        "https://a.vn:",
        "https://a.vn:x",
        "https://a..vn",
        "https://.vn",
        "https://a vn",
        "https://a.vn https://b.vn",
        "https://a.vn,https://b.vn",
        "https://a_b.vn",
        "https://a.vn\n.evil.vn",
        "https://a.vn／x",
        "https://＊.vn",
        "https://u＠a.vn",
        "ftp://a.vn",
        "javascript://a.vn",
        "file://a",
    ],
)
def test_what_is_no_origin_is_refused_in_words(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_origin(typed)


@pytest.mark.parametrize(
    ("typed", "origin"),
    [
        (" HTTPS://Stnmt.Example.Gov.VN/ ", "https://stnmt.example.gov.vn"),
        ("https://a.vn:443", "https://a.vn"),
        ("http://a.vn:80", "http://a.vn"),
        ("http://a.vn:443", "http://a.vn:443"),
        ("https://a.vn:08443", "https://a.vn:8443"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("http://localhost", "http://localhost"),
        ("https://tài-nguyên.vn", "https://xn--ti-nguyn-zya0i.vn"),
        ("https://tài-nguyên.vn:8443", "https://xn--ti-nguyn-zya0i.vn:8443"),
    ],
)
def test_an_origin_is_written_as_browsers_do(typed: str, origin: str) -> None:
    assert read_origin(typed) == origin


SIGNS = st.text(st.sampled_from("https:/.*@?#[] -aZé0９／＠＊。\t\n"), max_size=30)


@given(st.one_of(st.text(max_size=40), SIGNS, SIGNS.map(lambda text: f"https://{text}")))
@example("https://a。vn")
@example("https://İ.vn")
def test_whatever_is_read_is_an_origin_and_reads_back_as_itself(typed: str) -> None:
    try:
        origin = read_origin(typed)
    except ValueError:
        return
    assert AS_BROWSERS_WRITE.fullmatch(origin)
    assert read_origin(origin) == origin


def test_a_site_has_some_origins_each_once() -> None:
    assert read_origins(["https://b.vn", "https://a.vn", "https://B.vn/"]) == ("https://b.vn", "https://a.vn")
    for typed in ((), [f"https://{number}.vn" for number in range(MOST_ORIGINS + 1)]):
        with pytest.raises(ValueError, match="origin"):
            read_origins(typed)


def test_a_name_is_one_clean_line() -> None:
    assert read_name("  Sở \n TNMT\u202e ") == "Sở TNMT"
    for typed in ("", " \u200b ", "a" * (LONGEST_NAME + 1)):
        with pytest.raises(ValueError, match="name"):
            read_name(typed)


def test_of_a_secret_only_a_digest_is_known() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", digest(SECRET))
    assert digest(SECRET) != digest(SECRET.upper())


# ---- who may ask


def decided(
    key: str = KEY, origin: str = "", *, fetch_site: str = "", host: str = HOST, base_url: str = BASE
) -> Site | ProblemKind | None:
    known = {KEY: SITE}
    return admit(known.get(key), key=key, origin=origin, host=host, base_url=base_url, fetch_site=fetch_site)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        ORIGIN + ".evil.example",
        ORIGIN + ":8443",
        ORIGIN + "/",
        ORIGIN.upper(),
        ORIGIN.replace("https", "http"),
        f"{ORIGIN}, {OTHER}",
        "https://stnmt.example.gov",
        "tracuu.example.gov.vn",
        "://",
    ],
)
def test_any_other_origin_is_foreign(origin: str) -> None:
    assert decided(origin=origin) is ProblemKind.ORIGIN_FOREIGN
    assert decided(origin=origin, base_url="") is ProblemKind.ORIGIN_FOREIGN


def test_an_unknown_key_is_said_whatever_the_origin() -> None:
    assert {decided("ts_x", each) for each in ("", ORIGIN, BASE, "null")} == {ProblemKind.SITE_UNKNOWN}


def test_without_a_key_there_is_nothing_to_decide() -> None:
    assert {decided("", each) for each in ("", ORIGIN, "null", "https://evil.example")} == {None}


def test_a_sites_own_origins_and_ours_are_right() -> None:
    for origin in (ORIGIN, OTHER, BASE, f"http://{HOST.upper()}"):
        assert decided(origin=origin) is SITE
    assert decided(origin="http://127.0.0.1:8080", host="127.0.0.1:8080", base_url="") is SITE
    assert decided(origin="https://proxied.example", host="10.0.0.1", base_url="https://proxied.example") is SITE


def test_a_page_that_hides_its_origin_is_foreign_and_a_program_is_not() -> None:
    assert decided() is decided(fetch_site="same-origin") is decided(fetch_site="none") is SITE
    for fetch_site in ("cross-site", "same-site"):
        assert decided(fetch_site=fetch_site) is ProblemKind.ORIGIN_FOREIGN


# ---- the registry


async def test_a_revoked_key_opens_nothing_from_the_next_look_on() -> None:
    book = Book()
    sites = await registry(book)
    assert (sites.get(KEY), sites.get(REVOKED), sites.known(REVOKED)) == (SITE, None, CLOSED)
    await book.revoke(KEY, NOW)
    await sites.refresh()
    assert sites.get(KEY) is None
    assert sites.frame_ancestors(KEY) == "'none'"


async def test_while_the_store_is_away_the_last_known_sites_stay() -> None:
    book = Book()
    sites = await registry(book)
    book.fails = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await sites.refresh()
    assert sites.get(KEY) is SITE


async def test_a_frame_is_for_the_sites_origins_and_ours() -> None:
    sites = await registry(Book())
    assert sites.frame_ancestors(KEY) == f"'self' {ORIGIN} {OTHER}"
    assert sites.frame_ancestors("ts_x") == sites.frame_ancestors("") == "'none'"


async def test_uses_are_written_in_one_call_and_once() -> None:
    book = Book()
    sites = await registry(book)
    await sites.flush()
    for use in (SiteUse.FOUND, SiteUse.FOUND, SiteUse.REFUSED):
        sites.note(KEY, use)
    await sites.flush()
    await sites.flush()
    assert book.calls == [
        {UseKey(KEY, local_day(NOW), use): n for use, n in ((SiteUse.FOUND, 2), (SiteUse.REFUSED, 1))}
    ]


async def test_a_use_is_of_the_day_at_the_desk() -> None:
    book = Book()
    late = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)  # half past midnight of the 24th
    sites = Sites(book, lambda: late)
    await sites.refresh()
    sites.note(KEY, SiteUse.FOUND)
    await sites.flush()
    assert [each.day for each in book.counted] == [local_day(late)] == [(late + timedelta(hours=7)).date()]


async def test_what_could_not_be_written_is_written_later() -> None:
    book = Book()
    sites = await registry(book)
    sites.note(KEY, SiteUse.FOUND)
    book.fails = StoreUnavailable("away")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await sites.flush()
        sites.note(KEY, SiteUse.FOUND)
    book.fails = None
    await sites.flush()
    assert book.told() == {SiteUse.FOUND: 3}


async def test_what_may_be_written_is_not_written_again() -> None:
    book = Book()
    sites = await registry(book)
    sites.note(KEY, SiteUse.FOUND)
    book.fails = StoreUncertain("lost on its way")
    with pytest.raises(StoreUncertain):
        await sites.flush()
    book.fails = None
    await sites.flush()
    assert book.told() == {}


async def test_keys_that_somebody_made_up_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    sites = await registry(book)
    for number in range(100):
        sites.note(f"ts_{number}", SiteUse.FOREIGN)
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    for use in SiteUse:
        sites.note(KEY, use)
        sites.note(KEY, SiteUse.FOUND)
    await sites.flush()
    assert book.told() == {SiteUse.FOUND: len(SiteUse) + 1, SiteUse.NOT_FOUND: 1}
