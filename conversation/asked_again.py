"""What was told of a dossier to whoever has its code, kept to be told again: the same answer is the same object."""

from __future__ import annotations

from domain.answers import DossierAnswer, Outcome
from domain.codes import CodeFamily, DossierCode
from domain.questions import QuestionAnswer

KEPT = 100_000  # answers, as many as the cache keeps by default; one takes about 0.5 kB


class AskedAgain:
    """Remembers what became of answers, for the one tier that depends on nobody: code alone, found, nothing proved.

    It decides nothing about time: every question still asks the look-up, and only the very answer that is told there,
    the same dossier object read at the same moment, is told again. What was kept first goes first when it is full.
    """

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int = KEPT) -> None:
        """`size` is in answers."""
        if size < 1:
            raise ValueError("size is at least 1")
        self._size = size
        self._kept: dict[str, tuple[DossierAnswer, QuestionAnswer]] = {}

    def code(self, text: str) -> DossierCode | None:
        """The code that is this text, if an answer about it is kept; what was a code once remains one."""
        kept = self._kept.get(text)
        return None if kept is None or kept[0].code.family is CodeFamily.LEGACY else kept[0].code

    def get(self, answer: DossierAnswer) -> QuestionAnswer | None:
        """What this answer was told as."""
        kept = self._kept.get(answer.code.text)
        if kept is None or answer.outcome is not Outcome.FOUND:
            return None
        before, told = kept
        return told if before.dossier is answer.dossier and before.as_of == answer.as_of else None

    def keep(self, answer: DossierAnswer, told: QuestionAnswer) -> None:
        """Replaces what an older answer about this code was told as."""
        code = answer.code.text
        if code not in self._kept and len(self._kept) >= self._size:
            del self._kept[next(iter(self._kept))]
        self._kept[code] = (answer, told)
