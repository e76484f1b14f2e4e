"""A simulator of Zalo's Official Account platform that can misbehave: tokens, messages, windows, signed webhook calls.

It is written after the platform's public descriptions and the code of public clients, since the platform itself cannot
be had without an account. What nobody says (whether a spent refresh token is taken again for a moment) is an option.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from demo.zalo_calls import Caller
from demo.zalo_people import Letter, Person

LONGEST_TEXT = 2_000
MOST_BUTTONS = 5
LONGEST_TITLE = 100
WINDOW = timedelta(days=7)  # after the person's last word or tap
FIRST_ID = 8_234_567_890_123_456_789  # ids have more digits than JSON's numbers keep
INVALID_REFRESH_TOKEN = -14014
NOT_FOUND = 404


@dataclass(slots=True)
class ZaloFaults:
    """What goes wrong next; each is used up by the requests it happens to."""

    codes: deque[int] = field(default_factory=deque)  # messages answered with an error (HTTP 200)
    statuses: deque[int] = field(default_factory=deque)  # messages answered with an HTTP status, not taken
    garbage: int = 0  # messages taken, and answered with something unreadable
    silent: int = 0  # messages taken and never answered
    lost_grants: int = 0  # renewals done, whose answer never comes
    failed_grants: int = 0  # renewals not done, answered HTTP 500
    held_grants: asyncio.Event | None = None  # renewals done, answered when it is set


@dataclass(slots=True, kw_only=True)
class ZaloPlatform:
    """One application with one account. `grace`: seconds for which a spent refresh token brings the same pair again."""

    app_id: str = "4300000000000000001"
    app_secret: str = "application-key"  # noqa: S105 (nobody's)
    oa_id: str = "2800000000000000002"
    oa_secret: str = "account-key"  # noqa: S105 (the same)
    access_life: float = 90_000.0  # seconds
    grace: float = 0.0
    wants_template_type: bool = False
    receipts: bool = False
    repeats: Sequence[float] = (0.05, 0.05, 0.1, 0.1, 0.2)  # seconds; the real ones are 30 s to an hour
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: ZaloFaults = field(default_factory=ZaloFaults)
    letters: list[Letter] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    grants: int = 0  # renewals that were done
    refusals: int = 0  # renewals that were refused
    refresh_token: str = ""  # the one that works
    letter_came: asyncio.Event = field(default_factory=asyncio.Event)
    grant_done: asyncio.Event = field(default_factory=asyncio.Event)
    origin: str = ""
    webhook: str = ""  # where the account's events are told
    _access: dict[str, datetime] = field(default_factory=dict)  # token -> its end
    _spent: dict[str, tuple[datetime, dict[str, str]]] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)  # authorisation code -> verifier
    _pictures: list[bytes] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(FIRST_ID))
    _tasks: set[asyncio.Task[list[int]]] = field(default_factory=set)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    # ---- what a person at the platform's console does

    def authorise(self) -> str:
        """A first refresh token, as a person gets one."""
        self.refresh_token = self._new_token("refresh")
        return self.refresh_token

    def consent(self, verifier: str = "") -> str:
        """An authorisation code, to be changed for a pair."""
        code = self._new_token("code")
        self._codes[code] = verifier
        return code

    def expire_access_tokens(self) -> None:
        """As if their time were over."""
        self._access = dict.fromkeys(self._access, self.clock())

    def person(self, user: str) -> Person:
        return self.people.setdefault(user, Person(self, user))

    # ---- telling our webhook

    async def tell(self, event: dict[str, Any]) -> list[int]:
        """One event, signed, until it is taken or we give up; the statuses it was answered with."""
        told = {"app_id": self.app_id, "oa_id": self.oa_id, **event, "timestamp": f"{self._now_ms()}"}
        if "sender" in told:
            del told["oa_id"]
        caller = Caller(app_id=self.app_id, secret=self.oa_secret, url=self.webhook, repeats=self.repeats)
        return await caller.tell(told)

    async def receipts_told(self) -> None:
        """Wait until every receipt under way was told."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # ---- what it serves

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[ZaloPlatform]:
        """On loopback, until left."""
        app = web.Application()
        app.router.add_post("/v4/oa/access_token", self._grant)
        for kind in ("cs", "transaction", "promotion"):
            app.router.add_post(f"/v3.0/oa/message/{kind}", self._message)
        app.router.add_get("/v3.0/oa/user/detail", self._detail)
        app.router.add_post("/v3.0/oa/quota/message", self._quota)
        app.router.add_get("/pictures/{number}", self._picture)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._released.set()
            for task in self._tasks:
                task.cancel()
            await runner.cleanup()

    def keep_picture(self, picture: bytes) -> str:
        self._pictures.append(picture)
        return f"{self.origin}/pictures/{len(self._pictures) - 1}"

    def new_id(self) -> str:
        return f"{next(self._ids)}"

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if request.headers.get("secret_key") != self.app_secret or form.get("app_id") != self.app_id:
            return _answer({"error": -14002, "error_name": "Invalid app id or secret key"})
        if self.faults.failed_grants:
            self.faults.failed_grants -= 1
            return web.Response(status=500)
        pair = self._exchanged({name: str(value) for name, value in form.items()})
        if pair is None:
            self.refusals += 1
            return _answer({"error": INVALID_REFRESH_TOKEN, "error_name": "Invalid refresh token."})
        self.grants += 1
        self.grant_done.set()
        if self.faults.held_grants is not None:
            await _either(self.faults.held_grants, self._released)
        if self.faults.lost_grants:
            self.faults.lost_grants -= 1
            return await self._hang_up(request)
        return _answer(pair)

    def _exchanged(self, form: dict[str, str]) -> dict[str, str] | None:
        """A new pair; None: what was shown does not work, or not any more."""
        if form.get("grant_type") == "authorization_code":
            known = self._codes.pop(form.get("code", ""), None)
            return self._new_pair() if known is not None and known == form.get("code_verifier", "") else None
        token = form.get("refresh_token", "")
        if token and token == self.refresh_token:
            pair = self._new_pair()
            self._spent[token] = (self.clock(), pair)
            return pair
        spent_at, pair = self._spent.get(token, (None, {}))
        again = spent_at is not None and self.clock() - spent_at < timedelta(seconds=self.grace)
        return pair if again else None

    def _new_pair(self) -> dict[str, str]:
        self.refresh_token, access = self._new_token("refresh"), self._new_token("access")
        self._access[access] = self.clock() + timedelta(seconds=self.access_life)
        return {
            "access_token": access,
            "refresh_token": self.refresh_token,
            "expires_in": f"{self.access_life:.0f}",
        }

    async def _message(self, request: web.Request) -> web.StreamResponse:
        if self.faults.statuses:
            return web.Response(status=self.faults.statuses.popleft(), text="<html>trouble</html>")
        code = self.faults.codes.popleft() if self.faults.codes else self._code_of_token(request)
        if code:
            return _error(code)
        told = await request.json()
        code = self._code_of_message(told)
        if code:
            return _error(code)
        letter = self._delivered(told, request.headers["access_token"])
        if self.faults.silent:
            self.faults.silent -= 1
            await self._released.wait()
        if self.faults.garbage:
            self.faults.garbage -= 1
            return web.Response(text="<html>ok</html>")
        return _answer({"error": 0, "message": "Success", "data": {"message_id": letter.id, "user_id": letter.user}})

    def _code_of_token(self, request: web.Request) -> int:
        end = self._access.get(request.headers.get("access_token", ""))
        if end is None:
            return -216
        return -220 if end <= self.clock() else 0

    def _code_of_message(self, told: dict[str, Any]) -> int:
        """0: it may be delivered."""
        message = told.get("message") or {}
        text, attachment = message.get("text"), message.get("attachment")
        user = (told.get("recipient") or {}).get("user_id")
        if not isinstance(text, str) or not text or not isinstance(user, str):
            return -201
        if len(text) > LONGEST_TEXT:
            return -210
        if attachment is not None and not _is_template(attachment):
            return -201
        if attachment is not None and self.wants_template_type and "template_type" not in attachment["payload"]:
            return -233
        return self._code_of_person(self.people.get(user))

    def _code_of_person(self, person: Person | None) -> int:
        if person is None or (person.spoke_at is None and not person.follows):
            return -213
        if person.blocked:
            return -217
        return 0 if person.spoke_at is not None and self.clock() - person.spoke_at < WINDOW else -230

    def _delivered(self, told: dict[str, Any], token: str) -> Letter:
        message = told["message"]
        buttons = message.get("attachment", {}).get("payload", {}).get("buttons", [])
        letter = Letter(
            id=self.new_id(),
            user=told["recipient"]["user_id"],
            text=message["text"],
            buttons=[(each["title"], each["payload"]) for each in buttons],
            token=token,
        )
        self.letters.append(letter)
        self.letter_came.set()
        if self.receipts:
            receipt = {
                "event_name": "user_received_message",
                "sender": {"id": self.oa_id},
                "recipient": {"id": letter.user},
                "message": {"msg_id": letter.id},
            }
            task = asyncio.create_task(self.tell(receipt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return letter

    async def _detail(self, request: web.Request) -> web.StreamResponse:
        code = self._code_of_token(request)
        person = self.people.get(json.loads(request.query.get("data", "{}")).get("user_id", ""))
        if code or person is None:
            return _error(code or -201)
        return _answer({"error": 0, "data": {"user_id": person.id, "user_is_follower": person.follows}})

    async def _quota(self, request: web.Request) -> web.StreamResponse:
        code = self._code_of_token(request)
        return _error(code) if code else _answer({"error": 0, "data": []})

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["number"])
        if number >= len(self._pictures):
            return web.Response(status=NOT_FOUND)
        return web.Response(body=self._pictures[number], content_type="image/jpeg")

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)

    def _new_token(self, kind: str) -> str:
        return f"{kind}-{secrets.token_urlsafe(24)}"

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)


def _is_template(attachment: dict[str, Any]) -> bool:
    payload = attachment.get("payload") or {}
    buttons = payload.get("buttons")
    return (
        attachment.get("type") == "template"
        and isinstance(buttons, list)
        and 0 < len(buttons) <= MOST_BUTTONS
        and all(0 < len(each.get("title", "")) <= LONGEST_TITLE and each.get("payload") for each in buttons)
    )


def _answer(told: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(told), content_type="text/json")


def _error(code: int) -> web.Response:
    return _answer({"error": code, "message": f"error {code}", "data": ""})


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
