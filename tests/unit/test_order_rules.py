"""Order rules: what is checked, rounded and refused, on symbols as exchanges have them."""

import decimal
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchanges_db.errors import ExchangesDBError, InvalidArgument, InvalidOrder, InvalidSymbol
from exchanges_db.orders import openness
from exchanges_db.orders.rules import OrderRule, OrderRules, Rounding, Side, Violation
from exchanges_db.symbols.enums import ContractDirection, OrderType, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.judge import Obstacle
from exchanges_db.symbols.models import Symbol, SymbolSpec

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/order-rules.md"
MAX_LINES = 160
BUY, SELL = Side.BUY, Side.SELL
TIME, HOUR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)


def spec(**changes: Any) -> SymbolSpec:
    """Return BTC/USDT, tick 0.1, step 0.000001 and no limits, with these changes; numbers may be text."""
    fields: dict[str, Any] = {
        "native_symbol": "BTC_USDT",
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "kind": SymbolKind.SPOT,
        "price_tick": "0.1",
        "quantity_step": "0.000001",
        "status": SymbolStatus.TRADING,
        "sides": SidesAllowed.ALL,
    } | changes
    return SymbolSpec(**{name: _number(name, value) for name, value in fields.items()})


def _number(name: str, value: Any) -> Any:
    numeric = name.startswith(("price", "quantity", "min", "max", "market", "contract"))
    return Decimal(value) if numeric and type(value) is str else value


def row(**changes: Any) -> Symbol:
    """Return the symbol of `spec` as if it came from the database, with these changes, unchecked."""
    fields = msgspec.structs.asdict(spec()) | changes
    now = datetime.now(UTC)
    return Symbol(
        **fields,
        id=1,
        exchange_id=1,
        exchange="MEXC_SPOT",
        price_decimals=1,
        quantity_decimals=6,
        spec_version=1,
        created_at=now,
        updated_at=now,
    )


def rules(**changes: Any) -> OrderRules:
    """Return the order rules of `spec`."""
    return OrderRules.from_symbol(spec(**changes))


def contract(direction: ContractDirection, size: str, **changes: Any) -> OrderRules:
    """Return the rules of a perpetual, tick 0.5, in whole contracts."""
    settle = {"LINEAR": "USDT", "INVERSE": "BTC", "QUANTO": "ETH"}[direction]
    terms = {"kind": SymbolKind.PERPETUAL, "settle": settle, "direction": direction, "contract_size": size}
    return rules(**({"price_tick": "0.5", "quantity_step": "1"} | terms | changes))


def broken(of: OrderRules, *order: Any, **more: Any) -> list[OrderRule | Obstacle]:
    """Return the rules `check_all` finds broken."""
    return [violation.rule for violation in of.check_all(*order, **more)]


@pytest.mark.parametrize(
    ("tick", "price", "ticks"),
    [
        ("0.5", "64123.5", 128247),
        ("0.05", "2378.45", 47569),
        ("1e-10", "0.0000000123", 123),
        ("10", "120", 12),
        ("1E+1", "120", 12),
        ("0.10", "0.3", 3),
        ("3", "12", 4),
    ],
)
def test_a_price_is_a_number_of_ticks(tick: str, price: str, ticks: int) -> None:
    """There and back, for every shape of tick, and the price has as many decimals as the tick."""
    of = rules(price_tick=tick)
    assert of.ticks(price) == of.ticks(Decimal(price)) == ticks
    assert of.price(ticks) == Decimal(price)
    assert "E+" not in str(of.price(ticks))


def test_decimals_are_those_of_tick_and_step() -> None:
    """Prices and quantities can be sent as they come out, zeros included; trailing zeros of the payload are gone."""
    of = rules(price_tick="0.5000", quantity_step="0.010")
    assert str(of.price(4)) == "2.0"
    assert str(of.round_quantity("0.019")) == "0.01"
    assert str(rules(price_tick="1E+1").price(3)) == "30"


