"""What Gate.io's lists of perpetuals and of dated contracts share: their rows differ in time of expiry and funding.

Quantities are contracts; the settlement is in the URL only. Prices, funding and open interest stand in the same rows
and are not read, except that open positions tell whether a contract in delisting is gone: without any, it is.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols.enums import (
    AssetClass,
    ContractDirection,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reading import Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

# Without it every size is an integer, cut towards zero.
HEADERS = {"X-Gate-Size-Decimal": "1"}
VOLATILE = frozenset(
    """mark_price index_price last_price funding_rate funding_rate_indicative funding_next_apply orderbook_id trade_id
    trade_size position_size long_users short_users basis_rate basis_value settle_price""".split()  # noqa: SIM905
)
_STATUS = {
    "prelaunch": SymbolStatus.PRELAUNCH,
    "trading": SymbolStatus.TRADING,
    "delisting": SymbolStatus.DELISTING,
    "delisted": SymbolStatus.DELISTED,
    "circuit_breaker": SymbolStatus.HALTED,
    "suspend": SymbolStatus.HALTED,
}
_CLASSES = {
    "": AssetClass.CRYPTO,
    "stocks": AssetClass.STOCK,
    "indices": AssetClass.INDEX,
    "metals": AssetClass.COMMODITY,
    "commodities": AssetClass.COMMODITY,
    "forex": AssetClass.FX,
}
_PERPETUAL, _FUTURE, _QUANTO = SymbolKind.PERPETUAL, SymbolKind.FUTURE, ContractDirection.QUANTO
_LINEAR, _INVERSE, _MARK = ContractDirection.LINEAR, ContractDirection.INVERSE, PriceReference.MARK
_HALTED, _DELISTING = SymbolStatus.HALTED, SymbolStatus.DELISTING
_DELISTED, _EXPIRED = SymbolStatus.DELISTED, SymbolStatus.EXPIRED
_ALL, _NONE = SidesAllowed.ALL, SidesAllowed.NONE
_ONE_CONTRACT = Decimal(1)
_CANNOT_SETTLE = "cannot settle in"
KNOWN = tuple(
    """name type quanto_multiplier leverage_min leverage_max maintenance_rate mark_type mark_price index_price
    last_price maker_fee_rate taker_fee_rate order_price_round mark_price_round funding_rate
    funding_rate_indicative funding_interval funding_next_apply funding_offset funding_cap_ratio
    funding_rate_limit funding_impact_value interest_rate risk_limit_base risk_limit_step risk_limit_max
    order_size_min order_size_max order_price_deviate ref_discount_rate ref_rebate_rate orderbook_id trade_id
    trade_size position_size long_users short_users config_change_time create_time launch_time in_delisting
    delisting_time delisted_time status orders_limit enable_bonus enable_credit enable_decimal
    enable_circuit_breaker is_pre_market contract_type voucher_leverage cross_leverage_default
    market_order_size_max market_order_slip_ratio underlying cycle expire_time settle_price
    settle_price_interval settle_price_duration settle_fee_rate basis_rate basis_value basis_impact_value""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class ContractRow(msgspec.Struct, gc=False):
    """What is read of a row."""

    name: str
    quanto_multiplier: Any
    order_price_round: Any
    type: str | None = None
    status: str | None = None
    contract_type: Any = None
    in_delisting: Any = None
    position_size: Any = None
    enable_decimal: Any = None
    order_size_min: Any = None
    order_size_max: Any = None
    market_order_size_max: Any = None
    market_order_slip_ratio: Any = None
    order_price_deviate: Any = None
    orders_limit: Any = None
    leverage_min: Any = None
    leverage_max: Any = None
    maintenance_rate: Any = None
    funding_interval: Any = None
    funding_rate_limit: Any = None
    maker_fee_rate: Any = None
    taker_fee_rate: Any = None
    is_pre_market: Any = None
    launch_time: Any = None
    delisting_time: Any = None
    delisted_time: Any = None
    expire_time: Any = None
    config_change_time: Any = None


