"""One-stop systems on real servers with the dossiers of a test planted in them, by style."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from demo.onestop import DemoDossier
from tests.onestop.gateways import Source
from tests.onestop.predecessors import PREDECESSORS
from tests.onestop_schemas.databases import Database
from tests.onestop_schemas.schemas import CONFIG, SCHEMAS
from tests.servers.onestop_http import ACCOUNT, LOOPBACK, OPENCPS_MAPPING, PASSWORD, onestop_http


def _opencps(directory: Path) -> Path:
    file = directory / "opencps-rest.json"
    file.write_text(OPENCPS_MAPPING, encoding="utf-8")
    return file


# Style of an HTTP system -> where its mapping file is, given a directory to write one in.
MAPPINGS: Mapping[str, Callable[[Path], Path]] = {
    "soctrang": lambda _: CONFIG / "soctrang.toml",
    "digo": lambda _: CONFIG / "digo.toml",
    "opencps": _opencps,
}
GUARDS = {"digo": "openid"}  # style -> how the system wants to know who asks
LOGINS = {"digo": {"username": f'"{ACCOUNT}"', "password": f'"{PASSWORD}"'}}  # what the source's settings then say
LOOPBACK_TOML = "[" + ", ".join(f'"{network}"' for network in LOOPBACK) + "]"


@contextmanager
def planted_database(style: str, database: Database, agency: str, planted: Sequence[DemoDossier]) -> Iterator[Source]:
    """A source of this schema, which is made in an empty database; that is dropped at the end of the block."""
    schema = {**PREDECESSORS, **SCHEMAS}[style]
    try:
        schema.make(database)
        schema.plant(database, *planted)
        mapping = schema.folder / f"{style}.toml"
        yield Source(name=style, url=database.url, mapping=mapping, agency=agency)
    finally:
        database.close()


@asynccontextmanager
async def planted_http(
    style: str, directory: Path, agency: str, planted: Sequence[DemoDossier]
) -> AsyncIterator[Source]:
    """A source of this style of HTTP system, which runs in this process."""
    async with onestop_http(style, planted) as server:
        server.guard = GUARDS.get(style, "")
        yield Source(
            name=f"{style}-http",
            url=server.url,
            mapping=MAPPINGS[style](directory),
            agency=agency,
            more={"networks": LOOPBACK_TOML, **LOGINS.get(style, {})},
        )
