"""An e-mail opened by an officer: it fills the form of a new dossier and brings its files (art. 7.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from aiohttp import BodyPartReader, web

from console import paths
from console.forms import Fault
from console.intake.arrivals import BESIDE, CHUNK, FIELD, SLOWEST_S, Arrivals, FileRefused
from console.intake.choosing import clear_choice, procedures_for
from console.intake.desk import FormId, IntakeDesk
from console.intake.form import IntakeForm
from console.intake.registering import RegisterPages, Typed
from console.routes import ConsoleRoute
from domain.calendar import local_day
from domain.intake import LONGEST_TEXT, FileKind, IntakeSource
from domain.officers import Right
from domain.procedure import Procedure, told_in
from intake.mail import LARGEST_MAIL, Mail, MailTrouble, read_mail
from intake.mail_guesses import MailGuess, guessed

AT_ONCE: Final = 3  # mails that are opened at the same time: each is in memory as a whole
SMALLEST_SHOWN: Final = 12_000  # octets: smaller pictures in the text of a mail are logos
NAME: Final = "thu-dien-tu.eml"


class MailPages:
    """The page where an e-mail is chosen; what it brings is shown on the form of a new dossier."""

    __slots__ = ("_arrivals", "_desk", "_register", "_turn")

    def __init__(self, desk: IntakeDesk, register: RegisterPages, arrivals: Arrivals) -> None:
        self._desk = desk
        self._register = register
        self._arrivals = arrivals
        self._turn = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> Iterable[ConsoleRoute]:
        yield ConsoleRoute(
            method="GET",
            path=paths.INTAKE_NEW_MAIL,
            needs=Right.INTAKE_WORK,
            handler=self.choose,
            summary="the form to open an e-mail",
        )
        yield ConsoleRoute(
            method="POST",
            path=paths.INTAKE_NEW_MAIL,
            needs=Right.INTAKE_WORK,
            handler=self.open,
            summary="an e-mail fills the form of a new dossier and brings its files",
        )

    async def choose(self, request: web.Request) -> web.Response:
        return self._page(request)

    async def open(self, request: web.Request) -> web.Response:
        if not self._desk.receiving(request):
            return self._desk.missing(request)
        async with self._turn:
            content = await _sent(request)
            mail = await asyncio.to_thread(read_mail, content) if content is not None else MailTrouble.TOO_LARGE
            if isinstance(mail, MailTrouble):
                return self._page(request, mail)
            identifier = FormId(self._desk.ids())
            refused = await self._bring(request, identifier, content or b"", mail)
        guess = guessed(sender_name=mail.name, subject=mail.subject, text=mail.text)
        procedure, found = self._meant(guess)
        form = self._form(request, mail, guess, procedure)
        typed = Typed(form=form, identifier=identifier, procedure=procedure, found=found, refused=refused, mail=mail)
        return await self._register.page(request, typed)

    async def _bring(self, request: web.Request, identifier: FormId, content: bytes, mail: Mail) -> list[FileRefused]:
        """The mail and its files; those that are not taken."""
        await self._arrivals.keep_mail(request, identifier, NAME, content)
        refused: list[FileRefused] = []
        for file in mail.files:
            if file.shown and file.size < SMALLEST_SHOWN:
                continue
            arrived = await self._arrivals.take(request, identifier, FileKind.PAPER, file.name, file.content)
            refused += arrived.refused
        return refused

    def _meant(self, guess: MailGuess) -> tuple[Procedure | None, list[Procedure]]:
        desk, today = self._desk, local_day(self._desk.clock())
        named = desk.procedures.get(guess.procedure, today=today) if guess.procedure else None
        if named is not None:
            return named, []
        found = list(procedures_for(guess.words, catalogue=desk.procedures, known=desk.known, today=today))
        clear = clear_choice(guess.words, found)
        return (clear, []) if clear else (None, found)

    def _form(self, request: web.Request, mail: Mail, guess: MailGuess, procedure: Procedure | None) -> IntakeForm:
        language = self._desk.pages.language(request)
        return IntakeForm(
            agency=next(iter(self._desk.receiving(request)), ""),
            source=IntakeSource.EMAIL.value,
            words=told_in(language, procedure.names) if procedure else guess.words,
            procedure=procedure.code if procedure else "",
            name=guess.name[:LONGEST_TEXT],
            phone=guess.phone,
            email=mail.address,
            subject=mail.subject[:LONGEST_TEXT],
        )

    def _page(self, request: web.Request, trouble: MailTrouble | None = None) -> web.Response:
        words = self._desk.words(request, "intake_mail_trouble")
        too_large = trouble is MailTrouble.TOO_LARGE
        failed = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.UNPROCESSABLE_ENTITY
        return self._desk.pages.render(
            request,
            "intake-mail.html",
            status=failed if trouble else HTTPStatus.OK,
            faults=[Fault(FIELD, words[trouble])] if trouble else [],
            receiving=bool(self._desk.receiving(request)),
            largest=LARGEST_MAIL // 1024 // 1024,
        )


async def _sent(request: web.Request) -> bytes | None:
    """The file of the form, empty where there is none; None: it is too large to be read at all."""
    if (request.content_length or 0) > LARGEST_MAIL + BESIDE:
        return None
    if request.content_type != "multipart/form-data":
        return b""
    try:
        async with asyncio.timeout(SLOWEST_S):
            reader = await request.multipart()
            while isinstance(part := await reader.next(), BodyPartReader):
                if part.name == FIELD:
                    return await _whole(part)
                await part.release()
    except (ValueError, AssertionError, TimeoutError):  # no boundary, a part without an end: no mail
        return b""
    return b""


async def _whole(part: BodyPartReader) -> bytes | None:
    read = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        read += chunk
        if len(read) > LARGEST_MAIL:
            return None
    return bytes(read)
