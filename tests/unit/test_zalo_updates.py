"""What the platform tells, in our words: every event it is known to send, and whatever else it may."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.zalo.updates import Received, Said, Skipped, read_timestamp, read_update
from domain.message import ChatEvent, Media, MediaKind

OA = "2800000000000000002"
USER = "8234567890123456789"
STAMP = "1795334400000"
PHOTO = "https://f20.zdn.vn/photo.jpg"


def event(name: str, **more: Any) -> bytes:
    told = {
        "app_id": "43",
        "event_name": name,
        "timestamp": STAMP,
        "sender": {"id": USER},
        "recipient": {"id": OA},
        "user_id_by_app": "9",
        **more,
    }
    return json.dumps(told).encode()


def said(name: str, **message: Any) -> Said:
    read = read_update(event(name, message={"msg_id": "m1", **message}), OA)
    assert isinstance(read, Said)
    return read


def sent(kind: str, **payload: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "payload": payload}]


def test_a_text_is_read_with_its_id_and_its_person() -> None:
    read = said("user_send_text", text="Tra cứu H51.18-210817-0005")
    assert (read.id, read.user, read.text) == ("m1", USER, "Tra cứu H51.18-210817-0005")
    assert (read.media, read.event) == (None, None)


def test_a_pressed_button_is_the_text_it_stands_for() -> None:
    assert said("user_send_text", text="DK H51.18-210817-0005").text == "DK H51.18-210817-0005"


def test_a_picture_keeps_its_address_and_its_caption() -> None:
    read = said("user_send_image", text="biên nhận", attachments=sent("image", url=PHOTO, thumbnail=PHOTO))
    assert read.text == "biên nhận"
    assert read.media == Media(MediaKind.PICTURE, PHOTO)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"name": "bien-nhan.PNG", "type": "png", "size": "1"}, MediaKind.PICTURE),
        ({"name": "bien-nhan", "type": "jpg"}, MediaKind.PICTURE),
        ({"name": "bien-nhan.pdf", "type": "pdf"}, MediaKind.OTHER),
        ({}, MediaKind.OTHER),
    ],
)
def test_a_document_that_is_a_picture_is_one(payload: dict[str, str], kind: MediaKind) -> None:
    read = said("user_send_file", attachments=sent("file", url=PHOTO, **payload))
    assert read.media is not None
    assert read.media.kind is kind


@pytest.mark.parametrize("kind", ["gif", "sticker", "audio", "video", "location", "business_card"])
def test_what_nobody_can_read_is_not_silence(kind: str) -> None:
    attachments = sent(kind, url=PHOTO, coordinates={"latitude": "1", "longitude": "2"})
    assert said(f"user_send_{kind}", attachments=attachments).media == Media(MediaKind.OTHER)


def test_a_link_without_words_is_its_address() -> None:
    link = "https://dichvucong.example/tra-cuu?ma=H51.18-210817-0005"
    assert said("user_send_link", attachments=sent("link", url=link)).text == link
    assert said("user_send_link", text="xem", attachments=sent("link", url=link)).text == "xem"


@pytest.mark.parametrize(("name", "what"), [("follow", ChatEvent.STARTED), ("unfollow", ChatEvent.BLOCKED)])
def test_coming_and_leaving_are_events_whose_id_a_repeated_call_keeps(name: str, what: ChatEvent) -> None:
    told = {"app_id": "43", "oa_id": OA, "follower": {"id": USER}, "event_name": name, "timestamp": STAMP}
    first, again = (read_update(json.dumps(told).encode(), OA) for _ in range(2))
    later = read_update(json.dumps({**told, "timestamp": "1795334400001"}).encode(), OA)
    assert isinstance(first, Said)
    assert isinstance(later, Said)
    assert (first.event, first.user, first.text) == (what, USER, "")
    assert first == again
    assert first.id != later.id


def test_a_receipt_names_our_message() -> None:
    told = event("user_received_message", sender={"id": OA}, recipient={"id": USER}, message={"msg_id": "ours"})
    assert read_update(told, OA) == Received(id="ours")


def test_a_flat_receipt_of_a_template_is_read_too() -> None:
    told = {
        "event_name": "user_received_message",
        "sender": OA,
        "recipient": "84987654321",
        "msg_id": "zns",
        "tracking_id": "t",
        "delivery_time": "1",
        "timestamp": STAMP,
    }
    assert read_update(json.dumps(told).encode(), OA) == Received(id="zns")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (event("user_seen_message", message={"msg_ids": ["a"]}), Skipped.SEEN),
        (event("oa_send_text", message={"msg_id": "a", "text": "b"}), Skipped.OURS),
        (event("oa_send_consent"), Skipped.OURS),
        (event("user_submit_info", info={"phone": "0912345678"}), Skipped.UNKNOWN),  # as typed, vouched for by nobody
        (event("user_click_button"), Skipped.UNKNOWN),
        (event("anonymous_send_text", message={"text": "x"}), Skipped.UNKNOWN),
        (event("user_send_group_text", message={"text": "x"}), Skipped.UNKNOWN),
        (event("something_new"), Skipped.UNKNOWN),
        (event("user_send_text", recipient={"id": "1"}, message={"text": "x"}), Skipped.FOREIGN),
        (event("user_received_message", sender={"id": "1"}, message={"msg_id": "x"}), Skipped.FOREIGN),
        (event("user_received_message", sender={"id": OA}), Skipped.UNREADABLE),
        (event("user_send_text", sender={}, message={"text": "x"}), Skipped.UNREADABLE),
        (event("user_send_text", sender={"id": "../x"}, message={"text": "x"}), Skipped.UNREADABLE),
        (event("user_send_text", message=["x"]), Skipped.UNREADABLE),
        (b"[]", Skipped.UNREADABLE),
        (b"", Skipped.UNREADABLE),
        (b"\xff", Skipped.UNREADABLE),
        (b"[" * 60_000, Skipped.UNREADABLE),
    ],
)
def test_what_needs_no_answer_says_why(body: bytes, why: Skipped) -> None:
    assert read_update(body, OA) is why


def test_an_id_that_comes_as_a_number_loses_no_digit() -> None:
    raw = event("user_send_text", message={"msg_id": "m", "text": "x"}).replace(f'"{USER}"'.encode(), USER.encode())
    read = read_update(raw, OA)
    assert isinstance(read, Said)
    assert read.user == USER


def test_no_text_holds_what_a_store_cannot_keep() -> None:
    read = said("user_send_text", text="H51\x00.18")
    assert read.text == "H51.18"
    lonely = event("user_send_text", message={"msg_id": "m", "text": "?"}).replace(b"?", b"\\ud800")
    again = read_update(lonely, OA)
    assert isinstance(again, Said)
    assert again.text.encode()


def test_half_an_emoji_makes_no_genuine_call_look_forged() -> None:
    """The sum is made with the moment: where that could not be read, five such messages would end the webhook."""
    assert read_timestamp(event("user_send_text", message={"text": "H51 \ud83d"})) == STAMP


@pytest.mark.parametrize("payload", [None, "x", 5, []])
def test_a_picture_of_an_odd_shape_is_a_message_all_the_same(payload: Any) -> None:
    assert said("user_send_image", attachments=[{"type": None, "payload": payload}]).media == Media(
        MediaKind.PICTURE, ""
    )


@pytest.mark.parametrize(
    ("body", "stamp"),
    [(b'{"timestamp": "12"}', "12"), (b'{"timestamp": 12}', "12"), (b"{}", ""), (b"x", ""), (b'{"timestamp": []}', "")],
)
def test_the_moment_is_read_before_anything_else(body: bytes, stamp: str) -> None:
    assert read_timestamp(body) == stamp


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(["sender", "recipient", "message", "follower", "oa_id", "msg_id", "timestamp", "event_name"])


@given(st.binary(max_size=300))
def test_garbage_never_raises(body: bytes) -> None:
    assert read_update(body, OA) is Skipped.UNREADABLE or read_update(body, OA) is Skipped.UNKNOWN
    read_timestamp(body)


@given(st.dictionaries(FIELDS, JSON))
def test_a_known_event_of_any_shape_never_raises(fields: dict[str, Any]) -> None:
    read_update(event("user_send_image", **{name: value for name, value in fields.items() if name != "event_name"}), OA)
