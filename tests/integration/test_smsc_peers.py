"""One list of promises, kept against four SMSCs nobody here wrote: node-smpp, smpp.twisted3, smpp34 and Net::SMPP.

Between them and our channel a relay notes what passes. Who cannot do a thing is left out of its promise, and
tests/peers/smscs.py says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from channels.sms.account import BindMode, Segmentation, SmppBind
from channels.sms.channel import SmsChannel
from domain.errors import CredentialsRefused
from domain.message import DeliveryStatus, SendResult, SendStatus
from tests.peers import wire as w
from tests.peers.office import PERSON, SHORT_CODE, Desk, Office, account_at, office_at
from tests.peers.smscs import PEERS, Ability, Peer, peers_that_can
from tests.peers.steered import Event, SteeredSmsc
from tests.peers.wire import Wire, wire_to

QUESTION = "Ho so 000.00.18.H51-161220-0001 den dau roi"
PLAIN = "Ho so 000.00.18.H51-161220-0001: da xong. Moi ong/ba den nhan ket qua."
ACCENTED = (
    "Hồ sơ 000.00.18.H51-161220-0001 đã có kết quả. Mời ông/bà mang giấy tiếp nhận và căn cước đến bộ phận một cửa của "
    "Ủy ban nhân dân xã để nhận kết quả trong giờ làm việc."
)
LONG_QUESTION = (
    "Tôi nộp hồ sơ 000.00.18.H51-161220-0001 từ đầu tháng trước mà đến hôm nay vẫn chưa thấy ai gọi đến nhận kết quả."
)
UCS2 = 8
UDHI = 0x40
PART = 66  # UTF-16 units

SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER, PAYLOAD, USSD_SERVICE_OP = 0x020C, 0x020E, 0x020F, 0x0424, 0x0501


def against(*abilities: Ability) -> pytest.MarkDecorator:
    """Each peer that can do this."""
    return pytest.mark.parametrize("peer", peers_that_can(*abilities), ids=str)


@pytest.fixture
async def smsc(peer: Peer) -> AsyncIterator[SteeredSmsc]:
    async with peer.running() as running:
        yield running


@pytest.fixture
async def wire(smsc: SteeredSmsc) -> AsyncIterator[Wire]:
    async with wire_to(smsc.port) as relay:
        yield relay


@pytest.fixture
async def office(wire: Wire) -> AsyncIterator[Office]:
    async with office_at(wire.port) as working:
        yield working


def text_of(segment: Event) -> str:
    """As the SMSC decoded it, or from the octets it took."""
    return str(segment["text"]) if "text" in segment else _decoded(segment)


def whole(segments: Sequence[Event]) -> tuple[str, Sequence[str]]:
    """The text and the ids of one long message: each part is there once, under one reference."""
    told = sorted((part_of(each) or [], text_of(each), each["id"]) for each in segments)
    reference = told[0][0][0]
    assert [part for part, _, _ in told] == [[reference, len(told), number] for number in range(1, len(told) + 1)]
    return "".join(text for _, text, _ in told), [message_id for _, _, message_id in told]


def part_of(segment: Event) -> Sequence[int] | None:
    """Reference, total and number, as the SMSC read them or from the header it took."""
    if segment["tlvs"]:
        return [segment["tlvs"][name] for name in ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")]
    if "part" in segment:
        return segment["part"] and list(segment["part"])
    return list(bytes.fromhex(segment["hex"])[3:6]) if segment["esm_class"] & UDHI else None


def _decoded(segment: Event) -> str:
    octets = bytes.fromhex(segment["hex"])
    body = octets[octets[0] + 1 :] if segment["esm_class"] & UDHI else octets
    return body.decode("utf-16-be" if segment["data_coding"] == UCS2 else "ascii")


def ids_of(result: SendResult) -> list[str]:
    return [segment.external_id for segment in result.segments]


# ---- the bind


@against()
async def test_gateway_binds_as_transceiver(smsc: SteeredSmsc, office: Office, wire: Wire) -> None:
    (bound,) = await smsc.event("bound")
    assert bound["system_id"] == "gateway"
    assert bound.get("interface_version", 0x34) == 0x34
    await wire.answered(w.BIND_TRANSCEIVER, ours=True)
    assert office.channel.ready


@against(Ability.PASSWORD)
async def test_wrong_password_is_refused_and_ends_it(smsc: SteeredSmsc) -> None:
    channel = SmsChannel(account_at(smsc.port, password="guess"), new_id=lambda: 1, clock=lambda: datetime.now(UTC))
    with pytest.raises(CredentialsRefused, match="RINVPASWD"):
        await channel.run(Desk())
    assert [event["status"] for event in await smsc.event("bind_refused")] == [0x0E]


@against()
async def test_transmitter_and_receiver_are_one_account(smsc: SteeredSmsc, wire: Wire) -> None:
    binds = [SmppBind(name="tx", mode=BindMode.TRANSMITTER), SmppBind(name="rx", mode=BindMode.RECEIVER)]
    async with office_at(wire.port, binds=binds) as office:
        await wire.answered(w.BIND_TRANSMITTER, ours=True)
        await wire.answered(w.BIND_RECEIVER, ours=True)
        await smsc.event("bound", 2)
        await smsc.behave(receipts="after")
        smsc.deliver(QUESTION.encode())
        assert await office.heard() == [QUESTION]
        (result,) = await office.send(PLAIN)
        await office.until(lambda: bool(office.desk.reports))
        assert [report.external_id for report in office.desk.reports] == ids_of(result)


@against()
async def test_each_side_answers_when_it_is_asked_whether_it_lives(smsc: SteeredSmsc, wire: Wire, peer: Peer) -> None:
    async with office_at(wire.port, enquire_link_idle=0.2):
        await wire.answered(w.ENQUIRE_LINK, ours=True)
        if Ability.ENQUIRE not in peer.cannot:
            smsc.order("enquire")
            await smsc.event("enquired")
            await wire.answered(w.ENQUIRE_LINK, ours=False)


@against()
async def test_drained_gateway_says_goodbye_and_is_answered(office: Office, wire: Wire, peer: Peer) -> None:
    await office.channel.drain()
    await office.running
    assert len(wire.of(w.UNBIND, ours=True)) == 1
    if Ability.GOODBYE not in peer.cannot:
        await wire.answered(w.UNBIND, ours=True)


@against()
async def test_smsc_that_says_goodbye_is_answered_and_bound_again(
    smsc: SteeredSmsc, office: Office, wire: Wire
) -> None:
    smsc.order("unbind")
    await wire.answered(w.UNBIND, ours=False)
    await smsc.event("bound", 2)
    smsc.deliver(QUESTION.encode())
    assert await office.heard() == [QUESTION]


@against(Ability.DROP)
async def test_smsc_that_hangs_up_without_a_word_is_bound_again(smsc: SteeredSmsc, office: Office) -> None:
    smsc.order("drop")
    await smsc.event("bound", 2)
    smsc.deliver(QUESTION.encode())
    assert await office.heard() == [QUESTION]


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.name == "smpp.twisted3"], ids=str)
async def test_bind_beyond_what_the_smsc_allows_waits_until_another_ends(peer: Peer) -> None:
    async with peer.running(max_bindings=1) as smsc, office_at(smsc.port) as first:
        account = account_at(smsc.port)
        channel = SmsChannel(account, new_id=lambda: 1, clock=lambda: datetime.now(UTC))
        second = Office(channel, Desk(), asyncio.create_task(channel.run(Desk())))
        assert {event["status"] for event in await smsc.event("bind_refused", 2)} == {0x0D}
        await first.channel.drain()
        await second.until(lambda: channel.ready)
        await channel.drain()
        await second.running


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.name == "Net::SMPP"], ids=str)
async def test_smsc_that_gives_every_message_one_id_is_lived_with(peer: Peer) -> None:
    async with peer.running(message_id="123456789") as smsc, office_at(smsc.port) as office:
        await smsc.behave(receipts="after")
        results = await office.send(PLAIN, ACCENTED)
        await office.until(lambda: len(office.desk.reports) == 4)
        assert [result.status for result in results] == [SendStatus.ACCEPTED] * 2
        assert {ids for result in results for ids in ids_of(result)} == {"123456789"}
        assert {report.external_id for report in office.desk.reports} == {"123456789"}


# ---- questions


@against()
async def test_question_is_acknowledged_only_after_it_is_settled(smsc: SteeredSmsc, office: Office, wire: Wire) -> None:
    office.desk.holding = True
    smsc.deliver(QUESTION.encode())
    assert await office.heard() == [QUESTION]
    await office.send(PLAIN)  # what is asked later is answered meanwhile
    assert not wire.of(w.DELIVER_SM | w.ANSWER, ours=True)
    office.desk.release()
    assert (await smsc.event("resp"))[0] == {"event": "resp", "ref": "mo", "status": 0}
    assert office.desk.acknowledged == [True]


@against()
async def test_question_that_cannot_be_kept_is_refused_for_now(smsc: SteeredSmsc, office: Office) -> None:
    office.desk.refusals = 1
    for ref, status in (("first", 0x64), ("second", 0)):
        smsc.deliver(QUESTION.encode(), ref=ref)
        answers = await smsc.event("resp", matching=partial(_is_of, ref))
        assert [answer["status"] for answer in answers] == [status]


def _is_of(ref: str, event: Event) -> bool:
    return bool(event["ref"] == ref)


@against()
async def test_accented_question_is_read(smsc: SteeredSmsc, office: Office) -> None:
    smsc.deliver(ACCENTED[:70].encode("utf-16-be"), data_coding=UCS2)
    assert await office.heard() == [ACCENTED[:70]]


def _by_header(body: bytes, total: int, number: int) -> dict[str, Any]:
    return {"octets": bytes((5, 0, 3, 77, total, number)) + body, "esm_class": UDHI}


def _by_parameters(body: bytes, total: int, number: int) -> dict[str, Any]:
    tlvs = {SAR_REFERENCE: (777).to_bytes(2), SAR_TOTAL: bytes((total,)), SAR_NUMBER: bytes((number,))}
    return {"octets": body, "tlvs": tlvs}


async def deliver_parts(smsc: SteeredSmsc, part: Callable[[bytes, int, int], Mapping[str, Any]]) -> None:
    """The long question in parts, the last first, all of them acknowledged."""
    octets = LONG_QUESTION.encode("utf-16-be")
    pieces = [octets[at : at + 2 * PART] for at in range(0, len(octets), 2 * PART)]
    for number in range(len(pieces), 0, -1):
        smsc.deliver(ref=f"part {number}", data_coding=UCS2, **part(pieces[number - 1], len(pieces), number))
    assert {event["status"] for event in await smsc.event("resp", len(pieces))} == {0}


@against()
async def test_long_question_with_headers_is_one_question(smsc: SteeredSmsc, office: Office) -> None:
    await deliver_parts(smsc, _by_header)
    assert await office.heard() == [LONG_QUESTION]


@against()
async def test_long_question_with_sar_parameters_is_one_question(smsc: SteeredSmsc, office: Office) -> None:
    await deliver_parts(smsc, _by_parameters)
    assert await office.heard() == [LONG_QUESTION]


@against()
async def test_long_question_in_message_payload_is_one_question(smsc: SteeredSmsc, office: Office) -> None:
    smsc.deliver(b"", data_coding=UCS2, tlvs={PAYLOAD: LONG_QUESTION.encode("utf-16-be")})
    assert await office.heard() == [LONG_QUESTION]


@against(Ability.USSD)
async def test_parameter_we_do_not_use_costs_no_question(smsc: SteeredSmsc, office: Office) -> None:
    smsc.deliver(QUESTION.encode(), tlvs={USSD_SERVICE_OP: b"\x02"})
    assert await office.heard() == [QUESTION]
    assert (await smsc.event("resp"))[0]["status"] == 0


# ---- replies


@against()
async def test_replies_of_one_and_of_three_segments_arrive_whole(smsc: SteeredSmsc, office: Office) -> None:
    short, long = await office.send(PLAIN, ACCENTED)
    assert (short.status, long.status) == (SendStatus.ACCEPTED, SendStatus.ACCEPTED)
    submits = await smsc.event("submit", 4)
    (alone,) = (each for each in submits if part_of(each) is None)
    assert (text_of(alone), [alone["id"]], alone["data_coding"]) == (PLAIN, ids_of(short), 0)
    parts = [each for each in submits if part_of(each) is not None]
    assert whole(parts) == (ACCENTED, ids_of(long))
    assert [each["data_coding"] for each in parts] == [UCS2] * 3
    assert {(each["source"], each["destination"]) for each in submits} == {(SHORT_CODE, PERSON)}


@against(Ability.ORDER)
async def test_segments_are_written_one_behind_another(smsc: SteeredSmsc, office: Office) -> None:
    await office.send(PLAIN, ACCENTED, PLAIN)
    submits = await smsc.event("submit", 5)
    assert [(part_of(each) or [0, 1, 1])[1:] for each in submits] == [[1, 1], [3, 1], [3, 2], [3, 3], [1, 1]]


@against()
async def test_reply_cut_by_sar_parameters_arrives_whole(smsc: SteeredSmsc, wire: Wire) -> None:
    async with office_at(wire.port, segmentation=Segmentation.SAR) as office:
        (result,) = await office.send(ACCENTED)
    assert result.status is SendStatus.ACCEPTED
    submits = await smsc.event("submit", 3)
    assert whole(submits) == (ACCENTED, ids_of(result))
    assert {each["esm_class"] & UDHI for each in submits} == {0}


@against()
async def test_reply_in_message_payload_arrives_whole(smsc: SteeredSmsc, wire: Wire) -> None:
    async with office_at(wire.port, segmentation=Segmentation.PAYLOAD) as office:
        (result,) = await office.send(ACCENTED)
    assert result.status is SendStatus.ACCEPTED
    (submit,) = await smsc.event("submit")
    assert (text_of(submit), part_of(submit), [submit["id"]]) == (ACCENTED, None, ids_of(result))


@against()
async def test_throttled_replies_leave_later_and_in_order(smsc: SteeredSmsc, wire: Wire) -> None:
    await smsc.behave(statuses=[0x58, 0, 0x14])
    texts = [f"Tra loi {number}" for number in range(4)]
    async with office_at(wire.port, window=1) as office:
        results = await office.send(*texts)
    assert [result.status for result in results] == [SendStatus.ACCEPTED] * 4
    told = [(text_of(each), each["status"]) for each in await smsc.event("submit", 6)]
    assert told == [(texts[0], 0x58), (texts[0], 0), (texts[1], 0x14), (texts[1], 0), (texts[2], 0), (texts[3], 0)]


@against()
async def test_reply_refused_for_good_does_not_hold_up_the_next(smsc: SteeredSmsc, office: Office) -> None:
    await smsc.behave(statuses=[0x0B])
    results = await office.send("Tra loi 1", "Tra loi 2")
    told = {text_of(each): each["status"] for each in await smsc.event("submit", 2)}
    verdicts = {0x0B: (SendStatus.REJECTED, "RINVDSTADR"), 0: (SendStatus.ACCEPTED, "")}
    assert sorted(told.values()) == [0, 0x0B]
    for number, result in enumerate(results, start=1):
        assert (result.status, result.reason) == verdicts[told[f"Tra loi {number}"]]


@against()
async def test_answers_out_of_order_find_their_messages(smsc: SteeredSmsc, office: Office) -> None:
    await smsc.behave(reversed=4, statuses=[0, 0x0B])
    results = await office.send(*[f"Tra loi {number}" for number in range(4)])
    told = {text_of(each): each for each in await smsc.event("submit", 4)}
    for number, result in enumerate(results):
        submit = told[f"Tra loi {number}"]
        refused = submit["status"] != 0
        assert (result.status is SendStatus.REJECTED) == refused
        assert refused or ids_of(result) == [submit["id"]]


# ---- delivery reports


@pytest.mark.parametrize("when", ["after", "before"])
@against()
async def test_report_names_the_message_it_is_of(smsc: SteeredSmsc, office: Office, when: str) -> None:
    await smsc.behave(receipts=when)
    results = await office.send(PLAIN, ACCENTED)
    await office.until(lambda: len(office.desk.reports) == 4)
    told = sorted(report.external_id for report in office.desk.reports)
    assert told == sorted(ids_of(results[0]) + ids_of(results[1]))
    assert {report.status for report in office.desk.reports} == {DeliveryStatus.DELIVERED}
    assert {event["status"] for event in await smsc.event("resp", 4)} == {0}
