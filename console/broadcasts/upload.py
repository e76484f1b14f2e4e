"""A file as a browser sends it, written to a place of its own piece by piece: it is never in memory as a whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, web

from console.broadcasts.file_limits import LARGEST_FILE, FileFault, FileRefused

CHUNK: Final = 1 << 18
FIELD: Final = "file"
MOST_PARTS: Final = 10
LONGEST_PART: Final = 1_000  # octets of a field that is no file
BESIDE: Final = 8_192  # octets of a form beside its file
SLOWEST_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """`fields`: those before the file. `digest`: hex SHA-256 of it. The file is the caller's to take away."""

    path: Path
    digest: str
    fields: Mapping[str, str]


async def receive(request: web.Request) -> Uploaded:
    """The form's fields and its file.

    Raises:
        FileRefused: there is no file, or it is too large; nothing is left of it.
    """
    if (request.content_length or 0) > LARGEST_FILE + BESIDE:
        raise FileRefused(FileFault.TOO_LARGE)
    if request.content_type != "multipart/form-data":
        raise FileRefused(FileFault.NO_FILE)
    try:
        async with asyncio.timeout(SLOWEST_S):
            return await _parts(await request.multipart())
    except (ValueError, AssertionError, TimeoutError) as error:  # no boundary, a part without an end
        raise FileRefused(FileFault.NO_FILE) from error


async def _parts(reader: MultipartReader) -> Uploaded:
    fields: dict[str, str] = {}
    for _ in range(MOST_PARTS):
        part = await reader.next()
        if not isinstance(part, BodyPartReader):  # the end, or a form in the form
            break
        if part.name == FIELD:
            return await _kept(reader, part, fields)
        fields[part.name or ""] = await _field(part)
    raise FileRefused(FileFault.NO_FILE)


async def _field(part: BodyPartReader) -> str:
    read = b""
    while chunk := await part.read_chunk():
        read += chunk
        if len(read) > LONGEST_PART:
            raise FileRefused(FileFault.NO_FILE)
    return read.decode("utf-8", "replace")


async def _kept(reader: MultipartReader, part: BodyPartReader, fields: Mapping[str, str]) -> Uploaded:
    path = await asyncio.to_thread(_new_place)
    try:
        digest = await _written(part, path)
        await reader.next()  # ValueError where the form ends without its end: the file may be half of one
        return Uploaded(path=path, digest=digest, fields=fields)
    except BaseException:  # whatever it was: nothing is left behind
        path.unlink(missing_ok=True)
        raise


async def _written(part: BodyPartReader, path: Path) -> str:
    """The digest of what stands there now."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size > LARGEST_FILE:
                raise FileRefused(FileFault.TOO_LARGE)
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
    if not size:
        raise FileRefused(FileFault.NO_FILE)
    return digest.hexdigest()


def _new_place() -> Path:
    """Nobody else may read it."""
    handle, name = tempfile.mkstemp(prefix="recipients-")
    os.close(handle)
    return Path(name)
