"""The snippets a webmaster pastes: each says what it should, and nothing that is given becomes markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.web.accent import ENOUGH, OURS, contrast_with_white, read_accent
from channels.web.snippets import Place, accent_rule, frame_address, page, policies, snippets

GATEWAY = "https://tracuu.example.gov.vn"
KEY = "ts_abcdefghijklmn27"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lang=en"
PLACE = Place(
    gateway=GATEWAY,
    key=KEY,
    language="vi",
    version="1.0.0",
    integrity="sha384-AAAA+/bb",
    title="Tra cứu hồ sơ",
    picture="Mã QR mở trang tra cứu",
)
Element = tuple[str, dict[str, str | None]]


class Reader(HTMLParser):
    """Every start tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_the_first_form_is_two_tags_and_follows_the_newest_1_x() -> None:
    assert snippets(PLACE)["tags"] == (
        f'<script src="{GATEWAY}/widget/1/dossier-status.js" async></script>\n'
        f'<dossier-status site-key="{KEY}" lang="vi">\n'
        f'  <a href="{GATEWAY}/tra-cuu?lang=vi">Tra cứu hồ sơ</a>\n'
        "</dossier-status>"
    )
    assert next(iter(snippets(PLACE))) == "tags"


def test_a_pinned_version_carries_its_hash_and_is_asked_for_without_credentials() -> None:
    (tag, script), (element, _), (link, _) = read(snippets(PLACE)["pinned"]).elements
    assert (tag, element, link) == ("script", "dossier-status", "a")
    assert script == {
        "src": f"{GATEWAY}/widget/1.0.0/dossier-status.js",
        "integrity": "sha384-AAAA+/bb",
        "crossorigin": "anonymous",
        "async": None,
    }


def test_one_tag_is_one_tag() -> None:
    [(tag, script)] = read(snippets(PLACE)["one"]).elements
    assert tag == "script"
    assert (script["data-site-key"], script["data-lang"]) == (KEY, "vi")


def test_a_frame_has_a_name_and_waits_until_it_is_near() -> None:
    [(tag, frame)] = read(snippets(replace(PLACE, accent="#7a1f2b"))["frame"]).elements
    assert (tag, frame["title"], frame["loading"], frame["width"]) == ("iframe", "Tra cứu hồ sơ", "lazy", "100%")
    address = urlsplit(frame["src"] or "")
    assert address.path == "/embed"
    assert parse_qs(address.query) == {"site": [KEY], "lang": ["vi"], "accent": ["7a1f2b"]}


def test_the_plain_form_is_a_link_and_a_picture_that_says_what_it_is() -> None:
    elements = dict(read(snippets(PLACE)["link"]).elements)
    assert elements["a"] == {"href": f"{GATEWAY}/tra-cuu?lang=vi"}
    assert (elements["img"]["src"], elements["img"]["alt"]) == (f"{GATEWAY}/integrate/qr.svg?lang=vi", PLACE.picture)


def test_no_form_needs_a_style_or_a_handler_of_its_own() -> None:
    for html in snippets(PLACE).values():
        for _, attributes in read(html).elements:
            assert not {"style", "onload", "onclick"} & set(attributes)


def test_only_the_gateway_is_to_be_allowed_and_only_for_what_the_form_does() -> None:
    assert policies(GATEWAY) == {
        "tags": (f"script-src {GATEWAY}", f"connect-src {GATEWAY}"),
        "pinned": (f"script-src {GATEWAY}", f"connect-src {GATEWAY}"),
        "one": (f"script-src {GATEWAY}", f"connect-src {GATEWAY}"),
        "frame": (f"frame-src {GATEWAY}",),
        "link": (f"img-src {GATEWAY}",),
    }
    assert policies(GATEWAY).keys() == snippets(PLACE).keys()


@pytest.mark.parametrize("field", ["key", "language", "version", "integrity", "title", "picture", "accent", "gateway"])
@given(value=st.one_of(st.just(HOSTILE), st.text(st.characters(exclude_categories=["Cs", "Cc"]))))
def test_nothing_that_is_given_becomes_markup(field: str, value: str) -> None:
    usual, hostile = snippets(PLACE), snippets(replace(PLACE, **{field: value}))
    for name, html in hostile.items():
        assert [(tag, list(attributes)) for tag, attributes in read(html).elements] == [
            (tag, list(attributes)) for tag, attributes in read(usual[name]).elements
        ]


@given(key=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_hostile_key_adds_no_field_to_an_address(key: str) -> None:
    fields = parse_qs(urlsplit(frame_address(replace(PLACE, key=key))).query, keep_blank_values=True)
    assert fields == ({"site": [key]} if key else {}) | {"lang": ["vi"]}
    assert page(PLACE) == f"{GATEWAY}/tra-cuu?lang=vi"


@pytest.mark.parametrize(
    ("typed", "accent"),
    [
        ("#7A1F2B", "#7a1f2b"),
        ("7a1f2b", "#7a1f2b"),
        (" #7a1f2b ", "#7a1f2b"),
        (OURS, ""),
        ("", ""),
        ("red", ""),
        ("#fff", ""),
        ("#7a1f2b;}body{display:none", ""),
        ("＃7a1f2b", ""),
    ],
)
def test_a_colour_is_six_digits_or_none(typed: str, accent: str) -> None:
    assert read_accent(typed) == accent


def test_the_rule_of_a_colour_is_one_line() -> None:
    assert accent_rule("#7a1f2b") == "dossier-status { --ds-accent: #7a1f2b; }"


def test_pale_colours_are_told_from_readable_ones() -> None:
    assert round(contrast_with_white("#ffffff"), 2) == 1.0
    assert round(contrast_with_white("#000000"), 2) == 21.0
    assert contrast_with_white("#f2c14e") < ENOUGH < contrast_with_white(OURS)
