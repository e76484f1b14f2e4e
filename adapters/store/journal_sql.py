"""The SQL of a commit that both engines speak, written once (pure).

A batch travels as one JSON text a list, each row an array. An engine says how such a list is read as a table
(`Given`); from there on the statements are the same.
"""

# ruff: noqa: S608 - these are put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from adapters.store.claim_rule import blocked
from adapters.store.lists import Columns, Given, insert, of_table
from adapters.store.report_sql import (
    HEARD_KEY_COLUMNS,
    REPORT_COLUMNS,
    SUBMISSION_COLUMNS,
    forget_taken_up,
    keep_orphans,
    match,
    report_segments,
    report_whole,
    submit,
)
from adapters.store.rows import (
    CONSENT_COLUMNS,
    DECISION_COLUMNS,
    FOLLOW_COLUMNS,
    INBOX_COLUMNS,
    LINKED_COLUMNS,
    OUTBOX_COLUMNS,
    PERSON_COLUMNS,
)

PRIORS_JUDGED = 20  # the newest identical messages looked at: two machines repeating themselves cost no more
REMEMBERED_MESSAGES = 50  # how far back `recall` looks
MOST_LINKED = 3  # other addresses of one person

_RESULT_COLUMNS = ("id", "state", "available_at", "attempts", "settled_at", "reason")
_FEEDBACK_COLUMNS = ("number", "inbound_id", "sender", "text", "received_at")
_WRITTEN_PERSON_COLUMNS = (*PERSON_COLUMNS, "updated_at")
_UNFOLLOW_COLUMNS = ("recipient", "dossier_code", "ended_at")

# What each list of a commit holds; the order is the one they are written in: what is known of earlier messages
# first, then the new ones, then what was decided later.
LISTS: Mapping[str, Columns] = {
    "session_ends": (("session", "text"), ("ended_at", "bigint"), ("since", "bigint")),
    "acknowledgements": (("id", "bigint"), ("acknowledged_at", "bigint"), ("acknowledged_ok", "boolean")),
    "results": of_table("outbox", _RESULT_COLUMNS),
    "blocked": (("id", "bigint"), ("stopped_at", "bigint"), ("words", "text")),
    "submissions": of_table("submission", SUBMISSION_COLUMNS),
    "heard_keys": HEARD_KEY_COLUMNS,
    "reports": (*of_table("report", REPORT_COLUMNS), ("turn", "integer")),
    "taken_up": (("id", "bigint"),),
    "inbox": of_table("inbox", INBOX_COLUMNS),
    "closings": of_table("inbox", ("id", *DECISION_COLUMNS)),
    "outbox": of_table("outbox", OUTBOX_COLUMNS),
    "people": (*of_table("person", _WRITTEN_PERSON_COLUMNS), ("changed", "bigint")),
    "feedback": of_table("feedback", _FEEDBACK_COLUMNS),
    "follows": of_table("subscription", FOLLOW_COLUMNS),
    "unfollows": of_table("subscription", _UNFOLLOW_COLUMNS),
    "consents": of_table("consent", CONSENT_COLUMNS),
    "links": (
        *of_table("next_address", LINKED_COLUMNS),
        ("words", "text"),
        ("said_on", "text"),
        ("inbound_id", "bigint"),
    ),
    "partings": (
        ("recipient", "text"),
        ("address", "text"),
        ("words", "text"),
        ("said_on", "text"),
        ("inbound_id", "bigint"),
        ("given_at", "bigint"),
    ),
}


@dataclass(frozen=True, slots=True)
class Remembered:
    """How an engine keeps what `match` found for the statements that follow, which read it as `given("matched")`."""

    begin: Callable[[str], str]  # the query -> a statement
    end: Sequence[str] = ()


def journal_statements(given: Given, remembered: Remembered) -> Mapping[str, Sequence[str]]:
    """What each list of a commit does, in order."""
    return {
        "session_ends": (_end_sessions(given),),
        "acknowledgements": (_acknowledge(given),),
        "results": (settle(given),),
        "blocked": (_withdraw_blocked(given), _stop_blocked(given)),
        "submissions": (submit(given("submissions")),),
        "reports": (
            remembered.begin(match(given("heard_keys"))),
            keep_orphans(given),
            report_segments(given("matched")),
            report_whole(given("matched")),
            *remembered.end,
        ),
        "taken_up": (forget_taken_up(given),),
        "inbox": (insert("inbox", INBOX_COLUMNS, given("inbox")),),
        "closings": (_close(given),),
        "outbox": (insert("outbox", OUTBOX_COLUMNS, given("outbox")),),
        "people": (_add_people(given), _change_people(given)),
        "feedback": (insert("feedback", _FEEDBACK_COLUMNS, given("feedback")),),
        "follows": (follow(given("follows")),),
        "unfollows": (_unfollow(given),),
        "consents": (consent(given("consents")),),
        "links": (_link(given), _agree_to_links(given)),
        "partings": (_prove_no_more(given), _forget_requests(given), _withdraw_links(given), _part(given)),
    }


