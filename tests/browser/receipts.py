"""Dossiers in the book of a console, at moments of one's own, for the tests of what is printed of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.calendar import local_day
from domain.intake import IntakeDossier, IntakeStep
from domain.intake_moves import REGISTERED, IntakeAction, IntakeDoing, moved
from domain.numbering import NumberPattern
from intake.ports import NewDossier
from tests.console_made import MadeConsole
from tests.unit.printed_papers import AGENCY, OFFICER, dossier

ADDRESS = "https://tracuu.cantho.gov.vn"
SETTINGS = f"""
[web]
base_url = "{ADDRESS}"


[[intake.agencies]]
agency = "{AGENCY}"
units = ["Phòng Hành chính tư pháp"]
"""


@dataclass
class Archive:
    """Keeps dossiers in the book of a console as the desk does, at moments of one's own."""

    console: MadeConsole

    async def keep(self, **changes: Any) -> IntakeDossier:
        """One more."""
        made = dossier(self.console.new_id(), **changes)
        new = NewDossier(dossier=made, pattern=NumberPattern(agency=AGENCY), day=local_day(made.received_at))
        kept = await self.console.store.intake().register(
            new, self._step(made, REGISTERED, made.received_at, reason=made.reason)
        )
        assert isinstance(kept, IntakeDossier)
        return kept

    async def does(self, before: IntakeDossier, action: IntakeAction, **doing: Any) -> IntakeDossier:
        """Something legal, an hour after what was done last."""
        at = before.changed_at + timedelta(hours=1)
        after = moved(before, IntakeDoing(action=action, at=at, **doing))
        assert isinstance(after, IntakeDossier), after
        after = replace(after, changed_at=at)
        moves = {}
        if (before.holder, before.unit) != (after.holder, after.unit):
            moves = {
                "from_agency": before.holder,
                "from_unit": before.unit,
                "to_agency": after.holder,
                "to_unit": after.unit,
            }
        step = self._step(after, str(action), at, reason=doing.get("reason", ""), before=before.status, **moves)
        assert await self.console.store.intake().write(after, step, was=before.version)
        return after

    def _step(self, of: IntakeDossier, action: str, at: datetime, **changes: Any) -> IntakeStep:
        return IntakeStep(
            id=self.console.new_id(),
            dossier=of.id,
            at=at,
            entered_at=of.entered_at if action == REGISTERED else at,
            action=action,
            actor=OFFICER,
            after=of.status,
            due_at=of.due_at,
            **changes,
        )
