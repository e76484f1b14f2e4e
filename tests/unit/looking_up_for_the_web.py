"""A look-up that knows one dossier, with the real questions before it, for the tests of the web's whole way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from adapters.memory.budgets import MemoryBudgets
from conversation.guards import Guards, GuardSettings
from conversation.ports import Limit
from conversation.questions import Questions
from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from domain.dossier import Dossier
from domain.proof import Sealer
from tests.unit.asking_the_web import AS_OF, Behind, answered

KEY = b"a key of the tests"


@dataclass
class Known:
    """Implements LookUps over one dossier; what it tells can be replaced, and the clock set."""

    dossier: Dossier
    as_of: datetime = AS_OF
    outcome: Outcome = Outcome.FOUND
    now: datetime = datetime(2026, 10, 8, 7, 30, tzinfo=UTC)
    fresh: bool = True

    def clock(self) -> datetime:
        return self.now

    async def cached(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return {code: self._answer(code) for code in codes} if self.fresh else {}

    async def find(
        self, codes: Sequence[DossierCode], *, proving: Collection[DossierCode] = ()
    ) -> Mapping[DossierCode, DossierAnswer]:
        return {code: self._answer(code) for code in codes}

    async def last_known(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, DossierAnswer]:
        return {code: self._answer(code) for code in codes}

    def _answer(self, code: DossierCode) -> DossierAnswer:
        if code != self.dossier.code:
            return DossierAnswer(code=code, outcome=Outcome.NOT_FOUND, as_of=self.as_of)
        return DossierAnswer(code=code, outcome=self.outcome, dossier=self.dossier, as_of=self.as_of)


def known_dossier(**changes: Any) -> Known:
    told = answered(proved=True).answer
    assert told is not None
    assert told.dossier is not None
    sealer = Sealer(KEY)
    seals = sealer.seals_of(told.code, numbers=["0912345678"], secret="7K3M9Q")
    return Known(replace(told.dossier, proofs=seals), **changes)


def plenty(**limits: tuple[Limit, ...]) -> Guards:
    """The guards, on, with figures no test reaches unless it gives its own."""
    names = {field.name for field in fields(GuardSettings)} - {"own_numbers"}
    raised: dict[str, Any] = dict.fromkeys(names, (Limit(1_000_000, 60.0),)) | limits
    return Guards(MemoryBudgets(lambda: 0.0), GuardSettings(**raised))


def ask_behind(questions: Questions) -> Behind:
    """The real questions in place of somebody who answers as told."""
    behind = Behind()
    behind.ask = questions.ask  # type: ignore[method-assign]
    return behind
