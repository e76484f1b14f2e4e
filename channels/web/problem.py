"""Errors as RFC 9457 problem details; the kinds are a table of name, HTTP status and when to come back."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from channels.web.telling import Contact, StoppageNotice


Moment = Annotated[datetime, msgspec.Meta(tz=True)]  # as JSON has it: with its offset


class ProblemKind(enum.Enum):
    """(key of the texts, slug of the type URI, HTTP status, seconds until asking again makes sense or 0)."""

    NOT_FOUND = ("not_found", "not-found", 404, 0)  # also what may not be told: the same from outside
    UNREADABLE = ("unreadable", "unreadable-code", 400, 0)
    AMBIGUOUS = ("ambiguous", "ambiguous-code", 400, 0)
    NO_PROOF = ("no_proof", "unreadable-proof", 400, 0)
    NO_WORDS = ("no_words", "no-search-words", 400, 0)
    BAD_PARAMETER = ("bad_parameter", "unreadable-parameter", 400, 0)
    PROCEDURE_UNKNOWN = ("procedure_unknown", "procedure-not-found", 404, 0)
    WORK_NEEDED = ("work_needed", "work-needed", 403, 0)  # a proof of work first; the body holds the challenge
    SITE_UNKNOWN = ("site_unknown", "unknown-site", 403, 0)
    ORIGIN_FOREIGN = ("origin_foreign", "foreign-origin", 403, 0)
    AGENCY_UNKNOWN = ("agency_unknown", "agency-not-found", 404, 0)
    PROOF_NEEDED = ("proof_needed", "proof-needed", 403, 0)  # not for the code alone, and not by waiting either
    NO_NUMBER = ("no_number", "unreadable-number", 400, 0)
    NOTHING_TO_FOLLOW = ("nothing_to_follow", "nothing-to-follow", 409, 0)
    PIN_WRONG = ("pin_wrong", "wrong-code", 422, 0)
    PIN_SPENT = ("pin_spent", "code-spent", 410, 0)
    REFUSED = ("refused", "too-many-questions", 429, 60)
    SOURCE_DOWN = ("source_down", "source-unavailable", 503, 30)
    INTERNAL = ("internal", "gateway-unavailable", 503, 30)

    @property
    def key(self) -> str:
        """Under web.problem and web.error in the texts."""
        return self.value[0]

    @property
    def status(self) -> int:
        return self.value[2]

    @property
    def type_uri(self) -> str:
        """Relative to the gateway's own address (RFC 9457 §3.1.1)."""
        return f"/problems/{self.value[1]}"

    @property
    def headers(self) -> dict[str, str]:
        """What every answer of this kind carries."""
        again = {"Retry-After": str(self.value[3])} if self.value[3] else {}
        return {"Cache-Control": "no-store", **again}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One reading to choose: `reference` reads back as exactly this code, `agency` is the short name of who gave it."""

    reference: str
    text: str
    agency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why nothing is told, in the reader's language, and whom to call. `code` is the code as we read it."""

    kind: ProblemKind
    title: str
    detail: str
    contact: Contact
    code: str = ""
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()


class ContactBody(msgspec.Struct, frozen=True, kw_only=True):
    """An agency in JSON."""

    name: str
    phone: str


class NoticeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A planned stoppage in JSON: shown from its announcement until its end."""

    starts_at: Moment
    ends_at: Moment
    text: str


class CandidateBody(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a code, to choose: asked as `code` it is read as no other; `text` and `agency` are for people, and
    an agency that nobody has described has no name.
    """

    code: str
    text: str
    agency: str


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON of a problem; what does not apply is absent."""

    type: str
    title: str
    status: int
    detail: str
    agency: ContactBody
    code: str = ""
    reason: str = ""
    candidates: tuple[CandidateBody, ...] = ()
    notice: NoticeBody | None = None
    challenge: Mapping[str, Any] | None = None  # of ALTCHA, version 2


def notice_body(notice: StoppageNotice | None) -> NoticeBody | None:
    if notice is None:
        return None
    return NoticeBody(starts_at=notice.starts_at, ends_at=notice.ends_at, text=notice.text)


def problem_body(
    problem: Problem, notice: StoppageNotice | None = None, challenge: Mapping[str, Any] | None = None
) -> ProblemBody:
    """The problem in JSON."""
    return ProblemBody(
        type=problem.kind.type_uri,
        title=problem.title,
        status=problem.kind.status,
        detail=problem.detail,
        agency=ContactBody(name=problem.contact.name, phone=problem.contact.phone),
        code=problem.code,
        reason=problem.reason,
        candidates=tuple(
            CandidateBody(code=each.reference, text=each.text, agency=each.agency) for each in problem.candidates
        ),
        notice=notice_body(notice),
        challenge=challenge,
    )


def problem_response(
    problem: Problem,
    language: str,
    notice: StoppageNotice | None = None,
    challenge: Mapping[str, Any] | None = None,
) -> web.Response:
    """The problem as application/problem+json, with the planned stoppage that is announced."""
    return web.Response(
        status=problem.kind.status,
        body=msgspec.json.encode(problem_body(problem, notice, challenge)),
        content_type="application/problem+json",
        headers={**problem.kind.headers, "Content-Language": language, "Vary": "Accept-Language"},
    )
