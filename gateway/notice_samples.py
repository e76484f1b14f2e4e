"""Every notice as it would leave, of a dossier that is nobody's: for `tracuu notice preview` and docs/notices.md ."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from domain.agencies import Agencies
from domain.calendar import LOCAL_ZONE
from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.gsm import segments_needed, units
from domain.notice_keys import TO_OFFICERS
from domain.notice_texts import NoticeWriter
from domain.notices import NoticeKind
from domain.phrasing import Voice
from gateway.configuration import CONFIG_DIRECTORY

SEGMENTS = 2  # what every account pays for unless its settings say otherwise
WAITING_DAYS = 3
OWN_WORDS: Mapping[str, str] = {
    "vi": "Cổng dịch vụ công nâng cấp",
    "en": "The public service portal is upgraded",
}
NAMED = "under a registered name"
NUMBER = "8100"  # to write to, where that name cannot be answered
_SERIAL = "250701-0000"  # of the example in the help: nobody's dossier
_K = NoticeKind
_S = DossierStatus

# When each is sent.
OCCASIONS: Mapping[NoticeKind, str] = {
    _K.NEWLY_REGISTERED: "the dossier arrived (state 1)",
    _K.ACCEPTED: "accepted (state 2)",
    _K.NOT_ACCEPTED: "refused (state 3)",
    _K.IN_PROCESS: "in process (state 4)",
    _K.MORE_DOCUMENTS: "papers are missing (state 5), or other papers than before",
    _K.PAYMENT_DUE: "a fee is due (state 6), or another one than before",
    _K.WITHDRAWAL_ASKED: "somebody asked for a withdrawal (state 7)",
    _K.WITHDRAWN: "stopped because a withdrawal was asked (7 to 8)",
    _K.STOPPED: "stopped (state 8)",
    _K.READY: "the result is ready (state 9)",
    _K.READY_EARLY: "the result is ready before the promised day",
    _K.RETURNED: "the result was handed over (state 10)",
    _K.CORRECTED: "the state went back: what was told before no longer holds",
    _K.APPOINTMENT_CHANGED: "a later promised day, with the apology; once",
    _K.APPOINTMENT_MOVED: "an earlier promised day, or another one after the apology",
    _K.REMINDER: "the day before the promised day",
    _K.STOPPAGE: "an operator announced a planned stoppage and chose to tell the followers",
    _K.OFFICERS_WAITING: "to an agency's officers: not accepted after so many working days",
    _K.OFFICERS_LATE: "to an agency's officers: near the promised day",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A dossier a notice may be about: `changes` to one that has its promised day; `note` says what is special; `named`:
    it leaves under a registered name, which nobody can answer.
    """

    status: DossierStatus
    note: str = ""
    proved: bool = False
    named: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)


_NO_DAY: Mapping[str, Any] = {"due_on": None}
_DAY_UNKNOWN: Mapping[str, Any] = {"due_on": None, "due_unknown": True}
_PAPERS: Mapping[str, Any] = {"missing": "Bản chính giấy chứng nhận"}
_FEE: Mapping[str, Any] = {"fee": "120.000 đồng"}

