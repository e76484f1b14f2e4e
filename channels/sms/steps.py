"""What a person is told of a trial with an SMSC, step by step: each a value, in the order things happened."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from channels.sms import statuses


class StepName(enum.StrEnum):
    """What was done, in SMPP's own words where it has one."""

    BEGIN = "begin"  # of a bind: which, how, where to
    CONNECT = "connect"
    TLS = "tls"
    BIND = "bind"
    ENQUIRE_LINK = "enquire_link"
    LEAVES = "leaves as"  # a message, as it will be written
    SUBMIT = "submit_sm"
    REPORT = "report"
    WAITED = "waited"  # for reports, and how that ended
    MEANWHILE = "meanwhile"  # what the SMSC sent unasked
    UNBIND = "unbind"
    LEFT_OUT = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line. `seconds` it took, where it took any; `status`: the SMSC's command_status, where it gave one; `advice`:
    what to do next.
    """

    name: StepName
    words: str
    seconds: float | None = None
    failed: bool = False
    status: int | None = None
    advice: str = ""

    @property
    def fatal(self) -> bool:
        """Our name or password is refused: trying the same again can lock the account."""
        return self.failed and self.name is StepName.BIND and self.status in statuses.FATAL_TO_BIND
