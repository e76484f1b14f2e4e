"""Parts of long messages become messages again: in any order, repeated, mixed with others, with parts missing (pure).

One `Reassembly` serves all connections of an account. A part is kept (channels.sms.ports) before it is acknowledged; a
message is handed in once all its parts are kept, or when nothing was heard of it for too long. What was handed in is
remembered for a while, since a part whose acknowledgement was lost comes again.

The moments here are seconds of a clock that never jumps; only what is read back after a start is dated by the day's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby, islice
from typing import Final

from channels.sms.gathering import Bounds, Gathering, come_by, heard, known_by
from channels.sms.ports import Part, SetKey

MOST_AT_ONCE: Final = 200  # messages handed in before others have their turn on the event loop


class Reassembly:
    """The long messages of one account that are not done, and those done lately.

    A set that is open may still get parts. It is closed when it is whole, overdue, pushed out by its reference being
    used anew, or the oldest of too many; then it leaves by `ready`, and comes back by `refused` or is `done`.
    """

    def __init__(self, bounds: Bounds, new_id: Callable[[], int]) -> None:
        self._bounds = bounds
        self._new_id = new_id
        self._open: dict[SetKey, Gathering] = {}  # whose last news is oldest, first
        self._senders: dict[str, dict[SetKey, Gathering]] = {}  # the open ones again
        self._closed: dict[int, Gathering] = {}  # by set, not done
        self._ready: deque[Gathering] = deque()
        self._later: deque[tuple[float, Gathering]] = deque()
        self._past: dict[SetKey, Gathering] = {}  # the last one closed of each key
        self._forget: deque[tuple[float, Gathering]] = deque()

    @property
    def waiting(self) -> bool:
        """Time has to be looked at: something is not done."""
        return bool(self._open or self._closed)

    def restore(self, parts: Iterable[Part], now: float, today: datetime) -> None:
        """What was kept before a start; `parts` by set and number. `today` dates them, `now` is the same moment."""
        sets = [list(some) for _, some in groupby(parts, lambda part: part.set_id)]
        for some in sorted(sets, key=heard):
            self._restore(sorted(some, key=lambda part: part.received_at), now, today)

    def add(self, part: Part, now: float) -> Sequence[Part] | None:
        """What is to be kept before this part is acknowledged (its set is filled in), to be told to `kept` or `lost`.

        Nothing: it came before and is kept. None: there is no room, let it come again.
        """
        gathering = self._open.get(part.key)
        if gathering is None:
            return self._to_past(part, now)
        known = gathering.parts.get(part.number)
        if known is not None and not known.same(
            part
        ):  # another message with this reference: the one before, or a new one
            past = self._past.get(part.key)
            former = past.parts.get(part.number) if past is not None else None
            if past is not None and former is not None and former.same(part):
                return known_by(past, part)
            self._close(gathering)
            return self._begin([part], now)
        if part.number in gathering.durable:
            return ()
        return [self._put(gathering, part, now)]

    def kept(self, parts: Iterable[Part]) -> None:
        """These are durable."""
        for part in parts:
            gathering = self._of(part)
            if gathering is None:
                continue
            gathering.under_way -= 1
            gathering.parts.setdefault(part.number, part)
            gathering.durable.add(part.number)
            if gathering.whole and gathering.set_id not in self._closed:
                self._close(gathering)

    def lost(self, parts: Iterable[Part]) -> None:
        """These could not be kept and will come again. A set of which nothing is left is only to be done: part of it may
        be in the store.
        """
        for part in parts:
            gathering = self._of(part)
            if gathering is None:
                continue
            gathering.under_way -= 1
            if part.number not in gathering.durable:
                gathering.parts.pop(part.number, None)
            if not (gathering.parts or gathering.under_way or gathering.set_id in self._closed):
                self._close(gathering)

    def acknowledged(self, part: Part, *, written: bool) -> None:
        """It was acknowledged; `written`: to a link that lived."""
        gathering = self._of(part)
        if gathering is not None:
            gathering.acknowledged = gathering.acknowledged and written

    def ready(self, now: float, most: int = MOST_AT_ONCE) -> Sequence[Gathering]:
        """What is to be handed in now, each to be told to `done` or `refused`. One without parts is only to be done.
        Fewer than `most`: that is all.
        """
        self._forget_old(now)
        for gathering in self._overdue(now):
            self._close(gathering)
        while self._later and self._later[0][0] <= now:
            self._ready.append(self._later.popleft()[1])
        ready = list(islice((gathering for gathering in self._ready if not gathering.under_way), most))
        taken = {gathering.set_id for gathering in ready}
        self._ready = deque(gathering for gathering in self._ready if gathering.set_id not in taken)
        return ready

    def refused(self, gathering: Gathering, now: float) -> None:
        """It could not be handed in: it will be ready again."""
        if gathering.set_id in self._closed:
            self._later.append((now + self._bounds.retry, gathering))

    def done(self, gathering: Gathering, now: float) -> None:
        """The message is in the journal."""
        if self._closed.pop(gathering.set_id, None) is not None:
            gathering.done_at = now
            self._forget.append((now, gathering))
            self._forget_old(now)

    # ---- sets begin and end

    def _to_past(self, part: Part, now: float) -> Sequence[Part] | None:
        """No set is open. The last one of its key may have had this part, or have been given up for lack of it."""
        past = self._past.get(part.key)
        if past is None:
            return self._begin([part], now)
        known = past.parts.get(part.number)
        if known is None:
            return self._begin([*past.parts.values(), part], now)
        if not known.same(part):
            return self._begin([*self._same_beginning(past, part, now), part], now)
        if part.number in past.durable:
            past.again[part.number] = now
        if self._meant(past, now):
            return self._begin([come_by(part, each) for each in past.in_order], now)
        return known_by(past, part)

    def _same_beginning(self, past: Gathering, part: Part, now: float) -> Sequence[Part]:
        """Another message under the same reference may begin with the same words, which came just before this part. Only
        a beginning is taken: a last part that came again belongs to the message before.
        """
        before = range(1, part.number)
        lately = all(now - past.again.get(number, -math.inf) <= self._bounds.timeout for number in before)
        return [come_by(part, past.parts[number]) for number in before] if lately else ()

    def _meant(self, past: Gathering, now: float) -> bool:
        """Every part of it came once more, long after: there are handsets that use one reference for all they send.
        Whether it is a redelivery all the same is the journal's to say, as with a short message.
        """
        if past.done_at is None:
            return False
        since = max(past.done_at + self._bounds.meant_after, now - self._bounds.timeout)
        return sum(at >= since for at in past.again.values()) == past.key.total

    def _begin(self, parts: Sequence[Part], now: float) -> Sequence[Part] | None:
        """A set of these."""
        key = parts[0].key
        if len(self._closed) >= self._bounds.sets:
            return None
        theirs = self._senders.get(key.sender, {})
        if len(theirs) >= self._bounds.sets_per_sender:
            self._close(next(iter(theirs.values())))
        elif len(self._open) >= self._bounds.sets:
            self._close(next(iter(self._open.values())))
        gathering = Gathering(self._new_id(), key, now)
        return [self._put(gathering, part, now) for part in parts]

    def _put(self, gathering: Gathering, part: Part, now: float) -> Part:
        part = replace(part, set_id=gathering.set_id, done_at=None)
        gathering.parts[part.number] = part
        gathering.under_way += 1
        gathering.heard_at = now
        self._reopen(gathering)
        return part

    def _reopen(self, gathering: Gathering) -> None:
        """Open, and of all open ones the one heard of last."""
        for each in (self._open, self._senders.setdefault(gathering.key.sender, {})):
            each.pop(gathering.key, None)
            each[gathering.key] = gathering

    def _close(self, gathering: Gathering) -> None:
        key = gathering.key
        if gathering.restored and gathering.parts.keys() != set(gathering.restored):
            gathering.message_id = self._new_id()  # what was handed in is another message
        del self._open[key]
        theirs = self._senders[key.sender]
        del theirs[key]
        if not theirs:
            del self._senders[key.sender]
        self._closed[gathering.set_id] = gathering
        self._ready.append(gathering)
        if gathering.parts:
            self._past[key] = gathering

    def _overdue(self, now: float) -> Sequence[Gathering]:
        """Of which too long nothing was heard; while a part is being written, one waits for that."""
        overdue = []
        for gathering in self._open.values():
            if gathering.heard_at + self._bounds.timeout > now:
                break
            if gathering.under_way == 0:
                overdue.append(gathering)
        return overdue

    def _forget_old(self, now: float) -> None:
        while self._forget and (
            self._forget[0][0] + self._bounds.remembered <= now or len(self._forget) > self._bounds.sets
        ):
            _, gathering = self._forget.popleft()
            if self._past.get(gathering.key) is gathering:
                del self._past[gathering.key]

    def _of(self, part: Part) -> Gathering | None:
        gathering = self._open.get(part.key)
        if gathering is None or gathering.set_id != part.set_id:
            gathering = self._closed.get(part.set_id)
        return gathering

    def _restore(self, parts: Sequence[Part], now: float, today: datetime) -> None:
        """One set; `parts` as they came."""
        last = parts[-1]
        heard = now - min(max((today - last.received_at).total_seconds(), 0.0), self._bounds.timeout)
        gathering = Gathering(last.set_id, last.key, heard)
        gathering.parts = {part.number: part for part in parts}
        gathering.durable = set(gathering.parts)
        gathering.restored = frozenset(gathering.parts)
        gathering.acknowledged = False  # nobody knows
        if (former := self._open.get(last.key)) is not None:
            self._close(former)
        if last.done_at is None:
            self._reopen(gathering)
            if gathering.whole:
                self._close(gathering)
        else:
            gathering.done_at = now - max((today - last.done_at).total_seconds(), 0.0)
            self._forget.append((gathering.done_at, gathering))
            self._past[last.key] = gathering
