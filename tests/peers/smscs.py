"""The SMSCs nobody here wrote that our channel is proved against, and what each of them cannot do."""

from __future__ import annotations

import asyncio
import enum
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.process import free_port
from tests.debian import provide
from tests.peers import node_smpp
from tests.peers.steered import SteeredSmsc, steered

HERE = Path(__file__).parent


class Ability(enum.Enum):
    """What not every one of them can."""

    ORDER = "take submits in the order they were written in"
    GOODBYE = "answer an unbind"
    PASSWORD = "turn away who does not know the password"
    ENQUIRE = "send enquire_link when told"
    USSD = "deliver a message with ussd_service_op"
    DROP = "end the connection without a word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of them. `cannot`: what, and why."""

    name: str
    command: Callable[[], Sequence[str | Path]]
    cannot: Mapping[Ability, str] = field(default_factory=dict)
    needs_port: bool = False  # it cannot say which free one it took

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[SteeredSmsc]:
        """It, for the account `gateway` with the password `secret`."""
        command = await asyncio.to_thread(self.command)
        port = {"port": free_port()} if self.needs_port else {}
        async with steered(command, system_id="gateway", password="secret", **port, **settings) as smsc:
            yield smsc

    def __str__(self) -> str:
        return self.name


def _perl() -> Sequence[str | Path]:
    perl = provide("libnet-smpp-perl", _perl_with_smpp, "an SMSC on Net::SMPP")
    return (perl, HERE / "perl_smsc.pl")


def _perl_with_smpp() -> str | None:
    try:
        tried = subprocess.run(["perl", "-MNet::SMPP", "-MJSON::PP", "-e", "1"], check=False, capture_output=True)
    except FileNotFoundError:  # no perl at all: the package brings it
        return None
    return None if tried.returncode else "perl"


def _python(module: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: (sys.executable, "-m", f"tests.peers.{module}")


PEERS: Sequence[Peer] = (
    Peer(name="node-smpp", command=node_smpp.command),
    Peer(
        name="smpp.twisted3",
        command=_python("twisted_smsc"),
        cannot={Ability.USSD: "its encoder knows no ussd_service_op in a deliver_sm"},
    ),
    Peer(
        name="smpp34",
        command=_python("rust_smsc"),
        needs_port=True,
        cannot={
            Ability.ORDER: "it hands out what it takes from several threads",
            Ability.GOODBYE: "it hangs up on an unbind, and its answer may not get out",
            Ability.PASSWORD: "its server asks nobody whether a password is right",
            Ability.ENQUIRE: "it sends enquire_link by a clock of its own that cannot be set",
            Ability.DROP: "a connection of its server can only be unbound",
        },
    ),
    Peer(name="Net::SMPP", command=_perl),
)


def peers_that_can(*abilities: Ability) -> list[Peer]:
    """All but those whose table says they cannot."""
    return [peer for peer in PEERS if not peer.cannot.keys() & set(abilities)]
