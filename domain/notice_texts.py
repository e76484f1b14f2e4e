"""What is told without being asked: notice -> text. Who speaks comes first, how to end it last, where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from domain.agencies import Agencies, Agency
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.notice_keys import (
    ABOUT_A_DOSSIER,
    ASKED_FOR,
    ASKED_KEYS,
    ASKING,
    FETCHED,
    NOTICE_PLACEHOLDERS,
    TO_OFFICERS,
    WITHOUT_DUE,
)
from domain.notices import NoticeKind
from domain.phrasing import VALUE_MAX, Phraser, Said, Sentence, Voice, Words
from domain.procedure import shortened
from domain.replies import DETAIL_MAX, late
from domain.reply_keys import STATE_KEYS
from domain.stoppage import told_stoppage

LISTED_MAX = 20  # codes of one notice to officers that are tried at all; two segments hold about a dozen

_STILL_DUE = frozenset({DossierStatus.ACCEPTED, DossierStatus.IN_PROCESS})
_MAY_BE_LATE = frozenset({NoticeKind.ACCEPTED, NoticeKind.IN_PROCESS})
_STOP, _STOP_EVERYTHING = "notice.stop", "notice.stop_everything"


class NoticeWriter:
    """Writes every notice.

    Raises:
        ValueError: the catalogue is not the one this writer speaks from; every fault, one a line.
    """

    __slots__ = ("_agencies", "_phraser")

    def __init__(self, catalogue: Catalogue, agencies: Agencies) -> None:
        faults = _unspeakable(catalogue)
        if faults:
            raise ValueError("\n".join(faults))
        self._agencies = agencies
        self._phraser = Phraser(catalogue)

    def about(self, kind: NoticeKind, dossier: Dossier, voice: Voice, *, proved: bool = False) -> str:
        """What became of a dossier. `proved`: the reader may know which papers are missing, and the fee.

        Raises:
            ValueError: a notice of this kind is not about one dossier.
        """
        if kind not in ABOUT_A_DOSSIER:
            raise ValueError(f"{kind} is not about one dossier")
        agency = self._agency(kind, dossier, voice.today)
        params: dict[str, object] = {
            "code": dossier.code,
            "agency": agency.short_name,
            "phone": agency.phone or self._agencies.default.phone,
            "due_on": dossier.due_on,
            "state": Said(f"notice.state.{STATE_KEYS[dossier.status]}"),
            "missing": shortened(dossier.missing, VALUE_MAX),
            "fee": shortened(dossier.fee, DETAIL_MAX),
        }
        asked = ASKED_FOR.get(dossier.status, "") if proved and kind in ASKING else ""
        extras = (ASKED_KEYS[asked],) if asked and params[asked] else ()
        sentence = Sentence((f"notice.{_key(kind, dossier, voice.today)}",), params, extras)
        due = (Sentence(("notice.due",), params),) if _tells_day_behind(kind, dossier) else ()
        return self._phraser.fitting([sentence], voice, closings=(due, _how_to_end(_STOP, voice)))

    def officers(
        self, kind: NoticeKind, agency: str, codes: Sequence[DossierCode], total: int, voice: Voice, *, days: int = 0
    ) -> str:
        """To the officers of an agency: `total` dossiers, and as many of `codes` as fit. `days` are the working days of
        the rule, said of OFFICERS_WAITING.

        Raises:
            ValueError: the kind is not one for officers, or there is no code.
        """
        if kind not in TO_OFFICERS or not codes:
            raise ValueError(f"{kind} to officers with {len(codes)} codes")
        answering = self._agencies.answering(agency, voice.today) or self._agencies.default
        params: dict[str, object] = {"agency": answering.short_name, "total": total, "days": days}
        text = ""
        for written in self._listings(kind, codes, params, voice):
            text = written
            if voice.fits(text):
                break
        return text

    def stoppage(self, starts_at: datetime, ends_at: datetime, voice: Voice, *, text: str = "") -> str:
        """A planned interruption, to people who follow something; `text` are the operator's words, of one SMS; ours
        are said where theirs do not fit.
        """
        desk = self._agencies.default
        said = ""
        for words in dict.fromkeys((text, "")):
            sentence = told_stoppage(starts_at, ends_at, words, phone=desk.phone, agency=desk.short_name)
            said = self._phraser.fitting([sentence], voice, closings=(_how_to_end(_STOP_EVERYTHING, voice),))
            if voice.fits(said):
                break
        return said

    def stoppage_on_a_page(self, starts_at: datetime, ends_at: datetime, voice: Voice, *, text: str = "") -> str:
        """The same where there is room for a full name, and nothing was subscribed to."""
        desk = self._agencies.default
        sentence = told_stoppage(starts_at, ends_at, text, phone=desk.phone, agency=desk.name(voice.language))
        return self._phraser.fitting([sentence], voice)

    def _listings(
        self, kind: NoticeKind, codes: Sequence[DossierCode], params: dict[str, object], voice: Voice
    ) -> Iterator[str]:
        """With ever fewer codes; what is said beyond them is how many more there are."""
        for shown in range(min(len(codes), LISTED_MAX), 0, -1):
            listed = Words(", ".join(code.text for code in codes[:shown]))
            rest = int(str(params["total"])) - shown
            keys = (f"notice.{kind}", "notice.officers_more") if rest > 0 else (f"notice.{kind}",)
            yield self._phraser.fitting([Sentence(keys, params | {"codes": listed, "rest": rest})], voice)

    def _agency(self, kind: NoticeKind, dossier: Dossier, today: date) -> Agency:
        """Who speaks: where the result is fetched, else who holds the dossier, else who answers for its code."""
        fetched = dossier.returning_agency if kind in FETCHED else ""
        for identifier in (fetched, dossier.agency, dossier.code.agency):
            agency = self._agencies.answering(identifier, today)
            if agency is not None:
                return agency
        return self._agencies.default


def _how_to_end(key: str, voice: Voice) -> Sequence[Sentence]:
    """By answering; where nobody can answer, by writing to a number that is named."""
    if not voice.answer_to:
        return (Sentence((key,), {}),)
    return (Sentence((f"{key}_to",), {"number": Words(voice.answer_to)}),)


def _key(kind: NoticeKind, dossier: Dossier, today: date) -> str:
    """Which text tells this."""
    if kind in _MAY_BE_LATE and late(dossier, today):
        return "overdue"
    if dossier.due_on is not None or kind not in WITHOUT_DUE:
        return kind.value
    no_due, due_unknown = WITHOUT_DUE[kind]
    return due_unknown if dossier.due_unknown else no_due


def _tells_day_behind(kind: NoticeKind, dossier: Dossier) -> bool:
    """A dossier that went back to the agency's desk: the day it was promised for counts again."""
    return kind is NoticeKind.CORRECTED and dossier.due_on is not None and dossier.status in _STILL_DUE


def _unspeakable(catalogue: Catalogue) -> list[str]:
    """What the texts lack or ask for that nobody can give."""
    wanted = {f"notice.{key}" for key in NOTICE_PLACEHOLDERS} | {f"notice.state.{key}" for key in STATE_KEYS.values()}
    there = {key for key in catalogue.keys() if key.startswith("notice.")}  # noqa: SIM118 - not a mapping
    faults = [f"texts: {key} is missing" for key in sorted(wanted - there)]
    faults += [f"texts: {key} is said by nobody" for key in sorted(there - wanted)]
    for key, allowed in NOTICE_PLACEHOLDERS.items():
        if f"notice.{key}" in there:
            template = catalogue.template(catalogue.default, f"notice.{key}", accents=True)
            unknown = ", ".join(sorted(template.placeholders - allowed))
            faults += [f"texts: notice.{key} cannot mention {unknown}"] if unknown else []
    return faults
