"""Symbols that two exchanges have in common, and the grids on which both take orders."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import lcm

import msgspec

from exchanges_db.database.default import DatabaseOrConnection
from exchanges_db.symbols.enums import ContractDirection
from exchanges_db.symbols.look_ups import list_symbols
from exchanges_db.symbols.models import Symbol


class CommonSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """Two symbols for the same coin and currency, one on each exchange.

    Attributes:
        price_tick: the least price step that both exchanges take, in quote.
        quantity_step: the least quantity that is a whole number of steps on both, in base; None where one of them
            counts contracts whose base amount moves with the price (INVERSE, QUANTO).
    """

    a: Symbol
    b: Symbol
    price_tick: Decimal
    quantity_step: Decimal | None


async def common_symbols(
    exchange_a: Enum | str, exchange_b: Enum | str, *, db: DatabaseOrConnection | None = None
) -> list[CommonSymbol]:
    """Return every pair of symbols with one base and one quote that both exchanges trade now, by base and quote.

    A spot symbol pairs with a perpetual too. The codes are the exchanges' own: two coins may share one, so check the
    prices before you trust a pair. Empty where an exchange is not active. Raises ExchangeNotFound.
    """
    here, there = await list_symbols(exchange_a, db=db), await list_symbols(exchange_b, db=db)
    by_pair: dict[tuple[str, str], list[Symbol]] = defaultdict(list)
    for symbol in there:
        by_pair[symbol.base, symbol.quote].append(symbol)
    return [
        CommonSymbol(
            a=a,
            b=b,
            price_tick=common_grid(a.price_tick, b.price_tick),
            quantity_step=_common_step(_base_step(a), _base_step(b)),
        )
        for a in sorted(here, key=lambda symbol: (symbol.base, symbol.quote, symbol.symbol))
        for b in by_pair[a.base, a.quote]
        if a.id != b.id
    ]


def common_grid(a: Decimal, b: Decimal) -> Decimal:
    """Return the least positive number that is a whole multiple of both, exactly: 0.04 and 0.06 meet at 0.12."""
    left, right = Fraction(a), Fraction(b)
    scale = lcm(left.denominator, right.denominator)
    return _decimal(Fraction(lcm(int(left * scale), int(right * scale)), scale))


def _decimal(value: Fraction) -> Decimal:
    """Return a decimal fraction, which `value` must be, with as many decimals as it needs; no context rounds it."""
    decimals = 0
    while (value * 10**decimals).denominator != 1:
        decimals += 1
    return Decimal((0, tuple(map(int, str(int(value * 10**decimals)))), -decimals))


def _base_step(symbol: Symbol) -> Decimal | None:
    if symbol.contract_size is None:
        return symbol.quantity_step
    if symbol.direction is not ContractDirection.LINEAR:
        return None
    return _decimal(Fraction(symbol.quantity_step) * Fraction(symbol.contract_size))


def _common_step(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    return None if a is None or b is None else common_grid(a, b)
