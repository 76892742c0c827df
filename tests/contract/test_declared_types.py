"""What generated code says that a statement takes and gives is what PostgreSQL takes and gives.

The list of statements is derived from the generated modules. sqlc derives types from the SQL alone, and a cast or a
view can make it claim what the server does not.
"""

import datetime as dt
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import sqlalchemy

import exchanges_sql
from exchanges_db.database.bridge import translate_statement
from exchanges_db.database.dsn import Dsn
from exchanges_db.schema.sql_files import bookkeeping_file
from tests.factories import connected

# What asyncpg makes of a type; of json and jsonb it makes text, which sqlc calls Any, and so it calls ranges.
PYTHON = {
    "int2": int, "int4": int, "int8": int, "float8": float, "numeric": Decimal, "bool": bool,
    "text": str, "varchar": str, "name": str, "timestamptz": dt.datetime, "date": dt.date,
    "json": Any, "jsonb": Any, "tstzrange": Any, "void": Any,
    "text[]": list[str], "varchar[]": list[str], "int4[]": list[int], "int2[]": list[int], "bool[]": list[bool],
}  # fmt: skip
MODULES = [
    importlib.import_module(f"exchanges_sql.{module.name}") for module in pkgutil.iter_modules(exchanges_sql.__path__)
]
METHODS = {
    f"{module.__name__.partition('.')[2]}.{name}": (module, name)
    for module in MODULES
    if hasattr(module, "AsyncQuerier")
    for name, method in vars(module.AsyncQuerier).items()
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
}


@pytest.fixture
async def prepared_on(dsn: Dsn) -> AsyncIterator[asyncpg.Connection]:
    """A migrated database with the tables that the tools keep."""
    async with connected(dsn) as connection:
        await connection.execute(bookkeeping_file().read_text())
        yield connection


def _plain(declared: Any) -> Any:
    """Return a type without Optional, and List[...] as list[...]."""
    inner = [one for one in typing.get_args(declared) if one is not types.NoneType]
    if typing.get_origin(declared) is typing.Union:
        return _plain(inner[0])
    return list[inner[0]] if typing.get_origin(declared) is list else declared  # type: ignore[valid-type]


def _parameters(method: Any) -> list[Any]:
    """Return the types of a method's parameters, those of a Params class one by one, in the order of $1, $2."""
    hints = typing.get_type_hints(method)
    del hints["return"]
    arg = hints.pop("arg", None)
    return list(hints.values()) if arg is None else list(typing.get_type_hints(arg).values())


def _columns(method: Any) -> dict[str, Any] | list[Any]:
    """Return the declared columns, by name where there is a class for them."""
    declared = typing.get_type_hints(method)["return"]
    if typing.get_origin(declared) is AsyncIterator:
        (declared,) = typing.get_args(declared)
    declared = _plain(declared)
    if inspect.isclass(declared) and declared.__module__.startswith("exchanges_sql."):
        return typing.get_type_hints(declared)
    return [] if declared in (types.NoneType, None) else [declared]


def _claimed(declared: Any, given: Any) -> Any:
    """Return the declared type; Any, which sqlc says of some aggregates, claims nothing."""
    return given if _plain(declared) is Any else _plain(declared)


@pytest.mark.parametrize(("module", "name"), METHODS.values(), ids=METHODS)
async def test_declared_types_are_the_servers(
    prepared_on: asyncpg.Connection, module: types.ModuleType, name: str
) -> None:
    """Column by column, with its name, and parameter by parameter."""
    method = getattr(module.AsyncQuerier, name)
    statement = translate_statement(sqlalchemy.text(getattr(module, name.upper())))
    prepared = await prepared_on.prepare(statement.sql)

    declared = dict(zip(statement.parameters, sorted_by_number(statement.parameters, _parameters(method)), strict=True))
    for parameter, taken in zip(statement.parameters, prepared.get_parameters(), strict=True):
        assert _plain(declared[parameter]) == PYTHON[taken.name], parameter

    given = {column.name: PYTHON[column.type.name] for column in prepared.get_attributes()}
    columns = _columns(method)
    if statement.command == "execrows":
        assert (columns, given) == ([int], {})
    elif statement.command == "exec":
        assert columns == []
    elif isinstance(columns, dict):
        assert [*columns] == [*given]
        assert [*map(_claimed, columns.values(), given.values())] == [*given.values()]
    else:
        assert [*map(_claimed, columns, given.values())] == [*given.values()]


def sorted_by_number(names: tuple[str, ...], declared: list[Any]) -> list[Any]:
    """Return the types of p1, p2, ... in the order in which the statement names them."""
    return [declared[int(name.removeprefix("p")) - 1] for name in names]


def test_there_are_methods() -> None:
    """As many as there are statements."""
    statements = [
        name for module in MODULES for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    ]
    assert len(METHODS) == len(statements) > 30
