"""What is decided about filing online (pure): a draft and what was filled in, why it cannot be sent, what it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.dossier import DossierStatus
from domain.filing import FilingDraft, FilingFault, FilingForm, plain_id
from domain.intake import IntakeFile, IntakeSource, Paper, Person
from domain.procedure import Procedure
from intake.ports import Draft
from intake.service import Registration

LONGEST_TOKEN: Final = 64
COUNTRY: Final = "84"  # before a number as it is told apart
_FORM: Final = ("name", "id_number", "email", "address", "owner", "subject", "language", "notify_words", "phone")


def digest_of(token: str) -> str:
    """All that is kept of the secret of a link."""
    return hashlib.sha256(token.encode()).hexdigest()


def readable(token: str) -> bool:
    """It may be a secret of ours; anything else is not looked for."""
    return 0 < len(token) <= LONGEST_TOKEN and token.isascii()


def form_of(draft: Draft) -> FilingForm:
    return FilingForm(**{name: draft.fields.get(name, "") for name in _FORM if name in draft.fields})


def fields_of(form: FilingForm) -> Mapping[str, str]:
    return {name: getattr(form, name) for name in _FORM}


def changed(draft: Draft, form: FilingForm, now: datetime) -> Draft:
    """With what was filled in; another number is not proved."""
    same = form.number and form.number == draft.phone
    return replace(
        draft,
        fields=fields_of(form),
        language=form.language,
        phone=form.number,
        phone_proved_at=draft.phone_proved_at if same else None,
        changed_at=now,
    )


def send_faults(draft: FilingDraft, *, declared: bool) -> Sequence[tuple[str, FilingFault]]:
    """Why it cannot be sent yet."""
    return draft.faults if declared else (*draft.faults, ("declared", FilingFault.UNDECLARED))


def registration_of(draft: Draft, procedure: Procedure, files: Sequence[IntakeFile], now: datetime) -> Registration:
    """The dossier a draft becomes: newly registered, since nobody looked at it yet."""
    form = form_of(draft)
    return Registration(
        id=draft.id,
        agency=draft.agency,
        procedure=draft.procedure,
        source=IntakeSource.ONLINE,
        person=Person(
            name=form.name,
            phone=proved_number(form),
            email=form.email,
            address=form.address,
            id_number=plain_id(form.id_number),
            owner=form.owner,
        ),
        received_at=now,
        status=DossierStatus.NEWLY_REGISTERED,
        subject=form.subject,
        papers=papers_of(procedure, files),
        language=form.language,
        notify=form.notify,
        notify_words=form.notify_words,
        declared_at=now,
    )


def proved_number(form: FilingForm) -> str:
    """The number a code came back from, and nothing beside it: what else was typed may be read as somebody else's."""
    return f"0{form.number.removeprefix(COUNTRY)}" if form.number else ""


def papers_of(procedure: Procedure, files: Sequence[IntakeFile]) -> tuple[Paper, ...]:
    """The check list, with a copy where there is a file; what is complete and legal says an officer."""
    lines = {file.paper for file in files}
    return tuple(
        Paper(name=name, copies=int(line in lines)) for line, name in enumerate(procedure.papers.get("vi", ()))
    )
