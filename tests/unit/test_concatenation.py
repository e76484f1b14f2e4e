"""Parts of long messages become each message once, exactly as it was written, whatever becomes of the parts on the way."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import commands as c
from channels.sms.account import SmppAccount
from channels.sms.concatenation import Reassembly
from channels.sms.decoding import Payload
from channels.sms.gathering import Bounds, Gathering
from channels.sms.incoming import Incoming
from channels.sms.ports import Part, SetKey
from channels.sms.segments import DefaultAlphabet
from domain import gsm
from tests.unit.packing import pack_septets

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SENDERS = ("sms:84912345678", "sms:84987654321")
TIMEOUT = 120.0
BOUNDS = Bounds(timeout=TIMEOUT)
CODE = "000.00.18.H51-161220-0001"


def key(**changes: Any) -> SetKey:
    return SetKey(SENDERS[0], "sms:8088", 7, 8, 2)._replace(**changes)


def part(number: int, body: bytes = b"", *, of: SetKey | None = None, **changes: Any) -> Part:
    defaults: dict[str, Any] = {
        "set_id": 0,
        "number": number,
        "account": "viettel",
        "key": of or key(),
        "esm_class": c.ESM_UDHI,
        "data_coding": 0,
        "header": b"",
        "body": body or b"part %d" % number,
        "session": "viettel:1",
        "received_at": NOW,
    }
    return Part(**{**defaults, **changes})


class Account:
    """One account whose store and journal always work; the moment is set by the test."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.bounds = bounds
        self.new_id = itertools.count(1).__next__
        self.now = 0.0
        self.rows: dict[tuple[int, int], Part] = {}
        self.told: list[Gathering] = []
        self.reassembly = Reassembly(bounds, self.new_id)

    def take(self, *parts: Part) -> None:
        """Each is kept before the next comes."""
        for each in parts:
            self.keep(self.reassembly.add(each, self.now))

    def keep(self, parts: Sequence[Part] | None) -> None:
        assert parts is not None
        self.rows.update({(each.set_id, each.number): each for each in parts})
        self.reassembly.kept(parts)
        self.hand_in()

    def hand_in(self) -> None:
        for gathering in self.reassembly.ready(self.now):
            if gathering.parts:
                self.told.append(gathering)
            self.reassembly.done(gathering, self.now)
            done = NOW + timedelta(seconds=self.now)
            self.rows.update(
                {at: replace(row, done_at=done) for at, row in self.rows.items() if row.set_id == gathering.set_id}
            )

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.hand_in()

    def restart(self) -> None:
        """Another process, with what is in the store."""
        self.reassembly = Reassembly(self.bounds, self.new_id)
        rows = [row for _, row in sorted(self.rows.items())]
        self.reassembly.restore(rows, self.now, NOW + timedelta(seconds=self.now))
        self.hand_in()

    @property
    def bodies(self) -> list[bytes]:
        """What was handed in."""
        return [body_of(gathering) for gathering in self.told]


def body_of(gathering: Gathering) -> bytes:
    return b"|".join(each.body for each in gathering.in_order)


@pytest.fixture
def account() -> Account:
    return Account()


# Whole messages.

WAYS = st.tuples(st.integers(0, 3), st.sampled_from((8, 16)), st.integers(2, 4))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[Part]], list[Part]]:
    """Messages of several senders by several binds, no two of one key; their parts shuffled, some more than once."""
    keys = draw(
        st.lists(
            st.builds(lambda sender, way: SetKey(sender, "sms:8088", *way), st.sampled_from(SENDERS), WAYS),
            unique=True,
            min_size=1,
            max_size=6,
        )
    )
    messages = [
        [
            part(number, draw(st.binary(min_size=1, max_size=4)) + b"%d" % number, of=each, session=f"viettel:{number}")
            for number in range(1, each.total + 1)
        ]
        for each in keys
    ]
    parts = list(itertools.chain(*messages))
    again = draw(st.lists(st.sampled_from(parts), max_size=len(parts)))
    return messages, draw(st.permutations([*parts, *again]))


