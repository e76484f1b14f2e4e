"""What the desk prints, and what its papers say of where a dossier can be looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from channels.web import paths as web_paths
from console.intake.desk import IntakeDesk
from console.intake.follow_up_book import FollowUpBook
from console.intake.issuing import PaperDesk
from console.intake.pdf import PdfMaker
from console.intake.printing import IntakePrints
from console.intake.wording import LEGAL
from console.page import Texts
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.web import ZALO_ADDRESS
from gateway.bootstrap.words import Words
from gateway.settings import Settings
from intake.receipt import LookUpPlaces

KEYWORD: Final = "TC"  # tra cứu, as config/grammar.toml knows it; a test reads what receipts tell to type
TELEGRAM_ADDRESS: Final = "https://t.me/"


def make_intake_prints(
    desk: IntakeDesk, settings: Settings, words: Words, opened: OpenStore, texts: Mapping[str, Texts]
) -> tuple[IntakePrints, FollowUpBook]:
    """`texts`: of the console; papers of the office are in Vietnamese whoever prints them."""
    papers = PaperDesk(
        desk=desk, catalogue=words.catalogue, office=texts.get(LEGAL) or texts[settings.replies.default_language]
    )
    prints = IntakePrints(papers, places=look_up_places(settings), log=opened.store.audit(), pdf=PdfMaker())
    return prints, FollowUpBook(papers)


def look_up_places(settings: Settings) -> LookUpPlaces:
    """The numbers of the SMS accounts, the pages where their address is set, the chats whose names are."""
    base_url = settings.web.base_url
    zalo = [("Zalo", f"{ZALO_ADDRESS}{account.oa_id}") for account in settings.zalo]
    telegram = [
        ("Telegram", f"{TELEGRAM_ADDRESS}{account.username}") for account in settings.telegram if account.username
    ]
    return LookUpPlaces(
        numbers=tuple(dict.fromkeys(account.short_code for account in settings.sms)),
        keyword=KEYWORD,
        page=f"{base_url}{web_paths.LOOK_UP}" if base_url else "",
        short=f"{base_url}{web_paths.SHORT_UPPER.partition('{')[0]}" if base_url else "",
        chats=tuple(zalo + telegram),
    )
