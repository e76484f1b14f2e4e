"""A mapping of an HTTP source is checked whole; what it asks, whom it may ask, and what it takes for an answer."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.onestop.fields import PERSONAL_COLUMNS
from adapters.onestop.json_paths import MISSING, parse_path
from adapters.onestop.rest import RestDossierSource
from adapters.onestop.rest_addresses import Allowed
from adapters.onestop.rest_asking import basic, fill_in, page_words
from adapters.onestop.rest_client import HttpAnswer, HttpRequest, retry_after
from adapters.onestop.rest_login import Credentials
from adapters.onestop.rest_mapping import Paging, Request, RestMapping, load_rest_mapping
from domain.codes import DossierCode
from domain.errors import SettingsError, SourceError, SourceMisread
from tests.servers.onestop_http import OPENCPS_MAPPING

CONFIG = Path(__file__).parents[2] / "config" / "onestop"
SHIPPED = ("digo", "soctrang")
CODE = DossierCode(text="H51.18-210817-0005", agency="H51.18")
MINIMAL: dict[str, Any] = {
    "name": "small",
    "request": {"path": "/tim", "query": {"ma": "{code}"}},
    "records": "[*]",
    "fields": {"code": "ma", "status": "tt", "due_on": "hen"},
    "status": {"4": 4},
}
LOGIN = {"path": "/vao", "body": {"u": "{username}", "p": "{password}"}}


def small(**changes: Any) -> RestMapping:
    return load_rest_mapping(json.dumps(MINIMAL | changes), "small.json")


def shipped(name: str) -> str:
    return (CONFIG / f"{name}.toml").read_text(encoding="utf-8")


# ---- the file


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"request": {"path": "/tim", "query": {"ma": "x"}}}, "says {code}"),
        ({"request": {"path": "/tim", "query": {"ma": "{codes}"}}}, "says {code}"),
        ({"request": {"path": "/tim", "query": {"ma": "{code}{ten}"}}}, "knows no {ten}"),
        ({"request": {"path": "tim/{code}"}}, "request.path"),
        ({"request": {"path": "//other.example/{code}"}}, "leads elsewhere"),
        ({"request": {"path": "/a/../{code}"}}, "leads elsewhere"),
        ({"request": {"path": "/tim?x={code}"}}, "request.path"),
        ({"request": {"path": "http://other.example/{code}"}}, "request.path"),
        ({"request": {"path": "/{code}", "body": {"a": 1}}}, "GET has no body"),
        ({"request": {"path": "/{code}", "method": "POST", "body": {}, "form": {}}}, "not both"),
        ({"request": {"path": "/{code}", "headers": {"Host": "other.example"}}}, "not for a mapping to set"),
        ({"request": {"path": "/{code}", "headers": {"Authorization": "Bearer x"}}}, "secrets come with"),
        ({"request": {"path": "/{code}", "headers": {"X": "a\r\nHost: b"}}}, "headers.X"),
        ({"request": {"path": "/{code}", "query": {"trang": "{page}"}}}, "belong together"),
        ({"paging": {"size": 10}}, "belong together"),
        ({"batch": {"size": 10}}, "says {codes}"),
        ({"records": "a[*].b[*]"}, "at the end of it only"),
        ({"records": "a..b"}, "is no path"),
        ({"fields": {"status": "a b"}}, "is no path"),
        ({"fields": {"status": "tt", "unit": "applicant.data.fullname"}}, "personal data"),
        ({"fields": {"status": "tt", "procedure_name": "tenhoso"}}, "personal data"),
        ({"authentication": {"kind": "login"}}, "belong together"),
        ({"authentication": {"kind": "basic", "login": LOGIN | {"token": "t"}}}, "belong together"),
        ({"authentication": {"kind": "login", "login": LOGIN}}, "a token or cookies"),
        ({"authentication": {"kind": "api_key", "header": "Host"}}, "not for a mapping to set"),
        ({"authentication": {"kind": "login", "login": LOGIN | {"token": "t", "path": "/{code}"}}}, "knows no {code}"),
        ({"probe": {"path": "/{code}"}}, "a probe knows no {code}"),
        ({"status": {}}, "no state"),
        ({"table": "HoSos"}, "table"),
    ],
)
def test_mapping_that_cannot_be_meant_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        small(**changes)
    assert words in str(caught.value)
    assert all(line.startswith("small.json: ") for line in str(caught.value).splitlines())


def test_batch_without_codes_in_the_answer_is_refused() -> None:
    with pytest.raises(SettingsError, match="whose record is whose"):
        small(batch={"size": 5}, request={"path": "/tim", "query": {"ma": "{codes}"}}, fields={"status": "tt"})


@pytest.mark.parametrize(("text", "origin"), [("{", "x.json"), ("a = [", "x.toml"), ("[" * 100_000, "x.json")])
def test_file_that_cannot_be_read_is_refused_in_one_line(text: str, origin: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{origin}: "):
        load_rest_mapping(text, origin)


def test_json_and_toml_say_the_same() -> None:
    for name in SHIPPED:
        assert load_rest_mapping(json.dumps(tomllib.loads(shipped(name))), "x.json") == load_rest_mapping(
            shipped(name), "x.toml"
        )
    assert load_rest_mapping(OPENCPS_MAPPING, "opencps.json").records == "data[*]"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mapping_names_no_person_and_marks_every_guess(name: str) -> None:
    mapping = load_rest_mapping(shipped(name), name)
    assert mapping.name == name
    assert all(state.assumed for _, state in mapping.meanings())
    places = {str(place).casefold() for place in mapping.words(proofs=True).values()}
    assert not places & PERSONAL_COLUMNS


# ---- paths


DOCUMENT = {"a": {"b": [{"c": 1}, {"c": None}, {}]}, "n": {"0": {"c": 7}}, "e": []}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", DOCUMENT),
        ("a.b[0].c", 1),
        ("a.b[1].c", None),
        ("a.b[2].c", MISSING),
        ("a.b[9].c", MISSING),
        ("a.b[*].c", 1),
        ("n[0].c", 7),
        ("e[*]", MISSING),
        ("a.b.c", MISSING),
        ("a.c.d", MISSING),
    ],
)
def test_path_leads_to(path: str, found: object) -> None:
    assert parse_path(path).first(DOCUMENT) is found


def test_path_to_every_element_leads_to_all() -> None:
    assert parse_path("a.b[*].c").all(DOCUMENT) == [1, None]
    assert parse_path("[*]").all([1, 2]) == [1, 2]


@pytest.mark.parametrize("text", ["", ".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "a b", "$.a", "a]", "a" * 300])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(text)


# ---- what is asked


def test_what_is_put_in_is_never_taken_for_a_placeholder() -> None:
    request = Request(path="/{code}", query={"a": "{code}-{page}"}, headers={"X-A": "{token}"})
    filled = fill_in(request, {"code": "{token}/..", "page": "1", "token": "geheim"})
    assert filled.path == "/%7Btoken%7D%2F.."
    assert filled.query == [("a", "{token}/..-1")]
    assert filled.headers == {"X-A": "geheim"}
    assert "geheim" not in str(filled)


def test_body_and_form_are_filled_in() -> None:
    body = Request(method="POST", path="/", body={"a": ["{code}", 7, None], "b": {"c": "x{code}"}})
    assert json.loads(fill_in(body, {"code": 'q"'}).body or b"") == {"a": ['q"', 7, None], "b": {"c": 'xq"'}}
    form = Request(method="POST", path="/", form={"a": "{code}"})
    assert fill_in(form, {"code": "a&b=c"}).body == b"a=a%26b%3Dc"


def test_pages_are_counted_as_the_mapping_says() -> None:
    assert page_words(Paging(size=10, first=1), 2) == {"page": "3", "size": "10", "start": "20", "end": "30"}
    assert page_words(None, 0) == {}


def test_basic_authentication_is_in_utf8() -> None:
    assert basic("một", "cửa:1") == "Basic beG7mXQ6Y+G7rWE6MQ=="


def test_credentials_are_not_shown() -> None:
    assert "geheim" not in repr(Credentials(username="a", password="geheim", token="geheim"))


@pytest.mark.parametrize(
    ("authentication", "credentials", "words"),
    [
        ({"kind": "bearer"}, Credentials(), "asks for token"),
        ({"kind": "bearer"}, Credentials(token="a\r\nHost: b"), "no header can carry"),
        ({"kind": "basic"}, Credentials(username="a"), "asks for password"),
        ({"kind": "login", "login": LOGIN | {"token": "t"}}, Credentials(), "asks for password, username"),
        ({"kind": "none"}, Credentials(login_url="https://a.example"), "knows no log-in"),
        (
            {"kind": "login", "login": {"path": "/vao", "cookies": True}},
            Credentials(login_url="https://a.example"),
            "login_url cannot be used",
        ),
    ],
)
def test_credentials_that_do_not_fit_are_refused(
    authentication: dict[str, Any], credentials: Credentials, words: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^source small: .*{words}"):
        RestDossierSource(small(authentication=authentication), "https://a.example", credentials=credentials)


# ---- whom it may ask


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1"),
        *("255.255.255.255", "240.0.0.1", "100.64.0.1", "192.0.2.1", "fd00:ec2::254", "168.63.129.16"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1"),
    ],
)
def test_address_that_is_never_asked(address: str) -> None:
    assert not Allowed()(ip_address(address))


@pytest.mark.parametrize("address", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "fc00::1", "8.8.8.8", "2606:4700::1"])
def test_private_and_public_addresses_may_be_asked(address: str) -> None:
    assert Allowed()(ip_address(address))


def test_listed_network_may_be_asked_and_nothing_beside_it() -> None:
    allowed = Allowed(["127.0.0.0/8", "::1/128"])
    assert allowed(ip_address("127.0.0.1"))
    assert allowed(ip_address("::ffff:127.0.0.1"))
    assert allowed(ip_address("::1"))
    assert not allowed(ip_address("169.254.169.254"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "ftp://a.example", "file:///etc/passwd", "http://", "https://a.example:99999", "//a.example"),
        *("https://name:pass@a.example", "https://name@a.example", "https://a.example/?x=1", "https://a.example/#x"),
        *("http://127.0.0.1", "http://[::1]:8080", "http://169.254.169.254/latest", "http://0.0.0.0"),
        *("http://127.1", "http://2130706433", "http://0x7f.1", "http://[::ffff:127.0.0.1]"),
    ],
)
def test_address_that_cannot_be_used_is_one_clear_line(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^source small: ") as caught:
        RestDossierSource(small(), url)
    assert "pass" not in str(caught.value).replace("password", "")
    assert "\n" not in str(caught.value)


def test_networks_that_are_none_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"^source small: "):
        RestDossierSource(small(), "https://a.example", networks=["localhost"])


# ---- how long it wants to be left alone


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "9" * 400}, 999_999),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:10 GMT", "Date": "Sun, 22 Nov 2026 08:00:00 GMT"}, 10),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:00 GMT", "Date": "Sun, 22 Nov 2026 08:00:10 GMT"}, 0),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:00 GMT"}, 0),
    ],
)
def test_wish_to_be_left_alone_is_read(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(CIMultiDict(headers)) == seconds


# ---- no answer breaks it


def source_that_hears(body: bytes, *, kind: str = "application/json", status: int = 200) -> RestDossierSource:
    source = RestDossierSource(small(outcome={"path": "loi", "found": [0]}), "https://a.example")
    source._client.exchange = _says(HttpAnswer(status=status, content_type=kind, body=body))  # type: ignore[method-assign, assignment]
    return source


def _says(answer: HttpAnswer) -> Callable[[HttpRequest], Coroutine[Any, Any, HttpAnswer]]:
    async def exchange(_request: HttpRequest) -> HttpAnswer:
        return answer

    return exchange


def outcome(source: RestDossierSource) -> object:
    """What `find` answers, or the word it fails with; anything else breaks the test."""
    try:
        return asyncio.run(source.find([CODE]))
    except SourceError as fault:
        return type(fault)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["ma", "tt", "hen", "loi"]), inner),
    max_leaves=12,
)
RECORDS = st.fixed_dictionaries({"ma": st.just(CODE.text) | SCALARS, "tt": SCALARS, "hen": DOCUMENTS})


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS | st.lists(RECORDS, max_size=3) | RECORDS)
def test_no_json_makes_a_read_fail_otherwise_than_a_source_fails(document: Any) -> None:
    outcome(source_that_hears(json.dumps(document).encode()))


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200), status=st.integers(200, 599), kind=st.sampled_from(["application/json", "", "a/b"])
)
def test_no_bytes_make_a_read_fail_otherwise_than_a_source_fails(body: bytes, status: int, kind: str) -> None:
    outcome(source_that_hears(body, kind=kind, status=status))


@pytest.mark.parametrize(
    "body",
    [
        '[{"ma": "\\ud800", "tt": "\\udfff"}]',
        f'[{{"ma": "{CODE.text}", "tt": "\\ud800", "hen": "\\u0000"}}]',
        f'[{{"ma": "{CODE.text}", "tt": {"9" * 4000}, "hen": {"9" * 4000}}}]',
        f'[{{"ma": "{CODE.text}", "tt": 1e999, "hen": -1e999}}]',
        f'[{{"ma": "{CODE.text}", "tt": "{"x" * 100_000}", "hen": "9999-12-31T23:59:59-14:00"}}]',
        f'[{{"ma": "{CODE.text}", "tt": null, "hen": {"[" * 200}{"]" * 200}}}]',
    ],
)
def test_odd_values_are_told_as_missing(body: str) -> None:
    assert outcome(source_that_hears(body.encode())) is not SourceMisread


def test_record_without_its_code_or_state_is_misread() -> None:
    for body in ('[{"tt": 4}]', f'[{{"ma": "{CODE.text}"}}]', '[{"ma": [], "tt": 4}]', "[[]]", "[7]", "true", "7"):
        assert outcome(source_that_hears(body.encode())) is SourceMisread
