"""Fills a store on PostgreSQL as ninety days of a province would: messages, dossiers, broadcasts, opinions, officers.

Rows are made by the database itself, spread evenly over the time; indexes are left out meanwhile and made afterwards.
"""

# ruff: noqa: S608 - statements are put together from the constants of this module, never from data

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.store.broadcast_rows import as_json, broadcast_cells
from adapters.store.housekeeping import first_id
from adapters.store.rows import to_ms
from console.accounts.sessions import digest_of, new_secret
from domain.broadcasts import Audience, AudienceKind, Broadcast, BroadcastState
from domain.officers import Officer, OfficerRole

DAYS: Final = 90
DAY_MS: Final = 86_400_000
ID_BITS: Final = 21  # of an id below its moment (domain.ids)
MANY: Final = 100_000  # messages of each of two broadcasts, lines of a list
CHUNK: Final = 500  # messages of a broadcast in one transaction
BROADCASTS, SMALL_ROWS = 200, 100
OFFICERS, SESSIONS, AUDIT, OPINIONS, SITES = 300, 500, 50_000, 5_000, 40
ACCOUNT, SHORT_CODE = "demo", "8100"  # of tests.whole.gateways
PROVINCE: Final = "H13"
AGENCIES: Final = tuple(f"H13.{number:02}" for number in (4, 1, 2, 3, 5, 8, 10, 11, 12, 13, 14, 16, 17, 19)) + tuple(
    f"H13.{number}" for number in range(161, 177)
)
AGENCY: Final = AGENCIES[0]  # has three dossiers in ten, and the narrow officer
BASIS: Final = "Quyết định 40/2016/QĐ-UBND điều 5"
TEXTS: Final = {
    "vi": "Hồ sơ {ma_ho_so} tại {co_quan}: cơ quan nghỉ ngày 30/4, hẹn trả {ngay_hen}.",
    "en": "Dossier {ma_ho_so}: closed on 30 April.",
}
HOT_NUMBER: Final = "84910099999"  # asks all day, about dossiers of everybody
HOT_PEOPLE, HOT_DOSSIERS = 20, 100
OWN_SHARE: Final = 3  # of ten dossiers are AGENCY's

