"""One-stop systems asked over HTTP: the same dossiers in three shapes, every way to log in, and every fault."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from adapters.memory.cache import MemoryStatusCache
from adapters.onestop import rest_login
from adapters.onestop.rest import RestDossierSource
from adapters.onestop.rest_login import Credentials
from adapters.onestop.rest_mapping import RestMapping, load_rest_mapping
from demo import onestop
from domain.answers import Outcome
from domain.codes import CodeFamily, DossierCode
from domain.dossier import DossierStatus
from domain.errors import SettingsError, SourceError, SourceIncomplete, SourceMisread, SourceUnavailable
from domain.proof import Proof, ProofKind, Sealer
from lookup.limits import SourceLimits
from lookup.retry import RetryPolicy
from lookup.routing import RoutedSource, Router
from lookup.service import LookupService, LookupSettings
from tests.passing_time import pass_time
from tests.servers.onestop_http import (
    ACCOUNT,
    FAULTS,
    IDENTITY,
    KEY,
    LOOPBACK,
    OPENCPS_MAPPING,
    PASSWORD,
    PERSON,
    PHONE,
    SECRET,
    SYSTEMS,
    Answer,
    OneStopHttp,
    as_json,
    onestop_http,
    opencps_record,
    pours,
    says,
)
from tests.servers.redis import Certificates

CONFIG = Path(__file__).parents[2] / "config" / "onestop"
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PLANTED = onestop.hoso_dossiers(TODAY)
ALIVE = [each for each in PLANTED if not each.deleted]
STYLES = ("digo", "opencps", "soctrang")
ACCOUNT_GIVEN = Credentials(username=ACCOUNT, password=PASSWORD)
LATER = {"hangs", "slow headers", "slow body", "reset", "reset in the body", "429", "500", "503"}
QUICK, PATIENCE = 0.2, 60.0  # seconds: where the limit is to be reached, and where it is not

Opened = Callable[..., RestDossierSource]


def mapping_of(style: str) -> RestMapping:
    if style == "opencps":
        return load_rest_mapping(OPENCPS_MAPPING, "opencps.json")
    return load_rest_mapping((CONFIG / f"{style}.toml").read_text(encoding="utf-8"), f"{style}.toml")


def changed(style: str, **changes: Any) -> RestMapping:
    """The mapping of a style with some of its parts replaced; None leaves one out."""
    given = json.loads(OPENCPS_MAPPING) if style == "opencps" else mapping_of(style).model_dump(exclude_unset=True)
    given |= changes
    return RestMapping.model_validate({name: value for name, value in given.items() if value is not None})


def code(text: str, family: CodeFamily = CodeFamily.NEW) -> DossierCode:
    return DossierCode(text=text, family=family, agency=text.rpartition("-")[0].rpartition("-")[0])


FIRST = code(ALIVE[0].code)


@dataclass
class Place:
    """A system with sources over it."""

    server: OneStopHttp
    stack: AsyncExitStack
    counted: Counter[str] = field(default_factory=Counter)

    def source(self, mapping: RestMapping | None = None, **given: Any) -> RestDossierSource:
        if self.server.style == "digo":
            given = {"credentials": Credentials(username=ACCOUNT, password=PASSWORD, login_url=self.server.url)} | given
        source = RestDossierSource(
            mapping or mapping_of(self.server.style),
            given.pop("url", self.server.url),
            count=lambda event, _: self.counted.update([event]),
            **{"networks": LOOPBACK, "time_limit": PATIENCE, **given},
        )
        self.stack.push_async_callback(source.close)
        return source


@pytest.fixture
async def open_place() -> AsyncIterator[Callable[[str], Awaitable[Place]]]:
    async with AsyncExitStack() as stack:

        async def opened(style: str) -> Place:
            server = await stack.enter_async_context(onestop_http(style, PLANTED))
            if style == "digo":
                server.guard = "openid"
            return Place(server, stack)

        yield opened


@pytest.fixture(params=STYLES)
async def place(request: pytest.FixtureRequest, open_place: Callable[[str], Awaitable[Place]]) -> Place:
    return await open_place(request.param)


@pytest.fixture
async def opencps(open_place: Callable[[str], Awaitable[Place]]) -> Place:
    return await open_place("opencps")


@pytest.fixture
async def soctrang(open_place: Callable[[str], Awaitable[Place]]) -> Place:
    return await open_place("soctrang")


# ---- faults first


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_every_fault_is_told_as_one_and_never_as_not_found(place: Place, fault: str) -> None:
    quick = fault in ("hangs", "slow headers", "slow body")
    source = place.source()
    if quick:
        await source.find([FIRST])  # so that the log-in is not what takes the time
        source._time_limit = QUICK
    place.server.fault = FAULTS[fault]
    kind = SourceUnavailable if fault in LATER else SourceMisread
    with pytest.raises(kind) as caught:
        await source.find([FIRST])
    assert type(caught.value) is kind or fault in ("401", "403")
    assert FIRST.text not in str(caught.value)
    for personal in (PERSON, IDENTITY, PHONE, PASSWORD, "phien-", "127.0.0.1"):
        assert personal not in str(caught.value)


@pytest.mark.parametrize("fault", ["hangs", "reset in the body", "HTML", "bomb", "deep", "redirect", "500"])
async def test_source_that_is_well_again_is_read_again(place: Place, fault: str) -> None:
    source = place.source()
    await source.find([FIRST])
    for _ in range(3):
        source._time_limit = QUICK if fault == "hangs" else PATIENCE
        place.server.fault = FAULTS[fault]
        with pytest.raises(SourceError):
            await source.find([FIRST])
        place.server.fault = None
    source._time_limit = PATIENCE
    assert FIRST in await source.find([FIRST])


async def test_an_endless_answer_is_broken_off(opencps: Place) -> None:
    opencps.server.fault = FAULTS["endless"]
    with pytest.raises(SourceMisread, match="larger than 1000 bytes"):
        await opencps.source(size_limit=1000).find([FIRST])
    await asyncio.wait_for(opencps.server.broken_off.wait(), PATIENCE)


async def test_an_endless_packed_answer_is_broken_off(opencps: Place) -> None:
    opencps.server.fault = pours(gzip.compress(b" " * 1_000_000), **{"Content-Encoding": "gzip"})
    with pytest.raises(SourceMisread, match="larger than"):
        await opencps.source().find([FIRST])


async def test_packed_answer_is_read(opencps: Place) -> None:
    body = json.dumps({"data": [opencps_record(ALIVE[0])]}).encode()
    opencps.server.fault = says(gzip.compress(body), Content_Encoding="gzip")
    assert FIRST in await opencps.source().find([FIRST])


async def test_redirects_are_not_followed(opencps: Place, open_place: Callable[[str], Awaitable[Place]]) -> None:
    other = await open_place("opencps")
    opencps.server.fault = says("", status=302, Location=f"{other.server.url}/o/rest/v2/dossiers")
    with pytest.raises(SourceMisread, match="redirects elsewhere"):
        await opencps.source().find([FIRST])
    assert other.server.asked == []


async def test_source_that_asks_for_a_pause_is_left_alone(opencps: Place) -> None:
    source = opencps.source()
    opencps.server.fault = says("{}", status=429, Retry_After="60")
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            await source.find([FIRST])
    assert len(opencps.server.asked) == 1


async def test_source_that_is_not_there_is_unavailable(opencps: Place) -> None:
    source = opencps.source(url="http://127.0.0.1:1")
    for ask in (lambda: source.find([FIRST]), source.check, source.inspect):
        with pytest.raises(SourceUnavailable):
            await ask()


async def test_not_found_status_without_a_page_is_not_found(opencps: Place) -> None:
    source = opencps.source(changed("opencps", not_found_status=[404]))
    opencps.server.fault = says('{"message": "not found"}', status=404)
    assert await source.find([FIRST]) == {}
    opencps.server.fault = FAULTS["404 page"]
    with pytest.raises(SourceMisread, match="HTML"):
        await source.find([FIRST])


@pytest.mark.parametrize(
    ("records", "nothing"),
    [
        *(("[*]", nothing) for nothing in ("[]", "{}", "null")),
        *(("$", nothing) for nothing in ("[]", "{}", "null")),
        *(("data", nothing) for nothing in ('{"data": []}', '{"data": null}')),
        ("data[*]", '{"data": []}'),
    ],
)
async def test_every_way_to_say_nothing_is_not_found(opencps: Place, records: str, nothing: str) -> None:
    opencps.server.fault = says(nothing)
    assert await opencps.source(changed("opencps", records=records)).find([FIRST]) == {}


@pytest.mark.parametrize("nothing", ["[]", "{}", "null", '{"data": null}', '{"error": "db"}'])
async def test_answer_without_the_list_that_the_mapping_names_is_not_taken_for_not_found(
    opencps: Place, nothing: str
) -> None:
    opencps.server.fault = says(nothing)
    with pytest.raises(SourceMisread):
        await opencps.source().find([FIRST])


@pytest.mark.parametrize(
    ("said", "outcome"), [("404", {}), (404, {}), ("0", None), (None, SourceMisread), ("loi", SourceMisread)]
)
async def test_outcome_within_the_answer_is_heard(opencps: Place, said: object, outcome: object) -> None:
    mapping = changed("opencps", outcome={"path": "error_code", "found": ["0"], "not_found": [404]})
    opencps.server.fault = as_json({"error_code": said, "data": [opencps_record(ALIVE[0])]})
    source = opencps.source(mapping)
    if outcome is SourceMisread:
        with pytest.raises(SourceMisread, match="a fault of its own"):
            await source.find([FIRST])
    else:
        assert set(await source.find([FIRST])) == (set() if outcome == {} else {FIRST})


@pytest.mark.parametrize("fault", ["500", "403", "no JSON", "reset"])
async def test_request_that_fails_takes_no_other_code_with_it(opencps: Place, fault: str) -> None:
    poison = code(ALIVE[2].code)
    opencps.server.fault = poisoned(poison, FAULTS[fault])
    codes = [code(each.code) for each in ALIVE[:5]]
    with pytest.raises(SourceIncomplete, match=r"\(1 of 6 codes\)") as caught:
        await opencps.source().find([*codes, code("H51.18-210817-9999")])
    assert set(caught.value.found) == set(codes) - {poison}
    assert caught.value.failed == {poison}
    assert poison.text not in str(caught.value)
    with pytest.raises(SourceError) as alone:
        await opencps.source().find([poison])
    assert not isinstance(alone.value, SourceIncomplete)


async def test_source_that_answers_none_of_several_requests_is_as_ill_as_it_says(opencps: Place) -> None:
    opencps.server.fault = FAULTS["500"]
    with pytest.raises(SourceUnavailable):
        await opencps.source().find([code(each.code) for each in ALIVE[:5]])


async def test_what_arrived_within_the_time_limit_is_told(opencps: Place) -> None:
    late = code(ALIVE[3].code)
    opencps.server.fault = poisoned(late, FAULTS["hangs"])
    codes = [code(each.code) for each in ALIVE[:6]]
    reading = asyncio.create_task(opencps.source().find(codes))
    await asyncio.wait_for(opencps.server.until_alone(len(codes)), PATIENCE)
    pass_time(PATIENCE)
    with pytest.raises(SourceIncomplete, match="no answer within") as caught:
        await reading
    assert caught.value.failed == {late}
    assert set(caught.value.found) == {*codes} - {late}


async def test_what_is_wrong_with_a_record_is_no_trouble_of_its_neighbour(opencps: Place) -> None:
    good, bad = opencps_record(ALIVE[0]), opencps_record(ALIVE[1])
    nameless = opencps_record(ALIVE[2])
    del bad["dossierStatus"], nameless["dossierNo"]
    opencps.server.fault = as_json({"data": [bad, good, nameless]})
    source = opencps.source(changed("opencps", paging=None, batch={"size": 10}, request=_many(paged=False)))
    assert set(await source.find([FIRST])) == {FIRST}
    with pytest.raises(SourceIncomplete) as caught:
        await source.find([FIRST, code(ALIVE[1].code)])
    assert caught.value.failed == {code(ALIVE[1].code)}
    for hidden in (ALIVE[1], ALIVE[2]):  # the record without a code may be this one: it is not "not found"
        with pytest.raises(SourceMisread):
            await source.find([code(hidden.code)])


async def test_burst_on_a_source_that_is_well_is_answered_whole_and_without_haste(opencps: Place) -> None:
    source = opencps.source(connections=2)
    limits = SourceLimits(time_limit=PATIENCE, in_flight=2, retry=RetryPolicy(attempts=1))
    counted: Counter[str] = Counter()
    service = LookupService(
        router=Router([RoutedSource(source=source, default=True, limits=limits)]),
        cache=MemoryStatusCache(lambda: NOW),
        clock=lambda: NOW,
        settings=LookupSettings(),
        count=lambda event, _: counted.update([event]),
    )
    codes = [code(f"H51.18-250101-{number:04d}") for number in range(1, 151)]
    answers = await asyncio.gather(*(service.find([each]) for each in codes))
    assert {each.outcome for answer in answers for each in answer.values()} == {Outcome.NOT_FOUND}
    assert len(opencps.server.asked) == 150
    assert opencps.server.peak <= 2
    assert counted == {"answered": 150 / source.largest_read}
    await service.close()


# ---- whose dossier it is


async def test_row_with_another_code_is_somebody_elses(opencps: Place) -> None:
    opencps.server.fault = as_json({"data": [opencps_record(ALIVE[1])]})
    assert await opencps.source().find([FIRST]) == {}


async def test_the_one_row_with_the_code_is_told_among_others(opencps: Place) -> None:
    opencps.server.fault = as_json({"data": [opencps_record(each) for each in ALIVE[:5]]})
    assert set(await opencps.source().find([FIRST])) == {FIRST}


async def test_two_rows_are_not_found_and_noted(place: Place) -> None:
    place.server.dossiers = [*PLANTED, PLANTED[0]]
    with capture_logs() as logs:
        assert await place.source().find([FIRST]) == {}
    assert place.counted == {"several_records": 1}
    assert [line["event"] for line in logs] == ["source.several_records"]
    assert FIRST.text not in str(logs)


async def test_identity_number_is_never_asked(place: Place) -> None:
    numbers = [
        DossierCode(text=text, family=family, agency="H51")
        for text in (IDENTITY, "080123456789", "365123456", "' OR 1=1", "Nguyen Van Mau")
        for family in (CodeFamily.NEW, CodeFamily.LEGACY)
    ]
    found = await place.source().find(numbers)
    assert found == {}
    if place.server.style == "soctrang":
        assert place.server.asked == []
    assert not any(IDENTITY in asked or "365123456" in asked for asked in place.server.asked)


async def test_legacy_number_of_another_agency_is_somebody_elses(opencps: Place) -> None:
    receipt = DossierCode(text="12345/2020/00001", family=CodeFamily.LEGACY, agency="H51.18")
    record = opencps_record(ALIVE[0]) | {"dossierNo": receipt.text}
    opencps.server.fault = as_json({"data": [record | {"govAgencyCode": "H51.29"}]})
    assert await opencps.source().find([receipt]) == {}
    opencps.server.fault = as_json({"data": [record]})
    assert set(await opencps.source().find([receipt])) == {receipt}


async def test_deleted_dossier_is_not_found(place: Place) -> None:
    deleted = next(each for each in PLANTED if each.deleted)
    assert await place.source().find([code(deleted.code)]) == {}


async def test_the_part_of_a_code_finds_nothing(open_place: Callable[[str], Awaitable[Place]]) -> None:
    digo = await open_place("digo")
    assert await digo.source().find([code("H51.18-250701-0001"[:-1] + "9")]) == {}
    assert set(await digo.source().find([code("H51.18-250701-0001")])) == {code("H51.18-250701-0001")}


# ---- what is read


async def test_every_planted_dossier_is_read_as_it_was_planted(place: Place) -> None:
    source = place.source()
    found = await source.find([code(each.code) for each in ALIVE])
    assert len(found) == len(ALIVE)
    for expected in ALIVE:
        dossier = found[code(expected.code)]
        assert dossier.status is expected.status
        assert dossier.source == source.name
        assert dossier.received_at == _aware(expected.received_at)
        assert dossier.due_on == (expected.due_at.date() if expected.due_at else None)
        assert dossier.finished_at == _aware(expected.finished_at)
        if place.server.style != "digo":  # it does not say when the result was handed over
            assert dossier.returned_at == _aware(expected.returned_at)
    assert {dossier.status for dossier in found.values()} == {*DossierStatus, None}


async def test_persons_are_not_read(place: Place) -> None:
    found = await place.source().find([code(each.code) for each in ALIVE])
    for personal in (PERSON, IDENTITY, PHONE, SECRET, "đường Mẫu"):
        assert personal not in str(found)


async def test_holder_is_the_agency_of_the_code_where_nothing_else_says(soctrang: Place) -> None:
    assert (await soctrang.source().find([FIRST]))[FIRST].agency == FIRST.agency


async def test_proofs_are_sealed_where_the_mapping_names_them_and_a_key_is_given(opencps: Place) -> None:
    sealer = Sealer(b"0123456789abcdef")
    dossier = (await opencps.source(sealer=sealer).find([FIRST]))[FIRST]
    for proof in (Proof(ProofKind.NUMBER, "84" + PHONE[1:]), Proof(ProofKind.SECRET, SECRET)):
        assert sealer.seal(FIRST, proof) in dossier.proofs
    assert (await opencps.source().find([FIRST]))[FIRST].proofs == frozenset()


async def test_unmapped_state_is_counted_each_time_and_logged_once(place: Place) -> None:
    unmapped = code(next(each for each in PLANTED if each.status is None).code)
    source = place.source()
    with capture_logs() as logs:
        for _ in range(3):
            assert (await source.find([unmapped]))[unmapped].status is None
    assert place.counted == {"status_unmapped": 3}
    assert [line["event"] for line in logs] == ["source.status_unmapped"]


async def test_unknown_codes_are_absent(place: Place) -> None:
    assert await place.source().find([code("H51.18-210817-9999")]) == {}
    assert await place.source().find([]) == {}


# ---- how it is asked


async def test_fifty_questions_at_once_never_exceed_the_connections(place: Place) -> None:
    source = place.source(connections=3)
    place.server.held = asyncio.Event()
    codes = [code(ALIVE[number % len(ALIVE)].code) for number in range(50)]
    reads = [asyncio.ensure_future(source.find([each])) for each in codes]
    await asyncio.wait_for(place.server.until_asked(3), PATIENCE)
    place.server.held.set()
    found = await asyncio.gather(*reads)
    assert all(len(each) == 1 for each in found)
    assert place.server.peak == 3


async def test_time_spent_waiting_for_a_turn_counts(opencps: Place) -> None:
    source = opencps.source(connections=1)
    opencps.server.held = asyncio.Event()
    reads = asyncio.gather(*(source.find([FIRST]) for _ in range(5)), return_exceptions=True)
    await asyncio.wait_for(opencps.server.until_asked(1), PATIENCE)
    pass_time(PATIENCE)
    assert all(isinstance(each, SourceUnavailable) for each in await reads)
    assert len(opencps.server.asked) == 1


async def test_cancelled_read_leaves_the_source_usable(opencps: Place) -> None:
    source = opencps.source(connections=1)
    opencps.server.held = asyncio.Event()
    for number in range(1, 5):
        reading = asyncio.ensure_future(source.find([FIRST]))
        await asyncio.wait_for(opencps.server.until_asked(number), PATIENCE)
        reading.cancel()
        await asyncio.wait([reading])
    opencps.server.held.set()
    assert FIRST in await source.find([FIRST])


async def test_pages_are_turned_until_the_last(opencps: Place) -> None:
    mapping = changed("opencps", paging={"size": 2, "most": 3}, batch={"size": 100}, request=_many())
    codes = [code(each.code) for each in ALIVE[:5]]
    assert len(await opencps.source(mapping).find(codes)) == 5
    assert len(opencps.server.asked) == 3
    with pytest.raises(SourceIncomplete, match="more than 3 pages") as caught:
        await opencps.source(mapping).find([code(each.code) for each in ALIVE[:7]])
    assert (len(caught.value.found), len(caught.value.failed)) == (6, 1)


async def test_pages_are_turned_no_further_than_the_dossier(opencps: Place) -> None:
    rows = [opencps_record(each) for each in (*ALIVE[1:3], ALIVE[0], *ALIVE[3:9])]
    opencps.server.fault = in_pages(2, *(rows[start : start + 2] for start in range(0, 8, 2)))
    assert set(await opencps.source(changed("opencps", paging={"size": 2, "most": 2})).find([FIRST])) == {FIRST}
    assert len(opencps.server.asked) == 2


async def test_more_pages_than_the_mapping_allows_are_not_taken_for_not_found(opencps: Place) -> None:
    rows = [opencps_record(each) for each in ALIVE[1:9]]
    opencps.server.fault = in_pages(2, *(rows[start : start + 2] for start in range(0, 8, 2)))
    with pytest.raises(SourceMisread, match="more than 3 pages"):
        await opencps.source(changed("opencps", paging={"size": 2, "most": 3})).find([FIRST])


async def test_dossier_that_comes_in_while_pages_are_turned_hides_no_other(opencps: Place) -> None:
    mapping = changed("opencps", paging={"size": 2, "most": 3}, batch={"size": 100}, request=_many())
    first, second, third, new = (opencps_record(each) for each in ALIVE[:4])
    opencps.server.fault = in_pages(2, [first, second], [second, third], [])  # with `new` before them all
    codes = [code(each.code) for each in ALIVE[:3]]
    assert set(await opencps.source(mapping).find(codes)) == set(codes)
    assert new["dossierNo"] not in str(opencps.server.asked)
    assert opencps.counted == {}


async def test_source_without_regard_for_pages_is_read_once_over(opencps: Place) -> None:
    opencps.server.fault = as_json({"data": [opencps_record(each) for each in ALIVE[1:3]]})
    source = opencps.source(changed("opencps", paging={"size": 2, "most": 20}))
    assert await source.find([FIRST]) == {}
    assert len(opencps.server.asked) == 2


async def test_many_codes_travel_in_one_request_where_the_mapping_says_so(opencps: Place) -> None:
    mapping = changed("opencps", paging=None, batch={"size": 10}, request=_many(paged=False))
    found = await opencps.source(mapping).find([code(each.code) for each in ALIVE])
    assert len(found) == len(ALIVE) > 10
    assert len(opencps.server.asked) == 2


async def test_codes_stand_as_a_list_in_a_json_body(opencps: Place) -> None:
    bodies: list[Any] = []

    async def answer(_server: OneStopHttp, request: Any) -> Any:
        bodies.append(await request.json())
        return await says('{"data": []}')(_server, request)

    opencps.server.fault = answer
    request = {"method": "POST", "path": "/o/rest/v2/dossiers", "body": {"ma": "{codes}", "nguon": ["x"], "so": 1}}
    mapping = changed("opencps", paging=None, batch={"size": 10}, request=request)
    await opencps.source(mapping).find([code(each.code) for each in ALIVE[:2]])
    assert bodies == [{"ma": [each.code for each in ALIVE[:2]], "nguon": ["x"], "so": 1}]


async def test_code_in_the_path_is_quoted(opencps: Place) -> None:
    request = {"path": "/o/rest/v2/dossiers/{code}"}
    receipt = DossierCode(text="12345/2020/00001", family=CodeFamily.LEGACY, agency="H51.18")
    source = opencps.source(changed("opencps", paging=None, request=request))
    sent: list[str] = []
    exchange = source._client.exchange

    async def spied(asked: Any) -> Any:
        sent.append(str(source._client._url(asked)))
        return await exchange(asked)

    source._client.exchange = spied  # type: ignore[method-assign, assignment]
    with pytest.raises(SourceMisread):  # this server has no such path
        await source.find([receipt])
    assert sent == [f"{opencps.server.url}/o/rest/v2/dossiers/12345%2F2020%2F00001"]


async def test_first_part_of_the_path_stands_in_the_address(opencps: Place) -> None:
    request = json.loads(OPENCPS_MAPPING)["request"] | {"path": "/dossiers"}
    source = opencps.source(changed("opencps", request=request), url=f"{opencps.server.url}/o/rest/v2/")
    assert FIRST in await source.find([FIRST])


async def test_proxies_of_the_environment_are_not_used(opencps: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert FIRST in await opencps.source().find([FIRST])


async def test_cookies_are_not_kept_without_need(opencps: Place) -> None:
    opencps.server.fault = says('{"data": []}', Set_Cookie="theo-doi=1; Path=/")
    source = opencps.source()
    for _ in range(2):
        await source.find([FIRST])
    assert not any("Cookie" in headers for headers in opencps.server.headers)


# ---- who asks


STATIC = {
    "basic": ({"kind": "basic"}, ACCOUNT_GIVEN),
    "bearer": ({"kind": "bearer"}, Credentials(token=KEY)),
    "api_key": ({"kind": "api_key", "header": "X-Api-Key"}, Credentials(token=KEY)),
}
LOGIN_BODY = {"path": "/login", "body": {"username": "{username}", "password": "{password}"}}
SESSIONS = {
    "session": ({"kind": "login", "login": LOGIN_BODY | {"token": "session"}}, {"session": "{token}"}),
    "cookie": ({"kind": "login", "login": LOGIN_BODY | {"cookies": True}}, {}),
}


def with_session(guard: str) -> RestMapping:
    authentication, query = SESSIONS[guard]
    request = json.loads(OPENCPS_MAPPING)["request"]
    return changed(
        "opencps",
        authentication=authentication,
        request=request | {"query": request["query"] | query},
        outcome={"path": "error_code", "found": [0], "expired": [-1]},
    )


@pytest.mark.parametrize("kind", sorted(STATIC))
async def test_credentials_are_shown_and_wrong_ones_are_no_outage(opencps: Place, kind: str) -> None:
    authentication, credentials = STATIC[kind]
    opencps.server.guard = kind
    mapping = changed("opencps", authentication=authentication)
    assert FIRST in await opencps.source(mapping, credentials=credentials).find([FIRST])
    wrong = Credentials(username=ACCOUNT, password="sai", token="sai")
    with pytest.raises(SourceMisread, match="refuses our credentials") as caught:
        await opencps.source(mapping, credentials=wrong).find([FIRST])
    assert "sai" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"^source opencps-rest: "):
        opencps.source(mapping)


@pytest.mark.parametrize("guard", sorted(SESSIONS))
async def test_session_is_opened_once_and_renewed_once_it_ends(opencps: Place, guard: str) -> None:
    opencps.server.guard = guard
    source = opencps.source(with_session(guard), credentials=ACCOUNT_GIVEN, connections=5)
    reads = await asyncio.gather(*(source.find([FIRST]) for _ in range(10)))
    assert all(FIRST in each for each in reads)
    assert opencps.server.log_ins == 1
    opencps.server.expire()
    reads = await asyncio.gather(*(source.find([FIRST]) for _ in range(10)))
    assert all(FIRST in each for each in reads)
    assert opencps.server.log_ins == 2


async def test_openid_log_in_is_opened_once_and_renewed(open_place: Callable[[str], Awaitable[Place]]) -> None:
    digo = await open_place("digo")
    source = digo.source(connections=1)
    assert len(await source.find([code(each.code) for each in ALIVE])) == len(ALIVE)
    digo.server.expire()
    assert len(await source.find([code(each.code) for each in ALIVE])) == len(ALIVE)
    assert digo.server.log_ins == 2


async def test_session_that_was_never_taken_is_not_renewed_before_a_while(
    opencps: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    opencps.server.fault = FAULTS["401"]
    opencps.server.guard = "session"
    source = opencps.source(with_session("session"), credentials=ACCOUNT_GIVEN)
    for _ in range(3):
        with pytest.raises(SourceMisread, match="refuses our credentials"):
            await source.find([FIRST])
    assert (len(opencps.server.asked), opencps.server.log_ins) == (3, 1)
    monkeypatch.setattr(rest_login, "PAUSE", 0.0)
    opencps.server.fault = None
    opencps.server.expire()
    assert FIRST in await source.find([FIRST])
    assert opencps.server.log_ins == 2


async def test_record_that_is_forbidden_costs_no_log_in_per_question(
    opencps: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = code(ALIVE[1].code)
    opencps.server.fault = poisoned(poison, FAULTS["403"])
    source = opencps.source(with_session("session"), credentials=ACCOUNT_GIVEN)
    for _ in range(5):
        assert FIRST in await source.find([FIRST])
        with pytest.raises(SourceMisread, match="403"):
            await source.find([poison])
    assert opencps.server.log_ins == 1
    monkeypatch.setattr(rest_login, "PAUSE", 0.0)  # an old session: there are systems that say 403 when it has ended
    with pytest.raises(SourceMisread, match="403"):
        await source.find([poison])
    assert opencps.server.log_ins == 2


@pytest.mark.parametrize("style", ["digo", "opencps"])
async def test_refused_log_in_is_not_tried_again_at_once(
    style: str, open_place: Callable[[str], Awaitable[Place]]
) -> None:
    place = await open_place(style)
    place.server.refuse_log_ins = True
    source = place.source() if style == "digo" else place.source(with_session("session"), credentials=ACCOUNT_GIVEN)
    for _ in range(3):
        with pytest.raises(SourceMisread) as caught:
            await source.find([FIRST])
        assert PASSWORD not in str(caught.value)
    assert place.server.log_ins == 1
    assert place.server.asked == []


# ---- whom it may ask


def named(place: Place, *answers: Sequence[str], **given: Any) -> tuple[RestDossierSource, list[str]]:
    """A source whose host is a name, and the names that were resolved: each time the next of `answers`."""
    port = place.server.url.rpartition(":")[2]
    source = place.source(url=f"http://mot-cua.example:{port}", **given)
    asked: list[str] = []
    left = list(answers)

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return left.pop(0)

    source._client._resolver._resolve = resolve
    return source, asked


async def test_host_is_resolved_once(opencps: Place) -> None:
    source, asked = named(opencps, ["127.0.0.1"], ["169.254.169.254"])
    opencps.server.fault = says('{"data": []}', Connection="close")
    for _ in range(3):
        assert await source.find([FIRST]) == {}
    assert asked == ["mot-cua.example"]
    assert len(opencps.server.asked) == 3


async def test_name_that_leads_to_a_refused_address_is_not_asked(opencps: Place) -> None:
    for refused in ("127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1", "224.0.0.1"):
        source, _ = named(opencps, [refused], networks=())
        with pytest.raises(SourceMisread, match="no address that may be asked"):
            await source.find([FIRST])
    assert opencps.server.asked == []


async def test_name_is_resolved_and_checked_again_after_its_address_failed(opencps: Place) -> None:
    source, asked = named(opencps, ["127.0.0.2"], ["127.0.0.1"])  # nobody listens at the first
    with pytest.raises(SourceUnavailable):
        await source.find([FIRST])
    assert FIRST in await source.find([FIRST])
    assert len(asked) == 2
    source, asked = named(opencps, ["127.0.0.2"], ["169.254.169.254"])
    with pytest.raises(SourceUnavailable):
        await source.find([FIRST])
    with pytest.raises(SourceMisread, match="no address that may be asked"):
        await source.find([FIRST])


async def test_only_the_addresses_that_may_be_asked_are(opencps: Place) -> None:
    source, _ = named(opencps, ["169.254.169.254", "127.0.0.1"])
    assert FIRST in await source.find([FIRST])


async def test_name_that_nobody_knows_is_unavailable(opencps: Place) -> None:
    source, _ = named(opencps)

    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    source._client._resolver._resolve = unknown
    with pytest.raises(SourceUnavailable, match="cannot be resolved"):
        await source.find([FIRST])


async def test_certificate_of_nobody_we_know_is_not_accepted(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path).make()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    source = RestDossierSource(mapping_of("opencps"), f"https://127.0.0.1:{port}", networks=LOOPBACK)
    with pytest.raises(SourceUnavailable, match="certificate is not accepted"):
        await source.find([FIRST])
    await source.close()
    server.close()
    await server.wait_closed()


# ---- what an operator reads


async def test_check_says_what_answers(place: Place) -> None:
    assert mapping_of(place.server.style).request.path in await place.source().check()
    place.server.fault = FAULTS["HTML"]
    with pytest.raises(SourceMisread, match="HTML"):
        await place.source().check()


async def test_check_asks_for_nobodys_dossier(soctrang: Place) -> None:
    await soctrang.source().check()
    assert soctrang.server.asked == ["/api/hoso/tracuuhoso?tukhoa=H51-250101-0000"]


async def test_report_names_fields_states_and_doubts(soctrang: Place) -> None:
    report = await soctrang.source().inspect()
    assert report.place == "GET /api/hoso/tracuuhoso"
    assert {each.ours: each.theirs for each in report.fields}["status"] == "tinhtrang_hoso"
    assert all(state.assumed for state in report.states)
    assert any("no code" in warning for warning in report.warnings)
    assert any("unencrypted" in warning for warning in report.warnings)
    assert report.samples == ()


async def test_report_warns_of_a_search_that_finds_anybody(soctrang: Place) -> None:
    soctrang.server.dossiers = [PLANTED[0]]
    soctrang.server.fault = as_json({"tinhtrang_hoso": "Đang xử lý", "tccn_ten": PERSON})
    report = await soctrang.source().inspect()
    assert any("a stranger's dossier" in warning for warning in report.warnings)
    assert PERSON not in str(report)


async def test_report_says_what_could_not_be_read(opencps: Place) -> None:
    opencps.server.fault = FAULTS["HTML"]
    assert "HTML page" in (await opencps.source().inspect()).trouble
    opencps.server.fault = None
    assert (await opencps.source().inspect()).trouble == ""


@pytest.mark.parametrize("lost", ["dossierNo", "dossierStatus"])
async def test_source_whose_records_are_not_as_mapped_is_not_sound(opencps: Place, lost: str) -> None:
    record = opencps_record(ALIVE[0])
    del record[lost]
    opencps.server.fault = as_json({"data": [record]})
    assert lost in (await opencps.source().inspect()).trouble
    with pytest.raises(SourceMisread, match=lost):
        await opencps.source().check()


async def test_probe_that_answers_does_not_hide_that_nobody_is_answered(opencps: Place) -> None:
    source = opencps.source(changed("opencps", probe={"path": "/ok"}))
    await source.check()
    assert (await source.inspect()).trouble == ""
    opencps.server.fault = FAULTS["HTML"]
    assert "HTML page" in (await source.inspect()).trouble
    with pytest.raises(SourceMisread, match="HTML"):
        await source.check()


async def test_probe_that_does_not_answer_is_told(opencps: Place) -> None:
    source = opencps.source(changed("opencps", probe={"path": "/away"}))
    assert "404" in (await source.inspect()).trouble
    with pytest.raises(SourceMisread):
        await source.check()


async def test_report_names_what_answered(opencps: Place) -> None:
    opencps.server.fault = says('{"data": []}', Server="Imitation/1.0 " + 60 * "x")
    report = await opencps.source().inspect()
    assert report.system.startswith("Imitation/1.0")
    assert len(report.system) == 40


def poisoned(poison: DossierCode, fault: Answer) -> Answer:
    """A system that falls ill of one code."""

    async def answer(server: OneStopHttp, request: Any) -> Any:
        well = SYSTEMS[server.style][1]
        return await (fault if poison.text in request.query["dossierNo"] else well)(server, request)

    return answer


def in_pages(size: int, *pages: Sequence[Any]) -> Answer:
    """These records, whatever is asked for."""

    async def answer(server: OneStopHttp, request: Any) -> Any:
        number = int(request.query["start"]) // size
        return await as_json({"data": pages[number]})(server, request)

    return answer


def _many(*, paged: bool = True) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(OPENCPS_MAPPING)["request"]
    query = {"dossierNo": "{codes}"} | ({"start": "{start}", "end": "{end}"} if paged else {})
    return request | {"query": query}


def _aware(moment: Any) -> Any:
    return None if moment is None else moment.replace(tzinfo=LOCAL)
