"""One message on its way to a decision: what all use cases of the conversation share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from conversation.guards import Admission, Dues, Wanted
from conversation.ports import Decision, PendingQuestion, Person
from domain.answers import DossierAnswer, Outcome
from domain.buttons import COMMANDS, After, Buttons, Press, choices
from domain.codes import DossierCode
from domain.message import Capabilities, InboundMessage
from domain.replies import ReplyWriter, Voice

QUESTION_CHANGES = frozenset({"pending"})  # any message closes an open question, or opens another
JOIN = "join"  # the wish of a question that waits for a code on its way to another address, and for nothing else


@dataclass(frozen=True, slots=True)
class Shape:
    """How a channel shows a reply."""

    capabilities: Capabilities
    fits: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that needs waiting. `give_up` is what to say when it took too long."""

    finish: Callable[[], Awaitable[Decision]]
    give_up: Callable[[], Awaitable[Decision]]


@dataclass(frozen=True, slots=True)
class Case:
    """A message with all that decides about it.

    `capped`: this hour's replies are spent and the sender is a stranger, who is answered only with a proof. `dues` are
    those of the batch; what is decided later has its own. `buttons`: the channel shows some.
    """

    message: InboundMessage
    person: Person
    voice: Voice
    now: datetime
    wanted: Wanted
    admission: Admission
    capped: bool
    cached: Mapping[DossierCode, DossierAnswer]
    dues: Dues
    buttons: bool = False

    @property
    def question(self) -> PendingQuestion | None:
        """What we asked this person to choose among, while it may be answered."""
        return None if self.awaits_code else open_question(self.person, self.now)

    @property
    def awaits_code(self) -> bool:
        """A code is on its way to another address of this person, to be typed here."""
        return joining(self.person, self.now)

    @property
    def settled(self) -> Person | None:
        """The person without an open question; None when there is nothing to write. A code that is on its way takes a
        moment, in which something else may be asked.
        """
        kept = self.person.pending is None or self.awaits_code
        return None if kept else replace(self.person, pending=None)


def open_question(person: Person | None, now: datetime) -> PendingQuestion | None:
    question = person.pending if person is not None else None
    return question if question is not None and now < question.expires_at else None


def joining(person: Person | None, now: datetime) -> bool:
    """What we asked is the code that was sent to another address."""
    question = open_question(person, now)
    return question is not None and question.wish == JOIN


def below(writer: ReplyWriter, case: Case, after: After, code: DossierCode | None = None) -> Buttons:
    """What can be pressed below what is said; nothing where the channel shows no buttons."""
    return writer.buttons(after, case.voice, code) if case.buttons else ()


def say(writer: ReplyWriter, case: Case, kind: str, key: str, outcome: Outcome | None = None) -> Decision:
    """A decision that is one fixed text."""
    return tell(case, kind, writer.say(key, case.voice), outcome)


def tell(case: Case, kind: str, text: str, outcome: Outcome | None = None) -> Decision:
    """A decision that is one text and closes an open question."""
    return Decision(inquiry=kind, outcome=outcome, text=text, person=case.settled, changes=QUESTION_CHANGES)


def ask(case: Case, text: str, question: PendingQuestion) -> Decision:
    """A question back, open until it expires."""
    return Decision(
        inquiry="ask_back",
        outcome=Outcome.UNREADABLE,
        text=text,
        person=replace(case.person, pending=question),
        changes=QUESTION_CHANGES,
        buttons=choices([_said(question, code) for code in question.codes]) if case.buttons else (),
    )


# What chooses one of a question's codes, by its wish, as it would be typed; of other wishes the code alone does.
SAID: Mapping[str, str] = {"follow": COMMANDS[Press.FOLLOW], "unfollow": COMMANDS[Press.UNFOLLOW]}


def _said(question: PendingQuestion, code: str) -> str:
    return SAID.get(question.wish, "{code}").format(code=code)
