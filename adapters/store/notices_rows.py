"""What the notices' port speaks of <-> rows of its tables (pure). Columns are given in the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import TypeVar

import msgspec

from adapters.store.chat_rows import ButtonCells, button_cells
from adapters.store.lists import Columns
from adapters.store.rows import Row, from_ms, to_ms
from adapters.store.tables import OutboxStates, metadata
from domain.codes import DossierCode, read_reference
from domain.message import Address, Category
from domain.notices import URGENCIES, Known, NoticeKind
from notifications.ports import (
    Follower,
    Hold,
    Look,
    NewFollow,
    NewNotice,
    PendingNotice,
    SeenDossier,
    Sighting,
    Stoppage,
    Told,
)

Value = TypeVar("Value")
RowOf = TypeVar("RowOf")


def of_table(table: str, names: Sequence[str]) -> Columns:
    """Columns with the types the table gives them."""
    return [(name, str(metadata.tables[table].c[name].type).lower()) for name in names]


SEEN_COLUMNS = (
    "source",
    "dossier_code",
    "version",
    "known",
    "agency",
    "unit",
    "procedure",
    "received_at",
    "finished_at",
    "returned_at",
    "changed_at",
    "first_seen_at",
    "apologised",
    "reminded_for",
    "gone",
)
SIGHTING_COLUMNS = of_table("dossier_seen", (*SEEN_COLUMNS, "status", "due_on", "seen_at"))
NOTICE_COLUMNS = of_table(
    "outbox",
    (
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
        "dossier_code",
        "version",
        "state",
        "created_at",
        "available_at",
        "expires_at",
        "attempts",
        "reason",
    ),
)
FOLLOW_COLUMNS = of_table(
    "subscription",
    (
        "recipient",
        "dossier_code",
        "source",
        "channel",
        "account",
        "sender",
        "origin",
        "proved",
        "known",
        "version",
        "followed_at",
    ),
)
CONSENT_COLUMNS = of_table("consent", ("recipient", "action", "dossier_code", "words", "channel", "given_at"))
TOLD_COLUMNS = of_table("subscription", ("recipient", "dossier_code", "source", "version", "known"))
# Of a subscription `s` and its person `p`.
FOLLOWER_CELLS = (
    "s.recipient",
    "s.channel",
    "s.account",
    "s.sender",
    "s.dossier_code",
    "s.source",
    "s.known",
    "s.version",
    "s.proved",
    "p.language",
    "p.accents",
)

Flag = bool | int  # SQLite has no other truth than 1
SeenRow = tuple[
    str,
    str,
    int,
    str,
    str,
    str,
    str,
    int | None,
    int | None,
    int | None,
    int | None,
    int,
    Flag,
    str | None,
    Flag,
]
FollowerRow = tuple[str, str, str, str, str, str, str | None, int | None, Flag, str | None, Flag | None]
PendingRow = tuple[int, str, str, str | None, str, int]  # id, dossier_code, recipient, params, state, available_at
HoldRow = tuple[int, str, int, int, int, int]
LookRow = tuple[int, str, int]
StoppageRow = tuple[int, int, int, str, Flag]


class Params(msgspec.Struct, kw_only=True, omit_defaults=True):
    """outbox.params of a notice. `before` is Known.text of what the person knew. Of a notice that goes to another
    address than the person's own: `person` is the own one as URN, `place` that of next_address. `next` on one that was
    sent on: the id of the row that follows it. `buttons` as chat_rows reads them of any row.
    """

    kind: str = ""
    before: str | None = None
    urgency: str = ""
    person: str = msgspec.field(name="for", default="")
    place: int = 0
    next: int = 0
    buttons: ButtonCells = ()


def moment(value: datetime | None) -> int | None:
    return None if value is None else to_ms(value)


def read_moment(value: int | None) -> datetime | None:
    return None if value is None else from_ms(value)


def sighting_row(sighting: Sighting, now: int) -> Row:
    """A row of SIGHTING_COLUMNS."""
    seen = sighting.dossier
    return (
        seen.source,
        seen.code.reference,
        seen.version,
        seen.known.text,
        seen.agency,
        seen.unit,
        seen.procedure,
        moment(seen.received_at),
        moment(seen.finished_at),
        moment(seen.returned_at),
        moment(seen.changed_at),
        to_ms(seen.first_seen_at),
        seen.apologised,
        _day(seen.reminded_for),
        seen.gone,
        None if seen.status is None else int(seen.status),
        _day(seen.due_on),
        now,
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def notice_row(notice: NewNotice) -> Row:
    """A row of NOTICE_COLUMNS."""
    params = Params(
        kind=notice.kind.value,
        before=None if notice.before is None else notice.before.text,
        urgency=URGENCIES[notice.kind].value,
        buttons=button_cells(notice.buttons),
    )
    return (
        notice.id,
        notice.channel,
        notice.account,
        Category.NOTICE.value,
        Category.NOTICE.priority,
        notice.recipient.urn,
        notice.sender.urn,
        notice.text,
        notice.language,
        written_params(params),
        notice.source,
        (notice.subject or None) if notice.code is None else notice.code.reference,
        notice.version,
        OutboxStates.HELD if notice.held else OutboxStates.READY,
        to_ms(notice.created_at),
        to_ms(notice.available_at),
        to_ms(notice.expires_at),
        0,
        notice.reason or None,
    )


def written_params(params: Params) -> str:
    return msgspec.json.encode(params).decode()


def read_params(payload: str | None) -> Params:
    return Params() if payload is None else msgspec.json.decode(payload, type=Params)


def follow_row(follow: NewFollow, now: int) -> Row:
    """A row of FOLLOW_COLUMNS."""
    return (
        follow.address.urn,
        follow.code.reference,
        follow.source,
        follow.channel,
        follow.account,
        follow.sender.urn,
        "dossier",
        False,
        None if follow.known is None else follow.known.text,
        follow.version,
        now,
    )


def follow_consent_row(follow: NewFollow, now: int) -> Row:
    """A row of CONSENT_COLUMNS."""
    return follow.address.urn, "follow", follow.code.reference, follow.words, follow.channel, now


def told_row(told: Told) -> Row:
    """A row of TOLD_COLUMNS."""
    return told.address.urn, told.code.reference, told.source, told.version, told.known.text


def read_all(rows: Iterable[RowOf], read: Callable[[RowOf], Value | None]) -> Sequence[Value]:
    """Those that can be read: a row whose code no form of today knows is passed over."""
    return [value for row in rows if (value := read(row)) is not None]


def read_seen(row: SeenRow) -> SeenDossier | None:
    """A row of SEEN_COLUMNS."""
    source, reference, version, known, agency, unit, procedure, *_ = row
    received_at, finished_at, returned_at, changed_at, first_seen_at, apologised, reminded_for, gone = row[7:]
    code = read_reference(reference)
    if code is None:
        return None
    return SeenDossier(
        source=source,
        code=code,
        version=version,
        known=Known.read(known),
        agency=agency,
        unit=unit,
        procedure=procedure,
        received_at=read_moment(received_at),
        finished_at=read_moment(finished_at),
        returned_at=read_moment(returned_at),
        changed_at=read_moment(changed_at),
        first_seen_at=from_ms(first_seen_at),
        apologised=bool(apologised),
        reminded_for=None if reminded_for is None else date.fromisoformat(reminded_for),
        gone=bool(gone),
    )


def read_follower(row: FollowerRow, pending: Mapping[tuple[str, str], PendingNotice]) -> Follower | None:
    """A row of FOLLOWER_CELLS; `pending` by recipient and reference."""
    recipient, channel, account, sender, reference, source, known, version, proved, language, accents = row
    code = read_reference(reference)
    if code is None:
        return None
    return Follower(
        address=Address.from_urn(recipient),
        channel=channel,
        account=account,
        sender=Address.from_urn(sender),
        code=code,
        source=source,
        known=Known.read(known) if known else None,
        version=version,
        proved=bool(proved),
        language=language,
        accents=None if accents is None else bool(accents),
        pending=pending.get((recipient, reference)),
    )


def read_pending(rows: Iterable[PendingRow]) -> Mapping[tuple[str, str], PendingNotice]:
    """The newest of each person and dossier, also where it is on its way to another address of that person."""
    newest: dict[tuple[str, str], PendingNotice] = {}
    for identifier, reference, recipient, payload, state, available_at in sorted(rows, key=itemgetter(0)):
        params = read_params(payload)
        newest[params.person or recipient, reference] = PendingNotice(
            id=identifier,
            before=Known.read(params.before) if params.before else None,
            kind=NoticeKind(params.kind) if params.kind else None,
            available_at=from_ms(available_at),
            held=state == OutboxStates.HELD,
        )
    return newest


def read_look(row: LookRow) -> Look | None:
    identifier, reference, attempts = row
    code = read_reference(reference)
    if code is None:
        return None
    return Look(id=identifier, code=code, attempts=attempts)


def read_hold(row: HoldRow) -> Hold:
    identifier, source, opened_at, changes, tracked, waiting = row
    return Hold(
        id=identifier, source=source, opened_at=from_ms(opened_at), changes=changes, tracked=tracked, waiting=waiting
    )


def read_stoppage(row: StoppageRow) -> Stoppage:
    identifier, starts_at, ends_at, texts, tell_followers = row
    return Stoppage(
        id=identifier,
        starts_at=from_ms(starts_at),
        ends_at=from_ms(ends_at),
        texts=msgspec.json.decode(texts, type=dict[str, str]),
        tell_followers=bool(tell_followers),
    )


def written_texts(texts: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(texts)).decode()


def by_code(followers: Iterable[Follower]) -> Mapping[DossierCode, Sequence[Follower]]:
    grouped: dict[DossierCode, list[Follower]] = {}
    for follower in followers:
        grouped.setdefault(follower.code, []).append(follower)
    return grouped