def settle(given: Given) -> str:
    """What became of hand-overs."""
    return f"""
UPDATE outbox SET state = r.state, available_at = coalesce(r.available_at, outbox.available_at),
    attempts = r.attempts, settled_at = r.settled_at, reason = r.reason, owner = NULL, lease_until = NULL
FROM {given("results")} AS r WHERE outbox.id = r.id"""


def _end_sessions(given: Given) -> str:
    return f"""
UPDATE inbox SET session_ended_at = e.ended_at FROM {given("session_ends")} AS e
WHERE inbox.session = e.session AND inbox.received_at >= e.since AND inbox.session_ended_at IS NULL"""


def _acknowledge(given: Given) -> str:
    return f"""
UPDATE inbox SET acknowledged_at = a.acknowledged_at, acknowledged_ok = a.acknowledged_ok
FROM {given("acknowledgements")} AS a WHERE inbox.id = a.id"""


def _close(given: Given) -> str:
    decided = ", ".join(f"{name} = c.{name}" for name in DECISION_COLUMNS)
    return f"""
UPDATE inbox SET {decided}, lease_until = NULL
FROM {given("closings")} AS c WHERE inbox.id = c.id AND inbox.state = 'open'"""


def _add_people(given: Given) -> str:
    return f"{insert('person', _WRITTEN_PERSON_COLUMNS, given('people'))} ON CONFLICT (address) DO NOTHING"


def _change_people(given: Given) -> str:
    """Only what a message changed: the rest of its row may be older than what another message wrote meanwhile."""
    kept = ", ".join(
        f"{name} = CASE WHEN p.changed & {1 << place} <> 0 THEN p.{name} ELSE person.{name} END"
        for place, name in enumerate(PERSON_COLUMNS)
        if name != "address"
    )
    return f"""
UPDATE person SET {kept}, updated_at = p.updated_at FROM {given("people")} AS p WHERE person.address = p.address"""


def follow(source: str) -> str:
    """From a table of FOLLOW_COLUMNS, each (recipient, dossier_code) once: written, or begun anew."""
    anew = ", ".join(
        f"{name} = excluded.{name}" for name in FOLLOW_COLUMNS if name not in ("recipient", "dossier_code")
    )
    return f"""
{insert("subscription", FOLLOW_COLUMNS, source)}
ON CONFLICT (recipient, dossier_code) DO UPDATE SET {anew}, version = NULL, ended_at = NULL, end_reason = NULL"""


def _unfollow(given: Given) -> str:
    return f"""
UPDATE subscription SET ended_at = u.ended_at, end_reason = 'unfollow' FROM {given("unfollows")} AS u
WHERE subscription.recipient = u.recipient AND subscription.dossier_code = u.dossier_code
  AND subscription.ended_at IS NULL"""


def consent(source: str) -> str:
    """From a table of CONSENT_COLUMNS; what a message agreed to is kept once, however often it is decided."""
    return f"""
{insert("consent", CONSENT_COLUMNS, source)}
ON CONFLICT (inbound_id, action, dossier_code) WHERE inbound_id IS NOT NULL DO NOTHING"""


def people(addresses: str) -> str:
    """A query for rows.PersonRow: what was chosen, and other addresses one by one. `addresses`: a condition on those asked
    for, to be put after the name of a column. Two plain looks into an index, since it is asked for every message:
    PostgreSQL would take longer to plan a join of both than to carry it out.
    """
    nothing = ", ".join("NULL" for _ in PERSON_COLUMNS[1:])
    return f"""SELECT {", ".join(PERSON_COLUMNS)}, CAST(NULL AS text) AS linked, 0 AS place FROM person
WHERE address {addresses}
UNION ALL SELECT recipient, {nothing}, address, place FROM next_address WHERE recipient {addresses}"""


