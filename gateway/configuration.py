"""Files and environment variables -> Settings, or every fault at once with its place and what was expected.

Layers, the later one wins: the defaults in gateway.settings, config/default.toml, the operator's TOML file, environment
variables TRACUU_<SECTION>__<KEY>. An entry of an array of tables is reached by its name:
TRACUU_SMS__VIETTEL__PASSWORD for the [[sms]] named "viettel".
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

import gateway
from domain.errors import SettingsError
from domain.numbering import NumberPattern
from domain.phones import number_prefix
from gateway.intake_source import with_intake
from gateway.settings import SQLITE_FILE, FileUrl, IntakeAgency, IntakeSettings, Settings
from gateway.sms_clashes import sms_clashes
from gateway.toml_lines import Location, key_lines, place_of

PREFIX = "TRACUU_"
CONFIG_VARIABLE = "TRACUU_CONFIG"
CONFIG_DIRECTORY = Path(gateway.__file__).parent.parent / "config"  # beside the packages, in a checkout and in a wheel
FILE_SUFFIX = "_file"
UNSAID = ("string_pattern_mismatch", "too_long")  # faults whose words are a regular expression, or speak of "items"
ACCOUNTS = ("sms", "telegram", "zalo")  # their names are told apart by nothing else
LISTS = tuple(name for name in Settings.model_fields if name in ("sources", *ACCOUNTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to mend. `where` is a file with its line, or a variable; empty when nothing names the key."""

    key: str
    expected: str
    where: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.expected) if part)


