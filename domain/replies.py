"""Outcome -> text: in the reader's language, with or without accents, no longer than the channel carries.

The texts and the agencies are passed in; domain.phrasing makes what is said fit. What goes beyond the public tier is an
extra there: dropped before the tails, the least urgent first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta

from domain.agencies import Agencies, Agency
from domain.answers import DossierAnswer, Outcome
from domain.buttons import After, Buttons, ButtonWriter
from domain.catalogue import Catalogue
from domain.codes import CodeFamily, DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.phrasing import VALUE_MAX, Phraser, Said, Sentence, Told, Voice, Words
from domain.procedure import Procedure, shortened, told_apart, told_in
from domain.reply_keys import (
    ENDING_KEYS,
    EXTRA_KEYS,
    PLACEHOLDERS,
    STATE_KEYS,
    UNREADABLE_KEYS,
    WHICH_AGENCY_KEYS,
    WHICH_KEYS,
    WHICH_PROCEDURE_KEYS,
)
from domain.stoppage import Announced, closings, nothing_announced

__all__ = ["ReplyWriter", "Voice", "late"]

CODES_PER_REPLY = 2  # more would not be read on a small screen
PROCEDURE_NAME_MAX = 60  # four of them and the question fit two segments without accents
PROCEDURE_FACT_MAX = 44  # of its time, fee and place, for the same reason
DETAIL_MAX = 60  # of a dossier's fee, procedure and unit; with the papers that are missing they fill two segments

_WITH_DUE_DATE = frozenset({DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})
# An apology for lateness only where the agency has the next step; elsewhere what the citizen must do comes first, and
# of an unmapped state nobody knows whether it is late.
_LATE_MATTERS = _WITH_DUE_DATE


def late(dossier: Dossier, today: date) -> bool:
    """An apology is due: the promised day is past and the next step is the agency's."""
    return dossier.status in _LATE_MATTERS and dossier.overdue(today)


