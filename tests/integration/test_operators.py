"""Accounts at two operators: what is asked is answered where it was asked, what nobody asked for finds its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.sms.commands import TON_ALPHANUMERIC
from channels.sms.pdu import SubmitSm
from console.accounts.ports import AuditEntry
from console.broadcasts.ports import Broadcasts, Draft, FileRow, Standing, Upload
from demo import onestop
from demo.generous import generous_guards
from demo.smsc import Fault, Smsc, SmscOptions
from domain.broadcasts import Audience, AudienceKind, BroadcastAction
from domain.calendar import local_day
from domain.ids import IdSequence
from domain.message import Address
from domain.officers import Officer, OfficerRole
from gateway.bootstrap import migrate
from gateway.bootstrap.broadcasts import make_fitness
from gateway.bootstrap.serving import Made, make, make_supervisor
from gateway.bootstrap.words import read_words
from gateway.configuration import load_settings
from gateway.roles import Duties, Role
from notifications.broadcasting import ahead_of
from tests.whole.followed import Agency, FileView, Person, follow
from tests.whole.gateways import CONFIG, ROOT, STORE, Account

PATIENCE = 60.0  # seconds for whatever is to happen
NAME = "TRACUU"
VIETTEL, MOBIFONE = "84961234567", "84901234567"  # numbers, by their beginning
BASIS = "Quyết định 40/2016"
SETTINGS = f"""
[[notices.route]]
prefixes = ["096", "086"]
account = "viettel"
[[notices.route]]
prefixes = ["+8490"]
account = "mobifone"

