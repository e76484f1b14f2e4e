"""smpp.twisted3, the stack under Jasmin, as an SMSC steered by JSON lines: `python -m tests.peers.twisted_smsc SETTINGS`.

Settings: system_id, password, port, max_bindings. It decodes texts by itself (smpp.pdu3).
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

from smpp.pdu import constants, operations, pdu_types
from smpp.pdu.sm_encoding import SMStringEncoder
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse, SMPPServerProtocol
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet import defer, reactor, stdio
from twisted.protocols.basic import LineReceiver

from tests.peers.steering import DELIVERED, MESSAGE_STATE, RECEIPT, RECEIPTED_MESSAGE_ID, SAR, Behaviour, tell

SETTINGS = {"system_id": "gateway", "password": "secret", "port": 0, "max_bindings": 8}
UDHI = pdu_types.EsmClassGsmFeatures.UDHI_INDICATOR_SET
RECEIPT_CLASS = 0x04
CODINGS = constants.data_coding_default_name_map


def status_of(number: int) -> Any:
    return pdu_types.CommandStatus[constants.command_status_value_map[number]["name"]]


def number_of(status: Any) -> int:
    return int(constants.command_status_name_map[status.name])


class Realm:
    """Whoever knows the password is let in."""

    def requestAvatar(self, avatar_id: Any, _mind: Any, interface: Any) -> Any:  # noqa: N802 - Twisted's name
        return interface, avatar_id, lambda: None


class Link(SMPPServerProtocol):  # type: ignore[misc]  # the stranger ships no types
    """A connection that tells what happens to it."""

    def doBindRequest(self, request: Any, state: Any) -> Any:  # noqa: N802
        self.interface_version = request.params["interface_version"]
        return super().doBindRequest(request, state)

    def sendErrorResponse(self, request: Any, status: Any, system_id: str) -> None:  # noqa: N802
        super().sendErrorResponse(request, status, system_id)
        tell("bind_refused", status=number_of(status))

    def onPDURequest_unbind(self, request: Any) -> None:  # noqa: N802
        super().onPDURequest_unbind(request)
        tell("unbound", by="esme")

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        super().connectionLost(reason)
        tell("closed")


class Center(SMPPServerFactory):  # type: ignore[misc]
    """The SMSC: takes submits, gives out what it is told to."""

    protocol = Link

    def __init__(self, system_id: str, password: str, max_bindings: int) -> None:
        self.behaviour = Behaviour()
        systems = {system_id: {"max_bindings": max_bindings}}
        portal = Portal(Realm(), [Doorkeeper(system_id, password)])
        super().__init__(SMPPServerConfig(systems=systems, msgHandler=self.submitted), portal)

    def addBoundConnection(self, connection: Any) -> None:  # noqa: N802
        super().addBoundConnection(connection)
        tell("bound", system_id=connection.system_id, interface_version=connection.interface_version)

    @property
    def receiver(self) -> Any:
        """A connection that takes deliver_sm."""
        (manager,) = self.bound_connections.values()
        return manager.getNextBindingForDelivery()

    def submitted(self, _system_id: str, _link: Any, pdu: Any) -> Any:
        status, message_id = self.behaviour.next_answer()
        tell("submit", id=message_id, status=status, **described(pdu))
        answered = defer.Deferred()
        self.behaviour.in_order(partial(self.answer, answered, pdu, status, message_id))
        return answered

    def answer(self, answered: Any, pdu: Any, status: int, message_id: str) -> None:
        wanted = pdu.params["registered_delivery"].receipt.name != "NO_SMSC_DELIVERY_RECEIPT_REQUESTED"
        receipts = self.behaviour.receipts if wanted and not status else ""
        report = partial(self.report, pdu, message_id)
        if receipts == "before":
            report()
        answered.callback(DataHandlerResponse(status_of(status), **({} if status else {"message_id": message_id})))
        if receipts == "after":
            reactor.callLater(0, report)  # the answer is written when this call is over

    def report(self, pdu: Any, message_id: str) -> None:
        self.deliver(
            ref=f"receipt:{message_id}",
            source=pdu.params["destination_addr"].decode(),
            destination=pdu.params["source_addr"].decode(),
            esm_class=RECEIPT_CLASS,
            hex=RECEIPT.format(message_id).encode().hex(),
            tlvs=[[RECEIPTED_MESSAGE_ID, message_id.encode().hex()], [MESSAGE_STATE, f"{DELIVERED:02x}"]],
        )

    # orders

    def deliver(self, **order: Any) -> None:
        request = operations.DeliverSM(
            source_addr_ton=pdu_types.AddrTon.INTERNATIONAL,
            source_addr_npi=pdu_types.AddrNpi.ISDN,
            source_addr=order["source"],
            destination_addr=order["destination"],
            esm_class=esm_class_of(order.get("esm_class", 0)),
            data_coding=pdu_types.DataCoding(pdu_types.DataCodingScheme.RAW, order.get("data_coding", 0)),
            short_message=bytes.fromhex(order["hex"]),
            **optional(order.get("tlvs", [])),
        )
        asked = self.receiver.sendDataRequest(request)
        asked.addBoth(lambda result: tell("resp", ref=order["ref"], status=status_in(result)))

    def behave(self, **changes: Any) -> None:
        self.behaviour.change(**changes)

    def enquire(self) -> None:
        self.receiver.sendRequest(operations.EnquireLink(), 60).addCallback(lambda _: tell("enquired"))

    def unbind(self) -> None:
        (manager,) = self.bound_connections.values()
        for link in list(manager):
            link.unbindAndDisconnect().addCallback(lambda _: tell("unbound", by="smsc"))

    def drop(self) -> None:
        for manager in self.bound_connections.values():
            for link in list(manager):
                link.transport.abortConnection()

    def stop(self) -> None:
        reactor.stop()


class Doorkeeper:
    """Knows who may bind; smpp.twisted3 asks in text."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 - Twisted's name

    def __init__(self, system_id: str, password: str) -> None:
        self._known = (system_id, password)

    def requestAvatarId(self, credentials: Any) -> Any:  # noqa: N802
        if (credentials.username, credentials.password) != self._known:
            return defer.fail(UnauthorizedLogin())
        return defer.succeed(credentials.username)


