"""The desk of the intake module beside the processes that serve: for the dossiers of a demo."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.store.intake import StoreIntake
from adapters.store.notices_dialect import PostgresDialect, SqliteDialect
from adapters.store.outside import OutsideSteps
from domain.codes import DossierCode
from domain.ids import IdSequence
from gateway.bootstrap.desk import outside
from gateway.bootstrap.intake import make_service
from gateway.bootstrap.store import utc_now
from gateway.bootstrap.words import read_words
from gateway.settings import Settings
from intake.service import IntakeService


class _NobodyHears:
    """Who serves finds what was done at its next poll, within a second."""

    async def announce(self, codes: Sequence[DossierCode]) -> None:
        """Nothing is kept here that would be old now."""


def intake_desk(settings: Settings) -> IntakeService:
    """Over a store that has its tables, whether or not somebody serves it.

    Raises:
        SettingsError: the desk's settings or the catalogue of procedures do not fit.
    """
    steps, ids = OutsideSteps(outside(settings)), IdSequence(0)
    dialect = PostgresDialect() if settings.database.shared else SqliteDialect()
    return make_service(
        settings,
        read_words(settings),
        StoreIntake(steps.write, steps.look, dialect, utc_now),
        announce=_NobodyHears(),
        new_id=lambda: ids.next(int(utc_now().timestamp() * 1000)),
        clock=utc_now,
    )
