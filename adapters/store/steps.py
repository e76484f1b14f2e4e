"""One transaction as steps, told apart from who runs them: a generator yields statements with their values and is given
their rows. So what is decided between two statements is written once for both engines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, CursorResult, text

if TYPE_CHECKING:
    from adapters.store.postgres_pool import Driver  # its driver is an extra

Result = TypeVar("Result")
Values = Mapping[str, int | str | None]
Steps = Generator[tuple[str, Values], Sequence[Any], Result]

_PARAMETER = re.compile(r":(\w+)")


def carry_out(connection: Connection, steps: Steps[Result]) -> Result:
    """All steps on SQLite; the transaction is the caller's."""
    return _carried_out(steps, lambda statement, values: connection.exec_driver_sql(statement, dict(values)))


def carry_out_anywhere(connection: Connection, steps: Steps[Result]) -> Result:
    """All steps on either engine, from outside (adapters.store.outside); the transaction is the caller's."""
    return _carried_out(steps, lambda statement, values: connection.execute(text(statement), dict(values)))


def _carried_out(steps: Steps[Result], execute: Callable[[str, Values], CursorResult[Any]]) -> Result:
    try:
        statement, values = next(steps)
        while True:
            answer = execute(statement, values)
            statement, values = steps.send(answer.fetchall() if answer.returns_rows else ())
    except StopIteration as end:
        result: Result = end.value
        return result


def carry_out_as_text(connection: Connection, steps: Steps[Result]) -> Result:
    """All steps on either engine, for who reaches it from outside; the transaction is the caller's."""
    try:
        statement, values = next(steps)
        while True:
            answer = connection.execute(text(statement), dict(values))
            statement, values = steps.send(answer.fetchall() if answer.returns_rows else ())
    except StopIteration as end:
        result: Result = end.value
        return result


async def carry_out_on(driver: Driver, steps: Steps[Result]) -> Result:
    """All steps on PostgreSQL; the transaction is the caller's."""
    try:
        statement, values = next(steps)
        while True:
            asked, parameters = numbered(statement, values)
            statement, values = steps.send(await driver.fetch(asked, *parameters))
    except StopIteration as end:
        result: Result = end.value
        return result


def numbered(statement: str, values: Values) -> tuple[str, Sequence[int | str | None]]:
    """The statement with `$1`, `$2` in place of names, and the values in that order."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    asked = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return asked, [values[name] for name in names]
