"""A proof typed with a code: `<code> MK <secret>`, `SDT <last four digits> <code>` (precedent: reference, domain §4.2).

Only behind its keyword: a bare "2026" or "1234" beside a code proves nothing, so that no harmless question is refused.
Nor does a whole number, "SDT 0912 345 678": that is how people sign, and a code signed with another number is still a
plain question. Both are taken out of the text before codes are read, so that their digits are never a part of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.codes import CodeFamily, CodeReading, DossierCode
from domain.grammar import Grammar, Kind, Phrase
from domain.proof import LAST, Proof, ProofKind
from domain.text import bare, fold

_READ = 4_000  # characters; twice of what codes are read from, so that a text too long stays too long
_BORDER = " ; "  # no separator of a code: what stands on its two sides stays apart
_EITHER = 2  # codes: one with the number behind a keyword, and one without
_KINDS = {Kind.SECRET: ProofKind.SECRET, Kind.LAST_FOUR: ProofKind.LAST_FOUR}
_BETWEEN = frozenset({Kind.FILLER, Kind.LOOK_UP, *_KINDS})  # "mat khau cua em la 7K3M9Q"

_GAP = r"[ \n:=.,\-]{0,3}"
_WHOLE = r"(?![0-9A-Z]|[./\-_,]+[0-9A-Z])"
_DIGIT_IN_IT = "(?=[A-Z-]*[0-9])"
_GROUP = rf"(?![A-Z][0-9]{{2}}(?![0-9A-Z])){_DIGIT_IN_IT}[0-9A-Z]{{2,4}}"  # never "H51": a code may begin there
_SECRET = re.compile(
    _GAP
    + rf"(?P<value>{_GROUP}(?: {_GROUP}){{1,4}}"  # in groups, as it may be printed
    + rf"|{_DIGIT_IN_IT}[0-9A-Z](?:-?[0-9A-Z]){{3,31}}"
    + r"|[A-Z]{6,32})"  # without a digit: longer than most words of Vietnamese
    + _WHOLE
)
_NUMBER = re.compile(
    _GAP
    + r"(?P<value>(?:\+?84[ .-]?|0|(?=[35789]))(?:[35789]|2[0-9]?)(?:[ .-]?[0-9]){8}"  # a whole telephone number
    + rf"|[0-9]{{{LAST}}})"
    + _WHOLE
)
_VALUES = {Kind.SECRET: _SECRET, Kind.LAST_FOUR: _NUMBER}


@dataclass(frozen=True, slots=True)
class TypedProof:
    """A proof, or None of a whole number; where its value stands in the folded text, and whether that is digits only;
    and the text without it and its keyword.
    """

    proof: Proof | None
    place: range
    is_one_number: bool
    rest: str


def typed_proofs(text: str, grammar: Grammar) -> Iterator[TypedProof]:
    """What may be a proof in `text`, left to right: a keyword with a value behind it."""
    folded = fold(text[:_READ])
    upper = bare(folded)
    phrases = grammar.phrases(folded)
    for place, phrase in enumerate(phrases):
        if phrase.kind not in _VALUES:
            continue
        for end in _ends(phrases, place):
            match = _VALUES[phrase.kind].match(upper, end)
            if match:
                value = folded[match.start("value") : match.end("value")]
                rest = folded[: phrase.start] + _BORDER + folded[match.end() :]
                yield TypedProof(_proof(phrase.kind, value), range(*match.span("value")), value.isdigit(), rest)
                break


def asked_beside(typed: TypedProof, plain: CodeReading, beside: CodeReading) -> CodeReading | None:
    """What is asked about when `typed` is taken for a proof; None where it may be a part of a code instead. `plain` is
    the reading of the whole text, `beside` that of the rest.

    A keyword never changes the code: "ma tra cuu 000 00 18 H51 161220 0001" has no secret. One number that may be
    either ("SDT 0018 H51-250701-0012") is asked about.
    """
    without, known = _codes_in(beside), _codes_in(plain)
    new = without - known
    lost = not set(plain.codes) <= without or (bool(known) and not known & without)
    if not lost and not (known and len(plain.before) in typed.place):
        return None if any(map(_may_be_cut, new)) else beside
    both = (*plain.codes, *beside.codes)
    if new and len(both) == len({*known, *without}) == _EITHER and typed.is_one_number:
        return replace(beside, codes=(), candidates=both)
    return None


def _codes_in(reading: CodeReading) -> set[DossierCode]:
    return {*reading.codes, *reading.candidates}


def _may_be_cut(code: DossierCode) -> bool:
    """What was typed before it may be its beginning: an old code, or one that is an old code's end."""
    return code.family is CodeFamily.OLD or (code.family is CodeFamily.NEW and "." not in code.agency)


def _ends(phrases: Sequence[Phrase], place: int) -> list[int]:
    """Where the value may begin: behind the keyword, or behind words of courtesy that follow it."""
    ends = [phrases[place].end]
    for phrase in phrases[place + 1 :]:
        if phrase.kind not in _BETWEEN:
            break
        ends.append(phrase.end)
    return ends


def _proof(kind: Kind, value: str) -> Proof | None:
    signed = kind is Kind.LAST_FOUR and len(value) != LAST
    return None if signed else Proof(_KINDS[kind], value)
