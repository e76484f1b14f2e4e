"""What is told about an answer (pure): the same facts and words for the page and for the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from channels.web.problem import Candidate, Problem, ProblemKind
from domain.agencies import Agencies, from_the_province_down
from domain.answers import DossierAnswer, Outcome
from domain.calendar import LOCAL_ZONE, local_day
from domain.catalogue import Catalogue
from domain.codes import CodeFamily, read_reference
from domain.dossier import Dossier, DossierStatus
from domain.notice_texts import NoticeWriter
from domain.questions import QuestionAnswer
from domain.replies import Voice, late
from domain.reply_keys import STATE_KEYS, UNMAPPED
from domain.stoppage import Announced, nothing_announced

_USUAL_WAY = ("submitted", "accepted", "in_process", "done", "returned")
# The picture of the way, by state, and the place of today in it. It claims nothing that the state does not say: papers
# and fees may be asked for before a dossier is accepted or after, so "accepted" is left out there.
WAYS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "newly_registered": (_USUAL_WAY, 0),
    "accepted": (_USUAL_WAY, 1),
    "in_process": (_USUAL_WAY, 2),
    "done": (_USUAL_WAY, 3),
    "returned": (_USUAL_WAY, 4),
    UNMAPPED: (_USUAL_WAY, 2),
    "not_accepted": (("submitted", "not_accepted"), 1),
    "more_documents": (("submitted", "more_documents", "in_process", "done", "returned"), 1),
    "payment_due": (("submitted", "payment_due", "in_process", "done", "returned"), 1),
    "withdrawal_asked": (("submitted", "withdrawal_asked"), 1),
    "stopped": (("submitted", "stopped"), 1),
}
# Whose turn it is, for the eye; the words say it as well.
TONES: Mapping[str, str] = {
    "not_accepted": "ended",
    "more_documents": "yours",
    "payment_due": "yours",
    "withdrawal_asked": "yours",
    "stopped": "ended",
    "done": "good",
    "returned": "good",
}
# What only a proof opens, unless the installation says otherwise, in the order in which it matters to the asker.
MORE = ("missing", "fee", "procedure_name", "procedure", "unit")
_UNREADABLE_WORDS = frozenset(
    {
        "empty",
        "no_code",
        "partial",
        "bad_date",
        "future_date",
        "too_long",
        "too_many_readings",
        "which_agency",
        "procedure_code",
        "phone_number",
        "example",
    }
)
# Reasons of a refusal that waiting does not end.
_REASONS: Mapping[str, ProblemKind] = {
    "proof_needed": ProblemKind.PROOF_NEEDED,
    "work_needed": ProblemKind.WORK_NEEDED,
}
_KINDS: Mapping[Outcome, ProblemKind] = {
    Outcome.NOT_FOUND: ProblemKind.NOT_FOUND,
    Outcome.REFUSED: ProblemKind.REFUSED,
    Outcome.SOURCE_DOWN: ProblemKind.SOURCE_DOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to call."""

    name: str
    phone: str

    @property
    def tel(self) -> str:
        """The number as a link dials it."""
        return "".join(sign for sign in self.phone if sign.isdigit() or sign == "+")


