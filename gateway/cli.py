"""The command `tracuu`. Each command is short: it reads the settings, calls one factory and says how it went."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.table import Table

from domain.errors import GatewayError, SettingsError
from gateway.configuration import CONFIG_VARIABLE, load_settings
from gateway.docs import write_docs
from gateway.exit_codes import ExitCode, exit_code_for
from gateway.logs import configure_logs
from gateway.loop import run
from gateway.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType

MASK = "***"

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    help="Your TOML file; it wins over the defaults, TRACUU_<SECTION>__<KEY> variables win over it.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tra cứu Gateway: a citizen sends a dossier code and is answered within seconds."""


@cli.command()
@config_option
def serve(config: Path | None) -> None:
    """Serve until SIGTERM or Ctrl-C; what is under way is finished first."""
    settings = load_settings(config)
    configure_logs(settings.logs.level, settings.logs.format)
    sys.exit(run(_bootstrap().serve(settings)))


@cli.command()
@config_option
def migrate(config: Path | None) -> None:
    """Bring the store's tables up to this version; `serve` does so too when it starts."""
    settings = load_settings(config)
    configure_logs(settings.logs.level, settings.logs.format)
    _bootstrap().migrate(settings)
    click.echo("the store is up to date")


@cli.command("check-config")
@config_option
def check_config(config: Path | None) -> None:
    """Name every fault of the settings, or show what is set; secrets are shown as ***."""
    settings = load_settings(config)
    table = Table("setting", "value", box=None, pad_edge=False)
    for key, value in shown(settings):
        table.add_row(key, value)
    Console(markup=False, soft_wrap=True).print(table)


@cli.command()
def version() -> None:
    """Print the version."""
    try:
        click.echo(importlib.metadata.version("tracuu-gateway"))
    except importlib.metadata.PackageNotFoundError:
        click.echo("not installed (running from a checkout)")


@cli.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="Where the pages go.",
)
def docs(directory: Path) -> None:
    """Write the pages that are printed from the code: settings, commands, metrics, log actions, routes."""
    for path in write_docs(directory, cli):
        click.echo(path)


def main() -> None:
    """Run the command line; a fault we know is one clear line (or one a fault) and its exit code, never a traceback."""
    try:
        cli(prog_name="tracuu", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(ExitCode.FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.BAD_CONFIG)
    except GatewayError as error:
        heading = "the settings have faults:\n" if isinstance(error, SettingsError) else ""
        click.echo(f"tracuu: {heading}{error}", err=True)
        sys.exit(exit_code_for(error))


def shown(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every setting as `section.key` and text, secrets masked."""
    for name in Settings.model_fields:
        yield from _shown(name, getattr(settings, name))


def _shown(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _shown(f"{key}.{name}", getattr(value, name))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, entry in enumerate(value):
            yield from _shown(f"{key}[{index}]", entry)
    elif isinstance(value, SecretStr):
        yield key, without_secret(value.get_secret_value())
    elif isinstance(value, tuple | frozenset):
        yield key, ", ".join(str(item) for item in value)
    else:
        yield key, "" if value is None else str(value)


def without_secret(secret: str) -> str:
    """Of an address, where it leads; of anything else, nothing."""
    if "://" not in secret:
        return MASK
    return re.sub(r"(?<=://).*@", f"{MASK}@", secret.partition("?")[0])


def _bootstrap() -> ModuleType:
    """Everything concrete, imported only by the commands that need it: the others work where a driver is missing."""
    from gateway import bootstrap  # noqa: PLC0415

    return bootstrap


if __name__ == "__main__":
    main()
