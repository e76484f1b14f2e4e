"""The exchanges the demo shows: real messages over SMPP and real requests over HTTP, each with what it must bring."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import aiohttp

from demo.desk import Desk
from demo.handsets import HandsetEvent, Handsets
from demo.intake import ASKED, ASKER, READY, WAITER
from demo.intake import Desk as WardDesk
from demo.onestop import LEGACY, OWNER
from demo.smsc_server import Smsc
from domain.intake_moves import IntakeAction

ANSWER_WITHIN = 10.0  # seconds
CODE = "000.00.18.H51-161220-0001"
PROCEDURE = "Thu tuc mau"  # told to the owner only


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange as it is printed. `missing`: what was expected and did not come."""

    title: str
    asked: str
    answered: str
    detail: str
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True)
class Text:
    """A text message with what its answer must hold."""

    title: str
    source: str
    text: str
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A request with the status and the words its answer must have."""

    title: str
    path: str
    status: int
    expected: tuple[str, ...]


TEXTS: Sequence[Text] = (
    Text("a code as it is printed", "84912000001", CODE, (CODE, "dang xu ly", "hen tra")),
    Text(
        "a code as people type it",
        "84912000002",
        "ho so h51,18–25o701—5 den dau roi a",
        ("H51.18-250701-0005", "bo sung"),
    ),
    Text("an unknown code", "84912000003", "H51.18-260102-0099", ("H51.18-260102-0099", "Chua co thong tin")),
    Text("a text without a code", "84912000004", "bao gio co ket qua vay", ("Chua doc duoc ma", "H51.18-250701-0000")),
    Text("a request for help", "84912000005", "HELP", ("Tra cuu", "GY")),
    Text("two codes at once", "84912000006", f"{CODE} va H51.29.18-250701-0004", (CODE, "H51.29.18-250701-0004")),
    Text("the same, from the telephone on the dossier", f"84{OWNER[1:]}", CODE, (CODE, "dang xu ly", PROCEDURE)),
    Text("with the last digits of that telephone", "84912000009", f"{CODE} SDT {OWNER[-4:]}", (CODE, PROCEDURE)),
    Text("with digits that are not", "84912000010", f"{CODE} SDT 1111", (CODE, "Chua co thong tin")),
    Text("a receipt number from before", "84912000011", LEGACY, ("1:", "2:", "3:")),
    Text("the answer to that question", "84912000011", "3", (LEGACY, "dang xu ly")),
    Text("what one needs to marry", "84912000012", "thu tuc dang ky ket hon", ("ket hon",)),
    Text("accents, please", "84912000007", "co dau", ("có dấu",)),
    Text("the same code, with accents", "84912000007", CODE, (CODE, "đang xử lý")),
    Text("an opinion", "84912000008", "GY xin thêm ghế ở phòng chờ", ("Da nhan gop y so",)),
)

FOLLOWER = "84912000014"
FOLLOWED = "H51.18-250701-0002"
FOLLOW = Text("tell me when it changes", FOLLOWER, f"DK {FOLLOWED}", (FOLLOWED, "bao tin"))
TOLD = (FOLLOWED, "dang xu ly")  # what the telephone buzzes with after the desk's next step


def asked_of_the_ward(desk: WardDesk) -> Text:
    """About a dossier that no one-stop system has, but our own book."""
    code = desk.dossiers[ASKED].code.text
    return Text("a dossier of a ward that works with our own desk", ASKER, code, (code, "dang xu ly"))


PAGES: Sequence[Page] = (
    Page("the API finds it", f"/api/v1/dossiers/{CODE}", 200, ('"status":4',)),
    Page("the API does not know it", "/api/v1/dossiers/H51.18-260102-0099", 404, ("not-found",)),
    Page("the look-up page", f"/tra-cuu?ma={CODE}", 200, ("Đang xử lý",)),
)


async def play_text(smsc: Smsc, short_code: str, line: Text) -> Line:
    """Send one text and wait for its answer."""
    ticket = await smsc.send_mo(line.source, short_code, line.text)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reply = await ticket.reply()
    except TimeoutError:
        return Line(line.title, line.text, "", "no answer", ("an answer",))
    alphabet = "UCS-2" if reply.parts[0].data_coding == 8 else "GSM-7"
    parts = "1 segment" if reply.segments == 1 else f"{reply.segments} segments"
    latency = f"{(ticket.latency or 0) * 1000:.0f} ms"
    missing = tuple(each for each in line.expected if each not in reply.text)
    return Line(line.title, line.text, reply.text, f"{parts}, {alphabet}, {latency}", missing)


async def play_step(handsets: Handsets, desk: Desk) -> Line:
    """The desk of a one-stop system moves the followed dossier."""
    title, asked = "the desk moves that dossier: the handset buzzes", f"desk: {FOLLOWED} to its next state"
    return await _told(handsets, FOLLOWER, lambda: desk.advance(FOLLOWED), Line(title, asked, "", "", TOLD))


async def play_receipt(handsets: Handsets, desk: WardDesk) -> Line:
    """An officer of the ward registers a dossier whose applicant agrees to be told."""
    line = Line(
        "the ward registers a dossier: its applicant is told", "ward's desk: a new dossier", "", "", ("tiep nhan",)
    )
    return await _told(handsets, WAITER, lambda: desk.register(READY), line)


async def play_result(handsets: Handsets, desk: WardDesk) -> Line:
    """The same dossier is done."""
    code = desk.dossiers[READY].code.text
    line = Line("the ward has its result: told again", f"ward's desk: {code} is done", "", "", (code, "ket qua"))
    return await _told(handsets, WAITER, lambda: desk.act(READY, IntakeAction.FINISH), line)


async def _told(handsets: Handsets, number: str, act: Callable[[], Awaitable[object]], line: Line) -> Line:
    """Do it; wait for the notice nobody asked for. `line.missing`: what it must hold."""
    title, asked = line.title, line.asked
    buzz = asyncio.create_task(_notice(handsets, number, line.missing))
    started = asyncio.get_running_loop().time()
    await act()
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            event = await buzz
    except TimeoutError:
        return Line(title, asked, "", "no such notice", line.missing)
    elapsed = asyncio.get_running_loop().time() - started
    parts = "1 segment" if event.segments == 1 else f"{event.segments} segments"
    return Line(title, asked, event.text, f"{parts}, {event.alphabet}, unasked, after {elapsed:.1f} s")


async def _notice(handsets: Handsets, number: str, told: Sequence[str]) -> HandsetEvent:
    """The first message with these words that a telephone gets without having asked."""
    async with aclosing(handsets.follow()) as events:
        async for event in events:
            unasked = event is not None and event.kind == "reply" and event.about == 0 and event.number == number
            if event is not None and unasked and all(each in event.text for each in told):
                return event
    raise TimeoutError("the telephones were put away")


async def play_page(http: aiohttp.ClientSession, base: str, line: Page) -> Line:
    """Ask one page."""
    started = asyncio.get_running_loop().time()
    async with http.get(base + line.path) as response:
        body = await response.text()
        elapsed = (asyncio.get_running_loop().time() - started) * 1000
    missing = tuple(each for each in line.expected if each not in body)
    if response.status != line.status:
        missing = (f"status {line.status}", *missing)
    return Line(
        line.title,
        f"GET {line.path}",
        _digest(response.content_type, body),
        f"{response.status}, {elapsed:.0f} ms",
        missing,
    )


async def play_site(http: aiohttp.ClientSession, base: str, origin: str, key: str) -> Line:
    """Ask as the widget on a site of another origin does; its browser hands the answer over for one header."""
    path = f"/api/v1/dossiers/{CODE}?site={key}&lang=vi"
    async with http.get(base + path, headers={"Origin": origin}) as response:
        body = await response.text()
    opened = response.headers.get("Access-Control-Allow-Origin", "nobody")
    missing = tuple(each for each in ('"status":4',) if each not in body)
    if opened != origin:
        missing = (f"an answer for {origin}", *missing)
    return Line(
        "the widget on an agency's site",
        f"GET {path} from {origin}",
        _digest(response.content_type, body),
        f"{response.status}, to be read by {opened}",
        missing,
    )


def _digest(content_type: str, body: str) -> str:
    """JSON as it is; of a page, how large it is."""
    if content_type.endswith("json"):
        return json.dumps(json.loads(body), ensure_ascii=False)
    return f"a page of {len(body.encode()):,} bytes"
