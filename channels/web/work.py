"""A proof of work for whoever is suspected: ALTCHA's protocol, version 2, so that its own widget solves ours too.

The counter to find lies between 80 and 159, which bounds how long the slowest telephone takes. Making a challenge costs
us one step of that work, checking a solution only two HMACs: the key that is to be found is signed with the challenge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import altcha
import msgspec

ALGORITHM = "PBKDF2/SHA-256"
FEWEST_STEPS, MORE_STEPS = 80, 80  # the counter to find
LEAST_KEY = 16  # bytes
LONGEST_PAYLOAD = 2_048  # characters; a real one has some 800
LONGER_SPENT = 60.0  # seconds a spent challenge is remembered after it expired, should a clock be set back
Once = Callable[[str, float], Awaitable[bool]]


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    site: str


class _Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As we make them; anything else is not ours."""

    algorithm: str
    cost: int
    key_length: int = msgspec.field(name="keyLength")
    key_prefix: str = msgspec.field(name="keyPrefix")
    key_signature: str = msgspec.field(name="keySignature")
    nonce: str
    salt: str
    expires_at: int = msgspec.field(name="expiresAt")
    data: _Data


class _Challenge(msgspec.Struct, frozen=True, kw_only=True):
    parameters: _Parameters
    signature: str


class _Solution(msgspec.Struct, frozen=True, kw_only=True):
    counter: int
    derived_key: str = msgspec.field(name="derivedKey")


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    challenge: _Challenge
    solution: _Solution


_DECODER = msgspec.json.Decoder(_Payload)


class WorkDesk:
    """Hands out challenges and takes solutions, each once. Nothing is kept of a challenge: it is signed."""

    __slots__ = ("_clock", "_cost", "_good_for", "_key_secret", "_once", "_secret")

    def __init__(
        self, *, key: bytes, once: Once, clock: Callable[[], datetime], cost: int = 2_000, minutes: int = 10
    ) -> None:
        """`key` is the same for all gateways of one address. `once(signature, seconds)` is true the first time within
        so many seconds, always as many. `clock` gives aware moments, the true ones: whether a challenge has expired is
        read from the machine's own clock. `cost` is in rounds of PBKDF2 for one step; a challenge costs us one.

        Raises:
            ValueError: the key is shorter than 16 bytes.
        """
        if len(key) < LEAST_KEY:
            raise ValueError(f"the key of the proofs of work has {len(key)} bytes, at least {LEAST_KEY} are needed")
        self._secret = hmac.digest(key, b"challenge", hashlib.sha256)
        self._key_secret = hmac.digest(key, b"found key", hashlib.sha256)
        self._once = once
        self._clock = clock
        self._cost = cost
        self._good_for = timedelta(minutes=minutes)

    def challenge(self, site: str) -> Mapping[str, Any]:
        """What is to be solved, as JSON carries it; good for questions by this site's key, or by none."""
        challenge = altcha.create_challenge(
            ALGORITHM,
            self._cost,
            counter=FEWEST_STEPS + secrets.randbelow(MORE_STEPS),
            expires_at=self._clock() + self._good_for,
            data={"site": site},
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        return challenge.to_dict()

    async def verify(self, payload: str, site: str) -> bool:
        """Whether this solves a challenge of ours for this site, for the first time and in time. Whatever it is, it does
        not fail.
        """
        solved = _read(payload)
        if solved is None or solved.challenge.parameters.data.site != site or not self._is_right(solved):
            return False
        return await self._once(solved.challenge.signature, self._good_for.total_seconds() + LONGER_SPENT)

    def _is_right(self, solved: _Payload) -> bool:
        """Not expired, ours, and the key was found: in this order, and without deriving any key."""
        given = altcha.Payload.from_dict(msgspec.to_builtins(solved))
        return altcha.verify_solution(given, self._secret, hmac_key_secret=self._key_secret).verified


def _read(payload: str) -> _Payload | None:
    """The payload of ALTCHA, base64 of JSON; None for anything else, and for what no challenge of ours makes so long."""
    if len(payload) > LONGEST_PAYLOAD:
        return None
    try:
        return _DECODER.decode(base64.b64decode(payload, validate=True))
    except (ValueError, RecursionError):  # whatever it is, it proves nothing
        return None
