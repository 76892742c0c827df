"""From where on a list, or a row of it, is not believed: the thresholds of the brakes, which an import can set."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from exchanges_db.errors import InvalidArgument, shown

_LONGEST = {"jump_within": timedelta(days=366), "skew": timedelta(days=1)}


class ImportLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of the brakes. What each of them is measured on, and why it is so high, says docs/symbols.md.

    A share is over its limit when it is more than so many percent; exactly so many pass. It counts from `fewest_rows`
    rows on. A factor is reached when the larger number is at least so many times the smaller.

    Attributes:
        left_percent: of the live symbols may leave. halted_percent: of them may be halted at once.
        field_percent: of them may change in one and the same field. jump_percent: of them may jump.
        unknown_percent, rejected_percent, duplicate_percent: of the payload's rows may have a word that closes because
            nobody knows it, be unreadable, or be there twice.
        fewest_rows: in fewer rows than this no share is seen, and single rows are held back.
        tick_factor, ..., fee_factor: how far that number of a symbol may move within `jump_within`.
        skew: how far ahead of the database's clock a list may have been observed, because clocks differ.

    Raises:
        InvalidArgument: one of them is no such number; `.field` names it.
    """

    left_percent: int = 10
    halted_percent: int = 20
    unknown_percent: int = 10
    field_percent: int = 20
    jump_percent: int = 10
    rejected_percent: int = 10
    duplicate_percent: int = 10
    fewest_rows: int = 5
    tick_factor: int | Decimal = 100
    step_factor: int | Decimal = 100
    contract_size_factor: int | Decimal = 10
    min_quantity_factor: int | Decimal = 100
    min_notional_factor: int | Decimal = 100
    fee_factor: int | Decimal = 20
    jump_within: timedelta = timedelta(days=1)
    skew: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if field.endswith("_percent"):
                if type(value) is not int or not 0 <= value <= 100:
                    raise _wrong(field, value, "a whole number from 0 to 100")
            elif field.endswith("_factor"):
                if type(value) not in (int, Decimal) or not (Decimal(value).is_finite() and value > 1):
                    raise _wrong(field, value, "an int or a Decimal, more than 1")
            elif field == "fewest_rows":
                if type(value) is not int or value < 1:
                    raise _wrong(field, value, "a whole number, 1 or more")
            elif not isinstance(value, timedelta) or not timedelta(0) <= value <= _LONGEST[field]:
                raise _wrong(field, value, f"a timedelta from 0 to {_LONGEST[field].days} days")

    def is_over(self, affected: int, percent: int, whole: int) -> bool:
        """Return whether so many rows of `whole` are more than their share, few or not."""
        return 100 * affected > percent * whole

    def refuses(self, affected: int, percent: int, whole: int) -> bool:
        """Return whether so many rows of `whole` stop the list: more than their share, and enough to speak of one."""
        return affected >= self.fewest_rows and self.is_over(affected, percent, whole)

    def factor_of(self, field: str) -> int | Decimal | None:
        """Return how far a field of a symbol may move; None for one that is no such number."""
        limit = _FACTORS.get(field)
        return None if limit is None else getattr(self, limit)


_FACTORS = {
    "price_tick": "tick_factor",
    "quantity_step": "step_factor",
    "contract_size": "contract_size_factor",
    "min_quantity": "min_quantity_factor",
    "market_min_quantity": "min_quantity_factor",
    "min_notional": "min_notional_factor",
    "market_min_notional": "min_notional_factor",
    "list_maker_fee": "fee_factor",
    "list_taker_fee": "fee_factor",
}


def _wrong(field: str, value: object, what: str) -> InvalidArgument:
    return InvalidArgument(f"limits: {field} must be {what}, not {shown(value)}", field=field)
