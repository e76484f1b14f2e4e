"""A picture instead of a text: what stands in it is read as if it had been typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date

from conversation.case import Case, Pending, say
from conversation.ports import Decision, Pictures
from domain import inquiry as wishes
from domain.answers import Outcome
from domain.calendar import local_day
from domain.errors import PictureUnavailable
from domain.inquiry import Inquiry
from domain.replies import ReplyWriter

KIND = "picture"
MOST_TEXTS = 8  # of one picture that are read

Read = Callable[[str, date], Inquiry]
Answer = Callable[[Case, Inquiry], Awaitable[Decision | Pending]]


class PictureTalk:
    """The pictures of the conversation. `read`: what a text means; `answer`: what is decided of a case, as if its text
    had been typed, for an answer that is paid already.
    """

    def __init__(self, *, pictures: Pictures, writer: ReplyWriter, read: Read, answer: Answer) -> None:
        self._pictures = pictures
        self._writer = writer
        self._read = read
        self._answer = answer

    def look_at(self, case: Case, _: wishes.Picture) -> Pending:
        """The codes in it; where there are none, those of the words below it."""
        seen: list[Pending] = []

        async def finish() -> Decision:
            try:
                texts = await self._pictures.texts(case.message)
            except PictureUnavailable:  # told in the log by who was to fetch it; its sender is told below
                texts = None
            decision = await self._answered(case, texts)
            if isinstance(decision, Decision):
                return decision
            seen.append(decision)
            return await decision.finish()

        async def give_up() -> Decision:
            return await seen[0].give_up() if seen else self._unavailable(case)

        return Pending(finish, give_up)

    async def _answered(self, case: Case, texts: Sequence[str] | None) -> Decision | Pending:
        """`texts` None: nobody knows what is in it."""
        caption, today = case.message.text, local_day(case.now)
        for text in (
            *(_said(each, self._read(caption, today), caption) for each in (texts or ())[:MOST_TEXTS]),
            caption,
        ):
            inquiry = self._read(text, today)
            if _is_whole(inquiry):
                return await self._answer(replace(case, message=replace(case.message, text=text)), inquiry)
        return self._unavailable(case) if texts is None else self._unread(case)

    def _unread(self, case: Case) -> Decision:
        return say(self._writer, case, KIND, "picture_unread", Outcome.UNREADABLE)

    def _unavailable(self, case: Case) -> Decision:
        return say(self._writer, case, KIND, "picture_unavailable", Outcome.UNREADABLE)


def _said(text: str, wish: Inquiry, caption: str) -> str:
    """What the picture says, with the wish of the words below it: "DK" below a code follows it."""
    bare_wish = isinstance(wish, wishes.Follow | wishes.Unfollow) and not wish.codes
    return f"{caption} {text}" if bare_wish else text


def _is_whole(inquiry: Inquiry) -> bool:
    """It names what it is about: a wish without a code is about the picture, not about the last dossier asked for."""
    match inquiry:
        case wishes.LookUp(codes=codes) | wishes.Follow(codes=codes) | wishes.Unfollow(codes=codes):
            return bool(codes)
        case wishes.Feedback(text=text):
            return bool(text)
    return isinstance(inquiry, wishes.AskBack | wishes.Example)
