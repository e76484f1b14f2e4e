"""Messages to many on their way: what the expander is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from adapters.onestop.contacts import SqlContacts
from adapters.onestop.watched import WatchedDatabase
from channels.base import Channel
from channels.sms.numbers import normalise
from channels.sms.segments import plan
from domain.broadcast_fitness import Basis, Fitness
from domain.broadcast_texts import BroadcastWriter
from domain.calendar import local_day
from domain.message import Address
from domain.phones import is_mobile
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.notices import schedule_rules
from gateway.bootstrap.sources import asked_over_http, read_database_mapping
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.settings import Settings
from notifications.broadcasting import Broadcasting, ahead_of
from notifications.portions import BroadcastFigures, BroadcastRules, PortionWriter
from notifications.ports import Contacts
from notifications.routing import Routing

PAGE = 500  # messages in one transaction
PAGE_OF_SQLITE = 100  # its one writer also writes replies, which wait for it


def make_broadcasting(
    settings: Settings,
    words: Words,
    *,
    opened: OpenStore,
    routing: Routing,
    channels: Sequence[Channel],
    new_id: Callable[[], int],
    figures: BroadcastFigures,
    stack: AsyncExitStack,
) -> Broadcasting:
    """`stack` closes what the numbers on dossiers are read with; nothing is connected before it is needed.

    Raises:
        SettingsError: the calendar or a source's mapping is wrong.
    """
    chosen, mail = settings.notices, opened.store.mass_mail()
    rules = BroadcastRules(
        schedule=schedule_rules(chosen),
        valid_for=timedelta(hours=chosen.valid_h),
        page=PAGE if settings.database.shared else PAGE_OF_SQLITE,
        ahead=ahead_of([channel.rate for channel in channels]),
    )
    portions = PortionWriter(
        mail=mail,
        writer=make_broadcast_writer(words, opened.clock),
        contacts=_contacts(settings, stack),
        read_number=read_number,
        fits=make_fitness(settings, words).fits,
        routing=routing,
        rules=rules,
        calendar=read_calendar(chosen.calendar, local_day(opened.clock())),
        clock=opened.clock,
        new_id=new_id,
        figures=figures,
    )
    return Broadcasting(
        mail=mail,
        portions=portions,
        routing=routing,
        rules=rules,
        clock=opened.clock,
        new_id=new_id,
        figures=figures,
        chats=bool(settings.telegram or settings.zalo),
    )


def make_fitness(settings: Settings, words: Words) -> Fitness:
    """What may leave at all: the store asks it where a broadcast is submitted and approved, the expander of each text."""
    return Fitness(
        agencies=words.agencies,
        bases=tuple(Basis(agency=each.agency, words=each.words) for each in settings.console.legal_bases),
        segments=segments_of(settings),
        most_segments=settings.console.broadcast_segments,
    )


def segments_of(settings: Settings) -> Callable[[str], int]:
    """Counts as the strictest of the accounts does: by which a person is reached is known only when it is written."""
    alphabets = sorted({account.default_alphabet for account in settings.sms} or {"gsm"})
    return lambda text: max(len(plan(text, default_alphabet=alphabet).parts) for alphabet in alphabets)


def make_broadcast_writer(words: Words, clock: Callable[[], datetime]) -> BroadcastWriter:
    """The pages show with it what the expander sends."""

    def procedure_name(code: str, language: str) -> str:
        found = words.procedures.get(code, today=local_day(clock()))
        return "" if found is None else found.names.get(language) or found.names["vi"]

    return BroadcastWriter(words.catalogue, words.agencies, procedure_name)


def _contacts(settings: Settings, stack: AsyncExitStack) -> Mapping[str, Contacts]:
    """Of the sources whose mapping says whom a dossier names."""
    contacts = dict[str, Contacts]()
    for each in settings.sources:
        if asked_over_http(each):
            continue
        mapping = read_database_mapping(each)
        if mapping.notify is not None:
            url = each.url.get_secret_value()
            database = WatchedDatabase(mapping, url, name=each.name, time_limit=each.timeout_s)
            stack.push_async_callback(database.close)
            contacts[each.name] = SqlContacts(database)
    return contacts


def read_number(number: str) -> Address | None:
    digits = normalise(number)
    return Address("sms", digits) if is_mobile(digits) else None
