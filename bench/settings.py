"""What the settings of every gateway under a load begin with; each bench adds its accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.stores import Place
from demo.generous import generous_guards

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
