"""A record of a one-stop system -> a Dossier (pure). What cannot be understood is told as missing, and noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from adapters.onestop.dates import DATE_FORMATS, is_empty, read_moment
from adapters.onestop.fields import (
    NUMBER_WORDS,
    Agencies,
    Computed,
    FieldsMapping,
    Hidden,
    Rule,
    State,
    Value,
    places,
)
from adapters.onestop.plain import plain, status_key
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.proof import Sealer
from domain.text import safe_text

R = TypeVar("R")
Values = Mapping[str, object]
"""Our word -> what stands there, as the source gave it. A word that is not given is missing."""

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")  # `due_on` is a day here, whatever zone the source writes in
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
TEXT_MAX = 200  # characters of a text that are kept
ZERO_DATE = len("00000000")
NOTED_MAX = 40  # characters of a state or an agency that are noted

Note = Callable[[str, str], None]
"""Told what was not understood: ("status_unmapped", the state), ("agency_unmapped", what stands there) or
("date_unreadable", the column)."""


def project(words: Mapping[str, Value], at: Callable[[str], Callable[[R], object]]) -> Callable[[R], dict[str, object]]:
    """What makes `Values` of a source's own record; `at` makes of a place what reads it."""
    readers = tuple((word, _reader(value, at)) for word, value in words.items())
    return lambda record: {word: read(record) for word, read in readers}


def _reader(value: Value, at: Callable[[str], Callable[[R], object]]) -> Callable[[R], object]:
    if isinstance(value, str):
        return at(value)
    reads = [at(place) for place in value.places()]
    return lambda record: _computed(value, [plain(read(record)) for read in reads])


def _computed(how: Computed, found: list[object]) -> object:
    given = [each for each in found if not is_blank(each)]
    if how.joined:
        result: object = how.between.join(str(each) for each in given)
    else:
        result = how.constant if how.constant is not None else next(iter(given), None)
    return how.values.get(status_key(result)) if how.values else result


def is_blank(value: object) -> bool:
    """Nothing stands there, or a date of zeros; a mere zero is something."""
    return value is None or (
        isinstance(value, str) and (len(value) >= ZERO_DATE or not value.strip()) and is_empty(value)
    )


def code_text(value: object) -> str:
    """A code as codes are compared: capital letters, without the spaces that fill a column up."""
    value = plain(value)
    return "" if value is None else str(value).strip().upper()


