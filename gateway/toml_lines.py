"""Where each key of a TOML text stands, so that a fault can be told with its line (tomllib keeps no positions)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

Location = tuple[str | int, ...]
Place = TypeVar("Place")


def key_lines(text: str) -> dict[Location, int]:
    """The 1-based line of every table and key of a valid TOML text.

    The location of a key is its path, with the index in an array of tables: `("sms", 0, "port")`. Keys of an inline
    table have the line on which that table begins.
    """
    places: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(parsed, counts, opens_element=statement.lstrip().startswith("[["))
            places.setdefault(table, number)
        else:
            for path in _paths(parsed):
                places[table + path] = number
    return places


def place_of(places: Mapping[Location, Place], location: Location) -> Place | None:
    """Where the innermost key around `location` stands, of those that have a place."""
    for length in range(len(location), 0, -1):
        if location[:length] in places:
            return places[location[:length]]
    return None


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header or assignment with the line it begins on; lines are joined until they make sense by themselves."""
    pending, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not pending and line.lstrip()[:1] in ("", "#"):
            continue
        begun = begun if pending else number
        pending += line + "\n"
        if _complete(pending):
            yield begun, pending
            pending = ""


def _complete(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:  # only the rest of a multi-line value is missing: the whole text is valid
        return False
    return True


def _header(parsed: Mapping[str, Any], counts: dict[Location, int], *, opens_element: bool) -> Location:
    """The path a header opens; arrays of tables passed on the way mean their last element."""
    path: Location = ()
    node: Any = parsed
    while node:
        key, node = next(iter(node.items()))
        path += (key,)
        last = isinstance(node, list)
        node = node[0] if last else node
        if last and opens_element:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _paths(node: Mapping[str, Any]) -> Iterator[Location]:
    for key, value in node.items():
        yield (key,)
        if isinstance(value, Mapping):
            yield from ((key, *rest) for rest in _paths(value))
