"""MEXC spot: GET /api/v3/exchangeInfo. Its `baseSizePrecision` and `quoteAmountPrecision` hold minima.

No document of MEXC states the step of quantities, nor which of two precisions of the quote is the price's: the coarser
of what is known is taken, and marked as assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.enums import PriceReference, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import mexc_offline, reading, values
from exchanges_db.symbols.payloads.decoding import Raw, check_storable
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.reading import Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

# It weighs 25 of the 500 that MEXC allows in 10 seconds.
_LISTS = {Listing(SymbolKind.SPOT): Request("/api/v3/exchangeInfo", seconds_apart=0.5)}
# Words before 2024-08-16, digits since.
_STATUS = {
    "1": SymbolStatus.TRADING,
    "ENABLED": SymbolStatus.TRADING,
    "2": SymbolStatus.HALTED,
    "DISABLED": SymbolStatus.HALTED,
    "3": SymbolStatus.DELISTED,
}
_SIDES = {"1": SidesAllowed.ALL, "2": SidesAllowed.BUY, "3": SidesAllowed.SELL, "4": SidesAllowed.NONE}
# What both words say together, where both are known.
_STATES: dict[tuple[str, str | None], tuple[SymbolStatus, SidesAllowed]] = {
    (word, side): (status, sides)
    for word, status in _STATUS.items()
    for side, sides in ((None, SidesAllowed.ALL), *_SIDES.items())
}
_SPOT, _HALTED, _DELISTED = SymbolKind.SPOT, SymbolStatus.HALTED, SymbolStatus.DELISTED
_ALL, _NONE, _LAST = SidesAllowed.ALL, SidesAllowed.NONE, PriceReference.LAST
_ONE = Decimal(1)
_Band = tuple[Decimal | None, Decimal | None]
_BAND = "PERCENT_PRICE_BY_SIDE"
_KNOWN = tuple(
    """symbol status baseAsset baseAssetPrecision quoteAsset quotePrecision quoteAssetPrecision
    baseCommissionPrecision quoteCommissionPrecision orderTypes isSpotTradingAllowed isMarginTradingAllowed
    quoteAmountPrecision baseSizePrecision permissions filters maxQuoteAmount makerCommission takerCommission
    quoteAmountPrecisionMarket maxQuoteAmountMarket fullName tradeSideType quoteOrderQtyMarketAllowed contractAddress
    conceptPlateIds conceptPlates firstOpenTime st""".split()  # noqa: SIM905 - a page of quotes hides the names
)


_NO_FILTERS = Raw(b"null")
# What filters say of the band, by their text: the same few stand in all rows.
_bands: dict[bytes, _Band] = {bytes(_NO_FILTERS): (None, None), b"[]": (None, None)}
_MOST_BANDS = 1024
_filters_of = msgspec.json.Decoder(float_hook=str).decode


class _Row(msgspec.Struct, rename="camel", gc=False):
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
    quote_amount_precision_market: Any = None
    max_quote_amount_market: Any = None
    maker_commission: Any = None
    taker_commission: Any = None
    trade_side_type: Any = None
    is_spot_trading_allowed: Any = None
    is_margin_trading_allowed: Any = None
    order_types: Any = None
    filters: Raw = _NO_FILTERS
    full_name: Any = None
    contract_address: Any = None
    first_open_time: Any = None
    st: Any = None


class MexcSpot:
    """Reads the list of MEXC spot."""

    name = "mexc_spot"
    exchange = "MEXC_SPOT"
    version = 1
    volatile: frozenset[str] = frozenset()
    index: Request | None = None
    companion = mexc_offline.REQUEST

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return the one list."""
        return _LISTS

    def absences(self, companion: bytes) -> Mapping[str, Absence]:
        """Return what MEXC says of pairs that it has suspended or delisted."""
        return mexc_offline.read_offline(companion)

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        top = document.top
        return top is not None and "symbols" in top and document.has_keys("symbol", "baseAsset")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols in it."""
        return reading.read_rows(
            document, _Row, "symbol", _KNOWN, partial(_spec, observed_at), listing=listing, source=self.name
        )


_NUMBERS = (
    "baseSizePrecision", "quoteAmountPrecision", "maxQuoteAmount", "quoteAmountPrecisionMarket",
    "maxQuoteAmountMarket", "makerCommission", "takerCommission",
)  # fmt: skip


def _spec(observed_at: datetime, row: _Row, notes: Notes) -> SymbolSpec:
    # A currency's code is as the exchange spells it: see values.code.
    base, quote = row.base_asset, row.quote_asset
    try:
        status, sides = _STATES[row.status, row.trade_side_type]
    except (KeyError, TypeError):
        status, sides = _state(row, notes)
    tick, tick_assumed = _tick(row)
    least, cheapest, dearest, market_cheapest, market_dearest, maker, taker = values.numbers(
        _NUMBERS,
        (
            row.base_size_precision, row.quote_amount_precision, row.max_quote_amount,
            row.quote_amount_precision_market, row.max_quote_amount_market, row.maker_commission,
            row.taker_commission,
        ),
    )  # fmt: skip
    step = values.coarser(values.step("baseAssetPrecision", row.base_asset_precision), least)
    band = _bands.get(bytes(row.filters))
    up, down = _band(row.filters, notes) if band is None else band
    opens_at = values.moment("firstOpenTime", row.first_open_time, milliseconds=True)
    return SymbolSpec(
        native_symbol=row.symbol,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        kind=_SPOT,
        price_tick=tick,
        tick_assumed=tick_assumed,
        quantity_step=step,
        step_assumed=True,
        min_quantity=least,
        min_notional=cheapest,
        max_notional=dearest or None,
        market_min_notional=market_cheapest,
        market_max_notional=market_dearest or None,
        price_band_up=up,
        price_band_down=down,
        price_band_of=None if up is down is None else _LAST,
        order_types=notes.order_types("orderTypes", row.order_types),
        margin_allowed=values.flag("isMarginTradingAllowed", row.is_margin_trading_allowed),
        full_name=notes.label("fullName", "full_name", row.full_name),
        contract_address=notes.label("contractAddress", "contract_address", row.contract_address),
        is_risky=values.flag("st", row.st),
        list_maker_fee=maker,
        list_taker_fee=taker,
        status=status,
        sides=sides,
        # Absent means that the exchange does not say, not that it forbids.
        api_tradable=values.flag("isSpotTradingAllowed", row.is_spot_trading_allowed) is not False,
        buy_opens_at=opens_at,
        sell_opens_at=opens_at,
        delisted_at=observed_at if status is _DELISTED else None,
    )


def _state(row: _Row, notes: Notes) -> tuple[SymbolStatus, SidesAllowed]:
    word = values.word("status", row.status)
    if word is None:
        raise BrokenRow("status is missing")
    status = _STATUS.get(word)
    if status is None:
        notes.unknown("status", word, "HALTED")
        status = _HALTED
    word = values.word("tradeSideType", row.trade_side_type)
    sides = _ALL if word is None else _SIDES.get(word)
    if sides is None:
        notes.unknown("tradeSideType", str(word), "HALTED")
        return status if status is _DELISTED else _HALTED, _NONE
    return status, sides


def _tick(row: _Row) -> tuple[Decimal, bool]:
    """Return the price tick, and whether it was chosen: rows from before 2021 have one of the two precisions only."""
    if row.quote_precision is None:
        return values.step("quoteAssetPrecision", row.quote_asset_precision), False
    tick = values.step("quotePrecision", row.quote_precision)
    if row.quote_asset_precision is None or row.quote_asset_precision is row.quote_precision:
        return tick, False
    other = values.step("quoteAssetPrecision", row.quote_asset_precision)
    return max(tick, other), tick != other


def _band(text: Raw, notes: Notes) -> _Band:
    """Return how far above and below the last price an order's price may be.

    The documents call the figures multipliers, but 0.005 can only be the distance from 1. A figure of 1 or more is one
    of the older form, in which it was the multiplier itself, and says nothing of which form the other figure has.
    """
    check_storable(text)
    filters = _filters_of(text)
    if not filters:
        return None, None
    if type(filters) is not list or not all(type(one) is dict for one in filters):
        raise BrokenRow(f"filters is {shown(filters)}, not a list of filters")
    up = down = None
    odd = False
    for one in filters:
        if one.get("filterType") != _BAND:
            kind = one.get("filterType")
            notes.unknown("filters", kind if type(kind) is str else shown(kind), "left out")
            odd = True
            continue
        up = values.number("bidMultiplierUp", one.get("bidMultiplierUp"))
        down = values.number("askMultiplierDown", one.get("askMultiplierDown"))
        for field, ratio in (("bidMultiplierUp", up), ("askMultiplierDown", down)):
            if ratio is not None and ratio >= _ONE:
                notes.unknown(field, str(ratio), "left out")
                up = down = None
                odd = True
    if not odd:  # what is odd is noted in every row that has it
        if len(_bands) >= _MOST_BANDS:
            _bands.clear()
        _bands[bytes(text)] = up, down
    return up, down
