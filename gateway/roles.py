"""What a process of the gateway does: one of them does everything, or each a part (`tracuu serve --roles`)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
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
    Role.CHAT: "keeps the chat accounts (Telegram, Zalo): takes messages in and sends; one process an account, by lease",
    Role.WEB: "the public listener: look-up page and API; as many processes as wanted",
    Role.WATCH: "watches the one-stop systems for changes and writes the notices; one process a system, by lease",
    Role.DELIVERY: (
        "takes over what processes that are gone left behind, sends reminders, masks and removes old rows; "
        "one at a time, by lease"
    ),
    Role.CONSOLE: "the staff listener: the console of officers and operators; as many processes as wanted",
}
LEFT_TO_NOBODY = {
    Role.DELIVERY: "nobody would take over what a crash leaves behind",
    Role.WATCH: "nobody would watch the one-stop systems",
}


class RolesFault(ValueError):
    """What was asked for is not to be had; the message is for an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What one process was started for; `accounts` are the accounts of channels it may hold."""

    roles: frozenset[Role]
    accounts: frozenset[str]

    @property
    def named(self) -> Sequence[str]:
        """The roles, in their order."""
        return [role.value for role in ROLES if role in self.roles]


def choose(
    roles: str | None, accounts: Iterable[str], configured: Mapping[Role, Sequence[str]], *, alone: bool
) -> Duties:
    """What to do, from what was asked for.

    Args:
        roles: names with commas, or None for all there are.
        accounts: which accounts to hold, of any channel; none means all.
        configured: the accounts of the settings, by the role that holds them.
        alone: the store is for one process, so nobody else does what this one leaves out.

    Raises:
        RolesFault: a role or an account does not exist, or something is left to nobody.
    """
    chosen = frozenset(ROLES) if roles is None else _read(roles)
    wanted = frozenset(accounts)
    held = {name: role for role, names in configured.items() for name in names}
    for name in sorted(wanted):
        if name not in held:
            raise RolesFault(f"there is no account named {name}; the settings have {_listed(held)}")
        if held[name] not in chosen:
            raise RolesFault(f"--account {name} narrows the role {held[name].value}, which is not among --roles")
    for role, loss in LEFT_TO_NOBODY.items() if alone else ():
        if role not in chosen:
            raise RolesFault(
                f"with SQLite one process does everything, and {loss}: "
                f"add {role.value} to --roles, or set database.url to PostgreSQL"
            )
    return Duties(roles=chosen, accounts=wanted or frozenset(name for name, role in held.items() if role in chosen))


def _read(roles: str) -> frozenset[Role]:
    return frozenset(_role(word.strip()) for word in roles.split(","))


def _role(word: str) -> Role:
    if word not in ROLES:
        raise RolesFault(f"there is no role {word!r}; there are {_listed(ROLES)}")
    return Role(word)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
