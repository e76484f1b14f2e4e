"""The console's words: a file for each language, all with the same sections and names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.page import Texts
from domain.errors import SettingsError
from gateway.bootstrap.words import read_toml
from gateway.settings import Settings


def read_console_texts(settings: Settings) -> Mapping[str, Texts]:
    """By language, the default one first.

    Raises:
        SettingsError: a file cannot be read, or two of them do not hold the same sections and names.
    """
    folder, default = settings.console.texts, settings.replies.default_language
    languages = sorted((path.stem for path in folder.glob("*.toml")), key=lambda name: (name != default, name))
    texts = {language: read_toml(folder / f"{language}.toml") for language in languages}
    if default not in texts:
        raise SettingsError(f"{folder}: there is no {default}.toml, of replies.default_language")
    own = _names(texts[default])
    faults = [
        f"{folder / language}.toml: {name} is here and not in {default}.toml, or the other way round"
        for language, words in texts.items()
        for name in sorted(own ^ _names(words))
    ]
    if faults:
        raise SettingsError("\n".join(faults))
    return texts


def _names(words: Mapping[str, Any], before: str = "") -> frozenset[str]:
    """Of all texts, with their sections."""
    names = set[str]()
    for name, value in words.items():
        names |= _names(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name}
    return frozenset(names)
