"""The intake module as one of the one-stop systems: a view of our own store, read as any other database is (pure but for the
mapping files it looks into).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from domain.agencies import from_the_province_down
from domain.numbering import NumberPattern
from gateway.settings import Settings, SourceSettings, WatchSettings
from gateway.settings.intake import IntakeAgency

POLL_EVERY = 1.0  # seconds; the store is ours to ask
# The clock is that of who writes; what was written late was waiting for its turn.
OVERLAP = 30.0
RESOLUTION = 0.05  # two changes of a dossier never bear the same moment (adapters.store.intake_rows.written)


@dataclass(frozen=True, slots=True)
class Declared:
    """What another system answers for."""

    name: str
    prefixes: tuple[tuple[str, ...], ...]
    default: bool


def with_intake(settings: Settings, mapping: Path) -> Settings:
    """The settings with the intake module among the sources, if any agency works with it. `mapping`: its mapping file."""
    chosen = settings.intake
    if not chosen.agencies:
        return settings
    declared = [_declared(each) for each in settings.sources]
    theirs = [each for each in chosen.agencies if _by_form(each, declared)]
    alone = [each for each in chosen.agencies if each not in theirs]
    source = SourceSettings(
        name=chosen.source,
        url=SecretStr("sqlite+aiosqlite:///replaced"),
        mapping=mapping,
        prefixes=tuple(dict.fromkeys(each.agency for each in alone)),
        patterns=tuple(dict.fromkeys(_codes_of(each) for each in theirs)),
        passes_to=tuple(each.name for each in declared if each.default) if alone else (),
        watch=WatchSettings(
            poll=True,
            poll_s=POLL_EVERY,
            overlap_s=OVERLAP,
            resolution_s=RESOLUTION,
            listen=settings.database.shared,
            follow_applicants=True,
            follow_basis=chosen.consent,
        ),
    )
    source = source.model_copy(update={"url": _store_url(settings)})
    return settings.model_copy(update={"sources": (*settings.sources, source)})


def _store_url(settings: Settings) -> SecretStr:
    """Our own store, through a driver of sources; not checked again, it was when the store's settings were read."""
    database = settings.database
    return database.url if database.shared else SecretStr(f"sqlite+aiosqlite:///{database.path}")


# ---- who is asked for which code: agencies may have a system of their own as well, and be here while it is down


def _codes_of(agency: IntakeAgency) -> str:
    """Its codes by their form, for an agency another system answers for: we are asked first, and that one for what is
    not here.
    """
    return rf"{re.escape(_pattern(agency).agency_in_codes)}-\d{{6,8}}-\d{{4,8}}"


def _pattern(agency: IntakeAgency) -> NumberPattern:
    return NumberPattern(agency=agency.agency, text=agency.pattern, first=agency.first_serial)


def _by_form(agency: IntakeAgency, declared: Sequence[Declared]) -> bool:
    """Another system answers for it, or its codes name another agency: the prefix would not lead to us."""
    return _is_declared(agency.agency, declared) or _pattern(agency).agency_in_codes != agency.agency


def _is_declared(agency: str, declared: Sequence[Declared]) -> bool:
    levels = tuple(from_the_province_down(agency))
    return any(levels[: len(prefix)] == prefix for each in declared for prefix in each.prefixes)


def _declared(source: SourceSettings) -> Declared:
    """As the settings say, else as its mapping does; of a mapping that is wrong others tell."""
    said: dict[str, object] = {}
    with suppress(OSError, ValueError):
        said = tomllib.loads(source.mapping.read_text(encoding="utf-8-sig"))
    prefixes = said.get("prefixes", ()) if source.prefixes is None else source.prefixes
    default = said.get("default", False) if source.default is None else source.default
    return Declared(source.name, tuple(_levels(prefixes)), default is True)


def _levels(prefixes: object) -> Iterator[tuple[str, ...]]:
    for prefix in prefixes if isinstance(prefixes, list | tuple) else ():
        yield tuple(from_the_province_down(str(prefix)))
