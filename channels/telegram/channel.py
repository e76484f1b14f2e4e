"""The Telegram channel: one bot, its updates by polling or webhook, talking in the gateway's words."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from telegram import BotCommand
from telegram.error import Conflict, InvalidToken, TelegramError

from channels.base import Health, Inlet, RouteDef
from channels.telegram.account import TelegramAccount, UpdatesBy
from channels.telegram.bot import make_application, make_bot
from channels.telegram.calling import LOOK_EVERY, Calling
from channels.telegram.counters import TelegramCounters
from channels.telegram.deep_links import deep_link
from channels.telegram.pacing import Pacing
from channels.telegram.pictures import fetch_picture
from channels.telegram.polling import Polling
from channels.telegram.request import Throttled
from channels.telegram.sending import Sending
from channels.telegram.taking import Taking
from channels.telegram.texts import fits
from channels.telegram.updates import ALLOWED, CHANNEL, Me, Reader
from channels.telegram.verdicts import MUCH_LATER
from channels.telegram.webhook import Webhook
from domain.errors import CredentialsRefused, PictureUnavailable
from domain.message import Capabilities, OutboundMessage, SendResult, SendStatus

UNLIMITED_RATE = 10_000.0  # messages a second told to the claim loop where the account sets no limit

Menus = Mapping[str, Sequence[tuple[str, str]]]
log = structlog.get_logger()


class TelegramChannel:
    """A `channels.base.Channel` over the Bot API.

    Args:
        account: which bot, and how.
        new_id: ids for messages that come in (domain.ids).
        clock: the time of day, with its zone.
        menus: by language ("" for everybody else), the commands and what they do, as the "/" menu shows them.
        sleep: how to wait.
        spread: a number in [0, 1), anew each time, so that many gateways do not come back at once.
    """

    def __init__(
        self,
        account: TelegramAccount,
        *,
        new_id: Callable[[], int],
        clock: Callable[[], datetime],
        menus: Menus | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self.counters = TelegramCounters()
        self._account = account
        self._new_id = new_id
        self._clock = clock
        self._menus = menus or {}
        self._sleep = sleep
        self._spread = spread
        self._log = log.bind(account=account.name)
        self._bot = make_bot(account)
        self._application = make_application(self._bot)
        self._taking = Taking(self._application, self.counters, account=account.name)
        self._sending = Sending(
            self._bot,
            Pacing(rate=account.rate, per_chat=account.per_chat, per_group=account.per_group),
            self.counters,
            account=account.name,
            clock=time.monotonic,
            sleep=sleep,
            on_token_refused=self._refused,
        )
        self._polling = Polling(self._bot, self._taking, self.counters, timeout=account.poll_timeout, sleep=sleep)
        self._calling = Calling(self._bot, account, clock=clock)
        self._inlet: Inlet | None = None
        self._opening = asyncio.Lock()
        self._opened = False
        self._leaving = False
        self._token_refused = False
        self._stop = asyncio.Event()  # one of these two
        self._live = False  # updates come: the last poll was answered, or the webhook is set
        self._last_error = ""

    @property
    def name(self) -> str:
        return CHANNEL

    @property
    def account(self) -> str:
        return self._account.name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(accents=self._account.accents, buttons=True, media=True)

    @property
    def rate(self) -> float:
        return self._account.rate if self._account.rate > 0 else UNLIMITED_RATE

    @property
    def ready(self) -> bool:
        return self._live and not self._leaving and not self._sending.paused

    def fits(self, text: str) -> bool:
        return fits(text)

    def routes(self) -> Iterable[RouteDef]:
        if self._account.updates is not UpdatesBy.WEBHOOK:
            return ()
        webhook = Webhook(
            self._taking,
            self.counters,
            account=self._account.name,
            secret=self._account.webhook_secret,
            ready=self._open,
        )
        return (webhook.route(),)

    def attach(self, inlet: Inlet) -> None:
        """Take in what the webhook brings although another process holds the account; `close` when all ends."""
        self._inlet = inlet

    def deep_link(self, text: str) -> str | None:
        """The link that opens this bot and says `text`; None where no link can, or while nobody knows the bot's name."""
        return deep_link(self._username, text) if self._username else None

    @property
    def address(self) -> str:
        """Where this bot is found, a https URL; empty while nobody knows its name."""
        return f"https://t.me/{self._username}" if self._username else ""

    @property
    def _username(self) -> str:
        return self._bot.username if self._taking.is_open else self._account.username

    async def fetch(self, reference: str) -> bytes:
        """A picture that came in, by its reference.

        Raises:
            PictureUnavailable: it cannot be had.
        """
        largest, time_limit = self._account.largest_picture, self._account.fetch_timeout
        try:
            picture = await fetch_picture(self._bot, reference, largest=largest, time_limit=time_limit)
        except PictureUnavailable:
            self.counters.pictures_refused += 1
            raise
        self.counters.pictures += 1
        return picture

    async def send(self, batch: Sequence[OutboundMessage]) -> Sequence[SendResult]:
        """Send many. Results come in the order of the batch."""
        if self._leaving or self._token_refused:
            return [self._not_now(message) for message in batch]
        return await self._sending.send(batch)

    async def run(self, inlet: Inlet) -> None:
        """Take updates until cancelled or drained; what fails is tried again after a growing, jittered delay.

        Raises:
            CredentialsRefused: Telegram does not take our token.
        """
        self.attach(inlet)
        attempt = 0
        try:
            while not self._stop.is_set():
                try:
                    await self._live_once()
                except InvalidToken:  # not told on: its words hold the token
                    self._refused()
                except TelegramError as error:
                    attempt = 0 if self._live else attempt
                    await self._rest(error, attempt)
                    attempt += 1
            await self._sending.emptied()  # what is under way needs the connections that are let go of below
            if self._token_refused:
                raise CredentialsRefused(
                    f"Telegram does not take the token of account {self._account.name}; correct it before starting again"
                )
        finally:
            self._live = self._leaving = self._token_refused = False
            self._stop.clear()  # it may run again: another process had the account meanwhile
            await self.close()

    async def drain(self) -> None:
        """Take nothing new in, finish what is under way; afterwards `run` returns."""
        self._leaving = True
        self._stop.set()
        await self._sending.emptied()
        await self._taking.closed()

    async def close(self) -> None:
        """Let go of every connection; what is used afterwards opens again."""
        async with self._opening:
            self._opened = False
            await self._application.shutdown()
            await self._bot.shutdown()
            await self._bot.close_connections()

    async def health(self) -> Health:
        counters = self.counters
        parts = [
            f"{self._account.updates.value} {'live' if self._live else 'away'}",
            f"sending {self._sending.under_way}",
            f"throttled {counters.throttled}",
            f"given up {counters.given_up}",
        ]
        if self._account.updates is UpdatesBy.WEBHOOK:
            parts.append(f"waiting {self._calling.waiting}" + (", webhook failing" if self._calling.failing else ""))
        if self._last_error:
            parts.append(f"last error {self._last_error}")
        return Health(ok=self._live, detail=", ".join(parts))

    async def _live_once(self) -> None:
        """Say who we are, then take updates until something fails or we leave."""
        if not await self._unless_stopped(self._prepare()):
            return
        if self._account.updates is UpdatesBy.WEBHOOK:
            self._came_alive()
            while await self._unless_stopped(self._sleep(LOOK_EVERY)) and await self._calling.is_ours():
                pass
            return
        while await self._unless_stopped(self._polling.once(wait=self._live, on_answer=self._came_alive)):
            pass

    async def _prepare(self) -> None:
        account = self._account
        await self._open_bot()
        await self._set_menus()
        if account.updates is UpdatesBy.WEBHOOK:
            await self._bot.set_webhook(
                account.webhook_url,
                secret_token=account.webhook_secret,
                allowed_updates=ALLOWED,
                max_connections=account.max_connections,
            )
        else:
            await self._bot.delete_webhook()  # Telegram answers no poll while it has a webhook

    async def _open(self) -> bool:
        """Whether updates can be taken in now; they cannot before it is known who we are."""
        if self._inlet is None or self._leaving:
            return False
        if not self._opened:
            if self._opening.locked():
                return False
            try:
                await self._open_bot()
            except TelegramError as error:
                self._note(error)
                return False
        return True

    async def _open_bot(self) -> None:
        async with self._opening:
            await self._application.initialize()
            if self._inlet is not None:
                me = Me(id=self._bot.id, username=self._bot.username.lower())
                self._taking.open(Reader(self._account.name, me, self._new_id, self._clock), self._inlet)
                self._opened = True

    async def _set_menus(self) -> None:
        """The menu is a convenience: without it everything can still be typed."""
        try:
            for language, commands in self._menus.items():
                menu = [BotCommand(command, what) for command, what in commands]
                await self._bot.set_my_commands(menu, language_code=language or None)
        except InvalidToken:
            raise
        except TelegramError as error:
            self._log.warning("telegram.menu_refused", error=type(error).__name__)

    def _came_alive(self) -> None:
        if not self._live:
            self._log.info("telegram.live", updates=self._account.updates.value)
        self._live, self._last_error = True, ""

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Do this, unless we are to stop before it is done; False: we are."""
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return not self._stop.is_set()
        finally:
            for task in (doing, stopping):
                task.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)

    async def _rest(self, error: TelegramError, attempt: int) -> None:
        """Wait before the next attempt."""
        self._live = False
        self._note(error)
        account = self._account
        if isinstance(error, Throttled):
            delay = error.seconds
        else:
            delay = min(account.reconnect_cap, account.reconnect_first * 2.0 ** min(attempt, 32))
            delay *= 0.5 + self._spread() / 2
        self._log.warning("telegram.away", error=self._last_error, seconds=round(delay, 1), attempt=attempt + 1)
        await self._unless_stopped(self._sleep(delay))

    def _note(self, error: TelegramError) -> None:
        self._last_error = "another_takes_updates" if isinstance(error, Conflict) else type(error).__name__
        self.counters.polls_failed += self._account.updates is UpdatesBy.POLLING

    def _refused(self) -> None:
        """Trying again with the same token would not help."""
        if not self._token_refused:
            self._log.error("telegram.token_refused")
        self._token_refused = True
        self._live = False
        self._stop.set()

    def _not_now(self, message: OutboundMessage) -> SendResult:
        reason = "token_refused" if self._token_refused else "leaving"
        return SendResult(message_id=message.id, status=SendStatus.RETRY, reason=reason, retry_after=MUCH_LATER)
