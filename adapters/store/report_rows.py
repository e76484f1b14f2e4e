"""Delivery reports <-> rows: under which keys each is looked for, which of several counts, what is kept for later (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adapters.store.rows import Row, encode, from_ms, to_ms
from domain.external_ids import key_of, spellings
from domain.message import Address, DeliveryReport, DeliveryStatus, SendResult

# report_sql.KEPT_COLUMNS: id, channel, account, external_id, external_key, keys, recipient, sender, status,
# received_at, error, text.
KeptRow = tuple[int, str, str, str, str, str, str | None, str | None, str, int, str, str]

NO_KEYS = "[]"
SHORTEST_TELEPHONE = 10  # digits, with the country
_SUBMISSION_ACCOUNT, _SUBMISSION_KEY = 4, 6  # in a row of the list `submissions`


def keys_of_reports(results: Iterable[SendResult]) -> list[str]:
    """What the external_key of a report may be that came before one of these results did."""
    written = {key_of(segment.external_id) for result in results for segment in result.segments}
    return list(dict.fromkeys(each for key in sorted(written) for each in spellings(key)))


def those_of(submissions: Sequence[Row], kept: Sequence[KeptRow]) -> Sequence[KeptRow]:
    """The reports that may speak of one of these submissions."""
    if not kept:
        return ()
    there = {(row[_SUBMISSION_ACCOUNT], row[_SUBMISSION_KEY]) for row in submissions}
    return [row for row in kept if any((row[2], key) in there for key in _keys(row))]


def heard_again(row: KeptRow) -> DeliveryReport:
    """A report that was kept, as if it came now."""
    _, channel, account, external_id, _, _, recipient, sender, status, received_at, error, text = row
    return DeliveryReport(
        channel=channel,
        account=account,
        external_id=external_id,
        status=DeliveryStatus(status),
        received_at=from_ms(received_at),
        error=error,
        text=text,
        keys=_keys(row),
        recipient=None if recipient is None else Address.from_urn(recipient),
        sender=None if sender is None else Address.from_urn(sender),
    )


def write_reports(rows: Mapping[str, list[Row]], reports: Sequence[DeliveryReport], now: int) -> None:
    """Put them into the lists `heard_keys` and `reports`."""
    for report, turn in turns(reports):
        rows["heard_keys"] += heard_keys(report, turn)
        rows["reports"].append((*_report_row(report, now), turn))


def turns(reports: Sequence[DeliveryReport]) -> Iterable[tuple[DeliveryReport, int]]:
    """Of several about one segment the first final one counts, else the last: it has the lowest turn."""
    for position, report in enumerate(reports):
        yield report, position if report.status.final else 2 * len(reports) - position


def heard_keys(report: DeliveryReport, turn: int) -> Iterable[Row]:
    """Rows of HEARD_KEY_COLUMNS."""
    about = (
        report.account,
        _urn(report.recipient),
        _urn(report.sender),
        report.status.value,
        to_ms(report.received_at),
        report.error,
    )
    named = int(_names_telephone(report))
    return [(turn, place, named, key, *about) for place, key in enumerate(report.keys)]


def _names_telephone(report: DeliveryReport) -> bool:
    """It says to which one the message went; from some SMSCs, in the sender's place, with a short number of ours for it."""
    if report.recipient is None or not report.recipient.value.isdecimal():
        return False
    short = len(report.recipient.value) < SHORTEST_TELEPHONE
    told = report.sender if short else report.recipient
    return told is not None and told.value.isdecimal() and len(told.value) >= SHORTEST_TELEPHONE


def _report_row(report: DeliveryReport, now: int) -> Row:
    """A row of REPORT_COLUMNS."""
    return (
        report.channel,
        report.account,
        report.external_id,
        key_of(report.external_id) or None,
        encode(report.keys) or NO_KEYS,
        _urn(report.recipient),
        _urn(report.sender),
        report.status.value,
        to_ms(report.received_at),
        report.error,
        report.text,
        now,
    )


def _keys(row: KeptRow) -> tuple[str, ...]:
    return msgspec.json.decode(row[5], type=tuple[str, ...])


def _urn(address: Address | None) -> str | None:
    return None if address is None else address.urn
