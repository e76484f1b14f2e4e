"""Outcome -> text: in the reader's language, with or without accents, no longer than the channel carries.

The texts and the agencies are passed in; what "fits" is asked of the channel's own counter. Order of trying: with
accents where wanted, without accents, without accents and what goes beyond the public tier dropped one by one, the least
urgent first, then the tails. Nothing is ever cut but an outside system's own words, at a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.agencies import Agencies, Agency
from domain.answers import DossierAnswer, Outcome
from domain.calendar import local_day
from domain.catalogue import Catalogue, Template
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.gsm import force_gsm7
from domain.message import require_aware
from domain.procedure import Procedure, shortened, told_apart, told_in
from domain.reply_keys import (
    EXTRA_KEYS,
    PLACEHOLDERS,
    STATE_KEYS,
    UNREADABLE_KEYS,
    WHICH_AGENCY_KEYS,
    WHICH_KEYS,
    WHICH_PROCEDURE_KEYS,
)
from domain.text import safe_text, unaccent

CODES_PER_REPLY = 2  # more would not be read on a small screen
VALUE_MAX = 120  # characters of one value; the longest code has 45
PROCEDURE_NAME_MAX = 60  # four of them and the question fit two segments without accents
PROCEDURE_FACT_MAX = 44  # of its time, fee and place, for the same reason
DETAIL_MAX = 60  # of a dossier's fee, procedure and unit; with the papers that are missing they fill two segments

_WITH_DUE_DATE = frozenset({DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})
# An apology for lateness only where the agency has the next step; elsewhere what the citizen must do comes first, and
# of an unmapped state nobody knows whether it is late.
_LATE_MATTERS = _WITH_DUE_DATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How to speak to one person now. `fits` tells whether a text can be sent to them; `now` is aware."""

    language: str
    accents: bool
    now: datetime
    fits: Callable[[str], bool]

    def __post_init__(self) -> None:
        require_aware(self.now, "now")

    @property
    def today(self) -> date:
        """The day in Asia/Ho_Chi_Minh."""
        return local_day(self.now)


def late(dossier: Dossier, today: date) -> bool:
    """An apology is due: the promised day is past and the next step is the agency's."""
    return dossier.status in _LATE_MATTERS and dossier.overdue(today)