def test_lots_are_steps() -> None:
    """A quantity is a number of steps: of base for spot, of contracts else."""
    assert rules().lots("0.012345") == 12345
    assert rules().quantity(12345) == Decimal("0.012345")
    assert contract(ContractDirection.LINEAR, "0.0001").lots(7) == 7


def test_what_lies_between_two_steps_is_no_number_of_them() -> None:
    """The exact conversions refuse to round in silence and name what they refuse."""
    for convert, field in ((rules().ticks, "price"), (rules().lots, "quantity")):
        with pytest.raises(InvalidOrder, match=f"^{field} lies between") as caught:
            convert("0.00000005")
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("how", "rounded"),
    [
        (Rounding.DOWN, "64123.0"),
        (Rounding.UP, "64123.5"),
        (Rounding.NEAREST, "64123.0"),
        (BUY, "64123.0"),
        (SELL, "64123.5"),
        (BUY.passive, "64123.0"),
        (SELL.passive, "64123.5"),
        (BUY.aggressive, "64123.5"),
        (SELL.aggressive, "64123.0"),
    ],
)
def test_a_price_goes_where_it_is_told(how: Rounding | Side, rounded: str) -> None:
    """A side rounds passively; to ticks and to a price alike; a price on a tick stays."""
    of = rules(price_tick="0.5")
    assert of.round_price("64123.2", how) == Decimal(rounded)
    assert of.price(of.ticks("64123.2", how)) == Decimal(rounded)
    assert of.round_price(rounded, how) == Decimal(rounded)
    assert of.round_price("64123.2", how.value) == Decimal(rounded)  # its text is as good


def test_halfway_goes_to_the_even_tick() -> None:
    """So many roundings lean neither up nor down."""
    of = rules(price_tick="0.5")
    assert [of.round_price(p, Rounding.NEAREST) for p in ("0.25", "0.75", "1.25")] == [0, 1, 1]


@pytest.mark.parametrize("how", [None, "down", "buy", SidesAllowed.BUY, 1, True])
def test_a_direction_must_be_said(how: Any) -> None:
    """There is no default, not even for a price that is on a tick."""
    with pytest.raises(InvalidOrder, match="say how to round"):
        rules().round_price("0.1", how)


def test_a_quantity_is_never_rounded_up() -> None:
    """It goes down to a lot, and below the minimum it stays: check says so."""
    of = rules(quantity_step="0.01", min_quantity="0.05")
    assert of.round_quantity("0.0599") == Decimal("0.05")
    assert of.round_quantity("0.0499") == Decimal("0.04")
    assert of.check(1, of.round_quantity("0.0499")) is OrderRule.MIN_QUANTITY
    assert of.round_quantity("0.009") == 0


@pytest.mark.parametrize(
    ("least", "step", "effective"),
    [
        ("0.0001", "0.01", "0.01"),
        ("0", "0.01", "0.01"),
        (None, "0.01", "0.01"),
        ("0.015", "0.01", "0.02"),
        ("1", "0.3", "1.2"),
    ],
)
def test_the_minimum_is_a_multiple_of_the_step(least: str | None, step: str, effective: str) -> None:
    """Exchanges state minima below a step, of zero, or between two: what counts is the least that can be ordered."""
    of = rules(quantity_step=step, min_quantity=least)
    assert of.min_quantity == Decimal(effective)
    assert of.check(1, effective) is None
    assert of.check_all(1, 0) == [Violation(OrderRule.MIN_QUANTITY, Decimal(effective), Decimal(0))]


def test_limits_belong_to_what_is_allowed() -> None:
    """An order at a limit keeps it, a step beyond breaks it."""
    of = rules(min_quantity="0.001", max_quantity="100", min_notional="3", max_notional="5000000", price_tick="0.05")
    assert of.check("3000", "0.001") is None
    assert of.check("2999.95", "0.001") is OrderRule.MIN_NOTIONAL
    assert of.check("3000", "0.000999") is OrderRule.MIN_QUANTITY
    assert of.check("50000", "100") is None
    assert of.check("50000.05", "100") is OrderRule.MAX_NOTIONAL
    assert of.check("1", "100.000001") is OrderRule.MAX_QUANTITY


