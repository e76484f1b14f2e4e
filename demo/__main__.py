"""`make demo`: the whole gateway at one address, with a simulated SMSC, an emulated Telegram, two demo one-stop systems,
a telephone, a chat and a sample agency's site.

It seeds the databases, starts the gateway as an operator would (`tracuu serve`), prints a transcript of real exchanges
over SMPP, HTTP and the Bot API, and keeps serving. With --once it ends there, with 0 if every exchange brought what it should.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.markup import escape

from channels.web.paths import FILING
from demo import onestop
from demo.agency_serving import AgencyServer
from demo.bot_api import BotApi, serving
from demo.chat import Chats
from demo.chat_pages import ChatPages
from demo.chat_transcript import CHAT_LINES, play_chat
from demo.desk import OnestopDesk
from demo.handsets import Handsets
from demo.intake import Desk as WardDesk
from demo.intake import page_of, receipt_of
from demo.officers import EVERYBODY, add_officers
from demo.pages import DemoPages, Link, demo_app
from demo.process import GatewayFailed, GatewayProcess, free_port
from demo.receipts import photographs
from demo.smsc_options import SmscOptions
from demo.smsc_server import Smsc
from demo.smsc_tickets import MoTicket
from demo.transcript import (
    CODE,
    FOLLOW,
    PAGES,
    TEXTS,
    Line,
    asked_of_the_ward,
    play_page,
    play_receipt,
    play_result,
    play_site,
    play_step,
    play_text,
)
from domain.calendar import local_day
from domain.catalogue import Catalogue
from domain.dossier import DossierStatus
from domain.errors import GatewayError
from gateway.bootstrap import read_words
from gateway.configuration import load_settings
from gateway.http import HttpListener
from gateway.loop import run

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config" / "demo.toml"
DATA = ROOT / "var" / "demo"
SHORT_CODE = "8100"
SMSC_PORT, PAGES_PORT, BOT_API_PORT, AGENCY_PORT = 2775, 8083, 8084, 8085
PUBLIC_PORT, STAFF_PORT, OPERATIONS_PORT = 8080, 8081, 8082
STORE_FILES = "tracuu.sqlite3*"
FILES = "files"  # people handed in


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that runs."""

    smsc: Smsc
    gateway: GatewayProcess
    pages: HttpListener
    handsets: Handsets
    chats: Chats
    photographs: Mapping[str, bytes]
    desk: OnestopDesk
    ward: WardDesk
    agency: AgencyServer
    links: Sequence[Link]


@click.command()
@click.option("--once", is_flag=True, help="Print the transcript and end.")
def main(*, once: bool) -> None:
    """Run the demo."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        failed = run(show(console, once=once))
    except (GatewayError, GatewayFailed) as error:
        console.print(f"[red]The demo could not start:[/] {escape(str(error))}")
        sys.exit(1)
    sys.exit(1 if failed else 0)


async def show(console: Console, *, once: bool) -> int:
    """Start, print, serve; returns how many exchanges failed."""
    prepare()
    console.print(
        "[bold]Tra cứu Gateway[/]: starting the gateway, a simulated SMSC, an emulated Telegram, two demo one-stop systems ..."
    )
    async with running() as demo:
        console.print(await what_runs(demo.gateway))
        failed = await print_transcript(console, demo)
        print_officers(console, demo.gateway)
        print_ward(console, demo.gateway, demo.ward)
        if not once:
            print_addresses(console, demo)
            await until_stopped(demo.gateway)
    return failed


def prepare() -> None:
    """Fresh one-stop databases and an empty store, so that every demo begins alike."""
    DATA.mkdir(parents=True, exist_ok=True)
    for left in DATA.glob(STORE_FILES):
        left.unlink()
    shutil.rmtree(DATA / FILES, ignore_errors=True)
    onestop.seed(DATA, local_day(datetime.now(UTC)))


@asynccontextmanager
async def running() -> AsyncIterator[Demo]:
    """The simulators, the gateway and the demo's pages."""
    options = SmscOptions(system_id="tracuu", password="demo", redeliver_after=5.0)  # noqa: S106 (a simulator's account)
    handsets = Handsets(lambda number, text: send(smsc, number, text))
    smsc = Smsc(options, port=free_port(SMSC_PORT), on_reply=handsets.replied)
    chats = Chats()
    api = BotApi(chats.on_call)
    chats.open(api)
    async with smsc, serving(api, free_port(BOT_API_PORT)):
        gateway = GatewayProcess(
            config=CONFIG,
            public_port=free_port(PUBLIC_PORT),
            operations_port=free_port(OPERATIONS_PORT),
            staff_port=free_port(STAFF_PORT),
            settings=settings(smsc, api),
        )
        agency = AgencyServer(settings=load_settings(CONFIG), port=free_port(AGENCY_PORT), gateway=gateway.public)
        try:
            await agency.register()
            await add_officers(agency.settings, EVERYBODY)
            ward = WardDesk(agency.settings)
            await ward.fill()
            await gateway.start()
            await smsc.bound()
            async with agency.serving(), serving_pages(gateway, smsc, handsets, chats, agency, ward) as demo:
                yield demo
        finally:
            await gateway.stop()


