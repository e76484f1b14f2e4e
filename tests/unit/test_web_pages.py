"""The look-up page: whole without a script, each outcome in its own words, nothing typed or read becomes markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.problem import ProblemKind
from channels.web.telling import TONES, WAYS
from domain.agencies import Agencies
from domain.answers import Outcome
from domain.catalogue import Catalogue
from domain.codes import read_reference
from domain.dossier import DossierStatus
from domain.errors import StoreUnavailable
from domain.questions import QuestionAnswer
from domain.reply_keys import STATE_KEYS, UNREADABLE_KEYS
from tests.unit.asking_the_web import CODE, Behind, answered, listener, unreadable, without_dossier
from tests.unit.public_pages import Desk, public_app
from tests.unit.speaking import LANGUAGES, shipped_agencies, shipped_texts

Client = TestClient[Any, Any]
PAGE = "/tra-cuu"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
WORK_NEEDED = QuestionAnswer(outcome=Outcome.REFUSED, reason="work_needed")
VOID = {"meta", "link", "input", "wbr"}


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, behind: Behind) -> Client:
    return await aiohttp_client(listener(behind))


class Reader(HTMLParser):
    """Reads a page as a browser would: elements with their attributes, words, and whether what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def strangers(self) -> list[dict[str, str | None]]:
        """Scripts that are not files of ours, and pictures."""
        ours = re.compile(r"/static/[a-z-]+\.[0-9a-f]{16}\.js")
        return [each for each in self.all("script") if not ours.fullmatch(each.get("src") or "")] + self.all("img")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def read(client: Client, typed: str | None = None, **query: str) -> Reader:
    response = await client.get(PAGE, params={**query, **({} if typed is None else {"ma": typed})})
    return Reader(await response.text())


# ---- the form


