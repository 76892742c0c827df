"""The part of SQLAlchemy's AsyncConnection that generated code calls, on an asyncpg connection.

That is execute(), whose result has first(), rowcount and iteration, and stream(), whose result has async iteration;
nothing more. Users never get it: those who have a SQLAlchemy engine pass a genuine AsyncConnection.
"""

from __future__ import annotations

import contextlib
import functools
import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import asyncpg
import sqlalchemy
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult, AsyncTransaction

from exchanges_db.database.driver_errors import ANSWER_ERRORS, DRIVER_ERRORS, UnreadableAnswer
from exchanges_db.errors import DatabaseError

if TYPE_CHECKING:
    RawConnection: TypeAlias = asyncpg.Connection[Any] | PoolConnectionProxy[Any]
else:  # asyncpg's classes are generic for type checkers only, and typing.get_type_hints evaluates this at run time
    RawConnection = asyncpg.Connection | PoolConnectionProxy

_HEADER = re.compile(r"-- name: \w+ :(one|many|exec|execrows)\n")

# Of statements in db/queries, whose text may also hold these words as values.
_WRITES = re.compile(r"\b(?:INSERT INTO|DELETE FROM|MERGE INTO|UPDATE\s+\S+\s+(?:AS\s+\w+\s+)?SET)\b", re.IGNORECASE)

# From which the server counts.
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


class _Statement(NamedTuple):
    """A generated statement for asyncpg: its command, its SQL with $1 and so on, and the name of each parameter."""

    command: str
    sql: str
    parameters: tuple[str, ...]


_dialect = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
_statements: dict[str, _Statement] = {}


def translate_statement(clause: TextClause) -> _Statement:
    """Return the statement for a text() of generated code, translated once per text by SQLAlchemy's own compiler."""
    statement = _statements.get(clause.text)
    if statement is None:
        compiled = clause.compile(dialect=_dialect)
        header = _HEADER.match(compiled.string)
        if header is None:
            raise ValueError("not a statement that sqlc-gen-python wrote: it has no '-- name: ... :command' line")
        # The query's name goes along, for the server's log; last, because tracing tools show the first word.
        sql = f"{compiled.string[header.end() :].strip()}\n{header[0].rstrip()}"
        statement = _Statement(header[1], sql, tuple(compiled.positiontup or ()))
        _statements[clause.text] = statement
    return statement


class Rows:
    """What execute() and stream() return: the rows, all of them fetched, and how many the statement touched."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[asyncpg.Record], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def first(self) -> asyncpg.Record | None:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def __iter__(self) -> Iterator[asyncpg.Record]:
        return iter(self._rows)

    async def __aiter__(self) -> AsyncIterator[asyncpg.Record]:
        for row in self._rows:
            yield row


class _Over:
    """What stands for the connection once its transaction is over."""

    def __getattr__(self, name: str) -> Any:
        raise DatabaseError("this transaction is over: begin another")


class AsyncpgBridge:
    """An asyncpg connection as generated code uses a connection."""

    __slots__ = ("_connection", "statements")

    def __init__(self, connection: RawConnection) -> None:
        self._connection = connection
        self.statements = 0  # that were handed to the driver

    async def execute(self, clause: TextClause, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run a generated statement and return its whole result."""
        statement = translate_statement(clause)
        arguments = [parameters[name] for name in statement.parameters] if parameters else ()
        self.statements += 1
        try:
            if statement.command == "one":
                row = await self._fetch(self._connection.fetchrow, statement.sql, arguments)
                return Rows((), 0) if row is None else Rows((row,), 1)
            if statement.command == "many":
                rows = await self._fetch(self._connection.fetch, statement.sql, arguments)
                return Rows(rows, len(rows))
            # The status is a command with a count, such as "UPDATE 3", or without one, such as "SET".
            status = await self._connection.execute(statement.sql, *arguments)
        except DRIVER_ERRORS:
            raise
        except ANSWER_ERRORS as exc:
            raise UnreadableAnswer from exc
        count = status.rpartition(" ")[2]
        return Rows((), int(count) if count.isdigit() else -1)

    async def _fetch(self, fetch: Callable[..., Awaitable[Any]], sql: str, arguments: Sequence[Any]) -> Any:
        """Return what `fetch` does; a time that Python has none for comes as text, so that it hides no other row."""
        try:
            return await fetch(sql, *arguments)
        except OverflowError:
            if _WRITES.search(sql):
                raise  # it is done, and must not be done twice
            await self._connection.set_type_codec(
                "timestamptz", schema="pg_catalog", encoder=_written, decoder=_read, format="tuple"
            )
            try:
                return await fetch(sql, *arguments)
            finally:
                await self._connection.reset_type_codec("timestamptz", schema="pg_catalog")
        except DRIVER_ERRORS:
            raise
        except ANSWER_ERRORS as exc:
            raise UnreadableAnswer from exc

    # Results are fetched whole: a cursor would add round trips and need a transaction.
    stream = execute


