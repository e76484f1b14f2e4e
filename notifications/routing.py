"""By which SMS account something unasked leaves.

Whoever wrote to us is reached by the account they wrote by last: that one is known to reach them. Who follows something
and whose messages are forgotten, by the account they asked for it by. Everybody else by the beginning of the number,
which is a guess: numbers move between operators (in Vietnam since 2018) and keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from domain.codes import DossierCode
from domain.message import Address
from notifications.planning import NewContact
from notifications.ports import Follower, LastAccounts, Review

SMS: Final = "sms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How somebody is reached by us: the channel, its account, and our address there, which they may write to. `name`: the
    registered one that notices and broadcasts leave under instead, which nobody can answer.
    """

    channel: str
    account: str
    sender: Address
    name: Address | None = None

    @property
    def unasked(self) -> Address:
        """From whom what nobody asked for comes."""
        return self.name or self.sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Accounts by the beginnings of numbers, in international digits; `default` takes the rest."""

    default: str
    by_prefix: Mapping[str, str] = field(default_factory=dict)
    _lengths: Sequence[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lengths", sorted({len(prefix) for prefix in self.by_prefix}, reverse=True))

    def account_for(self, number: str) -> str:
        """Of the longest prefix."""
        found = (self.by_prefix.get(number[:length]) for length in self._lengths)
        return next((account for account in found if account is not None), self.default)

    @property
    def accounts(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.by_prefix.values(), self.default))


Person = Follower | NewContact
Who = TypeVar("Who", Follower, NewContact)
Ways = Mapping[Address, Reached]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """`lines`: every SMS account there is, as people are reached by it; without any nobody is reached by SMS, and who
    follows something is left as they are. `heard` None: nobody is asked who wrote by which account.
    """

    lines: Mapping[str, Reached] = field(default_factory=dict)
    routes: Routes = field(default_factory=lambda: Routes(default=""))
    heard: LastAccounts | None = None

    def usual(self, address: Address) -> Reached | None:
        """By the number alone, whatever was written; None: there is no SMS account."""
        return self._way(address, None, "")

    async def reach(self, people: Mapping[Address, Reached | None]) -> Ways:
        """How each of them is reached, of those who have a telephone number, where there is an account; given how they
        are known to be. One look for all.

        Raises:
            StoreUnavailable: it is not known.
        """
        texted = [address for address in people if address.scheme == SMS]
        last = await self._last(iter(texted))
        ways = {address: self._way(address, people[address], last.get(address, "")) for address in texted}
        return {address: way for address, way in ways.items() if way is not None}

    async def followers(self, followers: Sequence[Follower]) -> Sequence[Follower]:
        """The same people, as they are reached now.

        Raises:
            StoreUnavailable: it is not known.
        """
        last = await self._last(_texted([followers]))
        return [self._moved(each, last) for each in followers]

    async def review(self, review: Review) -> Review:
        """The same, its followers as they are reached now. Raises StoreUnavailable."""
        changed, _ = await self.look(review, {})
        return changed

    async def look(
        self, review: Review, contacts: Mapping[DossierCode, Sequence[NewContact]]
    ) -> tuple[Review, Mapping[DossierCode, Sequence[NewContact]]]:
        """Who follows, and whom new dossiers name, as they are reached now.

        Raises:
            StoreUnavailable: it is not known.
        """
        if not self.lines or not (review.followers or contacts):
            return review, contacts
        last = await self._last(_texted([*review.followers.values(), *contacts.values()]))
        followers = {code: [self._moved(each, last) for each in of_one] for code, of_one in review.followers.items()}
        named = {code: [self._moved(each, last) for each in of_one] for code, of_one in contacts.items()}
        return replace(review, followers=followers), named

    def joined(self, address: Address, stored: str, last: str) -> tuple[str, Address] | None:
        """Implements notifications.ports.JoinedWay."""
        line = self.lines.get(self._account(address, stored, last))
        return None if line is None or line.account == stored else (line.account, line.sender)

    async def _last(self, texted: Iterator[Address]) -> Mapping[Address, str]:
        """Where there is one account only, nothing depends on it, and nobody is even gathered."""
        if self.heard is None or len(self.lines) < 2:  # noqa: PLR2004 - several
            return {}
        asked = frozenset(texted)
        return await self.heard.last_accounts(asked) if asked else {}

    def _way(self, address: Address, known: Reached | None, last: str) -> Reached | None:
        """Who stays with their account goes on hearing from the number of it that they wrote to."""
        stored = "" if known is None else known.account
        line = self.lines.get(self._account(address, stored, last))
        if line is None or known is None or line.account != stored:
            return line
        return replace(line, sender=known.sender)

    def _moved(self, person: Who, last: Mapping[Address, str]) -> Who:
        """Nothing is made anew for who stays."""
        if person.address.scheme != SMS:
            return person
        written = last.get(person.address, "") if last else ""
        line = self.lines.get(self._account(person.address, person.account, written))
        if line is None or line.account == person.account:
            return person
        return replace(person, channel=line.channel, account=line.account, sender=line.sender)

    def _account(self, address: Address, stored: str, last: str) -> str:
        """Those that are gone count for nothing."""
        if last in self.lines:
            return last
        return stored if stored in self.lines else self.routes.account_for(address.value)


def _texted(groups: Iterable[Sequence[Person]]) -> Iterator[Address]:
    """Those with a telephone number."""
    return (each.address for group in groups for each in group if each.address.scheme == SMS)
