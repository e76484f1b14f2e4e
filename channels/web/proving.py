"""Reads what somebody gives on the web to know more of a dossier: last four digits of a telephone number, or a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from domain.phones import senders_number
from domain.proof import LAST, Proof, ProofKind
from domain.text import fold

LONGEST = 64  # signs of a secret
LONGEST_NUMBER = 20  # signs of a telephone number
LONGEST_WORK = 4_096  # signs of a proof of work; one takes some 700
_LAID_OUT = frozenset(" .-+()")  # between its digits


class QuestionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with a proof of a right to more: the last four digits of the telephone number given, or the look-up
    secret of the receipt, one of the two at most. `work`: the solution of a challenge, as ALTCHA writes it, in base64.
    """

    last_four: Annotated[str, Meta(pattern=r"^\s*[0-9]{4}\s*$")] | msgspec.UnsetType = msgspec.UNSET
    secret: Annotated[str, Meta(pattern=r"[0-9A-Za-z]", max_length=LONGEST)] | msgspec.UnsetType = msgspec.UNSET
    work: Annotated[str, Meta(max_length=LONGEST_WORK)] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What comes with a question. `work`: a proof of work as it came, not yet looked at; empty: none."""

    proof: Proof | None = None
    work: str = ""


NOTHING_GIVEN = Given()


def given_in_json(body: bytes) -> Given | None:
    """What this body gives; None where it is none of ours, or gives a proof that could not be compared."""
    try:
        read = msgspec.json.decode(body, type=QuestionBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # the caller says what was expected
        return None
    proof = None
    if read.last_four or read.secret:
        proof = _one_proof(read)
        if proof is None:
            return None
    return Given(proof=proof, work=read.work or "")


def _one_proof(read: QuestionBody) -> Proof | None:
    if read.last_four and not read.secret:
        return _last_four(read.last_four)
    if read.secret and not read.last_four:
        return _secret(read.secret)
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
