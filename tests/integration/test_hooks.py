"""The webhook over real HTTP: taken once and only when it is durable, refused with its status and its line, never felt
by the others.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import io
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web
from structlog.testing import capture_logs

from adapters.onestop import hooks as hooks_module
from adapters.onestop.hook_lines import LINES_A_MINUTE, MINUTE_S, HookLines
from adapters.onestop.hook_payloads import Misfit
from adapters.onestop.hook_refusals import LARGEST_BODY, REFUSALS, Trouble
from adapters.onestop.hook_signature import SIGNATURE, Doubt, SigningKey, sign
from adapters.onestop.hooks import MOST_BODIES, MOST_REMEMBERED, STRANGER, Hooks
from channels.base import RouteDef
from domain.codes import DossierCode
from domain.errors import StoreUnavailable, StoreUncertain
from gateway.http import HttpListener, make_app, public_routes
from tests.unit.asking_the_web import CODE, Behind, listener

GUIDE = Path(__file__).parent.parent.parent / "docs" / "webhooks.md"
NOW = datetime(2026, 10, 8, 7, 30, tzinfo=UTC)
KEY = SigningKey.of("2026-1", "example-secret-of-at-least-32-characters")
NEXT = SigningKey.of("2026-2", "another-secret-of-at-least-32-characters")
STRANGERS = SigningKey.of("2026-1", "a-stranger-made-this-secret-of-his-own-up")
BODY = json.dumps({"codes": [CODE, "none"]}).encode()
PATIENCE = 60.0
Lines = list[MutableMapping[str, Any]]


@dataclass
class Kept:
    """Stands for Notices.look: keeps nonces and codes, or fails."""

    calls: int = 0
    codes: list[tuple[str, str]] = field(default_factory=list)
    nonces: dict[tuple[str, str], datetime] = field(default_factory=dict)
    fails: Exception | None = None

    async def look(self, source: str, codes: Sequence[DossierCode], *, nonce: str, keep_until: datetime) -> bool:
        self.calls += 1
        if self.fails is not None:
            raise self.fails
        if (source, nonce) in self.nonces:
            return False
        self.nonces[source, nonce] = keep_until
        self.codes += [(source, code.text) for code in codes]
        return True


@dataclass
class Place:
    """A listener with the webhook, and the look-up API beside it."""

    kept: Kept = field(default_factory=Kept)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    heard: list[str] = field(default_factory=list)
    now: datetime = NOW
    seconds: float = 0.0
    later: list[Callable[[], None]] = field(default_factory=list)
    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        self.hooks = self.made()

    def made(self, patience: float = PATIENCE) -> Hooks:
        return Hooks(
            keys={"province": [KEY, NEXT], "ministry": [KEY]},
            keep=self.kept.look,
            clock=lambda: self.now,
            count=self.count,
            on_heard=self.heard.append,
            lines=HookLines(lambda: self.seconds, lambda _, then: self.later.append(then)),
            patience=patience,
        )

    def count(self, result: str, source: str) -> None:
        self.counted[source, result] += 1
        self.ended.set()

    def url(self, source: str = "province") -> str:
        return f"http://127.0.0.1:{self.port}/hooks/onestop/{source}"


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
async def session(place: Place) -> AsyncIterator[ClientSession]:
    async def handle(request: web.Request) -> web.Response:
        return await place.hooks.handle(request)  # whichever it is by now

    route = RouteDef(method="POST", path="/hooks/onestop/{source}", handler=handle, summary="")
    app = make_app(public_routes([route]))
    app.add_subapp("/beside", listener(Behind()))
    open_listener = HttpListener("public", app, "127.0.0.1", 0)
    await open_listener.start()
    place.port = open_listener.bound_port
    async with ClientSession() as session:
        yield session
    await open_listener.close()


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as written:
        yield written


def signed(body: bytes = BODY, key: SigningKey = KEY, nonce: str = "n" * 16, **more: Any) -> dict[str, str]:
    told: dict[str, Any] = {"moment": NOW, **more}
    return {"Content-Type": "application/json", SIGNATURE: sign(key, nonce=nonce, body=body, **told)}


async def reason_of(response: ClientResponse) -> str:
    problem = await response.json(content_type="application/problem+json")
    assert problem["status"] == response.status
    return str(problem["reason"])


def hook_lines(lines: Lines) -> Lines:
    return [line for line in lines if line["event"].startswith("hook.")]


# ---- taken


async def test_a_signed_call_is_kept_before_it_is_answered(place: Place, session: ClientSession, lines: Lines) -> None:
    response = await session.post(place.url(), data=BODY, headers=signed())
    assert (response.status, await response.json()) == (202, {"accepted": 1, "unknown": 1})
    assert place.kept.codes == [("province", CODE)]
    assert place.heard == ["province"]
    assert place.counted == {("province", "accepted"): 1}
    assert hook_lines(lines) == [
        {"event": "hook.accepted", "log_level": "info", "source": "province", "dossiers": 1, "unknown": 1}
    ]


async def test_both_keys_are_taken_while_one_takes_over(place: Place, session: ClientSession) -> None:
    for key in (KEY, NEXT):
        response = await session.post(place.url(), data=BODY, headers=signed(key=key, nonce=key.id * 3))
        assert response.status == 202


async def test_an_event_in_binary_mode_needs_no_body(place: Place, session: ClientSession) -> None:
    header = sign(KEY, moment=NOW, nonce="n" * 16, body=b"", subject=CODE)
    headers = {SIGNATURE: header, "ce-specversion": "1.0", "ce-subject": CODE}
    response = await session.post(place.url(), headers=headers, skip_auto_headers=["Content-Type"])
    assert response.status == 202
    assert place.kept.codes == [("province", CODE)]


async def test_a_body_in_pieces_is_taken(place: Place, session: ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 7):
            yield BODY[start : start + 7]

    assert (await session.post(place.url(), data=pieces(), headers=signed())).status == 202


async def test_a_large_body_of_national_records_is_taken_whole(place: Place, session: ClientSession) -> None:
    records = [{"MaHoSo": f"H51.18-260817-{serial:04}", "TrichYeuHoSo": "x" * 900} for serial in range(1, 1_001)]
    body = json.dumps({"service": "DongBoHoSoMC", "data": records}).encode()
    assert 900_000 < len(body) < LARGEST_BODY
    response = await session.post(place.url(), data=body, headers=signed(body))
    assert await response.json() == {"accepted": 1_000, "unknown": 0}


# ---- taken once


async def test_a_replay_is_refused_and_does_nothing(place: Place, session: ClientSession, lines: Lines) -> None:
    for expected in (202, 409, 409):
        response = await session.post(place.url(), data=BODY, headers=signed())
        assert response.status == expected
    assert place.kept.calls == 1  # whoever floods us with a copy does not reach the store
    assert place.heard == ["province"]
    assert [line.get("reason") for line in hook_lines(lines)] == [None, "replayed", "replayed"]


async def test_a_replay_at_another_gateway_is_refused_by_the_store(place: Place, session: ClientSession) -> None:
    assert (await session.post(place.url(), data=BODY, headers=signed())).status == 202
    place.hooks = place.made()  # knows nothing of it
    for _ in range(2):
        response = await session.post(place.url(), data=BODY, headers=signed())
        assert (response.status, await reason_of(response)) == (409, "replayed")
    assert place.kept.calls == 2
    assert place.heard == ["province"]


async def test_the_nonce_is_kept_until_its_call_is_long_stale(place: Place, session: ClientSession) -> None:
    await session.post(place.url(), data=BODY, headers=signed())
    (until,) = place.kept.nonces.values()
    place.now = until
    response = await session.post(place.url(), data=BODY, headers=signed())
    assert (response.status, await reason_of(response)) == (401, "late")


async def test_an_honest_retry_signed_anew_is_taken(place: Place, session: ClientSession) -> None:
    for seconds in (0, 5):
        headers = signed(moment=NOW + timedelta(seconds=seconds))
        assert (await session.post(place.url(), data=BODY, headers=headers)).status == 202


async def test_what_was_taken_is_remembered_within_bounds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "MOST_REMEMBERED", 3)
    assert MOST_REMEMBERED > 3
    for number in range(10):
        place.hooks._remember(("province", str(number)))
    assert list(place.hooks._taken) == [("province", str(number)) for number in (7, 8, 9)]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), StoreUncertain("who knows")])
async def test_nothing_is_acknowledged_that_is_not_kept(
    place: Place, session: ClientSession, failure: Exception
) -> None:
    place.kept.fails = failure
    response = await session.post(place.url(), data=BODY, headers=signed())
    assert (response.status, await reason_of(response)) == (503, "not_kept")
    assert response.headers["Retry-After"] == "5"
    assert place.heard == []
    place.kept.fails = None
    assert (await session.post(place.url(), data=BODY, headers=signed())).status == 202


# ---- refused

REFUSED: list[tuple[str, int, dict[str, Any]]] = [
    ("unsigned", 401, {"headers": {"Content-Type": "application/json"}}),
    ("unreadable_signature", 401, {"headers": signed() | {SIGNATURE: "v1=x"}}),
    ("unknown_key", 401, {"headers": signed(key=SigningKey.of("2025-1", "x" * 32))}),
    ("late", 401, {"headers": signed(moment=NOW - timedelta(seconds=301))}),
    ("early", 401, {"headers": signed(moment=NOW + timedelta(seconds=301))}),
    ("forged", 401, {"headers": signed(key=STRANGERS)}),
    ("forged", 401, {"headers": signed(), "data": BODY.replace(b"0004", b"0005")}),
    ("forged", 401, {"headers": signed() | {"ce-subject": "H51.18-250701-0005"}}),
    ("content_type", 415, {"headers": signed() | {"Content-Type": "text/xml"}}),
    ("content_encoding", 415, {"headers": signed() | {"Content-Encoding": "gzip"}, "data": gzip.compress(BODY)}),
    ("not_json", 400, {"headers": signed(b"{"), "data": b"{"}),
    ("wrong_shape", 422, {"headers": signed(b"[[]]"), "data": b"[[]]"}),
    ("no_code", 422, {"headers": signed(b"{}"), "data": b"{}"}),
    ("too_large", 413, {"headers": signed(), "data": io.BytesIO(b"x" * (LARGEST_BODY + 1))}),
]


@pytest.mark.parametrize(("reason", "status", "call"), REFUSED)
async def test_a_refusal_has_its_status_its_reason_and_one_line(
    place: Place, session: ClientSession, lines: Lines, reason: str, status: int, call: dict[str, Any]
) -> None:
    response = await session.post(place.url(), **({"data": BODY} | call))
    assert (response.status, await reason_of(response)) == (status, reason)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert hook_lines(lines) == [
        {"event": "hook.refused", "log_level": "warning", "source": "province", "reason": reason}
    ]
    assert place.counted == {("province", reason): 1}
    assert place.kept.calls == 0
    assert place.heard == []


async def test_who_is_late_is_told_our_clock(place: Place, session: ClientSession) -> None:
    response = await session.post(place.url(), data=BODY, headers=signed(moment=NOW - timedelta(hours=1)))
    assert (await response.json(content_type=None))["now"] == int(NOW.timestamp())


async def test_a_source_without_keys_does_not_exist(place: Place, session: ClientSession, lines: Lines) -> None:
    response = await session.post(place.url("84912345678"), data=BODY, headers=signed())
    assert (response.status, await reason_of(response)) == (404, "unknown_source")
    assert hook_lines(lines) == [
        {"event": "hook.refused", "log_level": "warning", "source": STRANGER, "reason": "unknown_source"}
    ]


async def test_a_key_of_one_source_is_none_of_another(place: Place, session: ClientSession) -> None:
    response = await session.post(place.url("ministry"), data=BODY, headers=signed(key=NEXT))
    assert (response.status, await reason_of(response)) == (401, "unknown_key")


async def test_a_body_that_hides_its_size_is_refused_when_it_grows_too_large(
    place: Place, session: ClientSession
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 65_536 + 1):
            yield b"x" * 65_536

    response = await session.post(place.url(), data=endless(), headers=signed())
    assert (response.status, await reason_of(response)) == (413, "too_large")


async def raw(place: Place, headers: dict[str, str], body: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    told = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "x", **headers}.items())
    writer.write(f"POST /hooks/onestop/province HTTP/1.1\r\n{told}\r\n".encode() + body)
    await writer.drain()
    return reader, writer


async def test_an_oversized_body_is_refused_before_it_is_sent(place: Place, session: ClientSession) -> None:
    reader, writer = await raw(place, signed() | {"Content-Length": str(LARGEST_BODY + 1)}, b"")
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(place: Place, session: ClientSession) -> None:
    place.hooks = place.made(patience=0.01)
    reader, writer = await raw(place, signed() | {"Content-Length": "100"}, b"{")
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_broken_body_is_a_line_and_no_failure(place: Place, session: ClientSession, lines: Lines) -> None:
    reader, writer = await raw(place, signed() | {"Transfer-Encoding": "chunked"}, b"")
    writer.write(b"this is no chunk\r\n\r\n")
    await writer.drain()
    assert b" 400 " in await reader.readline()
    writer.close()
    assert [line.get("reason") for line in hook_lines(lines)] in ([], ["broken_off"])
    assert not [line for line in lines if line["event"] == "http.failed"]


async def test_a_caller_who_hangs_up_is_a_line_and_no_failure(
    place: Place, session: ClientSession, lines: Lines
) -> None:
    _, writer = await raw(place, signed() | {"Content-Length": "100"}, b"{")
    writer.close()
    async with asyncio.timeout(PATIENCE):
        await place.ended.wait()
    assert place.counted == {("province", "broken_off"): 1}
    assert not [line for line in lines if line["event"] == "http.failed"]


async def test_only_so_many_bodies_are_read_at_a_time(place: Place, session: ClientSession) -> None:
    place.hooks = place.made(patience=0.2)
    for _ in range(MOST_BODIES):
        await place.hooks._places.acquire()
    response = await session.post(place.url(), data=BODY, headers=signed())
    assert (response.status, await reason_of(response)) == (503, "busy")
    for _ in range(MOST_BODIES):
        place.hooks._places.release()
    place.hooks._patience = PATIENCE  # a place is there: how long its body takes is the machine's business
    assert (await session.post(place.url(), data=BODY, headers=signed())).status == 202


def test_every_refusal_stands_in_the_guide() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {(int(status), reason) for status, reason in rows} == {
        (refusal.status, reason.value) for reason, refusal in REFUSALS.items()
    }
    assert {*Trouble, *Doubt, *Misfit} == REFUSALS.keys()


# ---- a flood

FLOOD = 2_000
KINDS: list[tuple[int, dict[str, Any]]] = [
    (401, {"headers": {"Content-Type": "application/json"}, "data": BODY}),
    (401, {"headers": signed(key=STRANGERS), "data": BODY}),
    (401, {"headers": signed(b"y" * 40_000, key=STRANGERS), "data": b"y" * 40_000}),
    (401, {"headers": signed(moment=NOW - timedelta(days=1)), "data": BODY}),
]


async def test_a_flood_of_forged_calls_is_refused_while_the_others_are_answered(
    place: Place, session: ClientSession, lines: Lines
) -> None:
    statuses: Counter[int] = Counter()
    callers = asyncio.Semaphore(40)

    async def forge(number: int) -> None:
        status, call = KINDS[number % len(KINDS)]
        async with callers, session.post(place.url(), **call) as response:
            assert response.status == status
            statuses[response.status] += 1

    async def ask() -> int:
        url = f"http://127.0.0.1:{place.port}/beside/api/v1/dossiers/{CODE}"
        answered = 0
        while sum(statuses.values()) < FLOOD:
            async with session.get(url) as response:
                assert response.status == 200
                answered += 1
        return answered

    asking = asyncio.create_task(ask())
    await asyncio.gather(*(forge(number) for number in range(FLOOD)))
    assert await asking > 10
    assert statuses == {401: FLOOD}
    assert place.kept.calls == 0
    assert (await session.post(place.url(), data=BODY, headers=signed())).status == 202
    refused = Counter(line["reason"] for line in hook_lines(lines) if line["event"] == "hook.refused")
    assert refused == {"unsigned": LINES_A_MINUTE, "forged": LINES_A_MINUTE, "late": LINES_A_MINUTE}
    assert place.counted["province", "forged"] == FLOOD // 2


async def test_what_a_flood_left_out_of_the_log_is_told_when_the_minute_is_over(place: Place, lines: Lines) -> None:
    told = HookLines(lambda: place.seconds, lambda _, then: place.later.append(then))
    for _ in range(LINES_A_MINUTE + 5):
        told.refused("province", "forged")
        told.accepted("province", 3, 0)
    assert Counter(line["event"] for line in lines) == {
        "hook.refused": LINES_A_MINUTE,
        "hook.accepted": LINES_A_MINUTE,
    }
    for then in place.later:
        then()
    assert [line.get("left_out") for line in lines[-2:]] == [5, 5]
    place.seconds = MINUTE_S
    told.refused("province", "forged")
    assert "left_out" not in lines[-1]


async def test_the_rest_of_a_minute_is_told_by_the_loop(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, Callable[[], None]]] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda *what: asked.append(what))
    told = HookLines(lambda: 0.0)
    for _ in range(LINES_A_MINUTE + 2):
        told.refused("province", "late")
    ((seconds, then),) = asked
    then()
    assert seconds == MINUTE_S
    assert lines[-1]["left_out"] == 2


# ---- strangers' libraries


async def test_a_call_as_standard_webhooks_libraries_make_it_is_taken(place: Place, session: ClientSession) -> None:
    moment = str(int(NOW.timestamp()))
    mac = hmac.new(KEY.secret, f"msg_1.{moment}.".encode() + BODY, hashlib.sha256).digest()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    assert (await session.post(place.url(), data=BODY, headers=headers)).status == 202
    headers["ce-subject"] = "H51.18-250701-0005"  # signed by nobody
    response = await session.post(place.url(), data=BODY, headers=headers)
    assert response.status == 409
    assert place.kept.codes == [("province", CODE)]
