"""Gate.io spot: GET /api/v4/spot/currency_pairs. Its fee is in percent."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from exchanges_db.symbols.enums import SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.reading import Document, Notes, Payload

PATHS = {"": "/api/v4/spot/currency_pairs"}
_STATES = {
    "tradable": (SymbolStatus.TRADING, SidesAllowed.ALL),
    "buyable": (SymbolStatus.TRADING, SidesAllowed.BUY),
    "sellable": (SymbolStatus.CLOSE_ONLY, SidesAllowed.SELL),
    "untradable": (SymbolStatus.HALTED, SidesAllowed.NONE),
}
_UNKNOWN_STATE = (SymbolStatus.HALTED, SidesAllowed.NONE)
_KNOWN = frozenset(
    """id base base_name quote quote_name fee min_base_amount min_quote_amount max_base_amount max_quote_amount
    amount_precision precision trade_status sell_start buy_start delisting_time type trade_url st_tag slippage
    up_rate down_rate market_order_max_stock market_order_max_money""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class _Row(msgspec.Struct):
    id: str
    base: str
    quote: str
    trade_status: str
    amount_precision: Any
    precision: Any
    fee: Any = None
    min_base_amount: Any = None
    min_quote_amount: Any = None
    max_base_amount: Any = None
    max_quote_amount: Any = None
    buy_start: Any = None
    delisting_time: Any = None


def looks_like(document: Document) -> bool:
    """Return whether a payload has the shape of this one."""
    return document.top is None and document.has_keys("id", "base", "quote")


def read(document: Document, *, settle: str, observed_at: datetime) -> Payload:
    """Return the symbols in it."""
    return reading.read_rows(document, _Row, "id", _KNOWN, partial(_spec, observed_at=observed_at))


def _spec(row: _Row, notes: Notes, observed_at: datetime) -> SymbolSpec:
    base, quote = values.code(row.base), values.code(row.quote)
    listed_at = values.moment("buy_start", row.buy_start)
    delisting_at = values.moment("delisting_time", row.delisting_time)
    status, sides = _STATES.get(row.trade_status, _UNKNOWN_STATE)
    if row.trade_status not in _STATES:
        notes.unknown("trade_status", row.trade_status)
    elif row.trade_status == "untradable":
        # Why it is untradable shows in the times only.
        if delisting_at is not None and delisting_at <= observed_at:
            status = SymbolStatus.DELISTED
        elif listed_at is not None and listed_at > observed_at:
            status = SymbolStatus.PRELAUNCH
    percent = values.number("fee", row.fee)
    fee = None if percent is None else percent.scaleb(-2)
    return SymbolSpec(
        native_symbol=row.id,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        kind=SymbolKind.SPOT,
        price_tick=values.step("precision", row.precision),
        quantity_step=values.step("amount_precision", row.amount_precision),
        min_quantity=values.number("min_base_amount", row.min_base_amount),
        max_quantity=values.maximum("max_base_amount", row.max_base_amount),
        min_notional=values.number("min_quote_amount", row.min_quote_amount),
        max_notional=values.maximum("max_quote_amount", row.max_quote_amount),
        maker_fee=fee,
        taker_fee=fee,
        status=status,
        sides=sides,
        listed_at=listed_at,
        delisting_at=delisting_at,
        delisted_at=delisting_at if status is SymbolStatus.DELISTED else None,
    )
