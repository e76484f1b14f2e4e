"""Opinions and their answers, on both engines. An answer, its message and the note of who gave it are one transaction."""

# ruff: noqa: S608 - put together from the column names of this module, never from data

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.store.audit import noting
from adapters.store.conversations import SENT_COLUMNS, columns_of, read_sent
from adapters.store.notices_rows import Params, read_moment, written_params
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values
from adapters.store.tables import OutboxStates
from console.accounts.ports import AuditEntry
from console.messages.ports import AnswerMessage, Opinion, OpinionSearch, Routing, Unrouted, WayBack, Which
from domain.message import Address

ANSWER_KIND: Final = (
    "feedback_answer"  # in outbox.params; no notice about a dossier, so that nothing is followed for it
)

OPINION_COLUMNS = (
    "number",
    "sender",
    "text",
    "received_at",
    "masked_at",
    "agency",
    "dossier_code",
    "answer",
    "answered_at",
    "answered_by",
)
_WAY_COLUMNS = ("i.channel", "i.account", "i.recipient", "p.language", "p.accents")
_CELLS = f"{columns_of('f', OPINION_COLUMNS)}, {', '.join(_WAY_COLUMNS)}, {columns_of('o', SENT_COLUMNS)}"
_BESIDE = """LEFT JOIN inbox AS i ON i.id = f.inbound_id LEFT JOIN person AS p ON p.address = f.sender
LEFT JOIN outbox AS o ON o.id = f.answer_id"""
FIND = f"SELECT {_CELLS} FROM feedback AS f {_BESIDE} WHERE f.number = :number"

# Of who was forgotten nothing is looked for: all of them have one and the same address.
UNROUTED = """SELECT f.number, f.text, CASE WHEN f.masked_at IS NOT NULL THEN NULL ELSE (SELECT i.dossier_code
    FROM inbox AS i WHERE i.sender = f.sender AND i.id < f.inbound_id AND i.received_at >= f.received_at - :within
    AND i.dossier_code IS NOT NULL ORDER BY i.id DESC LIMIT 1) END
FROM feedback AS f WHERE f.agency IS NULL ORDER BY f.number LIMIT :limit"""
ROUTE = """UPDATE feedback SET agency = :agency, dossier_code = :dossier_code WHERE number = :number AND agency IS NULL
RETURNING 1"""

_CONDITIONS: Mapping[Which, str] = {
    Which.WAITING: "answered_at IS NULL",
    Which.OVERDUE: "answered_at IS NULL AND received_at < :overdue_before",
    Which.ANSWERED: "answered_at IS NOT NULL",
    Which.ALL: "number IS NOT NULL",
}
_AS_SEEN = "number = :number AND agency = :seen_agency AND answered_at IS NULL AND (masked_at IS NULL) = :seen_known"
ANSWER = f"""UPDATE feedback SET answer = :answer, answered_at = :at, answered_by = :by, answer_id = :answer_id
WHERE {_AS_SEEN} RETURNING 1"""
PASS_ON = f"UPDATE feedback SET agency = :agency WHERE {_AS_SEEN} RETURNING 1"
MESSAGE_COLUMNS = (
    "id",
    "channel",
    "account",
    "category",
    "priority",
    "recipient",
    "sender",
    "text",
    "language",
    "params",
    "source",
    "state",
    "created_at",
    "available_at",
    "expires_at",
    "attempts",
    "reason",
)
SEND = f"""INSERT INTO outbox ({", ".join(MESSAGE_COLUMNS)})
VALUES ({", ".join(f":{name}" for name in MESSAGE_COLUMNS)}) RETURNING 1"""


# ---- whose they are


def unrouted(within: timedelta, limit: int) -> Steps[Sequence[Unrouted]]:
    milliseconds = round(within.total_seconds() * 1000)
    rows = yield UNROUTED, {"within": milliseconds, "limit": limit}
    return [Unrouted(number=number, text=text, asked=asked or "") for number, text, asked in rows]


def route(routings: Sequence[Routing]) -> Steps[None]:
    """In the order of numbers, so that two at once never wait for each other in a ring."""
    for each in sorted(routings, key=lambda routing: routing.number):
        yield (
            ROUTE,
            {"number": each.number, "agency": each.agency, "dossier_code": each.dossier_code or None},
        )


# ---- looking


def listed(search: OpinionSearch, limit: int) -> Steps[Sequence[Opinion]]:
    conditions, values = _of(search.agencies)
    sign, order = (">", "") if search.oldest_first else ("<", " DESC")
    values |= {"limit": limit}
    conditions.append(_CONDITIONS[search.which])
    if search.which is Which.OVERDUE:
        values["overdue_before"] = to_ms(search.overdue_before)
    if search.beyond is not None:
        conditions.append(f"number {sign} :beyond")
        values["beyond"] = search.beyond
    page = f"SELECT * FROM feedback WHERE {' AND '.join(conditions)} ORDER BY number{order} LIMIT :limit"
    rows = yield f"SELECT {_CELLS} FROM ({page}) AS f {_BESIDE} ORDER BY f.number{order}", values
    return [_read(row) for row in rows]


