"""What the gateway says, understands and knows by heart: read from files once, every fault named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.errors import SettingsError
from domain.grammar import Grammar
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Words:
    """What the gateway says, understands and knows by heart."""

    catalogue: Catalogue
    grammar: Grammar
    agencies: Agencies


def read_words(settings: Settings) -> Words:
    """Texts, grammar and agencies.

    Raises:
        SettingsError: a file does not hold what it should; every fault of it.
    """
    default = settings.replies.default_language
    languages = sorted(
        (path.stem for path in settings.texts.path.glob("*.toml")), key=lambda name: (name != default, name)
    )
    texts = {language: read_toml(settings.texts.path / f"{language}.toml") for language in languages}
    agencies = read_toml(settings.agencies.path)
    return Words(
        catalogue=_checked(settings.texts.path, lambda: Catalogue.from_mapping(texts)),
        grammar=_checked(settings.texts.grammar, lambda: Grammar.from_mapping(read_toml(settings.texts.grammar))),
        agencies=_checked(
            settings.agencies.path, lambda: Agencies.from_mapping(agencies).helped_at(settings.replies.help_phone)
        ),
    )


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain values.

    Raises:
        SettingsError: it cannot be read; names the file and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _checked(path: Path, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever `make` makes
    try:
        return make()
    except ValueError as error:
        raise SettingsError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
