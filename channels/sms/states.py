"""Where a connection to an SMSC stands and what moves it on (SMPP 3.4 §2.2), as tables; and how it can fail."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from channels.base import Settlement
from channels.sms import commands as c
from channels.sms import statuses
from channels.sms.account import BindMode
from domain.errors import ChannelError


class State(enum.Enum):
    """Where a connection stands."""

    OPEN = "open"  # connected, not yet bound
    BOUND = "bound"
    UNBINDING = "unbinding"  # finishing what is under way; nothing new in or out
    CLOSED = "closed"


class Turn(enum.Enum):
    """What moves a connection on."""

    BIND_ACCEPTED = "bind_accepted"
    GOODBYE = "goodbye"  # either side wants to unbind
    LOST = "lost"


MOVES: Final[Mapping[tuple[State, Turn], State]] = MappingProxyType(
    {
        (State.OPEN, Turn.BIND_ACCEPTED): State.BOUND,
        (State.OPEN, Turn.GOODBYE): State.UNBINDING,
        (State.BOUND, Turn.GOODBYE): State.UNBINDING,
        (State.OPEN, Turn.LOST): State.CLOSED,
        (State.BOUND, Turn.LOST): State.CLOSED,
        (State.UNBINDING, Turn.LOST): State.CLOSED,
    }
)

# What a connection asks to become (§4.1).
BIND_COMMANDS: Final[Mapping[BindMode, int]] = MappingProxyType(
    {
        BindMode.TRANSCEIVER: c.BIND_TRANSCEIVER,
        BindMode.TRANSMITTER: c.BIND_TRANSMITTER,
        BindMode.RECEIVER: c.BIND_RECEIVER,
    }
)

# A message may overtake the answer to our bind: the SMSC holds us bound before we know it.
TAKES_DELIVERIES: Final = frozenset({State.OPEN, State.BOUND})

ACKNOWLEDGEMENTS: Final[Mapping[Settlement, int]] = MappingProxyType(
    {Settlement.DURABLE: c.ROK, Settlement.REFUSED: c.RX_T_APPN}
)


class LinkLost(ChannelError):
    """The connection ended before it answered."""


class BindRefused(ChannelError):
    """The SMSC said no; `command_status` says why."""

    def __init__(self, command_status: int) -> None:
        super().__init__(f"the SMSC refused the bind: {c.status_text(command_status)}")
        self.command_status = command_status

    @property
    def fatal(self) -> bool:
        """Trying again could lock the account."""
        return self.command_status in statuses.FATAL_TO_BIND
