"""Reads what somebody gives on the web to know more of a dossier: last four digits of a telephone number, or a secret."""

from __future__ import annotations

import msgspec

from domain.phones import significant_number
from domain.proof import LAST, Proof, ProofKind
from domain.text import fold

LONGEST = 64  # signs of a secret
_LAID_OUT = frozenset(" .-+()")  # between the digits of a telephone number


class ProofBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of a question with a proof: exactly one of the two."""

    last_four: str | None = None
    secret: str | None = None


def proof_in_json(body: bytes) -> Proof | None:
    """The proof in this body; None where there is none that could be compared."""
    try:
        given = msgspec.json.decode(body, type=ProofBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the caller says what was expected
        return None
    if given.last_four is not None and given.secret is None:
        return _last_four(given.last_four)
    if given.secret is not None and given.last_four is None:
        return _secret(given.secret)
    return None


def proof_in_field(typed: str) -> Proof | None:
    """The proof in the page's one field: four digits, or a whole telephone number, or else the receipt's secret."""
    typed = fold(typed)
    digits = significant_number(typed) if all(sign.isdigit() or sign in _LAID_OUT for sign in typed) else ""
    return _last_four(typed) or _last_four(digits[-LAST:]) or _secret(typed)


def _last_four(typed: str) -> Proof | None:
    digits = typed.strip()
    return Proof(ProofKind.LAST_FOUR, digits) if len(digits) == LAST and _is_number(digits) else None


def _secret(typed: str) -> Proof | None:
    secret = typed.strip()
    readable = any(sign.isascii() and sign.isalnum() for sign in secret)
    return Proof(ProofKind.SECRET, secret) if readable and len(secret) <= LONGEST else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
