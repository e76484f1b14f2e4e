"""The texts and agencies as they are shipped, read as the process reads them, for tests of what is said."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.grammar import Grammar
from domain.gsm import segments_needed
from domain.replies import ReplyWriter, Voice

CONFIG = Path(__file__).parents[2] / "config"
LANGUAGES = ("vi", "en")
NOW = datetime(2026, 10, 8, 7, 30, tzinfo=UTC)  # 14:30 in Sóc Trăng
STALE_AFTER = timedelta(minutes=15)


def shipped_texts() -> dict[str, dict[str, Any]]:
    return {
        language: tomllib.loads((CONFIG / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }


def shipped_agencies() -> dict[str, Any]:
    return tomllib.loads((CONFIG / "agencies.toml").read_text(encoding="utf-8"))


def shipped_grammar() -> Grammar:
    return Grammar.from_mapping(tomllib.loads((CONFIG / "grammar.toml").read_text(encoding="utf-8")))


def shipped_procedures() -> dict[str, Any]:
    return tomllib.loads((CONFIG / "procedures.toml").read_text(encoding="utf-8"))


def shipped_writer() -> ReplyWriter:
    return ReplyWriter(
        Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(shipped_agencies()), stale_after=STALE_AFTER
    )


def voice(language: str = "vi", *, accents: bool = False, segments: int = 2, now: datetime = NOW) -> Voice:
    """Somebody whose channel carries at most this many SMS segments; 0: anything."""
    return Voice(
        language=language,
        accents=accents,
        now=now,
        fits=lambda text: segments == 0 or segments_needed(text)[1] <= segments,
    )
