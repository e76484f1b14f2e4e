"""Which notices and broadcasts may not leave any more when their turn comes, as SQL both engines speak (pure).

Decided at the claim, by keys, since between writing and leaving a night may pass: a newer notice was written, the person
stopped everything or follows that dossier no longer, the stoppage was cancelled, the broadcast is paused or stopped.
Replies are let through unasked.

Who blocked us on a channel is told apart from who stopped everything: a notice to the former is closed as the channel
would have closed it, `stopped`, and goes to the person's next address.
"""

# ruff: noqa: S608 - these are put together from the constants of this module, never from data

from __future__ import annotations

from collections.abc import Mapping

from adapters.store.tables import OutboxStates
from domain.notices import NoticeKind

EXPIRED = "expired"
# Why a row that is due is closed -> the state it is closed in.
CLOSED_AS: Mapping[str, str] = {
    EXPIRED: OutboxStates.EXPIRED,
    "newer_notice": OutboxStates.MERGED,
    "blocked": OutboxStates.STOPPED,
    "stopped_all": OutboxStates.DROPPED,
    "not_followed": OutboxStates.DROPPED,
    "cancelled": OutboxStates.DROPPED,
    "broadcast_paused": OutboxStates.HELD,
    "broadcast_stopped": OutboxStates.DROPPED,
}
# Notices nobody follows a dossier for.
UNFOLLOWED = (NoticeKind.OFFICERS_WAITING, NoticeKind.OFFICERS_LATE, NoticeKind.STOPPAGE)

# Of a broadcast that is over, what an operator sends again leaves.
_BROADCAST = "SELECT b.state FROM broadcast AS b WHERE b.id = {row}.broadcast_id"
_LEAVING = "('running', 'done')"

JUDGED_COLUMNS = (
    "id",
    "category",
    "expires_at",
    "source",
    "dossier_code",
    "version",
    "recipient",
    "params",
    "broadcast_id",
)


def blocked(address: str) -> str:
    """A condition: what stopped this address was that its person blocked us, nothing they said (journal_sql). Said as a
    question to be asked row by row: PostgreSQL without statistics would join the wrong way round.
    """
    return f"""(SELECT c.id FROM consent AS c WHERE c.recipient = {address} AND c.action = 'blocked'
        AND c.given_at = (SELECT b.stopped_at FROM person AS b WHERE b.address = {address}) LIMIT 1) IS NOT NULL"""


def declined(address: str, row: str) -> str:
    """A condition: this address, to which a notice of somebody else's following may go, wants none of this dossier (HUY
    there) and has not followed it since. Said as `blocked` is.
    """
    said = f"""SELECT c.action FROM consent AS c WHERE c.recipient = {address} AND c.dossier_code = {row}.dossier_code
        AND c.action IN ('follow', 'unfollow') ORDER BY c.id DESC LIMIT 1"""
    return f"coalesce(({said}), '') = 'unfollow'"


def why_not(row: str, now: str, *, json: str = "") -> str:
    """An expression over the row `row` of the outbox (JUDGED_COLUMNS): why it may not leave at `now`, or NULL. `json`
    makes JSON of a text.

    A notice that fell back to another address names the person's own in its params (`for`): that one follows. A newer
    one that was closed unsent counts for nothing: what was told before it is true again.
    """
    kinds = ", ".join(f"'{kind.value}'" for kind in UNFOLLOWED)
    own = f"coalesce({row}.params{json} ->> 'for', {row}.recipient)"
    newer = f"""SELECT n.id FROM outbox AS n WHERE n.source = {row}.source AND n.dossier_code = {row}.dossier_code
        AND n.version IS NOT NULL AND n.version > {row}.version AND n.recipient IN ({row}.recipient, {own})
        AND n.state NOT IN ('merged', 'dropped') LIMIT 1"""
    stopped = f"SELECT p.stopped_at FROM person AS p WHERE p.address = {row}.recipient"
    own_stopped = f"SELECT p.stopped_at FROM person AS p WHERE p.address = {own}"
    cancelled = f"""SELECT s.cancelled_at FROM stoppage AS s
        WHERE {row}.dossier_code = '{NoticeKind.STOPPAGE.value}-' || s.id AND s.cancelled_at IS NOT NULL"""
    # Not `ended_at IS NULL`: PostgreSQL without statistics would rather walk all who follow that dossier than use the key.
    following = f"""SELECT s.followed_at FROM subscription AS s
        WHERE s.recipient = {own} AND s.dossier_code = {row}.dossier_code AND coalesce(s.ended_at, -1) < 0"""
    return f"""CASE WHEN {row}.expires_at <= {now} THEN '{EXPIRED}'
    WHEN {row}.broadcast_id IS NOT NULL THEN CASE
        WHEN ({_BROADCAST.format(row=row)}) = 'stopped' THEN 'broadcast_stopped'
        WHEN ({_BROADCAST.format(row=row)}) NOT IN {_LEAVING} THEN 'broadcast_paused'
        WHEN ({stopped}) IS NOT NULL THEN CASE WHEN {blocked(f"{row}.recipient")} THEN 'blocked' ELSE 'stopped_all' END
        END
    WHEN {row}.category <> 'notice' THEN NULL
    WHEN {row}.version IS NOT NULL AND ({newer}) IS NOT NULL THEN 'newer_notice'
    WHEN ({stopped}) IS NOT NULL THEN CASE WHEN {blocked(f"{row}.recipient")} THEN 'blocked' ELSE 'stopped_all' END
    WHEN {row}.params{json} ->> 'for' IS NOT NULL AND ({own_stopped}) IS NOT NULL AND NOT {blocked(own)}
        THEN 'stopped_all'
    WHEN coalesce({row}.params{json} ->> 'kind', '') = '{NoticeKind.STOPPAGE.value}' AND ({cancelled}) IS NOT NULL
        THEN 'cancelled'
    WHEN {row}.dossier_code IS NOT NULL AND coalesce({row}.params{json} ->> 'kind', '') NOT IN ({kinds})
        AND (({following}) IS NULL OR ({row}.params{json} ->> 'for' IS NOT NULL AND {declined(f"{row}.recipient", row)}))
        THEN 'not_followed' END"""


def may_be_handed_over(row: str) -> str:
    """A condition, asked at the last moment: what is claimed is of no broadcast that was paused or stopped meanwhile."""
    return f"({row}.broadcast_id IS NULL OR coalesce(({_BROADCAST.format(row=row)}), 'done') IN {_LEAVING})"


def closed_state(why: str) -> str:
    """An expression: the state a row is closed in, from `why`."""
    cases = " ".join(f"WHEN '{reason}' THEN '{state}'" for reason, state in CLOSED_AS.items())
    return f"CASE {why} {cases} END"
