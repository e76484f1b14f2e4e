"""Dossiers, their steps and files as officers see them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from console import paths
from console.accounts.shown import local
from console.intake.desk import at
from console.page import Texts
from domain.calendar import LOCAL_ZONE, local_day
from domain.dossier import CLOSED
from domain.intake import FileKind, IntakeDossier, IntakeFile, IntakeStep
from domain.procedure import Procedure, told_in
from intake.forms import letters_of
from intake.mail import Mail, read_mail
from intake.ports import Vault
from intake.receipt import is_received

_KIB: Final = 1024
NamesOf = Callable[[str], str]


def local_form(moment: datetime) -> str:
    """As a field of a form holds it."""
    return f"{moment.astimezone(LOCAL_ZONE):%Y-%m-%dT%H:%M}"


def money(dong: int) -> str:
    """`10.000 đồng`."""
    return f"{dong:,} đồng".replace(",", ".")


def facts_of_procedure(
    procedure: Procedure, promised: datetime | None, texts: Texts, language: str
) -> Sequence[tuple[str, str]]:
    """What an officer tells at the counter: code, time, promised moment, fee."""
    words = texts["intake_new"]
    limit = procedure.limit()
    unit = texts["intake_limit"][limit.unit].format(limit.count) if limit and limit.count else ""
    rows = (
        (words["code"], procedure.code),
        (words["limit"], told_in(language, procedure.days_note) or unit),
        (words["promised"], local(promised) if promised else words["no_promise"]),
        (words["fee"], told_in(language, procedure.fee)),
    )
    return [(name, value) for name, value in rows if value]


# ---- the list


def row_of(dossier: IntakeDossier, texts: Texts, now: datetime, name_of: NamesOf) -> Mapping[str, Any]:
    """A line of the list."""
    return {
        "id": dossier.id,
        "code": dossier.code.reference,
        "state": texts["intake_status"][str(int(dossier.status))],
        "name": dossier.person.name,
        "procedure": dossier.procedure_name,
        "received": local(dossier.received_at),
        "due": local(dossier.due_at) if dossier.due_at else "",
        "mark": due_mark(dossier, now),
        "holder": ", ".join(each for each in (dossier.unit, name_of(dossier.holder)) if each),
        "source": texts["intake_source"][dossier.source],
    }


def due_mark(dossier: IntakeDossier, now: datetime) -> str:
    """A name under [intake_due]; empty: there is time, or it no longer matters."""
    if dossier.due_at is None or dossier.status in CLOSED:
        return ""
    if dossier.due_at < now:
        return "overdue"
    return "today" if local_day(dossier.due_at) == local_day(now) else ""


# ---- one


def facts_of(dossier: IntakeDossier, texts: Texts, name_of: NamesOf) -> Sequence[tuple[str, str]]:
    """What it is, who handed it in, by when it is due."""
    words, person = texts["intake_one"], dossier.person
    yes_no = {True: words["yes"], False: words["no"]}
    moments = {
        name: local(moment) if (moment := getattr(dossier, name)) else ""
        for name in ("entered_at", "due_at", "first_due_at", "paid_at", "finished_at", "returned_at", "apologised_at")
    }
    rows = (
        ("procedure", f"{dossier.procedure_name} ({dossier.procedure})"),
        ("subject", dossier.subject),
        ("person", person.name),
        ("owner", person.owner),
        ("phone", person.phone),
        ("id_number", person.id_number),
        ("address", person.address),
        ("email", person.email),
        ("source", texts["intake_source"][dossier.source]),
        ("received_at", local(dossier.received_at)),
        ("entered_at", moments["entered_at"] if dossier.late else ""),
        ("due_at", moments["due_at"] or words["no_promise"]),
        ("first_due_at", moments["first_due_at"] if dossier.first_due_at != dossier.due_at else ""),
        ("agency", name_of(dossier.agency)),
        ("holder", ", ".join(each for each in (dossier.unit, name_of(dossier.holder)) if each)),
        ("sets", str(dossier.sets)),
        ("missing", dossier.missing),
        ("supplement_by", f"{dossier.supplement_by:%d/%m/%Y}" if dossier.supplement_by else ""),
        (
            "fee",
            " · ".join(each for each in (dossier.fee, money(dossier.fee_dong) if dossier.fee_dong else "") if each),
        ),
        ("paid_at", moments["paid_at"]),
        ("reason", dossier.reason),
        ("apologised_at", moments["apologised_at"]),
        ("finished_at", moments["finished_at"]),
        ("returned_at", moments["returned_at"]),
        ("notify", yes_no[dossier.notify]),
        ("language", texts["intake_language"].get(dossier.language, dossier.language)),
    )
    return [(words[name], value) for name, value in rows if value]


def steps_of(
    steps: Iterable[IntakeStep], texts: Texts, name_of: NamesOf, *, seen: int | None
) -> Sequence[Mapping[str, Any]]:
    """What was done, the first first; `seen`: how many of them the officer had seen (None: all)."""
    return [
        {
            "at": local(step.at),
            "entered": local(step.entered_at) if abs((step.entered_at - step.at).total_seconds()) > _A_MINUTE else "",
            "action": texts["intake_act"].get(step.action, step.action),
            "who": _who(step, texts, name_of),
            "to": " → ".join(each for each in (_place(step, "from", name_of), _place(step, "to", name_of)) if each),
            "state": texts["intake_status"][str(int(step.after))],
            "due": local(step.due_at) if step.due_at else "",
            "reason": step.reason,
            "new": seen is not None and place >= seen,
        }
        for place, step in enumerate(steps)
    ]


_A_MINUTE: Final = 60


def _who(step: IntakeStep, texts: Texts, name_of: NamesOf) -> str:
    actor = step.actor
    if actor.officer is None:
        return str(texts["intake_one"]["citizen"])
    return f"{actor.name} ({actor.login}), {name_of(actor.agency)}"


def _place(step: IntakeStep, end: str, name_of: NamesOf) -> str:
    agency, unit = getattr(step, f"{end}_agency"), getattr(step, f"{end}_unit")
    return ", ".join(each for each in (unit, name_of(agency) if agency else "") if each)


def files_of(files: Iterable[IntakeFile], dossier: int, texts: Texts) -> Sequence[Mapping[str, str]]:
    """Files; `dossier` 0: of a form, from which nothing is downloaded."""
    return [
        {
            "name": each.name,
            "kind": texts["intake_file_kind"][each.kind],
            "size": size(each.size),
            "added": local(each.added_at),
            "address": at(paths.INTAKE_FILE, dossier, file=str(each.id)) if dossier else "",
        }
        for each in files
    ]


def size(octets: int) -> str:
    """`12 KB`, `3,4 MB`."""
    if octets < _KIB * _KIB:
        return f"{max(1, round(octets / _KIB))} KB"
    return f"{octets / _KIB / _KIB:.1f} MB".replace(".", ",")


def prints_of(dossier: IntakeDossier, steps: Sequence[IntakeStep], texts: Texts) -> Sequence[tuple[str, str]]:
    """What may be printed of it: (name, address)."""
    received = is_received(dossier, steps)
    letters = [(form.value, at(paths.INTAKE_FORM, dossier.id, form=form.value)) for form in letters_of(steps)]
    found = [
        *([("receipt", at(paths.INTAKE_RECEIPT, dossier.id))] if received else []),
        *letters,
        *([("slip", at(paths.INTAKE_SLIP, dossier.id))] if received else []),
    ]
    names = texts["intake_print"]
    return [(names[each], address) for each, address in found]


# ---- the e-mail a form is filled in from


async def shown_mail(vault: Vault, files: Iterable[IntakeFile]) -> Mail | None:
    """What stood in it, read anew: it is kept with the files of the form."""
    kept = next((each for each in files if each.kind is FileKind.MAIL), None)
    if kept is None:
        return None
    try:
        mail = await asyncio.to_thread(read_mail, await vault.head(kept.key, kept.size))
    except OSError:  # the form is still whole: only what stands beside it is gone
        return None
    return mail if isinstance(mail, Mail) else None