@dataclass(frozen=True, slots=True)
class _Said:
    """A value that is itself a text of the catalogue."""

    key: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One text to be said, not yet written: its keys one behind the other, and the values for them. `extras` are the
    keys that may follow, the most urgent first.
    """

    keys: tuple[str, ...]
    params: Mapping[str, object]
    extras: tuple[str, ...] = ()

    def extended(self, extras: int) -> _Sentence:
        """The same with so many extras said."""
        return _Sentence((*self.keys, *self.extras[:extras]), self.params)


class ReplyWriter:
    """Writes every text a person is sent. `stale_after`: older data are told with their time.

    Raises:
        ValueError: the catalogue is not the one this writer speaks from; every fault, one a line.
    """

    __slots__ = ("_agencies", "_catalogue", "_stale_after")

    def __init__(self, catalogue: Catalogue, agencies: Agencies, *, stale_after: timedelta) -> None:
        faults = _unspeakable(catalogue)
        if faults:
            raise ValueError("\n".join(faults))
        self._catalogue = catalogue
        self._agencies = agencies
        self._stale_after = stale_after

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are texts for; the first is the default."""
        return self._catalogue.languages

    def dossier_answers(self, answers: Sequence[DossierAnswer], voice: Voice, *, more: bool = False) -> str:
        """One text about the first two answers at most; what is left out is asked for separately.

        `more`: codes were typed that are not among `answers`. The text fits, or is the shortest there is.

        Raises:
            ValueError: there is no answer.
        """
        if not answers:
            raise ValueError("there is nothing to answer")
        told = [self._about(answer, voice) for answer in answers[:CODES_PER_REPLY]]
        rest = _Sentence(("rest_separately",), {})
        left_out = more or len(answers) > len(told)
        text = self._fitting([*told, rest] if left_out else told, voice)
        if len(told) > 1 and not voice.fits(text):
            text = self._fitting([told[0], rest], voice)
        return text

    def say(self, key: str, voice: Voice, **params: object) -> str:
        """Any other text; `params` are values for its placeholders, `phone` is the help desk's unless given.

        A datetime is written as a moment and a date as a day of the reader's language; all else is data.

        Raises:
            KeyError: there is no such text, or a placeholder has no value.
        """
        return self._fitting([_Sentence((key,), {"phone": self._agencies.default.phone, **params})], voice)

    def unreadable(self, reason: str, voice: Voice) -> str:
        """What is said to a text without a code; `reason` is one of domain.codes.WhyNone."""
        return self.say(UNREADABLE_KEYS.get(reason, "unreadable"), voice)

    def ask_back(self, codes: Sequence[DossierCode | str], voice: Voice) -> str:
        """Which of these do you mean? Two to four; of more we ask for the whole code again. Where it is one receipt
        number of several agencies, their short names are told apart.
        """
        legacy = [code for code in codes if isinstance(code, DossierCode) and code.family is CodeFamily.LEGACY]
        if len(legacy) == len(codes) and len({code.text for code in legacy}) == 1:
            key = WHICH_AGENCY_KEYS.get(len(codes), "which_agency")
            return self.say(key, voice, code=legacy[0], **_numbered("agency", map(self._named, legacy)))
        key = WHICH_KEYS.get(len(codes), "too_many_readings")
        return self.say(key, voice, **_numbered("code", codes))

    def procedure(self, procedure: Procedure, voice: Voice) -> str:
        """What one procedure takes: name, time, fee, place; long ones are cut at a word."""
        facts = {"fee": procedure.fee, "where": procedure.where, "days_note": procedure.days_note}
        return self.say(
            "procedure_found_noted" if procedure.days is None else "procedure_found",
            voice,
            procedure=shortened(told_in(voice.language, procedure.names), PROCEDURE_NAME_MAX),
            days=procedure.days,
            **{name: shortened(told_in(voice.language, texts), PROCEDURE_FACT_MAX) for name, texts in facts.items()},
        )

    def which_procedure(self, procedures: Sequence[Procedure], voice: Voice) -> str:
        """Which of these do you mean? Two to four, numbered in their order.

        Raises:
            KeyError: there are fewer, or more.
        """
        names = told_apart([told_in(voice.language, each.names) for each in procedures], PROCEDURE_NAME_MAX)
        return self.say(WHICH_PROCEDURE_KEYS[len(procedures)], voice, **_numbered("procedure", names))

    def _named(self, code: DossierCode) -> str:
        agency = self._agencies.for_code(code)
        return agency.short_name if agency is not None else code.agency

    def _about(self, answer: DossierAnswer, voice: Voice) -> _Sentence:
        agency = self._agency(answer, voice.today)
        key = self._key(answer, agency, voice.today)
        dossier = answer.dossier
        params: dict[str, object] = {
            "code": answer.code,
            "agency": agency.short_name,
            "phone": agency.phone or self._agencies.default.phone,
            "as_of": answer.as_of,
        }
        if dossier is not None:
            params |= {"due_on": dossier.due_on, "state": _Said(f"state.{STATE_KEYS[dossier.status]}")}
        extras = {} if dossier is None else _extras(dossier)
        aged = answer.as_of is not None and voice.now - answer.as_of > self._stale_after
        keys = (key, "data_time") if aged and answer.outcome is Outcome.FOUND else (key,)
        return _Sentence(keys, params | extras, tuple(EXTRA_KEYS[name] for name in extras))

    def _key(self, answer: DossierAnswer, agency: Agency, today: date) -> str:
        """Which text tells this answer."""
        dossier = answer.dossier
        if answer.outcome is Outcome.FOUND and dossier is not None:
            return _key_of_found(dossier, today)
        if answer.outcome is Outcome.SOURCE_DOWN:
            return _key_of_last_known(answer)
        if answer.outcome is Outcome.NOT_FOUND:
            before = self._agencies.for_code(answer.code)
            return "not_found" if before in (None, agency) or agency is self._agencies.default else "agency_changed"
        return "proof_needed" if answer.outcome is Outcome.REFUSED else "unreadable"

    def _agency(self, answer: DossierAnswer, today: date) -> Agency:
        """Whom to call: who holds the dossier; without one, whoever answers for the typed code; else the help desk."""
        told_of = answer.dossier if answer.outcome is not Outcome.NOT_FOUND else None
        holder = told_of.agency if told_of is not None else ""
        for identifier in (holder, answer.code.agency):
            agency = self._agencies.answering(identifier, today)
            if agency is not None:
                return agency
        return self._agencies.default

    def _fitting(self, sentences: Sequence[_Sentence], voice: Voice) -> str:
        """The fullest writing that fits, else the shortest."""
        extras = max(len(sentence.extras) for sentence in sentences)
        if voice.accents:
            text, _ = self._write(_extended(sentences, extras), voice.language, accents=True, drop=0)
            if voice.fits(text):
                return text
        for kept in range(extras, 0, -1):
            text, _ = self._write(_extended(sentences, kept), voice.language, accents=False, drop=0)
            if voice.fits(text):
                return text
        drop, tails = 0, 0
        while True:
            text, tails = self._write(sentences, voice.language, accents=False, drop=drop)
            if drop >= tails or voice.fits(text):
                return text
            drop += 1

    def _write(self, sentences: Sequence[_Sentence], language: str, *, accents: bool, drop: int) -> tuple[str, int]:
        """The text with the `drop` leftmost tails of each sentence left out, and how many tails the richest has."""
        lines: list[str] = []
        tails = 0
        for sentence in sentences:
            template = self._template(sentence.keys, language, accents=accents)
            values = {
                name: self._written(sentence.params[name], language, accents=accents) for name in template.placeholders
            }
            lines.append(template.render(values, drop))
            tails = max(tails, template.optional)
        return "\n".join(lines), tails

    def _template(self, keys: Sequence[str], language: str, *, accents: bool) -> Template:
        first, *others = (self._catalogue.template(language, f"reply.{key}", accents=accents) for key in keys)
        for other in others:
            first += other
        return first

    def _written(self, value: object, language: str, *, accents: bool) -> str:
        """A value as text. What is not ours is data: no control characters, and nothing in it is a template."""
        if isinstance(value, _Said):
            return self._catalogue.text(language, value.key, accents=accents)
        if isinstance(value, datetime):
            return self._catalogue.moment(language, value, accents=accents)
        if isinstance(value, date):
            return self._catalogue.day(language, value, accents=accents)
        text = safe_text(str(value), VALUE_MAX)
        return text if accents else force_gsm7(unaccent(text))[0]


