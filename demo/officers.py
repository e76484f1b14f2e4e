"""Three officers of the demo, ready to sign in: who writes, who approves, who runs everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.store.officers import StoreOfficers
from adapters.store.outside import OutsideSteps, SqliteOutside
from console.accounts.passwords import Hasher
from console.accounts.ports import Account, AuditEntry
from console.accounts.totp import STEP_S, code_of
from domain.ids import IdSequence
from domain.officers import Officer, OfficerRole
from gateway.settings import Settings

BY = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOfficer:
    """`secret`: of the codes, base32; a demo's, and nobody else's."""

    login: str
    name: str
    agency: str
    roles: frozenset[OfficerRole]
    password: str
    secret: str

    def code(self, now: float | None = None) -> str:
        """What the officer's telephone shows now; `now` in seconds since 1970."""
        return code_of(self.secret, int(time.time() if now is None else now) // STEP_S)


OFFICERS: Sequence[DemoOfficer] = (
    DemoOfficer(
        login="soan.tin",
        name="Lê Thị Soạn",
        agency="H13",
        roles=frozenset({OfficerRole.AUTHOR}),
        password="tin viet hom nay gui ngay mai",  # noqa: S106 - of a demo
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXA",  # noqa: S106
    ),
    DemoOfficer(
        login="duyet.tin",
        name="Nguyễn Văn Duyệt",
        agency="H13",
        roles=frozenset({OfficerRole.APPROVER}),
        password="doc ky roi moi ky ten vao day",  # noqa: S106
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXB",  # noqa: S106
    ),
    DemoOfficer(
        login="van.hanh",
        name="Trần Vận Hành",
        agency="H13",
        roles=frozenset({OfficerRole.OPERATOR}),
        password="may chay em thi khong ai biet",  # noqa: S106
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXC",  # noqa: S106
    ),
)


async def add_officers(settings: Settings) -> None:
    """Into a store that has its tables; before the gateway starts."""
    steps = OutsideSteps(SqliteOutside(settings.database.path))
    officers, hasher, ids = StoreOfficers(steps.write, steps.look), Hasher(), IdSequence(0)
    now = datetime.now(UTC)
    try:
        for each in OFFICERS:
            officer = Officer(
                id=ids.next(int(now.timestamp() * 1000)),
                login=each.login,
                name=each.name,
                agency=each.agency,
                roles=each.roles,
                created_at=now,
            )
            account = Account(
                officer=officer,
                password_hash=await hasher.hash(each.password),
                totp_secret=each.secret,
                totp_step=0,
                created_by=BY,
            )
            noted = AuditEntry(
                id=ids.next(int(now.timestamp() * 1000)),
                at=now,
                officer_id=None,
                login=BY,
                agency="",
                action="officer.added",
                about=f"officer:{officer.id}",
                detail={"login": officer.login, "agency": officer.agency, "roles": sorted(officer.roles)},
            )
            await officers.add(account, noted)
    finally:
        await hasher.close()


if __name__ == "__main__":
    for demo_officer in OFFICERS:
        print(demo_officer.login, demo_officer.code())
