"""An example of everything the API answers, made by what makes the answers, so that no example can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec

from channels.web.agencies import AgenciesBody, AgencyBody, agency_body
from channels.web.chat_links import ChatLink
from channels.web.dossier_body import DossierBody, dossier_body, follow_body, page_of
from channels.web.follow import FollowingBody, PinBody, SentBody, WishBody
from channels.web.health import HealthBody
from channels.web.operations import DOSSIER_CODE, PROCEDURE_CODE, TOKEN, ChallengeBody, WorkParametersBody
from channels.web.problem import Problem, ProblemBody, ProblemKind, problem_body
from channels.web.procedure_telling import FormBody, ProcedureBody, ProceduresBody
from channels.web.proving import QuestionBody
from channels.web.telling import Teller
from domain.agencies import Agencies
from domain.answers import DossierAnswer, Outcome
from domain.calendar import LOCAL_ZONE, local_day
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.questions import QuestionAnswer

CODE = DossierCode(text=str(DOSSIER_CODE.example), agency="H51.18")  # a serial of zeros is nobody's
NOW = datetime(2026, 1, 12, 1, 30, tzinfo=UTC)
CHATS = (ChatLink("telegram", "https://t.me/tracuu_bot?start=H51_18-250701-0000"),)
CHALLENGE = ChallengeBody(
    parameters=WorkParametersBody(
        algorithm="PBKDF2/SHA-256",
        cost=2_000,
        key_length=32,
        key_prefix="a10d66a16eda87da2efc887b93f65c9b",
        nonce="01a0fc20ba25e81f56074d3956c9e378",
        salt="ac3f5ec0f399aea310e3d8216d79bfdd",
        expires_at=int((NOW + timedelta(minutes=10)).timestamp()),
        key_signature="3f7ad55479f80694679bc8f9b3b9867d410f8007a246aad7b5a4c57b06a4828f",
        data={"site": ""},
    ),
    signature="6a8a29407073c438da28b94864455bbb02361783a87bd27b835ee307ea023800",
)
PROCEDURE = ProcedureBody(
    code=str(PROCEDURE_CODE.example),
    name="Thủ tục đăng ký kết hôn",
    field="Hộ tịch",
    level="",
    days=None,
    time="Ngay trong ngày",
    fee="Miễn lệ phí",
    where="Ủy ban nhân dân cấp xã",
    papers=["Tờ khai đăng ký kết hôn"],
    forms=[FormBody(name="Tờ khai đăng ký kết hôn", url="/bieu-mau/to-khai-dang-ky-ket-hon.docx", bytes=21_504)],
    valid_from=date(2025, 7, 1),
    valid_to=None,
)
GIVEN = (
    QuestionBody(last_four="5678"),
    WishBody(code=CODE.text, phone="0912345678"),
    PinBody(pin="123456"),
    SentBody(token=str(TOKEN.example), expires_at=(NOW + timedelta(minutes=10)).astimezone(LOCAL_ZONE)),
    FollowingBody(),
    HealthBody(status="pass"),
    CHALLENGE,
    PROCEDURE,
    ProceduresBody(procedures=[PROCEDURE]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """By the struct they are examples of, and problems by their kind."""

    bodies: Mapping[type[msgspec.Struct], msgspec.Struct]
    problems: Mapping[ProblemKind, ProblemBody]


def make_examples(teller: Teller, agencies: Agencies, language: str, base_url: str) -> Examples:
    """In this language. `base_url`: how citizens reach us, or empty."""
    agency = _agency(agencies)
    told = (_dossier(teller, language, base_url), agency, AgenciesBody(agencies=[agency], next=None))
    return Examples(
        bodies={type(each): each for each in (*GIVEN, *told)},
        problems={kind: _problem(teller, kind, language) for kind in ProblemKind},
    )


def _dossier(teller: Teller, language: str, base_url: str) -> DossierBody:
    dossier = Dossier(
        code=CODE,
        source="",
        status=DossierStatus.IN_PROCESS,
        agency=CODE.agency,
        received_at=NOW - timedelta(days=7),
        due_on=local_day(NOW + timedelta(days=7)),
    )
    found = DossierAnswer(code=CODE, outcome=Outcome.FOUND, dossier=dossier, as_of=NOW)
    told = teller.tell(QuestionAnswer(outcome=Outcome.FOUND, answer=found), language, NOW)
    if isinstance(told, Problem):
        raise TypeError("a dossier that was found is told")
    return dossier_body(told, None, page=page_of(base_url, told), follow=follow_body(CHATS, phone=True))


def _agency(agencies: Agencies) -> AgencyBody:
    return agency_body(agencies.find(CODE.agency) or agencies.default, agencies, local_day(NOW))


def _problem(teller: Teller, kind: ProblemKind, language: str) -> ProblemBody:
    challenge = msgspec.to_builtins(CHALLENGE) if kind is ProblemKind.WORK_NEEDED else None
    return problem_body(teller.problem(kind, language), challenge=challenge)
