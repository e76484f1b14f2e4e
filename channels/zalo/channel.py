"""The Zalo channel: one Official Account, talking in the gateway's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from channels.base import Health, Inlet, RouteDef
from channels.zalo import wording
from channels.zalo.account import ZaloAccount
from channels.zalo.api import ZaloApi
from channels.zalo.counters import ZaloCounters
from channels.zalo.pictures import PictureRefused, Pictures
from channels.zalo.ports import ZaloTokens
from channels.zalo.renewing import SurvivingRenewer
from channels.zalo.sending import LATER, Sending
from channels.zalo.tokens import TokenKeeper
from channels.zalo.webhook import CHANNEL, Webhook
from domain.message import Capabilities, OutboundMessage, SendResult, SendStatus


class ZaloChannel:
    """A `channels.base.Channel` over the Official Account API, version 3.

    Args:
        account: where and as whom.
        tokens: where tokens are kept; a refresh token works once.
        new_id: ids for messages that come in (domain.ids).
        clock: the time of day, with its zone.
        spool: a directory in which a new pair is kept until it is saved, so that killing us loses none; None: nowhere.
        sleep: how to wait for a turn, and between two looks at the tokens.
    """

    def __init__(
        self,
        account: ZaloAccount,
        *,
        tokens: ZaloTokens,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        spool: Path | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.counters = ZaloCounters()
        self._account = account
        self._capabilities = Capabilities(accents=account.accents, buttons=account.buttons, reports=True, media=True)
        self._api = ZaloApi(account)
        self._pictures = Pictures(account)
        renewer = self._api if spool is None else SurvivingRenewer(account, spool)
        self._keeper = TokenKeeper(
            account, tokens, renewer, self.counters, clock=clock, monotonic=time.monotonic, sleep=sleep
        )
        self._sending = Sending(account, self._api, self._keeper, self.counters, monotonic=time.monotonic, sleep=sleep)
        self._webhook = Webhook(account, self.counters, new_id=new_id, clock=clock)
        self._attached: Inlet | None = None
        self._running = False
        self._leaving = False

    @property
    def name(self) -> str:
        return CHANNEL

    @property
    def account(self) -> str:
        return self._account.name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def rate(self) -> float:
        return self._account.rate

    @property
    def ready(self) -> bool:
        return self._running and not self._leaving and not self._sending.paused and bool(self._keeper.token)

    def fits(self, text: str) -> bool:
        return wording.fits(text)

    def routes(self) -> Iterable[RouteDef]:
        return (
            RouteDef(
                method="POST",
                path=f"/hooks/zalo/{self.account}",
                handler=self._webhook.handle,
                summary="Zalo tells what persons did; signed.",
            ),
        )

    def attach(self, inlet: Inlet) -> None:
        """Take in what the webhook brings although another process holds the account; `close` when all ends."""
        self._attached = self._webhook.inlet = inlet

    async def run(self, inlet: Inlet) -> None:
        """Take calls of the webhook and keep the tokens fresh, until cancelled. Refused tokens end nothing: what comes
        in is still answered as soon as a person has authorised us again.
        """
        self._webhook.inlet = inlet
        self._running = True
        try:
            await self._keeper.keep()
        finally:
            self._running = False
            self._leaving = False  # it may run again: another process had the account meanwhile
            self._webhook.inlet = self._attached
            await self.close()

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """Hand over many. Results come person by person."""
        if self._leaving or not self._running:
            return [
                SendResult(message_id=each.id, status=SendStatus.RETRY, reason="not_running", retry_after=LATER)
                for each in batch
            ]
        return await self._sending.send(batch)

    async def fetch(self, reference: str) -> bytes:
        """The picture of a message that came in, by its `media.reference`.

        Raises:
            PictureRefused: a ChannelError; it cannot be had.
        """
        try:
            picture = await self._pictures.fetch(reference)
        except PictureRefused:
            self.counters.pictures_refused += 1
            raise
        self.counters.pictures += 1
        return picture

    async def close(self) -> None:
        """Let go of every connection; what is used afterwards opens again."""
        await self._api.close()
        await self._pictures.close()

    async def drain(self) -> None:
        """Take nothing new in, answer what was taken, finish what is being sent, save tokens that are under way."""
        self._leaving = True
        self._webhook.inlet = None
        await self._webhook.emptied()
        await self._sending.emptied()
        await self._keeper.finish()

    @property
    def authorisation_days_left(self) -> float | None:
        """Days until a person has to authorise us again, if tokens are not renewed; None: nobody ever has."""
        return self._keeper.days_left

    async def health(self) -> Health:
        """Well while it can send; the line also says what a person has to mend before long."""
        token = bool(self._keeper.token)
        parts = [
            "running" if self._running else "not running",
            "authorised" if token else "no access token",
            *(trouble for trouble in (self._keeper.trouble, self._sending.trouble) if trouble),
            f"accepted {self.counters.accepted}",
            f"throttled {self.counters.throttled}",
        ]
        return Health(ok=self._running and token, detail=", ".join(parts))
