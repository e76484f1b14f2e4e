"""A one-stop system asked over HTTP, through a mapping. Only what the mapping names is asked, of one host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from adapters.onestop.records import RecordReader, Values
from adapters.onestop.rest_addresses import checked_networks
from adapters.onestop.rest_asking import fill_in, page_words
from adapters.onestop.rest_client import HttpAnswer, RestClient
from adapters.onestop.rest_inspection import Met, rest_report
from adapters.onestop.rest_login import NO_CREDENTIALS, Credentials, Identity, Session
from adapters.onestop.rest_mapping import MANY, ONE, Request, RestMapping
from adapters.onestop.rest_reading import AnswerReader, LogInRefused, Record
from domain.codes import CodeFamily, DossierCode, parse_canonical
from domain.dossier import Dossier
from domain.errors import SourceMisread, SourceUnavailable
from domain.proof import Sealer
from lookup.ports import SourceReport

NOTED = 100  # values of one kind that are logged; all are counted
NOBODYS = "-250101-0000"  # behind an agency: a serial of zeros is reserved for examples (domain.codes)
NO_AGENCY = "A00"
T = TypeVar("T")

log = structlog.get_logger()


def no_count(event: str, source: str) -> None:
    """Counts nothing."""


class RestDossierSource:
    """Implements lookup.ports.DossierSource.

    A system that is searched by keyword may find more, or others, than was asked for: only exactly one record with the
    code asked for is that dossier. Where its records carry no code, it must find exactly one, and only what is shaped
    as a dossier code is asked: a keyword may also be an identity number, which nobody shall look up through us.
    """

    def __init__(
        self,
        mapping: RestMapping,
        url: str,
        *,
        name: str | None = None,
        credentials: Credentials = NO_CREDENTIALS,
        connections: int = 2,
        time_limit: float = 5.0,
        size_limit: int = 262_144,
        networks: Sequence[str] = (),
        count: Callable[[str, str], None] = no_count,
        sealer: Sealer | None = None,
    ) -> None:
        """`url` is scheme, host and port, and what all paths of the mapping begin with. `name` replaces the mapping's
        where two systems share one. At most `connections` requests at a time. `time_limit` is in seconds, for one call
        of `find`; `size_limit` in bytes, for one answer. `networks` ("127.0.0.0/8") may be asked although they are
        refused otherwise (rest_addresses). `count(event, source)` is told what was not understood. Without `sealer`
        nothing that could prove anything is read.

        Raises:
            SettingsError: the address, the networks or the credentials cannot be used.
        """
        self._name = name or mapping.name
        self._mapping = mapping
        self._count = count
        self._noted: set[tuple[str, str]] = set()
        self._records = RecordReader(mapping, self._name, self._note, sealer)
        self._answers = AnswerReader(mapping, self._name, proofs=sealer is not None)
        self._time_limit = time_limit
        allowed = checked_networks(networks, self._name)
        login = mapping.authentication.login

        def client(address: str) -> RestClient:
            return RestClient(
                address,
                source=self._name,
                connections=connections,
                size_limit=size_limit,
                allowed=allowed,
                cookies=login is not None and login.cookies,
            )

        self._client = client(url)
        self._login_client = client(credentials.login_url) if credentials.login_url else self._client
        self._identity = Identity(
            mapping.authentication, credentials, source=self._name, client=self._login_client, reader=self._answers
        )

    @property
    def name(self) -> str:
        return self._name

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        wanted = [code for code in dict.fromkeys(codes) if self._may_be_asked(code)]
        if not wanted:
            return {}
        size = self._mapping.batch.size if self._mapping.batch else 1
        reads = [self._read(wanted[start : start + size]) for start in range(0, len(wanted), size)]
        found: dict[DossierCode, Dossier] = {}
        for read in await self._within_limit(_together(reads)):
            found.update(read)
        return found

    async def check(self) -> str:
        """Ask for a code that is nobody's, or for the mapping's probe; one line for /readyz.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceMisread: it answers otherwise than the mapping says.
        """
        started = time.perf_counter()
        await self._within_limit(self._probe())
        asked = self._mapping.probe or self._mapping.request
        return f"{asked.path} answers, {(time.perf_counter() - started) * 1000:.0f} ms"

    async def inspect(self) -> SourceReport:
        met = Met(encrypted=self._client.encrypted and self._login_client.encrypted)
        try:
            answer, records = await self._within_limit(self._probe())
            met = replace(met, server=answer.server, records=len(records))
        except SourceMisread as fault:
            met = replace(met, trouble=str(fault))
        return rest_report(self._mapping, self._name, met)

    async def close(self) -> None:
        await self._client.close()
        await self._login_client.close()

    def _may_be_asked(self, code: DossierCode) -> bool:
        """A keyword of digits alone may be an identity number; without codes in the answer nothing would show it."""
        if self._mapping.columns.code is not None and code.family is CodeFamily.LEGACY:
            return not code.text.isdigit()
        return parse_canonical(code.text) is not None

    async def _read(self, codes: Sequence[DossierCode]) -> dict[DossierCode, Dossier]:
        """What one request, or one for every page, tells of these."""
        rows = [self._answers.values(record) for record in await self._records_of([code.text for code in codes])]
        found: dict[DossierCode, Dossier] = {}
        for code in codes:
            mine = rows if self._mapping.columns.code is None else [row for row in rows if self._is_of(row, code)]
            if len(mine) > 1:
                self._note("several_records", "")
            elif mine and not self._records.is_hidden(mine[0]):
                found[code] = self._records.read(mine[0], code)
        return found

    def _is_of(self, row: Values, code: DossierCode) -> bool:
        return (
            self._records.code_text(row) == code.text
            and self._records.belongs_to(row, code)
            and not self._records.is_hidden(row)
        )

    async def _records_of(self, texts: Sequence[str]) -> list[Record]:
        """All records there are for these codes.

        Raises:
            SourceMisread: they fill more pages than the mapping allows.
        """
        paging = self._mapping.paging
        if paging is None:
            return await self._page(texts, 0)
        records: list[Record] = []
        page: list[Record] = []
        for number in range(paging.most):
            before, page = page, await self._page(texts, number)
            if page and page == before:
                return records  # it pays no attention to pages
            records += page
            if len(page) < paging.size:
                return records
        raise SourceMisread(f"{self._name}: its answer has more than {paging.most} pages of {paging.size}")

    async def _page(self, texts: Sequence[str], number: int) -> list[Record]:
        separator = self._mapping.batch.separator if self._mapping.batch else ","
        words = {ONE: texts[0], MANY: separator.join(texts), **page_words(self._mapping.paging, number)}
        _, records = await self._ask(self._mapping.request, words, tuple(texts))
        return records

    async def _ask(
        self, request: Request, words: Mapping[str, str], codes: tuple[str, ...] = ()
    ) -> tuple[HttpAnswer, list[Record]]:
        """Ask as whom we are; a session that ended is renewed once."""
        session = await self._identity.session()
        try:
            return await self._ask_in(session, request, words, codes)
        except LogInRefused:
            if not self._identity.renewable:
                raise
            self._identity.expired(session)
        return await self._ask_in(await self._identity.session(), request, words, codes)

    async def _ask_in(
        self, session: Session, request: Request, words: Mapping[str, str], codes: tuple[str, ...]
    ) -> tuple[HttpAnswer, list[Record]]:
        filled = fill_in(request, {**words, "token": session.token}, codes=codes)
        answer = await self._client.exchange(replace(filled, headers={**filled.headers, **session.headers}))
        if request is self._mapping.probe:
            self._answers.refuse_faults(answer)
            self._answers.document(answer)
            return answer, []
        return answer, self._answers.records(answer)

    async def _probe(self) -> tuple[HttpAnswer, list[Record]]:
        """The mapping's own probe, else a look-up of a code that is reserved for examples."""
        if self._mapping.probe is not None:
            return await self._ask(self._mapping.probe, {})
        nobodys = next(iter(self._mapping.prefixes), NO_AGENCY) + NOBODYS
        words = {ONE: nobodys, MANY: nobodys, **page_words(self._mapping.paging, 0)}
        return await self._ask(self._mapping.request, words, (nobodys,))

    async def _within_limit(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._time_limit):
                return await work
        except TimeoutError as late:
            raise SourceUnavailable(f"{self._name}: no answer within {self._time_limit:g} s") from late

    def _note(self, event: str, value: str) -> None:
        """Count it, and log each value once."""
        self._count(event, self._name)
        if (event, value) not in self._noted and len(self._noted) < NOTED:
            self._noted.add((event, value))
            action = f"source.{event}"
            log.warning(action, source=self._name, value=value)


async def _together(reads: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; the first that fails ends the others, whose answers nobody would hear."""
    if len(reads) == 1:
        return [await reads[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read) for read in reads]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]
