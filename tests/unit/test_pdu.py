"""The SMPP codec: well-formed PDUs come back, all others are one kind of error."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms import pdu as p

latin = st.characters(min_codepoint=1, max_codepoint=255)
octet = st.integers(0, 255)
sequences = st.integers(1, c.MAX_SEQUENCE)
statuses = st.sampled_from([c.ROK, c.RTHROTTLED, c.RSYSERR, 0x404, 0xFFFFFFFF])
any_tlvs = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=5)


def text(longest: int) -> st.SearchStrategy[str]:
    return st.text(latin, max_size=longest)


def short_messages(kind: type[p.SubmitSm | p.DeliverSm]) -> st.SearchStrategy[p.SubmitSm | p.DeliverSm]:
    return st.builds(
        kind,
        sequences,
        service_type=text(5),
        source_ton=octet,
        source_npi=octet,
        source=text(20),
        destination_ton=octet,
        destination_npi=octet,
        destination=text(20),
        esm_class=octet,
        protocol_id=octet,
        priority=octet,
        schedule_time=text(16),
        validity=text(16),
        registered_delivery=octet,
        replace_if_present=octet,
        data_coding=octet,
        default_message_id=octet,
        short_message=st.binary(max_size=254),
        tlvs=any_tlvs,
    )


binds = st.sampled_from(sorted(c.BINDS))
pdus = st.one_of(
    short_messages(p.SubmitSm),
    short_messages(p.DeliverSm),
    st.builds(p.Bind, binds, sequences, text(15), text(8), text(12), octet, octet, octet, text(40)),
    st.builds(
        p.BindResp, binds.map(lambda command: command | c.RESPONSE_BIT), sequences, st.just(0), text(15), any_tlvs
    ),
    st.builds(p.BindResp, binds.map(lambda command: command | c.RESPONSE_BIT), sequences, statuses),
    st.builds(p.SubmitSmResp, sequences, statuses, text(64), any_tlvs),
    st.builds(p.DeliverSmResp, sequences, statuses),
    st.builds(
        p.DataSm, sequences, text(5), octet, octet, text(64), octet, octet, text(64), octet, octet, octet, any_tlvs
    ),
    st.builds(p.DataSmResp, sequences, statuses, text(64), any_tlvs),
    st.builds(p.Outbind, sequences, text(15), text(8)),
    st.builds(p.AlertNotification, sequences, octet, octet, text(64), octet, octet, text(64), any_tlvs),
    st.builds(p.EnquireLink, sequences),
    st.builds(p.EnquireLinkResp, sequences, statuses),
    st.builds(p.Unbind, sequences),
    st.builds(p.UnbindResp, sequences, statuses),
    st.builds(p.GenericNack, st.integers(0, c.MAX_SEQUENCE), statuses),
    st.builds(p.Unknown, st.sampled_from([c.QUERY_SM, c.CANCEL_SM, 0x00010200]), statuses, sequences, st.binary()),
)

QUESTION = p.DeliverSm(
    0x12345,
    source_ton=1,
    source_npi=1,
    source="84912345678",
    destination="8088",
    registered_delivery=1,
    short_message=b"TC 000.00.18.H51-161220-0001",
    tlvs={c.RECEIPTED_MESSAGE_ID: b"3E8\0", c.MESSAGE_STATE: b"\x02", 0x1400: b"vendor"},
)


def reframed(body: bytes) -> bytes:
    """Everything after command_length, with a length that fits."""
    return (len(body) + 4).to_bytes(4) + body


def bare(command: int, sequence: int = 7, status: int = 0, body: bytes = b"") -> bytes:
    return reframed(command.to_bytes(4) + status.to_bytes(4) + sequence.to_bytes(4) + body)


def sequence_of(frame: bytes) -> int:
    """Of the PDU, or of the error that says it is none."""
    try:
        return p.decode(frame).sequence
    except p.ProtocolError as error:
        return error.sequence


# What is refused


@pytest.mark.parametrize("frame", [b"", b"\0", bare(c.ENQUIRE_LINK)[:15], bytes(15)])
def test_less_than_a_header_is_refused(frame: bytes) -> None:
    with pytest.raises(p.ProtocolError) as caught:
        p.decode(frame)
    assert caught.value.command_status == c.RINVCMDLEN


def test_a_length_that_is_not_the_frames_is_refused_with_its_sequence() -> None:
    with pytest.raises(p.ProtocolError) as caught:
        p.decode(p.encode(QUESTION) + b"\0")
    assert caught.value.command_status == c.RINVCMDLEN
    assert (caught.value.sequence, caught.value.command_id) == (0x12345, c.DELIVER_SM)


ADDRESSES = b"\0\1\1849\0\1\1" + b"8088\0"
FAULTS = {
    "service type without end": (c.DELIVER_SM, b"CMT" * 3 + b"\0", c.RINVSERTYP),
    "source too long": (c.DELIVER_SM, b"\0\1\1" + b"8" * 21 + b"\0", c.RINVSRCADR),
    "destination without end": (c.DELIVER_SM, b"\0\1\1849\0\1\1" + b"8088", c.RINVDSTADR),
    "schedule time too long": (c.SUBMIT_SM, ADDRESSES + bytes(3) + b"2" * 17 + b"\0", c.RINVSCHED),
    "validity without end": (c.SUBMIT_SM, ADDRESSES + bytes(4) + b"0000", c.RINVEXPIRY),
    "numbers missing": (c.SUBMIT_SM, ADDRESSES + bytes(5) + bytes(4), c.RINVCMDLEN),
    "message longer than the PDU": (c.DELIVER_SM, ADDRESSES + bytes(5) + b"\0\0\0\0\5" + b"four", c.RINVMSGLEN),
    "parameter header cut": (c.DELIVER_SM, ADDRESSES + bytes(5) + bytes(5) + b"\x04\x27\0", c.RINVOPTPARSTREAM),
    "parameter value cut": (c.DELIVER_SM, ADDRESSES + bytes(5) + bytes(5) + b"\x04\x27\0\1", c.RINVOPTPARSTREAM),
    "two NULs too many": (c.DELIVER_SM, ADDRESSES + bytes(5) + bytes(5) + b"\0\0", c.RINVOPTPARSTREAM),
    "system id without end": (c.BIND_TRANSCEIVER, b"x" * 16, c.RINVSYSID),
    "password too long": (c.BIND_RECEIVER, b"x\0" + b"y" * 9 + b"\0", c.RINVPASWD),
    "system type without end": (c.BIND_TRANSMITTER, b"x\0y\0z", c.RINVSYSTYP),
    "bind without version": (c.BIND_TRANSCEIVER, b"x\0y\0z\0\x34", c.RINVCMDLEN),
    "a body where none is": (c.ENQUIRE_LINK, b"\0", c.RINVCMDLEN),
    "data_sm cut": (c.DATA_SM, b"\0\1\1849\0\1", c.RINVCMDLEN),
    "data_sm without destination": (c.DATA_SM, b"\0\1\1849\0\1\1", c.RINVDSTADR),
    "an endless id": (c.SUBMIT_SM | c.RESPONSE_BIT, b"x" * 256, c.RINVMSGID),
}


@pytest.mark.parametrize(("command", "body", "status"), FAULTS.values(), ids=FAULTS.keys())
def test_a_malformed_field_is_refused_by_its_own_status(command: int, body: bytes, status: int) -> None:
    with pytest.raises(p.ProtocolError) as caught:
        p.decode(bare(command, body=body))
    assert (caught.value.command_status, caught.value.sequence, caught.value.command_id) == (status, 7, command)
    assert not caught.value.close


def test_every_truncation_is_refused_but_at_the_boundaries_of_optional_parameters() -> None:
    whole = p.encode(QUESTION)
    mandatory = p.encode(p.DeliverSm(*[getattr(QUESTION, name) for name in p.DeliverSm.__struct_fields__[:-1]]))
    boundaries = {len(mandatory), len(mandatory) + 8, len(mandatory) + 8 + 5}
    stray_nul = {boundary + 1 for boundary in boundaries if whole[boundary] == 0}  # looks like the one NUL let pass
    for size in range(c.HEADER_SIZE, len(whole)):
        cut = reframed(whole[4:size])
        if size in boundaries | stray_nul:
            assert p.decode(cut)
        else:
            with pytest.raises(p.ProtocolError):
                p.decode(cut)


BAD_VALUES: list[tuple[p.Pdu, int]] = [
    (p.SubmitSm(1, short_message=bytes(255)), c.RINVMSGLEN),
    (p.SubmitSm(1, source="8" * 21), c.RINVSRCADR),
    (p.SubmitSm(1, destination="849\0"), c.RINVDSTADR),
    (p.SubmitSm(1, validity="0" * 17), c.RINVEXPIRY),
    (p.SubmitSm(1, source="đ"), c.RSYSERR),
    (p.SubmitSm(1, source_ton=256), c.RSYSERR),
    (p.SubmitSm(1, data_coding=-1), c.RSYSERR),
    (p.SubmitSm(1 << 32), c.RSYSERR),
    (p.SubmitSm(1, tlvs={0x424: bytes(70_000)}), c.RSYSERR),
    (p.SubmitSm(1, tlvs={0x10000: b""}), c.RSYSERR),
    (p.Bind(c.BIND_TRANSCEIVER, 1, "x" * 16, "secret"), c.RINVSYSID),
    (p.Bind(c.BIND_TRANSCEIVER, 1, "x", "longsecret"), c.RINVPASWD),
    (p.SubmitSmResp(1, 0, "x" * 65), c.RINVMSGID),
]


@pytest.mark.parametrize(("pdu", "status"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_refused_not_truncated(pdu: p.Pdu, status: int) -> None:
    with pytest.raises(p.ProtocolError) as caught:
        p.encode(pdu)
    assert caught.value.command_status == status


def test_an_acknowledgement_of_an_impossible_sequence_is_refused() -> None:
    with pytest.raises(p.ProtocolError):
        p.encode_deliver_sm_resp(-1)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (c.DELIVER_SM, p.DeliverSmResp(7, c.RINVMSGLEN)),
        (c.SUBMIT_SM, p.SubmitSmResp(7, c.RINVMSGLEN)),
        (c.DATA_SM, p.DataSmResp(7, c.RINVMSGLEN)),
        (c.ENQUIRE_LINK, p.EnquireLinkResp(7, c.RINVMSGLEN)),
        (c.UNBIND, p.UnbindResp(7, c.RINVMSGLEN)),
        (c.BIND_RECEIVER, p.BindResp(c.BIND_RECEIVER | c.RESPONSE_BIT, 7, c.RINVMSGLEN)),
        (0x00010200, p.GenericNack(7, c.RINVMSGLEN)),
        (c.DELIVER_SM | c.RESPONSE_BIT, None),
        (c.ALERT_NOTIFICATION, None),
    ],
)
def test_a_fault_knows_its_answer(command: int, refusal: p.Pdu | None) -> None:
    error = p.ProtocolError(c.RINVMSGLEN, 7, command)
    assert error.refusal() == refusal
    if refusal is not None:
        assert p.decode(p.encode(refusal)) == refusal


def test_passwords_are_never_shown() -> None:
    shown = repr(p.Bind(c.BIND_TRANSCEIVER, 1, "dvc", "s3cret")) + repr(p.Outbind(1, "dvc", "s3cret"))
    assert "s3cret" not in shown


# What comes back


@given(pdus)
def test_every_pdu_comes_back(pdu: p.Pdu) -> None:
    assert p.decode(p.encode(pdu)) == pdu


@given(sequences, statuses)
def test_the_short_way_to_acknowledge_writes_the_same(sequence: int, status: int) -> None:
    assert p.encode_deliver_sm_resp(sequence, status) == p.encode(p.DeliverSmResp(sequence, status))


@given(st.binary(max_size=80), st.sampled_from(sorted(c.COMMAND_NAMES)))
def test_any_body_is_read_or_refused(body: bytes, command: int) -> None:
    assert sequence_of(bare(command, body=body)) == 7  # so that a refusal can be answered, too


@given(st.binary(max_size=64))
def test_any_octets_are_read_or_refused(frame: bytes) -> None:
    with pytest.raises(p.ProtocolError):
        p.decode(b"\0\0\1\0" + frame)


def test_an_unknown_command_keeps_everything() -> None:
    assert p.decode(bare(0x00010200, status=3, body=b"abc")) == p.Unknown(0x00010200, 3, 7, b"abc")


@pytest.mark.parametrize("tag", [0x0428, 0x0501, 0x1204, 0x1400])
def test_unknown_parameters_are_kept(tag: int) -> None:
    pdu = p.DeliverSm(7, short_message=b"x", tlvs={tag: b"\x55", c.MESSAGE_STATE: b"\x02"})
    assert p.decode(p.encode(pdu)) == pdu


def test_of_a_repeated_parameter_the_last_is_kept() -> None:
    frame = p.encode(p.DeliverSm(7, tlvs={c.MESSAGE_STATE: b"\x01"}))
    read = p.decode(reframed(frame[4:] + b"\x04\x27\0\1\2"))
    assert isinstance(read, p.DeliverSm)
    assert read.tlvs == {c.MESSAGE_STATE: b"\x02"}


# What is let pass


@pytest.mark.parametrize("tlvs", [{}, {c.MESSAGE_STATE: b"\x02"}])
def test_one_stray_nul_at_the_end_is_let_pass(tlvs: Mapping[int, bytes]) -> None:
    pdu = p.DeliverSm(7, short_message=b"TC", tlvs=tlvs)
    assert p.decode(reframed(p.encode(pdu)[4:] + b"\0")) == pdu


@pytest.mark.parametrize("body", [b"3E8\0", b"3E8"])
def test_an_id_without_its_nul_is_whole(body: bytes) -> None:
    assert p.decode(bare(c.SUBMIT_SM | c.RESPONSE_BIT, body=body)) == p.SubmitSmResp(7, 0, "3E8")


@pytest.mark.parametrize("status", [c.ROK, c.RTHROTTLED])
def test_a_response_without_a_body_is_let_pass(status: int) -> None:
    assert p.decode(bare(c.SUBMIT_SM | c.RESPONSE_BIT, status=status)) == p.SubmitSmResp(7, status)
    bound = p.BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, 7, status)
    assert p.decode(bare(bound.command, status=status)) == bound


def test_a_body_after_a_header_only_response_is_let_pass() -> None:
    assert p.decode(bare(c.ENQUIRE_LINK | c.RESPONSE_BIT, body=b"x")) == p.EnquireLinkResp(7)


def test_receipted_message_id_without_nul_loses_no_character() -> None:
    read = p.decode(p.encode(p.DeliverSm(7, tlvs={c.RECEIPTED_MESSAGE_ID: b"ABCDEF"})))
    assert isinstance(read, p.DeliverSm)
    assert read.tlvs[c.RECEIPTED_MESSAGE_ID] == b"ABCDEF"


# Frames


@given(st.lists(pdus, max_size=6), st.lists(st.integers(1, 50), min_size=1))
def test_frames_are_the_same_however_the_stream_is_cut(sent: list[p.Pdu], cuts: list[int]) -> None:
    encoded = [p.encode(pdu) for pdu in sent]
    stream, splitter, received = b"".join(encoded), p.Frames(), []
    turn = 0
    while stream:
        size = cuts[turn % len(cuts)]
        received += splitter.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert received == encoded
    assert splitter.pending == 0


@pytest.mark.parametrize("length", [0, 15, p.DEFAULT_MAX_LENGTH + 1, 0xFFFFFFFF])
def test_an_impossible_length_closes_the_stream_as_soon_as_it_is_seen(length: int) -> None:
    good = p.encode(p.EnquireLink(5))
    splitter = p.Frames()
    with pytest.raises(p.ProtocolError) as caught:
        splitter.feed(good + length.to_bytes(4))
    assert caught.value.close
    assert caught.value.frames == (good,)  # the neighbour before it still gets its answer
    assert isinstance(caught.value.refusal(), p.GenericNack)
    with pytest.raises(p.ProtocolError) as again:
        splitter.feed(good)
    assert again.value.frames == ()


def test_the_longest_pdu_is_settable() -> None:
    frame = p.encode(p.SubmitSm(1, tlvs={c.MESSAGE_PAYLOAD: bytes(20_000)}))
    assert p.Frames(max_length=len(frame)).feed(frame) == [frame]
    with pytest.raises(p.ProtocolError):
        p.Frames(max_length=len(frame) - 1).feed(frame)


def test_an_unfinished_pdu_is_told() -> None:
    splitter = p.Frames()
    assert splitter.feed(p.encode(QUESTION)[:20]) == []
    assert splitter.pending == 20
