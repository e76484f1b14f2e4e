"""One-stop systems that are asked over HTTP, imitated on free loopback ports, with the demo's dossiers and with faults.

Shapes: Sóc Trăng's `tracuuhoso` (a record, a list of several, or []), the `dossier-search` of HCMC's digo behind
OpenID Connect, and the REST of OpenCPS. Persons stand in all of them, so that it shows that nobody reads them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from demo.onestop import OPENCPS_STATES, UNMAPPED_OPENCPS, DemoDossier
from domain.dossier import DossierStatus

S = DossierStatus

LOOPBACK = ("127.0.0.0/8",)  # what a source of a test may be asked in
TURNS = 100  # of the loop that both sides run in: more than an answer takes
PERSON, IDENTITY, PHONE = "Nguyễn Văn Mẫu", "000000000000", "0900000000"
SECRET = "mau-123"
ACCOUNT, PASSWORD, KEY = "may-khach", "mat-khau-mau", "khoa-mau"
TOKEN_PATH = "/auth/realms/digo/protocol/openid-connect/token"
TEXTS = {
    S.NEWLY_REGISTERED: "Mới đăng ký",
    S.ACCEPTED: "Được tiếp nhận",
    S.NOT_ACCEPTED: "Không được tiếp nhận",
    S.IN_PROCESS: "Đang xử lý",
    S.MORE_DOCUMENTS: "Yêu cầu bổ sung giấy tờ",
    S.PAYMENT_DUE: "Yêu cầu thực hiện nghĩa vụ tài chính",
    S.WITHDRAWAL_ASKED: "Công dân yêu cầu rút hồ sơ",
    S.STOPPED: "Dừng xử lý",
    S.DONE: "Đã xử lý xong",
    S.RETURNED: "Đã trả kết quả trước hạn",
}
UNMAPPED_TEXT = "Chờ liên thông"
OPENCPS_MAPPING = """{
  "name": "opencps-rest", "prefixes": ["H51"], "default": true,
  "request": {
    "path": "/o/rest/v2/dossiers",
    "query": {"dossierNo": "{code}", "start": "{start}", "end": "{end}"},
    "headers": {"GroupId": "55301"}
  },
  "paging": {"size": 15},
  "records": "data[*]",
  "date_formats": ["dd/MM/yyyy HH:mm:ss"],
  "fields": {
    "code": "dossierNo", "status": "dossierStatus", "received_at": "receiveDate", "due_on": "dueDate",
    "finished_at": "releaseDate", "returned_at": "finishDate", "procedure": "serviceCode"
  },
  "agency": {"path": "govAgencyCode"},
  "proof": {"numbers": ["contactTelNo"], "secret": "password"},
  "hidden": [{"path": "lockState", "values": ["DELETED"]}],
  "status": {
    "receiving": 1, "new": 2, "denied": 3, "processing": 4, "waiting": 5, "paying": 6, "cancelled": 7,
    "unresolved": 8, "releasing": 9, "done": 10
  }
}"""

Answer = Callable[["OneStopHttp", web.Request], Awaitable[web.StreamResponse]]


# ---- what the three systems say


def soctrang_record(dossier: DemoDossier) -> dict[str, Any]:
    return {
        "tenhoso": f"Hồ sơ của ông {PERSON}",
        "ngaynhan": _slashed(dossier.received_at),
        "ngayhen": _slashed(dossier.due_at),
        "ngayxulyxong": _slashed(dossier.finished_at),
        "ngaytraketqua": _slashed(dossier.returned_at),
        "tinhtrang_hoso": TEXTS[dossier.status] if dossier.status else UNMAPPED_TEXT,
        "tccn_ten": PERSON,
        "tccn_diachi": "Số 1, đường Mẫu",
        "socmnd": IDENTITY,
        "nguoinhan": None,
    }


def digo_record(dossier: DemoDossier) -> dict[str, Any]:
    return {
        "code": dossier.code,
        "applicant": {"data": {"fullname": PERSON, "phoneNumber": PHONE, "identityNumber": IDENTITY}},
        "procedure": {"code": dossier.procedure, "translate": [{"languageId": 228, "name": "Cấp giấy phép mẫu"}]},
        "statusCurrentTask": TEXTS[dossier.status] if dossier.status else UNMAPPED_TEXT,
        "applyMethod": {"id": 1, "name": "Trực tiếp"},
        "appliedDate": _zoned(dossier.received_at),
        "appointmentDate": _zoned(dossier.due_at),
        "completedDate": _zoned(dossier.finished_at),
    }


def opencps_record(dossier: DemoDossier) -> dict[str, Any]:
    return {
        "dossierNo": dossier.code,
        "password": SECRET,
        "applicantName": PERSON,
        "applicantIdNo": IDENTITY,
        "contactTelNo": PHONE,
        "serviceCode": dossier.procedure,
        "govAgencyCode": dossier.agency,
        "receiveDate": _slashed(dossier.received_at) or "",
        "dueDate": _slashed(dossier.due_at) or "",
        "releaseDate": _slashed(dossier.finished_at) or "",
        "finishDate": _slashed(dossier.returned_at) or "",
        "dossierStatus": OPENCPS_STATES[dossier.status] if dossier.status else UNMAPPED_OPENCPS,
        "lockState": "DELETED" if dossier.deleted else "",
    }


async def soctrang(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """By code or by identity number, as the real one."""
    word = request.query["tukhoa"]
    alive = [each for each in server.dossiers if not each.deleted]
    found = [soctrang_record(each) for each in alive if word in (each.code, IDENTITY)]
    return web.json_response(found[0] if len(found) == 1 else found)


async def digo(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """By a part of the code, in pages."""
    page, size = int(request.query["page"]), int(request.query["size"])
    alive = [each for each in server.dossiers if not each.deleted]
    found = [digo_record(each) for each in alive if request.query["code"] in each.code]
    here = found[page * size : (page + 1) * size]
    return web.json_response({"content": here, "number": page, "last": len(found) <= (page + 1) * size})


async def opencps(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """By whole codes, several with commas between."""
    if "GroupId" not in request.headers:
        return web.json_response({"message": "GroupId"}, status=400)
    codes = request.query["dossierNo"].split(",")
    found = [opencps_record(each) for each in server.dossiers if each.code in codes]
    here = found[int(request.query.get("start", 0)) : int(request.query.get("end", 1000))]
    return web.json_response({"total": len(found), "data": here})


SYSTEMS: Mapping[str, tuple[str, Answer]] = {
    "soctrang": ("/api/hoso/tracuuhoso", soctrang),
    "digo": ("/pa/dossier-search/dvc", digo),
    "opencps": ("/o/rest/v2/dossiers", opencps),
}


# ---- what they do when they are not well


def says(text: str | bytes, *, kind: str = "application/json", status: int = 200, **headers: str) -> Answer:
    """The same words whatever is asked; a header's underscores are dashes."""
    body = text if isinstance(text, bytes) else text.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_server: OneStopHttp, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={"Content-Type": kind, **named})

    return answer


