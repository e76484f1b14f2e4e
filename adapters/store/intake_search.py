"""Lists of the intake module, on both engines: every one a walk back along an index, the newest first."""

# ruff: noqa: S608 - put together from the column names of this package, never from data

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.store.broadcast_rows import as_json
from adapters.store.intake_rows import DOSSIER_COLUMNS, read_dossier
from adapters.store.intake_words import Reading, Wanted, read_search
from adapters.store.notices_dialect import Dialect
from adapters.store.rows import to_ms
from adapters.store.steps import Steps
from adapters.store.tables import OPEN_DOSSIER
from domain.dossier import CLOSED, DossierStatus
from domain.intake import IntakeDossier
from intake.ports import IntakeSearch

AGENCIES_AT_ONCE = 100  # parts of one statement; SQLite takes 500
COUNTED_WORDS = 500  # beyond, a word is common, however common

Cells = dict[str, int | str | None]

_COLUMNS = ", ".join(f"d.{name}" for name in DOSSIER_COLUMNS)
_OPEN = f"d.{OPEN_DOSSIER}"
_PASSED_ON = "d.holder <> d.agency"
_OVERDUE = f"x.due_at IS NOT NULL AND x.{OPEN_DOSSIER} AND x.due_at < :now"
TALLY = """INSERT INTO intake_tally AS t (agency, holder, status, dossiers) VALUES (:agency, :holder, :status, :more)
    ON CONFLICT (agency, holder, status) DO UPDATE SET dossiers = t.dossiers + excluded.dossiers"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked beside whose dossiers they are; and the index of an agency's that suits it best."""

    conditions: tuple[str, ...]
    values: Mapping[str, int | str | None]
    index: str
    found_by: tuple[str, ...]  # follows from the conditions: what that index, a partial one, is found by

    def also(self, *more: str) -> str:
        return " AND ".join((*more, *self.conditions))


def listed(dialect: Dialect, search: IntakeSearch, limit: int) -> Steps[Sequence[IntakeDossier]]:
    """What `search` says, the newest `limit`."""
    narrowed = _filter(search)
    reading = read_search(search.text)
    if not search.agencies or (reading is None and search.text.strip()):
        return []
    if reading is None:
        ids = yield from _along_agencies(dialect, sorted(search.agencies), narrowed, search.unit, limit)
    else:
        ids = yield from _by_reading(dialect, reading, search.agencies, narrowed, limit)
    rows = yield (
        f"SELECT {_COLUMNS} FROM intake_dossier AS d WHERE d.id {dialect.among_ids('ids')} ORDER BY d.id DESC",
        {"ids": as_json(sorted(ids, reverse=True)[:limit])},
    )
    return [read_dossier(row) for row in rows]


# ---- by what was chosen


def _filter(search: IntakeSearch) -> Filter:
    moments = {name: getattr(search, name) for name in ("due_since", "due_before", "received_since", "received_until")}
    given: dict[str, tuple[str, int | str | None]] = {
        name: (condition, value)
        for name, condition, value in (
            ("unit", "d.unit = :unit AND d.unit <> ''", search.unit),
            ("source", "d.source = :source", search.source and search.source.value),
            ("procedure", "d.procedure = :procedure", search.procedure),
            ("due_since", "d.due_at >= :due_since", _ms(moments["due_since"])),
            ("due_before", "d.due_at < :due_before", _ms(moments["due_before"])),
            ("received_since", "d.received_at >= :received_since", _ms(moments["received_since"])),
            ("received_until", "d.received_at < :received_until", _ms(moments["received_until"])),
            ("before", "d.id < :before", search.before),
        )
        if value
    }
    conditions = [condition for condition, _ in given.values()]
    if search.late is not None:
        conditions.append("d.late" if search.late else "NOT d.late")
    conditions += _of_states(search.status)
    index = _index(search)
    values = {name: value for name, (_, value) in given.items()}
    return Filter(tuple(conditions), values, index, (_OPEN,) if index == "ix_intake_dossier_open" else ())


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _of_states(states: frozenset[DossierStatus]) -> Iterable[str]:
    numbers = sorted(int(state) for state in states)
    if len(numbers) == 1:
        return [f"d.status = {numbers[0]}"]
    return [f"d.status IN ({', '.join(map(str, numbers))})"] if numbers else []


def _index(search: IntakeSearch) -> str:
    suits = (
        ("late", search.late is True),
        ("status", len(search.status) == 1),
        ("open", bool(search.status) and not search.status & CLOSED),
        ("procedure", bool(search.procedure)),
        ("received", search.received_since is not None),
    )
    return f"ix_intake_dossier_{next((name for name, fits in suits if fits), 'agency')}"


def _along_agencies(
    dialect: Dialect, agencies: Sequence[str], narrowed: Filter, unit: str, limit: int
) -> Steps[set[int]]:
    """The newest of each agency, and of what was passed on to it."""
    if unit:
        among = dialect.among("agencies")
        rows = yield (
            (
                f"SELECT d.id FROM intake_dossier AS d{dialect.by('ix_intake_dossier_unit')} WHERE"
                f" {narrowed.also(f'(d.agency {among} OR d.holder {among})')} ORDER BY d.id DESC LIMIT :limit"
            ),
            {**narrowed.values, "agencies": as_json(agencies), "limit": limit},
        )
        return {row[0] for row in rows}

    def parts(name: str) -> Sequence[str]:
        own = (f"d.agency = :{name}", *narrowed.found_by)
        passed_on = (f"d.holder = :{name}", _PASSED_ON)
        return [
            _part(dialect, narrowed, narrowed.index, *own),
            _part(dialect, narrowed, "ix_intake_dossier_holder", *passed_on),
        ]

    return (yield from _all_of(agencies, parts, {**narrowed.values, "limit": limit}))