@dataclass(slots=True)
class _Layers:
    """What the files and the environment say, and where they say it."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, str] = field(default_factory=dict)  # "gateway.toml:12" or "environment TRACUU_..."
    faults: list[Fault] = field(default_factory=list)

    def fault(self, location: Location, expected: str) -> None:
        self.faults.append(Fault(key=_dotted(location), expected=expected, where=self.place(location)))

    def place(self, location: Location) -> str:
        """Where the innermost key around `location` was set."""
        return place_of(self.places, location) or ""


def load_settings(config: Path | None = None) -> Settings:
    """The settings of this process.

    `config` is the operator's TOML file; the environment is read once, here.

    Raises:
        SettingsError: its message names every fault, one a line; of a file that cannot be read, that alone.
    """
    layers = _Layers()
    for path in (CONFIG_DIRECTORY / "default.toml", config):
        if path is not None:
            _read_file(layers, path)
    if layers.faults:  # of a file nobody could read everything would seem to be missing
        raise _told(layers)
    _read_environment(layers)
    settings = _validated(layers)
    if settings is None:
        raise _told(layers)
    return with_intake(settings, CONFIG_DIRECTORY / "onestop" / "intake.toml")


def _told(layers: _Layers) -> SettingsError:
    return SettingsError("\n".join(str(fault) for fault in layers.faults))


# ---- layers


def _read_file(layers: _Layers, path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        layers.faults.append(Fault(key="", where=str(path), expected=f"cannot be read: {error.strerror}"))
        return
    except ValueError as error:  # not TOML, or not UTF-8
        layers.faults.append(Fault(key="", where=str(path), expected=f"is not TOML: {error}"))
        return
    _anchor(data, Settings, path.parent.absolute())
    for name in LISTS:
        if name in data:  # the operator's list replaces ours, and so do its places
            layers.places = {place: line for place, line in layers.places.items() if place[0] != name}
    layers.places |= {location: f"{path}:{line}" for location, line in key_lines(text).items()}
    _merge(layers, layers.data, data, ())


class _Environment(EnvSettingsSource):
    """The library's reading of TRACUU_... variables; what is not JSON where JSON is wanted stays text, so that its
    fault is told with all the others.
    """

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: object) -> object:
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]  # it takes None
        except ValueError:
            return value


def _read_environment(layers: _Layers) -> None:
    _merge(layers, layers.data, _Environment(Settings)(), ())
    for variable in sorted(os.environ):
        name = variable.upper()
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        location = _location_of(name, layers.data)
        if location[0] in Settings.model_fields:
            layers.places[location] = f"environment {variable}"
        else:
            expected = _unknown(str(location[0]), Settings.model_fields)
            layers.faults.append(Fault(key="", where=f"environment {variable}", expected=expected))


def _location_of(variable: str, data: Mapping[str, Any]) -> Location:
    words: list[str] = variable.removeprefix(PREFIX).lower().split("__")
    location: Location = tuple(words)
    if len(words) > 1 and words[0] in LISTS and isinstance(data.get(words[0]), list):
        index = _index_of(data[words[0]], words[1])
        location = (words[0], words[1] if index is None else index, *words[2:])
    return location


def _index_of(entries: Iterable[Any], word: str) -> int | None:
    """Which entry a variable means: its name in lower case, with what no variable may hold as an underscore."""
    names = (entry.get("name") if isinstance(entry, dict) else None for entry in entries)
    words = [re.sub(r"[^a-z0-9]", "_", str(name).lower()) for name in names]
    return words.index(word) if word in words else None


def _merge(layers: _Layers, known: dict[str, Any], new: Mapping[str, Any], path: Location) -> None:
    """Lay `new` over `known`: tables key by key, arrays of tables by name, anything else as a whole."""
    for key, value in new.items():
        old = known.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(layers, old, value, (*path, key))
        elif isinstance(value, dict) and key in LISTS and not path:
            _merge_entries(layers, key, old if isinstance(old, list) else [], value)
        else:
            known[key] = value


def _merge_entries(layers: _Layers, key: str, entries: list[Any], new: Mapping[str, Any]) -> None:
    for word, values in new.items():
        index = _index_of(entries, word)
        if index is None or not isinstance(values, dict):
            where = f"environment {PREFIX}{key}__{word}".upper().replace("ENVIRONMENT", "environment")
            layers.faults.append(Fault(key=key, where=where, expected=f"there is no [[{key}]] of this name"))
        else:
            _merge(layers, entries[index], values, (key, index))


# ---- paths and secrets


def _anchor(data: object, model: type[BaseModel], base: Path) -> None:
    """Make relative paths absolute: they belong to the file that names them, not to where the process was started."""
    if not isinstance(data, dict):
        return
    for name, info in model.model_fields.items():
        value = data.get(name)
        inner = inner_model(info)
        if inner is not None:
            for entry in value if isinstance(value, list) else [value]:
                _anchor(entry, inner, base)
        elif isinstance(value, str) and any(isinstance(mark, FileUrl) for mark in _marks(info)):
            data[name] = SQLITE_FILE.sub(lambda match: _anchored_url(match, base), value, count=1)
        elif isinstance(value, str) and _is_path(info.annotation):
            data[name] = str(base / value)


def _is_path(annotation: object) -> bool:
    """Path, or something with Path in it: `Path | None`, an annotated kind of file or directory, or none."""
    return annotation is Path or any(_is_path(inner) for inner in get_args(annotation))


def _anchored_url(match: re.Match[str], base: Path) -> str:
    scheme = match[0].partition("://")[0]
    return f"{scheme}:///{base / match['path']}{match['options'] or ''}"


def _marks(info: FieldInfo) -> Iterable[Any]:
    return info.metadata


def inner_model(info: FieldInfo) -> type[BaseModel] | None:
    for kind in (info.annotation, *get_args(info.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _read_secrets(layers: _Layers, data: object, model: type[BaseModel], path: Location) -> None:
    """Put what `x_file` names in the place of `x`."""
    if not isinstance(data, dict):
        return
    for name, info in model.model_fields.items():
        inner, value = inner_model(info), data.get(name)
        if inner is not None and isinstance(value, list):
            for index, entry in enumerate(value):
                _read_secrets(layers, entry, inner, (*path, name, index))
        elif inner is not None:
            _read_secrets(layers, value, inner, (*path, name))
        elif name.removesuffix(FILE_SUFFIX) in model.model_fields.keys() - {name} and value is not None:
            _read_secret(layers, data, name, (*path, name))


def _read_secret(layers: _Layers, data: dict[str, Any], name: str, location: Location) -> None:
    secret = name.removesuffix(FILE_SUFFIX)
    if secret in data:
        layers.fault(location, f"{secret} is set too; keep one of the two")
        return
    try:
        text = Path(data[name]).read_text(encoding="utf-8").strip()
    except (OSError, TypeError, ValueError) as error:
        layers.fault(location, _unread(data[name], secret, error))
        return
    if text:
        data[secret] = text
    else:  # the other side would take it for a wrong one, and count it
        layers.fault(location, f"{data[name]} is empty, and should hold {secret}")


def _unread(path: object, secret: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {path}, which should hold {secret}"
    if isinstance(error, OSError):
        return f"{path} cannot be read: {error.strerror}"
    if isinstance(error, TypeError):
        return f"expected the path of a file that holds {secret}"
    return f"{path} cannot be read as text (UTF-8)"


# ---- faults


def _validated(layers: _Layers) -> Settings | None:
    data = layers.data
    for name in Settings.model_fields:
        data.setdefault(name, [] if name in LISTS else {})
    _read_secrets(layers, data, Settings, ())
    told = {fault.key.removesuffix(FILE_SUFFIX) for fault in layers.faults}
    try:
        settings: Settings | None = Settings(**data)
    except ValidationError as error:
        settings = None
        details = error.errors(include_url=False, include_input=False)
        for detail in details:
            if not _follows_from_another(detail["type"], detail["loc"], told, [other["loc"] for other in details]):
                layers.fault(detail["loc"], _expected(detail["type"], detail["msg"], detail["loc"]))
    for location, expected in _clashes(data):
        layers.fault(location, expected)
    return None if layers.faults else settings


def _follows_from_another(kind: str, location: Location, told: set[str], others: list[Location]) -> bool:
    """A secret is missing because its file is not readable, a list too short because its entries are wrong."""
    if kind == "missing":
        return _dotted(location) in told
    return kind == "too_short" and any(
        len(other) > len(location) and other[: len(location)] == location for other in others
    )


def _expected(kind: str, message: str, location: Location) -> str:
    info, siblings = _described(location)
    if kind == "missing":
        secret = f" (or set {location[-1]}{FILE_SUFFIX})" if f"{location[-1]}{FILE_SUFFIX}" in siblings else ""
        return f"is missing{secret}. {info.description if info and info.description else ''}".rstrip()
    if kind == "too_short":
        return "expected at least one entry"
    if kind == "extra_forbidden":
        return _unknown(str(location[-1]), siblings)
    if kind in UNSAID:
        return f"is not in the form expected. {info.description if info and info.description else ''}".rstrip()
    return message.replace("Input should be", "expected").replace("Input should", "should")


def _described(location: Location) -> tuple[FieldInfo | None, Mapping[str, FieldInfo]]:
    """The field a location means, and the fields beside it."""
    model: type[BaseModel] | None = Settings
    info: FieldInfo | None = None
    siblings: Mapping[str, FieldInfo] = Settings.model_fields
    for word in location:
        if isinstance(word, int) or model is None:
            continue
        siblings = model.model_fields
        info = siblings.get(word)
        model = inner_model(info) if info is not None else None
    return info, siblings


def _unknown(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known here: {', '.join(known)}"


def _clashes(data: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """What no key can see by itself."""
    for sections in (("sources",), ACCOUNTS):
        seen: dict[str, str] = {}
        for section, index, entry in [(s, i, each) for s in sections for i, each in enumerate(_tables(data[s]))]:
            name = entry.get("name")
            if isinstance(name, str) and name in seen:
                yield (section, index, "name"), f"{name!r} is taken by another [[{seen[name]}]]"
            elif isinstance(name, str):
                seen[name] = section
    yield from _intake_clashes(data)
    yield from _notice_clashes(data)
    yield from sms_clashes(_tables(data["sms"]))
    lookup = data["lookup"] if isinstance(data["lookup"], dict) else {}
    fresh, stale = lookup.get("fresh_s"), lookup.get("stale_s")
    if isinstance(fresh, int | float) and isinstance(stale, int | float) and stale < fresh:
        yield ("lookup", "stale_s"), "expected at least lookup.fresh_s"


def _intake_clashes(data: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Nothing to look up in; or two agencies of one identifier, or a name that another system has."""
    intake = data["intake"] if isinstance(data["intake"], dict) else {}
    agencies = [entry.get("agency") for entry in _tables(intake.get("agencies"))]
    if not agencies and data["sources"] == []:
        yield ("sources",), "expected at least one entry"
    for index, agency in enumerate(agencies):
        if agency in agencies[:index]:
            yield ("intake", "agencies", index, "agency"), f"{agency!r} is there already"
    yield from _code_clashes(_tables(intake.get("agencies")))
    source = intake.get("source", IntakeSettings.model_fields["source"].default)
    if agencies and source in [entry.get("name") for entry in _tables(data["sources"])]:
        yield ("intake", "source"), f"{source!r} is the name of one of the [[sources]]"