def whole(messages: Iterable[Sequence[Part]]) -> list[bytes]:
    return sorted(b"|".join(each.body for each in parts) for parts in messages)


@given(deliveries())
def test_every_message_comes_out_once_and_exactly_whatever_order_its_parts_come_in(
    given_: tuple[list[list[Part]], list[Part]],
) -> None:
    messages, parts = given_
    account = Account()
    account.take(*parts)
    account.pass_time(TIMEOUT)
    assert sorted(account.bodies) == whole(messages)
    assert all(row.done_at for row in account.rows.values())
    assert not account.reassembly.waiting


@given(deliveries(), st.integers(0, 40))
def test_a_restart_between_any_two_parts_loses_and_doubles_nothing(
    given_: tuple[list[list[Part]], list[Part]], restart_at: int
) -> None:
    messages, parts = given_
    account = Account()
    account.take(*parts[:restart_at])
    account.restart()
    account.take(*parts[restart_at:])
    account.pass_time(TIMEOUT)
    assert sorted(account.bodies) == whole(messages)


@given(deliveries(), st.integers(0, 1000))
def test_parts_the_store_did_not_take_come_again_and_cost_nothing(
    given_: tuple[list[list[Part]], list[Part]], seed: int
) -> None:
    """Writes under way, kept or lost in any order: what is lost is refused, and the SMSC sends it again."""
    messages, parts = given_
    account = Account()
    chance = random.Random(seed)
    waiting, under_way = list(parts), list[tuple[Part, Sequence[Part]]]()
    while waiting or under_way:
        if waiting and (not under_way or chance.random() < 0.5):
            sent = waiting.pop(0)
            kept = account.reassembly.add(sent, account.now)
            assert kept is not None
            if kept:
                under_way.append((sent, kept))
        else:
            sent, kept = under_way.pop(0)
            if chance.random() < 0.25:
                account.reassembly.lost(kept)
                waiting.append(sent)
            else:
                account.keep(kept)
    assert sorted(account.bodies) == whole(messages)


def test_a_message_that_is_whole_in_the_store_and_was_not_told_is_told_after_a_start(account: Account) -> None:
    kept = [account.reassembly.add(each, 0.0) for each in (part(1), part(2))]
    account.rows = {(each.set_id, each.number): each for some in kept for each in some or ()}
    account.restart()
    assert account.bodies == [b"part 1|part 2"]
    account.restart()
    assert len(account.told) == 1


@pytest.mark.parametrize(
    "other", [{"sender": SENDERS[1]}, {"recipient": "sms:1022"}, {"reference": 8}, {"width": 16}, {"total": 3}]
)
def test_parts_that_differ_in_anything_of_their_key_are_of_different_messages(
    account: Account, other: dict[str, Any]
) -> None:
    account.take(part(1), part(2, of=key(**other)))
    assert account.told == []


def test_a_part_that_is_being_written_does_not_make_a_message_whole(account: Account) -> None:
    account.take(part(1))
    kept = account.reassembly.add(part(2), 0.0)
    account.hand_in()
    assert account.told == []
    account.keep(kept)
    assert account.bodies == [b"part 1|part 2"]


# Parts that come again.


def test_a_part_that_comes_again_is_known_while_its_message_is_open_and_after_it_is_done(account: Account) -> None:
    account.take(part(1))
    assert account.reassembly.add(part(1, session="viettel:2"), 1.0) == ()
    account.take(part(2))
    account.pass_time(30.0)
    assert account.reassembly.add(part(2), account.now) == ()
    account.restart()
    assert account.reassembly.add(part(1), account.now) == ()
    account.pass_time(10 * TIMEOUT)
    assert len(account.told) == 1


def test_what_was_done_long_ago_is_forgotten(account: Account) -> None:
    account.take(part(1), part(2))
    account.pass_time(BOUNDS.remembered)
    account.take(part(2), part(1))
    assert len(account.told) == 2


