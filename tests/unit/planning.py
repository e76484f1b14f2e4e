"""A Planner over a store of dictionaries, for the tests of planning: what is recorded is what the next review reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from domain.buttons import Buttons
from domain.calendar import LOCAL_ZONE, WorkCalendar
from domain.codes import DossierCode
from domain.dossier import Dossier, DossierStatus
from domain.message import Address
from domain.notices import Known, NoticeKind
from domain.replies import Voice
from gateway.bootstrap.calendar import read_calendar
from notifications.planning import Looked, NewContact, NoticeRules, Planner, no_buttons
from notifications.ports import Follower, NewNotice, PendingNotice, Recording, Review, SeenDossier
from notifications.schedule import ScheduleRules, day_began
from notifications.switches import Switch

SOURCE = "onestop"
ANN, BOB = Address("sms", "84912345678"), Address("telegram", "12345")
OURS = Address("sms", "8079")
CODES = [DossierCode(text=f"H51.18-210817-000{number}", agency="H51.18") for number in range(1, 5)]
CODE = CODES[0]
SCHEDULE = ScheduleRules(
    quiet_from=time(22), quiet_until=time(7), per_day=3, office_from=time(7, 30), office_until=time(17)
)
VALID_FOR = timedelta(hours=72)
CALENDAR: WorkCalendar = read_calendar(
    Path(__file__).parent.parent.parent / "config" / "holidays" / "vn.toml", date(2026, 8, 1)
)
MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=LOCAL_ZONE)
NIGHT = MORNING.replace(hour=23)


def dossier(status: int | None = 4, due_on: date | None = None, code: DossierCode = CODE, **more: object) -> Dossier:
    known = None if status is None else DossierStatus(status)
    plain = Dossier(code=code, source=SOURCE, status=known, agency="H51.18", procedure="1.004946", due_on=due_on)
    return replace(plain, **more)  # type: ignore[arg-type]


class PlainWriter:
    """A text that says which notice it is."""

    def about(self, kind: NoticeKind, dossier: Dossier, voice: Voice, *, proved: bool = False) -> str:
        return f"{kind} {dossier.code} {dossier.status} {dossier.due_on} {voice.language} {voice.today} {proved}"


def speak(follower: Follower, now: datetime) -> Voice:
    return Voice(language=follower.language or "vi", accents=bool(follower.accents), now=now, fits=lambda _text: True)


def make_planner(
    *off: Switch, per_day: int = 3, buttons: Callable[[Follower, DossierCode, Voice], Buttons] = no_buttons
) -> Planner:
    rules = NoticeRules(schedule=replace(SCHEDULE, per_day=per_day), valid_for=VALID_FOR, off=off)
    numbers = itertools.count(1)
    return Planner(
        writer=PlainWriter(),
        voice=speak,
        rules=rules,
        calendar=CALENDAR,
        new_id=lambda: next(numbers),
        buttons=buttons,
    )


@dataclass(slots=True)
class Waiting:
    """A row of the outbox; `told` is what its reader knows then."""

    notice: NewNotice
    told: Known
    state: str = "ready"


@dataclass(slots=True)
class Store:
    """The rows of notifications.ports.Notices that planning reads and writes, with its promises."""

    seen: dict[tuple[str, DossierCode], SeenDossier] = field(default_factory=dict)
    following: dict[tuple[Address, DossierCode], Follower] = field(default_factory=dict)
    outbox: list[Waiting] = field(default_factory=list)
    holding: bool = False

    def follow(self, address: Address, known: Known | None, code: DossierCode = CODE, **more: object) -> None:
        plain = Follower(
            address=address, channel=address.scheme, account="main", sender=OURS, code=code, source=SOURCE, known=known
        )
        self.following[address, code] = replace(plain, **more)  # type: ignore[arg-type]

    def waiting(self, address: Address, code: DossierCode, source: str = SOURCE) -> list[Waiting]:
        return [
            row
            for row in self.outbox
            if row.state in ("ready", "held")
            and (row.notice.recipient, row.notice.code, row.notice.source) == (address, code, source)
        ]

    def review(self, now: datetime, codes: Collection[DossierCode], source: str = SOURCE) -> Review:
        booked: dict[Address, list[datetime]] = {}
        for row in self.outbox:
            if row.state in ("ready", "sent") and row.notice.available_at >= day_began(now):
                booked.setdefault(row.notice.recipient, []).append(row.notice.available_at)
        return Review(
            source=source,
            seen={code: self.seen[source, code] for code in codes if (source, code) in self.seen},
            followers={code: self._followers(code, source) for code in codes},
            booked=booked,
            holding=self.holding,
        )

    def _followers(self, code: DossierCode, source: str) -> list[Follower]:
        found = [each for (_, of), each in self.following.items() if of == code]
        return [replace(each, pending=self._pending(each.address, code, source)) for each in found]

    def _pending(self, address: Address, code: DossierCode, source: str) -> PendingNotice | None:
        for row in self.waiting(address, code, source):
            notice = row.notice
            return PendingNotice(
                id=notice.id,
                before=notice.before,
                kind=notice.kind,
                available_at=notice.available_at,
                held=row.state == "held",
            )
        return None

    def record(self, recording: Recording) -> frozenset[DossierCode]:
        """All or nothing, as the port promises."""
        by_id = {row.notice.id: row for row in self.outbox}
        closed = [*recording.merged, *(each.replaces for each in recording.notices if each.replaces is not None)]
        faults = {by_id[each].notice.code for each in closed if by_id[each].state not in ("ready", "held")}
        for sighting in recording.sightings:
            row = self.seen.get((recording.source, sighting.dossier.code))
            if (None if row is None else row.version) != sighting.expected:
                faults.add(sighting.dossier.code)
        if faults:
            return frozenset(code for code in faults if code is not None)
        for each in closed:
            by_id[each].state = "merged"
        self._write(recording)
        return frozenset()

    def _write(self, recording: Recording) -> None:
        self.seen |= {(recording.source, each.dossier.code): each.dossier for each in recording.sightings}
        for new in recording.follows:
            self.follow(new.address, new.known, new.code, source=new.source, version=new.version)
        for told in recording.told:
            key = told.address, told.code
            self.following[key] = replace(
                self.following[key], source=told.source, version=told.version, known=told.known
            )
        there = {_identity(row.notice) for row in self.outbox}
        for notice in recording.notices:
            assert _identity(notice) not in there, "the store would leave this one alone"
            there.add(_identity(notice))
            assert notice.code is not None
            told_now = self.seen[recording.source, notice.code].known
            self.outbox.append(Waiting(notice, told_now, "held" if notice.held else "ready"))

    def send(self, until: datetime) -> None:
        """What the claim loop does: whatever may leave leaves, by its moment and id."""
        for row in self.outbox:
            if row.state == "ready" and row.notice.available_at <= until:
                row.state = "sent"

    def sent(self, address: Address | None = None) -> list[NewNotice]:
        rows = [row.notice for row in self.outbox if row.state == "sent"]
        rows.sort(key=lambda notice: (notice.available_at, notice.id))
        return [notice for notice in rows if address in (None, notice.recipient)]


def _identity(notice: NewNotice) -> tuple[str, DossierCode | None, int | None, Address]:
    return notice.source, notice.code, notice.version, notice.recipient


def look(
    planner: Planner, store: Store, *dossiers: Dossier, now: datetime = MORNING, source: str = SOURCE, **more: object
) -> Recording:
    """One look, recorded."""
    looked = looked_at(store, *dossiers, now=now, source=source, **more)
    recording = planner.plan(looked)
    assert store.record(recording) == frozenset()
    return recording


def looked_at(
    store: Store, *dossiers: Dossier, now: datetime = MORNING, source: str = SOURCE, **more: object
) -> Looked:
    absent: Sequence[DossierCode] = more.pop("absent", ())  # type: ignore[assignment]
    codes = [*(each.code for each in dossiers), *absent]
    return Looked(
        source=source,
        review=store.review(now, codes, source),
        dossiers={each.code: each for each in dossiers},
        absent=absent,
        now=now,
        **more,  # type: ignore[arg-type]
    )


def contact(address: Address) -> NewContact:
    return NewContact(address=address, channel=address.scheme, account="main", sender=OURS, words="decision 1/QD")


def kinds(recording: Recording) -> list[NoticeKind]:
    return [notice.kind for notice in recording.notices]


def parts(recording: Recording) -> set[str]:
    """What is in it at all."""
    names = ("sightings", "follows", "notices", "merged", "told")
    return {name for name in names if getattr(recording, name)}
