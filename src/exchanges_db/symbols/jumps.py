"""Which numbers of a symbol move so far at once, or within a day, that they are not believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from exchanges_db.symbols.changes import SymbolChange
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.models import SymbolSpec

_FEES = ("list_maker_fee", "list_taker_fee")
# The caller's own context of decimals may round.
_EXACT = Context(prec=1000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def jumps_of(change: SymbolChange, recent: Sequence[SymbolSpec], limits: ImportLimits) -> Iterable[str]:
    """Return in words which fields move too far, seen from what holds now or from what has held of late."""
    for one in change.fields:
        factor = limits.factor_of(one.field)
        if factor is None or not isinstance(one.new, Decimal):
            continue
        before = [one.old, *(getattr(spec, one.field) for spec in recent)]
        jumps = (old for old in before if isinstance(old, Decimal) and _is_jump(one.field, old, one.new, factor))
        old = next(jumps, None)
        if old is not None:
            since = "" if old == one.old else f", which held within {limits.jump_within},"
            yield f"{one.field} moves from {_written(old)}{since} to {_written(one.new)}, {factor} times or more"


def _is_jump(field: str, old: Decimal, new: Decimal, factor: int | Decimal) -> bool:
    # A minimum of 0 is none, so that a number after it is learned; fees go to 0, or below, for a promotion.
    if old == 0 or (field in _FEES and (new == 0 or old.is_signed() is not new.is_signed())):
        return False
    low, high = sorted((old.copy_abs(), new.copy_abs()))
    return high >= _EXACT.multiply(low, Decimal(factor))


def _written(number: Decimal) -> str:
    # Never with an exponent, except where the zeros would fill a page.
    text = f"{number:f}" if abs(number.adjusted()) < 40 else str(number)
    return text if len(text) <= 40 else f"a number of {len(text)} characters"
