"""What another catalogue of procedures would change (pure): told to the operator before it is taken."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, time
from typing import Any

from domain.procedure import Procedure, ProcedureForm

Versions = Mapping[str, Sequence[Procedure]]  # of one code, in the order of their first days

_NOT_COMPARED = frozenset({"code"})
_KEYS = {"field_name": "field"}  # as the file calls it


class ChangeKind(enum.StrEnum):
    """In the order they are told."""

    ADDED = "added"
    BEGINS = "begins later"
    CHANGED = "changed"
    ENDS = "ends"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureChange:
    """One version that is not as it was; `what` says how, a fact each."""

    kind: ChangeKind
    code: str
    name: str
    what: Sequence[str] = ()


def changes(before: Iterable[Procedure], after: Iterable[Procedure], today: date) -> Sequence[ProcedureChange]:
    """What differs, by kind and code. A version is the same one if it begins on the same day."""
    old, new = by_code(before), by_code(after)
    found = [
        change
        for code in sorted(old.keys() | new.keys())
        for change in _of_one_code(old.get(code, ()), new.get(code, ()), today)
    ]
    kinds = list(ChangeKind)
    return sorted(found, key=lambda change: kinds.index(change.kind))


def dropped(before: Iterable[Procedure], after: Iterable[Procedure], today: date) -> Sequence[str]:
    """The codes that would be gone though nobody gave them a last day: no version is left, or none holds today any more."""
    new = by_code(after)
    return [code for code, versions in sorted(by_code(before).items()) if _gone(versions, new.get(code, ()), today)]


def by_code(procedures: Iterable[Procedure]) -> Versions:
    """The versions of each code."""
    found: dict[str, list[Procedure]] = {}
    for procedure in sorted(procedures, key=_first_day):
        found.setdefault(procedure.code, []).append(procedure)
    return found


def _gone(old: Sequence[Procedure], new: Sequence[Procedure], today: date) -> bool:
    if all(_over(version, today) for version in old):
        return False
    if not new:
        return True
    held, holds = (any(version.in_force(today) for version in versions) for versions in (old, new))
    return held and not holds and not any(_over(version, today) for version in new)


def _over(version: Procedure, today: date) -> bool:
    return version.valid_to is not None and version.valid_to < today


def _of_one_code(old: Sequence[Procedure], new: Sequence[Procedure], today: date) -> Iterator[ProcedureChange]:
    starts = {version.valid_from for version in old} & {version.valid_from for version in new}
    was, rest_was = _split(old, starts)
    now, rest_now = _split(new, starts)
    moved = min(len(rest_was), len(rest_now))  # they begin on another day than before
    pairs = [*zip(was, now, strict=True), *zip(rest_was[:moved], rest_now[:moved], strict=True)]
    for one, other in pairs:
        yield from _changed(one, other)
    for version in rest_now[moved:]:
        yield _came(version, [each for each in new if _first_day(each) < _first_day(version)], today)
    for version in rest_was[moved:]:
        yield _change(ChangeKind.REMOVED, version, [f"held {_days(version)}"])


def _split(versions: Sequence[Procedure], starts: set[date | None]) -> tuple[list[Procedure], list[Procedure]]:
    return [each for each in versions if each.valid_from in starts], [
        each for each in versions if each.valid_from not in starts
    ]


def _changed(one: Procedure, other: Procedure) -> Iterator[ProcedureChange]:
    ends = other.valid_to is not None and (one.valid_to is None or other.valid_to < one.valid_to)
    what = list(_differences(one, other, _NOT_COMPARED | {"valid_to"} if ends else _NOT_COMPARED))
    if what:
        yield _change(ChangeKind.CHANGED, other, what)
    if ends:
        yield _change(ChangeKind.ENDS, other, [f"last day {_told(other.valid_to)}"])


def _came(version: Procedure, earlier: Sequence[Procedure], today: date) -> ProcedureChange:
    later = version.valid_from is not None and version.valid_from > today
    differs = _differences(earlier[-1], version, _NOT_COMPARED | {"valid_from", "valid_to"}) if earlier else ()
    return _change(ChangeKind.BEGINS if later else ChangeKind.ADDED, version, [f"holds {_days(version)}", *differs])


def _change(kind: ChangeKind, version: Procedure, what: Sequence[str]) -> ProcedureChange:
    return ProcedureChange(kind=kind, code=version.code, name=version.names["vi"], what=what)


def _first_day(version: Procedure) -> date:
    return version.valid_from or date.min


def _days(version: Procedure) -> str:
    begin = f"from {_told(version.valid_from)}" if version.valid_from else ""
    end = f"until {_told(version.valid_to)}" if version.valid_to else ""
    return " ".join(filter(None, (begin, end))) or "always"


# ---- field by field


def _differences(one: Procedure, other: Procedure, without: frozenset[str]) -> Iterator[str]:
    for each in fields(Procedure):
        was, now = getattr(one, each.name), getattr(other, each.name)
        if was != now and each.name not in without:
            yield from _difference(_KEYS.get(each.name, each.name), was, now)


def _difference(key: str, was: Any, now: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a field holds
    if isinstance(was, Mapping):
        for language in sorted(was.keys() | now.keys()):
            if was.get(language) != now.get(language):
                yield from _difference(f"{key} ({language})", was.get(language), now.get(language))
    elif isinstance(was, tuple) or isinstance(now, tuple):
        yield f"{key}: {_members(was or (), now or ())}"
    else:
        yield f"{key}: {_told(was)} -> {_told(now)}"


def _members(was: Sequence[object], now: Sequence[object]) -> str:
    came = [f"+ {_told(each)}" for each in now if each not in was]
    went = [f"- {_told(each)}" for each in was if each not in now]
    return "; ".join([*came, *went]) or "in another order"


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date | time):
        return f"{value:%d/%m/%Y}" if isinstance(value, date) else f"{value:%H:%M}"
    if isinstance(value, ProcedureForm):
        return f"{value.name} ({value.file})" if value.file else value.name
    return "nothing" if value is None or value == "" else str(value)
