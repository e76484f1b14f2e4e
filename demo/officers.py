"""Officers of the demo, ready to sign in: who writes, who approves, who runs everything, and two of a ward's desk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from console.accounts.totp import STEP_S, code_of
from domain.officers import OfficerRole
from gateway.bootstrap import ReadyOfficer, add_ready_officers
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

    @property
    def ready(self) -> ReadyOfficer:
        return ReadyOfficer(
            login=self.login,
            name=self.name,
            agency=self.agency,
            roles=self.roles,
            password=self.password,
            secret=self.secret,
        )

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

# They receive dossiers at the desk of the ward that works with the intake module.
DESK_AGENCY = "H13.161"
DESK: Sequence[DemoOfficer] = (
    DemoOfficer(
        login="mot.cua",
        name="Phạm Thị Cửa",
        agency=DESK_AGENCY,
        roles=frozenset({OfficerRole.INTAKE}),
        password="moi ba con lay so roi ngoi doi",  # noqa: S106
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXD",  # noqa: S106
    ),
    DemoOfficer(
        login="tra.ket.qua",
        name="Lý Văn Trả",
        agency=DESK_AGENCY,
        roles=frozenset({OfficerRole.INTAKE, OfficerRole.AGENCY_ADMIN}),
        password="ket qua den tay ba con dung hen",  # noqa: S106
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXE",  # noqa: S106
    ),
)
EVERYBODY: Sequence[DemoOfficer] = (*OFFICERS, *DESK)


async def add_officers(settings: Settings, people: Sequence[DemoOfficer] = OFFICERS) -> None:
    """Into a store that has its tables; before the gateway starts."""
    await add_ready_officers(settings, [each.ready for each in people], by=BY)


if __name__ == "__main__":
    for demo_officer in EVERYBODY:
        print(demo_officer.login, demo_officer.code())
