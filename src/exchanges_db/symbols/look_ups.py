"""Look-ups of symbols: what there is to trade, and by which exact rules.

Every function takes `db=` as those of `exchanges` do, and raises DatabaseError on failure. An exchange is named by an
ExchangeEnum, by any Enum whose value is the text, or by the text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.exchanges.enums import enum_text
from exchanges_db.exchanges.rules import INTEGER_MAX, check_field
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.models import Symbol, SymbolStats
from exchanges_sql.symbol_stats import AsyncQuerier as StatsQuerier
from exchanges_sql.symbols import AsyncQuerier, ListSymbolsParams

_LONGEST = 200


async def get_symbol(exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None) -> Symbol | None:
    """Return the symbol with this canonical name (BASE/QUOTE[:SETTLE[-YYMMDD]]); None when there is none.

    Where a name was given again, the live symbol is returned, else the last one that was delisted.
    """
    place, name = check_exchange(exchange), check_name(symbol)
    row = await run(db, lambda conn: AsyncQuerier(conn).get_symbol(exchange=place, symbol=name))
    return None if row is None else _symbol(row)


async def get_symbol_by_native(
    exchange: Enum | str, native_symbol: str, *, db: DatabaseOrConnection | None = None
) -> Symbol | None:
    """Return the symbol that the exchange calls so, as `get_symbol` does."""
    place, name = check_exchange(exchange), check_name(native_symbol)
    row = await run(db, lambda conn: AsyncQuerier(conn).get_symbol_by_native(exchange=place, native_symbol=name))
    return None if row is None else _symbol(row)


async def list_symbols(
    exchange: Enum | str | None = None,
    *,
    base: str | None = None,
    quote: str | None = None,
    kind: SymbolKind | str | None = None,
    active: bool | None = True,
    db: DatabaseOrConnection | None = None,
) -> list[Symbol]:
    """Return the symbols that fit everything given, by exchange and name.

    active: True for those that trade on an active exchange, False for the others, None for all.
    """
    wanted = ListSymbolsParams(
        exchange=None if exchange is None else check_exchange(exchange),
        base=None if base is None else check_name(base),
        quote=None if quote is None else check_name(quote),
        kind=None if kind is None else _kind(kind),
        active=active,
    )

    async def work(conn: AsyncConnection) -> list[Symbol]:
        return await _symbols(AsyncQuerier(conn).list_symbols(wanted))

    return await run(db, work)


async def search(text: str, *, most: int = 50, db: DatabaseOrConnection | None = None) -> list[Symbol]:
    """Return symbols whose native or canonical name holds `text`, in any case: live ones first, short names first."""
    part = check_name(text)
    if type(most) is not int or not 0 < most <= INTEGER_MAX:
        raise InvalidSymbol("most must be a positive integer")

    async def work(conn: AsyncConnection) -> list[Symbol]:
        return await _symbols(AsyncQuerier(conn).list_matching_symbols(text=part, most=most))

    return await run(db, work)


async def get_symbol_stats(*, db: DatabaseOrConnection | None = None) -> list[SymbolStats]:
    """Return how many symbols each exchange has, by kind and status, and when the newest of them changed."""

    async def work(conn: AsyncConnection) -> list[SymbolStats]:
        return [from_database(row, SymbolStats) async for row in StatsQuerier(conn).list_symbol_counts()]

    return await run(db, work)


async def _symbols(rows: AsyncIterator[Any]) -> list[Symbol]:
    return [_symbol(row) async for row in rows]


def _symbol(row: object) -> Symbol:
    return from_database(row, Symbol)


def check_exchange(exchange: Enum | str) -> str:
    """Return the enum_value of an exchange; raises InvalidExchange where it is none."""
    text: str = check_field("enum_value", enum_text(exchange))
    return text


def check_name(text: str) -> str:
    """Return `text`, which a symbol or a currency may be called; raises InvalidSymbol."""
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST or "\x00" in text or not _encodable(text):
        raise InvalidSymbol(f"the name of a symbol must be text of 1 to {_LONGEST} characters")
    return text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(kind: SymbolKind | str) -> str:
    try:
        return SymbolKind(kind.upper()).value
    except (ValueError, AttributeError):
        raise InvalidSymbol(f"kind {shown(kind)} is not one of {', '.join(SymbolKind)}") from None
