"""What a report tells of a list is found with fewer questions than rows; this holds the short cut to the question."""

from decimal import Decimal
from typing import Any, cast

from exchanges_db import SymbolSpec
from exchanges_db.symbols import comparing
from exchanges_db.symbols.judge import is_satisfiable
from tests.symbol_rows import KINDS, as_spec_fields


class Watched:
    """A specification that notes which of its fields are looked at."""

    def __init__(self, spec: SymbolSpec, seen: set[str]) -> None:
        self._spec, self._seen = spec, seen

    def __getattr__(self, field: str) -> Any:
        self._seen.add(field)
        return getattr(self._spec, field)


def test_two_symbols_with_the_same_limits_are_satisfiable_alike() -> None:
    """`is_satisfiable` looks at nothing that the short cut leaves out."""
    limits: list[dict[str, Any]] = [
        {},
        {"max_quantity": Decimal("0.0001")},
        {"min_notional": Decimal(5), "max_notional": Decimal(6), "max_quantity": Decimal(1000)},
        {"min_notional": Decimal(5), "max_notional": Decimal("5.01"), "min_quantity": Decimal(3)},
    ]
    seen: set[str] = set()
    for kind in KINDS:
        for more in limits:
            spec = SymbolSpec(**as_spec_fields(kind, **more))
            is_satisfiable(cast("SymbolSpec", Watched(spec, seen)))
    counted: set[str] = set()
    comparing._limits_of(Watched(spec, counted))
    assert seen <= counted
