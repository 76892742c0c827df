"""What an order must keep to: tick, step and limits of one symbol, exactly, and in integers where speed counts.

A price is a number of ticks, a quantity a number of lots: steps of base for spot, of contracts else. No float and no
decimal context of the caller's takes part: an exchange refuses a price that is off by the last of 28 digits.

Notional in quote: price * quantity for spot, price * quantity * contract size for linear and quanto contracts (quanto:
before the settlement currency's fixed rate), quantity * contract size for inverse ones.
"""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from exchanges_db.errors import InvalidArgument, InvalidOrder, InvalidSymbol, shown
from exchanges_db.orders.numbers import Grid, Number, exact, limit, on_one_scale, positive, product
from exchanges_db.symbols.enums import ContractDirection, Rounding, Side, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec

__all__ = ["Number", "OrderRule", "OrderRules", "Rounded", "Rounding", "Side", "Violation"]

_OPEN = frozenset({SymbolStatus.TRADING, SymbolStatus.CLOSE_ONLY})


class OrderRule(StrEnum):
    """The rules in the order of checking."""

    PRICE_TICK = "PRICE_TICK"
    QUANTITY_STEP = "QUANTITY_STEP"
    MIN_QUANTITY = "MIN_QUANTITY"
    MAX_QUANTITY = "MAX_QUANTITY"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    MAX_NOTIONAL = "MAX_NOTIONAL"
    STATUS = "STATUS"
    API_TRADABLE = "API_TRADABLE"
    SIDES = "SIDES"

    @property
    def field(self) -> str:
        """The field of SymbolSpec that the rule comes from."""
        return self.value.lower()


Rounded = Rounding | Side


class Violation(msgspec.Struct, frozen=True):
    """A rule that an order breaks: the limit of the symbol, and what the order has instead."""

    rule: OrderRule
    limit: Decimal | SymbolStatus | SidesAllowed | bool
    given: Decimal | Side


class OrderRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one symbol, made by `from_symbol`. An argument that is no exact number raises InvalidOrder.

    Attributes:
        spec: where the rules come from; a limit that is None there does not exist.
        price_tick, quantity_step: without exponent; prices and quantities come out with as many decimals.
        min_quantity: the least quantity one can order: a multiple of the step, and at least one step.
        contract_size: of base, or of quote for inverse contracts; 1 for spot.
    """

    spec: SymbolSpec
    price_tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal
    contract_size: Decimal
    _inverse: bool
    _prices: Grid
    _quantities: Grid
    # Integers. The minimum in lots; a lot and the maximum on one scale; on another the notional of a lot (at one tick
    # where the price matters), its minimum and its maximum.
    _min_lots: int
    _quantity: tuple[int, int | None]
    _notional: tuple[int, int | None, int | None]
    _closed_to_buy: tuple[OrderRule, ...]
    _closed_to_sell: tuple[OrderRule, ...]

    @classmethod
    def from_symbol(cls, spec: SymbolSpec) -> OrderRules:
        """Return the rules of a symbol; its numbers must be finite; tick, step and contract size positive.

        Raises:
            InvalidSymbol: it is none, such as the None of a look-up that found nothing.
        """
        if not isinstance(spec, SymbolSpec):
            raise InvalidSymbol(f"order rules are made of a Symbol or SymbolSpec, not {shown(spec)}", field="spec")
        spot, inverse = spec.kind is SymbolKind.SPOT, spec.direction is ContractDirection.INVERSE
        tick, step = positive(spec.price_tick, "price_tick"), positive(spec.quantity_step, "quantity_step")
        size = Decimal(1) if spot else positive(spec.contract_size, "contract_size")
        min_lots = max(math.ceil((limit(spec.min_quantity, "min_quantity") or 0) / Fraction(step)), 1)
        notional = Fraction(step) * Fraction(size) * (1 if inverse else Fraction(tick))
        least, most = limit(spec.min_notional, "min_notional"), limit(spec.max_notional, "max_notional")
        return cls(
            spec=spec,
            price_tick=tick,
            quantity_step=step,
            min_quantity=product(Decimal(min_lots), step),
            contract_size=size,
            _inverse=inverse,
            _prices=Grid.of(tick, "price"),
            _quantities=Grid.of(step, "quantity"),
            _min_lots=min_lots,
            _quantity=on_one_scale(Fraction(step), limit(spec.max_quantity, "max_quantity")),
            _notional=on_one_scale(notional, least, most),
            _closed_to_buy=_closed_to(spec, SidesAllowed.BUY),
            _closed_to_sell=_closed_to(spec, SidesAllowed.SELL),
        )

    def ticks(self, price: Number, how: Rounded | str | None = None) -> int:
        """Return the price in ticks; one between two ticks raises InvalidOrder, or is rounded as `how` says."""
        return self._prices.count(price, None if how is None else _rounding(how))

    def lots(self, quantity: Number) -> int:
        """Return the quantity in lots; one between two lots raises InvalidOrder."""
        return self._quantities.count(quantity)

    def price(self, ticks: int) -> Decimal:
        """Return the price of so many ticks."""
        return self._prices.value(ticks)

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of so many lots."""
        return self._quantities.value(lots)

    def round_price(self, price: Number, how: Rounded | str) -> Decimal:
        """Return the price on a tick, rounded as `how` says; a side rounds passively: a buy down, a sell up.

        how: a Rounding or a Side, or the text of one. Down may lead to 0, which is no price: `check` says so.
        """
        return self.price(self._prices.count(price, _rounding(how)))

    def round_quantity(self, quantity: Number) -> Decimal:
        """Return the quantity rounded down to a lot, never up: nobody may order more than was asked for.

        What is less than the minimum stays so, and `check` says so.
        """
        return self.quantity(self._quantities.count(quantity, Rounding.DOWN))

    def notional(self, price: Number | None, quantity: Number) -> Decimal:
        """Return an order's value in quote, exactly; that of inverse contracts is the same at every price."""
        amount = product(exact(quantity, "quantity"), self.contract_size)
        return amount if self._inverse else product(amount, exact(price, "price"))

    def check(self, price: Number | None, quantity: Number, side: Side | str | None = None) -> OrderRule | None:
        """Return the first rule that an order breaks, or None.

        price: None for a market order; its notional is checked only where no price is needed for it.
        side: a Side or its text; asks as well whether the symbol takes such orders now. CLOSE_ONLY takes those that
            close a position, and whether this one does, only its owner knows.
        """
        closed = self._closed(side)
        ticks = off_tick = None
        if price is not None:
            ticks, off_tick = self._prices.divide(price)
        lots, off_lot = self._quantities.divide(quantity)
        if off_tick or off_lot:
            bad_price = off_tick or (ticks is not None and ticks <= 0)
            return OrderRule.PRICE_TICK if bad_price else OrderRule.QUANTITY_STEP
        broken = self._broken(ticks, lots, closed)
        return broken[0] if broken else None

    def check_ticks(self, ticks: int | None, lots: int, side: Side | str | None = None) -> OrderRule | None:
        """Return what `check` does, for a price in ticks and a quantity in lots: the fast path."""
        if type(lots) is not int or (type(ticks) is not int and ticks is not None):
            raise InvalidOrder("ticks and lots must be int", field="lots" if type(lots) is not int else "ticks")
        broken = self._broken(ticks, lots, self._closed(side))
        return broken[0] if broken else None

    def check_all(self, price: Number | None, quantity: Number, side: Side | str | None = None) -> list[Violation]:
        """Return every rule that an order breaks; the first is what `check` returns."""
        wanted = None if side is None else Side.parse(side, error=InvalidOrder)
        ticks = None if price is None else Fraction(*self._prices.ratio(price))
        lots = Fraction(*self._quantities.ratio(quantity))
        found = []
        for rule in self._broken(ticks, lots, self._closed(wanted)):
            allowed = self.min_quantity if rule is OrderRule.MIN_QUANTITY else getattr(self.spec, rule.field)
            found.append(Violation(rule, allowed, self._given(rule, price, quantity, wanted)))
        return found

    def _given(self, rule: OrderRule, price: Number | None, quantity: Number, side: Side | None) -> Decimal | Side:
        if rule is OrderRule.PRICE_TICK:
            return exact(price, "price")
        if rule in (OrderRule.MIN_NOTIONAL, OrderRule.MAX_NOTIONAL):
            return self.notional(price, quantity)
        return exact(quantity, "quantity") if "quantity" in rule.field or side is None else side

    def _broken(
        self, ticks: int | Fraction | None, lots: int | Fraction, closed: tuple[OrderRule, ...]
    ) -> list[OrderRule]:
        # Off the grid ticks and lots are fractions, and the same comparisons are as exact.
        broken = []
        if ticks is not None and (ticks <= 0 or ticks.denominator != 1):
            broken.append(OrderRule.PRICE_TICK)
        if lots.denominator != 1:
            broken.append(OrderRule.QUANTITY_STEP)
        if lots < self._min_lots:
            broken.append(OrderRule.MIN_QUANTITY)
        lot, most = self._quantity
        if most is not None and lots * lot > most:
            broken.append(OrderRule.MAX_QUANTITY)
        if self._inverse or ticks is not None:
            unit, least, most = self._notional
            value = lots * unit if self._inverse or ticks is None else ticks * lots * unit
            if least is not None and value < least:
                broken.append(OrderRule.MIN_NOTIONAL)
            if most is not None and value > most:
                broken.append(OrderRule.MAX_NOTIONAL)
        return [*broken, *closed] if closed else broken

    def _closed(self, side: Side | str | None) -> tuple[OrderRule, ...]:
        if side is None:
            return ()
        if type(side) is not Side:
            side = Side.parse(side, error=InvalidOrder)
        return self._closed_to_buy if side is Side.BUY else self._closed_to_sell


def _closed_to(spec: SymbolSpec, side: SidesAllowed) -> tuple[OrderRule, ...]:
    kept = {
        OrderRule.STATUS: spec.status in _OPEN,
        OrderRule.API_TRADABLE: spec.api_tradable,
        OrderRule.SIDES: spec.sides in (SidesAllowed.ALL, side),
    }
    return tuple(rule for rule, is_kept in kept.items() if not is_kept)


def _rounding(how: Rounded | str) -> Rounding:
    if type(how) is Rounding:
        return how
    if isinstance(how, str) and how in Rounding.__members__:
        return Rounding(how)
    try:
        return Side.parse(how).passive
    except InvalidArgument:
        raise InvalidOrder("say how to round: a Rounding, or the Side of the order", field="how") from None