def waiting(agencies: frozenset[str] | None, overdue_before: datetime) -> Steps[tuple[int, int]]:
    conditions, values = _of(agencies)
    where = " AND ".join([*conditions, _CONDITIONS[Which.WAITING]])
    late = "coalesce(sum(CASE WHEN received_at < :overdue_before THEN 1 ELSE 0 END), 0)"
    values["overdue_before"] = to_ms(overdue_before)
    [(count, overdue)] = yield f"SELECT count(*), {late} FROM feedback WHERE {where}", values
    return int(count), int(overdue)


def _of(agencies: frozenset[str] | None) -> tuple[list[str], dict[str, int | str | None]]:
    """A condition for these agencies, of none for everybody's; and its values."""
    if agencies is None:
        return [], {}
    values: dict[str, int | str | None] = {
        f"agency_{number}_": agency for number, agency in enumerate(sorted(agencies) or [""])
    }
    return [f"agency IN ({', '.join(f':{name}' for name in values)})"], values


def find(number: int) -> Steps[Opinion | None]:
    rows = yield FIND, {"number": number}
    return _read(rows[0]) if rows else None


# ---- answering


def answer(seen: Opinion, text: str, message: AnswerMessage | None, at: datetime, noted: AuditEntry) -> Steps[bool]:
    values = {
        **_seen(seen),
        "answer": text,
        "at": to_ms(at),
        "by": noted.login,
        "answer_id": message.message.id if message else None,
    }
    done = yield ANSWER, values
    if not done:
        return False
    if message is not None:
        yield SEND, _message_cells(message)
    yield from noting(noted)
    return True


def pass_on(seen: Opinion, agency: str, noted: AuditEntry) -> Steps[bool]:
    done = yield PASS_ON, {**_seen(seen), "agency": agency}
    if done:
        yield from noting(noted)
    return bool(done)


def _seen(seen: Opinion) -> Values:
    return {"number": seen.number, "seen_agency": seen.agency, "seen_known": not seen.masked}


# ---- rows


def _read(row: Sequence[Any]) -> Opinion:
    cells = tuple(row)
    values = dict(zip(OPINION_COLUMNS, cells[: len(OPINION_COLUMNS)], strict=True))
    masked = values["masked_at"] is not None
    way_back = cells[len(OPINION_COLUMNS) : -len(SENT_COLUMNS)]
    return Opinion(
        number=values["number"],
        sender=Address.from_urn(values["sender"]),
        text=values["text"],
        received_at=from_ms(values["received_at"]),
        agency=values["agency"] or "",
        dossier_code=values["dossier_code"] or "",
        masked=masked,
        answer=values["answer"] or "",
        answered_at=read_moment(values["answered_at"]),
        answered_by=values["answered_by"] or "",
        way_back=None if masked else _way_back(way_back),
        told=read_sent(cells[-len(SENT_COLUMNS) :]),
    )


def _way_back(row: Sequence[Any]) -> WayBack | None:
    channel, account, ours, language, accents = row
    if channel is None:
        return None
    return WayBack(
        channel=channel,
        account=account,
        ours=Address.from_urn(ours),
        language=language,
        accents=None if accents is None else bool(accents),
    )


def _message_cells(answer_message: AnswerMessage) -> Values:
    message = answer_message.message
    return {
        "id": message.id,
        "channel": message.channel,
        "account": message.account,
        "category": message.category.value,
        "priority": message.category.priority,
        "recipient": message.recipient.urn,
        "sender": message.sender.urn,
        "text": message.text,
        "language": answer_message.language,
        "params": written_params(Params(kind=ANSWER_KIND)),
        "source": "",
        "state": OutboxStates.READY,
        "created_at": to_ms(message.created_at),
        "available_at": to_ms(answer_message.available_at),
        "expires_at": to_ms(message.expires_at),
        "attempts": 0,
        "reason": answer_message.reason or None,
    }


class StoreOpinions:
    """Implements console.messages.ports.Opinions. `run` writes, `look` only reads."""

    def __init__(self, run: Runner, look: Runner) -> None:
        self._run = run
        self._look = look

    async def unrouted(self, *, within: timedelta, limit: int) -> Sequence[Unrouted]:
        return await self._look(unrouted(within, limit))

    async def route(self, routings: Sequence[Routing]) -> None:
        await self._run(route(routings))

    async def listed(self, search: OpinionSearch, *, limit: int) -> Sequence[Opinion]:
        return await self._look(listed(search, limit))

    async def waiting(self, agencies: frozenset[str] | None, overdue_before: datetime) -> tuple[int, int]:
        return await self._look(waiting(agencies, overdue_before))

    async def find(self, number: int) -> Opinion | None:
        return await self._look(find(number))

    async def answer(
        self, seen: Opinion, text: str, message: AnswerMessage | None, at: datetime, noted: AuditEntry
    ) -> bool:
        return await self._run(answer(seen, text, message, at, noted))

    async def pass_on(self, seen: Opinion, agency: str, noted: AuditEntry) -> bool:
        return await self._run(pass_on(seen, agency, noted))
