"""The demo's pages: a text goes out, its answer comes back with its figures, a dossier moves."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from channels.sms import commands as c
from channels.sms.pdu import SubmitSm
from demo.desk import OnestopDesk
from demo.event_log import BEHIND
from demo.handsets import Handsets
from demo.onestop import DOSSIER_FILE, DemoDossier, seed
from demo.pages import SAMPLES, DemoPages, Link, demo_app
from demo.smsc_tickets import MoTicket, Reply
from domain.calendar import LOCAL_ZONE
from domain.catalogue import Catalogue
from domain.codes import read_codes
from domain.dossier import DossierStatus
from tests.unit.speaking import shipped_texts

Client = TestClient[Any, Any]
NUMBER = "84912000101"


def make_ticket(number: str, text: str) -> MoTicket:
    return MoTicket(
        source=number,
        destination="8056",
        text=text,
        unacked_parts=1,
        acked=asyncio.get_running_loop().create_future(),
    )


def make_reply(number: str, text: str, *, parts: int = 1, coding: int = c.CODING_DEFAULT) -> Reply:
    submit = SubmitSm(sequence=1, source="8056", destination=number, data_coding=coding)
    return Reply(
        source="8056",
        destination=number,
        text=text,
        parts=[submit] * parts,
        message_ids=["A"] * parts,
        first_at=time.monotonic(),
        last_at=time.monotonic(),
    )


class Network:
    """An SMSC that takes every text; answers are played by the test."""

    def __init__(self) -> None:
        self.tickets: list[MoTicket] = []
        self.handsets = Handsets(self.send)

    async def send(self, number: str, text: str) -> MoTicket:
        ticket = make_ticket(number, text)
        ticket.delivered()
        self.tickets.append(ticket)
        return ticket

    def answer(self, text: str, *, parts: int = 1, coding: int = c.CODING_DEFAULT) -> None:
        ticket = self.tickets[-1]
        reply = make_reply(ticket.source, text, parts=parts, coding=coding)
        ticket.replied(reply)
        self.handsets.replied(reply, ticket)


class ListedDesk:
    """A desk with what it is given; the first dossier moves, the others stay."""

    def __init__(self, *dossiers: DemoDossier) -> None:
        self.list = list(dossiers)

    async def dossiers(self) -> Sequence[DemoDossier]:
        return self.list

    async def advance(self, code: str) -> DossierStatus | None:
        first = self.list[0]
        if code != first.code:
            return None
        self.list[0] = DemoDossier(code=code, status=DossierStatus.DONE, agency=first.agency)
        return DossierStatus.DONE


DOSSIERS = (
    DemoDossier(
        code="H51.18-250701-0004",
        status=DossierStatus.IN_PROCESS,
        agency="H51.18",
        due_at=datetime(2026, 10, 12, 16, 30),  # noqa: DTZ001 - local time without a zone, as those databases have it
        note="<b>overdue</b>",
    ),
    DemoDossier(code="H51.04-250701-0001", status=None, agency="H51.04"),
    DemoDossier(code="H51.04-250701-0002", status=DossierStatus.ACCEPTED, agency="H51.04", deleted=True),
)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, network: Network) -> Client:
    pages = DemoPages(
        handsets=network.handsets,
        desk=ListedDesk(*DOSSIERS),
        catalogue=Catalogue.from_mapping(shipped_texts()),
        short_code="8056",
        links=[Link(url="http://127.0.0.1:8080/tra-cuu", vi="Trang tra cứu", en="Look-up <page>")],
    )
    return await aiohttp_client(demo_app(pages))


async def told(response: ClientResponse) -> AsyncGenerator[dict[str, Any]]:
    while line := await response.content.readline():
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def send(client: Client, text: str, number: str = NUMBER) -> ClientResponse:
    return await client.post("/messages", json={"number": number, "text": text})


# ---- pages


async def test_the_index_names_every_address_of_the_demo(client: Client) -> None:
    page = await (await client.get("/")).text()
    for address in ("/handset", "/desk", "http://127.0.0.1:8080/tra-cuu"):
        assert f'href="{address}"' in page
    assert "Look-up &lt;page&gt;" in page


@pytest.mark.parametrize("path", ["/", "/handset", "/desk"])
async def test_a_page_runs_nothing_but_our_own_files(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = await response.text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", page)
    for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert (await client.get(name)).status == 200


async def test_the_telephone_has_the_desk_beside_it_and_the_desk_stands_alone_too(client: Client) -> None:
    both = await (await client.get("/handset")).text()
    alone = await (await client.get("/desk")).text()
    assert 'id="phone"' in both
    assert 'id="rows"' in both
    assert 'id="phone"' not in alone
    assert 'id="rows"' in alone


async def test_the_ready_made_texts_are_what_they_say(client: Client) -> None:
    page = await (await client.get("/handset")).text()
    today = date(2026, 11, 23)
    read = {sample.en: read_codes(sample.text, today=today).codes for sample in SAMPLES}
    assert [code.text for code in read["a clean code"]] == ["000.00.18.H51-161220-0001"]
    assert [code.text for code in read["sloppily typed"]] == ["H51.18-250701-0004"]
    assert read["unknown"]
    assert not read["no code in it"]
    assert all(sample.text in page for sample in SAMPLES)


async def test_no_other_file_is_served(client: Client) -> None:
    for name in ("nothing.css", "..%2Fpages.py", "%2E%2E%2F%2E%2E%2Fpyproject.toml"):
        assert (await client.get(f"/static/{name}")).status == 404


# ---- telephones


async def test_a_text_is_handed_to_the_network_as_it_was_typed(client: Client, network: Network) -> None:
    assert (await send(client, "mã 000.00.18.H51-161220-0001 ạ")).status == 202
    assert [(each.source, each.text) for each in network.tickets] == [(NUMBER, "mã 000.00.18.H51-161220-0001 ạ")]


async def test_a_reply_arrives_with_its_segments_its_alphabet_and_its_time(client: Client, network: Network) -> None:
    async with client.get("/events") as response:
        assert response.content_type == "text/event-stream"
        async with aclosing(told(response)) as events:
            await send(client, "HELP")
            sent = await anext(events)
            assert (sent["kind"], sent["text"], sent["segments"], sent["alphabet"]) == ("sent", "HELP", 1, "GSM-7")
            network.tickets[-1].settled(c.ROK)
            taken = await anext(events)
            assert (taken["kind"], taken["about"]) == ("taken", sent["id"])
            assert taken["milliseconds"] >= 0
            network.answer("Tra cứu: gửi mã hồ sơ", parts=2, coding=c.CODING_UCS2)
            reply = await anext(events)
            assert (reply["kind"], reply["number"], reply["about"]) == ("reply", NUMBER, sent["id"])
            assert (reply["segments"], reply["alphabet"]) == (2, "UCS-2")
            assert reply["milliseconds"] >= 0


async def test_a_page_that_opens_late_is_told_what_happened(client: Client, network: Network) -> None:
    await send(client, "one")
    network.answer("two")
    async with client.get("/events") as response, aclosing(told(response)) as events:
        assert [(await anext(events))["text"] for _ in range(2)] == ["one", "two"]


async def test_a_page_that_comes_back_is_told_only_what_it_missed(client: Client, network: Network) -> None:
    await send(client, "one")
    network.answer("two")
    async with (
        client.get("/events", headers={"Last-Event-ID": "1"}) as response,
        aclosing(told(response)) as events,
    ):
        assert (await anext(events))["text"] == "two"


async def test_a_nonsense_last_event_id_tells_everything(client: Client) -> None:
    await send(client, "one")
    for nonsense in ("x", "²", "-1", "9" * 400):
        async with (
            client.get("/events", headers={"Last-Event-ID": nonsense}) as response,
            aclosing(told(response)) as events,
        ):
            assert (await anext(events))["text"] == "one"


async def test_a_text_nobody_asked_for_arrives_too() -> None:
    network = Network()
    network.handsets.replied(make_reply(f"+{NUMBER}", "Ho so da co ket qua"), None)
    async with aclosing(network.handsets.follow()) as events:
        event = await anext(events)
    assert event is not None
    assert (event.number, event.about, event.milliseconds) == (NUMBER, 0, None)


async def test_a_question_sent_past_the_page_is_shown_before_its_answer() -> None:
    network = Network()
    await network.send(NUMBER, "HELP")
    network.answer("Tra cuu")
    async with aclosing(network.handsets.follow()) as events:
        seen = [await anext(events), await anext(events)]
    assert [event.kind for event in seen if event] == ["sent", "reply"]


async def test_a_refused_text_is_shown_as_refused() -> None:
    network = Network()
    ticket = await network.handsets.send(NUMBER, "HELP")
    async with aclosing(network.handsets.follow(after=1)) as events:
        ticket.settled(c.RMSGQFUL)
        event = await anext(events)
    assert event is not None
    assert event.kind == "refused"


async def test_a_silent_line_shows_that_it_is_alive() -> None:
    async with aclosing(Network().handsets.follow(idle=0.001)) as events:
        assert await anext(events) is None


async def test_a_page_far_behind_is_cut_off_and_catches_up_later() -> None:
    network = Network()
    async with aclosing(network.handsets.follow()) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        for number in range(BEHIND + 2):
            network.handsets.replied(make_reply(NUMBER, str(number)), None)
        await first
        assert len([event async for event in events]) == BEHIND - 1


async def test_streams_end_when_the_demo_ends(client: Client, network: Network) -> None:
    async with client.get("/events") as response:
        network.handsets.close()
        assert b"data:" not in await response.read()


@pytest.mark.parametrize(
    "body",
    [
        {"number": NUMBER, "text": ""},
        {"number": NUMBER, "text": "x" * 1_601},
        {"number": "", "text": "HELP"},
        {"number": "٠٩١٢", "text": "HELP"},
        {"number": "84912 OR 1=1", "text": "HELP"},
        {"number": NUMBER},
        {"number": 84912000101, "text": "HELP"},
        [],
    ],
)
async def test_what_no_telephone_could_send_is_refused(client: Client, network: Network, body: object) -> None:
    assert (await client.post("/messages", json=body)).status == 422
    assert network.tickets == []


async def test_what_cannot_be_written_as_an_sms_is_refused(client: Client, network: Network) -> None:
    async def refuse(number: str, text: str) -> MoTicket:
        raise ValueError("surrogate")

    network.handsets._send = refuse
    assert (await send(client, "x")).status == 422


@pytest.mark.parametrize("path", ["/messages", "/dossiers"])
async def test_another_site_cannot_write_in_the_readers_name(client: Client, path: str) -> None:
    plain = await client.post(
        path, data='{"number": "84912000101", "text": "x"}', headers={"Content-Type": "text/plain"}
    )
    crossing = await client.post(path, json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (plain.status, crossing.status) == (403, 403)


# ---- desk


async def test_the_desk_lists_every_dossier_with_its_state_and_next_step(client: Client) -> None:
    first, unmapped, deleted = await (await client.get("/dossiers")).json()
    assert first["code"] == "H51.18-250701-0004"
    assert (first["status"], first["vi"], first["en"]) == (4, "Đang xử lý", "In process")
    assert (first["due_on"], first["next"]) == ("12/10/2026", "Đã xử lý xong")
    assert (unmapped["status"], unmapped["next"]) == (None, "")
    assert (deleted["deleted"], deleted["next"]) == (True, "")


async def test_a_dossier_takes_its_next_step(client: Client) -> None:
    response = await client.post("/dossiers", json={"code": "H51.18-250701-0004"})
    assert response.status == 200
    assert (await response.json())[0]["status"] == 9


async def test_a_dossier_that_cannot_move_stays(client: Client) -> None:
    assert (await client.post("/dossiers", json={"code": "H51.04-250701-0001"})).status == 409
    assert (await client.post("/dossiers", json={"code": "'; DROP TABLE HoSos; --"})).status == 409


async def test_the_real_desk_moves_a_dossier_of_the_demo_databases(tmp_path: Path) -> None:
    seed(tmp_path, date(2026, 11, 23))
    desk = OnestopDesk(tmp_path)
    assert await desk.advance("000.00.18.H51-161220-0001") is DossierStatus.DONE
    assert {each.code: each.status for each in await desk.dossiers()}["000.00.18.H51-161220-0001"] is DossierStatus.DONE


async def test_a_step_at_the_desk_bears_the_agencys_time_wherever_the_demo_runs(tmp_path: Path) -> None:
    """A poll asks what changed since a moment of the agency's own zone."""
    seed(tmp_path, date(2026, 11, 23))
    before = datetime.now(LOCAL_ZONE).replace(microsecond=0, tzinfo=None)
    await OnestopDesk(tmp_path).advance("H13.18-250701-0001")
    with closing(sqlite3.connect(tmp_path / DOSSIER_FILE)) as opencps:
        ((written,),) = opencps.execute(
            "SELECT modifiedDate FROM Dossier WHERE dossierNo = 'H13.18-250701-0001'"
        ).fetchall()
    assert before <= datetime.fromisoformat(written) <= datetime.now(LOCAL_ZONE).replace(tzinfo=None)
