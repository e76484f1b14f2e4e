"""The files of a form, streamed to whoever keeps them: nothing of one is held here, and of a form only short fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, web

from channels.web.filing_desk import UploadDesk
from domain.filing import UploadLeave
from domain.intake import IntakeFile
from domain.message import Address
from domain.text import safe_text

FIELD: Final = "file"
CHUNK: Final = 1 << 18
MOST_PARTS: Final = 60
MOST_VALUE: Final = 1_000  # octets of a field that is no file
BESIDE: Final = 65_536  # octets of a form beside its files
SHOWN_NAME: Final = 120
TOO_LARGE: Final = "too_large"  # names under [web.upload_fault]
UNREADABLE: Final = "unreadable"
NOTHING: Final = "nothing"


@dataclass(slots=True)
class Arrived:
    """What became of the files of one form; of a refused one its name, safe to be shown, and why."""

    taken: list[IntakeFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    paper: str = ""


async def read_files(request: web.Request, desk: UploadDesk, leave: UploadLeave, asker: Address) -> Arrived:
    """Take the files of a form whose field `paper` stands before them. What is larger than there is room for is refused
    before it is read.

    Raises:
        GatewayError: our store is away; what was taken stays.
    """
    arrived = Arrived()
    if (request.content_length or 0) > leave.room + BESIDE:
        arrived.refused.append(("", TOO_LARGE))
        return arrived
    if request.content_length is None or request.content_type != "multipart/form-data":
        arrived.refused.append(("", UNREADABLE))
        return arrived
    try:
        await _parts(await request.multipart(), desk, leave, asker, arrived)
    except (
        ValueError,
        AssertionError,
        RuntimeError,
    ):  # no boundary, a part without an end: told, and kept is what is whole
        arrived.refused.append(("", UNREADABLE))
    if not arrived.taken and not arrived.refused:
        arrived.refused.append(("", NOTHING))
    return arrived


async def _parts(
    reader: MultipartReader, desk: UploadDesk, leave: UploadLeave, asker: Address, arrived: Arrived
) -> None:
    for _ in range(MOST_PARTS):
        part = await reader.next()
        if not isinstance(part, BodyPartReader):  # the end, or a form in the form
            return
        if part.name != FIELD:
            value = await _value(part)
            arrived.paper = value if part.name == "paper" else arrived.paper
        elif part.filename:  # a field where nothing was chosen has none
            name = part.filename
            kept = await desk.take(leave, asker, name, _pieces(part), _line(arrived.paper))
            if isinstance(kept, IntakeFile):
                arrived.taken.append(kept)
            else:
                arrived.refused.append((safe_text(name, SHOWN_NAME), kept))
            await part.release()
    raise ValueError("more parts than a form of ours has")


def _line(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(MOST_VALUE)) else None


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield chunk


async def _value(part: BodyPartReader) -> str:
    read = b""
    while chunk := await part.read_chunk():
        read += chunk
        if len(read) > MOST_VALUE:
            raise ValueError("longer than any field of ours")
    return read.decode("utf-8", "replace")
