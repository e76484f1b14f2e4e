"""The whole gateway under garbage: it neither falls nor swells, and no honest question beside it goes unanswered."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from bench.sms import resident_mb
from channels.sms.pdu import SubmitSm
from demo.process import GatewayProcess
from demo.smsc_messages import Concatenation
from demo.smsc_options import SmscOptions
from demo.smsc_server import Seen, Smsc
from demo.smsc_tickets import MoTicket
from tests.whole.gateways import (
    SHORT_CODE,
    STORE,
    Account,
    actions,
    assert_quiet,
    make_gateway,
    running,
    sms_events,
    tell,
)
from tests.whole.mutations import broken, mutated, mutated_answer
from tests.whole.nonsense import Nonsense, allowed_lines, nonsense

PDUS: Final = 20_000
BLOCK: Final = 100  # of them around one honest question
BREAKS: Final = 50
TEXTS: Final = 2_000
AT_ONCE: Final = 500  # texts under way
SEED: Final = 20_261_122
PATIENCE: Final = 120.0  # seconds for an answer
WARM: Final = 0.25  # of the run, after which caches, pools and allocator have found their size
# The store's page cache mirrors its file, up to 64 MiB (adapters/store/lane.py); a page there takes a little more.
PER_STORED: Final = 1.2

HONEST: Final = (
    ("000.00.18.H51-161220-0001", "Ho so 000.00.18.H51-161220-0001 dang xu ly tai So NN-MT Can Tho"),
    ("ma h51,18-25o701-5", "Ho so H51.18-250701-0005 con thieu giay to"),
    ("H13.18-250701-0003", "Ho so H13.18-250701-0003 da co ket qua"),
    ("H51.18-260102-0099", "Chua co thong tin ve ma H51.18-260102-0099"),
    ("help", "Tra cuu: gui ma. Bao tin: DK"),
)
NO_REPLY: Final = (SHORT_CODE, "8088", "VIETTEL", "")


@asynccontextmanager
async def serving(
    directory: Path, *, record: bool = True, on_pdu: Callable[[Seen], None] | None = None
) -> AsyncIterator[tuple[Smsc, GatewayProcess]]:
    """The simulated SMSC and a gateway bound to it, which reconnects and resumes at once."""
    swift = {"reconnect_first": "0.02", "reconnect_cap": "0.05", "throttle_pause": "0.05"}
    async with Smsc(SmscOptions(window=200, record=record), on_pdu=on_pdu) as smsc:
        account = Account(port=smsc.port, more={"window": "100", "rate": "0", **swift})
        async with running(make_gateway(directory, account)) as gateway:
            yield smsc, gateway


async def ask(smsc: Smsc, number: int) -> MoTicket:
    """An honest question from a citizen of its own."""
    return await smsc.send_mo(f"8455{number:07}", SHORT_CODE, HONEST[number % len(HONEST)][0])


async def answered(ticket: MoTicket) -> None:
    """The question's own answer has come."""
    async with asyncio.timeout(PATIENCE):
        reply = await ticket.reply()
    assert reply.text.startswith(dict(HONEST)[ticket.text])


def stored_mb(directory: Path) -> float:
    """What the store holds, its write-ahead log included, in MiB."""
    with closing(sqlite3.connect(directory / STORE)) as store:
        (pages,) = store.execute("PRAGMA page_count").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    return float(pages * size / 2**20)