def test_no_limit_is_no_limit() -> None:
    """None in the specification allows any quantity of at least a step and any notional."""
    assert rules().check("0.1", "0.000001") is None
    assert rules().check(10**30, 10**30) is None
    assert rules(max_quantity=None, max_notional=None, min_notional="0").check(10**99, 10**99) is None


@pytest.mark.parametrize(
    ("direction", "size", "price", "quantity", "notional"),
    [
        (ContractDirection.LINEAR, "0.0001", "64123.5", 250, "1603.08750"),
        (ContractDirection.LINEAR, "1000000", "0.5", 3, "1500000"),
        (ContractDirection.INVERSE, "1", "64123.5", 250, "250"),
        (ContractDirection.INVERSE, "100", None, 3, "300"),
        (ContractDirection.QUANTO, "0.0001", "64123.5", 250, "1603.08750"),
    ],
)
def test_notional_follows_the_direction(
    direction: ContractDirection, size: str, price: str | None, quantity: int, notional: str
) -> None:
    """In quote: by price for linear and quanto contracts, the same at every price for inverse ones."""
    assert contract(direction, size).notional(price, quantity) == Decimal(notional)
    tight = contract(direction, size, min_notional=notional, max_notional=notional)
    assert tight.check(price, quantity) is None
    assert tight.check(price, quantity - 1) is OrderRule.MIN_NOTIONAL
    assert tight.check(price, quantity + 1) is OrderRule.MAX_NOTIONAL


def test_a_spot_notional_is_price_times_quantity() -> None:
    """Exactly, whatever the caller's decimal context would make of it."""
    with decimal.localcontext() as context:
        context.prec = 3
        assert rules().notional("64123.4", "0.012345") == Decimal("791.6033730")
        assert rules(min_notional="791.603373").check("64123.4", "0.012345") is None


def test_a_market_order_has_no_price() -> None:
    """Quantity rules hold; the notional is checked where it does not depend on a price, and asked for is refused."""
    of = rules(min_quantity="0.001", min_notional="3")
    assert of.check(None, "0.001") is None
    assert of.check(None, "0.0001") is OrderRule.MIN_QUANTITY
    assert of.check_ticks(None, 1000) is None
    assert contract(ContractDirection.INVERSE, "1", min_notional="5").check(None, 4) is OrderRule.MIN_NOTIONAL
    with pytest.raises(InvalidOrder, match="price"):
        of.notional(None, 1)


@pytest.mark.parametrize(
    ("general", "own", "least", "most"),
    [
        ({"min_quantity": "2", "max_quantity": "9"}, {}, 2, 9),
        ({}, {"market_min_quantity": "3", "market_max_quantity": "8"}, 3, 8),
        ({"min_quantity": "2", "max_quantity": "9"}, {"market_min_quantity": "3", "market_max_quantity": "8"}, 3, 8),
        ({"min_quantity": "4", "max_quantity": "7"}, {"market_min_quantity": "3", "market_max_quantity": "8"}, 4, 7),
        ({"max_quantity": "7"}, {"market_min_quantity": "2.5"}, 3, 7),
    ],
)
def test_a_market_order_keeps_to_its_own_limits_and_to_the_general_ones(
    general: dict[str, str], own: dict[str, str], least: int, most: int
) -> None:
    """The stricter of both, and that is the limit which is told."""
    of = rules(quantity_step="1", **general, **own)
    assert of.check(None, least) is of.check(None, most) is of.check_ticks(None, most) is None
    assert of.check_all(None, least - 1) == [Violation(OrderRule.MIN_QUANTITY, Decimal(least), Decimal(least - 1))]
    assert of.check_all(None, most + 1) == [Violation(OrderRule.MAX_QUANTITY, Decimal(most), Decimal(most + 1))]
    assert of.check_ticks(None, least - 1) is of.check(None, least - 1) is OrderRule.MIN_QUANTITY
    # A limit order does not know them.
    if not general:
        assert of.check(1, 1) is of.check(1, 10**6) is of.check_ticks(10, 10**6) is None


