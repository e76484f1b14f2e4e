"""The demo's two one-stop systems: small SQLite files in the schemas of real ones, with people who do not exist.

`hoso.sqlite3` is in the Thanh Hóa style (HoSos) and holds H51, Sóc Trăng; `dossier.sqlite3` is in the OpenCPS style
(Dossier) and holds H13 and a national service. The gateway reads them as it would read an agency's: this module is the
agency. Columns with persons are filled, so that it shows that nobody reads them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from domain.calendar import LOCAL_ZONE
from domain.dossier import CLOSED, DossierStatus

S = DossierStatus

HOSO_FILE = "hoso.sqlite3"
DOSSIER_FILE = "dossier.sqlite3"

OWNER = "0912000013"  # the telephone on the dossier of the old receipt
LEGACY = "12345/2016/00123"  # three agencies of the catalogue gave numbers like it

HOSO_SCHEMA = """
CREATE TABLE IF NOT EXISTS HoSos (
    Id INTEGER PRIMARY KEY, MaHoSo VARCHAR(50), MaHoSoKhac VARCHAR(50), DonViId VARCHAR(50), MaTTHC VARCHAR(50),
    KenhThucHien VARCHAR(1), ChuHoSo TEXT, SoDienThoaiChuHoSo TEXT, SoDienThoaiNguoiUyQuyen TEXT, SoGiayToChuHoSo TEXT,
    TrichYeuHoSo TEXT, TrangThaiBoSung VARCHAR(50), LyDoBoSung TEXT, NgayTiepNhan TEXT, NgayHenTra TEXT,
    NgayKetThucXuLy TEXT, NgayTra TEXT, TrangThaiHoSoId VARCHAR(5),
    TrangThaiTruoc VARCHAR(5), TenBuocHienTai TEXT, DeletedOn TEXT);
CREATE INDEX IF NOT EXISTS IX_HoSos_MaHoSo ON HoSos (MaHoSo);
CREATE TABLE IF NOT EXISTS ThuTucs (MaTTHC VARCHAR(50) PRIMARY KEY, TenTTHC TEXT);
INSERT OR IGNORE INTO ThuTucs VALUES ('1.004946', 'Thủ tục mẫu');
"""
DOSSIER_SCHEMA = """
CREATE TABLE IF NOT EXISTS Dossier (
    dossierId INTEGER PRIMARY KEY, dossierNo VARCHAR(75), password VARCHAR(75), dossierNote TEXT, serviceCode VARCHAR(75),
    serviceName TEXT, govAgencyCode VARCHAR(75), applicantName TEXT, applicantIdNo TEXT, contactTelNo TEXT,
    delegateTelNo TEXT, receiveDate TEXT, dueDate TEXT, extendDate TEXT, releaseDate TEXT, finishDate TEXT,
    modifiedDate TEXT, dossierStatus VARCHAR(75),
    dossierSubStatus VARCHAR(75), lockState VARCHAR(75));
CREATE INDEX IF NOT EXISTS IX_Dossier_dossierNo ON Dossier (dossierNo);
"""
OPENCPS_STATES = {
    S.NEWLY_REGISTERED: "receiving",
    S.ACCEPTED: "new",
    S.NOT_ACCEPTED: "denied",
    S.IN_PROCESS: "processing",
    S.MORE_DOCUMENTS: "waiting",
    S.PAYMENT_DUE: "paying",
    S.WITHDRAWAL_ASKED: "cancelled",
    S.STOPPED: "unresolved",
    S.DONE: "releasing",
    S.RETURNED: "done",
}
UNMAPPED_HOSO = "13"  # "liên thông" in another installation: no national state
UNMAPPED_OPENCPS = "interoperating"

NEXT: dict[DossierStatus, DossierStatus] = {
    S.NEWLY_REGISTERED: S.ACCEPTED,
    S.ACCEPTED: S.IN_PROCESS,
    S.IN_PROCESS: S.DONE,
    S.MORE_DOCUMENTS: S.IN_PROCESS,
    S.PAYMENT_DUE: S.IN_PROCESS,
    S.WITHDRAWAL_ASKED: S.STOPPED,
    S.STOPPED: S.IN_PROCESS,
    S.DONE: S.RETURNED,
    S.RETURNED: S.DONE,  # called back: a state may go back
}
"""Where the desk's button moves a dossier; all of them legal moves. What is not here stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDossier:
    """A dossier as the demo's agencies keep it. `status` None: a state of theirs that has no national number.

    Moments are local and naive, as those databases have them. `note` says what is special, for the desk.
    """

    code: str
    status: DossierStatus | None
    agency: str
    received_at: datetime | None = None
    due_at: datetime | None = None
    finished_at: datetime | None = None
    returned_at: datetime | None = None
    procedure: str = "1.004946"
    phone: str = "0900000000"
    deleted: bool = False
    note: str = ""


