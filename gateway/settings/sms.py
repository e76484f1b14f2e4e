"""Accounts at operators' SMSCs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from gateway.settings.kinds import (
    A_BILLION,
    A_YEAR,
    Count,
    ExistingFile,
    Host,
    Name,
    Octet,
    Printable,
    Seconds,
    Section,
    expected,
)

SENDERS_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._-]([A-Za-z0-9 ._-]*[A-Za-z0-9._-])?")


def _brand_name(name: str) -> str:
    if name and not SENDERS_NAME.fullmatch(name):
        raise expected("expected a name as operators register them: letters without accents, digits, spaces, . - _")
    return name


BrandName = Annotated[str, AfterValidator(_brand_name)]


class BindSettings(Section):
    """A connection of an SMSC account, or several alike; what is not said is as the account says."""

    mode: Literal["transceiver", "transmitter", "receiver"] = Field(
        default="transceiver", description="Both ways, only what leaves, only what comes in."
    )
    count: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="So many alike.")
    host: str = Field(default="", description="Another address of the SMSC.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(default=0, description="Another port.")
    system_id: Printable = Field(default="", max_length=15, description="Another name of ours.")
    password: SecretStr | None = Field(default=None, max_length=8, description="Its password.")
    password_file: Path | None = Field(default=None, description="A file that holds `password`.")
    system_type: Printable | None = Field(default=None, max_length=12, description="Another system_type.")
    address_range: Printable | None = Field(default=None, max_length=40, description="Numbers routed to this bind.")
    window: Annotated[int, Field(ge=0, le=A_BILLION)] = Field(
        default=0, description="Submits written on it and not yet answered."
    )


class SmsSettings(Section):
    """An account at an operator's SMSC (SMPP 3.4)."""

    name: Name = Field(description="Ours to choose and then to keep: rows of the store carry it.")
    host: Host = Field(description="The SMSC's address.")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=2775, description="Its port.")
    system_id: Printable = Field(min_length=1, max_length=15, description="Our name there.")
    password: SecretStr = Field(max_length=8, description="Our password there; SMPP allows 8 characters.")
    password_file: Path | None = Field(default=None, description="A file that holds `password`.")
    system_type: Printable = Field(default="", max_length=12, description="Most operators want it empty.")
    short_code: Printable = Field(min_length=1, max_length=20, description="The number citizens write to.")
    brand_name: BrandName = Field(
        default="",
        max_length=11,
        description="The registered name notices and broadcasts leave under, instead of the number; nobody can answer it.",
    )
    bind: tuple[BindSettings, ...] = Field(default=(), description="See the table of its own; none: one transceiver.")
    tls: bool = Field(default=False, description="Encrypted; the SMSC's certificate and name are verified.")
    tls_authorities: ExistingFile | None = Field(
        default=None, description="Authorities that vouch for the SMSC, PEM; unset: the system's."
    )
    tls_host_name: Printable = Field(default="", description="The name in its certificate, where that is not `host`.")
    tls_certificate: ExistingFile | None = Field(
        default=None, description="Our certificate, PEM, where the operator asks for one."
    )
    tls_key: ExistingFile | None = Field(default=None, description="Its key, PEM.")
    accents: bool = Field(
        default=False,
        description="Vietnamese with accents (UCS-2: shorter segments, more of them) for whoever chose none.",
    )

    source_ton: Octet = Field(
        default=0, description="Type of our number: 0 unknown, 3 network specific, 5 alphanumeric."
    )
    source_npi: Octet = Field(default=0, description="Numbering plan of our number.")
    destination_ton: Octet = Field(default=1, description="Type of a citizen's number: 1 international.")
    destination_npi: Octet = Field(default=1, description="Numbering plan of a citizen's number: 1 E.164.")
    address_range: Printable = Field(default="", max_length=40, description="Numbers routed to this bind.")
    service_type: Printable = Field(default="", max_length=5, description="As the operator wants it.")

    window: Count = Field(default=10, description="Submits written on one bind and not yet answered.")
    rate: Annotated[float, Field(ge=0, le=A_BILLION)] = Field(
        default=50.0,
        description="Segments a second over all binds, as agreed with the operator; 0: as fast as the windows allow.",
    )
    max_unsettled: Count = Field(
        default=1_000, description="Messages handed in and not yet acknowledged; beyond, the SMSC is told to wait."
    )
    throttle_pause: Seconds = Field(default=1.0, description="Seconds of silence after the SMSC said it is too much.")

    throttle_slowdown: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="Share of its rate the account keeps after that."
    )
    throttle_recovery: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.05, description="Share of the agreed rate it wins back each second."
    )
    throttle_hold: Seconds = Field(
        default=30.0, description="Seconds after which a message that is put off waits in the outbox instead."
    )

    connect_timeout: Seconds = Field(default=10.0, description="Seconds to connect.")
    bind_timeout: Seconds = Field(default=10.0, description="Seconds from the bind to its answer.")
    response_timeout: Seconds = Field(default=30.0, description="Seconds after which a submit's outcome is unknown.")
    enquire_link_idle: Seconds = Field(
        default=25.0, description="Seconds of silence after which we ask if the link lives."
    )
    unproven_timeout: Seconds = Field(
        default=60.0,
        description="Seconds a bind answered with “already bound” is kept without a message or an answer on it.",
    )
    unfinished_timeout: Seconds = Field(default=10.0, description="Seconds within which a PDU begun must end.")
    unbind_grace: Seconds = Field(default=2.0, description="Seconds for what is under way when the SMSC says goodbye.")
    reconnect_first: Seconds = Field(default=1.0, description="Seconds before the first new try; doubled each time.")
    reconnect_cap: Seconds = Field(default=60.0, description="Seconds between tries at most.")
    reconnect_forget: Seconds = Field(default=30.0, description="A bind that lasted so many seconds starts afresh.")

    default_alphabet: Literal["gsm", "latin-1", "ascii"] = Field(
        default="gsm", description="What data_coding 0 means to this SMSC."
    )
    packed: bool = Field(default=False, description="This SMSC delivers data_coding 0 as packed septets.")
    segmentation: Literal["udh", "sar", "payload"] = Field(
        default="udh",
        description="How long messages leave: a header in each segment, the sar_* parameters, or whole in message_payload.",
    )
    most_parts: Annotated[int, Field(ge=1, le=255)] = Field(
        default=4, description="Parts of a message that comes in; of longer ones only the beginning is read."
    )
    parts_timeout: Seconds = Field(
        default=120.0, description="Seconds without news after which a long message is read as far as it came."
    )
    message_ids: Literal["auto", "same", "hex-then-decimal", "decimal-then-hex"] = Field(
        default="auto", description="How ids are written in the answer to a submit and then in its report."
    )
    reports_by_content: bool = Field(
        default=False,
        description="This SMSC does not flag its delivery reports: they are known by content, of numbers we wrote to.",
    )
    registered_delivery: Octet = Field(
        default=1, description="1 asks for a delivery report of every segment, 0 for none."
    )
    validity: Annotated[float, Field(ge=0, le=A_YEAR)] = Field(
        default=21_600.0, description="Seconds after which the SMSC gives up; 0 leaves it to the SMSC."
    )
    temporary_statuses: frozenset[int] = Field(
        default=frozenset(), description="The operator's own command_status values that mean “later”."
    )
    throttling_statuses: frozenset[int] = Field(
        default=frozenset(), description="Those that mean “too much”: the account pauses and slows down."
    )
    stopped_statuses: frozenset[int] = Field(
        default=frozenset(), description="The operator's own command_status values that mean “this person blocked us”."
    )
