"""A text that asks to be answered is told from one that does not."""

from __future__ import annotations

import unicodedata

import pytest

from domain.invitations import invites_answer
from domain.text import unaccent


@pytest.mark.parametrize(
    "text",
    [
        "Soạn HUY để ngừng nhận tin",
        "Muốn hủy, nhắn HUY",
        "Ông/bà nhắn tin cho chúng tôi",
        "Gửi mã hồ sơ {ma_ho_so} đến số bên dưới",
        "gửi về đầu số cũ",
        "Xin ông/bà trả lời trước 5/5",
        "Xin phản hồi tin này",
        "Reply YES by Monday",
        "Send HUY and the code to us",
    ],
)
def test_an_invitation_is_seen(text: str) -> None:
    assert invites_answer(text)
    assert invites_answer(unicodedata.normalize("NFD", text.upper()))


@pytest.mark.parametrize(
    "text", ["Soan HUY de ngung", "nhan tin cho chung toi", "gui ma ho so den so cu", "Xin tra loi", "nhan HUY gui 999"]
)
def test_it_is_seen_without_accents(text: str) -> None:
    assert invites_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hồ sơ {ma_ho_so}: cơ quan nghỉ ngày 30/4.",
        "Mời ông/bà nhận lại giấy tờ",
        "Đã gửi hồ sơ đến Sở Nội vụ",
        "Tin nhắn này thay cho giấy mời",
        "Ban biên soạn làm việc cả ngày",
        "Trả kết quả lúc 8 giờ, gọi 02993 013010",
        "The office is closed on 30 April",
        "",
    ],
)
def test_what_asks_for_nothing_is_left_alone(text: str) -> None:
    assert not invites_answer(text)


@pytest.mark.parametrize("text", ["Soạn HUY gửi 8100", "Nhắn HUY đến 8100.", unaccent("Gửi mã hồ sơ đến số 8100")])
def test_who_is_told_a_number_of_ours_can_write_there(text: str) -> None:
    assert not invites_answer(text, ["6089", "8100"])
    assert invites_answer(text, ["6089", "100", "81001"])
