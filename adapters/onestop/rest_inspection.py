"""What an operator is told of an HTTP source before its mapping is trusted (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.onestop.fields import Value, places
from adapters.onestop.rest_mapping import RestMapping
from lookup.ports import ReportedField, ReportedState, SourceReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What came of asking for a code that is nobody's. `trouble`: why its answer could not be read."""

    encrypted: bool
    server: str = ""
    records: int = 0
    trouble: str = ""


def rest_report(mapping: RestMapping, source: str, met: Met) -> SourceReport:
    """The report. It holds no record: there is no dossier whose data may be shown to whoever checks a mapping."""
    asked = mapping.request
    return SourceReport(
        source=source,
        system=met.server or "an HTTP server that does not say its name",
        place=f"{asked.method} {asked.path}",
        fields=[_field(word, value) for word, value in mapping.words(proofs=True).items()],
        states=[
            ReportedState(theirs=theirs, meaning=int(state.status), assumed=state.assumed)
            for theirs, state in mapping.meanings()
        ],
        warnings=list(_warnings(mapping, met)),
        trouble=met.trouble,
    )


def _field(word: str, value: Value) -> ReportedField:
    if isinstance(value, str):
        return ReportedField(ours=word, theirs=value)
    return ReportedField(ours=word, theirs=", ".join(places(value)) or str(value.constant), kind="computed")


def _warnings(mapping: RestMapping, met: Met) -> Iterator[str]:
    if not met.encrypted and mapping.authentication.kind != "none":
        yield "credentials travel unencrypted: use https"
    elif not met.encrypted:
        yield "what is asked and answered travels unencrypted: use https where the system offers it"
    if mapping.columns.code is None:
        yield "its records carry no code: a lone record is taken for the dossier that was asked for"
    if met.records:
        yield (
            f"it has {met.records} records for a code that is nobody's: it searches more widely than by code"
            + ("" if mapping.columns.code else ", so a mistyped code may be answered with a stranger's dossier")
        )