def _code_clashes(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Location, str]]:
    """Two agencies that would print one code for two dossiers; of a pattern that is none its own fault tells."""
    seen: list[NumberPattern] = []
    for index, entry in enumerate(entries):
        default = IntakeAgency.model_fields["pattern"].default
        try:
            pattern = NumberPattern(agency=entry["agency"], text=entry.get("pattern", default))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        met = next((each for each in seen if each.agency != pattern.agency and each.may_meet(pattern)), None)
        if met is not None:
            yield (
                ("intake", "agencies", index, "pattern"),
                f"prints the codes of {met.agency} as well; put {{agency}} into it, or a digit of its own before {{serial}}",
            )
        seen.append(pattern)


def _notice_clashes(data: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
    """Accounts that are not there, two routes for one prefix, and numbers that would follow by no right."""
    accounts = [entry.get("name") for entry in _tables(data["sms"])]
    nowhere = f"there is no [[sms]] of this name; there are: {', '.join(map(str, accounts))}"
    notices = data["notices"] if isinstance(data["notices"], dict) else {}
    account, routes = notices.get("account"), _tables(notices.get("route"))
    if account is not None and account not in accounts:
        yield ("notices", "account"), nowhere
    for index, route in enumerate(routes):
        if isinstance(route.get("account"), str) and route["account"] not in accounts:
            yield ("notices", "route", index, "account"), f"{route['account']!r}: {nowhere}"
    yield from _route_clashes(routes)
    for index, entry in enumerate(_tables(data["sources"])):
        watch = entry.get("watch")
        if isinstance(watch, dict) and watch.get("follow_applicants") and not watch.get("follow_basis"):
            expected = "is needed with follow_applicants: by what right people are told who did not ask"
            yield ("sources", index, "watch", "follow_basis"), expected


def _route_clashes(routes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Location, str]]:
    """A prefix that stands there twice, however it is written; of one that is none its own fault tells."""
    seen: dict[str, object] = {}
    for index, route in enumerate(routes):
        prefixes = route.get("prefixes")
        for place, written in enumerate(prefixes if isinstance(prefixes, list) else []):
            prefix = number_prefix(written) if isinstance(written, str) else ""
            if prefix in seen:
                told = f"{written!r} ({prefix}) is in the route to {seen[prefix]} already"
                yield ("notices", "route", index, "prefixes", place), told
            elif prefix:
                seen[prefix] = route.get("account")


def _tables(entries: object) -> Sequence[Mapping[str, Any]]:
    """The entries of an array of tables; what is none has its own fault."""
    return [entry if isinstance(entry, dict) else {} for entry in entries] if isinstance(entries, list) else []


def _dotted(location: Location) -> str:
    """`sms[0].port`, as an operator would say it."""
    words = (f"[{word}]" if isinstance(word, int) else f".{word}" for word in location)
    return "".join(words).removeprefix(".")
