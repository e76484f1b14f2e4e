"""What an operator of the gateway can do about a connection, a bind or a message that was refused, as tables (pure)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.states import LinkLost
from channels.sms.steps import StepName

ONCE: Final = "It was tried once: the same wrong name or password again can lock the account."
VENDORS: Final = range(0x400, 0x500)  # §5.1.3: reserved for the SMSC's vendor
UNTOLD: Final = "<Desc Not Set>"  # what the table of the library says of one of them
NOT_KNOWN: Final = "Ask the operator what this status means there."

# The answer to a bind (§5.1.3).
BIND: Final[Mapping[int, str]] = MappingProxyType(
    {
        c.RINVPASWD: f"The password is wrong, or it is not this system_id's. {ONCE}",
        c.RINVSYSID: f"The system_id is wrong, or not yet open at the operator's. {ONCE}",
        c.RINVSYSTYP: f"The system_type is not what was agreed; most operators want it empty. {ONCE}",
        c.RALYBND: (
            "The SMSC holds a bind of ours already: the gateway itself may be bound. Ask how many binds the operator "
            "allows and count those of the settings; a link that broke may be held there for some minutes."
        ),
        c.RBINDFAIL: (
            "Refused without a reason. Ask the operator: too many binds, a mode that is not open to us (transceiver, "
            "transmitter, receiver), our address not on the allow-list, or the account is closed."
        ),
        c.RINVCMDID: "The SMSC does not know this kind of bind: perhaps it wants a transmitter and a receiver.",
        c.RINVBNDSTS: "The SMSC does not allow this kind of bind: perhaps it wants a transmitter and a receiver.",
        c.RSYSERR: "The SMSC is in trouble, or being looked after: try later.",
        c.RTHROTTLED: "Binds come too often for the operator: wait half a minute.",
    }
)

# The answer to a submit_sm.
SUBMIT: Final[Mapping[int, str]] = MappingProxyType(
    {
        c.RTHROTTLED: "More than the agreed rate; the gateway would pause, slow down and send it again.",
        c.RMSGQFUL: "The queue there is full; the gateway would pause, slow down and send it again.",
        c.RSYSERR: "The SMSC is in trouble; the gateway would pause, slow down and send it again.",
        c.RX_T_APPN: "For now it takes nothing; the gateway would pause, slow down and send it again.",
        c.RINVBNDSTS: "The SMSC does not hold this connection for bound as a transmitter: look at the mode of the bind.",
        c.RINVSRCADR: (
            "The sender is not ours at this operator's, or its type is not: compare short_code, brand_name, source_ton "
            "and source_npi with what was agreed."
        ),
        c.RINVDSTADR: (
            "The number is not one this operator takes, or not in this form: compare destination_ton and "
            "destination_npi; numbers leave as 84912345678."
        ),
        c.RINVMSGLEN: "Too long for one segment there: compare segmentation and default_alphabet.",
        c.RSUBMITFAIL: "Refused without a reason: content filter, sender, or credit. Ask the operator.",
        c.RINVESMCLASS: 'A header in the text (UDH) is not taken: try segmentation = "sar" or "payload".',
        c.RINVOPTPARSTREAM: 'Optional parameters are not taken: try segmentation = "udh".',
        c.RINVSERTYP: "The service_type is not what was agreed; most operators want it empty.",
        c.RINVEXPIRY: "The validity is not taken: try another, or validity = 0, which leaves it to the SMSC.",
    }
)


def in_words(status: int) -> str:
    """A command_status for a person: the standard's name, its number and its meaning."""
    if status in statuses.NAMES:
        meaning = c.STATUS_TEXTS.get(status, UNTOLD)
        return f"ESME_{statuses.NAMES[status]} (0x{status:02X}{'' if meaning == UNTOLD else f', {meaning}'})"
    whose = "the operator's own status" if status in VENDORS else "a status the standard does not know"
    return f"0x{status:08X} ({whose})"


