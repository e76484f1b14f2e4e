"""A receipt is read however its SMSC writes it, and never mistaken for a question."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.account import MessageIds, SmppAccount
from channels.sms.incoming import Incoming
from channels.sms.pdu import DataSm, DeliverSm
from channels.sms.reports import (
    STATE_WORDS,
    STATES,
    id_forms,
    is_acknowledgement,
    is_receipt,
    looks_like_receipt,
    read_receipt,
)
from domain.external_ids import LONGEST, key_of, spellings
from domain.message import Address, DeliveryReport, DeliveryStatus

TEXT = b"id:3E8 sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:DELIVRD err:000 text:Ho so"


def incoming(**changes: Any) -> Incoming:
    account = SmppAccount(name="viettel", host="h", system_id="s", password="p", short_code="8088", **changes)
    return Incoming(account, itertools.count(1).__next__)


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


@pytest.mark.parametrize(
    ("esm_class", "expected"),
    [
        (0x08, True),
        (0x10, True),
        (0x18, True),  # a conversation broken off
        (0x48, True),
        (0x13, True),
        (0x00, False),
        (0x04, False),
        (0x20, False),
        (0x40, False),
        (0x03, False),
    ],
)
def test_what_a_telephone_acknowledges_is_neither_a_receipt_nor_a_question(esm_class: int, *, expected: bool) -> None:
    assert is_acknowledgement(esm_class) is expected


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
        ("id:77 stat:DELIVRD".encode("utf-16-le"), "77", DeliveryStatus.DELIVERED, ""),
        ("\ufeffid:77 stat:DELIVRD".encode("utf-16-be"), "77", DeliveryStatus.DELIVERED, ""),
        (b"\x06\x08\x04\0\x07\x01\x01" + "id:77 stat:DELIVRD".encode("utf-16-be"), "77", DeliveryStatus.DELIVERED, ""),
        (b"id:77 submit date:2611221200 done date:2611221201 stat:EXPIRED", "77", DeliveryStatus.EXPIRED, ""),
        (b"id:77 submit date:261122120001 done date:261122120101 stat:DELETED", "77", DeliveryStatus.DELETED, ""),
        (b"id:77 submit date:20261122120001 done date:20261122120101 stat:ENROUTE", "77", DeliveryStatus.ENROUTE, ""),
        (b"id:77 stat:BUFFRED err:0", "77", DeliveryStatus.ENROUTE, ""),
        (b"id:77 stat:BUFFERD err:0000", "77", DeliveryStatus.ENROUTE, ""),
        (b"id:77 stat:SKIPPED", "77", DeliveryStatus.SKIPPED, ""),
        (b"id:77 stat:8 err:0ABC", "77", DeliveryStatus.REJECTED, "0ABC"),
        (b"id:77 stat:UNDELIV err:99 text:id:78 stat:DELIVRD err:000", "77", DeliveryStatus.UNDELIVERABLE, "99"),
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


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        (b"\0\x02", b"", (DeliveryStatus.DELIVERED, "")),
        (b"\0\0\0\x05", b"\x22", (DeliveryStatus.UNDELIVERABLE, "34")),
        (b"\x05", b"\x01\x22", (DeliveryStatus.UNDELIVERABLE, "290")),
        (b"\x05", b"\x03\0\0", (DeliveryStatus.UNDELIVERABLE, "")),
        (b"\x05", b"\x03\0\0\x01", (DeliveryStatus.UNDELIVERABLE, "")),
        (b"\xff", b"", (DeliveryStatus.UNKNOWN, "")),
    ],
)
def test_parameters_of_odd_length_are_read(state: bytes, error: bytes, expected: tuple[DeliveryStatus, str]) -> None:
    read = read_receipt(receipt(b"", id=b"77", state=state, error=error))
    assert (read.message_id, read.status, read.error) == ("77", *expected)


def test_an_id_of_any_length_ends_somewhere() -> None:
    assert read_receipt(receipt(b"", id=b"A" * 60_000)).message_id == "A" * LONGEST
    assert len(read_receipt(receipt(b"id:" + b"9" * 254)).message_id) <= LONGEST


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
    pdu = DeliverSm(
        1,
        source="0912345678",
        destination="8088",
        esm_class=c.ESM_RECEIPT,
        short_message=b"id:77 stat:REJECTD err:12",
    )
    assert incoming().report(pdu, now) == DeliveryReport(
        channel="sms",
        account="viettel",
        external_id="77",
        status=DeliveryStatus.REJECTED,
        received_at=now,
        error="12",
        text="id:77 stat:REJECTD err:12",
        keys=("77", "4D", "119"),
        recipient=Address("sms", "84912345678"),
        sender=Address("sms", "8088"),
    )


@pytest.mark.parametrize(
    ("source", "destination", "recipient", "sender"),
    [
        ("84912345678", "8088", "84912345678", "8088"),
        ("8088", "+84912345678", "8088", "84912345678"),  # swapped
        ("8088", "0912345678", "8088", "84912345678"),
        ("", "", None, None),
        (" ", " " * 12, "unknown", "unknown"),
    ],
)
def test_a_report_names_the_numbers_of_its_receipt(
    source: str, destination: str, recipient: str | None, sender: str | None
) -> None:
    pdu = DeliverSm(1, source=source, destination=destination, esm_class=c.ESM_RECEIPT, short_message=TEXT)
    report = incoming().report(pdu, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert report is not None
    named = [None if address is None else address.value for address in (report.recipient, report.sender)]
    assert named == [recipient, sender]


def test_the_account_says_how_ids_are_written() -> None:
    pdu = DeliverSm(1, esm_class=c.ESM_RECEIPT, short_message=b"id:1000 stat:DELIVRD")
    report = incoming(message_ids=MessageIds.HEX_THEN_DECIMAL).report(pdu, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert report is not None
    assert (report.external_id, report.keys) == ("1000", ("3E8",))


def test_only_where_reports_are_not_flagged_content_makes_one() -> None:
    pdu, now = receipt(TEXT, esm_class=0), datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert incoming().unflagged_report(pdu, now) is None
    found = incoming(reports_by_content=True).unflagged_report(pdu, now)
    assert found is not None
    assert found.external_id == "3E8"
    assert incoming(reports_by_content=True).unflagged_report(receipt(b"TC 1", esm_class=0), now) is None


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


BEYOND_64_BITS = "9380935605053030457123"


@pytest.mark.parametrize(
    ("message_ids", "reported", "forms"),
    [
        (MessageIds.AUTO, "00003e8", ("3E8", "1000")),
        (MessageIds.AUTO, "1000", ("1000", "3E8", "4096")),
        (MessageIds.AUTO, "msg-7f", ("MSG-7F",)),
        (MessageIds.AUTO, BEYOND_64_BITS, (BEYOND_64_BITS, f"{int(BEYOND_64_BITS):X}", f"{int(BEYOND_64_BITS, 16)}")),
        (MessageIds.AUTO, "", ()),
        (MessageIds.AUTO, "0", ("0",)),
        (MessageIds.SAME, "001000", ("1000",)),
        (MessageIds.SAME, "0x3e8", ("3E8",)),
        (MessageIds.HEX_THEN_DECIMAL, "1000", ("3E8",)),
        (MessageIds.HEX_THEN_DECIMAL, "3E8", ("3E8",)),  # it is no decimal number
        (MessageIds.DECIMAL_THEN_HEX, "3e8", ("1000",)),
        (MessageIds.DECIMAL_THEN_HEX, "1000", ("4096",)),
        (MessageIds.DECIMAL_THEN_HEX, "xyz", ("XYZ",)),
    ],
)
def test_an_id_is_looked_for_as_the_account_says(
    message_ids: MessageIds, reported: str, forms: tuple[str, ...]
) -> None:
    assert id_forms(reported, message_ids) == forms


@given(st.text(max_size=400))
def test_no_id_raises_and_its_key_stays_what_it_is(message_id: str) -> None:
    assert len(id_forms(message_id)) <= 3
    key = key_of(message_id)
    assert len(key) <= LONGEST
    assert key_of(key) == key


@given(st.one_of(st.integers(0, 1 << 200).map(str), st.integers(0, 1 << 200).map(lambda number: f"{number:X}")))
def test_what_one_id_is_spelt_like_is_spelt_like_it(message_id: str) -> None:
    key = key_of(message_id)
    assert all(key in spellings(each) for each in spellings(key))