def who_blocked(addresses: str) -> str:
    """A query for those of them that blocked us; asked only about who is stopped."""
    return f"""SELECT p.address FROM person AS p
WHERE p.address {addresses} AND p.stopped_at IS NOT NULL AND {blocked("p.address")}"""


def _link(given: Given) -> str:
    """Each new address gets the next free place; there are MOST_LINKED."""
    columns = ", ".join(f"n.{name}" for name in LINKED_COLUMNS)
    places = " UNION ALL ".join(f"SELECT {place} AS place" for place in range(1, MOST_LINKED + 1))
    return f"""
INSERT INTO next_address (place, {", ".join(LINKED_COLUMNS)})
SELECT p.place, {columns} FROM (
    SELECT g.*, row_number() OVER (PARTITION BY g.recipient ORDER BY g.inbound_id, g.address) AS turn
    FROM {given("links")} AS g WHERE NOT EXISTS (
        SELECT 1 FROM next_address AS h WHERE h.recipient = g.recipient AND h.address = g.address)
) AS n CROSS JOIN ({places}) AS p
WHERE NOT EXISTS (SELECT 1 FROM next_address AS h WHERE h.recipient = n.recipient AND h.place = p.place)
  AND n.turn = p.place - (SELECT count(*) FROM next_address AS h
      WHERE h.recipient = n.recipient AND h.place < p.place)
ON CONFLICT DO NOTHING"""


def _agree_to_links(given: Given) -> str:
    """Of those that found a place."""
    return consent(f"""(SELECT g.recipient, 'link' AS action, '' AS dossier_code, g.words, g.said_on AS channel,
    g.inbound_id, g.agreed_at AS given_at FROM {given("links")} AS g WHERE EXISTS (
        SELECT 1 FROM next_address AS h WHERE h.recipient = g.recipient AND h.address = g.address))""")


def _parted(given: Given, columns: str) -> str:
    """Rows of next_address that are joined no more. The list comes first: nearly always it is empty."""
    return f"""SELECT {columns} FROM {given("partings")} AS g CROSS JOIN next_address AS h
    WHERE (h.recipient = g.recipient AND g.address IN ('', h.address)) OR (g.address = '' AND h.address = g.recipient)"""


def _prove_no_more(given: Given) -> str:
    """What a joined number opened is not told unasked any more: chats prove nothing by themselves."""
    return f"UPDATE subscription SET proved = false WHERE proved AND recipient IN ({_parted(given, 'h.recipient')})"


def _forget_requests(given: Given) -> str:
    return f"""
DELETE FROM link_pin WHERE asker IN (SELECT r.asker FROM {given("partings")} AS g CROSS JOIN link_pin AS r
    WHERE g.recipient IN (r.asker, r.address))"""


def _withdraw_links(given: Given) -> str:
    return consent(f"""(SELECT g.recipient, 'unlink' AS action, '' AS dossier_code, max(g.words) AS words,
    max(g.said_on) AS channel, g.inbound_id, max(g.given_at) AS given_at FROM {given("partings")} AS g
    GROUP BY g.recipient, g.inbound_id)""")


def _part(given: Given) -> str:
    return f"DELETE FROM next_address WHERE (recipient, place) IN ({_parted(given, 'h.recipient, h.place')})"


def _withdraw_blocked(given: Given) -> str:
    """Who blocked us withdrew their consent; once, until they take it back."""
    return f"""
INSERT INTO consent (recipient, action, dossier_code, words, channel, given_at)
SELECT o.recipient, 'blocked', '', max(b.words), max(o.channel), max(b.stopped_at)
FROM {given("blocked")} AS b CROSS JOIN outbox AS o
WHERE o.id = b.id AND NOT EXISTS (
    SELECT 1 FROM person AS p WHERE p.address = o.recipient AND p.stopped_at IS NOT NULL)
GROUP BY o.recipient"""


def _stop_blocked(given: Given) -> str:
    return f"""
INSERT INTO person (address, stopped_at, updated_at)
SELECT o.recipient, max(b.stopped_at), max(b.stopped_at) FROM {given("blocked")} AS b CROSS JOIN outbox AS o WHERE o.id = b.id
GROUP BY o.recipient ORDER BY o.recipient
ON CONFLICT (address) DO UPDATE SET stopped_at = coalesce(person.stopped_at, excluded.stopped_at),
    updated_at = excluded.updated_at"""
