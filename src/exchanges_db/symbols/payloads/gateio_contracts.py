"""What Gate.io's lists of perpetuals and of dated contracts share: their rows differ in time of expiry and funding.

Quantities are contracts; the settlement is in the URL only. Prices, funding and open interest stand in the same rows
and are not read, except that open positions tell whether a contract in delisting is gone: without any, it is.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

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
# What both words say together, where both are known.
_CLASSES_BY_TYPE: dict[tuple[str | None, str | None], AssetClass | None] = {
    (type_, word): asset_class
    for type_ in ("direct", "inverse", None)
    for word, asset_class in ((None, None), *_CLASSES.items())
}
_PERPETUAL, _FUTURE, _QUANTO = SymbolKind.PERPETUAL, SymbolKind.FUTURE, ContractDirection.QUANTO
_LINEAR, _INVERSE, _MARK = ContractDirection.LINEAR, ContractDirection.INVERSE, PriceReference.MARK
_TRADING, _HALTED, _DELISTING = SymbolStatus.TRADING, SymbolStatus.HALTED, SymbolStatus.DELISTING
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
    to_spec = partial(_spec, listing.kind, settle, observed_at)
    read = reading.read_rows(
        document, ContractRow, "name", KNOWN, to_spec, listing=listing, source=source, volatile=VOLATILE
    )
    elsewhere = any(_CANNOT_SETTLE in row.reason for row in read.rejected)
    if all(symbol.spec.direction is _QUANTO for symbol in read.symbols) and (read.symbols or elsewhere):
        foreign = f"none of its contracts is quoted in {settle} or on {settle}: it may be of another settlement"
        return msgspec.structs.replace(read, foreign=foreign)
    return read


_NUMBERS = (
    "quanto_multiplier", "order_price_round", "order_size_min", "order_size_max", "market_order_size_max",
    "market_order_slip_ratio", "order_price_deviate", "leverage_min", "leverage_max", "maintenance_rate",
    "funding_rate_limit", "maker_fee_rate", "taker_fee_rate",
)  # fmt: skip


def _spec(kind: SymbolKind, settle: str, observed_at: datetime, row: ContractRow, notes: Notes) -> SymbolSpec:
    multiplier, tick, least, most, market_most, slip, deviate, leverage_min, leverage_max, margin, cap, maker, taker = (
        values.numbers(
            _NUMBERS,
            (
                row.quanto_multiplier, row.order_price_round, row.order_size_min, row.order_size_max,
                row.market_order_size_max, row.market_order_slip_ratio, row.order_price_deviate, row.leverage_min,
                row.leverage_max, row.maintenance_rate, row.funding_rate_limit, row.maker_fee_rate, row.taker_fee_rate,
            ),
        )
    )  # fmt: skip
    base, quote, expires_at = _name(row, kind)
    direction, contract_size = _terms(row, base, quote, settle, multiplier)
    # Here and below, what most rows have is told without a call.
    whole = row.enable_decimal is False or row.enable_decimal is None
    step, step_assumed = (_ONE_CONTRACT, False) if whole else _step(row, least)
    # create_time is no launch.
    opens_at = values.moment("launch_time", row.launch_time)
    delisting_at = delisted_at = None
    if not row.delisting_time is row.delisted_time is None:
        delisting_at = _end("delisting_time", row.delisting_time, opens_at, notes)
        delisted_at = _end("delisted_time", row.delisted_time, opens_at, notes)
    try:
        asset_class, halted = _CLASSES_BY_TYPE[row.type, row.contract_type], False
    except (KeyError, TypeError):
        asset_class, halted = _class(row, notes)
    stays = row.in_delisting is False or row.in_delisting is None
    if row.status == "trading" and stays and not halted and delisting_at is delisted_at is expires_at is None:
        status = _TRADING
    else:
        status = _status(row, notes, halted, observed_at, expires_at, delisting_at, delisted_at)
    return SymbolSpec(
        native_symbol=row.name,
        symbol=f"{base}/{quote}:{settle}{expires_at:-%y%m%d}" if expires_at else f"{base}/{quote}:{settle}",
        base=base,
        quote=quote,
        settle=settle,
        kind=kind,
        direction=direction,
        contract_size=contract_size,
        price_tick=values.required("order_price_round", tick),
        quantity_step=step,
        step_assumed=step_assumed,
        min_quantity=least,
        max_quantity=most or None,
        market_max_quantity=market_most or None,
        price_band_up=deviate,
        price_band_down=deviate,
        price_band_of=None if deviate is None else _MARK,
        market_slip_ratio=slip,
        leverage_min=leverage_min or None,
        leverage_max=leverage_max or None,
        maintenance_margin_rate=margin,
        funding_interval=values.count("funding_interval", row.funding_interval),
        funding_cap=cap,
        max_open_orders=values.count("orders_limit", row.orders_limit),
        is_premarket=values.flag("is_pre_market", row.is_pre_market),
        asset_class=asset_class,
        list_maker_fee=maker,
        list_taker_fee=taker,
        status=status,
        sides=_NONE if status is _DELISTED or status is _EXPIRED else _ALL,
        buy_opens_at=opens_at,
        sell_opens_at=opens_at,
        delisting_at=delisting_at,
        delisted_at=delisted_at or (observed_at if status is _DELISTED else None),
        expires_at=expires_at,
        exchange_changed_at=values.moment("config_change_time", row.config_change_time),
    )


def _name(row: ContractRow, kind: SymbolKind) -> tuple[str, str, datetime | None]:
    """Return base, quote and time of expiry, by expire_time and not by the name: recorded names had other dates."""
    parts = row.name.split("_")
    if len(parts) == 2 and row.expire_time is None and kind is _PERPETUAL:
        return parts[0], parts[1], None
    if len(parts) not in (2, 3):
        raise BrokenRow("its name is not BASE_QUOTE or BASE_QUOTE_DATE")
    expires_at = values.moment("expire_time", row.expire_time)
    if (expires_at is not None) != (len(parts) == 3):
        raise BrokenRow("expire_time and a date in the name must come together")
    if (expires_at is not None) != (kind is _FUTURE):
        other = "a list of perpetuals" if expires_at is None else "a list of dated contracts"
        raise BrokenRow(f"it belongs into {other}")
    return values.code(parts[0]), values.code(parts[1]), expires_at


def _terms(
    row: ContractRow, base: str, quote: str, settle: str, size: Decimal | None
) -> tuple[ContractDirection, Decimal]:
    """Return the direction of the contract, and its size: an inverse one with the multiplier 0 is worth 1 USD."""
    if settle == quote and row.type != "inverse":
        direction = _LINEAR
    elif settle == base and row.type != "direct":
        direction = _INVERSE
    elif settle not in (base, quote) and row.type != "inverse":
        direction = _QUANTO
    else:
        raise BrokenRow(f"a contract of type {row.type} on {shown(row.name)} {_CANNOT_SETTLE} {settle}")
    if size is not None and not size and direction is _INVERSE:
        return direction, _ONE_CONTRACT
    return direction, values.required("quanto_multiplier", size)


def _step(row: ContractRow, least: Decimal | None) -> tuple[Decimal, bool]:
    """Return the quantity step, and whether it was assumed."""
    if not values.flag("enable_decimal", row.enable_decimal):
        return _ONE_CONTRACT, False
    cut = (row.order_size_min, row.order_size_max, row.position_size, row.market_order_size_max)
    if (least is not None and not least) or any(type(size) is int for size in cut):
        header = ", ".join(f"{name}: {value}" for name, value in HEADERS.items())
        raise BrokenRow(f"its sizes are cut to integers: the list was asked for without the header {header}")
    # How fine the decimals are, no document states.
    return values.last_place(values.required("order_size_min", least)), True


def _end(field: str, value: Any, opens_at: datetime | None, notes: Notes) -> datetime | None:
    """Return an end; one that is no later than the launch is none: the documents' example has such ones."""
    end = values.moment(field, value)
    if end is not None and opens_at is not None and end <= opens_at:
        notes.unknown(field, str(value), "left out")
        return None
    return end


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
    row: ContractRow, notes: Notes, halted: bool, observed_at: datetime, *ends: datetime | None
) -> SymbolStatus:
    expires_at, delisting_at, delisted_at = ends
    # Lists of dated contracts and old payloads have no status: a contract in them trades unless it is being delisted.
    status = _STATUS.get("trading" if row.status is None else row.status)
    if status is None:
        notes.unknown("status", str(row.status), "HALTED")
        status, halted = _HALTED, True
    if expires_at is not None and expires_at <= observed_at:
        return _EXPIRED
    ended = delisted_at is not None and delisted_at <= observed_at
    if status is _DELISTED or ended:
        return _DELISTED
    if values.flag("in_delisting", row.in_delisting) or status is _DELISTING:
        # Positions can be closed until none is left.
        size = values.number("position_size", row.position_size)
        if size is not None and not size:
            return _DELISTED
        return _HALTED if halted or status is _HALTED else _DELISTING
    if delisting_at is not None and delisting_at <= observed_at and status is not _HALTED:
        status = _DELISTING
    return _HALTED if halted else status
