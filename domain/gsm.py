"""GSM 03.38 (3GPP TS 23.038) and UCS-2: alphabets, capacities, counting and splitting.

What counts is what sends: `segments_needed` is the length of what `split` returns. Septets are kept unpacked, one an
octet, as SMPP carries them; `unpack_septets` is for the SMSCs that do not.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ESCAPE: Final = 0x1B
REPLACEMENT: Final = "?"

# §6.2.1, in the order of the septets; ESC holds its place and is no character.
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# §6.2.1.1: after ESC, two septets each.
EXTENSION: Final[Mapping[str, int]] = MappingProxyType(
    {
        "\f": 0x0A,
        "^": 0x14,
        "{": 0x28,
        "}": 0x29,
        "\\": 0x2F,
        "[": 0x3C,
        "~": 0x3D,
        "]": 0x3E,
        "|": 0x40,
        "€": 0x65,
    }
)

_CHARACTERS: Final = frozenset(BASIC) - {"\x1b"} | frozenset(EXTENSION)
_TO_SEPTETS: Final = str.maketrans(
    {character: chr(septet) for septet, character in enumerate(BASIC)}
    | {character: f"\x1b{septet:c}" for character, septet in EXTENSION.items()}
)
_FROM_SEPTETS: Final = dict(enumerate(BASIC))
_FROM_EXTENSION: Final = {chr(septet): character for character, septet in EXTENSION.items()}


class Alphabet(enum.Enum):
    """How a text is carried: (what one part holds alone, what each of several holds), in units of the alphabet.

    A unit is a septet or a UTF-16 code unit. Several parts lose six octets each to the concatenation header with an
    8-bit reference (TS 23.040 §9.2.3.24.1).
    """

    GSM7 = (160, 153)
    UCS2 = (70, 67)

    @property
    def alone(self) -> int:
        """Units of a message of one part."""
        return self.value[0]

    @property
    def together(self) -> int:
        """Units of each part of a longer message."""
        return self.value[1]


def is_gsm7(text: str) -> bool:
    """Every character is in the basic table or its extension."""
    return _CHARACTERS.issuperset(text)


def alphabet_of(text: str) -> Alphabet:
    """The cheaper alphabet that holds all of `text`."""
    return Alphabet.GSM7 if is_gsm7(text) else Alphabet.UCS2


def septets(text: str) -> int:
    """How many septets a text of GSM characters takes."""
    return len(text) + sum(map(text.count, EXTENSION))


def utf16_units(text: str) -> int:
    """How many UTF-16 code units a text takes; characters beyond the BMP take two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-be", "surrogatepass")) // 2


def units(text: str, alphabet: Alphabet) -> int:
    """The length of `text` as `alphabet` counts it."""
    return septets(text) if alphabet is Alphabet.GSM7 else utf16_units(text)


def encode_gsm7(text: str) -> bytes:
    """The septets of a text, unpacked, one an octet.

    Raises:
        ValueError: a character is outside the tables (see `force_gsm7`).
    """
    if not is_gsm7(text):
        raise ValueError("the text holds characters outside GSM 03.38")
    return text.translate(_TO_SEPTETS).encode("ascii")


def decode_gsm7(data: bytes) -> str:
    """Unpacked septets to text. An unknown escape is its basic character (§6.2.1, note 1); a last ESC is nothing.

    Raises:
        ValueError: an octet above 0x7F is no septet.
    """
    plain, *escaped = data.decode("ascii").split("\x1b")
    return plain.translate(_FROM_SEPTETS) + "".join(
        _FROM_EXTENSION.get(piece[:1], piece[:1].translate(_FROM_SEPTETS)) + piece[1:].translate(_FROM_SEPTETS)
        for piece in escaped
    )


def encode_ucs2(text: str) -> bytes:
    """UTF-16, big-endian, without a mark; half a surrogate pair becomes "?"."""
    return text.encode("utf-16-be", "replace")


def force_gsm7(text: str) -> tuple[str, int]:
    """The text with every character outside GSM 03.38 as "?", and how many those were."""
    if is_gsm7(text):
        return text, 0
    forced = "".join([character if character in _CHARACTERS else REPLACEMENT for character in text])
    return forced, sum(character not in _CHARACTERS for character in text)


