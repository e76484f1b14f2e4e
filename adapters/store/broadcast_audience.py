"""Whom a broadcast is for, stretch by stretch: counting, previewing and writing walk the same way, on both engines.

Dossiers are walked along `ix_dossier_seen_audience`, agency by agency and state by state, a bounded stretch in each
statement; from each the followers are reached by key. A position says how far that came: `[agency, status, source, code,
recipient]`, the last one empty where all of a dossier is done; of a list its line.
"""

# ruff: noqa: S608 - these are put together from the constants of this module, never from data

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from adapters.store.broadcast_rows import as_json
from adapters.store.claim_rule import blocked
from adapters.store.notices_dialect import Dialect
from adapters.store.rows import decode, from_ms, to_ms
from adapters.store.steps import Steps
from domain.broadcast_texts import DossierFacts
from domain.broadcasts import Audience, AudienceKind
from domain.calendar import local_day, local_moment
from domain.codes import read_reference
from domain.dossier import CLOSED, DossierStatus
from domain.message import Address
from notifications.ports import Candidate, Recipient, Stretch

WALKED = 500  # dossiers, or lines of a list, in one statement
WALKED_AT_ONCE = 5_000  # in one call, where few of them are meant
FAILED = """(o.state IN ('rejected', 'expired', 'unknown') OR (o.state = 'accepted'
    AND o.delivery_status IN ('undeliverable', 'expired', 'rejected', 'deleted')))"""

Lane = tuple[str, int | None]  # an agency and a status; None: a state nobody mapped


@dataclass(frozen=True, slots=True)
class Position:
    """In a walk over dossiers."""

    agency: str
    status: int | None
    source: str = ""
    code: str = ""
    recipient: str = ""

    @property
    def text(self) -> str:
        return as_json((self.agency, self.status, self.source, self.code, self.recipient))

    @property
    def lane(self) -> Lane:
        return self.agency, self.status


def lanes(audience: Audience) -> Sequence[Lane]:
    """Where its dossiers lie; without those of states that are not meant."""
    pending = audience.late or audience.due_in_days is not None
    known = audience.statuses or tuple(int(status) for status in DossierStatus)
    meant: list[int | None] = [status for status in known if not (pending and status in CLOSED)]
    if not audience.statuses:
        meant.append(None)
    return [(agency, status) for agency in sorted(set(audience.agencies)) for status in meant]


def stretch(
    dialect: Dialect,
    audience: Audience,
    broadcast: int,
    position: str,
    limit: int,
    now: datetime,
    walked: int = WALKED_AT_ONCE,
) -> Steps[Stretch]:
    """What follows `position` ("": the beginning), at most `limit` candidates. `broadcast`: whose list it is, of a list;
    `walked`: how many dossiers are looked at before the rest is left for another time.
    """
    if audience.kind is AudienceKind.FILE:
        return (yield from _listed(dialect, broadcast, position, limit))
    return (yield from _walked(dialect, audience, position, limit, now, walked))


# The list a broadcast took, or, where it sends again, the one taken by the first of those it repeats: whose rows these
# are is asked of the rows.
OWN_LIST = """WITH RECURSIVE line (id, resend_of) AS (
    SELECT b.id, b.resend_of FROM broadcast AS b WHERE b.id = :id
    UNION ALL SELECT b.id, b.resend_of FROM line AS l JOIN broadcast AS b ON b.id = l.resend_of)
SELECT o.upload, o.owner FROM (SELECT b.upload, (SELECT r.broadcast_id FROM broadcast_row AS r
    WHERE r.upload = b.upload ORDER BY r.position LIMIT 1) AS owner FROM broadcast AS b WHERE b.id = :id) AS o
WHERE o.owner IN (SELECT l.id FROM line AS l)"""


def _listed(dialect: Dialect, broadcast: int, position: str, limit: int) -> Steps[Stretch]:
    own = yield OWN_LIST, {"id": broadcast}
    if not own:
        return Stretch(candidates=(), position=position, looked_at=0, end=True)
    upload, owner = own[0]
    rows = """(SELECT r.position, r.recipient, r.language, r.cells FROM broadcast_row AS r
    WHERE r.upload = :upload AND r.broadcast_id = :owner AND r.position > :after ORDER BY r.position LIMIT :limit) AS w"""
    asked = dialect.grouped(("w.position", "w.recipient", "w.language", "w.cells"), rows)
    most = min(limit, WALKED)
    [(payload,)] = yield (
        asked,
        {
            "upload": upload,
            "owner": owner,
            "after": int(position or 0),
            "limit": most,
        },
    )
    found = sorted(decode(payload, list[tuple[int, str, str | None, str]]))
    candidates = [
        Candidate(
            position=str(line),
            address=(address := Address.from_urn(urn)),
            channel=address.scheme,
            values=msgspec.json.decode(cells, type=dict[str, str]),
            language=language,
        )
        for line, urn, language, cells in found
    ]
    after = candidates[-1].position if candidates else position
    return Stretch(candidates=candidates, position=after, looked_at=len(found), end=len(found) < most)


