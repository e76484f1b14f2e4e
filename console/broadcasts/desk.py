"""What every page of broadcasts has at hand, and how their addresses are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from console import paths
from console.accounts.audit import Audit
from console.accounts.ports import AuditEntry, AuditLog, Plain
from console.broadcasts.form import Frame, bases_for
from console.broadcasts.ports import Broadcasts, PreviewRow, Standing
from console.forms import row_id
from console.page import Pages
from console.signed import signed
from domain.agencies import Agencies
from domain.broadcast_fitness import Basis
from domain.broadcast_texts import BroadcastWriter
from domain.calendar import local_day
from domain.ids import moment_of

DONE: Final = "xong"  # of the address one is sent to afterwards: a name under [broadcast_done]
OLDEST_FORM: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`languages`: those a text may be written in, Vietnamese first. `canary`: recipients first, unless the author says
    otherwise. `ids` makes identifiers (domain.ids), `clock` gives aware moments.
    """

    pages: Pages
    broadcasts: Broadcasts
    audit: Audit
    log: AuditLog
    agencies: Agencies
    writer: BroadcastWriter
    bases: Sequence[Basis]
    languages: Sequence[str]
    canary: int
    ids: Callable[[], int]
    clock: Callable[[], datetime]

    async def one(self, request: web.Request) -> Standing | None:
        """The broadcast of the address, if it is of the officer's agencies."""
        number = row_id(request.match_info["broadcast"])
        return await self.broadcasts.find(number, signed(request).scope) if number is not None else None

    def missing(self, request: web.Request) -> web.Response:
        """There is none: all that is told of others' as well."""
        return self.pages.refuse(request, HTTPStatus.NOT_FOUND)

    def frame(self, request: web.Request, standing: Standing | None = None) -> Frame:
        """What a form of this officer is checked against."""
        scope = signed(request).scope
        return Frame(
            agencies=self.agencies,
            scope=scope,
            bases=bases_for(self.bases, self.agencies, scope),
            now=self.clock(),
            columns=standing.columns if standing else (),
            before=standing.broadcast.audience if standing else None,
        )

    def noted(self, request: web.Request, action: str, broadcast: int, **detail: Plain) -> AuditEntry:
        return self.audit.entry(request, action, f"broadcast:{broadcast}", **detail)

    def text_for(self, standing: Standing, row: PreviewRow, language: str | None = None) -> str:
        """What this one would read, in their own language unless another is asked for; empty: there is no text."""
        texts = standing.broadcast.texts
        if not texts:
            return ""
        today = local_day(self.clock())
        language = language or row.language
        return self.writer.write(
            texts, language=language, today=today, plain=row.plain, facts=row.facts, values=row.values
        ).text

    def words(self, request: web.Request, section: str) -> Mapping[str, str]:
        """A section of the texts, in the reader's language."""
        return self.pages.texts(request)[section]

    def form_id(self, text: str) -> int:
        """The identifier a form was given when it was shown, so that the form sent twice makes one; else another one."""
        number = row_id(text)
        fresh = number is not None and abs(self.clock() - moment_of(number)) < OLDEST_FORM
        return number if number is not None and fresh else self.ids()


def at(path: str, broadcast: int, action: str = "") -> str:
    """The address of this broadcast under a path of console.paths."""
    return path.replace("{broadcast:[0-9]+}", str(broadcast)).replace("{action:[a-z_]+}", action)


def done(broadcast: int, name: str) -> web.Response:
    """On to its page, which says so."""
    address = f"{at(paths.BROADCAST, broadcast)}?{DONE}={name}"
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
