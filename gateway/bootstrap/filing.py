"""Filing online: the use case over the intake module, with its budgets, its codes and its pages; and the sweep behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from channels.base import RouteDef
from channels.web.client import Clients
from channels.web.filing import FilingStart
from channels.web.filing_dossier import DossierPages
from channels.web.filing_draft import DraftPages
from channels.web.filing_shell import FilingParts, FilingShell
from channels.web.telling import Teller
from channels.web.work import WorkDesk
from conversation.charges import block_of
from conversation.ports import BudgetAsk, Budgets, Limit, Verdict
from conversation.questions import Questions
from domain.filing import UploadLimits
from domain.message import Address
from gateway.bootstrap.intake import Intake
from gateway.bootstrap.numbers import Codes
from gateway.bootstrap.words import Words
from gateway.settings import Settings
from gateway.settings.intake import IntakeSettings
from intake.filing import Filing, FilingRules, FilingUse
from intake.filing_uploads import FilingUploads, purge
from intake.ports import IntakeBook, Vault

_HOUR, _DAY = 3600.0, 86_400.0
OF_A_BLOCK: Final = 10  # times as many for all neighbours of an address: an office, or a telephone company's gate
IN_ALL_A_DAY: Final = 5_000  # drafts
UPLOADS_AN_HOUR: Final = 200  # of an address; each costs us a process for a quarter of a second

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineFiling:
    """What the web is given to file with."""

    filing: Filing
    uploads: FilingUploads


def make_filing(
    settings: Settings,
    words: Words,
    intake: Intake | None,
    codes: Codes | None,
    budgets: Budgets,
    *,
    new_id: Callable[[], int],
    clock: Callable[[], datetime],
) -> OnlineFiling | None:
    """None: no agency takes filings online, or no number can be proved, since there is no SMS account or no key."""
    if intake is None:
        return None
    online = frozenset(name for name, each in intake.agencies.items() if each.online)
    if not online:
        return None
    if codes is None:
        log.warning("filing.off")
        return None
    chosen = settings.intake
    quota = BudgetQuota(budgets, chosen)
    filing = Filing(
        intake.service,
        procedures=words.procedures,
        vault=intake.vault,
        numbers=codes.proving(),
        quota=quota,
        rules=FilingRules(agencies=online, good_for=timedelta(days=chosen.draft_days)),
        new_id=new_id,
        clock=clock,
    )
    uploads = FilingUploads(
        filing,
        intake.service,
        vault=intake.vault,
        inspector=intake.inspector,
        quota=quota,
        limits=UploadLimits(
            formats=chosen.formats,
            largest=chosen.largest_file_bytes,
            most=chosen.most_files,
            most_bytes=chosen.most_bytes,
        ),
        most_loose=chosen.draft_room_mb * 1_000_000,
        new_id=new_id,
        clock=clock,
    )
    return OnlineFiling(filing=filing, uploads=uploads)


class BudgetQuota:
    """Implements intake.filing.Quota with the budgets of all channels."""

    __slots__ = ("_asks", "_budgets")

    def __init__(self, budgets: Budgets, chosen: IntakeSettings) -> None:
        self._budgets = budgets
        drafts, uploads = chosen.drafts_per_address, chosen.uploads_per_draft
        self._asks: Mapping[FilingUse, Callable[[Address], list[BudgetAsk]]] = {
            FilingUse.DRAFT: lambda whose: [
                *_of_address("filing-draft", whose, drafts, _DAY),
                BudgetAsk("filing-draft-all:", (Limit(IN_ALL_A_DAY, _DAY),), needs=1),
            ],
            FilingUse.UPLOAD: lambda whose: _of_address("filing-upload", whose, UPLOADS_AN_HOUR, _HOUR),
            FilingUse.UPLOAD_OF_ONE: lambda whose: [BudgetAsk(f"filing-one:{whose.urn}", (Limit(uploads, _DAY),))],
        }

    async def allows(self, use: FilingUse, whose: Address) -> bool:
        verdicts = await self._budgets.spend(self._asks[use](whose))
        return all(verdict is Verdict.ALLOWED for verdict in verdicts)


def _of_address(purpose: str, whose: Address, most: int, seconds: float) -> list[BudgetAsk]:
    """Its own budget, then that of its neighbours."""
    block = block_of(whose)
    own = BudgetAsk(f"{purpose}:{block}|{whose.value}" if block else f"{purpose}:{whose.urn}", (Limit(most, seconds),))
    limits = (Limit(most * OF_A_BLOCK, seconds),) if block else ()
    return [own, BudgetAsk(f"{purpose}-block:{block}", limits, needs=1)]


def filing_routes(
    online: OnlineFiling,
    settings: Settings,
    words: Words,
    teller: Teller,
    *,
    questions: Questions,
    work: WorkDesk,
    clock: Callable[[], datetime],
    sizes: Mapping[str, int],
) -> list[RouteDef]:
    """The pages. `sizes`: in bytes, of the forms that people may take."""
    trusted = settings.web.trusted_proxies
    shell = FilingShell(
        FilingParts(
            desk=online.filing,
            uploads=online.uploads,
            teller=teller,
            agencies=words.agencies,
            clients=Clients(trusted, teller.catalogue.languages),
            work=work,
            admit=questions.admit,
            clock=clock,
            numbers=[account.short_code for account in settings.sms],
            base_url=settings.web.base_url,
        )
    )
    drafts = DraftPages(shell)
    start, dossiers = FilingStart(shell, sizes), DossierPages(shell, drafts)
    return [*start.routes(), *dossiers.routes(), *drafts.routes(), shell.own_style.route]


async def sweep_files(book: IntakeBook, vault: Vault, clock: Callable[[], datetime]) -> None:
    """Drafts that are over and files nobody knows, taken out: by the clock."""
    gone = await purge(book, vault, clock())
    if gone:
        log.info("filing.swept", files=gone)