def of_status(table: Mapping[int, str], status: int) -> str:
    """What to do about a status."""
    return table.get(status, NOT_KNOWN)


# ---- connecting


REFUSED: Final = "Nobody listens there, or a firewall says so: compare host and port, ask whether our address may."
NO_WAY: Final = "No way there, or it is dropped on the way: is the VPN up, is our address on the operator's allow-list?"
UNNAMED: Final = "The name is not known: is it spelled so, does the machine ask the right name server (the VPN's)?"
RESET: Final = (
    "It took the connection and cut it. Our address is not on its allow-list, too many connections are open, or the "
    "port wants TLS (tls = true)."
)
RESET_ENCRYPTED: Final = (
    "It took the connection and cut it. It wants a certificate of ours (tls_certificate, tls_key), our address is not on "
    "its allow-list, or too many connections are open."
)
NO_SMPP: Final = "the SMSC sent what is no SMPP"
OTHER_PORT: Final = "Something else answers there: is this the right port, as the operator gave it for SMPP?"
OTHER_PORT_OR_TLS: Final = f"{OTHER_PORT} If it is, does it want TLS (tls = true)?"
UNANSWERED: Final = (
    "It took the connection and says nothing: is this the SMPP port, and does it want TLS (tls = true)? Is the SMSC "
    "being looked after?"
)
NOT_TLS: Final = "What answers there does not speak TLS: compare the port, or set tls = false."

_ERRORS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (socket.gaierror, UNNAMED),
    (ConnectionRefusedError, REFUSED),
    (ConnectionError, RESET),
    (TimeoutError, NO_WAY),
    (OSError, NO_WAY),
)

# OpenSSL's X509_V_ERR_* numbers.
_CERTIFICATES: Final[Mapping[int, str]] = MappingProxyType(
    {
        9: "The certificate is not valid yet: is this machine's clock right?",
        10: "The certificate has expired: the operator has to renew it. Is this machine's clock right?",
        **dict.fromkeys(
            (18, 19, 20, 21),
            "Nobody we trust vouches for it: get the authority's certificate from the operator, set tls_authorities.",
        ),
        **dict.fromkeys(
            (62, 64),
            "It is another's certificate, or made out to another name: if the operator confirms that name, set tls_host_name.",
        ),
    }
)


# Where the same error means another thing than on the way there.
_BY_STEP: Final[Mapping[tuple[StepName, type[Exception]], str]] = MappingProxyType(
    {
        (StepName.TLS, TimeoutError): NOT_TLS,
        (StepName.TLS, ConnectionResetError): NOT_TLS,
        (StepName.TLS, ConnectionAbortedError): NOT_TLS,
        (StepName.BIND, TimeoutError): UNANSWERED,
        (StepName.BIND, LinkLost): RESET,
        (StepName.ENQUIRE_LINK, TimeoutError): "The link is there and nobody answers on it: ask the operator.",
    }
)


def of_step(step: StepName, error: Exception, *, encrypted: bool) -> str:
    """What to do where a step got no answer."""
    if isinstance(error, LinkLost) and str(error) == NO_SMPP:
        return OTHER_PORT if encrypted else OTHER_PORT_OR_TLS
    if encrypted and step is StepName.BIND and isinstance(error, LinkLost):
        return RESET_ENCRYPTED
    return _BY_STEP.get((step, type(error))) or of_error(error)


def of_error(error: Exception) -> str:
    """What to do where no connection came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, NOT_KNOWN)
    if isinstance(error, ssl.SSLError):
        return _of_handshake(error)
    return next((advice for kind, advice in _ERRORS if isinstance(error, kind)), "")


def error_in_words(error: Exception) -> str:
    """Why no connection came about, in the system's own words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__


def _of_handshake(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return "The operator wants a certificate of ours: set tls_certificate and tls_key."
    if "ALERT" in reason:
        return "The SMSC refused: ask the operator which version of TLS, and whose certificate, it wants."
    return NOT_TLS
