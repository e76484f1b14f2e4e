"""By which account people wrote to us last, on both engines: one statement for many, a look into an index for each."""

# ruff: noqa: S608 - put together from constants of ours, never from data

from __future__ import annotations

from collections.abc import Collection, Mapping

from adapters.store.notices_dialect import Dialect
from adapters.store.pins import Runner
from adapters.store.rows import decode, encode
from adapters.store.steps import Steps
from domain.message import Address


def last_accounts(dialect: Dialect, addresses: Collection[Address]) -> Steps[Mapping[Address, str]]:
    if not addresses:
        return {}
    people = dialect.given("people", (("address", "text"),))
    last = f"""(SELECT i.account FROM inbox AS i{dialect.by("ix_inbox_sender")}
    WHERE i.sender = g.address ORDER BY i.id DESC LIMIT 1)"""
    by_urn = {address.urn: address for address in addresses}
    given = encode([(urn,) for urn in by_urn]) or "[]"
    [(payload,)] = yield dialect.grouped(("g.address", last), f"{people} AS g"), {"people": given}
    found = decode(payload, list[tuple[str, str | None]])
    return {by_urn[urn]: account for urn, account in found if account is not None}


class StoreLastAccounts:
    """Implements notifications.ports.LastAccounts. `look` only reads."""

    def __init__(self, look: Runner, dialect: Dialect) -> None:
        self._look = look
        self._dialect = dialect

    async def last_accounts(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        return await self._look(last_accounts(self._dialect, addresses))
