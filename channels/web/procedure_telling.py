"""What is told about a procedure (pure): the same facts for the page and for the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from channels.web import paths
from domain.catalogue import Catalogue
from domain.procedure import Procedure, ProcedureForm, told_in

LEVELS: Mapping[str, str] = {"toàn trình": "full", "một phần": "partial", "thông tin": "information"}
NO_FILES: Mapping[str, int] = {}
HOME = "vi"  # what is not translated is told in the language of the law


@dataclass(frozen=True, slots=True)
class Words:
    """A text and the language it is in: a screen reader must not read Vietnamese as English."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class FormFacts:
    """A form; `file` and `size` in bytes, where it can be taken from us."""

    name: Words
    file: str = ""
    size: int = 0

    @property
    def url(self) -> str:
        """Its address on our pages, relative; empty where there is none."""
        return paths.FORM_FILE.replace("{file}", self.file) if self.file else ""

    @property
    def kind(self) -> str:
        """What people call such a file: DOCX."""
        return self.file.rpartition(".")[2].upper()

    @property
    def kilobytes(self) -> int:
        return max(1, round(self.size / 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureFacts:
    """A procedure as one reader reads it; what nobody knows is empty. `days` are working days."""

    code: str
    name: Words
    field: Words
    level: str
    days: int | None
    time: Words
    fee: Words
    where: Words
    papers: Sequence[Words]
    forms: Sequence[FormFacts]
    valid_from: date | None
    valid_to: date | None


def procedure_facts(
    procedure: Procedure, catalogue: Catalogue, language: str, sizes: Mapping[str, int] = NO_FILES
) -> ProcedureFacts:
    """The facts in this language, each in Vietnamese where there is no other. `sizes`: in bytes, of the files there are."""
    level = LEVELS.get(procedure.level)
    papers_in = language if procedure.papers.get(language) else HOME
    return ProcedureFacts(
        code=procedure.code,
        name=_words(procedure.names, language),
        field=Words(procedure.field_name, HOME),
        level=catalogue.text(language, f"web.level.{level}") if level else "",
        days=procedure.days,
        time=_time(procedure, catalogue, language),
        fee=_words(procedure.fee, language),
        where=_words(procedure.where, language),
        papers=[Words(paper, papers_in) for paper in procedure.papers.get(papers_in, ())],
        forms=[_form(form, sizes) for form in procedure.forms],
        valid_from=procedure.valid_from,
        valid_to=procedure.valid_to,
    )


def _form(form: ProcedureForm, sizes: Mapping[str, int]) -> FormFacts:
    name = Words(form.name, HOME)
    return FormFacts(name, form.file, sizes[form.file]) if form.file in sizes else FormFacts(name)


def _words(texts: Mapping[str, str], language: str) -> Words:
    return Words(told_in(language, texts), language if texts.get(language) else HOME)


def _time(procedure: Procedure, catalogue: Catalogue, language: str) -> Words:
    if procedure.days is None:
        return _words(procedure.days_note, language)
    key = "one_day" if procedure.days == 1 else "days"
    return Words(catalogue.text(language, f"web.working.{key}", days=str(procedure.days)), language)


class FormBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a form. `url` is relative to the gateway's own address, empty where there is no file; `bytes`: its
    size, 0 where there is none.
    """

    name: str
    url: str
    bytes: int


class ProcedureBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a procedure. `days` are working days, null where `time` says otherwise; `valid_from` and `valid_to`
    are the first and last day of this version, in Asia/Ho_Chi_Minh, null where none is known.
    """

    code: str
    name: str
    field: str
    level: str
    days: int | None
    time: str
    fee: str
    where: str
    papers: Sequence[str]
    forms: Sequence[FormBody]
    valid_from: date | None
    valid_to: date | None


class ProceduresBody(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of a search: the likeliest first, empty if nothing fits."""

    procedures: Sequence[ProcedureBody]


def procedure_body(facts: ProcedureFacts) -> ProcedureBody:
    """The same facts for a program."""
    return ProcedureBody(
        code=facts.code,
        name=facts.name.text,
        field=facts.field.text,
        level=facts.level,
        days=facts.days,
        time=facts.time.text,
        fee=facts.fee.text,
        where=facts.where.text,
        papers=[paper.text for paper in facts.papers],
        forms=[FormBody(name=form.name.text, url=form.url, bytes=form.size) for form in facts.forms],
        valid_from=facts.valid_from,
        valid_to=facts.valid_to,
    )