def test_who_sends_the_same_long_message_again_under_the_same_reference_asks_again(account: Account) -> None:
    account.take(part(1), part(2))
    account.pass_time(BOUNDS.meant_after)
    account.take(part(1))
    assert len(account.told) == 1  # so far it may be one whose acknowledgement was lost
    account.take(part(2))
    first, second = account.told
    assert body_of(first) == body_of(second)
    assert first.set_id != second.set_id


def test_parts_redelivered_long_apart_are_no_question(account: Account) -> None:
    account.take(part(1), part(2))
    account.pass_time(BOUNDS.meant_after)
    account.take(part(1))
    account.pass_time(TIMEOUT + 1)
    account.take(part(2))
    assert len(account.told) == 1


def test_a_reference_used_anew_ends_the_message_before_it(account: Account) -> None:
    account.take(part(1), part(1, b"new 1"))
    assert account.bodies == [b"part 1"]
    account.take(part(2, b"new 2"))
    assert account.bodies == [b"part 1", b"new 1|new 2"]
    account.take(part(1, b"newest 1"), part(2, b"newest 2"))
    assert account.bodies[2:] == [b"newest 1|newest 2"]


def test_a_late_redelivery_of_the_message_before_does_not_end_the_one_under_way(account: Account) -> None:
    account.take(part(1), part(2))
    account.take(part(1, b"new 1"))
    assert account.reassembly.add(part(1), account.now) == ()
    account.take(part(2, b"new 2"))
    assert account.bodies == [b"part 1|part 2", b"new 1|new 2"]


def test_both_messages_of_a_reference_are_told_when_the_process_ended_between_them(account: Account) -> None:
    account.take(part(1))
    old, new = (
        account.reassembly.add(part(1, b"new 1"), 1.0) or [],
        account.reassembly.add(part(2, b"new 2"), 1.0) or [],
    )
    account.rows.update(
        {(each.set_id, each.number): replace(each, received_at=NOW + timedelta(seconds=1)) for each in (*old, *new)}
    )
    account.restart()
    assert account.bodies == [b"part 1", b"new 1|new 2"]


# Parts that never come.


def test_what_is_there_is_told_when_nothing_was_heard_for_too_long(account: Account) -> None:
    account.take(part(1, of=key(total=3)))
    account.pass_time(TIMEOUT - 1)
    account.take(part(3, of=key(total=3)))
    account.pass_time(TIMEOUT - 1)
    assert account.told == []
    account.pass_time(1)
    assert account.bodies == [b"part 1|part 3"]


def test_the_time_without_news_goes_on_over_a_restart(account: Account) -> None:
    account.take(part(1))
    account.pass_time(TIMEOUT - 1)
    account.restart()
    assert account.told == []
    account.pass_time(1)
    assert account.bodies == [b"part 1"]


def test_a_part_that_comes_too_late_makes_the_message_whole_after_all(account: Account) -> None:
    account.take(part(1))
    account.pass_time(TIMEOUT)
    account.take(part(2))
    assert account.bodies == [b"part 1", b"part 1|part 2"]
    assert len({gathering.set_id for gathering in account.told}) == 2


def test_a_message_of_which_nothing_could_be_kept_is_only_closed(account: Account) -> None:
    kept = account.reassembly.add(part(1), 0.0)
    assert kept
    account.reassembly.lost(kept)
    assert [gathering.parts for gathering in account.reassembly.ready(0.0)] == [{}]
    account.pass_time(TIMEOUT)
    assert account.told == []


def test_what_was_refused_is_told_again_after_a_while(account: Account) -> None:
    for each in (part(1), part(2)):
        account.reassembly.kept(account.reassembly.add(each, 0.0) or ())
    [gathering] = account.reassembly.ready(0.0)
    account.reassembly.refused(gathering, 0.0)
    assert account.reassembly.ready(0.0) == []
    assert account.reassembly.waiting
    assert account.reassembly.ready(BOUNDS.retry) == [gathering]
    assert account.reassembly.add(part(2), BOUNDS.retry) == ()


# Memory.


