"""The one judge over a snapshot: what may be traded now, or at a time ahead. Pure: it reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from exchanges_db.errors import InvalidArgument
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.names import by_any_name, place_of
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.enums import OrderType
from exchanges_db.symbols.judge import Obstacle, TradeAnswer, is_stale, is_tradable
from exchanges_db.symbols.models import NamedSymbol, Symbol
from exchanges_db.symbols.names import check_name
from exchanges_db.symbols.questions import Order, answer, arguments, is_same, order_of, refusal


def can_trade(
    snapshot: Snapshot,
    *subject: Any,
    now: datetime,
    stale: bool = False,
    order_type: OrderType | str | None = None,
    closing: bool = False,
    max_age: timedelta | None = None,
    **named: Any,
) -> TradeAnswer:
    """Return what `can_trade` of the database does for the state that a snapshot holds.

    now: by the server's clock. stale: whether the snapshot is of a registry that has not heard of the database for a
        while: then STALE_REGISTRY is the first obstacle.

    Raises:
        InvalidArgument: as there, and where `at` has passed: what was then is in the database alone.
        ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: no symbol is meant by the name, or several.
    """
    given = arguments(subject, named)
    order = order_of(given, order_type=order_type, closing=closing, max_age=max_age)
    if order.at is not None and order.at < now:
        raise InvalidArgument(
            "a registry does not know what was: leave `at` out to ask about now, or ask the database, by the function "
            "can_trade",
            field="at",
        )
    meant = given["symbol"]
    if isinstance(meant, Symbol | NamedSymbol):
        found = snapshot.symbol(meant.id)
        if found is None:
            return _told(refusal(Obstacle.UNKNOWN_THEN), stale)
        if not is_same(found, meant):
            return _told(refusal(Obstacle.OTHER_SYMBOL), stale)
        if isinstance(found, NamedSymbol):
            return _told(refusal(Obstacle.NO_RULES), stale)
        return _judged(snapshot.places_by_id[found.exchange_id], found, order, now, stale)
    exchange, name = check_exchange(given["exchange"]), check_name(meant)
    place = place_of(snapshot, exchange)
    return _judged(place, by_any_name(place, name), order, now, stale)


def stands_open(place: Place, symbol: RegistrySymbol, now: datetime, max_age: timedelta | None = None) -> bool:
    """Return whether a symbol is tradable now, in the sense of `list_symbols`."""
    confirmed_at = _confirmed_at(place, symbol)
    return is_tradable(
        symbol,
        now,
        exchange_active=place.exchange.is_active,
        observed_at=confirmed_at or symbol.observed_at,
        doubtful=symbol.doubtful_since is not None,
        stale=is_stale(confirmed_at, now, max_age),
        holds=symbol.holds,
    )


def _judged(place: Place, symbol: RegistrySymbol, order: Order, now: datetime, stale: bool) -> TradeAnswer:
    confirmed_at = _confirmed_at(place, symbol)
    found = answer(
        symbol,
        order,
        at=order.at or now,
        asked_at=now,
        exchange_active=place.exchange.is_active,
        observed_at=confirmed_at or symbol.observed_at,
        confirmed_at=confirmed_at,
        doubtful=symbol.doubtful_since is not None,
        holds=symbol.holds,
    )
    return _told(found, stale)


def _confirmed_at(place: Place, symbol: RegistrySymbol) -> datetime | None:
    listed = place.list_of(symbol)
    return None if listed is None else listed.observed_at


def _told(found: TradeAnswer, stale: bool) -> TradeAnswer:
    """Return an answer with what stands in the way before all else where the registry is stale."""
    if not stale:
        return found
    first = refusal(Obstacle.STALE_REGISTRY)
    return TradeAnswer((*first.obstacles, *found.obstacles), first.reason)
