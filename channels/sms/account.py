"""One account at an operator's SMSC: everything the session and the channel need to know, checked once."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from channels.sms.segments import DefaultAlphabet

LONGEST_SYSTEM_ID = 15  # octets without the closing NUL, SMPP 3.4 §5.2.1
LONGEST_PASSWORD = 8  # §5.2.2
LONGEST_SYSTEM_TYPE = 12  # §5.2.3
LONGEST_ADDRESS = 20  # §5.2.8
LONGEST_ADDRESS_RANGE = 40  # §5.2.7
LONGEST_NAME = 11  # an alphanumeric sender (TS 23.040 §9.1.2.5)
HIGHEST_OCTET = 255


class BindMode(enum.StrEnum):
    """What a connection is for (SMPP 3.4 §2.2.1)."""

    TRANSCEIVER = "transceiver"  # both
    TRANSMITTER = "transmitter"  # only what we send
    RECEIVER = "receiver"  # only messages and reports that come in

    @property
    def transmits(self) -> bool:
        return self is not BindMode.RECEIVER

    @property
    def receives(self) -> bool:
        return self is not BindMode.TRANSMITTER


class Segmentation(enum.StrEnum):
    """How an operator wants long messages (SMPP 3.4 §5.2.12, §5.3.2.22 to 24, §5.3.2.32)."""

    UDH = "udh"  # cut, each segment with a user data header of an 8-bit reference
    SAR = "sar"  # cut, each segment with the sar_* parameters
    PAYLOAD = "payload"  # whole in message_payload; the SMSC cuts


class MessageIds(enum.StrEnum):
    """How the id in a delivery report is written, beside the id in the answer to its submit."""

    AUTO = "auto"  # as written, then in the other base, the recipient's number deciding between two
    SAME = "same"  # as written, but for leading zeros and case
    HEX_THEN_DECIMAL = "hex-then-decimal"  # hexadecimal in the answer, decimal in the report
    DECIMAL_THEN_HEX = "decimal-then-hex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encrypted, the other side's certificate and name verified. Files are PEM; None: the system's own authorities."""

    authorities: Path | None = None
    host_name: str = ""  # the name in its certificate; empty: the host's
    certificate: Path | None = None  # ours, where the operator asks for one
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppBind:
    """One connection of an account; None or empty: as the account says. `name` is unique within the account."""

    name: str
    mode: BindMode = BindMode.TRANSCEIVER
    host: str = ""
    port: int = 0
    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str | None = None
    address_range: str | None = None
    window: int = 0

    def __post_init__(self) -> None:
        _check_lengths(self, ("system_id", "password", "system_type", "address_range"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppAccount:
    """How to reach an SMSC and what it was agreed to send there. Times are seconds; rates are PDUs a second.

    Raises:
        ValueError: a field could not be sent as SMPP demands, or a time or size is not positive.
    """

    name: str  # unique within the gateway; rows of the outbox carry it
    host: str
    system_id: str  # our name at the SMSC, at most 15 characters
    password: str = field(repr=False)  # at most 8 characters; never shown
    short_code: str  # our number, used where a message does not say which number it was sent to
    brand_name: str = (
        ""  # notices and broadcasts leave under this name (alphanumeric, registered); nobody can answer it
    )
    port: int = 2775
    system_type: str = ""  # at most 12 characters; most operators want it empty

    # Numbering as the operator wants it (SMPP 3.4 §5.2.5 and §5.2.6).
    source_ton: int = 0  # our number: 0 unknown, 3 network specific, 5 alphanumeric, 6 abbreviated
    source_npi: int = 0
    destination_ton: int = 1  # a subscriber's number: 1 international
    destination_npi: int = 1  # 1 ISDN (E.164)
    address_range: str = ""  # numbers routed to this bind; empty: the operator decides
    service_type: str = ""

    # Connections; empty: one transceiver.
    binds: Sequence[SmppBind] = ()
    tls: Tls | None = None

    # How much at once.
    window: int = 10  # submits written on one connection and not yet answered
    rate: float = 50.0  # submits a second over all connections, every segment counts; 0 or less: as the windows allow
    max_unsettled: int = 1_000  # messages handed in and not yet acknowledged; beyond, the SMSC is told to wait
    throttle_pause: float = 1.0  # nothing is sent for so long after the SMSC said it is too much
    throttle_slowdown: float = 0.5  # of its rate the account keeps after that
    throttle_recovery: float = 0.05  # of its agreed rate it wins back in a second
    throttle_hold: float = 30.0  # a message put off for so long goes back to the outbox

    # How long.
    connect_timeout: float = 10.0
    bind_timeout: float = 10.0  # from the bind to its answer
    response_timeout: float = 30.0  # a request unanswered for so long has an unknown outcome
    enquire_link_idle: float = 25.0  # nothing heard for so long: ask whether the link lives
    unproven_timeout: float = 60.0  # a bind answered with RALYBND shows within this that it is one
    unfinished_timeout: float = 10.0  # a PDU begun must end within this
    unbind_grace: float = 2.0  # the SMSC said goodbye: time for what is under way

    # Coming back: first delay, doubled each time up to the cap, with jitter; forgotten after a bind this long.
    reconnect_first: float = 1.0
    reconnect_cap: float = 60.0
    reconnect_forget: float = 30.0

    # What a message says about itself.
    accents: bool = False  # Vietnamese leaves with accents (UCS-2) for whoever chose none
    default_alphabet: DefaultAlphabet = DefaultAlphabet.GSM  # what data_coding 0 means to this SMSC
    packed: bool = False  # this SMSC delivers data_coding 0 as packed septets
    segmentation: Segmentation = Segmentation.UDH
    reply_segments: int = 2  # the longest reply this account pays for
    registered_delivery: int = 1  # §5.2.17: 1 asks for a delivery report of every segment, 0 for none
    validity: float = 6 * 3600.0  # the SMSC gives up after so long; 0 leaves it to the SMSC
    message_ids: MessageIds = MessageIds.AUTO
    reports_by_content: bool = False  # this SMSC does not flag its reports: believed by content, of numbers we wrote to
    most_parts: int = 4  # of a message that comes in; longer ones are refused but for their beginning
    parts_timeout: float = 120.0  # after the last part came, what is there of a long message is worked with
    temporary_statuses: frozenset[int] = frozenset()  # vendor's command_status values that mean "later"
    throttling_statuses: frozenset[int] = frozenset()  # those that mean "too much": the account pauses
    stopped_statuses: frozenset[int] = frozenset()  # those that mean "this person blocked us"

    def __post_init__(self) -> None:
        _check_lengths(self, LENGTHS)
        if len({bind.name for bind in self.binds}) < len(self.binds):
            raise ValueError("the binds of an account have different names")
        if self.binds and not any(bind.mode.transmits for bind in self.binds):
            raise ValueError("one bind of an account transmits")
        if not 0 < self.throttle_slowdown < 1:
            raise ValueError("throttle_slowdown must be between 0 and 1")
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")
        for name in OCTETS:
            if not 0 <= getattr(self, name) <= HIGHEST_OCTET:
                raise ValueError(f"{name} must be one octet")


LENGTHS = {
    "system_id": LONGEST_SYSTEM_ID,
    "password": LONGEST_PASSWORD,
    "system_type": LONGEST_SYSTEM_TYPE,
    "address_range": LONGEST_ADDRESS_RANGE,
    "short_code": LONGEST_ADDRESS,
    "brand_name": LONGEST_NAME,
}


def _check_lengths(values: object, names: Iterable[str]) -> None:
    for name in names:
        value: str = getattr(values, name) or ""
        if len(value) > LENGTHS[name] or not value.isascii():
            raise ValueError(f"{name} must be ASCII of at most {LENGTHS[name]} characters")


POSITIVE = (
    "window",
    "reply_segments",
    "max_unsettled",
    "throttle_pause",
    "throttle_recovery",
    "throttle_hold",
    "most_parts",
    "parts_timeout",
    "connect_timeout",
    "bind_timeout",
    "response_timeout",
    "enquire_link_idle",
    "unproven_timeout",
    "unfinished_timeout",
    "unbind_grace",
    "reconnect_first",
    "reconnect_cap",
)
OCTETS = ("source_ton", "source_npi", "destination_ton", "destination_npi", "registered_delivery")