@pytest.mark.parametrize(
    # The most growth in MiB beyond the store's, after warming up: less than keeping of each PDU what it was. Every new
    # sender has budgets (replies, codes, the block's), of about 1 kB each for as long as their windows.
    ("seed", "pdus", "most"),
    [(SEED, PDUS, 3.0), pytest.param(SEED + 1, 10 * PDUS, 10.0, marks=pytest.mark.long)],
    ids=["", "long"],
)
async def test_mutated_pdus_cost_no_neighbour_its_answer_and_memory_stays_flat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, pdus: int, most: float
) -> None:
    chance = random.Random(seed)
    tickets: list[MoTicket] = []
    sizes: list[tuple[float, float]] = []
    async with serving(tmp_path, record=False) as (smsc, gateway):
        for number in range(pdus // BLOCK):
            smsc.send_octets(b"".join(mutated(chance) for _ in range(BLOCK // 2)))
            tickets.append(await ask(smsc, number))
            smsc.send_octets(b"".join(mutated(chance) for _ in range(BLOCK // 2)))
            await answered(tickets[-1])
            sizes.append((resident_mb(gateway.pid), stored_mb(tmp_path)))
        assert len(smsc.sessions) == 1
        counted = await sms_events(gateway)
        assert await gateway.stop() == 0
    (warm, stored_then), (resident, stored) = sizes[int(len(sizes) * WARM)], sizes[-1]
    growth = resident - warm - PER_STORED * (stored - stored_then)
    tell(
        capsys,
        f"{pdus} mutated PDUs: {sum(bool(ticket.replies) for ticket in tickets)} of {len(tickets)} neighbours answered, {counted['malformed']} malformed,"
        f" {counted['refused']} messages refused; RSS {warm:.1f} MiB after a quarter, {resident:.1f} MiB at the end, of which"
        f" {stored - stored_then:.1f} MiB more store, {growth:.1f} MiB the rest",
    )
    assert {len(ticket.replies) for ticket in tickets} == {1}
    assert counted["binds"] == 1
    assert counted["malformed"] > pdus // 10  # it was garbage indeed
    assert growth < most
    assert_quiet(tmp_path)


async def test_broken_framing_costs_the_link_and_nobody_his_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    tickets: list[MoTicket] = []
    async with serving(tmp_path) as (smsc, gateway):
        for number in range(BREAKS):
            async with asyncio.timeout(PATIENCE):
                await smsc.bound()
            (link,) = smsc.binds
            before = await ask(smsc, 2 * number)
            smsc.send_octets(broken(chance, number))
            after = await ask(smsc, 2 * number + 1)
            async with asyncio.timeout(PATIENCE):
                await link.closed.wait()
            tickets += [before, after]
        for ticket in tickets:
            await answered(ticket)
        assert await gateway.stop() == 0
    binds = actions(tmp_path)["sms.bound"]
    twice = sum(len(ticket.replies) > 1 for ticket in tickets)
    tell(capsys, f"{BREAKS} broken frames: {binds} binds, {len(tickets)} questions answered, {twice} of them twice")
    assert binds == BREAKS + 1
    assert max(len(ticket.replies) for ticket in tickets) <= 2
    assert_quiet(tmp_path)


async def test_garbage_in_answer_to_a_reply_is_survived_and_costs_no_other_its_reply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    tickets: list[MoTicket] = []
    touched: set[str] = set()

    def answer_first(seen: Seen) -> None:
        """Every third citizen's first segment is answered by garbage before it is answered by the SMSC."""
        pdu = seen.pdu
        if isinstance(pdu, SubmitSm) and int(pdu.destination) % 3 == 0 and pdu.destination not in touched:
            touched.add(pdu.destination)
            smsc.send_octets(mutated_answer(chance, pdu.sequence))

    async with serving(tmp_path, on_pdu=answer_first) as (smsc, gateway):
        for start in range(0, 300, 50):
            under_way = [await ask(smsc, number) for number in range(start, start + 50)]
            for ticket in under_way:
                await answered(ticket)
            tickets += under_way
        assert await gateway.stop() == 0
    counts = Counter((ticket.source in touched, len(ticket.replies)) for ticket in tickets)
    tell(capsys, f"garbage answers: {len(touched)} of {len(tickets)} replies; sent twice {counts[True, 2]}")
    assert counts[False, 1] == len(tickets) - len(touched)
    assert counts[True, 1] + counts[True, 2] == len(touched) == len(tickets) // 3
    assert_quiet(tmp_path)


async def say(smsc: Smsc, source: str, what: Nonsense) -> MoTicket:
    """Whatever does not fit one segment goes whole, in message_payload."""
    short = len(what.octets if what.octets is not None else what.text) <= 70
    whole = Concatenation.UDH8 if short else Concatenation.PAYLOAD
    return await smsc.send_mo(
        source, SHORT_CODE, what.text, octets=what.octets, data_coding=what.data_coding, concatenation=whole
    )


@pytest.mark.parametrize(
    ("seed", "texts"), [(SEED, TEXTS), pytest.param(SEED + 1, 50_000, marks=pytest.mark.long)], ids=["", "long"]
)
async def test_random_texts_get_one_reply_of_our_own_words_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, texts: int
) -> None:
    asked = nonsense(seed, texts)
    tickets: list[MoTicket] = []
    async with serving(tmp_path, record=False) as (smsc, gateway):
        for start in range(0, texts, AT_ONCE):
            under_way = [
                await say(smsc, f"8455{start + number:07}", what)
                for number, what in enumerate(asked[start : start + AT_ONCE])
            ]
            async with asyncio.timeout(PATIENCE):
                for ticket in under_way:
                    await ticket.reply()
            tickets += under_way
        silent = await unanswerable(smsc, asked[: len(NO_REPLY) * 10])
        assert await gateway.stop() == 0
    assert {len(ticket.replies) for ticket in tickets} == {1}
    assert {len(ticket.replies) for ticket in silent} == {0}
    lines = [line for ticket in tickets for line in ticket.replies[0].text.split("\n")]
    ours = allowed_lines()
    assert [line for line in lines if ours.fullmatch(line) is None] == []
    kinds = Counter(each.kind for each in asked)
    tell(capsys, f"{len(tickets)} random texts, one reply each: {dict(kinds)}; {len(silent)} rightly without one")
    assert_quiet(tmp_path)


async def unanswerable(smsc: Smsc, asked: Sequence[Nonsense]) -> list[MoTicket]:
    """The rules that give no reply: one of our numbers, a short one, a name, a sender that hides; thanks for an answer."""
    tickets = [await say(smsc, source, what) for source, what in zip(cycle(NO_REPLY), asked, strict=False)]
    first = await ask(smsc, 9_000_000)
    await answered(first)
    tickets.append(await smsc.send_mo(first.source, SHORT_CODE, "cam on nhe 🙏"))
    for ticket in tickets:
        async with asyncio.timeout(PATIENCE):
            assert await ticket.acked == 0
    return tickets