def test_a_sender_of_many_beginnings_loses_only_their_own(account: Account) -> None:
    account.take(part(1, of=key(sender=SENDERS[1])))
    account.take(*(part(1, b"%d" % number, of=key(reference=number)) for number in range(BOUNDS.sets_per_sender + 2)))
    assert account.bodies == [b"0", b"1"]


def test_beginnings_of_many_senders_push_out_the_oldest() -> None:
    account = Account(Bounds(timeout=TIMEOUT, sets=3))
    account.take(*(part(1, b"%d" % number, of=key(sender=f"sms:{number}")) for number in range(3)))
    account.take(part(2, of=key(sender="sms:0", total=3)))  # another key: total
    assert account.bodies == [b"0"]


def test_nothing_more_is_taken_while_what_is_told_is_taken_from_nobody() -> None:
    account = Account(Bounds(timeout=TIMEOUT, sets=2))
    reassembly = account.reassembly
    for number in range(4):
        reassembly.kept(reassembly.add(part(1, of=key(sender=f"sms:{number}")), 0.0) or ())
    assert reassembly.add(part(1, of=key(sender="sms:9")), 0.0) is None
    assert reassembly.add(part(2, of=key(sender="sms:3")), 0.0)  # what was begun is finished
    for gathering in reassembly.ready(0.0):
        reassembly.done(gathering, 0.0)
    assert reassembly.add(part(1, of=key(sender="sms:9")), 0.0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(1, 3), st.integers(0, 2)), max_size=120))
def test_whatever_comes_no_more_is_remembered_than_allowed(coming: list[tuple[int, int, int, int]]) -> None:
    account = Account(Bounds(timeout=TIMEOUT, sets=5, sets_per_sender=2))
    reassembly = account.reassembly
    for sender, reference, number, seconds in coming:
        account.now += seconds
        account.take(part(number, of=key(sender=f"sms:{sender}", reference=reference, total=3)))
        assert len(reassembly._open) <= 5
        assert len(reassembly._forget) <= 5
        assert len(reassembly._past) <= 5
        assert set(reassembly._senders) == {each.sender for each in reassembly._open}
        assert all(len(sets) <= 2 for sets in reassembly._senders.values())
    account.pass_time(TIMEOUT)
    account.pass_time(BOUNDS.remembered)
    assert not reassembly.waiting
    assert not reassembly._senders
    assert not reassembly._past


# What the parts say.

ENCODED: dict[int, Callable[[str], bytes]] = {
    0: gsm.encode_gsm7,
    3: lambda text: text.encode("latin-1"),
    8: lambda text: text.encode("utf-16-be"),
}


def read(*parts: Part, packed: bool = False) -> Any:
    smpp = SmppAccount(
        name="viettel",
        host="h",
        system_id="s",
        password="p",
        short_code="8088",
        packed=packed,
        default_alphabet=DefaultAlphabet.GSM,
    )
    return Incoming(smpp, lambda: 1).assembled(5, parts, parts[-1])


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=4), st.lists(st.integers(0, 400), min_size=1, max_size=3)
)
def test_a_text_cut_anywhere_even_within_a_character_reads_as_it_was(text: str, cuts: list[int]) -> None:
    octets = text.encode("utf-16-be")
    ends = sorted(min(cut, len(octets)) for cut in cuts)
    pieces = [octets[begin:end] for begin, end in itertools.pairwise([0, *ends, len(octets)])]
    of = key(total=len(pieces))
    message = read(
        *(
            part(number, piece, of=of, data_coding=8)
            if piece
            else replace(part(number, of=of, data_coding=8), body=b"")
            for number, piece in enumerate(pieces, 1)
        )
    )
    alone = read(part(1, octets, of=key(total=1), data_coding=8))
    assert message.text == alone.text
    assert message.raw is None


def test_parts_in_different_alphabets_are_read_each_in_its_own() -> None:
    of = key(total=3)
    texts = {0: "ho so", 8: " của tôi ", 3: "déjà"}
    message = read(
        *(
            part(number, ENCODED[coding](text), of=of, data_coding=coding)
            for number, (coding, text) in enumerate(texts.items(), 1)
        )
    )
    assert (message.text, message.raw) == ("ho so của tôi déjà", None)


