"""Serves the sample agency's site: gives it a key as an operator would, and listens at an origin of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.web.snippets import Place
from channels.web.widget_files import WidgetFiles
from demo.agency import AgencySite
from gateway.bootstrap import add_site, migrate, read_words
from gateway.http import HttpListener
from gateway.settings import Settings

HOST = "127.0.0.1"
NAME = "Sở Tài nguyên và Môi trường (trang mẫu)"
AGENCY = "H51.18"


@dataclass(slots=True, kw_only=True)
class AgencyServer:
    """`settings`: the gateway's, whose store the key goes into; `gateway`: its public origin."""

    settings: Settings
    port: int
    gateway: str
    key: str = ""

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def register(self) -> None:
        """What `tracuu site add` does; before the gateway starts, so that it knows the key at once."""
        await migrate(self.settings)
        added = await add_site(self.settings, name=NAME, agency=AGENCY, origins=(self.origin,))
        self.key = added.site.key

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """The site's listener."""
        catalogue, released = read_words(self.settings).catalogue, WidgetFiles()
        places = {
            language: Place(
                gateway=self.gateway,
                key=self.key,
                language=language,
                version=released.newest,
                integrity=released.integrity(released.newest),
                title=catalogue.text(language, "web.integrate.link_words"),
                picture=catalogue.text(language, "web.integrate.picture_words"),
            )
            for language in catalogue.languages
        }
        listener = HttpListener("agency", AgencySite(places).app(), HOST, self.port)
        await listener.start()
        try:
            yield
        finally:
            await listener.close()
