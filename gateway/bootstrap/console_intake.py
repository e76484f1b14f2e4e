"""The console's slice of the desk: dossiers received, moved along and handed over, over the intake module's service."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from console.accounts.audit import Audit
from console.intake.arrivals import Arrivals
from console.intake.desk import FileLimits, IntakeDesk
from console.intake.files import DossierFiles
from console.intake.listing import ListPage
from console.intake.mails import MailPages
from console.intake.one import DossierPages
from console.intake.registering import RegisterPages
from console.page import Pages
from domain.calendar import local_day
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.console_messages import code_reader
from gateway.bootstrap.intake import Intake, patterns_of
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.settings import IntakeSettings, Settings
from intake.outage import IntakeLate

IntakePages = ListPage | RegisterPages | MailPages | DossierFiles | DossierPages


def make_intake_desk(
    pages: Pages,
    settings: Settings,
    words: Words,
    opened: OpenStore,
    *,
    intake: Intake,
    audit: Audit,
    new_id: Callable[[], int],
) -> IntakeDesk:
    """What every page of the desk has at hand, those that print included."""
    chosen, clock = settings.intake, opened.clock
    return IntakeDesk(
        pages=pages,
        service=intake.service,
        vault=intake.vault,
        inspector=intake.inspector,
        audit=audit,
        agencies=words.agencies,
        units={name: each.units for name, each in intake.agencies.items()},
        procedures=words.procedures,
        known=tuple(words.procedures),
        calendar=read_calendar(settings.notices.calendar, local_day(clock())),
        read_code=code_reader(words, clock),
        limits=_limits(chosen),
        consent=chosen.consent,
        supplement_days=chosen.supplement_days,
        ids=new_id,
        clock=clock,
        late=IntakeLate(intake.service.book, patterns=patterns_of(chosen), clock=clock),
    )


def make_intake_slice(desk: IntakeDesk) -> Sequence[IntakePages]:
    """In the order of their routes: `/ho-so/<id>/tep` is no action on a dossier."""
    arrivals, register, one = Arrivals(desk), RegisterPages(desk), DossierPages(desk)
    return (ListPage(desk), register, MailPages(desk, register, arrivals), DossierFiles(desk, one, arrivals), one)


def _limits(chosen: IntakeSettings) -> FileLimits:
    return FileLimits(
        formats=chosen.formats,
        largest=chosen.largest_file_bytes,
        most=chosen.most_files,
        most_bytes=chosen.most_bytes,
    )
