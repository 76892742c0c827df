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
_TRADING, _DELISTED = SymbolStatus.TRADING, SymbolStatus.DELISTED
# As long as the shortest of the columns for names, and of those for labels.
_SHORT_NAMES, _SHORT_LABEL = 50, 200
_MOST_ORDERS = 2**31 - 1
_MOST = 65_536


# What a check has let through, by its id; held, so that no other object gets that id.
_positive: dict[int, object] = {}
_not_negative: dict[int, object] = {}
_fees: dict[int, object] = {}
_margins: dict[int, object] = {}
_order_types: dict[int, object] = {}


def is_usual(spec: Any) -> bool:
    """Return whether a specification keeps to all rules, as far as that is quickly told; False says nothing."""
    return _has_usual_numbers(spec) and _has_usual_words(spec) and (spec.kind is _SPOT or _has_usual_terms(spec))


def _has_usual_numbers(spec: Any) -> bool:
    # Written out, number by number: a loop over them takes half as long again.
    positive, not_negative, fees = _positive, _not_negative, _fees
    least, most, cheapest, dearest = spec.min_quantity, spec.max_quantity, spec.min_notional, spec.max_notional
    market_most, market_dearest = spec.market_max_quantity, spec.market_max_notional
    up, down, slip = spec.price_band_up, spec.price_band_down, spec.market_slip_ratio
    maker, taker = spec.list_maker_fee, spec.list_taker_fee
    return (
        id(spec.price_tick) in positive
        and id(spec.quantity_step) in positive
        and (most is None or id(most) in positive)
        and (least is None or (id(least) in not_negative and (most is None or least <= most)))
        and (dearest is None or id(dearest) in positive)
        and (cheapest is None or (id(cheapest) in not_negative and (dearest is None or cheapest <= dearest)))
        and spec.market_min_quantity is None
        and (market_most is None or id(market_most) in positive)
        and (market_dearest is None or id(market_dearest) in positive)
        and (spec.market_min_notional is None or _is_minimum(spec.market_min_notional, market_dearest))
        and (up is None or id(up) in not_negative)
        and (down is up or down is None or id(down) in not_negative)
        and (slip is None or id(slip) in not_negative)
        and (maker is None or id(maker) in fees)
        and (taker is maker or taker is None or id(taker) in fees)
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
    held.update((id(one), one) for one in found if one is not None)


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
    name, symbol, base, quote = spec.native_symbol, spec.symbol, spec.base, spec.quote
    if not (type(name) is type(symbol) is type(base) is type(quote) is str and name and symbol and base and quote):
        return False
    text = name + symbol + base + quote
    if len(text) > _SHORT_NAMES or not text.isprintable() or " " in text:
        return False
    if spec.kind is _SPOT and not (
        spec.settle is spec.direction is spec.contract_size is spec.leverage_min is spec.leverage_max is None
        and spec.initial_margin_rate is spec.maintenance_margin_rate is spec.asset_class is None
        and spec.funding_interval is spec.funding_cap is spec.max_open_orders is None
    ):
        return False
    status, types, label, address = spec.status, spec.order_types, spec.full_name, spec.contract_address
    margin, risky, early = spec.margin_allowed, spec.is_risky, spec.is_premarket
    return (
        (status is _TRADING or (type(status) is SymbolStatus and status is not _DELISTED))
        and type(spec.sides) is SidesAllowed
        and type(spec.api_tradable) is type(spec.tick_assumed) is type(spec.step_assumed) is bool
        and (margin is None or margin is False or margin is True)
        and (risky is None or risky is False or risky is True)
        and (early is None or early is False or early is True)
        and (types is None or id(types) in _order_types)
        and spec.strike is spec.option_type is spec.expires_at is None
        and (label is None or _is_short_label(label))
        and (address is None or _is_short_label(address))
        and (spec.price_band_of is None or type(spec.price_band_of) is PriceReference)
        and _has_usual_times(spec)
    )


def _has_usual_times(spec: Any) -> bool:
    # Readers give the same object where two times are the same.
    buying, selling, delisting, delisted = spec.buy_opens_at, spec.sell_opens_at, spec.delisting_at, spec.delisted_at
    changed = spec.exchange_changed_at
    return (
        (buying is None or _is_utc(buying))
        and (selling is None or selling is buying or _is_utc(selling))
        and (delisting is None or _is_utc(delisting))
        and (delisted is None or delisted is delisting or _is_utc(delisted))
        and (changed is None or _is_utc(changed))
    )


def _is_utc(time: Any) -> bool:
    return type(time) is datetime and time.tzinfo is UTC


def _is_short_label(label: object) -> bool:
    return (
        type(label) is str and 0 < len(label) <= _SHORT_LABEL and label.isprintable() and label[0] != " " != label[-1]
    )


def _has_usual_terms(spec: Any) -> bool:
    """Return whether what only contracts have is such; the numbers themselves are fit."""
    orders, interval, margin, cap = (
        spec.max_open_orders, spec.funding_interval, spec.maintenance_margin_rate, spec.funding_cap,
    )  # fmt: skip
    lowest, highest = spec.leverage_min, spec.leverage_max
    return (
        spec.kind is _PERPETUAL
        and spec.direction is _LINEAR
        and spec.settle == spec.quote
        and id(spec.contract_size) in _positive
        and (highest is None or id(highest) in _positive)
        and (lowest is None or (id(lowest) in _positive and (highest is None or lowest <= highest)))
        and (margin is None or id(margin) in _margins)
        and (spec.initial_margin_rate is None or id(spec.initial_margin_rate) in _margins)
        and (cap is None or id(cap) in _not_negative)
        and (spec.asset_class is None or type(spec.asset_class) is AssetClass)
        and (orders is None or (type(orders) is int and 0 < orders <= _MOST_ORDERS))
        and (interval is None or (type(interval) is int and 0 < interval <= _MOST_ORDERS))
    )


def _is_minimum(least: Decimal, most: Decimal | None) -> bool:
    return id(least) in _not_negative and (most is None or least <= most)
