"""`tracuu notice`: what is told without being asked, as it would leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.notice_texts import NoticeWriter
from domain.notices import NoticeKind
from gateway.configuration import load_settings
from gateway.notice_samples import Preview, distinct, previews, voice
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table

HEADS = ("notice", "", "language", "alphabet", "segments", "characters", "text")


@click.group()
def notice() -> None:
    """What people are told without asking."""


@notice.command()
@config_option
@click.option("--kind", type=click.Choice([str(kind) for kind in NoticeKind]), help="Only this one.")
@click.option("--language", help="Only in this language.")
@click.option("--agency", help="Of whose dossiers, by its identifier; the help desk's unless given.")
@click.option("--accents/--no-accents", default=None, help="Only with, or only without, Vietnamese accents.")
def preview(
    config: Path | None, *, kind: str | None, language: str | None, agency: str | None, accents: bool | None
) -> None:
    """Show every notice as it would leave, with its alphabet, its segments and its characters. Nothing is sent."""
    words = _bootstrap().read_words(load_settings(config))
    _refuse_unknown(words.catalogue, words.agencies, language, agency)
    shown = previewed(
        words.catalogue,
        words.agencies,
        kinds=[NoticeKind(kind)] if kind else list(NoticeKind),
        languages=[language] if language else words.catalogue.languages,
        agency=agency or words.agencies.default.identifier,
        accents=[False, True] if accents is None else [accents],
        now=datetime.now(UTC),
    )
    print_table(HEADS, map(_cells, shown))


def previewed(  # one keyword for each option
    catalogue: Catalogue,
    agencies: Agencies,
    *,
    kinds: Sequence[NoticeKind],
    languages: Sequence[str],
    agency: str,
    accents: Sequence[bool],
    now: datetime,
) -> Iterator[Preview]:
    """The notices chosen, by kind, each text once (pure)."""
    writer = NoticeWriter(catalogue, agencies)
    voices = [voice(language, now, accents=each) for language in languages for each in accents]
    for kind in kinds:
        yield from distinct(shown for speaking in voices for shown in previews(writer, kind, agency, speaking))


def _refuse_unknown(catalogue: Catalogue, agencies: Agencies, language: str | None, agency: str | None) -> None:
    if language is not None and language not in catalogue.languages:
        raise click.ClickException(f"there are no texts in {language}; there are: {', '.join(catalogue.languages)}")
    if agency is not None and agencies.find(agency) is None:
        raise click.ClickException(f"no agency is named {agency}, nor is one above it")


def _cells(shown: Preview) -> Sequence[str]:
    return (
        shown.kind,
        shown.note,
        shown.language,
        shown.alphabet,
        str(shown.segments),
        str(shown.characters),
        shown.text,
    )
