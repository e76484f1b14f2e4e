"""Who came to us a moment ago (pure): "Restart bot", after blocking us, is told as an unblocking and again as /start, and
nobody wants to be greeted twice.
"""

from __future__ import annotations

from datetime import timedelta

from domain.message import ChatEvent, InboundMessage

SAME = timedelta(seconds=10)  # two arrivals so close are one
MOST = 1_000  # chats remembered


class Arrivals:
    """The arrivals of the last moment, by chat. An update that comes again, having been refused, is no second one."""

    def __init__(self) -> None:
        self._first: dict[str, InboundMessage] = {}

    def is_told_again(self, message: InboundMessage) -> bool:
        """Another update has told of this arrival already; if not, this one has."""
        chat = message.sender.value
        if message.event is not ChatEvent.STARTED:
            self._first.pop(chat, None)  # who blocked us meanwhile and comes back, comes anew
            return False
        first = self._first.get(chat)
        if first is not None and first.external_id != message.external_id:
            if abs(message.received_at - first.received_at) < SAME:
                return True
            del self._first[chat]
        self._first[chat] = message
        if len(self._first) > MOST:
            del self._first[next(iter(self._first))]  # the oldest
        return False
