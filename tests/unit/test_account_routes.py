"""By which SMS account something unasked leaves: what people wrote, then what they follow by, then the number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import pytest

from domain.codes import DossierCode
from domain.message import Address
from domain.phones import number_prefix
from notifications.planning import NewContact
from notifications.ports import Follower, Review
from notifications.routing import Reached, Routes, Routing

ROUTES = Routes(
    by_prefix={"8496": "viettel", "84962": "vinaphone", "8491": "vinaphone", "86": "abroad"}, default="mobifone"
)
CODE = DossierCode(text="H51.18-260601-0001", agency="H51.18")
ANN, BOB = Address("sms", "84961234567"), Address("sms", "84931234567")
CHAT = Address("telegram", "77")
NUMBERS = {"viettel": "8100", "vinaphone": "8200", "mobifone": "8300"}
NAME = Address("sms", "TRACUU")
LINES = {
    name: Reached(
        channel="sms", account=name, sender=Address("sms", number), name=NAME if name == "vinaphone" else None
    )
    for name, number in NUMBERS.items()
}


@dataclass
class Inbox:
    """Who wrote by which account last; and what was asked of it."""

    last: dict[Address, str] = field(default_factory=dict)
    asked: list[frozenset[Address]] = field(default_factory=list)

    async def last_accounts(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        self.asked.append(frozenset(addresses))
        return {address: self.last[address] for address in addresses if address in self.last}


def routing(inbox: Inbox | None = None, *accounts: str) -> Routing:
    lines = {name: line for name, line in LINES.items() if name in (accounts or LINES)}
    return Routing(lines=lines, routes=ROUTES, heard=inbox)


def follower(address: Address = ANN, account: str = "mobifone", **changes: object) -> Follower:
    made = Follower(
        address=address,
        channel=address.scheme,
        account=account,
        sender=Address(address.scheme, "8399"),
        code=CODE,
        source="h51",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "account"),
    [
        ("84961234567", "viettel"),
        ("84962234567", "vinaphone"),  # the longer one
        ("84912345678", "vinaphone"),
        ("84931234567", "mobifone"),  # none fits
        ("8613800138000", "abroad"),
        ("8496", "viettel"),
        ("849", "mobifone"),
        ("", "mobifone"),
    ],
)
def test_the_longest_prefix_of_a_number_says_its_account(number: str, account: str) -> None:
    assert ROUTES.account_for(number) == account


def test_without_a_table_everybody_is_reached_by_one_account() -> None:
    assert Routes(default="viettel").account_for("84912345678") == "viettel"


@pytest.mark.parametrize("written", ["8496", "+8496", "096", "008496", "+84 96", "0.96"])
def test_a_prefix_is_the_same_however_it_is_written(written: str) -> None:
    assert number_prefix(written) == "8496"


@pytest.mark.parametrize("written", ["", "0", "+", "00", "+0", "x96", "84-96", "9" * 16, "٠٩٦"])
def test_what_no_number_begins_with_is_no_prefix(written: str) -> None:
    assert number_prefix(written) == ""


# What was written last, what is stored, the number; and by which account and from which number that is reached.
CASES = [
    ("", None, ANN, "viettel", "8100"),
    ("", None, BOB, "mobifone", "8300"),
    ("vinaphone", None, ANN, "vinaphone", "8200"),
    ("gone", None, ANN, "viettel", "8100"),
    ("", "mobifone", ANN, "mobifone", "8399"),  # from the number they wrote to
    ("", "gone", ANN, "viettel", "8100"),
    ("mobifone", "mobifone", ANN, "mobifone", "8399"),
    ("vinaphone", "mobifone", ANN, "vinaphone", "8200"),
    ("gone", "mobifone", ANN, "mobifone", "8399"),
    ("gone", "gone", ANN, "viettel", "8100"),
]


@pytest.mark.parametrize(("written", "stored", "address", "account", "number"), CASES)
async def test_what_was_written_counts_before_what_is_stored_and_that_before_the_number(
    written: str, stored: str | None, address: Address, account: str, number: str
) -> None:
    inbox = Inbox({address: written} if written else {})
    known = None if stored is None else Reached(channel="sms", account=stored, sender=Address("sms", "8399"))
    way = (await routing(inbox).reach({address: known}))[address]
    assert (way.account, way.sender.value) == (account, number)
    if stored is not None:
        [moved] = await routing(inbox).followers([follower(address, stored)])
        assert (moved.account, moved.sender.value) == (account, number)


async def test_each_following_of_a_person_keeps_its_own_account_where_nothing_is_known_of_them() -> None:
    both = [follower(account="mobifone"), follower(account="vinaphone")]
    assert list(await routing(Inbox()).followers(both)) == both


async def test_a_chat_is_left_as_it_is_and_nobody_is_asked_about_it() -> None:
    inbox = Inbox({CHAT: "viettel"})
    everybody = [follower(CHAT, "bot")]
    assert list(await routing(inbox).followers(everybody)) == everybody
    assert await routing(inbox).reach({CHAT: None}) == {}
    assert inbox.asked == []


async def test_many_are_asked_about_at_once() -> None:
    inbox = Inbox({ANN: "vinaphone"})
    review = Review(source="h51", followers={CODE: [follower(), follower(BOB), follower(CHAT, "bot")]})
    contact = NewContact(
        address=Address("sms", "84911111111"),
        channel="sms",
        account="mobifone",
        sender=LINES["mobifone"].sender,
        words="",
    )
    looked, named = await routing(inbox).look(review, {CODE: [contact]})
    assert [each.account for each in looked.followers[CODE]] == ["vinaphone", "mobifone", "bot"]
    assert named == {CODE: [contact]}
    assert inbox.asked == [frozenset({ANN, BOB, contact.address})]


async def test_with_one_account_nobody_is_asked() -> None:
    inbox = Inbox({ANN: "viettel"})
    [moved] = await routing(inbox, "viettel").followers([follower(account="viettel")])
    assert (moved.account, inbox.asked) == ("viettel", [])


async def test_without_an_account_followers_stay_as_they_are_and_nobody_else_is_reached() -> None:
    assert list(await Routing().followers([follower()])) == [follower()]
    assert await Routing().reach({ANN: None}) == {}
    assert Routing().usual(ANN) is None


def test_a_registered_name_stands_for_the_number_only_where_nobody_asked() -> None:
    line = LINES["vinaphone"]
    assert (line.unasked, line.sender) == (NAME, Address("sms", "8200"))
    assert LINES["viettel"].unasked == Address("sms", "8100")
