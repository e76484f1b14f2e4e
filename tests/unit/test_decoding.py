"""Whatever an SMSC sends becomes text, binary or a flag; never an exception."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.decoding import Concatenation, Payload, decode_text, payload_of, split_header
from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.segments import ConcatReferences, DefaultAlphabet, segments
from domain import gsm
from tests.unit.packing import pack_septets

GSM, LATIN1, ASCII = DefaultAlphabet


def body(octets: bytes) -> list[Payload]:
    return [Payload(header=b"", body=octets)]


@given(
    octets=st.binary(max_size=200),
    coding=st.integers(0, 255),
    alphabet=st.sampled_from(DefaultAlphabet),
    packed=st.booleans(),
)
def test_no_octets_raise(octets: bytes, coding: int, alphabet: DefaultAlphabet, *, packed: bool) -> None:
    pdu = DeliverSm(1, esm_class=c.ESM_UDHI, data_coding=coding, short_message=octets)
    decoded = decode_text([payload_of(pdu)], coding, alphabet, packed=packed)
    assert unicodedata.is_normalized("NFC", decoded.text)
    assert not decoded.binary or decoded.text == ""


@pytest.mark.parametrize(
    ("coding", "octets", "alphabet", "text"),
    [
        (0x00, b"TC H51\x1b\x3c\x00", GSM, "TC H51[@"),
        (0x00, b"\xe0@_", LATIN1, "à@_"),
        (0x00, b"a@_", ASCII, "a@_"),
        (0x01, b"a@_{", GSM, "a@_{"),
        (0x01, b"a\x00\x11\x1b\x28\x7f", GSM, "a@_{à"),  # a sender that means GSM by 1
        (0x01, b"a\r\n\tb", GSM, "a\r\n\tb"),
        (0x03, b"caf\xe9", GSM, "café"),
        (0x08, "Hồ sơ 😀".encode("utf-16-be"), GSM, "Hồ sơ 😀"),
        (0x08, b"\xfe\xff\x00a", GSM, "a"),
        (0x08, b"\xff\xfea\x00", GSM, "a"),
        (0x10, b"\x00", GSM, "@"),
        (0x11, b"\x00", GSM, "@"),
        (0x18, "đ".encode("utf-16-be"), GSM, "đ"),
        (0x19, "đ".encode("utf-16-be"), GSM, "đ"),
        (0xF0, b"\x00", GSM, "@"),
        (0xF1, b"@", LATIN1, "@"),
        (0xF8, "đ".encode("utf-16-be"), GSM, "đ"),
    ],
)
def test_every_data_coding_reads_as_it_should(coding: int, octets: bytes, alphabet: DefaultAlphabet, text: str) -> None:
    decoded = decode_text(body(octets), coding, alphabet)
    assert (decoded.text, decoded.binary, decoded.damaged) == (text, False, False)


@pytest.mark.parametrize("coding", [0x02, 0x04, 0x14, 0x15, 0xF4, 0xF5, 0xF7])
def test_binary_is_kept_and_not_read(coding: int) -> None:
    decoded = decode_text(body(b"\x00\xff"), coding)
    assert (decoded.text, decoded.raw, decoded.binary) == ("", b"\x00\xff", True)


@pytest.mark.parametrize(
    ("coding", "octets", "alphabet", "text"),
    [
        (0x00, b"caf\xe9", GSM, "café"),
        (0x00, b"caf\xe9", ASCII, "café"),
        (0x01, b"caf\xe9", GSM, "café"),
        (0x08, b"\x00a\x00", GSM, "a"),  # half a character at the end
        (0x08, b"\xd8\x3d\x00a", GSM, "\ufffda"),  # half a surrogate pair
        (0x05, b"H51", GSM, "H51"),
        (0x0D, b"H51", GSM, "H51"),
        (0x1C, b"H51", GSM, "H51"),
        (0xC8, b"H51", GSM, "H51"),
    ],
)
def test_what_is_not_as_declared_is_read_with_a_flag(
    coding: int, octets: bytes, alphabet: DefaultAlphabet, text: str
) -> None:
    decoded = decode_text(body(octets), coding, alphabet)
    assert (decoded.text, decoded.raw, decoded.damaged) == (text, octets, True)


@pytest.mark.parametrize(
    "written",
    [
        unicodedata.normalize("NFD", "ồ"),
        "ô\u0300",  # as Windows-1258 writes it
        "o\u0302\u0300",
    ],
)
def test_every_way_to_write_an_accent_is_one(written: str) -> None:
    assert decode_text(body(written.encode("utf-16-be")), 8).text == "ồ"


def test_packed_septets_are_unpacked_behind_a_header() -> None:
    text = "TC 000.00.18.H51-161220-0001"
    packed = pack_septets(gsm.encode_gsm7(text))
    assert decode_text(body(packed), 0, packed=True).text == text
    header = bytes.fromhex("050003010201")
    behind = pack_septets(gsm.encode_gsm7(text), fill_bits=1)
    assert decode_text([split_header(header + behind)], 0, packed=True).text == text


# User data headers


@pytest.mark.parametrize(
    ("header", "concatenation"),
    [
        ("050003070201", Concatenation(7, 2, 1, 8)),
        ("06080401070302", Concatenation(0x0107, 3, 2, 16)),
        ("0B05040B8423F00003090303", Concatenation(9, 3, 3, 8)),  # behind port addresses
        ("06050415811581", None),
        ("050003070101", None),  # one part is no concatenation
        ("050003070001", None),
        ("050003070200", None),
        ("050003070203", None),
        ("03240101", None),  # a national language shift
    ],
)
def test_the_header_is_walked_element_by_element(header: str, concatenation: Concatenation | None) -> None:
    assert split_header(bytes.fromhex(header) + b"TC").concatenation == concatenation


def test_a_header_is_not_text() -> None:
    pdu = DeliverSm(1, esm_class=c.ESM_UDHI, short_message=bytes.fromhex("050003070201") + b"TC H51")
    payload = payload_of(pdu)
    assert (payload.header, payload.body) == (bytes.fromhex("050003070201"), b"TC H51")


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x05\0\x03", b"\x05\0\x09\x01\x02\x01abc", b"\x02\0\x03\x01\x02\x01", b"TC H51"],
)
def test_a_malformed_header_is_taken_as_text(octets: bytes) -> None:
    assert split_header(octets) == Payload(header=b"", body=octets)


def test_without_the_flag_there_is_no_header() -> None:
    pdu = DeliverSm(1, short_message=bytes.fromhex("050003070201") + b"TC")
    assert payload_of(pdu).header == b""


@pytest.mark.parametrize("reference", [b"\x07", b"\x00\x07"])
def test_parts_told_by_parameters_are_parts(reference: bytes) -> None:
    tlvs = {c.SAR_MSG_REF_NUM: reference, c.SAR_TOTAL_SEGMENTS: b"\x02", c.SAR_SEGMENT_SEQNUM: b"\x01"}
    assert payload_of(DeliverSm(1, short_message=b"TC", tlvs=tlvs)).concatenation == Concatenation(7, 2, 1, 16)


@pytest.mark.parametrize("missing", [c.SAR_TOTAL_SEGMENTS, c.SAR_SEGMENT_SEQNUM])
def test_half_told_parts_stand_alone(missing: int) -> None:
    tlvs = {c.SAR_MSG_REF_NUM: b"\0\7", c.SAR_TOTAL_SEGMENTS: b"\x02", c.SAR_SEGMENT_SEQNUM: b"\x01"}
    del tlvs[missing]
    assert payload_of(DeliverSm(1, short_message=b"TC", tlvs=tlvs)).concatenation is None


def test_the_header_wins_over_parameters() -> None:
    tlvs = {c.SAR_MSG_REF_NUM: b"\0\7", c.SAR_TOTAL_SEGMENTS: b"\x02", c.SAR_SEGMENT_SEQNUM: b"\x01"}
    pdu = DeliverSm(1, esm_class=c.ESM_UDHI, short_message=bytes.fromhex("050003090302") + b"TC", tlvs=tlvs)
    assert payload_of(pdu).concatenation == Concatenation(9, 3, 2, 8)


def test_the_payload_parameter_is_read_where_short_message_is_empty() -> None:
    tlvs = {c.MESSAGE_PAYLOAD: b"TC H51"}
    assert payload_of(DeliverSm(1, tlvs=tlvs)).body == b"TC H51"
    assert payload_of(DataSm(1, tlvs=tlvs)).body == b"TC H51"
    assert payload_of(DeliverSm(1, short_message=b"HD", tlvs=tlvs)).body == b"HD"
    assert payload_of(DataSm(1)).body == b""


@pytest.mark.parametrize("cut", [1, 3, 11, 13])
def test_a_character_cut_between_two_parts_is_whole_again(cut: int) -> None:
    octets = "a😀ồ😀".encode("utf-16-be")
    parts = [Payload(header=b"", body=octets[:cut]), Payload(header=b"", body=octets[cut:])]
    assert decode_text(parts, 8).text == "a😀ồ😀"
    escape = [Payload(header=b"", body=b"a\x1b"), Payload(header=b"", body=b"\x65b")]
    assert decode_text(escape, 0).text == "a€b"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=500))
def test_what_we_send_we_read(text: str) -> None:
    sent = segments(text, "84912345678", ConcatReferences())
    received = [
        payload_of(DeliverSm(1, esm_class=segment.esm_class, short_message=segment.short_message)) for segment in sent
    ]
    decoded = decode_text(received, sent[0].data_coding)
    assert decoded.text == unicodedata.normalize("NFC", text)
    assert not decoded.damaged