def seed(path: Path, today: date) -> None:
    """Make both databases afresh in the directory `path`. Codes are always the same, so that documents can name them;
    dates are set around `today`.
    """
    path.mkdir(parents=True, exist_ok=True)
    for name in (HOSO_FILE, DOSSIER_FILE):
        (path / name).unlink(missing_ok=True)
    write_hoso(path / HOSO_FILE, [*hoso_dossiers(today), legacy_dossier(today)])
    write_dossier(path / DOSSIER_FILE, opencps_dossiers(today))


def hoso_dossiers(today: date) -> list[DemoDossier]:
    """Sóc Trăng's: all ten states, late, without a due date, in a state nobody mapped, and one that was deleted."""
    accepted = _received("000.00.18.H51-161220-0001", S.IN_PROCESS, "H51.18", today, days=6, due_in=4)
    return [
        replace(accepted, note="the code on the old receipt", phone=OWNER),
        _received("H51.18-210817-0005", S.RETURNED, "H51.18", today, days=20, due_in=-8, ended=9),
        _received("H51.18-250701-0001", S.NEWLY_REGISTERED, "H51.18", today, days=0, due_in=None),
        _received("H51.18-250701-0002", S.ACCEPTED, "H51.18", today, days=1, due_in=9),
        _received("H51.18-250701-0003", S.NOT_ACCEPTED, "H51.18", today, days=5, due_in=2, ended=3),
        _received("H51.18-250701-0004", S.IN_PROCESS, "H51.18", today, days=19, due_in=-5, note="overdue"),
        _received("H51.18-250701-0005", S.MORE_DOCUMENTS, "H51.18", today, days=8, due_in=3),
        _received("H51.29.18-250701-0001", S.PAYMENT_DUE, "H51.29.18", today, days=4, due_in=6),
        _received("H51.29.18-250701-0002", S.WITHDRAWAL_ASKED, "H51.29.18", today, days=7, due_in=7),
        _received("H51.29.18-250701-0003", S.STOPPED, "H51.29.18", today, days=12, due_in=-1, ended=2),
        _received("H51.29.18-250701-0004", S.DONE, "H51.29.18", today, days=9, due_in=1, ended=1),
        _received("H51.29.18-250701-0005", S.IN_PROCESS, "H51.29.18", today, days=3, due_in=None, note="no due date"),
        _received("H51.04-250701-0001", None, "H51.04", today, days=3, due_in=5, note="their own state, not mapped"),
        replace(
            _received("H51.04-250701-0002", S.IN_PROCESS, "H51.04", today, days=3, due_in=5, note="deleted there"),
            deleted=True,
        ),
    ]


def legacy_dossier(today: date) -> DemoDossier:
    """One of Sóc Trăng's under a receipt number from before the national codes."""
    legacy = _received(LEGACY, S.IN_PROCESS, "H51.18", today, days=6, due_in=4)
    return replace(legacy, note="a receipt number from before, unique in its agency only")


