"""A site's colour (pure): how it is read, and whether white letters on it can be read."""

from __future__ import annotations

import re

OURS = "#0d4a55"
ENOUGH = 4.5  # to 1: WCAG 2.2, 1.4.3
_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})", re.ASCII)


def read_accent(typed: str) -> str:
    """The colour as "#rrggbb" in lower case; empty for our own and for what is no colour."""
    read = _COLOUR.fullmatch(typed.strip())
    colour = f"#{read[1].lower()}" if read else ""
    return "" if colour == OURS else colour


def contrast_with_white(accent: str) -> float:
    """1 to 21, of "#rrggbb"."""
    red, green, blue = (_linear(int(accent[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _linear(part: float) -> float:
    """A part of an sRGB colour as light (WCAG 2.2, relative luminance)."""
    low, exponent = 0.04045, 2.4
    return float(part / 12.92) if part <= low else float(((part + 0.055) / 1.055) ** exponent)
