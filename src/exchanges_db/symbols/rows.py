"""Rows of the view `symbol_rows`: the one that a name stands for, as a Symbol, and what may be traded of it now."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.rows import from_database
from exchanges_db.errors import AmbiguousSymbol
from exchanges_db.exchanges.names import ask_as_spelled
from exchanges_db.symbols.enums import SidesAllowed
from exchanges_db.symbols.judge import Hold, is_stale, is_tradable
from exchanges_db.symbols.models import NamedSymbol, Symbol
from exchanges_db.symbols.names import spelled_symbols, symbol_not_found, the_one
from exchanges_sql.models import SymbolRow
from exchanges_sql.symbols import AsyncQuerier


def to_symbol(row: SymbolRow) -> Symbol:
    """Return a row as callers get it."""
    return from_database(row, Symbol)


async def named_symbols(conn: AsyncConnection, symbol_ids: list[int]) -> dict[int, NamedSymbol]:
    """Return the symbols with these ids that are known by name only, which the view leaves out, by id."""
    rows = AsyncQuerier(conn).list_named_symbols(ids=symbol_ids)
    return {row.id: from_database(row, NamedSymbol) async for row in rows}


def stands_open(row: SymbolRow, symbol: Symbol, max_age: timedelta | None = None) -> bool:
    """Return whether the symbol of a row is tradable now, by the clock of the server that sent it."""
    return is_tradable(
        symbol,
        row.asked_at,
        exchange_active=row.exchange_is_active,
        observed_at=last_word(row),
        doubtful=row.doubtful_since is not None,
        stale=is_stale(row.confirmed_at, row.asked_at, max_age),
        holds=holds_of(row),
    )


def holds_of(row: SymbolRow) -> tuple[Hold, ...]:
    """Return what a person has said of the symbol of a row, and of its exchange."""
    if row.held_sides is None and row.exchange_held_sides is None:
        return ()
    given = (
        (row.held_sides, row.held_until, row.hold_reason, row.held_by, False),
        (row.exchange_held_sides, row.exchange_held_until, row.exchange_hold_reason, row.exchange_held_by, True),
    )
    return tuple(
        Hold(SidesAllowed(sides), until, reason or "", held_by, whole)
        for sides, until, reason, held_by, whole in given
        if sides is not None
    )


def last_word(row: SymbolRow) -> datetime | None:
    """Return when the exchange last said what the row says; None where that is not known."""
    return row.observed_at if row.confirmed_at is None else row.confirmed_at


async def rows_called(conn: AsyncConnection, place: str, names: list[str]) -> dict[str, SymbolRow]:
    """Return the rows with these canonical names, by the name as it was given; names that are not there are left out.

    Raises as `spelled_symbols` and `the_one` do.
    """
    found = await _by_names(conn, place, names)
    missing = [name for name in names if name not in found]
    if missing or not names:
        exact, spelling = await spelled_symbols(conn, place, missing)
        more = await _by_names(conn, exact, [*spelling.values()]) if spelling else {}
        found |= {name: more[spelling[name]] for name in spelling if spelling[name] in more}
    return {name: found[name] for name in names if name in found}


async def row_by_native(conn: AsyncConnection, place: str, native_symbol: str) -> SymbolRow | None:
    """Return the row with this native name, the live one first. Raises ExchangeNotFound where nothing is found."""
    querier = AsyncQuerier(conn)
    return await ask_as_spelled(
        conn, place, lambda exact: querier.get_symbol_by_native(exchange=exact, native_symbol=native_symbol)
    )


async def row_called(conn: AsyncConnection, place: str, name: str) -> SymbolRow:
    """Return the row with this canonical or native name.

    Raises:
        ExchangeNotFound, SymbolNotFound: there is no such exchange or symbol.
        AmbiguousSymbol: the canonical name is that of several live symbols, or differs from several in case only.
    """
    try:
        row = (await rows_called(conn, place, [name])).get(name)
    except AmbiguousSymbol as exc:
        # Several share the name, and the exchange itself gives it to one of them: its own names are told apart by it.
        if name not in exc.candidates:
            raise
        row = None
    row = row or await row_by_native(conn, place, name)
    if row is None:
        raise await symbol_not_found(conn, place, name)
    return row


async def _by_names(conn: AsyncConnection, place: str, names: list[str]) -> dict[str, SymbolRow]:
    rows: dict[str, list[SymbolRow]] = {}
    querier = AsyncQuerier(conn)
    found = (
        querier.list_symbols_by_name(exchange=place, symbol=names[0])
        if len(names) == 1
        else querier.list_symbols_by_names(exchange=place, symbols=names)
    )
    async for row in found:
        rows.setdefault(row.symbol, []).append(row)
    return {name: the_one(place, name, called_so) for name, called_so in rows.items()}