_INBOX, _REPLIES, _NOTICES = 38, 37, 5  # of a hundred messages; the rest are of the two broadcasts, at full size


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """An officer who is signed in: what the cookie holds."""

    officer: Officer
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What there is to be looked at: officers by what they are to the walk, broadcasts by what they are."""

    count: int
    at: datetime
    who: Mapping[str, Who]
    broadcasts: Mapping[str, int]

    def code(self, number: int) -> str:
        """Of the dossier with this number."""
        day, serial = divmod(number, _per_day(self.count))
        on = self.at - timedelta(days=DAYS) + timedelta(days=day)
        return f"{agency_of(number)}-{on:%y%m%d}-{serial + 1:05}"


def agency_of(number: int) -> str:
    """Whose this dossier is."""
    return AGENCY if number % 10 < OWN_SHARE else AGENCIES[number % len(AGENCIES)]


def _per_day(count: int) -> int:
    return -(-count // DAYS)


# ---- what the database makes

_AGENCY = f"(CASE WHEN {{n}} % 10 < {OWN_SHARE} THEN '{AGENCY}' ELSE agencies[1 + {{n}} % {len(AGENCIES)}] END)"
_CODE = (
    f"({_AGENCY} || '-' || to_char(since + ({{n}} / per_day) * interval '1 day', 'YYMMDD')"
    " || '-' || lpad((1 + {n} % per_day)::text, 5, '0'))"
)
# Every statement has `count`, `began` (milliseconds), `first` (an id), `since`, `per_day` and `agencies` at hand.
_GIVEN = """(SELECT CAST(:count AS bigint) AS count, CAST(:began AS bigint) AS began, CAST(:first AS bigint) AS first,
    CAST(:since AS timestamp) AS since, CAST(:per_day AS bigint) AS per_day, string_to_array(:agencies, ' ') AS agencies) AS g"""


def _code(number: str) -> str:
    return _CODE.replace("{n}", f"({number})")


def _agency(number: str) -> str:
    return _AGENCY.replace("{n}", f"({number})")


def _moment(number: str, of: str) -> str:
    return f"(began + {number} * {DAYS * DAY_MS}::bigint / ({of}))"


def _id(number: str, of: str) -> str:
    return f"(first + (({number} * {DAYS * DAY_MS}::bigint / ({of})) << {ID_BITS}) + {number} % 100 * 8)"


def _series(last: str) -> str:
    return f"FROM {_GIVEN}, LATERAL generate_series(1, {last}) AS n"


_ASKED = f"count * {_INBOX} / 100"
_TOLD = f"count * {_NOTICES} / 100"
# One in a hundred messages is of somebody who asks much, one in 76 of a single number; the others are of many.
_SENDER = f"""(CASE WHEN n % 76 = 1 THEN 'sms:{HOT_NUMBER}' WHEN n % 100 = 0 THEN 'sms:849000000' || lpad((n / 100 % {HOT_PEOPLE})::text, 2, '0')
    ELSE 'sms:849' || lpad((n * 7919 % 150000)::text, 8, '0') END)"""
_ASKED_ABOUT = f"""(CASE WHEN n % 400 = 3 THEN {_code("count / 2")} WHEN n % 100 = 7 THEN {_code(f"count / 3 + n / 100 % {HOT_DOSSIERS}")}
    WHEN n % 5 > 0 THEN {_code("n * 104729 % count")} END)"""
_STATUS = """(CASE WHEN n % 1000 = 1 THEN NULL WHEN n > count * 85 / 100 THEN (ARRAY[1, 2, 4, 4, 4, 4, 5, 6])[1 + n % 8]
    WHEN n % 50 = 0 THEN 4 WHEN n % 3 = 0 THEN 9 ELSE 10 END)"""

HISTORY: Sequence[str] = (
    f"""INSERT INTO inbox (id, channel, account, identity, sender, recipient, session, text, received_at, state, inquiry,
        outcome, dossier_code, owner, acknowledged_at, acknowledged_ok, decided_at)
    SELECT {_id("n", _ASKED)}, CASE WHEN n % 10 = 9 THEN 'telegram' ELSE 'sms' END, '{ACCOUNT}', md5(n::text),
        {_SENDER}, 'sms:{SHORT_CODE}', 'demo/1', 'TRA CUU ho so cua toi, cam on ' || n, {_moment("n", _ASKED)},
        CASE WHEN n % 38 = 5 THEN 'muted' ELSE 'decided' END, 'look_up', 'found', {_ASKED_ABOUT}, 7,
        {_moment("n", _ASKED)}, true, {_moment("n", _ASKED)} {_series(_ASKED)}""",
    f"""INSERT INTO outbox (id, inbound_id, channel, account, category, priority, recipient, sender, text, language,
        dossier_code, state, created_at, available_at, expires_at, attempts, handed_over_at, settled_at,
        delivery_status, delivered_at)
    SELECT {_id("n", _ASKED)} + 1, {_id("n", _ASKED)}, CASE WHEN n % 10 = 9 THEN 'telegram' ELSE 'sms' END, '{ACCOUNT}',
        'reply', 0, {_SENDER}, 'sms:{SHORT_CODE}', 'Ho so dang duoc xu ly tai co quan, hen tra ngay 30/11/2026.', 'vi',
        {_ASKED_ABOUT}, 'accepted', at, at, at + {DAY_MS}, 1, at + n % 3000, at + n % 3000 + 100,
        CASE WHEN n % 50 = 0 THEN 'undeliverable' ELSE 'delivered' END, at + 9000
    FROM (SELECT *, {_moment("n", _ASKED)} AS at {_series(_ASKED)}) AS each WHERE n % 38 <> 5""",
    f"""INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, language, params, source,
        dossier_code, version, state, created_at, available_at, expires_at, attempts, handed_over_at, settled_at, reason,
        delivery_status, delivered_at)
    SELECT {_id("n", _TOLD)} + 2, 'sms', '{ACCOUNT}', 'notice', 1, 'sms:849' || lpad((n * 7919 % 150000)::text, 8, '0'),
        'sms:{SHORT_CODE}', 'Ho so da co ket qua.', 'vi', '{{"kind":"ready"}}', 'province', {_code("n * 20 % count")}, 3,
        CASE WHEN n > count * 4 / 100 + 9000 THEN 'held' WHEN n % 100 = 1 THEN 'rejected' ELSE 'accepted' END, at, at,
        at + 4 * {DAY_MS}, 1, at + 500, at + 900, CASE WHEN n % 100 = 1 THEN 'refused' END, 'delivered', at + 9000
    FROM (SELECT *, {_moment("n", _TOLD)} AS at {_series(_TOLD)}) AS each""",
    """INSERT INTO submission (outbox_id, attempt, segment, segments, account, external_id, command_status, submitted_at,
        report_status, report_at)
    SELECT id, attempts, 1, 1, account, 'e' || id, 0, handed_over_at, delivery_status, delivered_at
    FROM outbox WHERE state = 'accepted' AND (attempts > 0)""",
    f"""INSERT INTO report (channel, account, external_id, status, received_at, error, text)
    SELECT 'sms', '{ACCOUNT}', 'orphan' || n, 'delivered', {_moment("n", "count / 50")}, '000', ''
    {_series("count / 50")}""",
    f"""INSERT INTO feedback (number, inbound_id, sender, text, received_at, agency, dossier_code, answer, answered_at,
        answered_by, answer_id)
    SELECT n, {_id(f"(n * ({_ASKED}) / {OPINIONS})", _ASKED)}, {_SENDER}, 'Toi gop y ve ho so cua minh, xin cam on.',
        {_moment("n", str(OPINIONS))}, {_agency("n")}, {_code("n * 20 % count")},
        CASE WHEN n % 5 > 0 THEN 'Da tra loi.' END, CASE WHEN n % 5 > 0 THEN {_moment("n", str(OPINIONS))} + {DAY_MS} END,
        CASE WHEN n % 5 > 0 THEN 'officer-' || n % {OFFICERS} END, NULL {_series(str(OPINIONS))}""",
)
DOSSIERS: Sequence[str] = (
    f"""INSERT INTO dossier_seen (source, dossier_code, version, known, status, due_on, agency, unit, procedure,
        received_at, finished_at, changed_at, first_seen_at, seen_at, apologised, gone)
    SELECT 'province', {_code("n")}, 3, '4|2026-03-09|', {_STATUS},
        to_char(since + (n / per_day + 5 + n % 20) * interval '1 day', 'YYYY-MM-DD'), {_agency("n")}, 'Phòng chuyên môn',
        '1.00' || 4000 + n % 300, {_moment("n", "count")}, NULL, {_moment("n", "count")}, {_moment("n", "count")},
        {_moment("n", "count")}, false, n % 200 = 0 FROM {_GIVEN}, LATERAL generate_series(0, count - 1) AS n""",
    f"""INSERT INTO subscription (recipient, dossier_code, source, channel, account, sender, origin, proved, known,
        version, followed_at, ended_at, end_reason)
    SELECT 'sms:849' || lpad((n * 7919 % 150000)::text, 8, '0'), {_code("n * 3 % count")}, 'province', 'sms',
        '{ACCOUNT}', 'sms:{SHORT_CODE}', 'text', false, '4|2026-03-09|', 3, {_moment("n", "count / 3")},
        CASE WHEN n % 10 = 0 THEN {_moment("n", "count / 3")} END, CASE WHEN n % 10 = 0 THEN 'unfollow' END
    {_series("count / 3")}""",
    f"""INSERT INTO consent (recipient, action, dossier_code, words, channel, given_at)
    SELECT 'sms:849' || lpad((n * 7919 % 150000)::text, 8, '0'), 'follow', '', 'TD', 'sms', {_moment("n", "count / 3")}
    {_series("count / 3")}""",
    f"""INSERT INTO person (address, language, stopped_at, updated_at)
    SELECT 'sms:849' || lpad(n::text, 8, '0'), CASE WHEN n % 9 = 0 THEN 'en' END, CASE WHEN n % 100 = 0 THEN began END, began
    {_series("150000")}""",
    f"""INSERT INTO officer (id, login, name, agency, roles, language, password_hash, must_set_password, totp_secret,
        totp_step, failures, created_at, created_by)
    SELECT first + (n << {ID_BITS}), 'officer-' || n, 'Cán bộ ' || n, {_agency("n")},
        (ARRAY['author', 'approver', 'agency_admin', 'inspector', 'intake'])[1 + n % 5], 'vi', '', false, 'A', 0, 0, began,
        'tracuu' {_series(str(OFFICERS))}""",
    f"""INSERT INTO officer_session (digest, officer_id, created_at, seen_at, ended_at, end_reason, address, agent)
    SELECT md5(n::text), first + ((1 + n % {OFFICERS}) << {ID_BITS}), {_moment("n", str(SESSIONS))},
        {_moment("n", str(SESSIONS))}, CASE WHEN n % 4 > 0 THEN {_moment("n", str(SESSIONS))} END, 'signed_out',
        '10.0.0.1', 'Firefox, Windows' {_series(str(SESSIONS))}""",
    f"""INSERT INTO audit (id, at, officer_id, login, agency, action, about, detail, address)
    SELECT {_id("n", str(AUDIT))} + 3, {_moment("n", str(AUDIT))}, first + ((1 + n % {OFFICERS}) << {ID_BITS}),
        'officer-' || 1 + n % {OFFICERS}, {_agency(f"1 + n % {OFFICERS}")},
        (ARRAY['officer.signed_in', 'messages.found_by_number', 'broadcast.edited', 'feedback.answered'])[1 + n % 4],
        CASE WHEN n % 4 = 2 THEN 'broadcast:' || n % 200 ELSE '' END, '{{}}', '10.0.0.1' {_series(str(AUDIT))}""",
    f"""INSERT INTO site_key (key, name, agency, origins, secret_digest, created_at)
    SELECT 'site' || lpad(n::text, 20, 'x'), 'Trang ' || n, {_agency("n")}, '["https://a' || n || '.gov.vn"]', '', began
    {_series(str(SITES))}""",
    f"""INSERT INTO site_use (site, day, use, count)
    SELECT 'site' || lpad(n::text, 20, 'x'), to_char(since + day * interval '1 day', 'YYYY-MM-DD'), used, 7
    {_series(str(SITES))}, generate_series(0, {DAYS}) AS day, unnest(ARRAY['shown', 'asked', 'found']) AS used""",
    f"""INSERT INTO hold (id, source, opened_at, changes, tracked)
    SELECT first, 'province', began, 1000, 1000 FROM {_GIVEN}""",
)
# Those of one broadcast, chunk by chunk: `base` is the id of its first message.
MESSAGES: Final = f"""INSERT INTO outbox (id, channel, account, category, priority, recipient, sender, text, language,
    broadcast_id, state, created_at, available_at, expires_at, attempts, handed_over_at, settled_at, delivery_status,
    delivered_at)
