"""How a foreign schema is read: a mapping file (config/onestop/*.toml), checked whole before anything is read by it.

It names one table, the columns we need, the source's own states with their national numbers, and what is hidden. It
cannot name columns that hold persons: what is never selected cannot leak.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from domain.dossier import DossierStatus
from domain.errors import SettingsError

Name = Annotated[str, Field(min_length=1, max_length=128)]

PERSONAL_COLUMNS = frozenset(
    name.casefold()
    for name in (
        # Business.HoSos and its sync API (reference: domain §7.1, §3.3)
        *("ChuHoSo", "SoDienThoaiChuHoSo", "SoGiayToChuHoSo", "DiaChiChuHoSo", "EmailChuHoSo", "NguoiUyQuyen"),
        *("SoDienThoaiNguoiUyQuyen", "SoDienThoai", "TrichYeuHoSo", "MaDoiTuong", "Email"),
        # OpenCPS and its predecessor (§7.2); `password` opens a dossier
        *("applicantName", "applicantIdNo", "address", "contactName", "contactTelNo", "contactEmail", "delegateName"),
        *("delegateIdNo", "delegateTelNo", "delegateAddress", "password", "subjectName", "telNo"),
        # others (§7.3, §7.4)
        *("CitizenName", "dossier_owner", "owner_phone", "ten_nguoi_nop", "cmnd", "dien_thoai_nguoi_nop"),
    )
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Strict):
    """Our word -> the source's column. Only code and status are always there."""

    code: Name
    status: Name
    received_at: Name | None = None
    due_on: Name | None = None
    finished_at: Name | None = None
    returned_at: Name | None = None
    changed_at: Name | None = None
    unit: Name | None = None
    procedure: Name | None = None

    @model_validator(mode="after")
    def no_persons(self) -> Columns:
        """Refuse columns that hold persons."""
        for column in self.named().values():
            if column.casefold() in PERSONAL_COLUMNS:
                raise ValueError(f"{column} holds personal data and is never read")
        return self

    def named(self) -> dict[str, str]:
        """Those that are given."""
        return {ours: theirs for ours, theirs in self if theirs is not None}


class AgencyColumn(_Strict):
    """Who holds the dossier stands in a column; where that is empty, the agency part of the code."""

    column: Name


class Hidden(_Strict):
    """A row is not told when its `column` holds one of `values`, or anything at all (`filled`): a soft delete.

    Judged on what was read, not in SQL: a zero date or an empty text cannot be compared with every column type.
    """

    column: Name
    values: tuple[str | int, ...] = ()
    filled: bool = False

    @model_validator(mode="after")
    def one_condition(self) -> Hidden:
        """Exactly one of the two conditions is given."""
        if bool(self.values) == self.filled:
            raise ValueError("give either values or filled = true")
        return self


class SourceMapping(_Strict):
    """One mapping file, checked.

    `prefixes` (agency identifiers it answers for) and `default` (asked also for codes nobody declares) are what the
    installation's settings may replace.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    table: Name
    db_schema: Annotated[Name | None, Field(alias="schema")] = None
    columns: Columns
    agency: Name | AgencyColumn
    prefixes: tuple[Annotated[str, Field(pattern=r"^[A-Z]\d{2}(\.\d{1,3})*$")], ...] = ()
    default: bool = False
    time_zone: str = "Asia/Ho_Chi_Minh"
    date_formats: Annotated[
        tuple[Literal["yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss", "iso", "dd/MM/yyyy HH:mm:ss"], ...],
        Field(min_length=1),
    ] = ("yyyy-MM-dd HH:mm:ss", "iso")
    status: Annotated[Mapping[str, DossierStatus], Field(min_length=1)]
    hidden: tuple[Hidden, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        """Refuse a zone the system does not know."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as unknown:
            raise ValueError(f"unknown time zone {name!r}") from unknown
        return name

    @field_validator("status")
    @classmethod
    def distinct_states(cls, states: Mapping[str, DossierStatus]) -> Mapping[str, DossierStatus]:
        """Compare states as sources write them: without regard to case, spaces around or zeros before a number."""
        read: dict[str, DossierStatus] = {}
        for written, meant in states.items():
            if read.setdefault(status_key(written), meant) is not meant:
                raise ValueError(f"state {written!r} stands there twice with different meanings")
        return read

    def all_columns(self) -> list[str]:
        """Every column that is selected, each once."""
        agency = [self.agency.column] if isinstance(self.agency, AgencyColumn) else []
        return list(dict.fromkeys([*self.columns.named().values(), *agency, *(each.column for each in self.hidden)]))


def status_key(value: object) -> str:
    """A state as it is compared: ' Processing ' is 'processing', and 4, 4.0, '4' and '04' are '4'."""
    text = str(value).strip().casefold() if value is not None else ""
    whole = text.removesuffix(".0")
    return str(int(whole)) if whole.isascii() and whole.isdigit() else text


def load_mapping(text: str, origin: str) -> SourceMapping:
    """Read a mapping file. `origin` names it in messages.

    Raises:
        SettingsError: it is wrong; every fault on a line of its own.
    """
    try:
        return SourceMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{origin}: {fault}") from fault
    except ValidationError as faults:
        lines = [f"{origin}: {_place(fault['loc'])}{fault['msg']}" for fault in faults.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from faults


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in location)}: " if location else ""
