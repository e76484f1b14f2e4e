"""What people read while a one-stop system is ill: the table the fault runs are held against and docs/source-faults.md
shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "source-faults.md"
NOTE = "<!-- Printed by `python -m tests.faults_page`; edit tests/onestop/faults.py, not this page. -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What people are told: the SMS, and on the web the HTTP status, `stale` and the national state."""

    sms: str
    status: int
    stale: bool | None = None
    state: int | None = None
    meaning: str

    def is_sms(self, text: str) -> bool:
        """This is the text, whatever time it tells."""
        pattern = re.escape(self.sms).replace(re.escape("{time}"), r"\d\d:\d\d \d\d/\d\d/\d{4}")
        return re.fullmatch(pattern, text) is not None

    def is_shown(self, status: int, body: Mapping[str, object]) -> bool:
        """This is what the web showed; a problem's own `status` is the HTTP one."""
        if status != self.status:
            return False
        return self.stale is None or (body["stale"], body["status"]) == (self.stale, self.state)


ANSWERS: Mapping[str, Answer] = {
    "as it is": Answer(
        sms="Ho so {code} dang xu ly tai {agency}, hen tra {due}. Chua can nop them. DT {phone}",
        status=200,
        stale=False,
        state=4,
        meaning="what the system says",
    ),
    "try later": Answer(
        sms="Chua xem duoc ho so {code}, he thong dang gian doan. Xin gui lai sau it phut hoac goi {phone}",
        status=503,
        meaning="that it cannot be seen now, and whom to call",
    ),
    "last known": Answer(
        sms="Ho so {code}: luc {time} dang xu ly, hen tra {due}. He thong dang gian doan. DT {phone}",
        status=200,
        stale=True,
        state=4,
        meaning="the last known state with its time, and that it cannot be seen now",
    ),
    "ask the agency": Answer(
        sms="Ho so {code} dang xu ly. De biet ro hon, xin hoi {agency}, DT {phone}",
        status=200,
        stale=False,
        meaning="in process; the agency knows more",
    ),
    "day unknown": Answer(
        sms="Ho so {code} dang xu ly tai {agency}. Ngay hen tra: xem bien nhan hoac goi {phone}",
        status=200,
        stale=False,
        state=4,
        meaning="what the system says, and where to look for the promised day",
    ),
    "the later": Answer(
        sms="Ho so {code} con thieu giay to, ong/ba can nop bo sung. Hoi {agency}, DT {phone}",
        status=200,
        stale=False,
        state=5,
        meaning="of two records the one that moved last",
    ),
    "not found": Answer(
        sms="Chua co thong tin ve ma {code}. Ong/ba xem lai bien nhan hoac goi {agency}, {phone}",
        status=404,
        meaning="nothing is known of this code",
    ),
}

