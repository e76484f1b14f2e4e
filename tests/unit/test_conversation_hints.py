"""Who does not know how to ask, or asks for what is not there, is told what to do next."""

from __future__ import annotations

import pytest

from domain.answers import Outcome
from intake.procedures import Procedures
from tests.unit.speaking import shipped_procedures
from tests.unit.test_conversation import CODE, FakeCatalogue, Talk


@pytest.mark.parametrize("words", ["HELP", "alo"])
async def test_the_help_says_how_to_ask_about_a_procedure(words: str) -> None:
    assert "Thu tuc: TT + ten" in await Talk().told(words)


@pytest.mark.parametrize("words", ["TT", "thu tuc"])
async def test_the_keyword_alone_is_told_what_belongs_behind_it(words: str) -> None:
    decision = await Talk(procedures=FakeCatalogue()).say(words)
    assert "TT khai sinh" in (decision.text or "")
    assert decision.inquiry == "procedure_help"


async def test_a_procedure_named_without_the_keyword_is_told_the_keyword_and_what_else_can_be_sent() -> None:
    talk = Talk(procedures=Procedures.from_mapping(shipped_procedures()))  # type: ignore[arg-type]
    for words in ("dang ky ket hon", "lam ho chieu", "khai sinh"):
        decision = await talk.say(words)
        assert "TT + ten" in (decision.text or ""), words
        assert "bien nhan" in (decision.text or ""), words
        assert decision.outcome is Outcome.UNREADABLE


@pytest.mark.parametrize("words", ["ho so cua toi dau", "asdfgh", "0005", "chung thuc"])
async def test_what_names_no_procedure_is_asked_for_the_code(words: str) -> None:
    talk = Talk(procedures=Procedures.from_mapping(shipped_procedures()))  # type: ignore[arg-type]
    assert "TT + ten" not in await talk.told(words)


@pytest.mark.parametrize("words", ["toi muon huy ho so", "huy", f"HUY {CODE}", "huy H51.2918-250701-0005"])
async def test_whoever_ends_what_is_not_followed_is_told_that_the_dossier_goes_on(words: str) -> None:
    talk = Talk()
    told = await talk.told(words)
    told = await talk.told("1") if "Gui 1" in told else told
    assert "van duoc giai quyet" in told
    assert "uon rut ho so, xin goi" in told
