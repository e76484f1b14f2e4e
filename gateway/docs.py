"""The pages of docs/ that are printed from the code, so that they cannot go stale: `tracuu docs` writes them."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import gateway
from domain.notices import URGENCIES, NoticeKind
from domain.officers import GIVES, RIGHTS, OfficerRole, Right
from gateway.configuration import CONFIG_DIRECTORY, LISTS, inner_model
from gateway.exit_codes import MEANINGS
from gateway.log_actions import LOG_ACTIONS
from gateway.metrics import COUNTED, PREFIX, READ, RISING
from gateway.notice_samples import OCCASIONS, Preview, shipped_notices
from gateway.roles import ROLES
from gateway.settings import Settings
from gateway.source_scan import listed_routes
from gateway.terminal import bootstrap

ROOT = Path(gateway.__file__).parent.parent
NOTE = "<!-- Printed by `tracuu docs`; edit the code, not this page. -->"


def pages(command: click.Group) -> dict[str, str]:
    """File name -> text of every printed page."""
    return {
        "settings.md": _page("Settings", _settings()),
        "commands.md": _page("Commands", _commands(command)),
        "metrics.md": _page("Metrics", _metrics()),
        "log-actions.md": _page("Log actions", _log_actions()),
        "routes.md": _page("Routes", _routes()),
        "notices.md": _page("Notices", _notices()),
        "sms-statuses.md": _page("What an SMSC answers", _sms_statuses()),
        "console-rights.md": _page("Who may what in the console", _console_rights()),
    }


def write_docs(directory: Path, command: click.Group) -> list[Path]:
    """Write the pages; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages(command).items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", NOTE, "", *lines, ""])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from (_row(row) for row in rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# ---- settings

OF_ITS_OWN = "See the table of its own"  # as an array of tables says where its keys are told


def _settings() -> Iterator[str]:
    yield (
        "Layers, the later one wins: the defaults below, `config/default.toml`, your TOML file (`--config` or "
        "`TRACUU_CONFIG`), environment variables `TRACUU_<SECTION>__<KEY>`. An entry of a list is reached by its "
        "name: `TRACUU_SMS__VIETTEL__PASSWORD`. Lists are written as JSON in a variable. Relative paths are relative "
        "to the TOML file that names them. A secret `x` may stand in a file of its own, named by `x_file`. "
        "`tracuu check-config` names every fault at once."
    )
    shipped = tomllib.loads((CONFIG_DIRECTORY / "default.toml").read_text(encoding="utf-8"))
    for name, info in Settings.model_fields.items():
        model = inner_model(info)
        if model is not None:
            yield from _section(f"[[{name}]]" if name in LISTS else f"[{name}]", name, model, shipped.get(name, {}))


