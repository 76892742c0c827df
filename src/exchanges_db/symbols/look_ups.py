"""Look-ups of symbols: what there is to trade, and by which exact rules.

Every function takes `db=` as those of `exchanges` do, and raises DatabaseError on failure. An exchange is named by an
ExchangeEnum, by any Enum that stands for the text, or by the text. Where there is no such exchange, ExchangeNotFound
names the nearest. The exact spelling is found fastest; a name in another case is found where only one fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum
from typing import TypedDict

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.database.rows import from_database, readable, readable_pairs
from exchanges_db.errors import InvalidSymbol, SymbolNotFound, shown
from exchanges_db.exchanges.names import ask_all_as_spelled, check_exchange, check_exchanges
from exchanges_db.exchanges.rules import INTEGER_MAX
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.freshness import check_max_age
from exchanges_db.symbols.models import NamedSymbol, Symbol, SymbolRaw, SymbolStats
from exchanges_db.symbols.names import check_name, check_names, symbol_not_found
from exchanges_db.symbols.questions import is_called_alike
from exchanges_db.symbols.rows import named_symbols, row_by_native, row_called, rows_called, stands_open, to_symbol
from exchanges_sql.symbol_stats import AsyncQuerier as StatsQuerier
from exchanges_sql.symbols import AsyncQuerier, ListSymbolsParams


async def get_symbol(exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None) -> Symbol | None:
    """Return the symbol with this canonical name, such as BTC/USDT:USDT; None when there is none.

    Where a name was given again, the live symbol is returned, else the last one that was delisted.

    Raises:
        ExchangeNotFound: there is no such exchange.
        AmbiguousSymbol: no symbol is spelt exactly so, and several differ from `symbol` in case only; or several live
            symbols have exactly this name.
    """
    place, name = check_exchange(exchange), check_name(symbol)
    found = await run(db, lambda conn: rows_called(conn, place, [name]))
    return to_symbol(found[name]) if name in found else None


async def get_symbol_by_native(
    exchange: Enum | str, native_symbol: str, *, db: DatabaseOrConnection | None = None
) -> Symbol | None:
    """Return the symbol that has this name in the exchange's own requests, exactly; None when there is none.

    Where a name was given again, the choice is that of `get_symbol`. Raises ExchangeNotFound.
    """
    place, name = check_exchange(exchange), check_name(native_symbol, "native_symbol")
    row = await run(db, lambda conn: row_by_native(conn, place, name))
    return None if row is None else to_symbol(row)


async def get_symbol_by_id(symbol_id: int, *, db: DatabaseOrConnection | None = None) -> Symbol | NamedSymbol | None:
    """Return the symbol with this primary key, in whatever state; None when there is none.

    One that is known by name only, brought along by `adopt_symbols` and in no list since, is a NamedSymbol.
    """
    if not is_symbol_id(symbol_id):
        return None

    async def work(conn: AsyncConnection) -> Symbol | NamedSymbol | None:
        row = await AsyncQuerier(conn).get_symbol_by_id(id=symbol_id)
        if row is not None:
            return to_symbol(row)
        return (await named_symbols(conn, [symbol_id])).get(symbol_id)

    return await run(db, work)


async def get_symbols_by_ids(
    symbol_ids: Iterable[int], *, db: DatabaseOrConnection | None = None
) -> dict[int, Symbol | NamedSymbol]:
    """Return the symbols with these primary keys, by id, in the order asked for; one statement.

    Where some are missing, one more tells which of them are known by name only, as `get_symbol_by_id` says. An id that
    no symbol has is not among the keys, as `get_symbol_by_id` gives None for it.
    """
    wanted = check_ids(symbol_ids)

    async def work(conn: AsyncConnection) -> dict[int, Symbol | NamedSymbol]:
        rows = AsyncQuerier(conn).list_symbols_by_ids(ids=wanted)
        found: dict[int, Symbol | NamedSymbol] = {row.id: to_symbol(row) async for row in rows}
        missing = [number for number in wanted if number not in found]
        return {**found, **await named_symbols(conn, missing)} if missing else found

    found = await run(db, work)
    return {number: found[number] for number in wanted if number in found}


async def get_symbols(
    exchange: Enum | str, symbols: Iterable[str], *, db: DatabaseOrConnection | None = None
) -> dict[str, Symbol]:
    """Return the symbols with these canonical names, by the name as it was given, in that order; one statement.

    A name that is not there is not among the keys, as `get_symbol` gives None for it: `set(names) - found.keys()`
    tells which. Names in another case, and missing ones, cost three statements more, however many they are.

    Raises as `get_symbol` does.
    """
    place, names = check_exchange(exchange), check_names(symbols)
    found = await run(db, lambda conn: rows_called(conn, place, names))
    return {name: to_symbol(row) for name, row in found.items()}


async def get_symbol_raw(
    exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None
) -> SymbolRaw | None:
    """Return what the exchange last said of a symbol, by its canonical or native name: the row of its payload, whole.

    None where no row was ever stored, as of a symbol that `import_specs` brought.

    Raises:
        ExchangeNotFound, SymbolNotFound: there is no such exchange or symbol.
        AmbiguousSymbol: as `get_symbol`.
    """
    place, name = check_exchange(exchange), check_name(symbol)

    async def work(conn: AsyncConnection) -> SymbolRaw | None:
        row = await row_called(conn, place, name)
        raw = await AsyncQuerier(conn).get_symbol_raw(symbol_id=row.id)
        if raw is None:
            return None
        return SymbolRaw(
            exchange=row.exchange, native_symbol=row.native_symbol, raw=raw.raw, observed_at=raw.observed_at
        )

    return await run(db, work)


async def list_symbols(
    exchange: Enum | str | Iterable[Enum | str] | None = None,
    *,
    base: str | None = None,
    quote: str | None = None,
    kind: SymbolKind | str | None = None,
    tradable: bool | None = True,
    max_age: timedelta | None = None,
    db: DatabaseOrConnection | None = None,
) -> list[Symbol]:
    """Return the symbols that fit everything given, by exchange and name.

    exchange: one, or a list of several; None for all.
    base, quote: the codes exactly as the exchange spells them.
    kind: a SymbolKind or its text, in any case.
    tradable: True for those of which an order would be taken now, of one side at least, as `can_trade` judges, and
        that are not ONLY_CLOSING; False for the others, None for all, delisted ones too. A spot symbol of which
        purchases alone are held is tradable, since it can be sold.
    max_age: how long ago the exchange may have confirmed a symbol that counts as tradable.

    Raises:
        ExchangeNotFound: there is no such exchange.
        InvalidArgument: a filter is unusable, or `max_age` is given where it is not asked what is tradable.
    """
    places = check_exchanges(exchange)
    wanted = check_filters(base=base, quote=quote, kind=kind)
    check_tradable(tradable, max_age)

    async def work(conn: AsyncConnection) -> list[Symbol]:
        async def fetch(exact: Sequence[str] | None) -> list[Symbol]:
            # A symbol that is not live is not traded, so that only the others have to be read for that.
            parameters = ListSymbolsParams(
                exchanges=None if exact is None else list(exact), live=True if tradable else None, **wanted
            )
            rows = [row async for row in AsyncQuerier(conn).list_symbols(parameters)]
            pairs = readable_pairs(rows, to_symbol)
            return [
                symbol for row, symbol in pairs if tradable is None or stands_open(row, symbol, max_age) is tradable
            ]

        return await fetch(None) if places is None else await ask_all_as_spelled(conn, places, fetch)

    return await run(db, work)


async def search_symbols(text: str, *, limit: int = 50, db: DatabaseOrConnection | None = None) -> list[Symbol]:
    """Return symbols whose native or canonical name holds `text`, in any case: live ones first, short names first.

    limit: how many at most.
    """
    part = check_name(text, "text")
    if type(limit) is not int or not 0 < limit <= INTEGER_MAX:
        raise InvalidSymbol("limit must be a positive integer", field="limit")

    async def work(conn: AsyncConnection) -> list[Symbol]:
        rows = AsyncQuerier(conn).list_matching_symbols(text=part, max_rows=limit)
        return readable([row async for row in rows], to_symbol)

    return await run(db, work)


async def get_symbol_stats(*, db: DatabaseOrConnection | None = None) -> list[SymbolStats]:
    """Return how many symbols each exchange has, by kind and status, and when the newest of them changed."""

    async def work(conn: AsyncConnection) -> list[SymbolStats]:
        return [from_database(row, SymbolStats) async for row in StatsQuerier(conn).list_symbol_counts()]

    return await run(db, work)


async def find_symbol(exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None) -> Symbol:
    """Return the symbol with this canonical or native name. Raises as `get_symbol_raw` does."""
    place, name = check_exchange(exchange), check_name(symbol)
    return to_symbol(await run(db, lambda conn: row_called(conn, place, name)))


async def explain_missing(
    exchange: Enum | str, symbol: str, *, db: DatabaseOrConnection | None = None
) -> SymbolNotFound:
    """Return the error for a name that a look-up has not found, with what the symbol may be called instead."""
    place, name = check_exchange(exchange), check_name(symbol)
    return await run(db, lambda conn: symbol_not_found(conn, place, name))


async def as_it_is(symbol: Symbol, db: DatabaseOrConnection | None) -> Symbol:
    """Return what a symbol of a caller's is by now, which may be of another database. Raises SymbolNotFound."""
    found = await get_symbol_by_id(symbol.id, db=db)
    if not isinstance(found, Symbol) or not is_called_alike(found, symbol):
        raise no_longer_there(symbol)
    return found


