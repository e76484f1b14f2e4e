"""A message becomes PDUs as the account agreed with its operator: from whom, how cut, how long it lives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.account import Segmentation, SmppAccount
from channels.sms.pdu import SubmitSm, decode
from channels.sms.submits import Submits
from domain import gsm
from domain.message import Address, Category, OutboundMessage, SendResult, SendStatus

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def submits(**changes: Any) -> Submits:
    defaults: dict[str, Any] = {
        "name": "a",
        "host": "h",
        "system_id": "s",
        "password": "p",
        "short_code": "8088",
        "source_ton": 3,
        "source_npi": 9,
    }
    return Submits(SmppAccount(**{**defaults, **changes}))


def message(text: str = "Ho so dang xu ly", sender: str = "8088", **changes: Any) -> OutboundMessage:
    defaults: dict[str, Any] = {
        "id": 7,
        "channel": "sms",
        "account": "a",
        "category": Category.NOTICE,
        "recipient": Address("sms", "84912345678"),
        "sender": Address("sms", sender),
        "text": text,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return OutboundMessage(**{**defaults, **changes})


def sent(frames: Sequence[bytes] | SendResult) -> list[SubmitSm]:
    assert not isinstance(frames, SendResult), frames
    pdus = [decode(frame) for frame in frames]
    assert all(isinstance(pdu, SubmitSm) for pdu in pdus)
    return [pdu for pdu in pdus if isinstance(pdu, SubmitSm)]


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("8088", (3, 9)),
        ("+84912345678", (3, 9)),
        ("84912345678", (3, 9)),
        ("SocTrang", (c.TON_ALPHANUMERIC, c.NPI_UNKNOWN)),
        ("DVC 8088", (c.TON_ALPHANUMERIC, c.NPI_UNKNOWN)),
        ("1022-ST", (c.TON_ALPHANUMERIC, c.NPI_UNKNOWN)),
        ("+", (c.TON_ALPHANUMERIC, c.NPI_UNKNOWN)),
    ],
)
def test_a_name_leaves_as_alphanumeric_and_a_number_as_agreed(sender: str, kind: tuple[int, int]) -> None:
    (pdu,) = sent(submits().frames(message(sender=sender), NOW))
    assert (pdu.source, (pdu.source_ton, pdu.source_npi)) == (sender, kind)


def test_a_name_no_telephone_can_show_is_refused() -> None:
    refused = submits().frames(message(sender="Soc Trang 12"), NOW)
    assert isinstance(refused, SendResult)
    assert (refused.status, refused.reason) == (SendStatus.REJECTED, "not_encodable_0xa")


def test_the_queue_is_told_what_it_needs_on_its_own_clock() -> None:
    outward = submits().outward(message(expires_at=NOW + timedelta(seconds=90)), NOW, 1_000.0)
    assert (outward.message_id, outward.category, outward.recipient) == (7, Category.NOTICE, "84912345678")
    assert (outward.expires_at, outward.cost) == (1_090.0, 1)
    assert len(sent(outward.frames)) == 1


def test_the_queue_is_told_what_cannot_be_encoded() -> None:
    outward = submits().outward(message("a" * 153 * 256), NOW, 0.0)
    assert isinstance(outward.frames, SendResult)
    assert outward.frames.reason == "too_long"


@pytest.mark.parametrize(("segmentation", "frames", "cost"), [("udh", 3, 1), ("sar", 3, 1), ("payload", 1, 3)])
def test_a_long_message_costs_as_much_however_it_is_cut(segmentation: str, frames: int, cost: int) -> None:
    outward = submits(segmentation=Segmentation(segmentation)).outward(message("a" * 400), NOW, 0.0)
    assert (len(sent(outward.frames)), outward.cost) == (frames, cost)


def test_payload_on_the_wire_is_a_parameter_and_an_empty_short_message() -> None:
    (pdu,) = sent(submits(segmentation=Segmentation.PAYLOAD).frames(message("a" * 400), NOW))
    assert (pdu.short_message, pdu.esm_class, dict(pdu.tlvs)) == (b"", 0, {c.MESSAGE_PAYLOAD: b"a" * 400})


def test_sar_references_rise_and_use_16_bits() -> None:
    account = submits(segmentation=Segmentation.SAR)
    taken = [sent(account.frames(message("a" * 200), NOW))[0].tlvs[c.SAR_MSG_REF_NUM] for _ in range(300)]
    assert taken == [number.to_bytes(2, "big") for number in range(300)]


@pytest.mark.parametrize("segmentation", list(Segmentation))
@given(text=st.text(max_size=500))
def test_what_fits_is_counted_as_it_is_paid_for_whatever_the_form(segmentation: Segmentation, text: str) -> None:
    account = submits(segmentation=segmentation, reply_segments=2)
    outward = account.outward(message(text), NOW, 0.0)
    assert not isinstance(outward.frames, SendResult)
    paid = len(outward.frames) * outward.cost
    assert paid == gsm.segments_needed(text)[1]
    assert account.fits(text) == (paid <= 2)


@pytest.mark.parametrize("wanted", [0, 1, 17])
def test_reports_are_asked_for_as_the_account_says(wanted: int) -> None:
    (pdu,) = sent(submits(registered_delivery=wanted).frames(message(), NOW))
    assert pdu.registered_delivery == wanted


@pytest.mark.parametrize(("category", "flag"), [(Category.REPLY, 1), (Category.NOTICE, 0), (Category.BROADCAST, 0)])
def test_an_answer_says_that_it_is_urgent(category: Category, flag: int) -> None:
    (pdu,) = sent(submits().frames(message(category=category), NOW))
    assert pdu.priority == flag
