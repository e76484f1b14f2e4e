"""A receipt is read however its SMSC writes it, and never mistaken for a question."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.reports import STATE_WORDS, STATES, id_forms, is_receipt, looks_like_receipt, read_receipt
from domain.message import DeliveryReport, DeliveryStatus

TEXT = b"id:3E8 sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:Ho so"


def receipt(octets: bytes = b"", esm_class: int = c.ESM_RECEIPT, **tlvs: bytes) -> DeliverSm:
    tags = {"id": c.RECEIPTED_MESSAGE_ID, "state": c.MESSAGE_STATE, "error": c.NETWORK_ERROR_CODE}
    return DeliverSm(
        1, esm_class=esm_class, short_message=octets, tlvs={tags[name]: value for name, value in tlvs.items()}
    )


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from([0x1E, 0x427, 0x423, 0x424]), st.binary(max_size=9)))
def test_no_receipt_raises(octets: bytes, tlvs: dict[int, bytes]) -> None:
    pdu = DeliverSm(1, esm_class=c.ESM_RECEIPT, short_message=octets, tlvs=tlvs)
    read_receipt(pdu)
    looks_like_receipt(pdu)


@pytest.mark.parametrize(
    ("esm_class", "expected"),
    [
        (0x04, True),
        (0x20, True),
        (0x44, True),
        (0x07, True),
        (0x00, False),
        (0x40, False),
        (0x08, False),  # an acknowledgement by a telephone, not by the SMSC
        (0x10, False),
    ],
)
def test_esm_class_tells_a_receipt(esm_class: int, *, expected: bool) -> None:
    assert is_receipt(esm_class) is expected


def test_the_text_of_the_standard_is_read() -> None:
    read = read_receipt(receipt(TEXT))
    assert (read.message_id, read.status, read.error) == ("3E8", DeliveryStatus.DELIVERED, "")


@pytest.mark.parametrize(
    ("octets", "message_id", "status", "error"),
    [
        (b"ID:abc-1 STAT:undeliv ERR:0045", "abc-1", DeliveryStatus.UNDELIVERABLE, "0045"),
        (b"stat:FAILED id: 77", "77", DeliveryStatus.UNDELIVERABLE, ""),
        (b"id:77 stat:ACKED", "77", DeliveryStatus.ACCEPTED, ""),
        (b"id:77 stat:2 err:00A", "77", DeliveryStatus.DELIVERED, "00A"),
        (b"id:77", "77", DeliveryStatus.UNKNOWN, ""),
        (b"stat:EXPIRED", "", DeliveryStatus.EXPIRED, ""),
        (b"id:77 stat:NEWWORD", "77", DeliveryStatus.UNKNOWN, ""),
        (b"\x05\x00\x03\x01\x02\x01id:77 stat:DELIVRD", "77", DeliveryStatus.DELIVERED, ""),
        (b"id:77 stat:DELIVRD\0", "77", DeliveryStatus.DELIVERED, ""),
        (b"sub:001 dlvrd:001", "", DeliveryStatus.UNKNOWN, ""),
        (b"id:" + b"9" * 64 + b" stat:REJECTD", "9" * 64, DeliveryStatus.REJECTED, ""),
        ("id:77 stat:DELIVRD".encode("utf-16-be"), "77", DeliveryStatus.DELIVERED, ""),
        (b"", "", DeliveryStatus.UNKNOWN, ""),
    ],
)
def test_every_field_is_found_by_itself(octets: bytes, message_id: str, status: DeliveryStatus, error: str) -> None:
    read = read_receipt(receipt(octets))
    assert (read.message_id, read.status, read.error) == (message_id, status, error)


def test_ascii_is_read_though_data_coding_says_ucs2() -> None:
    pdu = DeliverSm(1, esm_class=c.ESM_RECEIPT, data_coding=8, short_message=TEXT)
    assert read_receipt(pdu).message_id == "3E8"


@pytest.mark.parametrize("written", [b"ABCDEF", b"ABCDEF\0"])
def test_parameters_come_before_text(written: bytes) -> None:
    read = read_receipt(receipt(TEXT, id=written, state=b"\x05", error=b"\x03\x00\x22"))
    assert (read.message_id, read.status, read.error) == ("ABCDEF", DeliveryStatus.UNDELIVERABLE, "3:34")


def test_text_fills_in_what_the_parameters_lack() -> None:
    read = read_receipt(receipt(TEXT, id=b"\0", state=b"", error=b"\0"))
    assert (read.message_id, read.status) == ("3E8", DeliveryStatus.DELIVERED)


def test_a_text_in_the_payload_parameter_is_read() -> None:
    for pdu in (DataSm(1, tlvs={c.MESSAGE_PAYLOAD: TEXT}), DeliverSm(1, tlvs={c.MESSAGE_PAYLOAD: TEXT})):
        assert read_receipt(pdu).message_id == "3E8"


def test_an_intermediate_notification_is_under_way() -> None:
    assert read_receipt(receipt(b"id:1", esm_class=c.ESM_INTERMEDIATE)).status is DeliveryStatus.ENROUTE


def test_every_state_of_the_standard_has_a_word_and_a_number() -> None:
    assert set(STATES.values()) == set(DeliveryStatus)
    assert set(STATE_WORDS.values()) == set(DeliveryStatus)


def test_a_question_does_not_look_like_a_receipt() -> None:
    assert looks_like_receipt(receipt(TEXT, esm_class=0))
    assert not looks_like_receipt(receipt(b"TC 000.00.18.H51-161220-0001", esm_class=0))
    assert not looks_like_receipt(receipt(b"id:1", esm_class=0))


def test_the_rest_of_the_gateway_gets_its_own_words() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    report = read_receipt(receipt(b"id:77 stat:REJECTD err:12")).report("sms", "viettel", now)
    assert report == DeliveryReport(
        channel="sms",
        account="viettel",
        external_id="77",
        status=DeliveryStatus.REJECTED,
        received_at=now,
        error="12",
        text="id:77 stat:REJECTD err:12",
    )


@pytest.mark.parametrize(
    ("answered", "reported"),
    [
        ("3E8", "1000"),
        ("3e8", "000003E8"),
        ("1000", "3E8"),
        ("0x3E8", "1000"),
        ("00001000", "1000"),
        ("9380935605053030457", "822FC73B00000039"),  # beyond a signed 64-bit number
        ("msg-7F", "MSG-7f"),
    ],
)
def test_ids_of_two_spellings_meet(answered: str, reported: str) -> None:
    assert set(id_forms(answered)) & set(id_forms(reported))


def test_the_written_form_of_an_id_comes_first() -> None:
    assert id_forms("00003e8") == ("00003e8", "3E8", "1000")
    assert id_forms("") == ()


@given(st.text(max_size=80))
def test_no_id_raises(message_id: str) -> None:
    assert len(id_forms(message_id)) <= 4
