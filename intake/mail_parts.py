"""A mail taken apart within bounds: so many parts, so deep, headers so long. What is beyond is told, never worked through.

The standard library's parser reads anything, but its newer headers (`policy.default`) take time that grows with the square
of their length and raise over broken ones; so headers are cut before they are looked at, and decoded here.
"""

from __future__ import annotations

import codecs
import email.header
from email.errors import HeaderParseError, MessageError
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Compat32, Policy
from functools import partial
from typing import Final, cast

from domain.text import nfc, safe_text

MOST_LINES: Final = 500_000  # 25 MB of packed files are 350,000
MOST_PARTS: Final = 200
MOST_DEPTH: Final = 12
MOST_HEADERS: Final = 500  # of one part
LONGEST_HEADER: Final = 4_000  # characters that are read of one
_PIECE: Final = 1 << 16
# Codecs that are no charsets of mail, and some of which take time that grows with the square of the length.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7_imap"})
_TRIED: Final = ("utf-8", "cp1258")  # what Vietnamese programs write when they do not say


class TooMuch(Exception):
    """More than a letter has; `what`: "lines", "parts", "depth" or "headers"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Part(Message):
    """A part that knows how deep it is."""

    def __init__(self, counter: list[int], policy: Policy) -> None:
        super().__init__(policy=policy)
        self.depth = 0
        counter[0] += 1
        if counter[0] > MOST_PARTS:
            raise TooMuch("parts")

    def attach(self, payload: object) -> None:
        """A part of this one."""
        part = cast("Part", payload)
        part.depth = self.depth + 1
        if part.depth > MOST_DEPTH:
            raise TooMuch("depth")
        super().attach(part)

    def set_raw(self, name: str, value: str) -> None:
        """A header as it came; called by the parser."""
        if len(self) >= MOST_HEADERS:
            raise TooMuch("headers")
        super().set_raw(name, value)


class _Cut(Compat32):
    """The oldest policy, which hands everything out as it came. Headers are cut first, and octets above 127 read as what
    they most likely are.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse([line[:LONGEST_HEADER] for line in sourcelines[:40]])
        return name[:100], unescaped(value[:LONGEST_HEADER])


def parse(data: bytes) -> Part:
    """The whole mail.

    Raises:
        TooMuch: it is larger inside than a letter.
        MessageError, ValueError, LookupError, RecursionError: the parser gave it up.
    """
    if data.count(b"\n") > MOST_LINES:
        raise TooMuch("lines")
    counter = [0]
    parser = BytesFeedParser(cast("type[Part]", partial(Part, counter)), policy=_Cut())
    for place in range(0, len(data), _PIECE):
        parser.feed(data[place : place + _PIECE])
    return cast("Part", parser.close())


def header(part: Message, name: str) -> str:
    """A header as a reader sees it, one line; "" where there is none."""
    return words(raw_header(part, name))


def raw_header(part: Message, name: str) -> str:
    """A header as it came, on one line."""
    wanted = name.lower()
    value = next((str(value) for each, value in part.raw_items() if each.lower() == wanted), "")
    return " ".join(value.split())


def words(raw: str, limit: int = LONGEST_HEADER) -> str:
    """Encoded words decoded, in whatever charset; what cannot be is left as it stands."""
    if "=?" not in raw:
        return safe_text(raw, limit)
    try:
        pieces = email.header.decode_header(raw)
    except (HeaderParseError, MessageError, ValueError, LookupError, IndexError):
        return safe_text(raw, limit)
    told = [piece if isinstance(piece, str) else decoded(piece, charset or "")[0] for piece, charset in pieces]
    return safe_text("".join(told), limit)


def unescaped(text: str) -> str:
    """Octets that the parser carried through a text, decoded."""
    try:
        return decoded(text.encode("ascii", "surrogateescape"), "")[0]
    except UnicodeEncodeError:  # it is decoded already
        return text.encode("utf-8", "replace").decode()


def decoded(octets: bytes, charset: str) -> tuple[str, bool]:
    """The text, and whether it was as it said."""
    for name in (charset, *_TRIED):
        if name and _is_charset(name):
            try:
                return nfc(octets.decode(name)), name == charset or not charset
            except (UnicodeError, LookupError, ValueError):
                continue
    known = charset if charset and _is_charset(charset) else "latin-1"
    return nfc(octets.decode(known, "replace")), False


def _is_charset(name: str) -> bool:
    try:
        return codecs.lookup(name).name.replace("-", "_") not in _NO_CHARSETS
    except (LookupError, ValueError, UnicodeError):
        return False


def charset_of(part: Message) -> str:
    """As it says; "" where it says none, or nothing that can be read."""
    try:
        return part.get_content_charset() or ""
    except (ValueError, LookupError, TypeError, AttributeError, UnicodeError):
        return ""


def name_of(part: Message) -> str:
    """The name of the file that a part is (RFC 2231, encoded words, plain octets); "" where it has none."""
    try:
        name = part.get_filename() or ""
    except (ValueError, LookupError, TypeError, AttributeError, IndexError, KeyError, UnicodeError):
        return ""
    return words(str(name))


def content_of(part: Message) -> bytes:
    """The octets of a leaf, its transfer encoding undone as far as it can be."""
    try:
        payload: object = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError, IndexError, UnicodeError):
        payload = part.get_payload()
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogateescape")
    return payload if isinstance(payload, bytes) else b""
