"""What an SMSC's command_status means for a bind and for a message (SMPP 3.4 §5.1.3), as tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from smpplib import consts

from channels.sms import commands as c
from channels.sms.account import SmppAccount
from domain.message import SendStatus

# The standard's word without its common prefix: RTHROTTLED, RINVDSTADR.
NAMES: Mapping[int, str] = MappingProxyType(
    {value: name.removeprefix("SMPP_ESME_") for name, value in vars(consts).items() if name.startswith("SMPP_ESME_")}
)

# Trying these again could lock the account, so a person has to look.
FATAL_TO_BIND = frozenset({c.RINVPASWD, c.RINVSYSID, c.RINVSYSTYP})

# RALYBND: the SMSC holds a bind of ours already, so we are taken as bound. If it does not mean this very connection,
# it closes it, or answers the first submit with RINVBNDSTS, and we come back with the usual delay.
BOUND = frozenset({c.ROK, c.RALYBND})

# The account sends too much, or the SMSC is in trouble: nothing more is sent for a moment.
PAUSING = frozenset({c.RTHROTTLED, c.RMSGQFUL, c.RSYSERR, c.RX_T_APPN})

# Refused for now: the message comes back.
TEMPORARY = PAUSING | {c.RINVBNDSTS}


def name_of(status: int) -> str:
    """A status in the standard's word, or its number where it is a vendor's own."""
    return NAMES.get(status) or f"0x{status:08X}"


def verdicts(account: SmppAccount) -> Mapping[int, SendStatus]:
    """command_status -> what became of the segment; whatever is not listed is REJECTED for good."""
    return {
        **dict.fromkeys(TEMPORARY | account.temporary_statuses, SendStatus.RETRY),
        **dict.fromkeys(account.stopped_statuses, SendStatus.STOPPED),
        c.ROK: SendStatus.ACCEPTED,
    }
