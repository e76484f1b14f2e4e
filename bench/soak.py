"""`python -m bench.soak`: two operators that misbehave, questions and notices all the time, a gateway that is killed now
and then; at the end everything that went in must have come out, once.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from bench.any_store import AnyStore
from bench.bulk_rows import Bulk, BulkRows
from bench.settings import gateway_of, settings_of
from bench.sms import resident_mb
from bench.soak_smsc import INCIDENTS, PARTS_TIMEOUT, RESPONSE_TIMEOUT, SoakSmsc, any_incident
from bench.soak_verdict import OutboxRow, Sample, Verdict, growth, judge, judge_orphans
from bench.stores import Place, StoreKind, place
from channels.sms.commands import status_text
from demo import onestop
from demo.process import GatewayProcess
from demo.smsc_faults import Fault
from demo.smsc_messages import Concatenation
from demo.smsc_tickets import MoTicket
from domain.calendar import local_day
from domain.message import Category
from notifications.retry import OutboxState

ACCOUNT: Final = """
[[sms]]
name = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "{name}"
password = "demo"
short_code = "{short_code}"
window = 20
rate = 100
response_timeout = {response_timeout}
enquire_link_idle = 2
unfinished_timeout = 3
reconnect_first = 0.2
reconnect_cap = 2
parts_timeout = {parts_timeout}
throttle_pause = 0.5
{binds}
"""
TWICE: Final = "[[sms.bind]]\ncount = 2\n"
APART: Final = '[[sms.bind]]\nmode = "transmitter"\n[[sms.bind]]\nmode = "receiver"\n'

SHORT_TEXTS: Final = (
    "H51.18-250701-0001",
    "h51 18 250701 0002",
    "Tra cứu hồ sơ H51.29.18-250701-0004 giúp tôi",
    "H51.18-260102-0099",
    "help",
)
LONG: Final = "Kinh gui bo phan mot cua, toi nop ho so tu thang truoc ma chua thay bao gi, xin cho biet ho so "
LONG_TEXTS: Final = (LONG * 2 + "H51.18-250701-0001", "Hồ sơ H51.18-250701-0002. " + LONG.replace("ho so", "hồ sơ"))
SHARE_OF_LONG: Final = 0.2
LONG_EVERY: Final = 5  # of the bulk, one of two segments

GROWTH_MB: Final = 12.0  # of the last third above the second: allocator and caches; a leak of 1 kB a message is more
PER_STORED: Final = 1.2  # a page of the store's file, kept in memory, takes a little more
SAMPLES_A_RUN: Final = 300
LOOK_EVERY: Final = 0.5  # seconds
LINGER: Final = 2.0  # seconds for what comes once more
READY_WITHIN: Final = 120.0
OK: Final = 200
UNDER_WAY: Final = (OutboxState.READY, OutboxState.CLAIMED, OutboxState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakOptions:
    """`asked` questions and `bulk` notices and broadcasts a second; an incident to each SMSC about `every` seconds."""

    seconds: float = 600.0
    seed: int = 20_261_122
    asked: float = 50.0
    bulk: float = 20.0
    every: float = 3.0
    kills: Sequence[float] = (0.2, 0.5)  # of the time; memory is looked at after the last
    drain_within: float = 660.0  # a notice that was refused waits for as long as it is old, ten minutes at most
    store: StoreKind = StoreKind.SQLITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What came of it."""

    options: SoakOptions
    verdict: Verdict
    questions: int
    mail: int
    incidents: Counter[str]
    refused: Counter[int]
    samples: Sequence[Sample]
    drained: float


