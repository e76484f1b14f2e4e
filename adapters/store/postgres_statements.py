"""The SQL of the PostgreSQL store, written once. Moments are the database's own clock, never a process's.

A commit is one statement: a call of `pg_temp.journal`, made for each connection when it opens (so that two versions of
the gateway may share a database). It takes what the plan supposes to stand in the tables, locks what two gateways
could be given at once, looks, and writes the plan if it was right; otherwise it writes nothing and says what stands
there. In READ COMMITTED every query of such a function sees what was committed before it began, so the look that
follows the lock is a fresh one: the same message handed to two gateways at once is written once.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.claim_rule import JUDGED_COLUMNS, closed_state, may_be_handed_over, why_not
from adapters.store.journal_sql import (
    LISTS,
    PRIORS_JUDGED,
    REMEMBERED_MESSAGES,
    Remembered,
    journal_statements,
    people,
    settle,
    who_blocked,
)
from adapters.store.lists import Columns
from adapters.store.report_sql import KEPT_COLUMNS, MATCHED_COLUMNS, kept_reports
from adapters.store.rows import MESSAGE_COLUMNS, OUTBOUND_COLUMNS
from adapters.store.tables import OutboxStates

CHANNEL = "tracuu_outbox_ready"  # NOTIFY, without payload: something may be claimed
MIGRATION_LOCK = 0x7472616375750001  # advisory: one process at a time changes the schema
CLOCKS_AGREE_MS = 1000  # a plan made for a moment further away is made anew
_LOCK_SEED = 7  # of the hashes the journal's advisory locks are made of

CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
READ_CLOCK = f"SELECT {CLOCK}"


def _now(parameter: int) -> str:
    """The store's clock as a table `clock` with the column `now`; a test may say what it shows."""
    return f"clock AS MATERIALIZED (SELECT coalesce(${parameter}::bigint, {CLOCK}) AS now)"


def _table(source: str, columns: Columns) -> str:
    """A JSON text of rows as a table."""
    cells = ", ".join(f"(v ->> {position})::{kind} AS {name}" for position, (name, kind) in enumerate(columns))
    return f"(SELECT {cells} FROM jsonb_array_elements({source}) AS v)"


def _given(name: str) -> str:
    """A list of the commit as a table, inside the function."""
    if name == "matched":
        return _table("v_matched", MATCHED_COLUMNS)
    return _table(f"p_{name}", LISTS[name])


def _grouped(cells: Sequence[str], order: str, source: str) -> str:
    """Many rows as one JSON value."""
    return f"SELECT coalesce(jsonb_agg(jsonb_build_array({', '.join(cells)}) ORDER BY {order}), '[]') FROM {source}"


SENT_COLUMNS = (
    *("id", "account", "category", "attempts", "created_at", "expires_at", "state", "owner"),
    "handed_over_at",
)
_SENT = ", ".join(SENT_COLUMNS)

# The rest of what a commit must know; see adapters.store.statements.READ_JOURNAL for the parameters.
_LOCKS = f"""
PERFORM pg_advisory_xact_lock(l.key) FROM (
    SELECT DISTINCT hashtextextended(k.name, {_LOCK_SEED}) AS key FROM (
        SELECT v ->> 1 FROM jsonb_array_elements(p_identities) AS v
        UNION ALL SELECT concat_ws(' ', v ->> 1, v ->> 2, v ->> 3) FROM jsonb_array_elements(p_externals) AS v
    ) AS k (name) ORDER BY 1) AS l;"""

_SENT_ROWS = f"""(SELECT {_SENT}, lease_until FROM outbox
    WHERE id = ANY (ARRAY(SELECT v::bigint FROM jsonb_array_elements_text(p_sent) AS v)) ORDER BY id {{locked}}) AS o"""
_SENT_CELLS = f"coalesce(jsonb_agg(jsonb_build_array({', '.join(f'o.{n}' for n in SENT_COLUMNS)}) ORDER BY o.id), '[]')"

