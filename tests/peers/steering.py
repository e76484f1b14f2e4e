"""What the SMSCs in Python have in common: reading orders, telling events, and what they were told to do next."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

RECEIPT = "id:{} sub:001 dlvrd:001 submit date:2611220800 done date:2611220800 stat:DELIVRD err:000 text:"
DELIVERED = 2  # message_state, SMPP 3.4 §5.2.28
RECEIPTED_MESSAGE_ID = 0x001E
MESSAGE_STATE = 0x0427
MESSAGE_PAYLOAD = 0x0424
SAR = {0x020C: "sar_msg_ref_num", 0x020E: "sar_total_segments", 0x020F: "sar_segment_seqnum"}


def tell(event: str, **details: Any) -> None:
    """Say what happened; on the process's own stdout, whatever a library prints to sys.stdout."""
    assert sys.__stdout__ is not None
    sys.__stdout__.write(json.dumps({"event": event, **details}) + "\n")
    sys.__stdout__.flush()


@dataclass
class Behaviour:
    """What was ordered for the next submits."""

    statuses: deque[int] = field(default_factory=deque)
    receipts: str = ""
    reversed: int = 0
    hold: bool = False
    _waiting: list[Callable[[], None]] = field(default_factory=list)
    _ids: Callable[[], int] = field(default=count(0x3E9).__next__)

    def change(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self, name, deque(value) if name == "statuses" else value)
        tell("behaves")

    def next_answer(self) -> tuple[int, str]:
        """The status and the message id of the next submit."""
        return (self.statuses.popleft() if self.statuses else 0), f"{self._ids():X}"

    def in_order(self, answer: Callable[[], None]) -> None:
        """Give an answer now, or with others, the last first, or never."""
        if self.hold:
            return
        self._waiting.append(answer)
        if len(self._waiting) < self.reversed:
            return
        self.reversed = 0
        while self._waiting:
            self._waiting.pop()()
