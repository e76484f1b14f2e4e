"""A picture that cannot be had is told its sender, and an operator too: sparingly, and never with its address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest
from structlog.testing import capture_logs

from channels.media import PictureReader, PictureRefused, Refusal
from channels.sparing import LINES_A_MINUTE
from domain.errors import ChannelError, PictureUnavailable
from domain.message import Address, InboundMessage, Media, MediaKind
from gateway.bootstrap.channels import Chat, ChatPictures

NOT_FETCHED = PictureUnavailable("a picture could not be fetched: BadRequest")


class FakeChat:
    """`fault`: why it gives no picture out."""

    def __init__(self, account: str, fault: ChannelError | None = None) -> None:
        self.account = account
        self._fault = fault

    async def fetch(self, reference: str) -> bytes:
        if self._fault is not None:
            raise self._fault
        return reference.encode()


class FakeReader:
    """`refusal`: why it reads none."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self._refusal = refusal

    async def read(self, data: bytes) -> list[str]:
        if self._refusal is not None:
            raise PictureRefused(self._refusal)
        return [data.decode()]


class Desk:
    def __init__(self, *chats: FakeChat, refusal: Refusal | None = None) -> None:
        self.seconds = 0.0
        self.pictures = ChatPictures(
            [cast("Chat", each) for each in chats], cast("PictureReader", FakeReader(refusal)), lambda: self.seconds
        )

    async def refused(self, account: str, times: int = 1) -> list[tuple[str, str, int]]:
        """What is told in the log while so many pictures are refused: account, reason, how many lines were left out."""
        with capture_logs() as lines:
            for _ in range(times):
                with pytest.raises(PictureUnavailable):
                    await self.pictures.texts(picture(account))
        assert {line["event"] for line in lines} <= {"media.unavailable"}
        assert not any("secret-reference" in str(line) for line in lines)
        return [(line["account"], line["reason"], line["left_out"]) for line in lines]


def picture(account: str) -> InboundMessage:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    return InboundMessage(
        id=1,
        channel="telegram",
        account=account,
        sender=Address("telegram", "5001"),
        recipient=Address("telegram", "1"),
        text="",
        received_at=moment,
        identity="x",
        media=Media(MediaKind.PICTURE, "secret-reference"),
    )


async def test_a_picture_that_is_not_given_out_is_told_with_its_reason() -> None:
    assert await Desk(FakeChat("bot", NOT_FETCHED)).refused("bot") == [("bot", str(NOT_FETCHED), 0)]


@pytest.mark.parametrize("refusal", [Refusal.BUSY, Refusal.FAILED, Refusal.TOO_SLOW, Refusal.TOO_LARGE])
async def test_a_picture_that_could_not_be_looked_at_is_told(refusal: Refusal) -> None:
    assert await Desk(FakeChat("bot"), refusal=refusal).refused("bot") == [("bot", str(PictureRefused(refusal)), 0)]


async def test_a_flood_is_a_few_lines_a_minute_of_each_account() -> None:
    desk = Desk(FakeChat("bot", NOT_FETCHED), FakeChat("other", NOT_FETCHED))
    assert len(await desk.refused("bot", times=100)) == LINES_A_MINUTE
    assert await desk.refused("other") == [("other", str(NOT_FETCHED), 0)]
    desk.seconds = 61.0
    assert await desk.refused("bot") == [("bot", str(NOT_FETCHED), 100 - LINES_A_MINUTE)]


@pytest.mark.parametrize("refusal", [Refusal.NOT_A_PICTURE, Refusal.DAMAGED])
async def test_a_picture_in_which_nothing_can_be_is_no_trouble_of_ours(refusal: Refusal) -> None:
    with capture_logs() as lines:
        assert await Desk(FakeChat("bot"), refusal=refusal).pictures.texts(picture("bot")) == ()
    assert lines == []