SELECT :base + (((n / {CHUNK}) * 100) << {ID_BITS}) + n % {CHUNK}, 'sms', '{ACCOUNT}', 'broadcast', 2,
    'sms:849' || lpad((n * 7 % 150000)::text, 8, '0'), 'sms:{SHORT_CODE}', 'Co quan nghi ngay 30/4.', 'vi', CAST(:id AS bigint),
    CASE WHEN n < :sent THEN CASE WHEN n % 100 = 1 THEN 'rejected' ELSE 'accepted' END ELSE 'ready' END, at, at,
    at + {2 * DAY_MS}, CASE WHEN n < :sent THEN 1 ELSE 0 END, CASE WHEN n < :sent THEN at END, CASE WHEN n < :sent THEN at END,
    CASE WHEN n < :sent AND n % 2 = 0 THEN 'delivered' END, CASE WHEN n < :sent AND n % 2 = 0 THEN at END
FROM (SELECT n, CAST(:at AS bigint) + n / {CHUNK} * 100 AS at FROM generate_series(0, CAST(:rows AS bigint) - 1) AS n) AS each"""
CHUNKS: Final = f"""INSERT INTO broadcast_chunk (broadcast_id, first_id, last_id, results, look_at)
SELECT CAST(:id AS bigint), :base + ((n * 100) << {ID_BITS}), :base + ((n * 100) << {ID_BITS}) + {CHUNK} - 1,
    '[["accepted","delivered","",250],["accepted","","",250]]', CASE WHEN n * {CHUNK} >= :sent THEN CAST(:at AS bigint) END
