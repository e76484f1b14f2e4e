"""What an SMSC's command_status means for a bind and for a message (SMPP 3.4 §5.1.3), as tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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

# RALYBND: the SMSC holds a bind of ours already, so we are taken as bound. If it does not mean this very connection, it
# closes it, or answers the first submit with RINVBNDSTS, or is silent (`unproven_timeout`); then we come back.
BOUND = frozenset({c.ROK, c.RALYBND})


class Verdict(enum.Enum):
    """What the answer to a submit says of its segment, and of the account."""

    TAKEN = "taken"
    TOO_MUCH = "too much"  # of the line: the account pauses and slows down; the segment keeps its place
    BUSY = "busy"  # the same, but it may as well be this reader, whose queue at the SMSC is full
    LATER = "later"  # this message comes back; the account goes on
    NEVER = "never"  # this message fails
    BLOCKED = "blocked"  # this person wants nothing of us

    @property
    def pauses(self) -> bool:
        """The account is silent for a moment."""
        return self in {Verdict.TOO_MUCH, Verdict.BUSY}


# What it makes of a message; where the account pauses, nothing is decided.
OUTCOMES: Final[Mapping[Verdict, SendStatus]] = MappingProxyType(
    {
        Verdict.TAKEN: SendStatus.ACCEPTED,
        Verdict.LATER: SendStatus.RETRY,
        Verdict.NEVER: SendStatus.REJECTED,
        Verdict.BLOCKED: SendStatus.STOPPED,
    }
)

# Every status of the standard. Those of a bind, of other commands, or of fields we do not send are as final as the
# rest: what an SMSC does not take for a reason we do not understand, it will not take a second time.
TABLE: Final[Mapping[Verdict, tuple[str, ...]]] = MappingProxyType(
    {
        Verdict.TAKEN: ("ROK",),
        Verdict.TOO_MUCH: ("RTHROTTLED",),
        Verdict.BUSY: ("RMSGQFUL", "RSYSERR", "RX_T_APPN"),
        Verdict.LATER: ("RINVBNDSTS",),  # the link is no good, which the session sees to
        Verdict.NEVER: (
            # addresses
            *("RINVSRCADR", "RINVDSTADR", "RINVSRCTON", "RINVSRCNPI", "RINVDSTTON", "RINVDSTNPI"),
            # the message
            *("RINVMSGLEN", "RINVESMCLASS", "RSUBMITFAIL", "RDELIVERYFAILURE", "RX_P_APPN", "RX_R_APPN"),
            # its fields
            *("RINVPRTFLG", "RINVREGDLVFLG", "RINVSERTYP", "RINVREPFLAG", "RINVSCHED", "RINVEXPIRY", "RINVDFTMSGID"),
            *("RINVOPTPARSTREAM", "ROPTPARNOTALLWD", "RINVPARLEN", "RMISSINGOPTPARAM", "RINVOPTPARAMVAL"),
            # the PDU
            *("RINVCMDLEN", "RINVCMDID", "RUNKNOWNERR"),
            # lists of recipients
            *("RINVNUMDESTS", "RINVDLNAME", "RINVDESTFLAG", "RINVSUBREP", "RCNTSUBDL"),
            # other commands
            *("RINVMSGID", "RCANCELFAIL", "RREPLACEFAIL", "RQUERYFAIL", "RINVNUMMSGS"),
            # binds
            *("RALYBND", "RBINDFAIL", "RINVPASWD", "RINVSYSID", "RINVSYSTYP"),
        ),
    }
)
UNLISTED: Final = Verdict.NEVER  # a status that is in no table, a vendor's own among them (0x400 to 0x4FF)


def name_of(status: int) -> str:
    """A status in the standard's word, or its number where it is a vendor's own."""
    return NAMES.get(status) or f"0x{status:08X}"


def verdicts(account: SmppAccount) -> Mapping[int, Verdict]:
    """command_status -> its verdict, the account's own words before the standard's; UNLISTED is not in it."""
    listed = {name: verdict for verdict, names in TABLE.items() for name in names}
    return {
        **{status: listed[name] for status, name in NAMES.items() if name in listed},
        **dict.fromkeys(account.temporary_statuses, Verdict.LATER),
        **dict.fromkeys(account.throttling_statuses, Verdict.TOO_MUCH),
        **dict.fromkeys(account.stopped_statuses, Verdict.BLOCKED),
        c.ROK: Verdict.TAKEN,
    }
