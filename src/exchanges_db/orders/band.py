"""The prices that an exchange takes at the moment: a band around a price that moves, so that the caller gives it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from exchanges_db.errors import InvalidOrder
from exchanges_db.orders.numbers import Grid, Number, exact, limit
from exchanges_db.symbols.models import SymbolSpec


class Band(msgspec.Struct, frozen=True):
    """The lowest and the highest price on a tick that the exchange takes; None: no bound on that side.

    A buy must not be above `highest`, a sell not below `lowest`. Some exchanges bound every order both ways:
    docs/order-rules.md names them. Where the band is narrower than a tick, `lowest` may lie above `highest`: then no
    price is taken.
    """

    lowest: Decimal | None
    highest: Decimal | None


def band_around(reference: Number, spec: SymbolSpec, prices: Grid) -> Band | None:
    """Return the band of a symbol around a price of any number of decimals; None where it has none."""
    middle = Fraction(exact(reference, "reference"))
    if middle <= 0:
        raise InvalidOrder("reference must be positive", field="reference")
    up, down = limit(spec.price_band_up, "price_band_up"), limit(spec.price_band_down, "price_band_down")
    if up is None and down is None:
        return None
    tick = Fraction(prices.over, prices.under)
    highest = None if up is None else middle * (1 + up) // tick
    # Rounded up; a price is at least one tick, however wide the band is.
    lowest = None if down is None else max(-(middle * (down - 1) // tick) if down < 1 else 0, 1)
    return Band(
        None if lowest is None else prices.value(lowest),
        None if highest is None else prices.value(highest),
    )
