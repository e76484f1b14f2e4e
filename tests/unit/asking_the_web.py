"""A public listener with the web channel and somebody behind it who answers as told, for the tests of pages and API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import Any

from aiohttp import web

from channels.web.api import WebApi
from channels.web.asking import Asker
from channels.web.pages import LookUpPage
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.catalogue import Catalogue
from domain.codes import parse_canonical
from domain.dossier import Dossier, DossierStatus
from domain.errors import GatewayError
from domain.questions import Answer, Asked, Left, Question, QuestionAnswer
from gateway.http import make_app, public_routes
from tests.unit.speaking import NOW, shipped_agencies, shipped_texts

CODE = "H51.18-250701-0004"
MORE: dict[str, Any] = {
    "procedure": "1.004946",
    "procedure_name": "Đăng ký biến động đất đai",
    "unit": "Phòng Đăng ký",
    "missing": "Bản chính giấy chứng nhận",
    "fee": "50.000 đồng",
}
AS_OF = datetime(2026, 10, 8, 7, 29, 30, 250, tzinfo=UTC)


def answered(
    status: DossierStatus | None = DossierStatus.IN_PROCESS,
    *,
    outcome: Outcome = Outcome.FOUND,
    due_on: date | None = date(2026, 10, 12),
    agency: str = "H51.18",
    text: str = CODE,
    proved: bool = False,
) -> QuestionAnswer:
    code = parse_canonical(text)
    assert code is not None
    dossier = Dossier(
        code=code,
        source="hoso",
        status=status,
        agency=agency,
        received_at=datetime(2026, 9, 30, 18, 0, tzinfo=UTC),  # one in the morning of the next day in Sóc Trăng
        due_on=due_on,
    )
    if proved:
        dossier = replace(dossier, **MORE)
    return QuestionAnswer(
        outcome=outcome,
        answer=DossierAnswer(code=code, outcome=outcome, dossier=dossier, as_of=AS_OF),
        proved=proved,
    )


def without_dossier(outcome: Outcome, text: str = CODE) -> QuestionAnswer:
    code = parse_canonical(text)
    assert code is not None
    return QuestionAnswer(outcome=outcome, answer=DossierAnswer(code=code, outcome=outcome))


def unreadable(reason: str, *candidates: str) -> QuestionAnswer:
    return QuestionAnswer(outcome=Outcome.UNREADABLE, reason=reason, candidates=candidates)


@dataclass
class Behind:
    """Answers every question with `says`, or fails, and tells what is `left`; remembers what was asked."""

    says: QuestionAnswer = field(default_factory=answered)
    fails: GatewayError | None = None
    left: Left | None = None
    asked: list[Sequence[Question]] = field(default_factory=list)

    async def ask(self, questions: Sequence[Question]) -> Sequence[Asked[Answer]]:
        self.asked.append(questions)
        if self.fails is not None:
            raise self.fails
        return [Asked(self.says, self.left) for _ in questions]

    @property
    def last(self) -> Question:
        return self.asked[-1][-1]


def listener(
    behind: Behind,
    *,
    trusted: Sequence[str] = (),
    agencies: Mapping[str, object] | None = None,
    proofs: bool = False,
    clock: Callable[[], datetime] = lambda: NOW,
    kept: int = 100,
) -> web.Application:
    asker = Asker(behind.ask)
    teller = Teller(Catalogue.from_mapping(shipped_texts()), Agencies.from_mapping(agencies or shipped_agencies()))
    proxies = [ip_network(network) for network in trusted]
    api = WebApi(asker=asker, teller=teller, clock=clock, trusted=proxies, proofs=proofs, kept=kept)
    page = LookUpPage(asker=asker, teller=teller, clock=clock, trusted=proxies, proofs=proofs)
    return make_app(public_routes([*api.routes(), *page.routes()]))
