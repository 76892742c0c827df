"""What symbols were: as the database knew them at a time, every version of one, and what changed between two times."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database
from exchanges_db.exchanges.names import ask_as_spelled, check_exchange
from exchanges_db.moments import check_moment, check_period
from exchanges_db.symbols.changes import SymbolChange, find_changes_between
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.judge import is_tradable
from exchanges_db.symbols.look_ups import check_filters, check_tradable
from exchanges_db.symbols.models import Symbol, SymbolVersion
from exchanges_db.symbols.names import ask_as_spelled_then, check_name, the_one
from exchanges_db.symbols.pruning import check_not_pruned
from exchanges_sql.models import SymbolVersion as SymbolVersionRow
from exchanges_sql.symbol_history import AsyncQuerier, ListSymbolRowsAsOfParams


async def get_symbol_as_of(
    exchange: Enum | str, symbol: str, at: datetime, *, db: DatabaseOrConnection | None = None
) -> Symbol | None:
    """Return the symbol as the database knew it at `at`, by its canonical or native name; None when it knew none.

    Raises:
        InvalidArgument: `at` has no time zone.
        ExchangeNotFound: there is no such exchange.
        AmbiguousSymbol: no symbol was spelt exactly so, and several differed from `symbol` in case only; or several
            live symbols had exactly this name.
        HistoryPruned: nothing is found, and what was then was deleted.
    """
    place, name, moment = check_exchange(exchange), check_name(symbol), check_moment(at)
    return await run(db, lambda conn: find_symbol_as_of(conn, place, name, moment))


async def find_symbol_as_of(conn: AsyncConnection, place: str, name: str, at: datetime) -> Symbol | None:
    """Return what `get_symbol_as_of` does, by a connection."""

    async def fetch(enum_value: str, spelling: str) -> list[Symbol]:
        rows = AsyncQuerier(conn).list_symbol_rows_by_name_as_of(at=at, exchange=enum_value, symbol=spelling)
        return [_symbol(row) async for row in rows]

    found = await ask_as_spelled_then(conn, place, name, at, fetch)
    if not found:
        await check_not_pruned(conn, at)
    return the_one(place, name, found) if found else None


async def list_symbols_as_of(
    exchange: Enum | str | None,
    at: datetime,
    *,
    base: str | None = None,
    quote: str | None = None,
    kind: SymbolKind | str | None = None,
    tradable: bool | None = True,
    db: DatabaseOrConnection | None = None,
) -> list[Symbol]:
    """Return what `list_symbols` would have returned at `at`, by what the database knew then.

    exchange: None for all of them.
    tradable: judged by what was known then; of what no longer holds, it is not kept how often it was confirmed.

    Raises:
        InvalidArgument: `at` has no time zone, or a filter has a value that no symbol can have.
        ExchangeNotFound: there is no such exchange.
        HistoryPruned: what was then was deleted.
    """
    place, moment = None if exchange is None else check_exchange(exchange), check_moment(at)
    wanted = check_filters(base=base, quote=quote, kind=kind)
    check_tradable(tradable)

    async def work(conn: AsyncConnection) -> list[Symbol]:
        await check_not_pruned(conn, moment)

        async def fetch(exact: str | None) -> list[Symbol]:
            parameters = ListSymbolRowsAsOfParams(at=moment, exchange=exact, **wanted)
            rows = [row async for row in AsyncQuerier(conn).list_symbol_rows_as_of(parameters)]
            symbols = [_symbol(row) for row in rows]
            return [one for one in symbols if tradable is None or _stood_open(one, moment) is tradable]

        return await fetch(None) if place is None else await ask_as_spelled(conn, place, fetch)

    return await run(db, work)


async def get_symbol_history(
    exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None
) -> list[SymbolVersion]:
    """Return every version of each symbol that ever had this canonical or native name, oldest first.

    Empty where none had. Raises ExchangeNotFound and AmbiguousSymbol as `get_symbol_as_of` does.
    """
    place, name = check_exchange(exchange), check_name(symbol)

    async def work(conn: AsyncConnection) -> list[SymbolVersion]:
        async def fetch(enum_value: str, spelling: str) -> list[SymbolVersion]:
            rows = AsyncQuerier(conn).list_symbol_versions(exchange=enum_value, symbol=spelling)
            return [_version(row) async for row in rows]

        return await ask_as_spelled_then(conn, place, name, None, fetch)

    return await run(db, work)


async def diff_symbols(
    exchange: Enum | str, since: datetime, until: datetime | None = None, *, db: DatabaseOrConnection | None = None
) -> list[SymbolChange]:
    """Return what changed in an exchange's symbols, in whatever state, from `since` to `until`, by default now.

    Raises:
        InvalidArgument: one of them has no time zone, or `since` lies after `until`.
        ExchangeNotFound: there is no such exchange.
        HistoryPruned: what was at `since` was deleted.
    """
    first, last = check_period(since, until)
    before = await list_symbols_as_of(exchange, first, tradable=None, db=db)
    after = await list_symbols_as_of(exchange, last, tradable=None, db=db)
    return find_changes_between(before, after)


async def symbol_as_of(conn: AsyncConnection, symbol_id: int, at: datetime) -> Symbol | None:
    """Return the symbol with this id as it stood at `at`; None when there was none."""
    row = await AsyncQuerier(conn).get_symbol_row_by_id_as_of(symbol_id=symbol_id, at=at)
    return None if row is None else _symbol(row)


def _stood_open(symbol: Symbol, at: datetime) -> bool:
    return is_tradable(symbol, at, observed_at=symbol.observed_at)


def _version(row: SymbolVersionRow) -> SymbolVersion:
    return SymbolVersion(
        spec_version=row.spec_version,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        operation=row.operation,
        ended_by=row.ended_by,
        application_name=row.application_name,
        symbol=_symbol(row),
    )


def _symbol(row: SymbolVersionRow) -> Symbol:
    return from_database(row, Symbol)