def _all_of(agencies: Sequence[str], parts: Callable[[str], Sequence[str]], values: Cells) -> Steps[set[int]]:
    """The ids of all parts of each agency; `parts` is told the parameter its name is in."""
    found: set[int] = set()
    for start in range(0, len(agencies), AGENCIES_AT_ONCE):
        names = {f"agency_{number}_": each for number, each in enumerate(agencies[start : start + AGENCIES_AT_ONCE])}
        numbered = (
            f"SELECT id FROM ({part}) AS p{number}"
            for number, part in enumerate(part for name in names for part in parts(name))
        )
        rows = yield " UNION ALL ".join(numbered), {**values, **names}
        found.update(row[0] for row in rows)
    return found


def _part(dialect: Dialect, narrowed: Filter, index: str, *whose: str) -> str:
    return (
        f"SELECT d.id AS id FROM intake_dossier AS d{dialect.by(index)} WHERE {narrowed.also(*whose)}"
        " ORDER BY d.id DESC LIMIT :limit"
    )


# ---- by what was typed


def _by_reading(
    dialect: Dialect, reading: Reading, agencies: frozenset[str], narrowed: Filter, limit: int
) -> Steps[set[int]]:
    values: Cells = {**narrowed.values, "agencies": as_json(sorted(agencies)), "limit": limit}
    among = dialect.among("agencies")
    seen = f"(d.agency {among} OR d.holder {among})"
    if reading.wanted is not Wanted.WORDS:
        column, index = _EXACT[reading.wanted]
        rows = yield (
            (
                f"SELECT d.id FROM intake_dossier AS d{dialect.by(index)} WHERE {narrowed.also(column, seen)}"
                " ORDER BY d.id DESC LIMIT :limit"
            ),
            {**values, "wanted": reading.values[0]},
        )
        return {row[0] for row in rows}
    rarest = yield from _rarest(dialect, reading.values, values["agencies"])
    others = [word for word in reading.values if word != rarest]
    names = {f"word_{number}_": word for number, word in enumerate(others)}
    all_of = [
        f"EXISTS (SELECT 1 FROM intake_word AS o WHERE o.agency = w.agency AND o.word = :{name} AND o.dossier_id = w.dossier_id)"
        for name in names
    ]

    def parts(name: str) -> Sequence[str]:
        # The sum keeps PostgreSQL from walking along all dossiers in their order instead of along those with the word.
        where = narrowed.also(f"w.agency = :{name}", "w.word = :rarest", "d.id = w.dossier_id + 0", seen, *all_of)
        return [
            (
                "SELECT w.dossier_id AS id FROM intake_word AS w CROSS JOIN intake_dossier AS d"
                f" WHERE {where} ORDER BY w.dossier_id DESC LIMIT :limit"
            )
        ]

    return (yield from _all_of(sorted(agencies), parts, {**values, **names, "rarest": rarest}))


_EXACT = {
    Wanted.CODE: ("d.code = :wanted", "uq_intake_dossier_code"),
    Wanted.PHONE: ("d.phone = :wanted AND d.phone <> ''", "ix_intake_dossier_phone"),
}


def _rarest(dialect: Dialect, words: Sequence[str], agencies: int | str | None) -> Steps[str]:
    """The walk goes along this one: every second name here is Nguyễn."""
    if len(words) == 1:
        return words[0]
    counted: dict[str, int] = {}
    counting = f"SELECT 1 FROM intake_word WHERE agency {dialect.among('agencies')} AND word = :word LIMIT :most"
    for word in words:
        [(count,)] = yield (
            f"SELECT count(*) FROM ({counting}) AS found",
            {"agencies": agencies, "word": word, "most": COUNTED_WORDS},
        )
        counted[word] = count
    return min(words, key=counted.__getitem__)


# ---- how many there are


def tallied(agency: str, *moves: tuple[str, DossierStatus, int]) -> Steps[None]:
    """Where there is one more, or one less: (holder, state, how many). Always in one order, so that nobody waits for who
    waits for him.
    """
    for holder, status, more in sorted(moves):
        yield TALLY, {"agency": agency, "holder": holder, "status": int(status), "more": more}


def counts(dialect: Dialect, agencies: frozenset[str], now: int) -> Steps[Mapping[str, int]]:
    """By state ("1".."10"), and "overdue"; every dossier once, though it may be seen by two ways."""
    among = dialect.among("scope")
    own, elsewhere = f"x.agency {among}", f"x.holder {among} AND x.holder <> x.agency AND NOT x.agency {among}"
    tally, late = "x.status, sum(x.dossiers)", "'overdue', count(*)"
    ways = (
        (tally, "intake_tally AS x", own, " GROUP BY x.status"),
        (tally, f"intake_tally AS x{dialect.by('ix_intake_tally_holder')}", elsewhere, " GROUP BY x.status"),
        (late, f"intake_dossier AS x{dialect.by('ix_intake_dossier_due')}", f"{own} AND {_OVERDUE}", ""),
        (
            late,
            f"intake_dossier AS x{dialect.by('ix_intake_dossier_passed_due')}",
            f"{elsewhere} AND {_OVERDUE}",
            "",
        ),
    )
    counted = Counter[str]({str(int(state)): 0 for state in DossierStatus} | {"overdue": 0})
    values: Cells = {"scope": as_json(sorted(agencies)), "now": now}
    for cells, table, where, grouped in ways:
        needed = {name: value for name, value in values.items() if f":{name}" in where}
        rows = yield f"SELECT {cells} FROM {table} WHERE {where}{grouped}", needed
        for state, count in rows:
            counted[str(state)] += int(count)
    return counted
