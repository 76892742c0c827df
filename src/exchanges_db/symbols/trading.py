"""Whether one may trade a symbol at a time: what the database knew then, put before the judge."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any, overload

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.errors import ExchangeNotFound, SymbolNotFound
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.symbols.circumstances import circumstances_then
from exchanges_db.symbols.enums import OrderType, Side
from exchanges_db.symbols.history import find_symbol_as_of
from exchanges_db.symbols.judge import Obstacle, TradeAnswer
from exchanges_db.symbols.models import NamedSymbol, Symbol
from exchanges_db.symbols.names import check_name
from exchanges_db.symbols.past import Then, of_id_then
from exchanges_db.symbols.questions import Order, answer, arguments, is_same, order_of, refusal
from exchanges_db.symbols.rows import holds_of, last_word, named_symbols, row_called, to_symbol
from exchanges_sql.models import SymbolRow
from exchanges_sql.symbols import AsyncQuerier


@overload
async def can_trade(
    symbol: Symbol | NamedSymbol,
    side: Side | str,
    at: datetime | None = None,
    *,
    order_type: OrderType | str | None = None,
    closing: bool = False,
    max_age: timedelta | None = None,
    db: DatabaseOrConnection | None = None,
) -> TradeAnswer: ...


@overload
async def can_trade(
    exchange: Enum | str,
    symbol: str,
    side: Side | str,
    at: datetime | None = None,
    *,
    order_type: OrderType | str | None = None,
    closing: bool = False,
    max_age: timedelta | None = None,
    db: DatabaseOrConnection | None = None,
) -> TradeAnswer: ...


async def can_trade(
    *subject: Any,
    order_type: OrderType | str | None = None,
    closing: bool = False,
    max_age: timedelta | None = None,
    db: DatabaseOrConnection | None = None,
    **named: Any,
) -> TradeAnswer:
    """Return whether the exchange takes an order: `can_trade(symbol, side, at)`, `can_trade(exchange, name, side, at)`.

    exchange, name: the canonical or native name of a symbol, without a Symbol in hand. With one, the row under its id
        must be the same symbol still, which it is also where its exchange was renamed. A NamedSymbol has no rules,
        unless a list has given its row some meanwhile; where its exchange was renamed it is to be looked up again.
    side: a Side or its text.
    at: now by the server's clock by default. For a time ahead, what is known now and the announced times decide; for
        one in the past, what the database knew then.
    order_type: an OrderType or its text, where it matters whether the exchange takes orders of that type.
    closing: the order only reduces a position of a contract, which is still taken while a symbol is CLOSE_ONLY or
        DELISTING. A spot order closes if it sells.

    max_age: how long ago the exchange may have confirmed the symbol: STALE where that is longer ago, or never was. For
        a time ahead the age at the time of asking counts; for one in the past, the age then, as far as it is known.

    One statement, unless `at` lies in the past. What stands in the way is in `.obstacles`, the first of it in words in
    `.reason`.

    Raises:
        InvalidArgument: `symbol`, `side`, `order_type`, `closing` or `max_age` is not what it should be, or `at` has no
            time zone.
        ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: no symbol is meant by the name, or several.
        DatabaseError: the database cannot be asked.
    """
    given = arguments(subject, named)
    order = order_of(given, order_type=order_type, closing=closing, max_age=max_age)
    symbol = given["symbol"]
    if isinstance(symbol, Symbol | NamedSymbol):
        return await run(db, lambda conn: _by_symbol(conn, symbol, order))
    place, name = check_exchange(given["exchange"]), check_name(symbol)
    return await run(db, lambda conn: _by_name(conn, place, name, order))


async def _by_symbol(conn: AsyncConnection, symbol: Symbol | NamedSymbol, order: Order) -> TradeAnswer:
    row = await AsyncQuerier(conn).get_symbol_by_id(id=symbol.id)
    named = None if row is not None else (await named_symbols(conn, [symbol.id])).get(symbol.id)
    if named is not None:
        # It never had rules: at no time in the past either.
        return refusal(Obstacle.NO_RULES if is_same(named, symbol) else Obstacle.OTHER_SYMBOL)
    if row is not None and (order.at is None or order.at >= row.asked_at):
        return _answer_now(row, symbol, order)
    then = None if order.at is None else await of_id_then(conn, symbol.id, order.at)
    return await _answer_then(conn, then, symbol, order)


async def _by_name(conn: AsyncConnection, place: str, name: str, order: Order) -> TradeAnswer:
    try:
        row = await row_called(conn, place, name)
    except (ExchangeNotFound, SymbolNotFound):
        if order.at is None:
            raise
        # What has gone, or has another name now, is known in the history only.
        then = await find_symbol_as_of(conn, place, name, order.at)
        if then is None:
            raise
    else:
        if order.at is None or order.at >= row.asked_at:
            return _answer_now(row, None, order)
        then = await find_symbol_as_of(conn, place, name, order.at)
    return await _answer_then(conn, then, None, order)


def _answer_now(row: SymbolRow, meant: Symbol | NamedSymbol | None, order: Order) -> TradeAnswer:
    spec = to_symbol(row)
    if meant is not None and not is_same(spec, meant):
        return refusal(Obstacle.OTHER_SYMBOL)
    return answer(
        spec,
        order,
        at=row.asked_at if order.at is None else order.at,
        asked_at=row.asked_at,
        exchange_active=row.exchange_is_active,
        observed_at=last_word(row),
        confirmed_at=row.confirmed_at,
        doubtful=row.doubtful_since is not None,
        holds=holds_of(row),
    )


async def _answer_then(
    conn: AsyncConnection, then: Then | None, meant: Symbol | NamedSymbol | None, order: Order
) -> TradeAnswer:
    at = order.at
    if then is None or at is None or not then.exchange_known:
        return refusal(Obstacle.UNKNOWN_THEN)
    symbol = then.symbol
    if meant is not None and not is_same(symbol, meant):
        return refusal(Obstacle.OTHER_SYMBOL)
    beside = await circumstances_then(conn, (symbol,), at)
    confirmed_at = beside.confirmed_at(symbol)
    return answer(
        symbol,
        order,
        at=at,
        asked_at=at,
        exchange_active=then.exchange_active,
        observed_at=confirmed_at,
        confirmed_at=confirmed_at,
        doubtful=then.doubtful,
        holds=beside.holds(symbol),
    )
