"""The console's slices about messages: conversations that are found again, and the opinions people send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from channels.sms.numbers import normalise
from console.accounts.audit import Audit
from console.messages.feedback import FeedbackPages
from console.messages.pages import MessagePages
from console.messages.ports import WayBack
from console.messages.routing import Router
from console.messages.wording import AnswerWriter
from console.page import Pages, Texts
from domain.calendar import local_day
from domain.codes import CodeReading, read_codes
from domain.phrasing import Voice
from gateway.bootstrap.calendar import read_calendar
from gateway.bootstrap.notices import Voices, notice_rules
from gateway.bootstrap.store import OpenStore
from gateway.bootstrap.words import Words
from gateway.settings import Settings


def code_reader(words: Words, clock: Callable[[], datetime]) -> Callable[[str], CodeReading]:
    """Reads a dossier code in any writing, as the channels do."""
    legacy = words.agencies.legacy_patterns()
    return lambda text: read_codes(text, today=local_day(clock()), legacy=legacy)


def message_pages(pages: Pages, words: Words, opened: OpenStore, audit: Audit) -> MessagePages:
    """Conversations by dossier or by number."""
    return MessagePages(
        pages,
        conversations=opened.store.conversations(),
        audit=audit,
        agencies=words.agencies,
        read_code=code_reader(words, opened.clock),
        read_number=normalise,
    )


def feedback_pages(
    pages: Pages,
    settings: Settings,
    words: Words,
    opened: OpenStore,
    *,
    audit: Audit,
    voices: Voices,
    texts: Mapping[str, Texts],
    new_id: Callable[[], int],
) -> FeedbackPages:
    """Opinions, their clock, and the answers, which leave by the way they came."""
    clock, opinions = opened.clock, opened.store.opinions()
    calendar, rules = read_calendar(settings.notices.calendar, local_day(clock())), notice_rules(settings.notices)

    def voice_of(way: WayBack, at: datetime) -> Voice:
        return voices.by(way.account, at, language=way.language, accents=way.accents)

    return FeedbackPages(
        pages,
        opinions=opinions,
        router=Router(opinions, agencies=words.agencies, read_code=code_reader(words, clock), clock=clock),
        writer=AnswerWriter(
            voice_of=voice_of,
            openings={language: each["feedback"]["opening"] for language, each in texts.items()},
            schedule=rules.schedule,
            calendar=calendar,
            valid_for=rules.valid_for,
            ids=new_id,
            clock=clock,
        ),
        audit=audit,
        agencies=words.agencies,
        calendar=calendar,
        clock=clock,
    )
