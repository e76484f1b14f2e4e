"""What a Telegram update says: shapes of the public documentation become messages, or are dropped with a reason."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from channels.telegram.deep_links import PAYLOAD, deep_link, payload_of, text_of
from channels.telegram.updates import Dropped, Me, Reader
from domain.message import Address, ChatEvent, InboundMessage, Media, MediaKind
from tests.peers.telegram_shapes import ANN, BOT, CODE, GROUP, NEWS, PRIVATE, member, mention, message, photo, pressed

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
READER = Reader("bot", Me(id=123456, username="tracuubot"), itertools.count(1).__next__, lambda: NOW)


def read(**kind: Any) -> InboundMessage | Dropped:
    return READER.read(Update.de_json({"update_id": 901, **kind}, None))


def said(**kind: Any) -> InboundMessage:
    told = read(**kind)
    assert isinstance(told, InboundMessage), told
    return told


def test_a_text_is_a_message_of_its_chat() -> None:
    told = said(message=message())
    assert (told.text, told.external_id, told.public) == (CODE, "901", False)
    assert told.sender == Address("telegram", "5001")
    assert told.recipient == Address("telegram", "123456")
    assert (told.channel, told.account, told.received_at) == ("telegram", "bot", NOW)
    assert told.language == "vi"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("/help", "help"),
        ("/ds@TraCuuBot", "ds"),
        ("/dk H51.18-210817-0005", "dk H51.18-210817-0005"),
        ("/dang_ky\nH51.18-210817-0005", "dang ky H51.18-210817-0005"),
        ("/start 000_00_18_H51-161220-0001", CODE),
        ("/START H51_18-210817-0005", "H51.18-210817-0005"),
        ("/ help", "/ help"),
        (" DK\0 1 ", "DK  1"),
    ],
)
def test_a_command_is_its_words(typed: str, text: str) -> None:
    told = said(message=message(typed))
    assert (told.text.rstrip(), told.event) == (text, None)


def test_a_bare_start_is_an_arrival() -> None:
    told = said(message=message("/start"))
    assert (told.text, told.event) == ("", ChatEvent.STARTED)


@pytest.mark.parametrize(
    ("status", "event"), [("kicked", ChatEvent.BLOCKED), ("left", ChatEvent.BLOCKED), ("member", ChatEvent.STARTED)]
)
def test_blocking_and_unblocking_are_told(status: str, event: ChatEvent) -> None:
    assert said(my_chat_member=member(status)).event is event


def test_being_thrown_out_of_a_group_is_told_and_joining_one_is_not() -> None:
    told = said(my_chat_member=member("kicked", GROUP))
    assert (told.event, told.sender.value, told.public) == (ChatEvent.BLOCKED, "-100700", True)
    assert read(my_chat_member=member("member", GROUP)) is Dropped.MEMBERSHIP
    assert read(my_chat_member=member("kicked", NEWS)) is Dropped.MEMBERSHIP


def test_of_a_photo_the_largest_size_is_named_and_its_caption_is_the_text() -> None:
    told = said(message=photo("small", "large", caption="bien nhan"))
    assert (told.media, told.text) == (Media(MediaKind.PICTURE, "large"), "bien nhan")


@pytest.mark.parametrize(
    ("document", "media"),
    [
        ({"mime_type": "image/png"}, Media(MediaKind.PICTURE, "doc1")),
        ({"mime_type": "application/pdf"}, Media(MediaKind.OTHER)),
        ({}, Media(MediaKind.OTHER)),
    ],
)
def test_a_document_is_a_picture_if_it_says_so(document: dict[str, str], media: Media) -> None:
    shape = {"file_id": "doc1", "file_unique_id": "d", **document}
    assert said(message=message(None, document=shape)).media == media


OTHER = {
    "voice": {"file_id": "v", "file_unique_id": "v", "duration": 3},
    "sticker": {
        "file_id": "s",
        "file_unique_id": "s",
        "type": "regular",
        "width": 1,
        "height": 1,
        "is_animated": False,
        "is_video": False,
    },
    "location": {"latitude": 9.6, "longitude": 105.9},
    "contact": {"phone_number": "84912345678", "first_name": "Binh", "user_id": 6002},
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_cannot_be_read_is_still_a_message(kind: str) -> None:
    told = said(message=message(None, **{kind: OTHER[kind]}))
    assert (told.media, told.text, told.phone) == (Media(MediaKind.OTHER), "", "")


def test_a_shared_contact_proves_a_number_only_of_the_sender() -> None:
    own = {"phone_number": "+84912345678", "first_name": "An", "user_id": 5001}
    assert said(message=message(None, contact=own)).phone == "+84912345678"
    nobody = {"phone_number": "+84912345678", "first_name": "An"}
    assert said(message=message(None, contact=nobody)).phone == ""
    in_a_group = message(None, contact=own, chat=GROUP, reply_to_message=message("x", **{"from": BOT, "chat": GROUP}))
    assert said(message=in_a_group).phone == ""


def test_a_pressed_button_says_its_command() -> None:
    told = said(callback_query=pressed("DK H51.18-210817-0005"))
    assert (told.text, told.sender.value, told.language) == ("DK H51.18-210817-0005", "5001", "vi")


def test_a_button_under_a_message_too_old_to_be_told_still_works() -> None:
    old = {"chat": PRIVATE, "message_id": 3, "date": 0}
    assert said(callback_query=pressed("HUY 1", message=old)).sender.value == "5001"


def test_a_button_that_belongs_to_no_chat_is_dropped() -> None:
    query = pressed("x")
    del query["message"]
    assert read(callback_query=query | {"inline_message_id": "i"}) is Dropped.NO_CHAT


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"edited_message": message()}, Dropped.EDITED),
        ({"channel_post": message(chat=NEWS)}, Dropped.CHANNEL_POST),
        ({"edited_channel_post": message(chat=NEWS)}, Dropped.CHANNEL_POST),
        ({"message": message(is_automatic_forward=True, chat=GROUP)}, Dropped.CHANNEL_POST),
        ({"message": message() | {"from": BOT}}, Dropped.FROM_BOT),
        ({"message": message(None, new_chat_title="x", chat=PRIVATE)}, Dropped.SERVICE),
        ({"message": message(None, migrate_to_chat_id=-100701, chat=PRIVATE)}, Dropped.SERVICE),
        (
            {"poll_answer": {"poll_id": "1", "user": ANN, "option_ids": [0], "option_persistent_ids": ["a"]}},
            Dropped.UNKNOWN_KIND,
        ),
    ],
)
def test_what_nobody_said_to_us_is_dropped_with_its_reason(kind: dict[str, Any], why: Dropped) -> None:
    assert read(**kind) is why


# ---- groups


@pytest.mark.parametrize("text", [CODE, "/help", "/help@OtherBot", "hoi @TraCuuBots di", "@OtherBot " + CODE])
def test_in_a_group_nobody_is_answered_who_did_not_mean_us(text: str) -> None:
    entities = mention(text, "@OtherBot") if "@OtherBot" in text and text[0] == "@" else []
    assert read(message=message(text, chat=GROUP, entities=entities)) is Dropped.NOT_ADDRESSED


def test_in_a_group_a_command_with_our_name_means_us() -> None:
    told = said(message=message("/ds@tracuubot", chat=GROUP))
    assert (told.text.strip(), told.public, told.sender.value) == ("ds", True, "-100700")


def test_in_a_group_our_name_means_us_and_is_not_part_of_the_text() -> None:
    text = f"😀 @tracuubot {CODE}"
    entities = [{"type": "mention", "offset": 3, "length": 10}]  # UTF-16 units: the face takes two
    told = said(message=message(text, chat=GROUP, entities=entities))
    assert CODE in told.text
    assert "@" not in told.text
    caption = photo("p", chat=GROUP, caption="@TraCuuBot", caption_entities=mention("@TraCuuBot", "@TraCuuBot"))
    assert said(message=caption).media == Media(MediaKind.PICTURE, "p")


def test_in_a_group_an_answer_to_us_means_us() -> None:
    ours = message("Ho so ...", **{"from": BOT, "chat": GROUP})
    assert said(message=message(chat=GROUP, reply_to_message=ours)).public
    theirs = message("Ho so ...", chat=GROUP)
    assert read(message=message(chat=GROUP, reply_to_message=theirs)) is Dropped.NOT_ADDRESSED


# ---- deep links


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", min_size=1, max_size=64))
def test_a_deep_link_brings_every_code_back(code: str) -> None:
    payload = payload_of(code)
    assert payload is not None
    assert PAYLOAD.fullmatch(payload)
    assert text_of(payload) == code


@pytest.mark.parametrize("text", ["", "a b", "A" * 65, "H51_18", "mã"])
def test_what_no_link_can_carry_has_none(text: str) -> None:
    assert payload_of(text) is None
    assert deep_link("TraCuuBot", text) is None


def test_a_deep_link_names_the_bot() -> None:
    assert deep_link("TraCuuBot", CODE) == "https://t.me/TraCuuBot?start=000_00_18_H51-161220-0001"
