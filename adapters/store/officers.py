"""The accounts of the console, on both engines. What changes one is noted in the same transaction.

The steps are told apart from who runs them, as adapters.store.steps says: one run is one transaction.
"""

# ruff: noqa: S608 - put together from the column names of this module, never from data

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.store.audit import noting
from adapters.store.pins import Runner
from adapters.store.rows import from_ms, to_ms
from adapters.store.steps import Steps, Values
from console.accounts.ports import Account, Attempt, AuditEntry, Changed, Session, SessionEnd
from domain.officers import Officer, OfficerRole

ACCOUNT_COLUMNS = (
    "id",
    "login",
    "name",
    "agency",
    "roles",
    "language",
    "password_hash",
    "must_set_password",
    "totp_secret",
    "totp_step",
    "totp_pending",
    "failures",
    "locked_until_at",
    "created_at",
    "created_by",
    "disabled_at",
)
_NAMES = ", ".join(ACCOUNT_COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM officer"
FIND = f"{_SELECT} WHERE id = :id"
FIND_LOGIN = f"{_SELECT} WHERE login = :login"
LISTED = f"{_SELECT} WHERE login > :after ORDER BY login LIMIT :limit"
# One text of all identifiers: none of them holds a space or a sign of LIKE.
LISTED_OF = f"{_SELECT} WHERE login > :after AND :agencies LIKE '% ' || agency || ' %' ORDER BY login LIMIT :limit"

TRY = f"UPDATE officer SET failures = failures + 1 WHERE login = :login RETURNING {_NAMES}"
COUNT = "UPDATE officer SET failures = :failures, locked_until_at = :locked_until_at WHERE id = :id"
_ADMIT = """UPDATE officer SET failures = 0, locked_until_at = NULL, password_hash = :password_hash{step}
WHERE id = :id AND password_hash = :judged AND disabled_at IS NULL AND {unused} RETURNING 1"""
ADMIT = _ADMIT.format(step="", unused="totp_step IS NULL")
ADMIT_BY_CODE = _ADMIT.format(step=", totp_step = :step", unused="totp_secret = :secret AND totp_step < :step")
BEGIN_SESSION = """INSERT INTO officer_session (digest, officer_id, created_at, seen_at, address, agent)
VALUES (:digest, :officer_id, :created_at, :seen_at, :address, :agent)"""

ADD = f"""INSERT INTO officer ({_NAMES}) VALUES ({", ".join(f":{name}" for name in ACCOUNT_COLUMNS)})
ON CONFLICT (login) DO NOTHING RETURNING 1"""
# Writing them keeps whoever would take away another operator of the same moment waiting.
OPERATORS = """UPDATE officer SET failures = failures WHERE disabled_at IS NULL AND ' ' || roles || ' ' LIKE '% operator %'
RETURNING id"""
_AS_SEEN = "id = :id AND agency = :seen_agency AND roles = :seen_roles AND (disabled_at IS NULL) = :seen_open"
CHANGE = f"UPDATE officer SET name = :name, agency = :agency, roles = :roles WHERE {_AS_SEEN} RETURNING 1"
CLOSE = f"UPDATE officer SET disabled_at = :disabled_at WHERE {_AS_SEEN} RETURNING 1"
RESET = f"""UPDATE officer SET password_hash = :password_hash, must_set_password = true, totp_secret = NULL,
    totp_step = NULL, totp_pending = NULL, failures = 0, locked_until_at = NULL WHERE {_AS_SEEN} RETURNING 1"""
END_SESSIONS = """UPDATE officer_session SET ended_at = :now, end_reason = :reason
WHERE officer_id = :id AND ended_at IS NULL AND digest <> :keep"""
OWN_PASSWORD = """UPDATE officer SET password_hash = :password_hash, must_set_password = false, failures = 0,
    locked_until_at = NULL WHERE id = :id"""  # noqa: S105 - a statement
BEGIN_TOTP = "UPDATE officer SET totp_pending = :secret WHERE id = :id"
CONFIRM_TOTP = """UPDATE officer SET totp_secret = totp_pending, totp_step = :step, totp_pending = NULL
WHERE id = :id AND totp_pending = :secret RETURNING 1"""
SET_LANGUAGE = "UPDATE officer SET language = :language WHERE id = :id"


def find(statement: str, values: Values) -> Steps[Account | None]:
    rows = yield statement, values
    return read_account(rows[0]) if rows else None


def listed(agencies: frozenset[str] | None, after: str, limit: int) -> Steps[Sequence[Account]]:
    page: Values = {"after": after, "limit": limit}
    if agencies is None:
        rows = yield LISTED, page
    else:
        rows = yield LISTED_OF, {**page, "agencies": f" {' '.join(sorted(agencies))} "}
    return [read_account(row) for row in rows]


# ---- signing in


def attempt(login: str, now: int, *, lock_after: int, lock_for: int) -> Steps[Attempt | None]:
    """Counted first, which also keeps a second try of the same moment waiting."""
    rows = yield TRY, {"login": login}
    if not rows:
        return None
    account = read_account(rows[0])
    failures, locked_until = counted(account, now, lock_after=lock_after, lock_for=lock_for)
    yield COUNT, {"id": account.officer.id, "failures": failures, "locked_until_at": locked_until}
    return Attempt(account=account, allowed=failures <= lock_after, locking=failures == lock_after)


def counted(account: Account, now: int, *, lock_after: int, lock_for: int) -> tuple[int, int | None]:
    """How many tries that is and until when the account is locked, epoch milliseconds. `account` with this try counted.

    The last one locks before it is judged: if it is right, `admit` unlocks. A lock that is over begins a new count.
    """
    locked = to_ms(account.locked_until) if account.locked_until else None
    if locked is not None and locked > now:
        return max(account.failures, lock_after + 1), locked
    failures = 1 if locked is not None else account.failures
    return failures, now + lock_for if failures >= lock_after else None


def admit(
    account: Account, *, step: int | None, password_hash: str, session: Session | None, noted: AuditEntry | None
) -> Steps[bool]:
    values: Values = {"id": account.officer.id, "judged": account.password_hash, "password_hash": password_hash}
    if account.has_second_factor:
        done = yield ADMIT_BY_CODE, {**values, "secret": account.totp_secret, "step": step}
    else:
        done = yield ADMIT, values
    if not done:
        return False
    if session is not None:
        yield BEGIN_SESSION, _session_cells(session)
    yield from noting(noted)
    return True


# ---- changing accounts


def add(account: Account, noted: AuditEntry) -> Steps[bool]:
    added = yield ADD, _cells(account)
    if added:
        yield from noting(noted)
    return bool(added)


def change(statement: str, seen: Officer, values: Values, noted: AuditEntry, *, operates: bool) -> Steps[Changed]:
    """`operates`: whether the officer can do everything afterwards."""
    if OfficerRole.OPERATOR in seen.roles and seen.disabled_at is None and not operates:
        operators = {row[0] for row in (yield OPERATORS, {})}
        if operators <= {seen.id}:
            return Changed.LAST_OPERATOR
    done = yield statement, {**values, **_seen(seen)}
    if not done:
        return Changed.MOVED
    yield from noting(noted)
    return Changed.DONE


def close(seen: Officer, closed_at: datetime | None, noted: AuditEntry) -> Steps[Changed]:
    values = {"disabled_at": to_ms(closed_at) if closed_at else None}
    operates = closed_at is None and OfficerRole.OPERATOR in seen.roles
    changed = yield from change(CLOSE, seen, values, noted, operates=operates)
    if changed is Changed.DONE and closed_at is not None:
        yield END_SESSIONS, _ending(seen.id, SessionEnd.CLOSED, closed_at)
    return changed


def reset(seen: Officer, password_hash: str, noted: AuditEntry) -> Steps[Changed]:
    changed = yield from change(RESET, seen, {"password_hash": password_hash}, noted, operates=True)
    if changed is Changed.DONE:
        yield END_SESSIONS, _ending(seen.id, SessionEnd.RESET, noted.at)
    return changed


def set_password(officer_id: int, password_hash: str, renewed: Session, noted: AuditEntry) -> Steps[None]:
    yield OWN_PASSWORD, {"id": officer_id, "password_hash": password_hash}
    yield from _renew(renewed, SessionEnd.PASSWORD, noted)
    yield from noting(noted)


def begin_totp(officer_id: int, secret: str, keep: str, noted: AuditEntry) -> Steps[None]:
    yield BEGIN_TOTP, {"id": officer_id, "secret": secret}
    yield END_SESSIONS, _ending(officer_id, SessionEnd.SECOND_FACTOR, noted.at, keep)
    yield from noting(noted)


def confirm_totp(officer_id: int, secret: str, step: int, renewed: Session, noted: AuditEntry) -> Steps[bool]:
    done = yield CONFIRM_TOTP, {"id": officer_id, "secret": secret, "step": step}
    if not done:
        return False
    yield from _renew(renewed, SessionEnd.SECOND_FACTOR, noted)
    yield from noting(noted)
    return True


def _renew(renewed: Session, reason: SessionEnd, noted: AuditEntry) -> Steps[None]:
    """Of all sessions one is left, under a secret that nobody can have seen."""
    yield END_SESSIONS, _ending(renewed.officer_id, reason, noted.at)
    yield BEGIN_SESSION, _session_cells(renewed)


def plain(statement: str, values: Values) -> Steps[None]:
    yield statement, values


# ---- rows


def read_account(row: Sequence[Any]) -> Account:
    values = dict(zip(ACCOUNT_COLUMNS, row, strict=True))
    officer = Officer(
        id=values["id"],
        login=values["login"],
        name=values["name"],
        agency=values["agency"],
        roles=frozenset(map(OfficerRole, values["roles"].split())),
        created_at=from_ms(values["created_at"]),
        language=values["language"],
        disabled_at=_moment(values["disabled_at"]),
    )
    return Account(
        officer=officer,
        password_hash=values["password_hash"],
        must_set_password=bool(values["must_set_password"]),
        totp_secret=values["totp_secret"] or "",
        totp_step=values["totp_step"],
        totp_pending=values["totp_pending"] or "",
        failures=values["failures"],
        locked_until=_moment(values["locked_until_at"]),
        created_by=values["created_by"],
    )


def _cells(account: Account) -> Values:
    officer = account.officer
    return {
        "id": officer.id,
        "login": officer.login,
        "name": officer.name,
        "agency": officer.agency,
        "roles": _roles(officer),
        "language": officer.language,
        "password_hash": account.password_hash,
        "must_set_password": account.must_set_password,
        "totp_secret": account.totp_secret or None,
        "totp_step": account.totp_step,
        "totp_pending": account.totp_pending or None,
        "failures": account.failures,
        "locked_until_at": to_ms(account.locked_until) if account.locked_until else None,
        "created_at": to_ms(officer.created_at),
        "created_by": account.created_by,
        "disabled_at": to_ms(officer.disabled_at) if officer.disabled_at else None,
    }


def _session_cells(session: Session) -> Values:
    return {
        "digest": session.digest,
        "officer_id": session.officer_id,
        "created_at": to_ms(session.created_at),
        "seen_at": to_ms(session.seen_at),
        "address": session.address,
        "agent": session.agent,
    }


def _seen(seen: Officer) -> Values:
    return {
        "id": seen.id,
        "seen_agency": seen.agency,
        "seen_roles": _roles(seen),
        "seen_open": seen.disabled_at is None,
    }


def _ending(officer_id: int, reason: SessionEnd, now: datetime, keep: str = "") -> Values:
    return {"id": officer_id, "now": to_ms(now), "reason": str(reason), "keep": keep}


def _roles(officer: Officer) -> str:
    return " ".join(sorted(officer.roles))


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)