def _numbered(name: str, values: Iterable[object]) -> dict[str, object]:
    """The values under the names that a text gives them: code, code2, code3."""
    return {f"{name}{number}" if number > 1 else name: value for number, value in enumerate(values, start=1)}


def _extras(dossier: Dossier) -> dict[str, str]:
    """What a proved asker is told besides: placeholder -> value. What the citizen must do comes first."""
    said = {
        "missing": shortened(dossier.missing, VALUE_MAX),
        "fee": shortened(dossier.fee, DETAIL_MAX),
        "procedure": shortened(dossier.procedure_name or dossier.procedure, DETAIL_MAX),
        "unit": shortened(dossier.unit, DETAIL_MAX),
    }
    return {name: said[name] for name in EXTRA_KEYS if said[name]}


def _extended(sentences: Sequence[_Sentence], extras: int) -> list[_Sentence]:
    return [sentence.extended(extras) for sentence in sentences]


def _key_of_found(dossier: Dossier, today: date) -> str:
    if late(dossier, today):
        return "overdue"
    key = STATE_KEYS[dossier.status]
    if dossier.due_on is not None or dossier.status not in _WITH_DUE_DATE:
        return key
    return f"{key}_due_unknown" if dossier.due_unknown else f"{key}_no_due"


def _key_of_last_known(answer: DossierAnswer) -> str:
    dossier = answer.dossier
    if dossier is None or answer.as_of is None:
        return "source_down"
    if dossier.status is DossierStatus.IN_PROCESS and dossier.due_on is not None:
        return "source_down_in_process"
    return "source_down_known"


def _unspeakable(catalogue: Catalogue) -> list[str]:
    """What the texts lack or ask for that nobody can give."""
    wanted = {f"reply.{key}" for key in PLACEHOLDERS} | {f"state.{key}" for key in STATE_KEYS.values()}
    there = {key for key in catalogue.keys() if key.startswith(("reply.", "state."))}  # noqa: SIM118 - not a mapping
    faults = [f"texts: {key} is missing" for key in sorted(wanted - there)]
    faults += [f"texts: {key} is said by nobody" for key in sorted(there - wanted)]
    for key, allowed in PLACEHOLDERS.items():
        if f"reply.{key}" in there:
            template = catalogue.template(catalogue.default, f"reply.{key}", accents=True)
            unknown = ", ".join(sorted(template.placeholders - allowed))
            faults += [f"texts: reply.{key} cannot mention {unknown}"] if unknown else []
    return faults
