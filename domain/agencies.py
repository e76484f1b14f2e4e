"""Who answers for a dossier: agencies, the spellings of their identifiers, and who took over from whom.

An identifier names its levels from the province down, `H51.29.18` (decision 20/2020/QĐ-TTg art. 4); paper before that
prints them the other way round, `000.18.29.H51` (circular 01/2018/TT-VPCP art. 19). Both are names in one table.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from domain.codes import DossierCode, LegacyPattern
from domain.grammar import Grammar
from domain.text import safe_text, unaccent

SHORT_NAME_MAX = 30  # characters; with the phone it decides whether a reply is one segment
PHONE_MAX = 12

_IDENTIFIER = re.compile(r"[A-Y]\d{2}(\.[0-9A-Z]{1,3}){0,6}")
_PHONE = re.compile(r"\+?[0-9][0-9 ]*[0-9]")
_KEYWORD = re.compile(r"(?=.{2,10}\Z)[A-Z]{2}[0-9A-Z]*")  # two letters first: "H51" begins a code
_ONE_SEPTET_EACH = re.compile(r"[A-Za-z0-9 .,/()&'-]+")  # what a short name may hold once its accents are gone


class AgencyLevel(enum.StrEnum):
    PROVINCE = "province"
    DISTRICT = "district"
    COMMUNE = "commune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """One agency. `valid_from` and `valid_to` are its first and last day (Asia/Ho_Chi_Minh); None: no end known.

    `names` are full names per language; `short_name` is what a text message shows. `aliases` are other spellings of
    the identifier. `parent` and `successor` are identifiers. Without a `phone` the default agency's is told.
    `keyword` is what people type before a receipt number to say whose it is, `legacy` the masks of its receipt numbers
    from before the national codes (domain.codes.LegacyPattern).

    Raises:
        ValueError: naming every fault.
    """

    identifier: str
    short_name: str
    level: AgencyLevel
    phone: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    successor: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    address: str = ""
    keyword: str = ""
    legacy: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ValueError("\n".join(f"agency {self.identifier}: {fault}" for fault in faults))

    def in_force(self, today: date) -> bool:
        """The agency exists on this day."""
        return (self.valid_from is None or self.valid_from <= today) and (
            self.valid_to is None or today <= self.valid_to
        )

    def name(self, language: str) -> str:
        """The full name in this language, else in Vietnamese, else the short one."""
        return self.names.get(language) or self.names.get("vi") or self.short_name

    def legacy_patterns(self) -> Iterator[LegacyPattern]:
        """Its receipt numbers from before, each mask with all the names people may call the agency by.

        Raises:
            ValueError: a mask would match ordinary numbers.
        """
        names = (self.identifier, *self.aliases, self.short_name, *self.names.values())
        for mask in self.legacy:
            yield LegacyPattern(self.identifier, mask, keyword=self.keyword, names=names)


def _faults(agency: Agency) -> Iterator[str]:
    if not _IDENTIFIER.fullmatch(agency.identifier):
        yield "the identifier is not of the form H51.18"
    if not _ONE_SEPTET_EACH.fullmatch(unaccent(agency.short_name)):
        yield "short_name is empty or holds signs a text message cannot carry plainly"
    if len(agency.short_name) > SHORT_NAME_MAX:
        yield f"short_name has {len(agency.short_name)} characters, at most {SHORT_NAME_MAX} fit"
    if agency.phone and not _PHONE.fullmatch(agency.phone):
        yield "phone may hold digits and spaces only"
    if len(agency.phone) > PHONE_MAX:
        yield f"phone has {len(agency.phone)} characters, at most {PHONE_MAX} fit"
    for text in (*agency.names.values(), agency.address):
        if safe_text(text, len(text)) != text:
            yield "a name or the address holds control characters"
    yield from _faults_of_receipts(agency)
    if agency.valid_from and agency.valid_to and agency.valid_from > agency.valid_to:
        yield "valid_from is later than valid_to"


def _faults_of_receipts(agency: Agency) -> Iterator[str]:
    if agency.keyword and not _KEYWORD.fullmatch(agency.keyword):
        yield "keyword must be two to ten capital letters and digits, two letters first"
    try:
        list(agency.legacy_patterns())
    except ValueError as error:
        yield str(error)


class Agencies:
    """The catalogue: finds who answers for a code. Names nobody knows lead to None; `default` then helps.

    Raises:
        ValueError: the agencies contradict one another; every fault, one a line.
    """

    __slots__ = ("_all", "_by_name", "default")

    def __init__(self, agencies: Iterable[Agency], *, default: str) -> None:
        self._all = tuple(agencies)
        faults = _contradictions(self._all, default, frozenset(agency.identifier for agency in self._all))
        if faults:
            raise ValueError("\n".join(faults))
        self._by_name = {name: agency for agency in self._all for name in (agency.identifier, *agency.aliases)}
        self.default = self._by_name[default]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Agencies:
        """Build from `{default: identifier, agency: [row, ...]}`, the shape of config/agencies.toml.

        Raises:
            ValueError: every fault of every row, one a line.
        """
        agencies: list[Agency] = []
        faults = [f"agencies: unknown key {key}" for key in sorted(mapping.keys() - {"default", "agency"})]
        rows = mapping.get("agency", ())
        default = mapping.get("default", "")
        for number, row in enumerate(rows, start=1):
            wrong = _misshapen(row)
            faults += [f"agency {row.get('identifier', f'number {number}')}: {fault}" for fault in wrong]
            if wrong:
                continue
            try:
                agencies.append(_read(row))
            except ValueError as error:
                faults.append(str(error))
        named = frozenset(str(row.get("identifier")) for row in rows)
        faults += _contradictions(agencies, default, named)
        if faults:
            raise ValueError("\n".join(faults))
        return cls(agencies, default=default)

    def helped_at(self, phone: str) -> Agencies:
        """The same, with this number for whoever needs help and nobody else answers."""
        agencies = (replace(each, phone=phone) if each is self.default else each for each in self._all)
        return Agencies(agencies, default=self.default.identifier)

    def legacy_patterns(self) -> tuple[LegacyPattern, ...]:
        """Every agency's receipt numbers from before, for whoever reads typed text."""
        return tuple(pattern for agency in self._all for pattern in agency.legacy_patterns())

    def clashes(self, grammar: Grammar) -> list[str]:
        """The keywords that the grammar understands otherwise, one fault each; there should be none."""
        return [
            f"agency {agency.identifier}: keyword {agency.keyword} already means {kind} in the grammar"
            for agency in self._all
            if agency.keyword and (kind := grammar.meaning(agency.keyword))
        ]

    def __iter__(self) -> Iterator[Agency]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def for_code(self, code: DossierCode) -> Agency | None:
        """The agency that gave this code, whether or not it still exists."""
        return self.find(code.agency)

    def find(self, identifier: str) -> Agency | None:
        """The agency of this name, in either order of levels, else the nearest one above it."""
        exact = self._by_name.get(identifier)
        if exact is not None:
            return exact
        levels = from_the_province_down(identifier)
        for depth in range(len(levels), 0, -1):
            agency = self._by_name.get(".".join(levels[:depth]))
            if agency is not None:
                return agency
        return None

    def answering(self, identifier: str, today: date) -> Agency | None:
        """Who does its work on this day: itself, or the successor's successor; None when nobody took over."""
        agency = self.find(identifier)
        while agency is not None and not agency.in_force(today):
            agency = self._by_name[agency.successor] if agency.successor else None
        return agency

    def scope(self, identifier: str) -> frozenset[str]:
        """Whose dossiers an officer of this agency works with: its own, of those below it, and of those whose work any
        of them took over; identifiers. Empty for a name nobody has.
        """
        own = self._by_name.get(identifier)
        found = {own.identifier} if own is not None else set()
        while more := {
            each.identifier
            for each in self._all
            if each.identifier not in found and (each.parent in found or each.successor in found)
        }:
            found |= more
        return frozenset(found)


