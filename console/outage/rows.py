"""Rows of a file of dossiers that were on paper: what each says, and everything that is wrong with it. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from console.broadcasts.file_limits import LONGEST_CELL, FileFault, FileRefused, within_limits
from domain.calendar import LOCAL_ZONE, local_day
from domain.ids import COUNTER_BITS, EPOCH_MS, PROCESS_BITS
from domain.intake import LONGEST_TEXT, MOST_PAPERS, IntakeSource, Paper, Person
from domain.phones import is_mobile, significant_number
from domain.procedure import Procedure
from domain.text import safe_text, unaccent
from intake.outage import LateFault, ReservedCode, code_fault, entered_late, moment_fault, read_reserved
from intake.service import Registration

MOST_LATE_ROWS: Final = 10_000  # with something in them
LONGEST_PHONE: Final = 40
LONGEST_HINT: Final = 60
# The columns, by the heads people give them: without accents, spaces and case. The first is that of the blank file.
HEADS: Final[Mapping[str, Sequence[str]]] = {
    "code": ("mahoso", "ma", "so", "mabiennhan", "code"),
    "received_at": ("nhanluc", "ngaynhan", "tiepnhanluc", "thoigiannhan", "receivedat"),
    "procedure": ("thutuc", "mathutuc", "procedure"),
    "name": ("nguoinop", "hoten", "hovaten", "hotennguoinop", "name"),
    "phone": ("dienthoai", "sodienthoai", "sdt", "phone"),
    "address": ("diachi", "address"),
    "id_number": ("socccd", "cccd", "sodinhdanh", "cmnd", "sogiayto", "idnumber"),
    "papers": ("giaytonop", "giayto", "thanhphanhoso", "papers"),
    "subject": ("trichyeu", "noidung", "subject"),
    "notify": ("dongynhantin", "nhantin", "baotin", "notify"),
    "received_by": ("nguoinhan", "canbonhan", "receivedby"),
}
NEEDED: Final = ("code", "received_at", "procedure", "name")
YES: Final = frozenset({"co", "c", "x", "1", "yes", "y", "true", "v", "dongy"})
NO: Final = frozenset({"", "khong", "k", "ko", "0", "no", "n", "false", "-"})
_NOT_OF_A_HEAD: Final = re.compile(r"[^a-z0-9]+")
_MOMENT: Final = re.compile(
    r"(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})[ T,]+(?P<hour>\d{1,2})[:hg](?P<minute>\d{2})(?::\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_ISO: Final = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})[ T]+(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::\d{2})?", re.ASCII
)
_ID: Final = re.compile(r"[A-Za-z0-9]{6,20}", re.ASCII)
_BETWEEN: Final = re.compile(r"[.\s-]")
_COUNT: Final = re.compile(r"\d{1,2}", re.ASCII)
_KINDS: Final[Mapping[str, str]] = {
    "chinh": "originals",
    "banchinh": "originals",
    "original": "originals",
    "chungthuc": "certified",
    "sao": "certified",
    "bansao": "certified",
    "certified": "certified",
    "photo": "copies",
    "banphoto": "copies",
    "chup": "copies",
    "banchup": "copies",
    "copy": "copies",
}
_SPACE: Final = 60_000 << (PROCESS_BITS + COUNTER_BITS)  # ids of one minute


class RowFaultKind(enum.StrEnum):
    """What is wrong with a row, beside LateFault; the words stand under [late_row_fault] in the texts."""

    EMPTY = "empty"
    TWICE = "twice"  # the code stands in another row; the hint says which
    PROCEDURE = "procedure"  # none in force on that day is meant without a doubt
    TOO_LONG = "too_long"
    PHONE = "phone"
    NEEDS_MOBILE = "needs_mobile"
    ID_NUMBER = "id_number"
    PAPERS = "papers"
    YES_NO = "yes_no"
    CLASH = "clash"  # found when it was taken: the book knows another dossier by this row's identifier


@dataclass(frozen=True, slots=True)
class RowFault:
    """`row` counted from 1, heads included; `column`: a name of HEADS. `hint`: what was typed where that tells nobody who
    it is, or the other row.
    """

    row: int
    column: str
    kind: RowFaultKind | LateFault
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRow:
    """A row without faults. `used`: its code is accounted for already, perhaps by this very row."""

    row: int
    code: str
    wish: Registration
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFrame:
    """What rows are read against. `meant`: the one procedure that words mean on a day, None without a doubt-free one.
    `digest`: hex SHA-256 of the file. `consent`: what was asked on the sheet.
    """

    codes: Mapping[str, ReservedCode]
    agencies: Collection[str]
    meant: Callable[[str, date], Procedure | None]
    digest: str
    consent: str
    now: datetime


class ColumnsMissing(Exception):
    """Some columns that must be there are not. `names` of HEADS."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def late_id(digest: str, row: int, received_at: datetime) -> int:
    """The identifier of the dossier of this row of this file: read again, taken twice or after a crash it is the same
    dossier. It lies within the minute it was received, where the rows of one file never meet.
    """
    minute = int(received_at.timestamp()) // 60 * 60_000 - EPOCH_MS
    return (minute << (PROCESS_BITS + COUNTER_BITS)) + (int(digest[:15], 16) + row) % _SPACE


