"""smpp34, an SMPP stack in Rust, as an SMSC steered by JSON lines: `python -m tests.peers.rust_smsc SETTINGS`.

Settings: port. It lets anybody in, whatever the password; texts stay octets.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable
from functools import partial
from typing import Any

import smpp34

from tests.peers.steering import (
    DELIVERED,
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    RECEIPT,
    RECEIPTED_MESSAGE_ID,
    SAR,
    Behaviour,
    tell,
)

RECEIPT_CLASS = 0x04


class Center:
    """The SMSC: takes submits, gives out what it is told to."""

    def __init__(self) -> None:
        self._behaviour = Behaviour()
        self._bound: dict[str, smpp34.Esme] = {}
        self._newly_bound = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self, server: smpp34.Server) -> None:
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme):
                self._bound[event.session_id] = event
                self._newly_bound.set()
                tell("bound", system_id=event.system_id)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._submitted(event)
            else:
                self._bound.pop(event.session_id, None)
                tell("closed")

    def order(self, command: str, **details: Any) -> None:
        getattr(self, f"_{command}")(**details)

    async def _receiver(self) -> smpp34.Esme:
        """The library answers a bind before it tells us of it: an order may be quicker."""
        while (found := next((each for each in self._bound.values() if each.can_receive), None)) is None:
            self._newly_bound.clear()
            await self._newly_bound.wait()
        return found

    def _submitted(self, event: smpp34.SubmitSmEvent) -> None:
        status, message_id = self._behaviour.next_answer()
        tell("submit", id=message_id, status=status, **described(event))
        self._behaviour.in_order(partial(self._answer, event, status, message_id))

    def _answer(self, event: smpp34.SubmitSmEvent, status: int, message_id: str) -> None:
        if status:
            event.reject(status)
            return
        receipts = self._behaviour.receipts if event.registered_delivery & 1 else ""
        if receipts != "before":
            event.accept(message_id)
        if receipts:
            self._later(self._report(event, message_id, accept=receipts == "before"))

    async def _report(self, event: smpp34.SubmitSmEvent, message_id: str, *, accept: bool) -> None:
        """The core answers a submit on its own thread, so a report surely comes before only if it is acknowledged."""
        await self._write(
            ref=f"receipt:{message_id}",
            source=event.destination_addr,
            destination=event.source_addr,
            esm_class=RECEIPT_CLASS,
            hex=RECEIPT.format(message_id).encode().hex(),
            tlvs=[[RECEIPTED_MESSAGE_ID, message_id.encode().hex()], [MESSAGE_STATE, f"{DELIVERED:02x}"]],
        )
        if accept:
            event.accept(message_id)

    async def _write(self, **order: Any) -> None:
        receiver = await self._receiver()
        answer = await receiver.deliver_sm(
            order["destination"],
            bytes.fromhex(order["hex"]),
            source_addr=order["source"],
            source_addr_ton=1,
            source_addr_npi=1,
            esm_class=order.get("esm_class", 0),
            data_coding=order.get("data_coding", 0),
            tlvs=[smpp34.Tlv(tag, bytes.fromhex(value)) for tag, value in order.get("tlvs", [])],
        )
        tell("resp", ref=order["ref"], status=answer.command_status)

    def _deliver(self, **order: Any) -> None:
        self._later(self._write(**order))

    def _behave(self, **changes: Any) -> None:
        self._behaviour.change(**changes)

    def _unbind(self) -> None:
        for esme in list(self._bound.values()):
            self._later(self._say_goodbye(esme))

    async def _say_goodbye(self, esme: smpp34.Esme) -> None:
        await esme.unbind()
        tell("unbound", by="smsc")

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


def described(event: smpp34.SubmitSmEvent) -> dict[str, Any]:
    """A submit_sm in the words of tests/peers/steered.py."""
    tlvs = {tlv.tag: tlv.value for tlv in event.tlvs}
    return {
        "source": event.source_addr,
        "destination": event.destination_addr,
        "data_coding": event.data_coding,
        "esm_class": event.esm_class,
        "hex": (event.short_message or tlvs.get(MESSAGE_PAYLOAD, b"")).hex(),
        "tlvs": {name: int.from_bytes(tlvs[tag]) for tag, name in SAR.items() if tag in tlvs},
    }


async def main() -> None:
    """Listen until told to stop."""
    port = json.loads(sys.argv[1])["port"]
    server = smpp34.Server("127.0.0.1", port, system_id="RUSTSMSC")
    await server.start()
    tell("listening", port=port)
    center = Center()
    serving = asyncio.create_task(center.serve(server))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async for line in orders:
        order = json.loads(line)
        if order["command"] == "stop":
            break
        center.order(**order)
    serving.cancel()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
