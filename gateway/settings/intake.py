"""The minimal intake module: which agencies work with it, how they number, count days, and what they take as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain.numbering import NumberPattern
from domain.working_time import DeskHours
from gateway.settings.kinds import AgencyPrefix, Count, Name, OneLine, Printable, Section, expected

Span = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
FileFormat = Literal["pdf", "jpg", "png", "tif", "docx", "xlsx", "odt", "ods", "doc", "xls", "rtf"]


class IntakeAgency(Section):
    """An agency that works with this module, because it has no one-stop system of its own or for when that is down."""

    agency: AgencyPrefix = Field(description="Its identifier in the catalogue of agencies.")
    pattern: Printable = Field(
        default="{agency}-{yymmdd}-{serial:4}",
        max_length=60,
        description="How its codes are written (decree 61/2018/NĐ-CP art. 26); `{yyyymmdd}` is known too.",
    )
    first_serial: Count = Field(
        default=1, description="The first serial of a day: such as 9001 where its own system numbers from 1."
    )
    units: tuple[OneLine, ...] = Field(default=(), description="Its units that work on dossiers, by name.")
    online: bool = Field(default=True, description="Whether citizens may file with it online.")

    @model_validator(mode="after")
    def codes_can_be_read(self) -> IntakeAgency:
        """The pattern makes codes that are codes."""
        try:
            NumberPattern(agency=self.agency, text=self.pattern, first=self.first_serial)
        except ValueError as error:
            raise expected(str(error)) from error
        return self


class IntakeSettings(Section):
    """Dossiers that are received here. Without an agency the module is off."""

    agencies: tuple[IntakeAgency, ...] = Field(default=(), description="See the table of its own.")
    source: Name = Field(
        default="intake", description="The name it has among the one-stop systems; to keep once chosen."
    )
    files: Path = Field(
        default=Path("var/intake"), description="The folder for files people hand in; outside of what is served."
    )
    hours: tuple[Span, ...] = Field(
        default=("07:00-11:30", "13:30-17:00"), description="When the desks are open, Monday to Friday."
    )
    saturday: tuple[Span, ...] = Field(default=(), description="When they are open on every Saturday.")
    cut_off: TimeOfDay = Field(
        default="15:00", description="Received later counts as the next working day (decree 61/2018/NĐ-CP art. 18.2)."
    )
    supplement_days: Count = Field(
        default=15, description="Working days a supplement is awaited, unless one says otherwise."
    )
    draft_days: Count = Field(default=7, description="Days a draft of a citizen is kept.")
    drafts_per_address: Count = Field(default=20, description="Drafts one address of the web may open in a day.")
    uploads_per_draft: Count = Field(default=100, description="Files sent to one draft or dossier online in a day.")
    draft_room_mb: Count = Field(
        default=5_000,
        description="Million bytes of all files that no dossier has yet; beyond, online filing takes none.",
    )
    formats: tuple[FileFormat, ...] = Field(
        default=("pdf", "jpg", "png", "tif", "docx", "xlsx", "odt", "ods", "doc", "xls", "rtf"),
        description="What is taken, by what it truly is (after circular 22/2013/TT-BTTTT).",
    )
    largest_file_bytes: Count = Field(default=10_485_760, description="The largest file.")
    most_files: Count = Field(default=30, description="Files of one dossier.")
    most_bytes: Count = Field(default=52_428_800, description="Bytes of all files of one dossier.")
    consent: OneLine = Field(
        default="Người nộp đồng ý nhận tin báo tình trạng hồ sơ qua số điện thoại đã khai",
        min_length=1,
        max_length=200,
        description="What is asked and ticked at the counter; kept as the words of consent, printed on the receipt.",
    )

    @model_validator(mode="after")
    def desks_open(self) -> IntakeSettings:
        """The hours are hours, and the cut-off lies within them."""
        try:
            desk = DeskHours.of(self.hours, self.saturday, self.cut_off)
        except ValueError as error:
            raise expected(str(error)) from error
        if not desk.cuts_within:
            raise expected("expected a cut_off while the desks are open")
        return self
