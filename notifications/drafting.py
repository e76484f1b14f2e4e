"""A Recording in the making: what one dossier books counts for the notices that follow in it (pure)."""

from __future__ import annotations

from datetime import datetime

from domain.message import Address
from domain.notices import Known
from notifications.ports import (
    Follower,
    NewFollow,
    NewNotice,
    PendingNotice,
    Recording,
    Review,
    SeenDossier,
    Sighting,
    Told,
)


class Draft:
    """Of one plan. `held`: its notices wait for an operator, and take no place in anybody's day."""

    __slots__ = ("_booked", "_follows", "_merged", "_notices", "_sightings", "_told", "held", "now", "review")

    def __init__(self, review: Review, now: datetime, *, held: bool) -> None:
        self.review = review
        self.now = now
        self.held = held
        self._booked: dict[Address, list[datetime]] = {}
        self._sightings: list[Sighting] = []
        self._follows: list[NewFollow] = []
        self._notices: list[NewNotice] = []
        self._merged: list[int] = []
        self._told: list[Told] = []

    def see(self, before: SeenDossier | None, row: SeenDossier) -> None:
        """A row that did not change is not written."""
        if row is not before:
            self._sightings.append(Sighting(dossier=row, expected=None if before is None else before.version))

    def follow(self, newcomer: Follower, row: SeenDossier, words: str) -> None:
        """They follow from now on, whether or not there is something to tell them."""
        self._follows.append(
            NewFollow(
                address=newcomer.address,
                channel=newcomer.channel,
                account=newcomer.account,
                sender=newcomer.sender,
                code=row.code,
                source=row.source,
                known=row.known,
                version=row.version,
                words=words,
            )
        )

    def learn(self, follower: Follower, known: Known, row: SeenDossier) -> None:
        """What they know afterwards, where that is not what is stored already."""
        if (row.source, row.version, known) != (follower.source, follower.version, follower.known):
            self._told.append(
                Told(address=follower.address, code=row.code, source=row.source, version=row.version, known=known)
            )

    def close(self, follower: Follower, pending: PendingNotice, *, merged: bool) -> None:
        """It will not leave: its place in the day is free again. `merged`: nothing replaces it."""
        if merged:
            self._merged.append(pending.id)
        booked = self.booked(follower.address)
        if not pending.held and pending.available_at in booked:
            booked.remove(pending.available_at)

    def send(self, notice: NewNotice) -> None:
        """It leaves, or waits to."""
        self._notices.append(notice)
        if not notice.held:
            self.booked(notice.recipient).append(notice.available_at)

    def booked(self, address: Address) -> list[datetime]:
        """When notices to this person leave or left, those of this draft included."""
        return self._booked.setdefault(address, list(self.review.booked.get(address, ())))

    def recording(self, source: str) -> Recording:
        """All of it."""
        return Recording(
            source=source,
            sightings=self._sightings,
            follows=self._follows,
            notices=self._notices,
            merged=self._merged,
            told=self._told,
        )
