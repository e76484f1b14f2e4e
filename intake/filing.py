"""Filing online (decision 40/2016/QĐ-UBND art. 3.3 and 9.1): a draft behind a secret link, a number proved by a code, sent
once, then followed by the same link.

Whoever has the link has the dossier; nothing else names it, and of the secret only its SHA-256 is kept.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from domain.calendar import local_day
from domain.dossier import DossierStatus
from domain.filing import (
    FiledDossier,
    FilingDraft,
    FilingFault,
    FilingForm,
    FilingRefusal,
    NumberAnswer,
    NumberOutcome,
    may_be_filed,
)
from domain.intake import (
    Actor,
    FileKind,
    IntakeDossier,
    IntakeFile,
)
from domain.intake_moves import ACTS, IntakeAction, IntakeDoing, IntakeRefusal
from domain.message import Address
from domain.procedure import Procedure
from intake.filing_decisions import (
    changed,
    digest_of,
    fields_of,
    form_of,
    readable,
    registration_of,
    send_faults,
)
from intake.ports import Draft, IntakeBook, NumberTrouble, ProcedureCatalogue, Vault
from intake.service import IntakeService, NoProcedure

TOKEN_BYTES: Final = 32
SENDING: Final = timedelta(minutes=10)  # what is being sent is not swept meanwhile
CITIZEN: Final = Actor(officer=None)
FINISHED: Final = frozenset({DossierStatus.DONE, DossierStatus.RETURNED})

log = structlog.get_logger()


class FilingUse(enum.StrEnum):
    """What is bounded, each by budgets of its own."""

    DRAFT = "draft"  # a new one, by whoever asks
    UPLOAD = "upload"  # a file that is looked into, by whoever sends it
    UPLOAD_OF_ONE = "upload_of_one"  # the same, for one draft or dossier


class Quota(Protocol):
    """How often. Raises StoreError where the budgets cannot be asked and are not open by themselves."""

    async def allows(self, use: FilingUse, whose: Address) -> bool: ...


class NumberProof(Protocol):
    """A number proved by a code: conversation.filing_pins. Raises StoreError."""

    async def ask(
        self, asker: Address, draft: int, number: str, *, language: str, worked: bool = False
    ) -> NumberAnswer: ...

    async def redeem(self, draft: int, pin: str) -> NumberAnswer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingRules:
    """`agencies`: that take filings online. `good_for`: how long a draft is kept."""

    agencies: Collection[str]
    good_for: timedelta = timedelta(days=7)


class Filing:
    """One for all pages. All that touch the book raise StoreError."""

    __slots__ = ("_book", "_clock", "_new_id", "_numbers", "_procedures", "_quota", "_rules", "_service", "_vault")

    def __init__(
        self,
        service: IntakeService,
        *,
        procedures: ProcedureCatalogue,
        vault: Vault,
        numbers: NumberProof,
        quota: Quota,
        rules: FilingRules,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._book: IntakeBook = service.book
        self._procedures = procedures
        self._vault = vault
        self._numbers = numbers
        self._quota = quota
        self._rules = rules
        self._new_id = new_id
        self._clock = clock

    # ---- a draft

    @property
    def agencies(self) -> Sequence[str]:
        """Those that take filings online, by identifier."""
        return sorted(self._rules.agencies)

    def search(self, words: str, limit: int) -> Sequence[Procedure]:
        return self._procedures.search(words, today=local_day(self._clock()), limit=limit)

    def procedure(self, code: str) -> Procedure | None:
        """In force today, whether or not it may be filed online."""
        return self._procedures.get(code, today=local_day(self._clock()))

    async def start(self, asker: Address, agency: str, code: str, language: str) -> str | FilingRefusal:
        """A new draft: the secret of its link. CLOSED: that is not filed online, or not there."""
        procedure = self.procedure(code)
        if procedure is None or not may_be_filed(procedure) or agency not in self._rules.agencies:
            return FilingRefusal.CLOSED
        if not await self._quota.allows(FilingUse.DRAFT, asker):
            return FilingRefusal.BUDGET
        now, token = self._clock(), secrets.token_urlsafe(TOKEN_BYTES)
        form = FilingForm(language=language)
        draft = Draft(
            id=self._new_id(),
            token_digest=digest_of(token),
            agency=agency,
            procedure=procedure.code,
            language=language,
            fields=fields_of(form),
            created_at=now,
            changed_at=now,
            expires_at=now + self._rules.good_for,
        )
        await self._book.save_draft(draft)
        return token

    async def opened(self, token: str) -> FilingDraft | FiledDossier | None:
        """What this link opens; None: nothing, or nothing any more."""
        draft = await self.draft(token)
        if draft is not None:
            return await self._shown(draft)
        dossier = await self.filed(token)
        return None if dossier is None else await self._followed(dossier)

    async def save(self, token: str, form: FilingForm) -> bool:
        """Keep what was filled in, right or wrong; False: there is no such draft."""
        draft = await self.draft(token)
        if draft is None:
            return False
        await self._book.save_draft(changed(draft, form, self._clock()))
        return True

    async def delete(self, token: str) -> bool:
        """Forget a draft and its files at once; False: there is none."""
        draft = await self.draft(token)
        if draft is None:
            return False
        for file in await self._book.files(draft.id):
            await self._drop(draft.id, file.id)
        now = self._clock()
        empty = replace(draft, fields={}, phone="", phone_proved_at=None, changed_at=now, expires_at=now)
        await self._book.save_draft(empty)  # its row goes with the next sweep
        return True

    async def drop_file(self, token: str, file: int) -> bool:
        """Take one out of a draft."""
        draft = await self.draft(token)
        return draft is not None and await self._drop(draft.id, file)

    # ---- its number

    async def ask_code(self, asker: Address, token: str, *, worked: bool) -> NumberAnswer | None:
        """Send a code to the number that was filled in; None: there is no such draft."""
        draft = await self.draft(token)
        if draft is None:
            return None
        form = form_of(draft)
        return await self._numbers.ask(asker, draft.id, form.phone, language=form.language, worked=worked)

    async def redeem(self, token: str, pin: str) -> NumberAnswer | None:
        """The code as it was typed. One that was sent to another number than stands there now proves nothing."""
        draft = await self.draft(token)
        if draft is None:
            return None
        answer = await self._numbers.redeem(draft.id, pin)
        if answer.outcome is not NumberOutcome.PROVED:
            return answer
        now = await self.draft(token)  # it may have been changed meanwhile
        if now is None or form_of(now).number != answer.number:
            return NumberAnswer(outcome=NumberOutcome.SPENT)
        await self._book.save_draft(replace(now, phone_proved_at=self._clock()))
        return answer

    # ---- sending

    async def send(self, token: str, *, declared: bool) -> FiledDossier | Sequence[tuple[str, FilingFault]] | None:
        """The dossier, the same one however often it is sent; or what must be mended first; None: there is no such draft."""
        draft = await self.draft(token)
        if draft is None:
            dossier = await self.filed(token)
            return None if dossier is None else await self._followed(dossier)
        if draft.agency not in self._rules.agencies:
            return [("form", FilingFault.AGENCY_OVER)]
        if draft.expires_at - self._clock() < SENDING:
            draft = replace(draft, expires_at=self._clock() + SENDING)
            await self._book.save_draft(draft)
        shown = await self._shown(draft)
        faults = send_faults(shown, declared=declared)
        if faults or shown.procedure is None:
            return faults
        try:
            wish = registration_of(draft, shown.procedure, shown.files, self._clock())
            kept = await self._service.register(wish, CITIZEN)
        except NoProcedure:  # it ended at midnight
            return [("form", FilingFault.PROCEDURE_OVER)]
        if isinstance(kept, NumberTrouble):
            log.warning("filing.no_number", agency=draft.agency, trouble=kept.value)
            return [("form", FilingFault.DAY_FULL)]
        log.info("filing.sent", dossier=kept.id, agency=kept.agency)
        return await self._followed(kept)

    # ---- once it is sent

    async def withdraw(self, token: str, reason: str) -> IntakeRefusal | None:
        """Ask to have it back; None: it is asked."""
        dossier = await self.filed(token)
        if dossier is None:
            return IntakeRefusal.NOT_FROM_HERE
        doing = IntakeDoing(action=IntakeAction.ASK_WITHDRAWAL, at=self._clock(), reason=reason)
        done = await self._service.act(dossier, doing, CITIZEN)
        return done if isinstance(done, IntakeRefusal) else None

    async def result(self, token: str, file: int) -> tuple[IntakeFile, Path] | None:
        """A file with the result, and where it is."""
        dossier = await self.filed(token)
        if dossier is None or dossier.status not in FINISHED:
            return None
        files = await self._book.files(dossier.id)
        found = next((each for each in files if each.id == file and each.kind is FileKind.RESULT), None)
        if found is None:
            return None
        try:
            await self._vault.head(found.key, 1)
        except OSError as error:
            log.exception("intake.file_gone", error=type(error).__name__, file=found.id)
            return None
        return found, self._vault.path(found.key)

    # ---- beneath

    async def draft(self, token: str) -> Draft | None:
        return await self._book.draft(digest_of(token), now=self._clock()) if readable(token) else None

    async def filed(self, token: str) -> IntakeDossier | None:
        return await self._book.filed(digest_of(token)) if readable(token) else None

    async def _shown(self, draft: Draft) -> FilingDraft:
        now, procedure = self._clock(), self.procedure(draft.procedure)
        return FilingDraft(
            agency=draft.agency,
            procedure=procedure,
            form=form_of(draft),
            files=tuple(await self._book.files(draft.id)),
            proved=draft.phone_proved_at is not None,
            expires_at=draft.expires_at,
            now=now,
            counts_from=self._service.counts_from(draft.procedure, now),
        )

    async def _followed(self, dossier: IntakeDossier) -> FiledDossier:
        files = await self._book.files(dossier.id)
        done = dossier.status in FINISHED
        return FiledDossier(
            dossier=dossier,
            steps=tuple(await self._book.steps(dossier.id)),
            results=tuple(each for each in files if done and each.kind is FileKind.RESULT),
            handed_in=tuple(each for each in files if each.kind in (FileKind.PAPER, FileKind.SUPPLEMENT)),
            counts_from=self._service.counts_from(dossier.procedure, dossier.received_at),
            may_supplement=dossier.status is DossierStatus.MORE_DOCUMENTS,
            may_withdraw=dossier.status in ACTS[IntakeAction.ASK_WITHDRAWAL].of,
        )

    async def _drop(self, owner: int, file: int) -> bool:
        dropped = await self._book.drop_file(owner, file)
        if dropped is None:
            return False
        await forget_bytes(self._vault, dropped.key)
        return True


async def forget_bytes(vault: Vault, key: str) -> None:
    """What the disk does not take out now, the sweep does."""
    try:
        await vault.drop(key)
    except OSError as error:
        log.warning("intake.file_not_dropped", error=type(error).__name__)
