"""Floats of a symbol for those who only display it: they are not exact, and no order may be made of them."""

from __future__ import annotations

from decimal import Decimal

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.symbols.models import SymbolSpec, fields_of


def float_view(symbol: SymbolSpec) -> dict[str, float | None]:
    """Return every number of a symbol that is a Decimal as the nearest float, by field: for display only.

    None stays None. For orders there is `OrderRules`, which takes floats as well and is exact.

    Raises:
        InvalidSymbol: it is none, such as the None of a look-up that found nothing.
    """
    if not isinstance(symbol, SymbolSpec):
        raise InvalidSymbol(f"floats are shown of a Symbol or SymbolSpec, not of {shown(symbol)}", field="symbol")
    numbers = ((field, getattr(symbol, field)) for field in fields_of(SymbolSpec, Decimal))
    return {field: None if number is None else float(number) for field, number in numbers}
