"""What a conversation begins and ends with: hello and how it works, in which language, an opinion, thanks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from conversation.case import QUESTION_CHANGES, Case, Pending, below, say
from conversation.following import FollowTalk
from conversation.ports import Decision, FeedbackNote, People
from domain import inquiry as wishes
from domain.buttons import After
from domain.replies import ReplyWriter

LANGUAGE_CHANGES = frozenset({"language", "accents", "pending"})  # what choosing one changes about a person
LANGUAGE_REPLIES: Mapping[bool | None, str] = {None: "language_chosen", True: "accents_on", False: "accents_off"}


class Manners:
    """`thanks_within`: courtesy so soon after an answer is silence. `after`: what is shown below a welcome."""

    def __init__(
        self, *, people: People, writer: ReplyWriter, following: FollowTalk, thanks_within: timedelta, after: After
    ) -> None:
        self._people = people
        self._writer = writer
        self._following = following
        self._thanks_within = thanks_within
        self._after = after

    # ---- hello

    def help(self, case: Case, _: wishes.Help) -> Decision:
        return self._welcome(say(self._writer, case, "help", "help"), case)

    def started(self, case: Case, _: wishes.Started) -> Decision:
        """Coming back undoes what going did, and no more: who said DUNG is told nothing until they say BAT."""
        if case.person.blocked:
            return self._welcome(replace(self._following.resume(case), inquiry="started"), case)
        return self._welcome(say(self._writer, case, "started", "help"), case)

    def choose_language(self, case: Case, inquiry: wishes.ChooseLanguage) -> Decision:
        if inquiry.language not in self._writer.languages:
            return self._welcome(say(self._writer, case, "choose_language", "language_unavailable"), case)
        person = replace(case.settled or case.person, language=inquiry.language, accents=inquiry.accents)
        accents = case.voice.accents if inquiry.accents is None else inquiry.accents
        voice = replace(case.voice, language=inquiry.language, accents=accents)
        text = self._writer.say(LANGUAGE_REPLIES[inquiry.accents], voice)
        decision = Decision(inquiry="choose_language", text=text, person=person, changes=LANGUAGE_CHANGES)
        return self._welcome(decision, replace(case, voice=voice))

    def _welcome(self, decision: Decision, case: Case) -> Decision:
        """With what somebody may begin with below it."""
        return replace(decision, buttons=below(self._writer, case, self._after))

    # ---- thanks and opinions

    def thanks(self, case: Case, _: wishes.Thanks) -> Pending:
        async def finish() -> Decision:
            answered = (await self._people.recall(case.message.sender)).last_answered_at
            if answered is not None and case.now - answered < self._thanks_within:
                return Decision(inquiry="thanks")
            return self._welcome(say(self._writer, case, "thanks", "help"), case)

        async def give_up() -> Decision:
            return Decision(inquiry="thanks")

        return Pending(finish, give_up)

    def feedback(self, case: Case, inquiry: wishes.Feedback) -> Decision | Pending:
        if not inquiry.text:
            return say(self._writer, case, "feedback", "feedback_empty")

        async def finish() -> Decision:
            number = await self._people.next_feedback_number()
            text = self._writer.say("feedback_received", case.voice, number=str(number))
            note = FeedbackNote(number=number, text=inquiry.text)
            return Decision(inquiry="feedback", text=text, feedback=note, person=case.settled, changes=QUESTION_CHANGES)

        async def give_up() -> Decision:
            return say(self._writer, case, "feedback", "try_later")

        return Pending(finish, give_up)
