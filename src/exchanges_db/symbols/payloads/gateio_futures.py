"""Gate.io futures: GET /api/v4/futures/{settle}/contracts. Quantities are contracts; the settlement is in the URL only.

Prices, funding and open interest stand in the same rows and are not read, except that open positions tell whether a
contract in delisting is gone: without any, it is.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols import rules
from exchanges_db.symbols.enums import ContractDirection, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.reading import Document, Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

# By what the contracts settle in.
PATHS = {"usdt": "/api/v4/futures/usdt/contracts", "btc": "/api/v4/futures/btc/contracts"}
_STATUS = {
    "prelaunch": SymbolStatus.PRELAUNCH,
    "trading": SymbolStatus.TRADING,
    "delisting": SymbolStatus.DELISTING,
    "delisted": SymbolStatus.DELISTED,
    "circuit_breaker": SymbolStatus.HALTED,
    "suspend": SymbolStatus.HALTED,
}
_DONE = (SymbolStatus.DELISTED, SymbolStatus.EXPIRED)
_ONE_CONTRACT = Decimal(1)
_KNOWN = frozenset(
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


class _Row(msgspec.Struct):
    name: str
    quanto_multiplier: Any
    order_price_round: Any
    type: str | None = None
    status: str | None = None
    in_delisting: Any = None
    position_size: Any = None
    enable_decimal: Any = None
    order_size_min: Any = None
    order_size_max: Any = None
    maker_fee_rate: Any = None
    taker_fee_rate: Any = None
    create_time: Any = None
    launch_time: Any = None
    delisting_time: Any = None
    delisted_time: Any = None
    expire_time: Any = None


def looks_like(document: Document) -> bool:
    """Return whether a payload has the shape of this one."""
    return document.top is None and document.has_keys("name", "quanto_multiplier", "order_price_round")


def read(document: Document, *, settle: str, observed_at: datetime) -> Payload:
    """Return the symbols in it, all of which settle in `settle`."""
    rules.check_text("settle", settle)
    currency = values.code(settle)
    read = reading.read_rows(document, _Row, "name", _KNOWN, partial(_spec, settle=currency, observed_at=observed_at))
    foreign = None
    fitting = [symbol for symbol in read.symbols if symbol.spec.direction is not ContractDirection.QUANTO]
    if document.rows and not fitting:
        foreign = f"none of its contracts is quoted in {currency} or on {currency}: it may be of another settlement"
    return msgspec.structs.replace(read, settle=currency, foreign=foreign)


def _spec(row: _Row, notes: Notes, settle: str, observed_at: datetime) -> SymbolSpec:
    parts = row.name.split("_")
    if len(parts) not in (2, 3):
        raise BrokenRow("its name is not BASE_QUOTE or BASE_QUOTE_DATE")
    base, quote = values.code(parts[0]), values.code(parts[1])
    # By expire_time, not by the name: recorded names have had other dates.
    expires_at = values.moment("expire_time", row.expire_time)
    dated = expires_at is not None
    if dated != (len(parts) == 3):
        raise BrokenRow("expire_time and a date in the name must come together")
    direction, contract_size = _terms(row, base, quote, settle, notes)
    smallest = values.number("order_size_min", row.order_size_min)
    in_parts = values.flag("enable_decimal", row.enable_decimal) and smallest
    status = _status(row, notes, observed_at, expires_at)
    listed_at = values.moment("launch_time", row.launch_time) or values.moment("create_time", row.create_time)
    return SymbolSpec(
        native_symbol=row.name,
        symbol=f"{base}/{quote}:{settle}{expires_at:-%y%m%d}" if expires_at else f"{base}/{quote}:{settle}",
        base=base,
        quote=quote,
        settle=settle,
        kind=SymbolKind.FUTURE if dated else SymbolKind.PERPETUAL,
        direction=direction,
        contract_size=contract_size,
        price_tick=values.required("order_price_round", values.number("order_price_round", row.order_price_round)),
        quantity_step=smallest if in_parts and smallest else _ONE_CONTRACT,
        min_quantity=smallest,
        max_quantity=values.maximum("order_size_max", row.order_size_max),
        maker_fee=values.number("maker_fee_rate", row.maker_fee_rate),
        taker_fee=values.number("taker_fee_rate", row.taker_fee_rate),
        status=status,
        sides=SidesAllowed.NONE if status in _DONE else SidesAllowed.ALL,
        listed_at=listed_at,
        delisting_at=values.moment("delisting_time", row.delisting_time),
        delisted_at=values.moment("delisted_time", row.delisted_time)
        or (observed_at if status is SymbolStatus.DELISTED else None),
        expires_at=expires_at,
    )


def _terms(row: _Row, base: str, quote: str, settle: str, notes: Notes) -> tuple[ContractDirection, Decimal]:
    """Return the direction of the contract, and its size: an inverse one with the multiplier 0 is worth 1 USD."""
    if row.type not in ("direct", "inverse", None):
        notes.unknown("type", row.type)
    if settle == quote and row.type != "inverse":
        direction = ContractDirection.LINEAR
    elif settle == base and row.type != "direct":
        direction = ContractDirection.INVERSE
    elif settle not in (base, quote) and row.type != "inverse":
        direction = ContractDirection.QUANTO
    else:
        raise BrokenRow(f"a contract of type {row.type} on {shown(row.name)} cannot settle in {settle}")
    size = values.number("quanto_multiplier", row.quanto_multiplier)
    if size is not None and not size and direction is ContractDirection.INVERSE:
        return direction, Decimal(1)
    return direction, values.required("quanto_multiplier", size)


def _status(row: _Row, notes: Notes, observed_at: datetime, expires_at: datetime | None) -> SymbolStatus:
    if expires_at is not None and expires_at <= observed_at:
        return SymbolStatus.EXPIRED
    # Old payloads have no status; a contract in them trades unless it is being delisted.
    status = _STATUS.get("trading" if row.status is None else row.status)
    if status is None:
        notes.unknown("status", str(row.status))
        status = SymbolStatus.HALTED
    leaving = values.flag("in_delisting", row.in_delisting) or status is SymbolStatus.DELISTING
    if leaving and status not in _DONE:
        # Positions can be closed until none is left.
        size = values.number("position_size", row.position_size)
        return SymbolStatus.DELISTED if size is not None and not size else SymbolStatus.DELISTING
    return status
