"""POST /hooks/onestop/<source>: a one-stop system says which dossiers changed. What became of them is read from it, so
that a call tells nothing but "look at these", and only a durable one is answered 2xx.

What is cheap is judged first: the headers before the body is read, the signature before it is parsed, all of it before
the store is asked. So a flood of forged calls costs parsing their headers and, for bodies within bounds, a MAC each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Protocol

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from adapters.onestop.hook_lines import HookLines
from adapters.onestop.hook_payloads import Named, PayloadFault, read_payload
from adapters.onestop.hook_refusals import BODY_TIMEOUT_S, LARGEST_BODY, Reason, Trouble, refusal_response
from adapters.onestop.hook_signature import (
    SIGNATURE,
    SUBJECT,
    Doubt,
    Signature,
    SigningKey,
    doubt_of,
    is_genuine,
    read_signature,
)
from adapters.onestop.notes import Count, no_count
from domain.calendar import local_day
from domain.code_legacy import LegacyPattern
from domain.codes import DossierCode
from domain.errors import StoreError

CONTENT_TYPES = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"})
MOST_BODIES = 16  # read and checked at a time: with their largest size, what a flood may hold of our memory
LARGE = 32_768  # bytes from which a body is checked in a thread, so that nobody waits for it
MOST_REMEMBERED = 4_096  # calls taken, that need not be asked of the store when they are replayed
BREAKS = (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError)
ACCEPTED = "accepted"
STRANGER = "?"  # in figures and lines: a source nobody configured, whose name a stranger made up


class Keep(Protocol):
    """notifications.ports.Notices.look."""

    async def __call__(
        self, source: str, codes: Sequence[DossierCode], *, nonce: str, keep_until: datetime
    ) -> bool: ...


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def nobody_waits(_: str) -> None:
    """Wakes nobody."""


class Hooks:
    """The webhook of every source that has keys. `keys`: by source, one or two. `keep` writes what is to be looked at.

    `on_heard` is called with a source's name when there is something to look at. `count`: (result, source). `clock`
    gives aware moments. `patience`: seconds for a body to arrive.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Sequence[SigningKey]],
        keep: Keep,
        clock: Callable[[], datetime],
        legacy: Sequence[LegacyPattern] = (),
        count: Count = no_count,
        on_heard: Callable[[str], None] = nobody_waits,
        lines: HookLines | None = None,
        patience: float = BODY_TIMEOUT_S,
    ) -> None:
        self._keys = keys
        self._keep = keep
        self._clock = clock
        self._legacy = legacy
        self._count = count
        self._on_heard = on_heard
        self._lines = lines or HookLines()
        self._patience = patience
        self._places = asyncio.Semaphore(MOST_BODIES)
        self._taken: dict[tuple[str, str], None] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """One call: 202 with how many dossiers are looked at, or a problem; see REFUSALS."""
        source = request.match_info["source"]
        keys = self._keys.get(source)
        if keys is None:
            return self._refuse(STRANGER, Trouble.UNKNOWN_SOURCE)
        try:
            named = await self._take(request, source, keys)
        except _Refused as refused:
            return self._refuse(source, refused.reason)
        self._on_heard(source)
        self._count(ACCEPTED, source)
        self._lines.accepted(source, len(named.codes), named.unknown)
        return web.json_response({"accepted": len(named.codes), "unknown": named.unknown}, status=202)

    def _refuse(self, source: str, reason: Reason) -> web.Response:
        self._count(reason.value, source)
        self._lines.refused(source, reason.value)
        return refusal_response(reason, self._clock())

    async def _take(self, request: web.Request, source: str, keys: Sequence[SigningKey]) -> Named:
        _judge_headers(request)
        signature = _judged_signature(request.headers, keys, self._clock())
        async with self._place():
            body = await self._read(request)
            check = partial(self._checked, signature, keys, body, _signed_subject(request.headers))
            named = await asyncio.to_thread(check) if len(body) > LARGE else check()
        await self._keep_once(source, signature, named)
        return named

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise _Refused(Trouble.BUSY) from error
        try:
            yield
        finally:
            self._places.release()

    async def _read(self, request: web.Request) -> bytes:
        """The body, of which no more is taken than may be there; `request.read` has the limit of citizens' forms."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._patience):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        raise _Refused(Trouble.TOO_LARGE)
        except TimeoutError as error:
            raise _Refused(Trouble.SLOW) from error
        except BREAKS as error:
            raise _Refused(Trouble.BROKEN_OFF) from error
        return bytes(body)

    def _checked(self, signature: Signature, keys: Sequence[SigningKey], body: bytes, subject: str | None) -> Named:
        if not is_genuine(signature, keys, body):
            raise _Refused(Doubt.FORGED)
        try:
            return read_payload(body, today=local_day(self._clock()), legacy=self._legacy, subject=subject)
        except PayloadFault as fault:
            raise _Refused(fault.misfit) from fault

    async def _keep_once(self, source: str, signature: Signature, named: Named) -> None:
        """What is remembered here only spares the store a question; the store is asked about everything else."""
        once = (source, signature.once)
        if once in self._taken:
            raise _Refused(Trouble.REPLAYED)
        try:
            is_new = await self._keep(source, named.codes, nonce=signature.once, keep_until=signature.kept_until)
        except StoreError as error:
            raise _Refused(Trouble.NOT_KEPT) from error
        self._remember(once)
        if not is_new:
            raise _Refused(Trouble.REPLAYED)

    def _remember(self, once: tuple[str, str]) -> None:
        self._taken[once] = None
        if len(self._taken) > MOST_REMEMBERED:
            del self._taken[next(iter(self._taken))]  # the oldest


def _judge_headers(request: web.Request) -> None:
    if request.body_exists and request.content_type not in CONTENT_TYPES:
        raise _Refused(Trouble.CONTENT_TYPE)
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise _Refused(Trouble.CONTENT_ENCODING)
    if (request.content_length or 0) > LARGEST_BODY:
        raise _Refused(Trouble.TOO_LARGE)


def _judged_signature(headers: Mapping[str, str], keys: Sequence[SigningKey], now: datetime) -> Signature:
    """As far as it can be judged without the body."""
    signature = read_signature(headers)
    if isinstance(signature, Doubt):
        raise _Refused(signature)
    doubt = doubt_of(signature, keys, now)
    if doubt is not None:
        raise _Refused(doubt)
    return signature


def _signed_subject(headers: Mapping[str, str]) -> str | None:
    """Of a CloudEvent in binary mode; Standard Webhooks sign no header, so that theirs is not believed."""
    return headers.get(SUBJECT) if SIGNATURE in headers else None
