"""One transaction as steps, told apart from who runs them: a generator yields statements with their values and is given
their rows. So what is decided between two statements is written once for both engines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Connection, CursorResult, text

from domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from adapters.store.postgres_pool import Driver  # its driver is an extra

Result = TypeVar("Result")
Values = Mapping[str, int | str | None]
Steps = Generator[tuple[str, Values], Sequence[Any], Result]
Asked = tuple[str, Sequence[int | str | None]]  # a statement as the driver takes it, and its parameters

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
    return await Walk(steps).on(driver)


class Walk(Generic[Result]):
    """Steps on PostgreSQL that may be walked again in another transaction where the one before was rolled back: what they
    asked is asked again, and they go on where they stood as long as the answers are the same.
    """

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self._told: list[tuple[Asked, Sequence[Any]]] = []
        self._next: Asked | None = None
        self._ended: list[Result] = []  # with its result, once it has

    async def on(self, driver: Driver) -> Result:
        """From the first to the last; the transaction is the caller's.

        Raises:
            StoreUnavailable: not the first walk, and what the steps were told before is true no more.
        """
        for (statement, parameters), rows in self._told:
            if await driver.fetch(statement, *parameters) != rows:
                raise StoreUnavailable("the store changed under a transaction that was tried again")
        if self._next is None and not self._ended:
            self._go_on(None)
        while self._next is not None:
            statement, parameters = self._next
            rows = await driver.fetch(statement, *parameters)
            self._told.append((self._next, rows))
            self._go_on(rows)
        return self._ended[0]

    def _go_on(self, rows: Sequence[Any] | None) -> None:
        try:
            self._next = numbered(*(next(self._steps) if rows is None else self._steps.send(rows)))
        except StopIteration as end:
            self._next = None
            self._ended.append(end.value)


def numbered(statement: str, values: Values) -> Asked:
    """The statement with `$1`, `$2` in place of names, and the values in that order."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    asked = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return asked, [values[name] for name in names]
