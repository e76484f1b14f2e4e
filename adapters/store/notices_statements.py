"""The SQL of the notices' port that both engines speak, but for the words of a Dialect (pure).

Every statement reaches its rows by a key or by one of the partial indexes of tables.py, however many others there are.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from dataclasses import dataclass

from adapters.store.claim_rule import UNFOLLOWED, blocked, declined
from adapters.store.lists import Columns
from adapters.store.notices_dialect import Dialect
from adapters.store.notices_recording import LOOK_COLUMNS, STILL_FOLLOWED, STILL_PENDING, insert
from adapters.store.notices_rows import FOLLOWER_CELLS, NOTICE_COLUMNS, SEEN_COLUMNS
from domain.notices import NoticeKind

CLOSED = "d.status IN (3, 8, 10)"  # not accepted, stopped, returned: nothing more is to come
_UNDER_WAY = "d.status IN (2, 4) AND NOT d.gone"  # as ix_dossier_seen_due says it
_OPEN_HOLD = "closed_at IS NULL"
_OTHERWISE = ", ".join(f"'{kind}'" for kind in UNFOLLOWED)

CURSORS = "SELECT feed, position FROM feed_cursor WHERE source = :source AND feed NOT LIKE 'once:%'"
TRACKED = "SELECT count(*) FROM dossier_seen WHERE source = :source AND NOT gone"

KEEP_NONCE = """INSERT INTO hook_nonce (source, nonce, keep_until) VALUES (:source, :nonce, :keep_until)
ON CONFLICT (source, nonce) DO UPDATE SET keep_until = excluded.keep_until WHERE hook_nonce.keep_until <= :now
RETURNING 1"""
USE_ONCE = """INSERT INTO feed_cursor (source, feed, position, moved_at) VALUES ('', :feed, '', :now)
ON CONFLICT DO NOTHING RETURNING 1"""

HOLDS = """SELECT h.id, h.source, h.opened_at, h.changes, h.tracked,
    (SELECT count(*) FROM outbox AS o WHERE o.state = 'held' AND o.source = h.source)