def settings(smsc: Smsc, api: BotApi) -> Mapping[str, str]:
    """Where the gateway finds the simulators."""
    return {
        "TRACUU_SMS__DEMO__PORT": str(smsc.port),
        "TRACUU_TELEGRAM__CHAT__BASE_URL": api.base_url,
        "TRACUU_TELEGRAM__CHAT__BASE_FILE_URL": api.base_file_url,
    }


@asynccontextmanager
async def serving_pages(
    gateway: GatewayProcess, smsc: Smsc, handsets: Handsets, chats: Chats, agency: AgencyServer, ward: WardDesk
) -> AsyncIterator[Demo]:
    """The demo's own listener."""
    port = free_port(PAGES_PORT)
    catalogue: Catalogue = read_words(load_settings(CONFIG)).catalogue
    desk = OnestopDesk(DATA)
    photos = await asyncio.to_thread(photographs)
    address = f"http://127.0.0.1:{port}"
    shown = links(gateway, address, smsc.port, agency)
    pages = DemoPages(
        handsets=handsets,
        desk=desk,
        catalogue=catalogue,
        short_code=SHORT_CODE,
        links=[link for link in shown if not link.url.startswith(address)],  # the index has its own to those
        chat=ChatPages(chats, photos),
    )
    listener = HttpListener("demo", demo_app(pages), "127.0.0.1", port)
    await listener.start()
    try:
        yield Demo(smsc, gateway, listener, handsets, chats, photos, desk, ward, agency, shown)
    finally:
        await listener.close()


async def send(smsc: Smsc, number: str, text: str) -> MoTicket:
    """A telephone's text to the gateway's short code."""
    return await smsc.send_mo(number, SHORT_CODE, text)


def links(gateway: GatewayProcess, pages: str, smsc_port: int, agency: AgencyServer) -> Sequence[Link]:
    """Where to look."""
    return (
        Link(url=f"{pages}/handset", vi="Điện thoại và bàn một cửa", en="a telephone, and the desk beside it"),
        Link(url=f"{pages}/chat", vi="Trò chuyện: nút bấm và ảnh mã QR", en="a chat, with buttons and photographs"),
        Link(url=f"{gateway.public}/tra-cuu", vi="Trang tra cứu", en="the public look-up page"),
        Link(url=f"{agency.origin}/", vi="Trang mẫu của một cơ quan", en="a sample agency's site with the widget"),
        Link(url=f"{gateway.public}/integrate?site={agency.key}", vi="Đặt lên trang", en="what its webmaster pasted"),
        Link(url=f"{gateway.public}/api/v1/dossiers/{CODE}", vi="API", en="the same as JSON"),
        Link(url=f"{gateway.staff}/", vi="Bảng điều hành của cán bộ", en="the officers' console"),
        Link(url=f"{gateway.public}{FILING}", vi="Nộp hồ sơ trực tuyến", en="filing a dossier online"),
        Link(url=f"{gateway.operations}/readyz", vi="Tình trạng", en="does every dependency answer?"),
        Link(url=f"{gateway.operations}/metrics", vi="Số đo", en="figures for Prometheus"),
        Link(url=f"smpp://127.0.0.1:{smsc_port}", vi="Tổng đài giả lập", en="the simulated SMSC"),
    )


