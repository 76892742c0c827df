"""The limits of one kind of order, limit or market, in integers, and which of them an order breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from exchanges_db.orders.numbers import limit, on_one_scale
from exchanges_db.symbols.enums import ContractDirection
from exchanges_db.symbols.models import SymbolSpec


class OrderRule(StrEnum):
    """The rules of numbers, in the order of checking; what else stands in the way of an order is an Obstacle."""

    PRICE_TICK = "PRICE_TICK"
    QUANTITY_STEP = "QUANTITY_STEP"
    MIN_QUANTITY = "MIN_QUANTITY"
    MAX_QUANTITY = "MAX_QUANTITY"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    MAX_NOTIONAL = "MAX_NOTIONAL"

    @property
    def field(self) -> str:
        """The field of SymbolSpec that the rule comes from; a market order may break that field's `market_` twin."""
        return self.value.lower()


class Limits(msgspec.Struct, frozen=True):
    """What one kind of order keeps to. A minimum or maximum of None does not exist.

    Attributes:
        min_lots: the least number of lots: at least one.
        max_quantity, min_notional, max_notional: as the symbol has them.
    """

    min_lots: int
    max_quantity: Decimal | None
    min_notional: Decimal | None
    max_notional: Decimal | None
    _inverse: bool
    # Integers: a lot and the maximum on one scale; on another the notional of a lot (at one tick where the price
    # matters), its minimum and its maximum.
    _quantity: tuple[int, int | None]
    _notional: tuple[int, int | None, int | None]

    @classmethod
    def of(cls, spec: SymbolSpec, tick: Decimal, step: Decimal, size: Decimal, *, market: bool = False) -> Limits:
        """Return the limits of orders with a price, or of market orders, which keep to their own and to those."""
        inverse = spec.direction is ContractDirection.INVERSE
        min_quantity = _strictest(max, spec, "min_quantity", market=market)
        max_quantity = _strictest(min, spec, "max_quantity", market=market)
        min_notional = _strictest(max, spec, "min_notional", market=market)
        max_notional = _strictest(min, spec, "max_notional", market=market)
        lot = Fraction(step)
        return cls(
            min_lots=max(math.ceil(Fraction(min_quantity or 0) / lot), 1),
            max_quantity=max_quantity,
            min_notional=min_notional,
            max_notional=max_notional,
            _inverse=inverse,
            _quantity=on_one_scale(lot, _fraction(max_quantity)),
            _notional=on_one_scale(
                lot * Fraction(size) * (1 if inverse else Fraction(tick)),
                _fraction(min_notional),
                _fraction(max_notional),
            ),
        )

    @classmethod
    def of_market_orders(cls, spec: SymbolSpec, tick: Decimal, step: Decimal, size: Decimal, general: Limits) -> Limits:
        """Return the limits of market orders: `general` itself where they have none of their own."""
        own = (
            spec.market_min_quantity,
            spec.market_max_quantity,
            spec.market_min_notional,
            spec.market_max_notional,
        )
        return general if own == (None, None, None, None) else cls.of(spec, tick, step, size, market=True)

    def broken(
        self, ticks: int | Fraction | None, lots: int | Fraction, reference: Fraction | None = None
    ) -> list[OrderRule]:
        """Return the rules that an order breaks; off the grid, ticks and lots are fractions.

        reference: the ticks at which the notional is reckoned of an order that has no price.
        """
        broken = []
        if ticks is not None and (ticks <= 0 or ticks.denominator != 1):
            broken.append(OrderRule.PRICE_TICK)
        if lots.denominator != 1:
            broken.append(OrderRule.QUANTITY_STEP)
        if lots < self.min_lots:
            broken.append(OrderRule.MIN_QUANTITY)
        lot, most = self._quantity
        if most is not None and lots * lot > most:
            broken.append(OrderRule.MAX_QUANTITY)
        height: int | Fraction | None = 1 if self._inverse else reference if ticks is None else ticks
        if height is not None:
            unit, least, most = self._notional
            value = height * lots * unit
            if least is not None and value < least:
                broken.append(OrderRule.MIN_NOTIONAL)
            if most is not None and value > most:
                broken.append(OrderRule.MAX_NOTIONAL)
        return broken


def _strictest(
    choose: Callable[[list[Decimal]], Decimal], spec: SymbolSpec, field: str, *, market: bool
) -> Decimal | None:
    stated = []
    for name in (field, f"market_{field}") if market else (field,):
        value = getattr(spec, name)
        if limit(value, name) is not None:
            stated.append(value)
    return choose(stated) if stated else None


def _fraction(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)
