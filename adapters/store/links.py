"""Addresses joined by a code sent to the other one, on both engines. The steps are run as those of adapters.store.pins."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from adapters.store.pins import SEND, Runner, judge
from adapters.store.rows import OUTBOX_COLUMNS, to_ms, waiting_row
from adapters.store.steps import Steps
from conversation.ports import Link, LinkRequest, PinResult
from domain.message import Address

PIN_COLUMNS = ("asker", "channel", "account", "sender", "address", "words", "pin_seal", "tries", "expires_at")

_VALUES = ", ".join(f":{name}" for name in PIN_COLUMNS)
_ANEW = ", ".join(f"{name} = excluded.{name}" for name in PIN_COLUMNS if name != "asker")
KEEP = f"""INSERT INTO link_pin ({", ".join(PIN_COLUMNS)}) VALUES ({_VALUES})
ON CONFLICT (asker) DO UPDATE SET {_ANEW} RETURNING 1"""
# Every try is counted before it is judged, which also keeps a second one of the same moment waiting.
TRY = """UPDATE link_pin SET tries = tries + 1 WHERE asker = :asker
RETURNING pin_seal, tries, expires_at, channel, account, sender, address, words"""
USE_UP = "DELETE FROM link_pin WHERE asker = :asker RETURNING 1"
NOBODYS = ("", 0, 0, "", "", "", "", "")


def ask(request: LinkRequest) -> Steps[None]:
    """Keep a request, in the place of an earlier one, and the message with its code."""
    link = request.link
    kept = (
        request.asker.urn,
        link.channel,
        link.account,
        link.sender.urn,
        link.address.urn,
        link.words,
        request.pin_seal,
        0,
        to_ms(request.expires_at),
    )
    yield KEEP, dict(zip(PIN_COLUMNS, kept, strict=True))
    yield SEND, dict(zip(OUTBOX_COLUMNS, waiting_row(request.message), strict=True))


def redeem(asker: Address, pin_seal: str, *, tries: int, now: int) -> Steps[tuple[PinResult, Link | None]]:
    """Judge a code that was typed. The try that uses up the last one says so."""
    found = yield TRY, {"asker": asker.urn}
    kept_seal, tried, expires_at, channel, account, sender, address, words = found[0] if found else NOBODYS
    judged = judge(kept_seal, pin_seal, tried=tried, tries=tries, over=expires_at <= now)
    if judged is not PinResult.FOLLOWING:
        return judged, None
    yield USE_UP, {"asker": asker.urn}
    joined = Link(
        address=Address.from_urn(address),
        channel=channel,
        account=account,
        sender=Address.from_urn(sender),
        words=words,
    )
    return judged, joined


class StoreLinks:
    """Implements conversation.ports.Links. Raises StoreUnavailable when nothing was done, StoreUncertain when that is not
    known: to ask again does no harm, to redeem again finds the request used up.
    """

    def __init__(self, run: Runner, clock: Callable[[], datetime]) -> None:
        self._run = run
        self._clock = clock

    async def ask(self, request: LinkRequest) -> None:
        await self._run(ask(request))

    async def redeem(self, asker: Address, pin_seal: str, *, tries: int) -> tuple[PinResult, Link | None]:
        return await self._run(redeem(asker, pin_seal, tries=tries, now=to_ms(self._clock())))
