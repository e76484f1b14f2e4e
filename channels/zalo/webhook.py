"""POST /hooks/zalo/<account>: the platform tells what persons did. 200 only when the journal has it.

The platform wants its answer within two seconds. What is not settled by then is answered 503 and comes again with the
same id (after 30 s, 5, 15, 30 and 60 minutes), so that the journal knows it. A genuine call is answered 200 or 503 and
nothing else: five refusals, and the platform turns the webhook off.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from channels.base import Arrival, Inlet, ReportArrival, Settlement
from channels.sparing import Sparing
from channels.zalo.account import ZaloAccount
from channels.zalo.counters import ZaloCounters
from channels.zalo.signature import SIGNATURE, is_genuine, is_timely
from channels.zalo.updates import Received, Said, Skipped, read_timestamp, read_update
from domain.message import Address, DeliveryReport, DeliveryStatus, InboundMessage

CHANNEL: Final = "zalo"
LARGEST_BODY: Final = 65_536
LONGEST_BODY_TIME: Final = 1.0  # seconds for a body to arrive; the answer is due in two
BREAKS = (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError)

log = structlog.get_logger()


class Reason(enum.StrEnum):
    """Why a call is refused; in the log line."""

    AWAY = "away"  # we are leaving, or another process has the account
    TOO_LARGE = "too_large"
    BROKEN_OFF = "broken_off"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    LATE = "late"
    NOT_KEPT = "not_kept"


STATUSES = {
    Reason.AWAY: 503,
    Reason.TOO_LARGE: 413,
    Reason.BROKEN_OFF: 400,
    Reason.UNSIGNED: 401,
    Reason.FORGED: 401,
    Reason.LATE: 401,
    Reason.NOT_KEPT: 503,
}
FORGED = frozenset({Reason.UNSIGNED, Reason.FORGED, Reason.LATE})
MALFORMED = frozenset({Reason.TOO_LARGE, Reason.BROKEN_OFF})


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Settling:
    """One arrival between the inlet and the answer."""

    __slots__ = ("_outcome",)

    def __init__(self) -> None:
        self._outcome: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()

    def settle(self, settlement: Settlement) -> bool:
        """False where the call has been answered without it."""
        if self._outcome.done():
            return False
        self._outcome.set_result(settlement)
        return True

    async def durable(self, within: float) -> bool:
        """It was written down in time; what is settled later is settled for nobody."""
        try:
            async with asyncio.timeout(max(0.0, within)):
                return await self._outcome is Settlement.DURABLE
        except TimeoutError:
            return False


class Webhook:
    """`inlet` is where arrivals go; None: nowhere, and the platform is asked to come again.

    clock: aware moments. new_id: ids for messages that come in.
    """

    def __init__(
        self,
        account: ZaloAccount,
        counters: ZaloCounters,
        *,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inlet: Inlet | None = None
        self._account = account
        self._counters = counters
        self._new_id = new_id
        self._clock = clock
        self._lines = Sparing(monotonic)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def handle(self, request: web.Request) -> web.Response:
        """One call."""
        self._under_way += 1
        self._idle.clear()
        try:
            await self._take(request)
        except _Refused as refused:
            return self._refuse(refused.reason)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        return web.Response(text="ok")

    async def emptied(self) -> None:
        """Wait until every call is answered."""
        await self._idle.wait()

    async def _take(self, request: web.Request) -> None:
        began = asyncio.get_running_loop().time()
        if self.inlet is None:
            raise _Refused(Reason.AWAY)
        body = await _read(request)
        self._judge(request.headers.get(SIGNATURE, ""), body)
        update = read_update(body, self._account.oa_id)
        if isinstance(update, Skipped):
            self._skip(update)
            return
        settling = self._hand_in(self.inlet, update)
        if not await settling.durable(began + self._account.settle_within - asyncio.get_running_loop().time()):
            raise _Refused(Reason.NOT_KEPT)
        self._counters.acknowledged += 1

    def _judge(self, signature: str, body: bytes) -> None:
        if not signature:
            raise _Refused(Reason.UNSIGNED)
        timestamp = read_timestamp(body)
        account = self._account
        genuine = is_genuine(signature, app_id=account.app_id, body=body, timestamp=timestamp, secret=account.oa_secret)
        if not genuine:
            raise _Refused(Reason.FORGED)
        if not is_timely(timestamp, now=self._clock(), longest=account.webhook_age):
            raise _Refused(Reason.LATE)

    def _hand_in(self, inlet: Inlet, update: Said | Received) -> _Settling:
        settling = _Settling()
        if isinstance(update, Received):
            self._counters.receipts += 1
            inlet.report(ReportArrival(self._report(update), settling.settle))
        else:
            self._counters.arrived += 1
            inlet.arrive(Arrival(self._message(update), settling.settle))
        return settling

    def _message(self, said: Said) -> InboundMessage:
        account = self._account
        return InboundMessage(
            id=self._new_id(),
            channel=CHANNEL,
            account=account.name,
            sender=Address(CHANNEL, f"{account.oa_id}.{said.user}"),
            recipient=Address(CHANNEL, account.oa_id),
            text=said.text,
            received_at=self._clock(),
            external_id=said.id,
            media=said.media,
            event=said.event,
        )

    def _report(self, received: Received) -> DeliveryReport:
        return DeliveryReport(
            channel=CHANNEL,
            account=self._account.name,
            external_id=received.id,
            status=DeliveryStatus.DELIVERED,
            received_at=self._clock(),
        )

    def _skip(self, why: Skipped) -> None:
        self._counters.skipped += 1
        if why not in (Skipped.UNKNOWN, Skipped.UNREADABLE):
            return
        self._counters.unknown += 1
        left_out = self._lines.left_out(why.value)
        if left_out is not None:
            log.warning("zalo.update_skipped", account=self._account.name, reason=why.value, left_out=left_out)

    def _refuse(self, reason: Reason) -> web.Response:
        if reason in FORGED:
            self._counters.forged += 1
        elif reason in MALFORMED:
            self._counters.malformed += 1
        else:
            self._counters.refused += 1
        left_out = self._lines.left_out(reason.value)
        if left_out is not None:
            log.warning("zalo.webhook_refused", account=self._account.name, reason=reason.value, left_out=left_out)
        return web.Response(status=STATUSES[reason], text=f"{reason.value}\n")


async def _read(request: web.Request) -> bytes:
    """The body as it was sent, of which no more is taken than may be there."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise _Refused(Reason.TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(LONGEST_BODY_TIME):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise _Refused(Reason.TOO_LARGE)
    except (TimeoutError, *BREAKS) as error:
        raise _Refused(Reason.BROKEN_OFF) from error
    return bytes(body)
