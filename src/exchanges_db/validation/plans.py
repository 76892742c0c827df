"""Which indexes the planner uses for a look-up: by EXPLAIN of the statement that the look-up sends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy

from exchanges_db.database.bridge import RawConnection, translate_statement
from exchanges_sql import exchanges, symbol_history, symbols


class LookUp(NamedTuple):
    """A look-up: its name, its statement (a constant of generated code), and the index made for it."""

    name: str
    statement: str
    index_name: str


BY_ENUM = LookUp("get_exchange_by_enum", exchanges.GET_ACTIVE_EXCHANGE_BY_ENUM_VALUE, "exchanges_enum_value_key")
BY_ID = LookUp("get_exchange_by_id", exchanges.GET_EXCHANGE_BY_ID, "exchanges_pkey")
ACTIVE = LookUp("get_all_active_exchanges", exchanges.LIST_ACTIVE_EXCHANGES, "idx_exchanges_active")
BY_MARKET_TYPE = LookUp(
    "get_exchanges_by_market_type", exchanges.LIST_ACTIVE_EXCHANGES_BY_MARKET_TYPE, "idx_exchanges_market_type"
)
SYMBOL = LookUp("get_symbol", symbols.LIST_SYMBOLS_BY_NAME, "idx_symbols_symbol")
SYMBOL_BY_NATIVE = LookUp("get_symbol_by_native", symbols.GET_SYMBOL_BY_NATIVE, "idx_symbols_native_symbol")


# Of these, no look-up may read every row, apart from those that are about every row, or about a part of a name.
_LARGE = {"symbols", "symbol_history"}
_OF_ALL = {"LIST_MATCHING_SYMBOLS"}
_ARGUMENTS: dict[str, Any] = {
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "int4[]": [1],
    "text": "BTC/USDT",
    "text[]": ["BTC/USDT"],
    "varchar": "BTC/USDT",
    "bool": True,
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
}


def symbol_look_ups() -> dict[str, str]:
    """Return every statement about symbols, now and in the past, by its name: all that were generated."""
    return {
        name: statement
        for module in (symbols, symbol_history)
        for name, statement in vars(module).items()
        if name.isupper() and isinstance(statement, str) and name not in _OF_ALL
    }


async def tables_read_whole(connection: RawConnection, statement: str) -> set[str]:
    """Return which large tables the planner would read from end to end for a statement with ordinary arguments."""
    prepared = await connection.prepare(translate_statement(sqlalchemy.text(statement)).sql)
    (root,) = await prepared.explain(*await ordinary_arguments(connection, statement))
    return _scanned(root["Plan"]) & _LARGE


async def ordinary_arguments(connection: RawConnection, statement: str) -> list[Any]:
    """Return arguments that the parameters of a statement can have, by their types."""
    prepared = await connection.prepare(translate_statement(sqlalchemy.text(statement)).sql)
    return [_ARGUMENTS[parameter.name] for parameter in prepared.get_parameters()]


def _scanned(node: dict[str, Any]) -> set[str]:
    here = {node["Relation Name"]} if node["Node Type"] == "Seq Scan" else set()
    return here.union(*(_scanned(child) for child in node.get("Plans", ())))


async def indexes_used(connection: RawConnection, look_up: LookUp, *arguments: Any) -> set[str]:
    """Return the names of the indexes that the planner would read for a look-up with these arguments."""
    prepared = await connection.prepare(translate_statement(sqlalchemy.text(look_up.statement)).sql)
    (root,) = await prepared.explain(*arguments)
    return set(indexes_below(root["Plan"]))


def indexes_below(node: dict[str, Any]) -> Iterator[str]:
    """Yield the index of a node of a plan, as EXPLAIN (FORMAT JSON) gives it, and those of the nodes below."""
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from indexes_below(child)
