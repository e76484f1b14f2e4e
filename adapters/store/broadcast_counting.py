"""Whom a broadcast would reach, counted and shown before anything is written, on both engines: nobody is in mind but as a
number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.store.broadcast_audience import FAILED, WALKED_AT_ONCE, recipients, stretch
from adapters.store.letters import masked
from adapters.store.notices_dialect import Dialect
from adapters.store.pins import Runner
from adapters.store.steps import Steps, Values
from console.broadcasts.ports import AudienceCount, DayCount, PreviewRow
from domain.broadcast_fitness import Longest
from domain.broadcasts import Audience, AudienceKind
from domain.message import Address
from notifications.ports import Candidate, Recipient

COUNTED_AT_ONCE = 500  # candidates
PREVIEWED = 500  # dossiers that are looked at for a preview: a page waits for it
NUMBERS_CHANNEL = "sms"
FAILED_OF = f"SELECT count(*) FROM outbox AS o WHERE o.broadcast_id = :id AND {FAILED}"  # noqa: S608 - a constant of ours
AGENCY_OF = "SELECT agency FROM broadcast WHERE id = :id"


class StoreAudiences:
    """Walks audiences. `look` only reads."""

    def __init__(self, look: Runner, dialect: Dialect, clock: Callable[[], datetime]) -> None:
        self._look = look
        self._dialect = dialect
        self._clock = clock

    async def within(self, audience: Audience, identifier: int, scope: frozenset[str]) -> Audience | None:
        """What of an audience lies within reach of somebody; None: nothing. Of a list: the broadcast that has it."""
        agencies = tuple(each for each in audience.agencies if each in scope)
        asked = [audience.failed_of] if audience.failed_of else []
        asked += [identifier] if audience.kind is AudienceKind.FILE else []
        for broadcast in asked:
            rows = await self._look(_rows(AGENCY_OF, {"id": broadcast}))
            if not rows or rows[0][0] not in scope:
                return None
        return replace(audience, agencies=agencies) if agencies else None

    async def count(
        self, audience: Audience, *, identifier: int, limit: int | None = None, day: DayCount | None = None
    ) -> AudienceCount:
        """See console.broadcasts.ports.Broadcasts.count."""
        counting = Counting()
        if audience.failed_of and audience.kind is AudienceKind.NUMBERS:
            failed = (await self._look(_rows(FAILED_OF, {"id": audience.failed_of})))[0][0]
            return AudienceCount(dossiers=failed, people={NUMBERS_CHANNEL: failed})
        position, end = "", False
        walked = WALKED_AT_ONCE if limit is None else min(limit, WALKED_AT_ONCE)
        while not end and (limit is None or counting.dossiers < limit):
            walk = stretch(self._dialect, audience, identifier, position, COUNTED_AT_ONCE, self._clock(), walked)
            part = await self._look(walk)
            known = await self._look(
                recipients(
                    self._dialect,
                    counting.fresh(part.candidates),
                    failed_of=audience.failed_of,
                    booked_since=None if day is None else day.began,
                )
            )
            counting.add(part.candidates, known, part.looked_at, failed_only=bool(audience.failed_of), day=day)
            position, end = part.position, part.end
        return counting.result(more=not end)

    async def preview(self, audience: Audience, *, identifier: int, limit: int) -> Sequence[PreviewRow]:
        """See console.broadcasts.ports.Broadcasts.preview."""
        position, end, looked_at = "", False, 0
        rows: list[PreviewRow] = []
        seen: set[Address] = set()
        while not end and len(rows) < limit and looked_at < PREVIEWED:
            walk = stretch(self._dialect, audience, identifier, position, limit, self._clock(), PREVIEWED)
            part = await self._look(walk)
            looked_at += part.looked_at
            fresh = [each for each in part.candidates if each.address is None or each.address not in seen]
            addresses = list(dict.fromkeys(each.address for each in fresh if each.address is not None))
            known = await self._look(recipients(self._dialect, addresses, failed_of=audience.failed_of))
            for each in fresh:
                person = known.get(each.address, Recipient()) if each.address else Recipient(failed=True)
                if each.address in seen or person.silent or (audience.failed_of and not person.failed):
                    continue
                seen |= {each.address} if each.address else set()
                rows.append(_preview(each, person))
            position, end = part.position, part.end
        return rows[:limit]


def _rows(statement: str, values: Values) -> Steps[Sequence[Any]]:
    return (yield statement, values)


def _preview(candidate: Candidate, person: Recipient) -> PreviewRow:
    return PreviewRow(
        recipient=masked(candidate.address.value) if candidate.address else "",
        channel=candidate.channel or NUMBERS_CHANNEL,
        language=candidate.language or person.language,
        plain=person.accents is False,
        facts=candidate.facts,
        values=candidate.values,
    )


class Counting:
    """People counted once each, however long the walk: of each only a number is kept in mind."""

    def __init__(self) -> None:
        self.dossiers = 0
        self._people: Counter[str] = Counter()
        self._taken_out: Counter[str] = Counter()
        self._waits = 0
        self._seen: set[int] = set()
        self._longest = Longest()

    def fresh(self, candidates: Sequence[Candidate]) -> Sequence[Address]:
        """Those nobody counted yet."""
        addresses = dict.fromkeys(each.address for each in candidates if each.address is not None)
        return [address for address in addresses if hash(address) not in self._seen]

    def add(
        self,
        candidates: Sequence[Candidate],
        known: Mapping[Address, Recipient],
        looked_at: int,
        *,
        failed_only: bool,
        day: DayCount | None,
    ) -> None:
        self.dossiers += looked_at
        for each in candidates:
            self._longest.add(each.values)
            if each.address is None:
                self._people[NUMBERS_CHANNEL] += 1
            elif each.address in known and hash(each.address) not in self._seen:
                self._seen.add(hash(each.address))
                self._person(each, known[each.address], failed_only=failed_only, day=day)

    def _person(self, candidate: Candidate, person: Recipient, *, failed_only: bool, day: DayCount | None) -> None:
        if failed_only and not person.failed:
            return
        if person.silent:
            self._taken_out[person.silent] += 1
            return
        self._people[candidate.channel] += 1
        self._waits += day is not None and len(person.booked) >= day.per_day

    def result(self, *, more: bool) -> AudienceCount:
        return AudienceCount(
            dossiers=self.dossiers,
            people=dict(self._people),
            taken_out=dict(self._taken_out),
            waits=self._waits,
            more=more,
            longest=self._longest.values(),
        )
