"""Numbers proved by a code sent back, on both engines: a following asked for on the web, written as one by text.

The steps are told apart from who runs them, as adapters.store.steps says: one run is one transaction.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from adapters.store.journal_sql import consent, follow
from adapters.store.rows import CONSENT_COLUMNS, FOLLOW_COLUMNS, OUTBOX_COLUMNS, to_ms, waiting_row
from adapters.store.steps import Steps, Values
from conversation.ports import PinRequest, PinResult

Result = TypeVar("Result")

PIN_COLUMNS = (
    "token",
    "recipient",
    "dossier_code",
    "source",
    "channel",
    "account",
    "sender",
    "known",
    "proved",
    "words",
    "pin_seal",
    "tries",
    "expires_at",
)


def _insert(table: str, columns: Sequence[str], key: str) -> str:
    """Done again it changes nothing."""
    values = ", ".join(f":{name}" for name in columns)
    return (
        f"""INSERT INTO {table} ({", ".join(columns)}) VALUES ({values}) ON CONFLICT ({key}) DO NOTHING RETURNING 1"""
    )


def _of_pin(columns: Sequence[str], **others: str) -> str:
    """The kept request as a table with these columns."""
    cells = ", ".join(f"{others[name]} AS {name}" if name in others else name for name in columns)
    return f"(SELECT {cells} FROM follow_pin WHERE token = :token)"


KEEP = _insert("follow_pin", PIN_COLUMNS, "token")
SEND = _insert("outbox", OUTBOX_COLUMNS, "id")
# Every try is counted before it is judged, which also keeps a second one of the same moment waiting.
TRY = "UPDATE follow_pin SET tries = tries + 1 WHERE token = :token RETURNING pin_seal, tries, expires_at"
_NOW, _NOBODY = "CAST(:now AS bigint)", "CAST(NULL AS bigint)"
FOLLOW = (
    follow(_of_pin(FOLLOW_COLUMNS, origin="'web'", known="nullif(known, '')", followed_at=_NOW, inbound_id=_NOBODY))
    + " RETURNING 1"
)
CONSENT = consent(_of_pin(CONSENT_COLUMNS, action="'follow'", inbound_id=_NOBODY, given_at=_NOW)) + " RETURNING 1"
USE_UP = "DELETE FROM follow_pin WHERE token = :token RETURNING 1"


def ask(request: PinRequest) -> Steps[None]:
    """Keep a request and the message with its code.

    Raises:
        ValueError: the change names no dossier.
    """
    change, message = request.change, request.message
    if change.code is None:
        raise ValueError("a number is proved to follow one dossier")
    kept = (
        request.token,
        request.address.urn,
        change.code.reference,
        change.source,
        message.channel,
        message.account,
        message.sender.urn,
        change.known,
        change.proved,
        change.words,
        request.pin_seal,
        0,
        to_ms(request.expires_at),
    )
    yield KEEP, dict(zip(PIN_COLUMNS, kept, strict=True))
    yield SEND, dict(zip(OUTBOX_COLUMNS, waiting_row(message), strict=True))


def judge(kept_seal: str, pin_seal: str, *, tried: int, tries: int, over: bool) -> PinResult:
    """What a typed code is worth; the seals are compared whatever else is wrong."""
    right = hmac.compare_digest(kept_seal.encode(), pin_seal.encode())
    if over or tried > tries:
        return PinResult.SPENT
    if not right:
        return PinResult.SPENT if tried == tries else PinResult.WRONG
    return PinResult.FOLLOWING


def redeem(token: str, pin_seal: str, *, tries: int, now: int) -> Steps[PinResult]:
    """Judge a code that was typed. The try that uses up the last one says so. As many steps whatever is wrong."""
    of_token: Values = {"token": token}
    found = yield TRY, of_token
    kept_seal, tried, expires_at = found[0] if found else ("", tries + 1, 0)
    judged = judge(kept_seal, pin_seal, tried=tried, tries=tries, over=expires_at <= now)
    if judged is not PinResult.FOLLOWING:
        return judged
    yield FOLLOW, {"token": token, "now": now}
    yield CONSENT, {"token": token, "now": now}
    yield USE_UP, of_token
    return PinResult.FOLLOWING


class Runner(Protocol):
    """Runs steps in one transaction of a store."""

    def __call__(self, steps: Steps[Result], /) -> Awaitable[Result]: ...


class StorePins:
    """Implements conversation.ports.Pins. Raises StoreUnavailable when nothing was done, StoreUncertain when that is not
    known: to ask again does no harm, to redeem again finds the request used up.
    """

    def __init__(self, run: Runner, clock: Callable[[], datetime]) -> None:
        self._run = run
        self._clock = clock

    async def ask(self, request: PinRequest) -> None:
        await self._run(ask(request))

    async def redeem(self, token: str, pin_seal: str, *, tries: int) -> PinResult:
        return await self._run(redeem(token, pin_seal, tries=tries, now=to_ms(self._clock())))
