"""The door for floats gives what the decimal number that Python writes for a float gives, exactly; and the view."""

import math
import random
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchanges_db.errors import InvalidOrder, InvalidSymbol
from exchanges_db.orders import floats
from exchanges_db.orders.display import float_view
from exchanges_db.orders.rules import OrderRules, Rounding, Side
from exchanges_db.symbols.enums import SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec

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
STEPS = ("0.5", "0.05", "0.01", "0.1", "1E-8", "1E-10", "0.000001", "1", "3", "0.3", "0.25", "10", "1E+2", "1E-22",
         "1E-23", "0.0123456789", "7E-15", "123456789012345678", "1E-99", "1.23456789012345678E-22")  # fmt: skip
HOW: tuple[Rounding | Side | None, ...] = (None, *Rounding, *Side)
many = settings(max_examples=1500, deadline=None, derandomize=True)


class Float64(float):
    """As numpy's float64: a float that writes its own name."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)!r})"


class Float32:
    """As numpy's float32: no float, but a real number of few digits, which are what it is written as."""

    def __init__(self, text: str, value: float) -> None:
        self._text, self._value = text, value

    def __float__(self) -> float:
        return self._value

    def __str__(self) -> str:
        return self._text


Real.register(Float32)


def rules(step: str) -> OrderRules:
    """Return the rules of a symbol that has this tick and this step."""
    return OrderRules.from_symbol(msgspec.structs.replace(PLAIN, price_tick=Decimal(step), quantity_step=Decimal(step)))


RULES = {step: rules(step) for step in STEPS}


def outcome(call: Any, *arguments: Any) -> Any:
    """Return what a call returns, or the text of the error."""
    try:
        return call(*arguments)
    except InvalidOrder as error:
        return str(error)


def written(number: float) -> Fraction:
    """Return the number that Python writes."""
    return Fraction(Decimal(repr(number)))


def agrees(of: OrderRules, number: float, how: Rounding | Side | None) -> None:
    """Hold a float to the text that Python writes for it, and that to plain fractions."""
    found = outcome(of.ticks_of_float, number, how)
    assert found == outcome(of.ticks, repr(number), how), (of.price_tick, number, how)
    if isinstance(found, int) and how is not None:
        steps = written(number) / Fraction(of.price_tick)
        direction = how.passive if isinstance(how, Side) else how
        assert found == {"DOWN": math.floor(steps), "UP": math.ceil(steps), "NEAREST": round(steps)}[direction]
    if number >= 0 and isinstance(found, int):
        assert of.lots_of_float(number) == written(number) // Fraction(of.quantity_step)


# Numbers on a grid, with as many digits as floats have or more; and such as arithmetic leaves beside it.
on_grid = st.builds(lambda count, step: float(count * Decimal(step)), st.integers(0, 10**17), st.sampled_from(STEPS))
nearly = st.builds(
    lambda number, ulps: number + ulps * math.ulp(number) if math.isfinite(number) else number,
    on_grid | st.floats(0, 1e9),
    st.integers(-4, 4),
)


@pytest.mark.untraced
@many
@given(st.sampled_from(STEPS), on_grid | nearly | st.floats() | st.floats(0, 1e6), st.sampled_from(HOW))
@example("0.1", 0.1 + 0.2, Rounding.DOWN)
@example("0.01", 1.005, Rounding.NEAREST)
@example("0.01", 0.29 * 100, Side.SELL)
@example("1", 2.0**53, None)
@example("1", 5e-324, Rounding.UP)
@example("0.1", 1.7976931348623157e308, None)
def test_a_float_is_the_number_that_is_written_for_it(step: str, number: float, how: Rounding | Side | None) -> None:
    """On every grid and in every direction, whether it is counted the quick way or written out."""
    if math.isfinite(number):
        agrees(RULES[step], number, how)


@pytest.mark.untraced
def test_prices_of_an_exchange_are_counted_as_they_are_written() -> None:
    """Every price on a tick, as a feed gives it, and the halves and thirds between; no two rounding errors meet."""
    chance = random.Random(7)
    for step in ("0.05", "0.01", "0.1", "1E-8", "0.5", "0.0001"):
        of = RULES.get(step) or rules(step)
        for _ in range(1500):
            count = chance.randrange(1, 10 ** chance.randrange(1, 13))
            price = of.price(count)
            assert of.ticks_of_float(float(price)) == of.lots_of_float(float(price)) == count
            for number in (float(price) * 1.5, float(price) / 3, float(price) * 1.0001, float(of.price(2 * count)) / 4):
                agrees(of, number, chance.choice(HOW))


