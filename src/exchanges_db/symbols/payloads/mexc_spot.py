"""MEXC spot: GET /api/v3/exchangeInfo. Its `baseSizePrecision` and `quoteAmountPrecision` hold minima."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from exchanges_db.symbols.enums import SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.reading import Document, Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

PATHS = {"": "/api/v3/exchangeInfo"}
# Words before 2024-08-16, digits since.
_STATUS = {
    "1": SymbolStatus.TRADING,
    "ENABLED": SymbolStatus.TRADING,
    "2": SymbolStatus.HALTED,
    "DISABLED": SymbolStatus.HALTED,
    "3": SymbolStatus.DELISTED,
}
_SIDES = {"1": SidesAllowed.ALL, "2": SidesAllowed.BUY, "3": SidesAllowed.SELL, "4": SidesAllowed.NONE}
_KNOWN = frozenset(
    """symbol status baseAsset baseAssetPrecision quoteAsset quotePrecision quoteAssetPrecision
    baseCommissionPrecision quoteCommissionPrecision orderTypes isSpotTradingAllowed isMarginTradingAllowed
    quoteAmountPrecision baseSizePrecision permissions filters maxQuoteAmount makerCommission takerCommission
    quoteAmountPrecisionMarket maxQuoteAmountMarket fullName tradeSideType quoteOrderQtyMarketAllowed""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class _Row(msgspec.Struct, rename="camel"):
    symbol: str
    status: Any
    base_asset: str
    quote_asset: str
    base_asset_precision: Any
    quote_precision: Any = None
    quote_asset_precision: Any = None
    base_size_precision: Any = None
    quote_amount_precision: Any = None
    max_quote_amount: Any = None
    maker_commission: Any = None
    taker_commission: Any = None
    trade_side_type: Any = None
    is_spot_trading_allowed: Any = None


def looks_like(document: Document) -> bool:
    """Return whether a payload has the shape of this one."""
    top = document.top
    return top is not None and "symbols" in top and document.has_keys("symbol", "baseAsset")


def read(document: Document, *, settle: str, observed_at: datetime) -> Payload:
    """Return the symbols in it."""
    return reading.read_rows(document, _Row, "symbol", _KNOWN, partial(_spec, observed_at=observed_at))


def _spec(row: _Row, notes: Notes, observed_at: datetime) -> SymbolSpec:
    base, quote = values.code(row.base_asset), values.code(row.quote_asset)
    word = values.word("status", row.status)
    if word is None:
        raise BrokenRow("status is missing")
    status = _STATUS.get(word)
    if status is None:
        notes.unknown("status", word)
        status = SymbolStatus.HALTED
    word = values.word("tradeSideType", row.trade_side_type)
    sides = SidesAllowed.ALL if word is None else _SIDES.get(word)
    if sides is None:
        notes.unknown("tradeSideType", str(word))
        sides = SidesAllowed.NONE
    # Rows from before there was a quotePrecision have quoteAssetPrecision only.
    old = row.quote_precision is None
    return SymbolSpec(
        native_symbol=row.symbol,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        kind=SymbolKind.SPOT,
        price_tick=values.step("quoteAssetPrecision", row.quote_asset_precision)
        if old
        else values.step("quotePrecision", row.quote_precision),
        quantity_step=values.step("baseAssetPrecision", row.base_asset_precision),
        min_quantity=values.number("baseSizePrecision", row.base_size_precision),
        min_notional=values.number("quoteAmountPrecision", row.quote_amount_precision),
        max_notional=values.maximum("maxQuoteAmount", row.max_quote_amount),
        maker_fee=values.number("makerCommission", row.maker_commission),
        taker_fee=values.number("takerCommission", row.taker_commission),
        status=status,
        sides=sides,
        # Absent means that the exchange does not say, not that it forbids.
        api_tradable=values.flag("isSpotTradingAllowed", row.is_spot_trading_allowed) is not False,
        delisted_at=observed_at if status is SymbolStatus.DELISTED else None,
    )
