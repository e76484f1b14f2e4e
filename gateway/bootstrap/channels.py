"""Every way people talk with us, as the settings say: SMS, Telegram, Zalo; and the pictures they send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from channels.base import Channel, Inlet
from channels.media import PictureLimits, PictureReader, PictureRefused, Refusal
from channels.sms.channel import SmsChannel
from channels.sparing import Sparing
from channels.zalo.channel import ZaloChannel
from domain.catalogue import Catalogue
from domain.errors import ChannelError, PictureUnavailable
from domain.message import InboundMessage
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.talking import make_sms
from gateway.bootstrap.telegram import make_telegram
from gateway.bootstrap.zalo import make_zalo
from gateway.metrics import Metrics
from gateway.settings import Settings, ZaloSettings

if TYPE_CHECKING:
    from channels.telegram.channel import TelegramChannel

log = structlog.get_logger()

COMMANDS = ("help", "ds", "dung", "bat", "vi", "en", "km")  # of a bot's menu, as they are typed
NOTHING_IN_IT = frozenset({Refusal.NOT_A_PICTURE, Refusal.DAMAGED})  # looked at, and there is no code


class Chat(Channel, Protocol):
    """A channel that pictures come by, and calls of a webhook, whoever holds it."""

    def attach(self, inlet: Inlet) -> None: ...

    async def close(self) -> None: ...

    async def fetch(self, reference: str) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """All accounts of the settings, whoever holds them: what may be said over each is known without being connected."""

    sms: Sequence[SmsChannel]
    telegram: Sequence[TelegramChannel]
    zalo: Sequence[ZaloChannel]

    @property
    def all(self) -> Sequence[Channel]:
        return (*self.sms, *self.telegram, *self.zalo)

    @property
    def chats(self) -> Sequence[Chat]:
        return (*self.telegram, *self.zalo)


def make_channels(
    settings: Settings,
    catalogue: Catalogue,
    opened: OpenStore,
    new_id: Callable[[], int],
    stack: AsyncExitStack,
) -> Channels:
    """Nothing is connected yet.

    Raises:
        SettingsError: an account cannot work as configured.
    """
    clock = opened.clock
    channels = Channels(
        sms=make_sms(settings.sms, opened.store, new_id, clock),
        telegram=make_telegram(settings.telegram, settings.web.base_url, menus(catalogue), new_id, clock),
        zalo=[
            make_zalo(with_spool(each, settings), opened.store.zalo_tokens(), new_id=new_id, clock=clock)
            for each in settings.zalo
        ],
    )
    for each in channels.chats:
        stack.push_async_callback(each.close)
    return channels


def with_spool(account: ZaloSettings, settings: Settings) -> ZaloSettings:
    """A refresh token works once: where nothing else was said, a new pair is kept beside our own SQLite file until it is
    saved, so that killing the process loses none.
    """
    if account.spool is not None or settings.database.shared:
        return account
    return account.model_copy(update={"spool": settings.database.path.parent})


def menus(catalogue: Catalogue) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The commands of a bot with what each does, by language; "" stands for every other."""
    by_language = {language: _menu(catalogue, language) for language in catalogue.languages}
    return {"": by_language[catalogue.default], **by_language}


def _menu(catalogue: Catalogue, language: str) -> Sequence[tuple[str, str]]:
    offered = [name for name in COMMANDS if name not in ("vi", "en", "km") or name in catalogue.languages]
    return [(name, catalogue.text(language, f"chat.command.{name}")) for name in offered]


class ChatPictures:
    """Implements conversation.ports.Pictures: fetched by the channel a picture came by, looked at in a process apart.
    What cannot be had is told in the log here, whichever channel it is: its sender reads no more than "type the code".
    """

    def __init__(
        self, channels: Sequence[Chat], reader: PictureReader, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._channels = {channel.account: channel for channel in channels}
        self._reader = reader
        self._lines = Sparing(monotonic)

    async def texts(self, message: InboundMessage) -> Sequence[str]:
        try:
            return await self._read(message)
        except ChannelError as fault:
            self._tell(message.account, str(fault))
            raise PictureUnavailable(str(fault)) from fault

    async def _read(self, message: InboundMessage) -> Sequence[str]:
        channel = self._channels.get(message.account)
        if channel is None or message.media is None:
            raise PictureUnavailable("this account brings no pictures")
        picture = await channel.fetch(message.media.reference)
        try:
            return await self._reader.read(picture)
        except PictureRefused as refused:
            if refused.refusal in NOTHING_IN_IT:
                return ()
            raise

    def _tell(self, account: str, reason: str) -> None:
        left_out = self._lines.left_out(account)
        if left_out is not None:
            log.warning("media.unavailable", account=account, reason=reason, left_out=left_out)


def make_pictures(channels: Channels, stack: AsyncExitStack) -> ChatPictures | None:
    """None where no chat is configured: then nothing that reads pictures is started."""
    if not channels.chats:
        return None
    reader = PictureReader(PictureLimits())
    stack.push_async_callback(reader.close)
    return ChatPictures(channels.chats, reader)


def read_counters(metrics: Metrics, channels: Channels, held: frozenset[str]) -> None:
    """What the accounts this process may hold have seen since the start."""
    sms = [each for each in channels.sms if each.account in held]
    for name, reader in SMS_READERS.items():
        metrics.read(name, partial(_readings, reader, sms))
    metrics.read("sms_events", lambda: _events(sms))
    metrics.read("telegram_events", lambda: _events(each for each in channels.telegram if each.account in held))
    metrics.read("zalo_events", lambda: _events(each for each in channels.zalo if each.account in held))
    metrics.read("zalo_days_left", lambda: _days_left(each for each in channels.zalo if each.account in held))


Reading = Mapping[tuple[str, ...], float]


def _binds(channel: SmsChannel) -> Reading:
    return {(channel.account, each.name, each.mode): each.bound for each in channel.binds_now()}


def _windows_used(channel: SmsChannel) -> Reading:
    binds = channel.binds_now()
    return {(channel.account, each.name): each.in_flight for each in binds if each.mode.transmits}


def _windows(channel: SmsChannel) -> Reading:
    return {(channel.account, each.name): each.window for each in channel.binds_now() if each.mode.transmits}


def _rate_now(channel: SmsChannel) -> Reading:
    return {(channel.account,): channel.rate_now} if channel.rate_now else {}


def _rate_agreed(channel: SmsChannel) -> Reading:
    return {(channel.account,): channel.rate} if channel.rate_now else {}


def _paused(channel: SmsChannel) -> Reading:
    return {(channel.account,): channel.paused}


SMS_READERS: Mapping[str, Callable[[SmsChannel], Reading]] = {
    "sms_bind": _binds,
    "sms_window_used": _windows_used,
    "sms_window_size": _windows,
    "sms_rate": _rate_now,
    "sms_rate_agreed": _rate_agreed,
    "sms_paused": _paused,
}


def _readings(reader: Callable[[SmsChannel], Reading], channels: Iterable[SmsChannel]) -> Reading:
    return {labels: value for channel in channels for labels, value in reader(channel).items()}


def _days_left(accounts: Iterable[ZaloChannel]) -> Mapping[tuple[str, ...], float]:
    """Nothing of an account that another process holds, or nobody has authorised."""
    left = {each.account: each.authorisation_days_left for each in accounts}
    return {(account,): days for account, days in left.items() if days is not None}


def _events(channels: Iterable[SmsChannel | TelegramChannel | ZaloChannel]) -> Mapping[tuple[str, ...], float]:
    return {(each.account, event): count for each in channels for event, count in asdict(each.counters).items()}
