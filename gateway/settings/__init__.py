"""Every setting, with its default, its bounds and what it means; docs/settings.md is printed from here.

The sections are frozen values. How files and environment variables become one of them is gateway.configuration's.
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.settings.answers import (
    AgencySettings,
    DisclosureSettings,
    GuardSettings,
    LookupSettings,
    ProcedureSettings,
    RateLimit,
    ReplySettings,
    TextSettings,
)
from gateway.settings.console import ConsoleSettings
from gateway.settings.intake import IntakeAgency, IntakeSettings
from gateway.settings.kinds import SQLITE_FILE, FileUrl
from gateway.settings.notices import HookKey, NoticeSettings, OfficerSettings, RouteSettings, WatchSettings
from gateway.settings.outside import SourceSettings, WebSettings
from gateway.settings.process import (
    DatabaseSettings,
    GatewaySettings,
    ListenSettings,
    LogSettings,
    RedisSettings,
    RetentionSettings,
)
from gateway.settings.sms import BindSettings, SmsSettings
from gateway.settings.telegram import TelegramSettings
from gateway.settings.zalo import ZaloSettings

__all__ = [
    "SQLITE_FILE",
    "BindSettings",
    "ConsoleSettings",
    "DatabaseSettings",
    "FileUrl",
    "GuardSettings",
    "HookKey",
    "IntakeAgency",
    "IntakeSettings",
    "NoticeSettings",
    "OfficerSettings",
    "RateLimit",
    "RedisSettings",
    "RetentionSettings",
    "RouteSettings",
    "Settings",
    "SmsSettings",
    "SourceSettings",
    "TelegramSettings",
    "WatchSettings",
    "ZaloSettings",
]


class Settings(BaseSettings):
    """All of it. Made by gateway.configuration, which layers the files and the environment first."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix="TRACUU_",
        env_nested_delimiter="__",
    )

    gateway: GatewaySettings
    listen: ListenSettings
    database: DatabaseSettings
    retention: RetentionSettings
    redis: RedisSettings
    lookup: LookupSettings
    guards: GuardSettings
    replies: ReplySettings
    texts: TextSettings
    agencies: AgencySettings
    procedures: ProcedureSettings
    disclosure: DisclosureSettings
    sources: tuple[SourceSettings, ...]
    sms: tuple[SmsSettings, ...]
    telegram: tuple[TelegramSettings, ...]
    zalo: tuple[ZaloSettings, ...]
    notices: NoticeSettings
    web: WebSettings
    console: ConsoleSettings
    intake: IntakeSettings = Field(default_factory=IntakeSettings)
    logs: LogSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library names them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: a value built in a test does not depend on the machine it runs on."""
        return (init_settings,)
