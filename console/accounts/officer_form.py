"""What a form about an officer says, checked: values or what is wrong with them (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from multidict import MultiDict

from console.forms import one_line
from domain.officers import LOGIN, LONGEST_NAME, OfficerRole

LONGEST_LOGIN = 40
LONGEST_AGENCY = 40  # characters of an identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerForm:
    """As typed; `strange`: a role was sent that there is not."""

    login: str
    name: str
    agency: str
    roles: frozenset[OfficerRole]
    strange: bool = False

    def faults(self, texts: Mapping[str, str], *, with_login: bool) -> Iterator[tuple[str, str]]:
        """(the input's id, what is wrong with it)."""
        if with_login and not LOGIN.fullmatch(self.login):
            yield "login", texts["bad_login"]
        if not self.name:
            yield "name", texts["no_name"]
        if not self.agency:
            yield "agency", texts["no_agency"]
        if not self.roles:
            yield "roles", texts["no_roles"]


def read_officer_form(fields: MultiDict[str]) -> OfficerForm:
    known = {str(role): role for role in OfficerRole}
    sent: Sequence[str] = fields.getall("role", [])
    return OfficerForm(
        login=one_line(fields, "login", LONGEST_LOGIN + 1).lower(),
        name=one_line(fields, "name", LONGEST_NAME),
        agency=one_line(fields, "agency", LONGEST_AGENCY),
        roles=frozenset(known[role] for role in sent if role in known),
        strange=any(role not in known for role in sent),
    )
