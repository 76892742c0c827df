"""Order rules against plain arithmetic: an oracle of fractions that knows only the specification's numbers."""

import contextlib
import decimal
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchanges_db.errors import InvalidOrder
from exchanges_db.orders.rules import OrderRule, OrderRules, Rounding, Side
from exchanges_db.symbols.enums import ContractDirection, OrderType, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.judge import Obstacle, judge
from exchanges_db.symbols.models import Symbol, SymbolSpec

THIRTY_DIGITS = 10**30 - 1
PLAIN = SymbolSpec(
    native_symbol="X",
    symbol="B/Q",
    base="B",
    quote="Q",
    kind=SymbolKind.SPOT,
    price_tick=Decimal(1),
    quantity_step=Decimal(1),
    status=SymbolStatus.TRADING,
    sides=SidesAllowed.ALL,
)
SETTLE = {None: None, "LINEAR": "USDT", "INVERSE": "BTC", "QUANTO": "ETH"}
pytestmark = pytest.mark.untraced  # test_order_rules.py covers them
some = settings(max_examples=80, deadline=None)
many = settings(max_examples=250, deadline=None)


_WIDE = decimal.Context(prec=400)
TIME = datetime(2026, 1, 1, tzinfo=UTC)
times = st.sampled_from([None, None, *(TIME + timedelta(hours=hours) for hours in range(4))])


def decimals(least: int = 1, digits: int = THIRTY_DIGITS) -> st.SearchStrategy[Decimal]:
    """Draw Decimals of up to 30 digits with exponents from -30 to 6."""
    return st.builds(lambda n, e: Decimal(n).scaleb(e, _WIDE), st.integers(least, digits), st.integers(-30, 6))


steps = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0.5", "0.05", "1E-10", "0.000001", "1", "3", "1E+1", "0.25")]),
    decimals(digits=10**6),
)
quarters = st.integers(0, 40).map(lambda n: _WIDE.multiply(n, Decimal("0.25")))


