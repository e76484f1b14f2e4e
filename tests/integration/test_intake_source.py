"""The intake module is one more one-stop system: found, proved, watched and told of through a view of our own store."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from adapters.onestop.changes_listen import ChangeListener
from adapters.onestop.changes_poll import ChangePoll
from adapters.onestop.changes_statement import source_clock
from adapters.onestop.contacts import SqlContacts
from adapters.onestop.mapping import load_mapping
from adapters.onestop.sql import SqlDossierSource
from adapters.onestop.watched import WatchedDatabase
from adapters.store.sqlite import SqliteStore
from channels.base import Health
from domain.codes import read_codes
from domain.dossier import DossierStatus
from domain.errors import SettingsError, SourceError
from domain.intake import IntakeDossier, Person
from domain.intake_moves import IntakeAction, IntakeDoing
from domain.proof import Proof, ProofKind, Sealer
from gateway.bootstrap.checking import check
from gateway.bootstrap.intake import refuse_slips
from gateway.bootstrap.sources import inspect_sources, list_sources, make_source, make_sources
from gateway.bootstrap.watching import hold_rules, trigger_script, watched_how
from gateway.bootstrap.words import read_words
from gateway.configuration import CONFIG_DIRECTORY, load_settings
from gateway.metrics import Metrics
from gateway.settings import Settings, SourceSettings
from lookup.routing import Router
from notifications.mass import MassGuard
from notifications.ports import Heard
from tests.contract.conftest import make_kit
from tests.contract.intaking import AGENCY, OTHER, PERSON, done, dossier, new, registered, step
from tests.contract.stores import STORES, PostgresKit, SqliteKit, Store, StoreKit
from tests.servers.postgres import Postgres

S, A = DossierStatus, IntakeAction
KEY = "a key of sixteen and more bytes"
SEALER = Sealer(KEY.encode())
MAPPING = CONFIG_DIRECTORY / "onestop" / "intake.toml"
TOLD = replace(PERSON, phone="0912 345 678; 0987 654 321")
CONFIG = """
[replies]
help_phone = "1022"
[database]
url = "{url}"
[disclosure]
proof_key = "{key}"
[[intake.agencies]]
agency = "H51.18"
{more}
"""
PROVINCE = """
[[sources]]
name = "province"
url = "sqlite+aiosqlite:///{folder}/province.sqlite3"
mapping = "{mapping}"
prefixes = ["{prefix}"]
default = {default}
"""


def url_of(kit: StoreKit) -> str:
    if isinstance(kit, PostgresKit):
        return kit.database.url
    assert isinstance(kit, SqliteKit)
    return f"sqlite:///{kit.path}"


def settings_at(folder: Path, url: str, more: str = "") -> Settings:
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(url=url, key=KEY, more=more), encoding="utf-8")
    return load_settings(config)


def made_of(settings: Settings) -> SourceSettings:
    (source,) = [each for each in settings.sources if each.name == settings.intake.source]
    return source


@pytest.fixture(params=STORES, ids=[kit.name for kit in STORES])
async def store_kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreKit]:
    made = SqliteKit(tmp_path) if request.param is SqliteKit else make_kit(request.param, request, tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def store(store_kit: StoreKit) -> Store:
    return await store_kit.open()


@pytest.fixture
def settings(store_kit: StoreKit, tmp_path: Path) -> Settings:
    """The store's clock is the real one, as that of the database a poll asks."""
    store_kit.clock.now = datetime.now(UTC)
    return settings_at(tmp_path, url_of(store_kit))


@pytest.fixture
async def source(settings: Settings, store: Store) -> AsyncIterator[SqlDossierSource]:
    async with AsyncExitStack() as stack:
        (made,) = make_sources(settings, Metrics(), stack, SEALER)
        assert isinstance(made.adapter, SqlDossierSource)
        yield made.adapter


@asynccontextmanager
async def watched(settings: Settings) -> AsyncIterator[WatchedDatabase]:
    """As a watcher opens it."""
    chosen = made_of(settings)
    mapping = load_mapping(MAPPING.read_text(encoding="utf-8"), MAPPING.name)
    database = WatchedDatabase(mapping, chosen.url.get_secret_value(), name=chosen.name, time_limit=60.0)
    try:
        yield database
    finally:
        await database.close()


# ---- the settings


def test_without_an_agency_there_is_no_such_source(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[replies]\nhelp_phone = "1022"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="sources: expected at least one entry"):
        load_settings(config)


