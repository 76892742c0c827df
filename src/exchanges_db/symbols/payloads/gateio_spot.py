"""Gate.io spot: GET /api/v4/spot/currency_pairs. Its fee is in percent.

Buying and selling open apart. Why a pair takes one side only, or none, shows in its times alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchanges_db.symbols.enums import OrderType, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.reading import Notes, Payload

_LISTS = {Listing(SymbolKind.SPOT): Request("/api/v4/spot/currency_pairs")}
_STATES = {
    "tradable": (SymbolStatus.TRADING, SidesAllowed.ALL),
    "buyable": (SymbolStatus.TRADING, SidesAllowed.BUY),
    "sellable": (SymbolStatus.CLOSE_ONLY, SidesAllowed.SELL),
    "untradable": (SymbolStatus.HALTED, SidesAllowed.NONE),
}
_UNKNOWN_STATE = (SymbolStatus.HALTED, SidesAllowed.NONE)
_TYPES: dict[str | None, bool] = {"normal": False, "premarket": True}
_ALL, _ONE = SidesAllowed.ALL, Decimal(1)
_SPOT, _TRADING, _HALTED = SymbolKind.SPOT, SymbolStatus.TRADING, SymbolStatus.HALTED
_PRELAUNCH, _DELISTED = SymbolStatus.PRELAUNCH, SymbolStatus.DELISTED
# The orders that Gate.io has, by type and time in force, without market orders.
_NO_MARKET_ORDERS = tuple(one for one in OrderType if one is not OrderType.MARKET)
_KNOWN = tuple(
    """id base base_name quote quote_name trade_quotes fee min_base_amount min_quote_amount max_base_amount
    max_quote_amount amount_precision precision trade_status sell_start buy_start delisting_time type trade_url st_tag
    slippage up_rate down_rate market_order_max_stock market_order_max_money max_market_order_stock
    max_market_order_money""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class _Row(msgspec.Struct, gc=False):
    id: str
    base: str
    quote: str
    trade_status: str
    amount_precision: Any
    precision: Any
    base_name: Any = None
    type: str | None = None
    fee: Any = None
    min_base_amount: Any = None
    min_quote_amount: Any = None
    max_base_amount: Any = None
    max_quote_amount: Any = None
    market_order_max_stock: Any = None
    market_order_max_money: Any = None
    max_market_order_stock: Any = None
    max_market_order_money: Any = None
    slippage: Any = None
    up_rate: Any = None
    down_rate: Any = None
    buy_start: Any = None
    sell_start: Any = None
    delisting_time: Any = None
    st_tag: Any = None


class GateioSpot:
    """Reads the list of Gate.io spot."""

    name = "gateio_spot"
    exchange = "GATEIO_SPOT"
    version = 1
    volatile: frozenset[str] = frozenset()
    index: Request | None = None

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return the one list."""
        return _LISTS

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        return document.top is None and document.has_keys("id", "base", "quote")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols in it."""
        return reading.read_rows(
            document, _Row, "id", _KNOWN, partial(_spec, observed_at), listing=listing, source=self.name
        )


_NUMBERS = (
    "min_base_amount", "max_base_amount", "min_quote_amount", "max_quote_amount", "market_order_max_stock",
    "market_order_max_money", "up_rate", "down_rate", "slippage",
)  # fmt: skip


def _spec(observed_at: datetime, row: _Row, notes: Notes) -> SymbolSpec:
    least, most, least_notional, most_notional, market_most, market_most_notional, up, down, slip = values.numbers(
        _NUMBERS,
        (
            row.min_base_amount, row.max_base_amount, row.min_quote_amount, row.max_quote_amount,
            row.market_order_max_stock, row.market_order_max_money, row.up_rate, row.down_rate, row.slippage,
        ),
    )  # fmt: skip
    buy_opens_at = values.moment("buy_start", row.buy_start)
    sell_opens_at = values.moment("sell_start", row.sell_start)
    delisted_at = values.moment("delisting_time", row.delisting_time)
    if row.trade_status == "tradable" and row.type == "normal":
        status, sides = _TRADING, _ALL
    else:
        status, sides = _state(row, notes, observed_at, buy_opens_at, sell_opens_at, delisted_at)
    if row.max_market_order_stock is not None or row.max_market_order_money is not None:
        # The documents have two names for each.
        market_most = _smaller(market_most, values.number("max_market_order_stock", row.max_market_order_stock))
        other = values.number("max_market_order_money", row.max_market_order_money)
        market_most_notional = _smaller(market_most_notional, other)
    takes_none = (market_most is not None and not market_most) or (
        market_most_notional is not None and not market_most_notional
    )
    if down is not None and down > _ONE:
        # No price falls by more than its whole: these are not the fractions that the documents' examples are.
        notes.unknown("down_rate", str(down), "left out, and up_rate")
        up = down = None
    base, quote = row.base, row.quote
    fee = values.percent("fee", row.fee)
    return SymbolSpec(
        native_symbol=row.id,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        kind=_SPOT,
        price_tick=values.step("precision", row.precision),
        quantity_step=values.step("amount_precision", row.amount_precision),
        min_quantity=least,
        max_quantity=most or None,
        min_notional=least_notional,
        max_notional=most_notional or None,
        market_max_quantity=market_most or None,
        market_max_notional=market_most_notional or None,
        # Of which price, the documents do not say.
        price_band_up=up,
        price_band_down=down,
        market_slip_ratio=slip,
        order_types=_NO_MARKET_ORDERS if takes_none else None,
        full_name=notes.label("base_name", "full_name", row.base_name),
        is_risky=values.flag("st_tag", row.st_tag),
        is_premarket=_TYPES.get(row.type),
        list_maker_fee=fee,
        list_taker_fee=fee,
        status=status,
        sides=sides,
        buy_opens_at=buy_opens_at,
        sell_opens_at=sell_opens_at,
        # A pair leaves at once: there is no time in which it can only be closed.
        delisting_at=delisted_at,
        delisted_at=delisted_at,
    )


def _state(
    row: _Row,
    notes: Notes,
    observed_at: datetime,
    buy_opens_at: datetime | None,
    sell_opens_at: datetime | None,
    delisted_at: datetime | None,
) -> tuple[SymbolStatus, SidesAllowed]:
    word = row.trade_status
    status, sides = _STATES.get(word, _UNKNOWN_STATE)
    buying_lies_ahead = buy_opens_at is not None and buy_opens_at > observed_at
    if word not in _STATES:
        notes.unknown("trade_status", word, "HALTED")
    elif word == "sellable" and buying_lies_ahead:
        status = _TRADING  # a launch in which selling opens first
    elif word == "untradable":
        if delisted_at is not None and delisted_at <= observed_at:
            status = _DELISTED
        elif buying_lies_ahead or (sell_opens_at is not None and sell_opens_at > observed_at):
            status = _PRELAUNCH
    if row.type is not None and row.type not in _TYPES:
        notes.unknown("type", row.type, "HALTED")
        status = status if status is _DELISTED else _HALTED
    return status, sides


def _smaller(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