[[console.legal_bases]]
agency = "H13"
words = "{BASIS}"
"""
WITHIN = frozenset({"H13"})
RATE = 200  # messages a second, where one operator is away
IDS_OF_TESTS = 1_000  # a process number nobody has


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """A gateway in this process, bound to both operators."""

    made: Made
    viettel: Smsc
    mobifone: Smsc
    agency: Agency
    store: FileView

    async def left(self, smsc: Smsc, sms: int = 1) -> Sequence[SubmitSm]:
        """As many messages as left by this operator, once there are so many; none too many left by then."""
        async with asyncio.timeout(PATIENCE):
            await smsc.until(lambda: len(smsc.received(SubmitSm)) >= sms)
        return [pdu for pdu in smsc.received(SubmitSm) if isinstance(pdu, SubmitSm)]


@pytest.fixture
async def province(tmp_path: Path) -> AsyncIterator[Province]:
    async with _province(tmp_path, away=False) as there:
        yield there


@pytest.fixture
async def half(tmp_path: Path) -> AsyncIterator[Province]:
    """One operator lets nobody in."""
    async with _province(tmp_path, away=True) as there:
        yield there


@asynccontextmanager
async def _province(directory: Path, *, away: bool) -> AsyncIterator[Province]:
    """`away`: the second operator is."""
    async with AsyncExitStack() as stack:
        refusing = SmscOptions(faults={Fault.BIND_FAILED: 1.0} if away else {})
        viettel, mobifone = [await stack.enter_async_context(Smsc(each)) for each in (SmscOptions(), refusing)]
        onestop.seed(directory, local_day(datetime.now(UTC)))
        agency = Agency(directory, 1, seed=3)
        files = {"store": STORE, "hoso": onestop.HOSO_FILE, "dossier": onestop.DOSSIER_FILE}
        text = CONFIG.format(directory=directory, root=ROOT, guards=generous_guards(), **files)
        text = text.replace('opencps.toml"', 'opencps.toml"\nwatch = { poll_s = 0.1 }')
        text = text.replace("[listen]", '[listen]\noperations = { host = "127.0.0.1", port = 0 }')
        manners = {"window": "100", "rate": str(RATE if away else 0), "reconnect_first": "0.1", "reconnect_cap": "0.5"}
        accounts = [
            Account(port=viettel.port, name="viettel", short_code="8100", more=manners),
            Account(port=mobifone.port, name="mobifone", short_code="6089", more=manners),
        ]
        named = f'brand_name = "{NAME}"\n'
        config = directory / "gateway.toml"
        config.write_text(text + SETTINGS + accounts[0].toml() + accounts[1].toml() + named, encoding="utf-8")
        made = await _running(config, stack)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(smsc.bound() for smsc in ((viettel,) if away else (viettel, mobifone))))
        yield Province(made=made, viettel=viettel, mobifone=mobifone, agency=agency, store=FileView(directory / STORE))


async def _running(config: Path, stack: AsyncExitStack) -> Made:
    settings = load_settings(config)
    await migrate(settings)
    duties = Duties(
        roles=frozenset({Role.SMS, Role.WATCH, Role.DELIVERY}), accounts=frozenset(each.name for each in settings.sms)
    )
    made = await make(settings, duties, stack)
    await stack.enter_async_context(_at_work(made))
    return made


@asynccontextmanager
async def _at_work(made: Made) -> AsyncIterator[None]:
    supervisor = make_supervisor(made)
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await supervisor.started()
        yield
    finally:
        supervisor.stop()
        await running


async def test_an_answer_leaves_by_the_account_and_from_the_number_that_was_asked(province: Province) -> None:
    code = province.agency.codes[0]
    # Each by the operator whose number it is not, and one to another number of that operator's.
    for smsc, source, destination in (
        (province.viettel, MOBIFONE, "8100"),
        (province.mobifone, VIETTEL, "6089"),
        (province.viettel, VIETTEL, "8199"),
    ):
        async with asyncio.timeout(PATIENCE):
            await (await smsc.send_mo(source, destination, code)).reply()
    by_viettel, by_mobifone = await province.left(province.viettel, 2), await province.left(province.mobifone)
    assert [(pdu.source, pdu.destination) for pdu in by_viettel] == [
        ("8100", MOBIFONE),
        ("8199", VIETTEL),
    ]
    assert [(pdu.source, pdu.destination) for pdu in by_mobifone] == [("6089", VIETTEL)]


async def test_a_notice_goes_by_the_number_until_its_reader_wrote_by_another_operator(province: Province) -> None:
    code = province.agency.codes[0]
    await _seen(province, code)
    # They asked for it by an account that is not there any more, and what they wrote is forgotten.
    follow(province.store, [Person(MOBIFONE, code)], account="gone")
    province.agency.change()
    [first] = await province.left(province.mobifone)
    assert (first.source, first.source_ton, first.destination) == (NAME, TON_ALPHANUMERIC, MOBIFONE)
    assert "HUY" in first.short_message.decode("latin-1")
    assert "6089" in first.short_message.decode("latin-1")
    async with asyncio.timeout(PATIENCE):
        await (await province.viettel.send_mo(MOBIFONE, "8100", code)).reply()
    province.agency.change()
    _, second = await province.left(province.viettel, 2)
    assert (second.source, second.destination) == ("8100", MOBIFONE)
    assert len(await province.left(province.mobifone)) == 1


async def test_a_list_is_split_by_the_numbers_on_it_and_by_who_wrote(province: Province) -> None:
    async with asyncio.timeout(PATIENCE):
        await (await province.viettel.send_mo("84901111111", "8100", province.agency.codes[0])).reply()
    recipients = ["84961111111", "84862222222", "84901111111", "84902222222", "84331111111"]
    await _broadcast(province.made, recipients)
    by_viettel, by_mobifone = await province.left(province.viettel, 5), await province.left(province.mobifone)
    assert {pdu.destination for pdu in by_viettel[1:]} == {"84961111111", "84862222222", "84901111111", "84331111111"}
    assert {pdu.source for pdu in by_viettel} == {"8100"}
    assert [(pdu.source, pdu.destination) for pdu in by_mobifone] == [(NAME, "84902222222")]


MANY, FEW = ahead_of([RATE]) + 100, 200  # more than may wait for an operator; those behind them on the list


async def test_a_list_goes_on_leaving_by_the_operator_that_is_there(half: Province) -> None:
    away = [f"8490{n:07}" for n in range(MANY)]
    there = [f"8496{n:07}" for n in range(FEW)]
    await _broadcast(half.made, [*away, *there])
    left = await half.left(half.viettel, FEW)
    assert sorted(pdu.destination for pdu in left) == there
    assert len(half.store.fetch("SELECT id FROM outbox WHERE account = 'mobifone'")) == ahead_of([RATE])
    half.mobifone.dice.disarm()
    back = await half.left(half.mobifone, FEW)
    assert {pdu.destination for pdu in back} <= set(away)
    assert len({pdu.destination for pdu in back}) == len(back)
    assert len(half.viettel.received(SubmitSm)) == FEW


async def _seen(province: Province, code: str) -> None:
    """The watcher has come to this dossier: what changes from now on is told."""
    async with asyncio.timeout(PATIENCE):
        while not province.store.fetch(f"SELECT 1 FROM dossier_seen WHERE dossier_code = '{code}'"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # written by a thread of the store's


async def _broadcast(made: Made, recipients: Sequence[str]) -> None:
    """To a list, by one officer and approved by another."""
    ids, store = IdSequence(IDS_OF_TESTS), made.opened.store
    fitness = make_fitness(made.settings, read_words(made.settings))
    broadcasts: Broadcasts = store.broadcasts(good_for=timedelta(hours=1), fitness=fitness)
    author, approver = _officer(1, OfficerRole.AUTHOR), _officer(2, OfficerRole.APPROVER)

    def new_id() -> int:
        return ids.next(round(made.opened.clock().timestamp() * 1000))

    def noted(who: Officer) -> AuditEntry:
        at = made.opened.clock()
        return AuditEntry(
            id=new_id(), at=at, officer_id=who.id, login=who.login, agency="H13", action="broadcast.changed"
        )

    audience = Audience(kind=AudienceKind.FILE, agencies=("H13",), basis=BASIS)
    draft = Draft(title="Nghi le", texts={"vi": "Nghi le 30/4"}, audience=audience, canary=0)
    number, upload = new_id(), new_id()
    standing = await broadcasts.create(number, draft, author, WITHIN, noted(author))
    rows = [
        FileRow(position=place, recipient=Address("sms", each), values={}, language=None)
        for place, each in enumerate(recipients, 1)
    ]
    assert isinstance(standing, Standing), standing
    await broadcasts.add_rows(number, upload, rows, WITHIN)
    taken = Upload(id=upload, digest="d", rows=len(rows), columns=())
    standing = await broadcasts.take_rows(number, standing.broadcast.version, taken, author, WITHIN, noted(author))
    for action, who in ((BroadcastAction.SUBMIT, author), (BroadcastAction.APPROVE, approver)):
        assert isinstance(standing, Standing), standing
        standing = await broadcasts.act(number, standing.broadcast.version, action, who, WITHIN, noted(who))
    assert isinstance(standing, Standing), standing


def _officer(number: int, role: OfficerRole) -> Officer:
    return Officer(
        id=number,
        login=f"officer-{number}",
        name=f"Officer {number}",
        agency="H13",
        roles=frozenset({role}),
        created_at=datetime.now(UTC),
    )
