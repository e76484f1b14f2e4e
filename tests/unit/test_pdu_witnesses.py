"""The SMPP codec beside two that others wrote, smpplib and smpp34: on well-formed PDUs all three say the same, both ways.

Where one of them is wrong, what it does is stated (`theirs` tables, decision 1): a witness that changes its mind is heard.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import smpp34
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import consts, smpp

from channels.sms import commands as c
from channels.sms import pdu as p
from tests.mutations import framed

EXAMPLES: Final = 250  # of each command either way: more than a thousand with each of the two
MESSAGE_NAMES: Final = {
    "service_type": "service_type",
    "source_ton": "source_addr_ton",
    "source_npi": "source_addr_npi",
    "source": "source_addr",
    "destination_ton": "dest_addr_ton",
    "destination_npi": "dest_addr_npi",
    "destination": "destination_addr",
    "esm_class": "esm_class",
    "protocol_id": "protocol_id",
    "priority": "priority_flag",
    "schedule_time": "schedule_delivery_time",
    "validity": "validity_period",
    "registered_delivery": "registered_delivery",
    "replace_if_present": "replace_if_present_flag",
    "data_coding": "data_coding",
    "default_message_id": "sm_default_msg_id",
    "short_message": "short_message",
}
DATA_NAMES: Final = {
    name: MESSAGE_NAMES[name] for name in p.DataSm.__struct_fields__ if name in MESSAGE_NAMES
}  # the same, without what data_sm has not
BIND_NAMES: Final = {
    name: name for name in p.Bind.__struct_fields__ if name not in {"command", "sequence", "interface_version"}
}
ALERT_NAMES: Final = {
    "source_ton": "source_addr_ton",
    "source_npi": "source_addr_npi",
    "source": "source_addr",
    "esme_ton": "esme_addr_ton",
    "esme_npi": "esme_addr_npi",
    "esme": "esme_addr",
}
IN_ASCII: Final = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def written(longest: int) -> st.SearchStrategy[str]:
    """Any text that fits, the longest among them now and then."""
    return st.text(IN_ASCII, max_size=longest) | st.text(IN_ASCII, min_size=longest, max_size=longest)


octet: Final = st.integers(0, 255)
sequences: Final = st.integers(1, c.MAX_SEQUENCE) | st.sampled_from([1, c.MAX_SEQUENCE])
statuses: Final = st.sampled_from([c.ROK, c.RTHROTTLED, c.RMSGQFUL, 0x404, 0xFFFFFFFF])
UDH: Final = st.sampled_from(
    [b"\x05\0\x03\x07\x02\x01", b"\x06\x08\x04\x01\x02\x03\x02", b"\x0b\x05\x04\x0b\x84\x23\xf0\0\x03\1\2\1"]
)
bodies: Final = (
    st.binary(max_size=254)
    | st.binary(min_size=254, max_size=254)
    | st.builds(lambda header, text: header + text, UDH, st.binary(max_size=134))
)
# Text fields by the name we give them, and how long they may be (§5.2); all else is one octet.
LENGTHS: Final = {
    "service_type": c.MAX_SERVICE_TYPE,
    "source": c.MAX_ADDRESS,
    "destination": c.MAX_ADDRESS,
    "esme": c.MAX_ADDRESS,
    "schedule_time": c.MAX_TIME,
    "validity": c.MAX_TIME,
    "system_id": c.MAX_SYSTEM_ID,
    "password": c.MAX_PASSWORD,
    "system_type": c.MAX_SYSTEM_TYPE,
    "address_range": c.MAX_ADDRESS_RANGE,
}
LONG_ADDRESSES: Final = dict.fromkeys(("source", "destination", "esme"), c.MAX_LONG_ADDRESS)


def values(names: Mapping[str, str], lengths: Mapping[str, int] = LENGTHS) -> st.SearchStrategy[dict[str, Any]]:
    """A value for every field, by our names."""
    texts = {name: written(lengths[name] - 1) for name in names if name in lengths}
    message = {"short_message": bodies} if "short_message" in names else {}
    return st.fixed_dictionaries({**dict.fromkeys(names, octet), **texts, **message})


# ---- smpplib


class Counter:
    """What smpplib wants of a client."""

    sequence = 0

    def next_sequence(self) -> int:
        return self.sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """One command in both codecs: `make` is ours, `names` what our fields are called there; `tags` have no defect there."""

    make: Callable[..., p.Pdu]
    names: Mapping[str, str]
    lengths: Mapping[str, int] = field(default_factory=lambda: LENGTHS)
    tags: tuple[str, ...] = ()


# Optional parameters (§5.3.2) by smpplib's names: their size in octets, 0 for text, None for octets of any number.
SIZES: Final[Mapping[str, int | None]] = {
    "user_message_reference": 2,
    "source_port": 2,
    "destination_port": 2,
    "sar_msg_ref_num": 2,
    "sar_total_segments": 1,
    "sar_segment_seqnum": 1,
    "more_messages_to_send": 1,
    "payload_type": 1,
    "privacy_indicator": 1,
    "user_response_code": 1,
    "language_indicator": 1,
    "message_state": 1,
    "network_error_code": None,
    "receipted_message_id": 0,
    "source_network_type": 1,
    "dest_network_type": 1,
    "ms_availability_status": 1,
    "qos_time_to_live": 4,
    "callback_num": None,
    "ussd_service_op": 1,
    "ms_validity": 1,
    "display_time": 1,
    "number_of_messages": 1,
    "dpf_result": 1,
    "additional_status_info_text": 0,
}
OF_MESSAGES: Final = (
    "user_message_reference",
    "source_port",
    "destination_port",
    "sar_msg_ref_num",
    "sar_total_segments",
    "sar_segment_seqnum",
    "more_messages_to_send",
    "payload_type",
    "privacy_indicator",
    "callback_num",
    "user_response_code",
    "language_indicator",
)
OF_RECEIPTS: Final = (
    "message_state",
    "network_error_code",
    "receipted_message_id",
    "source_network_type",
    "dest_network_type",
)
TWINS: Final[Mapping[str, Twin]] = {
    "submit_sm": Twin(
        make=p.SubmitSm,
        names=MESSAGE_NAMES,
        tags=(*OF_MESSAGES, "ussd_service_op", "ms_validity", "display_time", "number_of_messages"),
    ),
    "deliver_sm": Twin(make=p.DeliverSm, names=MESSAGE_NAMES, tags=(*OF_MESSAGES, *OF_RECEIPTS)),
    "data_sm": Twin(
        make=p.DataSm,
        names=DATA_NAMES,
        lengths={**LENGTHS, **LONG_ADDRESSES},
        tags=(*OF_MESSAGES, *OF_RECEIPTS, "qos_time_to_live"),
    ),
    "alert_notification": Twin(
        make=p.AlertNotification, names=ALERT_NAMES, lengths=LONG_ADDRESSES, tags=("ms_availability_status",)
    ),
    **{
        c.COMMAND_NAMES[command]: Twin(
            make=lambda sequence, command=command, **fields: p.Bind(command, sequence, **fields), names=BIND_NAMES
        )
        for command in sorted(c.BINDS)
    },
}


def tlv_values(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """A value for some parameters: a number of its size, text, or octets."""
    of_size: Callable[[int | None], st.SearchStrategy[Any]] = lambda size: (  # noqa: E731
        st.binary(min_size=3, max_size=3)
        if size is None
        else st.integers(0, 256**size - 1)
        if size
        else st.text("0123456789ABCDEF", min_size=1, max_size=64)
    )
    return st.fixed_dictionaries({}, optional={name: of_size(SIZES[name]) for name in names})


def octets_of(name: str, value: int | str | bytes) -> bytes:
    """A parameter as the standard writes it."""
    if isinstance(value, int):
        return value.to_bytes(SIZES[name] or 1)
    return value.encode() + b"\0" if isinstance(value, str) else value


def ours_of(twin: Twin, sequence: int, fields: Mapping[str, Any], tlvs: Mapping[str, Any]) -> p.Pdu:
    more = {consts.OPTIONAL_PARAMS[name]: octets_of(name, value) for name, value in tlvs.items()}
    return twin.make(sequence, **fields, **({"tlvs": more} if twin.tags else {}))


def they_write(command: str, sequence: int, **fields: Any) -> bytes:
    """smpplib ignores a `sequence` given to make_pdu."""
    made = smpp.make_pdu(command, client=Counter(), **fields)
    made.sequence = sequence
    octets: bytes = made.generate()
    return octets


def they_read(frame: bytes) -> Any:
    return smpp.parse_pdu(frame, client=Counter(), allow_unknown_opt_params=True)


def as_they_keep(value: object) -> object:
    """smpplib takes text and gives octets."""
    return value.encode() if isinstance(value, str) else value


smpplib_commands = pytest.mark.parametrize("command", TWINS)


@smpplib_commands
@settings(max_examples=EXAMPLES)
@given(data=st.data(), sequence=sequences)
def test_what_smpplib_writes_we_read(command: str, data: st.DataObject, sequence: int) -> None:
    twin = TWINS[command]
    fields, tlvs = data.draw(values(twin.names)), data.draw(tlv_values(twin.tags))
    theirs = they_write(command, sequence, **{twin.names[name]: value for name, value in fields.items()}, **tlvs)
    assert p.decode(theirs) == ours_of(twin, sequence, fields, tlvs)


@smpplib_commands
@settings(max_examples=EXAMPLES)
@given(data=st.data(), sequence=sequences)
def test_what_we_write_smpplib_reads(command: str, data: st.DataObject, sequence: int) -> None:
    twin = TWINS[command]
    fields, tlvs = data.draw(values(twin.names, twin.lengths)), data.draw(tlv_values(twin.tags))
    read = they_read(p.encode(ours_of(twin, sequence, fields, tlvs)))
    assert (read.command, read.sequence, read.status) == (command, sequence, c.ROK)
    if "short_message" in fields:
        read.short_message = read.short_message or b""  # an empty one is None there where nothing follows
    assert {name: getattr(read, twin.names[name]) for name in fields} == {
        name: as_they_keep(value) for name, value in fields.items()
    }
    assert {name: getattr(read, name) for name in tlvs} == {name: as_they_keep(value) for name, value in tlvs.items()}


@pytest.mark.parametrize("command", ["submit_sm", "deliver_sm", "data_sm"])
@settings(max_examples=EXAMPLES)
@given(payload=st.binary(min_size=1, max_size=2_000), sequence=sequences)
def test_a_payload_agrees_both_ways(command: str, payload: bytes, sequence: int) -> None:
    ours = ours_of(TWINS[command], sequence, {}, {})
    assert isinstance(ours, p.SubmitSm | p.DeliverSm | p.DataSm)
    frame = p.encode(ours)
    frame = framed(frame[4:] + c.MESSAGE_PAYLOAD.to_bytes(2) + len(payload).to_bytes(2) + payload)
    assert they_read(frame).message_payload == payload
    read = p.decode(they_write(command, sequence, message_payload=payload))
    assert read == p.decode(frame)


RESPONSES: Final[Mapping[str, tuple[Callable[..., p.Pdu], int]]] = {
    "submit_sm_resp": (p.SubmitSmResp, 64),
    "deliver_sm_resp": (p.DeliverSmResp, 0),
    "data_sm_resp": (p.DataSmResp, 64),
    "enquire_link_resp": (lambda sequence, status, _: p.EnquireLinkResp(sequence, status), 0),
    "unbind_resp": (lambda sequence, status, _: p.UnbindResp(sequence, status), 0),
    "generic_nack": (lambda sequence, status, _: p.GenericNack(sequence, status), 0),
    **{
        f"{c.COMMAND_NAMES[command]}_resp": (
            lambda sequence, status, name, command=command: p.BindResp(
                command | c.RESPONSE_BIT, sequence, status, name
            ),
            15,
        )
        for command in sorted(c.BINDS)
    },
}


@pytest.mark.parametrize("command", RESPONSES)
@settings(max_examples=EXAMPLES)
@given(data=st.data(), sequence=sequences, status=statuses)
def test_responses_agree_with_smpplib_both_ways(command: str, data: st.DataObject, sequence: int, status: int) -> None:
    make, longest = RESPONSES[command]
    # A refused bind says no name, a refused submit no id (§4.1.2, §4.4.2).
    told = data.draw(written(longest)) if longest and (status == c.ROK or command == "data_sm_resp") else ""
    name = "system_id" if command.startswith("bind") else "message_id"
    ours = make(sequence, status, told)
    assert p.decode(they_write(command, sequence, status=status, **({name: told} if told else {}))) == ours
    read = they_read(p.encode(ours))
    assert (read.command, read.sequence, read.status) == (command, sequence, status)
    assert (getattr(read, name, b"") or b"") == told.encode()


@pytest.mark.parametrize(("command", "make"), [("enquire_link", p.EnquireLink), ("unbind", p.Unbind)])
@given(sequence=sequences)
def test_requests_of_a_header_agree_with_smpplib_both_ways(
    command: str, make: Callable[[int], p.Pdu], sequence: int
) -> None:
    assert p.decode(they_write(command, sequence)) == make(sequence)
    read = they_read(p.encode(make(sequence)))
    assert (read.command, read.sequence) == (command, sequence)


@given(message_id=written(64).filter(bool), source=written(20), sequence=sequences)
def test_a_command_we_do_not_speak_comes_through_whole(message_id: str, source: str, sequence: int) -> None:
    theirs = they_write(
        "query_sm", sequence, message_id=message_id, source_addr_ton=1, source_addr_npi=1, source_addr=source
    )
    body = b"%b\0\1\1%b\0" % (message_id.encode(), source.encode())
    ours = p.Unknown(c.QUERY_SM, c.ROK, sequence, body)
    assert p.decode(theirs) == ours
    read = they_read(p.encode(ours))
    assert (read.command, read.message_id, read.source_addr) == ("query_sm", message_id.encode(), source.encode())


# What smpplib 2.2 does otherwise, and we rightly do not.


def _receipt(**tlvs: bytes) -> bytes:
    return p.encode(p.DeliverSm(1, tlvs={consts.OPTIONAL_PARAMS[name]: value for name, value in tlvs.items()}))


SMPPLIB_LOSES: Final[Mapping[str, tuple[bytes, str, object]]] = {
    "the last character of an id without its NUL": (
        _receipt(receipted_message_id=b"ABCDEF"),
        "receipted_message_id",
        b"ABCDE",
    ),
    "a state behind a number of another size": (
        _receipt(source_network_type=b"\0\1", message_state=b"\2"),
        "message_state",
        None,
    ),
    "the end of a message that is cut": (
        framed(p.encode(p.DeliverSm(1, short_message=b"TC 000"))[4:-3]),
        "short_message",
        b"TC ",
    ),
}


@pytest.mark.parametrize(("frame", "name", "theirs"), SMPPLIB_LOSES.values(), ids=SMPPLIB_LOSES)
def test_what_smpplib_loses_is_known(frame: bytes, name: str, theirs: object) -> None:
    assert getattr(they_read(frame), name) == theirs


def test_what_smpplib_loses_we_keep_or_refuse() -> None:
    whole, sized, cut = (frame for frame, _, _ in SMPPLIB_LOSES.values())
    for frame, tlvs in (
        (whole, {c.RECEIPTED_MESSAGE_ID: b"ABCDEF"}),
        (sized, {consts.OPTIONAL_PARAMS["source_network_type"]: b"\0\1", c.MESSAGE_STATE: b"\2"}),
    ):
        read = p.decode(frame)
        assert isinstance(read, p.DeliverSm)
        assert read.tlvs == tlvs
    with pytest.raises(p.ProtocolError):
        p.decode(cut)


# Known by name there and by no row of deliver_sm: its reader dies of them.
SMPPLIB_DIES_OF: Final = (
    "ussd_service_op",
    "ms_validity",
    "callback_num_atag",
    "number_of_messages",
    "qos_time_to_live",
)


@pytest.mark.parametrize("name", SMPPLIB_DIES_OF)
def test_what_smpplib_dies_of_we_read(name: str) -> None:
    frame = _receipt(**{name: b"\1"})
    with pytest.raises(KeyError):
        they_read(frame)
    read = p.decode(frame)
    assert isinstance(read, p.DeliverSm)
    assert read.tlvs == {consts.OPTIONAL_PARAMS[name]: b"\1"}


def test_smpplib_writes_two_parameters_by_another_size_than_the_standard() -> None:
    frames = {
        "source_addr_subunit": they_write("submit_sm", 1, short_message=b"x", source_addr_subunit=1),
        "source_telematics_id": they_write("data_sm", 1, source_telematics_id=1),
    }
    for name, frame in frames.items():
        read = p.decode(frame)
        assert isinstance(read, p.SubmitSm | p.DataSm)
        assert read.tlvs == {consts.OPTIONAL_PARAMS[name]: b"\0\1"}  # one octet each (§5.3.2.2, §5.3.2.8)


def test_smpplib_cuts_what_does_not_fit_and_we_refuse_it() -> None:
    data = p.decode(they_write("data_sm", 1, source_addr="8" * 64))
    assert isinstance(data, p.DataSm)
    assert data.source == "8" * 20  # 64 would fit here (§4.7.1)
    bind = p.decode(they_write("bind_transceiver", 1, system_id="x" * 20, password="y" * 9))
    assert isinstance(bind, p.Bind)
    assert (bind.system_id, bind.password) == ("x" * 15, "y" * 8)
    with pytest.raises(p.ProtocolError):
        p.encode(p.Bind(c.BIND_TRANSCEIVER, 1, "x" * 20, "y" * 9))


# ---- smpp34


SMPP34: Final[Mapping[str, tuple[type[p.SubmitSm | p.DeliverSm], type[smpp34.SubmitSm | smpp34.DeliverSm]]]] = {
    "submit_sm": (p.SubmitSm, smpp34.SubmitSm),
    "deliver_sm": (p.DeliverSm, smpp34.DeliverSm),
}
any_tlvs: Final = st.dictionaries(
    st.integers(0, 0xFFFF) | st.sampled_from([c.MESSAGE_PAYLOAD, c.RECEIPTED_MESSAGE_ID, c.MESSAGE_STATE, 0x1400]),
    st.binary(max_size=300),
    max_size=6,
)
smpp34_commands = pytest.mark.parametrize("command", SMPP34)


@smpp34_commands
@settings(max_examples=EXAMPLES)
@given(fields=values(MESSAGE_NAMES), sequence=sequences, tlvs=any_tlvs)
def test_what_smpp34_writes_we_read(
    command: str, fields: dict[str, Any], sequence: int, tlvs: dict[int, bytes]
) -> None:
    ours, theirs = SMPP34[command]
    made = theirs(
        **{MESSAGE_NAMES[name]: value for name, value in fields.items()},
        tlvs=[smpp34.Tlv(tag, value) for tag, value in tlvs.items()],
        sequence_number=sequence,
    )
    assert p.decode(made.encode()) == ours(sequence, **fields, tlvs=tlvs)


@smpp34_commands
@settings(max_examples=EXAMPLES)
@given(fields=values(MESSAGE_NAMES), sequence=sequences, tlvs=any_tlvs)
def test_what_we_write_smpp34_reads(
    command: str, fields: dict[str, Any], sequence: int, tlvs: dict[int, bytes]
) -> None:
    ours, theirs = SMPP34[command]
    frame = p.encode(ours(sequence, **fields, tlvs=tlvs))
    read = smpp34.decode(frame)
    assert isinstance(read, theirs)
    assert read.sequence_number == sequence
    assert {name: getattr(read, MESSAGE_NAMES[name]) for name in fields} == fields
    assert {tlv.tag: tlv.value for tlv in read.tlvs} == tlvs
    assert read.encode() == frame


@smpp34_commands
def test_every_length_of_a_message_agrees_with_smpp34(command: str) -> None:
    ours, theirs = SMPP34[command]
    chance = random.Random(34)
    for size in range(c.MAX_SHORT_MESSAGE + 1):
        body = chance.randbytes(size)
        assert p.encode(ours(7, short_message=body)) == theirs("", "", body, sequence_number=7).encode()


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 4_096, 65_000])
def test_a_payload_of_any_length_agrees_with_smpp34(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    theirs = smpp34.DeliverSm("849", "8088", tlvs=[smpp34.Tlv(c.MESSAGE_PAYLOAD, payload[:size])])
    ours = p.DeliverSm(1, source="849", destination="8088", tlvs={c.MESSAGE_PAYLOAD: payload[:size]})
    assert p.encode(ours) == theirs.encode()
    assert p.decode(theirs.encode()) == ours


HEADERS: Final[Mapping[str, Callable[[int, int], p.Pdu]]] = {
    "bind_transceiver": lambda sequence, _: p.Bind(c.BIND_TRANSCEIVER, sequence, "demo", "demo", "", 0x34, 1, 1, "^8"),
    "bind_receiver_resp": lambda sequence, status: p.BindResp(
        c.BIND_RECEIVER | c.RESPONSE_BIT, sequence, status, "" if status else "SMSC"
    ),
    "submit_sm_resp": lambda sequence, status: p.SubmitSmResp(sequence, status, "3E8"),
    "deliver_sm_resp": p.DeliverSmResp,
    "data_sm": lambda sequence, _: p.DataSm(sequence, source="849", destination="8088", tlvs={c.MESSAGE_PAYLOAD: b"x"}),
    "data_sm_resp": lambda sequence, status: p.DataSmResp(sequence, status, "3E8"),
    "alert_notification": lambda sequence, _: p.AlertNotification(sequence, 1, 1, "849", 0, 0, "8088"),
    "outbind": lambda sequence, _: p.Outbind(sequence, "SMSC", "secret"),
    "enquire_link": lambda sequence, _: p.EnquireLink(sequence),
    "enquire_link_resp": p.EnquireLinkResp,
    "unbind": lambda sequence, _: p.Unbind(sequence),
    "unbind_resp": p.UnbindResp,
    "generic_nack": p.GenericNack,
    "query_sm": lambda sequence, _: p.Unknown(c.QUERY_SM, c.ROK, sequence, b"3E8\0\1\1849\0"),
}


@pytest.mark.parametrize("name", HEADERS)
@given(sequence=sequences, status=statuses)
def test_of_every_other_command_smpp34_reads_the_same_header_and_body(name: str, sequence: int, status: int) -> None:
    ours = HEADERS[name](sequence, status)
    frame = p.encode(ours)
    read = smpp34.decode(frame)
    assert isinstance(read, smpp34.RawPdu)
    numbers = {known: number for number, known in c.COMMAND_NAMES.items()}
    assert (read.command_length, read.command_id, read.sequence_number) == (len(frame), numbers[name], sequence)
    assert read.command_status == getattr(ours, "status", c.ROK)
    assert read.body == frame[c.HEADER_SIZE :]


# What smpp34 1.5 does otherwise, and we rightly do not.


def test_smpp34_writes_what_does_not_fit_and_we_refuse_it() -> None:
    with pytest.raises(p.ProtocolError):
        p.decode(smpp34.SubmitSm("8" * 21, "849", b"x").encode())
    shifted = p.decode(
        smpp34.SubmitSm("84\0009", "849", b"x").encode()
    )  # a NUL ends the field, and all behind it are others
    assert isinstance(shifted, p.SubmitSm)
    assert (shifted.source, shifted.destination, shifted.short_message) != ("84\0009", "849", b"x")
    for source in ("8" * 21, "84\0009"):
        with pytest.raises(p.ProtocolError):
            p.encode(p.SubmitSm(1, source=source))


def test_smpp34_takes_an_address_for_utf8_and_loses_other_octets() -> None:
    read = smpp34.decode(p.encode(p.DeliverSm(1, source="Bưu".encode("cp1258").decode("latin-1"))))
    assert isinstance(read, smpp34.DeliverSm)
    assert "\ufffd" in read.source_addr


def test_smpp34_drops_a_cut_parameter_and_we_refuse_the_pdu() -> None:
    frame = framed(p.encode(p.DeliverSm(1, tlvs={c.RECEIPTED_MESSAGE_ID: b"3E8\0"}))[4:-1])
    read = smpp34.decode(frame)
    assert isinstance(read, smpp34.DeliverSm)
    assert read.tlvs == []
    with pytest.raises(p.ProtocolError):
        p.decode(frame)
