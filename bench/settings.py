"""The gateway under a load: what its settings begin with, to which each bench adds its accounts, and its process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.stores import Place
from demo.generous import generous_guards
from demo.process import GatewayProcess, free_ports

ROOT: Final = Path(__file__).resolve().parent.parent
HEAD: Final = """
[listen]
public = {{ host = "127.0.0.1", port = 0 }}

{store}
[replies]
help_phone = "02993 000000"

{guards}

[notices] # at night as by day
quiet_from = "00:00"
quiet_until = "00:00"

[[sources]]
name = "hoso"
url = "sqlite+aiosqlite:///{directory}/hoso.sqlite3"
mapping = "{root}/config/onestop/thanhhoa.toml"

[logs]
level = "{level}"
format = "json"
"""


def settings_of(directory: Path, at: Place, *tables: str, level: str = "warning") -> str:
    """A gateway over the demo's dossiers in `directory`, its store `at` a place, and further tables of TOML."""
    head = HEAD.format(directory=directory, root=ROOT, guards=generous_guards(), store=at.settings, level=level)
    return "\n".join((head, *tables))


def gateway_of(config: Path, text: str) -> GatewayProcess:
    """Not started; its settings are written to `config`, its log stands beside them."""
    config.write_text(text, encoding="utf-8")
    public, operations = free_ports(2)
    return GatewayProcess(
        config=config, public_port=public, operations_port=operations, log=config.with_name("gateway.log")
    )
