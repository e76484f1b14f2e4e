"""An HTTP answer -> the records in it, or what is wrong with it (pure). What is not clearly an answer is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from adapters.onestop.fields import status_key
from adapters.onestop.json_paths import MISSING, parse_path
from adapters.onestop.records import Values, project
from adapters.onestop.rest_client import HttpAnswer
from adapters.onestop.rest_mapping import RestMapping
from domain.errors import SourceMisread, SourceUnavailable

Record = dict[str, Any]

JSON_TYPES = frozenset({"application/json", "text/json"})
UNAUTHORIZED, FORBIDDEN = 401, 403
LATER = frozenset({408, 425, 429})  # and everything from 500
REDIRECTS = range(300, 400)
FAULTS = range(500, 600)
GOOD = range(200, 300)


class LogInRefused(SourceMisread):
    """It does not, or no longer, take us for whom we say we are."""


class AccessRefused(LogInRefused):
    """It refuses us this: as whom we are, or only this very record."""


class AnswerReader:
    """Reads the answers of one source."""

    def __init__(self, mapping: RestMapping, source: str, *, proofs: bool) -> None:
        """`source` is named in messages. Without `proofs` nothing of persons is even picked out of a record."""
        self._source = source
        self._records = parse_path(mapping.records)
        self._holder = self._records.without_every()
        self._is_list = self._holder is not self._records
        self._may_be_bare = not self._holder.steps  # the records are the document itself
        self._types = JSON_TYPES | set(mapping.content_types)
        self._not_found = frozenset(mapping.not_found_status)
        self._outcome = mapping.outcome
        self._outcome_path = parse_path(mapping.outcome.path) if mapping.outcome else None
        named = ((word, getattr(mapping.columns, word)) for word in ("code", "status"))
        self._needed = {word: parse_path(place) for word, place in named if isinstance(place, str)}
        self._project = project(mapping.words(proofs=proofs), _at, mapping.nothings())

    def records(self, answer: HttpAnswer) -> list[Record]:
        """The records in an answer to a look-up, not judged; none where it says that there are none.

        Raises:
            SourceUnavailable: it says that it cannot answer now.
            SourceMisread: it is something else than the mapping says.
        """
        missing = answer.status in self._not_found
        if not missing:
            self.refuse_faults(answer)
        if not answer.body.strip():
            return self._empty(answer, missing=missing)
        document = self.document(answer)
        if missing or self._says_not_found(document):
            return []
        return self._find(document)

    def values(self, record: Record) -> Values:
        """What a record says, by our words."""
        return self._project(record)

    def lacking(self, record: Record, word: str) -> SourceMisread | None:
        """What is wrong with a record that has no "code", or no "status", where the mapping says that it stands."""
        path = self._needed.get(word)
        if path is None or _is_value(path.first(record)):
            return None
        return self._misread(f"a record has no {path.text} ({word})")

    def refuse_others(self, records: Sequence[Record]) -> None:
        """Raise where not one of these, whatever was asked, can be a record that the mapping describes.

        Raises:
            SourceMisread: none has a code, or none has a state.
        """
        for word in self._needed:
            faults = [fault for record in records if (fault := self.lacking(record, word)) is not None]
            if records and len(faults) == len(records):
                raise faults[0]

    def refuse_faults(self, answer: HttpAnswer) -> None:
        """Raise where the status alone says that this is no answer."""
        status = answer.status
        if status == UNAUTHORIZED:
            raise LogInRefused(f"{self._source}: it refuses our credentials (HTTP {status})")
        if status == FORBIDDEN:
            raise AccessRefused(f"{self._source}: it refuses us what was asked (HTTP {status})")
        if status in LATER or status in FAULTS:
            raise SourceUnavailable(f"{self._source}: it cannot answer now (HTTP {status})")
        if status in REDIRECTS:
            raise self._misread(f"it redirects elsewhere, which is not followed (HTTP {status})")
        if status not in GOOD:
            raise self._misread(f"it refuses what was asked (HTTP {status})")

    def document(self, answer: HttpAnswer) -> object:
        """The JSON document in it.

        Raises:
            SourceMisread: it is none.
        """
        if _looks_like_html(answer):
            raise self._misread(f"an HTML page instead of data (HTTP {answer.status})")
        if answer.content_type not in self._types and not answer.content_type.endswith("+json"):
            raise self._misread("its content type is not that of JSON")
        try:
            return json.loads(answer.body.decode("utf-8-sig"), parse_constant=_refuse)
        except RecursionError:
            raise self._misread("its JSON is nested too deeply") from None
        except ValueError:  # bad JSON, bad UTF-8, numbers too long to read; what is quoted in it stays here
            raise self._misread("its answer is no JSON") from None

    def _empty(self, answer: HttpAnswer, *, missing: bool) -> list[Record]:
        if missing or answer.status == 204:  # noqa: PLR2004 - no content
            return []
        raise self._misread("its answer is empty")

    def _says_not_found(self, document: object) -> bool:
        if self._may_be_bare and (document is None or document in ([], {})):
            return True
        if self._outcome is None or self._outcome_path is None:
            return False
        said = self._outcome_path.first(document)
        if said is MISSING or _among(said, self._outcome.found):
            return False
        if _among(said, self._outcome.expired):
            raise LogInRefused(f"{self._source}: it says that our log-in is not valid")
        if _among(said, self._outcome.not_found):
            return True
        raise self._misread("its answer reports a fault of its own")

    def _find(self, document: object) -> list[Record]:
        found = self._holder.first(document)
        if found is MISSING:
            raise self._misread(f"there is no {self._records.text} in its answer")
        if found is None and self._is_list:
            raise self._misread(f"null in the place of {self._records.text}")
        if found is None:
            return []
        # A single record may come without the list around it, and an empty list in the place of a record.
        return [self._checked(record) for record in (found if isinstance(found, list) else [found])]

    def _checked(self, record: object) -> Record:
        if not isinstance(record, dict):
            raise self._misread("what stands in the place of a record is none")
        return record

    def _misread(self, words: str) -> SourceMisread:
        return SourceMisread(f"{self._source}: {words}")


def _at(place: str) -> Callable[[Record], object]:
    path = parse_path(place)

    def read(record: Record) -> object:
        found = path.first(record)
        return None if found is MISSING else found

    return read


def _is_value(found: object) -> bool:
    """A null is one: it says that there is nothing. So is the 1 of a flag."""
    return found is not MISSING and not isinstance(found, dict | list)


def _among(said: object, values: tuple[str | int | bool, ...]) -> bool:
    return _is_value(said) and status_key(said) in {status_key(value) for value in values}


def _looks_like_html(answer: HttpAnswer) -> bool:
    return "html" in answer.content_type or answer.body.lstrip()[:1] == b"<"


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
