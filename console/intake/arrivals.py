"""Files on their way in: kept, looked into, noted; or refused and gone again. Nothing a name or a browser says is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import BodyPartReader, MultipartReader, web

from console.intake.desk import IntakeDesk
from console.signed import signed
from domain.intake import FileKind, IntakeFile
from domain.text import safe_text
from intake.ports import FileTooLarge, KeptBytes
from intake.uploads.kinds import Sniffed, UploadRefusal

log = structlog.get_logger()

FIELD: Final = "file"
CHUNK: Final = 1 << 18
MOST_PARTS: Final = 60
MOST_VALUE: Final = 1_000  # octets of a field that is no file
BESIDE: Final = 65_536  # octets of a form beside its files
SLOWEST_S: Final = 600.0
SHOWN_NAME: Final = 120
TOO_MANY: Final = "too_many"  # beside the refusals of intake.uploads: the dossier has enough of them
UNREADABLE: Final = "unreadable"  # what was sent is no form, or half of one


@dataclass(frozen=True, slots=True)
class FileRefused:
    """`why`: a name under [intake_file_fault]; `name` as typed, safe to be shown."""

    name: str
    why: str


@dataclass(slots=True)
class Arrived:
    """What became of the files of one form."""

    fields: dict[str, str] = field(default_factory=dict)
    taken: list[IntakeFile] = field(default_factory=list)
    refused: list[FileRefused] = field(default_factory=list)


class Arrivals:
    """Takes files in for a form or a dossier, whose id is their `owner`."""

    __slots__ = ("_desk",)

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    async def from_form(self, request: web.Request, owner: int) -> Arrived:
        """The files of a form whose field `kind` stands before them."""
        arrived, limits = Arrived(), self._desk.limits
        if (request.content_length or 0) > limits.most_bytes + BESIDE:
            arrived.refused.append(FileRefused("", UploadRefusal.TOO_LARGE))
            return arrived
        if request.content_type != "multipart/form-data":
            arrived.refused.append(FileRefused("", UNREADABLE))
            return arrived
        try:
            async with asyncio.timeout(SLOWEST_S):
                await self._parts(request, await request.multipart(), owner, arrived)
        except (ValueError, AssertionError, TimeoutError):  # no boundary, a part without an end
            arrived.refused.append(FileRefused("", UNREADABLE))
        return arrived

    async def take(self, request: web.Request, owner: int, kind: FileKind, name: str, content: bytes) -> Arrived:
        """One that is in memory already."""
        arrived = Arrived()
        await self._take(request, owner, kind, name, _once(content), arrived)
        return arrived

    async def keep_mail(self, request: web.Request, owner: int, name: str, content: bytes) -> IntakeFile | None:
        """The e-mail itself, which is opened by nobody here: it is only kept; None: there is no room."""
        try:
            kept = await self._desk.vault.keep(_once(content), most=len(content))
        except OSError as error:
            log.warning("intake.file_not_kept", error=type(error).__name__)
            return None
        file = self._file(request, owner, FileKind.MAIL, name, "message/rfc822", kept)
        return file if await self._noted(file) else None

    async def _parts(self, request: web.Request, reader: MultipartReader, owner: int, arrived: Arrived) -> None:
        for _ in range(MOST_PARTS):
            part = await reader.next()
            if not isinstance(part, BodyPartReader):  # the end, or a form in the form
                return
            if part.name != FIELD:
                arrived.fields[part.name or ""] = await _value(part)
            elif part.filename:  # a field where nothing was chosen has none
                kind = FILE_KINDS.get(arrived.fields.get("kind", ""), FileKind.PAPER)
                await self._take(request, owner, kind, part.filename, _pieces(part), arrived)
                await part.release()
        raise ValueError("more parts than a form of ours has")

    async def _take(
        self,
        request: web.Request,
        owner: int,
        kind: FileKind,
        name: str,
        chunks: AsyncIterator[bytes],
        arrived: Arrived,
    ) -> None:
        limits, vault = self._desk.limits, self._desk.vault
        shown = safe_text(name, SHOWN_NAME)
        try:
            kept = await vault.keep(chunks, most=limits.largest)
        except FileTooLarge:  # told to whoever sent it
            arrived.refused.append(FileRefused(shown, UploadRefusal.TOO_LARGE))
            return
        except OSError as error:
            log.warning("intake.file_not_kept", error=type(error).__name__)
            arrived.refused.append(FileRefused(shown, UploadRefusal.FAILED))
            return
        noted = False
        try:
            there = await self._there(owner, kind, kept)
            if there is not None:  # sent twice
                arrived.taken.append(there)
                return
            found = await self._desk.inspector.inspect_file(vault.path(kept.key), name, limits.formats)
            if isinstance(found, Sniffed):
                file = self._file(request, owner, kind, found.name, found.media_type, kept)
                noted = await self._desk.service.book.add_file(file, most=limits.most, most_bytes=limits.most_bytes)
                if noted:
                    arrived.taken.append(file)
                else:
                    arrived.refused.append(FileRefused(shown, TOO_MANY))
            else:
                arrived.refused.append(FileRefused(shown, found))
        finally:
            if not noted:  # what the disk does not take out now, the sweep does
                await self._dropped(kept.key)

    async def _there(self, owner: int, kind: FileKind, kept: KeptBytes) -> IntakeFile | None:
        files = await self._desk.service.book.files(owner)
        return next((each for each in files if (each.sha256, each.kind) == (kept.sha256, kind)), None)

    async def _noted(self, file: IntakeFile) -> bool:
        limits = self._desk.limits
        room = limits.most_bytes + file.size  # the mail holds its files: it is not counted against them
        if await self._desk.service.book.add_file(file, most=limits.most + 1, most_bytes=room):
            return True
        await self._dropped(file.key)
        return False

    async def _dropped(self, key: str) -> None:
        try:
            await self._desk.vault.drop(key)
        except OSError as error:
            log.warning("intake.file_not_dropped", error=type(error).__name__)

    def _file(
        self, request: web.Request, owner: int, kind: FileKind, name: str, media_type: str, kept: KeptBytes
    ) -> IntakeFile:
        return IntakeFile(
            id=self._desk.ids(),
            owner=owner,
            kind=kind,
            name=name,
            media_type=media_type,
            size=kept.size,
            sha256=kept.sha256,
            key=kept.key,
            added_at=self._desk.clock(),
            by_officer=signed(request).officer.id,
        )


FILE_KINDS: Final[Mapping[str, FileKind]] = {
    each.value: each for each in (FileKind.PAPER, FileKind.SUPPLEMENT, FileKind.RESULT)
}


def told(refused: Sequence[FileRefused], words: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Each with its name and why, in words."""
    return [(each.name, words[each.why]) for each in refused]


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


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