# A row that is ours for a while yet is touched by nobody else, so it is not locked first, which would cost a tenth of
# the commit. A quarter of a lease is longer than a statement may take (adapters.store.postgres checks it).
_LOOK_AT_SENT = f"""
SELECT {_SENT_CELLS}, coalesce(bool_and(o.owner = p_owner AND o.lease_until > o_now + p_lease / 4), true)
    INTO v_sent, v_ours FROM {_SENT_ROWS.format(locked="")};
IF NOT coalesce(v_ours, false) THEN
    SELECT {_SENT_CELLS} INTO v_sent FROM {_SENT_ROWS.format(locked="FOR NO KEY UPDATE")};
END IF;"""

# Somebody else's connection of this account has ended, or we would not have the account: at its process's last sign of
# life, if nobody said when. Not only once that lease is over: the account's own may be over some seconds before it.
_READ_PRIORS = _grouped(
    (
        "k.position",
        "i.id",
        "i.session",
        "i.received_at",
        "i.acknowledged_at",
        "i.acknowledged_ok::integer",
        "CASE WHEN i.session IS NOT NULL THEN coalesce(i.session_ended_at, p.ended_at, p.heartbeat_at) END",
    ),
    "k.position, i.id",
    f"""{_table("p_identities", (("position", "integer"), ("identity", "text"), ("since", "bigint")))} AS k
    CROSS JOIN LATERAL (SELECT * FROM inbox AS n WHERE n.identity = k.identity AND n.received_at >= k.since
        ORDER BY n.received_at DESC LIMIT {PRIORS_JUDGED}) AS i
    LEFT JOIN process AS p ON p.owner = i.owner AND i.owner <> p_owner""",
)

_EXTERNAL: Columns = (("position", "integer"), ("channel", "text"), ("account", "text"), ("external_id", "text"))
_READ_EXTERNALS = _grouped(
    ("k.position", "i.id"),
    "k.position",
    f"""{_table("p_externals", _EXTERNAL)} AS k JOIN inbox AS i ON i.channel = k.channel AND i.account = k.account
    AND i.external_id = k.external_id AND i.external_id IS NOT NULL""",
)
_READ_IDS = _grouped(
    ("k.position", "i.id"),
    "k.position",
    f"{_table('p_ids', (('position', 'integer'), ('id', 'bigint')))} AS k JOIN inbox AS i ON i.id = k.id",
)
_READ_OPEN = """SELECT coalesce(jsonb_agg(i.id ORDER BY i.id), '[]') FROM (
    SELECT id FROM inbox WHERE id = ANY (ARRAY(SELECT v::bigint FROM jsonb_array_elements_text(p_open) AS v))
    AND state = 'open' ORDER BY id FOR NO KEY UPDATE) AS i"""


_AMONG_KEPT = "= ANY (ARRAY(SELECT jsonb_array_elements_text(p_kept)))"
_READ_KEPT = _grouped([f"r.{name}" for name in KEPT_COLUMNS], "r.id", f"({kept_reports(_AMONG_KEPT)}) AS r")


def _reading() -> str:
    """What stands in the tables, as far as the commit asks."""
    reads = (
        ("identities", _READ_PRIORS),
        ("externals", _READ_EXTERNALS),
        ("ids", _READ_IDS),
        ("open", _READ_OPEN),
        ("kept", _READ_KEPT),
    )
    lines = [f"IF p_{name} IS NOT NULL THEN v_{name} := ({query}); END IF;" for name, query in reads]
    return "\n".join((f"IF p_sent IS NOT NULL THEN {_LOOK_AT_SENT} END IF;", *lines))


_REMEMBERED = Remembered(
    lambda query: (
        f"v_matched := ({_grouped([f'm.{name}' for name, _ in MATCHED_COLUMNS], 'm.turn', f'({query}) AS m')})"
    )
)


def _writing() -> str:
    """One statement after another, those with nothing to do left out."""
    return "\n".join(
        f"IF p_{name} IS NOT NULL THEN\n" + "".join(f"{statement};\n" for statement in statements) + "END IF;"
        for name, statements in journal_statements(_given, _REMEMBERED).items()
    )


