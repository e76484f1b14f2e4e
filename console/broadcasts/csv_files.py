"""A CSV file as rows of text: which encoding and which separator it has is found out, never guessed past a doubt."""

from __future__ import annotations

import codecs
import csv
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from console.broadcasts.file_limits import LONGEST_CELL, MOST_COLUMNS, FileFault, FileRefused
from domain.text import unaccent

CHUNK: Final = 1 << 16  # octets or characters read at a time
LONGEST_LINE: Final = MOST_COLUMNS * (LONGEST_CELL + 3)  # with quotes and separators
SEPARATORS: Final = (",", ";", "\t")
MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
NEVER_IN_TEXT: Final = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f")
# Windows-1258 writes the tones of Vietnamese as signs of their own behind the vowel.
TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")
MARKS_OF_LETTERS: Final = TONES | frozenset("\u0302\u0306\u031b")
TONED: Final = frozenset("aăâeêioôơuưy")


def csv_rows(path: Path) -> Iterator[Sequence[str]]:
    """The rows of the file, each a list of cells, to be read in a worker.

    Raises:
        FileRefused: its encoding is not known, or a row is longer than any of ours.
    """
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        lines = _lines(file)
        first = next(lines, "")
        reader = csv.reader(_again(first, lines), delimiter=separator_of(first))
        try:
            for row in reader:
                yield [unicodedata.normalize("NFC", cell) for cell in row]
        except csv.Error as error:
            raise FileRefused(FileFault.CELL, reader.line_num) from error


def encoding_of(path: Path) -> str:
    """UTF-8, UTF-16 by its mark, or Windows-1258 where it reads as Vietnamese throughout.

    Raises:
        FileRefused: it is none of these.
    """
    with path.open("rb") as file:
        begin = file.read(4)
    marked = next((encoding for mark, encoding in MARKS if begin.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1258"):
        if _reads(path, encoding):
            return encoding
    raise FileRefused(FileFault.ENCODING)


def separator_of(line: str) -> str:
    """The commonest of those in use; a comma where there is none."""
    return max(SEPARATORS, key=line.count)


def _reads(path: Path, encoding: str) -> bool:
    """All of it is text in this encoding."""
    before = ""
    try:
        with path.open(encoding=encoding, newline="") as file:
            while text := file.read(CHUNK):
                if not NEVER_IN_TEXT.isdisjoint(text):
                    return False
                if encoding == "cp1258" and not _is_vietnamese(before + text):
                    return False
                before = text[-1]
    except UnicodeError:  # another encoding is tried, or the file refused
        return False
    return True


def _is_vietnamese(text: str) -> bool:
    """Every tone stands behind a vowel and every other sign is one that Vietnamese writes with."""
    if text.isascii():
        return True
    behind = zip("\n" + text, text, strict=False)
    return all(
        sign.isascii() or (_carries_tone(before) if sign in TONES else _is_written_here(sign))
        for before, sign in behind
    )


def _is_written_here(sign: str) -> bool:
    """A letter of Vietnamese, or punctuation."""
    marks = unicodedata.normalize("NFD", sign)[1:]
    return unaccent(sign).isascii() and MARKS_OF_LETTERS.issuperset(marks)


def _carries_tone(letter: str) -> bool:
    return letter.lower() in TONED


def _lines(file: TextIO) -> Iterator[str]:
    """Lines as they are, none of them longer than a row may be."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise FileRefused(FileFault.CELL, number)
        yield line


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
        yield from rest
