"""Dossiers at the desk of a ward that has no one-stop system of its own: people who do not exist, one dossier for each state
worth a look, one filed online that waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from console.paths import INTAKE_ONE, INTAKE_RECEIPT
from demo.officers import DESK, DESK_AGENCY
from domain.calendar import local_day, local_moment
from domain.dossier import DossierStatus
from domain.intake import Actor, IntakeDossier, IntakeSource, Paper, Person
from domain.intake_moves import IntakeAction, IntakeDoing
from gateway.bootstrap import intake_desk
from gateway.settings import Settings
from intake.service import IntakeService, Registration

WAITER = "84912000015"  # agreed to be told, and is told once the result is there
ASKER = "84912000016"  # has the code only
CLERK = Actor(officer=None, login=DESK[0].login, name=DESK[0].name, agency=DESK_AGENCY)
CITIZEN = Actor(officer=None)
UNIT = "Tư pháp - Hộ tịch"
_A, _S = IntakeAction, DossierStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """`ago`: days. `acts`: what was done to it since, the first first, with why. `notify`: by the number on it."""

    name: str
    procedure: str
    ago: int
    phone: str = ""
    source: IntakeSource = IntakeSource.COUNTER
    acts: tuple[tuple[IntakeAction, str], ...] = ()


ASKED, READY, ONLINE = "in process", "applicant is told", "filed online, waits"  # names of seeds
SEEDS: Mapping[str, Seed] = {
    ASKED: Seed(name="Nguyễn Thị Mẫu", procedure="1.004884", ago=2, acts=((_A.FORWARD, ""),), source=IntakeSource.POST),
    "a paper is missing": Seed(
        name="Thạch Văn Thử", procedure="1.004873", ago=3, acts=((_A.ASK_SUPPLEMENT, "Thiếu tờ khai có chữ ký"),)
    ),
    "done, not fetched": Seed(name="Trần Minh Ví", procedure="2.000635", ago=4, acts=((_A.FINISH, ""),)),
    "returned": Seed(name="Lê Hồng Dụ", procedure="2.000635", ago=5, acts=((_A.FINISH, ""), (_A.RETURN, ""))),
    ONLINE: Seed(name="Kim Thị Mạng", procedure="1.001193", ago=0, source=IntakeSource.ONLINE),
    READY: Seed(name="Phan Văn Chờ", procedure="1.004859", ago=0, phone=WAITER),
}


class Desk:
    """The ward's. `dossiers`: by the name of their seed."""

    def __init__(self, settings: Settings) -> None:
        self._service: IntakeService = intake_desk(settings)
        self._consent = settings.intake.consent
        self.dossiers: dict[str, IntakeDossier] = {}

    async def fill(self) -> None:
        """All but READY's, into a store that has its tables."""
        for name in SEEDS:
            if name != READY:
                await self.register(name)

    async def register(self, name: str) -> None:
        """With what was done to it since."""
        seed = SEEDS[name]
        self.dossiers[name] = await self._registered(list(SEEDS).index(name) + 1, seed)
        for action, reason in seed.acts:
            await self.act(name, action, reason)

    async def act(self, name: str, action: IntakeAction, reason: str = "") -> None:
        """Do it as an officer of the ward does."""
        before = self.dossiers[name]
        papers = None
        if action is _A.ASK_SUPPLEMENT:
            papers = tuple(
                Paper(name=each.name, missing=index == 0, note=reason if index == 0 else "")
                for index, each in enumerate(before.papers)
            )
        doing = IntakeDoing(
            action=action,
            at=datetime.now(UTC),
            reason=reason,
            papers=papers,
            to_unit=UNIT if action is _A.FORWARD else "",
            paid=action is _A.RETURN,
        )
        after = await self._service.act(before, doing, CLERK)
        if not isinstance(after, IntakeDossier):
            raise TypeError(f"the demo's desk may not {action}: {after}")
        self.dossiers[name] = after

    async def _registered(self, number: int, seed: Seed) -> IntakeDossier:
        received_at = _days_ago(seed.ago)
        procedure = self._service.procedure(seed.procedure, received_at)
        online = seed.source is IntakeSource.ONLINE
        kept = await self._service.register(
            Registration(
                id=number,
                agency=DESK_AGENCY,
                procedure=seed.procedure,
                source=seed.source,
                person=Person(name=seed.name, phone=seed.phone and f"0{seed.phone[2:]}", address="Phường Phú Lợi"),
                received_at=received_at,
                status=_S.NEWLY_REGISTERED if online else _S.ACCEPTED,
                papers=tuple(
                    Paper(name=name, copies=1, complete=not online, legal=not online) for name in procedure.papers["vi"]
                ),
                notify=bool(seed.phone),
                notify_words=self._consent if seed.phone else "",
                declared_at=received_at if online else None,
                fee_dong=0,
            ),
            CITIZEN if online else CLERK,
        )
        if not isinstance(kept, IntakeDossier):
            raise TypeError(f"the demo's desk has no number: {kept}")
        return kept


def _days_ago(days: int) -> datetime:
    """In the morning of a weekday; today: now."""
    now = datetime.now(UTC)
    if not days:
        return now
    day = local_day(now) - timedelta(days=days)
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return local_moment(day, time(8, 30))


def page_of(staff: str, dossier: IntakeDossier) -> str:
    """Where an officer looks at it."""
    return staff + INTAKE_ONE.replace("{dossier:[0-9]+}", str(dossier.id))


def receipt_of(staff: str, dossier: IntakeDossier) -> str:
    """Where an officer prints its receipt."""
    return staff + INTAKE_RECEIPT.replace("{dossier:[0-9]+}", str(dossier.id))
