"""Whose objects an officer works with, and which officers an officer may manage (pure)."""

from __future__ import annotations

from console.signed import Signed
from domain.agencies import Agencies
from domain.officers import Officer, Right


def reach(scope: frozenset[str], agencies: Agencies) -> frozenset[str] | None:
    """The identifiers to be searched by; None: whoever works for the agency that answers where nobody else does works
    for the whole province, and sees also what belongs to no agency (the command line, agencies that were taken out).
    """
    return None if agencies.default.identifier in scope else scope


def reaches(scope: frozenset[str], agency: str, agencies: Agencies) -> bool:
    """An object of this agency is one of theirs."""
    wanted = reach(scope, agencies)
    return wanted is None or agency in wanted


def may_manage(me: Signed, other: Officer) -> bool:
    """Not oneself; and nobody who has a role one may not give, whose account could be taken over by a reset. That `other`
    is within reach is another question: who is not, does not exist.
    """
    return me.officer.may(Right.OFFICERS_MANAGE) and other.id != me.officer.id and other.roles <= me.officer.gives()
