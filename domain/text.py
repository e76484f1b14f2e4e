"""Text as typed, stored and sent: one sign for one meaning, accents stripped, nothing invisible.

Every function is total (no text makes it raise) and returns plain ASCII text at once where nothing is to be done.
"""

from __future__ import annotations

import re
import unicodedata

_D_WITH_STROKE = {0x110: "D", 0x111: "d", 0xD0: "D", 0xF0: "d", 0x189: "D", 0x256: "d"}
_DASHES = (*range(0x2010, 0x2016), 0x2043, 0x2212, 0x2E3A, 0x2E3B, 0xFE58, 0xFE63, 0xFF0D)
_ZEROS = (0x17E0, 0x0E50, 0x0ED0, 0x0660, 0x06F0)  # Khmer, Thai, Lao, Arabic-Indic, Persian
_JOINERS = "\u200c\u200d"
_BINDING = "\u200d\u17d2"  # what comes after one of these belongs to what is before it: in emoji, in Khmer
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # never Khmer's vowels


def _latin_letters() -> dict[int, str]:
    """Every accented Latin letter that is one code point, with its bare letter."""
    letters = dict(_D_WITH_STROKE)
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            letters[code] = base
    return letters


_LETTERS = _latin_letters()
_UPPER_BARE = {code: base.upper() for code, base in _LETTERS.items()} | {
    code: chr(code - 32) for code in range(ord("a"), ord("z") + 1)
}
_ONE_SIGN = (
    dict.fromkeys(_DASHES, "-")
    | {zero + digit: str(digit) for zero in _ZEROS for digit in range(10)}
    | dict.fromkeys((*range(0xFE00, 0xFE10), 0x20E3), "")  # how a sign is drawn: a digit on a key is that digit
    | {0xB7: ".", 0x2022: "-", 0x2027: ".", 0x3002: ".", 0x3001: ",", 0x2044: "/", 0x2215: "/"}
)
_PLAIN_PUNCTUATION = (
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys((0x201C, 0x201D, 0x201E, 0x201F, 0xAB, 0xBB), '"')
    | dict.fromkeys((0x2018, 0x2019, 0x201A, 0x201B), "'")
    | dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
    | dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF), "")
    | {0x2022: "-", 0x2026: "...", 0x20AB: "d", 0x2116: "No", 0xBD: "1/2", 0xBC: "1/4", 0xBE: "3/4", 0xD7: "x"}
)
_UNACCENT = _LETTERS | _PLAIN_PUNCTUATION


def nfc(text: str) -> str:
    """The composed form: what every Vietnamese keyboard's output has in common, and what is sent."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def unaccent(text: str) -> str:
    """Vietnamese without accents, its typographic punctuation as ASCII; other scripts stay as they are."""
    if text.isascii():
        return text
    return _MARKS.sub("", unicodedata.normalize("NFC", text).translate(_UNACCENT))


def fold(text: str) -> str:
    """What was typed, with one sign for one meaning: compatibility forms composed (full-width letters and digits),
    Khmer digits, dashes of every kind as "-", invisible signs gone, line breaks as newlines, other spaces as spaces.
    """
    if text.isascii():
        return text if text.isprintable() else _visible(text.replace("\r\n", "\n"), keep="\n")
    folded = unicodedata.normalize("NFKC", text).translate(_ONE_SIGN)
    return folded if folded.isprintable() else _visible(folded.replace("\r\n", "\n"), keep="\n")


def bare(folded: str) -> str:
    """Folded text in upper case without accents, sign for sign: a place in one is the same place in the other."""
    return folded.upper() if folded.isascii() else folded.translate(_UPPER_BARE)


def safe_text(text: str, limit: int) -> str:
    """Plain text of at most `limit` characters, fit to be stored or echoed: one line, composed, without control,
    bidirectional, zero-width, private or unpaired surrogate characters.
    """
    composed = nfc(text[: 4 * limit])  # a letter may be typed as up to four code points
    if not composed.isprintable():
        composed = _visible(composed)
    return composed[:limit].strip()


def whole_letters(text: str, end: int) -> int:
    """The last place at or before `end` where no letter comes apart: a sign above or below belongs to the letter before
    it, what is joined to its neighbour by an invisible sign to that, a Khmer foot to the letter it stands under. `end`
    itself where there is none.
    """
    place = min(end, len(text))
    while 0 < place < len(text) and (
        unicodedata.category(text[place])[0] == "M" or text[place] in _JOINERS or text[place - 1] in _BINDING
    ):
        place -= 1
    return place or end


def _visible(text: str, keep: str = "") -> str:
    """Spaces of all kinds as a plain space, other unprintable signs dropped, those in `keep` kept."""
    return "".join(sign if sign.isprintable() or sign in keep else " " if sign.isspace() else "" for sign in text)
