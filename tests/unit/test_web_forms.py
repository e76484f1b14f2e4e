"""Forms to download: exactly those the catalogue names, under their own names, kept and asked for as HTTP says."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.web.form_files import TYPES, attachment
from channels.web.procedures import PATH
from domain.procedure import ProcedureForm
from gateway.bootstrap.words import form_files
from intake.procedure_rows import _FILE
from intake.procedures import Procedures
from tests.unit.speaking import CONFIG, shipped_procedures
from tests.unit.test_web_pages import Reader
from tests.unit.test_web_procedures import Gate, listener, row

Client = TestClient[Any, Any]
BIRTH = "/bieu-mau/to-khai-khai-sinh.docx"
FOLDER = CONFIG / "forms"


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(listener(Gate()))


async def test_a_file_nobody_named_is_not_there(client: Client) -> None:
    for name in ("procedures.toml", "..%2Fprocedures.toml", "%2Fetc%2Fpasswd", "to-khai-khai-sinh", "%00", "."):
        assert (await client.get(f"/bieu-mau/{name}")).status == 404, name


async def test_a_procedures_form_is_on_its_page_and_can_be_taken_home(client: Client) -> None:
    page = Reader(await (await client.get(f"{PATH}/1.001193")).text())
    (form,) = (each for each in page.all("a") if (each["href"] or "").startswith("/bieu-mau/"))
    assert "Tải mẫu (DOCX, 3 kB)" in page.words
    response = await client.get(form["href"] or "")
    assert (response.status, response.content_type) == (200, TYPES[".docx"])
    with zipfile.ZipFile(io.BytesIO(await response.read())) as archive:
        words = "".join(ET.fromstring(archive.read("word/document.xml")).itertext())
    assert "TỜ KHAI ĐĂNG KÝ KHAI SINH" in words


async def test_a_form_without_a_file_says_where_it_is_given_out(client: Client) -> None:
    page = Reader(await (await client.get(f"{PATH}/1.001022")).text())
    assert "(nhận tại nơi nộp hồ sơ)" in page.words
    assert not any((each["href"] or "").startswith("/bieu-mau/") for each in page.all("a"))


async def test_a_form_is_saved_under_its_own_name_and_opened_by_nobody(client: Client) -> None:
    headers = (await client.get(BIRTH)).headers
    saved = headers["Content-Disposition"]
    assert saved.startswith("attachment; filename=\"to-khai-khai-sinh.docx\"; filename*=UTF-8''")
    assert unquote(saved.rpartition("''")[2]) == "Tờ khai đăng ký khai sinh.docx"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "public, max-age=3600"


async def test_what_a_reader_has_is_not_sent_again(client: Client) -> None:
    tag = (await client.get(BIRTH)).headers["ETag"]
    again = await client.get(BIRTH, headers={"If-None-Match": tag})
    assert (again.status, await again.read()) == (304, b"")


def test_a_title_never_ends_the_header_it_stands_in() -> None:
    said = attachment("x.pdf", 'Đơn "A"\r\nSet-Cookie: a=b; /..')
    assert "\r" not in said
    assert said.count('"') == 2
    assert "Set-Cookie: " not in said


# ---- the catalogue


def test_every_sample_says_that_it_is_one_and_is_named_by_the_catalogue() -> None:
    named = {form.file for each in Procedures.from_mapping(shipped_procedures()) for form in each.forms if form.file}
    assert {path.name for path in FOLDER.iterdir()} == named
    for path in FOLDER.iterdir():
        with zipfile.ZipFile(path) as archive:
            words = list(ET.fromstring(archive.read("word/document.xml")).itertext())
        assert words[0].startswith("MẪU THỬ"), path.name


def test_a_file_that_is_missing_is_named_in_one_line() -> None:
    rows = [row(forms=[{"name": "Tờ khai", "file": "khong-co.docx"}, "Đơn"])]
    with pytest.raises(ValueError, match=r"^procedure 1\.000001: .*/khong-co\.docx is not there$"):
        form_files(Procedures.from_mapping({"procedure": rows}), FOLDER)


def test_a_form_is_a_name_or_a_name_and_a_file() -> None:
    (read,) = Procedures.from_mapping({"procedure": [row(forms=["Đơn", {"name": "Tờ khai", "file": "to-khai.pdf"}])]})
    assert read.forms == (ProcedureForm("Đơn"), ProcedureForm("Tờ khai", "to-khai.pdf"))


@pytest.mark.parametrize(
    "form",
    [{}, {"file": "a.pdf"}, {"name": "A", "size": 3}, {"name": 3}, {"name": "A", "file": 3}]
    + [
        {"name": "A", "file": file}
        for file in ("../a.pdf", "a/b.pdf", "/etc/passwd", "a.exe", "A.pdf", "á.pdf", "a.pdf\n")
    ],
)
def test_anything_else_is_a_fault_of_the_catalogue(form: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^procedure 1\.000001: "):
        Procedures.from_mapping({"procedure": [row(forms=[form])]})


def test_every_kind_of_file_has_its_type() -> None:
    assert all(_FILE.fullmatch(f"a{suffix}") for suffix in TYPES)
    assert {_FILE.fullmatch(f"a.{kind}") is not None for kind in ("html", "svg", "js", "docm")} == {False}
