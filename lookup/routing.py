"""Which one-stop systems answer for which code: by the agency part of the code, longest declared prefix first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.codes import DossierCode
from domain.errors import SettingsError
from lookup.ports import DossierSource

OLD_ORDER = re.compile(r"\d{3}(?:\.\d{2,3})*\.[A-Z]\d{2}")  # 000.00.18.H51: the province comes last


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedSource:
    """A source with what it answers for.

    `prefixes` are agency identifiers in either order: "H51" covers H51, H51.18 and 000.00.18.H51; "000.00.18.H51" and
    "H51.18" are the same. A `default` source is asked for codes no source declares.
    """

    source: DossierSource
    prefixes: tuple[str, ...] = ()
    default: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Sources to ask, in this order, until one knows the code."""

    sources: tuple[DossierSource, ...]


class Router:
    """A table from agency prefix to route, made once."""

    def __init__(self, sources: Sequence[RoutedSource]) -> None:
        """Sources that declare the same prefix are asked in the order given.

        Raises:
            SettingsError: there is no source, two bear one name, or one would never be asked.
        """
        names = [each.source.name for each in sources]
        if not names:
            raise SettingsError("no one-stop system is configured")
        if len(set(names)) < len(names):
            raise SettingsError(f"two one-stop systems bear the same name: {', '.join(sorted(names))}")
        unasked = [each.source.name for each in sources if not each.prefixes and not each.default]
        if unasked:
            raise SettingsError(
                f"neither agencies nor default are given, nothing would be asked of {', '.join(unasked)}"
            )
        declared: dict[str, list[DossierSource]] = {}
        for each in sources:
            for prefix in each.prefixes:
                declared.setdefault(".".join(_province_first(prefix)), []).append(each.source)
        self._declared = {prefix: Route(tuple(found)) for prefix, found in declared.items()}
        self._default = Route(tuple(each.source for each in sources if each.default))
        self.sources: tuple[DossierSource, ...] = tuple(each.source for each in sources)
        self.routes: tuple[Route, ...] = (*self._declared.values(), self._default)

    def route(self, code: DossierCode) -> Route:
        """Who is to be asked; a route without sources means that nobody is."""
        groups = _province_first(code.agency)
        for length in range(len(groups), 0, -1):
            route = self._declared.get(".".join(groups[:length]))
            if route is not None:
                return route
        return self._default


def _province_first(agency: str) -> list[str]:
    """The groups of an agency identifier in the order of decision 20/2020 (H51.18): the older order is turned round.

    Good enough to choose a database; who answers for an old agency today is decided by the agency table alone.
    """
    groups = agency.split(".")
    if OLD_ORDER.fullmatch(agency):
        return [group for group in reversed(groups) if group.strip("0")]
    return groups
