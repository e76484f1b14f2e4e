"""Tell me when it changes; tell me no more; which ones am I told about? From a message to what it changes.

To follow shows whether there is a dossier, so that it is charged, guarded and disclosed like a look-up. To end is not:
it is only about what the asker follows already, needs no one-stop system and is honoured even in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from conversation.case import QUESTION_CHANGES, Case, Pending, ask, below, say, tell
from conversation.dossiers import OVER, DossierTalk, Found
from conversation.guards import Guards, Wanted
from conversation.judging import joined_numbers
from conversation.ports import (
    Decision,
    FollowChange,
    Following,
    FollowWish,
    PendingQuestion,
    People,
    Person,
    Verdict,
)
from domain.answers import DossierAnswer, Outcome
from domain.buttons import After, Buttons
from domain.codes import DossierCode, read_reference
from domain.inquiry import Follow, Inquiry, ListFollowed, Unfollow
from domain.message import InboundMessage
from domain.notices import Known
from domain.replies import ReplyWriter
from domain.text import safe_text
from lookup.disclosure import Judged, Tier

FOLLOW, UNFOLLOW, LISTED = "follow", "unfollow", "list_followed"  # the kinds of inquiry, and the wishes of a question
WORDS = 160  # characters kept of the words of consent
MOST_READ = 200  # followings of one person that are read; the agency may have added some beyond the limit
MOST_OFFERED = 4  # dossiers among which somebody may choose by a number
STOP_CHANGES = frozenset({"stopped_at", "pending"})
LANGUAGE_TOO = QUESTION_CHANGES | {"language"}

# Which texts of domain.reply_keys say that a dossier is followed from now on.
_FOLLOWED = {Outcome.FOUND: "follow", Outcome.SOURCE_DOWN: "follow_as_of"}
_RESUMED, _IS_OVER, _FULL, _AS_LOOKED_UP = "follow_resumed", "follow_over", "follow_full", ""


@dataclass(slots=True)
class _Wish:
    """A wish to follow on its way: what is known of it so far, for when it takes too long. `mine`: what its sender
    follows already; None while that is not read.
    """

    case: Case
    more: bool
    mine: Sequence[Following] | None = None


class FollowTalk:
    """The followings of the conversation. `most`: dossiers one person may follow; `open_for`: see PendingQuestion."""

    def __init__(
        self,
        *,
        people: People,
        guards: Guards,
        dossiers: DossierTalk,
        writer: ReplyWriter,
        most: int,
        open_for: timedelta,
    ) -> None:
        self._people = people
        self._guards = guards
        self._dossiers = dossiers
        self._writer = writer
        self._most = most
        self._open_for = open_for

    # ---- follow

    def follow(self, case: Case, inquiry: Follow) -> Pending:
        wish = _Wish(case, more=len(inquiry.codes) > len(case.admission.codes))

        async def finish() -> Decision:
            if not inquiry.codes:
                instead = await self._recall(wish)
                if instead is not None:
                    return instead
            wish.mine = await self._people.following(case.message.sender, MOST_READ)
            return await self._told(wish, await self._dossiers.found(wish.case))

        async def give_up() -> Decision:
            if wish.mine is None:
                return say(self._writer, case, FOLLOW, "try_later")
            return await self._told(wish, await self._dossiers.last_known(wish.case))

        return Pending(finish, give_up)

    async def _recall(self, wish: _Wish) -> Decision | None:
        """Without a code the last one asked about is meant. It is admitted like one that was typed, for an answer that
        is paid already; what to say instead where it is not, or where there is none.
        """
        case = wish.case
        last = (await self._people.recall(case.message.sender)).last_code
        code = read_reference(last) if last else None
        if code is None:
            return say(self._writer, case, FOLLOW, "follow_how")
        wanted = Wanted(case.message.sender, (code,), None, case.admission, joined_numbers(case.person))
        (admission,) = await self._guards.admit_messages([wanted])
        wish.case = replace(case, wanted=wanted, admission=admission)
        return None if admission.verdict is Verdict.ALLOWED else await self._dossiers.refused(wish.case, FOLLOW)

    async def _told(self, wish: _Wish, found: Found) -> Decision:
        def confirm(judged: Sequence[Judged], *, more: bool) -> Decision:
            return self._confirm(wish, found, judged, more=more)

        return await self._dossiers.judged(wish.case, found, FOLLOW, confirm)

    def _confirm(self, wish: _Wish, found: Found, judged: Sequence[Judged], *, more: bool) -> Decision:
        case, mine = wish.case, {each.code for each in wish.mine or ()}
        told: list[tuple[DossierAnswer, str]] = []
        changes: list[FollowChange] = []
        person, changed = case.settled, QUESTION_CHANGES
        for each in judged:
            key = _text_for(each.answer, mine, self._most)
            if key in _FOLLOWED.values():
                if not changes and _spoken_to(case):  # notices are to come in the language of this answer
                    person, changed = replace(person or case.person, language=case.voice.language), LANGUAGE_TOO
                if case.person.stopped_at is not None and not changes:  # whoever wants to be told, wants to be told
                    key, changed = _RESUMED, changed | STOP_CHANGES
                    person = replace(person or case.person, stopped_at=None, pending=None)
                    changes.append(FollowChange(wish=FollowWish.RESUME, words=words_of(case.message)))
                changes.append(followed(found[each.answer.code], words_of(case.message), each.tier))
                mine.add(each.answer.code)
            told.append((each.answer, key))
        return Decision(
            inquiry=FOLLOW,
            outcome=judged[0].answer.outcome,
            text=self._writer.followed(told, case.voice, count=len(mine), more=more or wish.more),
            dossier_code=judged[0].answer.code.reference,
            person=person,
            changes=changed,
            follows=tuple(changes),
            buttons=self._below(case, judged, [key for _, key in told]),
        )

    def _below(self, case: Case, judged: Sequence[Judged], keys: Sequence[str]) -> Buttons:
        """What can be pressed below what became of the wish; `keys`: the texts of it, dossier by dossier."""
        if not any(keys):
            return self._dossiers.below(case, judged)
        if len(keys) > 1 or keys[0] == _FULL:
            return below(self._writer, case, After.FOLLOWED_SEVERAL)
        return () if keys[0] == _IS_OVER else below(self._writer, case, After.FOLLOWED, judged[0].answer.code)

    # ---- follow no more

    def unfollow(self, case: Case, inquiry: Unfollow) -> Pending:
        async def finish() -> Decision:
            mine = [each.code for each in await self._people.following(case.message.sender, MOST_READ)]
            return self._end(case, inquiry.codes, mine) if inquiry.codes else self._end_one(case, mine)

        async def give_up() -> Decision:
            if not inquiry.codes:
                return say(self._writer, case, UNFOLLOW, "try_later")
            return self._end(case, inquiry.codes, inquiry.codes)  # whether they were followed or not, they are not now

        return Pending(finish, give_up)

    def _end(self, case: Case, codes: Sequence[DossierCode], mine: Collection[DossierCode]) -> Decision:
        """All that were named, also what we do not find followed: a wish to be left alone counts from now on."""
        ended = [code for code in codes if code in mine]
        if len(ended) > 1:
            text = self._writer.say("unfollow_several", case.voice, count=len(ended))
        elif ended:
            text = self._writer.say("unfollow", case.voice, code=ended[0])
        else:
            text = self._writer.say("not_followed" if mine else "nothing_followed", case.voice, code=codes[0])
        buttons = below(self._writer, case, After.UNFOLLOWED, ended[0]) if len(ended) == 1 else ()
        return replace(tell(case, UNFOLLOW, text), follows=ends(case.message, codes), buttons=buttons)

    def _end_one(self, case: Case, mine: Sequence[DossierCode]) -> Decision:
        """Without a code: the only one, or which?"""
        if not mine:
            return say(self._writer, case, UNFOLLOW, "nothing_followed")
        if len(mine) == 1:
            return self._end(case, mine, mine)
        if len(mine) > MOST_OFFERED:
            return tell(case, UNFOLLOW, self._writer.say("unfollow_which", case.voice, count=len(mine)))
        question = PendingQuestion(
            codes=tuple(code.reference for code in mine), wish=UNFOLLOW, expires_at=case.now + self._open_for
        )
        return ask(case, self._writer.ask_back(mine, case.voice, ending=True), question)

    # ---- which ones, none at all, all again

    def listed(self, case: Case, _: ListFollowed) -> Pending:
        async def finish() -> Decision:
            mine = [each.code for each in await self._people.following(case.message.sender, MOST_READ)]
            if not mine:
                return say(self._writer, case, LISTED, "nothing_followed")
            stopped = case.person.stopped_at is not None
            return tell(case, LISTED, self._writer.followings(mine, case.voice, stopped=stopped))

        async def give_up() -> Decision:
            return say(self._writer, case, LISTED, "try_later")

        return Pending(finish, give_up)

    def stop_all(self, case: Case) -> Decision:
        return Decision(
            inquiry="stop_all",
            text=self._writer.say("stop_all", case.voice, as_of=case.now),
            person=stopped(case),
            changes=STOP_CHANGES,
            follows=(FollowChange(wish=FollowWish.STOP_ALL, words=words_of(case.message)),),
            buttons=below(self._writer, case, After.STOPPED),
        )

    def resume(self, case: Case) -> Decision:
        return Decision(
            inquiry="resume",
            text=self._writer.say("resume", case.voice, as_of=case.now),
            person=replace(case.person, stopped_at=None, pending=None),
            changes=STOP_CHANGES,
            follows=(FollowChange(wish=FollowWish.RESUME, words=words_of(case.message)),),
            buttons=below(self._writer, case, After.RESUMED),
        )


def _spoken_to(case: Case) -> bool:
    """They are answered in what their application speaks, and chose nothing."""
    return case.person.language is None and bool(case.message.language) and case.message.language == case.voice.language


def words_of(message: InboundMessage) -> str:
    """The words of consent, or of its withdrawal, as they were typed; safe plain text. Of what was done instead of said,
    the name of it.
    """
    return safe_text(message.text, WORDS) if message.event is None else message.event.value


def stopped(case: Case) -> Person:
    """The person who wants to be told nothing any more."""
    return replace(case.person, stopped_at=case.now, pending=None)


def blocked(case: Case) -> Decision:
    """Who blocked us is told nothing here until they come back, and hears nothing of it. Where others read along (a group
    we were put out of) it is nobody's wish; one that was said already is kept as it was.
    """
    silence = Decision(inquiry="blocked")
    if case.message.public or case.person.stopped_at is not None:
        return silence
    return replace(
        silence,
        person=replace(case.person, stopped_at=case.message.received_at, pending=None),
        changes=STOP_CHANGES,
        follows=(FollowChange(wish=FollowWish.BLOCKED, words=words_of(case.message)),),
    )


def ends(message: InboundMessage, codes: Sequence[DossierCode]) -> tuple[FollowChange, ...]:
    """The named dossiers are followed no more."""
    words = words_of(message)
    return tuple(FollowChange(wish=FollowWish.UNFOLLOW, words=words, code=code) for code in codes)


def silently(message: InboundMessage, inquiry: Inquiry, *, stops: bool) -> tuple[FollowChange, ...]:
    """What a message ends even when we may not say so; `stops`: it stops everything."""
    if stops:
        return (FollowChange(wish=FollowWish.STOP_ALL, words=words_of(message)),)
    return ends(message, inquiry.codes) if isinstance(inquiry, Unfollow) else ()


def followed(answer: DossierAnswer, words: str, tier: Tier) -> FollowChange:
    """From now on it is followed, by who was shown its state. `answer` is as it was found, with what only a proof opens:
    of that the digest in `known` is made, by which changes are told apart.

    Raises:
        ValueError: there is no dossier in it.
    """
    if answer.dossier is None:
        raise ValueError("only a dossier can be followed")
    return FollowChange(
        wish=FollowWish.FOLLOW,
        words=words,
        code=answer.code,
        source=answer.dossier.source,
        known=Known.of(answer.dossier).text,
        proved=tier is Tier.PROVED,
    )


def _text_for(answer: DossierAnswer, mine: Collection[DossierCode], most: int) -> str:
    """Which text tells what became of the wish to follow this dossier; none: what a look-up tells."""
    if answer.dossier is None:
        return _AS_LOOKED_UP
    if answer.dossier.status in OVER:
        return _IS_OVER
    if answer.code not in mine and len(mine) >= most:
        return _FULL
    return _FOLLOWED.get(answer.outcome, _AS_LOOKED_UP)
