"""What is told of what was found or kept, and for how long that may be told again (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.answers import DossierAnswer, Outcome
from domain.codes import DossierCode
from lookup.merging import latest
from lookup.ports import CachedAnswer
from lookup.walking import Finding


def tell_kept(kept: CachedAnswer) -> DossierAnswer:
    """An answer that is still fresh."""
    outcome = Outcome.NOT_FOUND if kept.dossier is None else Outcome.FOUND
    return DossierAnswer(code=kept.code, outcome=outcome, dossier=kept.dossier, as_of=kept.read_at)


def tell_last_known(code: DossierCode, kept: CachedAnswer | None) -> DossierAnswer:
    """SOURCE_DOWN, with the last dossier we still know."""
    if kept is None or kept.dossier is None:
        return DossierAnswer(code=code, outcome=Outcome.SOURCE_DOWN)
    return DossierAnswer(code=code, outcome=Outcome.SOURCE_DOWN, dossier=kept.dossier, as_of=kept.read_at)


def tell(finding: Finding, kept: CachedAnswer | None, *, everyone: bool) -> DossierAnswer:
    """What the sources said, while `kept` is the last known answer.

    With a source unheard it is FOUND all the same, unless what we still know from that one is later. Where `everyone`
    was asked it is SOURCE_DOWN, as for a code nobody knows: the outcome must not tell whether there is one.
    """
    code, dossier, unheard = finding.code, finding.dossier, finding.unheard
    if dossier is None:
        if unheard:
            return tell_last_known(code, kept)
        return DossierAnswer(code=code, outcome=Outcome.NOT_FOUND, as_of=finding.as_of)
    last = kept.dossier if kept is not None else None
    if last is not None and last.source in unheard and latest([dossier, last]) is last:
        return tell_last_known(code, kept)
    outcome = Outcome.SOURCE_DOWN if unheard and everyone else Outcome.FOUND
    return DossierAnswer(code=code, outcome=outcome, dossier=dossier, as_of=finding.as_of)


def keep(
    answer: DossierAnswer,
    as_of: datetime,
    *,
    partly: bool,
    fresh_for: timedelta,
    not_found_for: timedelta,
    stale_for: timedelta,
) -> CachedAnswer:
    """FOUND or NOT_FOUND, to be kept; `partly`: a source was not heard that may know better, so that it is told again
    as briefly as "not found" is.
    """
    found = answer.dossier is not None
    return CachedAnswer(
        code=answer.code,
        dossier=answer.dossier,
        read_at=as_of,
        fresh_until=as_of + (fresh_for if found and not partly else not_found_for),
        usable_until=as_of + (stale_for if found else not_found_for),
    )
