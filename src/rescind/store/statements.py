"""Statements in the words of a driver: written and compiled with SQLAlchemy, and from then on executed without it.

What it does at each execution costs several times as much as the database's answer to a small question.
"""

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]
"""What is bound, by name. A list stands for as many values as it has."""


_COMPILED: dict[str, dict[Any, "Statement"]] = {}
"""By kind of database: all of a kind are spoken to in the same words."""


class Statements:
    """The statements of one database, each compiled when a process first executes it on one of its kind."""

    def __init__(self, dialect: sa.Dialect, together: Callable[[Any], AbstractContextManager[object]]) -> None:
        self._dialect = dialect
        self._together = together
        self._compiled = _COMPILED.setdefault(dialect.name, {})

    def execute(self, connection: sa.Connection, statement: Any, values: Values) -> list[Any]:
        """Execute a statement; the rows of its answer, with their columns by name."""
        compiled = self.compiled(statement, values)
        driver: Any = connection.connection.driver_connection
        try:
            answer = driver.execute(compiled.text, compiled.parameters(values))
            return compiled.rows(answer.fetchall()) if compiled.answers else []
        except self._dialect.loaded_dbapi.Error as error:
            self._fail(connection, compiled.text, error)

    def execute_many(self, connection: sa.Connection, statement: Any, values: Sequence[Values]) -> Callable[[], int]:
        """Execute a statement that answers nothing for each of these, alike in their names.

        What is returned says how many rows it met: `together` with others, when all of them are over.
        """
        if not values:
            return lambda: 0
        compiled = self.compiled(statement, values[0])
        driver: Any = connection.connection.driver_connection
        try:
            parameters = [compiled.parameters(one) for one in values]
            cursor = driver.cursor()
            if len(parameters) == 1:
                cursor.execute(compiled.text, parameters[0])
            else:
                cursor.executemany(compiled.text, parameters)
        except self._dialect.loaded_dbapi.Error as error:
            self._fail(connection, compiled.text, error)
        return lambda: int(cursor.rowcount)

    @contextmanager
    def together(self, connection: sa.Connection) -> Iterator[None]:
        """Let what is executed meanwhile, for many, be sent at once."""
        try:
            with self._together(connection.connection.driver_connection):
                yield
        except self._dialect.loaded_dbapi.Error as error:
            self._fail(connection, "", error)

    def compiled(self, statement: Any, values: Values) -> "Statement":
        """The statement for values of these names, and for lists of these lengths or somewhat longer ones."""
        lengths = tuple((name, _rounded(len(value))) for name, value in values.items() if isinstance(value, list))
        columns = tuple(values) if isinstance(statement, sa.Insert) else ()
        found = self._compiled.get((statement, lengths, columns))
        if found is None:
            found = Statement(statement, self._dialect, dict(lengths), columns)
            self._compiled[statement, lengths, columns] = found
        return found

    def _fail(self, connection: sa.Connection, text: str, error: Exception) -> NoReturn:
        """Raise what SQLAlchemy would: it judges connections, and lets go of dead ones, by its own statements alone."""
        if self._dialect.is_disconnect(error, connection.connection.dbapi_connection, None):  # type: ignore[arg-type]
            connection.exec_driver_sql("SELECT 1")
        base = self._dialect.loaded_dbapi.Error
        raise DBAPIError.instance(text, None, error, base, hide_parameters=True, dialect=self._dialect)


class Statement:
    """One statement for one kind of database, with lists of certain lengths among its values."""

    def __init__(
        self, statement: Any, dialect: sa.Dialect, lengths: Mapping[str, int], columns: Sequence[str] = ()
    ) -> None:
        more = {"column_keys": list(columns), "for_executemany": True} if columns else {}
        compiled = statement.compile(dialect=dialect, **more)
        binds = {name: bind for name, bind in compiled.binds.items() if name in compiled.bind_names.values()}
        self._made = {name: bind.callable for name, bind in binds.items() if bind.callable}
        own = {name: bind.value for name, bind in binds.items() if bind.value is not None}
        # What is spelled out in the text is not bound any more.
        self._own = {name: own[name] for name in own if binds[name] not in compiled.literal_execute_params}
        lists = {name: [None] * length for name, length in lengths.items()}
        expanded = compiled.construct_expanded_state({**dict.fromkeys(binds), **own, **lists})
        self.text: str = expanded.statement
        self._order: Sequence[str] | None = expanded.positiontup
        self._lists: Mapping[str, Sequence[str]] = expanded.parameter_expansion
        converts = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in binds.items()}
        self._converts = {name: convert for name, convert in converts.items() if convert}
        returned = list(getattr(statement, "exported_columns", ()))
        self.answers = bool(returned)
        """Whether it answers with rows."""
        spoken = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in returned]
        self._spoken = [(place, convert) for place, convert in enumerate(spoken) if convert]
        self._row: Any = namedtuple("Row", [column.name for column in returned], rename=True)  # type: ignore[misc]  # noqa: PYI024 - they are known now

    def parameters(self, values: Values) -> Any:
        """What is bound: the values that are given, and those that the statement has itself."""
        whole = {**self._own, **values}
        for name, make in self._made.items():
            whole[name] = make()
        for name, convert in self._converts.items():
            value = whole[name]
            whole[name] = list(map(convert, value)) if isinstance(value, list) else convert(value)
        for name, places in self._lists.items():
            # Nothing is NULL; and the last one again, where the statement has room for more.
            listed = whole.pop(name) or [None]
            whole.update(zip(places, [*listed, *listed[-1:] * (len(places) - len(listed))], strict=True))
        return whole if self._order is None else [whole[name] for name in self._order]

    def rows(self, found: Sequence[Any]) -> list[Any]:
        """The rows of an answer, each with its columns by name."""
        if self._spoken:
            found = [self._converted(row) for row in found]
        return list(map(self._row._make, found))

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, convert in self._spoken:
            values[place] = convert(values[place])
        return values


def _rounded(length: int) -> int:
    """The next power of two: so few lengths are compiled, and prepared by the database."""
    return 1 << max(0, length - 1).bit_length()
