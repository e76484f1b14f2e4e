"""What the platform's answers to a message mean, as a table. Errors come as HTTP 200 with a code.

Words of the codes: the platform's list as public clients print it. A code that is not here is a refusal for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain.errors import ChannelError
from domain.message import SendStatus

R, J, S = SendStatus.RETRY, SendStatus.REJECTED, SendStatus.STOPPED

WHILE = 600.0  # seconds: shorter than a reply is valid, so that one outlives what is soon mended
MOMENT = 30.0  # seconds
WINDOW = "window"  # the reason that lets a notice go to the person's next address


class NotSent(ChannelError):
    """The request certainly did not reach the platform."""


class NoAnswer(ChannelError):
    """The request may have reached the platform, and nobody said what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`retry_after` in seconds. `pauses`: it speaks of the account, so that nothing is sent for a moment. `mend`: a
    person has to do something about the account.
    """

    status: SendStatus
    reason: str
    retry_after: float = 0.0
    pauses: bool = False
    mend: bool = False


def _v(
    status: SendStatus, reason: str, retry_after: float = 0.0, *, pauses: bool = False, mend: bool = False
) -> Verdict:
    return Verdict(status=status, reason=reason, retry_after=retry_after, pauses=pauses, mend=mend)


VERDICTS: Mapping[int, Verdict] = MappingProxyType(
    {
        -32: _v(R, "rate", pauses=True),
        -201: _v(J, "parameter"),
        -204: _v(R, "account_deleted", WHILE, pauses=True, mend=True),
        -205: _v(R, "account_unknown", WHILE, pauses=True, mend=True),
        -207: _v(R, "application_not_linked", WHILE, pauses=True, mend=True),
        -209: _v(J, "not_supported", mend=True),
        -210: _v(J, "too_long"),
        -211: _v(R, "quota", WHILE, mend=True),
        -212: _v(R, "application_not_allowed", WHILE, pauses=True, mend=True),
        # The person has not forbidden anything: leaving the account comes as an event of its own. A notice goes to
        # their next address, and the following stays for the day they come back.
        -213: _v(J, "not_follower"),
        -215: _v(R, "application_unknown", WHILE, pauses=True, mend=True),
        -217: _v(S, "blocked"),
        -218: _v(R, "quota_of_person", WHILE),
        -221: _v(R, "account_not_verified", WHILE, pauses=True, mend=True),
        -222: _v(J, "inactive"),
        -224: _v(J, "package", mend=True),
        -227: _v(J, "inactive"),  # banned, or away for 45 days: nobody's wish either
        -230: _v(J, WINDOW),
        -232: _v(J, WINDOW),
        -233: _v(J, "kind"),
        -234: _v(R, "night", WHILE),
        -240: _v(J, "api_shut_down", mend=True),
        -244: _v(S, "blocked"),
        -305: _v(J, WINDOW),
        -311: _v(J, WINDOW),
        # Only what is paid for; answers within 48 hours are free and still leave.
        -320: _v(J, "billing", mend=True),
        -321: _v(J, "billing", mend=True),
    }
)
TOKEN_REFUSED = frozenset({-216, -220, -124})  # renewed once, then sent again
# May speak of the buttons; everything they do can be typed, so that the text is sent without them.
PERHAPS_BUTTONS = frozenset({-201, -233})

BUSY = frozenset({429, 503})
# The platform's own refusals are HTTP 200: these come from something on the way, and say nothing about the message.
ON_THE_WAY = frozenset({401, 403, 404, 407, 408, 421, 451})
LEAST_ERROR = 500
LEAST_REFUSAL = 400


def verdict_of(code: int) -> Verdict:
    """Of a code that is not 0."""
    return VERDICTS.get(code) or _v(J, f"code {code}")


def verdict_of_status(status: int, retry_after: float) -> Verdict:
    """Of an HTTP status that is not 2xx. A server that failed may have sent the message before it did."""
    if status in BUSY:
        return _v(R, f"http {status}", retry_after, pauses=True)
    if status in ON_THE_WAY:
        return _v(R, f"http {status}", MOMENT, pauses=True, mend=True)
    if status >= LEAST_ERROR or status < LEAST_REFUSAL:
        return _v(SendStatus.UNKNOWN, f"http {status}")
    return _v(J, f"http {status}")
