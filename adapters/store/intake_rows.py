"""Dossiers of the intake module as its ports speak of them <-> rows of their tables (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import msgspec

from adapters.store.notices_rows import moment, read_moment
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Values
from domain.codes import DossierCode, read_reference
from domain.dossier import DossierStatus
from domain.intake import (
    Actor,
    FileKind,
    IntakeDossier,
    IntakeFile,
    IntakeSource,
    IntakeStep,
    NumberBlock,
    Paper,
    Person,
)
from domain.phones import significant_numbers
from domain.working_time import LimitUnit, SupplementRule, TimeLimit
from intake.ports import Draft

# What may become of a dossier; its id, its code and who received it stay.
CHANGED_COLUMNS = (
    "holder",
    "unit",
    "procedure",
    "procedure_name",
    "source",
    "status",
    "version",
    "received_at",
    "changed_at",
    "due_at",
    "finished_at",
    "returned_at",
    "late",
    "missing",
    "fee",
    "notify",
    "phone",
    "secret",
    "written",
    "content",
)
DOSSIER_COLUMNS = ("id", "code", "agency", "entered_at", *CHANGED_COLUMNS)
STEP_COLUMNS = (
    "id",
    "dossier_id",
    "at",
    "entered_at",
    "action",
    "officer_id",
    "login",
    "officer_name",
    "officer_agency",
    "address",
    "status_before",
    "status_after",
    "from_agency",
    "from_unit",
    "to_agency",
    "to_unit",
    "reason",
    "due_at",
)
FILE_COLUMNS = (
    "id",
    "owner",
    "kind",
    "name",
    "media_type",
    "size",
    "sha256",
    "key",
    "added_at",
    "paper",
    "by_officer",
)
DRAFT_COLUMNS = (
    "id",
    "token_digest",
    "agency",
    "procedure",
    "language",
    "fields",
    "created_at",
    "changed_at",
    "expires_at",
    "phone",
    "phone_proved_at",
)
BLOCK_COLUMNS = ("id", "agency", "day", "first", "last", "reserved_at", "reserved_by")

_PLAIN = ("holder", "unit", "procedure", "procedure_name", "missing", "fee", "notify", "secret", "late")
_MOMENTS = ("due_at", "finished_at", "returned_at")
_IN_CONTENT = ("subject", "sets", "fee_dong", "reason", "language", "notify_words")
_MOMENTS_IN_CONTENT = ("first_due_at", "apologised_at", "supplement_asked_at", "paid_at", "declared_at")


def dossier_cells(dossier: IntakeDossier, *, version: int, now: int) -> Values:
    """By column. `now`: of the store's clock, in epoch milliseconds."""
    plain: dict[str, Any] = {name: getattr(dossier, name) for name in _PLAIN}
    return {
        **plain,
        **{name: moment(getattr(dossier, name)) for name in _MOMENTS},
        "id": dossier.id,
        "code": dossier.code.reference,
        "agency": dossier.agency,
        "source": dossier.source.value,
        "status": int(dossier.status),
        "version": version,
        "received_at": to_ms(dossier.received_at),
        "entered_at": to_ms(dossier.entered_at),
        "changed_at": to_ms(dossier.changed_at),
        "phone": next(iter(significant_numbers(dossier.person.phone)), ""),
        "written": written(now, version),
        "content": msgspec.json.encode(_content(dossier)).decode(),
    }


def written(now: int, version: int) -> str:
    """The moment a poll for changes goes by. Its last three digits are those of the version: two changes of one dossier
    never bear the same moment, whatever the clock does.
    """
    return from_ms(now).replace(microsecond=now % 1000 * 1000 + version % 1000).isoformat(timespec="microseconds")


def _content(dossier: IntakeDossier) -> Mapping[str, Any]:
    limit = dossier.limit
    return {
        **{name: getattr(dossier, name) for name in _IN_CONTENT},
        **{name: moment(getattr(dossier, name)) for name in _MOMENTS_IN_CONTENT},
        "before": None if dossier.before is None else int(dossier.before),
        "person": asdict(dossier.person),
        "papers": [asdict(paper) for paper in dossier.papers],
        "limit": None if limit is None else [limit.count, limit.unit.value],
        "rule": dossier.rule.value,
        "supplement_by": None if dossier.supplement_by is None else dossier.supplement_by.isoformat(),
    }


