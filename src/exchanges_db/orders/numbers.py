"""Numbers of orders: exact, finite, at most 100 digits, and counted in steps of a grid.

Nothing here rounds unless told to, and no decimal context of the caller's takes part.
"""

from __future__ import annotations

import math
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Any

import msgspec

from exchanges_db.errors import InvalidOrder
from exchanges_db.symbols.enums import Rounding

Number = Decimal | int | str

_NAN = Decimal("NaN")
_DIGITS = 100
_MOST_BITS = 4 * _DIGITS  # a digit has 3.3
_TRAPS = [Inexact, InvalidOperation, Overflow]
# What comes in: a number that does not fit is refused before an exponent such as 1E+999999 grows into an integer.
_INPUT = Context(prec=_DIGITS, Emin=-_DIGITS, Emax=_DIGITS - 1, traps=_TRAPS)
_plus = _INPUT.plus
# What goes out: wide enough for the product of any three of those; were it too narrow, it would raise, not round.
_EXACT = Context(prec=1000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=_TRAPS)
_MOST_STEPS = 10 ** (3 * _DIGITS)  # the largest number in the finest steps has fewer
# Every decimal number of so many digits is told from every other by the float that is nearest to it.
_DIGITS_OF_FLOATS = 15


def exact(value: Number | None, field: str) -> Decimal:
    """Return the number as a Decimal, unchanged; InvalidOrder for a float, NaN, infinity or more than 100 digits."""
    number = _NAN
    try:
        if type(value) is Decimal:
            number = _plus(value)
        # Not bool, an int by descent; no int of a million digits, which takes seconds to become a Decimal.
        # Python reads digits of any script; nobody writes an order in them.
        elif (type(value) is str and value.isascii()) or (type(value) is int and value.bit_length() <= _MOST_BITS):
            number = _INPUT.create_decimal(value)
    except ArithmeticError:
        pass
    if number.is_finite():
        return number
    text = f"{field} must be a finite Decimal, int or text of at most {_DIGITS} digits"
    raise InvalidOrder(text, field=field) from None


def product(first: Decimal, second: Decimal) -> Decimal:
    """Return the exact product of what `exact` or this returned."""
    return _EXACT.multiply(first, second)


def positive(value: Decimal | None, field: str) -> Decimal:
    """Return a number greater than zero, written without exponent and trailing zeros."""
    number = exact(value, field)
    if number <= 0:
        raise InvalidOrder(f"{field} must be positive", field=field)
    return Decimal(format(number.normalize(_EXACT), "f"))


def limit(value: Decimal | None, field: str) -> Fraction | None:
    """Return a limit, which must not be less than zero; None means no limit."""
    if value is None:
        return None
    number = exact(value, field)
    if number < 0:
        raise InvalidOrder(f"{field} is less than zero", field=field)
    return Fraction(number)


def on_one_scale(unit: Fraction, *limits: Fraction | None) -> tuple[Any, ...]:
    """Return unit and limits multiplied by one number that makes integers of all: they compare as before."""
    values = (unit, *limits)
    scale = math.lcm(*(value.denominator for value in values if value is not None))
    return tuple(None if value is None else int(value * scale) for value in values)


class Grid(msgspec.Struct, frozen=True):
    """The multiples of a step; `field` names in errors what is counted, `over` / `under` is the step in integers.

    Up to `few` steps, their value has at most 15 digits.
    """

    step: Decimal
    field: str
    over: int
    under: int
    few: int

    @classmethod
    def of(cls, step: Decimal, field: str) -> Grid:
        """Return the grid of a step that `positive` returned."""
        few = (10**_DIGITS_OF_FLOATS - 1) // int("".join(map(str, step.as_tuple().digits)))
        return cls(step, field, *step.as_integer_ratio(), few)

    def divide(self, value: Number) -> tuple[int, int]:
        """Return the whole steps in a value, rounded down, and a rest that is 0 on the grid and positive off it."""
        try:
            # Quicker by a third than `exact`, which says what is wrong where this raises an error.
            number = _plus(value) if type(value) is Decimal else exact(value, self.field)
            over, under = number.as_integer_ratio()
        except (ArithmeticError, ValueError):
            over, under = exact(value, self.field).as_integer_ratio()
        return divmod(over * self.under, under * self.over)

    def ratio(self, value: Number, field: str | None = None) -> tuple[int, int]:
        """Return the steps in a value, as numerator and denominator; errors name `field` instead of the grid's."""
        over, under = exact(value, field or self.field).as_integer_ratio()
        return over * self.under, under * self.over

    def count(self, value: Number, how: Rounding | None = None) -> int:
        """Return the steps in a value; one between two steps raises InvalidOrder unless `how` tells how to round it.

        Only a value of zero or more is rounded: less raises InvalidOrder too.
        """
        over, under = self.ratio(value)
        if how is None and over % under:
            raise InvalidOrder(f"{self.field} lies between two multiples of {self.step}: round it", field=self.field)
        if how is not None and over < 0:
            raise InvalidOrder(f"{self.field} is less than zero", field=self.field)
        if how is Rounding.NEAREST:
            return round(Fraction(over, under))
        return -(-over // under) if how is Rounding.UP else over // under

    def value(self, count: int) -> Decimal:
        """Return the value of so many steps, with as many decimals as the step has."""
        if type(count) is not int or abs(count) >= _MOST_STEPS:
            raise InvalidOrder(
                f"{self.field}: the number of steps must be int, of at most {3 * _DIGITS} digits", field=self.field
            )
        return product(Decimal(count), self.step)

    def text(self, count: int) -> str:
        """Return the value of so many steps as text without exponent, with as many decimals as the step has."""
        return format(self.value(count), "f")
