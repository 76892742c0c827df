"""What is asked about an order, checked, and how the judge's answer is put in words. Pure: it asks no database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.moments import check_moment
from exchanges_db.symbols.enums import OrderType, Side
from exchanges_db.symbols.freshness import check_max_age, span
from exchanges_db.symbols.judge import Hold, Obstacle, TradeAnswer, explain, is_stale, judge
from exchanges_db.symbols.models import NamedSymbol, Symbol

# What makes one symbol of two with one id and one name. Of one that is known by name only, its exchange's spelling of
# base and quote is not known.
_SAME = ("base", "quote", "settle", "kind")


class Order(NamedTuple):
    """What is asked about: an order, and when it would be sent; None is now."""

    side: Side
    at: datetime | None
    order_type: OrderType | None
    closing: bool
    max_age: timedelta | None


def arguments(subject: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of either form by name; raises TypeError as Python does for any other call."""
    first = subject[0] if subject else named.get("exchange", named.get("symbol"))
    if not isinstance(first, Symbol | NamedSymbol | Enum | str):
        raise InvalidSymbol(
            f"can_trade wants a Symbol, as get_symbol returns it, or an exchange and a name, not {shown(first)}",
            field="symbol",
        )
    names = (
        ("symbol", "side", "at") if isinstance(first, Symbol | NamedSymbol) else ("exchange", "symbol", "side", "at")
    )
    given = dict(zip(names, subject, strict=False))
    wrong = sorted(named.keys() - set(names) | named.keys() & given.keys())
    if len(subject) > len(names) or wrong:
        raise TypeError(f"can_trade takes {', '.join(names)}: too many arguments, or twice {', '.join(wrong)}")
    given |= named
    if "exchange" in names and "exchange" not in given and "symbol" in given:
        raise InvalidSymbol(
            f"can_trade wants a Symbol, as get_symbol returns it; for the name {shown(first)}, say the exchange, too",
            field="symbol",
        )
    missing = [name for name in names if name not in given and name != "at"]
    if missing:
        raise TypeError(f"can_trade lacks {' and '.join(missing)}: it takes {', '.join(names)}")
    return given


def order_of(
    given: dict[str, Any], *, order_type: OrderType | str | None, closing: bool, max_age: timedelta | None
) -> Order:
    """Return the order that is asked about. Raises InvalidArgument, which names what is to blame."""
    if type(closing) is not bool:
        # The text "false" is true to Python.
        raise InvalidSymbol(f"closing must be True or False, not {shown(closing)}", field="closing")
    at = given.get("at")
    return Order(
        Side.parse(given["side"]),
        None if at is None else check_moment(at),
        None if order_type is None else OrderType.parse(order_type),
        closing,
        check_max_age(max_age),
    )


def is_same(one: Symbol | NamedSymbol, other: Symbol | NamedSymbol) -> bool:
    """Return whether two with one id are one symbol."""
    if not (isinstance(one, Symbol) and isinstance(other, Symbol)):
        return is_called_alike(one, other)
    return is_called_alike(one, other) and all(getattr(one, field) == getattr(other, field) for field in _SAME)


def is_called_alike(one: Symbol | NamedSymbol, other: Symbol | NamedSymbol) -> bool:
    """Return whether two with one id have one name on one exchange, which itself may have another name since."""
    on_one_exchange = one.exchange == other.exchange
    if isinstance(one, Symbol) and isinstance(other, Symbol):
        # No row ever goes to another exchange, nor changes the moment from which it is: another one that has the id
        # since is of a later moment.
        on_one_exchange |= (one.exchange_id, one.created_at) == (other.exchange_id, other.created_at)
    return on_one_exchange and one.native_symbol == other.native_symbol


def refusal(obstacle: Obstacle) -> TradeAnswer:
    """Return the answer where there is nothing to judge."""
    words = {
        Obstacle.STALE_REGISTRY: "the registry has not heard of the database for a while: what it knows may be old",
        Obstacle.UNKNOWN_THEN: "the database did not know it at that time",
        Obstacle.OTHER_SYMBOL: (
            "the database has another symbol under its id, or its exchange has another name since: look it up again"
        ),
        Obstacle.NO_RULES: "it is known by name only: no list has given its rules",
    }
    return TradeAnswer((obstacle,), words[obstacle])


def answer(
    spec: Symbol,
    order: Order,
    *,
    at: datetime,
    asked_at: datetime,
    exchange_active: bool,
    observed_at: datetime | None,
    confirmed_at: datetime | None,
    doubtful: bool,
    holds: Collection[Hold],
) -> TradeAnswer:
    """Return what the judge finds, the first of it in words.

    at: when the order would be sent. asked_at: as of when it is known whether the exchange's word is too old.
    observed_at, confirmed_at: when it last spoke of the symbol, and when it last gave the whole list.
    """
    found = judge(
        spec,
        order.side,
        at,
        exchange_active=exchange_active,
        order_type=order.order_type,
        closing=order.closing,
        observed_at=observed_at,
        doubtful=doubtful,
        stale=is_stale(confirmed_at, asked_at, order.max_age),
        holds=holds,
    )
    if not found:
        return TradeAnswer()
    if found[0] is Obstacle.STALE and order.max_age is not None:
        since = "has never confirmed it"
        if confirmed_at is not None:
            since = f"confirmed it {span(asked_at - confirmed_at)} ago"
        return TradeAnswer(tuple(found), f"the exchange {since}; at most {span(order.max_age)} was asked for")
    hold = next((hold for hold in holds if hold.stops(order.side, at)), None)
    return TradeAnswer(tuple(found), explain(found[0], spec, order.side, order.order_type, hold))