def test_the_notional_of_a_market_order_is_reckoned_at_a_price_that_is_given() -> None:
    """By the stricter limits; the price need not be on a tick. Without one it is not checked."""
    of = rules(min_notional="3", market_min_notional="5", max_notional="100", market_max_notional="50")
    assert of.check(None, 1) is of.check(None, 1, reference="5") is of.check(None, 1, reference="49.99999") is None
    assert of.check(None, 1, reference="4.99999") is OrderRule.MIN_NOTIONAL
    assert of.check(None, 1, reference="50.00001") is OrderRule.MAX_NOTIONAL
    assert of.check_all(None, 2, reference="1.23") == [Violation(OrderRule.MIN_NOTIONAL, Decimal(5), Decimal("2.46"))]
    assert of.check(4, 1) is None  # a limit order keeps to the general ones
    inverse = contract(ContractDirection.INVERSE, "1", market_min_notional="5")
    assert inverse.check(None, 4) is inverse.check(None, 4, reference=10**6) is OrderRule.MIN_NOTIONAL
    assert inverse.check(1, 4) is None


@pytest.mark.parametrize(("price", "reference"), [(1, 1), (None, 0), (None, "-1"), (None, 0.5), (None, "NaN")])
def test_a_price_of_reference_is_for_market_orders_and_positive(price: Any, reference: Any) -> None:
    """With a price there would be two, and one of them would be wrong."""
    for call in (rules().check, rules().check_all):
        with pytest.raises(InvalidOrder, match="reference") as caught:
            call(price, 1, reference=reference)
        assert caught.value.field == "reference"


@pytest.mark.parametrize(
    ("up", "down", "reference", "lowest", "highest"),
    [
        ("0.02", "0.02", "100", "98.0", "102.0"),
        ("0.02", "0.03", "64123.45", "62199.8", "65405.9"),  # 62199.7465 and 65405.919
        ("0.5", None, "10", None, "15.0"),
        (None, "0.5", "10", "5.0", None),
        ("0", "0", "10.05", "10.1", "10.0"),  # no tick inside
        ("5", "1", "10", "0.1", "60.0"),  # a price is at least one tick
        ("0.1", "2", "10", "0.1", "11.0"),
    ],
)
def test_a_band_holds_the_ticks_around_a_price(
    up: str | None, down: str | None, reference: str, lowest: str | None, highest: str | None
) -> None:
    """Rounded inwards, with the decimals of the tick."""
    band = rules(price_band_up=up, price_band_down=down).band(reference)
    assert band is not None
    assert [str(bound) for bound in (band.lowest, band.highest)] == [str(lowest), str(highest)]


def test_where_there_is_no_band_there_is_none() -> None:
    assert rules().band(100) is None
    for wrong in (0, "-1", 1.5, None):
        with pytest.raises(InvalidOrder, match="reference"):
            rules().band(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "count", "text"),
    [("0.05", 47569, "2378.45"), ("1E-10", 1, "0.0000000001"), ("1E-10", 0, "0.0000000000"), ("1E+1", 3, "30"),
     ("0.5000", 4, "2.0"), ("1E-7", 10**30, "100000000000000000000000.0000000"), ("3", 4, "12")],
)  # fmt: skip
def test_the_text_of_a_number_is_what_exchanges_take(step: str, count: int, text: str) -> None:
    """No exponent, however small or large, and as many decimals as the grid."""
    of = rules(price_tick=step, quantity_step=step)
    assert of.price_text(count) == of.quantity_text(count) == text
    assert of.ticks(text) == of.lots(text) == count