def columns_of(heads: Sequence[str]) -> Mapping[str, int]:
    """Where what stands; columns of other names are left alone.

    Raises:
        ColumnsMissing: without these no dossier can be made.
    """
    called = [_plain(head) for head in heads]
    found = {
        name: next(place for place, head in enumerate(called) if head in known)
        for name, known in HEADS.items()
        if any(head in known for head in called)
    }
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise ColumnsMissing(missing)
    return found


@dataclass(slots=True, kw_only=True)
class LateRows:
    """Reads one file; remembers which code stood where."""

    frame: LateFrame
    columns: Mapping[str, int] | None = None
    rows: int = 0  # with something in them, the heads not counted
    _position: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    def read(self, rows: Iterable[Sequence[str]]) -> Iterator[LateRow | RowFault]:
        """What each of the next rows is, or each thing that is wrong with it; after the last of all to be followed by `end`.

        Raises:
            FileRefused, ColumnsMissing: the file as a whole is not taken.
        """
        for row in rows:
            self._position = position = self._position + 1
            cells = [_text(cell) for cell in within_limits(position, row)]
            if not any(cells):
                continue
            if self.columns is None:
                self.columns = columns_of(cells)
                continue
            self.rows += 1
            if self.rows > MOST_LATE_ROWS:
                raise FileRefused(FileFault.ROWS, position)
            yield from self._row(position, {name: _cell(cells, place) for name, place in self.columns.items()})

    def end(self) -> None:
        """Raises FileRefused: there was no dossier in it."""
        if not self.rows:
            raise FileRefused(FileFault.NO_ROWS)

    def _row(self, position: int, typed: Mapping[str, str]) -> Iterator[LateRow | RowFault]:
        frame, received_at = self.frame, read_late_moment(typed["received_at"])
        code = read_reserved(typed["code"], frame.codes, local_day(frame.now))
        day = code.day if code else None
        procedure = frame.meant(typed["procedure"], local_day(received_at)) if received_at else None
        papers = read_papers(typed.get("papers", ""))
        found = [
            *self._code_faults(typed["code"], code, position),
            *_moment_faults(typed["received_at"], moment_fault(received_at, day, frame.now)),
            *_procedure_faults(typed["procedure"], procedure, known_day=received_at is not None),
            *_person_faults(typed, papers),
        ]
        if found or code is None or received_at is None or procedure is None:
            yield from (RowFault(position, column, kind, hint) for column, kind, hint in found)
            return
        plain = _registration(typed, procedure, papers or (), frame, late_id(frame.digest, position, received_at))
        wish = entered_late(plain, code, received_at)
        yield LateRow(row=position, code=code.code, wish=wish, used=code_fault(code, frame.agencies) is LateFault.USED)

    def _code_faults(self, typed: str, code: ReservedCode | None, position: int) -> Iterator[_Fault]:
        """That it is used is no fault yet: this very row may have done it."""
        hint = safe_text(typed, LONGEST_HINT)
        wrong = code_fault(code, self.frame.agencies)
        if not typed:
            yield "code", RowFaultKind.EMPTY, ""
        elif wrong is not None and wrong is not LateFault.USED:
            yield "code", wrong, hint
        elif code is not None and (first := self._seen.setdefault(code.code, position)) != position:
            yield "code", RowFaultKind.TWICE, str(first)


_Fault = tuple[str, RowFaultKind | LateFault, str]


# ---- what is wrong


def _moment_faults(typed: str, wrong: LateFault | None) -> Iterator[_Fault]:
    if not typed:
        yield "received_at", RowFaultKind.EMPTY, ""
    elif wrong is not None:
        yield "received_at", wrong, safe_text(typed, LONGEST_HINT)


def _procedure_faults(typed: str, found: Procedure | None, *, known_day: bool) -> Iterator[_Fault]:
    if not typed:
        yield "procedure", RowFaultKind.EMPTY, ""
    elif found is None and known_day:  # which version holds is not known without a day
        yield "procedure", RowFaultKind.PROCEDURE, safe_text(typed, LONGEST_HINT)