class RecordReader:
    """Reads records whose values are named by our words (FieldsMapping.words)."""

    def __init__(self, mapping: FieldsMapping, source: str, note: Note, sealer: Sealer | None = None) -> None:
        """`source` is what the dossiers name as their system."""
        self._mapping = mapping
        self._place = {word: ", ".join(places(value)) for word, value in mapping.words(proofs=False).items()}
        self._hidden = tuple((f"hidden.{number}", _condition(each)) for number, each in enumerate(mapping.hidden))
        self._agency = mapping.agency if isinstance(mapping.agency, str) else ""
        self._agencies = mapping.agency.values if isinstance(mapping.agency, Agencies) else {}
        self._formats = tuple(DATE_FORMATS[name] for name in mapping.date_formats)
        self._zone = ZoneInfo(mapping.time_zone)
        self._placeholders = frozenset(text.casefold() for text in mapping.placeholders)
        self._source = source
        self._note = note
        self._sealer = sealer

    def code_text(self, values: Values) -> str:
        """The record's own code, as codes are compared."""
        return code_text(values.get("code"))

    def is_hidden(self, values: Values) -> bool:
        """A soft-deleted record, or one this source is not to tell."""
        return any(hides(values.get(word)) for word, hides in self._hidden)

    def belongs_to(self, values: Values, code: DossierCode) -> bool:
        """A legacy number is unique within the agency that gave it: another agency's record is a stranger's dossier."""
        if code.family is not CodeFamily.LEGACY or not code.agency:
            return True
        giver = self._agency_at(values, "receiving_agency") or self._agency_at(values, "agency") or self._agency
        return giver in ("", code.agency)

    def read(self, values: Values, code: DossierCode) -> Dossier:
        """The dossier in this record, which was asked for as `code`."""
        due_on = self._day(values, "due_on")
        return Dossier(
            code=code,
            source=self._source,
            status=self._status_of(values),
            agency=self._agency_at(values, "agency") or self._agency or code.agency,
            receiving_agency=self._agency_at(values, "receiving_agency"),
            returning_agency=self._agency_at(values, "returning_agency"),
            received_at=self._moment(values, "received_at"),
            due_on=due_on,
            due_unknown=due_on is None and self._may_be_due(values),
            finished_at=self._moment(values, "finished_at"),
            returned_at=self._moment(values, "returned_at"),
            changed_at=self._moment(values, "changed_at"),
            unit=self.text(values, "unit"),
            procedure=self.text(values, "procedure"),
            procedure_name=self.text(values, "procedure_name"),
            missing=self.text(values, "missing"),
            fee=self.text(values, "fee"),
            proofs=self._proofs(values, code),
        )

    def one_each(self, records: Iterable[Values]) -> list[Values]:
        """Of several records of one dossier, as a joined table makes them, the one that moved last."""
        last: dict[str, tuple[datetime, Values]] = {}
        for values in records:
            moved = self._moment(values, "changed_at") or LONG_AGO
            held = last.get(self.code_text(values))
            if held is None or moved > held[0]:
                last[self.code_text(values)] = (moved, values)
        return [values for _, values in last.values()]

    def state_of(self, values: Values) -> tuple[str, State | None]:
        """The record's state in the source's words, with the second state where that decides, and what it means."""
        written = status_key(values.get("status"))
        inner = self._mapping.substatus.get(written)
        if inner:
            second = status_key(values.get("substatus"))
            if second in inner:
                return f"{written} / {second}", inner[second]
        meant = self._mapping.status.get(written)
        if meant is not None:
            return written, meant
        rule = next((rule for rule in self._mapping.rules if _holds(rule, written, values)), None)
        return (written, None) if rule is None else (f"{written} ({rule.says()})", rule)

    def text(self, values: Values, word: str) -> str:
        """A text on one line, without what cannot be seen; empty for nothing and for a placeholder."""
        value = plain(values.get(word))
        if value is None:
            return ""
        text = safe_text(str(value), TEXT_MAX)
        return "" if text.casefold() in self._placeholders else text

    def _status_of(self, values: Values) -> DossierStatus | None:
        written, meant = self.state_of(values)
        if meant is None:
            self._note("status_unmapped", safe_text(written, NOTED_MAX))
            return None
        return meant.status

    def _agency_at(self, values: Values, word: str) -> str:
        if word not in values:
            return ""
        written = self.text(values, word)
        if not self._agencies or not written:
            return written
        known = self._agencies.get(status_key(written), "")
        if not known:
            self._note("agency_unmapped", safe_text(written, NOTED_MAX))
        return known

    def _moment(self, values: Values, word: str) -> datetime | None:
        value = values.get(word)
        if value is None or (self._placeholders and str(value).strip().casefold() in self._placeholders):
            return None
        try:
            return read_moment(value, self._formats, self._zone)
        except (ValueError, OverflowError):
            self._note("date_unreadable", self._place.get(word, word))
            return None

    def _day(self, values: Values, word: str) -> date | None:
        moment = self._moment(values, word)
        if moment is None or moment.tzinfo is LOCAL:
            return moment.date() if moment else None
        try:
            return moment.astimezone(LOCAL).date()
        except OverflowError:
            self._note("date_unreadable", self._place.get(word, word))
            return None

    def _may_be_due(self, values: Values) -> bool:
        """Without a day that could be read: none is kept here, or what stands there is not read."""
        return "due_on" not in self._place or not (is_empty(values.get("due_on")) or not self.text(values, "due_on"))

    def _proofs(self, values: Values, code: DossierCode) -> frozenset[str]:
        if self._sealer is None:
            return frozenset()
        numbers = [self.text(values, word) for word in NUMBER_WORDS if word in values]
        return self._sealer.seals_of(code, numbers=numbers, secret=self.text(values, "secret"))


def _condition(hidden: Hidden) -> Callable[[object], bool]:
    values = frozenset(status_key(value) for value in hidden.values or hidden.unless)
    if hidden.values:
        return lambda value: status_key(value) in values
    if hidden.unless:
        return lambda value: status_key(value) not in values
    if hidden.bits:
        return lambda value: bool(_flags(status_key(value)) & hidden.bits)
    return lambda value: not is_empty(plain(value))


def _holds(rule: Rule, written: str, values: Values) -> bool:
    return (
        (rule.bits is None or _has_flags(written, rule.bits))
        and all(not is_empty(plain(values.get(word))) for word in rule.filled)
        and all(is_empty(plain(values.get(word))) for word in rule.empty)
        and status_key(rule.contains) in written
    )


def _has_flags(written: str, bits: int) -> bool:
    if not written.isascii() or not written.isdigit():
        return False
    flags = int(written)
    return flags & bits == bits if bits else flags == 0


def _flags(written: str) -> int:
    return int(written) if written.isascii() and written.isdigit() else 0