def test_every_broken_rule_is_told_in_order() -> None:
    """check_all gives each with its limit and the order's value; check gives the first."""
    of = rules(
        quantity_step="0.01",
        min_quantity="0.05",
        min_notional="3",
        sides=SidesAllowed.BUY,
        api_tradable=False,
    )
    found = of.check_all("1.23", "0.015", SELL)
    assert found == [
        Violation(OrderRule.PRICE_TICK, Decimal("0.1"), Decimal("1.23")),
        Violation(OrderRule.QUANTITY_STEP, Decimal("0.01"), Decimal("0.015")),
        Violation(OrderRule.MIN_QUANTITY, Decimal("0.05"), Decimal("0.015")),
        Violation(OrderRule.MIN_NOTIONAL, Decimal(3), Decimal("0.01845")),
        Violation(Obstacle.SIDE, None, SELL, "the exchange takes BUY orders only"),
        Violation(Obstacle.NOT_BY_API, None, SELL, "the exchange does not take orders for it through its API"),
    ]
    assert of.check("1.23", "0.015", SELL) is found[0].rule
    assert broken(rules(max_quantity="1", max_notional="5"), 10, 2) == [OrderRule.MAX_QUANTITY, OrderRule.MAX_NOTIONAL]


@pytest.mark.parametrize(
    ("status", "sides", "api", "side", "obstacle"),
    [
        ("TRADING", "ALL", True, BUY, None),
        ("TRADING", "ALL", True, SELL, None),
        ("CLOSE_ONLY", "ALL", True, SELL, None),
        ("CLOSE_ONLY", "ALL", True, BUY, Obstacle.ONLY_CLOSING),
        ("HALTED", "ALL", True, BUY, Obstacle.HALTED),
        ("DELISTED", "ALL", True, BUY, Obstacle.DELISTED),
        ("TRADING", "ALL", False, BUY, Obstacle.NOT_BY_API),
        ("TRADING", "BUY", True, BUY, None),
        ("TRADING", "BUY", True, SELL, Obstacle.SIDE),
        ("TRADING", "SELL", True, BUY, Obstacle.SIDE),
        ("TRADING", "NONE", True, SELL, Obstacle.SIDE),
        ("HALTED", "NONE", False, None, None),
    ],
)
def test_whether_orders_are_taken_now_is_told_when_asked(
    status: str, sides: str, api: bool, side: Side | None, obstacle: Obstacle | None
) -> None:
    """The judge counts only when a side is given, on both paths."""
    gone = TIME if status == "DELISTED" else None
    of = rules(status=SymbolStatus(status), sides=SidesAllowed(sides), api_tradable=api, delisted_at=gone)
    for given in (side, None if side is None else side.value):  # its text is as good
        assert of.check("0.1", 1, given) is of.check_ticks(1, 10**6, given) is obstacle
        found = [(one.rule, one.given) for one in of.check_all("0.1", 1, given)]
        assert found[:1] == ([(obstacle, side)] if obstacle else [])


def test_broken_rules_come_before_obstacles() -> None:
    """An order that can be mended is told so first; check_all tells both."""
    of = rules(status=SymbolStatus.HALTED)
    assert of.check("0.15", 1, BUY) is OrderRule.PRICE_TICK
    assert of.check_ticks(0, 1, BUY) is OrderRule.PRICE_TICK
    assert broken(of, "0.15", 1, BUY) == [OrderRule.PRICE_TICK, Obstacle.HALTED]


def test_an_order_that_closes_is_told_by_its_owner() -> None:
    """Of a contract that takes closing orders only, the other orders are refused, on every path."""
    of = contract(ContractDirection.LINEAR, "1", status=SymbolStatus.DELISTING)
    for call in (of.check, of.check_ticks):
        assert call(1, 1, SELL) is Obstacle.ONLY_CLOSING
        assert call(1, 1, SELL, closing=True) is None
    assert broken(of, 1, 1, SELL) == [Obstacle.ONLY_CLOSING]
    assert of.check_all(1, 1, SELL, closing=True) == []


