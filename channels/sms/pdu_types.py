"""SMPP 3.4 PDUs as values, and the one error that says a PDU is none; channels.sms.pdu reads and writes them.

The values are msgspec Structs, since one is made for every PDU and a frozen dataclass of eighteen fields costs more
than parsing them; they never form cycles, so the collector need not watch them (gc=False). Addresses and ids are
Latin-1 text, message bodies stay bytes (channels.sms.decoding reads them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from channels.sms import commands as c
from domain.errors import GatewayError

NO_TLVS: Final[Mapping[int, bytes]] = MappingProxyType({})


class ProtocolError(GatewayError):
    """A PDU that cannot be what it says, or (from `encode`) values that make none.

    `command_status` is what the other side is told, `refusal()` the PDU that tells it. `close`: the stream itself is
    lost, so answer and close; `frames` are the whole PDUs that came before the fault in the same read.
    """

    def __init__(
        self,
        command_status: int,
        sequence: int = 0,
        command_id: int = 0,
        *,
        close: bool = False,
        frames: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(f"{c.command_name(command_id)} #{sequence}: {c.status_text(command_status)}")
        self.command_status = command_status
        self.sequence = sequence
        self.command_id = command_id
        self.close = close
        self.frames = frames

    def refusal(self) -> Pdu | None:
        """The answer to the faulty PDU: its own response where it has one, else generic_nack; None to a response."""
        if not self.close:
            if self.command_id in _REFUSALS:
                return _REFUSALS[self.command_id](self.sequence, self.command_status)
            if self.command_id & c.RESPONSE_BIT or self.command_id in c.UNANSWERED:
                return None
        return GenericNack(self.sequence, self.command_status)


class FieldFault(Exception):
    """A field is not what it must be; the codec makes a ProtocolError of it. `status` is what the other side is told."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Bind(msgspec.Struct, frozen=True, gc=False):
    """bind_receiver, bind_transmitter or bind_transceiver: `command` says which (§4.1)."""

    command: int
    sequence: int
    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = c.INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:  # the password never reaches a log
        return f"Bind(command={c.command_name(self.command)}, sequence={self.sequence}, system_id={self.system_id!r})"


class BindResp(msgspec.Struct, frozen=True, gc=False):
    """`command` is that of the response. A refusal may come without a body: `system_id` is then empty."""

    command: int
    sequence: int
    status: int = c.ROK
    system_id: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class Outbind(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    system_id: str
    password: str

    def __repr__(self) -> str:
        return f"Outbind(sequence={self.sequence}, system_id={self.system_id!r})"


class ShortMessage(msgspec.Struct, frozen=True, gc=False):
    """The common layout of submit_sm and deliver_sm (§4.4.1, §4.6.1).

    `schedule_time` and `validity` are the standard's time strings (§7.1.1) or empty; `short_message` at most 254
    octets, a user data header included.
    """

    sequence: int
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    destination_ton: int = 0
    destination_npi: int = 0
    destination: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule_time: str = ""
    validity: str = ""
    registered_delivery: int = 0
    replace_if_present: int = 0
    data_coding: int = 0
    default_message_id: int = 0
    short_message: bytes = b""
    tlvs: Mapping[int, bytes] = NO_TLVS


class SubmitSm(ShortMessage, frozen=True, gc=False):
    """A message from us to the SMSC."""


class DeliverSm(ShortMessage, frozen=True, gc=False):
    """A message, or a delivery receipt, from the SMSC to us."""


class SubmitSmResp(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    status: int = c.ROK
    message_id: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class DeliverSmResp(msgspec.Struct, frozen=True, gc=False):
    """`message_id` is always empty on the wire from us (§4.6.2)."""

    sequence: int
    status: int = c.ROK
    message_id: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class DataSm(msgspec.Struct, frozen=True, gc=False):
    """The leaner way to carry a message; its text is always in message_payload (§4.7.1)."""

    sequence: int
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    destination_ton: int = 0
    destination_npi: int = 0
    destination: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Mapping[int, bytes] = NO_TLVS


class DataSmResp(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    status: int = c.ROK
    message_id: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class EnquireLink(msgspec.Struct, frozen=True, gc=False):
    sequence: int


class EnquireLinkResp(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    status: int = c.ROK


class Unbind(msgspec.Struct, frozen=True, gc=False):
    sequence: int


class UnbindResp(msgspec.Struct, frozen=True, gc=False):
    sequence: int
    status: int = c.ROK


class GenericNack(msgspec.Struct, frozen=True, gc=False):
    """What the other side could not read; `sequence` 0 when not even that could be read (§4.3.1)."""

    sequence: int
    status: int


class AlertNotification(msgspec.Struct, frozen=True, gc=False):
    """A subscriber is reachable again; it has no response (§4.12.1)."""

    sequence: int
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    esme_ton: int = 0
    esme_npi: int = 0
    esme: str = ""
    tlvs: Mapping[int, bytes] = NO_TLVS


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A command this codec does not read (query_sm, vendors' own, ...): header and body, nothing lost."""

    command_id: int
    status: int
    sequence: int
    body: bytes = b""


Pdu: TypeAlias = (
    Bind
    | BindResp
    | Outbind
    | SubmitSm
    | SubmitSmResp
    | DeliverSm
    | DeliverSmResp
    | DataSm
    | DataSmResp
    | EnquireLink
    | EnquireLinkResp
    | Unbind
    | UnbindResp
    | GenericNack
    | AlertNotification
    | Unknown
)


def _bind_refusal(command: int) -> Callable[[int, int], Pdu]:
    return lambda sequence, status: BindResp(command | c.RESPONSE_BIT, sequence, status)


_REFUSALS: Final[Mapping[int, Callable[[int, int], Pdu]]] = MappingProxyType(
    {
        c.SUBMIT_SM: SubmitSmResp,
        c.DELIVER_SM: DeliverSmResp,
        c.DATA_SM: DataSmResp,
        c.ENQUIRE_LINK: EnquireLinkResp,
        c.UNBIND: UnbindResp,
        **{command: _bind_refusal(command) for command in c.BINDS},
    }
)
