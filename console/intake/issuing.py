"""What all papers of the desk share: who hands them out, and how a sheet is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console.intake.desk import IntakeDesk
from console.intake.wording import LEGAL, Wording
from console.page import Texts
from domain.catalogue import Catalogue
from intake.receipt import IssuingAgency

PRINTED: Final = "intake.printed"  # as the audit log calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDesk:
    """The desk and its words. `catalogue` holds the texts of citizens, `office` those of the console in Vietnamese, in which
    papers of the office are.
    """

    desk: IntakeDesk
    catalogue: Catalogue
    office: Texts

    def paper(
        self,
        request: web.Request,
        template: str,
        sheet: str,
        shown: Mapping[str, Any],
        links: Sequence[tuple[str, str]],
        *,
        bar: bool = True,
        status: int = HTTPStatus.OK,
    ) -> web.Response:
        """The sheet under a bar with `links` (name, address), which is on the screen only."""
        return self.desk.pages.render(
            request, template, status=status, sheet=sheet, links=links, bar=bar, **{"fault": "", **shown}
        )

    def head(self, agency: str, title: str) -> Mapping[str, Any]:
        """Of a paper of the office."""
        return {
            "say": Wording(catalogue=self.catalogue),
            "agency": self.agency(agency),
            "title": self.office["intake_paper"][title],
        }

    def agency(self, identifier: str) -> IssuingAgency:
        """With its names in all languages."""
        found = self.desk.agencies.find(identifier)
        if found is None:  # it left the catalogue; its papers stay
            return IssuingAgency(names={LEGAL: identifier})
        names = {language: found.name(language) for language in (LEGAL, *self.catalogue.languages)}
        return IssuingAgency(names=names, address=found.address, phone=found.phone)

    def name_of(self, identifier: str) -> str:
        """In Vietnamese."""
        return self.agency(identifier).names[LEGAL]
