"""A gateway that answers by rote: each code has its outcome, in the shapes and with the headers of the API."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import altcha
from aiohttp import web

from channels.web.problem import ProblemKind
from channels.web.widget_files import WidgetFiles
from tests.unit.speaking import CONFIG

SECRET = "0123456789abcdef"
EXPOSED = "ETag, Retry-After, RateLimit, RateLimit-Policy"
AGENCY = {"name": "Sở Tài nguyên và Môi trường tỉnh An Giang", "phone": "0296 3852 913"}
FOLLOW = {
    "phone": True,
    "links": [
        {"name": "telegram", "url": "https://t.me/tracuu_bot?start=H51_18-250701-0001"},
        {"name": "zalo", "url": "https://zalo.me/123456"},
        {"name": "evil", "url": "javascript:alert(1)"},
        {"name": "evil", "url": "https://t.me.example.com/"},
    ],
}
FOUND, OVERDUE, STALE, DONE, PAYMENT = (f"H51.18-250701-000{each}" for each in range(1, 6))
UNKNOWN, UNREADABLE, AMBIGUOUS, DOWN, BUSY = "unknown", "abc", "12/34", "down", "busy"
WORK, PROOF, FOREIGN, HANGS, NO_JSON, STOPPAGE = "work", "proof", "foreign", "hangs", "no-json", "stoppage"
PIN, LAST_FOUR, READ_AS = "123456", "4567", "00000/2016/00012 STNMT"
READINGS = [
    {"code": READ_AS, "text": READ_AS, "agency": "Sở TN-MT"},
    {"code": "12/34 UBND", "text": "12/34", "agency": "UBND huyện"},
]
PROBLEMS: Mapping[str, ProblemKind] = {
    UNKNOWN: ProblemKind.NOT_FOUND,
    UNREADABLE: ProblemKind.UNREADABLE,
    AMBIGUOUS: ProblemKind.AMBIGUOUS,
    DOWN: ProblemKind.SOURCE_DOWN,
    BUSY: ProblemKind.REFUSED,
    PROOF: ProblemKind.PROOF_NEEDED,
    FOREIGN: ProblemKind.ORIGIN_FOREIGN,
    "..": ProblemKind.UNREADABLE,
    "": ProblemKind.UNREADABLE,
    " ": ProblemKind.UNREADABLE,
}
STATES: Mapping[str, tuple[int, str, Mapping[str, Any]]] = {
    FOUND: (4, "in_process", {}),
    READ_AS: (4, "in_process", {}),
    WORK: (4, "in_process", {}),
    OVERDUE: (4, "in_process", {"overdue": True, "due_on": "2026-10-30"}),
    STALE: (4, "in_process", {"stale": True, "as_of": "2026-11-22T07:55:00+07:00"}),
    DONE: (9, "done", {"finished_on": "2026-11-20"}),
    PAYMENT: (6, "payment_due", {"due_on": None, "due_unknown": True}),
    STOPPAGE: (
        8,
        "stopped",
        {"notice": {"starts_at": "", "ends_at": "", "text": "Hệ thống ngừng từ 22:00 đến 23:00 ngày 23/11/2026."}},
    ),
}
MORE = {
    "procedure": "1.004946.000.00.00.H51",
    "procedure_name": "Đăng ký biến động quyền sử dụng đất",
    "unit": "Bộ phận Tiếp nhận và Trả kết quả",
    "missing": "Bản chính giấy chứng nhận",
    "fee": "60.000 đồng",
}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


class CannedGateway:
    """What was asked, in order, and the answers. `hanging` is set when a question came that is never answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.hanging = asyncio.Event()
        self._widget = WidgetFiles()
        self.texts = {
            language: tomllib.loads((CONFIG / "texts" / f"{language}.toml").read_text(encoding="utf-8"))["web"]
            for language in ("vi", "en", "km")
        }

    def app(self) -> web.Application:
        app = web.Application()
        for route in self._widget.routes():
            app.router.add_route(route.method, route.path, route.handler)
        for path in ("dossiers/{code:(?s:.*)}", "subscriptions", "subscriptions/{token}"):
            app.router.add_options(f"/api/v1/{path}", self._preflight)
        app.router.add_get("/api/v1/dossiers/{code:(?s:.*)}", self._dossier)
        app.router.add_post("/api/v1/dossiers/{code:(?s:.*)}", self._dossier)
        app.router.add_post("/api/v1/subscriptions", self._wish)
        app.router.add_post("/api/v1/subscriptions/{token}", self._redeem)
        app.on_response_prepare.append(_open)
        return app

    async def _preflight(self, _: web.Request) -> web.Response:
        allowed = {"Access-Control-Allow-Headers": "Content-Type", "Access-Control-Allow-Methods": "GET, POST"}
        return web.Response(status=204, headers=allowed)

    async def _dossier(self, request: web.Request) -> web.Response:
        code, body = request.match_info["code"], await self._note(request)
        if code == HANGS:
            self.hanging.set()
            await asyncio.Event().wait()
        if code == NO_JSON:
            return web.Response(status=502, text="<h1>Bad gateway</h1>", content_type="text/html")
        if code == WORK and not _worked(body.get("work", "")):
            return self._problem(request, ProblemKind.WORK_NEEDED, challenge=_challenge())
        if code in PROBLEMS and not (code == PROOF and body):
            candidates = {"candidates": READINGS} if code == AMBIGUOUS else {}
            return self._problem(request, PROBLEMS[code], **candidates)
        if body.get("last_four", LAST_FOUR) != LAST_FOUR:
            return self._problem(request, ProblemKind.NOT_FOUND, detail=self._say(request)("error.not_matched"))
        return self._found(request, code, proved="last_four" in body or "secret" in body)

    def _found(self, request: web.Request, code: str, *, proved: bool) -> web.Response:
        say = self._say(request)
        number, name, special = STATES.get(code, STATES[FOUND])
        hostile = HOSTILE if code == "hostile" else ""
        answer = {
            "code": hostile or code,
            "status": number,
            "status_name": name,
            "status_text": hostile or say(f"state.{name}"),
            "sentence": hostile or say(f"sentence.{name}").format(agency=AGENCY["name"]),
            "what_to_do": hostile or say("todo.overdue" if special.get("overdue") else f"todo.{name}"),
            "received_on": "2026-11-02",
            "due_on": "2026-12-01",
            "due_unknown": False,
            "finished_on": None,
            "returned_on": None,
            "overdue": False,
            "agency": AGENCY,
            "as_of": "2026-11-23T09:12:00+07:00",
            "stale": False,
            "tier": "proved" if proved else "public",
            "page": "javascript:alert(3)" if hostile else f"/d/{code}",
            "follow": FOLLOW,
            **special,
            **(MORE if proved else {}),
        }
        return web.json_response(answer)

    async def _wish(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        if not body["phone"].startswith("09"):
            return self._problem(request, ProblemKind.NO_NUMBER)
        return web.json_response({"token": "tok/1", "expires_at": "2026-11-23T09:22:00+07:00"}, status=202)

    async def _redeem(self, request: web.Request) -> web.Response:
        pin = (await self._note(request))["pin"]
        if pin == "000000":
            return self._problem(request, ProblemKind.PIN_SPENT)
        if pin != PIN:
            return self._problem(request, ProblemKind.PIN_WRONG)
        return web.json_response({"following": True}, status=201)

    async def _note(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json() if request.method == "POST" else {}
        self.asked.append((request.method, request.rel_url.raw_path_qs, body))
        return body

    def _problem(self, request: web.Request, kind: ProblemKind, **more: Any) -> web.Response:
        say = self._say(request)
        body = {
            "type": kind.type_uri,
            "title": say(f"problem.{kind.key}"),
            "status": kind.status,
            "detail": say(f"error.{kind.key}"),
            "agency": {"name": "Trung tâm Phục vụ hành chính công", "phone": "1022"},
            **more,
        }
        return web.Response(
            status=kind.status, text=json.dumps(body), content_type="application/problem+json", headers=kind.headers
        )

    def _say(self, request: web.Request) -> Callable[[str], str]:
        texts = self.texts[request.query["lang"]]
        return lambda key: str(texts[key.partition(".")[0]][key.partition(".")[2]])


async def _open(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/api/"):
        response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "null")
        response.headers["Access-Control-Expose-Headers"] = EXPOSED


def _challenge() -> dict[str, Any]:
    challenge = altcha.create_challenge(
        "PBKDF2/SHA-256", cost=500, counter=40, hmac_secret=SECRET, hmac_key_secret=SECRET, data={"site": "ts_1"}
    )
    return challenge.to_dict()


def _worked(payload: str) -> bool:
    return bool(payload) and altcha.verify_solution(payload, SECRET, hmac_key_secret=SECRET).verified
