"""What shows that an asker may know more of a dossier than its code alone opens (design: Disclosure in two tiers).

Numbers and secrets are never kept: an adapter seals what its source holds, an asker's proof is sealed the same way, and
only the seals are compared. A seal is an HMAC-SHA-256 keyed by the installation and bound to the dossier, so that a
cache that leaks gives neither telephone numbers nor secrets away.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from domain.codes import DossierCode
from domain.phones import senders_number, significant_numbers

LAST = 4  # digits of the telephone number on the dossier
LEAST_KEY = 16  # bytes
_SIZE = 16  # bytes of a seal that are kept
_NOT_IN_A_SECRET = re.compile(r"[^0-9A-Z]")


class ProofKind(enum.StrEnum):
    """The three ways to show it."""

    NUMBER = "number"  # the sender's own number is the one on the dossier; the reply goes there
    LAST_FOUR = "last_four"  # of that number
    SECRET = "secret"  # printed on the receipt  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class Proof:
    """Something given to show it: as typed, or the sender's number."""

    kind: ProofKind
    value: str


class Sealer:
    """Makes seals, for the adapters and for whoever compares."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Every process that shares a cache needs the same `key`.

        Raises:
            ValueError: the key is shorter than 16 bytes.
        """
        if len(key) < LEAST_KEY:
            raise ValueError(f"the key of the proofs has {len(key)} bytes, at least {LEAST_KEY} are needed")
        self._key = key

    def seal(self, code: DossierCode, proof: Proof) -> str:
        """The seal of one proof for one dossier; empty when there is nothing in it that could prove anything."""
        value = _NORMAL[proof.kind](proof.value)
        if not value:
            return ""
        text = f"{proof.kind}\0{code.agency}\0{code.text}\0{value}"
        return hmac.digest(self._key, text.encode(), hashlib.sha256)[:_SIZE].hex()

    def seals_of(self, code: DossierCode, *, numbers: Iterable[object] = (), secret: object = "") -> frozenset[str]:
        """What a source's columns prove: every number in them whole and by its last four digits, and the secret."""
        proofs = [Proof(ProofKind.SECRET, "" if secret is None else str(secret))]
        for digits in (digits for number in numbers for digits in significant_numbers(number)):
            proofs += [Proof(ProofKind.NUMBER, f"0{digits}"), Proof(ProofKind.LAST_FOUR, digits[-LAST:])]
        return frozenset(seal for proof in proofs if (seal := self.seal(code, proof)))


def _last_four(value: str) -> str:
    digits = "".join(sign for sign in value if sign.isascii() and sign.isdigit())
    return digits if len(digits) == LAST else ""


def _secret(value: str) -> str:
    """As read aloud from paper: case, spaces and dashes do not count."""
    return _NOT_IN_A_SECRET.sub("", value.upper())


_NORMAL = {ProofKind.NUMBER: senders_number, ProofKind.LAST_FOUR: _last_four, ProofKind.SECRET: _secret}