def read_dossier(row: Sequence[Any]) -> IntakeDossier:
    """From a row of DOSSIER_COLUMNS."""
    cells = dict(zip(DOSSIER_COLUMNS, row, strict=True))
    kept: dict[str, Any] = msgspec.json.decode(cells["content"])
    same: dict[str, Any] = {
        **{name: cells[name] for name in ("id", "agency", "version", *_PLAIN)},
        **{name: read_moment(cells[name]) for name in _MOMENTS},
        **{name: kept[name] for name in _IN_CONTENT},
        **{name: read_moment(kept[name]) for name in _MOMENTS_IN_CONTENT},
    }
    return IntakeDossier(
        **same | {"notify": bool(cells["notify"]), "late": bool(cells["late"])},
        code=_code(cells["code"]),
        source=IntakeSource(cells["source"]),
        status=DossierStatus(cells["status"]),
        before=_status(kept["before"]),
        person=Person(**kept["person"]),
        papers=tuple(Paper(**paper) for paper in kept["papers"]),
        received_at=from_ms(cells["received_at"]),
        entered_at=from_ms(cells["entered_at"]),
        changed_at=from_ms(cells["changed_at"]),
        limit=None if kept["limit"] is None else TimeLimit(kept["limit"][0], LimitUnit(kept["limit"][1])),
        rule=SupplementRule(kept["rule"]),
        supplement_by=None if kept["supplement_by"] is None else date.fromisoformat(kept["supplement_by"]),
    )


def _code(reference: str) -> DossierCode:
    code = read_reference(reference)
    if code is None:
        raise ValueError(f"{reference} is no code of ours")
    return code


def _status(number: int | None) -> DossierStatus | None:
    return None if number is None else DossierStatus(number)


def step_cells(step: IntakeStep) -> Values:
    actor = step.actor
    cells = (
        step.id,
        step.dossier,
        to_ms(step.at),
        to_ms(step.entered_at),
        step.action,
        actor.officer,
        actor.login,
        actor.name,
        actor.agency,
        actor.address,
        None if step.before is None else int(step.before),
        int(step.after),
        step.from_agency,
        step.from_unit,
        step.to_agency,
        step.to_unit,
        step.reason,
        moment(step.due_at),
    )
    return dict(zip(STEP_COLUMNS, cells, strict=True))


def read_step(row: Sequence[Any]) -> IntakeStep:
    cells = dict(zip(STEP_COLUMNS, row, strict=True))
    same = ("id", "action", "from_agency", "from_unit", "to_agency", "to_unit", "reason")
    return IntakeStep(
        **{name: cells[name] for name in same},
        dossier=cells["dossier_id"],
        at=from_ms(cells["at"]),
        entered_at=from_ms(cells["entered_at"]),
        actor=Actor(
            officer=cells["officer_id"],
            login=cells["login"],
            name=cells["officer_name"],
            agency=cells["officer_agency"],
            address=cells["address"],
        ),
        before=_status(cells["status_before"]),
        after=DossierStatus(cells["status_after"]),
        due_at=read_moment(cells["due_at"]),
    )


def file_cells(file: IntakeFile) -> Values:
    return {name: getattr(file, name) for name in FILE_COLUMNS} | {
        "kind": file.kind.value,
        "added_at": to_ms(file.added_at),
    }


def read_file(row: Sequence[Any]) -> IntakeFile:
    cells = dict(zip(FILE_COLUMNS, row, strict=True))
    return IntakeFile(**cells | {"kind": FileKind(cells["kind"]), "added_at": from_ms(cells["added_at"])})


def draft_cells(draft: Draft) -> Values:
    moments = ("created_at", "changed_at", "expires_at", "phone_proved_at")
    return {
        **{name: getattr(draft, name) for name in DRAFT_COLUMNS},
        **{name: moment(getattr(draft, name)) for name in moments},
        "fields": msgspec.json.encode(dict(draft.fields)).decode(),
    }


def read_draft(row: Sequence[Any]) -> Draft:
    cells = dict(zip(DRAFT_COLUMNS, row, strict=True))
    moments = ("created_at", "changed_at", "expires_at", "phone_proved_at")
    fields: dict[str, str] = msgspec.json.decode(cells["fields"], type=dict[str, str])
    return Draft(**cells | {name: read_moment(cells[name]) for name in moments} | {"fields": fields})


def read_block(row: Sequence[Any], serials: Sequence[tuple[int, str | None]] = ()) -> NumberBlock:
    """From a row of BLOCK_COLUMNS; `serials`: those accounted for, with why they are void, None where they are used."""
    cells = dict(zip(BLOCK_COLUMNS, row, strict=True))
    return NumberBlock(
        **cells | {"day": date.fromisoformat(cells["day"]), "reserved_at": from_ms(cells["reserved_at"])},
        used=frozenset(serial for serial, void in serials if void is None),
        void={serial: void for serial, void in serials if void is not None},
    )


def day_cell(day: date | datetime) -> str:
    return f"{day:%Y-%m-%d}"