def limits(draw: st.DrawFn, unit: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Draw a minimum and a maximum: None, anything, or some quarters of the unit, which orders can have or nearly."""
    near = quarters.map(lambda n: _WIDE.multiply(n, unit))
    least, most = (draw(st.one_of(st.none(), near, near, decimals(0, 10**9))) for _ in range(2))
    if least is not None and most is not None and least > most:
        least, most = most, least
    return least, most or None


@st.composite
def specs(draw: st.DrawFn) -> SymbolSpec:
    """Draw a symbol of any direction, with limits that may be None, zero, below a step or impossible to meet."""
    direction = draw(st.sampled_from([None, *ContractDirection]))
    tick, step = draw(steps), draw(steps)
    sizes = st.sampled_from([Decimal("0.0001"), Decimal(1), Decimal(10**6)]) | decimals(digits=10**6)
    size = draw(sizes) if direction else None
    unit = _WIDE.multiply(_WIDE.multiply(step, size or 1), 1 if direction == "INVERSE" else tick)
    min_quantity, max_quantity = limits(draw, step)
    min_notional, max_notional = limits(draw, unit)
    market_min_quantity, market_max_quantity = limits(draw, step) if draw(st.booleans()) else (None, None)
    market_min_notional, market_max_notional = limits(draw, unit) if draw(st.booleans()) else (None, None)
    status = draw(st.sampled_from([SymbolStatus.TRADING, *SymbolStatus]))
    return SymbolSpec(
        native_symbol="X",
        symbol="X",
        base="BTC",
        quote="USDT",
        settle=SETTLE[direction],
        kind=SymbolKind.PERPETUAL if direction else SymbolKind.SPOT,
        direction=direction,
        contract_size=size,
        price_tick=tick,
        quantity_step=step,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        max_notional=max_notional,
        market_min_quantity=market_min_quantity,
        market_max_quantity=market_max_quantity,
        market_min_notional=market_min_notional,
        market_max_notional=market_max_notional,
        order_types=draw(st.sampled_from([None, (OrderType.LIMIT,), (OrderType.MARKET,), tuple(OrderType)])),
        status=status,
        buy_opens_at=draw(times),
        sell_opens_at=draw(times),
        delisting_at=draw(times),
        delisted_at=TIME if status is SymbolStatus.DELISTED else draw(times),
        sides=draw(st.sampled_from([SidesAllowed.ALL, *SidesAllowed])),
        api_tradable=draw(st.booleans()),
    )


@st.composite
def orders(draw: st.DrawFn) -> tuple[SymbolSpec, Decimal | None, Decimal]:
    """Draw a symbol with a price and a quantity: few steps or half steps, many, or any number."""
    spec = draw(specs())
    price = draw(st.none() | numbers(spec.price_tick))
    return spec, price, draw(numbers(spec.quantity_step))


def numbers(step: Decimal) -> st.SearchStrategy[Decimal]:
    """Draw numbers on a grid, a quarter, half or three quarters off it, and anywhere."""
    few = st.integers(-1, 12).map(lambda n: _WIDE.multiply(n, step))
    many_steps = st.integers(0, THIRTY_DIGITS).map(lambda n: _WIDE.multiply(n, step))
    between = st.integers(-3, 40).map(lambda n: _WIDE.multiply(_WIDE.multiply(n, step), Decimal("0.25")))
    return st.one_of(few, few, many_steps, between, decimals(-THIRTY_DIGITS))


@st.composite
def on_or_off_a_grid(draw: st.DrawFn) -> tuple[Decimal, Decimal]:
    """Draw a step and a number that is not negative."""
    step = draw(steps)
    return step, draw(numbers(step)).copy_abs()


def oracle(spec: SymbolSpec, price: Decimal | None, quantity: Decimal) -> list[OrderRule]:
    """Return the broken rules, by the definitions alone and in fractions."""
    q, step = Fraction(quantity), Fraction(spec.quantity_step)
    value = notional(spec, price, quantity)
    sets = [""] if price is not None else ["", "market_"]
    (low, high), (low_value, high_value) = (
        (
            [Fraction(limit) for one in sets if (limit := getattr(spec, f"{one}min_{what}")) is not None],
            [Fraction(limit) for one in sets if (limit := getattr(spec, f"{one}max_{what}")) is not None],
        )
        for what in ("quantity", "notional")
    )
    broken = {
        OrderRule.PRICE_TICK: price is not None and (price <= 0 or Fraction(price) % Fraction(spec.price_tick) != 0),
        OrderRule.QUANTITY_STEP: q % step != 0,
        OrderRule.MIN_QUANTITY: any(q < math.ceil(least / step) * step for least in [step, *low]),
        OrderRule.MAX_QUANTITY: any(q > most for most in high),
        OrderRule.MIN_NOTIONAL: value is not None and any(value < least for least in low_value),
        OrderRule.MAX_NOTIONAL: value is not None and any(value > most for most in high_value),
    }
    return [rule for rule in OrderRule if broken[rule]]


def notional(spec: SymbolSpec, price: Decimal | None, quantity: Decimal) -> Fraction | None:
    """Return the value in quote, or None where it depends on a price that is not there."""
    if spec.direction == "INVERSE":
        return Fraction(quantity) * Fraction(spec.contract_size or 0)
    return None if price is None else Fraction(price) * Fraction(quantity) * Fraction(spec.contract_size or 1)


@contextlib.contextmanager
def hostile_context() -> Iterator[None]:
    """Compute under a caller's context of three digits: it must not matter."""
    with decimal.localcontext(decimal.Context(prec=3)):
        yield


def holds_float(value: Any) -> bool:
    """Say whether a result is a float or has one in it."""
    if isinstance(value, msgspec.Struct):
        return any(holds_float(part) for part in msgspec.structs.astuple(value))
    return any(map(holds_float, value)) if isinstance(value, tuple | list) else isinstance(value, float | complex)


@many
@given(orders(), st.sampled_from([None, None, *Side]), st.booleans(), times)
def test_checks_agree_with_plain_arithmetic_and_with_the_judge(
    order: tuple[SymbolSpec, Decimal | None, Decimal], side: Side | None, closing: bool, at: datetime | None
) -> None:
    """check_all finds exactly the oracle's rules and the judge's obstacles, check the first, check_ticks the same."""
    spec, price, quantity = order
    expected: list[OrderRule | Obstacle] = [*oracle(spec, price, quantity)]
    if side is not None:
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        expected += judge(spec, side, at or datetime.now(UTC), order_type=kind, closing=closing)
    rules = OrderRules.from_symbol(spec)
    more: dict[str, Any] = {"side": side, "closing": closing, "at": at}
    with hostile_context():
        assert [violation.rule for violation in rules.check_all(price, quantity, **more)] == expected
        assert rules.check(price, quantity, **more) is (expected[0] if expected else None)
        if not {OrderRule.PRICE_TICK, OrderRule.QUANTITY_STEP} & set(expected):
            ticks = None if price is None else rules.ticks(price)
            assert rules.check_ticks(ticks, rules.lots(quantity), **more) is rules.check(price, quantity, **more)


@some
@given(specs(), st.sampled_from([*Side]), st.booleans(), times.filter(bool), times, st.booleans())
def test_what_was_kept_of_the_judge_is_what_it_says(
    spec: SymbolSpec, side: Side, closing: bool, at: datetime, observed_at: datetime | None, market: bool
) -> None:
    """At every time that is announced, and beside each, for a row that was last confirmed at any time."""
    fields = msgspec.structs.asdict(spec)
    row = Symbol(**fields, id=1, exchange_id=1, exchange="X", price_decimals=1, quantity_decimals=1, spec_version=1,
                 created_at=TIME, updated_at=TIME, observed_at=observed_at)  # fmt: skip
    rules = OrderRules.from_symbol(row)
    kind = OrderType.MARKET if market else OrderType.LIMIT
    for moment in (at - timedelta(microseconds=1), at, at + timedelta(microseconds=1)):
        expected = judge(row, side, moment, order_type=kind, closing=closing, observed_at=observed_at)
        found = rules.check_all(None if market else 1, 1, side, closing=closing, at=moment)
        assert [one.rule for one in found if isinstance(one.rule, Obstacle)] == expected


@some
@given(specs(), decimals(), st.integers(0, 300), st.integers(0, 300))
def test_a_band_holds_every_tick_inside_and_no_other(spec: SymbolSpec, price: Decimal, up: int, down: int) -> None:
    """Its ends are ticks that keep to it, and the next ticks do not."""
    ratios: dict[str, Any] = {"price_band_up": Decimal(up) / 100, "price_band_down": Decimal(down) / 100}
    rules = OrderRules.from_symbol(msgspec.structs.replace(spec, **ratios))
    with hostile_context():
        band = rules.band(price)
    assert band is not None
    assert band.lowest is not None
    assert band.highest is not None
    tick, lowest, highest = (Fraction(number) for number in (rules.price_tick, band.lowest, band.highest))
    assert lowest % tick == highest % tick == 0
    top, bottom = Fraction(price) * (100 + up) / 100, Fraction(price) * (100 - down) / 100
    assert highest <= top < highest + tick
    assert bottom <= lowest
    assert lowest == tick or lowest - tick < bottom


@some
@given(specs(), st.integers(2, 10**6), st.integers(2, 10**6))
def test_an_order_at_its_limits_keeps_them(spec: SymbolSpec, ticks: int, lots: int) -> None:
    """With every limit at the order's own numbers all is well, and one lot more or less breaks two limits."""
    price, quantity = _WIDE.multiply(ticks, spec.price_tick), _WIDE.multiply(lots, spec.quantity_step)
    value = OrderRules.from_symbol(spec).notional(price, quantity)
    tight: dict[str, Any] = {"min_quantity": quantity, "max_quantity": quantity}
    tight |= {"min_notional": value, "max_notional": value}
    rules = OrderRules.from_symbol(msgspec.structs.replace(spec, **tight))
    assert rules.check(price, quantity) is rules.check_ticks(ticks, lots) is None
    less, more = rules.check_all(price, rules.quantity(lots - 1)), rules.check_all(price, rules.quantity(lots + 1))
    assert [violation.rule for violation in less] == [OrderRule.MIN_QUANTITY, OrderRule.MIN_NOTIONAL]
    assert [violation.rule for violation in more] == [OrderRule.MAX_QUANTITY, OrderRule.MAX_NOTIONAL]


@some
@given(orders())
def test_violations_tell_the_limit_and_the_value(order: tuple[SymbolSpec, Decimal | None, Decimal]) -> None:
    """Each number is the order's own or the exact notional, and no float is in any of them."""
    spec, price, quantity = order
    rules = OrderRules.from_symbol(spec)
    with hostile_context():
        found = rules.check_all(price, quantity)
    assert not holds_float((rules, *found))
    for violation in found:
        value: Any = price if violation.rule is OrderRule.PRICE_TICK else quantity
        if "NOTIONAL" in violation.rule:
            value = notional(spec, price, quantity)
        assert isinstance(violation.given, Decimal)
        assert Fraction(violation.given) == Fraction(value)
        assert isinstance(violation.rule, OrderRule)
        if violation.rule is OrderRule.MIN_QUANTITY:
            continue
        stated = [getattr(spec, violation.rule.field)]
        if price is None and violation.rule in (OrderRule.MAX_QUANTITY, OrderRule.MIN_NOTIONAL, OrderRule.MAX_NOTIONAL):
            stated.append(getattr(spec, f"market_{violation.rule.field}"))
        strictest = max if violation.rule is OrderRule.MIN_NOTIONAL else min
        assert violation.limit == strictest(limit for limit in stated if limit is not None)


@some
@given(specs(), decimals(0), decimals(0))
@example(PLAIN, Decimal(THIRTY_DIGITS), Decimal(THIRTY_DIGITS))
def test_a_notional_is_exact(spec: SymbolSpec, price: Decimal, quantity: Decimal) -> None:
    """Also of two numbers of 30 digits, where the default context keeps 28."""
    with hostile_context():
        value = OrderRules.from_symbol(spec).notional(price, quantity)
    assert type(value) is Decimal
    assert Fraction(value) == notional(spec, price, quantity)


@some
@given(specs(), st.integers(-THIRTY_DIGITS, THIRTY_DIGITS))
def test_counts_come_back(spec: SymbolSpec, count: int) -> None:
    """Ticks to price to ticks, lots to quantity to lots, exactly and as Decimal and int."""
    rules = OrderRules.from_symbol(spec)
    with hostile_context():
        price, quantity = rules.price(count), rules.quantity(count)
        assert (rules.ticks(price), rules.lots(quantity)) == (count, count)
    assert price == _WIDE.multiply(count, spec.price_tick)
    assert quantity == _WIDE.multiply(count, spec.quantity_step)
    assert {type(price), type(quantity), type(rules.ticks(price))} == {Decimal, int}


@some
@given(on_or_off_a_grid(), st.sampled_from([*Rounding, *Side]))
def test_a_price_is_rounded_by_less_than_a_tick(number: tuple[Decimal, Decimal], how: Rounding | Side) -> None:
    """In the direction told, onto the grid, once and for all; NEAREST by half a tick at most, then to the even one."""
    price_tick, price = number
    rules = OrderRules.from_symbol(msgspec.structs.replace(PLAIN, price_tick=price_tick))
    with hostile_context():
        rounded = rules.round_price(price, how)
        assert rules.round_price(rounded, how) == rounded
        assert rules.price(rules.ticks(price, how)) == rounded
    moved, tick = Fraction(rounded) - Fraction(price), Fraction(price_tick)
    assert Fraction(rounded) % tick == 0
    if how in (Rounding.DOWN, Side.BUY):
        assert -tick < moved <= 0
    elif how in (Rounding.UP, Side.SELL):
        assert 0 <= moved < tick
    else:
        assert abs(moved) < tick / 2 or (abs(moved) == tick / 2 and (Fraction(rounded) / tick) % 2 == 0)


@some
@given(steps, st.integers(0, 10**6))
def test_halfway_goes_to_the_even_tick(tick: Decimal, count: int) -> None:
    """NEAREST of a price in the middle of two ticks is the one of even number, as Python's round() has it."""
    halfway = _WIDE.multiply(_WIDE.multiply(2 * count + 1, tick), Decimal("0.5"))
    rules = OrderRules.from_symbol(msgspec.structs.replace(PLAIN, price_tick=tick))
    assert rules.ticks(halfway, Rounding.NEAREST) == round(Fraction(2 * count + 1, 2))


@some
@given(steps, quarters)
def test_the_minimum_is_rounded_up_to_a_step(step: Decimal, least: Decimal) -> None:
    """The effective minimum is the first positive multiple of the step that is no less than the stated one."""
    stated = _WIDE.multiply(step, least)
    rules = OrderRules.from_symbol(msgspec.structs.replace(PLAIN, quantity_step=step, min_quantity=stated))
    assert Fraction(rules.min_quantity) == max(math.ceil(least), 1) * Fraction(step)
    assert rules.check(1, rules.min_quantity) is None
    assert rules.check(1, _WIDE.subtract(rules.min_quantity, step)) is OrderRule.MIN_QUANTITY


@some
@given(on_or_off_a_grid())
def test_a_quantity_is_rounded_down_by_less_than_a_lot(number: tuple[Decimal, Decimal]) -> None:
    """Never up, onto the grid, once and for all."""
    lot, quantity = number
    rules = OrderRules.from_symbol(msgspec.structs.replace(PLAIN, quantity_step=lot))
    with hostile_context():
        rounded = rules.round_quantity(quantity)
        assert rules.round_quantity(rounded) == rounded
    lost, step = Fraction(quantity) - Fraction(rounded), Fraction(lot)
    assert Fraction(rounded) % step == 0
    assert 0 <= lost < step


@some
@given(orders())
def test_only_what_is_on_the_grid_is_counted(order: tuple[SymbolSpec, Decimal | None, Decimal]) -> None:
    """lots() gives the quotient, or says that there is a rest."""
    spec, _, quantity = order
    rules, lots = OrderRules.from_symbol(spec), Fraction(quantity) / Fraction(spec.quantity_step)
    if lots.denominator == 1:
        assert rules.lots(quantity) == lots
    else:
        with pytest.raises(InvalidOrder, match="lies between"):
            rules.lots(quantity)


@some
@given(specs(), st.integers(0, THIRTY_DIGITS), st.integers(0, THIRTY_DIGITS))
def test_int_and_text_mean_the_same_as_decimal(spec: SymbolSpec, price: int, quantity: int) -> None:
    """However a number is written, the answer is one."""
    rules = OrderRules.from_symbol(spec)
    expected = rules.check_all(Decimal(price), Decimal(quantity))
    assert rules.check_all(price, quantity) == rules.check_all(str(price), str(quantity)) == expected


@some
@given(specs(), st.from_type(object) | st.floats() | st.decimals(allow_nan=True, allow_infinity=True) | st.text())
def test_any_argument_is_answered_or_refused(spec: SymbolSpec, value: Any) -> None:
    """Whatever comes in, a rule, None or InvalidOrder comes out, under any traps of the caller's."""
    rules = OrderRules.from_symbol(spec)
    for order in ((value, 1), (1, value), (value, value)):
        with contextlib.suppress(InvalidOrder), decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])):
            assert rules.check(*order) in (None, *OrderRule)