def _written(moment: datetime) -> tuple[int]:
    return ((moment - _BEGIN) // timedelta(microseconds=1),)


def _read(microseconds: tuple[int]) -> datetime | str:
    try:
        return _BEGIN + timedelta(microseconds=microseconds[0])
    except OverflowError:
        return f"{microseconds[0]} microseconds after 2000"


class Guarded:
    """A genuine SQLAlchemy connection, of which an answer that cannot be read is told in the same way."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def begin_nested(self) -> AsyncTransaction:
        """Begin a savepoint."""
        return self._connection.begin_nested()

    async def execute(self, clause: TextClause, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run a generated statement and return its whole result."""
        with _telling_what_cannot_be_read():
            return await self._connection.execute(clause, parameters)

    async def stream(self, clause: TextClause, parameters: Mapping[str, Any] | None = None) -> AsyncIterator[Any]:
        """Run a generated statement and return its rows, as they come."""
        with _telling_what_cannot_be_read():
            return _told(await self._connection.stream(clause, parameters))


async def _told(rows: AsyncResult[Any]) -> AsyncIterator[Any]:
    with _telling_what_cannot_be_read():
        async for row in rows:
            yield row


@contextlib.contextmanager
def _telling_what_cannot_be_read() -> Iterator[None]:
    try:
        yield
    except DRIVER_ERRORS:
        raise
    except ANSWER_ERRORS as exc:
        raise UnreadableAnswer from exc


def guarded(connection: AsyncConnection) -> AsyncConnection:
    """Return a genuine SQLAlchemy connection, guarded, as the type that generated code is annotated to take."""
    return cast("AsyncConnection", Guarded(connection))


def reuse_texts(module: types.ModuleType) -> None:
    """Have a generated module make each text() once: it is the same every time, and slow to make.

    Only the name `sqlalchemy` in that module is replaced: the library and the generated file stay as they are.
    """
    module.sqlalchemy = types.SimpleNamespace(text=functools.cache(sqlalchemy.text))  # type: ignore[attr-defined]  # modules are untyped


def is_closed(connection: RawConnection) -> bool:
    """Return whether the connection is closed, or was given back to its pool."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # what the pool's proxy raises once the connection was given back
        return True


def bridge(connection: RawConnection) -> AsyncConnection:
    """Return `connection` as the type that generated code is annotated to take."""
    return as_connection(AsyncpgBridge(connection))


def as_connection(executor: AsyncpgBridge) -> AsyncConnection:
    """Return the bridge as the type that generated code is annotated to take."""
    return cast("AsyncConnection", executor)


def detach(executor: AsyncpgBridge) -> None:
    """Have it refuse from now on: another has the connection, and a call that goes on would reach him."""
    executor._connection = cast("RawConnection", _Over())  # noqa: SLF001 - generated code sees no such method