_ASKED = ("sent", "identities", "externals", "ids", "open", "kept")
_JOURNAL_PARAMETERS = (
    "p_supposed jsonb",
    *(f"p_{name} jsonb" for name in (*_ASKED, *LISTS)),
    "p_owner bigint",
    "p_planned_at bigint",
    "p_now bigint",
    "p_lease bigint",
    "p_beats boolean",
    "p_wakes boolean",
)

JOURNAL_FUNCTION = f"""
CREATE FUNCTION pg_temp.journal({", ".join(_JOURNAL_PARAMETERS)}, OUT o_now bigint, OUT o_seen text)
LANGUAGE plpgsql AS $journal$
#variable_conflict use_column
DECLARE
v_seen jsonb;
v_ours boolean;
v_matched jsonb;
{"".join(f"v_{name} jsonb := '[]';" for name in _ASKED)}
BEGIN
o_now := coalesce(p_now, {CLOCK});
IF p_identities IS NOT NULL OR p_externals IS NOT NULL THEN {_LOCKS} END IF;
{_reading()}
v_seen := jsonb_build_array({", ".join(f"v_{name}" for name in _ASKED)});
IF v_seen <> p_supposed OR abs(o_now - p_planned_at) > {CLOCKS_AGREE_MS} THEN
    o_seen := v_seen::text;
    RETURN;
END IF;
{_writing()}
IF p_beats THEN UPDATE process SET heartbeat_at = o_now WHERE owner = p_owner; END IF;
IF p_wakes THEN PERFORM pg_notify('{CHANNEL}', ''); END IF;
END $journal$"""

JOURNAL = (
    "SELECT o_now, o_seen FROM pg_temp.journal("
    f"{', '.join(f'${number}' for number in range(1, len(_JOURNAL_PARAMETERS) + 1))})"
)

WRITTEN = """SELECT id FROM inbox WHERE id = ANY ($1::bigint[])
UNION ALL SELECT id FROM outbox WHERE id = ANY ($1::bigint[])"""

# Parameters: ids of messages, ids of replies written as handed over, owner. Nobody ever is the owner 0, so that an open
# message is taken over like those of owners that are gone. A reply keeps its count of hand-overs: by that it is freed
# once, however often this is asked, and never when it was handed over in earnest since.
GIVE_UP = f"""
WITH undecided AS MATERIALIZED (
    SELECT t.id FROM inbox AS t WHERE t.id = ANY ($1::bigint[]) AND t.state = 'open' AND t.owner = $3
    ORDER BY t.id FOR NO KEY UPDATE),
held AS MATERIALIZED (
    SELECT t.id FROM outbox AS t WHERE t.id = ANY ($2::bigint[]) AND t.state = 'handed_over' AND t.owner = $3
      AND t.attempts = 1 ORDER BY t.id FOR NO KEY UPDATE),
messages AS (UPDATE inbox AS i SET owner = 0, lease_until = 0 FROM undecided WHERE i.id = undecided.id),
replies AS (UPDATE outbox AS o SET state = 'ready', owner = NULL, lease_until = NULL FROM held WHERE o.id = held.id
    RETURNING o.id),
woken AS MATERIALIZED (SELECT pg_notify('{CHANNEL}', '') FROM (SELECT 1 FROM replies LIMIT 1) AS one)
SELECT t.id FROM inbox AS t WHERE t.id = ANY ($1::bigint[]) AND (SELECT count(*) FROM woken) >= 0"""

# Whose lease is over by the store's clock, or who said that it ended; `t` is a row of the inbox or the outbox.
_GONE = """t.owner <> $1 AND (t.lease_until <= (SELECT now FROM clock)
    OR EXISTS (SELECT 1 FROM process AS p WHERE p.owner = t.owner AND p.ended_at IS NOT NULL))"""