def writes(data: bytes, *, then_hangs: bool = False) -> Answer:
    """These bytes on the bare connection, then nothing more, or the connection's end."""

    async def answer(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(data)
        if then_hangs:
            await server.stopped.wait()
        request.transport.abort() if not data else request.transport.close()
        return web.Response()

    return answer


async def drips(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
    """A body that begins and never ends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"[")
    await server.stopped.wait()
    return response


def pours(piece: bytes, **headers: str) -> Answer:
    """A body without a length and without an end, as fast as it is taken."""

    async def answer(server: OneStopHttp, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"} | headers)
        await response.prepare(request)
        while not server.stopped.is_set():
            try:
                await response.write(piece)
            except (ConnectionError, RuntimeError):
                server.broken_off.set()
                break
        return response

    return answer


BOMB = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
FAULTS: Mapping[str, Answer] = {
    "hangs": writes(b"", then_hangs=True),
    "slow headers": writes(b"HTTP/1.1 200 OK\r\nContent-Type: appl", then_hangs=True),
    "slow body": drips,
    "reset": writes(b""),
    "reset in the body": writes(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n[{"),
    "no HTTP": writes(b"220 mail.example ESMTP\r\n\r\n"),
    "HTML": says("<!DOCTYPE html><html><body>Hệ thống đang bảo trì</body></html>", kind="text/html; charset=utf-8"),
    "HTML called JSON": says("\n <html></html>"),
    "another type": says("[]", kind="application/octet-stream"),
    "no JSON": says('[{"code": '),
    "invalid UTF-8": says(b'[{"code": "\xff\xfe"}]'),
    "huge number": says("[" + "9" * 5_000 + "]"),
    "NaN": says('[{"code": NaN}]'),
    "deep": says("[" * 100_000),
    "too large": says("[" + " " * 300_000 + "]"),
    "endless": pours(b" " * 65_536),
    "bomb": says(BOMB, Content_Encoding="gzip"),
    "half a gzip": says(gzip.compress(b"[" + b" " * 1_000 + b"]")[:-12], Content_Encoding="gzip"),
    "no gzip": says("[]", Content_Encoding="gzip"),
    "another packing": says("[]", Content_Encoding="br"),
    "empty": says(""),
    "wrong shape": says('{"ketqua": {"danhsach": 7}}'),
    "a text": says('"khong co"'),
    "a list of texts": says('["mot", "hai"]'),
    "wrong types": says('[{"code": {"a": 1}, "dossierNo": [], "tinhtrang_hoso": {"a": []}, "statusCurrentTask": []}]'),
    "400": says('{"message": "sai"}', status=400),
    "401": says("{}", status=401),
    "403": says("{}", status=403),
    "404 page": says("<html>404</html>", kind="text/html", status=404),
    "429": says("{}", status=429),
    "500": says("<html>500</html>", kind="text/html", status=500),
    "503": says("{}", status=503),
    "redirect": says("", status=302, Location="http://other.example/"),
    "redirect to the metadata": says("", status=307, Location="http://169.254.169.254/latest/meta-data/"),
}


# ---- the server


@dataclass
class OneStopHttp:
    """One system. With a `fault` it answers every look-up so; while `held` is given it answers none before it is set."""

    style: str
    dossiers: Sequence[DemoDossier]
    fault: Answer | None = None
    held: asyncio.Event | None = None
    guard: str = ""  # how it wants to know who asks; empty: it does not
    url: str = ""
    asked: list[str] = field(default_factory=list)  # path and query of every look-up
    headers: list[Mapping[str, str]] = field(default_factory=list)
    log_ins: int = 0
    refuse_log_ins: bool = False
    tokens: set[str] = field(default_factory=set)
    now_asking: int = 0
    peak: int = 0  # the most look-ups there were at a time
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    broken_off: asyncio.Event = field(default_factory=asyncio.Event)  # a client went away in the middle
    waiting: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.headers.append(request.headers)
        self.now_asking += 1
        self.peak = max(self.peak, self.now_asking)
        try:
            async with self.waiting:
                self.waiting.notify_all()
            if self.held is not None:
                await self.held.wait()
            return await self._answer(request)
        finally:
            self.now_asking -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.guard and not GUARDS[self.guard](self, request):
            return web.json_response({"error_code": -1}, status=200 if self.guard == "session" else 401)
        return await (self.fault or SYSTEMS[self.style][1])(self, request)

    async def until_asked(self, number: int) -> None:
        """At least so many look-ups came."""
        async with self.waiting:
            await self.waiting.wait_for(lambda: len(self.asked) >= number)

    async def until_alone(self, number: int) -> None:
        """So many look-ups came, and whoever asked has read the answers to all but one."""
        await self.until_asked(number)
        while self.now_asking > 1:  # noqa: ASYNC110 - what is written last tells nobody
            await asyncio.sleep(0)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def expire(self) -> None:
        """No session of before is valid any more."""
        self.tokens.clear()

    def _new_token(self) -> str:
        self.log_ins += 1
        token = f"phien-{self.log_ins}"
        self.tokens.add(token)
        return token

    async def probe(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True}, headers={"Server": "Imitation/1.0 " + 60 * "x"})

    async def openid(self, request: web.Request) -> web.Response:
        form = await request.post()
        right = request.headers.get("Authorization") == _basic() and form.get("grant_type") == "client_credentials"
        if self.refuse_log_ins or not right:
            self.log_ins += 1
            return web.json_response({"error": "unauthorized_client"}, status=401)
        return web.json_response({"access_token": self._new_token(), "expires_in": 300, "token_type": "Bearer"})

    async def log_in(self, request: web.Request) -> web.Response:
        """As the national synchronisation interface: a session in the body, and as a cookie."""
        given = await request.json()
        if self.refuse_log_ins or given != {"username": ACCOUNT, "password": PASSWORD}:
            self.log_ins += 1
            return web.json_response({"error_code": 1, "message": "sai mat khau"})
        token = self._new_token()
        response = web.json_response({"error_code": 0, "session": token})
        response.set_cookie("JSESSIONID", token)
        return response


def _basic() -> str:
    return "Basic " + b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()


GUARDS: Mapping[str, Callable[[OneStopHttp, web.Request], bool]] = {
    "basic": lambda _, request: request.headers.get("Authorization") == _basic(),
    "bearer": lambda _, request: request.headers.get("Authorization") == f"Bearer {KEY}",
    "api_key": lambda _, request: request.headers.get("X-Api-Key") == KEY,
    "openid": lambda server, request: request.headers.get("Authorization", "")[7:] in server.tokens,
    "session": lambda server, request: request.query.get("session") in server.tokens,
    "cookie": lambda server, request: request.cookies.get("JSESSIONID") in server.tokens,
}


@asynccontextmanager
async def onestop_http(style: str, dossiers: Iterable[DemoDossier] = ()) -> AsyncIterator[OneStopHttp]:
    """A running server; its address is in `url`."""
    server = OneStopHttp(style, list(dossiers))
    app = web.Application()
    app.router.add_route("*", SYSTEMS[style][0], server.look_up)
    app.router.add_post(TOKEN_PATH, server.openid)
    app.router.add_post("/login", server.log_in)
    app.router.add_get("/ok", server.probe)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.stopped.set()
        if server.held is not None:
            server.held.set()
        await runner.cleanup()


def _slashed(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%d/%m/%Y %H:%M:%S}"


def _zoned(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds") + "+0700"


def as_json(document: object) -> Answer:
    """An answer that holds this document."""
    return says(json.dumps(document))
