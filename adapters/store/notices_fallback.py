"""A notice that was refused for good goes to the next address its person agreed to, in one transaction (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from adapters.store.heard import last_accounts
from adapters.store.notices_rows import read_params, written_params
from adapters.store.notices_statements import Statements
from adapters.store.rows import Row, decode, encode
from adapters.store.steps import Steps
from domain.message import Address
from domain.text import unaccent
from notifications.ports import JoinedWay

FailedRow = tuple[int, str, str | None, str, int, str, str, str, str]
SMS = "sms:"


def fall_back(
    sql: Statements, new_ids: Sequence[int], way: JoinedWay | None, *, since: int, now: int
) -> Steps[tuple[int, int]]:
    """How many were taken up of those that failed at `since` (milliseconds) or later, and how many go on."""
    if not new_ids:
        return 0, 0
    [(payload,)] = yield sql.failed(), {"since": since, "now": now, "limit": len(new_ids)}
    failed = decode(payload, list[FailedRow])
    if not failed:
        return 0, 0
    if way is not None:
        texted = {row[-1]: Address.from_urn(row[-1]) for row in failed if row[-1].startswith(SMS)}
        last = yield from last_accounts(sql.dialect, texted.values())
        failed = [_by_way(row, way, texted, last) for row in failed]
    rows = encode([_row(new_id, row) for new_id, row in zip(new_ids, failed, strict=False)]) or "[]"
    yield sql.fall_back(), {"rows": rows, "now": now}
    written = yield sql.mark_fallen(), {"rows": rows}
    if written and sql.dialect.wake:
        yield sql.dialect.wake, {}
    return len(failed), len(written)


def _by_way(failed: FailedRow, way: JoinedWay, texted: Mapping[str, Address], last: Mapping[Address, str]) -> FailedRow:
    """As the number is reached now; a chat stays as it was joined."""
    identifier, tried, payload, text, place, channel, joined, _, urn = failed
    address = texted.get(urn)
    now = None if address is None else way(address, joined, last.get(address, ""))
    if now is None:
        return failed
    account, sender = now
    return identifier, tried, payload, text, place, channel, account, sender.urn, urn


def _row(new_id: int, failed: FailedRow) -> Row:
    """A row of notices_statements.FALLEN_COLUMNS."""
    identifier, tried, payload, text, place, channel, account, sender, address = failed
    params = read_params(payload)
    onward = msgspec.structs.replace(params, person=params.person or tried, place=place)
    marked = msgspec.structs.replace(params, next=new_id)
    # Written for a chat it has accents, which an SMS has half as much room for.
    told = unaccent(text) if address.startswith(SMS) else text
    return new_id, identifier, channel, account, sender, address, written_params(onward), written_params(marked), told