def test_a_type_of_order_that_the_exchange_does_not_name_is_refused() -> None:
    """Without a price it is a market order, with one a limit order."""
    of = rules(order_types=(OrderType.LIMIT, OrderType.LIMIT_MAKER))
    assert of.check(1, 1, BUY) is of.check_ticks(10, 1, BUY) is of.check(None, 1) is None
    assert of.check(None, 1, BUY) is of.check_ticks(None, 1, BUY) is Obstacle.ORDER_TYPE
    assert of.check_all(None, 1, BUY)[0].reason == "the exchange takes LIMIT, LIMIT_MAKER orders, not MARKET"
    assert rules(order_types=(OrderType.MARKET,)).check(1, 1, BUY) is Obstacle.ORDER_TYPE


def test_announced_times_act_by_themselves() -> None:
    """The rules are made once, and go on to say what is true; `at` is the time that is asked about."""
    of = rules(buy_opens_at=TIME, delisting_at=TIME + 2 * HOUR, delisted_at=TIME + 3 * HOUR)
    told = [of.check(1, 1, BUY, at=TIME + number * HOUR) for number in (-1, 0, 1, 2, 3, 4)]
    gone = Obstacle.DELISTED
    assert told == [Obstacle.NOT_OPEN_YET, None, None, Obstacle.ONLY_CLOSING, gone, gone]
    assert of.check_ticks(10, 10**6, BUY, at=TIME - HOUR) is Obstacle.NOT_OPEN_YET
    assert broken(of, 1, 1, SELL, at=TIME + 2 * HOUR) == []  # whoever sells a coin closes
    in_kolkata = TIME.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert of.check(1, 1, BUY, at=in_kolkata) is None


def test_now_is_the_clock_of_this_machine() -> None:
    now = datetime.now(UTC)
    assert rules(buy_opens_at=now - HOUR).check(1, 1, BUY) is None
    assert rules(buy_opens_at=now + HOUR).check(1, 1, BUY) is Obstacle.NOT_OPEN_YET
    assert rules(delisted_at=now - HOUR, delisting_at=now - HOUR).check(1, 1, SELL) is Obstacle.DELISTED