def no_longer_there(symbol: Symbol) -> SymbolNotFound:
    """Return the error for a symbol of a caller's whose id is of none, or of another one."""
    return SymbolNotFound(
        f"the database has no symbol {shown(symbol.native_symbol)} of {symbol.exchange} with that id: look it up again"
    )


class Filters(TypedDict):
    """What a list of symbols is narrowed to, checked."""

    base: str | None
    quote: str | None
    kind: str | None


def check_filters(*, base: str | None, quote: str | None, kind: SymbolKind | str | None) -> Filters:
    """Return the filters of a list, of now or of a past time; raises InvalidSymbol, which names the one to blame."""
    return Filters(
        base=None if base is None else check_name(base, "base"),
        quote=None if quote is None else check_name(quote, "quote"),
        kind=None if kind is None else check_kind(kind).value,
    )


def check_tradable(tradable: bool | None, max_age: timedelta | None = None) -> None:
    """Raise InvalidArgument where it is not True, False or None, or `max_age` is no age, or does not fit it."""
    if tradable is not None and type(tradable) is not bool:
        raise InvalidSymbol(f"tradable must be True, False or None, not {shown(tradable)}", field="tradable")
    if check_max_age(max_age) is not None and tradable is None:
        raise InvalidSymbol("max_age says what is tradable: leave tradable=None out, or max_age", field="max_age")


