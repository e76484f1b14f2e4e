"""Tries a bind for a person: connect, bind, enquire_link, unbind, and says what each met. Nothing is tried twice.

Messages and reports the SMSC hands over meanwhile are put off with ESME_RX_T_APPN and come again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from channels.sms import advice, tls
from channels.sms import commands as c
from channels.sms.account import BindMode, SmppAccount, SmppBind, Tls
from channels.sms.binding import account_of, binds_of
from channels.sms.pdu import Bind, BindResp, EnquireLink, Pdu, Unbind, encode
from channels.sms.probe_link import Delivered, ProbeLink, put_off
from channels.sms.states import BIND_COMMANDS, LinkLost
from channels.sms.steps import Step, StepName

LISTENING: Final = 1.0  # seconds the SMSC has to hand over what it holds for us
RENEW_WITHIN_DAYS: Final = 30
DELIVERIES: Final = ("deliver_sm", "data_sm")
VERSIONS: Final[Mapping[int, str]] = MappingProxyType({0x33: "3.3", 0x34: "3.4", 0x50: "5.0"})

Clock = Callable[[], datetime]


async def probe(
    account: SmppAccount, *, only: str = "", clock: Clock, listening: float = LISTENING
) -> AsyncIterator[Step]:
    """Try each bind of an account, or the one named, one after the other.

    A name and password that were refused once are not shown again. The unbound end of every connection is seen to,
    however the caller leaves off.
    """
    refused: set[tuple[str, ...]] = set()
    for bind in binds_of(account):
        if only and bind.name != only:
            continue
        shown = account_of(account, bind)
        yield beginning(shown, bind)
        if _credentials(shown) in refused:
            yield Step(
                name=StepName.LEFT_OUT,
                words="the same name and password were refused above",
                advice="Correct them first: every further refusal can lock the account.",
            )
            continue
        async for step in _probe_one(Call(account=shown, mode=bind.mode, clock=clock), listening):
            if step.fatal:
                refused.add(_credentials(shown))
            yield step


def beginning(account: SmppAccount, bind: SmppBind) -> Step:
    """Which bind is tried, and where."""
    how = f"{bind.mode} to {account.host}:{account.port}{' by TLS' if account.tls else ''} as {account.system_id}"
    return Step(name=StepName.BEGIN, words=f"bind {bind.name}: {how}")


def _credentials(account: SmppAccount) -> tuple[str, ...]:
    return account.host, str(account.port), account.system_id, account.password, account.system_type


async def _probe_one(call: Call, listening: float) -> AsyncIterator[Step]:
    try:
        async for step in call.open():
            yield step
        if not call.bound:
            return
        step = await call.enquire()
        yield step
        if not step.failed:
            await call.listen(listening)
        for told in call.meanwhile():
            yield told
        yield await call.unbind()
    finally:
        call.close()


@dataclass(slots=True, kw_only=True)
class Call:
    """One connection from its beginning to its end. None of its steps raises: what went wrong is a step that failed.

    account: as the bind shows it. decide: see ProbeLink.
    """

    account: SmppAccount
    mode: BindMode
    clock: Clock
    decide: Callable[[Delivered], int | None] = put_off
    bound: bool = False
    link: ProbeLink = field(init=False)

    def __post_init__(self) -> None:
        self.link = ProbeLink(self.decide)

    async def open(self) -> AsyncIterator[Step]:
        """Connect, encrypt and bind, as far as it goes; `bound` afterwards says how far."""
        steps: list[tuple[StepName, Callable[[], Awaitable[Step]]]] = [(StepName.CONNECT, self._connect)]
        if self.account.tls is not None:
            steps.append((StepName.TLS, partial(self._encrypt, self.account.tls)))
        for name, step in (*steps, (StepName.BIND, self._bind)):
            done = await self._told(name, step())
            yield done
            if done.failed:
                return
        self.bound = True

    async def enquire(self) -> Step:
        """Ask whether it lives."""
        return await self._told(StepName.ENQUIRE_LINK, self._plainly(EnquireLink(0)))

    async def listen(self, seconds: float) -> None:
        """Leave the SMSC time for what it has to say."""
        await asyncio.wait([self.link.ended], timeout=seconds)

    def meanwhile(self) -> Sequence[Step]:
        """What the SMSC sent unasked, if anything."""
        rest = self.link.met.copy()
        for command in DELIVERIES:
            del rest[command]
        told = []
        if self.link.put_off:
            told.append(f"{_counted(self.link.put_off)} not taken: refused for now (ESME_RX_T_APPN), to come again")
        if rest:
            told.append(f"{_counted(rest)} from the SMSC")
        return [Step(name=StepName.MEANWHILE, words="; ".join(told))] if told else ()

    async def unbind(self) -> Step:
        """Say goodbye, and end the link; many SMSCs do so without a word of their own."""
        linked = not self.link.ended.done()
        step = await self._told(StepName.UNBIND, self._plainly(Unbind(0)))
        self.link.close()
        return replace(step, failed=False) if linked and self.link.ended.done() and self.link.fault is None else step

    def close(self) -> None:
        """End the link, whatever state it is in."""
        self.link.close()

    async def submit(self, frame: bytes) -> Pdu:
        """Raises LinkLost and TimeoutError."""
        return await self.link.ask(frame, self.account.response_timeout)

    # the steps

    async def _told(self, name: StepName, doing: Awaitable[Step]) -> Step:
        """How it went, and how long it took."""
        began = time.monotonic()
        try:
            step = await doing
        except (OSError, TimeoutError, LinkLost) as error:
            step = self._failed(name, self.link.fault or error)
        return replace(step, seconds=time.monotonic() - began)

    def _failed(self, name: StepName, error: Exception) -> Step:
        words = str(error) if isinstance(error, LinkLost) else advice.error_in_words(error)
        next_step = advice.of_step(name, error, encrypted=self.account.tls is not None)
        return Step(name=name, words=words, failed=True, advice=next_step)

    async def _connect(self) -> Step:
        account = self.account
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(account.connect_timeout):
            transport, _ = await loop.create_connection(lambda: self.link, account.host, account.port)
        peer = transport.get_extra_info("peername") or (account.host, account.port)
        return Step(name=StepName.CONNECT, words=f"{peer[0]}:{peer[1]}")

    async def _encrypt(self, wanted: Tls) -> Step:
        account = self.account
        context = await asyncio.to_thread(tls.make_context, account.name, wanted)  # it reads files
        async with asyncio.timeout(account.connect_timeout):
            secured = await self.link.encrypt(context, wanted.host_name or account.host)
        return _certificate_told(secured, self.clock())

    async def _bind(self) -> Step:
        account = self.account
        request = Bind(
            BIND_COMMANDS[self.mode],
            0,
            account.system_id,
            account.password,
            account.system_type,
            addr_ton=account.source_ton,
            addr_npi=account.source_npi,
            address_range=account.address_range,
        )
        return _bind_told(await self.link.ask(encode(request), account.bind_timeout))

    async def _plainly(self, request: EnquireLink | Unbind) -> Step:
        name = StepName.ENQUIRE_LINK if isinstance(request, EnquireLink) else StepName.UNBIND
        answer = await self.link.ask(encode(request), self.account.response_timeout)
        status = status_of(answer)
        if status == c.ROK:
            return Step(name=name, words="answered")
        return Step(name=name, words=f"refused: {advice.in_words(status)}", status=status, failed=True)


# ---- answers in words


def _counted(commands: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {command}" for command, count in sorted(commands.items()))


def status_of(answer: Pdu) -> int:
    """The command_status of a response."""
    return getattr(answer, "status", c.ROK)


def _bind_told(answer: Pdu) -> Step:
    status = status_of(answer)
    if status != c.ROK or not isinstance(answer, BindResp):
        return Step(
            name=StepName.BIND,
            words=f"refused: {advice.in_words(status)}",
            status=status,
            failed=True,
            advice=advice.of_status(advice.BIND, status),
        )
    version = answer.tlvs.get(c.SC_INTERFACE_VERSION, b"")
    speaks = f"speaks SMPP {VERSIONS.get(version[0], f'0x{version[0]:02X}')}" if version else "does not say its version"
    calls = f'calls itself "{answer.system_id}"' if answer.system_id else "gives no name"
    return Step(name=StepName.BIND, words=f"bound; the SMSC {calls} and {speaks}", status=status)


def _certificate_told(secured: ssl.SSLObject, now: datetime) -> Step:
    """What was agreed, and whose certificate it is for how long."""
    certificate: Mapping[str, Any] = secured.getpeercert() or {}
    cipher = (secured.cipher() or ("no cipher",))[0]
    names = [name for _, name in certificate.get("subjectAltName", ())] or _common_names(certificate)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (until - now).days
    return Step(
        name=StepName.TLS,
        words=f"{secured.version()}, {cipher}; certificate of {', '.join(names)}, valid until {until:%d/%m/%Y}",
        advice=f"It expires in {days} days: ask the operator for the day of change."
        if days < RENEW_WITHIN_DAYS
        else "",
    )


def _common_names(certificate: Mapping[str, Any]) -> Sequence[str]:
    return [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
