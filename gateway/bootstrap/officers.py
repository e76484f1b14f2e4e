"""`tracuu officer`, beside the processes that serve: noted in the audit log like what officers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.store.officers import StoreOfficers
from adapters.store.outside import OutsideSteps
from console.accounts.passwords import Hasher, one_time_password
from console.accounts.ports import Account, AuditEntry, Changed, Officers
from domain.ids import IdSequence
from domain.officers import Officer, OfficerRole
from gateway.bootstrap.desk import outside
from gateway.bootstrap.store import utc_now
from gateway.bootstrap.words import read_words
from gateway.officer_command import ListedOfficer, NewOfficer, OfficerFault
from gateway.settings import Settings

LOGIN = "tracuu"  # who did it, as the audit log says
PAGE = 500
_FAULTS = {
    Changed.MOVED: "somebody else has just changed this account, or it is so already",
    Changed.LAST_OPERATOR: "this is the last operator; add another first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOfficer:
    """Who can sign in at once: of a demo. `secret`: of the codes, base32."""

    login: str
    name: str
    agency: str
    roles: frozenset[OfficerRole]
    password: str
    secret: str


class _Noting:
    """Makes ids and entries; the clock is this machine's. `login`: who did it."""

    def __init__(self, login: str = LOGIN) -> None:
        ids = IdSequence(0)
        self._login = login
        self.now: datetime = utc_now()
        self.new_id: Callable[[], int] = lambda: ids.next(int(self.now.timestamp() * 1000))

    def entry(self, action: str, officer: Officer) -> AuditEntry:
        return AuditEntry(
            id=self.new_id(),
            at=self.now,
            officer_id=None,
            login=self._login,
            agency="",
            action=action,
            about=f"officer:{officer.id}",
            detail={"login": officer.login, "agency": officer.agency, "roles": sorted(officer.roles)},
        )


async def add_officer(settings: Settings, wanted: NewOfficer) -> str:
    """Gives the one-time password.

    Raises:
        OfficerFault: the login is taken or is none, or there is no such agency.
    """
    agencies = read_words(settings).agencies
    agency = agencies.find(wanted.agency) if wanted.agency else agencies.default
    if agency is None or (wanted.agency and agency.identifier != wanted.agency):
        raise OfficerFault(f"no agency has the identifier {wanted.agency}")
    noting = _Noting()
    try:
        officer = Officer(
            id=noting.new_id(),
            login=wanted.login,
            name=wanted.name,
            agency=agency.identifier,
            roles=wanted.roles,
            created_at=noting.now,
        )
    except ValueError as error:
        raise OfficerFault(str(error)) from error
    password = one_time_password()
    account = Account(officer=officer, password_hash=await _hashed(password), must_set_password=True, created_by=LOGIN)
    if not await _officers(settings).add(account, noting.entry("officer.added", officer)):
        raise OfficerFault(f"somebody has the login {wanted.login}")
    return password


async def add_ready_officers(settings: Settings, wanted: Sequence[ReadyOfficer], *, by: str) -> None:
    """Into a store that has its tables.

    Raises:
        OfficerFault: somebody has one of the logins.
    """
    officers, hasher, noting = _officers(settings), Hasher(), _Noting(by)
    try:
        for each in wanted:
            officer = Officer(
                id=noting.new_id(),
                login=each.login,
                name=each.name,
                agency=each.agency,
                roles=each.roles,
                created_at=noting.now,
            )
            password_hash = await hasher.hash(each.password)
            account = Account(
                officer=officer, password_hash=password_hash, totp_secret=each.secret, totp_step=0, created_by=by
            )
            if not await officers.add(account, noting.entry("officer.added", officer)):
                raise OfficerFault(f"somebody has the login {each.login}")
    finally:
        await hasher.close()


async def list_officers(settings: Settings) -> Sequence[ListedOfficer]:
    """All of them, by login."""
    officers, now = _officers(settings), utc_now()
    found: list[ListedOfficer] = []
    while page := await officers.listed(None, after=found[-1].login if found else "", limit=PAGE):
        found += [_listed(each, now) for each in page]
    return found


async def reset_officer(settings: Settings, login: str) -> str:
    """Gives the one-time password. Raises OfficerFault."""
    officers, noting, password = _officers(settings), _Noting(), one_time_password()
    officer = await _found(officers, login)
    changed = await officers.reset(officer, await _hashed(password), noting.entry("officer.reset", officer))
    _refuse(changed)
    return password


async def close_officer(settings: Settings, login: str, *, reopen: bool) -> None:
    """Raises OfficerFault."""
    officers, noting = _officers(settings), _Noting()
    officer = await _found(officers, login)
    action = "officer.reopened" if reopen else "officer.closed"
    closed_at = None if reopen else noting.now
    _refuse(await officers.close(officer, closed_at, noting.entry(action, officer)))


def _officers(settings: Settings) -> Officers:
    steps = OutsideSteps(outside(settings))
    return StoreOfficers(steps.write, steps.look)


async def _found(officers: Officers, login: str) -> Officer:
    account = await officers.find_login(login)
    if account is None:
        raise OfficerFault(f"nobody has the login {login}; `tracuu officer list` shows all")
    return account.officer


def _refuse(changed: Changed) -> None:
    if changed is not Changed.DONE:
        raise OfficerFault(_FAULTS[changed])


async def _hashed(password: str) -> str:
    hasher = Hasher()
    try:
        return await hasher.hash(password)
    finally:
        await hasher.close()


def _listed(account: Account, now: datetime) -> ListedOfficer:
    officer = account.officer
    return ListedOfficer(
        login=officer.login,
        name=officer.name,
        agency=officer.agency,
        roles=sorted(officer.roles),
        state=_state(account, now),
        since=officer.created_at,
    )


def _state(account: Account, now: datetime) -> str:
    if account.officer.disabled_at is not None:
        return "closed"
    if account.locked_until is not None and account.locked_until > now:
        return "locked"
    return "not set up" if account.must_set_up else "open"
