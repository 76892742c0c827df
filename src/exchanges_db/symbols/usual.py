"""Whether a specification is of the usual make, told in one go: what is not is looked at field by field, in `rules`.

Readers make thousands of specifications at once. They give the same object for the same text of a payload, so that a
number that was found fit once need not be looked at in every row. A `spec` is a SymbolSpec, as in `rules`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
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


# What a check has let through, by its id; held, so that no other object gets that id.
_positive: dict[int, object] = {}
_not_negative: dict[int, object] = {}
_fees: dict[int, object] = {}
_margins: dict[int, object] = {}
_order_types: dict[int, object] = {}


def is_usual(spec: Any) -> bool:
    """Return whether a specification keeps to all rules, as far as that is quickly told; False says nothing."""
    if spec.price_tick is None or spec.quantity_step is None:
        return False
    for number in _positives(spec):
        if number is not None and id(number) not in _positive:
            return False
    for number in _others(spec):
        if number is not None and id(number) not in _not_negative:
            return False
    for time in (
        spec.buy_opens_at, spec.sell_opens_at, spec.delisting_at, spec.delisted_at, spec.exchange_changed_at,
    ):  # fmt: skip
        if time is not None and (type(time) is not datetime or time.tzinfo is not UTC):
            return False
    least, most, cheapest, dearest = spec.min_quantity, spec.max_quantity, spec.min_notional, spec.max_notional
    maker, taker = spec.list_maker_fee, spec.list_taker_fee
    return (
        (least is None or most is None or least <= most)
        and (cheapest is None or dearest is None or cheapest <= dearest)
        and (maker is None or id(maker) in _fees)
        and (taker is maker or taker is None or id(taker) in _fees)
        and (spec.order_types is None or id(spec.order_types) in _order_types)
        and spec.market_min_quantity is None
        and (spec.market_min_notional is None or _is_at_most(spec.market_min_notional, spec.market_max_notional))
        and (spec.kind is _SPOT or _has_usual_terms(spec))
        and _has_usual_words(spec)
    )


def remember(spec: Any) -> None:
    """Keep in mind what a specification has, which `rules` has let through."""
    _hold(_positive, _positives(spec))
    _hold(_not_negative, _others(spec))
    _hold(_fees, (spec.list_maker_fee, spec.list_taker_fee))
    _hold(_margins, (spec.initial_margin_rate, spec.maintenance_margin_rate))
    _hold(_order_types, (spec.order_types,))


def _hold(held: dict[int, object], found: tuple[object, ...]) -> None:
    if len(held) >= _MOST:
        held.clear()
    held.update((id(one), one) for one in found)


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
    if kind is _SPOT and not (
        spec.settle is None
        and spec.direction is None
        and spec.contract_size is spec.leverage_min is spec.leverage_max is None
        and spec.initial_margin_rate is spec.maintenance_margin_rate is None
        and spec.funding_interval is spec.max_open_orders is None
    ):
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
        and spec.strike is None
        and spec.option_type is None
        and spec.expires_at is None
        and (spec.contract_address is None or _is_short_label(spec.contract_address))
        and (spec.asset_class is None or type(spec.asset_class) is AssetClass)
        and (spec.price_band_of is None or type(spec.price_band_of) is PriceReference)
    )


def _is_short_label(label: object) -> bool:
    return (
        type(label) is str and 0 < len(label) <= _SHORT_LABEL and label.isprintable() and label[0] != " " != label[-1]
    )


def _has_usual_terms(spec: Any) -> bool:
    """Return whether what only contracts have is such; the numbers themselves are fit."""
    orders, interval, margin = spec.max_open_orders, spec.funding_interval, spec.maintenance_margin_rate
    return (
        spec.kind is _PERPETUAL
        and spec.direction is _LINEAR
        and spec.settle == spec.quote
        and spec.contract_size is not None
        and (spec.leverage_min is None or _is_at_most(spec.leverage_min, spec.leverage_max))
        and (margin is None or id(margin) in _margins)
        and (spec.initial_margin_rate is None or id(spec.initial_margin_rate) in _margins)
        and (orders is None or (type(orders) is int and 0 < orders <= _MOST_ORDERS))
        and (interval is None or (type(interval) is int and 0 < interval <= _MOST_ORDERS))
    )


def _is_at_most(least: Decimal, most: Decimal | None) -> bool:
    return most is None or least <= most
