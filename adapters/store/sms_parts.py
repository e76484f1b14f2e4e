"""Parts of long messages on both engines, many at a time; each method is one transaction, durable when it returns."""

# ruff: noqa: S608 - put together from the constants of this package, never from data

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.store.notices_dialect import Dialect, PostgresDialect, SqliteDialect
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps
from channels.sms.ports import Part, SetKey

_COLUMNS: Final = (
    ("set_id", "bigint"),
    ("number", "integer"),
    ("account", "text"),
    ("sender", "text"),
    ("recipient", "text"),
    ("reference", "integer"),
    ("width", "integer"),
    ("total", "integer"),
    ("esm_class", "integer"),
    ("data_coding", "integer"),
    ("header", "text"),
    ("body", "text"),
    ("session", "text"),
    ("received_at", "bigint"),
    ("done_at", "bigint"),
)
_NAMES: Final = ", ".join(name for name, _ in _COLUMNS)
_KEY: Final = ("set_id", "number")
_CHANGED: Final = ", ".join(f"{name} = excluded.{name}" for name, _ in _COLUMNS if name not in _KEY)
_DONE: Final = (("set_id", "bigint"), ("done_at", "bigint"))
_DIALECTS: Final[Mapping[str, Dialect]] = {"sqlite": SqliteDialect(), "postgresql": PostgresDialect()}

LOAD = f"""SELECT {_NAMES} FROM sms_part
WHERE account = :account AND (done_at IS NULL OR done_at >= :since) ORDER BY set_id, number"""
_KEEP = f"""INSERT INTO sms_part ({_NAMES}) SELECT {_NAMES} FROM {{given}} AS g WHERE true
ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {_CHANGED} RETURNING 1"""
_END = """UPDATE sms_part SET done_at = d.done_at FROM {given} AS d
WHERE sms_part.set_id = d.set_id AND sms_part.account = :account RETURNING 1"""
KEEP = {engine: _KEEP.format(given=dialect.given("parts", _COLUMNS)) for engine, dialect in _DIALECTS.items()}
END = {engine: _END.format(given=dialect.given("done", _DONE)) for engine, dialect in _DIALECTS.items()}


def load(account: str, since: datetime) -> Steps[Sequence[Part]]:
    rows = yield LOAD, {"account": account, "since": to_ms(since)}
    return [_part(row) for row in rows]


def write(engine: str, account: str, parts: Sequence[Part], done: Mapping[int, datetime]) -> Steps[None]:
    if parts:
        yield KEEP[engine], {"parts": _json([_row(part) for part in parts])}
    if done:
        yield END[engine], {"done": _json([(each, to_ms(at)) for each, at in done.items()]), "account": account}


def _row(part: Part) -> Sequence[int | str | None]:
    return (
        part.set_id,
        part.number,
        part.account,
        *part.key,
        part.esm_class,
        part.data_coding,
        part.header.hex(),
        part.body.hex(),
        part.session,
        to_ms(part.received_at),
        None if part.done_at is None else to_ms(part.done_at),
    )


def _part(row: Sequence[Any]) -> Part:
    set_id, number, account, *rest = row
    esm_class, data_coding, header, body, session, received_at, done_at = rest[len(SetKey._fields) :]
    return Part(
        set_id=set_id,
        number=number,
        account=account,
        key=SetKey(*rest[: len(SetKey._fields)]),
        esm_class=esm_class,
        data_coding=data_coding,
        header=bytes.fromhex(header),
        body=bytes.fromhex(body),
        session=session,
        received_at=from_ms(received_at),
        done_at=None if done_at is None else from_ms(done_at),
    )


def _json(rows: Sequence[Sequence[int | str | None]]) -> str:
    return msgspec.json.encode(rows).decode()


class StoreParts:
    """Implements channels.sms.ports.PartStore. `engine` is sqlite or postgresql. Raises StoreUnavailable when nothing was
    done, StoreUncertain when that is not known.
    """

    def __init__(self, *, read: Runner, write: Runner, engine: str) -> None:
        self._read = read
        self._write = write
        self._engine = engine

    async def load(self, account: str, done_since: datetime) -> Sequence[Part]:
        return await self._read(load(account, done_since))

    async def write(self, account: str, parts: Sequence[Part], done: Mapping[int, datetime]) -> None:
        await self._write(write(self._engine, account, parts, done))
