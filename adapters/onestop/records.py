"""A record of a one-stop system -> a Dossier (pure). What cannot be understood is told as missing, and noted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from adapters.onestop.dates import DATE_FORMATS, is_nothing, read_moment
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
from adapters.onestop.plain import plain, shown, status_key
from domain.agencies import from_the_province_down
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

Note = Callable[[str, str], None]
"""Told what was not understood: ("status_unmapped", the state), ("agency_unmapped", what stands there), ("giver_unknown",
"") or ("date_unreadable", the column). Of a state or an agency that is no code only the length is noted: it may name a
person."""


def project(
    words: Mapping[str, Value], at: Callable[[str], Callable[[R], object]], placeholders: Collection[str] = ()
) -> Callable[[R], dict[str, object]]:
    """What makes `Values` of a source's own record; `at` makes of a place what reads it. `placeholders` are those of the
    mapping, casefolded.
    """
    readers = tuple((word, _reader(value, at, placeholders)) for word, value in words.items())
    return lambda record: {word: read(record) for word, read in readers}


def _reader(
    value: Value, at: Callable[[str], Callable[[R], object]], placeholders: Collection[str]
) -> Callable[[R], object]:
    if isinstance(value, str):
        return at(value)
    reads = [at(place) for place in value.places()]
    return lambda record: _computed(value, [plain(read(record)) for read in reads], placeholders)


def _computed(how: Computed, found: list[object], placeholders: Collection[str]) -> object:
    given = [each for each in found if not is_nothing(each, placeholders)]
    if how.joined:
        result: object = how.between.join(str(each) for each in given)
    else:
        result = how.constant if how.constant is not None else next(iter(given), None)
    return how.values.get(status_key(result)) if how.values else result


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
        self._agency = mapping.agency if isinstance(mapping.agency, str) else ""
        self._agencies = mapping.agency.values if isinstance(mapping.agency, Agencies) else {}
        self._formats = tuple(DATE_FORMATS[name] for name in mapping.date_formats)
        self._zone = ZoneInfo(mapping.time_zone)
        self._placeholders = mapping.nothings()
        self._hidden = tuple((f"hidden.{number}", self._condition(each)) for number, each in enumerate(mapping.hidden))
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
        """A legacy number is unique within the agency that gave it: another agency's record is a stranger's dossier, and
        so is one of which nobody knows who gave it.
        """
        if code.family is not CodeFamily.LEGACY:
            return True
        giver = self._agency or self._agency_at(values, _giver_word(self._place))
        if not giver:
            self._note("giver_unknown", "")
            return False
        return _levels(giver) == _levels(code.agency)

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

    def latest(self, rows: Sequence[Values]) -> Values:
        """Of several records of one dossier the one that moved last."""
        return rows[0] if len(rows) == 1 else max(rows, key=self._last_moved)

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
        rule = next((rule for rule in self._mapping.rules if self._holds(rule, written, values)), None)
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
            self._note("status_unmapped", shown(written))
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
            self._note("agency_unmapped", shown(written))
        return known

    def _moment(self, values: Values, word: str) -> datetime | None:
        value = values.get(word)
        if value is None:
            return None
        try:
            return read_moment(value, self._formats, self._zone, self._placeholders)
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
        return "due_on" not in self._place or not self._is_nothing(values.get("due_on"))

    def _proofs(self, values: Values, code: DossierCode) -> frozenset[str]:
        if self._sealer is None:
            return frozenset()
        numbers = [self.text(values, word) for word in NUMBER_WORDS if word in values]
        return self._sealer.seals_of(code, numbers=numbers, secret=self.text(values, "secret"))

    def _last_moved(self, values: Values) -> tuple[datetime, datetime]:
        """Where records differ only in what was joined to them, the day of that decides."""
        changed = self._moment(values, "changed_at") or LONG_AGO
        moments = (self._moment(values, word) or LONG_AGO for word in ("returned_at", "finished_at", "received_at"))
        return max(changed, *moments), changed

    def _is_nothing(self, value: object) -> bool:
        return is_nothing(value, self._placeholders)

    def _condition(self, hidden: Hidden) -> Callable[[object], bool]:
        values = frozenset(status_key(value) for value in hidden.values or hidden.unless)
        if hidden.values:
            return lambda value: status_key(value) in values
        if hidden.unless:
            return lambda value: status_key(value) not in values
        if hidden.bits:
            return lambda value: bool(_flags(status_key(value)) & hidden.bits)
        return lambda value: not self._is_nothing(value)

    def _holds(self, rule: Rule, written: str, values: Values) -> bool:
        return (
            (rule.bits is None or _has_flags(written, rule.bits))
            and not any(self._is_nothing(values.get(word)) for word in rule.filled)
            and all(self._is_nothing(values.get(word)) for word in rule.empty)
            and status_key(rule.contains) in written
        )


def _giver_word(named: Collection[str]) -> str:
    """Who gave a number is who took the dossier in, where the mapping can tell that."""
    return "receiving_agency" if "receiving_agency" in named else "agency"


def _levels(agency: str) -> list[str]:
    return list(from_the_province_down(agency.upper()))


def _has_flags(written: str, bits: int) -> bool:
    if not written.isascii() or not written.isdigit():
        return False
    flags = int(written)
    return flags & bits == bits if bits else flags == 0


def _flags(written: str) -> int:
    return int(written) if written.isascii() and written.isdigit() else 0
