"""Whether a specification is of the usual make, told in one go: what is not is looked at field by field, in `rules`.

Readers make thousands of specifications at once. They give the same object for the same text of a payload, so that a
number that was found fit once need not be looked at in every row. A `spec` is a SymbolSpec, as in `rules`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from exchanges_db.symbols.enums import (
    AssetClass,
    ContractDirection,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)

# A member of an enum costs Python a call each time it is named.
_SPOT, _PERPETUAL, _LINEAR = SymbolKind.SPOT, SymbolKind.PERPETUAL, ContractDirection.LINEAR
_DELISTED = SymbolStatus.DELISTED
# As long as the shortest of the columns for names, and of those for labels.
_SHORT_NAMES, _SHORT_LABEL = 50, 200
_MOST_ORDERS = 2**31 - 1
_FLAGS = frozenset(map(id, (None, True, False)))
_MOST = 65_536


class _Fit:
    """Objects that a check has let through, by id; held, so that no other object gets that id. None always passes."""

    def __init__(self) -> None:
        self._held: dict[int, object] = {id(None): None}
        self.has_id = self._held.__contains__

    def add(self, *found: object) -> None:
        if len(self._held) >= _MOST:
            self._held.clear()
            self._held[id(None)] = None
        self._held.update((id(one), one) for one in found)


_positive, _not_negative, _fees, _margins, _order_types = (_Fit() for _ in range(5))
_is_positive, _is_not_negative = _positive.has_id, _not_negative.has_id
_is_fee, _is_margin, _are_order_types = _fees.has_id, _margins.has_id, _order_types.has_id


def is_usual(spec: Any) -> bool:
    """Return whether a specification keeps to all rules, as far as that is quickly told; False says nothing."""
    return (
        _has_usual_words(spec)
        and spec.price_tick is not None is not spec.quantity_step
        and all(map(_is_positive, map(id, _positives(spec))))
        and all(map(_is_not_negative, map(id, _others(spec))))
        and _is_fee(id(spec.list_maker_fee))
        and _is_fee(id(spec.list_taker_fee))
        and _is_margin(id(spec.initial_margin_rate))
        and _is_margin(id(spec.maintenance_margin_rate))
        and _are_order_types(id(spec.order_types))
        and _are_in_order(spec)
        and _has_usual_times(spec)
    )


def remember(spec: Any) -> None:
    """Keep in mind what a specification has, which `rules` has let through."""
    _positive.add(*_positives(spec))
    _not_negative.add(*_others(spec))
    _fees.add(spec.list_maker_fee, spec.list_taker_fee)
    _margins.add(spec.initial_margin_rate, spec.maintenance_margin_rate)
    _order_types.add(spec.order_types)


def _positives(spec: Any) -> tuple[object, ...]:
    return (
        spec.price_tick, spec.quantity_step, spec.max_quantity, spec.max_notional, spec.market_max_quantity,
        spec.market_max_notional, spec.contract_size, spec.leverage_min, spec.leverage_max,
    )  # fmt: skip


def _others(spec: Any) -> tuple[object, ...]:
    return (
        spec.min_quantity, spec.min_notional, spec.market_min_notional, spec.price_band_up, spec.price_band_down,
        spec.market_slip_ratio, spec.funding_cap,
    )  # fmt: skip


def _has_usual_words(spec: Any) -> bool:
    name, symbol, base, quote, kind = spec.native_symbol, spec.symbol, spec.base, spec.quote, spec.kind
    if not (type(name) is type(symbol) is type(base) is type(quote) is str and name and symbol and base and quote):
        return False
    text = name + symbol + base + quote
    if len(text) > _SHORT_NAMES or not text.isprintable() or " " in text:
        return False
    if kind is _SPOT:
        if not spec.settle is spec.direction is spec.contract_size is None:
            return False
    elif kind is not _PERPETUAL or spec.direction is not _LINEAR or spec.settle != quote or spec.contract_size is None:
        return False
    label = spec.full_name
    return (
        (label is None or _is_short_label(label))
        and type(spec.status) is SymbolStatus
        and spec.status is not _DELISTED
        and type(spec.sides) is SidesAllowed
        and type(spec.api_tradable) is type(spec.tick_assumed) is type(spec.step_assumed) is bool
        and id(spec.margin_allowed) in _FLAGS
        and id(spec.is_risky) in _FLAGS
        and id(spec.is_premarket) in _FLAGS
        and spec.strike is spec.option_type is spec.expires_at is None
        and (spec.contract_address is None or _is_short_label(spec.contract_address))
        and (spec.asset_class is None or type(spec.asset_class) is AssetClass)
        and (spec.price_band_of is None or type(spec.price_band_of) is PriceReference)
    )


def _is_short_label(label: object) -> bool:
    return (
        type(label) is str and 0 < len(label) <= _SHORT_LABEL and label.isprintable() and label[0] != " " != label[-1]
    )


def _are_in_order(spec: Any) -> bool:
    """Return whether every minimum is at most its maximum, and counts are such; the numbers themselves are fit."""
    least, most, cheapest, dearest = spec.min_quantity, spec.max_quantity, spec.min_notional, spec.max_notional
    orders, interval = spec.max_open_orders, spec.funding_interval
    return (
        (least is None or most is None or least <= most)
        and (cheapest is None or dearest is None or cheapest <= dearest)
        and spec.market_min_quantity is None
        and (spec.market_min_notional is None or (
            spec.market_max_notional is None or spec.market_min_notional <= spec.market_max_notional
        ))
        and (spec.leverage_min is None or spec.leverage_max is None or spec.leverage_min <= spec.leverage_max)
        and (orders is None or (type(orders) is int and 0 < orders <= _MOST_ORDERS))
        and (interval is None or (type(interval) is int and 0 < interval <= _MOST_ORDERS))
    )  # fmt: skip


def _has_usual_times(spec: Any) -> bool:
    for time in (
        spec.buy_opens_at, spec.sell_opens_at, spec.delisting_at, spec.delisted_at, spec.exchange_changed_at,
    ):  # fmt: skip
        if time is not None and (type(time) is not datetime or time.tzinfo is not UTC):
            return False
    return True