@dataclass(frozen=True, slots=True)
class Step:
    """A point of the way; `place` is past, now or next."""

    label: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A dossier, as far as the asker may know it. Days and moments are those of Asia/Ho_Chi_Minh.

    `status` is None for a state its system has no national number for. `more` is what the code alone does not open, by
    the names of domain.dossier.Dossier, where there is anything to say.
    """

    code: str
    reference: str  # the code as it reads back: a receipt number with its agency
    status: DossierStatus | None
    name: str  # the state's name in domain.reply_keys, "in_process"
    state: str
    sentence: str
    what_to_do: str
    agency: Contact
    steps: tuple[Step, ...]
    tone: str  # ongoing | yours | good | ended
    received_on: date | None
    due_on: date | None
    due_unknown: bool
    finished_on: date | None
    returned_on: date | None
    overdue: bool
    as_of: datetime
    stale: bool
    proved: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppageNotice:
    """A planned interruption, for everybody who looks; moments are those of Asia/Ho_Chi_Minh."""

    starts_at: datetime
    ends_at: datetime
    text: str


class Teller:
    """Finds the words. One for the whole channel. `announced` gives the planned stoppage, if there is one."""

    __slots__ = ("_agencies", "_announced", "_notices", "catalogue")

    def __init__(
        self,
        catalogue: Catalogue,
        agencies: Agencies,
        *,
        announced: Callable[[], Announced | None] = nothing_announced,
    ) -> None:
        self.catalogue = catalogue
        self._agencies = agencies
        self._announced = announced
        self._notices = NoticeWriter(catalogue, agencies)

    def tell(self, answer: QuestionAnswer, language: str, now: datetime) -> Told | Problem:
        """What to show for an answer; `now` is aware."""
        found = answer.answer
        if found is not None and found.dossier is not None and found.outcome in (Outcome.FOUND, Outcome.SOURCE_DOWN):
            return self._dossier(found, found.dossier, language, now, proved=answer.proved)
        if answer.outcome is Outcome.UNREADABLE:
            return self._unreadable(answer, language)
        if answer.reason in _REASONS:
            return replace(self.problem(_REASONS[answer.reason], language, found, now), reason=answer.reason)
        return self.problem(_KINDS.get(answer.outcome, ProblemKind.INTERNAL), language, found, now)

    def problem(
        self, kind: ProblemKind, language: str, answer: DossierAnswer | None = None, now: datetime | None = None
    ) -> Problem:
        """What to show when there is nothing to tell; whom to call depends on the typed code only."""
        identifiers = () if answer is None else (answer.code.agency,)
        return Problem(
            kind=kind,
            title=self._text(language, f"problem.{kind.key}"),
            detail=self._text(language, f"error.{kind.key}"),
            code="" if answer is None else answer.code.text,
            contact=self._contact(identifiers, language, now),
        )

    def after_a_proof(self, told: Told | Problem, language: str) -> Told | Problem:
        """The same for who gave a proof: one that does not match and a code nobody knows are told alike, and not as if
        the dossier that was shown before were not there.
        """
        if isinstance(told, Problem) and told.kind is ProblemKind.NOT_FOUND:
            return replace(told, detail=self._text(language, "error.not_matched"))
        return told

    def announced(self, now: datetime) -> Announced | None:
        """The stoppage that is to be shown now: from its announcement until its end."""
        announced = self._announced()
        return None if announced is None or announced.over(now) else announced

    def notice(self, language: str, now: datetime) -> StoppageNotice | None:
        """The same in words, the operator's where there are any in this language."""
        announced = self.announced(now)
        if announced is None:
            return None
        starts_at, ends_at = (
            each.astimezone(LOCAL_ZONE).replace(microsecond=0) for each in (announced.starts_at, announced.ends_at)
        )
        voice = Voice(language=language, accents=True, now=now, fits=_anything_fits)
        text = self._notices.stoppage_on_a_page(starts_at, ends_at, voice, text=announced.texts.get(language, ""))
        return StoppageNotice(starts_at=starts_at, ends_at=ends_at, text=text)

    def help_desk(self, language: str) -> Contact:
        """Who answers where nobody else does."""
        return self._contact((), language, None)

    def _unreadable(self, answer: QuestionAnswer, language: str) -> Problem:
        kind = ProblemKind.AMBIGUOUS if answer.candidates else ProblemKind.UNREADABLE
        known = not answer.candidates and answer.reason in _UNREADABLE_WORDS
        return Problem(
            kind=kind,
            title=self._text(language, f"problem.{kind.key}"),
            detail=self._text(language, f"unreadable.{answer.reason}" if known else f"error.{kind.key}"),
            reason=answer.reason,
            candidates=tuple(map(self._candidate, answer.candidates)),
            contact=self.help_desk(language),
        )

    def _candidate(self, reference: str) -> Candidate:
        """An agency that nobody has described is named by its identifier where the code does not show it, never by the
        one above it.
        """
        code = read_reference(reference)
        if code is None:
            return Candidate(reference=reference, text=reference, agency="")
        agency, levels = self._agencies.for_code(code), from_the_province_down(code.agency)
        if agency is not None and from_the_province_down(agency.identifier) == levels:
            return Candidate(reference=reference, text=code.text, agency=agency.short_name)
        unnamed = code.agency if code.family is CodeFamily.LEGACY else ""
        return Candidate(reference=reference, text=code.text, agency=unnamed)

    def _dossier(self, answer: DossierAnswer, dossier: Dossier, language: str, now: datetime, *, proved: bool) -> Told:
        today = local_day(now)
        name = STATE_KEYS[dossier.status]
        overdue = late(dossier, today)
        agency = self._contact((dossier.agency, answer.code.agency), language, now)
        return Told(
            code=dossier.code.text,
            reference=dossier.code.reference,
            status=dossier.status,
            name=name,
            state=self._text(language, f"state.{name}"),
            sentence=_capitalised(self._text(language, f"sentence.{name}", agency=agency.name)),
            what_to_do=self._text(language, "todo.overdue" if overdue else f"todo.{name}"),
            agency=agency,
            steps=self._steps(name, language),
            tone=TONES.get(name, "ongoing"),
            received_on=_day(dossier.received_at),
            due_on=dossier.due_on,
            due_unknown=dossier.due_unknown,
            finished_on=_day(dossier.finished_at),
            returned_on=_day(dossier.returned_at),
            overdue=overdue,
            as_of=(answer.as_of or now).astimezone(LOCAL_ZONE).replace(microsecond=0),
            stale=answer.stale,
            proved=proved,
            more={name: value for name in MORE if (value := getattr(dossier, name))},
        )

    def _steps(self, name: str, language: str) -> tuple[Step, ...]:
        way, here = WAYS[name]
        places = ["past"] * here + ["now"] + ["next"] * (len(way) - here - 1)
        return tuple(Step(self._text(language, f"step.{step}"), place) for step, place in zip(way, places, strict=True))

    def _contact(self, identifiers: tuple[str, ...], language: str, now: datetime | None) -> Contact:
        """Who does the work of the first of these that anybody does today, else the help desk."""
        agency = self._agencies.default
        if now is not None:
            today = local_day(now)
            answering = (self._agencies.answering(identifier, today) for identifier in identifiers)
            agency = next((each for each in answering if each is not None), agency)
        return Contact(name=agency.name(language), phone=agency.phone or self._agencies.default.phone)

    def _text(self, language: str, key: str, *, agency: str = "") -> str:
        return self.catalogue.text(language, f"web.{key}", agency=agency)


def _anything_fits(_: str) -> bool:
    return True


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else local_day(moment)


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
