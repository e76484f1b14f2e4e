"""The public pages in all three languages, with somebody behind them who answers as told, for tests here and in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiohttp import web

from channels.web.asking import Asker
from channels.web.chat_links import ChatLink
from channels.web.form_files import FormFiles
from channels.web.guides import PATH as GUIDES_PATH
from channels.web.guides import GuidePages
from channels.web.pages import LookUpPage
from channels.web.procedures import PATH as PROCEDURES_PATH
from channels.web.procedures import ProcedurePages
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.message import Address
from gateway.bootstrap.words import form_files
from gateway.http import make_app, public_routes
from intake.procedures import Procedures
from tests.unit.asking_the_web import Behind
from tests.unit.speaking import CONFIG, NOW, shipped_agencies, shipped_procedures
from tests.unit.test_khmer import catalogue

BASE = "https://tracuu.example.gov.vn"
NUMBERS = ("8088", "19001099")
THREE = ("vi", "en", "km")


@dataclass
class Desk:
    """Takes one solution; remembers what it was shown."""

    right: str = "solved"
    shown: list[str] = field(default_factory=list)

    def challenge(self, site: str) -> Mapping[str, Any]:
        return {"parameters": {"algorithm": '"<none>"', "data": {"site": site}}, "signature": "s"}

    async def verify(self, payload: str, site: str) -> bool:
        assert site == ""
        self.shown.append(payload)
        return payload == self.right


@cache
def _shipped() -> tuple[Agencies, Procedures, Catalogue]:
    return Agencies.from_mapping(shipped_agencies()), Procedures.from_mapping(shipped_procedures()), catalogue()


def public_app(
    behind: Behind | None = None,
    *,
    work: Any = None,
    numbers: tuple[str, ...] = NUMBERS,
    proofs: bool = True,
    base_url: str = BASE,
) -> web.Application:
    agencies, found, texts = _shipped()
    teller = Teller(texts, agencies)
    titles = {form.file: form.name for each in found for form in each.forms if form.file}
    guides = GuidePages(
        teller=teller,
        agencies=agencies,
        clock=lambda: NOW,
        numbers=numbers,
        chats=lambda: [ChatLink("telegram", "https://t.me/tracuu_bot"), ChatLink("zalo", "https://zalo.me/1234567890")],
        base_url=base_url,
    )
    page = LookUpPage(
        asker=Asker((behind or Behind()).ask),
        teller=teller,
        clock=lambda: NOW,
        procedures=PROCEDURES_PATH,
        guides=GUIDES_PATH,
        proofs=proofs,
        work=work,
        base_url=base_url,
    )
    procedures = ProcedurePages(
        procedures=found,
        teller=teller,
        admit=_anybody,
        clock=lambda: NOW,
        forms=FormFiles(form_files(found, CONFIG / "forms"), titles),
    )
    return make_app(public_routes([*page.routes(), *guides.routes(), *procedures.routes()]))


async def _anybody(_: Address) -> bool:
    return True
