"""What every mapping file says, whatever the source speaks: our words and where they stand, states, dates, agencies.

A place is a column of a table or a path in a record; who reads the source says which. Nothing here can name a place
that holds persons, except to prove a right to know more: what is never read cannot leak.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from adapters.onestop.personal import PERSONAL_COLUMNS, is_personal
from adapters.onestop.plain import distinct, status_key
from domain.dossier import DossierStatus
from domain.errors import SettingsError

__all__ = [
    "AGENCY_WORDS",
    "NUMBER_WORDS",
    "PERSONAL_COLUMNS",
    "Agencies",
    "Computed",
    "Fields",
    "FieldsMapping",
    "Hidden",
    "Name",
    "Proofs",
    "Rule",
    "State",
    "Strict",
    "Value",
    "places",
    "read_mapping",
    "status_key",
]

Name = Annotated[str, Field(min_length=1, max_length=128)]
Key = str | int | bool
M = TypeVar("M", bound="FieldsMapping")

MOST_NUMBERS = 3  # telephone numbers of one dossier: the owner's, the authorised person's, one more


class Strict(BaseModel):
    """A part of a mapping file: what it does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- where a value stands


class Computed(Strict):
    """A value made of others: the first of `first` that is not empty, all of `joined` with `between` between them, or
    the `constant`. What comes out, or what stands in `column`, is looked up in `values` if given.
    """

    column: Annotated[Name | None, Field(validation_alias=AliasChoices("column", "path"))] = None
    first: tuple[Name, ...] = ()
    joined: tuple[Name, ...] = ()
    between: Annotated[str, Field(max_length=8)] = " "
    constant: str | int | None = None
    values: Mapping[str, str] = {}

    @field_validator("values")
    @classmethod
    def compared(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        """Compare values as states are compared."""
        return distinct(values)

    @model_validator(mode="after")
    def one_way(self) -> Computed:
        """Exactly one way to come by the value."""
        if sum(map(bool, (self.column, self.first, self.joined, self.constant is not None))) != 1:
            raise ValueError("give one of column, first, joined or constant")
        return self

    def places(self) -> tuple[str, ...]:
        """What is read for it."""
        return (*((self.column,) if self.column else ()), *self.first, *self.joined)


Value = Name | Computed
"""A place, or how to compute a value from several."""


def places(value: Value) -> tuple[str, ...]:
    """What is read for a value."""
    return value.places() if isinstance(value, Computed) else (value,)


class Fields(Strict):
    """Our word -> where it stands. Only the status is always there."""

    code: Name | None = None
    status: Value
    substatus: Value | None = None  # tells a state more exactly
    received_at: Value | None = None
    due_on: Value | None = None
    finished_at: Value | None = None
    returned_at: Value | None = None
    changed_at: Value | None = None
    unit: Value | None = None
    procedure: Value | None = None
    procedure_name: Value | None = None
    missing: Value | None = None
    fee: Value | None = None

    def named(self) -> dict[str, Value]:
        """Those that are given."""
        return {ours: theirs for ours, theirs in self if theirs is not None}


class Agencies(Strict):
    """Who works on a dossier stands in `column`; where that is empty, it is the agency part of the code. `receiving`
    and `returning` say where it was handed in and where its result is fetched. `values` turns what stands there into
    identifiers (17 = "H51.18"); with it, a value that is not in it is noted and counts as empty.
    """

    column: Annotated[Value, Field(validation_alias=AliasChoices("column", "path"))]
    receiving: Value | None = None
    returning: Value | None = None
    values: Mapping[str, str] = {}

    @field_validator("values")
    @classmethod
    def compared(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        """Compare values as states are compared."""
        return distinct(values)


class Proofs(Strict):
    """The only personal places a mapping may name: telephone numbers on the dossier, and the receipt's secret. They
    become seals at once (domain.proof), and without a key for seals they are not even read.
    """

    numbers: Annotated[tuple[Name, ...], Field(max_length=MOST_NUMBERS)] = ()
    secret: Name | None = None


class Hidden(Strict):
    """A record is not told when its `column` holds one of `values`, none of `unless`, one of the flags `bits`, or
    anything at all (`filled`): a soft delete, another kind of business.

    Judged on what was read, not in SQL: a zero date or an empty text cannot be compared with every column type.
    """

    column: Annotated[Value, Field(validation_alias=AliasChoices("column", "path"))]
    values: tuple[Key, ...] = ()
    unless: tuple[Key, ...] = ()
    bits: Annotated[int, Field(ge=0)] = 0
    filled: bool = False

    @model_validator(mode="after")
    def one_condition(self) -> Hidden:
        """Exactly one of the conditions is given."""
        if sum(map(bool, (self.values, self.unless, self.bits, self.filled))) != 1:
            raise ValueError("give either values, unless, bits or filled = true")
        return self


# ---- what a state means


class State(Strict):
    """A national state. `assumed`: the mapping's author guessed; `tracuu source check` says so until it is confirmed."""

    status: DossierStatus
    assumed: bool = False


def _state(given: Any) -> Any:  # noqa: ANN401 - whatever the file says
    return {"status": given} if isinstance(given, int) else given


Meaning = Annotated[State, BeforeValidator(_state)]


class Rule(State):
    """A state that is no single value; every condition given must hold. `bits`: all these flags are set, 0: none is.
    `filled` and `empty`: our words that hold something, or nothing. `contains`: words within a free text.
    """

    bits: Annotated[int | None, Field(ge=0)] = None
    filled: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    contains: Annotated[str, Field(max_length=128)] = ""

    @model_validator(mode="after")
    def some_condition(self) -> Rule:
        """A rule without a condition would pass everything through."""
        if self.bits is None and not (self.filled or self.empty or self.contains):
            raise ValueError("give bits, filled, empty or contains")
        return self

    def says(self) -> str:
        """The condition, for a report."""
        given = (
            ("bits", self.bits),
            ("filled", ", ".join(self.filled)),
            ("empty", ", ".join(self.empty)),
            ("contains", self.contains),
        )
        return ", ".join(f"{name} {value}" for name, value in given if value not in ("", None))


# ---- the whole


class FieldsMapping(Strict):
    """What is common to all mapping files.

    `prefixes` (agency identifiers it answers for) and `default` (asked also for codes nobody declares) are what the
    installation's settings may replace. `placeholders` are texts that stand for nothing. A state is looked up in
    `status`, then in the `rules` in their order; `substatus` tells it more exactly: their state -> their second state
    -> meaning.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    columns: Annotated[Fields, Field(validation_alias=AliasChoices("columns", "fields"))]
    agency: Name | Agencies
    prefixes: tuple[Annotated[str, Field(pattern=r"^[A-Z]\d{2}(\.\d{1,3})*$")], ...] = ()
    default: bool = False
    time_zone: str = "Asia/Ho_Chi_Minh"
    date_formats: Annotated[
        tuple[Literal["yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss", "iso", "dd/MM/yyyy HH:mm:ss"], ...],
        Field(min_length=1),
    ] = ("yyyy-MM-dd HH:mm:ss", "iso")
    status: Mapping[str, Meaning] = {}
    substatus: Mapping[str, Mapping[str, Meaning]] = {}
    rules: tuple[Rule, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    proof: Proofs = Proofs()
    placeholders: tuple[Name, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        """Refuse a zone the system does not know."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as unknown:
            raise ValueError(f"unknown time zone {name!r}") from unknown
        return name

    @field_validator("status")
    @classmethod
    def distinct_states(cls, states: Mapping[str, State]) -> Mapping[str, State]:
        """Compare states as sources write them: without regard to case, accents, spaces or zeros before a number."""
        return distinct(states)

    @field_validator("substatus")
    @classmethod
    def distinct_substates(cls, states: Mapping[str, Mapping[str, State]]) -> Mapping[str, Mapping[str, State]]:
        """The same within each state."""
        return distinct({theirs: distinct(inner) for theirs, inner in states.items()})

    @model_validator(mode="after")
    def no_persons_and_some_states(self) -> FieldsMapping:
        """Refuse places that hold persons, and a mapping without a single state."""
        for value in self.words(proofs=False).values():
            for place in places(value):
                if is_personal(place):
                    raise ValueError(f"{place} holds personal data and is never read")
        if not (self.status or self.rules):
            raise ValueError("there is no state in it: give [status] or [[rules]]")
        unknown = {word for rule in self.rules for word in (*rule.filled, *rule.empty)} - self.columns.named().keys()
        if unknown:
            raise ValueError(f"a rule speaks of {', '.join(sorted(unknown))}, which no column is named for")
        return self

    def words(self, *, proofs: bool) -> dict[str, Value]:
        """Every word that is read and where it stands; those of persons only if there will be `proofs`."""
        return dict(self._words(proofs=proofs))

    def _words(self, *, proofs: bool) -> Iterator[tuple[str, Value]]:
        yield from self.columns.named().items()
        if isinstance(self.agency, Agencies):
            named = (self.agency.column, self.agency.receiving, self.agency.returning)
            yield from ((word, value) for word, value in zip(AGENCY_WORDS, named, strict=True) if value is not None)
        yield from ((f"hidden.{number}", each.column) for number, each in enumerate(self.hidden))
        if proofs:
            yield from zip(NUMBER_WORDS, self.proof.numbers, strict=False)
            yield from ((word, value) for word, value in (("secret", self.proof.secret),) if value is not None)

    def nothings(self) -> frozenset[str]:
        """The placeholders, as they are compared."""
        return frozenset(text.strip().casefold() for text in self.placeholders)

    def meanings(self) -> Iterator[tuple[str, State]]:
        """Every state it knows, in its own words, for a report."""
        yield from self.status.items()
        for theirs, inner in self.substatus.items():
            yield from ((f"{theirs} / {second}", meant) for second, meant in inner.items())
        yield from ((rule.says(), rule) for rule in self.rules)


AGENCY_WORDS = ("agency", "receiving_agency", "returning_agency")
NUMBER_WORDS = ("phone", "phone_2", "phone_3")


def read_mapping(kind: type[M], text: str, origin: str) -> M:
    """Read a mapping file of this kind. `origin` names it in messages.

    Raises:
        SettingsError: it is wrong; every fault on a line of its own.
    """
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{origin}: {fault}") from fault
    except ValidationError as faults:
        raise faulty(faults, origin) from faults


def faulty(faults: ValidationError, origin: str) -> SettingsError:
    """Every fault on a line of its own, with its place in the file."""
    lines = [f"{origin}: {_place(fault['loc'])}{fault['msg']}" for fault in faults.errors(include_url=False)]
    return SettingsError("\n".join(lines))


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in location)}: " if location else ""