def test_most_floats_are_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a tick or between two, the quick way answers: a fault in its proof would go unseen in the tests above."""
    monkeypatch.setattr(floats, "_written", None)
    of = rules("0.05")
    assert of.ticks_of_float(64123.45) == of.ticks_of_float(64123.45, Side.SELL) == 1282469
    assert (of.ticks_of_float(64123.47, Side.BUY), of.ticks_of_float(64123.47, Side.SELL)) == (1282469, 1282470)
    assert (of.ticks_of_float(64123.47, "NEAREST"), of.ticks_of_float(64123.48, "NEAREST")) == (1282469, 1282470)
    assert of.lots_of_float(64123.49) == 1282469


def test_without_a_direction_a_float_between_two_ticks_is_refused() -> None:
    """As by `ticks`; what arithmetic leaves beside a tick is between two."""
    with pytest.raises(InvalidOrder, match="price lies between") as caught:
        rules("0.1").ticks_of_float(0.1 + 0.2)
    assert caught.value.field == "price"
    assert rules("0.1").ticks_of_float(0.1 + 0.2, "NEAREST") == 3
    with pytest.raises(InvalidOrder, match="price lies between"):
        rules("0.5").ticks_of_float(0.7)


def test_the_nearest_tick_of_a_half_is_the_even_one() -> None:
    """The quick way leaves halves to the one that writes them out."""
    assert [rules("0.5").ticks_of_float(half, "NEAREST") for half in (0.25, 0.75, 1.25)] == [0, 2, 2]


def test_a_quantity_is_only_ever_rounded_down() -> None:
    of = rules("0.1")
    assert (of.lots_of_float(0.29), of.lots_of_float(0.3), of.lots_of_float(0.1 + 0.2)) == (2, 3, 3)
    assert of.lots_of_float(0.29999999999999993) == 2
    assert of.lots_of_float(0.0) == 0
    with pytest.raises(InvalidOrder, match="quantity is less than zero"):
        of.lots_of_float(-0.1)


@pytest.mark.parametrize("number", [0.1, 64123.4, 1e-7, 0.1 + 0.2])
def test_a_float_of_another_library_is_the_number_that_it_stands_for(number: float) -> None:
    """The float64 of numpy has the value of a float; its float32 has fewer digits, which are all that it means."""
    of = rules("1E-10")
    assert of.ticks_of_float(Float64(number), "DOWN") == of.ticks_of_float(number, "DOWN")
    assert type(of.ticks_of_float(Float64(number), "DOWN")) is int
    tenth: Any = Float32("0.1", 0.10000000149011612)
    assert rules("0.1").ticks_of_float(tenth) == rules("0.1").lots_of_float(tenth) == 1
    assert of.ticks_of_float(7) == 7 * 10**10  # to type checkers an int is a float, too


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, Float64("nan"), Float64("inf"), Float32("nan", math.nan), Float32("inf", math.inf),
     True, None, "0.1", Decimal("0.1"), Fraction(1, 10), 1j, [0.1], 1e300, 1e-300, 10**100],
    ids=range(17),
)  # fmt: skip
def test_what_is_no_finite_float_is_refused(value: Any) -> None:
    """With an error that names what it should have been; text and Decimal have methods of their own."""
    for call, field in ((rules("0.1").ticks_of_float, "price"), (rules("0.1").lots_of_float, "quantity")):
        for arguments in ((value,),) if field == "quantity" else ((value,), (value, Side.BUY)):
            with pytest.raises(InvalidOrder, match=field) as caught:
                call(*arguments)
            assert caught.value.field == field


@pytest.mark.parametrize("how", ["down", "buy", SidesAllowed.BUY, 1, True])
def test_a_direction_must_be_one(how: Any) -> None:
    """Also for a price that is on a tick, where it does not matter."""
    with pytest.raises(InvalidOrder, match="say how to round"):
        rules("0.1").ticks_of_float(0.1, how)


def test_the_view_in_floats_has_every_number() -> None:
    """Each Decimal of the specification, by its name; one that is added later, too."""
    spec = msgspec.structs.replace(PLAIN, price_tick=Decimal("0.1"), max_quantity=Decimal(1000))
    view = float_view(spec)
    assert (view["price_tick"], view["max_quantity"], view["min_quantity"]) == (0.1, 1000.0, None)
    decimals = {field.name for field in msgspec.structs.fields(SymbolSpec) if "Decimal" in str(field.type)}
    assert view.keys() == decimals
    assert {type(number) for number in view.values()} == {float, type(None)}


@pytest.mark.parametrize("nothing", [None, "BTC_USDT", 5, {}])
def test_floats_of_nothing_are_refused(nothing: object) -> None:
    """A look-up that found nothing gives None, as OrderRules says, too."""
    with pytest.raises(InvalidSymbol, match="Symbol or SymbolSpec"):
        float_view(nothing)  # type: ignore[arg-type]  # that is the point
