"""What the gateway says, understands and knows by heart: read from files once, every fault named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.agencies import Agencies
from domain.catalogue import Catalogue
from domain.errors import SettingsError
from domain.grammar import Grammar
from gateway.procedure_files import FORMS
from gateway.settings import Settings
from intake.procedures import Procedures


@dataclass(frozen=True, slots=True)
class Words:
    """What the gateway says, understands and knows by heart."""

    catalogue: Catalogue
    grammar: Grammar
    agencies: Agencies
    procedures: Procedures
    forms: Mapping[str, Path]  # the files of the procedures' forms, by their names


def read_words(settings: Settings) -> Words:
    """Texts, grammar, agencies and procedures.

    Raises:
        SettingsError: a file does not hold what it should; every fault of it.
    """
    files = settings.texts, settings.agencies, settings.procedures
    texts, agencies, procedures = (each.path for each in files)
    catalogue = _checked(procedures, lambda: Procedures.from_mapping(read_toml(procedures)))
    grammar = _checked(settings.texts.grammar, lambda: Grammar.from_mapping(read_toml(settings.texts.grammar)))
    return Words(
        catalogue=_checked(texts, lambda: Catalogue.from_mapping(_texts(settings))),
        grammar=grammar,
        agencies=_checked(agencies, lambda: _agencies(settings, grammar)),
        procedures=catalogue,
        forms=_checked(procedures, lambda: form_files(catalogue, procedures.parent / FORMS)),
    )


def form_files(procedures: Procedures, folder: Path) -> Mapping[str, Path]:
    """The file of each form that has one.

    Raises:
        ValueError: files that are not there, one a line.
    """
    named = {form.file: each.code for each in procedures for form in each.forms if form.file}
    files = {file: folder / file for file in named}
    missing = [f"procedure {named[file]}: {path} is not there" for file, path in files.items() if not path.is_file()]
    if missing:
        raise ValueError("\n".join(missing))
    return files


def _texts(settings: Settings) -> dict[str, Any]:
    """Every language's texts, the default one first."""
    default = settings.replies.default_language
    languages = sorted(
        (path.stem for path in settings.texts.path.glob("*.toml")), key=lambda name: (name != default, name)
    )
    return {language: read_toml(settings.texts.path / f"{language}.toml") for language in languages}


def _agencies(settings: Settings, grammar: Grammar) -> Agencies:
    agencies = Agencies.from_mapping(read_toml(settings.agencies.path)).helped_at(settings.replies.help_phone)
    clashes = agencies.clashes(grammar)
    if clashes:
        raise ValueError("\n".join(clashes))
    return agencies


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
