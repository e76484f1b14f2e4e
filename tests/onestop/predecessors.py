"""Two schemas whose mappings are not shipped but must be sayable (reference: domain §7.2, §7.5): DVC-v2 and OEPv2."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from demo.onestop import DemoDossier
from domain.dossier import DossierStatus
from tests import onestop_schemas
from tests.onestop_schemas.databases import Database
from tests.onestop_schemas.schemas import PHONE, Rows, Schema

S = DossierStatus
FOLDER = Path(onestop_schemas.__file__).parent
AGENCY_ID = 17  # H51.18 in the mapping
STATE_ID = 100  # its list of states has identifiers of its own
UNMAPPED = 13
OEP_STATES: Mapping[DossierStatus, tuple[str, str]] = {
    S.NEWLY_REGISTERED: ("0", ""),
    S.IN_PROCESS: ("1", ""),
    S.MORE_DOCUMENTS: ("1", "pending"),
    S.DONE: ("2", ""),
    S.RETURNED: ("3", ""),
}


class Predecessor(Schema):
    """Its tables may lie in schemas of the database."""

    __slots__ = ()

    def make(self, database: Database) -> None:
        for name in sorted({table.partition(".")[0] for table in self.tables if "." in table}):
            database.execute(f"CREATE SCHEMA {database.named(name)}")
        for table, columns in self.tables.items():
            database.create(table, columns, self.code if table == self.table else "")
        for table, row in self.beside:
            database.insert(table, row)


def _columns(**kinds: str) -> Mapping[str, str]:
    return {column: kind for kind, columns in kinds.items() for column in columns.split()}


def _hoso(each: DemoDossier, status: DossierStatus | None) -> Rows:
    row = {
        "MaHoSo": each.code,
        "TinhTrangID": STATE_ID + (int(status) if status else UNMAPPED),
        "TTHCID": 7,
        "NgayNhan": _iso(each.received_at),
        "NgayHenTra": _iso(each.due_at),
        "NgayHoanTat": _iso(each.finished_at),
        "NgayThucTra": _iso(each.returned_at),
        "LePhi": 50_000,
        "DonViTien": "VND",
        "KenhNop": 2,
        **dict.fromkeys(("DonViNhanID", "DonViXuLyID", "DonViTraKetQuaID"), AGENCY_ID),
    }
    return [("case.HOSO", row)]


def _oep(each: DemoDossier, status: DossierStatus | None) -> Rows:
    state, second = OEP_STATES[status] if status else ("9", "")
    row = {
        "receptionNo": each.code,
        "mainStatus": state,
        "subStatus": second,
        "telNo": PHONE,
        "onegate": 1,
        "receiveDate": _slashed(each.received_at),
        "estimateDate": _slashed(each.due_at),
        "finishDate": _slashed(each.finished_at),
        "handoverDate": _slashed(each.returned_at),
    }
    return [("oep_dossier", row)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(" ", "seconds")


def _slashed(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%d/%m/%Y %H:%M:%S}"


PREDECESSORS: Mapping[str, Schema] = {
    "dvcv2": Predecessor(
        style="dvcv2",
        folder=FOLDER,
        table="case.HOSO",
        code="MaHoSo",
        says=frozenset(S),
        tables={
            "case.HOSO": _columns(
                code="MaHoSo",
                int="TinhTrangID TTHCID KenhNop LePhi DonViNhanID DonViXuLyID DonViTraKetQuaID",
                text="DonViTien",
                moment="NgayNhan NgayHenTra NgayHoanTat NgayThucTra",
            ),
            "lookup.DM_QG_TINHTRANG": _columns(int="TinhTrangID Ma"),
            "tthc.DM_QG_THUTUCHANHCHINH": _columns(int="TTHCID", code="MaTTHC", text="TenTTHC"),
        },
        rows=_hoso,
        beside=[
            *(
                ("lookup.DM_QG_TINHTRANG", {"TinhTrangID": STATE_ID + number, "Ma": number})
                for number in (*map(int, S), UNMAPPED)
            ),
            ("tthc.DM_QG_THUTUCHANHCHINH", {"TTHCID": 7, "MaTTHC": "1.004946", "TenTTHC": "Thủ tục mẫu"}),
        ],
    ),
    "oepv2": Predecessor(
        style="oepv2",
        folder=FOLDER,
        table="oep_dossier",
        code="receptionNo",
        says=frozenset(OEP_STATES),
        tables={
            "oep_dossier": _columns(
                code="receptionNo oldReceptionNo mainStatus subStatus telNo receiveDate submitDate renewDate estimateDate"
                " finishDate handoverDate returnDate",
                int="onegate",
            )
        },
        rows=_oep,
        agency="H51",
    ),
}
