"""By which SMS account something unasked leaves: the settings' part of notifications.routing."""

from __future__ import annotations

from collections.abc import Mapping

from domain.message import Address
from gateway.settings import Settings, SmsSettings
from notifications.ports import LastAccounts
from notifications.routing import SMS, Reached, Routes, Routing


def account_for_notices(settings: Settings) -> SmsSettings | None:
    """By which people are told who never wrote to us, and whom no route fits; None: there is no account at all."""
    named = [each for each in settings.sms if each.name == settings.notices.account]
    return next(iter(named or settings.sms), None)


def make_routing(settings: Settings, heard: LastAccounts | None) -> Routing:
    """`heard` None: nobody is asked who wrote by which account, and the number alone decides."""
    account = account_for_notices(settings)
    if account is None:
        return Routing()
    return Routing(
        lines={each.name: reached_by(each) for each in settings.sms},
        routes=make_routes(settings, account.name),
        heard=heard,
    )


def make_routes(settings: Settings, default: str) -> Routes:
    """The table of the settings."""
    by_prefix = {prefix: route.account for route in settings.notices.route for prefix in route.prefixes}
    return Routes(by_prefix=by_prefix, default=default)


def reached_by(account: SmsSettings) -> Reached:
    """How somebody is reached over an SMSC account."""
    return Reached(
        channel=SMS,
        account=account.name,
        sender=Address(SMS, account.short_code),
        name=Address(SMS, account.brand_name) if account.brand_name else None,
    )


def names_of(settings: Settings) -> Mapping[str, Address]:
    """By account, the registered name its notices leave under; those without one are absent."""
    return {each.name: Address(SMS, each.brand_name) for each in settings.sms if each.brand_name}


def carriers(settings: Settings) -> frozenset[str]:
    """The accounts that carry what is sent to many, as far as the numbers tell: learnt ways are left out of an estimate."""
    account = account_for_notices(settings)
    return frozenset() if account is None else make_routes(settings, account.name).accounts
