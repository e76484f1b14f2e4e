"""Text -> what the person wants; the grammar's words are data (config/grammar.toml), the rules are here.

Three rules decide. A keyword counts only where it leads (words of courtesy aside) and what is typed around it fits:
"dang ky ket hon" (to register a marriage) follows nothing. A text with a code and no fitting keyword is a look-up.
In doubt the reading that changes least is taken: "dung <code>" (stop, or "right") ends one following, never all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from domain.codes import CodeFamily, CodeReading, DossierCode, LegacyPattern, WhyNone, read_codes
from domain.grammar import Grammar, Kind, Phrase
from domain.proof import Proof
from domain.text import bare, fold, safe_text
from domain.typed_proof import asked_beside, typed_proofs


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Where is my dossier? `codes` are distinct, in the order typed, never empty.

    `proof`: what was typed behind the code to know more of it (`MK <secret>`, `SDT <last four digits>`); it belongs to
    the first code.
    """

    codes: tuple[DossierCode, ...]
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskBack:
    """Two readings of one code exist: we ask, we never guess. `wish` is what to do with the chosen one."""

    candidates: tuple[DossierCode, ...]
    wish: str = "look_up"  # look_up | follow | unfollow


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A bare number: the answer to a question we asked. Without one pending it is unreadable."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Tell me when it changes. No code: the last one asked about."""

    codes: tuple[DossierCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfollow:
    """Stop telling me about these. No code: the only one followed, or which one is asked."""

    codes: tuple[DossierCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFollowed:
    """Which ones am I told about?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAll:
    """Tell me nothing unasked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Undo StopAll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindProcedure:
    """What do I need for ...? `words` is what was typed behind the keyword, or a procedure code."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureHelp:
    """How do I ask about a procedure? The keyword alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseLanguage:
    """Answer me in `language` (vi, en, km); `accents` where the keyword said so (vi only), else None."""

    language: str
    accents: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """An opinion or complaint (decision 40/2016 art. 5.7); `text` is safe plain text, at most 1,000 characters, and
    empty when the keyword stands alone.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinNumber:
    """That telephone number is mine too. `number` as typed, empty where none was; `vouched`: the chat says whose it is."""

    number: str = ""
    vouched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartNumber:
    """That telephone number is not mine any more. `number` as typed; empty: all that were joined, and from a telephone,
    every chat that this number was joined to.
    """

    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCode:
    """The code that was sent to the other address."""

    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """How does this work? Also a first hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thanks:
    """Courtesy after an answer: "cam on", "ok", "da". It gets silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The example code of the help text (serial 0000): it explains itself and is nobody's dossier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """No code and no keyword. `reason` is one of domain.codes.WhyNone, for the reply and for counting."""

    reason: str = "no_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """No text: what stands in a picture is to be read as if it had been typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheard:
    """Whatever it says, others read along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Somebody came to us in a chat, or came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Somebody wants nothing from us in this chat any more: done, not said."""


Inquiry = (
    LookUp
    | AskBack
    | Choice
    | Follow
    | Unfollow
    | ListFollowed
    | StopAll
    | Resume
    | FindProcedure
    | ProcedureHelp
    | ChooseLanguage
    | Feedback
    | JoinNumber
    | PartNumber
    | JoinCode
    | Help
    | Thanks
    | Example
    | Unreadable
    | Picture
    | Overheard
    | Started
    | Blocked
)

FEEDBACK_LENGTH = 1_000
PROCEDURE_LENGTH = 200
_LONGEST_CHOICE = 2  # digits
_PROOFS_TRIED = 3
_WORDS = re.compile(r"\w")
_TELEPHONE = re.compile(r"\+?\d(?:[ .\-]{0,2}\d){8,13}", re.ASCII)
_PUNCTUATION = " \n:.,;-"  # between a keyword and what belongs to it

_SOFT = frozenset({Kind.GREETING, Kind.THANKS, Kind.FILLER})
_BESIDE_A_CODE = _SOFT | {Kind.LOOK_UP, Kind.SECRET, Kind.LAST_FOUR}
# Whose telephone number it is, or is not any more; the number stands behind.
_OF_A_NUMBER: Mapping[Kind, type[JoinNumber | PartNumber]] = {Kind.LINK: JoinNumber, Kind.UNLINK: PartNumber}
_BESIDE_A_NUMBER = frozenset({*_OF_A_NUMBER, Kind.LAST_FOUR})
# What a keyword does to the codes typed with it. Stopping is never extended to what was not named.
_WISHES = {
    Kind.FOLLOW: "follow",
    Kind.RESUME: "follow",
    Kind.UNFOLLOW: "unfollow",
    Kind.STOP_ALL: "unfollow",
}
# A keyword by itself: the kinds that may be typed with it, words of courtesy aside.
_BY_THEMSELVES: dict[Kind, tuple[Inquiry, frozenset[Kind]]] = {
    Kind.FOLLOW: (Follow(), frozenset({Kind.FOLLOW, Kind.LOOK_UP})),
    Kind.UNFOLLOW: (Unfollow(), frozenset({Kind.UNFOLLOW, Kind.LOOK_UP})),
    Kind.LIST: (ListFollowed(), frozenset({Kind.LIST, Kind.LOOK_UP, Kind.FOLLOW})),
    Kind.STOP_ALL: (StopAll(), frozenset({Kind.STOP_ALL})),
    Kind.RESUME: (Resume(), frozenset({Kind.RESUME})),
    Kind.HELP: (Help(), frozenset(Kind)),
    Kind.VIETNAMESE: (ChooseLanguage(language="vi"), frozenset({Kind.VIETNAMESE})),
    Kind.ENGLISH: (ChooseLanguage(language="en"), frozenset({Kind.ENGLISH})),
    Kind.KHMER: (ChooseLanguage(language="km"), frozenset({Kind.KHMER})),
    Kind.ACCENTS_ON: (ChooseLanguage(language="vi", accents=True), frozenset({Kind.ACCENTS_ON, Kind.VIETNAMESE})),
    Kind.ACCENTS_OFF: (ChooseLanguage(language="vi", accents=False), frozenset({Kind.ACCENTS_OFF, Kind.VIETNAMESE})),
}


def read_inquiry(text: str, grammar: Grammar, *, today: date, legacy: Sequence[LegacyPattern] = ()) -> Inquiry:
    """What somebody wants by a text; total: no text makes it raise. `today`: the date in Asia/Ho_Chi_Minh."""
    reading = read_codes(text, today=today, legacy=legacy)
    if reading.codes and not reading.candidates and not reading.before and not reading.after:
        return LookUp(codes=reading.codes)
    if reading.why is WhyNone.EMPTY:
        return Unreadable(reason=WhyNone.EMPTY)
    before = grammar.phrases(reading.before)
    lead = _first_hard(before)
    if lead is not None and lead.kind is Kind.FEEDBACK:
        return _feedback(text, grammar)
    for typed in islice(typed_proofs(text, grammar), _PROOFS_TRIED):
        beside = read_codes(typed.rest, today=today, legacy=legacy)
        if beside.why is None and (about := asked_beside(typed, reading, beside)) is not None:
            proof = None if about.candidates else typed.proof
            return _about_codes(about, grammar, _keywords(legacy), proof=proof)
    if reading.why is None:
        return _about_codes(reading, grammar, _keywords(legacy))
    return _without_code(reading, before, grammar)


def _keywords(legacy: Sequence[LegacyPattern]) -> frozenset[str]:
    """The agencies' keywords: beside a code they change nothing."""
    return frozenset(bare(pattern.keyword) for pattern in legacy if pattern.keyword)


def _first_hard(phrases: Sequence[Phrase]) -> Phrase | None:
    """The first phrase that is more than courtesy."""
    return next((phrase for phrase in phrases if phrase.kind not in _SOFT), None)


def _feedback(text: str, grammar: Grammar) -> Inquiry:
    """Everything behind the keyword, codes included."""
    folded = fold(text[: 4 * FEEDBACK_LENGTH])
    lead = _first_hard(grammar.phrases(folded))
    words = safe_text((folded[lead.end :] if lead else folded).lstrip(_PUNCTUATION), FEEDBACK_LENGTH)
    return Feedback(text=words)


def _about_codes(
    reading: CodeReading, grammar: Grammar, keywords: frozenset[str], *, proof: Proof | None = None
) -> Inquiry:
    keywords |= _agencies_named(reading)
    before, after = (
        [phrase for phrase in grammar.phrases(words) if phrase.kind or bare(phrase.spelled[0]) not in keywords]
        for words in (reading.before, reading.after)
    )
    wish = _wish(before, after, grammar)
    if reading.candidates:
        return AskBack(candidates=reading.candidates, wish=wish)
    if not reading.codes:
        return Example()
    if wish == "follow":
        return Follow(codes=reading.codes)
    if wish == "unfollow":
        return Unfollow(codes=reading.codes)
    return LookUp(codes=reading.codes, proof=proof)


def _agencies_named(reading: CodeReading) -> frozenset[str]:
    """The identifiers of the agencies that stand before receipt numbers from before, word by word: H51.18:12345/2016/001."""
    agencies = [code.agency for code in reading.codes if code.family is CodeFamily.LEGACY]
    return frozenset(word for agency in agencies for word in agency.split("."))


def _wish(before: Sequence[Phrase], after: Sequence[Phrase], grammar: Grammar) -> str:
    """What is wanted with the codes: one keyword before the first of them with nothing unknown beside it and no
    other keyword behind, or else one keyword behind and nothing else on either side.
    """
    if (alone := _alone(before, grammar)) and not after:
        return _WISHES.get(alone, "look_up")
    first = [phrase for phrase in before if phrase.kind not in _BESIDE_A_CODE]
    then = [phrase for phrase in after if phrase.kind not in _BESIDE_A_CODE]
    if len(first) == 1:
        kind = first[0].kind or grammar.alone.get(first[0].spelled)
        others = {_WISHES[phrase.kind] for phrase in then if phrase.kind in _WISHES}
        wish = _WISHES.get(kind, "look_up") if kind else "look_up"
        return wish if others <= {wish} else "look_up"
    if not first and len(then) == 1 and then[0].kind:
        return _WISHES.get(then[0].kind, "look_up")
    return "look_up"


def _alone(phrases: Sequence[Phrase], grammar: Grammar) -> Kind | None:
    """What the words mean when nothing else was typed."""
    return grammar.alone.get(tuple(word for phrase in phrases for word in phrase.spelled))


def _without_code(reading: CodeReading, phrases: Sequence[Phrase], grammar: Grammar) -> Inquiry:
    """A text without a code, from the surest reading to the vaguest."""
    if not phrases:
        return _by_kind(grammar.sign(reading.before), reading)
    hard = [phrase for phrase in phrases if phrase.kind not in _SOFT]
    if not hard:
        kinds = {phrase.kind for phrase in phrases}
        return _by_kind(
            Kind.GREETING if Kind.GREETING in kinds else Kind.THANKS if Kind.THANKS in kinds else None, reading
        )
    named = [phrase for phrase in hard if phrase.kind is not Kind.LOOK_UP]
    if len(named) == 1 and named[0].kind is None and (number := _small_number(named[0].spelled[0])):
        return Choice(number=number)
    if "?" not in reading.before and (kind := _alone(phrases, grammar)):
        return _BY_THEMSELVES[kind][0]
    return _by_lead(reading, hard)


def _by_kind(kind: Kind | None, reading: CodeReading) -> Inquiry:
    """A text of greetings, courtesy or signs only."""
    if kind in (Kind.GREETING, Kind.HELP):
        return Help()
    return Thanks() if kind is Kind.THANKS else Unreadable(reason=reading.why or WhyNone.NO_CODE)


def _small_number(word: str) -> int:
    """1 to 99, or 0 for what is no answer to a question we asked."""
    return int(word) if len(word) <= _LONGEST_CHOICE and word.isascii() and word.isdigit() else 0


def _by_lead(reading: CodeReading, hard: Sequence[Phrase]) -> Inquiry:
    """What the leading keyword says, if the rest fits; "tra cuu" before it adds nothing."""
    lead = next((phrase for phrase in hard if phrase.kind is not Kind.LOOK_UP), hard[-1])
    if lead.kind is Kind.PROCEDURE:
        behind = reading.before[lead.end :].lstrip(_PUNCTUATION)
        words = reading.procedure or safe_text(behind, PROCEDURE_LENGTH)
        return FindProcedure(words=words) if _WORDS.search(words) else ProcedureHelp()
    if lead.kind is not None and lead.kind in _OF_A_NUMBER:
        number = _TELEPHONE.search(reading.before, lead.end)
        if number or all(phrase.kind in _BESIDE_A_NUMBER or phrase.spelled[0].isdigit() for phrase in hard):
            return _OF_A_NUMBER[lead.kind](number=number[0] if number else "")
    elif lead.kind in _BY_THEMSELVES:
        inquiry, company = _by_company(lead.kind, hard)
        if lead.kind is Kind.HELP or all(phrase.kind in company for phrase in hard):
            return inquiry
    elif reading.why is WhyNone.PROCEDURE_CODE:
        return FindProcedure(words=reading.procedure)
    return Unreadable(reason=reading.why or WhyNone.NO_CODE)


def _by_company(kind: Kind, hard: Sequence[Phrase]) -> tuple[Inquiry, frozenset[Kind]]:
    """The lead and what may stand with it; "tieng viet khong dau" is decided by its accents."""
    if kind is Kind.VIETNAMESE:
        kind = (
            next((phrase.kind for phrase in hard if phrase.kind in (Kind.ACCENTS_ON, Kind.ACCENTS_OFF)), None) or kind
        )
    return _BY_THEMSELVES[kind]
