"""Whether one may trade a symbol at a time: what the database knew then, put before the judge."""

from __future__ import annotations

from datetime import UTC, datetime

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.exchanges.history import get_exchange_state
from exchanges_db.moments import check_moment
from exchanges_db.symbols.enums import Side
from exchanges_db.symbols.history import get_symbol_state
from exchanges_db.symbols.judge import Obstacle, TradeAnswer, judge
from exchanges_db.symbols.models import Symbol


async def can_trade(
    symbol: Symbol,
    side: Side | str,
    at: datetime | None = None,
    *,
    closing: bool = False,
    db: DatabaseOrConnection | None = None,
) -> TradeAnswer:
    """Return whether the exchange takes an order of `side` for `symbol` at `at`, by what the database knew then.

    at: now by default; for a time ahead, what is known now and the times of listing, delisting and expiry decide.
    closing: the order only closes a position, which is still taken while a symbol is CLOSE_ONLY or DELISTING.

    Raises:
        InvalidArgument: `symbol` is not a Symbol, `side` is not a side, or `at` has no time zone.
        DatabaseError: the database cannot be asked.
    """
    if not isinstance(symbol, Symbol):
        raise InvalidSymbol(f"can_trade wants a Symbol, as get_symbol returns it, not {shown(symbol)}", field="symbol")
    wanted = Side.parse(side)
    moment = datetime.now(UTC) if at is None else check_moment(at)
    then = await get_symbol_state(symbol.id, moment, db=db)
    exchange = await get_exchange_state(symbol.exchange_id, moment, db=db)
    if then is None or exchange is None:
        return TradeAnswer(False, Obstacle.UNKNOWN_THEN, "the database did not know it at that time")
    if not exchange.is_active:
        return TradeAnswer(False, Obstacle.EXCHANGE_INACTIVE, f"{exchange.enum_value} is not active")
    return judge(then, wanted, moment, closing=closing)
