"""What is kept of persons in dossiers that were closed long ago, taken out; on both engines.

The record stays: code, procedure, states, days, who of the officers did what. Its history is append-only, so that what an
officer wrote as a reason stays as well.
"""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.store.broadcast_rows import as_json
from adapters.store.housekeeping import first_id
from adapters.store.intake_rows import DOSSIER_COLUMNS, FILE_COLUMNS, dossier_cells, read_dossier, read_file
from adapters.store.intake_words import words_of
from adapters.store.notices_dialect import Dialect
from adapters.store.rows import to_ms
from adapters.store.steps import Steps
from adapters.store.tables import CLOSED_DOSSIER
from domain.intake import IntakeDossier, IntakeFile, Person

MASKED_COLUMNS = ("version", "phone", "secret", "missing", "fee", "notify", "content")
NOBODY = Person(name="")

_COLUMNS = ", ".join(f"d.{name}" for name in DOSSIER_COLUMNS)
_FILE = ", ".join(FILE_COLUMNS)
MASK = f"""UPDATE intake_dossier SET {", ".join(f"{name} = :{name}" for name in MASKED_COLUMNS)}, masked_at = :masked_at
    WHERE id = :id"""
DROP_FILES = f"""DELETE FROM intake_file WHERE id IN (SELECT f.id FROM intake_file AS f
    WHERE f.of_dossier AND f.id < :first_kept AND EXISTS (SELECT 1 FROM intake_dossier AS d
        WHERE d.id = f.owner AND d.{CLOSED_DOSSIER} AND d.changed_at < :before)
    ORDER BY f.id LIMIT :limit) RETURNING {_FILE}"""


def masked(dossier: IntakeDossier) -> IntakeDossier:
    """Without whoever handed it in, and without what was typed freely: it may name them."""
    return replace(
        dossier,
        person=NOBODY,
        subject="",
        missing="",
        fee="",  # where payment was asked for it is what an officer wrote
        reason="",
        papers=tuple(replace(paper, note="") for paper in dossier.papers),
        notify=False,
        notify_words="",
        secret="",
    )


def mask_closed(dialect: Dialect, before: datetime, limit: int, now: int) -> Steps[int]:
    """Of dossiers that are closed and to which nothing was done since `before`; gives how many, at most `limit`. `now` in
    epoch milliseconds.
    """
    rows = yield (
        (
            f"SELECT {_COLUMNS} FROM intake_dossier AS d{dialect.by('ix_intake_dossier_to_mask')}"
            f" WHERE d.masked_at IS NULL AND d.{CLOSED_DOSSIER} AND d.changed_at < :before"
            f" ORDER BY d.changed_at, d.id LIMIT :limit{dialect.taking('d')}"
        ),
        {"before": to_ms(before), "limit": limit},
    )
    old = [read_dossier(row) for row in rows]
    if not old:
        return 0
    ids = as_json([dossier.id for dossier in old])
    yield from _forget_words(dialect, old, ids)
    yield f"DELETE FROM intake_draft WHERE id {dialect.among_ids('ids')}", {"ids": ids}  # its link opens it no more
    for dossier in old:
        cells = dossier_cells(masked(dossier), version=dossier.version + 1, now=now)
        yield MASK, {"id": dossier.id, "masked_at": now, **{name: cells[name] for name in MASKED_COLUMNS}}
    return len(old)


def _forget_words(dialect: Dialect, old: Sequence[IntakeDossier], ids: str) -> Steps[None]:
    """Words of names, of every agency that once had it; its code still finds it."""
    passed_on = yield (
        f"SELECT dossier_id, to_agency FROM intake_step WHERE dossier_id {dialect.among_ids('ids')} AND to_agency <> ''",
        {"ids": ids},
    )
    holders: Mapping[int, set[str]] = {dossier.id: {dossier.agency, dossier.holder} for dossier in old}
    for dossier, agency in passed_on:
        holders[dossier].add(agency)
    words: list[Any] = [
        (agency, word, dossier.id)
        for dossier in old
        for word in words_of(dossier.code, dossier.person)
        if not word.startswith("-")
        for agency in sorted(holders[dossier.id])
    ]
    given = dialect.given("words", (("agency", "text"), ("word", "text"), ("dossier_id", "bigint")))
    yield (
        (
            "DELETE FROM intake_word WHERE (agency, word, dossier_id) IN"
            f" (SELECT n.agency, n.word, n.dossier_id FROM {given} AS n)"
        ),
        {"words": as_json(words)},
    )


def drop_files_of_closed(before: datetime, limit: int) -> Steps[Sequence[IntakeFile]]:
    """Forget files, at most `limit`, of dossiers that are closed and to which nothing was done since `before`."""
    values = {"first_kept": first_id(before), "before": to_ms(before), "limit": limit}
    rows = yield DROP_FILES, values
    return sorted((read_file(row) for row in rows), key=lambda file: file.id)
