"""How fast we may send: to everybody together and to one person (pure: the time is passed in)."""

from __future__ import annotations

MOST_REMEMBERED = 10_000  # persons; beyond, those whose turn is over are forgotten


class Slots:
    """Turns at a smooth rate: each is `1 / rate` seconds behind the one before."""

    __slots__ = ("_every", "_next")

    def __init__(self, rate: float) -> None:
        self._every = 1.0 / rate
        self._next = 0.0

    @property
    def free_at(self) -> float:
        """From when a turn is had at once."""
        return self._next

    def take(self, now: float) -> float:
        """Seconds until the turn that is now taken."""
        turn = max(self._next, now)
        self._next = turn + self._every
        return turn - now


class Pace:
    """The turns of an account. `rate` and `per_user` are messages a second. A person's turn is waited for first, and
    only then the account's is taken, so that somebody who has to wait holds up nobody else.
    """

    __slots__ = ("_all", "_per_user", "_users")

    def __init__(self, rate: float, per_user: float) -> None:
        self._all = Slots(rate)
        self._per_user = per_user
        self._users: dict[str, Slots] = {}

    def person(self, user: str, now: float) -> float:
        """Seconds to wait before the next message to this person."""
        slots = self._users.get(user)
        if slots is None:
            self._forget(now)
            slots = self._users[user] = Slots(self._per_user)
        return slots.take(now)

    def account(self, now: float) -> float:
        """Seconds to wait before the next message to anybody."""
        return self._all.take(now)

    def _forget(self, now: float) -> None:
        if len(self._users) >= MOST_REMEMBERED:
            self._users = {user: slots for user, slots in self._users.items() if slots.free_at > now}
