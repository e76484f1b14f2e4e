"""A planned interruption that is announced, and how it is said behind a reply and on web answers (decree 224/2026 art. 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.calendar import LOCAL_ZONE, local_day
from domain.message import require_aware
from domain.phrasing import Sentence, Words
from domain.procedure import shortened

WORDS_MAX = 160  # characters of an operator's own words: one SMS
_ENDS = " .;,:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is to be said from its announcement until it is over. `texts` are the operator's own words by language;
    where a language has none, ours are said.
    """

    starts_at: datetime
    ends_at: datetime
    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_aware(self.starts_at, "starts_at")
        require_aware(self.ends_at, "ends_at")

    def over(self, now: datetime) -> bool:
        """There is nothing to be said any more."""
        return now >= self.ends_at


def nothing_announced() -> Announced | None:
    """For an installation, or a test, that announces nothing."""
    return None


def told_stoppage(starts_at: datetime, ends_at: datetime, text: str, *, phone: str, agency: str) -> Sentence:
    """The stoppage as a text of its own, in somebody's words or, without any, in ours."""
    params = _params(starts_at, ends_at, text) | {"phone": phone, "agency": agency}
    return Sentence(("notice.stoppage_worded" if text.strip() else "notice.stoppage",), params)


def closings(announced: Announced | None, language: str, now: datetime) -> Sequence[Sequence[Sentence]]:
    """What is said of it behind another text: the operator's words, else ours, else nothing."""
    if announced is None or announced.over(now):
        return ()
    text = announced.texts.get(language, "")
    params = _params(announced.starts_at, announced.ends_at, text)
    ours = Sentence(("notice.stoppage_tail",), params)
    return ((Sentence(("notice.stoppage_worded_tail",), params), ours),) if text.strip() else ((ours,),)


def _params(starts_at: datetime, ends_at: datetime, text: str) -> dict[str, object]:
    """A day that both share is said once, with the end."""
    same_day = local_day(starts_at) == local_day(ends_at)
    return {
        "starts_at": f"{starts_at.astimezone(LOCAL_ZONE):%H:%M}" if same_day else starts_at,
        "ends_at": ends_at,
        "words": Words(shortened(" ".join(text.split()).strip(_ENDS), WORDS_MAX)),
    }