@dataclass(slots=True, kw_only=True)
class Soak:
    """One run under way."""

    options: SoakOptions
    store: AnyStore
    gateway: GatewayProcess
    smscs: Sequence[SoakSmsc]
    tickets: dict[str, tuple[SoakSmsc, MoTicket]] = field(default_factory=dict)
    mail: dict[str, SoakSmsc] = field(default_factory=dict)
    incidents: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)  # of the process that lives now

    def chance(self, what: str) -> random.Random:
        """Its own for each, so that one does not change the others'."""
        return random.Random(f"{self.options.seed} {what}")

    async def ask(self) -> None:
        """Until cancelled, at its rate whatever comes back."""
        chance = self.chance("questions")
        async for number in paced(self.options.asked):
            smsc = chance.choice(self.smscs)
            text = chance.choice(LONG_TEXTS if chance.random() < SHARE_OF_LONG else SHORT_TEXTS)
            source, how = f"8491{number:07}", chance.choice(list(Concatenation))
            self.tickets[source] = smsc, await smsc.send_mo(source, smsc.short_code, text, concatenation=how)

    async def send_bulk(self) -> None:
        rows = BulkRows(self.store)
        await rows.open()
        async for number in paced(self.options.bulk):
            smsc = self.smscs[number % len(self.smscs)]
            bulk = Bulk(
                number=number,
                account=smsc.name,
                sender=smsc.short_code,
                recipient=f"8498{number:07}",
                category=Category.NOTICE if number // 2 % 2 else Category.BROADCAST,
                segments=1 if number % LONG_EVERY else 2,
            )
            await rows.write([bulk])
            self.mail[bulk.recipient] = smsc

    async def trouble(self, smsc: SoakSmsc) -> None:
        """Until cancelled; what lasts does not keep the next waiting."""
        chance = self.chance(smsc.name)
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(chance.uniform(0.5, 1.5) * self.options.every)
                name = any_incident(chance)
                self.incidents[name] += 1
                group.create_task(INCIDENTS[name][1](smsc, chance))

    async def kill(self) -> None:
        """Without a word; whoever asks meanwhile waits."""
        began = time.monotonic()
        for share in self.options.kills:
            await asyncio.sleep(max(0.0, began + share * self.options.seconds - time.monotonic()))
            await self.gateway.kill()
            self.samples.clear()
            self.incidents["kill -9 of the gateway"] += 1
            await self.gateway.launch()

    async def sample(self) -> None:
        while True:
            await asyncio.sleep(self.options.seconds / SAMPLES_A_RUN)
            try:
                resident = resident_mb(self.gateway.pid)
            except (RuntimeError, OSError):  # it is being killed: the next look finds the new one
                continue
            sample = Sample(at=time.monotonic(), resident=resident, stored=self.store.megabytes)
            self.samples.append(sample)

    async def rows(self, states: Sequence[OutboxState] = tuple(OutboxState)) -> list[OutboxRow]:
        listed = ", ".join(f"'{state.value}'" for state in states)
        found = await self.store.fetch(
            "SELECT recipient, category, state, attempts, created_at, available_at, handed_over_at, settled_at, delivery_status"  # noqa: S608 - words of ours
            f" FROM outbox WHERE state IN ({listed})"
        )
        return [
            OutboxRow(
                number=recipient.removeprefix("sms:"),
                category=Category(category),
                state=OutboxState(state),
                attempts=attempts,
                created_at=created_at,
                available_at=available_at,
                handed_over_at=handed_over_at,
                settled_at=settled_at,
                delivery_status=delivery_status,
            )
            for recipient, category, state, attempts, created_at, available_at, handed_over_at, settled_at, delivery_status in found
        ]

    async def settled(self) -> bool:
        """Nothing is under way, neither there nor here."""
        if not all(smsc.settled for smsc in self.smscs):
            return False
        if not all(ticket.acked.done() for _, ticket in self.tickets.values()):
            return False
        if not all(row.waits for row in await self.rows(UNDER_WAY)):
            return False
        [(replies,)] = await self.store.fetch("SELECT count(DISTINCT recipient) FROM outbox WHERE category = 'reply'")
        return int(replies) >= len(self.tickets)

    async def drain(self) -> float:
        """Nothing goes wrong any more; seconds until nothing is under way, or until patience ends."""
        began = time.monotonic()
        for smsc in self.smscs:
            smsc.behave()
        while time.monotonic() - began < self.options.drain_within and not await self.settled():  # noqa: ASYNC110 (a store has no event to await)
            await asyncio.sleep(LOOK_EVERY)
        drained = time.monotonic() - began
        await asyncio.sleep(LINGER)
        return drained

    async def judge(self) -> Verdict:
        verdict = Verdict()
        questions = {number: smsc for number, (smsc, _) in self.tickets.items()}
        judge(questions, self.mail, await self.rows(), verdict)
        by_name = {smsc.name: smsc for smsc in self.smscs}
        orphans = await self.store.fetch("SELECT account, external_id FROM report")
        judge_orphans([(by_name[account], external_id) for account, external_id in orphans], verdict)
        if not await ready(self.gateway):
            verdict.breach("the gateway is not ready at the end")
        grown = growth(self.samples, per_stored=PER_STORED)
        if grown is not None and grown > GROWTH_MB:
            verdict.breach(f"memory grew by {grown:.1f} MiB")
        return verdict


async def paced(rate: float) -> AsyncIterator[int]:
    """0, 1, 2, ..., so many a second; late ones come at once."""
    began, number = time.monotonic(), 0
    while True:
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield number
        number += 1


async def ready(gateway: GatewayProcess) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{gateway.operations}/readyz") as response:
            return response.status == OK
    except aiohttp.ClientError:
        return False