def _walked(
    dialect: Dialect, audience: Audience, position: str, limit: int, now: datetime, walked: int
) -> Steps[Stretch]:
    every = lanes(audience)
    at = _read_position(position) if position else None
    if at is None:
        at = yield from _next_lane(dialect, every)
    candidates: list[Candidate] = []
    looked_at = 0
    while at is not None and len(candidates) < limit and looked_at < walked:
        page, found, at_end = yield from _page(dialect, audience, at, now)
        fresh = [each for each in found if at.recipient < _recipient(each) or not _same_dossier(each, at)]
        kept = fresh[: limit - len(candidates)]
        candidates += kept
        looked_at += page
        if len(kept) < len(fresh):
            at = _read_position(kept[-1].position)
        elif page == WALKED:
            at = at_end
        else:
            at = yield from _next_lane(dialect, every[every.index(at.lane) + 1 :])
    return Stretch(
        candidates=candidates, position=position if at is None else at.text, looked_at=looked_at, end=at is None
    )


def _next_lane(dialect: Dialect, rest: Sequence[Lane]) -> Steps[Position | None]:
    """The first that has a dossier."""
    if not rest:
        return None
    given = dialect.given("lanes", (("n", "bigint"), ("agency", "text"), ("status", "smallint")))
    there = f"SELECT 1 FROM dossier_seen AS d{dialect.by('ix_dossier_seen_audience')} WHERE d.agency = l.agency AND NOT d.gone"
    statement = f"""SELECT min(l.n) FROM {given} AS l WHERE CASE WHEN l.status IS NULL
    THEN EXISTS ({there} AND d.status IS NULL) ELSE EXISTS ({there} AND d.status = l.status) END"""
    rows = [(number, *lane) for number, lane in enumerate(rest)]
    [(first,)] = yield statement, {"lanes": as_json(rows)}
    return None if first is None else Position(*rest[first])


