"""Telephone numbers proved by a code sent to them: for whoever follows on the web, and for chats joined with a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from channels.base import Channel
from channels.sms.numbers import normalise
from conversation.answer import Shape
from conversation.filing_pins import ProveByPin
from conversation.guards import Guards
from conversation.joining import JoinTalk
from conversation.pins import FollowByPin, PinLine, PinLines, PinPost, PinRules, PinSealer
from conversation.ports import Budgets
from conversation.questions import Questions
from domain.message import Address
from domain.replies import ReplyWriter
from gateway.bootstrap.store import OpenStore
from gateway.settings import Settings
from lookup.disclosure import Disclosure
from lookup.service import LookupService
from notifications.routing import Reached, Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """What codes are made and sent with."""

    opened: OpenStore
    budgets: Budgets
    guards: Guards
    writer: ReplyWriter
    post: PinPost
    line: PinLines
    rules: PinRules
    key: bytes

    def desk(self, questions: Questions, lookups: LookupService, disclosure: Disclosure) -> FollowByPin:
        """Following from the web."""
        return FollowByPin(
            questions=questions,
            lookups=lookups,
            disclosure=disclosure,
            pins=self.opened.store.pins(),
            budgets=self.budgets,
            post=self.post,
            line=self.line,
            rules=self.rules,
            key=self.key,
            clock=self.opened.clock,
        )

    def proving(self) -> ProveByPin:
        """Numbers on dossiers that are filed online."""
        return ProveByPin(
            links=self.opened.store.links(),
            budgets=self.budgets,
            guards=self.guards,
            post=self.post,
            line=self.line,
            rules=self.rules,
            sealer=PinSealer(self.key),
            clock=self.opened.clock,
        )

    def joining(self) -> JoinTalk:
        """Chats joined with a number."""
        return JoinTalk(
            links=self.opened.store.links(),
            budgets=self.budgets,
            writer=self.writer,
            post=self.post,
            line=self.line,
            rules=self.rules,
            key=self.key,
        )


class RoutedPinLines:
    """Implements conversation.pins.PinLines: each number by the account it is reached by."""

    __slots__ = ("_lines", "_routing")

    def __init__(self, routing: Routing, lines: Mapping[str, PinLine]) -> None:
        """`lines` by account, all that `routing` knows; there is one at least."""
        self._routing = routing
        self._lines = lines

    def recipient(self, typed: str) -> Address | None:
        return self._any.recipient(typed)

    def usual(self, recipient: Address) -> PinLine:
        return self._over(self._routing.usual(recipient))

    async def to(self, recipient: Address) -> PinLine:
        ways = await self._routing.reach({recipient: None})
        return self._over(ways.get(recipient))

    def _over(self, reached: Reached | None) -> PinLine:
        return self._any if reached is None else self._lines[reached.account]

    @property
    def _any(self) -> PinLine:
        return next(iter(self._lines.values()))


def _line_over(channel: Channel, number: Address) -> PinLine:
    return PinLine(
        channel=channel.name,
        account=channel.account,
        sender=number,
        shape=Shape(channel.capabilities, channel.fits),
        normalise=normalise,
    )


def make_codes(
    settings: Settings,
    *,
    opened: OpenStore,
    budgets: Budgets,
    guards: Guards,
    writer: ReplyWriter,
    routing: Routing,
    channels: Sequence[Channel],
    new_id: Callable[[], int],
) -> Codes | None:
    """None where nothing can be sealed, or there is no SMS account to send by."""
    key = settings.disclosure.proof_key
    if not routing.lines or key is None:
        return None
    chosen = settings.notices
    rules = PinRules(
        good_for=timedelta(minutes=chosen.pin_minutes),
        per_number=chosen.pins_per_number,
        per_address=chosen.pins_per_address,
        per_block=chosen.pins_per_block,
        in_all=chosen.pins_in_all,
        in_all_a_day=chosen.pins_in_all_a_day,
        follows_per_person=chosen.follows_per_person,
    )
    line = RoutedPinLines(
        routing, {each.account: _line_over(each, routing.lines[each.account].sender) for each in channels}
    )
    post = PinPost(
        people=opened.store, budgets=budgets, guards=guards, writer=writer, line=line, rules=rules, new_id=new_id
    )
    return Codes(
        opened=opened,
        budgets=budgets,
        guards=guards,
        writer=writer,
        post=post,
        line=line,
        rules=rules,
        key=key.get_secret_value().encode(),
    )
