"""What an SMSC's answers mean to the gateway, as docs/sms-statuses.md prints them from the tables it works by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from channels.sms import advice, statuses
from channels.sms.statuses import Verdict

DOES: Mapping[Verdict, str] = {
    Verdict.TAKEN: "taken: its id is kept until the report came",
    Verdict.TOO_MUCH: (
        "the account is silent for `throttle_pause`, keeps `throttle_slowdown` of its rate and wins it back by "
        "`throttle_recovery`; the segment keeps its place and goes again, for `throttle_hold` at most, then from the outbox"
    ),
    Verdict.BUSY: (
        "the same; where the SMSC takes others meanwhile it is this reader's queue that is full, and the message comes "
        "back to the outbox"
    ),
    Verdict.LATER: "the message comes back to the outbox and goes again; the account goes on",
    Verdict.NEVER: "the message has failed: `tracuu outbox list`",
    Verdict.BLOCKED: "this person wants nothing of us: the message has failed, and none follows unasked",
}
OWN_WORDS: Sequence[tuple[str, Verdict]] = (
    ("temporary_statuses", Verdict.LATER),
    ("throttling_statuses", Verdict.TOO_MUCH),
    ("stopped_statuses", Verdict.BLOCKED),
)
FATAL = "not tried again: with every bind refused the account stops, and another channel serves on or the process ends with 4"
BOUND = (
    "taken as bound, and given up after `unproven_timeout` without a message or an answer on it, or where a submit is "
    "answered ESME_RINVBNDSTS; then tried again"
)
AGAIN = "tried again after `reconnect_first`, doubled up to `reconnect_cap`"

Rows = Sequence[Sequence[str]]


def submit_answers() -> Rows:
    """Statuses of the answer to a submit_sm, what the gateway does: by what it does."""
    own = {verdict: f"the operator's own in `{setting}`" for setting, verdict in OWN_WORDS}
    numbers = {name: number for number, name in statuses.NAMES.items()}
    rows = []
    for verdict, does in DOES.items():
        named = [f"`{name}` 0x{numbers[name]:02X}" for name in statuses.TABLE.get(verdict, ())]
        rest = [own[verdict]] if verdict in own else []
        rest += ["any other"] if verdict is statuses.UNLISTED else []
        rows.append((", ".join([*named, *rest]), does))
    return rows


def submit_advice() -> Rows:
    """Status, what to do: of the answer to a submit_sm."""
    return [(advice.in_words(status), advised) for status, advised in advice.SUBMIT.items()]


def bind_answers() -> Rows:
    """Status, what the gateway does, what to do: of the answer to a bind."""
    rows = [(advice.in_words(status), _done(status), advised) for status, advised in advice.BIND.items()]
    return [*rows, ("any other", AGAIN, advice.NOT_KNOWN)]


def _done(status: int) -> str:
    if status in statuses.FATAL_TO_BIND:
        return FATAL
    return BOUND if status in statuses.BOUND else AGAIN
