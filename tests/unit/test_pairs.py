"""The grid that two exchanges have in common, against plain fractions."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchanges_db.orders.pairs import common_grid

# As exchanges have them: up to 12 decimals, some of them odd, and some far larger than one.
steps = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(1, 400), st.integers(-12, 3))
some = settings(max_examples=200, deadline=None, derandomize=True)


@some
@given(a=steps, b=steps)
@example(a=Decimal("0.04"), b=Decimal("0.06"))
@example(a=Decimal("0.05"), b=Decimal("0.02"))
@example(a=Decimal("0.25"), b=Decimal(3))
def test_the_common_grid_is_the_least_number_that_is_whole_on_both(a: Decimal, b: Decimal) -> None:
    """A whole number of steps on each, and no smaller number is: the two numbers of steps share no factor."""
    grid = Fraction(common_grid(a, b))
    here, there = grid / Fraction(a), grid / Fraction(b)
    assert here.denominator == there.denominator == 1
    assert here > 0
    # A smaller common multiple would divide both numbers of steps by the same factor.
    assert Fraction(here, there) == Fraction(b) / Fraction(a)
    assert Fraction(here, there).numerator == here
    assert Fraction(here, there).denominator == there


@some
@given(a=steps, b=steps)
def test_the_common_grid_is_the_same_from_both_sides(a: Decimal, b: Decimal) -> None:
    """And of a grid with itself it is that grid."""
    assert common_grid(a, b) == common_grid(b, a)
    assert common_grid(a, a) == a