async def run_soak(options: SoakOptions, directory: Path, at: Place) -> Soaked:
    """Start everything, let it run, let it come to rest, look."""
    onestop.seed(directory, local_day(datetime.now(UTC)))
    smscs = [
        SoakSmsc("north", "8100", Fault.ID_HEX_THEN_DECIMAL, options.seed),
        SoakSmsc("south", "8200", Fault.ID_OTHER_CASE, options.seed + 1),
    ]
    async with smscs[0], smscs[1]:
        soak = Soak(
            options=options, store=AnyStore(at.database), gateway=make_gateway(directory, at, smscs), smscs=smscs
        )
        await soak.gateway.start(ready_within=READY_WITHIN)
        try:
            await under_fire(soak)
            drained = await soak.drain()
            verdict = await soak.judge()
        finally:
            await soak.gateway.stop()
    return Soaked(
        options=options,
        verdict=verdict,
        questions=len(soak.tickets),
        mail=len(soak.mail),
        incidents=soak.incidents,
        refused=sum((smsc.refused for smsc in smscs), Counter()),
        samples=soak.samples,
        drained=drained,
    )


async def under_fire(soak: Soak) -> None:
    """Until the time is over."""
    for smsc in soak.smscs:
        smsc.misbehave()
    troubles = [soak.trouble(smsc) for smsc in soak.smscs]
    work = [asyncio.create_task(each) for each in (soak.ask(), soak.send_bulk(), soak.kill(), soak.sample(), *troubles)]
    done, _ = await asyncio.wait(work, timeout=soak.options.seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    for task in done:
        task.result()  # it fell
    for smsc in soak.smscs:
        await smsc.listening()


def make_gateway(directory: Path, at: Place, smscs: Sequence[SoakSmsc]) -> GatewayProcess:
    accounts = [
        ACCOUNT.format(
            name=smsc.name,
            port=smsc.port,
            short_code=smsc.short_code,
            response_timeout=RESPONSE_TIMEOUT,
            parts_timeout=PARTS_TIMEOUT,
            binds=binds,
        )
        for smsc, binds in zip(smscs, (TWICE, APART), strict=True)
    ]
    return gateway_of(directory / "soak.toml", settings_of(directory, at, *accounts, level="info"))


# ---- as a program


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="Of trouble; the drain comes after.")
@click.option("--seed", type=int, help="Of all chances; unset: another each time.")
@click.option("--asked", default=50.0, show_default=True, help="Questions a second.")
@click.option("--bulk", default=20.0, show_default=True, help="Notices and broadcasts a second.")
@click.option("--every", default=3.0, show_default=True, help="Seconds between two incidents at an SMSC.")
@click.option(
    "--store",
    type=click.Choice([kind.name.lower() for kind in StoreKind]),
    default=StoreKind.SQLITE.name.lower(),
    show_default=True,
    help="Where everything is kept.",
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="A directory for store and log.")
def main(
    *, minutes: float, seed: int | None, asked: float, bulk: float, every: float, store: str, keep: Path | None
) -> None:
    """Let everything go wrong for a while, and count."""
    options = SoakOptions(
        seconds=60 * minutes,
        seed=random.randrange(1 << 31) if seed is None else seed,
        asked=asked,
        bulk=bulk,
        every=every,
        store=StoreKind[store.upper()],
    )
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tracuu-soak-") as folder:
        directory = keep or Path(folder)
        directory.mkdir(parents=True, exist_ok=True)
        with place(options.store, directory) as at:
            soaked = asyncio.run(run_soak(options, directory, at))
    Console(width=120).print(table_of(soaked))
    sys.exit(1 if soaked.verdict.breaches else 0)


def table_of(soaked: Soaked) -> Table:
    """Everything that was counted."""
    options, verdict = soaked.options, soaked.verdict
    title = f"A soak of {options.seconds:.0f} s, seed {options.seed}, on {options.store.value}"
    table = Table("", "what", "times", title=title)
    for name, count in (("questions", soaked.questions), ("notices and broadcasts", soaked.mail)):
        table.add_row("in", name, f"{count:,}")
    for name, times in sorted(soaked.incidents.items()):
        table.add_row("incident", name, str(times))
    for status, times in sorted(soaked.refused.items()):
        table.add_row("incident", f"submit refused with {status_text(status)}", str(times))
    for heading, counts in (("kept", verdict.kept), ("let pass", verdict.let_pass), ("BREACH", verdict.breaches)):
        for name, times in sorted(counts.items()):
            example = f" (one: {verdict.examples[name]})" if verdict.examples.get(name) and heading == "BREACH" else ""
            table.add_row(heading, name + example, f"{times:,}")
    if soaked.samples:
        grown = growth(soaked.samples, per_stored=PER_STORED)
        told = "too short to say" if grown is None else f"{grown:.1f}"
        table.add_row("memory", "MiB at the end", f"{soaked.samples[-1].resident:.0f}")
        table.add_row("memory", f"MiB grown in the last third (bound {GROWTH_MB:.0f})", told)
    table.add_row("time", "seconds until everything had come to rest", f"{soaked.drained:.1f}")
    table.add_row("verdict", "broken" if verdict.breaches else "kept", "")
    return table


if __name__ == "__main__":
    main()
