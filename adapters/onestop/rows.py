"""A row of a foreign table -> a Dossier (pure). What cannot be understood is told as missing, and noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.onestop.dates import DATE_FORMATS, is_empty, read_moment
from adapters.onestop.mapping import AgencyColumn, SourceMapping, status_key
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")  # `due_on` is a day here, whatever zone the source writes in

Note = Callable[[str, str], None]
"""Told what was not understood: ("status_unmapped", the state) or ("date_unreadable", the column)."""


class RowReader:
    """Reads rows whose columns come in the order of `SourceMapping.all_columns()`."""

    def __init__(self, mapping: SourceMapping, source: str, note: Note) -> None:
        """`source` is what the dossiers name as their system."""
        places = {column: place for place, column in enumerate(mapping.all_columns())}
        self._place = {ours: places[theirs] for ours, theirs in mapping.columns.named().items()}
        self._column = mapping.columns.named()
        self._hidden = tuple(
            (places[each.column], frozenset(status_key(value) for value in each.values)) for each in mapping.hidden
        )
        constant = isinstance(mapping.agency, str)
        self._agency_place = None if constant else places[_column_of(mapping.agency)]
        self._agency = mapping.agency if isinstance(mapping.agency, str) else ""
        self._status: Mapping[str, DossierStatus] = mapping.status
        self._formats = tuple(DATE_FORMATS[name] for name in mapping.date_formats)
        self._zone = ZoneInfo(mapping.time_zone)
        self._source = source
        self._note = note

    def code_text(self, row: Sequence[Any]) -> str:
        """The row's own code, as codes are compared."""
        return str(row[self._place["code"]]).strip().upper()

    def is_hidden(self, row: Sequence[Any]) -> bool:
        """A soft-deleted row, or one this source is not to tell."""
        return any(
            status_key(row[place]) in values if values else not is_empty(row[place]) for place, values in self._hidden
        )

    def belongs_to(self, row: Sequence[Any], code: DossierCode) -> bool:
        """A legacy number is unique within its agency only: another agency's row is a stranger's dossier."""
        return code.family is not CodeFamily.LEGACY or not code.agency or self._agency_of(row) in ("", code.agency)

    def read(self, row: Sequence[Any], code: DossierCode) -> Dossier:
        """The dossier in this row, which was asked for as `code`."""
        due = self._moment(row, "due_on")
        return Dossier(
            code=code,
            source=self._source,
            status=self._status_of(row),
            agency=self._agency_of(row) or code.agency,
            received_at=self._moment(row, "received_at"),
            due_on=_local_day(due),
            finished_at=self._moment(row, "finished_at"),
            returned_at=self._moment(row, "returned_at"),
            changed_at=self._moment(row, "changed_at"),
            unit=self._text(row, "unit"),
            procedure=self._text(row, "procedure"),
        )

    def _status_of(self, row: Sequence[Any]) -> DossierStatus | None:
        written = status_key(row[self._place["status"]])
        status = self._status.get(written)
        if status is None:
            self._note("status_unmapped", written)
        return status

    def _agency_of(self, row: Sequence[Any]) -> str:
        if self._agency_place is None:
            return self._agency
        value = row[self._agency_place]
        return "" if value is None else str(value).strip()

    def _moment(self, row: Sequence[Any], field: str) -> datetime | None:
        place = self._place.get(field)
        if place is None:
            return None
        try:
            return read_moment(row[place], self._formats, self._zone)
        except (ValueError, OverflowError):
            self._note("date_unreadable", self._column[field])
            return None

    def _text(self, row: Sequence[Any], field: str) -> str:
        place = self._place.get(field)
        value = row[place] if place is not None else None
        return "" if value is None else str(value).strip()


def _column_of(agency: str | AgencyColumn) -> str:
    return agency.column if isinstance(agency, AgencyColumn) else agency


def _local_day(moment: datetime | None) -> date | None:
    if moment is None or moment.tzinfo is LOCAL:
        return moment.date() if moment else None
    return moment.astimezone(LOCAL).date()