def _section(heading: str, path: str, model: type[BaseModel], shipped: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## {heading}", "", model.__doc__ or "")
    nested = {name: inner for name, info in model.model_fields.items() if (inner := _table_of_its_own(info))}
    plain = [(name, info) for name, info in model.model_fields.items() if name not in nested]
    if plain:
        yield ""
        yield from _table(
            ("key", "default", "meaning"),
            [(f"`{name}`", _default(info, shipped.get(name)), info.description or "") for name, info in plain],
        )
    for name, inner in nested.items():
        yield from _section(f"[{path}.{name}]", f"{path}.{name}", inner, shipped.get(name, {}))
    for name, info in plain:
        several = inner_model(info) if (info.description or "").startswith(OF_ITS_OWN) else None
        if several is not None:
            yield from _section(f"[[{path}.{name}]]", f"{path}.{name}", several, {})


def _table_of_its_own(info: FieldInfo) -> type[BaseModel] | None:
    inner = inner_model(info)
    return inner if inner is info.annotation else None


def _default(info: FieldInfo, shipped: object) -> str:
    if shipped is not None:
        return f"`{_as_toml(shipped)}` of `config/`"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ((), frozenset(), ""):
        return "none"
    return f"`{_as_toml(value)}`"


def _as_toml(value: Any) -> str:  # noqa: ANN401  # whatever a setting holds
    if isinstance(value, SecretStr):  # a default is no secret
        return f'"{value.get_secret_value()}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return "{ " + ", ".join(f"{name} = {_as_toml(inner)}" for name, inner in value) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(_as_toml(inner) for inner in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# ---- commands


def _commands(command: click.Group) -> Iterator[str]:
    yield "The command is `tracuu`; from a checkout that is not installed, `.venv/bin/python -m gateway` is the same."
    for name, sub in _listed(command):
        yield from ("", f"## tracuu {name}", "", inspect.cleandoc(sub.help or ""), "")
        yield from _table(
            ("option", "variable", "meaning"), [_option(p) for p in sub.params if isinstance(p, click.Option)]
        )
    yield from ("", "## Roles", "")
    yield "`tracuu serve --roles sms,web` does these and leaves the others to other processes on the same PostgreSQL:"
    yield ""
    yield from _table(("role", "what it does"), [(f"`{role}`", meaning) for role, meaning in ROLES.items()])
    yield from ("", "## Exit codes", "")
    yield from _table(("code", "meaning"), [(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


def _listed(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, those of a group behind it."""
    for name, command in sorted(group.commands.items()):
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from _listed(command, f"{before}{name} ")


def _option(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return names, f"`{option.envvar}`" if option.envvar else "", option.help or ""


# ---- notices

WAYS = (
    "Whoever wrote to us is reached by the account they wrote by last, until that message is masked "
    "(`retention.mask_after_days`); who follows something, else by the account they asked for it by; everybody else by the "
    "beginning of the number, as `[[notices.route]]` says, or by `notices.account`. A beginning is a guess: numbers move "
    "between operators and keep it. Accounts that are not in the settings any more count for nothing. Broadcasts, codes, "
    "notices to officers and incident reports go the same ways, and so does a notice that goes on from a chat to the number "
    "joined to it. Under an account's `brand_name` leave notices, broadcasts and incident reports, never replies and codes; "
    "nobody can answer a name, so that such a notice says the number to write to, and the author of a broadcast that asks "
    "for an answer is warned. A notice that comes from a chat was written for it and leaves under the number. Of a broadcast "
    "only so much waits for each account: one that is away keeps its own people waiting, and nobody else."
)


def _notices() -> Iterator[str]:
    yield (
        "What people are told without asking: the texts of `config/texts` as they leave, for a dossier that is nobody's, "
        "with the alphabet, the segments and the characters of each. `tracuu notice preview` shows them with your own "
        "texts and agencies. A notice is sent without accents unless its reader or the account wants them; what does not "
        "fit two segments with accents goes without. How to end it comes last, where there is room. An urgent one waits for the "
        "quiet hours to end, a normal one for room in the day's count as well, one for an office for its working hours. "
        "What a notice asks for (papers, a fee) is named only to whoever proved a right to know it."
    )
    yield from ("", "## By which SMS account", "", WAYS, "", "## When", "")
    yield from _table(
        ("notice", "sent when", "urgency"),
        [(f"`{kind}`", OCCASIONS[kind], str(URGENCIES[kind])) for kind in NoticeKind],
    )
    for kind in NoticeKind:
        yield from ("", f"## {kind}", "")
        yield from _table(
            ("", "language", "alphabet", "segments", "characters", "text"), map(_notice_cells, shipped_notices(kind))
        )


def _notice_cells(shown: Preview) -> Sequence[str]:
    return shown.note, shown.language, shown.alphabet, str(shown.segments), str(shown.characters), shown.text


# ---- metrics, log actions, routes


def _metrics() -> Iterator[str]:
    yield "The operations listener answers them at `/metrics`. Counters end in `_total`."
    yield ""
    rows = [(figure, figure.kind) for figure in COUNTED]
    rows += [(figure, "counter" if figure.name in RISING else "gauge") for figure in READ]
    yield from _table(
        ("metric", "kind", "labels", "meaning"),
        [
            (
                f"`{PREFIX}{figure.name}{'_total' if kind == 'counter' else ''}`",
                kind,
                ", ".join(f"`{label}`" for label in figure.labels),
                figure.meaning,
            )
            for figure, kind in rows
        ],
    )


def _log_actions() -> Iterator[str]:
    yield "One JSON object a line; `action` is one of these. No line holds a telephone number, a name or a text."
    yield ""
    yield from _table(("action", "meaning"), [(f"`{name}`", meaning) for name, meaning in sorted(LOG_ACTIONS.items())])


def _routes() -> Iterator[str]:
    yield "What each package serves. `gateway` answers on the operations listener, and `/healthz` on the public one too."
    yield ""
    rows = {(route.package, route.method, route.path): route.summary for route in listed_routes(ROOT)}
    yield from _table(
        ("package", "method", "path", "answers"),
        [(f"`{package}`", method, f"`{path}`", summary) for (package, method, path), summary in sorted(rows.items())],
    )


# ---- an SMSC's statuses


def _sms_statuses() -> Iterator[str]:
    yield (
        "Every `command_status` of SMPP 3.4 (§5.1.3) as the gateway takes it. `tracuu sms probe` and `tracuu sms send` "
        "([sms.md](sms.md)) say the same where it happens."
    )
    yield from ("", "## To a submit_sm", "")
    yield from _table(("status", "what the gateway does"), bootstrap().submit_answers())
    yield from ("", "What to look at where it is always the same one:", "")
    yield from _table(("status", "what to do"), bootstrap().submit_advice())
    yield from ("", "## To a bind", "")
    yield from _table(("status", "what the gateway does", "what to do"), bootstrap().bind_answers())


# ---- the console's rights


ACCESS = {"PUBLIC": "everybody", "SIGNED_IN": "whoever is signed in"}


def _console_rights() -> Iterator[str]:
    yield (
        "Every route of the console needs one right, which the server checks before anything else; an officer has the "
        "rights of all their roles, for objects of their agency, of those below it and of those whose work they took "
        "over. Objects of others answer 404. What is beside a right, such as that nobody approves what they wrote, says "
        "the page of its subject."
    )
    yield ""
    yield from _table(
        ("right", *(f"`{role}`" for role in OfficerRole)),
        [(f"`{right}`", *("yes" if role in RIGHTS[right] else "" for role in OfficerRole)) for right in Right],
    )
    yield from ("", "## Which roles one may give", "")
    yield "And to manage an officer is to be allowed to give all the roles the officer has. Nobody manages oneself."
    yield ""
    yield from _table(
        ("who has", *(f"may give `{role}`" for role in OfficerRole)),
        [(f"`{giver}`", *("yes" if role in given else "" for role in OfficerRole)) for giver, given in GIVES.items()],
    )
    yield from ("", "## Routes", "")
    routes = [each for each in listed_routes(ROOT) if each.needs]
    yield from _table(
        ("method", "path", "needs", "answers"),
        [(each.method, f"`{each.path}`", _needed(each.needs), each.summary) for each in routes],
    )


def _needed(needs: str) -> str:
    """`Right.AUDIT_SEE` as the first table names it. Raises KeyError: the source says something else."""
    kind, _, name = needs.partition(".")
    return f"`{Right[name]}`" if kind == "Right" else ACCESS[name]
