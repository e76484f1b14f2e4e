"""Which one-stop systems answer for which code, and in which order: by pattern, by agency and family, by default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from domain.agencies import from_the_province_down
from domain.codes import CodeFamily, DossierCode
from domain.errors import SettingsError
from lookup.limits import SourceLimits
from lookup.ports import DossierSource

LONGEST_PATTERN = 200  # characters
_Places = tuple[int, ...]  # of sources, in the order of declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedSource:
    """A source with what it answers for.

    `prefixes` are agency identifiers in either order: "H51" covers H51, H51.18 and 000.00.18.H51; "000.00.18.H51" and
    "H51.18" are the same. `patterns` are regular expressions over the whole text of a code. A `default` source is asked
    for codes no source declares. `families`: the kinds of code it is asked for in all these ways; empty: all.

    `passes_to` names systems its dossiers may pass to: they are asked at the same time, whatever they declare, and what
    all of them say is merged. `limits`: what it is given.
    """

    source: DossierSource
    prefixes: tuple[str, ...] = ()
    default: bool = False
    families: tuple[CodeFamily, ...] = ()
    patterns: tuple[str, ...] = ()
    passes_to: tuple[str, ...] = ()
    limits: SourceLimits = field(default_factory=SourceLimits)

    def takes(self, family: CodeFamily) -> bool:
        """It is asked for codes of this kind."""
        return not self.families or family in self.families


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Whom to ask. The sources of a tier are asked at once and what they say is merged; the next tier is asked for what
    is not found. `everyone`: all are in one tier, so that what one says does not decide who else is asked.
    """

    tiers: tuple[tuple[DossierSource, ...], ...]
    everyone: bool = False

    @property
    def sources(self) -> tuple[DossierSource, ...]:
        """All of them, in the order in which they are believed."""
        return tuple(source for tier in self.tiers for source in tier)


class Router:
    """Tables from pattern, agency prefix and family to sources, made once; a route is made when it is first needed.

    First come the sources with a pattern that fits the code; then those that declare the longest prefix of its agency,
    of which those that name its family come first; if there is none of either, the defaults. Each is a tier of its
    own, with the systems its dossiers may pass to; equals come in the order of declaration.
    """

    def __init__(self, sources: Sequence[RoutedSource]) -> None:
        """Legacy numbers go by their agency, as all other codes do.

        Raises:
            SettingsError: there is no source, two bear one name, one would never be asked, a pattern is not a regular
                expression or too long, or dossiers would pass to a system that is not there.
        """
        _check(sources)
        self.sources: tuple[DossierSource, ...] = tuple(each.source for each in sources)
        self.limits = {each.source.name: each.limits for each in sources}
        self._places = {each.source.name: place for place, each in enumerate(sources)}
        self._passes_to = [[self._places[name] for name in each.passes_to] for each in sources]
        self._patterns = [
            (re.compile(pattern), each, place) for place, each in enumerate(sources) for pattern in each.patterns
        ]
        self._defaults = {
            family: tuple(place for place, each in enumerate(sources) if each.default and each.takes(family))
            for family in CodeFamily
        }
        self._declared = dict(_declared(sources))
        self._refuse_unasked(sources)
        self._routes: dict[tuple[_Places, bool], Route] = {}

    def route(self, code: DossierCode, *, everyone: bool = False) -> Route:
        """Who is to be asked, the same object for the same sources; a route without sources means that nobody is."""
        places = self._declaring(code)
        if self._patterns:
            places = (*self._matching(code), *places)
        key = (places or self._defaults[code.family], everyone)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._made(*key)
        return route

    def _declaring(self, code: DossierCode) -> _Places:
        groups = from_the_province_down(code.agency)
        for length in range(len(groups), 0, -1):
            places = self._declared.get((code.family, ".".join(groups[:length])))
            if places is not None:
                return places
        return ()

    def _matching(self, code: DossierCode) -> _Places:
        return tuple(
            place for pattern, each, place in self._patterns if each.takes(code.family) and pattern.fullmatch(code.text)
        )

    def _made(self, places: _Places, everyone: bool) -> Route:  # noqa: FBT001 - the two parts of a key
        asked: set[int] = set()
        tiers: list[tuple[DossierSource, ...]] = []
        for place in places:
            tier = [each for each in self._reachable(place) if each not in asked]
            asked.update(tier)
            if tier:
                tiers.append(tuple(self.sources[each] for each in tier))
        if everyone and tiers:
            tiers = [tuple(source for tier in tiers for source in tier)]
        return Route(tuple(tiers), everyone)

    def _refuse_unasked(self, sources: Sequence[RoutedSource]) -> None:
        declaring = [place for place, each in enumerate(sources) if each.prefixes or each.patterns or each.default]
        asked = {reached for place in declaring for reached in self._reachable(place)}
        unasked = [each.source.name for place, each in enumerate(sources) if place not in asked]
        if unasked:
            raise SettingsError(
                f"neither agencies nor patterns nor default are given, nothing would be asked of {', '.join(unasked)}"
            )

    def _reachable(self, place: int) -> list[int]:
        """Where a dossier of this system may be by now: here, where it may pass to, and on from there."""
        reached = [place]
        for each in reached:
            reached.extend(next_one for next_one in self._passes_to[each] if next_one not in reached)
        return reached


def _declared(sources: Sequence[RoutedSource]) -> Iterator[tuple[tuple[CodeFamily, str], _Places]]:
    """For each family and prefix the sources that declare it, those first that name the family."""
    prefixes = {".".join(from_the_province_down(prefix)) for each in sources for prefix in each.prefixes}
    for family in CodeFamily:
        for prefix in prefixes:
            places = [
                place
                for place, each in enumerate(sources)
                if each.takes(family) and prefix in (".".join(from_the_province_down(own)) for own in each.prefixes)
            ]
            if places:
                yield (family, prefix), tuple(sorted(places, key=lambda place: not sources[place].families))


def _check(sources: Sequence[RoutedSource]) -> None:
    names = [each.source.name for each in sources]
    if not names:
        raise SettingsError("no one-stop system is configured")
    if len(set(names)) < len(names):
        raise SettingsError(f"two one-stop systems bear the same name: {', '.join(sorted(names))}")
    faults = [fault for each in sources for fault in _faults(each, names)]
    if faults:
        raise SettingsError("\n".join(faults))


def _faults(each: RoutedSource, names: Sequence[str]) -> Iterator[str]:
    for pattern in each.patterns:
        if len(pattern) > LONGEST_PATTERN:
            yield f"{each.source.name}: a pattern has {len(pattern)} characters, at most {LONGEST_PATTERN} are read"
            continue
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as wrong:
            yield f"{each.source.name}: {pattern!r} is not a regular expression: {wrong}"
    for name in each.passes_to:
        if name == each.source.name or name not in names:
            yield f"{each.source.name}: its dossiers cannot pass to {name!r}: there is no other system of that name"
