"""What an order must keep to: tick, step and limits of one symbol, exactly, and in integers where speed counts.

A price is a number of ticks, a quantity a number of lots: steps of base for spot, of contracts else. No float and no
decimal context of the caller's takes part: an exchange refuses a price that is off by the last of 28 digits.

Notional in quote: price * quantity for spot, price * quantity * contract size for linear and quanto contracts (quanto:
before the settlement currency's fixed rate), quantity * contract size for inverse ones.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from exchanges_db.errors import InvalidArgument, InvalidOrder, InvalidSymbol, shown
from exchanges_db.orders.band import Band, band_around
from exchanges_db.orders.floats import count_float
from exchanges_db.orders.limits import Limits, OrderRule
from exchanges_db.orders.numbers import Grid, Number, exact, positive, product
from exchanges_db.orders.openness import Openness
from exchanges_db.symbols.enums import ContractDirection, OrderType, Rounding, Side, SymbolKind
from exchanges_db.symbols.judge import Obstacle, explain
from exchanges_db.symbols.models import SymbolSpec

__all__ = ["Number", "OrderRule", "OrderRules", "Rounded", "Rounding", "Side", "Violation"]

Rounded = Rounding | Side
# A member of an enum costs Python a call each time it is named.
_BUY, _DOWN = Side.BUY, Rounding.DOWN
_PASSIVE_BUY, _PASSIVE_SELL = Side.BUY.passive, Side.SELL.passive


class Violation(msgspec.Struct, frozen=True):
    """A rule that an order breaks, or an obstacle that stands in its way.

    Attributes:
        rule: an OrderRule, or an Obstacle.
        limit: the symbol's limit that the rule is about; None for an obstacle.
        given: what the order has instead; for an obstacle its side.
        reason: why there is an obstacle, in words; None for a rule.
    """

    rule: OrderRule | Obstacle
    limit: Decimal | None
    given: Decimal | Side
    reason: str | None = None


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
    _limits: Limits
    _market_limits: Limits
    _openness: Openness

    @classmethod
    def from_symbol(cls, spec: SymbolSpec, *, observed_at: datetime | None = None) -> OrderRules:
        """Return the rules of a symbol; its numbers must be finite; tick, step and contract size positive.

        observed_at: when the exchange said so, which the judge needs: a Symbol knows it. Without it every announced
            time that has passed has acted, though the exchange may have said otherwise since.

        Raises:
            InvalidSymbol: it is none, such as the None of a look-up that found nothing.
            InvalidArgument: `observed_at` has no time zone.
        """
        if not isinstance(spec, SymbolSpec):
            raise InvalidSymbol(f"order rules are made of a Symbol or SymbolSpec, not {shown(spec)}", field="spec")
        tick, step = positive(spec.price_tick, "price_tick"), positive(spec.quantity_step, "quantity_step")
        size = Decimal(1) if spec.kind is SymbolKind.SPOT else positive(spec.contract_size, "contract_size")
        limits = Limits.of(spec, tick, step, size)
        return cls(
            spec=spec,
            price_tick=tick,
            quantity_step=step,
            min_quantity=product(Decimal(limits.min_lots), step),
            contract_size=size,
            _inverse=spec.direction is ContractDirection.INVERSE,
            _prices=Grid.of(tick, "price"),
            _quantities=Grid.of(step, "quantity"),
            _limits=limits,
            _market_limits=Limits.of_market_orders(spec, tick, step, size, limits),
            _openness=Openness.of(spec, observed_at),
        )

    def ticks(self, price: Number, how: Rounded | str | None = None) -> int:
        """Return the price in ticks; one between two ticks raises InvalidOrder, or is rounded as `how` says."""
        return self._prices.count(price, None if how is None else _rounding(how))

    def lots(self, quantity: Number) -> int:
        """Return the quantity in lots; one between two lots raises InvalidOrder."""
        return self._quantities.count(quantity)

    def ticks_of_float(self, price: float, how: Rounded | str | None = None) -> int:
        """Return what `ticks` gives for the decimal number that Python writes for a float, so exactly that.

        numpy's floats are taken too, and mean the number that is written for them: a float32 of 0.1 is 0.1.

        Raises:
            InvalidOrder: it is NaN, infinite or no float; or as `ticks` does.
        """
        return count_float(self._prices, price, None if how is None else _rounding(how))

    def lots_of_float(self, quantity: float) -> int:
        """Return the lots in a float, read as `ticks_of_float` reads it; rounded down as `round_quantity` does."""
        return count_float(self._quantities, quantity, _DOWN)

    def price(self, ticks: int) -> Decimal:
        """Return the price of so many ticks."""
        return self._prices.value(ticks)

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of so many lots."""
        return self._quantities.value(lots)

    def price_text(self, ticks: int) -> str:
        """Return the price of so many ticks as exchanges take it: no exponent, as many decimals as the tick."""
        return self._prices.text(ticks)

    def quantity_text(self, lots: int) -> str:
        """Return the quantity of so many lots as exchanges take it: no exponent, as many decimals as the step."""
        return self._quantities.text(lots)

    def round_price(self, price: Number, how: Rounded | str) -> Decimal:
        """Return the price on a tick, rounded as `how` says; a side rounds passively: a buy down, a sell up.

        how: a Rounding or a Side, or the text of one. Down may lead to 0, which is no price: `check` says so.
        """
        return self.price(self._prices.count(price, _rounding(how)))

    def round_quantity(self, quantity: Number) -> Decimal:
        """Return the quantity rounded down to a lot, never up: nobody may order more than was asked for.

        What is less than the minimum stays so, and `check` says so.
        """
        return self.quantity(self._quantities.count(quantity, _DOWN))

    def notional(self, price: Number | None, quantity: Number) -> Decimal:
        """Return an order's value in quote, exactly; that of inverse contracts is the same at every price."""
        amount = product(exact(quantity, "quantity"), self.contract_size)
        return amount if self._inverse else product(amount, exact(price, "price"))

    def band(self, reference: Number) -> Band | None:
        """Return the prices that the exchange takes while `spec.price_band_of` is `reference`; None: it has no band.

        Raises InvalidOrder where `reference` is not positive.
        """
        return band_around(reference, self.spec, self._prices)

    def check(
        self,
        price: Number | None,
        quantity: Number,
        side: Side | str | None = None,
        *,
        closing: bool = False,
        at: datetime | None = None,
        reference: Number | None = None,
    ) -> OrderRule | Obstacle | None:
        """Return the first rule that an order breaks, else the first obstacle in its way, or None.

        price: None for a market order, which keeps to the limits of market orders, too.
        side: a Side or its text; only with a side the judge is asked whether the symbol takes such orders. It knows
            the specification alone, not the exchange's state: `can_trade` asks the database.
        closing: the order only reduces a position.
        at: the time that the judge is asked about; now by the clock of this machine if left out.
        reference: of a market order, the price at which its notional is reckoned, which need not be on a tick.
            Without one, the notional is checked of inverse contracts only.
        """
        market = price is None
        obstacles = () if side is None else self._openness.obstacles(side, closing, at, market)
        ticks = off_tick = height = None
        if price is not None:
            ticks, off_tick = self._prices.divide(price)
        if reference is not None:
            height = self._height(price, reference)
        lots, off_lot = self._quantities.divide(quantity)
        if off_tick or off_lot:
            bad_price = off_tick or (ticks is not None and ticks <= 0)
            return OrderRule.PRICE_TICK if bad_price else OrderRule.QUANTITY_STEP
        broken = (self._market_limits if market else self._limits).broken(ticks, lots, height)
        return broken[0] if broken else obstacles[0] if obstacles else None

    def check_ticks(
        self,
        ticks: int | None,
        lots: int,
        side: Side | str | None = None,
        *,
        closing: bool = False,
        at: datetime | None = None,
    ) -> OrderRule | Obstacle | None:
        """Return what `check` does, for a price in ticks and a quantity in lots: the fast path."""
        if type(lots) is not int or (type(ticks) is not int and ticks is not None):
            raise InvalidOrder("ticks and lots must be int", field="lots" if type(lots) is not int else "ticks")
        market = ticks is None
        obstacles = () if side is None else self._openness.obstacles(side, closing, at, market)
        broken = (self._market_limits if market else self._limits).broken(ticks, lots)
        return broken[0] if broken else obstacles[0] if obstacles else None

    def check_all(
        self,
        price: Number | None,
        quantity: Number,
        side: Side | str | None = None,
        *,
        closing: bool = False,
        at: datetime | None = None,
        reference: Number | None = None,
    ) -> list[Violation]:
        """Return every rule that an order breaks, then every obstacle; the first is what `check` returns."""
        ticks = None if price is None else Fraction(*self._prices.ratio(price))
        height = None if reference is None else self._height(price, reference)
        lots = Fraction(*self._quantities.ratio(quantity))
        limits = self._market_limits if price is None else self._limits
        found: list[Violation] = []
        for rule in limits.broken(ticks, lots, height):
            given = self._given(rule, reference if price is None else price, quantity)
            found.append(Violation(rule, self._limit(rule, limits), given))
        if side is not None:
            wanted = Side.parse(side, error=InvalidOrder)
            kind = OrderType.MARKET if price is None else OrderType.LIMIT
            found += [
                Violation(obstacle, None, wanted, explain(obstacle, self.spec, wanted, kind))
                for obstacle in self._openness.obstacles(wanted, closing, at, price is None)
            ]
        return found

    def _height(self, price: Number | None, reference: Number) -> Fraction:
        height = Fraction(*self._prices.ratio(reference, "reference"))
        if price is not None or height <= 0:
            what = "is for market orders, which have no price" if price is not None else "must be positive"
            raise InvalidOrder(f"reference {what}", field="reference")
        return height

    def _limit(self, rule: OrderRule, limits: Limits) -> Decimal | None:
        if rule is OrderRule.PRICE_TICK:
            return self.spec.price_tick
        if rule is OrderRule.QUANTITY_STEP:
            return self.spec.quantity_step
        if rule is OrderRule.MIN_QUANTITY:
            return product(Decimal(limits.min_lots), self.quantity_step)
        if rule is OrderRule.MAX_QUANTITY:
            return limits.max_quantity
        return limits.min_notional if rule is OrderRule.MIN_NOTIONAL else limits.max_notional

    def _given(self, rule: OrderRule, price: Number | None, quantity: Number) -> Decimal:
        if rule is OrderRule.PRICE_TICK:
            return exact(price, "price")
        if rule in (OrderRule.MIN_NOTIONAL, OrderRule.MAX_NOTIONAL):
            return self.notional(price, quantity)
        return exact(quantity, "quantity")


def _rounding(how: Rounded | str) -> Rounding:
    if type(how) is Rounding:
        return how
    if type(how) is Side:
        return _PASSIVE_BUY if how is _BUY else _PASSIVE_SELL
    if isinstance(how, str) and how in Rounding.__members__:
        return Rounding(how)
    try:
        return Side.parse(how).passive
    except InvalidArgument:
        raise InvalidOrder("say how to round: a Rounding, or the Side of the order", field="how") from None