def _person_faults(typed: Mapping[str, str], papers: Sequence[Paper] | None) -> Iterator[_Fault]:
    """Whose hints say nothing of the person."""
    phone, identity = typed.get("phone", ""), _BETWEEN.sub("", typed.get("id_number", ""))
    number, wants = significant_number(phone), read_yes(typed.get("notify", ""))
    lengths = {"name": LONGEST_TEXT, "address": LONGEST_TEXT, "subject": LONGEST_TEXT, "received_by": LONGEST_TEXT}
    if not typed["name"]:
        yield "name", RowFaultKind.EMPTY, ""
    for name, longest in lengths.items():
        if len(typed.get(name, "")) > longest:
            yield name, RowFaultKind.TOO_LONG, str(longest)
    if phone and (not number or len(phone) > LONGEST_PHONE):
        yield "phone", RowFaultKind.PHONE, ""
    elif wants and not is_mobile(f"84{number}"):
        yield "phone", RowFaultKind.NEEDS_MOBILE, ""
    if identity and not _ID.fullmatch(identity):
        yield "id_number", RowFaultKind.ID_NUMBER, ""
    if papers is None:
        yield "papers", RowFaultKind.PAPERS, ""
    if wants is None:
        yield "notify", RowFaultKind.YES_NO, safe_text(typed["notify"], LONGEST_HINT)


# ---- what it says


def read_late_moment(text: str) -> datetime | None:
    """`23/11/2026 14:05`, `23-11-2026 14h05` or as ISO 8601 has it, by the desk's clock; None: it is none."""
    found = _MOMENT.fullmatch(text) or _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(found[name]) for name in ("y", "m", "d", "hour", "minute"))
    try:
        return datetime(year, month, day, hour, minute, tzinfo=LOCAL_ZONE)
    except ValueError:  # the caller tells
        return None


def read_yes(text: str) -> bool | None:
    """Whether there is consent; an empty cell is none. None: it says neither."""
    plain = _plain(text)
    return True if plain in YES else False if plain in NO else None


def read_papers(text: str) -> tuple[Paper, ...] | None:
    """`Tờ khai (1 chính); Giấy chứng sinh (1 sao); Sổ hộ khẩu (2 photo)`: what was handed in, all there and legal as the
    sheet says; without brackets it is one original. None: too many, too long, or brackets that say something else.
    """
    names = [each for part in text.split(";") if (each := part.strip())]
    papers = [_paper(each) for each in names]
    if len(papers) > MOST_PAPERS or any(each is None or len(each.name) > LONGEST_TEXT for each in papers):
        return None
    return tuple(each for each in papers if each is not None)


def _paper(text: str) -> Paper | None:
    """Brackets that neither count nor name a kind are part of the name."""
    name, bracket, inside = text.removesuffix(")").rpartition("(") if text.endswith(")") else (text, "", "")
    count = _COUNT.match(inside.strip())
    kind = _KINDS.get(_plain(inside.strip()[count.end() if count else 0 :]))
    if not bracket or (kind is None and count is None):
        return Paper(name=text, originals=1, complete=True, legal=True)
    if kind is None or not name.strip() or (count and not int(count[0])):
        return None
    paper = Paper(name=name.strip(), complete=True, legal=True)
    return replace(paper, **{kind: int(count[0]) if count else 1})  # type: ignore[arg-type] # the names of counts only


def _registration(
    typed: Mapping[str, str], procedure: Procedure, papers: tuple[Paper, ...], frame: LateFrame, identifier: int
) -> Registration:
    notify = bool(read_yes(typed.get("notify", "")))
    return Registration(
        id=identifier,
        agency="",  # follows from the code
        procedure=procedure.code,
        source=IntakeSource.COUNTER,
        person=Person(
            name=typed["name"],
            phone=typed.get("phone", ""),
            address=typed.get("address", ""),
            id_number=_BETWEEN.sub("", typed.get("id_number", "")),
        ),
        received_at=frame.now,
        subject=typed.get("subject", ""),
        papers=papers,
        notify=notify,
        notify_words=frame.consent if notify else "",
        declared_at=frame.now,
        note=typed.get("received_by", ""),
    )


# ---- cells


def _text(cell: str) -> str:
    """Plain text; the apostrophe that keeps a sheet from working out a formula is not part of it."""
    plain = safe_text(cell, LONGEST_CELL).strip()
    return plain[1:] if plain[:1] == "'" and plain[1:2] in "=+-@0" and len(plain) > 1 else plain


def _cell(cells: Sequence[str], place: int) -> str:
    """A row may be shorter than the heads."""
    return cells[place] if place < len(cells) else ""


def _plain(text: str) -> str:
    return _NOT_OF_A_HEAD.sub("", unaccent(text).lower())
