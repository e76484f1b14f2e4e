"""A bind tried by hand: every step is told, a failure says what to do, and nobody's message is taken or lost."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.sms import advice
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppAccount, SmppBind, Tls
from channels.sms.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Unbind,
    UnbindResp,
    Unknown,
)
from channels.sms.probing import probe
from channels.sms.states import LinkLost
from channels.sms.statuses import FATAL_TO_BIND
from channels.sms.steps import Step, StepName
from demo.smsc import Fault, Smsc, SmscOptions
from tests.peers.scripted_smsc import PATIENCE, ScriptedSmsc, scripted_smsc
from tests.servers.redis import Certificates

CITIZEN, SHORT_CODE = "84912345678", "8088"
NAMES = [StepName.BEGIN, StepName.CONNECT, StepName.BIND, StepName.ENQUIRE_LINK, StepName.UNBIND]


def account(port: int, **changes: Any) -> SmppAccount:
    defaults: dict[str, Any] = {
        "name": "viettel",
        "host": "127.0.0.1",
        "port": port,
        "system_id": "demo",
        "password": "demo",
        "short_code": SHORT_CODE,
        **dict.fromkeys(("connect_timeout", "bind_timeout", "response_timeout"), PATIENCE),
    }
    return SmppAccount(**{**defaults, **changes})


async def tried(port: int, *, only: str = "", listening: float = 0.0, **changes: Any) -> list[Step]:
    steps = probe(account(port, **changes), only=only, clock=lambda: datetime.now(UTC), listening=listening)
    async with asyncio.timeout(PATIENCE):
        return [step async for step in steps]


def named(steps: list[Step], name: StepName) -> Step:
    (step,) = [step for step in steps if step.name is name]
    return step


@asynccontextmanager
async def answering(answer: Callable[[Pdu], list[Pdu] | None]) -> AsyncIterator[ScriptedSmsc]:
    """An SMSC that answers in its own way, and as others do where `answer` gives None."""
    async with scripted_smsc() as smsc:
        usual = smsc.answer

        def chosen(pdu: Pdu) -> list[Pdu]:
            own = answer(pdu)
            return usual(pdu) if own is None else own

        smsc.answer = chosen  # type: ignore[method-assign]
        yield smsc


# ---- what goes well


async def test_every_step_is_told_with_the_time_it_took() -> None:
    async with Smsc() as smsc:
        steps = await tried(smsc.port)
    assert [step.name for step in steps] == NAMES
    assert not any(step.failed for step in steps)
    assert all(step.seconds is not None for step in steps[1:])
    assert steps[0].words == f"bind 1: transceiver to 127.0.0.1:{smsc.port} as demo"
    assert named(steps, StepName.BIND).words == 'bound; the SMSC calls itself "SMSC" and speaks SMPP 3.4'


async def test_each_bind_is_tried_as_it_is_meant() -> None:
    binds = [SmppBind(name=mode, mode=mode, system_type=mode[:3]) for mode in BindMode]
    async with scripted_smsc() as smsc:
        steps = await tried(smsc.port, binds=binds, address_range="^8088$")
        heard = smsc.of(Bind)
    assert [step.words.split()[1] for step in steps if step.name is StepName.BEGIN] == [f"{mode}:" for mode in BindMode]
    assert [bind.command for bind in heard] == [c.BIND_TRANSCEIVER, c.BIND_TRANSMITTER, c.BIND_RECEIVER]
    assert [(bind.system_type, bind.address_range) for bind in heard] == [(m[:3], "^8088$") for m in BindMode]


async def test_only_the_bind_that_is_named_is_tried() -> None:
    async with scripted_smsc() as smsc:
        await tried(smsc.port, only="2", binds=[SmppBind(name="1"), SmppBind(name="2", system_id="second")])
        assert [bind.system_id for bind in smsc.of(Bind)] == ["second"]


async def test_an_smsc_that_says_little_is_told_as_such() -> None:
    async with answering(
        lambda pdu: [BindResp(c.BIND_TRANSCEIVER | c.RESPONSE_BIT, 1)] if isinstance(pdu, Bind) else None
    ) as smsc:
        steps = await tried(smsc.port)
    assert named(steps, StepName.BIND).words == "bound; the SMSC gives no name and does not say its version"


async def test_we_leave_as_we_came_and_close_the_link() -> None:
    async with scripted_smsc() as smsc:
        await tried(smsc.port)
        await smsc.until(lambda: not smsc.link.open)
        assert len(smsc.of(Unbind)) == 1


async def test_whoever_stops_watching_leaves_no_link_behind() -> None:
    async with scripted_smsc() as smsc:
        steps = probe(account(smsc.port), clock=lambda: datetime.now(UTC))
        async for step in steps:
            if step.name is StepName.BIND:
                break
        await steps.aclose()  # type: ignore[attr-defined]
        await smsc.until(lambda: not smsc.link.open)


# ---- nobody's message is taken


async def test_a_message_that_waits_is_put_off_and_comes_again_for_the_gateway() -> None:
    async with Smsc(SmscOptions(retry_after=0.01)) as smsc:
        ticket = await smsc.send_mo(CITIZEN, SHORT_CODE, "H51.18-210817-0005")
        steps = await tried(smsc.port, listening=0.1)
        answers = [seen.pdu.status for seen in smsc.seen if isinstance(seen.pdu, DeliverSmResp)]
        assert answers
        assert set(answers) == {c.RX_T_APPN}
        assert not ticket.acked.done()
    told = named(steps, StepName.MEANWHILE).words
    assert told == f"{len(answers)} deliver_sm not taken: refused for now (ESME_RX_T_APPN), to come again"


MESSAGE = DeliverSm(7, source=CITIZEN, destination=SHORT_CODE, short_message=b"HS 1")


async def test_a_message_before_the_answer_to_the_bind_is_put_off_too() -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [MESSAGE, BindResp(pdu.command | c.RESPONSE_BIT, pdu.sequence)] if isinstance(pdu, Bind) else None

    async with answering(answer) as smsc:
        steps = await tried(smsc.port)
        assert [resp.status for resp in smsc.of(DeliverSmResp)] == [c.RX_T_APPN]
    assert not any(step.failed for step in steps)


async def test_a_message_while_we_say_goodbye_is_put_off_too() -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [MESSAGE, UnbindResp(pdu.sequence)] if isinstance(pdu, Unbind) else None

    async with answering(answer) as smsc:
        await tried(smsc.port)
        assert [resp.status for resp in await smsc.until_heard(DeliverSmResp)] == [c.RX_T_APPN]


async def test_a_message_that_cannot_be_read_is_the_gateways_to_judge() -> None:
    unreadable = struct.pack(">LLLL", 20, c.DELIVER_SM, 0, 9) + b"xxxx"
    async with scripted_smsc() as smsc:
        usual = smsc.answer

        def answer(pdu: Pdu) -> list[Pdu]:
            if isinstance(pdu, EnquireLink):
                smsc.link.transport.write(unreadable)
            return usual(pdu)

        smsc.answer = answer  # type: ignore[method-assign]
        steps = await tried(smsc.port)
        assert [(resp.sequence, resp.status) for resp in smsc.of(DeliverSmResp)] == [(9, c.RX_T_APPN)]
    assert "1 deliver_sm not taken" in named(steps, StepName.MEANWHILE).words


async def test_what_else_the_smsc_says_is_answered_by_the_standard_and_counted() -> None:
    said: list[Pdu] = [EnquireLink(1), DataSm(2), AlertNotification(3), Unknown(0x0BAD, 0, 4)]

    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [*said, EnquireLinkResp(pdu.sequence)] if isinstance(pdu, EnquireLink) and pdu.sequence else None

    async with answering(answer) as smsc:
        steps = await tried(smsc.port)
        assert [resp.sequence for resp in smsc.of(EnquireLinkResp)] == [1]
        assert [resp.status for resp in smsc.of(DataSmResp)] == [c.RX_T_APPN]
        assert [(nack.sequence, nack.status) for nack in smsc.of(GenericNack)] == [(4, c.RINVCMDID)]
    assert named(steps, StepName.MEANWHILE).words == (
        "1 data_sm not taken: refused for now (ESME_RX_T_APPN), to come again; "
        "1 0x00000bad, 1 alert_notification, 1 enquire_link from the SMSC"
    )


# ---- what goes wrong


@pytest.mark.parametrize("status", sorted(advice.BIND))
async def test_a_refused_bind_says_the_status_and_what_to_do(status: int) -> None:
    async with scripted_smsc() as smsc:
        smsc.bind_statuses.append(status)
        steps = await tried(smsc.port)
        assert len(smsc.links) == 1
    last = steps[-1]
    assert (last.name, last.failed, last.status) == (StepName.BIND, True, status)
    assert f"(0x{status:02X}, " in last.words
    assert last.advice == advice.BIND[status]
    assert last.fatal == (status in FATAL_TO_BIND)


async def test_what_can_lock_the_account_is_tried_once_for_all_binds_that_show_the_same() -> None:
    binds = [SmppBind(name="1"), SmppBind(name="2", mode=BindMode.RECEIVER), SmppBind(name="3", password="other")]
    async with scripted_smsc() as smsc:
        smsc.bind_statuses.append(c.RINVPASWD)
        steps = await tried(smsc.port, binds=binds)
        assert [bind.password for bind in smsc.of(Bind)] == ["demo", "other"]
    assert [step.name for step in steps if step.name is StepName.LEFT_OUT] == [StepName.LEFT_OUT]
    assert not steps[-1].failed


def test_every_status_that_can_lock_the_account_says_that_it_can() -> None:
    assert all(advice.ONCE in advice.BIND[status] for status in FATAL_TO_BIND)


def test_a_status_of_the_operators_own_is_told_by_its_number() -> None:
    assert advice.in_words(0x0404) == "0x00000404 (the operator's own status)"
    assert advice.in_words(0x0FFF) == "0x00000FFF (a status the standard does not know)"
    assert advice.in_words(c.RINVPASWD) == "ESME_RINVPASWD (0x0E, Invalid Password)"
    assert advice.of_status(advice.BIND, 0x0404) == advice.NOT_KNOWN


async def test_where_nobody_listens_the_port_is_to_be_compared() -> None:
    async with scripted_smsc() as smsc:
        port = smsc.port
    steps = await tried(port)
    assert (steps[-1].name, steps[-1].failed, steps[-1].advice) == (StepName.CONNECT, True, advice.REFUSED)


async def test_a_name_nobody_knows_is_told_as_such() -> None:
    steps = await tried(2775, host="smsc.invalid")
    assert (steps[-1].name, steps[-1].advice) == (StepName.CONNECT, advice.UNNAMED)


async def test_an_smsc_that_never_answers_the_bind_is_not_waited_for_for_ever() -> None:
    async with answering(lambda pdu: [] if isinstance(pdu, Bind) else None) as smsc:
        steps = await tried(smsc.port, bind_timeout=0.2)
        await smsc.until(lambda: not smsc.link.open)
    last = steps[-1]
    assert (last.name, last.words, last.advice) == (StepName.BIND, "no answer in time", advice.UNANSWERED)


async def test_an_smsc_that_cuts_the_link_instead_of_answering_is_told() -> None:
    async with scripted_smsc() as smsc:

        def answer(pdu: Pdu) -> list[Pdu]:
            smsc.link.transport.abort()
            return []

        smsc.answer = answer  # type: ignore[method-assign]
        steps = await tried(smsc.port)
    assert (steps[-1].name, steps[-1].failed, steps[-1].advice) == (StepName.BIND, True, advice.RESET)


async def test_a_link_on_which_nobody_answers_is_told_and_still_ended_politely() -> None:
    async with answering(lambda pdu: [] if isinstance(pdu, EnquireLink) else None) as smsc:
        steps = await tried(smsc.port, response_timeout=0.2)
        assert len(await smsc.until_heard(Unbind)) == 1
    assert named(steps, StepName.ENQUIRE_LINK).failed


async def test_an_smsc_that_says_goodbye_first_is_answered_and_told() -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [EnquireLinkResp(pdu.sequence), Unbind(5)] if isinstance(pdu, EnquireLink) else None

    async with answering(answer) as smsc:
        steps = await tried(smsc.port, listening=PATIENCE)
        assert [resp.sequence for resp in smsc.of(UnbindResp)] == [5]
    last = steps[-1]
    assert (last.name, last.failed, last.words) == (StepName.UNBIND, True, "the SMSC unbound us")


async def test_an_answer_that_cannot_be_read_fails_its_step() -> None:
    def answer(pdu: Pdu) -> list[Pdu] | None:
        return [GenericNack(0, c.RINVCMDID)] if isinstance(pdu, EnquireLink) else None

    async with answering(answer) as smsc:
        steps = await tried(smsc.port)
    failed = named(steps, StepName.ENQUIRE_LINK)
    assert (failed.failed, failed.status) == (True, c.RINVCMDID)


async def test_what_is_no_smpp_is_told_as_such() -> None:
    async with scripted_smsc() as smsc:

        def answer(pdu: Pdu) -> list[Pdu]:
            smsc.link.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return []

        smsc.answer = answer  # type: ignore[method-assign]
        steps = await tried(smsc.port)
    assert (steps[-1].name, steps[-1].words) == (StepName.BIND, "the SMSC sent what is no SMPP")
    assert "right port" in steps[-1].advice
    assert "allow-list" not in steps[-1].advice


def test_what_is_no_smpp_inside_tls_is_not_told_to_try_tls() -> None:
    lost = LinkLost(advice.NO_SMPP)
    assert "tls = true" in advice.of_step(StepName.BIND, lost, encrypted=False)
    assert "tls = true" not in advice.of_step(StepName.BIND, lost, encrypted=True)
    assert "right port" in advice.of_step(StepName.BIND, lost, encrypted=True)


@pytest.mark.parametrize("fault", [Fault.BYTE_CHUNKS, Fault.ENQUIRE_LINK_FLOOD, Fault.MO_BEFORE_BIND_RESPONSE])
async def test_an_smsc_with_odd_manners_is_probed_all_the_same(fault: Fault) -> None:
    async with Smsc(SmscOptions(faults={fault: 1.0})) as smsc:
        await smsc.send_mo(CITIZEN, SHORT_CODE, "HS 1")
        steps = await tried(smsc.port, listening=0.05)
    assert not any(step.failed for step in steps)


# ---- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls")).make(name="DNS:smsc.example.vn")


def encrypted(certificates: Certificates, **changes: Any) -> Smsc:
    return Smsc(SmscOptions(certificate=certificates.certificate, key=certificates.key, **changes))


async def test_what_tls_agreed_on_is_told_and_whose_certificate_it_is(certificates: Certificates) -> None:
    wanted = Tls(authorities=certificates.authority, host_name="smsc.example.vn")
    async with encrypted(certificates) as smsc:
        steps = await tried(smsc.port, tls=wanted)
    assert [step.name for step in steps] == [*NAMES[:2], StepName.TLS, *NAMES[2:]]
    assert not any(step.failed for step in steps)
    assert " by TLS as demo" in steps[0].words
    told = named(steps, StepName.TLS)
    assert told.words.startswith("TLSv1.3, TLS_")
    assert "certificate of smsc.example.vn, valid until " in told.words
    assert told.advice == "It expires in 1 days: ask the operator for the day of change."


async def test_a_certificate_of_another_name_is_refused_before_our_password_is_shown(
    certificates: Certificates,
) -> None:
    async with encrypted(certificates) as smsc:
        steps = await tried(smsc.port, tls=Tls(authorities=certificates.authority))
        assert not smsc.seen
    last = steps[-1]
    assert (last.name, last.failed) == (StepName.TLS, True)
    assert "IP address mismatch" in last.words
    assert "tls_host_name" in last.advice


async def test_a_certificate_nobody_vouches_for_says_which_setting_names_the_authority(
    certificates: Certificates,
) -> None:
    async with encrypted(certificates) as smsc:
        steps = await tried(smsc.port, tls=Tls(host_name="smsc.example.vn"))
    assert (steps[-1].name, steps[-1].failed) == (StepName.TLS, True)
    assert "tls_authorities" in steps[-1].advice


async def test_tls_at_a_port_that_speaks_none_is_told() -> None:
    async with Smsc() as smsc:
        steps = await tried(smsc.port, tls=Tls())
    assert (steps[-1].name, steps[-1].failed, steps[-1].advice) == (StepName.TLS, True, advice.NOT_TLS)


async def test_smpp_in_the_clear_at_a_port_that_wants_tls_is_told(certificates: Certificates) -> None:
    async with encrypted(certificates) as smsc:
        steps = await tried(smsc.port)
    assert (steps[-1].name, steps[-1].failed) == (StepName.BIND, True)
    assert "tls = true" in steps[-1].advice


async def test_an_operator_who_wants_a_certificate_of_ours_is_understood(certificates: Certificates) -> None:
    wanted = Tls(authorities=certificates.authority, host_name="smsc.example.vn")
    async with encrypted(certificates, authorities=certificates.authority) as smsc:
        steps = await tried(smsc.port, tls=wanted)
    assert steps[-1].failed
    assert "tls_certificate" in steps[-1].advice


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls_certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "tls_certificate"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "which version of TLS"),
        ("WRONG_VERSION_NUMBER", "does not speak TLS"),
    ],
)
def test_what_the_other_side_said_of_our_tls_leads_to_what_can_be_done(reason: str, told: str) -> None:
    error = ssl.SSLError(1, "x")
    error.reason = reason
    assert told in advice.of_error(error)
    assert advice.error_in_words(error) == f"TLS failed: {reason.replace('_', ' ').lower()}"