SAMPLES: Mapping[NoticeKind, Sequence[Sample]] = {
    _K.NEWLY_REGISTERED: (
        Sample(_S.NEWLY_REGISTERED),
        Sample(_S.NEWLY_REGISTERED, NAMED, named=True),
    ),
    _K.ACCEPTED: (
        Sample(_S.ACCEPTED),
        Sample(_S.ACCEPTED, "no day promised", changes=_NO_DAY),
        Sample(_S.ACCEPTED, "day not known", changes=_DAY_UNKNOWN),
    ),
    _K.NOT_ACCEPTED: (Sample(_S.NOT_ACCEPTED),),
    _K.IN_PROCESS: (
        Sample(_S.IN_PROCESS),
        Sample(_S.IN_PROCESS, "no day promised", changes=_NO_DAY),
        Sample(_S.IN_PROCESS, "day not known", changes=_DAY_UNKNOWN),
        Sample(_S.IN_PROCESS, "late", changes={"due_on": "past"}),
    ),
    _K.MORE_DOCUMENTS: (
        Sample(_S.MORE_DOCUMENTS),
        Sample(_S.MORE_DOCUMENTS, "to whoever proved a right to it", proved=True, changes=_PAPERS),
    ),
    _K.PAYMENT_DUE: (
        Sample(_S.PAYMENT_DUE),
        Sample(_S.PAYMENT_DUE, "to whoever proved a right to it", proved=True, changes=_FEE),
    ),
    _K.WITHDRAWAL_ASKED: (Sample(_S.WITHDRAWAL_ASKED),),
    _K.WITHDRAWN: (Sample(_S.STOPPED),),
    _K.STOPPED: (Sample(_S.STOPPED),),
    _K.READY: (Sample(_S.DONE),),
    _K.READY_EARLY: (Sample(_S.DONE),),
    _K.RETURNED: (Sample(_S.RETURNED),),
    _K.CORRECTED: (Sample(_S.IN_PROCESS), Sample(_S.DONE, "10 to 9")),
    _K.APPOINTMENT_CHANGED: (Sample(_S.IN_PROCESS),),
    _K.APPOINTMENT_MOVED: (
        Sample(_S.IN_PROCESS),
        Sample(_S.IN_PROCESS, "no day promised", changes=_NO_DAY),
    ),
    _K.REMINDER: (Sample(_S.IN_PROCESS),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One notice as it would leave."""

    kind: NoticeKind
    note: str
    language: str
    text: str

    @property
    def alphabet(self) -> str:
        return segments_needed(self.text)[0].name

    @property
    def segments(self) -> int:
        return segments_needed(self.text)[1]

    @property
    def characters(self) -> int:
        """As the alphabet counts them."""
        return units(self.text, segments_needed(self.text)[0])


def voice(language: str, now: datetime, *, accents: bool) -> Voice:
    """Of somebody who is reached by SMS."""
    return Voice(language=language, accents=accents, now=now, fits=lambda text: segments_needed(text)[1] <= SEGMENTS)


def previews(writer: NoticeWriter, kind: NoticeKind, agency: str, speaking: Voice) -> Iterator[Preview]:
    """A kind's notices about dossiers of an agency; the promised day is the day after tomorrow."""
    if kind in TO_OFFICERS:
        texts = _to_officers(writer, kind, agency, speaking)
    elif kind is _K.STOPPAGE:
        texts = _of_a_stoppage(writer, speaking)
    else:
        texts = _about_a_dossier(writer, kind, agency, speaking)
    for note, text in texts:
        yield Preview(kind=kind, note=note, language=speaking.language, text=text)


def distinct(shown: Iterable[Preview]) -> Iterator[Preview]:
    """Each text once: with accents and without, what is too long for accents is the same."""
    told: set[str] = set()
    for each in shown:
        if each.text not in told:
            told.add(each.text)
            yield each


def _to_officers(writer: NoticeWriter, kind: NoticeKind, agency: str, speaking: Voice) -> Iterator[tuple[str, str]]:
    codes = [DossierCode(text=f"{agency}-250701-{serial:04}", agency=agency) for serial in range(3)]
    for note, total in (("", len(codes)), ("of many, the first", 24)):
        yield note, writer.officers(kind, agency, codes, total, speaking, days=WAITING_DAYS)


def _of_a_stoppage(writer: NoticeWriter, speaking: Voice) -> Iterator[tuple[str, str]]:
    evening = speaking.now.astimezone(LOCAL_ZONE).replace(hour=22, minute=0, second=0, microsecond=0)
    evening += timedelta(days=10)
    night, morning = evening + timedelta(minutes=90), evening + timedelta(hours=7)
    yield "", writer.stoppage(evening, night, speaking)
    yield NAMED, writer.stoppage(evening, night, replace(speaking, answer_to=NUMBER))
    yield "over midnight", writer.stoppage(evening, morning, speaking)
    yield "in own words", writer.stoppage(evening, morning, speaking, text=OWN_WORDS.get(speaking.language, "..."))


def _about_a_dossier(writer: NoticeWriter, kind: NoticeKind, agency: str, speaking: Voice) -> Iterator[tuple[str, str]]:
    for sample in SAMPLES[kind]:
        dossier = _dossier(sample, agency, speaking)
        told = replace(speaking, answer_to=NUMBER) if sample.named else speaking
        yield sample.note, writer.about(kind, dossier, told, proved=sample.proved)


def _dossier(sample: Sample, agency: str, speaking: Voice) -> Dossier:
    dossier = Dossier(
        code=DossierCode(text=f"{agency}-{_SERIAL}", agency=agency),
        source="sample",
        status=sample.status,
        agency=agency,
        due_on=speaking.today + timedelta(days=2),
    )
    changes = dict(sample.changes)
    if changes.get("due_on") == "past":
        changes["due_on"] = speaking.today - timedelta(days=1)
    return replace(dossier, **changes)


# ---- as they are shipped, for the page of the docs

SHIPPED = (("vi", True), ("vi", False), ("en", False))  # in these languages, with and without accents
SHIPPED_AGENCY = "H13.10"
SHIPPED_AT = datetime(2026, 10, 8, 14, 30, tzinfo=LOCAL_ZONE)


def shipped_notices(kind: NoticeKind) -> Iterator[Preview]:
    """A kind's notices in the texts of config/, at a moment that stays the same."""
    texts = {language: _read(CONFIG_DIRECTORY / "texts" / f"{language}.toml") for language in ("vi", "en")}
    writer = NoticeWriter(
        Catalogue.from_mapping(texts), Agencies.from_mapping(_read(CONFIG_DIRECTORY / "agencies.toml"))
    )
    voices = [voice(language, SHIPPED_AT, accents=accents) for language, accents in SHIPPED]
    yield from distinct(each for speaking in voices for each in previews(writer, kind, SHIPPED_AGENCY, speaking))


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
