"""Texts told a moment ago: a dossier that many ask about is worded once a minute, not once a question."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

from domain.answers import DossierAnswer

MOST = 10_000  # texts kept; beyond, all are forgotten and made again


class Retold:
    """Remembers texts for the rest of the minute, since what they say may depend on the time (late, old data).

    A text is told again only of the very same answer: same outcome, same dossier object, read at the same moment.
    """

    def __init__(self) -> None:
        self._minute: datetime | None = None
        self._texts: dict[Hashable, tuple[DossierAnswer, str]] = {}

    def get(self, key: Hashable, answer: DossierAnswer, now: datetime) -> str | None:
        """The text kept under `key`, if it was made of this answer within this minute."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute = minute
            self._texts.clear()
        kept = self._texts.get(key)
        return kept[1] if kept is not None and _same(kept[0], answer) else None

    def keep(self, key: Hashable, answer: DossierAnswer, text: str) -> None:
        if len(self._texts) >= MOST:
            self._texts.clear()
        self._texts[key] = (answer, text)


def _same(kept: DossierAnswer, answer: DossierAnswer) -> bool:
    return kept.dossier is answer.dossier and kept.outcome is answer.outcome and kept.as_of == answer.as_of