def unpack_septets(data: bytes, fill_bits: int = 0) -> bytes:
    """Packed octets to septets, the lowest bits first (§6.1.2.1), behind `fill_bits` of them (0-6). Seven spare bits at
    the end are padding, be they zero or CR (§6.1.2.3.1).
    """
    bits = 8 * len(data) - fill_bits
    packed = int.from_bytes(data, "little") >> fill_bits
    unpacked = bytes((packed >> 7 * position) & 0x7F for position in range(max(bits, 0) // 7))
    return unpacked[:-1] if bits % 56 == 0 and unpacked[-1:] in {b"\0", b"\r"} else unpacked


def segments_needed(text: str) -> tuple[Alphabet, int]:
    """The alphabet a text leaves in, and into how many parts `split` cuts it."""
    alphabet = alphabet_of(text)
    return alphabet, len(split(text, alphabet))


def split(text: str, alphabet: Alphabet) -> list[str]:
    """The parts of a text, each within one segment; together they are the text again.

    No cut falls inside a character: no escape or surrogate pair, no letter and its marks (a Khmer cluster included),
    no emoji sequence; nor inside a dossier code, which moves whole to the next part. A cut falls between words where
    that costs no further part. Only what is longer than a part by itself is cut regardless.
    """
    if units(text, alphabet) <= alphabet.alone:
        return [text]
    cutter = _Cutter(text, alphabet)
    parts, begin, left = [], 0, cutter.count(0)
    while begin < len(text):
        left -= 1
        end = cutter.between_words(begin, left)
        parts.append(text[begin:end])
        begin = end
    return parts


# What is moved whole where it fits: a dossier code, a dotted telephone number or date; the two letters of a flag.
_WHOLE: Final = re.compile(
    r"(?<![0-9A-Za-z])(?=[A-Za-z.-]{0,160}[0-9])[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)+|[\U0001F1E6-\U0001F1FF]{2}"
)
_SPACES: Final = (" ", "\n", "\u200b")  # U+200B: Khmer writes no spaces between words
_JOINERS: Final = frozenset("\u200c\u200d")
_BINDS_NEXT: Final = frozenset("\u200d\u17d2")  # ZWJ; coeng, which puts the next Khmer consonant below
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)


class _Cutter:
    """Finds where one text may be cut; positions are indices into the text."""

    def __init__(self, text: str, alphabet: Alphabet) -> None:
        self._text = text
        self._alphabet = alphabet
        whole = [match.span() for match in _WHOLE.finditer(text) if len(match[0]) <= alphabet.together]
        self._whole_starts = [start for start, _ in whole]
        self._whole_ends = [end for _, end in whole]

    def count(self, begin: int) -> int:
        """The fewest parts the text from `begin` on can have."""
        parts = 0
        while begin < len(self._text):
            begin = self.furthest(begin)
            parts += 1
        return parts

    def furthest(self, begin: int) -> int:
        """The last allowed cut of a part that begins at `begin`."""
        full = self._full(begin)
        if full == len(self._text):
            return full
        at = full
        while at > begin and (start := self._start_of_unit(at)) < at:
            at = start
        return at if at > begin else full

    def between_words(self, begin: int, parts_left: int) -> int:
        """The last cut between words from where `parts_left` parts hold the rest; else the last allowed one."""
        furthest = self.furthest(begin)
        at = furthest
        if at == len(self._text) or self._text[at] in _SPACES:
            return at
        while at > begin and self.count(at) <= parts_left:
            if self._text[at - 1] in _SPACES and self._start_of_unit(at) == at:
                return at
            at = max(self._text.rfind(space, begin, at - 1) for space in _SPACES) + 1
        return furthest

    def _full(self, begin: int) -> int:
        """Where a part that begins at `begin` is full, to the character."""
        room = self._alphabet.together
        end = min(begin + room, len(self._text))
        while (excess := units(self._text[begin:end], self._alphabet) - room) > 0:
            end -= (excess + 1) // 2  # no character takes more than two units
        return end

    def _start_of_unit(self, at: int) -> int:
        """`at` itself if a cut may fall there; else a place before it to try next."""
        nearest = bisect_left(self._whole_starts, at) - 1
        if nearest >= 0 and at < self._whole_ends[nearest]:
            return self._whole_starts[nearest]
        return at - 1 if _joined(self._text, at) else at


def _joined(text: str, at: int) -> bool:
    """The characters before and after `at` are seen as one."""
    before, after = text[at - 1], text[at]
    if after.isascii():
        return before in _BINDS_NEXT or (before == "\r" and after == "\n")
    if before in _BINDS_NEXT or after in _JOINERS or ord(after) in _SKIN_TONES:
        return True
    return unicodedata.category(after)[0] == "M"
