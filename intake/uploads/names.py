"""Names of files as strangers typed them: fit to be kept, shown, and written on any machine."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from domain.text import nfc, safe_text, whole_letters
from intake.uploads.kinds import ENDINGS, FORMATS, FileFormat

LONGEST_NAME: Final = 120  # characters, its ending included
MOST_OCTETS: Final = 240  # of UTF-8: file systems take 255
NAMELESS: Final = "tep"

_READ: Final = 4_000  # characters from the end; a path before them is none of ours
_SEPARATORS: Final = re.compile(r"[/\\]")
# What a shell, a file system, an address or an old code page may take for something else; slashes of other scripts too.
_FORBIDDEN: Final = re.compile(
    r'[<>:"|?*%`$&;\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c\ufffd\u2024\uff0e]'
)
_ENDING: Final = re.compile(r"\.\s*([A-Za-z0-9-]{1,20})$")
_INNER: Final = re.compile(r"\.(?=([A-Za-z0-9]{1,20})(?![A-Za-z0-9]))")
_AT_THE_EDGES: Final = " .-~_"
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin|conout|clock)", re.IGNORECASE)


def safe_file_name(typed: str, kind: FileFormat) -> str:
    """`typed` without a path, control or bidirectional signs, composed, of at most 120 characters, ending as `kind` does,
    and no name of a device. Never empty; raises nothing.
    """
    ending = f".{FORMATS[kind].endings[0]}"
    stem = _without_ending(_plain(typed))
    stem = _INNER.sub(lambda dot: "_" if dot[1].lower() in ENDINGS else ".", stem)
    stem = stem.strip(_AT_THE_EDGES)
    if _DEVICE.fullmatch(stem.partition(".")[0].strip()):
        stem = f"_{stem}"
    return (_shortened(stem, LONGEST_NAME - len(ending)) or NAMELESS) + ending


def claimed_ending(typed: str) -> str:
    """The ending a name claims, in lower case; "" where there is none, or none that means a kind of file."""
    plain = unicodedata.normalize("NFKC", _plain(unicodedata.normalize("NFKC", typed[-_READ:])))
    found = _ENDING.search(plain)
    return found[1].lower() if found and found[1].lower() in ENDINGS else ""


def _plain(typed: str) -> str:
    """The last part of a path, with nothing in it that is not seen."""
    parts = [part for part in _SEPARATORS.split(nfc(typed[-_READ:])) if part.strip(" .")]
    visible = safe_text(parts[-1] if parts else "", _READ)
    return " ".join(_FORBIDDEN.sub("_", visible).split()).rstrip(" ._")


def _without_ending(name: str) -> str:
    found = _ENDING.search(name)
    return name[: found.start()] if found and found[1].lower() in ENDINGS else name


def _shortened(stem: str, most: int) -> str:
    """Cut where no letter comes apart."""
    stem = stem[: whole_letters(stem, most)][:most]
    while len(stem.encode()) > MOST_OCTETS:
        stem = stem[: whole_letters(stem, len(stem) - 1)][: len(stem) - 1]
    return stem.rstrip(" .")