class ReplyWriter:
    """Writes every text a person is answered with. `stale_after`: older data are told with their time. `announced`
    gives the planned stoppage that is said behind an answer about dossiers, where there is room.

    Raises:
        ValueError: the catalogue is not the one this writer speaks from; every fault, one a line.
    """

    __slots__ = ("_agencies", "_announced", "_buttons", "_catalogue", "_phraser", "_stale_after")

    def __init__(
        self,
        catalogue: Catalogue,
        agencies: Agencies,
        *,
        stale_after: timedelta,
        announced: Callable[[], Announced | None] = nothing_announced,
    ) -> None:
        faults = _unspeakable(catalogue)
        if faults:
            raise ValueError("\n".join(faults))
        self._catalogue = catalogue
        self._agencies = agencies
        self._stale_after = stale_after
        self._announced = announced
        self._phraser = Phraser(catalogue)
        self._buttons = ButtonWriter(catalogue)

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
        rest = Sentence(("reply.rest_separately",), {})
        left_out = more or len(answers) > len(told)
        behind = closings(self._announced(), voice.language, voice.now)
        text = self._phraser.fitting([*told, rest] if left_out else told, voice, closings=behind)
        if len(told) > 1 and not voice.fits(text):
            text = self._phraser.fitting([told[0], rest], voice, closings=behind)
        return text

    def say(self, key: str, voice: Voice, **params: object) -> str:
        """Any other text; `params` are values for its placeholders, `phone` is the help desk's unless given.

        A datetime is written as a moment and a date as a day of the reader's language; all else is data.

        Raises:
            KeyError: there is no such text, or a placeholder has no value.
        """
        sentence = Sentence((f"reply.{key}",), {"phone": self._agencies.default.phone, **params})
        return self._phraser.fitting([sentence], voice)

    def buttons(self, after: After, voice: Voice, code: DossierCode | None = None) -> Buttons:
        """What can be pressed below a text, where the channel shows any."""
        return self._buttons.below(after, voice.language, code, accents=voice.accents)

    def unreadable(self, reason: str, voice: Voice) -> str:
        """What is said to a text without a code; `reason` is one of domain.codes.WhyNone."""
        return self.say(UNREADABLE_KEYS.get(reason, "unreadable"), voice)

    def followed(self, told: Sequence[tuple[DossierAnswer, str]], voice: Voice, *, count: int, more: bool) -> str:
        """What became of a wish to follow: of each dossier the text of that key or, without one, what a look-up tells.

        `count`: how many are followed already; `more`: codes were typed that are not told of.
        """
        sentences = [self._about(answer, voice, key, count=count) for answer, key in told]
        if more:
            text = self._phraser.fitting([*sentences, Sentence(("reply.rest_separately",), {})], voice)
            if voice.fits(text):
                return text
        return self._phraser.fitting(sentences, voice)

    def followings(self, codes: Sequence[DossierCode], voice: Voice, *, stopped: bool) -> str:
        """The dossiers somebody follows, as many as fit, and how many there are besides; there is at least one.

        `stopped`: they are told of none of them for now.
        """
        before = [Sentence(("reply.followed_stopped",), {})] if stopped else []
        text = ""
        for shown in range(len(codes), 0, -1):
            listed = Words(", ".join(map(str, codes[:shown])))
            key = "followed" if shown == len(codes) else "followed_some"
            params = {"codes": listed, "count": len(codes) - shown}
            text = self._phraser.fitting([*before, Sentence((f"reply.{key}",), params)], voice)
            if voice.fits(text):
                break
        return text

    def ask_back(self, codes: Sequence[DossierCode | str], voice: Voice, *, ending: bool = False) -> str:
        """Which of these do you mean? Two to four; of more we ask for the whole code again. Where it is one receipt
        number of several agencies, their short names are told apart. `ending`: which is not to be followed any more?
        """
        legacy = [code for code in codes if isinstance(code, DossierCode) and code.family is CodeFamily.LEGACY]
        if len(legacy) == len(codes) and len({code.text for code in legacy}) == 1:
            key = WHICH_AGENCY_KEYS.get(len(codes), "which_agency")
            return self.say(key, voice, code=legacy[0], **_numbered("agency", map(self._named, legacy)))
        key = (ENDING_KEYS if ending else WHICH_KEYS).get(len(codes), "too_many_readings")
        return self.say(key, voice, **_numbered("code", codes))

    def procedure(self, procedure: Procedure, voice: Voice) -> str:
        """What one procedure takes: name, time, fee, place; long ones are cut at a word."""
        facts = {"fee": procedure.fee, "where": procedure.where, "days_note": procedure.days_note}
        return self.say(
            "procedure_found_noted" if procedure.days is None else "procedure_found",
            voice,
            procedure=_told(procedure.names, PROCEDURE_NAME_MAX),
            days=procedure.days,
            **{name: _told(texts, PROCEDURE_FACT_MAX) for name, texts in facts.items()},
        )

    def which_procedure(self, procedures: Sequence[Procedure], voice: Voice) -> str:
        """Which of these do you mean? Two to four, numbered in their order.

        Raises:
            KeyError: there are fewer, or more.
        """
        named = {
            language: told_apart([told_in(language, each.names) for each in procedures], PROCEDURE_NAME_MAX)
            for language in (voice.language, self._catalogue.default)
        }
        names = [Told({each: told[place] for each, told in named.items()}) for place in range(len(procedures))]
        return self.say(WHICH_PROCEDURE_KEYS[len(procedures)], voice, **_numbered("procedure", names))

    def _named(self, code: DossierCode) -> str:
        agency = self._agencies.for_code(code)
        return agency.short_name if agency is not None else code.agency

    def _about(self, answer: DossierAnswer, voice: Voice, key: str = "", *, count: int = 0) -> Sentence:
        """What is told of one dossier; with a `key` that text and nothing beside it."""
        agency = self._agency(answer, voice.today)
        fixed, key = bool(key), key or self._key(answer, agency, voice.today)
        dossier = answer.dossier
        params: dict[str, object] = {
            "code": answer.code,
            "agency": agency.short_name,
            "phone": agency.phone or self._agencies.default.phone,
            "as_of": answer.as_of,
            "count": count,
        }
        if dossier is not None:
            name = STATE_KEYS[dossier.status]
            params |= {"due_on": dossier.due_on, "state": Said(f"state.{name}"), "now": Said(f"notice.state.{name}")}
        if fixed:
            return Sentence((f"reply.{key}",), params)
        extras = {} if dossier is None else _extras(dossier)
        aged = answer.as_of is not None and voice.now - answer.as_of > self._stale_after
        keys = (key, "data_time") if aged and answer.outcome is Outcome.FOUND else (key,)
        said = (f"reply.{EXTRA_KEYS[name]}" for name in extras)
        return Sentence(tuple(f"reply.{each}" for each in keys), params | extras, tuple(said))

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


def _told(texts: Mapping[str, str], limit: int) -> Told:
    return Told({language: shortened(text, limit) for language, text in texts.items()})


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
