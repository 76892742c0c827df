"""The slice of SQLAlchemy's AsyncConnection that generated code calls, on an asyncpg connection.

Generated code knows execute() -> first(), rowcount, iteration, and stream() -> async iteration; so does this,
and nothing more. It is never handed to users: who has a SQLAlchemy engine passes a genuine AsyncConnection.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import asyncpg
import sqlalchemy
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    RawConnection: TypeAlias = asyncpg.Connection[Any] | PoolConnectionProxy[Any]
else:  # asyncpg's classes are generic to type checkers only; typing.get_type_hints needs something that exists
    RawConnection = asyncpg.Connection | PoolConnectionProxy

_HEADER = re.compile(r"-- name: \w+ :(one|many|exec|execrows)\n")


class _Statement(NamedTuple):
    """A generated statement in asyncpg's terms: its command, its SQL with $1, its name last, and what $1 is."""

    command: str
    sql: str
    parameters: tuple[str, ...]


_dialect = asyncpg_dialect.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
_statements: dict[str, _Statement] = {}


def translate_statement(clause: TextClause) -> _Statement:
    """Return the statement behind generated code's text(), worked out once per text by SQLAlchemy's own compiler."""
    statement = _statements.get(clause.text)
    if statement is None:
        compiled = clause.compile(dialect=_dialect)
        header = _HEADER.match(compiled.string)
        if header is None:
            raise ValueError("not a statement that sqlc-gen-python wrote: it has no '-- name: ... :command' line")
        # The server's log shows the query's name. At the end, because tracing tools name a span by its first word.
        sql = f"{compiled.string[header.end() :].strip()}\n{header[0].rstrip()}"
        statement = _Statement(header[1], sql, tuple(compiled.positiontup or ()))
        _statements[clause.text] = statement
    return statement


class Rows:
    """What execute() and stream() give back: the rows, already here, and how many the statement touched."""

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


class AsyncpgBridge:
    """Generated code's connection on an asyncpg connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: RawConnection) -> None:
        self._connection = connection

    async def execute(self, clause: TextClause, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Return what a generated statement answers, all of it."""
        statement = translate_statement(clause)
        arguments = [parameters[name] for name in statement.parameters] if parameters else ()
        if statement.command == "one":
            row = await self._connection.fetchrow(statement.sql, *arguments)
            return Rows((), 0) if row is None else Rows((row,), 1)
        if statement.command == "many":
            rows = await self._connection.fetch(statement.sql, *arguments)
            return Rows(rows, len(rows))
        # The status is the statement's command and its count: "UPDATE 3", or without one: "SET".
        status = await self._connection.execute(statement.sql, *arguments)
        count = status.rpartition(" ")[2]
        return Rows((), int(count) if count.isdigit() else -1)

    # A result here is a handful of reference rows: a cursor would only add round trips and need a transaction.
    stream = execute


def reuse_texts(module: types.ModuleType) -> None:
    """Have a generated module make each text() once: it is the same every time, and costs more than all of this.

    Only that module's own name `sqlalchemy` is replaced: the library is left alone, and so is the generated file.
    """
    module.sqlalchemy = types.SimpleNamespace(text=functools.cache(sqlalchemy.text))  # type: ignore[attr-defined]  # modules are untyped


def is_closed(connection: RawConnection) -> bool:
    """Return whether the connection is closed, or was given back to its pool."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # what a proxy says that the pool has taken back
        return True


def bridge(connection: RawConnection) -> AsyncConnection:
    """Return `connection` as what generated code is annotated to take."""
    return cast("AsyncConnection", AsyncpgBridge(connection))