FROM generate_series(0, (CAST(:rows AS bigint) - 1) / {CHUNK}) AS n"""
LINES: Final = """INSERT INTO broadcast_row (upload, position, broadcast_id, recipient, language, cells)
SELECT CAST(:id AS bigint), n, CAST(:id AS bigint), 'sms:849' || lpad((n * 7 % 150000)::text, 8, '0'), NULL,
    '{"ho_ten":"Nguyễn Văn ' || n || '"}' FROM generate_series(1, CAST(:rows AS bigint)) AS n"""

DEFERRED: Final = """SELECT i.schemaname || '.' || i.indexname, i.indexdef FROM pg_indexes AS i
WHERE i.schemaname = current_schema() AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conname = i.indexname)
  AND i.tablename IN ('inbox', 'outbox', 'submission', 'dossier_seen', 'subscription', 'consent', 'broadcast_row')"""


# ---- who, and the broadcasts


def _officers(at: datetime) -> Mapping[str, Who]:
    """`operator` reaches all of the province, `agency` its own; each has every right there is for that."""
    roles = {
        "operator": (PROVINCE, {OfficerRole.OPERATOR, OfficerRole.AUTHOR, OfficerRole.AGENCY_ADMIN}),
        "agency": (AGENCY, {OfficerRole.AUTHOR, OfficerRole.APPROVER, OfficerRole.AGENCY_ADMIN}),
    }
    base = first_id(at - timedelta(days=DAYS + 1))
    return {
        name: Who(
            officer=Officer(
                id=base + number, login=name, name=f"Cán bộ {name}", agency=agency, roles=frozenset(each), created_at=at
            ),
            secret=new_secret(),
        )
        for number, (name, (agency, each)) in enumerate(roles.items())
    }


def _audiences() -> Mapping[str, tuple[str, Audience, BroadcastState]]:
    """What is looked at most: whose it is, whom it is for, where it stands."""
    kind, state, all_of_them = AudienceKind, BroadcastState, tuple(sorted(AGENCIES))
    own = Audience(kind=kind.FOLLOWERS, agencies=(AGENCY,))
    everybody = Audience(kind=kind.FOLLOWERS, agencies=all_of_them)
    numbers = Audience(kind=kind.NUMBERS, agencies=all_of_them, basis=BASIS)
    # Looks at everything and finds next to nobody.
    few = Audience(kind=kind.FOLLOWERS, agencies=all_of_them, procedure="9.999999")
    late = Audience(kind=kind.NUMBERS, agencies=(AGENCY,), basis=BASIS, late=True)
    lines = Audience(kind=kind.FILE, agencies=(AGENCY,), basis=BASIS, file="f" * 64)
    return {
        "running": (AGENCY, own, state.RUNNING),
        "done": (AGENCY, own, state.DONE),
        "draft, followers of the agency": (AGENCY, own, state.DRAFT),
        "draft, the agency's late": (AGENCY, late, state.DRAFT),
        "draft, a list of 100,000": (AGENCY, lines, state.DRAFT),
        "submitted, followers of the agency": (AGENCY, own, state.SUBMITTED),
        "approved, the agency's late": (AGENCY, late, state.APPROVED),
        "draft, followers of all": (PROVINCE, everybody, state.DRAFT),
        "draft, nearly nobody of all": (PROVINCE, few, state.DRAFT),
        "submitted, numbers of all": (PROVINCE, numbers, state.SUBMITTED),
    }


def _made(at: datetime, who: Mapping[str, Who]) -> Mapping[str, Broadcast]:
    """All of them, the named ones last and therefore newest."""
    named, states = _audiences(), (BroadcastState.DONE,) * 7 + (BroadcastState.STOPPED, BroadcastState.PAUSED)
    others = {
        f"other {number}": (
            agency := AGENCIES[number * 7 % len(AGENCIES)],
            Audience(kind=AudienceKind.FOLLOWERS, agencies=(agency,)),
            states[number % len(states)],
        )
        for number in range(BROADCASTS - len(named))
    }
    step, began = timedelta(days=DAYS - 11) / BROADCASTS, at - timedelta(days=DAYS)
    return {
        name: Broadcast(
            id=first_id(began + step * number) + 5,
            agency=agency,
            title=f"Nghỉ lễ 30/4 ({name})",
            author=who["agency" if agency != PROVINCE else "operator"].officer.id,
            texts=TEXTS if audience.kind is not AudienceKind.FILE else {"vi": "Chào {ho_ten}, mời đến nhận kết quả."},
            audience=audience,
            state=state,
            created_at=began + step * number,
            people=MANY,
            seal="",
            approved_until=at + timedelta(days=1) if state is BroadcastState.APPROVED else None,
        )
        for number, (name, (agency, audience, state)) in enumerate({**others, **named}.items())
    }


def _cells(name: str, each: Broadcast) -> Mapping[str, object]:
    listed, begun = each.audience.kind is AudienceKind.FILE, each.state is not BroadcastState.DRAFT
    return {
        **broadcast_cells(each),
        "resend_of": None,
        "upload": each.id if listed else None,
        "row_count": MANY if listed else 0,
        "row_columns": as_json(["ho_ten"] if listed else []),
        "busy": name == "running",
        "position": "",
        "written": MANY if begun else 0,
        "left_out": "{}",
        "all_written": begun,
        "canary_left": None,
        "held_back": False,
        "results": '[["accepted","delivered","",59000],["rejected","","refused",600]]' if begun else "[]",
        "started_at": to_ms(each.created_at) if begun else None,
        "finished_at": None,
        "counted_at": None,
    }


# ---- doing it


Steps = list[tuple[str, Mapping[str, object]]]


def by_hand(count: int, at: datetime) -> tuple[Seeded, Steps]:
    """Who looks, and the broadcasts, with the statements that make them, on either engine."""
    who = _officers(at)
    made = _made(at, who)
    seeded = Seeded(count=count, at=at, who=who, broadcasts={name: each.id for name, each in made.items()})
    rows = [_cells(name, each) for name, each in made.items()]
    broadcasts: Steps = [
        (f"INSERT INTO broadcast ({', '.join(each)}) VALUES ({', '.join(f':{name}' for name in each)})", each)
        for each in rows
    ]
    return seeded, [*broadcasts, *_people(who, at)]


async def seed(url: str, count: int, at: datetime) -> Seeded:
    """Of a migrated, empty database. `count`: messages, and dossiers; the rest is as large as it is."""
    began = at - timedelta(days=DAYS)
    values = {
        "count": count,
        "began": to_ms(began),
        "first": first_id(began),
        "since": began.replace(tzinfo=None),
        "per_day": _per_day(count),
        "agencies": " ".join(AGENCIES),
    }
    seeded, by_name = by_hand(count, at)
    engine = create_async_engine(
        url, isolation_level="AUTOCOMMIT", connect_args={"server_settings": {"synchronous_commit": "off"}}
    )
    try:
        indexes = await _without_indexes(engine)
        await asyncio.gather(
            _run(engine, [(each, _used(each, values)) for each in HISTORY[:3]] + _messages(seeded)),
            _run(engine, by_name + [(each, _used(each, values)) for each in DOSSIERS]),
        )
        await _run(engine, [(each, _used(each, values)) for each in HISTORY[3:]])
        await asyncio.gather(*(_run(engine, [(each, {}) for each in indexes[part::2]]) for part in range(2)))
        await _run(engine, [("VACUUM (ANALYZE)", {})])
    finally:
        await engine.dispose()
    return seeded


def _used(statement: str, values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


def _messages(seeded: Seeded) -> Steps:
    """What each broadcast wrote, and the lines of the list."""
    steps: Steps = []
    at, rows = seeded.at, min(MANY, seeded.count // 10)
    large = {"running": (at - timedelta(minutes=10), rows * 6 // 10), "done": (at - timedelta(days=10), rows)}
    for name, each in _made(at, seeded.who).items():
        if each.audience.kind is AudienceKind.FILE:
            steps.append((LINES, {"id": each.id, "rows": rows}))
        if each.state in (BroadcastState.DONE, BroadcastState.STOPPED, BroadcastState.PAUSED, BroadcastState.RUNNING):
            begun, sent = large.get(name, (each.created_at, SMALL_ROWS))
            of = {"id": each.id, "base": first_id(begun) + 100_000, "at": to_ms(begun), "sent": sent}
            for statement in (MESSAGES, CHUNKS):
                steps.append((statement, {**of, "rows": rows if name in large else SMALL_ROWS}))
    return steps


def _people(who: Mapping[str, Who], at: datetime) -> Steps:
    """Those who look, with a session each."""
    steps: Steps = []
    for each in who.values():
        officer = {
            "id": each.officer.id,
            "login": each.officer.login,
            "name": each.officer.name,
            "agency": each.officer.agency,
            "roles": " ".join(sorted(each.officer.roles)),
            "at": to_ms(at),
        }
        steps += [
            (
                """INSERT INTO officer (id, login, name, agency, roles, language, password_hash, must_set_password, totp_secret,
    totp_step, failures, created_at, created_by)
VALUES (:id, :login, :name, :agency, :roles, 'vi', '', false, 'A', 0, 0, :at, 'tracuu')""",
                officer,
            ),
            (
                """INSERT INTO officer_session (digest, officer_id, created_at, seen_at, address, agent)
VALUES (:digest, :id, :at, :at, '127.0.0.1', 'Firefox, Linux')""",
                {"digest": digest_of(each.secret), "id": each.officer.id, "at": to_ms(at)},
            ),
        ]
    return steps


async def _without_indexes(engine: AsyncEngine) -> Sequence[str]:
    """Drop those that are no keys; the statements that make them again."""
    async with engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(text(DEFERRED))]
        for name, _ in found:
            await connection.exec_driver_sql(f"DROP INDEX {name}")
    return [definition for _, definition in found]


async def _run(engine: AsyncEngine, steps: Steps) -> None:
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SET maintenance_work_mem = '256MB'")
        for statement, values in steps:
            await connection.execute(text(_escaped(statement)), dict(values))


def _escaped(statement: str) -> str:
    """A cast is no parameter."""
    return statement.replace("::", r"\:\:")
