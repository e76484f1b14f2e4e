"""The same dossiers in the schemas of real one-stop systems (reference: domain §7): tables, and a dossier as rows.

A state a schema has no way of saying is planted as one its mapping does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.onestop.mapping import SourceMapping, load_mapping
from demo.onestop import OPENCPS_STATES, DemoDossier
from domain.dossier import DossierStatus
from tests.onestop_schemas.databases import Database

S = DossierStatus
HERE = Path(__file__).parent
CONFIG = Path(__file__).parents[2] / "config" / "onestop"
PHONE = "0900000000"
ZERO_DATE = "0000-00-00 00:00:00"
Rows = Sequence[tuple[str, Mapping[str, object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One style. `says`: the states it can say; `tables`: each with its columns and what they are made of."""

    style: str
    table: str
    code: str
    says: frozenset[DossierStatus]
    tables: Mapping[str, Mapping[str, str]]
    rows: Callable[[DemoDossier, DossierStatus | None], Rows]
    beside: Rows = ()
    agency: str = ""  # of every dossier, where the mapping says so
    procedure: str = "1.004946"
    folder: Path = CONFIG

    def mapping(self) -> SourceMapping:
        return load_mapping(self.text(), self.style)

    def text(self) -> str:
        return (self.folder / f"{self.style}.toml").read_text()

    def make(self, database: Database) -> None:
        indexed = {self.table: self.code} | {join.table: next(iter(join.on)) for join in self.mapping().joins}
        for table, columns in self.tables.items():
            database.create(table, columns, indexed[table])
        for table, row in self.beside:
            database.insert(table, row)

    def plant(self, database: Database, *dossiers: DemoDossier) -> None:
        for dossier in dossiers:
            for table, row in self.rows(dossier, self.status(dossier)):
                database.insert(table, row)

    def status(self, dossier: DemoDossier) -> DossierStatus | None:
        return dossier.status if dossier.status in self.says else None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(" ", "seconds")


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="milliseconds")


def _hoso(each: DemoDossier, status: DossierStatus | None) -> Rows:
    row = {
        "MaHoSo": each.code,
        "DonViId": each.agency,
        "MaTTHC": each.procedure,
        "ChuHoSo": "Nguyễn Văn Mẫu",
        "SoDienThoaiChuHoSo": PHONE,
        "TrichYeuHoSo": "Hồ sơ của ông Nguyễn Văn Mẫu",
        "NgayTiepNhan": _text(each.received_at),
        "NgayHenTra": _text(each.due_at),
        "NgayKetThucXuLy": _text(each.finished_at),
        "NgayTra": _text(each.returned_at),
        "TrangThaiHoSoId": str(int(status)) if status else "13",
        "TenBuocHienTai": "Phòng chuyên môn",
        "DeletedOn": "2026-01-01 08:00:00" if each.deleted else None,
    }
    return [("HoSos", row)]


def _dossier(each: DemoDossier, status: DossierStatus | None) -> Rows:
    row = {
        "dossierNo": each.code,
        "password": "mau-123",
        "serviceCode": each.procedure,
        "serviceName": "Thủ tục mẫu",
        "govAgencyCode": each.agency,
        "applicantName": "Nguyễn Văn Mẫu",
        "contactTelNo": PHONE,
        "receiveDate": _iso(each.received_at),
        "dueDate": _iso(each.due_at),
        "extendDate": "",
        "releaseDate": _iso(each.finished_at),
        "finishDate": _iso(each.returned_at),
        "modifiedDate": _iso(each.returned_at or each.finished_at or each.received_at),
        "dossierStatus": OPENCPS_STATES[status] if status else "interoperating",
        "lockState": "DELETED" if each.deleted else "",
    }
    return [("Dossier", row)]


BKAV_FLAGS = {S.IN_PROCESS: 2, S.MORE_DOCUMENTS: 16, S.STOPPED: 16, S.DONE: 4, S.RETURNED: 4}


