"""Small paths into a JSON document, as mapping files write them: `content[*]`, `procedure.translate[0].name`, `$`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WHOLE = "$"  # the document itself
MISSING: Final = object()
"""What `JsonPath.first` answers where the document does not go that far; a null that stands there is None."""

_LONGEST = 200
_STEP = re.compile(r"\.?([^.\[\]\s$]+)|\[(\d{1,4}|\*)\]")


@dataclass(frozen=True, slots=True)
class Every:
    """All elements of a list."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """One path, read. A step is the key of an object, the index of a list, or every element of one."""

    text: str
    steps: tuple[str | int | Every, ...]

    def all(self, document: object) -> list[object]:
        """Everything it leads to, in the document's order."""
        found: list[object] = [document]
        for step in self.steps:
            found = [each for value in found for each in _walk(value, step)]
        return found

    def first(self, document: object) -> object:
        """The first thing it leads to, or MISSING."""
        return next(iter(self.all(document)), MISSING)

    def without_every(self) -> JsonPath:
        """What holds the elements that a last [*] leads to."""
        return JsonPath(self.text, self.steps[:-1]) if self.steps[-1:] == (Every(),) else self


def parse_path(text: str) -> JsonPath:
    """Read one.

    Raises:
        ValueError: it cannot be read; what is wrong is named.
    """
    if text == WHOLE:
        return JsonPath(text, ())
    steps: list[str | int | Every] = []
    place = 0
    while place < len(text):
        step = _STEP.match(text, place)
        if step is None or (step[0].startswith(".") and not steps) or len(text) > _LONGEST:
            raise ValueError(f"{text[:_LONGEST]!r} is no path: name.name, name[0], name[*] or {WHOLE}")
        steps.append(step[1] or (Every() if step[2] == "*" else int(step[2])))
        place = step.end()
    if not steps:
        raise ValueError(f"an empty path; {WHOLE} is the whole document")
    return JsonPath(text, tuple(steps))


def _walk(value: object, step: str | int | Every) -> Iterator[object]:
    if isinstance(value, dict):
        key = str(step)  # an index also finds the key "0": some systems number the keys of an object
        if not isinstance(step, Every) and key in value:
            yield value[key]
    elif isinstance(value, list):
        if isinstance(step, Every):
            yield from value
        elif isinstance(step, int) and step < len(value):
            yield value[step]
