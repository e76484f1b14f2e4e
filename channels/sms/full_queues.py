"""Whose queue at the SMSC is full, where its words leave it open: one reader's, or the line's (pure).

A telephone that is off fills its own queue, and everything to it is refused in the words for a line that is full. An
account that paused for each of them would be silent for as long as that telephone is off.
"""

from __future__ import annotations

from typing import Final

from channels.sms.handover import Handover, PutOff

BUSY_TRIES: Final = 3  # of a segment
REMEMBERED: Final = 10_000  # readers; beyond, the oldest is forgotten


class FullQueues:
    """It is the reader's queue where the SMSC took messages of others since it put this reader's off: within one
    message, or since it was given up the last time. What is said of such a reader says nothing of the line, until
    something is taken for them.
    """

    __slots__ = ("_given_up", "_taken")

    def __init__(self) -> None:
        self._taken = 0  # segments, so far
        self._given_up: dict[str, int] = {}  # by reader: so many were taken when a message was, first

    def __len__(self) -> int:
        """Readers remembered."""
        return len(self._given_up)

    def taken(self, message: Handover) -> None:
        """The SMSC took a segment of it."""
        self._taken += 1
        if message.put_off is not None:
            message.put_off.taken_before += 1  # its own says nothing of others
        if self._given_up:
            self._given_up.pop(message.recipient, None)

    def put_off(self, message: Handover, since: float) -> PutOff:
        """What is known of it, which begins now if nothing is."""
        if message.put_off is None:
            message.put_off = PutOff(since, self._taken)
        return message.put_off

    def is_readers(self, message: Handover) -> bool:
        """It is this reader's queue, and not the line's, that a message was put off for."""
        put_off = message.put_off
        return self._is_known(message) or (put_off is not None and self._taken > put_off.taken_before)

    def give_up(self, message: Handover) -> bool:
        """It was tried often enough: each segment three times, or once where its reader's queue was full before."""
        put_off = message.put_off
        if put_off is None or (not self._is_known(message) and put_off.times < BUSY_TRIES * len(put_off.statuses)):
            return False
        self._given_up.setdefault(message.recipient, self._taken)
        if len(self._given_up) > REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        return True

    def _is_known(self, message: Handover) -> bool:
        """Somebody was taken for since its reader was given up."""
        return self._taken > self._given_up.get(message.recipient, self._taken)