def _document(each: DemoDossier, status: DossierStatus | None) -> Rows:
    flags = BKAV_FLAGS[status] if status else 64
    row = {
        "DocumentId": each.code,
        "DocCode": each.code,
        "CategoryBusinessId": 4,
        "DocTypeName": "Thủ tục mẫu",
        "CitizenName": "Nguyễn Văn Mẫu",
        "Compendium": "Hồ sơ của ông Nguyễn Văn Mẫu",
        "Phone": PHONE,
        "Status": flags | (8 if each.deleted else 0),
        "DateCreated": _text(each.received_at),
        "DateAppointed": _text(each.due_at),
        "DateSuccess": _text(each.finished_at),
        "DateReturned": _text(each.returned_at),
        "DateRequireSupplementary": _text(each.received_at) if status is S.MORE_DOCUMENTS else None,
    }
    lies = {"DocumentId": each.code, "UserCurrentName": "Trần Thị Mẫu", "DateReceived": _text(each.received_at)}
    older = {**lies, "DateReceived": "2016-01-01 08:00:00", "CurrentDepartmentName": "Bộ phận một cửa"}
    now = {**lies, "CurrentDepartmentName": "Phòng chuyên môn"}
    return [("document", row), ("documentcopy", older), ("documentcopy", now)]


STEPS = {S.ACCEPTED: 1, S.IN_PROCESS: 2, S.DONE: 4, S.RETURNED: 6, S.MORE_DOCUMENTS: 9}


def _small(each: DemoDossier, status: DossierStatus | None) -> Rows:
    row = {
        "Ma_Hoso": each.code,
        "dossier_owner": "Nguyễn Văn Mẫu",
        "owner_phone": int(PHONE),
        "ID_Procedure": 4946,
        "time_received": _text(each.received_at),
        "time_return": _text(each.due_at) or ZERO_DATE,
        "id_stepcurrent": STEPS[status] if status else 40,
        "is_actived": 0 if each.deleted else 1,
    }
    return [("dossier", row)]


def _columns(**kinds: str) -> Mapping[str, str]:
    """Kind -> the columns that are of it, one space between, turned round."""
    return {column: kind for kind, columns in kinds.items() for column in columns.split()}


SCHEMAS = {
    schema.style: schema
    for schema in (
        Schema(
            style="thanhhoa",
            table="HoSos",
            code="MaHoSo",
            says=frozenset(S),
            tables={
                "HoSos": _columns(
                    code="MaHoSo MaHoSoKhac DonViId MaTTHC TrangThaiHoSoId TrangThaiBoSung",
                    text="ChuHoSo SoDienThoaiChuHoSo SoDienThoaiNguoiUyQuyen TrichYeuHoSo TenBuocHienTai LyDoBoSung",
                    moment="NgayTiepNhan NgayHenTra NgayKetThucXuLy NgayTra DeletedOn",
                ),
                "ThuTucs": _columns(code="MaTTHC", text="TenTTHC"),
            },
            rows=_hoso,
            beside=[("ThuTucs", {"MaTTHC": "1.004946", "TenTTHC": "Thủ tục mẫu"})],
        ),
        Schema(
            style="opencps",
            table="Dossier",
            code="dossierNo",
            says=frozenset(S),
            tables={
                "Dossier": _columns(
                    code="dossierNo password serviceCode govAgencyCode dossierStatus dossierSubStatus lockState"
                    " receiveDate dueDate extendDate releaseDate finishDate modifiedDate",
                    text="serviceName applicantName contactTelNo delegateTelNo",
                )
            },
            rows=_dossier,
        ),
        Schema(
            style="bkav",
            table="document",
            code="DocCode",
            says=frozenset(BKAV_FLAGS),
            tables={
                "document": _columns(
                    code="DocumentId DocCode",
                    text="DocTypeName CitizenName Compendium Phone",
                    int="CategoryBusinessId Status",
                    moment="DateCreated DateAppointed DateSuccess DateFinished DateReturned DateRequireSupplementary",
                ),
                "documentcopy": _columns(
                    code="DocumentId", text="UserCurrentName CurrentDepartmentName", moment="DateReceived"
                ),
            },
            rows=_document,
            agency="H51.29",
            procedure="",
        ),
        Schema(
            style="smallmysql",
            table="dossier",
            code="Ma_Hoso",
            says=frozenset(STEPS),
            tables={
                "dossier": _columns(
                    code="Ma_Hoso",
                    text="dossier_owner",
                    int="owner_phone ID_Procedure id_stepcurrent is_actived",
                    moment="time_received time_return",
                ),
                "list_step": _columns(int="ID_Step", text="step_name"),
            },
            rows=_small,
            beside=[("list_step", {"ID_Step": 2, "step_name": "Đang xử lý"})],
            agency="H51.31",
            procedure="4946",
        ),
    )
}
