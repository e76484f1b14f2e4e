"""Answers ready to be sent: a dossier that is asked about again is told in the same bytes, while it is the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from channels.web.chat_links import ChatLink
from domain.questions import QuestionAnswer
from domain.stoppage import Announced

KEPT = 100_000  # bodies, as many as the cache keeps answers by default; one takes about 1 kB


@dataclass(frozen=True, slots=True)
class Ready:
    """The body in JSON, and its ETag as the header has it; made of `answer` on `day` (Asia/Ho_Chi_Minh), while
    `announced` was to be shown with it and `links` opened the chats.
    """

    answer: QuestionAnswer
    day: date
    body: bytes
    tag: str
    announced: Announced | None = None
    links: tuple[ChatLink, ...] = ()


class ReadyAnswers:
    """Remembers bodies, by code and language; what was kept first goes first when it is full.

    A body is sent again only for the very same answer object, on the same local day, since being late and which agency
    answers depend on the day, with the same stoppage announced and the same chats up. So it can neither outlive its
    answer nor be told in another tier.
    """

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int = KEPT) -> None:
        """`size` is in bodies."""
        if size < 1:
            raise ValueError("size is at least 1")
        self._size = size
        self._kept: dict[tuple[str, str], Ready] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self,
        code: str,
        language: str,
        answer: QuestionAnswer,
        day: date,
        announced: Announced | None = None,
        links: Sequence[ChatLink] = (),
    ) -> Ready | None:
        """What was made of this answer on this day, with this announcement and these links."""
        ready = self._kept.get((code, language))
        if ready is None or ready.answer is not answer or ready.day != day:
            return None
        return ready if ready.announced == announced and ready.links == tuple(links) else None

    def keep(self, code: str, language: str, ready: Ready) -> None:
        """Replaces what an older answer about this code was told as."""
        key = (code, language)
        if key not in self._kept and len(self._kept) >= self._size:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = ready
