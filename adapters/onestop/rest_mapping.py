"""How a one-stop system is asked over HTTP: a mapping file (TOML or JSON), checked whole before anything is asked.

It says what is sent, where the records stand in the answer, what in it means "not found", and, as every mapping file
does, what the fields and states mean (adapters.onestop.fields). A field's place is a small path (json_paths). Whose
machine is asked stands in the settings and never here: a mapping holds paths below that address only.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, ValidationError, model_validator

from adapters.onestop.fields import Agencies, FieldsMapping, Name, Strict, faulty, places
from adapters.onestop.json_paths import Every, parse_path
from domain.errors import SettingsError

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
ONE, MANY = "code", "codes"
PAGED = frozenset({"page", "start", "end", "size"})
ASKED_WITH = frozenset({ONE, MANY, "token"}) | PAGED
LOGGED_IN_WITH = frozenset({"username", "password"})
NOT_OURS_TO_SET = frozenset(  # what HTTP itself says, and what holds secrets: those come with the credentials
    {"host", "content-length", "transfer-encoding", "connection", "authorization", "proxy-authorization", "cookie"}
)


def _path_text(text: str) -> str:
    parse_path(text)
    return text


def _header_name(name: str) -> str:
    if name.casefold() in NOT_OURS_TO_SET - {"authorization"}:
        raise ValueError(f"the header {name} is not for a mapping to set")
    return name


Path = Annotated[str, AfterValidator(_path_text)]
Template = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$"), AfterValidator(_header_name)]
Status = Annotated[int, Field(ge=200, le=599)]
Key = str | int | bool


class Request(Strict):
    """One thing to ask. In `path`, in the values of `query`, `headers` and `form`, and in the texts of the JSON `body`
    stand {code}, {codes}, {page}, {size}, {start}, {end} and {token}; in a log-in {username} and {password}.
    """

    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, Field(max_length=500, pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@/{}-]*$")]
    query: Mapping[str, Template] = {}
    headers: Mapping[HeaderName, Template] = {}
    body: JsonValue = None
    form: Mapping[str, Template] | None = None
    basic: bool = False  # a log-in that sends name and password as HTTP basic authentication

    @model_validator(mode="after")
    def plain(self) -> Request:
        """One body at most, and a path that stays below the source's address."""
        if self.body is not None and self.form is not None:
            raise ValueError("give a JSON body or a form, not both")
        if self.method == "GET" and (self.body is not None or self.form is not None):
            raise ValueError('GET has no body: method = "POST"')
        if "//" in self.path or any(step in (".", "..") for step in self.path.split("/")):
            raise ValueError(f"{self.path} leads elsewhere: no // and no ..")
        if any(name.casefold() == "authorization" for name in self.headers):
            raise ValueError("secrets come with the credentials, not with a mapping")
        return self

    def words(self) -> frozenset[str]:
        """Every placeholder in it."""
        return frozenset(word for text in self._texts() for word in PLACEHOLDER.findall(text))

    def _texts(self) -> Iterator[str]:
        yield self.path
        yield from self.query.values()
        yield from self.headers.values()
        yield from (self.form or {}).values()
        yield from _texts_of(self.body)


class Batch(Strict):
    """One request carries up to `size` codes: {codes} is all of them with `separator` between, or a list of them where
    it stands alone in a JSON body.
    """

    size: Annotated[int, Field(ge=2, le=500)]
    separator: Annotated[str, Field(min_length=1, max_length=3)] = ","


class Paging(Strict):
    """The answer comes in pages of `size`: {page} counts from `first`, {start} and {end} count records. A page with
    fewer than `size` records is the last; after `most` pages an answer is too long to be understood.
    """

    size: Annotated[int, Field(ge=1, le=1000)]
    first: Annotated[int, Field(ge=0, le=1)] = 0
    most: Annotated[int, Field(ge=1, le=20)] = 3


class Outcome(Strict):
    """An answer that says within itself how it went. What stands at `path` is compared with the values given; a value
    in none of them is a fault of the source, and one that is not there is `found`.
    """

    path: Path
    found: tuple[Key, ...] = ()
    not_found: tuple[Key, ...] = ()
    expired: tuple[Key, ...] = ()  # the log-in is not valid any more