# Parameters: owner, lease, now, limit.
TAKE_MESSAGES = f"""
WITH {_now(3)}, gone AS MATERIALIZED (
    SELECT t.id, t.owner FROM inbox AS t WHERE t.state = 'open' AND {_GONE}
    ORDER BY t.id LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE inbox AS i SET owner = $1, lease_until = clock.now + $2,
    session_ended_at = coalesce(i.session_ended_at,
        (SELECT coalesce(p.ended_at, p.heartbeat_at) FROM process AS p WHERE p.owner = gone.owner), clock.now)
FROM clock, gone WHERE i.id = gone.id RETURNING {", ".join(f"i.{name}" for name in MESSAGE_COLUMNS)}"""

# Parameters: account, limit, owner, lease, now, the priorities in order, the id above which each is looked for.
# Priority by priority and only as far as needed: the outer LIMIT ends the walk, and nothing more is locked. The priority
# is a range of one: were it equal, the order would be that of the ids alone, and with half a million rows ready
# PostgreSQL would rather walk the whole table by them.
_DUE = ", ".join(JUDGED_COLUMNS)
CLAIM = f"""
WITH {_now(5)}, due AS MATERIALIZED (
    SELECT {_DUE} FROM unnest($6::smallint[], $7::bigint[]) AS p (priority, above) CROSS JOIN LATERAL (
        SELECT {_DUE} FROM outbox AS t
        WHERE t.account = $1 AND t.state = 'ready' AND (t.priority, t.id) > (p.priority, p.above)
          AND t.priority <= p.priority AND t.available_at <= (SELECT now FROM clock)
        ORDER BY t.priority, t.id LIMIT $2 FOR UPDATE SKIP LOCKED) AS d
    LIMIT $2),
judged AS MATERIALIZED (SELECT d.id, {why_not("d", "clock.now", json="::jsonb")} AS why FROM due AS d, clock)
UPDATE outbox AS o SET
    state = coalesce({closed_state("j.why")}, 'claimed'),
    owner = CASE WHEN j.why IS NULL THEN $3::bigint END,
    lease_until = CASE WHEN j.why IS NULL THEN clock.now + $4 END,
    settled_at = CASE WHEN j.why IS NULL THEN o.settled_at ELSE clock.now END,
    reason = coalesce(j.why, o.reason)
FROM clock, judged AS j WHERE o.id = j.id
RETURNING o.state, o.priority, {", ".join(f"o.{name}" for name in OUTBOUND_COLUMNS)}"""

# Parameters: ids, owner. Looked up by nothing but the id, in order: by the owner it would be all we hold, each time.
_MINE = """mine AS MATERIALIZED (
    SELECT t.id, t.state, t.owner FROM outbox AS t WHERE t.id = ANY ($1::bigint[]) ORDER BY t.id FOR NO KEY UPDATE)"""
_IS_MINE = "o.id = mine.id AND mine.state = 'claimed' AND mine.owner = $2"
# And lease, now.
HAND_OVER = f"""
WITH {_now(4)}, {_MINE}
UPDATE outbox AS o SET state = 'handed_over', attempts = o.attempts + 1, handed_over_at = clock.now,
    lease_until = clock.now + $3 FROM clock, mine WHERE {_IS_MINE} AND {may_be_handed_over("o")} RETURNING o.id, o.handed_over_at"""
RELEASE = f"""
WITH {_MINE}, freed AS (
    UPDATE outbox AS o SET state = 'ready', owner = NULL, lease_until = NULL FROM mine WHERE {_IS_MINE} RETURNING o.id)
SELECT pg_notify('{CHANNEL}', '') FROM (SELECT 1 FROM freed LIMIT 1) AS one"""

_HELD = f"t.state IN ('{OutboxStates.CLAIMED}', '{OutboxStates.HANDED_OVER}')"  # as the index ix_outbox_held says it
# Parameters: owner, account, the ids we know to be ours.
FREE_UNHEARD = f"""
WITH unheard AS MATERIALIZED (
    SELECT t.id FROM outbox AS t WHERE {_HELD} AND t.state = 'claimed' AND t.owner = $1 AND t.account = $2
      AND t.id <> ALL ($3::bigint[]) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE outbox AS o SET state = 'ready', owner = NULL, lease_until = NULL FROM unheard WHERE o.id = unheard.id
RETURNING o.id"""
# Parameters: ids, owner, why, now.
CLOSE_UNREADABLE = f"""
WITH {_now(4)}, {_MINE}
UPDATE outbox AS o SET state = '{OutboxStates.REJECTED}', settled_at = clock.now, reason = $3, owner = NULL,
    lease_until = NULL FROM clock, mine WHERE {_IS_MINE}"""
