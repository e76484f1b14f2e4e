"""An officer's answer as the person reads it: with the number they were told, by day, no longer than their channel shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from console.messages.ports import AnswerMessage, Opinion, WayBack
from domain.calendar import WorkCalendar
from domain.message import Category, OutboundMessage
from domain.notices import Urgency
from domain.replies import Voice
from domain.text import unaccent
from notifications.schedule import ScheduleRules, slot

FIRST_LANGUAGE = "vi"

VoiceOf = Callable[[WayBack, datetime], Voice]


def worded(answer: str, number: int, opening: str, voice: Voice) -> str | None:
    """With accents where they are wanted and fit, else without. `opening` holds `{number}`. None: it is too long."""
    whole = opening.replace("{number}", str(number)) + answer
    if voice.accents and voice.fits(whole):
        return whole
    plain = unaccent(whole)
    return plain if voice.fits(plain) else None


class AnswerWriter:
    """Makes the message of an answer. `voice_of`: how to speak to whoever gave an opinion, when; its `fits` says what is
    too long. `openings`: by language, what an answer begins with, with `{number}`. `schedule`: when nobody is told
    anything; `valid_for`: how long a message is good for. `ids` makes identifiers (domain.ids).
    """

    __slots__ = ("_calendar", "_clock", "_ids", "_openings", "_schedule", "_valid_for", "_voice_of")

    def __init__(
        self,
        *,
        voice_of: VoiceOf,
        openings: Mapping[str, str],
        schedule: ScheduleRules,
        calendar: WorkCalendar,
        valid_for: timedelta,
        ids: Callable[[], int],
        clock: Callable[[], datetime],
    ) -> None:
        self._voice_of = voice_of
        self._openings = openings
        self._schedule = schedule
        self._calendar = calendar
        self._valid_for = valid_for
        self._ids = ids
        self._clock = clock

    def message(self, opinion: Opinion, way_back: WayBack, answer: str) -> AnswerMessage | None:
        """By the way the opinion came; somebody who asked is not one notice too many for the day, but is let sleep. None:
        it is too long for the channel.
        """
        now = self._clock()
        leaves = slot(Urgency.URGENT, now, (), self._schedule, self._calendar)
        voice = self._voice_of(way_back, leaves.available_at)
        opening = self._openings.get(voice.language) or self._openings[FIRST_LANGUAGE]
        text = worded(answer, opinion.number, opening, voice)
        if text is None:
            return None
        message = OutboundMessage(
            id=self._ids(),
            channel=way_back.channel,
            account=way_back.account,
            category=Category.NOTICE,
            recipient=opinion.sender,
            sender=way_back.ours,
            text=text,
            created_at=now,
            expires_at=leaves.available_at + self._valid_for,
        )
        return AnswerMessage(
            message=message, language=voice.language, available_at=leaves.available_at, reason=leaves.reason
        )
