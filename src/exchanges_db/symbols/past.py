"""What the database knew of symbols at a time: their rows of then, read so that no later answer differs.

An import takes its moment under a lock, and commits later. A question about a time after that moment must not be
answered from before the commit: the statement itself tells whether it missed one, and is sent again where it did. That
costs nothing but a look at the lock where no import runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.rows import from_database, readable
from exchanges_db.exchanges.history import LAST, exchange_id_then
from exchanges_db.exchanges.names import check_known
from exchanges_db.symbols.import_lock import LOCK_CLASS
from exchanges_db.symbols.look_ups import Filters
from exchanges_db.symbols.models import Symbol
from exchanges_db.symbols.names import choose_spelling
from exchanges_sql.symbol_history import (
    AsyncQuerier,
    GetSymbolRowByIdAsOfRow,
    ListSymbolRowsAsOfParams,
    ListSymbolRowsAsOfRow,
    ListSymbolRowsByNameAsOfParams,
    ListSymbolRowsByNameAsOfRow,
)

Row = GetSymbolRowByIdAsOfRow | ListSymbolRowsAsOfRow | ListSymbolRowsByNameAsOfRow
T = TypeVar("T", bound=Row)


class Then(NamedTuple):
    """A symbol at a time, its exchange under the name of then, and what the row itself tells the judge beside it."""

    symbol: Symbol
    exchange_known: bool
    exchange_active: bool
    doubtful: bool


async def called_then(conn: AsyncConnection, key: str | int, name: str, at: datetime) -> list[Then]:
    """Return the symbols with this canonical or native name at `at`, live ones first.

    Raises:
        ExchangeNotFound: no exchange has or ever had the name or id `key`.
        AmbiguousSymbol: none is spelt exactly so, and several differ from `name` in case only.
    """

    async def fetch(of: str | int, spelling: str, settled_at: datetime) -> list[ListSymbolRowsByNameAsOfRow]:
        exchange_id, exchange = (of, None) if isinstance(of, int) else (None, of)
        parameters = ListSymbolRowsByNameAsOfParams(
            at=at,
            symbol=spelling,
            lock_class=LOCK_CLASS,
            settled_at=settled_at,
            exchange_id=exchange_id,
            exchange=exchange,
        )
        return [row async for row in AsyncQuerier(conn).list_symbol_rows_by_name_as_of(parameters)]

    rows = await _settled(at, lambda settled_at: fetch(key, name, settled_at))
    if not rows:
        exchange_id = await exchange_id_then(conn, key, at)
        await wait_for_imports(conn, exchange_id, at)
        rows = await fetch(exchange_id, name, LAST)
        if not rows:
            spelling = await spelled_then(conn, exchange_id, name, at)
            rows = await fetch(exchange_id, spelling, LAST) if spelling != name else []
    return [_then(row) for row in rows]


async def of_id_then(conn: AsyncConnection, symbol_id: int, at: datetime) -> Then | None:
    """Return the symbol with this id at `at`; None when there was none."""

    async def fetch(settled_at: datetime) -> list[GetSymbolRowByIdAsOfRow]:
        row = await AsyncQuerier(conn).get_symbol_row_by_id_as_of(
            at=at, symbol_id=symbol_id, lock_class=LOCK_CLASS, settled_at=settled_at
        )
        return [] if row is None else [row]

    rows = await _settled(at, fetch)
    if not rows:
        await wait_for_imports(conn, None, at)
        rows = await fetch(LAST)
    return _then(rows[0]) if rows else None


async def all_then(conn: AsyncConnection, key: str | int | None, at: datetime, wanted: Filters) -> list[Then]:
    """Return all symbols at `at` that meet the conditions, by exchange and name; `key` None: of every exchange.

    One that cannot be read is logged and left out. Raises ExchangeNotFound as `called_then` does.
    """

    async def fetch(of: str | int | None, settled_at: datetime) -> list[ListSymbolRowsAsOfRow]:
        exchange_id, exchange = (of, None) if isinstance(of, int) else (None, of)
        parameters = ListSymbolRowsAsOfParams(
            at=at,
            lock_class=LOCK_CLASS,
            settled_at=settled_at,
            of_one=of is not None,
            exchange_id=exchange_id,
            exchange=exchange,
            **wanted,
        )
        return [row async for row in AsyncQuerier(conn).list_symbol_rows_as_of(parameters)]

    rows = await _settled(at, lambda settled_at: fetch(key, settled_at))
    if not rows:
        exchange_id = None if key is None else await exchange_id_then(conn, key, at)
        if exchange_id is not None:
            await check_known(conn, exchange_id)
        await wait_for_imports(conn, exchange_id, at)
        rows = await fetch(exchange_id, LAST)
    return readable(rows, _then)


async def spelled_then(conn: AsyncConnection, exchange_id: int, name: str, at: datetime | None) -> str:
    """Return `name` as it was spelt at `at`, or ever; as it is, where nothing is called so in whatever case.

    Raises:
        ExchangeNotFound: there never was an exchange with this id.
        AmbiguousSymbol: several symbols differed from it in case only.
    """
    await check_known(conn, exchange_id)
    querier = AsyncQuerier(conn)
    spellings = [one async for one in querier.list_symbol_spellings_as_of(at=at, exchange_id=exchange_id, symbol=name)]
    return choose_spelling(f"exchange {exchange_id}", name, spellings) or name


async def wait_for_imports(conn: AsyncConnection, exchange_id: int | None, at: datetime) -> None:
    """Wait until each import whose moment may be `at` or earlier is committed: of one exchange, or of all."""
    await AsyncQuerier(conn).wait_for_imports(lock_class=LOCK_CLASS, at=at, exchange_id=exchange_id)


async def _settled(at: datetime, ask: Callable[[datetime], Awaitable[list[T]]]) -> list[T]:
    """Return the rows of a statement, sent again where it missed an import: it has waited for that one then."""
    rows = await ask(at)
    return rows if not rows or rows[0].is_settled else await ask(LAST)


def _then(row: Row) -> Then:
    return Then(from_database(row, Symbol), row.exchange_is_known, row.exchange_is_active, row.is_doubtful)
