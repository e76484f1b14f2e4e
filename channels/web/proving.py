"""Reads what somebody gives on the web to know more of a dossier: last four digits of a telephone number, or a secret."""

from __future__ import annotations

import msgspec

from domain.phones import senders_number
from domain.proof import LAST, Proof, ProofKind
from domain.text import fold

LONGEST = 64  # signs of a secret
LONGEST_NUMBER = 20  # signs of a telephone number
_LAID_OUT = frozenset(" .-+()")  # between its digits


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


def proof_in_form(last_four: str, secret: str) -> Proof | None:
    """The proof in the page's two fields, of which the first that is filled counts. Which kind it is says the field: a
    secret may be of digits only. Of a whole telephone number in the first field the last four are taken.
    """
    typed = fold(last_four).strip()
    if not typed:
        return _secret(fold(secret))
    digits = "".join(sign for sign in typed if sign not in _LAID_OUT)
    return _last_four(digits) or (_last_four(senders_number(digits)[-LAST:]) if _is_number(digits) else None)


def _last_four(typed: str) -> Proof | None:
    digits = typed.strip()
    return Proof(ProofKind.LAST_FOUR, digits) if len(digits) == LAST and _is_number(digits) else None


def _secret(typed: str) -> Proof | None:
    secret = typed.strip()
    readable = any(sign.isascii() and sign.isalnum() for sign in secret)
    return Proof(ProofKind.SECRET, secret) if readable and len(secret) <= LONGEST else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
