"""What a process of the gateway does: one of them does everything, or each a part (`tracuu serve --roles`)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Role(enum.StrEnum):
    """A part of the gateway's work that a process of its own may do; docs/commands.md prints ROLES."""

    SMS = "sms"
    WEB = "web"
    CHAT = "chat"
    DELIVERY = "delivery"
    WATCH = "watch"
    CONSOLE = "console"


ROLES = {
    Role.SMS: "keeps the SMSC accounts bound, takes messages in and sends; one process an account, by lease",
    Role.WEB: "the public listener: look-up page and API; as many processes as wanted",
    Role.DELIVERY: "takes over what processes that are gone left behind, masks and removes old rows; one at a time, by lease",
}
LATER = (Role.CHAT, Role.WATCH, Role.CONSOLE)  # named by the design, not made yet


class RolesFault(ValueError):
    """What was asked for is not to be had; the message is for an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What one process was started for; `accounts` are the SMSC accounts it may hold."""

    roles: frozenset[Role]
    accounts: frozenset[str]

    @property
    def named(self) -> Sequence[str]:
        """The roles, in their order."""
        return [role.value for role in ROLES if role in self.roles]


def choose(roles: str | None, accounts: Iterable[str], configured: Sequence[str], *, alone: bool) -> Duties:
    """What to do, from what was asked for.

    Args:
        roles: names with commas, or None for all there are.
        accounts: which SMSC accounts to hold; none means all.
        configured: the accounts of the settings.
        alone: the store is for one process, so nobody else does what this one leaves out.

    Raises:
        RolesFault: a role or an account does not exist, or something is left to nobody.
    """
    chosen = frozenset(ROLES) if roles is None else _read(roles)
    wanted = frozenset(accounts)
    unknown = sorted(wanted - set(configured))
    if unknown:
        raise RolesFault(f"there is no [[sms]] named {unknown[0]}; the settings have {_listed(configured)}")
    if wanted and Role.SMS not in chosen:
        raise RolesFault("--account narrows the role sms, which is not among --roles")
    if alone and Role.DELIVERY not in chosen:
        raise RolesFault(
            "with SQLite one process does everything, and nobody would take over what a crash leaves behind: "
            "add delivery to --roles, or set database.url to PostgreSQL"
        )
    held = (wanted or frozenset(configured)) if Role.SMS in chosen else frozenset[str]()
    return Duties(roles=chosen, accounts=held)


def _read(roles: str) -> frozenset[Role]:
    return frozenset(_role(word.strip()) for word in roles.split(","))


def _role(word: str) -> Role:
    if word in LATER:
        raise RolesFault(f"the role {word} does not exist in this version; it has {_listed(ROLES)}")
    if word not in ROLES:
        raise RolesFault(f"there is no role {word!r}; there are {_listed(ROLES)}")
    return Role(word)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
