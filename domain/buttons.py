"""What can be pressed below a text, as a table: each button is a command that a person could type, too.

The labels are texts of the catalogue (`button.*`), those of the languages each language's own name.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from domain.catalogue import Catalogue
from domain.codes import DossierCode
from domain.message import Button

Buttons = tuple[tuple[Button, ...], ...]  # in rows, as OutboundMessage has them


class Press(enum.StrEnum):
    """What one button does; also the name of its label."""

    FOLLOW = "follow"
    AGAIN = "again"
    VIEW = "view"
    UNFOLLOW = "unfollow"
    LIST = "list"
    RESUME = "resume"
    JOIN = "join"


class After(enum.StrEnum):
    """What was just said."""

    FOUND = "found"  # an open dossier, not known to be followed
    DOWN = "down"  # its system does not answer
    FOLLOWED = "followed"  # one dossier, from now on
    FOLLOWED_SEVERAL = "followed_several"
    UNFOLLOWED = "unfollowed"  # one dossier, no more
    STOPPED = "stopped"  # everything
    RESUMED = "resumed"
    NOTICE = "notice"  # unasked, of one dossier
    WELCOME = "welcome"  # how it works, or a language was chosen
    WELCOME_JOINING = "welcome_joining"  # the same, where a telephone number can be joined


COMMANDS: Mapping[Press, str] = {
    Press.FOLLOW: "DK {code}",
    Press.AGAIN: "{code}",
    Press.VIEW: "{code}",
    Press.UNFOLLOW: "HUY {code}",
    Press.LIST: "DS",
    Press.RESUME: "BAT",
    Press.JOIN: "LK",
}
PRESSES: Mapping[After, tuple[tuple[Press, ...], ...]] = {
    After.FOUND: ((Press.FOLLOW, Press.AGAIN),),
    After.DOWN: ((Press.AGAIN,),),
    After.FOLLOWED: ((Press.UNFOLLOW, Press.LIST),),
    After.FOLLOWED_SEVERAL: ((Press.LIST,),),
    After.UNFOLLOWED: ((Press.FOLLOW, Press.LIST),),
    After.STOPPED: ((Press.RESUME,),),
    After.RESUMED: ((Press.LIST,),),
    After.NOTICE: ((Press.UNFOLLOW, Press.VIEW),),
    After.WELCOME: ((Press.LIST,),),
    After.WELCOME_JOINING: ((Press.LIST, Press.JOIN),),
}
# Below these every language can be chosen that there are texts for.
WITH_LANGUAGES = frozenset({After.WELCOME, After.WELCOME_JOINING})
LANGUAGES: Mapping[str, str] = {"vi": "VI", "en": "EN", "km": "KM"}  # the word that chooses each
LANGUAGE_LABEL = "web.page.this_language"


def choices(said: Sequence[str]) -> Buttons:
    """The answers to a question of ours, numbered 1, 2 ... A tap says the whole of what is chosen: under an older question
    its number would be taken for an answer to the latest.
    """
    return (tuple(Button(str(number), each) for number, each in enumerate(said, start=1)),) if said else ()


class ButtonWriter:
    """Writes the buttons below a text.

    Raises:
        ValueError: the catalogue has not the labels; every fault, one a line.
    """

    __slots__ = ("_catalogue",)

    def __init__(self, catalogue: Catalogue) -> None:
        faults = _unlabelled(catalogue)
        if faults:
            raise ValueError("\n".join(faults))
        self._catalogue = catalogue

    def below(self, after: After, language: str, code: DossierCode | None = None, *, accents: bool = True) -> Buttons:
        """The rows of buttons, labelled in this language; `code` where what was said is about one dossier."""
        rows = tuple(
            tuple(self._button(press, language, code, accents=accents) for press in row) for row in PRESSES[after]
        )
        return (self._languages(accents=accents), *rows) if after in WITH_LANGUAGES else rows

    def _button(self, press: Press, language: str, code: DossierCode | None, *, accents: bool) -> Button:
        named = "" if code is None else code.reference
        label = self._catalogue.text(language, f"button.{press}", accents=accents)
        return Button(label, COMMANDS[press].format(code=named))

    def _languages(self, *, accents: bool) -> tuple[Button, ...]:
        return tuple(
            Button(self._catalogue.text(language, LANGUAGE_LABEL, accents=accents), LANGUAGES[language])
            for language in self._catalogue.languages
            if language in LANGUAGES
        )


def _unlabelled(catalogue: Catalogue) -> list[str]:
    wanted = {f"button.{press}" for press in Press}
    there = {key for key in catalogue.keys() if key.startswith("button.")}  # noqa: SIM118 - not a mapping
    faults = [f"texts: {key} is missing" for key in sorted(wanted - there)]
    return faults + [f"texts: {key} is on no button" for key in sorted(there - wanted)]
