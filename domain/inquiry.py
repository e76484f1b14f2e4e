"""Text -> what the person wants; the grammar's words are data (config/texts), the rules are here."""

from __future__ import annotations

from dataclasses import dataclass

from domain.codes import DossierCode


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Where is my dossier? `codes` are distinct, in the order typed, never empty."""

    codes: tuple[DossierCode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskBack:
    """Two readings of one code exist: we ask, we never guess. `wish` is what to do with the chosen one."""

    candidates: tuple[DossierCode, ...]
    wish: str = "look_up"  # look_up | follow | unfollow


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A bare number: the answer to a question we asked. Without one pending it is unreadable."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Tell me when it changes. No code: the last one asked about."""

    codes: tuple[DossierCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfollow:
    """Stop telling me about this one. No code: the last one asked about."""

    codes: tuple[DossierCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAll:
    """Tell me nothing unasked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Undo StopAll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindProcedure:
    """What do I need for ...? `words` is what was typed behind the keyword, or a procedure code."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseLanguage:
    """Answer me in `language` (vi, en, km); `accents` where the keyword said so (vi only), else None."""

    language: str
    accents: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """An opinion or complaint (decision 40/2016 art. 5.7); `text` is safe plain text, at most 1,000 characters."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """How does this work? Also a first hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thanks:
    """Courtesy after an answer: "cam on", "ok", "da". It gets silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The example code of the help text (serial 0000): it explains itself and is nobody's dossier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """No code and no keyword. `reason` is one of domain.codes.WhyNone, for the reply and for counting."""

    reason: str = "no_code"


Inquiry = (
    LookUp
    | AskBack
    | Choice
    | Follow
    | Unfollow
    | StopAll
    | Resume
    | FindProcedure
    | ChooseLanguage
    | Feedback
    | Help
    | Thanks
    | Example
    | Unreadable
)