# Parameters: owner, now, limit.
FREE_CLAIMED = f"""
WITH {_now(2)}, gone AS MATERIALIZED (
    SELECT t.id FROM outbox AS t WHERE {_HELD} AND t.state = 'claimed' AND {_GONE}
    ORDER BY t.id LIMIT $3 FOR UPDATE SKIP LOCKED)
UPDATE outbox AS o SET state = 'ready', owner = NULL, lease_until = NULL FROM gone WHERE o.id = gone.id
RETURNING o.id"""
ABANDONED = f"""
WITH {_now(2)}
SELECT {", ".join(f"t.{name}" for name in SENT_COLUMNS)} FROM outbox AS t
WHERE {_HELD} AND t.state = 'handed_over' AND {_GONE} ORDER BY t.id LIMIT $3 FOR UPDATE SKIP LOCKED"""
SETTLE = settle(lambda name: _table("$1::jsonb", LISTS[name]))
WAKE = f"SELECT pg_notify('{CHANNEL}', '')"

# Parameter: now.
DEPTH = f"""WITH {_now(1)} SELECT account, count(*) FROM outbox
WHERE state = 'ready' AND available_at <= (SELECT now FROM clock) GROUP BY account"""
DEFERRED = f"""WITH {_now(1)} SELECT account, reason, count(*) FROM outbox
WHERE state = 'ready' AND reason IS NOT NULL AND available_at > (SELECT now FROM clock) GROUP BY account, reason
UNION ALL SELECT account, 'held', count(*) FROM outbox WHERE state = 'held' GROUP BY account"""

# Parameters: owner, lease, now. It waits for its own row of `process` and no other: a commit that is a sign of life, too,
# holds rows of the outbox when it comes to that one, and the two would wait for each other. What somebody holds at this
# moment is being settled, or is renewed the next time: there are several in a lease.
RENEW = f"""
WITH {_now(3)},
undecided AS MATERIALIZED (
    SELECT id FROM inbox WHERE state = 'open' AND owner = $1 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
held AS MATERIALIZED (
    SELECT t.id FROM outbox AS t WHERE {_HELD} AND t.owner = $1 ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED),
messages AS (UPDATE inbox AS i SET lease_until = clock.now + $2 FROM clock, undecided WHERE i.id = undecided.id),
replies AS (UPDATE outbox AS o SET lease_until = clock.now + $2 FROM clock, held WHERE o.id = held.id)
UPDATE process SET heartbeat_at = clock.now FROM clock WHERE owner = $1"""

# Parameters: owner, now.
START_PROCESS = f"""
WITH {_now(2)}
INSERT INTO process (owner, started_at, heartbeat_at) SELECT $1, now, now FROM clock RETURNING number, started_at"""
END_PROCESS = f"""
WITH {_now(2)} UPDATE process SET heartbeat_at = clock.now, ended_at = clock.now FROM clock WHERE owner = $1"""

PEOPLE = people("= ANY ($1::text[])")
WHO_BLOCKED = who_blocked("= ANY ($1::text[])")
FOLLOWING = """SELECT dossier_code, followed_at FROM subscription
WHERE recipient = $1 AND ended_at IS NULL ORDER BY followed_at DESC, dossier_code LIMIT $2"""
RECALL = f"""
WITH recent AS MATERIALIZED (
    SELECT id, dossier_code FROM inbox WHERE sender = $1 ORDER BY id DESC LIMIT {REMEMBERED_MESSAGES})
SELECT (SELECT dossier_code FROM recent WHERE dossier_code IS NOT NULL ORDER BY id DESC LIMIT 1),
    (SELECT o.created_at FROM recent AS r JOIN outbox AS o ON o.inbound_id = r.id ORDER BY r.id DESC LIMIT 1)"""
RESERVE = """
INSERT INTO counter (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value"""