def test_the_clock_is_read_only_where_time_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most orders are for symbols of which nothing is announced, and a clock costs a tenth of a check."""
    read: list[int] = []

    def clock() -> int:
        read.append(1)
        return 0

    monkeypatch.setattr(openness, "time_ns", clock)
    assert rules().check(1, 1, BUY) is None
    assert read == []
    assert rules(buy_opens_at=TIME).check(1, 1, BUY) is Obstacle.NOT_OPEN_YET
    assert read == [1]


def test_a_row_that_was_read_after_an_announced_time_outranks_it() -> None:
    """A Symbol tells when the exchange last said what stands in it; a specification alone does not."""
    fields = {"price_tick": Decimal("0.1"), "delisting_at": TIME, "delisted_at": TIME}
    after = TIME + HOUR
    assert (
        OrderRules.from_symbol(row(**fields, observed_at=TIME - HOUR)).check(1, 1, BUY, at=after) is Obstacle.DELISTED
    )
    assert OrderRules.from_symbol(row(**fields, observed_at=after)).check(1, 1, BUY, at=after) is None
    assert rules(delisting_at=TIME, delisted_at=TIME).check(1, 1, BUY, at=after) is Obstacle.DELISTED


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), "2026-01-01", 1])  # noqa: DTZ001 - that it has no zone
def test_a_time_has_a_zone(at: Any) -> None:
    """Also where no time matters, so that the fault is found before one does."""
    for of in (rules(), rules(buy_opens_at=TIME)):
        with pytest.raises(InvalidArgument, match="time zone") as caught:
            of.check(1, 1, BUY, at=at)
        assert caught.value.field == "at"


@pytest.mark.parametrize("closing", [None, 0, 1, "no"])
def test_an_order_closes_or_does_not(closing: Any) -> None:
    """Text that says no would be taken for yes."""
    with pytest.raises(InvalidOrder, match="closing must be"):
        rules().check(1, 1, BUY, closing=closing)


def test_a_price_is_positive() -> None:
    """Zero and less are reported, not raised, and so are quantities."""
    assert rules().check(0, 1) is rules().check("-0.1", 1) is rules().check_ticks(0, 1) is OrderRule.PRICE_TICK
    assert rules().check(0, "0.0000005") is OrderRule.PRICE_TICK
    assert rules().check(1, 0) is rules().check(1, "-1") is rules().check_ticks(1, -1) is OrderRule.MIN_QUANTITY
    assert rules().check(1, "0.0000005") is OrderRule.QUANTITY_STEP


NO_NUMBERS = [0.1, 1.0, 1j, True, b"1", [1], "abc", "", "\uff11", "1\u0661", "NaN",
              Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
              "-Infinity", Decimal("1E+999999"), Decimal("1E-999999"), "1E+99999999999999999999", 10**100, -(10**1000),
              1 << 10**7, Decimal("1." + "1" * 100)]  # fmt: skip


@pytest.mark.parametrize("nothing", [None, "BTC/USDT", 1, SymbolKind.SPOT])
def test_what_is_no_symbol_has_no_rules(nothing: Any) -> None:
    """Such as what a look-up gives that found nothing."""
    with pytest.raises(InvalidSymbol, match="order rules are made of") as caught:
        OrderRules.from_symbol(nothing)
    assert caught.value.field == "spec"


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_exact_number_is_refused(value: Any) -> None:
    """By every method, with one error of ours that names the argument; the caller's decimal traps do not matter."""
    of = rules()
    calls: list[Callable[[], object]] = [
        lambda: of.check(value, 1),
        lambda: of.check(1, value),
        lambda: of.check_all(1, value),
        lambda: of.notional(value, 1),
        lambda: of.round_price(value, BUY),
        lambda: of.round_quantity(value),
        lambda: of.ticks(value),
        lambda: of.lots(value),
    ]
    for traps in (decimal.getcontext().copy(), decimal.Context(traps=[])):
        for call in calls:
            with (
                decimal.localcontext(traps),
                pytest.raises(InvalidOrder, match="finite Decimal, int or text") as caught,
            ):
                call()
            assert caught.value.field in ("price", "quantity")


def test_the_error_is_ours_and_a_value_error() -> None:
    """Callers catch either, and a NaN quantity is not hidden behind a price that breaks a rule."""
    assert issubclass(InvalidOrder, ExchangesDBError)
    assert issubclass(InvalidOrder, ValueError)
    with pytest.raises(InvalidOrder):
        rules().check("0.01", Decimal("NaN"))


@pytest.mark.parametrize("count", [1.0, "1", Decimal(1), True, None])
def test_ticks_and_lots_are_int(count: Any) -> None:
    """The fast path takes nothing else; only a price may be missing."""
    calls: list[Callable[[], object]] = [
        lambda: rules().price(count),
        lambda: rules().quantity(count),
        lambda: rules().price_text(count),
        lambda: rules().quantity_text(count),
        lambda: rules().check_ticks(1, count),
    ]
    if count is not None:
        calls.append(lambda: rules().check_ticks(count, 1))
    for call in calls:
        with pytest.raises(InvalidOrder, match="must be int"):
            call()


def test_a_number_of_steps_has_at_most_300_digits() -> None:
    """No price has more ticks. More is our error and not one of decimal's; the check in integers just answers."""
    assert rules().price(10**300 - 1) > 10**298
    with pytest.raises(InvalidOrder, match="at most 300 digits"):
        rules().price(10**300)
    assert rules().check_ticks(10**400, 10**400) is None
    finest = rules(price_tick="1E-99")
    assert finest.round_price(10**99, BUY) == 10**99


