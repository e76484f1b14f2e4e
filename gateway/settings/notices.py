"""Telling people unasked: how changes are heard of, when notices leave, what is switched off, whom agencies name."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from domain.notices import NoticeKind
from gateway.settings.kinds import (
    AgencyPrefix,
    Count,
    ExistingFile,
    Name,
    NumberPrefix,
    PhoneNumber,
    Printable,
    Seconds,
    Section,
)

Share = Annotated[float, Field(gt=0, le=1)]
LEAST_HOOK_SECRET = 32
MOST_HOOK_KEYS = 2


class HookKey(Section):
    """A key that signs calls of a source's webhook; two of them while one takes over from the other."""

    id: Name = Field(description="What the caller names in its signature.")
    secret: SecretStr = Field(
        min_length=LEAST_HOOK_SECRET, description="At least 32 characters, shared with the caller."
    )
    secret_file: Path | None = Field(default=None, description="A file that holds `secret`.")


class WatchSettings(Section):
    """How a one-stop system's changes are heard of."""

    enabled: bool = Field(default=True, description="Whether it is watched at all.")
    poll: bool | None = Field(
        default=None,
        description="Ask for what changed, by `changed_at` of its mapping; unset: where the mapping has it.",
    )
    poll_s: Seconds = Field(default=5.0, description="Seconds between two polls.")
    overlap_s: Seconds = Field(
        default=180.0,
        description=(
            "Seconds a poll looks back: more than its clocks differ, its longest transaction takes and its replica lags, "
            "together; two minutes and one by default."
        ),
    )
    resolution_s: Seconds = Field(
        default=2.0,
        description=(
            "Seconds within which two changes may carry the same time, plus its longest transaction; "
            "a change beyond it is seen when it leaves the overlap."
        ),
    )
    sweep: bool | None = Field(
        default=None, description="Read the whole table round and round; unset: a database that cannot be polled."
    )
    sweep_s: Seconds = Field(
        default=600.0, description="Seconds between two rounds; followed dossiers are read anew then."
    )
    listen: bool = Field(
        default=False, description="PostgreSQL: hear NOTIFY, sent by the trigger that `tracuu source trigger` prints."
    )
    hook_keys: tuple[HookKey, ...] = Field(
        default=(),
        max_length=MOST_HOOK_KEYS,
        description="Keys of `POST /hooks/onestop/<source>`; without one the webhook does not exist.",
    )
    follow_applicants: bool = Field(
        default=False,
        description="The number on a dossier follows it by itself, where the mapping's `[notify]` says it wants notices.",
    )
    follow_basis: str = Field(
        default="",
        max_length=200,
        description="By what right: the agency's decision, kept as the words of consent; needed with `follow_applicants`.",
    )
    page: Annotated[int, Field(ge=1, le=10_000)] = Field(default=500, description="Dossiers looked at in one step.")


class NoticeOff(Section):
    """Notices that are not sent. What is not said matches everything."""

    agency: AgencyPrefix | None = Field(default=None, description="An agency and all below it.")
    procedure: Printable | None = Field(default=None, description="A procedure's code, as the source has it.")
    kinds: frozenset[NoticeKind] = Field(default=frozenset(), description="Which notices; empty: all.")


class OfficerSettings(Section):
    """Whom an agency wants told of dossiers that wait or are about to be late."""

    agency: AgencyPrefix = Field(description="Its identifier; those below it as well, unless they have their own.")
    numbers: tuple[PhoneNumber, ...] = Field(min_length=1, description="Mobile numbers of its officers.")


class RouteSettings(Section):
    """By which account numbers are reached that never wrote to us. A guess: numbers move between operators, and whoever
    writes is reached by the account they wrote by last.
    """

    prefixes: tuple[NumberPrefix, ...] = Field(
        min_length=1, description="Beginnings of numbers, 8496, +8496 or 096 alike; the longest that fits wins."
    )
    account: Name = Field(description="The `[[sms]]` account.")


class NoticeSettings(Section):
    """Notices to the people who follow a dossier, and to the officers of an agency."""

    account: Name | None = Field(
        default=None,
        description="The `[[sms]]` account for people who never wrote to us and whom no route fits; unset: the first.",
    )
    route: tuple[RouteSettings, ...] = Field(default=(), description="See the table of its own.")
    quiet_from: time = Field(default=time(22, 0), description="Local time from which nobody is told anything unasked.")
    quiet_until: time = Field(default=time(7, 0), description="Local time until which nobody is.")
    per_day: Count = Field(default=3, description="Notices to one person a day; what is more waits for the next.")
    follows_per_person: Count = Field(default=10, description="Dossiers one person may follow.")
    valid_h: Count = Field(default=72, description="Hours after which a notice that could not be sent has expired.")
    reminder_days: Annotated[int, Field(ge=0, le=30)] = Field(
        default=1, description="Days before the promised day a reminder is sent; 0: none."
    )
    calendar: ExistingFile = Field(description="Days off and make-up days: a TOML file as config/holidays/vn.toml.")
    office_from: time = Field(default=time(7, 30), description="Local time from which officers are told.")
    office_until: time = Field(default=time(17, 0), description="Local time until which officers are told.")
    waiting_days: Count = Field(
        default=3, description="Working days after which a dossier that was not accepted is told to its agency."
    )
    late_soon_days: Count = Field(
        default=2, description="Working days before the promised day from which its agency is told that it is near."
    )
    officers: tuple[OfficerSettings, ...] = Field(default=(), description="See the table of its own.")
    off: tuple[NoticeOff, ...] = Field(default=(), description="See the table of its own.")
    hold_share: Share = Field(
        default=0.2, description="Share of a source's dossiers that may change within the window; beyond, notices wait."
    )
    hold_least: Count = Field(default=200, description="Changes below which nothing is ever held.")
    hold_window_s: Seconds = Field(default=900.0, description="Seconds within which changes are counted together.")
    keep_closed_days: Count = Field(
        default=90, description="Days after which the following of a dossier that is closed ends by itself."
    )
    pin_minutes: Count = Field(default=10, description="Minutes a code sent to a number from the web page is good for.")
    pins_per_number: Count = Field(default=3, description="Codes sent to one number a day.")
    pins_per_address: Count = Field(default=5, description="Codes asked for from one web address an hour.")
    pins_per_block: Count = Field(default=15, description="The same, of its neighbours (/24 or /48).")
    pins_in_all: Count = Field(default=200, description="Codes sent to anybody an hour.")
    pins_in_all_a_day: Count = Field(default=1_000, description="The same, a day: what strangers may cost.")