def _page(
    dialect: Dialect, audience: Audience, at: Position, now: datetime
) -> Steps[tuple[int, Sequence[Candidate], Position]]:
    """One stretch of a lane: how many dossiers it has, who of them is meant, and its end."""
    conditions, values = _narrowed(audience, local_day(now))
    beyond = ">=" if at.recipient else ">"
    # Another index would give the order of sources and codes, too, and walk over all other lanes: so the status stands in
    # the order, and no equation makes it go without saying; of the few without one the source is no column of an index.
    lane = "d.status IS NULL AND (d.source || '', d.dossier_code)", "(:source, :code)"
    if at.status is not None:
        lane = "d.status <= :status AND (d.status, d.source, d.dossier_code)", "(:status, :source, :code)"
    page = f"""WITH page AS MATERIALIZED (SELECT p.*, row_number() OVER (ORDER BY p.source, p.dossier_code) AS n FROM (
    SELECT d.source, d.dossier_code, d.agency, d.procedure, d.status, d.due_on, d.received_at
    FROM dossier_seen AS d{dialect.by("ix_dossier_seen_audience")}
    WHERE d.agency = :agency AND NOT d.gone AND {lane[0]} {beyond} {lane[1]}
    ORDER BY d.status, d.source, d.dossier_code LIMIT {WALKED}) AS p)"""
    source, cells = "page AS p", [*_DOSSIER_CELLS, *("''" for _ in _FOLLOWER_CELLS)]
    if audience.kind is AudienceKind.FOLLOWERS:
        source += f" CROSS JOIN subscription AS s{dialect.by('ix_subscription_code')}"
        cells = [*_DOSSIER_CELLS, *_FOLLOWER_CELLS]
        conditions = [
            "s.dossier_code = p.dossier_code AND s.ended_at IS NULL AND s.source = p.source",
            *conditions,
        ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    last = "FROM page ORDER BY n DESC LIMIT 1"
    statement = f"""{page} SELECT (SELECT count(*) FROM page), (SELECT source {last}), (SELECT dossier_code {last}),
    ({dialect.grouped(cells, source + where)})"""
    asked: dict[str, int | str | None] = {"agency": at.agency, "source": at.source, "code": at.code, **values}
    if at.status is not None:
        asked["status"] = at.status
    [(count, source, code, payload)] = yield statement, asked
    rows = sorted(decode(payload, list[tuple[Any, ...]]), key=lambda row: (row[0], row[7]))
    found = [each for row in rows if (each := _candidate(at, row)) is not None]
    return count, found, Position(*at.lane, source or at.source, code or at.code)


_DOSSIER_CELLS = ("p.n", "p.source", "p.dossier_code", "p.agency", "p.procedure", "p.status", "p.due_on")
_FOLLOWER_CELLS = ("s.recipient", "s.channel", "s.account", "s.sender")


def _candidate(at: Position, row: Sequence[Any]) -> Candidate | None:
    """None: a code no form of today knows."""
    _, source, reference, agency, procedure, status, due_on, recipient, channel, account, sender = row
    code = read_reference(reference)
    if code is None:
        return None
    return Candidate(
        position=Position(*at.lane, source, reference, recipient).text,
        address=Address.from_urn(recipient) if recipient else None,
        channel=channel,
        account=account,
        sender=Address.from_urn(sender) if sender else None,
        source=source,
        facts=DossierFacts(
            code=code,
            agency=agency,
            procedure=procedure,
            status=None if status is None else DossierStatus(status),
            due_on=None if due_on is None else date.fromisoformat(due_on),
        ),
    )


def _narrowed(audience: Audience, today: date) -> tuple[list[str], Mapping[str, int | str]]:
    """Conditions on a dossier `p` of a page."""
    given: dict[str, tuple[str, int | str] | None] = {
        "procedure": ("p.procedure = :procedure", audience.procedure) if audience.procedure else None,
        "since": ("p.received_at >= :since", _midnight(audience.received_from)) if audience.received_from else None,
        "until": (
            ("p.received_at < :until", _midnight(audience.received_to + timedelta(days=1)))
            if audience.received_to
            else None
        ),
        "late": ("p.due_on < :late", today.isoformat()) if audience.late else None,
    }
    if audience.due_in_days is not None:
        given["from_day"] = ("p.due_on >= :from_day", today.isoformat())
        given["to_day"] = ("p.due_on <= :to_day", (today + timedelta(days=audience.due_in_days)).isoformat())
    chosen = {name: each for name, each in given.items() if each is not None}
    return [condition for condition, _ in chosen.values()], {name: value for name, (_, value) in chosen.items()}


def _midnight(day: date) -> int:
    return to_ms(local_moment(day, time(0)))


def _read_position(text: str) -> Position:
    return Position(*msgspec.json.decode(text, type=tuple[str, int | None, str, str, str]))


def _recipient(candidate: Candidate) -> str:
    return _read_position(candidate.position).recipient


def _same_dossier(candidate: Candidate, at: Position) -> bool:
    place = _read_position(candidate.position)
    return (place.source, place.code) == (at.source, at.code)


# ---- what is known of people


def recipients(
    dialect: Dialect,
    addresses: Sequence[Address],
    *,
    broadcast: int = 0,
    failed_of: int = 0,
    booked_since: datetime | None = None,
) -> Steps[Mapping[Address, Recipient]]:
    """Of each of them, person by person, so that each is a look into an index."""
    if not addresses:
        return {}
    people = dialect.given("people", (("recipient", "text"),))
    stopped = f"CASE WHEN {blocked('g.recipient')} THEN 'blocked' ELSE 'stopped_all' END"
    has_one = "SELECT 1 FROM outbox AS o WHERE o.recipient = g.recipient AND o.broadcast_id"
    booked = "'[]'" if booked_since is None else _booked(dialect)
    cells = (
        "g.recipient",
        "p.language",
        "CASE WHEN p.accents IS NULL THEN NULL WHEN p.accents THEN 1 ELSE 0 END",
        f"CASE WHEN p.stopped_at IS NULL THEN '' ELSE {stopped} END",
        f"CASE WHEN EXISTS ({has_one} = :broadcast) THEN 1 ELSE 0 END" if broadcast else "0",
        f"CASE WHEN EXISTS ({has_one} = :failed_of AND {FAILED}) THEN 1 ELSE 0 END" if failed_of else "0",
        booked,
    )
    asked = dialect.grouped(cells, f"{people} AS g LEFT JOIN person AS p ON p.address = g.recipient")
    values: dict[str, int | str | None] = {
        "people": as_json([(address.urn,) for address in addresses]),
        "broadcast": broadcast,
        "failed_of": failed_of,
    }
    if booked_since is not None:
        values["since"] = to_ms(booked_since)
    [(payload,)] = yield asked, values
    rows = decode(payload, list[tuple[str, str | None, int | None, str, int, int, str]])
    return {Address.from_urn(urn): _recipient_of(rest) for urn, *rest in rows}


def _booked(dialect: Dialect) -> str:
    """The moments of one person's notices and broadcasts, two JSON texts as one: `[[1],[2]]|[[3]]`."""
    by_category = {"notice": "ix_outbox_notices", "broadcast": "ix_outbox_broadcasts"}
    parts = [
        dialect.grouped(
            ("o.available_at",),
            f"""outbox AS o{dialect.by(index)} WHERE o.category = '{category}' AND o.recipient = g.recipient
    AND o.available_at >= :since AND o.state NOT IN ('merged', 'dropped', 'held')""",
        )
        for category, index in by_category.items()
    ]
    return " || '|' || ".join(f"({part})" for part in parts)


def _recipient_of(cells: Sequence[Any]) -> Recipient:
    language, accents, silent, written, failed, booked = cells
    moments = [row[0] for part in booked.split("|") for row in decode(part, list[tuple[int]])]
    return Recipient(
        language=language,
        accents=None if accents is None else bool(accents),
        silent=silent,
        written=bool(written),
        failed=bool(failed),
        booked=[from_ms(each) for each in moments],
    )
