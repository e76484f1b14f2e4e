"""What the API offers, operation by operation, as a table: the document and the readable page are printed from it.

Every text is a name under web.api_text; bodies are the structs the handlers themselves read and write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from channels.web import paths
from channels.web.agencies import MOST, USUAL, AgenciesBody, AgencyBody
from channels.web.dossier_body import DossierBody
from channels.web.follow import FollowingBody, PinBody, SentBody, WishBody
from channels.web.health import MEDIA_TYPE, HealthBody
from channels.web.problem import ProblemKind
from channels.web.procedure_telling import ProcedureBody, ProceduresBody
from channels.web.proving import QuestionBody

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


class WorkParametersBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be found: a `counter` for which PBKDF2 over `nonce` and `counter`, with `salt`, `cost` rounds and
    `keyLength` bytes, begins with `keyPrefix`. Bytes are hex; `expiresAt` is in seconds since 1970.
    """

    algorithm: str
    cost: int
    key_length: int
    key_prefix: str
    nonce: str
    salt: str
    expires_at: int
    key_signature: str | msgspec.UnsetType = msgspec.UNSET
    data: Mapping[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ChallengeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge of ALTCHA, version 2. It is handed back whole, with its solution."""

    parameters: WorkParametersBody
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`place`: as OpenAPI says it, path, query or header. What stands in the path is required anyway."""

    name: str
    place: Literal["path", "query", "header"]
    text: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: str | int = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """How it is answered when all is well; without a `body`, by some object of JSON. `tagged`: with an ETag, so that
    304 is an answer as well.
    """

    body: type[msgspec.Struct] | None = None
    status: int = 200
    media_type: str = JSON
    tagged: bool = False
    limited: bool = False  # with the headers that tell what is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`name` is its operationId, and with op_ before it that of its text."""

    name: str
    method: str
    path: str
    success: Success
    parameters: Sequence[Parameter] = ()
    body: type[msgspec.Struct] | None = None
    problems: Sequence[ProblemKind] = ()


DOSSIER_CODE = Parameter(name="code", place="path", text="param_dossier_code", example="H51.18-250701-0000")
PROCEDURE_CODE = Parameter(name="code", place="path", text="param_procedure_code", example="1.000894")
IDENTIFIER = Parameter(name="identifier", place="path", text="param_identifier", example="H51.18")
TOKEN = Parameter(name="token", place="path", text="param_token", example="Jc1mVtT0q3o8ZbE2")
WORDS = Parameter(name="q", place="query", text="param_words", example="kết hôn", required=True)
NAMES = Parameter(name="q", place="query", text="param_names", example="xây dựng")
AFTER = Parameter(name="after", place="query", text="param_after", example="H13.10")
LIMIT = Parameter(
    name="limit",
    place="query",
    text="param_limit",
    schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    example=20,
)
LANG = Parameter(name="lang", place="query", text="param_lang", example="en")
SITE = Parameter(name="site", place="query", text="param_site", example="ts_k3u7q2m5x4b6n2va")
ACCEPT_LANGUAGE = Parameter(name="Accept-Language", place="header", text="param_accept_language", example="en")
IF_NONE_MATCH = Parameter(
    name="If-None-Match", place="header", text="param_if_none_match", example='"5d41402abc4b2a76b9719d91"'
)

SPOKEN = (LANG, ACCEPT_LANGUAGE, SITE)
OF_SITES = (ProblemKind.SITE_UNKNOWN, ProblemKind.ORIGIN_FOREIGN)
OF_BUDGETS = (ProblemKind.REFUSED, ProblemKind.INTERNAL)
OF_LOOKING = (
    ProblemKind.UNREADABLE,
    ProblemKind.AMBIGUOUS,
    ProblemKind.PROOF_NEEDED,
    ProblemKind.WORK_NEEDED,
    ProblemKind.NOT_FOUND,
    ProblemKind.SOURCE_DOWN,
    *OF_BUDGETS,
    *OF_SITES,
)

OPERATIONS: Sequence[Operation] = (
    Operation(
        name="getDossier",
        method="GET",
        path=paths.API_DOSSIER,
        parameters=(DOSSIER_CODE, *SPOKEN, IF_NONE_MATCH),
        success=Success(body=DossierBody, tagged=True, limited=True),
        problems=OF_LOOKING,
    ),
    Operation(
        name="proveDossier",
        method="POST",
        path=paths.API_DOSSIER,
        parameters=(DOSSIER_CODE, *SPOKEN),
        body=QuestionBody,
        success=Success(body=DossierBody, limited=True),
        problems=(*OF_LOOKING, ProblemKind.NO_PROOF),
    ),
    Operation(
        name="getChallenge",
        method="GET",
        path=paths.API_CHALLENGE,
        parameters=SPOKEN,
        success=Success(body=ChallengeBody),
        problems=(*OF_BUDGETS, *OF_SITES),
    ),
    Operation(
        name="searchProcedures",
        method="GET",
        path=paths.API_PROCEDURES,
        parameters=(WORDS, *SPOKEN, IF_NONE_MATCH),
        success=Success(body=ProceduresBody, tagged=True),
        problems=(ProblemKind.NO_WORDS, *OF_BUDGETS, *OF_SITES),
    ),
    Operation(
        name="getProcedure",
        method="GET",
        path=paths.API_PROCEDURE,
        parameters=(PROCEDURE_CODE, *SPOKEN, IF_NONE_MATCH),
        success=Success(body=ProcedureBody, tagged=True),
        problems=(ProblemKind.PROCEDURE_UNKNOWN, *OF_BUDGETS, *OF_SITES),
    ),
    Operation(
        name="listAgencies",
        method="GET",
        path=paths.API_AGENCIES,
        parameters=(NAMES, AFTER, LIMIT, *SPOKEN, IF_NONE_MATCH),
        success=Success(body=AgenciesBody, tagged=True),
        problems=(ProblemKind.BAD_PARAMETER, *OF_SITES),
    ),
    Operation(
        name="getAgency",
        method="GET",
        path=paths.API_AGENCY,
        parameters=(IDENTIFIER, *SPOKEN, IF_NONE_MATCH),
        success=Success(body=AgencyBody, tagged=True),
        problems=(ProblemKind.AGENCY_UNKNOWN, *OF_SITES),
    ),
    Operation(
        name="askToFollow",
        method="POST",
        path=paths.API_SUBSCRIPTIONS,
        parameters=SPOKEN,
        body=WishBody,
        success=Success(body=SentBody, status=202),
        problems=(*OF_LOOKING, ProblemKind.NO_NUMBER, ProblemKind.NOTHING_TO_FOLLOW),
    ),
    Operation(
        name="confirmFollow",
        method="POST",
        path=paths.API_SUBSCRIPTION,
        parameters=(TOKEN, *SPOKEN),
        body=PinBody,
        success=Success(body=FollowingBody, status=201),
        problems=(ProblemKind.PIN_WRONG, ProblemKind.PIN_SPENT, *OF_BUDGETS, *OF_SITES),
    ),
    Operation(
        name="getHealth",
        method="GET",
        path=paths.API_HEALTH,
        parameters=SPOKEN,
        success=Success(body=HealthBody, media_type=MEDIA_TYPE),
        problems=OF_SITES,
    ),
    Operation(
        name="getDocument",
        method="GET",
        path=paths.OPENAPI,
        parameters=(*SPOKEN, IF_NONE_MATCH),
        success=Success(tagged=True),
        problems=OF_SITES,
    ),
)