class StoreOfficers:
    """Implements console.accounts.ports.Officers. `run` writes, `look` only reads."""

    def __init__(self, run: Runner, look: Runner) -> None:
        self._run = run
        self._look = look

    async def find(self, officer_id: int) -> Account | None:
        return await self._look(find(FIND, {"id": officer_id}))

    async def find_login(self, login: str) -> Account | None:
        return await self._look(find(FIND_LOGIN, {"login": login}))

    async def listed(self, agencies: frozenset[str] | None, *, after: str, limit: int) -> Sequence[Account]:
        return await self._look(listed(agencies, after, limit))

    async def attempt(self, login: str, now: datetime, *, lock_after: int, lock_for: timedelta) -> Attempt | None:
        milliseconds = round(lock_for.total_seconds() * 1000)
        return await self._run(attempt(login, to_ms(now), lock_after=lock_after, lock_for=milliseconds))

    async def admit(
        self,
        account: Account,
        *,
        step: int | None,
        password_hash: str,
        session: Session | None,
        noted: AuditEntry | None,
    ) -> bool:
        return await self._run(admit(account, step=step, password_hash=password_hash, session=session, noted=noted))

    async def add(self, account: Account, noted: AuditEntry) -> bool:
        return await self._run(add(account, noted))

    async def change(self, seen: Officer, wanted: Officer, noted: AuditEntry) -> Changed:
        values = {"name": wanted.name, "agency": wanted.agency, "roles": _roles(wanted)}
        operates = OfficerRole.OPERATOR in wanted.roles
        return await self._run(change(CHANGE, seen, values, noted, operates=operates))

    async def close(self, seen: Officer, closed_at: datetime | None, noted: AuditEntry) -> Changed:
        return await self._run(close(seen, closed_at, noted))

    async def reset(self, seen: Officer, password_hash: str, noted: AuditEntry) -> Changed:
        return await self._run(reset(seen, password_hash, noted))

    async def set_password(self, officer_id: int, password_hash: str, *, renewed: Session, noted: AuditEntry) -> None:
        await self._run(set_password(officer_id, password_hash, renewed, noted))

    async def begin_totp(self, officer_id: int, secret: str, *, keep: str, noted: AuditEntry) -> None:
        await self._run(begin_totp(officer_id, secret, keep, noted))

    async def confirm_totp(
        self, officer_id: int, secret: str, step: int, *, renewed: Session, noted: AuditEntry
    ) -> bool:
        return await self._run(confirm_totp(officer_id, secret, step, renewed, noted))

    async def set_language(self, officer_id: int, language: str) -> None:
        await self._run(plain(SET_LANGUAGE, {"id": officer_id, "language": language}))
