"""Dossiers whose papers are printed in tests: from one without anything to one with everything a form can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.calendar import local_day
from domain.dossier import DossierStatus
from domain.intake import Actor, IntakeDossier, IntakeSource, Paper, Person
from domain.numbering import NumberPattern
from domain.working_time import LimitUnit, TimeLimit

AGENCY = "H13.16"  # of config/agencies.toml
RECEIVED_AT = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)  # 14:05 in Vietnam
BE = Person(
    name="Nguyễn Thị Bé",
    phone="0912 345 678",
    email="be.nguyen@example.vn",
    address="12/3 ấp Phú Hữu, xã Phú Tâm, thành phố Cần Thơ",
    id_number="094123456789",
)
NAMES = (
    "Tờ khai cấp bản sao trích lục hộ tịch theo mẫu",
    "Giấy khai sinh",
    "Căn cước công dân của người yêu cầu, người được ủy quyền",
    "Văn bản ủy quyền được công chứng, chứng thực",
    "Giấy chứng nhận quyền sử dụng đất, quyền sở hữu nhà ở và tài sản khác gắn liền với đất",
    "Giấy xác nhận tình trạng hôn nhân do Ủy ban nhân dân cấp xã nơi thường trú cấp",
    "Sổ hộ khẩu (bản cũ, còn giá trị đối chiếu)",
    "Đơn đề nghị",
)
OFFICER = Actor(officer=7, login="lan.mc", name="Trần Thị Ngọc Lan", agency=AGENCY)


def papers(count: int) -> tuple[Paper, ...]:
    """So many, each handed in otherwise."""
    return tuple(
        Paper(
            name=NAMES[place % len(NAMES)],
            originals=place % 2,
            certified=(place + 1) % 2,
            copies=place % 3,
            complete=True,
            legal=True,
        )
        for place in range(count)
    )


def dossier(identifier: int, **changes: Any) -> IntakeDossier:
    """Received; `changes` are those of IntakeDossier."""
    received = changes.get("received_at", RECEIVED_AT)
    values: dict[str, Any] = {
        "id": identifier,
        "code": NumberPattern(agency=AGENCY).code(local_day(received), 1),
        "agency": AGENCY,
        "holder": AGENCY,
        "procedure": "1.004946",
        "procedure_name": "Cấp bản sao trích lục hộ tịch, bản sao Giấy khai sinh",
        "source": IntakeSource.COUNTER,
        "status": DossierStatus.ACCEPTED,
        "person": BE,
        "papers": papers(3),
        "received_at": received,
        "entered_at": received,
        "changed_at": received,
        "limit": TimeLimit(5),
        "due_at": received + timedelta(days=7),
        "first_due_at": received + timedelta(days=7),
        "secret": "K7M4PX",
    }
    return IntakeDossier(**{**values, **changes})


EVERYTHING: dict[str, Any] = {
    "person": replace(BE, owner="Trần Văn Tám"),
    "subject": "Xin cấp 03 bản sao trích lục khai sinh để làm hồ sơ du học cho con",
    "papers": papers(8),
    "sets": 2,
    "fee": "8.000 đồng một bản",
    "fee_dong": 24_000,
    "notify": True,
    "notify_words": "Người nộp đồng ý nhận tin báo tình trạng hồ sơ qua số điện thoại đã khai",
}
BARE: dict[str, Any] = {
    "person": Person(name="Lý Út"),
    "papers": (),
    "limit": None,
    "due_at": None,
    "first_due_at": None,
    "secret": "",
}
DOSSIERS: dict[str, dict[str, Any]] = {
    "plain": {"notify": True, "notify_words": "Đồng ý nhận tin báo"},
    "bare": BARE,
    "everything": EVERYTHING,
    "khmer": {**EVERYTHING, "language": "km"},
    "english": {**EVERYTHING, "language": "en", "fee_dong": None, "notify": False, "notify_words": ""},
    "late": {
        "late": True,
        "entered_at": RECEIVED_AT + timedelta(days=1),
        "language": "km",
        "limit": TimeLimit(8, LimitUnit.WORKING_HOURS),
    },
    "forty": {**EVERYTHING, "papers": papers(40)},
}


def missing(of: Sequence[Paper]) -> tuple[Paper, ...]:
    """The same, the last one still wanted."""
    return (*of[:-1], replace(of[-1], missing=True, note="bản chụp mờ, xin nộp bản chứng thực"))
