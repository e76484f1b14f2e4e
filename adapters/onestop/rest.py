"""A one-stop system asked over HTTP, through a mapping. Only what the mapping names is asked, of one host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from adapters.onestop.notes import Notes, no_count
from adapters.onestop.records import RecordReader
from adapters.onestop.rest_addresses import checked_networks
from adapters.onestop.rest_asking import fill_in, page_words
from adapters.onestop.rest_client import HttpAnswer, RestClient
from adapters.onestop.rest_inspection import Met, rest_report
from adapters.onestop.rest_login import NO_CREDENTIALS, Credentials, Identity, Session
from adapters.onestop.rest_mapping import MANY, ONE, Request, RestMapping
from adapters.onestop.rest_reading import AnswerReader, LogInRefused, Record
from adapters.onestop.rest_search import Reading, Search
from domain.codes import CodeFamily, DossierCode, parse_canonical
from domain.dossier import Dossier
from domain.errors import SourceError, SourceIncomplete, SourceMisread, SourceUnavailable
from domain.proof import Sealer
from lookup.ports import SourceReport

REQUESTS_IN_A_READ = 3
OWN_SHARE = (
    0.9  # of the time limit: whoever asked keeps the same one, and what was read shall reach them before it strikes
)
NOBODYS = "-250101-0000"  # behind an agency: a serial of zeros is reserved for examples (domain.codes)
NO_AGENCY = "A00"
T = TypeVar("T")


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
        of `find`, which hands on a little sooner what it has by then; `size_limit` in bytes, for one answer. `networks` ("127.0.0.0/8") may be asked although they are
        refused otherwise (rest_addresses). `count(event, source)` is told what was not understood. Without `sealer`
        nothing that could prove anything is read.

        Raises:
            SettingsError: the address, the networks or the credentials cannot be used.
        """
        self._name = name or mapping.name
        self._mapping = mapping
        self._note = Notes(self._name, count)
        self._records = RecordReader(mapping, self._name, self._note, sealer)
        self._answers = AnswerReader(mapping, self._name, proofs=sealer is not None)
        named = mapping.columns.code is not None
        self._reading = Reading(named=named, answers=self._answers, records=self._records, note=self._note)
        self._batch = mapping.batch.size if mapping.batch else 1  # codes in one request
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

    @property
    def largest_read(self) -> int:
        """A look-up makes as many reads at a time as there are connections: a few requests, one behind the other, for
        each connection.
        """
        return REQUESTS_IN_A_READ * self._batch

    async def find(self, codes: Sequence[DossierCode]) -> Mapping[DossierCode, Dossier]:
        wanted = [code for code in dict.fromkeys(codes) if self._may_be_asked(code)]
        starts = range(0, len(wanted), self._batch)
        searches = [Search(wanted[start : start + self._batch], self._reading) for start in starts]
        found: dict[DossierCode, Dossier] = {}
        failed: dict[DossierCode, SourceError] = {}
        for search, failure in zip(searches, await self._searched(searches), strict=True):
            some, wrong = search.told(failure)
            found.update(some)
            failed.update(wrong)
        if not failed:
            return found
        first = next(iter(failed.values()))
        if len(failed) == len(wanted):
            raise first
        raise SourceIncomplete(
            f"{first} ({len(failed)} of {len(wanted)} codes)", found=found, failed=frozenset(failed)
        ) from first

    async def check(self) -> str:
        """Ask the mapping's probe if there is one, and look up a code that is nobody's; one line for /readyz.

        Raises:
            SourceUnavailable: it cannot be reached.
            SourceMisread: it answers otherwise than the mapping says.
        """
        started = time.perf_counter()
        await self._within_limit(self._ask_for_nobody())
        return f"{self._mapping.request.path} answers, {(time.perf_counter() - started) * 1000:.0f} ms"

    async def inspect(self) -> SourceReport:
        met = Met(encrypted=self._client.encrypted and self._login_client.encrypted)
        try:
            answer, records = await self._within_limit(self._ask_for_nobody())
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

    async def _searched(self, searches: Sequence[Search]) -> Sequence[SourceError | None]:
        """For each, once it has taken what there is, why it did not come to its end."""
        ends: list[SourceError | None] = [self._late()] * len(searches)

        async def search(place: int) -> None:
            ends[place] = await self._turn_pages(searches[place])

        with suppress(TimeoutError):  # it stands in `ends` of those that have not ended
            async with asyncio.timeout(self._time_limit * OWN_SHARE):
                await _together([search(place) for place in range(len(searches))])
        return ends

    async def _turn_pages(self, search: Search) -> SourceError | None:
        try:
            return await self._take_pages(search)
        except SourceError as failure:
            return failure

    async def _take_pages(self, search: Search) -> SourceError | None:
        paging = self._mapping.paging
        if paging is None:
            search.take(await self._page(search.texts, 0))
            return None
        page: list[Record] = []
        for number in range(paging.most):
            before, page = page, await self._page(search.texts, number)
            search.take(page)
            if len(page) < paging.size or page == before or search.has_met_all:  # the same again: it knows no pages
                return None
        return SourceMisread(f"{self._name}: its answer has more than {paging.most} pages of {paging.size}")

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
            answer = await self._ask_in(session, request, words, codes)
        except LogInRefused as refusal:
            if not self._identity.renews(session, refusal):
                raise
            session = await self._identity.session()
            answer = await self._ask_in(session, request, words, codes)
        self._identity.answered(session)
        return answer

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

    async def _ask_for_nobody(self) -> tuple[HttpAnswer, list[Record]]:
        """The mapping's probe, then what everybody is asked with, for a code that is reserved for examples.

        Raises:
            SourceMisread: what is found for it cannot be dossiers as the mapping describes them.
        """
        if self._mapping.probe is not None:
            await self._ask(self._mapping.probe, {})
        nobodys = next(iter(self._mapping.prefixes), NO_AGENCY) + NOBODYS
        words = {ONE: nobodys, MANY: nobodys, **page_words(self._mapping.paging, 0)}
        answer, records = await self._ask(self._mapping.request, words, (nobodys,))
        self._answers.refuse_others(records)
        return answer, records

    async def _within_limit(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._time_limit):
                return await work
        except TimeoutError as late:
            raise self._late() from late

    def _late(self) -> SourceUnavailable:
        return SourceUnavailable(f"{self._name}: no answer within {self._time_limit:g} s")


async def _together(searches: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All of them at once. None raises but for a fault of ours, which ends the others."""
    if len(searches) == 1:
        await searches[0]
        return
    try:
        async with asyncio.TaskGroup() as group:
            for search in searches:
                group.create_task(search)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
