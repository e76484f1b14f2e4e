"""One message sent by hand: it leaves once, what it costs is said, and its own reports are told and no others taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.sms import advice
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppBind
from channels.sms.numbers import is_persons, normalise
from channels.sms.pdu import DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp
from channels.sms.steps import Step, StepName
from channels.sms.trial import ELSEWHERE, NONE_ASKED, NONE_HERE, UNKNOWN_OUTCOME, send, sending_bind
from demo.smsc import Fault, Smsc, SmscOptions
from domain.message import Address, Category, OutboundMessage
from tests.peers.scripted_smsc import PATIENCE, ScriptedSmsc, scripted_smsc
from tests.unit.test_probing import CITIZEN, SHORT_CODE, account, named

LONG = "Ho so cua ong ba da duoc tiep nhan. " * 6  # two segments


def message(text: str = "thu mot tin", sender: str = SHORT_CODE) -> OutboundMessage:
    now = datetime.now(UTC)
    return OutboundMessage(
        id=0,
        channel="sms",
        account="viettel",
        category=Category.REPLY,
        recipient=Address("sms", CITIZEN),
        sender=Address("sms", sender),
        text=text,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


async def sent(port: int, text: str = "thu mot tin", *, waiting: float = PATIENCE, **changes: Any) -> list[Step]:
    steps = send(account(port, **changes), message(text), clock=lambda: datetime.now(UTC), waiting=waiting)
    async with asyncio.timeout(2 * PATIENCE):
        return [step async for step in steps]


def words(steps: list[Step], name: StepName) -> list[str]:
    return [step.words for step in steps if step.name is name]


@asynccontextmanager
async def reporting(reports: Callable[[str], Sequence[str] | None]) -> AsyncIterator[ScriptedSmsc]:
    """An SMSC that says these of each message (`{stat}` is still to be filled), or hangs up on it: None."""
    async with scripted_smsc() as smsc:
        usual = smsc.answer

        def answer(pdu: Pdu) -> list[Pdu]:
            if not isinstance(pdu, SubmitSm):
                return usual(pdu)
            texts = reports("id:7 stat:{stat} err:000")
            if texts is None:
                asyncio.get_running_loop().call_soon(smsc.link.transport.close)
            told = [
                DeliverSm(9, source=CITIZEN, esm_class=c.ESM_RECEIPT, short_message=t.encode()) for t in texts or ()
            ]
            return [SubmitSmResp(pdu.sequence, c.ROK, "7"), *told]

        smsc.answer = answer  # type: ignore[method-assign]
        yield smsc


# ---- leaving


async def test_a_message_is_told_from_how_it_leaves_to_what_became_of_it() -> None:
    async with Smsc(SmscOptions(first_message_id=0xAB)) as smsc:
        steps = await sent(smsc.port)
        assert [reply.text for reply in smsc.unsolicited] == ["thu mot tin"]
    assert [step.name for step in steps] == [
        *(StepName.BEGIN, StepName.LEAVES, StepName.CONNECT, StepName.BIND),
        *(StepName.SUBMIT, StepName.REPORT, StepName.UNBIND),
    ]
    assert words(steps, StepName.LEAVES) == [
        "1 segment to pay for, GSM-7, 11 of 160 characters, from 8088 (TON 0, NPI 0) to 84912345678 (TON 1, NPI 1)"
    ]
    assert words(steps, StepName.SUBMIT) == ["segment 1 of 1: taken, id AB"]
    assert words(steps, StepName.REPORT) == ["segment 1 of 1: delivered"]
    assert not any(step.failed for step in steps)


async def test_what_a_long_message_costs_is_said_before_it_leaves() -> None:
    async with Smsc() as smsc:
        steps = await sent(smsc.port, LONG)
        assert [reply.segments for reply in smsc.unsolicited] == [2]
    assert named(steps, StepName.LEAVES).words.startswith(
        "2 segments to pay for, GSM-7, cut by headers (UDH), from 8088"
    )
    assert len(words(steps, StepName.SUBMIT)) == len(words(steps, StepName.REPORT)) == 2


async def test_accents_are_paid_for_and_told() -> None:
    async with Smsc() as smsc:
        steps = await sent(smsc.port, "thử một tin")
    assert named(steps, StepName.LEAVES).words.startswith("1 segment to pay for, UCS-2, 11 of 70 characters")


def test_a_bind_that_hears_the_reports_is_preferred() -> None:
    binds = [SmppBind(name=mode, mode=mode) for mode in (BindMode.RECEIVER, BindMode.TRANSMITTER, BindMode.TRANSCEIVER)]
    assert sending_bind(account(2775, binds=binds)).name == "transceiver"
    assert sending_bind(account(2775, binds=binds[:2])).name == "transmitter"
    assert sending_bind(account(2775)).mode is BindMode.TRANSCEIVER


@pytest.mark.parametrize("status", [c.RTHROTTLED, c.RINVDSTADR, 0x0404])
async def test_a_refused_segment_is_told_and_nothing_is_sent_again(status: int) -> None:
    async with scripted_smsc() as smsc:
        smsc.submit_statuses.append(status)
        steps = await sent(smsc.port, LONG)
        assert len(smsc.of(SubmitSm)) == 1
    refused = named(steps, StepName.SUBMIT)
    assert (refused.failed, refused.status) == (True, status)
    assert refused.words == f"segment 1 of 2: refused: {advice.in_words(status)}"
    assert refused.advice == advice.of_status(advice.SUBMIT, status)
    assert steps[-1].name is StepName.UNBIND


async def test_a_submit_that_is_not_answered_may_have_been_taken_and_is_not_repeated() -> None:
    async with scripted_smsc() as smsc:
        smsc.answers_submits = False
        steps = await sent(smsc.port, response_timeout=0.2)
        assert len(await smsc.until_heard(SubmitSm)) == 1
    assert (named(steps, StepName.SUBMIT).failed, named(steps, StepName.SUBMIT).advice) == (True, UNKNOWN_OUTCOME)


async def test_a_link_that_breaks_behind_the_message_leaves_its_outcome_open() -> None:
    async with scripted_smsc() as smsc:
        usual = smsc.answer

        def answer(pdu: Pdu) -> list[Pdu]:
            if isinstance(pdu, SubmitSm):
                smsc.link.transport.abort()
                return []
            return usual(pdu)

        smsc.answer = answer  # type: ignore[method-assign]
        steps = await sent(smsc.port)
    assert (named(steps, StepName.SUBMIT).failed, named(steps, StepName.SUBMIT).advice) == (True, UNKNOWN_OUTCOME)


async def test_a_message_no_smsc_could_take_is_told_without_a_call() -> None:
    async with scripted_smsc() as smsc:
        steps = await sent(smsc.port, "x" * 153 * 256)
        assert not smsc.links
    assert (steps[-1].name, steps[-1].failed) == (StepName.LEAVES, True)


# ---- reports


@pytest.mark.parametrize(
    "fault",
    [
        Fault.RECEIPT_BEFORE_RESPONSE,
        Fault.RECEIPT_TEXT_ONLY,
        Fault.RECEIPT_PAYLOAD_ONLY,
        Fault.RECEIPT_ID_WITHOUT_NUL,
        Fault.ID_HEX_THEN_DECIMAL,
        Fault.ID_DECIMAL_THEN_HEX,
        Fault.ID_ZERO_PADDED,
        Fault.ID_OTHER_CASE,
        Fault.BYTE_CHUNKS,
    ],
)
async def test_a_report_is_known_however_the_smsc_writes_it(fault: Fault) -> None:
    async with Smsc(SmscOptions(faults={fault: 1.0}, first_message_id=0xABC123)) as smsc:
        steps = await sent(smsc.port, LONG)
        assert {pdu.status for pdu in responses(smsc)} == {c.ROK}
    assert sorted(words(steps, StepName.REPORT)) == ["segment 1 of 2: delivered", "segment 2 of 2: delivered"]


async def test_a_message_that_did_not_arrive_is_told_with_the_networks_error() -> None:
    async with Smsc(SmscOptions(faults={Fault.RECEIPT_UNDELIVERABLE: 1.0})) as smsc:
        (told,) = words(await sent(smsc.port), StepName.REPORT)
    assert told.startswith("segment 1 of 1: undeliverable, error ")


def responses(smsc: Smsc) -> list[DeliverSmResp]:
    return [seen.pdu for seen in smsc.seen if isinstance(seen.pdu, DeliverSmResp)]


async def test_a_report_that_does_not_come_is_waited_for_so_long_and_no_longer() -> None:
    async with scripted_smsc() as smsc:
        steps = await sent(smsc.port, waiting=0.2)
    waited = named(steps, StepName.WAITED)
    assert (waited.words, waited.advice) == ("no final report of 1 segment within 0.2 s", ELSEWHERE)
    assert not waited.failed


async def test_a_passing_state_is_told_and_the_last_one_waited_for() -> None:
    async with reporting(lambda text: [text.format(stat="ENROUTE"), text.format(stat="DELIVRD")]) as smsc:
        steps = await sent(smsc.port)
    assert words(steps, StepName.REPORT) == ["segment 1 of 1: enroute", "segment 1 of 1: delivered"]


async def test_where_no_report_can_come_nobody_waits() -> None:
    async with scripted_smsc() as smsc:
        nowhere = await sent(smsc.port, registered_delivery=0)
        elsewhere = await sent(smsc.port, binds=[SmppBind(name="tx", mode=BindMode.TRANSMITTER)])
    assert words(nowhere, StepName.WAITED) == [NONE_ASKED]
    assert words(elsewhere, StepName.WAITED) == [NONE_HERE]


async def test_a_link_that_ends_while_we_wait_is_told() -> None:
    async with reporting(lambda _text: None) as smsc:
        steps = await sent(smsc.port)
    assert named(steps, StepName.WAITED).words.startswith("the SMSC closed the link; no final report")


# ---- what is not ours


def report(message_id: str, *, source: str = CITIZEN) -> DeliverSm:
    return DeliverSm(
        9,
        source=source,
        destination=SHORT_CODE,
        esm_class=c.ESM_RECEIPT,
        short_message=f"id:{message_id} stat:DELIVRD err:000".encode(),
    )


async def statuses_of(*pdus: DeliverSm, id_given: str = "10", first: bool = False, **changes: Any) -> Mapping[int, int]:
    """How each is answered that comes right after (or before) the answer to our submit."""
    async with scripted_smsc() as smsc:
        usual = smsc.answer

        def answer(pdu: Pdu) -> list[Pdu]:
            if isinstance(pdu, SubmitSm):
                taken = SubmitSmResp(pdu.sequence, c.ROK, id_given)
                return [*pdus, taken] if first else [taken, *pdus]
            return usual(pdu)

        smsc.answer = answer  # type: ignore[method-assign]
        await sent(smsc.port, waiting=0.2, **changes)
        return {resp.sequence: resp.status for resp in await smsc.until_heard(DeliverSmResp, len(pdus))}


@pytest.mark.parametrize("first", [False, True], ids=["behind the answer", "before it"])
async def test_reports_of_other_messages_and_citizens_are_left_to_the_gateway(*, first: bool) -> None:
    others = DeliverSm(1, source=CITIZEN, destination=SHORT_CODE, short_message=b"HS 000.00.18.H51-161220-0001")
    assert await statuses_of(report("77"), others, first=first) == {9: c.RX_T_APPN, 1: c.RX_T_APPN}


@pytest.mark.parametrize("first", [False, True], ids=["behind the answer", "before it"])
async def test_our_own_report_is_taken(*, first: bool) -> None:
    assert await statuses_of(report("10"), first=first) == {9: c.ROK}


async def test_an_id_that_fits_only_in_another_base_is_ours_only_with_our_number() -> None:
    assert await statuses_of(report("16"), id_given="10") == {9: c.ROK}
    assert await statuses_of(report("16", source="84987654321"), id_given="10") == {9: c.RX_T_APPN}


async def test_a_report_that_is_not_flagged_is_believed_only_where_the_account_says_so() -> None:
    unflagged = DeliverSm(9, source=CITIZEN, destination=SHORT_CODE, short_message=b"id:10 stat:DELIVRD err:000")
    assert await statuses_of(unflagged) == {9: c.RX_T_APPN}
    assert await statuses_of(unflagged, reports_by_content=True) == {9: c.ROK}
    strangers = DeliverSm(9, source="84987654321", destination=SHORT_CODE, short_message=unflagged.short_message)
    assert await statuses_of(strangers, reports_by_content=True) == {9: c.RX_T_APPN}


# ---- numbers


@pytest.mark.parametrize(
    "written", ["0912 345 678", "+84912345678", "0084 912 345 678", "024 3826 2345", "+66 81 234 5678"]
)
def test_a_number_somebody_can_have_is_one(written: str) -> None:
    assert is_persons(normalise(written))


@pytest.mark.parametrize("written", ["8100", "1022", "19001234", "091234567", "09123456789", "84012345678"])
def test_a_number_nobody_can_have_is_none(written: str) -> None:
    assert not is_persons(normalise(written))
