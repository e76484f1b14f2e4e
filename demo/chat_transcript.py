"""The exchanges in the chat that the demo shows: each is an update of the emulated Bot API with what it must bring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from demo.chat import PEOPLE, ChatButton, ChatLine, Chats
from demo.desk import Desk
from demo.receipts import QR_CODE
from demo.transcript import ANSWER_WITHIN, Line

PERSON = PEOPLE[0].id
WATCHED = "H51.29.18-250701-0001"
FOLLOW = f"DK {WATCHED}"
UNFOLLOW = f"HUY {WATCHED}"
CHAT_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is done, and the words and the commands on buttons that must come of it. `unasked`: nobody is answered."""

    title: str
    asked: str
    expected: tuple[str, ...]
    buttons: tuple[str, ...] = ()
    unasked: bool = False


async def play_chat(chats: Chats, desk: Desk, photographs: Mapping[str, bytes]) -> AsyncIterator[Line]:
    """One after the other, as a person would; CHAT_LINES of them."""
    typed = Exchange(title="a code in the chat", asked=WATCHED, expected=(WATCHED, "nộp"), buttons=(FOLLOW,))
    answer, line = await _play(chats, typed, lambda: chats.say(PERSON, WATCHED))
    yield line
    message = 0 if answer is None else answer.message
    pressed = Exchange(
        title="its follow button", asked=_label(answer, FOLLOW), expected=(WATCHED, "báo tin"), buttons=(UNFOLLOW,)
    )
    yield (await _play(chats, pressed, lambda: chats.press(PERSON, message, FOLLOW)))[1]
    photo = Exchange(title="a photo of a receipt with a QR code", asked="a picture", expected=(QR_CODE, "đang xử lý"))
    yield (await _play(chats, photo, lambda: chats.show(PERSON, photographs["qr"])))[1]
    blurred = Exchange(title="a photo too blurred to be read", asked="a picture", expected=("chụp rõ",))
    yield (await _play(chats, blurred, lambda: chats.show(PERSON, photographs["blurred"])))[1]
    moved = Exchange(
        title="the desk moves the followed dossier: a notice in the chat",
        asked=f"desk: {WATCHED} to its next state",
        expected=(WATCHED, "đang xử lý"),
        buttons=(UNFOLLOW,),
        unasked=True,
    )
    yield (await _play(chats, moved, lambda: desk.advance(WATCHED)))[1]


async def _play(chats: Chats, exchange: Exchange, act: Callable[[], Awaitable[object]]) -> tuple[ChatLine | None, Line]:
    """Do it and wait for what the bot says."""
    started = asyncio.get_running_loop().time()
    saying = asyncio.create_task(_said(chats, chats.log.latest, unasked=exchange.unasked))
    try:
        await act()
        async with asyncio.timeout(ANSWER_WITHIN):
            said = await saying
    except (LookupError, TimeoutError) as error:
        why = "no such button" if isinstance(error, LookupError) else "no answer"
        return None, Line(exchange.title, exchange.asked, "", why, ("an answer",))
    finally:
        saying.cancel()
    elapsed = asyncio.get_running_loop().time() - started
    detail = f"unasked, after {elapsed:.1f} s" if exchange.unasked else f"{(said.milliseconds or 0):.0f} ms"
    return said, Line(exchange.title, exchange.asked, _shown(said), detail, _missing(exchange, said))


async def _said(chats: Chats, after: int, *, unasked: bool) -> ChatLine:
    """What the bot says next to the person, unasked or not."""
    async with aclosing(chats.log.follow(after)) as lines:
        async for line in lines:
            if line is not None and line.kind == "reply" and line.person == PERSON and (line.about == 0) == unasked:
                return line
    raise TimeoutError("the chats were closed")


def _missing(exchange: Exchange, said: ChatLine) -> tuple[str, ...]:
    commands = {button.data for button in _buttons(said)}
    words = tuple(each for each in exchange.expected if each not in said.text)
    return words + tuple(f"[{each}]" for each in exchange.buttons if each not in commands)


def _shown(said: ChatLine) -> str:
    """The text, and its buttons below it."""
    rows = [" ".join(f"[{button.label}]" for button in row) for row in said.buttons]
    return "\n".join([said.text, *rows])


def _label(said: ChatLine | None, command: str) -> str:
    """How the button with this command is labelled."""
    buttons = () if said is None else _buttons(said)
    return next((f"[{button.label}]" for button in buttons if button.data == command), f"[{command}]")


def _buttons(said: ChatLine) -> tuple[ChatButton, ...]:
    return tuple(button for row in said.buttons for button in row)
