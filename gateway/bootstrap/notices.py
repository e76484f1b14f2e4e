"""Telling people unasked: what is said, when and to whom, and what is done for it every now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from channels.base import Channel
from channels.sms.numbers import normalise
from conversation.answer import Shape
from domain.agencies import Agencies
from domain.buttons import After, ButtonWriter
from domain.calendar import WorkCalendar, local_day
from domain.codes import DossierCode
from domain.message import Address, Button
from domain.notice_texts import NoticeWriter
from domain.replies import Voice
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.routing import account_for_notices, names_of
from gateway.bootstrap.words import Words
from gateway.settings import NoticeSettings, Settings
from notifications.delivery import Delivery
from notifications.officers import OfficerNotices, OfficerRules
from notifications.planning import NoticeRules, Planner
from notifications.ports import Follower, Notices, Outbox
from notifications.reminders import Reminders
from notifications.routing import Routing
from notifications.schedule import ScheduleRules
from notifications.stoppages import StoppageNotices, Stoppages
from notifications.switches import Switch

Buttons = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """How to speak to whom: each account shows texts in its own way; one that is gone is as the first was."""

    shapes: Mapping[str, Shape]
    language: str
    answers: Mapping[str, str] = field(default_factory=dict)  # by account whose notices leave under a name: its number

    def of(self, follower: Follower, now: datetime) -> Voice:
        """To somebody who follows."""
        return self.by(follower.account, now, language=follower.language, accents=follower.accents)

    def by(self, account: str, now: datetime, *, language: str | None = None, accents: bool | None = None) -> Voice:
        """Over an account; None: its default."""
        shape = self.shapes.get(account) or next(iter(self.shapes.values()))
        return Voice(
            language=language or self.language,
            accents=shape.capabilities.accents if accents is None else accents,
            now=now,
            fits=shape.fits,
            answer_to=self.answers.get(account, ""),
        )


def make_voices(settings: Settings, channels: Sequence[Channel]) -> Voices:
    """Of these accounts, of which there is at least one."""
    return Voices(
        shapes={channel.account: Shape(channel.capabilities, channel.fits) for channel in channels},
        language=settings.replies.default_language,
        answers={each.name: each.short_code for each in settings.sms if each.brand_name},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What notices are made with. `officers` None: the settings name none."""

    planner: Planner
    stoppages: Stoppages
    reminders: Reminders
    officers: OfficerNotices | None
    stoppage_notices: StoppageNotices
    delivery: Delivery


def make_telling(
    settings: Settings,
    words: Words,
    *,
    notices: Notices,
    outbox: Outbox,
    stoppages: Stoppages,
    routing: Routing,
    channels: Sequence[Channel],
    clock: Callable[[], datetime],
    new_id: Callable[[], int],
) -> Telling | None:
    """None: there is no account by which anybody could be told.

    Raises:
        SettingsError: the calendar, the times or the account for notices are wrong.
    """
    if not channels:
        return None
    chosen, writer = settings.notices, NoticeWriter(words.catalogue, words.agencies)
    calendar = read_calendar(chosen.calendar, local_day(clock()))
    voices, names = make_voices(settings, channels), names_of(settings)
    rules = notice_rules(chosen)
    planner = Planner(
        writer=writer,
        voice=voices.of,
        rules=rules,
        calendar=calendar,
        new_id=new_id,
        buttons=notice_buttons(words, channels),
        names=names,
    )
    return Telling(
        planner=planner,
        stoppages=stoppages,
        reminders=Reminders(notices=notices, planner=planner, clock=clock, days=chosen.reminder_days, routing=routing),
        officers=_officers(
            settings,
            writer=writer,
            notices=notices,
            routing=routing,
            voices=voices,
            rules=rules,
            agencies=words.agencies,
            calendar=calendar,
            clock=clock,
            new_id=new_id,
        ),
        stoppage_notices=StoppageNotices(
            notices=notices,
            writer=writer,
            voice=voices.of,
            schedule=rules.schedule,
            calendar=calendar,
            clock=clock,
            new_id=new_id,
            routing=routing,
            names=names,
        ),
        delivery=Delivery(
            notices=notices,
            outbox=outbox,
            clock=clock,
            new_id=new_id,
            keep_closed=timedelta(days=chosen.keep_closed_days),
            routing=routing,
        ),
    )


def notice_buttons(words: Words, channels: Sequence[Channel]) -> Callable[[Follower, DossierCode, Voice], Buttons]:
    """What stands below a notice, where the channel has buttons."""
    buttons = ButtonWriter(words.catalogue)
    with_buttons = frozenset(channel.account for channel in channels if channel.capabilities.buttons)

    def below(follower: Follower, code: DossierCode, voice: Voice) -> Buttons:
        if follower.account not in with_buttons:
            return ()
        return buttons.below(After.NOTICE, voice.language, code, accents=voice.accents)

    return below


def notice_rules(chosen: NoticeSettings) -> NoticeRules:
    """The planner's part of the settings, in its own words."""
    return NoticeRules(
        schedule=schedule_rules(chosen),
        valid_for=timedelta(hours=chosen.valid_h),
        off=[
            Switch(agency=each.agency or "", procedure=each.procedure or "", kinds=frozenset(each.kinds))
            for each in chosen.off
        ],
    )


def schedule_rules(chosen: NoticeSettings) -> ScheduleRules:
    """When notices may leave."""
    return ScheduleRules(
        quiet_from=chosen.quiet_from,
        quiet_until=chosen.quiet_until,
        per_day=chosen.per_day,
        office_from=chosen.office_from,
        office_until=chosen.office_until,
    )


def _officers(
    settings: Settings,
    *,
    writer: NoticeWriter,
    notices: Notices,
    routing: Routing,
    voices: Voices,
    rules: NoticeRules,
    agencies: Agencies,
    calendar: WorkCalendar,
    clock: Callable[[], datetime],
    new_id: Callable[[], int],
) -> OfficerNotices | None:
    chosen = settings.notices
    if account_for_notices(settings) is None or not chosen.officers:
        return None
    return OfficerNotices(
        notices=notices,
        writer=writer,
        voice=voices.by,
        rules=OfficerRules(
            officers={
                each.agency: [Address("sms", normalise(number)) for number in each.numbers] for each in chosen.officers
            },
            waiting_days=chosen.waiting_days,
            late_soon_days=chosen.late_soon_days,
            schedule=rules.schedule,
            valid_for=rules.valid_for,
            off=rules.off,
        ),
        routing=routing,
        agencies=agencies,
        calendar=calendar,
        clock=clock,
        new_id=new_id,
    )