def opencps_dossiers(today: date) -> list[DemoDossier]:
    """Cần Thơ's, and a national service's whose code no agency of ours is named in."""
    return [
        _received("H13.18-250701-0001", S.ACCEPTED, "H13.18", today, days=1, due_in=6),
        _received("H13.18-250701-0002", S.IN_PROCESS, "H13.18", today, days=15, due_in=-2, note="overdue"),
        _received("H13.18-250701-0003", S.DONE, "H13.18", today, days=8, due_in=2, ended=0),
        _received("H13.18-250701-0004", None, "H13.18", today, days=2, due_in=4, note="their own state, not mapped"),
        _received("G09.20-20260609-0092637", S.IN_PROCESS, "G09.20", today, days=4, due_in=10, note="national service"),
    ]


def list_dossiers(path: Path) -> list[DemoDossier]:
    """Both systems' dossiers as they are now, in the order they were made; those `bulk` made are left out."""
    with closing(sqlite3.connect(path / HOSO_FILE)) as hoso, closing(sqlite3.connect(path / DOSSIER_FILE)) as dossier:
        rows = hoso.execute(
            "SELECT MaHoSo, TrangThaiHoSoId, DonViId, NgayTiepNhan, NgayHenTra, NgayKetThucXuLy, NgayTra, DeletedOn,"
            " MaHoSoKhac FROM HoSos WHERE MaHoSoKhac <> 'bulk' ORDER BY Id"
        ).fetchall()
        rows += dossier.execute(
            "SELECT dossierNo, dossierStatus, govAgencyCode, receiveDate, dueDate, releaseDate, finishDate,"
            " CASE lockState WHEN 'DELETED' THEN 'x' END, dossierNote FROM Dossier ORDER BY dossierId"
        ).fetchall()
    return [
        DemoDossier(
            code=row[0],
            status=_national(row[1]),
            agency=row[2],
            received_at=_moment(row[3]),
            due_at=_moment(row[4]),
            finished_at=_moment(row[5]),
            returned_at=_moment(row[6]),
            deleted=bool(row[7]),
            note=row[8],
        )
        for row in rows
    ]


def advance(path: Path, code: str) -> DossierStatus | None:
    """Move a dossier to its next state (NEXT) and return that; None when it stays where it is, or is not there.

    The dates of being done and handed over follow; the wall clock of the agency's own system is used.
    """
    dossier = next((each for each in list_dossiers(path) if each.code == code and not each.deleted), None)
    if dossier is None or dossier.status is None or dossier.status not in NEXT:
        return None
    status = NEXT[dossier.status]
    now = datetime.now(LOCAL_ZONE).replace(microsecond=0, tzinfo=None)  # theirs, wherever this machine stands
    finished_at = (dossier.finished_at or now) if status in CLOSED else None
    returned_at = now if status is S.RETURNED else None
    with closing(sqlite3.connect(path / HOSO_FILE)) as hoso, hoso:
        hoso.execute(
            "UPDATE HoSos SET TrangThaiTruoc = TrangThaiHoSoId, TrangThaiHoSoId = ?, NgayKetThucXuLy = ?, NgayTra = ?"
            " WHERE MaHoSo = ?",
            (str(int(status)), _text(finished_at), _text(returned_at), code),
        )
    with closing(sqlite3.connect(path / DOSSIER_FILE)) as opencps, opencps:
        opencps.execute(
            "UPDATE Dossier SET dossierStatus = ?, releaseDate = ?, finishDate = ?, modifiedDate = ?"
            " WHERE dossierNo = ?",
            (OPENCPS_STATES[status], _iso(finished_at), _iso(returned_at), _iso(now), code),
        )
    return status


def bulk(path: Path, count: int) -> list[str]:
    """Give Sóc Trăng's system `count` more dossiers in place of earlier bulk ones, for load tests; their codes."""
    received = datetime(2026, 6, 1, 8, 0)  # noqa: DTZ001 - local time without a zone, as those databases have it
    states = list(S)
    dossiers = [
        DemoDossier(
            code=f"H51.18-2606{1 + number // 90_000:02d}-{10_000 + number % 90_000:05d}",
            status=states[number % len(states)],
            agency="H51.18",
            received_at=received,
            due_at=received + timedelta(days=number % 60),
            note="bulk",
        )
        for number in range(count)
    ]
    with closing(sqlite3.connect(path / HOSO_FILE)) as hoso, hoso:
        hoso.execute("DELETE FROM HoSos WHERE MaHoSoKhac = 'bulk'")
    write_hoso(path / HOSO_FILE, dossiers)
    return [dossier.code for dossier in dossiers]


