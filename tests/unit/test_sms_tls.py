"""TLS to an SMSC: its certificate and name are verified, ours is shown where it is asked for, and what fails is said."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from click.testing import CliRunner
from structlog.testing import capture_logs

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms.account import SmppAccount, Tls
from channels.sms.channel import SmsChannel
from channels.sms.pdu import Bind
from channels.sms.tls import make_context
from demo.smsc import Smsc, SmscOptions, main
from domain.errors import SettingsError
from domain.message import SendStatus
from tests.servers.redis import Certificates
from tests.unit.sms_desk import CITIZEN, NOW, Desk, outbound, soon

ACCOUNT: dict[str, Any] = {"name": "viettel", "host": "h", "system_id": "s", "password": "p", "short_code": "8088"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of the SMSC, for 127.0.0.1."""
    return Certificates(tmp_path_factory.mktemp("smsc")).make()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of somebody else, for another name, signed by another authority."""
    return Certificates(tmp_path_factory.mktemp("elsewhere")).make(name="DNS:smsc.example")


@asynccontextmanager
async def simulated(certificates: Certificates, **options: Any) -> AsyncIterator[Desk[Smsc]]:
    """An SMSC that speaks TLS only, and nobody at it yet."""
    speaking = SmscOptions(
        system_id="gateway",
        password="secret",
        certificate=certificates.certificate,
        key=certificates.key,
        **options,
    )
    async with Smsc(speaking) as smsc:
        desk = Desk(smsc)
        yield desk
        await desk.close()


async def refusal(desk: Desk[Any], tls: Tls) -> str:
    """What a bind says of the connection it does not get, after it was tried again."""
    with capture_logs() as logs:
        channel = await desk.open(bound=False, tls=tls)
        await desk.until(lambda: len(desk.slept) >= 3)
    (said,) = {entry["error"] for entry in logs if entry["event"] == "sms.connect_failed"}
    assert channel.binds_now()[0].last_error == said
    assert said in (await channel.health()).detail
    return str(said)


async def talk(certificates: Certificates) -> None:
    """A message each way, and a goodbye."""
    async with simulated(certificates) as desk:
        channel = await desk.open(tls=Tls(authorities=certificates.authority), registered_delivery=0)
        ticket = await desk.smsc.send_mo(CITIZEN, "8088", "000.00.18.H51-161220-0001")
        arrival = await soon(desk.basket.arrivals.get())
        assert arrival.settle(Settlement.DURABLE)
        assert await soon(ticket.acked) == c.ROK
        results = await soon(channel.send([outbound(number) for number in range(50)]))
        assert {result.status for result in results} == {SendStatus.ACCEPTED}
        await soon(channel.drain())
        await soon(desk.task)
        assert channel.counters.links_lost == 0


async def test_certificate_of_the_smsc_we_expect_is_trusted(made: Certificates) -> None:
    await talk(made)


def test_other_event_loop_encrypts_as_well(made: Certificates, elsewhere: Certificates) -> None:
    async def both() -> None:
        await talk(made)
        async with simulated(elsewhere) as desk:
            assert await refusal(desk, Tls(authorities=made.authority)) == "certificate_untrusted"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())


async def test_smsc_of_another_name_is_refused(elsewhere: Certificates) -> None:
    async with simulated(elsewhere) as desk:
        assert await refusal(desk, Tls(authorities=elsewhere.authority)) == "certificate_of_another_name"


async def test_name_in_the_certificate_may_be_said(elsewhere: Certificates) -> None:
    async with simulated(elsewhere) as desk:
        await desk.open(tls=Tls(authorities=elsewhere.authority, host_name="smsc.example"))


async def test_smsc_that_no_authority_of_ours_vouches_for_is_refused(
    made: Certificates, elsewhere: Certificates
) -> None:
    async with simulated(made) as desk:
        assert await refusal(desk, Tls(authorities=elsewhere.authority)) == "certificate_untrusted"


async def test_authorities_of_the_system_do_not_vouch_for_a_stranger(made: Certificates) -> None:
    async with simulated(made) as desk:
        assert await refusal(desk, Tls()) == "certificate_untrusted"


async def test_smsc_that_speaks_in_the_clear_is_told_nothing(made: Certificates) -> None:
    async with Smsc() as smsc:
        desk = Desk(smsc)
        assert await refusal(desk, Tls(authorities=made.authority)) == "tls_wrong_version_number"
        assert smsc.received(Bind) == []
        await desk.close()


async def test_our_certificate_is_shown_where_it_is_asked_for(made: Certificates, elsewhere: Certificates) -> None:
    async with simulated(made, authorities=elsewhere.authority) as desk:
        ours = Tls(authorities=made.authority, certificate=elsewhere.certificate, key=elsewhere.key)
        await desk.open(tls=ours)


async def test_smsc_that_misses_our_certificate_does_not_get_us(made: Certificates, elsewhere: Certificates) -> None:
    async with simulated(made, authorities=elsewhere.authority) as desk:
        channel = await desk.open(bound=False, tls=Tls(authorities=made.authority))
        await desk.until(lambda: len(desk.slept) >= 3)
        # TLS 1.3 (RFC 8446 §4.4.2.4) tells it after the handshake: the alert, unless the reset behind it was faster.
        told = {"tls_tlsv13_alert_certificate_required", "ConnectionResetError", "closed_by_smsc"}
        assert channel.binds_now()[0].last_error in told
        assert not channel.ready


# Files.


@dataclass(frozen=True)
class Files:
    """Good ones, and one of every kind that is not."""

    made: Certificates
    elsewhere: Certificates
    nothing: Path
    gone: Path


@pytest.fixture(scope="module")
def files(made: Certificates, elsewhere: Certificates) -> Files:
    nothing = made.directory / "nothing.pem"
    nothing.write_text("nothing of the kind")
    return Files(made, elsewhere, nothing, made.directory / "gone.pem")


WRONG: dict[str, Callable[[Files], tuple[Tls, str, Path]]] = {
    "authorities that are none": lambda the: (Tls(authorities=the.nothing), "tls_authorities", the.nothing),
    "authorities that are gone": lambda the: (Tls(authorities=the.gone), "tls_authorities", the.gone),
    "certificate that is none": lambda the: (
        Tls(certificate=the.nothing, key=the.made.key),
        "tls_certificate",
        the.nothing,
    ),
    "certificate without its key": lambda the: (
        Tls(certificate=the.made.certificate),
        "tls_certificate",
        the.made.certificate,
    ),
    "certificate with another's key": lambda the: (
        Tls(certificate=the.made.certificate, key=the.elsewhere.key),
        "tls_certificate",
        the.made.certificate,
    ),
    "key that is gone": lambda the: (Tls(certificate=the.made.certificate, key=the.gone), "tls_key", the.gone),
    "key of no certificate": lambda the: (Tls(key=the.made.key), "tls_key", the.made.key),
}


@pytest.mark.parametrize("fault", WRONG)
def test_file_that_cannot_be_used_is_named_before_anything_starts(files: Files, fault: str) -> None:
    tls, setting, file = WRONG[fault](files)
    with pytest.raises(SettingsError) as refused:
        SmsChannel(SmppAccount(**ACCOUNT, tls=tls), new_id=lambda: 1, clock=lambda: NOW)
    assert str(refused.value).startswith(f"sms viettel: {setting}: {file}: ")


def test_key_under_a_password_is_refused_and_nobody_is_asked_for_it(files: Files, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    given = ["-in", str(files.made.key), "-aes256", "-passout", "pass:open sesame", "-out", str(locked)]
    subprocess.run(["openssl", "pkey", *given], check=True, capture_output=True)
    with pytest.raises(SettingsError, match="under a password"):
        make_context("viettel", Tls(certificate=files.made.certificate, key=locked))


# The simulator.


def test_simulator_that_would_not_encrypt_after_all_does_not_start(made: Certificates) -> None:
    with pytest.raises(ValueError, match="nothing would be encrypted"):
        SmscOptions(key=made.key)


def test_simulator_says_which_file_it_cannot_use(files: Files) -> None:
    told = CliRunner().invoke(main, ["--port", "0", "--certificate", str(files.nothing)])
    assert told.exit_code == 1
    assert "cannot listen" in told.output