def read_contracts(document: Document, *, listing: Listing, source: str, observed_at: datetime) -> Payload:
    """Return the contracts in a list of either kind."""
    settle = str(listing.settle)
    to_spec = partial(_spec, kind=listing.kind, settle=settle, observed_at=observed_at)
    read = reading.read_rows(
        document, ContractRow, "name", KNOWN, to_spec, listing=listing, source=source, volatile=VOLATILE
    )
    elsewhere = any(_CANNOT_SETTLE in row.reason for row in read.rejected)
    if all(symbol.spec.direction is _QUANTO for symbol in read.symbols) and (read.symbols or elsewhere):
        foreign = f"none of its contracts is quoted in {settle} or on {settle}: it may be of another settlement"
        return msgspec.structs.replace(read, foreign=foreign)
    return read


def _spec(row: ContractRow, notes: Notes, kind: SymbolKind, settle: str, observed_at: datetime) -> SymbolSpec:
    base, quote, expires_at = _name(row, kind)
    direction, contract_size = _terms(row, base, quote, settle)
    step, step_assumed, least = _sizes(row)
    times = _times(row, notes)
    asset_class, halted = _class(row, notes)
    status = _status(row, notes, observed_at, expires_at, times, halted)
    deviate = values.number("order_price_deviate", row.order_price_deviate)
    return SymbolSpec(
        native_symbol=row.name,
        symbol=f"{base}/{quote}:{settle}{expires_at:-%y%m%d}" if expires_at else f"{base}/{quote}:{settle}",
        base=base,
        quote=quote,
        settle=settle,
        kind=kind,
        direction=direction,
        contract_size=contract_size,
        price_tick=values.required("order_price_round", values.number("order_price_round", row.order_price_round)),
        quantity_step=step,
        step_assumed=step_assumed,
        min_quantity=least,
        max_quantity=values.maximum("order_size_max", row.order_size_max),
        market_max_quantity=values.maximum("market_order_size_max", row.market_order_size_max),
        price_band_up=deviate,
        price_band_down=deviate,
        price_band_of=None if deviate is None else _MARK,
        market_slip_ratio=values.number("market_order_slip_ratio", row.market_order_slip_ratio),
        leverage_min=values.maximum("leverage_min", row.leverage_min),
        leverage_max=values.maximum("leverage_max", row.leverage_max),
        maintenance_margin_rate=values.number("maintenance_rate", row.maintenance_rate),
        funding_interval=values.count("funding_interval", row.funding_interval),
        funding_cap=values.number("funding_rate_limit", row.funding_rate_limit),
        max_open_orders=values.count("orders_limit", row.orders_limit),
        is_premarket=values.flag("is_pre_market", row.is_pre_market),
        asset_class=asset_class,
        list_maker_fee=values.number("maker_fee_rate", row.maker_fee_rate),
        list_taker_fee=values.number("taker_fee_rate", row.taker_fee_rate),
        status=status,
        sides=_NONE if status is _DELISTED or status is _EXPIRED else _ALL,
        buy_opens_at=times.opens_at,
        sell_opens_at=times.opens_at,
        delisting_at=times.delisting_at,
        delisted_at=times.delisted_at or (observed_at if status is _DELISTED else None),
        expires_at=expires_at,
        exchange_changed_at=values.moment("config_change_time", row.config_change_time),
    )


def _name(row: ContractRow, kind: SymbolKind) -> tuple[str, str, datetime | None]:
    """Return base, quote and time of expiry, by expire_time and not by the name: recorded names had other dates."""
    parts = row.name.split("_")
    if len(parts) not in (2, 3):
        raise BrokenRow("its name is not BASE_QUOTE or BASE_QUOTE_DATE")
    expires_at = values.moment("expire_time", row.expire_time)
    if (expires_at is not None) != (len(parts) == 3):
        raise BrokenRow("expire_time and a date in the name must come together")
    if (expires_at is not None) != (kind is _FUTURE):
        other = "a list of perpetuals" if expires_at is None else "a list of dated contracts"
        raise BrokenRow(f"it belongs into {other}")
    return values.code(parts[0]), values.code(parts[1]), expires_at