def test_two_systems_of_one_name_and_an_agency_named_twice_are_faults(tmp_path: Path) -> None:
    more = '[[intake.agencies]]\nagency = "H51.18"\n[intake]\nsource = "province"\n' + PROVINCE.format(
        folder=tmp_path, mapping=MAPPING, prefix="H13", default="false"
    )
    with pytest.raises(SettingsError) as raised:
        settings_at(tmp_path, "sqlite:///x", more)
    assert "intake.source: 'province' is the name of one of the [[sources]]" in str(raised.value)
    assert "intake.agencies[1].agency: 'H51.18' is there already" in str(raised.value)


def test_two_agencies_that_would_print_the_same_codes_are_a_fault(tmp_path: Path) -> None:
    """The first of the file has the codes of the rule, which the second takes for its own."""
    more = '[[intake.agencies]]\nagency = "H51.19"\npattern = "H51.18-{yymmdd}-{serial:4}"\nfirst_serial = 9001\n'
    with pytest.raises(SettingsError, match=r"intake.agencies\[1\].pattern: prints the codes of H51.18 as well"):
        settings_at(tmp_path, "sqlite:///x", more)


def test_codes_that_name_another_agency_come_to_us_by_their_form(tmp_path: Path) -> None:
    more = '[[intake.agencies]]\nagency = "H51.19"\npattern = "H51-{yymmdd}-{serial:4}"\n'
    made = made_of(settings_at(tmp_path, "sqlite:///x", more))
    assert (made.prefixes, made.patterns) == ((AGENCY,), (r"H51-\d{6,8}-\d{4,8}",))


def test_its_changes_never_wait_for_an_operator_and_those_of_others_may(settings: Settings) -> None:
    """Two hundred late entries at once are an officer's import, each looked at before it was taken."""
    assert not MassGuard(hold_rules(settings, "intake")).exceeded(100_000, 100_000)
    assert MassGuard(hold_rules(settings, "province")).exceeded(100_000, 100_000)


def test_a_cut_off_of_a_procedure_while_nobody_is_there_is_a_fault(settings: Settings, tmp_path: Path) -> None:
    """One of the samples has its own, in the afternoon."""
    mornings = '[intake]\nhours = ["07:00-11:30"]\ncut_off = "11:00"\n'
    slipped = settings_at(tmp_path, "sqlite:///x", mornings)
    with pytest.raises(SettingsError, match=r"its cut_off 16:00 does not lie within intake\.hours"):
        refuse_slips(slipped, read_words(slipped))
    refuse_slips(settings, read_words(settings))


def test_it_is_watched_every_second_and_its_applicants_follow(settings: Settings, store_kit: StoreKit) -> None:
    made = made_of(settings)
    assert (made.prefixes, made.patterns, made.passes_to) == ((AGENCY,), (), ())
    assert (made.watch.poll, made.watch.poll_s) == (True, 1.0)
    assert made.watch.follow_applicants
    assert made.watch.follow_basis == settings.intake.consent
    assert made.watch.listen is isinstance(store_kit, PostgresKit)


def _order(settings: Settings, code: str) -> list[list[str]]:
    (read,) = read_codes(code, today=date(2026, 12, 31)).codes
    router = Router([_routed(each) for each in settings.sources])
    return [[source.name for source in tier] for tier in router.route(read).tiers]


def _routed(each: SourceSettings) -> Any:
    return make_source(each, lambda *_: None, None).routed


def test_an_agency_with_a_system_of_its_own_is_asked_there_as_well(tmp_path: Path) -> None:
    more = PROVINCE.format(folder=tmp_path, mapping=MAPPING, prefix="H51", default="false")
    settings = settings_at(tmp_path, "sqlite:///x", more)
    assert _order(settings, "H51.18-261123-0001") == [["intake"], ["province"]]
    assert _order(settings, "H51.19-261123-0001") == [["province"]]
    assert _order(settings, "000.00.18.H51-201123-0001") == [["province"]]


def test_a_system_for_whatever_nobody_declares_is_asked_as_well(tmp_path: Path) -> None:
    more = PROVINCE.format(folder=tmp_path, mapping=MAPPING, prefix="H13", default="true")
    settings = settings_at(tmp_path, "sqlite:///x", more)
    assert _order(settings, "H51.18-261123-0001") == [["intake", "province"]]
    assert _order(settings, "H51.19-261123-0001") == [["province"]]
    assert _order(settings, "H13.19-261123-0001") == [["province"]]


