"""Columns and paths that hold persons: no mapping may name them, except to prove a right to know more."""

from __future__ import annotations

import re

PERSONAL_COLUMNS = frozenset(
    name.casefold()
    for name in (
        # Business.HoSos and its sync API (reference: domain §7.1, §3.3)
        *("ChuHoSo", "SoDienThoaiChuHoSo", "SoGiayToChuHoSo", "DiaChiChuHoSo", "EmailChuHoSo", "NguoiUyQuyen"),
        *("SoDienThoaiNguoiUyQuyen", "SoGiayToNguoiUyQuyen", "SoDienThoai", "TrichYeuHoSo", "MaDoiTuong", "Email"),
        *("NguoiXuLy", "NguoiGui", "NguoiNhan", "SoDinhDanh", "ThongTinNguoiNop", "ThongTinKhac"),
        # OpenCPS and its predecessor (§7.2); `password` opens a dossier
        *("applicantName", "applicantIdNo", "address", "contactName", "contactTelNo", "contactEmail", "delegateName"),
        *("delegateIdNo", "delegateTelNo", "delegateAddress", "password", "subjectName", "subjectId", "telNo"),
        # Bkav eGov, the small ones (§7.3, §7.4)
        *("CitizenName", "CitizenInfo", "Compendium", "UserCurrentName", "IdentityCard", "Phone"),
        *("CurrentFullName", "UserSuccessName", "UserCreatedName", "LastUserComment", "UserThongBao", "PersonInfo"),
        *("dossier_name", "dossier_owner", "owner_phone", "owner_zalo_id"),
        *("ten_nguoi_nop", "cmnd", "cmnd_nguoi_nop", "dien_thoai_nguoi_nop"),
        # those that are asked over HTTP (§4.1, §4.4, §7.6)
        *("socmnd", "nguoinhan", "tenhoso", "tccn_ten", "tccn_diachi", "applicant", "fullname", "Canboxuly"),
    )
)
_PARTS = re.compile(r"[.\[\]*]+")


def is_personal(place: str) -> bool:
    """Some part of this column or path holds persons."""
    return any(part.casefold() in PERSONAL_COLUMNS for part in _PARTS.split(place))
