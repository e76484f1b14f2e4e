"""A dossier as its source tells it -> its row of dossier_seen (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from domain.dossier import Dossier
from domain.notices import Known
from notifications.ports import SeenDossier

FIRST_VERSION = 1


def sighted(before: SeenDossier | None, dossier: Dossier, source: str, now: datetime) -> SeenDossier:
    """The row after a look: the very one before when nothing that counts changed, else with the next version.

    `changed_at` alone does not count: sources touch it without a change.
    """
    if before is None:
        fresh = SeenDossier(
            source=source,
            code=dossier.code,
            version=FIRST_VERSION - 1,
            known=Known.of(dossier),
            agency=dossier.agency,
            first_seen_at=now,
        )
        return raised(_told_by(dossier, fresh))
    told = _told_by(dossier, before)
    return before if replace(told, changed_at=before.changed_at) == before else raised(told)


def missing(before: SeenDossier) -> SeenDossier:
    """The row of a dossier that its source does not have any more; what is known of it is kept."""
    return before if before.gone else raised(replace(before, gone=True))


def raised(row: SeenDossier) -> SeenDossier:
    """The same with the next version."""
    return replace(row, version=row.version + 1)


def as_dossier(row: SeenDossier) -> Dossier:
    """As much of a dossier as its row tells: enough for a reminder, without the papers and the fee."""
    return Dossier(
        code=row.code,
        source=row.source,
        status=row.status,
        agency=row.agency,
        received_at=row.received_at,
        due_on=row.due_on,
        finished_at=row.finished_at,
        returned_at=row.returned_at,
        changed_at=row.changed_at,
        unit=row.unit,
        procedure=row.procedure,
    )


def _told_by(dossier: Dossier, row: SeenDossier) -> SeenDossier:
    return replace(
        row,
        known=Known.of(dossier),
        agency=dossier.agency,
        unit=dossier.unit,
        procedure=dossier.procedure,
        received_at=_kept(dossier.received_at),
        finished_at=_kept(dossier.finished_at),
        returned_at=_kept(dossier.returned_at),
        changed_at=_kept(dossier.changed_at),
        gone=False,
    )


def _kept(moment: datetime | None) -> datetime | None:
    """To the millisecond, as the store keeps it: else every look would find it changed."""
    return None if moment is None else moment.replace(microsecond=moment.microsecond // 1000 * 1000)
