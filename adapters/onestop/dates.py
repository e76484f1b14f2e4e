"""The date formats one-stop systems store and send (reference: domain §3.3, §7.7), as a table; what they put for none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, tzinfo

from adapters.onestop.plain import plain

DASHES = "-/: ."  # '', '-', '//'
ZEROS = "0TZ" + DASHES  # what '0000-00-00', '00/00/0000 00:00:00' and '00000000000000' consist of
ZERO_DATE = len("00000000")  # a shorter one is a number
FIRST_REAL_YEAR = 1901  # 0001-01-01 and 1900-01-01 are what databases make of an empty date
_EARLY = r"(?:0\d{3}|1[0-8]\d\d|1900)"
_FILLER = re.compile(
    rf"{_EARLY}-\d\d-\d\d([ T].*)?|\d\d?/\d\d?/{_EARLY}( .*)?|(0001|1753|1900)0101"
    rf"|{_EARLY}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d",
    re.ASCII,
)


def _reader(pattern: str) -> Callable[[str], datetime]:
    compiled = re.compile(pattern, re.ASCII)

    def read(text: str) -> datetime:
        match = compiled.fullmatch(text)
        if match is None:
            raise ValueError("another format")
        return datetime(**{name: int(digits) for name, digits in match.groupdict().items() if digits})  # type: ignore[arg-type] # noqa: DTZ001 - the zone is the source's

    return read


def _read_dashed(text: str) -> datetime:
    """The commonest format by far, hence by the library's parser once its shape is known."""
    if len(text) not in (10, 19) or text[4] != "-" or text[7] != "-" or text[10:11].strip():
        raise ValueError("another format")
    return datetime.fromisoformat(text)


_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"

DATE_FORMATS: dict[str, Callable[[str], datetime]] = {
    "yyyyMMddHHmmss": _reader(
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)((?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d))?"
    ),
    "yyyy-MM-dd HH:mm:ss": _read_dashed,
    "iso": datetime.fromisoformat,
    "dd/MM/yyyy HH:mm:ss": _reader(rf"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{{4}})( {_TIME})?"),
}
"""Name in a mapping file -> reader. Each also reads a day without a time; a reader raises ValueError."""


def is_nothing(value: object, placeholders: Collection[str] = ()) -> bool:
    """Nothing stands there, in any of the ways systems say so: missing, a blank, a dash, a date of zeros or before 1901,
    one of `placeholders` (casefolded). A mere zero is something.
    """
    if isinstance(value, date):
        return value.year < FIRST_REAL_YEAR
    value = plain(value)
    if value is None:
        return True
    text = str(value).strip()
    if not text.strip(DASHES) or (len(text) >= ZERO_DATE and not text.strip(ZEROS)):
        return True
    return text.casefold() in placeholders or _FILLER.fullmatch(text) is not None


def read_moment(
    value: object,
    formats: Sequence[Callable[[str], datetime]],
    zone: tzinfo,
    placeholders: Collection[str] = (),
) -> datetime | None:
    """The moment a column holds, aware; None where there is nothing. A value without an offset is in `zone`.

    Raises:
        ValueError: none of `formats` reads it.
    """
    if is_nothing(value, placeholders):
        return None
    moment = _as_datetime(value, formats)
    if moment.year < FIRST_REAL_YEAR:
        return None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def _as_datetime(value: object, formats: Sequence[Callable[[str], datetime]]) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is the source's
    text = str(value).strip()
    for read in formats:
        try:
            return read(text)
        except ValueError:  # silent on purpose: the next format is tried, and failing all of them raises below
            continue
    raise ValueError("no date format of the mapping reads it")
