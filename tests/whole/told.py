"""Who was told what: followers written into a gateway's store, what its handsets heard, and whether both are right."""

from __future__ import annotations

import asyncio
import json
import re
import time
import tomllib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import NullPool, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.store.rows import to_ms
from adapters.store.tables import dossier_seen, feed_cursor, outbox, subscription
from demo.smsc import MoTicket, Reply
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.catalogue import Catalogue
from domain.codes import parse_canonical
from domain.dossier import Dossier, DossierStatus
from domain.notice_texts import NoticeWriter
from domain.notices import Known, NoticeKind
from domain.noticing import kind_of_change
from tests.onestop.changing import ChangingSystem
from tests.unit.speaking import shipped_texts, voice
from tests.whole.gateways import SHORT_CODE

CODE: Final = re.compile(r"H51\.\d\d-\d{6}-\d{4}")
LOOK_EVERY: Final = 0.1  # seconds between two looks at the store
UNMOVED_FOR: Final = 1.0  # seconds; longer than a page takes
ON_THE_WAY: Final = ("ready", "claimed", "handed_over")
AT_ONCE: Final = 1_000  # rows written or asked for in one statement

Who = tuple[str, str]  # number and code


class Handsets:
    """Everybody's telephone: texts in the order they came, each with time.monotonic() of its first part."""

    def __init__(self) -> None:
        self.heard: dict[Who, list[tuple[float, str]]] = defaultdict(list)
        self.strange: list[str] = []  # texts about no dossier

    def ring(self, reply: Reply, _ticket: MoTicket | None) -> None:
        """What the SMSC calls."""
        found = CODE.search(reply.text)
        if found is None:
            self.strange.append(reply.text)
        else:
            self.heard[reply.destination, found[0]].append((reply.first_at, reply.text))

    @property
    def messages(self) -> int:
        return sum(map(len, self.heard.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A notice in the outbox."""

    version: int
    state: str
    text: str


class Store:
    """A gateway's own database, from outside, whatever it is."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def follow(self, system: ChangingSystem, followers: Iterable[Who], account: str) -> None:
        """Rows of people who followed and were shown the state each dossier has now."""
        now = to_ms(datetime.now(UTC))
        rows = [
            {
                "recipient": f"sms:{number}",
                "dossier_code": code,
                "source": system.name,
                "channel": "sms",
                "account": account,
                "sender": f"sms:{SHORT_CODE}",
                "origin": "text",
                "proved": False,
                "known": system.known(system.planted[code]).text,
                "followed_at": now,
            }
            for number, code in followers
        ]
        async with self._engine.begin() as connection:
            await connection.execute(subscription.insert(), rows)

    async def position(self, source: str) -> Mapping[str, Any]:
        """Where the poll of a source goes on; empty before its first page."""
        found = await self._all(
            select(feed_cursor.c.position).where(feed_cursor.c.source == source, feed_cursor.c.feed == "poll")
        )
        return json.loads(found[0].position) if found else {}

    async def polled(self, source: str, *, after: int = 0) -> int:
        """Wait until a round of the poll behind page number `after` has ended; gives the number of its last page."""
        while True:
            position = await self.position(source)
            if position.get("n", 0) > after and position.get("since") and not position.get("until"):
                return int(position["n"])
            await asyncio.sleep(LOOK_EVERY)

    async def unmoved(self, source: str) -> None:
        """Wait until no poll of a source goes on, where the next one is far."""
        position: Mapping[str, Any] = {}
        while position != (position := await self.position(source)):  # noqa: ASYNC110 - another process moves it
            await asyncio.sleep(UNMOVED_FOR)

    async def seen(self, source: str) -> Mapping[str, tuple[int, DossierStatus]]:
        """The version and state of every dossier, as the watcher saw it last."""
        table = dossier_seen.c
        rows = await self._all(select(table.dossier_code, table.version, table.status).where(table.source == source))
        return {row.dossier_code: (row.version, DossierStatus(row.status)) for row in rows}

    async def caught_up(self, system: ChangingSystem, *, within: float) -> None:
        """Wait until the watcher saw what is true now of every dossier that changed.

        Raises:
            AssertionError: it did not within so many seconds.
        """
        behind, until = set(system.history), time.monotonic() + within
        while True:
            seen = await self.seen(system.name)
            behind = {code for code in behind if seen[code][1] is not system.now(code)}
            if not behind:
                return
            assert time.monotonic() < until, f"{system.name}: not seen of {len(behind)} dossiers, such as {min(behind)}"
            await asyncio.sleep(LOOK_EVERY)

    async def sent(self) -> None:
        """Wait until nothing is on its way."""
        waiting = select(func.count().label("rows")).where(outbox.c.state.in_(ON_THE_WAY))
        while (await self._all(waiting))[0].rows:  # noqa: ASYNC110 - another process sends it
            await asyncio.sleep(LOOK_EVERY)

    async def notices(self, source: str) -> Mapping[Who, Sequence[Row]]:
        """Those of a source, of each person about each dossier, in the order they were written."""
        table = outbox.c
        wanted = select(table.recipient, table.dossier_code, table.version, table.state, table.text)
        found: dict[Who, list[Row]] = defaultdict(list)
        for row in await self._all(wanted.where(table.source == source).order_by(table.id)):
            who = row.recipient.removeprefix("sms:"), row.dossier_code
            found[who].append(Row(version=row.version, state=row.state, text=row.text))
        return found

    async def known(self, source: str) -> Mapping[Who, Known]:
        """What each follower knows, as the gateway believes."""
        table = subscription.c
        rows = await self._all(select(table.recipient, table.dossier_code, table.known).where(table.source == source))
        return {(row.recipient.removeprefix("sms:"), row.dossier_code): Known.read(row.known) for row in rows}

    async def _all(self, statement: Select[Any]) -> Sequence[Any]:
        async with self._engine.connect() as connection:
            rows: Sequence[Any] = (await connection.execute(statement)).all()
            return rows


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The store at this URL, whose tables are there."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        yield Store(engine)
    finally:
        await engine.dispose()


class Texts:
    """What a gateway says of the dossiers of a system, as its own writer writes it."""

    def __init__(self, system: ChangingSystem, agencies: Path) -> None:
        catalogue = Catalogue.from_mapping(shipped_texts())
        writer = NoticeWriter(catalogue, Agencies.from_mapping(tomllib.loads(agencies.read_text(encoding="utf-8"))))
        now = datetime.now(UTC)
        self._system = system
        self._today = local_day(now)
        self._example = next(iter(system.planted))
        code = parse_canonical(self._example)
        assert code is not None

        @cache
        def about(kind: NoticeKind, status: DossierStatus) -> str:
            dossier = Dossier(
                code=code, source=system.name, status=status, agency=system.agency, due_on=system.promised.date()
            )
            return writer.about(kind, dossier, voice(now=now))

        self._about: Callable[[NoticeKind, DossierStatus], str] = about

    def told(self, code: str, text: str, before: DossierStatus) -> DossierStatus:
        """The state a text tells somebody who knew of another.

        Raises:
            AssertionError: no right text tells them anything new.
        """
        masked = text.replace(code, self._example)
        found = {status for status in DossierStatus if masked in self._right(before, status)}
        assert len(found) == 1, f"{code}: after {before.name}: {text}"
        return found.pop()

    def _right(self, before: DossierStatus, now: DossierStatus) -> Collection[str]:
        """The texts that tell somebody who knew `before`; more than one where a state seen between counts."""
        system, kinds = self._system, set[NoticeKind]()
        for between in DossierStatus:
            kind = kind_of_change(
                system.known(before), system.known(now), today=self._today, seen=system.known(between)
            )
            kinds |= set() if kind is None else {kind}
        return {self._about(kind, now) for kind in kinds}


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of a system's changes. `behind` are seconds from the last change of a dossier to the last notice."""

    changes: int = 0
    versions: int = 0  # changes the watcher saw apart
    told: int = 0
    merged: int = 0
    silent: int = 0  # followers who were told nothing: all was as they knew it, whenever somebody looked
    behind: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """For a person to read."""
        return (
            f"{self.changes} changes, {self.versions} seen apart, {self.told} notices told, {self.merged} merged into "
            f"a later one, {self.silent} followers found everything as they knew it"
        )


async def settle_accounts(
    system: ChangingSystem, store: Store, handsets: Handsets, followers: Collection[Who], texts: Texts
) -> Account:
    """Compare the system's own truth, the store and the handsets.

    Raises:
        AssertionError: somebody was not told, told twice, told what is not so, or told who follows nothing.
    """
    truth, seen = await system.truth(), await store.seen(system.name)
    rows, known = await store.notices(system.name), await store.known(system.name)
    account = Account(changes=sum(map(len, system.history.values())))
    assert {code: status for code, (_, status) in seen.items()} == truth, "a change was not seen"
    for code, (version, _) in seen.items():
        assert 1 <= version <= 1 + len(system.history.get(code, ())), f"{code}: more versions than changes"
        account.versions += version - 1
    assert rows.keys() <= set(followers), "somebody was told who does not follow"
    assert known.keys() == set(followers)
    for who in followers:
        code = who[1]
        assert known[who] == system.known(truth[code]), f"{code}: a follower knows something else"
        heard = handsets.heard.get(who, [])
        _check_follower(system, code, rows.get(who, ()), [text for _, text in heard], seen[code][0], texts)
        account.told += len(heard)
        account.merged += sum(row.state == "merged" for row in rows.get(who, ()))
        changes = system.history.get(code, ())
        account.silent += bool(changes and not heard)
        if heard and changes and heard[-1][0] > changes[-1].committed_at:
            account.behind.append(heard[-1][0] - changes[-1].committed_at)
    return account


def _check_follower(
    system: ChangingSystem, code: str, rows: Sequence[Row], heard: Sequence[str], version: int, texts: Texts
) -> None:
    """One follower of one dossier: each version is one notice or was merged, what left came once and in order, each told
    what really became of it and was news, and the last told the end.
    """
    assert {row.state for row in rows} <= {"accepted", "merged"}, f"{code}: {rows}"
    assert [row.text for row in rows if row.state == "accepted"] == heard, f"{code}: handsets heard something else"
    versions = [row.version for row in rows]
    assert versions == sorted(set(versions)), f"{code}: a version was told twice, or later ones first"
    merged = {row.version for row in rows if row.state == "merged"}
    untold = {each for each in range(2, version + 1) if each not in versions and each - 1 not in merged}
    assert not untold, f"{code}: versions {untold} were neither told nor merged"
    knows, history = system.planted[code], iter(system.history.get(code, ()))
    for text in heard:
        tells = texts.told(code, text, knows)
        assert any(change.status is tells for change in history), f"{code}: told {tells.name} out of turn"
        knows = tells
    assert knows is system.now(code), f"{code}: the last notice told {knows.name}"