def from_the_province_down(identifier: str) -> Sequence[str]:
    """`000.18.29.H51` and `H51.29.18` are the same levels; groups of zeros only fill the old form up."""
    groups = identifier.split(".")
    if groups[0].isdigit():
        return [group for group in reversed(groups) if group.strip("0")]
    return groups


def _contradictions(agencies: Sequence[Agency], default: str, named: frozenset[str]) -> list[str]:
    """What is wrong between rows; `named` are all identifiers, those of rows that could not be read included."""
    names = Counter(name for agency in agencies for name in (agency.identifier, *agency.aliases))
    faults = [f"agency {name}: named {count} times" for name, count in names.items() if count > 1]
    keywords = Counter(agency.keyword for agency in agencies if agency.keyword)
    faults += [f"keyword {keyword}: given to {count} agencies" for keyword, count in keywords.items() if count > 1]
    by_identifier = {agency.identifier: agency for agency in agencies}
    for agency in agencies:
        for role in ("parent", "successor"):
            other = getattr(agency, role)
            if other is not None and other not in named:
                faults.append(f"agency {agency.identifier}: {role} {other} is unknown")
            if _leads_back(agency, role, by_identifier):
                faults.append(f"agency {agency.identifier}: {role} leads back to itself")
    if default not in named:
        faults.append(f"agencies: default {default!r} is unknown")
    elif default in by_identifier and not by_identifier[default].phone:
        faults.append(f"agencies: default {default} needs a phone")
    return faults


def _leads_back(agency: Agency, role: str, by_identifier: Mapping[str, Agency]) -> bool:
    following: str | None = getattr(agency, role)
    for _ in by_identifier:
        if following is None or following not in by_identifier:
            return False
        if following == agency.identifier:
            return True
        following = getattr(by_identifier[following], role)
    return False


_SHAPES: Mapping[str, type] = {
    "identifier": str,
    "short_name": str,
    "level": str,
    "phone": str,
    "names": Mapping,
    "aliases": list,
    "parent": str,
    "successor": str,
    "valid_from": date,
    "valid_to": date,
    "address": str,
    "keyword": str,
    "legacy": list,
}
_LISTS = ("aliases", "legacy")


def _misshapen(row: Mapping[str, Any]) -> list[str]:
    """Keys that are unknown or missing, values of the wrong type."""
    needed = {each.name for each in fields(Agency) if each.default is MISSING and each.default_factory is MISSING}
    faults = [f"{key} is missing" for key in sorted(needed - row.keys())]
    for key, value in row.items():
        if key not in _SHAPES:
            faults.append(f"unknown key {key}")
        elif not isinstance(value, _SHAPES[key]) or isinstance(value, datetime):
            faults.append(f"{key} must be a {_SHAPES[key].__name__}")
    if isinstance(row.get("level"), str) and row["level"] not in list(AgencyLevel):
        faults.append(f"level must be one of {', '.join(AgencyLevel)}")
    for key in ("names", *_LISTS):
        inner = row.get(key, ())
        if isinstance(inner, list | Mapping) and not all(isinstance(each, str) for each in _leaves(inner)):
            faults.append(f"{key} may hold texts only")
    return faults


def _leaves(inner: Sequence[Any] | Mapping[str, Any]) -> Iterable[Any]:
    return inner.values() if isinstance(inner, Mapping) else inner


def _read(row: Mapping[str, Any]) -> Agency:
    lists = {key: tuple(row.get(key, ())) for key in _LISTS}
    return Agency(**{**row, **lists, "level": AgencyLevel(row["level"])})
