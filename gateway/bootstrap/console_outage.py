"""The console's slice about work on paper: codes set aside, entered afterwards by file, and reconciled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import date

from console.intake.choosing import clear_choice, procedures_for
from console.intake.desk import IntakeDesk
from console.outage.desk import OutageDesk, Whereabouts
from console.outage.files import LateFiles
from console.outage.late import LatePages
from console.outage.numbers import NumberPages
from console.outage.reconciling import ReconcilePages
from console.page import Texts
from domain.procedure import Procedure
from gateway.bootstrap.intake import patterns_of
from gateway.settings import Settings
from intake.outage import IntakeLate

OutagePages = NumberPages | LatePages | ReconcilePages


def make_outage_slice(
    desk: IntakeDesk, settings: Settings, texts: Mapping[str, Texts], stack: AsyncExitStack
) -> Sequence[OutagePages]:
    """`texts` of all languages: a sheet is in two. `stack` ends the reading and taking of files that is under way."""
    late = desk.late or IntakeLate(desk.service.book, patterns=patterns_of(settings.intake), clock=desk.clock)
    outage = OutageDesk(desk=desk, late=late, where=whereabouts(settings), texts=texts)
    files = LateFiles(
        desk.service,
        late,
        meant=lambda words, day: meant(desk, words, day),
        consent=desk.consent,
        ids=desk.ids,
        clock=desk.clock,
    )
    stack.push_async_callback(files.close)
    return NumberPages(outage), LatePages(outage, files), ReconcilePages(outage)


def meant(desk: IntakeDesk, words: str, day: date) -> Procedure | None:
    """The procedure that words of a file mean without a doubt: a code, or what the desk's own form would take at once."""
    exact = desk.procedures.get(words.strip(), today=day)
    if exact is not None:
        return exact
    found = procedures_for(words, catalogue=desk.procedures, known=desk.known, today=day)
    return clear_choice(words, found)


def whereabouts(settings: Settings) -> Whereabouts:
    """Where one looks up afterwards, as a sheet says it."""
    codes = dict.fromkeys(account.short_code for account in settings.sms)
    return Whereabouts(short_codes=tuple(codes), site=settings.web.base_url)
