"""The staff console: sessions, broadcasts, whom an incident is reported to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.settings.kinds import AgencyPrefix, Count, ExistingDirectory, OneLine, Section

Dong = Annotated[float, Field(ge=0, le=1_000_000)]
Segments = Annotated[int, Field(ge=1, le=10)]
Urn = Annotated[str, Field(pattern=r"^(sms:[0-9]{8,15}|telegram:-?[0-9]{1,20}|zalo:[0-9]{1,32})$")]


class LegalBasis(Section):
    """An agency that may send to the number on the dossier although its holder follows nothing, and by what right."""

    agency: AgencyPrefix = Field(description="Its identifier; those below it are meant too.")
    words: OneLine = Field(
        min_length=10, max_length=300, description="The basis, as the approver and the audit see it."
    )


class ConsoleSettings(Section):
    """Accounts, broadcasts and incident reports of the staff console."""

    texts: ExistingDirectory = Field(description="The directory with a file of the console's words for each language.")
    secure_cookies: bool = Field(
        default=True, description="The session's cookie is sent over https only; false only for a demo on one machine."
    )
    idle_minutes: Count = Field(default=30, description="Minutes without a request after which a session ends.")
    session_hours: Count = Field(default=12, description="Hours after which a session ends however busy.")
    lock_after: Count = Field(
        default=5, description="Wrong passwords or codes in a row after which an account is locked."
    )
    lock_minutes: Count = Field(default=15, description="Minutes it is locked.")
    dong_per_segment: Dong = Field(
        default=350.0, description="Đồng one SMS segment costs, for what a broadcast will cost."
    )
    broadcast_segments: Segments = Field(
        default=4,
        description="SMS segments the longest text of a broadcast may take, with the longest values filled in; what is longer cannot be submitted or approved.",
    )
    canary: Count = Field(default=100, description="Recipients a broadcast goes to first, before somebody resumes it.")
    approval_hours: Count = Field(default=24, description="Hours an approval is good for.")
    legal_bases: tuple[LegalBasis, ...] = Field(default=(), description="See the table of its own.")
    incident_recipients: tuple[Urn, ...] = Field(
        default=(), description="Who gets an incident report (art. 6.4): `sms:84912345678`, `telegram:12345`."
    )