def test_our_own_store_needs_no_script_of_a_trigger(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="is our own store"):
        trigger_script(settings, "intake")


# ---- what look-up is told


async def test_a_draft_is_no_dossier_and_nobody_is_found_by_a_strangers_code(
    source: SqlDossierSource, store_kit: StoreKit, store: Store
) -> None:
    kept = await registered(store_kit, store.intake())
    stranger = replace(kept.code, text=kept.code.text[:-1] + "9")
    assert set(await source.find([kept.code, stranger])) == {kept.code}


async def test_a_dossier_is_told_as_it_was_registered(
    source: SqlDossierSource, store_kit: StoreKit, store: Store
) -> None:
    late = datetime(2026, 11, 23, 16, 59, tzinfo=UTC)  # 23:59 of that day here
    kept = await registered(store_kit, store.intake(), unit="Phòng Hộ tịch", missing="Giấy khai sinh", due_at=late)
    told = (await source.find([kept.code]))[kept.code]
    assert (told.source, told.status, told.agency, told.receiving_agency) == ("intake", S.ACCEPTED, AGENCY, "")
    assert (told.unit, told.procedure, told.procedure_name) == (kept.unit, kept.procedure, kept.procedure_name)
    assert (told.missing, told.fee, told.due_on, told.due_unknown) == (
        kept.missing,
        kept.fee,
        date(2026, 11, 23),
        False,
    )
    assert told.received_at is not None
    assert abs(told.received_at - kept.received_at) < timedelta(seconds=1)
    assert told.changed_at is not None
    assert abs(told.changed_at - store_kit.clock.now) < timedelta(seconds=1)


async def test_no_promised_day_is_told_as_none(source: SqlDossierSource, store_kit: StoreKit, store: Store) -> None:
    kept = await registered(store_kit, store.intake(), due_at=None)
    told = (await source.find([kept.code]))[kept.code]
    assert (told.due_on, told.due_unknown) == (None, False)


@pytest.mark.parametrize("status", list(S))
async def test_every_state_is_read_right(
    source: SqlDossierSource, store_kit: StoreKit, store: Store, status: DossierStatus
) -> None:
    kept = await registered(store_kit, store.intake(), status=status)
    assert (await source.find([kept.code]))[kept.code].status is status


async def test_what_was_passed_on_is_told_with_who_has_it_and_who_received_it(
    source: SqlDossierSource, store_kit: StoreKit, store: Store
) -> None:
    kept = await registered(store_kit, store.intake())
    doing = IntakeDoing(action=A.FORWARD, at=store_kit.clock.now, to_agency=OTHER, to_unit="Phòng Hộ tịch")
    await done(store_kit, store.intake(), kept, doing)
    told = (await source.find([kept.code]))[kept.code]
    assert (told.status, told.agency, told.unit) == (S.IN_PROCESS, OTHER, "Phòng Hộ tịch")
    assert (told.receiving_agency, told.returning_agency) == (AGENCY, AGENCY)


PROOFS = (
    Proof(ProofKind.NUMBER, "84912345678"),
    Proof(ProofKind.LAST_FOUR, "5678"),
    Proof(ProofKind.SECRET, "k7m-4px"),
)
WRONG = (Proof(ProofKind.NUMBER, "84912345679"), Proof(ProofKind.LAST_FOUR, "5679"), Proof(ProofKind.SECRET, "K7M4PY"))


@pytest.mark.parametrize("notify", [True, False])
async def test_number_last_four_and_secret_prove_it_and_nothing_else(
    source: SqlDossierSource, store_kit: StoreKit, store: Store, *, notify: bool
) -> None:
    """Without consent the number does not leave the book, so that only the receipt proves it."""
    kept = await registered(store_kit, store.intake(), notify=notify)
    proofs = (await source.find([kept.code]))[kept.code].proofs
    proved = [SEALER.seal(kept.code, proof) in proofs for proof in PROOFS]
    assert proved == [notify, notify, True]
    assert not any(SEALER.seal(kept.code, proof) in proofs for proof in WRONG)


async def test_a_dossier_without_a_number_or_secret_is_proved_by_nothing(
    source: SqlDossierSource, store_kit: StoreKit, store: Store
) -> None:
    kept = await registered(store_kit, store.intake(), notify=True, secret="", person=Person(name="Bé", phone="không"))
    assert (await source.find([kept.code]))[kept.code].proofs == frozenset()


