"""What the intake module holds about one telephone number: handed out, and forgotten as far as the law allows.

A dossier is found by the first number of whoever handed it in. It is a record of the agency: it stays, with who handed
it in, until it was closed for as long as the settings say (adapters.store.intake_old). What ends at once is the consent to
be told, and forms that were never sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, not_, select, update

from adapters.store.housekeeping import first_id
from adapters.store.intake_rows import DOSSIER_COLUMNS, dossier_cells, read_dossier, step_cells, written
from adapters.store.rows import from_ms
from adapters.store.tables import intake_dossier, intake_draft, intake_file, intake_step
from domain.ids import COUNTER_BITS, PROCESS_BITS
from domain.intake import Actor, IntakeDossier, IntakeStep
from domain.intake_moves import IntakeAction
from domain.message import Address
from domain.phones import significant_number

WITHDRAWN = "Theo yêu cầu của người nộp: không gửi tin báo về hồ sơ này nữa."  # as the dossier's history says it
_STEP = ("at", "entered_at", "action", "status_before", "status_after", "from_agency", "to_agency", "reason", "due_at")
_FILE = ("kind", "name", "media_type", "size", "added_at")
_NOT_SHOWN = frozenset({"secret", "written", "content", "phone"})

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was done: forms forgotten, dossiers of which nobody is told any more, and dossiers that stay."""

    drafts: int
    consents: int
    dossiers: int


# ---- handing out


def export_intake(connection: Connection, address: Address) -> Mapping[str, list[Plain]]:
    """Dossiers with their history and files, and forms; moments are still epoch milliseconds."""
    found = connection.execute(select(intake_dossier).where(_theirs(address)).order_by(intake_dossier.c.id))
    drafts = connection.execute(select(intake_draft).where(_filled_in(address)).order_by(intake_draft.c.id))
    return {
        "intake_dossiers": [_dossier(connection, dict(row)) for row in found.mappings().all()],
        "intake_drafts": [_draft(connection, dict(row)) for row in drafts.mappings().all()],
    }


def _theirs(address: Address) -> ColumnElement[bool]:
    number = significant_number(address.value) if address.scheme == "sms" else ""
    # The second condition is that of the index.
    return and_(intake_dossier.c.phone == number, intake_dossier.c.phone != "") if number else false()


def _filled_in(address: Address) -> ColumnElement[bool]:
    return intake_draft.c.phone == address.value if address.scheme == "sms" else false()


def _dossier(connection: Connection, row: Plain) -> Plain:
    steps = select(intake_step).where(intake_step.c.dossier_id == row["id"]).order_by(intake_step.c.id)
    content: Plain = msgspec.json.decode(row["content"])
    return {
        **{name: value for name, value in row.items() if name not in _NOT_SHOWN},
        **content,
        "steps": [{name: step[name] for name in _STEP} for step in connection.execute(steps).mappings()],
        "files": _files(connection, row["id"]),
    }


def _draft(connection: Connection, row: Plain) -> Plain:
    shown = {name: row[name] for name in ("id", "agency", "procedure", "created_at", "changed_at", "expires_at")}
    return {**shown, **msgspec.json.decode(row["fields"]), "files": _files(connection, row["id"])}


def _files(connection: Connection, owner: int) -> list[Plain]:
    of_owner = select(intake_file).where(intake_file.c.owner == owner).order_by(intake_file.c.id)
    return [{name: row[name] for name in _FILE} for row in connection.execute(of_owner).mappings()]


# ---- forgetting


def forget_intake(connection: Connection, address: Address, now: int) -> Kept:
    """End what may end; `now` in epoch milliseconds. Bytes of a form's files go with the next sweep of their folder."""
    locked = select(*(intake_dossier.c[name] for name in DOSSIER_COLUMNS)).where(_theirs(address)).with_for_update()
    dossiers = [read_dossier(tuple(row)) for row in connection.execute(locked).all()]
    told = [dossier for dossier in dossiers if dossier.notify or dossier.notify_words]
    for dossier in told:
        _tell_no_more(connection, dossier, now)
    return Kept(drafts=_forget_drafts(connection, address), consents=len(told), dossiers=len(dossiers))


def _forget_drafts(connection: Connection, address: Address) -> int:
    over = delete(intake_draft).where(_filled_in(address)).returning(intake_draft.c.id)
    ids = connection.execute(over).scalars().all()
    connection.execute(delete(intake_file).where(intake_file.c.owner.in_(ids), not_(intake_file.c.of_dossier)))
    return len(ids)


def _tell_no_more(connection: Connection, dossier: IntakeDossier, now: int) -> None:
    """A version further: a page that was opened before cannot bring it back."""
    version = dossier.version + 1
    cells = dossier_cells(replace(dossier, notify=False, notify_words=""), version=version, now=now)
    changed = {"version": version, "notify": False, "content": cells["content"], "written": written(now, version)}
    connection.execute(update(intake_dossier).where(intake_dossier.c.id == dossier.id).values(changed))
    connection.execute(insert(intake_step).values(**step_cells(_step(connection, dossier, now))))


def _step(connection: Connection, dossier: IntakeDossier, now: int) -> IntakeStep:
    """Its id follows the last of this dossier: no id was made for it by a process."""
    last = connection.execute(select(func.max(intake_step.c.id)).where(intake_step.c.dossier_id == dossier.id)).scalar()
    made = first_id(from_ms(now)) | secrets.randbits(PROCESS_BITS + COUNTER_BITS)
    return IntakeStep(
        id=max(made, (last or 0) + 1),
        dossier=dossier.id,
        at=from_ms(now),
        entered_at=from_ms(now),
        action=IntakeAction.NOTE,
        actor=Actor(officer=None),
        before=dossier.status,
        after=dossier.status,
        reason=WITHDRAWN,
        due_at=dossier.due_at,
    )