def check_kind(kind: SymbolKind | str) -> SymbolKind:
    """Return the member for `kind`, or its text in any case; raises InvalidSymbol."""
    # ASCII only: the capitals of some other letters are Latin ones.
    member = SymbolKind.__members__.get(kind.upper()) if isinstance(kind, str) and kind.isascii() else None
    if member is None:
        raise InvalidSymbol(f"kind {shown(kind)} is not one of {', '.join(SymbolKind)}", field="kind")
    return member


def check_ids(symbol_ids: Iterable[int]) -> list[int]:
    """Return those ids that a symbol could have; raises InvalidSymbol where they are no integers, or no list."""
    # Bytes are numbers to Python, and so would be ids from 0 to 255.
    if isinstance(symbol_ids, str | bytes | bytearray) or not isinstance(symbol_ids, Iterable):
        raise InvalidSymbol("symbol_ids must be a list of ids", field="symbol_ids")
    return [number for number in symbol_ids if is_symbol_id(number, "symbol_ids")]


def is_symbol_id(symbol_id: int, field: str = "symbol_id") -> bool:
    """Return whether a row could have this id; raises InvalidSymbol, which names `field`, where it is no integer."""
    if type(symbol_id) is not int:
        raise InvalidSymbol(f"the id of a symbol must be an integer, not {type(symbol_id).__name__}", field=field)
    return -INTEGER_MAX - 1 <= symbol_id <= INTEGER_MAX
