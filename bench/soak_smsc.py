"""The SMSCs of a soak: the simulator with a book of what it took, and what befalls it. Tables first."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms.pdu import Pdu, SubmitSm, SubmitSmResp
from demo.smsc_faults import Fault
from demo.smsc_options import SmscOptions
from demo.smsc_server import Smsc
from demo.smsc_session import Session
from demo.smsc_strikes import strike
from demo.smsc_tickets import MoTicket, Reply

RESPONSE_TIMEOUT: Final = 8.0  # seconds; the gateway's setting in a soak
# An answer written so shortly before its connection ended, or so late, may not have reached the gateway's store.
DOUBT: Final = 10.0
# Of a dead connection both sides must know before the SMSC delivers again over another: what was acknowledged by it is
# otherwise taken for a new question, and rightly so.
FROZEN_FOR: Final = 14.0  # seconds of a half-open connection until it is reset
REDELIVER_AFTER: Final = 16.0
PARTS_TIMEOUT: Final = 20.0  # the gateway's setting: what is delivered again is not missing
DRIPS_FOR: Final = 3.0  # of one that writes octet by octet until it is unbound
AWAY_FOR: Final = 1.5  # of a restart

# How both talk all the time: probabilities. How an SMSC writes its ids belongs to it alone.
MANNERS: Final[Mapping[Fault, float]] = MappingProxyType(
    {
        Fault.SLOW_RESPONSE: 0.01,
        Fault.RESPONSES_OUT_OF_ORDER: 0.02,
        Fault.NO_RESPONSE: 0.001,
        Fault.BIND_FAILED: 0.1,
        Fault.MO_BEFORE_BIND_RESPONSE: 0.1,
        Fault.RECEIPT_BEFORE_RESPONSE: 0.05,
        Fault.RECEIPT_ON_OTHER_BIND: 0.3,
        Fault.RECEIPT_ID_WITHOUT_NUL: 0.2,
        Fault.RECEIPT_TEXT_ONLY: 0.1,
        Fault.RECEIPT_PAYLOAD_ONLY: 0.05,
        Fault.RECEIPT_UCS2_FLAG: 0.05,
        Fault.RECEIPT_WITHOUT_COUNTS: 0.1,
        Fault.RECEIPT_DUPLICATED: 0.05,
        Fault.RECEIPT_STATES_REVERSED: 0.05,
        Fault.UNKNOWN_TLVS: 0.1,
        Fault.PARTS_REVERSED: 0.2,
        Fault.PARTS_DUPLICATED: 0.1,
        Fault.PART_MISSING: 0.02,
        Fault.CODING_ASCII: 0.02,
        Fault.CODING_LATIN1: 0.02,
        Fault.CODING_UCS2: 0.05,
        Fault.CODING_UCS2_FLASH: 0.01,
        Fault.CODING_8BIT_CLASS1: 0.01,
        Fault.TEXT_NFD: 0.05,
        Fault.TEXT_1258: 0.02,
        Fault.STRAY_NUL: 0.01,
    }
)
PERMANENT: Final = frozenset({c.RSUBMITFAIL, 0x404})


@dataclass(slots=True, kw_only=True)
class Segment:
    """One submit_sm. `status` is its answer's; None: it has none. Times are time.monotonic()."""

    session: int
    at: float
    status: int | None = None
    answered_at: float = inf