async def test_the_root_leads_to_the_form(client: Client) -> None:
    response = await client.get("/", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (302, PAGE)


async def test_the_form_asks_nobody(client: Client, behind: Behind) -> None:
    response = await client.get(PAGE)
    assert response.status == 200
    assert response.content_type == "text/html"
    assert behind.asked == []


async def test_the_form_works_without_a_script(client: Client) -> None:
    page = await read(client)
    assert page.all("script") == []
    form = page.all("form")[0]
    assert (form["action"], form["method"]) == (PAGE, "get")
    assert {field["name"] for field in page.all("input")} == {"ma", "lang"}


async def test_what_was_typed_is_what_is_asked(client: Client, behind: Behind) -> None:
    await client.get(PAGE, params={"ma": " h51 18 25O701 OOO4 "})
    assert behind.last.text == " h51 18 25O701 OOO4 "


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_speaks_one_language_and_offers_the_other(client: Client, language: str) -> None:
    page = await read(client, CODE, lang=language)
    assert page.all("html")[0]["lang"] == language
    (other,) = (link for link in page.all("a") if link.get("hreflang"))
    assert other["hreflang"] in set(LANGUAGES) - {language}
    assert parse_qs(urlsplit(other["href"] or "").query) == {"ma": [CODE], "lang": [other["hreflang"]]}


async def test_the_chosen_language_stays_with_the_form(client: Client) -> None:
    page = await read(client, lang="en")
    assert {"type": "hidden", "name": "lang", "value": "en"} in page.all("input")


# ---- what is told


async def test_a_dossier_is_told_in_a_sentence_with_dates_what_to_do_and_whom_to_call(client: Client) -> None:
    page = await read(client, CODE)
    for words in (
        "Đang xử lý",
        "Hồ sơ đang được xử lý tại Sở Nông nghiệp và Môi trường thành phố Cần Thơ.",
        "01/10/2026",
        "12/10/2026",
        "Ông/bà chưa cần nộp thêm giấy tờ.",
        "14:29 08/10/2026",
    ):
        assert words in page.words
    assert "tel:02993013010" in {link["href"] for link in page.all("a")}
    assert {"datetime": "2026-10-12"} in page.all("time")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", [None, *DossierStatus])
async def test_every_state_has_its_sentence_its_picture_and_the_time_of_the_data(
    client: Client, behind: Behind, status: DossierStatus | None, language: str
) -> None:
    behind.says = answered(status)
    page = await read(client, CODE, lang=language)
    texts = Catalogue.from_mapping(shipped_texts()).section(language, "web.state")
    assert texts[STATE_KEYS[status]] in page.words
    assert len([step for step in page.all("li") if step.get("aria-current") == "step"]) == 1
    assert {"datetime": "2026-10-08T14:29:30+07:00"} in page.all("time")


def test_every_state_has_a_way_and_every_point_of_it_a_name_in_every_language() -> None:
    catalogue = Catalogue.from_mapping(shipped_texts())
    assert WAYS.keys() == set(STATE_KEYS.values())
    assert TONES.keys() <= WAYS.keys()
    for language in LANGUAGES:
        assert {step for way, _ in WAYS.values() for step in way} == catalogue.section(language, "web.step").keys()
        assert catalogue.section(language, "web.sentence").keys() == WAYS.keys()
        assert catalogue.section(language, "web.problem").keys() == {kind.key for kind in ProblemKind}
        assert catalogue.section(language, "web.unreadable").keys() == {*UNREADABLE_KEYS, "example"}


async def test_the_picture_can_be_read_aloud(client: Client) -> None:
    page = await read(client, CODE)
    words = " ".join(page.words.split())
    assert "Tiếp nhận đã qua" in words
    assert "Xử lý hiện nay" in words
    assert "Trả kết quả chưa đến" in words


async def test_lateness_is_owned(client: Client, behind: Behind) -> None:
    behind.says = answered(due_on=date(2026, 10, 7))
    page = await read(client, CODE)
    assert "Quá hẹn" in page.words
    assert "Xin lỗi" in page.words


async def test_a_missing_due_date_is_said(client: Client, behind: Behind) -> None:
    behind.says = answered(due_on=None)
    assert "Chưa có ngày hẹn trả" in (await read(client, CODE)).words


async def test_a_last_known_answer_is_told_with_its_time_and_why(client: Client, behind: Behind) -> None:
    behind.says = answered(outcome=Outcome.SOURCE_DOWN)
    response = await client.get(PAGE, params={"ma": CODE})
    assert response.status == 200
    assert "đang gián đoạn. Dưới đây là thông tin lần cuối, lúc 14:29 08/10/2026" in await response.text()


# ---- what is not told


@pytest.mark.parametrize(
    ("says", "status", "words"),
    [
        (without_dossier(Outcome.NOT_FOUND), 404, "Chưa có thông tin về mã này"),
        (unreadable("no_code"), 400, "không có mã hồ sơ"),
        (unreadable("bad_date"), 400, "không có thật"),
        (unreadable("example"), 400, "chỉ là mã ví dụ"),
        (unreadable("None"), 400, "Chưa đọc được mã hồ sơ"),
        (unreadable("ambiguous", "H51.18-250701-0001"), 400, "Ông/bà chọn mã đúng"),
        (QuestionAnswer(outcome=Outcome.REFUSED), 429, "quá nhiều lượt tra cứu"),
        (without_dossier(Outcome.SOURCE_DOWN), 503, "Hệ thống của cơ quan đang gián đoạn"),
    ],
)
async def test_each_outcome_has_its_own_status_and_words(
    client: Client, behind: Behind, says: QuestionAnswer, status: int, words: str
) -> None:
    behind.says = says
    response = await client.get(PAGE, params={"ma": CODE})
    assert response.status == status
    assert ("Retry-After" in response.headers) == (status in (429, 503))
    page = Reader(await response.text())
    assert words in page.words
    assert any((link["href"] or "").startswith("tel:") for link in page.all("a"))
    assert len([each for _, each in page.elements if each.get("role") == "status"]) == 1


async def test_our_own_trouble_is_told_as_ours(client: Client, behind: Behind) -> None:
    behind.fails = StoreUnavailable("the file /secret is locked")
    response = await client.get(PAGE, params={"ma": CODE})
    page = await response.text()
    assert response.status == 503
    assert "Có lỗi ở phía chúng tôi" in page
    assert "/secret" not in page


async def test_two_readings_are_links_to_choose_from(client: Client, behind: Behind) -> None:
    readings = ["H51.18-250701-0001", "000.00.18.H51-161220-0001", "H51.18.99-250701-0001"]
    behind.says = unreadable("ambiguous", *readings)
    page = await read(client, "x", lang="en")
    links = {link["href"] for link in page.all("a")}
    assert {f"{PAGE}?ma={reading}&lang=en" for reading in readings} <= links
    agency = Agencies.from_mapping(shipped_agencies()).find("H51.18")
    assert agency is not None
    assert page.words.count(agency.short_name) == 2  # not of the third, which nobody has described


async def test_one_receipt_number_of_several_agencies_is_chosen_by_the_agency(client: Client, behind: Behind) -> None:
    behind.says = unreadable(
        "ambiguous", "H51.16:12345/2016/00123", "H51.18:12345/2016/00123", "H26.1:12345/2016/00123"
    )
    page = await read(client, "12345/2016/00123")
    links = {link["href"] for link in page.all("a")}
    assert {f"{PAGE}?ma={agency}%3A12345%2F2016%2F00123&lang=vi" for agency in ("H51.16", "H51.18", "H26.1")} <= links
    agencies = Agencies.from_mapping(shipped_agencies())
    for identifier in ("H51.16", "H51.18"):
        agency = agencies.find(identifier)
        assert agency is not None
        assert f"12345/2016/00123 {agency.short_name}" in page.words
    assert "12345/2016/00123 H26.1" in page.words  # an agency nobody has described


async def test_a_chosen_receipt_number_keeps_its_agency_on_the_page(
    aiohttp_client: AiohttpClient, behind: Behind
) -> None:
    known = answered().answer
    assert known is not None
    assert known.dossier is not None
    code = read_reference("H51.18:12345/2016/00123")
    assert code is not None
    told = replace(known, code=code, dossier=replace(known.dossier, code=code))
    behind.says = QuestionAnswer(outcome=Outcome.FOUND, answer=told)
    page = await read(await aiohttp_client(listener(behind, proofs=True)), code.reference)
    assert {"type": "hidden", "name": "ma", "value": code.reference} in page.all("input")
    assert f"{PAGE}?ma=H51.18%3A12345%2F2016%2F00123&lang=en" in {link["href"] for link in page.all("a")}


async def test_what_is_wrong_is_tied_to_the_field(client: Client, behind: Behind) -> None:
    behind.says = unreadable("partial")
    page = await read(client, "0004")
    field = next(each for each in page.all("input") if each["name"] == "ma")
    identifiers = {attributes.get("id") for _, attributes in page.elements}
    assert field["aria-invalid"] == "true"
    assert set((field["aria-describedby"] or "").split()) <= identifiers
    assert field["value"] == "0004"


# ---- hostile input


@pytest.mark.parametrize(
    "typed", [HOSTILE, "\u202eH51\x00\x07", "9" * 7_000, "' OR 1=1; DROP TABLE x; --", "{% raise %}", "", "😀" * 300]
)
async def test_what_was_typed_is_never_markup_nor_control_characters(
    client: Client, behind: Behind, typed: str
) -> None:
    behind.says = unreadable("no_code")
    response = await client.get(PAGE, params={"ma": typed})
    assert response.status == 400
    page = await response.text()
    read_page = Reader(page)
    assert read_page.all("script") == read_page.all("img") == []
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", page)
    assert len(page) < 10_000


async def test_octets_that_are_no_text_are_answered(client: Client, behind: Behind) -> None:
    behind.says = unreadable("no_code")
    for query in (
        "ma=%FF%FE",
        "ma=%00",
        "ma=%C0%AF&ma=x",
        "lang=%FF&ma=%ED%A0%80",
        f"ma={quote(HOSTILE)}&lang={quote(HOSTILE)}",
    ):
        assert (await client.get(f"{PAGE}?{query}")).status == 400


async def test_a_hostile_name_of_an_agency_stays_a_name(aiohttp_client: AiohttpClient, behind: Behind) -> None:
    agencies = shipped_agencies()
    for row in agencies["agency"]:
        row["names"] = {"vi": HOSTILE, "en": HOSTILE}
    client = await aiohttp_client(listener(behind, agencies=agencies))
    for says in (answered(), without_dossier(Outcome.NOT_FOUND), unreadable("no_code")):
        behind.says = says
        page = await read(client, CODE)
        assert page.strangers() == []
        assert HOSTILE in page.words


# ---- headers


async def test_a_page_loads_our_style_and_nothing_else(client: Client) -> None:
    response = await client.get(PAGE, params={"ma": CODE})
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy
    page = Reader(await response.text())
    assert not any("style" in attributes for _, attributes in page.elements)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    (style,) = page.all("link")
    sheet = await client.get(style["href"] or "")
    assert (sheet.status, sheet.content_type) == (200, "text/css")
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "url(" not in await sheet.text()


async def test_nothing_about_a_dossier_is_kept_or_found_by_others(client: Client) -> None:
    headers = (await client.get(PAGE, params={"ma": CODE})).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_every_field_has_a_label_and_every_reference_a_target(client: Client, behind: Behind) -> None:
    for says in (answered(), unreadable("partial"), without_dossier(Outcome.NOT_FOUND)):
        behind.says = says
        page = await read(client, CODE)
        identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
        assert {label["for"] for label in page.all("label")} <= set(identifiers)
        for _, attributes in page.elements:
            for name in ("aria-labelledby", "aria-describedby"):
                assert set((attributes.get(name) or "").split()) <= set(identifiers)
        assert len(page.all("h1")) == len(page.all("main")) == 1


# ---- the short link, paper, and what scripts help with


@pytest.mark.parametrize("place", ["/d/", "/D/"])
async def test_a_short_link_asks_for_its_code(client: Client, behind: Behind, place: str) -> None:
    for code in (CODE, CODE.lower(), "H51.18:12345/2016/00123", "000 00 18 H51 161220 0001"):
        response = await client.get(f"{place}{quote(code, safe='')}", params={"lang": "en"})
        assert response.status == 200
        assert behind.last.text == code
        assert Reader(await response.text()).all("html")[0]["lang"] == "en"
    behind.says = unreadable("empty")
    assert (await client.get(place)).status == 400


async def test_paper_says_when_it_was_looked_up_and_leads_back(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app())
    page = Reader(await (await client.get(f"/d/{CODE}")).text())
    assert f"HTTPS://TRACUU.EXAMPLE.GOV.VN/D/{CODE}" in page.words
    assert "Tra cứu lúc 14:30 08/10/2026" in page.words
    assert len(page.all("svg")) == 1
    (button,) = (each for each in page.all("button") if each.get("class") == "print")
    assert "hidden" in button


async def test_scripts_are_ours_and_kept_for_ever(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app(Behind(says=WORK_NEEDED), work=Desk()))
    page = Reader(await (await client.get(f"/d/{CODE}")).text())
    assert page.strangers() == []
    solver = next(each["data-solver"] for each in page.all("form") if "data-solver" in each)
    for address in (*(each["src"] for each in page.all("script")), solver):
        response = await client.get(address or "")
        assert (response.status, response.content_type) == (200, "text/javascript")
        assert "immutable" in response.headers["Cache-Control"]
        assert "innerHTML" not in await response.text()
    beside = (solver or "").replace("work.js", "sha256.js")
    assert (await client.get(beside)).status == 200


async def test_whoever_must_work_gets_the_challenge_and_can_prove_instead(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app(Behind(says=WORK_NEEDED), work=Desk()))
    response = await client.get("/tra-cuu", params={"ma": CODE})
    assert response.status == 403
    page = Reader(await response.text())
    (form,) = (each for each in page.all("form") if "data-challenge" in each)
    assert json.loads(form["data-challenge"] or "") == Desk().challenge("")
    assert "hidden" in form
    assert "data-again" not in form
    assert "nhập thêm 4 số cuối" in page.words
    assert {"last_four", "secret"} <= {each["name"] for each in page.all("input")}
    assert "open" in page.all("details")[0]


async def test_work_opens_what_it_was_asked_for(aiohttp_client: AiohttpClient) -> None:
    behind, desk = Behind(), Desk()
    client = await aiohttp_client(public_app(behind, work=desk))
    for work, worked in (("solved", True), ("wrong", False), ("", False), ("x" * 5_000, False)):
        response = await client.post(PAGE, data={"ma": CODE, "work": work, "last_four": "1234"})
        assert response.status == 200
        assert behind.last.worked is worked
        assert behind.last.proof is not None
    assert desk.shown == ["solved", "wrong"]
    await client.post(PAGE, data={"ma": CODE, "work": "solved"})
    assert (behind.last.worked, behind.last.proof) == (True, None)


async def test_work_that_was_not_right_is_not_begun_again_by_itself(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(public_app(Behind(says=WORK_NEEDED), work=Desk()))
    given = {"ma": CODE, "work": "wrong", "secret": "7K3M-9Q"}
    page = Reader(await (await client.post(PAGE, data=given)).text())
    (form,) = (each for each in page.all("form") if "data-challenge" in each)
    assert "data-again" in form
    assert {"type": "hidden", "name": "secret", "value": "7K3M-9Q"} in page.all("input")


async def test_our_own_trouble_with_a_proof_of_work_is_told_as_ours(aiohttp_client: AiohttpClient) -> None:
    class Away(Desk):
        async def verify(self, payload: str, site: str) -> bool:
            raise StoreUnavailable("away")

    client = await aiohttp_client(public_app(work=Away()))
    assert (await client.post(PAGE, data={"ma": CODE, "work": "solved"})).status == 503


async def test_a_form_without_anything_in_it_is_no_proof(aiohttp_client: AiohttpClient) -> None:
    behind = Behind()
    client = await aiohttp_client(public_app(behind, work=Desk()))
    for given in ({}, {"last_four": "12"}, {"work": "solved", "last_four": "12"}):
        assert (await client.post(PAGE, data={"ma": CODE, **given})).status == 400
    assert behind.asked == []
