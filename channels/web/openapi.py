"""/api/v1/openapi.json: the API described for programs (OpenAPI 3.1), from the structs and the table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc
from itertools import groupby
from typing import Any

import msgspec
from aiohttp import web

from channels.base import RouteDef
from channels.web import paths
from channels.web.api_examples import Examples, make_examples
from channels.web.client import choose_language
from channels.web.operations import JSON, OPERATIONS, PROBLEM_JSON, ChallengeBody, Operation, Parameter
from channels.web.problem import ProblemBody, ProblemKind
from channels.web.tagged import tag_of, tagged
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.catalogue import Catalogue

VERSION = "1.0"
HEADERS = {"Content-Type": JSON, "Cache-Control": "public, max-age=300", "Vary": "Accept-Language"}
TEXTS = "web.api_text"

Document = Mapping[str, Any]

# name -> (name of its text, schema)
ANSWER_HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ETag": ("header_etag", {"type": "string", "pattern": '^"[0-9a-f]+"$'}),
    "Retry-After": ("header_retry_after", {"type": "integer", "minimum": 1}),
    "RateLimit-Policy": ("header_ratelimit_policy", {"type": "string", "examples": ['"address";q=30;w=60']}),
    "RateLimit": ("header_ratelimit", {"type": "string", "examples": ['"address";r=27;t=41']}),
}
LIMITS = ("RateLimit-Policy", "RateLimit")
# What may be absent of a problem: the listener itself refuses what never reaches the API, in fewer words.
ALWAYS_IN_A_PROBLEM = ["type", "title", "status"]


class ApiDocument:
    """The route and what it serves, made once, in every language. `base_url`: how citizens reach us, or empty.

    routes: those of the API that this installation has; the others are left out.

    Raises:
        ValueError: a route of the API is not in the table of operations.
    """

    __slots__ = ("_documents", "_languages", "_tagged")

    def __init__(self, *, routes: Iterable[RouteDef], teller: Teller, agencies: Agencies, base_url: str = "") -> None:
        self._languages = teller.catalogue.languages
        operations = offered([*routes, *self.routes()])
        self._documents = {
            language: make_document(
                operations, teller.catalogue, language, make_examples(teller, agencies, language, base_url), base_url
            )
            for language in self._languages
        }
        bodies = {language: msgspec.json.encode(document) for language, document in self._documents.items()}
        self._tagged = {language: (body, tag_of(body)) for language, body in bodies.items()}

    def routes(self) -> Iterable[RouteDef]:
        """What the public listener serves of it."""
        yield RouteDef(method="GET", path=paths.OPENAPI, handler=self._serve, summary="The API, as OpenAPI 3.1.")

    def told(self, language: str) -> Document:
        """The document in this language."""
        return self._documents[language]

    async def _serve(self, request: web.Request) -> web.Response:
        language = choose_language(request, self._languages)
        body, tag = self._tagged[language]
        return tagged(request, body, tag, {**HEADERS, "Content-Language": language})


def offered(routes: Iterable[RouteDef]) -> Sequence[Operation]:
    """The operations these routes serve, in the order of the table. See ApiDocument for what it raises."""
    here = {(route.method, route.path) for route in routes if route.path.startswith(f"{paths.API}/")}
    table = {(operation.method, operation.path): operation for operation in OPERATIONS}
    missing = sorted(f"{method} {path}" for method, path in here - table.keys() if method != "OPTIONS")
    if missing:
        raise ValueError(f"not in the table of operations: {', '.join(missing)}")
    return [operation for key, operation in table.items() if key in here]


def make_document(
    operations: Sequence[Operation], catalogue: Catalogue, language: str, examples: Examples, base_url: str
) -> Document:
    """The whole document."""
    return _Writer(catalogue, language, examples).document(operations, base_url)


def template_of(path: str) -> str:
    """The path as OpenAPI writes it: without what a parameter may be."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def chapter_texts(texts: Mapping[str, str], name: str) -> Sequence[str]:
    """The paragraphs of a chapter, versions_1, versions_2, …, in their order."""
    return [text for key, text in sorted(texts.items()) if key.rpartition("_")[0] == name]


def plain(body: msgspec.Struct) -> Any:  # noqa: ANN401  # any JSON
    """A body as JSON has it, dates in words."""
    return msgspec.json.decode(msgspec.json.encode(body))