def write_hoso(file: Path, dossiers: Iterable[DemoDossier]) -> None:
    """Insert into a HoSos table, which is made if need be."""
    _insert(
        file,
        HOSO_SCHEMA,
        "INSERT INTO HoSos (MaHoSo, MaHoSoKhac, DonViId, MaTTHC, KenhThucHien, ChuHoSo, SoDienThoaiChuHoSo,"
        " SoGiayToChuHoSo, TrichYeuHoSo, NgayTiepNhan, NgayHenTra, NgayKetThucXuLy, NgayTra, TrangThaiHoSoId,"
        " TenBuocHienTai, DeletedOn) VALUES (?, ?, ?, ?, '1', 'Nguyễn Văn Mẫu', ?, '000000000000',"
        " 'Hồ sơ của ông Nguyễn Văn Mẫu', ?, ?, ?, ?, ?, 'Phòng chuyên môn', ?)",
        [
            (
                *(each.code, each.note, each.agency, each.procedure, each.phone),
                *(_text(each.received_at), _text(each.due_at), _text(each.finished_at), _text(each.returned_at)),
                str(int(each.status)) if each.status else UNMAPPED_HOSO,
                "2026-01-01 08:00:00" if each.deleted else None,
            )
            for each in dossiers
        ],
    )


def write_dossier(file: Path, dossiers: Iterable[DemoDossier]) -> None:
    """Insert into an OpenCPS Dossier table, which is made if need be."""
    _insert(
        file,
        DOSSIER_SCHEMA,
        "INSERT INTO Dossier (dossierNo, password, dossierNote, serviceCode, govAgencyCode, applicantName, applicantIdNo,"
        " contactTelNo, receiveDate, dueDate, releaseDate, finishDate, modifiedDate, dossierStatus, lockState)"
        " VALUES (?, 'mau-123', ?, ?, ?, 'Nguyễn Văn Mẫu', '000000000000', '0900000000', ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(each.code, each.note, each.procedure, each.agency),
                *(_iso(each.received_at), _iso(each.due_at), _iso(each.finished_at), _iso(each.returned_at)),
                _iso(each.returned_at or each.finished_at or each.received_at),
                OPENCPS_STATES[each.status] if each.status else UNMAPPED_OPENCPS,
                "DELETED" if each.deleted else "",
            )
            for each in dossiers
        ],
    )


def _received(
    code: str,
    status: DossierStatus | None,
    agency: str,
    today: date,
    *,
    days: int,
    due_in: int | None,
    ended: int | None = None,
    note: str = "",
) -> DemoDossier:
    """A dossier received `days` ago, due in `due_in` days, ended `ended` days ago."""

    def morning(days_ago: int) -> datetime:
        return datetime.combine(today - timedelta(days=days_ago), time(8, 30))

    finished_at = None if ended is None else morning(ended)
    return DemoDossier(
        code=code,
        status=status,
        agency=agency,
        received_at=morning(days),
        due_at=None if due_in is None else morning(-due_in) + timedelta(hours=8),
        finished_at=finished_at,
        returned_at=finished_at if status is S.RETURNED else None,
        note=note,
    )


def _insert(file: Path, schema: str, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(schema)
        connection.executemany(statement, rows)


def _national(state: str) -> DossierStatus | None:
    names = {name: status for status, name in OPENCPS_STATES.items()}
    if state in names:
        return names[state]
    return S(int(state)) if state.isdigit() and int(state) in list(S) else None


def _text(moment: datetime | None) -> str | None:
    """As HoSos keeps it: missing is NULL."""
    return None if moment is None else moment.isoformat(" ", "seconds")


def _iso(moment: datetime | None) -> str:
    """As OpenCPS keeps it here: with milliseconds; missing is an empty text."""
    return "" if moment is None else moment.isoformat(timespec="milliseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
