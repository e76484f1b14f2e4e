"""Who works with the console, and what each role may do: one table, which the server enforces and the docs print."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.message import require_aware

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")
LONGEST_NAME = 80  # characters


class OfficerRole(enum.StrEnum):
    """Decision 40/2016/QĐ-UBND art. 5.7, 6.1 and 7: who runs the one-stop desk, and who only looks."""

    INTAKE = "intake"  # receives dossiers at the counter
    AUTHOR = "author"  # writes broadcasts
    APPROVER = "approver"  # lets them leave, or not; never one's own
    AGENCY_ADMIN = "agency_admin"  # art. 5.7: the agency's administrator: accounts, opinions and complaints
    OPERATOR = "operator"  # the province's: everything runs
    INSPECTOR = "inspector"  # art. 13: looks at everything of the agency, changes nothing


class Right(enum.StrEnum):
    """What a route or an action needs."""

    BROADCASTS_SEE = "broadcasts.see"
    BROADCASTS_WRITE = "broadcasts.write"  # compose, import recipients, test to oneself, submit
    BROADCASTS_APPROVE = "broadcasts.approve"  # never what one has written or submitted oneself
    BROADCASTS_STEER = "broadcasts.steer"  # pause, resume, stop
    BROADCASTS_RESULTS = "broadcasts.results"  # the file with one line a recipient
    MESSAGES_SEE = "messages.see"  # numbers masked
    MESSAGES_FIND = "messages.find"  # by a number typed in full; audited
    FEEDBACK_SEE = "feedback.see"
    FEEDBACK_ANSWER = "feedback.answer"
    HEALTH_SEE = "health.see"
    INCIDENT_REPORT = "incident.report"  # art. 6.4
    OFFICERS_SEE = "officers.see"
    OFFICERS_MANAGE = "officers.manage"  # art. 6.1
    AUDIT_SEE = "audit.see"
    SITES_MANAGE = "sites.manage"  # keys of the widget
    INTAKE_SEE = "intake.see"  # dossiers of the agency with whoever handed them in
    INTAKE_WORK = "intake.work"  # art. 7: receive, forward, finish, return
    INTAKE_NUMBERS = "intake.numbers"  # art. 7.3: codes set aside for paper, and what became of them


_R = OfficerRole
RIGHTS: Mapping[Right, frozenset[OfficerRole]] = {
    Right.BROADCASTS_SEE: frozenset({_R.AUTHOR, _R.APPROVER, _R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.BROADCASTS_WRITE: frozenset({_R.AUTHOR}),
    Right.BROADCASTS_APPROVE: frozenset({_R.APPROVER}),
    Right.BROADCASTS_STEER: frozenset({_R.AUTHOR, _R.APPROVER, _R.OPERATOR}),
    Right.BROADCASTS_RESULTS: frozenset({_R.AUTHOR, _R.APPROVER, _R.OPERATOR, _R.INSPECTOR}),
    Right.MESSAGES_SEE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.MESSAGES_FIND: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR}),
    Right.FEEDBACK_SEE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.FEEDBACK_ANSWER: frozenset({_R.AGENCY_ADMIN}),
    Right.HEALTH_SEE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.INCIDENT_REPORT: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR}),
    Right.OFFICERS_SEE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.OFFICERS_MANAGE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR}),
    Right.AUDIT_SEE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR, _R.INSPECTOR}),
    Right.SITES_MANAGE: frozenset({_R.AGENCY_ADMIN, _R.OPERATOR}),
    Right.INTAKE_SEE: frozenset({_R.INTAKE, _R.AGENCY_ADMIN, _R.INSPECTOR}),
    Right.INTAKE_WORK: frozenset({_R.INTAKE}),
    Right.INTAKE_NUMBERS: frozenset({_R.INTAKE, _R.AGENCY_ADMIN}),
}

# Who may give which role, and manage officers who have only such.
_OF_AN_AGENCY = frozenset({_R.INTAKE, _R.AUTHOR, _R.APPROVER, _R.AGENCY_ADMIN, _R.INSPECTOR})
GIVES: Mapping[OfficerRole, frozenset[OfficerRole]] = {
    _R.AGENCY_ADMIN: _OF_AN_AGENCY,
    _R.OPERATOR: frozenset(OfficerRole),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """An account. `agency` is an identifier of the catalogue; the officer sees it, those below it and those it took over
    from (domain.agencies.Agencies.scope). `language`: of the console, "vi" or "en".

    Raises:
        ValueError: login or name is not what may stand there, or there is no role.
    """

    id: int
    login: str
    name: str
    agency: str
    roles: frozenset[OfficerRole]
    created_at: datetime
    language: str = "vi"
    disabled_at: datetime | None = None

    def __post_init__(self) -> None:
        require_aware(self.created_at, "created_at")
        require_aware(self.disabled_at, "disabled_at")
        if not LOGIN.fullmatch(self.login):
            raise ValueError("a login has 3 to 40 letters, digits, dots, underscores or hyphens, in lower case")
        if not 0 < len(self.name.strip()) <= LONGEST_NAME:
            raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")
        if not self.roles:
            raise ValueError("an officer has at least one role")

    def may(self, right: Right) -> bool:
        """One of the roles has this right, and the account is not closed."""
        return self.disabled_at is None and not RIGHTS[right].isdisjoint(self.roles)

    def gives(self) -> frozenset[OfficerRole]:
        """The roles this officer may give to others."""
        return frozenset().union(*(GIVES.get(role, frozenset()) for role in self.roles))
