"""One account at an operator's SMSC: everything the session and the channel need to know, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.sms.segments import DefaultAlphabet

LONGEST_SYSTEM_ID = 15  # octets without the closing NUL, SMPP 3.4 §5.2.1
LONGEST_PASSWORD = 8  # §5.2.2
LONGEST_SYSTEM_TYPE = 12  # §5.2.3
LONGEST_ADDRESS = 20  # §5.2.8
HIGHEST_OCTET = 255


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
    port: int = 2775
    system_type: str = ""  # at most 12 characters; most operators want it empty

    # Numbering as the operator wants it (SMPP 3.4 §5.2.5 and §5.2.6).
    source_ton: int = 0  # our number: 0 unknown, 3 network specific, 5 alphanumeric, 6 abbreviated
    source_npi: int = 0
    destination_ton: int = 1  # a subscriber's number: 1 international
    destination_npi: int = 1  # 1 ISDN (E.164)
    address_range: str = ""  # numbers routed to this bind; empty: the operator decides
    service_type: str = ""

    # How much at once.
    window: int = 10  # submits written and not yet answered
    rate: float = 50.0  # submits a second, every segment counts; 0 or less: as fast as the window allows
    max_unsettled: int = 1_000  # messages handed in and not yet acknowledged; beyond, the SMSC is told to wait
    throttle_pause: float = 1.0  # nothing is sent for so long after the SMSC said it is too much

    # How long.
    connect_timeout: float = 10.0
    bind_timeout: float = 10.0  # from the bind to its answer
    response_timeout: float = 30.0  # a request unanswered for so long has an unknown outcome
    enquire_link_idle: float = 25.0  # nothing heard for so long: ask whether the link lives
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
    reply_segments: int = 2  # the longest reply this account pays for
    registered_delivery: int = 1  # §5.2.17: 1 asks for a delivery report of every segment, 0 for none
    validity: float = 6 * 3600.0  # the SMSC gives up after so long; 0 leaves it to the SMSC
    temporary_statuses: frozenset[int] = frozenset()  # vendor's command_status values that mean "later"
    stopped_statuses: frozenset[int] = frozenset()  # those that mean "this person blocked us"

    def __post_init__(self) -> None:
        for name, longest in LENGTHS.items():
            value: str = getattr(self, name)
            if len(value) > longest or not value.isascii():
                raise ValueError(f"{name} must be ASCII of at most {longest} characters")
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
    "short_code": LONGEST_ADDRESS,
}
POSITIVE = (
    "window",
    "reply_segments",
    "max_unsettled",
    "throttle_pause",
    "connect_timeout",
    "bind_timeout",
    "response_timeout",
    "enquire_link_idle",
    "unfinished_timeout",
    "unbind_grace",
    "reconnect_first",
    "reconnect_cap",
)
OCTETS = ("source_ton", "source_npi", "destination_ton", "destination_npi", "registered_delivery")