class _Writer:
    """Writes one language's document."""

    def __init__(self, catalogue: Catalogue, language: str, examples: Examples) -> None:
        self._texts = catalogue.section(language, TEXTS)
        self._examples = examples

    def document(self, operations: Sequence[Operation], base_url: str) -> Document:
        written: dict[str, dict[str, Any]] = {}
        for operation in operations:
            written.setdefault(template_of(operation.path), {})[operation.method.lower()] = self._operation(operation)
        rules = "\n\n".join(chapter_texts(self._texts, "versions"))
        return {
            "openapi": "3.1.0",
            "info": {"title": self._texts["title"], "version": VERSION, "description": rules},
            "servers": [{"url": base_url or "/"}],
            "paths": written,
            "components": {"schemas": schemas(operations), "headers": dict(self._headers())},
        }

    def _operation(self, operation: Operation) -> Document:
        given: dict[str, Any] = {}
        if operation.body is not None:
            content = {JSON: {"schema": _reference(operation.body), **self._example(operation.body)}}
            given = {"requestBody": {"required": True, "content": content}}
        return {
            "operationId": operation.name,
            "summary": self._texts[f"op_{operation.name}"],
            "parameters": [self._parameter(each) for each in operation.parameters],
            **given,
            "responses": {**self._successes(operation), **self._problems(operation)},
        }

    def _parameter(self, parameter: Parameter) -> Document:
        return {
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.required or parameter.place == "path",
            "description": self._texts[parameter.text],
            "schema": parameter.schema,
            "example": parameter.example,
        }

    def _successes(self, operation: Operation) -> Document:
        success = operation.success
        schema: Mapping[str, Any] = {"type": "object"} if success.body is None else _reference(success.body)
        names = (*(("ETag",) if success.tagged else ()), *(LIMITS if success.limited else ()))
        headers = {"headers": {name: _header(name) for name in names}} if names else {}
        content = {success.media_type: {"schema": schema, **self._example(success.body)}}
        told = {"description": self._texts[f"answer_{success.status}"], **headers, "content": content}
        same = {"304": {"description": self._texts["answer_304"], **headers}} if success.tagged else {}
        return {str(success.status): told, **same}

    def _example(self, body: type[msgspec.Struct] | None) -> Document:
        example = None if body is None else self._examples.bodies.get(body)
        return {} if example is None else {"example": plain(example)}

    def _problems(self, operation: Operation) -> Document:
        kinds = sorted(set(operation.problems), key=lambda kind: (kind.status, kind.key))
        told = {
            str(status): self._problem(status, list(of_status), limited=operation.success.limited)
            for status, of_status in groupby(kinds, key=lambda kind: kind.status)
        }
        too_large = {} if operation.body is None else {"413": self._problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ())}
        return dict(sorted({**told, **too_large}.items()))

    def _problem(self, status: int, kinds: Sequence[ProblemKind], *, limited: bool = False) -> Document:
        bodies = {kind.key: self._examples.problems[kind] for kind in kinds}
        names = (*(("Retry-After",) if any(kind.value[3] for kind in kinds) else ()), *(LIMITS if limited else ()))
        headers = {"headers": {name: _header(name) for name in names}} if names else {}
        examples = {key: {"summary": body.title, "value": plain(body)} for key, body in bodies.items()}
        title = "; ".join(body.title for body in bodies.values()) or self._texts[f"answer_{int(status)}"]
        content = {"schema": _reference(ProblemBody), **({"examples": examples} if examples else {})}
        return {"description": title, **headers, "content": {PROBLEM_JSON: content}}

    def _headers(self) -> Iterator[tuple[str, Document]]:
        for name, (text, schema) in ANSWER_HEADERS.items():
            required = name not in LIMITS
            yield name, {"description": self._texts[text], "required": required, "schema": schema}


def schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """The schema of every struct these operations read or write, by name."""
    bodies = {each for operation in operations for each in (operation.body, operation.success.body) if each}
    every: set[type[msgspec.Struct]] = {*bodies, ProblemBody, ChallengeBody}
    ordered = sorted(every, key=lambda body: body.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    # The structs are called …Body beside the values of ours that they tell of.
    written = re.sub(rb'(#/components/schemas/\w+)Body"', rb'\1"', msgspec.json.encode(components))
    named = {name.removesuffix("Body"): _plain(schema) for name, schema in msgspec.json.decode(written).items()}
    named["Problem"]["required"] = ALWAYS_IN_A_PROBLEM
    named["Problem"]["properties"]["challenge"] = _reference(ChallengeBody)
    if "Question" in named:
        named["Question"]["not"] = {"required": ["last_four", "secret"]}
    return named


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the name a second time, and with the description in one paragraph."""
    schema.pop("title", None)
    for told in schema.get("properties", {}).values():
        told.pop("default", None)
    described = {"description": " ".join(cleandoc(schema["description"]).split())} if "description" in schema else {}
    return {**schema, **described}


def _reference(body: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{body.__name__.removesuffix('Body')}"}


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}
