"""The public listener as a gateway makes it, in this process: every route with everything behind it, and nobody to wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from channels.base import RouteDef
from channels.web.paths import UPLOADS
from demo import onestop
from demo.generous import generous_guards
from domain.calendar import local_day
from domain.sites import Site, digest
from gateway.bootstrap import migrate
from gateway.bootstrap.serving import Made, make
from gateway.bootstrap.sites import site_book
from gateway.configuration import load_settings
from gateway.http import HttpListener, make_app, public_routes
from gateway.roles import Duties, Role
from tests.whole.gateways import CONFIG, ROOT, STORE, Account

KEY: Final = "ts_abcdefgh23456723"
ORIGIN: Final = "https://agency.example.vn"
BASE_URL: Final = "https://tracuu.example.gov.vn"
LOOPBACK: Final = "127.0.0.1"
SETTINGS: Final = """
[web]
base_url = "{base_url}"
trusted_proxies = {trusted}

[disclosure]
proof_key = "of the tests and of nobody else"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """The listener, the routes of the web that it serves, and a client of its own."""

    directory: Path
    address: str
    routes: Sequence[RouteDef]
    http: aiohttp.ClientSession
    made: Made

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """A request to this path as it is written here, with its query; redirects are not followed."""
        url = URL(self.address + path, encoded=True)
        return self.http.request(method, url, allow_redirects=False, **options)


@asynccontextmanager
async def public_listener(
    directory: Path, *, base_url: str = BASE_URL, guards: str = "", trusted: str = "[]", more: str = ""
) -> AsyncIterator[Public]:
    """One on a free port, with a site's key, over the demo's one-stop systems. `guards`: lines of that table of the
    settings; generous ones unless given. `trusted`: the proxies.
    """
    onestop.seed(directory, local_day(datetime.now(UTC)))
    config = directory / "gateway.toml"
    text = CONFIG.format(
        directory=directory,
        root=ROOT,
        store=STORE,
        hoso=onestop.HOSO_FILE,
        dossier=onestop.DOSSIER_FILE,
        guards=f"[guards]\n{guards}" if guards else generous_guards(),
    )
    config.write_text(
        text + more + SETTINGS.format(base_url=base_url, trusted=trusted) + Account(port=1).toml(), encoding="utf-8"
    )
    settings = load_settings(config)
    await migrate(settings)
    await site_book(settings).add(_site())
    async with AsyncExitStack() as stack:
        made = await make(settings, Duties(roles=frozenset(Role), accounts=frozenset()), stack)
        await made.sites.refresh()
        web = settings.web
        app = make_app(
            public_routes(made.routes),
            max_body_bytes=web.max_body_bytes,
            https=base_url.startswith("https"),
            lost=made.lost,
            uploads=UPLOADS,
        )
        listener = HttpListener("public", app, LOOPBACK, 0)
        await listener.start()
        stack.push_async_callback(listener.close)
        # Each request comes on a connection of its own: some end theirs.
        client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        yield Public(
            directory=directory,
            address=f"http://{LOOPBACK}:{listener.bound_port}",
            routes=made.routes,
            http=await stack.enter_async_context(client),
            made=made,
        )


def _site() -> Site:
    return Site(
        key=KEY,
        name="A site",
        agency="",
        origins=(ORIGIN,),
        secret_digest=digest("the webmaster's"),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def filled(path: str, values: Mapping[str, str]) -> str:
    """A route's path with these values in the place of its parameters; "x" for others."""
    parts = []
    for part in path.split("/"):
        name = part.strip("{}").partition(":")[0] if part.startswith("{") else None
        parts.append(part if name is None else values.get(name, "x"))
    return "/".join(parts)