class Orders(LineReceiver):  # type: ignore[misc]
    """Lines of JSON on stdin."""

    delimiter = b"\n"

    def __init__(self, center: Center) -> None:
        self._center = center

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        order = json.loads(line)
        getattr(self._center, order.pop("command"))(**order)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        if reactor.running:
            reactor.stop()


def status_in(result: Any) -> int:
    """Of an answer, or of the failure that carries one."""
    return number_of(getattr(result, "value", result).response.status)


def esm_class_of(number: int) -> Any:
    mode, kind = number & 0x03, number & 0x3C
    return pdu_types.EsmClass(
        pdu_types.EsmClassMode[constants.esm_class_mode_value_map[mode]],
        pdu_types.EsmClassType[constants.esm_class_type_value_map[kind]],
        [UDHI] if number & 0x40 else [],
    )


def optional(tlvs: list[list[Any]]) -> dict[str, Any]:
    """By the stranger's names and in its types."""
    values: dict[str, Any] = {}
    for tag, octets in tlvs:
        name, value = constants.tag_value_map[tag], bytes.fromhex(octets)
        states = {MESSAGE_STATE: lambda one: pdu_types.MessageState[constants.message_state_value_map[one[0]]]}
        is_text = name in {"message_payload", "receipted_message_id"}
        values[name] = states[tag](value) if tag in states else value if is_text else int.from_bytes(value)
    return values


def described(pdu: Any) -> dict[str, Any]:
    """A submit_sm in the words of tests/peers/steered.py."""
    params = pdu.params
    params["short_message"] = params["short_message"] or params.get("message_payload", b"")
    decoded = SMStringEncoder().decodeSM(pdu)
    parts = [list(element.data) for element in decoded.udh or [] if hasattr(element.data, "referenceNum")]
    return {
        "source": params["source_addr"].decode(),
        "destination": params["destination_addr"].decode(),
        "data_coding": CODINGS[params["data_coding"].schemeData.name],
        "esm_class": 0x40 if UDHI in params["esm_class"].gsmFeatures else 0,
        "text": decoded.unicode,
        "part": parts[0] if parts else None,
        "tlvs": {name: params[name] for name in SAR.values() if name in params},
    }


def main() -> None:
    """Listen until told to stop."""
    sys.stdout = sys.stderr  # smpp.pdu3 prints what it compares
    settings = SETTINGS | json.loads(sys.argv[1])
    center = Center(settings["system_id"], settings["password"], settings["max_bindings"])
    port = reactor.listenTCP(settings["port"], center, interface="127.0.0.1")
    stdio.StandardIO(Orders(center))
    tell("listening", port=port.getHost().port)
    reactor.run()


if __name__ == "__main__":
    main()
