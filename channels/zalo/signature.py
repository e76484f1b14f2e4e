"""Whether a call of our webhook comes from the platform, and when it was made (pure).

The platform signs with a plain SHA-256 over application id, raw body, timestamp and the account's secret, one behind
the other. The body is signed as it was written: parsed and written anew it has another sum.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

SIGNATURE = "X-ZEvent-Signature"
PREFIX = "mac="
# That ours may be behind the platform's clock: by hours where somebody mistook a time zone. Whoever has the secret is the
# platform whatever the hour, and five calls that are refused end the webhook.
EARLY = timedelta(hours=12)
MOST_DIGITS = 14  # of milliseconds since 1970


def mac_of(*, app_id: str, body: bytes, timestamp: str, secret: str) -> str:
    """The sum as hexadecimal digits. `timestamp` as it stands in the body."""
    return hashlib.sha256(b"".join((app_id.encode(), body, timestamp.encode(), secret.encode()))).hexdigest()


def is_genuine(signature: str, *, app_id: str, body: bytes, timestamp: str, secret: str) -> bool:
    """`signature` is the header's value; some calls have the prefix and some do not."""
    given = signature.strip().removeprefix(PREFIX).lower()
    expected = mac_of(app_id=app_id, body=body, timestamp=timestamp, secret=secret)
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def is_timely(timestamp: str, *, now: datetime, longest: timedelta) -> bool:
    """Signed not longer ago than the platform repeats its calls: a repeated call is the same, timestamp and all, so that
    what keeps it from being answered twice is its id in the journal; older ones may have left the journal.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MOST_DIGITS):
        return False
    signed_at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
    return now - longest <= signed_at <= now + EARLY
