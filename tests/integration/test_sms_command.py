"""`tracuu sms` as an operator types it, against the simulator and against an SMSC nobody here wrote."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.sms import commands as c
from channels.sms.account import SmppAccount, Tls
from channels.sms.pdu import Bind, DeliverSmResp, SubmitSm
from channels.sms.probing import probe
from channels.sms.steps import Step, StepName
from channels.sms.trial import send
from demo.smsc import Smsc, SmscOptions
from domain.message import Address, Category, OutboundMessage
from gateway.exit_codes import ExitCode
from tests.peers.node_smpp import node_smsc
from tests.peers.steered import SteeredSmsc
from tests.servers.redis import Certificates

PATIENCE = 60.0
CITIZEN, SHORT_CODE = "84912345678", "8100"
CONFIG = """\
[replies]
help_phone = "1022"
[[sources]]
name = "province"
url = "sqlite+aiosqlite:///x.sqlite3"
mapping = "mapping.toml"
[database]
url = "sqlite:///store.sqlite3"
[[sms]]
name = "operator"
host = "127.0.0.1"
port = {port}
system_id = "demo"
password = "{password}"
short_code = "8100"
[[sms.bind]]
mode = "transmitter"
[[sms.bind]]
"""


async def tracuu(folder: Path, port: int, *words: str, password: str = "demo") -> tuple[int, str]:
    """Run the command in a process of its own; how it ended and what it said, times and ports blotted out."""
    (folder / "mapping.toml").touch()
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(port=port, password=password), encoding="utf-8")
    environment = {**os.environ, "TRACUU_CONFIG": str(config)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "sms", *words), env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    return process.returncode or 0, re.sub(r"<?[0-9.]+ m?s\b|127\.0\.0\.1:[0-9]+", "_", output.decode())


def told(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines() if not line.startswith("note: ")]


# ---- the simulator


async def test_probing_shows_every_bind_and_takes_nobodys_message(tmp_path: Path) -> None:
    async with Smsc() as smsc:
        ticket = await smsc.send_mo(CITIZEN, SHORT_CODE, "H51.18-210817-0005")
        code, output = await tracuu(tmp_path, smsc.port, "probe", "operator")
        assert {seen.pdu.status for seen in smsc.seen if isinstance(seen.pdu, DeliverSmResp)} == {c.RX_T_APPN}
        assert not ticket.acked.done()
    lines = told(output)
    assert code == 0, output
    bound = 'bind _ bound; the SMSC calls itself "SMSC" and speaks SMPP 3.4'
    assert lines[:5] == [
        "bind 1: transmitter to _ as demo",
        *("connect _ _", bound, "enquire_link _ answered", "unbind _ answered"),
    ]
    assert lines[5:9] == ["bind 2: transceiver to _ as demo", "connect _ _", bound, "enquire_link _ answered"]
    assert re.fullmatch(r"meanwhile \d deliver_sm not taken: refused for now .ESME_RX_T_APPN., to come again", lines[9])


async def test_a_wrong_password_is_shown_once_and_ends_with_its_own_code(tmp_path: Path) -> None:
    async with Smsc() as smsc:
        code, output = await tracuu(tmp_path, smsc.port, "probe", "operator", password="s3cret")
        binds = [seen for seen in smsc.seen if isinstance(seen.pdu, Bind)]
    assert (code, len(binds)) == (ExitCode.CREDENTIALS_REFUSED, 1)
    assert "bind _ FAILED: refused: ESME_RINVPASWD (0x0E, Invalid Password)" in told(output)
    assert "s3cret" not in output


async def test_a_message_is_sent_once_and_followed_to_its_end(tmp_path: Path) -> None:
    async with Smsc(SmscOptions(receipt_delay=0.1)) as smsc:
        code, output = await tracuu(tmp_path, smsc.port, "send", "operator", "0912 345 678", "thử một tin")
        assert [reply.text for reply in smsc.unsolicited] == ["thu mot tin"]
        assert sum(isinstance(seen.pdu, SubmitSm) for seen in smsc.seen) == 1
    lines = told(output)
    assert code == 0, output
    assert lines[1].startswith("leaves as 1 segment to pay for, GSM-7, 11 of 160 characters, from 8100 ")
    assert "report _ segment 1 of 1: delivered" in lines


# ---- node-smpp


@asynccontextmanager
async def a_message_waiting() -> AsyncIterator[SteeredSmsc]:
    """A node-smpp that hands a citizen's message over as soon as somebody is bound."""
    async with node_smsc() as smsc:

        async def hand_over() -> None:
            await smsc.event("bound")
            smsc.deliver(b"HS 000.00.18.H51-161220-0001", ref="citizen")

        task = asyncio.create_task(hand_over())
        try:
            yield smsc
        finally:
            task.cancel()


def account(smsc: SteeredSmsc, tls: Tls | None = None) -> SmppAccount:
    return SmppAccount(
        name="node",
        host="127.0.0.1",
        port=smsc.port,
        system_id="gateway",
        password="secret",
        short_code=SHORT_CODE,
        connect_timeout=PATIENCE,
        bind_timeout=PATIENCE,
        response_timeout=PATIENCE,
        tls=tls,
    )


def now() -> datetime:
    return datetime.now(UTC)


async def probed(smsc: SteeredSmsc, tls: Tls | None = None) -> list[Step]:
    return [step async for step in probe(account(smsc, tls), clock=now)]


async def test_a_strangers_smsc_is_probed_and_keeps_its_message() -> None:
    async with a_message_waiting() as smsc:
        steps = await probed(smsc)
        (answer,) = await smsc.event("resp")
    assert (answer["ref"], answer["status"]) == ("citizen", c.RX_T_APPN)
    assert not any(step.failed for step in steps)
    assert [step.words for step in steps if step.name is StepName.BIND] == [
        'bound; the SMSC calls itself "NODESMSC" and speaks SMPP 3.4'
    ]


async def test_a_strangers_smsc_is_probed_over_tls(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path).make(name="DNS:smsc.example.vn")
    pem = {"key": certificates.key.read_text(encoding="ascii"), "cert": certificates.certificate.read_text("ascii")}
    async with node_smsc(**pem) as smsc:
        good = await probed(smsc, Tls(authorities=certificates.authority, host_name="smsc.example.vn"))
        misnamed = await probed(smsc, Tls(authorities=certificates.authority))
    assert not any(step.failed for step in good)
    assert "certificate of smsc.example.vn" in good[2].words
    assert (misnamed[-1].name, misnamed[-1].failed) == (StepName.TLS, True)


@pytest.mark.parametrize("receipts", ["after", "before"])
async def test_a_strangers_reports_are_followed(receipts: str) -> None:
    message = OutboundMessage(
        id=0,
        channel="sms",
        account="node",
        category=Category.REPLY,
        recipient=Address("sms", CITIZEN),
        sender=Address("sms", SHORT_CODE),
        text="Ho so cua ong ba da duoc tiep nhan. " * 6,
        created_at=now(),
        expires_at=now() + timedelta(hours=1),
    )
    async with node_smsc() as smsc:
        smsc.order("behave", receipts=receipts)
        steps = [step async for step in send(account(smsc), message, clock=now, waiting=PATIENCE)]
        assert len(smsc.of("submit")) == 2
    reports = sorted(step.words for step in steps if step.name is StepName.REPORT)
    assert reports == ["segment 1 of 2: delivered", "segment 2 of 2: delivered"]
