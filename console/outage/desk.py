"""What the pages about work on paper have at hand beside the desk's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from console.forms import row_id
from console.intake.desk import IntakeDesk
from console.intake.listing import ON_PAPER
from console.page import Texts
from console.signed import signed
from domain.intake import NumberBlock
from intake.outage import IntakeLate

DONE: Final = "xong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """What a sheet tells of looking up. `short_codes`: numbers to write to; `site`: the address of the pages, or nothing."""

    short_codes: Sequence[str]
    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageDesk:
    """`texts`: of every language, since a sheet is in two."""

    desk: IntakeDesk
    late: IntakeLate
    where: Whereabouts
    texts: Mapping[str, Texts]

    async def block(self, request: web.Request) -> NumberBlock | None:
        """The block of the address, if it is of an agency this officer receives for."""
        wanted = row_id(request.match_info["block"])
        blocks = await self.late.blocks(self.desk.receiving(request))
        return next((each for each in blocks if each.id == wanted), None)

    def screens(self, request: web.Request) -> Sequence[tuple[str, str]]:
        """The pages of this slice that the officer may open."""
        words, officer = self.desk.words(request, "outage_menu"), signed(request).officer
        return [(words[name], address) for name, address, needs in ON_PAPER if officer.may(needs)]


def at_block(path: str, block: int) -> str:
    """The address of this block under a path of console.paths."""
    return path.replace("{block:[0-9]+}", str(block))