def _terms(row: ContractRow, base: str, quote: str, settle: str) -> tuple[ContractDirection, Decimal]:
    """Return the direction of the contract, and its size: an inverse one with the multiplier 0 is worth 1 USD."""
    if settle == quote and row.type != "inverse":
        direction = _LINEAR
    elif settle == base and row.type != "direct":
        direction = _INVERSE
    elif settle not in (base, quote) and row.type != "inverse":
        direction = _QUANTO
    else:
        raise BrokenRow(f"a contract of type {row.type} on {shown(row.name)} {_CANNOT_SETTLE} {settle}")
    size = values.number("quanto_multiplier", row.quanto_multiplier)
    if size is not None and not size and direction is _INVERSE:
        return direction, _ONE_CONTRACT
    return direction, values.required("quanto_multiplier", size)


def _sizes(row: ContractRow) -> tuple[Decimal, bool, Decimal | None]:
    """Return the quantity step, whether it was assumed, and the minimum."""
    least = values.number("order_size_min", row.order_size_min)
    if not values.flag("enable_decimal", row.enable_decimal):
        return _ONE_CONTRACT, False, least
    cut = (row.order_size_min, row.order_size_max, row.position_size, row.market_order_size_max)
    if (least is not None and not least) or any(type(size) is int for size in cut):
        header = ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        raise BrokenRow(f"its sizes are cut to integers: the list was asked for without the header {header}")
    # How fine the decimals are, no document states.
    return values.required("order_size_min", values.coarser(None, least)), True, least


class _Times(NamedTuple):
    opens_at: datetime | None
    delisting_at: datetime | None
    delisted_at: datetime | None


def _times(row: ContractRow, notes: Notes) -> _Times:
    """Return when it opens, when positions can only be closed, and when it ends.

    create_time is no launch. An end that is no later than the launch is none: the documents' example has such ones.
    """
    opens_at = values.moment("launch_time", row.launch_time)
    ends = []
    for field, value in (("delisting_time", row.delisting_time), ("delisted_time", row.delisted_time)):
        end = values.moment(field, value)
        if end is not None and opens_at is not None and end <= opens_at:
            notes.unknown(field, str(value), "left out")
            end = None
        ends.append(end)
    return _Times(opens_at, *ends)


def _class(row: ContractRow, notes: Notes) -> tuple[AssetClass | None, bool]:
    """Return what the contract is on, and whether a word that decides about trading is not known."""
    halted = False
    if row.type not in ("direct", "inverse", None):
        notes.unknown("type", row.type, "HALTED")
        halted = True
    word = values.word("contract_type", row.contract_type)
    if word is None:
        return None, halted
    asset_class = _CLASSES.get(word)
    if asset_class is None:
        notes.unknown("contract_type", word, "HALTED")
        halted = True
    return asset_class, halted


def _status(
    row: ContractRow, notes: Notes, observed_at: datetime, expires_at: datetime | None, times: _Times, halted: bool
) -> SymbolStatus:
    # Lists of dated contracts and old payloads have no status: a contract in them trades unless it is being delisted.
    status = _STATUS.get("trading" if row.status is None else row.status)
    if status is None:
        notes.unknown("status", str(row.status), "HALTED")
        status, halted = _HALTED, True
    if expires_at is not None and expires_at <= observed_at:
        return _EXPIRED
    ended = times.delisted_at is not None and times.delisted_at <= observed_at
    if status is _DELISTED or ended:
        return _DELISTED
    if values.flag("in_delisting", row.in_delisting) or status is _DELISTING:
        # Positions can be closed until none is left.
        size = values.number("position_size", row.position_size)
        if size is not None and not size:
            return _DELISTED
        return _HALTED if halted or status is _HALTED else _DELISTING
    if times.delisting_at is not None and times.delisting_at <= observed_at and status is not _HALTED:
        status = _DELISTING
    return _HALTED if halted else status