class SoakSmsc(Smsc):
    """Keeps a book: by destination, what came, what was answered, how many whole messages a handset got."""

    def __init__(self, name: str, short_code: str, ids: Fault, seed: int) -> None:
        options = SmscOptions(
            system_id=name,
            max_binds=64,  # half-open ones count until they are reset
            window=50,
            redeliver_after=REDELIVER_AFTER,
            retry_after=0.5,
            slow_response=0.5,
            seed=seed,
            record=False,
        )
        super().__init__(options, on_reply=self._read)
        self.name, self.short_code = name, short_code
        self.came: defaultdict[str, list[Segment]] = defaultdict(list)
        self.copies: Counter[str] = Counter()
        self.receipts: dict[str, Segment] = {}  # by id, as the receipt writes it
        self.refused: Counter[int] = Counter()
        self._ids_manner = ids
        self._restarting = asyncio.Lock()
        self._asked: dict[tuple[int, int], Segment] = {}  # session, sequence
        self._ended_at: dict[int, float] = {}

    def misbehave(self) -> None:
        """From now on, as MANNERS say."""
        for fault, chance in {**MANNERS, self._ids_manner: 1.0}.items():
            self.dice.arm(fault, chance)

    def behave(self) -> None:
        """Nothing goes wrong any more. The ids stay as they are."""
        self.dice.disarm()
        self.dice.arm(self._ids_manner, 1.0)
        for session in list(self.sessions):
            if session.frozen:
                session.reset()

    async def restart(self) -> None:
        """Away for a moment. One at a time, and whoever cancels it finds it listening again (`listening`)."""
        async with self._restarting:
            try:
                await self.stop()
                await asyncio.sleep(AWAY_FOR)
            finally:
                await self.start()

    async def listening(self) -> None:
        """Wait for the end of a restart."""
        async with self._restarting:
            return

    @property
    def settled(self) -> bool:
        """Nothing waits to be delivered or acknowledged."""
        return not self._queue and not any(session.unacked for session in self.sessions)

    def doubtful(self, segment: Segment) -> bool:
        """It was taken, and the gateway may not know."""
        late = segment.answered_at - segment.at >= RESPONSE_TIMEOUT / 2
        return late or self._ended_at.get(segment.session, inf) < segment.answered_at + DOUBT

    # what the simulator tells

    def submitted(self, session: Session, submit: SubmitSm) -> None:
        segment = Segment(session=session.number, at=time.monotonic())
        self.came[submit.destination].append(segment)
        self._asked[session.number, submit.sequence] = segment
        super().submitted(session, submit)

    def saw(self, session: Session, pdu: Pdu, *, received: bool) -> None:
        if not received and isinstance(pdu, SubmitSmResp) and not session.frozen:
            segment = self._asked.pop((session.number, pdu.sequence))
            segment.status, segment.answered_at = pdu.status, time.monotonic()
            self.refused[pdu.status] += pdu.status != c.ROK
        super().saw(session, pdu, received=received)

    def ended(self, session: Session) -> None:
        self._ended_at[session.number] = time.monotonic()
        super().ended(session)

    def _report(self, session: Session, submit: SubmitSm, message_id: str) -> None:
        self.receipts[message_id] = self.came[submit.destination][-1]
        super()._report(session, submit, message_id)

    def _read(self, reply: Reply, _ticket: MoTicket | None) -> None:
        self.copies[reply.destination] += 1


# ---- what befalls one now and then

Incident = Callable[[SoakSmsc, random.Random], Coroutine[None, None, None]]


def _answers(fault: Fault, count: int) -> Incident:
    """The next so many times."""

    async def happen(smsc: SoakSmsc, _chance: random.Random) -> None:
        smsc.dice.arm(fault, count)

    return happen


def _link(fault: Fault, *, then: Callable[[Session], None] | None = None, after: float = 0.0) -> Incident:
    """To one connection."""

    async def happen(smsc: SoakSmsc, chance: random.Random) -> None:
        if not smsc.binds:
            return
        session = chance.choice(smsc.binds)
        strike(session, fault)
        if then is not None:
            await asyncio.sleep(after)
            then(session)

    return happen


async def _restart(smsc: SoakSmsc, _chance: random.Random) -> None:
    await smsc.restart()


# How often, beside the others, and what happens.
INCIDENTS: Final[Mapping[str, tuple[int, Incident]]] = MappingProxyType(
    {
        "throttled": (4, _answers(Fault.THROTTLED, 5)),
        "queue full": (2, _answers(Fault.QUEUE_FULL, 5)),
        "system error": (2, _answers(Fault.SYSTEM_ERROR, 3)),
        "receiver error": (2, _answers(Fault.RECEIVER_ERROR, 3)),
        "refused for good": (1, _answers(Fault.SUBMIT_FAILED, 1)),
        "vendor's refusal": (1, _answers(Fault.VENDOR_ERROR, 1)),
        "no answers": (2, _answers(Fault.NO_RESPONSE, 2)),
        "acknowledgement lost with the link": (3, _answers(Fault.MO_ACK_LOST_WITH_LINK, 1)),
        "truncated": (2, _link(Fault.TRUNCATED_PDU)),
        "unknown command": (2, _link(Fault.UNKNOWN_COMMAND)),
        "flood of enquire_link": (2, _link(Fault.ENQUIRE_LINK_FLOOD)),
        "unbind": (3, _link(Fault.SERVER_UNBIND)),
        "reset in a PDU": (3, _link(Fault.RESET_MID_PDU)),
        "impossible length": (1, _link(Fault.OVERSIZE_PDU)),
        "length below a header": (1, _link(Fault.SHORT_LENGTH)),
        "half-open": (2, _link(Fault.HALF_OPEN, then=Session.reset, after=FROZEN_FOR)),
        "octet by octet": (1, _link(Fault.BYTE_CHUNKS, then=Session.unbind, after=DRIPS_FOR)),
        "restart": (2, _restart),
    }
)


def any_incident(chance: random.Random) -> str:
    """By weight."""
    return chance.choices(list(INCIDENTS), [weight for weight, _ in INCIDENTS.values()])[0]