KINDS: Sequence[str] = ("PostgreSQL", "MariaDB", "SQLite", "HTTP")
FAULTS: Mapping[str, str] = {
    "slow": "an octet of its answer every 0.05 s",
    "hanging": "no answer; on SQLite another process holds the file locked",
    "reset": "the connection is reset in place of the answer",
    "another's record": "the answer holds a dossier that nobody asked for",
    "two records": "two records bear the code",
    "wrong types": "a text where the promised day should be; over HTTP an object in place of the state",
    "no record": "it says that it has no dossiers at all",
    "empty answer": "the connection is closed in place of the answer; over HTTP a body of no octets",
    "empty fields": "the code, and nothing in every other field",
    "HTML": "a web page in place of the answer (over HTTP with status 200), or of the database's file",
    "unmapped state": "a state of its own that the mapping does not name",
    "an hour ahead": "its clock is an hour ahead: every dossier comes in then",
    "a day ahead": "its clock is a day ahead",
    "access denied": "our account may not read any more; over HTTP 403",
    "no table": "the table is not there; over HTTP a 404 of the web server",
    "refused": "nobody listens",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is told of a dossier nobody asked for before, and of one that was; what is logged until it is well again."""

    new: str
    known: str
    actions: frozenset[str] = frozenset()


def _seen(new: str, known: str = "", *actions: str) -> Seen:
    return Seen(new, known or new, frozenset(f"source.{action}" for action in actions))


AWAY = _seen("try later", "last known", "unavailable", "breaker_opened", "breaker_closed", "back")
MISREAD = _seen("try later", "last known", "misread", "back")
TOLD = _seen("as it is")
NOTHING = _seen("not found")
UNMAPPED = _seen("ask the agency", "", "status_unmapped")
DAY_UNKNOWN = _seen("day unknown", "", "date_unreadable")
LATER = _seen("the later", "", "code_twice")

NO_WIRE = "a file has no wire"
NO_ACCOUNTS = "a file has no accounts"
KEPT_OPEN = "see below"

EXPECTED: Mapping[str, Sequence[Seen | str]] = {
    #                     PostgreSQL, MariaDB, SQLite, HTTP; a text: why it was not run
    "slow": (AWAY, AWAY, NO_WIRE, AWAY),
    "hanging": (AWAY, AWAY, AWAY, AWAY),
    "reset": (AWAY, AWAY, NO_WIRE, AWAY),
    "another's record": (NOTHING, NOTHING, NO_WIRE, NOTHING),
    "two records": (LATER, LATER, LATER, _seen("not found", "", "several_records")),
    "wrong types": (DAY_UNKNOWN, DAY_UNKNOWN, DAY_UNKNOWN, MISREAD),
    "no record": (NOTHING, NOTHING, NOTHING, NOTHING),
    "empty answer": (AWAY, AWAY, KEPT_OPEN, MISREAD),
    "empty fields": (UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED),
    "HTML": (AWAY, AWAY, AWAY, MISREAD),
    "unmapped state": (UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED),
    "an hour ahead": (TOLD, TOLD, TOLD, TOLD),
    "a day ahead": (TOLD, TOLD, TOLD, TOLD),
    "access denied": (MISREAD, MISREAD, NO_ACCOUNTS, MISREAD),
    "no table": (MISREAD, MISREAD, MISREAD, MISREAD),
    "refused": (AWAY, AWAY, KEPT_OPEN, AWAY),
}


def expected(kind: str) -> Mapping[str, Seen]:
    """The faults that are run on this kind of system."""
    place = KINDS.index(kind)
    return {fault: seen for fault, row in EXPECTED.items() if isinstance(seen := row[place], Seen)}


# ---- the page


def page() -> str:
    return "\n".join(["# What people read while a one-stop system is ill", "", NOTE, "", *_lines(), ""])


def _lines() -> Iterator[str]:
    yield (
        "Each of these was done to a real system under a running gateway (tests/whole/test_source_faults.py): PostgreSQL, "
        "MariaDB and an HTTP server behind a proxy that falls ill, and an SQLite file. Reads had 1 s and two tries, "
        "and after two unanswered reads the system was left alone for 0.2 s. In each case another system's dossiers were "
        "answered meanwhile, and the ill one was asked again, once it was well, without a restart."
    )
    yield ""
    yield (
        "Before the stroke: a dossier nobody had asked for before. Behind it: one that had been told already. Where both "
        "read the same it stands once."
    )
    yield ""
    yield from _table(
        ("fault", "what happens", *KINDS), ((fault, FAULTS[fault], *map(_told, row)) for fault, row in EXPECTED.items())
    )
    yield from _section("What is told")
    yield from _table(
        ("in the table", "what it says", "SMS", "web"),
        ((name, each.meaning, f"`{each.sms}`", _web(each)) for name, each in ANSWERS.items()),
    )
    yield from _section("What is logged")
    yield "From the fault to the first answer after it, of this system; each value that is not understood only once."
    yield ""
    yield from _table(("fault", *KINDS), ((fault, *map(_logged, row)) for fault, row in EXPECTED.items()))
    yield from _section("Why so")
    yield from (f"- **{fault}**: {reason}" for fault, reason in WHY.items())


WHY: Mapping[str, str] = {
    "another's record, no record": (
        "a dossier nobody asked for is never told. What is left is a system that answered in time and in form and knows "
        "nothing of the code, and that is said."
    ),
    "two records": (
        "two rows of a database with one code are one dossier that was entered twice, so the row that moved last is told. "
        "A search by keyword that finds two may have found a stranger's, so neither is told."
    ),
    "wrong types, empty fields, unmapped state": (
        "what can be read is told; what cannot is left out and raises an alarm."
    ),
    "a clock ahead": "its days are told as they stand; the time of an answer is ours and never comes from its clock.",
    "access denied, no table": "trying again would not help: it is not tried again, and the breaker stays closed.",
    "SQLite": (
        "a file that is moved away, emptied or replaced under an open connection is not noticed before that is renewed, "
        "within 30 minutes; until then what it held is told as what it holds. Whoever fills the file must write into it, "
        "in a transaction."
    ),
}


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield "| " + " | ".join(row) + " |"


def _told(seen: Seen | str) -> str:
    if isinstance(seen, str):
        return f"({seen})"
    return seen.new if seen.new == seen.known else f"{seen.new} / {seen.known}"


def _logged(seen: Seen | str) -> str:
    return "" if isinstance(seen, str) else ", ".join(f"`{action}`" for action in sorted(seen.actions))


def _web(answer: Answer) -> str:
    return f"{answer.status}, `stale`" if answer.stale else str(answer.status)