async def test_contacts_are_given_only_with_consent(settings: Settings, store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    agreed = await registered(store_kit, book, notify=True, person=TOLD)
    silent = await registered(store_kit, book, notify=False)
    nobody = await registered(store_kit, book, notify=True, person=Person(name="Bé"))
    async with watched(settings) as database:
        numbers = await SqlContacts(database).numbers([each.code for each in (agreed, silent, nobody)])
    assert numbers == {agreed.code: ("0912345678",)}


async def test_nothing_personal_is_in_the_view_but_number_and_secret(
    settings: Settings, store_kit: StoreKit, store: Store
) -> None:
    marked = {name: f"MARK{number}" for number, name in enumerate(("name", "email", "address", "id_number", "owner"))}
    person = Person(phone="0912345678", **marked)
    for notify in (True, False):
        await registered(
            store_kit,
            store.intake(),
            notify=notify,
            person=person,
            subject="MARK7",
            reason="MARK8",
            notify_words="MARK9",
            secret="K7M4PX",
        )
    async with watched(settings) as database:
        rows = await database.read(_everything)
    assert len(rows) == 2
    assert not re.search("MARK", str(rows))
    assert [("0912345678" in str(row), "K7M4PX" in str(row)) for row in rows] == [(True, True), (False, True)]


def _everything(connection: Any) -> Sequence[Mapping[str, Any]]:
    found = connection.execute(text("SELECT * FROM onestop_intake ORDER BY code"))
    return [dict(row) for row in found.mappings()]


# ---- changes


class Polling:
    """A poll over its rounds."""

    def __init__(self, database: WatchedDatabase, chosen: SourceSettings) -> None:
        watch = chosen.watch
        self._database = database
        self._poll = ChangePoll(
            database, overlap=watch.overlap_s, resolution=watch.resolution_s, page=watch.page, legacy=()
        )
        self._resolution = timedelta(seconds=watch.resolution_s)
        self._cursor: str | None = None

    async def hear(self) -> Heard:
        heard = await self._poll.next(self._cursor)
        self._cursor = heard.cursor
        return heard

    async def new(self) -> Sequence[str]:
        """Codes of a round, once the source's own clock is beyond the resolution."""
        codes = [code.text for code in (await self.hear()).codes]
        heard_at = await self._database.read(source_clock)
        while await self._database.read(source_clock) <= heard_at + self._resolution:
            pass  # the database's clock is waited for, by asking it
        return codes


async def test_each_act_is_heard_once(settings: Settings, store_kit: StoreKit, store: Store) -> None:
    book = store.intake()
    before = await registered(store_kit, book)
    async with watched(settings) as database:
        polling = Polling(database, made_of(settings))
        assert (await polling.hear()).baseline
        await polling.new()  # what was there when the watching began may be heard again
        acts: Sequence[Callable[[IntakeDossier], IntakeDoing]] = [
            lambda _: doing(A.FORWARD, to_unit="Phòng Hộ tịch"),
            lambda each: doing(A.ASK_SUPPLEMENT, reason="thiếu", papers=(replace(each.papers[0], missing=True),)),
            lambda each: doing(A.TAKE_SUPPLEMENT, papers=(replace(each.papers[0], missing=False),)),
            lambda _: doing(A.FINISH),
            lambda _: doing(A.REOPEN, reason="sai"),
            lambda _: doing(A.NOTE, reason="gọi điện"),
        ]

        def doing(action: IntakeAction, **changes: Any) -> IntakeDoing:
            return IntakeDoing(action=action, at=store_kit.clock.now, **changes)

        for act in acts:
            store_kit.clock.now = datetime.now(UTC)
            before = await done(store_kit, book, before, act(before))
            assert await polling.new() == [before.code.text]
            assert await polling.new() == []
        store_kit.clock.now = datetime.now(UTC)
        three = [await registered(store_kit, book) for _ in range(3)]
        assert sorted(await polling.new()) == sorted(each.code.text for each in three)
        assert await polling.new() == []


async def test_a_change_that_truly_was_long_ago_is_heard_when_it_is_written(
    settings: Settings, store_kit: StoreKit, store: Store
) -> None:
    async with watched(settings) as database:
        polling = Polling(database, made_of(settings))
        await polling.hear()
        long_ago = store_kit.clock.now - timedelta(days=3)
        made = dossier(store_kit, received_at=long_ago, changed_at=long_ago, late=True)
        kept = await store.intake().register(new(made), step(store_kit, made, at=long_ago))
        assert isinstance(kept, IntakeDossier)
        assert await polling.new() == [kept.code.text]


async def test_postgresql_says_by_itself_what_was_written(
    settings: Settings, store_kit: StoreKit, store: Store
) -> None:
    if not isinstance(store_kit, PostgresKit):
        assert not made_of(settings).watch.listen
        return
    mapping = load_mapping(MAPPING.read_text(encoding="utf-8"), MAPPING.name)
    listener = ChangeListener(mapping, store_kit.database.url, time_limit=60.0).listen()
    try:
        assert (await anext(listener)).missed
        kept = await registered(store_kit, store.intake())
        assert list((await anext(listener)).codes) == [kept.code]
        await done(store_kit, store.intake(), kept, IntakeDoing(action=A.FINISH, at=store_kit.clock.now))
        assert list((await anext(listener)).codes) == [kept.code]
    finally:
        await listener.aclose()


# ---- a reader beside the writer


async def test_a_reader_neither_waits_for_the_writer_nor_keeps_it_waiting(
    source: SqlDossierSource, store_kit: StoreKit, store: Store
) -> None:
    if not isinstance(store, SqliteStore):
        return  # its readers never wait for who writes
    book = store.intake()
    kept = await registered(store_kit, book)
    begun, end = threading.Event(), threading.Event()

    def hold(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("UPDATE intake_dossier SET status = 9")
        begun.set()
        end.wait(60)
        connection.exec_driver_sql("ROLLBACK")

    holding = asyncio.create_task(store._writer.run(hold))
    await asyncio.to_thread(begun.wait, 60)
    try:
        assert (await source.find([kept.code]))[kept.code].status is S.ACCEPTED
    finally:
        end.set()
        await holding
    reading = await source.find([kept.code])
    await done(store_kit, book, kept, IntakeDoing(action=A.FINISH, at=store_kit.clock.now))
    assert reading[kept.code].status is S.ACCEPTED
    assert (await source.find([kept.code]))[kept.code].status is S.DONE


async def test_a_source_cannot_write_into_our_store(settings: Settings, store_kit: StoreKit, store: Store) -> None:
    await registered(store_kit, store.intake())

    def write(connection: Any) -> None:
        connection.exec_driver_sql("DELETE FROM intake_word")

    async with watched(settings) as database:
        with pytest.raises(SourceError):
            await database.read(write)
    assert await store_kit.rows("intake_word")


# ---- what an operator sees


async def test_tracuu_source_check_has_no_trouble_with_it(
    settings: Settings, store_kit: StoreKit, store: Store
) -> None:
    for status in S:
        await registered(store_kit, store.intake(), status=status, notify=True, unit="Phòng Hộ tịch", missing="Đơn")
    (inspection,) = await inspect_sources(settings, ["intake"])
    assert inspection.sound, inspection
    assert inspection.report is not None
    assert [each.trouble for each in inspection.report.fields if each.trouble] == []
    assert {state.meaning for state in inspection.report.states if state.rows} == {int(status) for status in S}
    assert not any("every look-up would read" in warning for warning in inspection.report.warnings)
    assert not re.search("912|K7M4PX|Nguyễn", str(inspection))
    (listed,) = list_sources(settings)
    assert (listed.settings.name, listed.prefixes, listed.default) == ("intake", (AGENCY,), False)
    ways = await watched_how(settings, made_of(settings), ())
    assert "poll every 1 s" in ways


async def test_before_the_first_start_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, f"sqlite:///{tmp_path}/none.db")
    (finding,) = [each for each in await check(settings) if each.name == "source intake"]
    assert finding.health == Health(ok=True, detail="not there yet; `tracuu migrate`, or the first start, makes it")
    assert not (tmp_path / "none.db").exists()


async def test_on_a_server_without_our_tables_yet_it_says_so_and_is_no_fault(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.database("no_tables_yet") as url:
        settings = settings_at(tmp_path, url)
        findings = {each.name: each.health for each in await check(settings)}
    assert findings["source intake"] == Health(
        ok=True, detail="not there yet; `tracuu migrate`, or the first start, makes it"
    )
    assert findings["files"].ok
    assert findings["intake"].ok