def test_packed_parts_are_unpacked_behind_their_headers() -> None:
    header = b"\x05\x00\x03\x07\x02"
    pieces = ("TRA  CUU ", CODE)
    parts = [
        part(number, pack_septets(gsm.encode_gsm7(text), fill_bits=1), header=header + bytes([number]))
        for number, text in enumerate(pieces, 1)
    ]
    assert read(*parts, packed=True).text == f"TRA  CUU {CODE}"


@pytest.mark.parametrize(
    ("total", "texts", "read_as"),
    [
        (2, {1: f"tra cuu {CODE} cho to"}, f"tra cuu {CODE} cho [thieu]"),
        (2, {1: f"tra cuu {CODE[:-2]}"}, "tra cuu [thieu]"),
        (2, {2: f"{CODE[12:]} cam on"}, "[thieu] cam on"),
        (2, {2: f"n {CODE}"}, f"[thieu] {CODE}"),
        (3, {1: "mot ha", 3: "bon nam"}, "mot [thieu] nam"),
        (4, {2: "i ba b", 3: "on nam s"}, "[thieu] ba bon nam [thieu]"),
        (2, {1: CODE}, "[thieu]"),
        (3, {2: CODE}, "[thieu][thieu]"),
        # codes typed with spaces
        (2, {1: "ho so 000 00 18 H51 161220 00"}, "ho so [thieu]"),
        (2, {1: f"ho so {CODE} "}, "ho so [thieu]"),
        (2, {2: "8 H51-161220-0001 cam on"}, "[thieu] cam on"),
        (2, {2: " H51 161220 - 0001 cam on"}, "[thieu] cam on"),
        (2, {2: "8 000.00.18 . H51"}, "[thieu]"),
    ],
)
def test_words_beside_a_gap_are_left_out_since_half_a_code_could_be_somebody_elses(
    total: int, texts: dict[int, str], read_as: str
) -> None:
    parts = [part(number, text.encode(), of=key(total=total)) for number, text in texts.items()]
    assert read(*parts).text == read_as


def test_octets_that_cannot_be_read_are_kept() -> None:
    message = read(part(1, b"\x00\xff", data_coding=4), part(2, b"\x10", data_coding=4))
    assert (message.text, message.raw) == ("", b"\x00\xff\x10")


def test_the_message_is_its_sets_and_came_when_the_last_part_did() -> None:
    later = part(1, session="viettel:2", received_at=NOW + timedelta(seconds=3))
    parts = [later, part(2)]
    smpp = SmppAccount(name="viettel", host="h", system_id="s", password="p", short_code="8088")
    message = Incoming(smpp, lambda: 1).assembled(5, parts, later)
    assert (message.id, message.session, message.received_at) == (5, "viettel:2", later.received_at)
    assert (message.sender.urn, message.recipient.urn) == (SENDERS[0], "sms:8088")


def test_identity_tells_messages_apart_by_all_that_counts_and_by_nothing_else() -> None:
    parts = [part(1), part(2)]
    changed = [
        [part(1, b"x"), part(2)],
        [part(1), part(2, b"x")],
        [part(1), part(2, data_coding=1)],
        [part(1), part(2, esm_class=0)],
        [part(1, header=b"\x00"), part(2)],
        *(
            [replace(each, key=other) for each in parts]
            for other in (key(sender=SENDERS[1]), key(reference=8), key(width=16))
        ),
        [part(1)],
    ]
    identities = {read(*each).identity for each in (parts, *changed)}
    assert len(identities) == len(changed) + 1
    again = [replace(each, set_id=9, session="other", received_at=NOW + timedelta(hours=1)) for each in parts]
    assert read(*again).identity == read(*parts).identity


def test_headers_beside_the_concatenation_do_not_matter_to_the_text() -> None:
    payload = Payload(header=b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x09\x02\x01", body=b"TC")
    assert read(part(1, payload.body, header=payload.header), part(2, b" x")).text == "TC x"
