"""Who is told of incidents and how they are reached; `tracuu incident report`, the twin of the console's button."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from adapters.store.heard import StoreLastAccounts
from adapters.store.incidents import StoreIncidents
from adapters.store.outside import OutsideSteps
from console.accounts.ports import AuditEntry
from console.health.ports import TooMany
from console.health.reporting import (
    ACTION,
    MOST_AN_HOUR,
    MOST_SEGMENTS,
    Outlet,
    Reroute,
    clean,
    make_report,
    messages_of,
)
from domain.calendar import LOCAL_ZONE
from domain.ids import IdSequence
from domain.message import Address
from gateway.bootstrap.console_texts import read_console_texts
from gateway.bootstrap.desk import dialect_of, outside
from gateway.bootstrap.routing import make_routing
from gateway.bootstrap.store import utc_now
from gateway.incident_command import NOBODY, IncidentFault, ReportedIncident
from gateway.settings import Settings
from notifications.ports import LastAccounts

LOGIN = "tracuu"  # who did it, as the audit log says


def make_outlets(settings: Settings) -> Sequence[Outlet]:
    """How each recipient of the settings is reached, over the first account of its channel or, a number, the one its
    beginning says; those that cannot be are left out (`tracuu check-config` names them).
    """
    recipients = map(Address.from_urn, settings.console.incident_recipients)
    return [outlet for each in recipients for outlet in _OUTLETS[each.scheme](settings, each)]


def make_reroute(settings: Settings, heard: LastAccounts) -> Reroute:
    """Numbers, by the account they wrote by last."""
    routing = make_routing(settings, heard)

    async def reroute(outlets: Sequence[Outlet]) -> Sequence[Outlet]:
        ways = await routing.reach(dict.fromkeys(each.recipient for each in outlets))
        return [
            replace(each, account=way.account, sender=way.unasked) if (way := ways.get(each.recipient)) else each
            for each in outlets
        ]

    return reroute


def unreachable(settings: Settings) -> Sequence[str]:
    """The channels by which some recipient would be told, and of which there is no account."""
    schemes = {Address.from_urn(urn).scheme for urn in settings.console.incident_recipients}
    reached = {outlet.channel for outlet in make_outlets(settings)}
    return sorted(schemes - reached)


def _by_sms(settings: Settings, recipient: Address) -> Iterator[Outlet]:
    way = make_routing(settings, None).usual(recipient)
    if way is not None:
        yield Outlet(channel=way.channel, account=way.account, sender=way.unasked, recipient=recipient, plain=True)


def _by_telegram(settings: Settings, recipient: Address) -> Iterator[Outlet]:
    for account in settings.telegram[:1]:
        bot, _, _ = account.token.get_secret_value().partition(":")
        sender = Address("telegram", bot)
        yield Outlet(channel="telegram", account=account.name, sender=sender, recipient=recipient, plain=False)


def _by_zalo(settings: Settings, recipient: Address) -> Iterator[Outlet]:
    """A person has another number with every account there."""
    for account in settings.zalo[:1]:
        person = Address("zalo", f"{account.oa_id}.{recipient.value}")
        sender = Address("zalo", account.oa_id)
        yield Outlet(channel="zalo", account=account.name, sender=sender, recipient=person, plain=False)


_OUTLETS: Mapping[str, Callable[[Settings, Address], Iterator[Outlet]]] = {
    "sms": _by_sms,
    "telegram": _by_telegram,
    "zalo": _by_zalo,
}


async def report_incident(settings: Settings, typed: str) -> ReportedIncident:
    """Write it to leave at once.

    Raises:
        IncidentFault: it cannot be sent as it is; nothing was.
        StoreError: the store is away.
    """
    outlets = make_outlets(settings)
    if not outlets:
        raise IncidentFault(NOBODY)
    now, ids, words = utc_now(), IdSequence(0), clean(typed)
    texts = read_console_texts(settings)[settings.replies.default_language]
    report = make_report(words, by=LOGIN, now=now, texts=texts)
    if not words or not report.fits:
        raise IncidentFault(
            f"it takes {report.segments} SMS segments; one to {MOST_SEGMENTS} are told"
            if words
            else "say what is wrong"
        )

    def new_id() -> int:
        return ids.next(int(now.timestamp() * 1000))

    noted = AuditEntry(
        id=new_id(),
        at=now,
        officer_id=None,
        login=LOGIN,
        agency="",
        action=ACTION,
        detail={"recipients": len(outlets), "digest": report.digest},
    )
    steps = OutsideSteps(outside(settings))
    reroute = make_reroute(settings, StoreLastAccounts(steps.look, dialect_of(settings)))
    messages = messages_of(report, await reroute(outlets), now=now, new_id=new_id)
    refused = await StoreIncidents(steps.write).send(messages, noted, most=MOST_AN_HOUR)
    if isinstance(refused, TooMany):
        again_at = f"{refused.again_at.astimezone(LOCAL_ZONE):%H:%M}"
        raise IncidentFault(f"{MOST_AN_HOUR} reports were made within an hour; the next may leave at {again_at}")
    return ReportedIncident(recipients=[outlet.shown for outlet in outlets], text=report.text)