@pytest.mark.parametrize("price", ["0.1", "0.01"])
@pytest.mark.parametrize("side", ["buy", "", "ALL", SidesAllowed.BUY, Rounding.DOWN, 1, True, []])
def test_a_side_is_a_side(side: Any, price: str) -> None:
    """Anything but BUY and SELL is refused rather than compared, whatever else is wrong with the order."""
    for call in (rules().check, rules().check_all):
        with pytest.raises(InvalidOrder, match="side"):
            call(price, 1, side)


def test_what_is_below_zero_is_not_rounded() -> None:
    """Down would mean away from zero: more, not less."""
    calls: list[Callable[[], object]] = [
        lambda: rules().round_price("-1.23", BUY),
        lambda: rules().round_quantity("-1"),
    ]
    for call in calls:
        with pytest.raises(InvalidOrder, match="less than zero"):
            call()


@pytest.mark.parametrize(
    ("field", "value"),
    [("price_tick", "0"), ("price_tick", "-0.1"), ("quantity_step", "NaN"), ("quantity_step", "0"),
     ("max_quantity", "-1"), ("min_notional", "Infinity"), ("min_quantity", "NaN"), ("max_notional", "-5"),
     ("price_tick", "1." + "1" * 100), ("market_max_quantity", "-1"), ("market_min_notional", "NaN")],
)  # fmt: skip
def test_a_row_without_usable_numbers_has_no_rules(field: str, value: str) -> None:
    """A Symbol is not checked when it is made. Said when its rules are made, not at the first order."""
    with pytest.raises(InvalidOrder, match=f"^{field} ") as caught:
        OrderRules.from_symbol(row(**{field: Decimal(value)}))
    assert caught.value.field == field


def test_a_contract_needs_a_size() -> None:
    """Without one a notional would be a guess."""
    with pytest.raises(InvalidOrder, match=r"^contract_size "):
        OrderRules.from_symbol(row(kind=SymbolKind.PERPETUAL, settle="USDT", direction=ContractDirection.LINEAR))


def test_rules_do_not_change() -> None:
    """They are shared between tasks: frozen, comparable, and they survive a pickle."""
    of = rules(min_notional="3")
    with pytest.raises(AttributeError):
        of.price_tick = Decimal(1)  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(of)) == of == OrderRules.from_symbol(of.spec)
    assert of != rules(min_notional="4")


def test_every_rule_is_a_field_of_the_specification() -> None:
    """A rule leads to its limit."""
    assert {rule.field for rule in OrderRule} <= {field.name for field in msgspec.structs.fields(SymbolSpec)}


def test_the_documents_examples_run() -> None:
    """What docs/order-rules.md shows is true, one example after the other, and the document is short."""
    text = DOCUMENT.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == text.count("```") / 2 > 3
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)
    assert (names["price"], names["quantity"]) == (Decimal("2378.45"), Decimal("0.012"))
    assert (names["ticks"], names["lots"]) == (47569, 12)


def test_a_specification_from_a_payload_is_judged_as_of_the_time_that_is_given() -> None:
    """A launch that was put off does not open because its time has passed."""
    fields: dict[str, Any] = {"status": SymbolStatus.PRELAUNCH, "buy_opens_at": TIME, "sell_opens_at": TIME}
    after = TIME + HOUR
    for one in (spec(**fields), row(price_tick=Decimal("0.1"), observed_at=TIME - 2 * HOUR, **fields)):
        assert OrderRules.from_symbol(one, observed_at=TIME - HOUR).check(1, 1, BUY, at=after) is None
        assert OrderRules.from_symbol(one, observed_at=TIME).check(1, 1, BUY, at=after) is Obstacle.NOT_OPEN_YET
    with pytest.raises(InvalidArgument, match="observed_at"):
        OrderRules.from_symbol(spec(), observed_at=datetime(2026, 1, 1))  # noqa: DTZ001 - no time zone is the point