async def what_runs(gateway: GatewayProcess) -> str:
    """One line: which store and which cache."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/readyz") as response:
        checks = (await response.json())["checks"]
    cache = "Redis" if "redis" in checks else "the process's own memory"
    return f"Store: SQLite. Cache: {cache}. Answering: {', '.join(sorted(checks))}.\n"


async def print_transcript(console: Console, demo: Demo) -> int:
    """Play and print every exchange; returns how many failed."""
    failed = 0
    texts = (*TEXTS, asked_of_the_ward(demo.ward), FOLLOW)
    for text in texts:
        failed += print_line(console, await play_text(demo.smsc, SHORT_CODE, text), "SMS")
    failed += print_line(console, await play_step(demo.handsets, demo.desk), "Notice")
    failed += print_line(console, await play_receipt(demo.handsets, demo.ward), "Notice")
    failed += print_line(console, await play_result(demo.handsets, demo.ward), "Notice")
    async for line in play_chat(demo.chats, demo.desk, demo.photographs):
        failed += print_line(console, line, "Chat")
    async with aiohttp.ClientSession() as http:
        for page in PAGES:
            failed += print_line(console, await play_page(http, demo.gateway.public, page), "HTTP")
        failed += print_line(
            console, await play_site(http, demo.gateway.public, demo.agency.origin, demo.agency.key), "HTTP"
        )
    count = len(texts) + 3 + CHAT_LINES + len(PAGES) + 1
    verdict = "[green]all as they should be[/]" if not failed else f"[red]{failed} failed[/]"
    console.print(f"{count} exchanges, {verdict}.")
    return failed


def print_line(console: Console, line: Line, way: str) -> int:
    """One exchange; 1 if it failed."""
    console.print(f"[dim]{way}: {line.title}[/]")
    console.print(f"  → {escape(line.asked)}")
    for index, told in enumerate(line.answered.splitlines() or ["(nothing)"]):
        console.print(f"  {'←' if index == 0 else ' '} [bold]{escape(told)}[/]")
    console.print(f"    [dim]{line.detail}[/]")
    if not line.ok:
        console.print(f"    [red]expected: {escape(', '.join(line.missing))}[/]")
    return 0 if line.ok else 1


def print_addresses(console: Console, demo: Demo) -> None:
    """Where to look now."""
    console.print("\n[bold]It keeps running. Look here:[/]")
    for link in demo.links:
        console.print(f"  {link.url:<62} {link.en}")
    console.print("Ctrl-C ends it.")


def print_officers(console: Console, gateway: GatewayProcess) -> None:
    """Who may sign in to the console, and the code of this moment; each works once, for about a minute."""
    console.print(f"\n[bold]Officers of the console[/] at {gateway.staff}/")
    for each in EVERYBODY:
        roles = ", ".join(sorted(each.roles))
        console.print(f"  {each.login:<11} {roles:<20} password: {escape(each.password)}  code now: {each.code()}")
    console.print("  later codes: .venv/bin/python -m demo.officers")


def print_ward(console: Console, gateway: GatewayProcess, ward: WardDesk) -> None:
    """What lies on the ward's desk, for who signed in as one of its two officers."""
    console.print("\n[bold]Dossiers of a ward without a system of its own[/], for the officers with the role intake")
    for name, dossier in ward.dossiers.items():
        waits = dossier.status is DossierStatus.NEWLY_REGISTERED
        where = (
            f"look: {page_of(gateway.staff, dossier)}" if waits else f"receipt: {receipt_of(gateway.staff, dossier)}"
        )
        console.print(f"  {dossier.code.text:<20} {name:<20} {where}")
    console.print(f"  citizens file online at {gateway.public}{FILING}")


async def until_stopped(gateway: GatewayProcess) -> None:
    """Until Ctrl-C, or until the gateway ends by itself."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    ended = asyncio.create_task(gateway.ended())
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, waiting):
        task.cancel()


if __name__ == "__main__":
    if os.environ.get("ONCE"):
        sys.argv.append("--once")
    main()
