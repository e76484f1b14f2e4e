"""Who signed a call of a one-stop system's webhook, over what and when (pure). docs/webhooks.md is the recipe.

Two ways to say it, both HMAC-SHA256: our own header, which names its key, and the three of Standard Webhooks 1.0.0, which
name none. What is signed of one cannot be passed off as the other: a moment has ten digits, a nonce of ours never.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SIGNATURE = "Tracuu-Signature"
STANDARD_ID = "Webhook-Id"
STANDARD_MOMENT = "Webhook-Timestamp"
STANDARD_SIGNATURE = "Webhook-Signature"
SUBJECT = "ce-subject"  # the header of a CloudEvent in binary mode that may hold the code

TOLERANCE = timedelta(minutes=5)  # that the caller's clock and ours may differ, either way
KEPT = 2 * TOLERANCE  # from the moment of signing: several gateways share the nonces, and their clocks differ as well
LONGEST_HEADER = 1_024  # characters
MOST_SIGNATURES = 4  # in one call of Standard Webhooks; each costs a MAC for each key
ENCODED = "whsec_"  # what follows is the key in base64 (Standard Webhooks); any other secret is the key itself
LEAST_ENCODED = 24  # bytes, as that standard has it

_OURS = re.compile(
    r"t=(?P<moment>\d{10}),k=(?P<key>[A-Za-z0-9][A-Za-z0-9_-]{0,31}),n=(?P<nonce>[A-Za-z0-9_-]{16,64})"
    r",v1=(?P<mac>[0-9a-f]{64})",
    re.ASCII,
)
_MOMENT = re.compile(r"\d{10}", re.ASCII)
_STANDARD_NONCE = re.compile(r"[!-\-/-~]{1,128}", re.ASCII)  # printable; a full stop would move the border


class Doubt(enum.StrEnum):
    """Why a call is not believed; the reasons of a refusal and of its log line."""

    UNSIGNED = "unsigned"
    UNREADABLE_SIGNATURE = "unreadable_signature"
    UNKNOWN_KEY = "unknown_key"
    LATE = "late"
    EARLY = "early"
    FORGED = "forged"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key both sides know. `id` is what a call names it by."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, identifier: str, secret: str) -> SigningKey:
        """From a secret as it is written down.

        Raises:
            ValueError: it begins with whsec_ and is not base64 of at least 24 bytes behind that.
        """
        if not secret.startswith(ENCODED):
            return cls(id=identifier, secret=secret.encode())
        decoded = _decoded(secret.removeprefix(ENCODED))
        if decoded is None or len(decoded) < LEAST_ENCODED:
            raise ValueError(
                f"the secret of key {identifier} begins with {ENCODED}: base64 of 24 bytes or more follows"
            )
        return cls(id=identifier, secret=decoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a call says of itself, believed by nobody yet. `moment` is in seconds since 1970. `key` "": any of them.

    `before`: the signed bytes that stand before the body. `macs`: one of them has to be right.
    """

    moment: int
    nonce: str
    key: str
    before: bytes
    macs: Sequence[bytes]

    @property
    def once(self) -> str:
        """What no second call may carry. The moment belongs to it: a caller that tries again signs anew, and may keep
        its nonce; whoever copied a call can change neither.
        """
        return f"{self.moment}.{self.nonce}"

    @property
    def kept_until(self) -> datetime:
        """From then on nobody takes this call any more, so that its nonce may be forgotten."""
        return self.signed_at + KEPT

    @property
    def signed_at(self) -> datetime:
        return datetime.fromtimestamp(self.moment, UTC)


def read_signature(headers: Mapping[str, str]) -> Signature | Doubt:
    """What the headers of a call say; `headers` are found whatever the case of their names."""
    if SIGNATURE in headers:
        return _read_ours(headers[SIGNATURE], headers.get(SUBJECT))
    if STANDARD_SIGNATURE in headers:
        return _read_standard(headers)
    return Doubt.UNSIGNED


def _read_ours(text: str, subject: str | None) -> Signature | Doubt:
    match = _OURS.fullmatch(text[:LONGEST_HEADER])
    if match is None:
        return Doubt.UNREADABLE_SIGNATURE
    return Signature(
        moment=int(match["moment"]),
        nonce=match["nonce"],
        key=match["key"],
        before=_before(match["moment"], match["nonce"], subject),
        macs=(bytes.fromhex(match["mac"]),),
    )


def _before(moment: str, nonce: str, subject: str | None) -> bytes:
    """A subject stands in a header, and is signed like the body."""
    told = [moment, nonce] if subject is None else [moment, nonce, subject]
    return "".join(f"{part}." for part in told).encode(errors="surrogateescape")


def _read_standard(headers: Mapping[str, str]) -> Signature | Doubt:
    nonce, moment = headers.get(STANDARD_ID, ""), headers.get(STANDARD_MOMENT, "")
    macs = _standard_macs(headers[STANDARD_SIGNATURE][:LONGEST_HEADER])
    if not (macs and _STANDARD_NONCE.fullmatch(nonce) and _MOMENT.fullmatch(moment)):
        return Doubt.UNREADABLE_SIGNATURE
    return Signature(moment=int(moment), nonce=nonce, key="", before=f"{nonce}.{moment}.".encode(), macs=macs)


def _standard_macs(text: str) -> Sequence[bytes]:
    """Those of version 1; a call may carry others, and two of them while a key takes over."""
    versions = (each.partition(",") for each in text.split())
    return [mac for version, _, told in versions if version == "v1" and (mac := _decoded(told))][:MOST_SIGNATURES]


def _decoded(told: str) -> bytes | None:
    try:
        return base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):  # not base64, perhaps not even ASCII: the caller decides what that means
        return None


def doubt_of(signature: Signature, keys: Sequence[SigningKey], now: datetime) -> Doubt | None:
    """What can be said before the body is read, by our clock. None: nothing speaks against it so far."""
    if not _named(signature, keys):
        return Doubt.UNKNOWN_KEY
    if signature.signed_at < now - TOLERANCE:
        return Doubt.LATE
    return Doubt.EARLY if signature.signed_at > now + TOLERANCE else None


def is_genuine(signature: Signature, keys: Sequence[SigningKey], body: bytes) -> bool:
    """Whether one of the keys it may mean signed this body; it takes as long whichever byte is wrong."""
    right = [_mac(key, signature.before, body) for key in _named(signature, keys)]
    return any(hmac.compare_digest(mac, each) for mac in signature.macs for each in right)


def _named(signature: Signature, keys: Sequence[SigningKey]) -> Sequence[SigningKey]:
    return [key for key in keys if signature.key in ("", key.id)]


def sign(key: SigningKey, *, moment: datetime, nonce: str, body: bytes, subject: str | None = None) -> str:
    """The value of our header for this call; what a caller has to make. `nonce`: 16 to 64 of A-Z a-z 0-9 _ -."""
    seconds = str(int(moment.timestamp()))
    mac = _mac(key, _before(seconds, nonce, subject), body)
    return f"t={seconds},k={key.id},n={nonce},v1={mac.hex()}"


def _mac(key: SigningKey, before: bytes, body: bytes) -> bytes:
    signed = hmac.new(key.secret, before, hashlib.sha256)
    signed.update(body)
    return signed.digest()
