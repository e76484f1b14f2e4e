"""How far a broadcast's audience is written, where one account takes no more and the others go on (pure).

There is one walk over everybody. Once an account has as much waiting as may wait, while another has hardly anything,
its people part from it: the walk passes them over from there on, and a walk of their own, from the same place, comes to
them when there is room again. So whatever is not written stays unwritten, and a pause or a stop finds as little as ever.

By which account somebody is reached may change between two walks, and neither would come to them: so once all of them
are at their end, everybody behind the place where they parted is looked at once more. Nobody is written twice, since
who has a message is known.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

_PARTED = "{"  # how the text of a course that parted begins; no position of an audience does
EVERYBODY = ""  # whose walk it is; an account's otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """`at`: how far everybody's walk is, as the audience says it ("": its beginning); None: at its end. `apart`: the same
    of the accounts that have walks of their own. `parted_at`: where the first of them parted. `again`: this is the last
    look, at everybody.
    """

    at: str | None = ""
    apart: Mapping[str, str | None] = field(default_factory=dict)
    parted_at: str | None = None
    again: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """What `text` gave."""
        return cls(**json.loads(text)) if text.startswith(_PARTED) else cls(at=text)

    @property
    def text(self) -> str:
        """As it is kept: of a course that never parted the position alone."""
        if self.parted_at is None:
            return self.at or ""
        whole = {"at": self.at, "apart": self.apart, "parted_at": self.parted_at, "again": self.again}
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)

    def position(self, walk: str) -> str | None:
        """Where a walk goes on; None: it is at its end."""
        return self.apart[walk] if walk else self.at

    def passes(self, walk: str, account: str) -> bool:
        """Whoever is reached by `account` is not this walk's."""
        return account != walk if walk else account in self.apart

    def part(self, accounts: Collection[str]) -> Course:
        """These go their own way from here on."""
        if not accounts or self.at is None:
            return self
        apart = {**self.apart, **dict.fromkeys(sorted(accounts), self.at)}
        return replace(self, apart=apart, parted_at=self.at if self.parted_at is None else self.parted_at)

    def after(self, walk: str, position: str, *, end: bool) -> tuple[Course, bool]:
        """With one walk gone on; and whether this was all."""
        reached = None if end and self.parted_at is not None else position
        there = replace(self, apart={**self.apart, walk: reached}) if walk else replace(self, at=reached)
        if not end or there.parted_at is None or there.again:
            return there, end
        if there.at is not None or any(each is not None for each in there.apart.values()):
            return there, False
        return Course(at=there.parted_at, parted_at=there.parted_at, again=True), False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is written next: of whose walk, from where, at most how many."""

    course: Course
    walk: str
    at: str
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`due`: messages that may be claimed now, by account; `ahead`: as many may wait in each; `page`: written at once.
    `accounts`: those there are, as far as they are known; `others`: people may be reached by more than these.
    """

    due: Mapping[str, int]
    ahead: int
    page: int
    accounts: Collection[str] = ()
    others: bool = False

    def of(self, account: str) -> int:
        return self.ahead - self.due.get(account, 0)

    def step(self, course: Course) -> Step | None:
        """Those apart first, who are behind; None: nothing may be written now."""
        for account, at in course.apart.items():
            # Of a stretch only some are theirs: what is left of it is not walked one by one.
            if at is not None and self.of(account) >= max(1, self.page // 4):
                return Step(course=course, walk=account, at=at, most=min(self.page, self.of(account)))
        if course.at is None:
            return None
        together = {*self.due, *self.accounts} - course.apart.keys()
        full = {account for account in together if self.of(account) <= 0}
        if full and not course.again and (self.others or any(self._idle(each) for each in together - full)):
            course, together, full = course.part(full), together - full, set()
        if full or course.at is None:
            return None
        most = min(self.page, *(self.of(account) for account in together), self.ahead)
        return Step(course=course, walk=EVERYBODY, at=course.at, most=most)

    def _idle(self, account: str) -> bool:
        """It has hardly anything: one that is only a little ahead of another does not part from it."""
        return self.due.get(account, 0) * 2 <= self.ahead
