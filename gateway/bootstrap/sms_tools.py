"""What `tracuu sms` holds in hand: accounts and binds as the settings name them, tried one by one beside the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from channels.sms.account import SmppAccount, SmppBind
from channels.sms.binding import account_of, binds_of
from channels.sms.numbers import is_persons, normalise
from channels.sms.probing import probe
from channels.sms.steps import Step
from channels.sms.trial import send
from domain.errors import StoreError
from domain.message import Address, Category, OutboundMessage
from domain.text import nfc, unaccent
from gateway.bootstrap.looking import standing
from gateway.bootstrap.store import utc_now
from gateway.bootstrap.talking import smpp_account
from gateway.settings import Settings, SmsSettings
from gateway.sms_command import ListedBind

WORTH = timedelta(hours=1)  # a message that was tried is of use for so long


def list_sms(settings: Settings) -> Sequence[ListedBind]:
    """Every bind of every account; nothing is connected."""
    accounts = [smpp_account(each) for each in settings.sms]
    return [_listed(account, bind) for account in accounts for bind in binds_of(account)]


def probe_sms(account: SmsSettings, bind: str) -> AsyncIterator[Step]:
    """Try the binds of an account, or the one named."""
    return probe(smpp_account(account), only=bind, clock=utc_now)


def send_sms(
    account: SmsSettings, number: str, text: str, *, sender: str, accents: bool, waiting: float
) -> AsyncIterator[Step]:
    """Send one message to a number as `persons_number` gives it; follow its reports."""
    smpp = smpp_account(account)
    now = utc_now()
    message = OutboundMessage(
        id=0,
        channel="sms",
        account=smpp.name,
        category=Category.REPLY,
        recipient=Address("sms", number),
        sender=Address("sms", sender or smpp.short_code),
        text=nfc(text) if accents else unaccent(text),
        created_at=now,
        expires_at=now + WORTH,
    )
    return send(smpp, message, clock=utc_now, waiting=waiting)


async def sms_holder(settings: Settings, account: str) -> str:
    """Who serves this account now, as the store says, in words; empty: nobody."""
    try:
        told = await standing(settings)
    except StoreError as error:
        return f"whether a gateway holds this account now is not known: {error}"
    number = next((held.process for held in told.leases if held.lease == f"sms {account}"), None)
    if number is None:
        return ""
    host = next((each.host for each in told.processes if each.number == number), "")
    return f"process {number}{f' on {host}' if host else ''} holds this account now; the operator may refuse more binds"


def persons_number(written: str) -> str:
    """The number of a person in the form it leaves in; empty: nobody can have it."""
    number = normalise(written)
    return number if number.isdecimal() and is_persons(number) else ""


def _listed(account: SmppAccount, bind: SmppBind) -> ListedBind:
    shown = account_of(account, bind)
    return ListedBind(
        account=account.name,
        bind=bind.name,
        mode=bind.mode,
        host=f"{shown.host}:{shown.port}",
        tls=shown.tls is not None,
        system_id=shown.system_id,
        number=account.short_code,
        brand_name=account.brand_name,
        rate=account.rate,
        window=shown.window,
    )
