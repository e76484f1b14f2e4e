"""Zalo accounts, from their settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from channels.zalo.account import ZaloAccount
from channels.zalo.channel import ZaloChannel
from channels.zalo.ports import ZaloTokens
from gateway.settings.zalo import ZaloSettings


def make_zalo(
    settings: ZaloSettings, tokens: ZaloTokens, *, new_id: Callable[[], int], clock: Callable[[], datetime]
) -> ZaloChannel:
    """One account's channel."""
    return ZaloChannel(zalo_account(settings), tokens=tokens, new_id=new_id, clock=clock, spool=settings.spool)


def zalo_account(settings: ZaloSettings) -> ZaloAccount:
    """The same in the channel's words."""
    seed = settings.refresh_token
    return ZaloAccount(
        name=settings.name,
        app_id=settings.app_id,
        oa_id=settings.oa_id,
        oa_secret=settings.oa_secret.get_secret_value(),
        app_secret=settings.app_secret.get_secret_value(),
        refresh_token=seed.get_secret_value() if seed is not None else "",
        api_url=settings.api_url,
        oauth_url=settings.oauth_url,
        accents=settings.accents,
        buttons=settings.buttons,
        template_type=settings.template_type,
        rate=settings.rate,
        per_user=settings.per_user,
        connections=settings.connections,
        throttle_pause=settings.throttle_pause,
        timeout=settings.timeout_s,
        connect_timeout=settings.connect_timeout_s,
        webhook_age=timedelta(hours=settings.webhook_age_h),
        refresh_life=timedelta(days=settings.refresh_life_days),
        alarm_before=timedelta(days=settings.alarm_days),
        media_hosts=settings.media_hosts,
        media_max_bytes=settings.media_max_bytes,
        media_timeout=settings.media_timeout_s,
    )
