"""The door for floats: the steps of a grid in the number that a float is written as, exactly.

A float stands for the decimal number that Python writes for it: 0.1 for one tenth, though its binary value is a little
more. Nothing behind this door is a float. Most floats are counted without writing them out, where that is proven to
give the same; all others are written out.
"""

from __future__ import annotations

import math
from numbers import Rational, Real

from exchanges_db.errors import InvalidOrder
from exchanges_db.orders.numbers import Grid
from exchanges_db.symbols.enums import Rounding

# A member of an enum costs Python a call each time it is named.
_DOWN, _UP, _NEAREST = Rounding.DOWN, Rounding.UP, Rounding.NEAREST
# The quotient below is off by less than five roundings, each of at most 2**-53 of it: the nearest float instead of the
# number as written, of the numerator and of the denominator, and those of the two operations.
_ERROR = 2.0**-50
# Beyond these a number may have more digits than any other method takes, or a quotient has no room for parts of a step.
_SMALLEST, _LARGEST, _MOST_STEPS = 1e-180, 1e100, 2.0**48


def count_float(grid: Grid, number: float, how: Rounding | None = None) -> int:
    """Return what `grid.count` gives for the number that a float, numpy's too, or an int is written as.

    numpy's float32 is written with the few digits that it has: 0.1 stays 0.1, and not 0.10000000149011612.

    Raises:
        InvalidOrder: it is NaN, infinite, or neither float nor int; or as `grid.count` does.
    """
    if type(number) is not float and isinstance(number, float):
        number = float(number)  # numpy's float64 is one, but slow, and writes its own name around the digits
    if type(number) is float and _SMALLEST < number < _LARGEST:
        steps = number * grid.under / grid.over
        if steps < _MOST_STEPS:
            whole = int(steps)
            rest, error = steps - whole, steps * _ERROR
            if error < rest < 1 - error:  # surely between two steps
                if how is _DOWN:
                    return whole
                if how is _UP:
                    return whole + 1
                if how is _NEAREST and abs(rest - 0.5) > error:
                    return whole + (rest > 0.5)
            else:
                nearest = whole + (rest > 0.5)
                # A number of at most 15 digits whose nearest float this is, is the one that Python writes for it.
                if nearest <= grid.few and nearest * grid.over / grid.under == number:
                    return nearest
    return grid.count(_written(number, grid.field), how)


def _written(number: object, field: str) -> str | int:
    """Return the text that stands for a float; ints stay."""
    if type(number) is int:
        return number
    if isinstance(number, float):
        if math.isfinite(number):
            return repr(number)
    elif isinstance(number, Real) and not isinstance(number, Rational) and math.isfinite(number):
        return str(number)
    raise InvalidOrder(f"{field} must be a finite float; Decimal and text are for the other methods", field=field)