class LogIn(Request):
    """How to log in. `token` is where the answer holds it (it goes into the header that [authentication] names, and
    wherever {token} stands); without one, the session is a cookie.
    """

    method: Literal["GET", "POST"] = "POST"
    token: Path | None = None
    cookies: bool = False

    @model_validator(mode="after")
    def leaves_something(self) -> LogIn:
        """A token or a cookie, and only the words of a log-in."""
        if (self.token is not None) == self.cookies:
            raise ValueError("a log-in leaves a token or cookies: give one of them")
        _only(self.words(), LOGGED_IN_WITH, "a log-in")
        return self


class Authentication(Strict):
    """Who we say we are. The secrets stand in the settings."""

    kind: Literal["none", "basic", "bearer", "api_key", "login"] = "none"
    header: HeaderName = "Authorization"  # of an API key, or of the token a log-in gave
    prefix: Annotated[str, Field(max_length=32)] = ""  # before it: "Bearer "
    login: LogIn | None = None

    @model_validator(mode="after")
    def whole(self) -> Authentication:
        """A log-in is described where it is the kind, and nowhere else."""
        if (self.kind == "login") != (self.login is not None):
            raise ValueError('kind = "login" and [authentication.login] belong together')
        return self


class RestMapping(FieldsMapping):
    """One mapping file, checked.

    `records`: where they stand, `$` or one object for a single one. Without `columns.code` the answer carries no code,
    so that a lone record is taken to be the one that was asked for. `not_found_status`: 404 where the system says so
    in JSON (a web server's own page is no answer). `content_types`: besides JSON's own. `probe` is asked as well where the
    system is only checked.
    """

    agency: Name | Agencies | None = None  # type: ignore[assignment] # left out: the agency part of the code
    request: Request
    records: Path = "$"
    batch: Batch | None = None
    paging: Paging | None = None
    outcome: Outcome | None = None
    authentication: Authentication = Authentication()
    probe: Request | None = None
    not_found_status: tuple[Status, ...] = ()
    content_types: tuple[Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$")], ...] = ()

    @model_validator(mode="after")
    def asks_for_codes(self) -> RestMapping:
        """The request names what is asked for, in the way [batch] and [paging] say."""
        words = self.request.words()
        _only(words, ASKED_WITH, "a request")
        wanted, other = (MANY, ONE) if self.batch else (ONE, MANY)
        if wanted not in words or other in words:
            raise ValueError(f"the request says {{{wanted}}} and not {{{other}}}, as [batch] is given or not")
        if self.batch and self.columns.code is None:
            raise ValueError("[batch] needs columns.code: whose record is whose?")
        if bool(words & (PAGED - {"size"})) != (self.paging is not None):
            raise ValueError("[paging] and {page}, or {start} and {end}, belong together")
        _only(self.probe.words() if self.probe else frozenset(), frozenset({"token"}), "a probe")
        return self

    @model_validator(mode="after")
    def readable_places(self) -> RestMapping:
        """Every place is a path, and only the one of the records may end with [*]."""
        if Every() in parse_path(self.records).without_every().steps:
            raise ValueError(f"{self.records}: [*] stands at the end of it only")
        for value in self.words(proofs=True).values():
            for place in places(value):
                parse_path(place)
        return self


def load_rest_mapping(text: str, origin: str) -> RestMapping:
    """Read a mapping file, JSON if `origin` ends so and TOML otherwise. `origin` names it in messages.

    Raises:
        SettingsError: it is wrong; every fault on a line of its own.
    """
    try:
        given: Any = json.loads(text) if origin.endswith(".json") else tomllib.loads(text)
        return RestMapping.model_validate(given)
    except ValidationError as faults:  # a ValueError too, so it stands first
        raise faulty(faults, origin) from faults
    except (ValueError, RecursionError) as fault:
        raise SettingsError(f"{origin}: {fault}") from fault


def _only(words: frozenset[str], known: frozenset[str], what: str) -> None:
    unknown = sorted(words - known)
    if unknown:
        raise ValueError(f"{what} knows no {', '.join(f'{{{word}}}' for word in unknown)}")


def _texts_of(body: JsonValue) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for each in body.values():
            yield from _texts_of(each)
    elif isinstance(body, list):
        for each in body:
            yield from _texts_of(each)
