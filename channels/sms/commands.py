"""The numbers of SMPP 3.4: commands, statuses, optional parameters; smpplib's tables, plus what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from smpplib import command_codes, consts

RESPONSE_BIT: Final = 0x80000000  # set in the command_id of every response (§5.1.2.1)
INTERFACE_VERSION: Final[int] = consts.SMPP_VERSION_34
HEADER_SIZE: Final = 16  # octets: command_length, command_id, command_status, sequence_number
MAX_SEQUENCE: Final = 0x7FFFFFFF  # ours run from 1 to this one (§3.2)

_COMMANDS: Final[Mapping[str, int]] = command_codes.commands

COMMAND_NAMES: Final[Mapping[int, str]] = MappingProxyType({number: name for name, number in _COMMANDS.items()})

GENERIC_NACK: Final[int] = _COMMANDS["generic_nack"]
BIND_RECEIVER: Final[int] = _COMMANDS["bind_receiver"]
BIND_TRANSMITTER: Final[int] = _COMMANDS["bind_transmitter"]
BIND_TRANSCEIVER: Final[int] = _COMMANDS["bind_transceiver"]
OUTBIND: Final[int] = _COMMANDS["outbind"]
UNBIND: Final[int] = _COMMANDS["unbind"]
SUBMIT_SM: Final[int] = _COMMANDS["submit_sm"]
DELIVER_SM: Final[int] = _COMMANDS["deliver_sm"]
DATA_SM: Final[int] = _COMMANDS["data_sm"]
QUERY_SM: Final[int] = _COMMANDS["query_sm"]
CANCEL_SM: Final[int] = _COMMANDS["cancel_sm"]
REPLACE_SM: Final[int] = _COMMANDS["replace_sm"]
SUBMIT_MULTI: Final[int] = _COMMANDS["submit_multi"]
ENQUIRE_LINK: Final[int] = _COMMANDS["enquire_link"]
ALERT_NOTIFICATION: Final[int] = _COMMANDS["alert_notification"]

BINDS: Final = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})
UNANSWERED: Final = frozenset({OUTBIND, ALERT_NOTIFICATION})  # requests that have no response (§4.1.7, §4.12.1)

# command_status (§5.1.3)
ROK: Final[int] = consts.SMPP_ESME_ROK
RINVMSGLEN: Final[int] = consts.SMPP_ESME_RINVMSGLEN
RINVCMDLEN: Final[int] = consts.SMPP_ESME_RINVCMDLEN
RINVCMDID: Final[int] = consts.SMPP_ESME_RINVCMDID
RINVBNDSTS: Final[int] = consts.SMPP_ESME_RINVBNDSTS
RALYBND: Final[int] = consts.SMPP_ESME_RALYBND
RSYSERR: Final[int] = consts.SMPP_ESME_RSYSERR
RINVSRCADR: Final[int] = consts.SMPP_ESME_RINVSRCADR
RINVDSTADR: Final[int] = consts.SMPP_ESME_RINVDSTADR
RINVMSGID: Final[int] = consts.SMPP_ESME_RINVMSGID
RBINDFAIL: Final[int] = consts.SMPP_ESME_RBINDFAIL
RINVPASWD: Final[int] = consts.SMPP_ESME_RINVPASWD
RINVSYSID: Final[int] = consts.SMPP_ESME_RINVSYSID
RMSGQFUL: Final[int] = consts.SMPP_ESME_RMSGQFUL
RINVSERTYP: Final[int] = consts.SMPP_ESME_RINVSERTYP
RINVESMCLASS: Final[int] = consts.SMPP_ESME_RINVESMCLASS
RSUBMITFAIL: Final[int] = consts.SMPP_ESME_RSUBMITFAIL
RINVSYSTYP: Final[int] = consts.SMPP_ESME_RINVSYSTYP
RTHROTTLED: Final[int] = consts.SMPP_ESME_RTHROTTLED
RINVSCHED: Final[int] = consts.SMPP_ESME_RINVSCHED
RINVEXPIRY: Final[int] = consts.SMPP_ESME_RINVEXPIRY
RX_T_APPN: Final[int] = consts.SMPP_ESME_RX_T_APPN
RX_P_APPN: Final[int] = consts.SMPP_ESME_RX_P_APPN
RINVOPTPARSTREAM: Final[int] = consts.SMPP_ESME_RINVOPTPARSTREAM
RINVPARLEN: Final[int] = consts.SMPP_ESME_RINVPARLEN
RDELIVERYFAILURE: Final[int] = consts.SMPP_ESME_RDELIVERYFAILURE
RUNKNOWNERR: Final[int] = consts.SMPP_ESME_RUNKNOWNERR

STATUS_TEXTS: Final[Mapping[int, str]] = MappingProxyType(consts.DESCRIPTIONS)

# Optional parameters (§5.3.2)
_TAGS: Final[Mapping[str, int]] = consts.OPTIONAL_PARAMS

RECEIPTED_MESSAGE_ID: Final[int] = _TAGS["receipted_message_id"]
MESSAGE_STATE: Final[int] = _TAGS["message_state"]
NETWORK_ERROR_CODE: Final[int] = _TAGS["network_error_code"]
MESSAGE_PAYLOAD: Final[int] = _TAGS["message_payload"]
SAR_MSG_REF_NUM: Final[int] = _TAGS["sar_msg_ref_num"]
SAR_TOTAL_SEGMENTS: Final[int] = _TAGS["sar_total_segments"]
SAR_SEGMENT_SEQNUM: Final[int] = _TAGS["sar_segment_seqnum"]
SC_INTERFACE_VERSION: Final[int] = _TAGS["sc_interface_version"]
MS_AVAILABILITY_STATUS: Final[int] = _TAGS["ms_availability_status"]
USER_MESSAGE_REFERENCE: Final[int] = _TAGS["user_message_reference"]
CONGESTION_STATE: Final = 0x0428  # SMPP 5.0; turns up on 3.4 binds

# esm_class (§5.2.12)
ESM_TYPE_MASK: Final = 0x3C
ESM_RECEIPT: Final = 0x04  # SMSC delivery receipt
ESM_DELIVERY_ACK: Final[int] = consts.SMPP_MSGTYPE_DELIVERYACK
ESM_USER_ACK: Final[int] = consts.SMPP_MSGTYPE_USERACK
ESM_INTERMEDIATE: Final = 0x20  # intermediate delivery notification
ESM_UDHI: Final[int] = consts.SMPP_GSMFEAT_UDHI

# data_coding (§5.2.19)
CODING_DEFAULT: Final[int] = consts.SMPP_ENCODING_DEFAULT
CODING_ASCII: Final[int] = consts.SMPP_ENCODING_IA5
CODING_BINARY: Final[int] = consts.SMPP_ENCODING_BINARY
CODING_LATIN1: Final[int] = consts.SMPP_ENCODING_ISO88591
CODING_BINARY_2: Final[int] = consts.SMPP_ENCODING_BINARY2
CODING_UCS2: Final[int] = consts.SMPP_ENCODING_ISO10646

# type of number and numbering plan (§5.2.5, §5.2.6)
TON_UNKNOWN: Final[int] = consts.SMPP_TON_UNK
TON_INTERNATIONAL: Final[int] = consts.SMPP_TON_INTL
TON_NATIONAL: Final[int] = consts.SMPP_TON_NATNL
TON_NETWORK_SPECIFIC: Final[int] = consts.SMPP_TON_NWSPEC
TON_ALPHANUMERIC: Final[int] = consts.SMPP_TON_ALNUM
TON_ABBREVIATED: Final[int] = consts.SMPP_TON_ABBREV
NPI_UNKNOWN: Final[int] = consts.SMPP_NPI_UNK
NPI_ISDN: Final[int] = consts.SMPP_NPI_ISDN

# The most octets a C-octet string may take, its NUL included (§5.2).
MAX_SERVICE_TYPE: Final = 6
MAX_ADDRESS: Final = 21
MAX_LONG_ADDRESS: Final = 65  # in data_sm and alert_notification
MAX_TIME: Final = 17
MAX_SYSTEM_ID: Final = 16
MAX_PASSWORD: Final = 9
MAX_SYSTEM_TYPE: Final = 13
MAX_ADDRESS_RANGE: Final = 41
MAX_MESSAGE_ID: Final = 65
MAX_ANY_ID: Final = 256  # what a response may bring: ids longer than the standard's are met, and needed for receipts
MAX_SHORT_MESSAGE: Final = 254


def command_name(command_id: int) -> str:
    """The standard's name of a command, or its number in hexadecimal: fit for a log line."""
    return COMMAND_NAMES.get(command_id) or f"0x{command_id:08x}"


def status_text(status: int) -> str:
    """What a command_status means, with its number; vendors' own (0x400-0x4FF) have no words."""
    return f"0x{status:x} {STATUS_TEXTS.get(status, 'reserved or vendor-specific')}"
