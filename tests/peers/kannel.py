"""Kannel, an SMS gateway nobody here wrote, as an ESME: Debian's bearerbox and smsbox on free ports of the loopback.

What a person writes goes to a web service of the test, whose answer goes back; what the test sends goes through
Kannel's `sendsms`; Kannel reports deliveries to the web service too. Everything lives in one folder, the logs included.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import aiohttp
from aiohttp import web

from demo.process import free_ports
from tests.debian import provide

PATIENCE = 60.0  # seconds a test waits for what must happen
POLL = 0.05
UCS2 = "2"  # Kannel's coding
EVERYTHING = "31"  # dlr-mask: delivered, failed, buffered, accepted, rejected
PASSWORD = "sesame"

CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal
sms-resend-freq = 1
sms-combine-concatenated-mo = true
log-file = {folder}/bearerbox.log
log-level = 0

group = smsc
smsc = smpp
smsc-id = simulated
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = {system_id}
smsc-password = {secret}
system-type = ""
interface-version = 34
enquire-link-interval = 1
reconnect-delay = 1
max-pending-submits = 10

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 0

group = sendsms-user
username = tester
password = {password}
user-allow-ip = "127.0.0.1"
max-messages = 9
concatenation = true

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{service}/asked?octets=%b&coding=%c&sender=%p"
accept-x-kannel-headers = true
max-messages = 9
concatenation = true
"""


class Boxes(NamedTuple):
    """The two programs."""

    bearerbox: str
    smsbox: str


def installed() -> Boxes | None:
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    found = [shutil.which(name, path=path) for name in Boxes._fields]
    return Boxes(*[name for name in found if name]) if all(found) else None


class Asked(NamedTuple):
    """What a person wrote, as Kannel hands it on."""

    sender: str
    text: str


class Reported(NamedTuple):
    """What Kannel says of a message it was given: 1 delivered, 2 failed, 4 buffered, 8 taken by the SMSC, 16 refused."""

    message: str
    state: int


@dataclass
class Kannel:
    """A running one. `asked` and `reported` are what it told our web service."""

    origin: str = ""  # of our web service
    sendsms: str = ""
    status: str = ""
    asked: list[Asked] = field(default_factory=list)
    reported: list[Reported] = field(default_factory=list)
    http: aiohttp.ClientSession = field(init=False)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)  # bearerbox and smsbox
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def send(self, text: str, to: str, name: str = "") -> None:
        """Hand Kannel a message; with a name, what becomes of it is `reported`."""
        asked = {"username": "tester", "password": PASSWORD, "from": "8088", "to": to, "text": text}
        if not text.isascii():
            asked |= {"coding": UCS2, "charset": "UTF-8"}
        if name:
            asked |= {"dlr-mask": EVERYTHING, "dlr-url": f"{self.origin}/reported?message={name}&state=%d"}
        async with self.http.get(self.sendsms, params=asked) as response:
            said = await response.text()
        assert response.status == web.HTTPAccepted.status_code, said

    async def until_told(self, message: str, state: int) -> None:
        """Wait until this was reported."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: Reported(message, state) in self.reported)

    async def until_asked(self, sender: str) -> Asked:
        """Wait until this person's message came through."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: any(asked.sender == sender for asked in self.asked))
        return next(asked for asked in self.asked if asked.sender == sender)

    async def hear(self, request: web.Request) -> web.Response:
        """A person's message; the answer is the same, back."""
        octets = _raw(request, "octets")
        text = octets.decode("utf-16-be" if request.query["coding"] == UCS2 else "utf-8")
        asked = Asked(request.query["sender"].lstrip("+ "), text)
        await self._keep(self.asked, asked)
        coding = {"X-Kannel-Coding": UCS2} if request.query["coding"] == UCS2 else {}
        return web.Response(text=asked.text, headers=coding, charset="utf-8")

    async def note(self, request: web.Request) -> web.Response:
        """What became of a message."""
        await self._keep(self.reported, Reported(request.query["message"], int(request.query["state"])))
        return web.Response()

    async def _keep(self, kept: list[Asked] | list[Reported], news: Asked | Reported) -> None:
        async with self._news:
            kept.append(news)  # type: ignore[arg-type]  # each in its own list
            self._news.notify_all()

    async def leaves(self) -> None:
        """SIGTERM: it says goodbye to the SMSC and ends."""
        bearerbox = self.processes[0]
        bearerbox.terminate()
        async with asyncio.timeout(PATIENCE):
            await bearerbox.wait()


@asynccontextmanager
async def kannel_at(smsc: int, folder: Path, *, system_id: str, password: str) -> AsyncIterator[Kannel]:
    """Kannel bound to the SMSC on this port of the loopback, its programs installed if they are missing."""
    boxes = await asyncio.to_thread(provide, "kannel", installed, "Kannel as an ESME")
    kannel = Kannel()
    async with _service(kannel) as service, aiohttp.ClientSession() as kannel.http:
        admin, boxes_port, sendsms = free_ports(3)
        config = folder / "kannel.conf"
        ports = {"admin": admin, "boxes": boxes_port, "sendsms": sendsms, "smsc": smsc, "service": service}
        config.write_text(
            CONFIG.format(folder=folder, password=PASSWORD, system_id=system_id, secret=password, **ports)
        )
        kannel.origin = f"http://127.0.0.1:{service}"
        kannel.sendsms = f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms"
        kannel.status = f"http://127.0.0.1:{admin}/status.txt"
        try:
            for program, shows in zip(boxes, ("(online", "smsbox:"), strict=True):
                kannel.processes.append(await _start(program, config))
                await _until(kannel, shows)
            yield kannel
        finally:
            await _end(kannel.processes)


@asynccontextmanager
async def _service(kannel: Kannel) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/asked", kannel.hear)
    app.router.add_get("/reported", kannel.note)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _start(program: str, config: Path) -> asyncio.subprocess.Process:
    with (config.parent / "output.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            program, config, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL, cwd=config.parent
        )


async def _until(kannel: Kannel, shows: str) -> None:
    """Kannel's status page shows this. An smsbox listens for `sendsms` before it shows."""
    async with asyncio.timeout(PATIENCE):
        while not await _shows(kannel, shows):
            assert all(process.returncode is None for process in kannel.processes), "Kannel ended; see output.log"
            await asyncio.sleep(POLL)


async def _shows(kannel: Kannel, shows: str) -> bool:
    try:
        async with kannel.http.get(kannel.status, params={"password": PASSWORD}) as response:
            return shows in await response.text()
    except aiohttp.ClientError:  # it does not listen yet
        return False


async def _end(processes: Sequence[asyncio.subprocess.Process]) -> None:
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _raw(request: web.Request, name: str) -> bytes:
    """The octets of a parameter, which are no UTF-8."""
    parameters = dict(each.split("=", 1) for each in request.rel_url.raw_query_string.split("&"))
    return unquote_to_bytes(parameters[name].replace("+", " "))
