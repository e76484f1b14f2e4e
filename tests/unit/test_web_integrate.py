"""The page for webmasters and the page for frames: what they show, who may frame them, and that nothing typed is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.embed import EmbedPage
from channels.web.integrate import IntegratePage
from channels.web.layout import POLICY
from channels.web.telling import Teller
from channels.web.widget_options import ATTRIBUTES, EVENTS, PARTS, PROPERTIES, TROUBLES
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.sites import Site
from gateway.http import make_app, public_routes
from tests.unit.speaking import CONFIG, NOW, shipped_agencies, shipped_texts
from tests.unit.test_web_snippets import read

Client = TestClient[Any, Any]
GATEWAY = "https://tracuu.example.gov.vn"
KEY = "ts_abcdefghijklmn27"
HOSTILE = "\"'><script>alert(1)</script>{{7*7}}"
SOURCE = CONFIG.parent / "channels" / "web" / "widget" / "src"
SITE = Site(
    key=KEY,
    name="Sở Tài nguyên <b>&</b> Môi trường",
    agency="",
    origins=("https://stnmt.example.gov.vn", "https://www.stnmt.example.gov.vn"),
    secret_digest="0" * 64,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@dataclass
class Registered:
    """One site."""

    site: Site = SITE

    def get(self, key: str) -> Site | None:
        return self.site if key == self.site.key else None

    def frame_ancestors(self, key: str) -> str:
        return " ".join(("'self'", *self.site.origins)) if self.get(key) else "'none'"


@dataclass
class Releases:
    """Two versions of the widget."""

    newest: str = "1.1.0"
    versions: Sequence[str] = field(default=("1.1.0", "1.0.0"))

    def integrity(self, version: str) -> str:
        return f"sha384-of+{version}/"


def teller() -> Teller:
    return Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()))


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    sites = Registered()
    pages = IntegratePage(teller=teller(), sites=sites, released=Releases(), clock=lambda: NOW, base_url=GATEWAY)
    frame = EmbedPage(teller=teller(), sites=sites)
    return await aiohttp_client(make_app(public_routes([*pages.routes(), *frame.routes()])))


async def shown(client: Client, path: str, **query: str) -> str:
    async with client.get(path, params=query) as response:
        assert response.status == 200
        return await response.text()


def code(page: str, name: str) -> str:
    """What stands in the block with that identifier."""
    found = re.search(rf'<code id="{name}">(.*?)</code>', page, re.DOTALL)
    assert found, name
    return unescape(found[1])


# ---- /integrate


async def test_without_a_key_the_snippets_show_where_it_goes_and_say_so(client: Client) -> None:
    page = await shown(client, "/integrate", lang="en")
    assert 'site-key="ts_…"' in code(page, "snippet-tags")
    assert "There is no key yet" in page
    assert "There is no such key" not in page


async def test_an_unknown_key_is_said_to_be_unknown_and_pasted_nowhere(client: Client) -> None:
    page = await shown(client, "/integrate", lang="en", site="ts_zzzzzzzzzzzzzzzz")
    assert "There is no such key" in page
    assert 'aria-invalid="true"' in page
    assert 'site-key="ts_…"' in code(page, "snippet-tags")


async def test_a_key_brings_snippets_to_paste_and_the_origins_it_works_on(client: Client) -> None:
    page = await shown(client, "/integrate", site=KEY)
    for name in ("tags", "pinned", "one", "frame"):
        assert KEY in code(page, f"snippet-{name}")
    assert "https://www.stnmt.example.gov.vn" in page
    assert "Sở Tài nguyên &lt;b&gt;&amp;&lt;/b&gt; Môi trường" in page
    assert code(page, "policy-widget") == f"script-src {GATEWAY}; connect-src {GATEWAY}"
    assert "sha384-of+1.1.0/" in code(page, "snippet-pinned")
    assert "sha384-of+1.0.0/" in page


async def test_the_widget_speaks_the_language_that_is_chosen(client: Client) -> None:
    page = await shown(client, "/integrate", **{"lang": "vi", "for": "en"})
    assert 'lang="en"' in code(page, "snippet-tags")
    assert 'data-lang="en"' in code(page, "snippet-one")


async def test_the_language_of_the_widget_is_not_that_of_the_reader(client: Client) -> None:
    page = await shown(client, "/integrate", lang="en")
    assert '<html lang="en">' in page
    assert 'lang="vi">\n  <a href="https://tracuu.example.gov.vn/tra-cuu?lang=vi">Tra cứu hồ sơ</a>' in code(
        page, "snippet-tags"
    )


async def test_the_preview_is_the_snippet_itself_from_our_own_address(client: Client) -> None:
    page = await shown(client, "/integrate", site=KEY)
    stage = page.partition('id="stage"')[2].partition("</div>")[0].partition(">")[2].strip()
    assert stage == code(page, "snippet-tags").replace(GATEWAY, "")


async def test_a_colour_makes_a_rule_for_the_sites_style_sheet(client: Client) -> None:
    assert code(await shown(client, "/integrate", accent="#7a1f2b"), "rule") == (
        "dossier-status { --ds-accent: #7a1f2b; }"
    )
    assert 'id="rule"' not in await shown(client, "/integrate", accent="red;}")


async def test_a_pale_colour_is_advised_against(client: Client) -> None:
    assert "contrast is 1.7:1" in await shown(client, "/integrate", lang="en", accent="#f2c14e")
    assert 'id="pale"' not in await shown(client, "/integrate", lang="en", accent="#7a1f2b")


async def test_nothing_that_is_typed_becomes_markup(client: Client) -> None:
    hostile = dict.fromkeys(("site", "for", "accent", "lang", "code"), HOSTILE)
    page = await shown(client, "/integrate", **hostile)
    usual = await shown(client, "/integrate", site="ts_x")
    assert [tag for tag, _ in read(page).elements] == [tag for tag, _ in read(usual).elements]
    assert "49" not in page.partition("<body>")[2].partition("</form>")[0]


async def test_every_page_of_ours_keeps_the_strict_policy(client: Client) -> None:
    async with client.get("/integrate") as response:
        assert response.headers["Content-Security-Policy"] == f"{POLICY}'none'"
        page = await response.text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", page)


async def test_the_files_of_the_page_are_there_and_may_be_kept(client: Client) -> None:
    page = await shown(client, "/integrate")
    files = re.findall(r'(?:src|href)="(/static/integrate\.[^"]+)"', page)
    assert len(files) == 2
    for path in files:
        async with client.get(path) as response:
            assert response.status == 200
            assert "immutable" in response.headers["Cache-Control"]


async def test_the_qr_code_may_be_shown_by_any_site(client: Client) -> None:
    async with client.get("/integrate/qr.svg") as response:
        assert response.content_type == "image/svg+xml"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert (await response.read()).startswith(b"<svg")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_row_of_every_table_has_its_words(language: str) -> None:
    words = Catalogue.from_mapping(shipped_texts()).section(language, "web.integrate")
    tables = {"attribute": ATTRIBUTES, "property": PROPERTIES, "part": PARTS, "event": EVENTS}
    for prefix, rows in tables.items():
        assert {name for name in words if name.startswith(f"{prefix}_")} == {f"{prefix}_{row.key}" for row in rows}
    assert {name for name in words if name.startswith(("trouble_", "mend_"))} - {"trouble_text"} == {
        f"{prefix}_{row.key}" for row in TROUBLES for prefix in ("trouble", "mend")
    }


def test_the_tables_name_what_the_widget_has_and_nothing_else() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in SOURCE.iterdir())
    observed = re.search(r"observedAttributes\(\) \{\s*return \[([^\]]*)\]", source)
    assert observed
    read_once = re.findall(r'this\.getAttribute\("([a-z-]+)"\)', source)
    assert {*re.findall(r'"([a-z-]+)"', observed[1]), *read_once} == {row.name for row in ATTRIBUTES}
    assert set(re.findall(r"--ds-[a-z-]+", source)) == {row.name for row in PROPERTIES}
    assert set(re.findall(r'\bpart: "([a-z]+)"', source)) == {row.name for row in PARTS}
    assert set(re.findall(r'new CustomEvent\("([a-z-]+)"', source)) == {row.name for row in EVENTS}
    defaults = dict(re.findall(r"var\((--ds-[a-z-]+), ([^),]+)\)", source))
    for row in PROPERTIES:
        if row.name != "--ds-font":
            assert defaults[row.name] == row.value


# ---- /embed


async def test_a_known_key_is_framed_by_its_own_origins_only(client: Client) -> None:
    async with client.get(
        "/embed", params={"site": KEY, "lang": "en", "code": 'H51"><b>', "accent": "7a1f2b"}
    ) as answer:
        page = await answer.text()
    assert answer.headers["Content-Security-Policy"] == POLICY + " ".join(("'self'", *SITE.origins))
    assert "X-Frame-Options" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    [widget] = [attributes for tag, attributes in read(page).elements if tag == "dossier-status"]
    assert widget == {"site-key": KEY, "lang": "en", "code": 'H51"><b>', "data-accent": "#7a1f2b"}


async def test_without_a_script_the_frame_holds_a_form_that_opens_our_page_beside_the_site(client: Client) -> None:
    elements = read(await shown(client, "/embed", site=KEY, lang="en")).elements
    [form] = [attributes for tag, attributes in elements if tag == "form"]
    assert (form["action"], form["target"], form["rel"]) == ("/tra-cuu", "_blank", "noopener")
    links = [attributes for tag, attributes in elements if tag == "a"]
    assert [(each["href"], each["target"], each["rel"]) for each in links] == [
        ("/tra-cuu?lang=en", "_blank", "noopener")
    ]


@pytest.mark.parametrize("key", ["", "ts_zzzzzzzzzzzzzzzz", HOSTILE])
async def test_a_key_there_is_not_opens_nothing_but_leads_on(client: Client, key: str) -> None:
    async with client.get("/embed", params={"site": key, "lang": "en"}) as answer:
        page = await answer.text()
    assert answer.status == 404
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'self';")
    tags = {tag for tag, _ in read(page).elements}
    assert not tags & {"script", "form", "input", "dossier-status"}
    assert 'href="/tra-cuu?lang=en"' in page
