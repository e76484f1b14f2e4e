"""A whole gateway over the one-stop systems of a test, and people who ask it: by SMS through an SMSC, and on the web."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from demo.process import GatewayProcess, free_ports
from demo.smsc import MoTicket, Smsc, SmscOptions
from tests.whole.gateways import LOG, SHORT_CODE, STORE, Account, running

HELP_DESK: Final = "H13"
HELP_PHONE: Final = "02993 000000"
HEAD = """
[database]
url = "sqlite:///{directory}/{store}"

[agencies]
path = "{directory}/agencies.toml"

[replies]
help_phone = "{help_phone}"

[disclosure]
proof_key = "sixteen letters and more"

[lookup]
fresh_s = 0.001 # every question is asked of its source
not_found_s = 0.001

[web]
trusted_proxies = ["127.0.0.1/32"] # so that everybody asks from an address of their own

[logs]
level = "info"
format = "json"
"""
SOURCE = """
[[sources]]
name = "{name}"
url = "{url}"
mapping = "{mapping}"
prefixes = ["{agency}"]
default = false
"""
AGENCY = (
    '  {{ identifier = "{agency}", short_name = "{short_name}", names = {{ vi = "{short_name}" }}, level = "province",'
    ' phone = "{phone}" }},\n'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A one-stop system, and the one agency whose dossiers it holds. `more` are other keys of [[sources]] with TOML
    values, as text.
    """

    name: str
    url: str
    mapping: Path
    agency: str
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """What people are told of the agency; as long for every source."""
        return f"VP {self.agency}"

    @property
    def phone(self) -> str:
        return f"02993 0000{self.agency[-2:]}"

    def toml(self) -> str:
        head = SOURCE.format(name=self.name, url=self.url, mapping=self.mapping, agency=self.agency)
        return head + "".join(f"{key} = {value}\n" for key, value in self.more.items())

    def masked(self, text: str) -> str:
        """The text without what tells this source from the others."""
        own_words = (
            (self.short_name, "{agency}"),
            (self.agency, "{agency}"),
            (self.phone, "{phone}"),
            (HELP_PHONE, "{phone}"),
        )
        for own, mask in own_words:
            text = text.replace(own, mask)
        return text


def make_gateway(
    directory: Path, smsc: Smsc, sources: Sequence[Source], account: Account | None = None
) -> GatewayProcess:
    """A gateway over these sources that is not started yet; all budgets are as they are shipped. `account`: None: the
    SMSC's, without a rate.
    """
    agencies = "".join(
        AGENCY.format(agency=each.agency, short_name=each.short_name, phone=each.phone) for each in sources
    )
    help_desk = AGENCY.format(agency=HELP_DESK, short_name="Trung tâm", phone=HELP_PHONE)
    (directory / "agencies.toml").write_text(
        f'default = "{HELP_DESK}"\nagency = [\n{help_desk}{agencies}]\n', encoding="utf-8"
    )
    head = HEAD.format(directory=directory, store=STORE, help_phone=HELP_PHONE)
    parts = [head, *(source.toml() for source in sources), (account or Account(port=smsc.port)).toml()]
    config = directory / "gateway.toml"
    config.write_text("".join(parts), encoding="utf-8")
    public, operations = free_ports(2)
    return GatewayProcess(
        config=config, public_port=public, operations_port=operations, log=directory / LOG, settings={}
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What the web answered."""

    status: int
    body: Mapping[str, Any]


class People:
    """Everybody asks from a number and an address of their own, so that nobody's budget is spent by another."""

    def __init__(self, smsc: Smsc, gateway: GatewayProcess, http: aiohttp.ClientSession) -> None:
        self._smsc = smsc
        self._gateway = gateway
        self._http = http
        self._numbers = _numbers()

    async def text(self, code: str) -> MoTicket:
        """A person sends a code, and does not wait."""
        return await self._smsc.send_mo(f"849{next(self._numbers):04}0000", SHORT_CODE, code)

    async def by_sms(self, code: str) -> str:
        """The reply."""
        ticket = await self.text(code)
        return (await ticket.reply()).text

    async def on_the_web(self, code: str) -> Shown:
        high, low = divmod(next(self._numbers), 250)
        headers = {"X-Forwarded-For": f"198.{high + 1}.{low + 1}.7", "Accept-Language": "vi"}
        async with self._http.get(f"{self._gateway.public}/api/v1/dossiers/{code}", headers=headers) as response:
            return Shown(response.status, json.loads(await response.text()))


@asynccontextmanager
async def asked_by_people(
    directory: Path, sources: Sequence[Source], settings: Mapping[str, str] | None = None
) -> AsyncIterator[People]:
    """A running gateway over these sources; `settings` are TRACUU_... variables."""
    async with Smsc(SmscOptions(window=100)) as smsc, aiohttp.ClientSession() as http:
        gateway = make_gateway(directory, smsc, sources)
        gateway.settings = settings or {}
        async with running(gateway):
            await smsc.bound()
            yield People(smsc, gateway, http)


def _numbers() -> Iterator[int]:
    return itertools.count(1)
