"""Whose an opinion is to answer (decision 40/2016/QĐ-UBND art. 5.7): decided when somebody first looks at the list.

So nothing is added to the journal, which everybody's answer waits for, and nothing has to run by a clock: an opinion
nobody looks for needs no agency yet. The agency is kept, since it may be passed on, and stays when the catalogue changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from console.messages.ports import Opinions, Routing, Unrouted
from domain.agencies import Agencies
from domain.calendar import local_day
from domain.codes import CodeReading, DossierCode, read_reference

ASKED_WITHIN: Final = timedelta(days=7)
PAGE = 200
MOST_PAGES = 10  # in one look; the next one goes on


class Router:
    """Routes what nobody looked at yet. `read_code` reads dossier codes out of what was typed (domain.codes)."""

    __slots__ = ("_agencies", "_clock", "_opinions", "_read_code")

    def __init__(
        self,
        opinions: Opinions,
        *,
        agencies: Agencies,
        read_code: Callable[[str], CodeReading],
        clock: Callable[[], datetime],
    ) -> None:
        self._opinions = opinions
        self._agencies = agencies
        self._read_code = read_code
        self._clock = clock

    async def route(self) -> None:
        """Two at once do no harm. Raises StoreUnavailable, StoreUncertain."""
        today = local_day(self._clock())
        for _ in range(MOST_PAGES):
            found = await self._opinions.unrouted(within=ASKED_WITHIN, limit=PAGE)
            if found:
                await self._opinions.route([self._routed(each, today) for each in found])
            if len(found) < PAGE:
                return

    def _routed(self, opinion: Unrouted, today: date) -> Routing:
        code = self._code(opinion)
        answering = self._agencies.answering(code.agency, today) if code is not None else None
        return Routing(
            number=opinion.number,
            agency=(answering or self._agencies.default).identifier,
            dossier_code="" if code is None else code.reference,
        )

    def _code(self, opinion: Unrouted) -> DossierCode | None:
        """The one the opinion itself names, else the one asked about last."""
        named = self._read_code(opinion.text)
        if len(named.codes) == 1 and not named.candidates:
            return named.codes[0]
        return read_reference(opinion.asked) if opinion.asked else None
