"""`tracuu source`: the one-stop systems as the settings name them, and what each of them really holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from domain.dossier import DossierStatus
from gateway.configuration import load_settings
from gateway.exit_codes import ExitCode
from gateway.logs import configure_logs
from gateway.loop import run
from gateway.settings import Settings, SourceSettings
from gateway.terminal import bootstrap as _bootstrap
from gateway.terminal import config_option, print_table, without_secret
from lookup.ports import ReportedField, ReportedState, SourceReport

ROW_LIMIT = 60  # states that are listed; a column that is no state has thousands
UNKNOWN = "NOT IN THE CATALOGUE: the help desk is told"
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What came of inspecting one source: a report, or why there is none. `answering`: who answers today for the
    agencies it names, as far as the catalogue knows them.
    """

    name: str
    report: SourceReport | None = None
    failure: str = ""
    answering: Mapping[str, str] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """It can be read as its mapping says, and answers what it is asked."""
        report = self.report
        return report is not None and not report.trouble and not any(each.trouble for each in report.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """A source with what it is asked for, its mapping's word included."""

    settings: SourceSettings
    prefixes: Sequence[str]
    default: bool


@click.group()
def source() -> None:
    """The one-stop systems the settings name."""


@source.command("list")
@config_option
def list_sources(config: Path | None) -> None:
    """Show which systems there are and what each is asked for; nothing is connected."""
    settings = load_settings(config)
    listed: Sequence[ListedSource] = _bootstrap().list_sources(settings)
    heads = ("source", "where", "mapping", "asked for", "passes to", "limits")
    print_table(heads, [_listed_cells(each) for each in listed])


@source.command("check")
@config_option
@click.argument("names", nargs=-1, metavar="[NAME]...")
def check_sources(config: Path | None, names: Sequence[str]) -> None:
    """Read a little of each system (all of them unless named) and show what the mapping makes of it: columns, states and
    whether they are mapped, three sample dossiers with everything personal masked. Nothing is changed there. Ends with
    an error when one cannot be read as its mapping says.
    """
    settings = load_settings(config)
    _refuse_unknown(settings, names)
    configure_logs("error", settings.logs.format)
    inspections: Sequence[Inspection] = run(_bootstrap().inspect_sources(settings, names))
    for inspection in inspections:
        for heads, rows in shown(inspection):
            print_table(heads, rows)
            click.echo()
    if not all(inspection.sound for inspection in inspections):
        sys.exit(ExitCode.FAILED)


def _refuse_unknown(settings: Settings, names: Sequence[str]) -> None:
    known = [each.name for each in settings.sources]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.ClickException(f"no source is named {', '.join(unknown)}; there are: {', '.join(known)}")


def _listed_cells(listed: ListedSource) -> Sequence[str]:
    each = listed.settings
    asked = [*each.patterns, *listed.prefixes, *(["what nobody declares"] if listed.default else [])]
    families = f" ({', '.join(sorted(each.families))} codes)" if each.families else ""
    return (
        each.name,
        without_secret(each.url.get_secret_value()),
        each.mapping.name,
        ", ".join(asked) + families,
        ", ".join(each.passes_to),
        f"{each.timeout_s:g} s, {each.connections} at a time",
    )


# ---- a report as tables


def shown(inspection: Inspection) -> Iterator[tuple[Sequence[str], Rows]]:
    """Heads and rows, table by table; pure."""
    report = inspection.report
    if report is None:
        yield ("source", "CANNOT BE READ"), [(inspection.name, inspection.failure)]
        return
    yield ("source", "system", "read from"), [(report.source, report.system, report.place)]
    if report.trouble:
        yield ("IT CAN ANSWER NOBODY",), [(report.trouble,)]
    if report.fields:
        yield ("our word", "theirs", "type", ""), [_field_cells(each) for each in report.fields]
    if report.states:
        listed = report.states[:ROW_LIMIT]
        yield ("their state", "national state", "rows", ""), [_state_cells(each) for each in listed]
    if report.agencies:
        yield (
            ("agency met", "rows", "answers today"),
            [(name, str(rows), inspection.answering.get(name, UNKNOWN)) for name, rows in report.agencies.items()],
        )
    if report.samples:
        words = list(dict.fromkeys(word for sample in report.samples for word in sample))
        yield tuple(words), [[sample.get(word, "") for word in words] for sample in report.samples]
    if report.warnings:
        yield ("to be looked at",), [(warning,) for warning in report.warnings]


def _field_cells(each: ReportedField) -> Sequence[str]:
    return each.ours, each.theirs, each.kind, each.trouble.upper() or each.note or "ok"


def _state_cells(each: ReportedState) -> Sequence[str]:
    note = "NOT MAPPED: citizens are told to ask the agency" if each.meaning is None else ""
    rows = "" if each.rows is None else str(each.rows)
    return (
        each.theirs,
        "" if each.meaning is None else f"{each.meaning} {DossierStatus(each.meaning).name.lower().replace('_', ' ')}",
        rows,
        "assumed, please check" if each.assumed else note,
    )