FROM hold AS h WHERE h.closed_at IS NULL ORDER BY h.id"""
CLOSE_HOLD = "UPDATE hold SET closed_at = :now WHERE id = :hold AND closed_at IS NULL"

STOPPAGES = """SELECT id, starts_at, ends_at, texts, tell_followers FROM stoppage
WHERE ends_at > :now AND cancelled_at IS NULL ORDER BY starts_at, id"""
PLAN_STOPPAGE = """INSERT INTO stoppage (id, starts_at, ends_at, texts, tell_followers, announced_at)
VALUES (:id, :starts_at, :ends_at, :texts, :tell_followers, :now) ON CONFLICT DO NOTHING"""
CANCEL_STOPPAGE = "UPDATE stoppage SET cancelled_at = coalesce(cancelled_at, :now) WHERE id = :id RETURNING 1"

ENDED_COLUMNS: Columns = (("recipient", "text"), ("dossier_code", "text"))
FALLEN_COLUMNS: Columns = (
    ("id", "bigint"),
    ("follows", "bigint"),
    ("channel", "text"),
    ("account", "text"),
    ("sender", "text"),
    ("recipient", "text"),
    ("params", "text"),
    ("followed_params", "text"),
    ("text", "text"),
)


@dataclass(frozen=True, slots=True)
class Statements:
    """Those that need a word of the engine's own."""

    dialect: Dialect

    def review(self, *, booked: bool) -> str:
        """One row of JSON texts, as they stood at one moment: seen, followers, pending, open holds, booked."""
        parts = [self._seen(), self._followers(), self._pending(), f"SELECT count(*) FROM hold WHERE {_HOLDING}"]
        if booked:
            parts.append(self._booked_followers())
        return f"SELECT {', '.join(f'({part})' for part in parts)}"

    def _seen(self) -> str:
        source = f"dossier_seen AS d WHERE d.source = :source AND d.dossier_code {self.dialect.among('codes')}"
        return self.dialect.grouped(_cells("d"), source)

    def _followers(self) -> str:
        source = f"""subscription AS s LEFT JOIN person AS p ON p.address = s.recipient
WHERE s.dossier_code {self.dialect.among("codes")} AND s.ended_at IS NULL AND {_REACHED}"""
        cells = [self._really_known() if cell == "s.known" else cell for cell in FOLLOWER_CELLS]
        return self.dialect.grouped(cells, source)

    def _really_known(self) -> str:
        """Who stopped everything while a notice waited never got it: when they resume they know what they knew before."""
        return f"""coalesce((SELECT {self.dialect.param("o", "before")} FROM outbox AS o
    WHERE o.source = s.source AND o.dossier_code = s.dossier_code AND o.version = s.version AND o.recipient = s.recipient
    AND o.version IS NOT NULL AND o.state = 'dropped' AND o.reason = 'stopped_all'), s.known)"""

    def _pending(self) -> str:
        source = f"""outbox AS o WHERE o.source = :source AND o.dossier_code {self.dialect.among("codes")}
    AND o.version IS NOT NULL AND {STILL_PENDING}"""
        cells = ("o.id", "o.dossier_code", "o.recipient", "o.params", "o.state", "o.available_at")
        return self.dialect.grouped(cells, source)

    def _booked_followers(self) -> str:
        return self._booked(f"""(SELECT DISTINCT s.recipient FROM subscription AS s
    WHERE s.dossier_code {self.dialect.among("codes")} AND s.ended_at IS NULL)""")

    def booked(self) -> str:
        """The same of the people in the parameter `people`."""
        return self._booked(self.dialect.given("people", (("recipient", "text"),)))

    def follow_counts(self) -> str:
        """Person by person, so that each is a look into the primary key."""
        people = self.dialect.given("people", (("recipient", "text"),))
        count = "SELECT count(*) FROM subscription AS s WHERE s.recipient = w.recipient AND s.ended_at IS NULL"
        return self.dialect.grouped(("w.recipient", f"({count})"), f"{people} AS w")

    def _booked(self, people: str) -> str:
        """Person by person, so that each is a look into the index; the moments of each are a JSON text of their own."""
        moments = f"""outbox AS o{self.dialect.by("ix_outbox_notices")} WHERE o.category = 'notice'
    AND o.recipient = w.recipient AND o.available_at >= :since AND o.state NOT IN ('merged', 'dropped', 'held')"""
        return self.dialect.grouped(
            ("w.recipient", f"({self.dialect.grouped(('o.available_at',), moments)}) || ''"), f"{people} AS w"
        )

    def followed(self) -> str:
        rows = f"""(SELECT DISTINCT s.dossier_code FROM subscription AS s{self.dialect.by("ix_subscription_source")}
    WHERE s.ended_at IS NULL AND s.source = :source AND s.dossier_code > :after AND NOT EXISTS (
        SELECT 1 FROM dossier_seen AS d WHERE d.source = s.source AND d.dossier_code = s.dossier_code
        AND (d.gone OR {CLOSED}) AND d.seen_at < :closed_before)
    ORDER BY s.dossier_code LIMIT :limit) AS w"""
        return self.dialect.grouped(("w.dossier_code",), rows)

    def looks(self) -> str:
        rows = """(SELECT id, dossier_code, attempts FROM look WHERE source = :source AND not_before <= :now
    ORDER BY not_before, id LIMIT :limit) AS w"""
        return self.dialect.grouped(("w.id", "w.dossier_code", "w.attempts"), rows)

    def look(self) -> str:
        """A code that waits keeps its place and its count, under a new number, so that whoever looks at it now does not
        take this one for done.
        """
        earlier = "min" if self.dialect.later == "max" else "least"
        conflict = f"""ON CONFLICT (source, dossier_code)
            DO UPDATE SET id = excluded.id, not_before = {earlier}(look.not_before, excluded.not_before)"""
        return insert(self.dialect, "look", LOOK_COLUMNS, conflict)

    def to_remind(self) -> str:
        return self._dossiers(
            "ix_dossier_seen_due",
            f"""d.due_on = :day AND {_UNDER_WAY} AND (d.reminded_for IS NULL OR d.reminded_for <> :day)
    AND (SELECT count(*) FROM (SELECT 1 FROM subscription AS s LEFT JOIN person AS p ON p.address = s.recipient
        WHERE s.dossier_code = d.dossier_code AND s.source = d.source AND s.ended_at IS NULL AND {_REACHED}
        LIMIT 1) AS one) > 0""",
            "d.due_on",
        )

    def waiting(self) -> str:
        where = "d.status = 1 AND NOT d.gone AND d.received_at < :before"
        return self._dossiers("ix_dossier_seen_waiting", where, "d.received_at")

    def late_by(self) -> str:
        return self._dossiers("ix_dossier_seen_due", f"d.due_on BETWEEN :since AND :day AND {_UNDER_WAY}", "d.due_on")

    def _dossiers(self, index: str, where: str, order: str) -> str:
        rows = f"(SELECT * FROM dossier_seen AS d{self.dialect.by(index)} WHERE {where} ORDER BY {order} LIMIT :limit)"
        return self.dialect.grouped(_cells("w"), f"{rows} AS w")

    def followers_page(self) -> str:
        """Of everybody the latest following; said in a way that only the primary key fits, which gives the order."""
        rows = f"""(SELECT {", ".join(FOLLOWER_CELLS)} FROM subscription AS s
    LEFT JOIN person AS p ON p.address = s.recipient
    WHERE s.recipient > :after AND coalesce(s.ended_at, -1) < 0 AND p.stopped_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM subscription AS t WHERE t.recipient = s.recipient AND t.ended_at IS NULL
        AND (t.followed_at, t.dossier_code) > (s.followed_at, s.dossier_code))
    ORDER BY s.recipient LIMIT :limit) AS w"""
        return self.dialect.grouped([f"w.{cell.partition('.')[2]}" for cell in FOLLOWER_CELLS], rows)

    def followings(self) -> str:
        """A stretch of all open followings, in order, and whether each is to end."""
        rows = f"""(SELECT s.source, s.dossier_code, s.recipient FROM subscription AS s{self.dialect.by("ix_subscription_source")}
    WHERE s.ended_at IS NULL AND (s.source, s.dossier_code, s.recipient) > (:source, :code, :recipient)
    ORDER BY s.source, s.dossier_code, s.recipient LIMIT :limit) AS w"""
        over = f"""EXISTS (SELECT 1 FROM dossier_seen AS d WHERE d.source = w.source
    AND d.dossier_code = w.dossier_code AND (d.gone OR {CLOSED}) AND d.seen_at < :before)"""
        cells = ("w.source", "w.dossier_code", "w.recipient", f"CASE WHEN {over} THEN 1 ELSE 0 END")
        return self.dialect.grouped(cells, rows)

    def end_followings(self) -> str:
        return f"""UPDATE subscription SET ended_at = :now, end_reason = 'closed'
FROM {self.dialect.given("rows", ENDED_COLUMNS)} AS e
WHERE subscription.recipient = e.recipient AND subscription.dossier_code = e.dossier_code AND {STILL_FOLLOWED}"""

    def held(self) -> str:
        """The next notices of a hold that is open, while nobody else touches it."""
        return f"""SELECT source FROM hold WHERE id = :hold AND {_OPEN_HOLD}{self.dialect.lock}"""

    def next_held(self) -> str:
        rows = f"""(SELECT id FROM outbox{self.dialect.by("ix_outbox_on_hold")}
    WHERE state = 'held' AND source = :source ORDER BY id LIMIT :limit{self.dialect.lock}) AS w"""
        return self.dialect.grouped(("w.id",), rows)

    def release(self) -> str:
        """Not before its own time either; what still waits says why. It is good for as long as it would have been, but
        for a reminder, which is of no use once its day is over.
        """
        longer = f"{self.dialect.later}(available_at, :release_at) - available_at"
        return f"""UPDATE outbox SET state = 'ready', available_at = {self.dialect.later}(available_at, :release_at),
    expires_at = expires_at
        + CASE WHEN {self.dialect.param("outbox", "kind")} = '{NoticeKind.REMINDER.value}' THEN 0 ELSE {longer} END,
    reason = CASE WHEN {self.dialect.later}(available_at, :release_at) > :now THEN coalesce(reason, 'released') END
WHERE id {self.dialect.among_ids("ids")}"""

    def drop(self) -> str:
        return f"""UPDATE outbox SET state = 'dropped', settled_at = :now, reason = 'hold_dropped'
WHERE id {self.dialect.among_ids("ids")}"""

    def failed(self) -> str:
        """Notices that go to another address: to none that has this version, stopped us or wants none of this dossier, not if their person stopped or
        unfollowed meanwhile, and not where a newer notice of the same dossier takes its own way.

        Each condition is a question to be asked row by row: as joins PostgreSQL without statistics would begin with the
        larger table.
        """
        person = f"coalesce({self.dialect.param('o', 'for')}, o.recipient)"
        place = f"coalesce(CAST({self.dialect.param('o', 'place')} AS integer), 0)"
        same = "t.source = o.source AND t.dossier_code = o.dossier_code AND t.version IS NOT NULL"
        has_it = f"SELECT t.id FROM outbox AS t WHERE {same} AND t.version = o.version AND t.recipient = m.address"
        newer = f"""SELECT count(*) FROM outbox AS t WHERE {same} AND t.version > o.version AND t.recipient = {person}
            AND t.state NOT IN ('merged', 'dropped')"""
        next_place = f"""SELECT min(m.place) FROM next_address AS m
            WHERE m.recipient = {person} AND m.place > {place} AND m.address <> o.recipient AND ({has_it}) IS NULL
            AND (SELECT q.stopped_at FROM person AS q WHERE q.address = m.address) IS NULL
            AND NOT {declined("m.address", "o")}"""
        follows = f"""SELECT s.followed_at FROM subscription AS s
            WHERE s.recipient = {person} AND s.dossier_code = o.dossier_code AND s.ended_at IS NULL"""
        rows = f"""(SELECT o.id, o.recipient AS tried, o.params, o.text, {person} AS person, ({next_place}) AS place
    FROM outbox AS o{self.dialect.by("ix_outbox_failed")}
    WHERE o.category <> 'reply' AND o.state IN ('rejected', 'stopped', 'expired', 'unknown')
      AND o.category <> 'broadcast' AND o.state IN ('rejected', 'stopped')
      AND o.settled_at >= :since AND o.expires_at > :now AND {self.dialect.param("o", "next")} IS NULL
      AND ({next_place}) IS NOT NULL AND ({newer}) = 0
      AND ((SELECT q.stopped_at FROM person AS q WHERE q.address = {person}) IS NULL OR {blocked(person)})
      AND (coalesce({self.dialect.param("o", "kind")}, '') IN ({_OTHERWISE}) OR ({follows}) IS NOT NULL)
    ORDER BY o.settled_at, o.id LIMIT :limit{self.dialect.taking("o")}) AS w
CROSS JOIN next_address AS n WHERE n.recipient = w.person AND n.place = w.place"""
        cells = ("w.id", "w.tried", "w.params", "w.text", "n.place", "n.channel", "n.account", "n.sender", "n.address")
        return self.dialect.grouped(cells, rows)

    def fall_back(self) -> str:
        """A row like the one that failed, to the other address."""
        given = {name: f"g.{name}" for name, _ in FALLEN_COLUMNS}
        changes = {**given, "state": "'ready'", "created_at": ":now", "available_at": ":now", "attempts": "0"}
        changes["reason"] = "NULL"
        names = [name for name, _ in NOTICE_COLUMNS]
        cells = ", ".join(changes.get(name, f"o.{name}") for name in names)
        return f"""INSERT INTO outbox ({", ".join(names)}) SELECT {cells}
FROM {self.dialect.given("rows", FALLEN_COLUMNS)} AS g CROSS JOIN outbox AS o WHERE o.id = g.follows
ON CONFLICT DO NOTHING"""

    def mark_fallen(self) -> str:
        return f"""UPDATE outbox SET params = g.followed_params FROM {self.dialect.given("rows", FALLEN_COLUMNS)} AS g
WHERE outbox.id = g.follows AND EXISTS (SELECT 1 FROM outbox AS n WHERE n.id = g.id) RETURNING 1"""


# Of a follower `s` and their person `p`: who did not stop everything, or only closed this channel and agreed to another.
_ELSEWHERE = """(SELECT min(n.place) FROM next_address AS n WHERE n.recipient = s.recipient
    AND (SELECT q.stopped_at FROM person AS q WHERE q.address = n.address) IS NULL) IS NOT NULL"""
_REACHED = f"(p.stopped_at IS NULL OR ({_ELSEWHERE} AND {blocked('s.recipient')}))"
_HOLDING = f"source = :source AND {_OPEN_HOLD}"


def _cells(row: str) -> list[str]:
    return [f"{row}.{name}" for name in SEEN_COLUMNS]
