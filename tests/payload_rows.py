"""Rows of the exchanges' payloads, written for these tests with the exchanges' field names, and how to pack them."""

from collections.abc import Callable
from typing import Any

import msgspec

MEXC, SPOT, FUTURES = "MEXC_SPOT", "GATEIO_SPOT", "GATEIO_FUTURES"
NAME_FIELDS = {MEXC: "symbol", SPOT: "id", FUTURES: "name"}


def mexc(symbol: str = "BTCUSDT", base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of MEXC spot exchangeInfo; a field given as ... is left out."""
    row = {
        "symbol": symbol,
        "status": "1",
        "baseAsset": base,
        "baseAssetPrecision": 6,
        "quoteAsset": quote,
        "quotePrecision": 2,
        "quoteAssetPrecision": 2,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": True,
        "quoteAmountPrecision": "1.000000000000000000000000000000",
        "baseSizePrecision": "0.000001",
        "permissions": ["SPOT"],
        "filters": [],
        "maxQuoteAmount": "2000000.000000000000000000000000000000",
        "makerCommission": "0",
        "takerCommission": "0.0002",
        "fullName": "Bitcoin",
        "tradeSideType": "1",
    }
    return _with(row, fields)


def spot(base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io spot currency_pairs."""
    row = {
        "id": f"{base}_{quote}",
        "base": base,
        "base_name": base.title(),
        "quote": quote,
        "fee": "0.2",
        "min_base_amount": "0.000001",
        "min_quote_amount": "3",
        "max_base_amount": None,
        "max_quote_amount": "5000000",
        "amount_precision": 6,
        "precision": 1,
        "trade_status": "tradable",
        "sell_start": 0,
        "buy_start": 0,
        "delisting_time": 0,
        "type": "normal",
        "st_tag": False,
    }
    return _with(row, fields)


def futures(base: str = "ETH", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io futures contracts."""
    row = {
        "name": f"{base}_{quote}",
        "type": "direct",
        "quanto_multiplier": "0.01",
        "mark_price": "2378.5",
        "last_price": "2379",
        "funding_rate": "0.000038",
        "maker_fee_rate": "-0.0001",
        "taker_fee_rate": "0.00075",
        "order_price_round": "0.05",
        "order_size_min": 1,
        "order_size_max": 1000000,
        "in_delisting": False,
        "create_time": 1574208000,
        "position_size": 1000,
        "enable_decimal": False,
        "status": "trading",
    }
    return _with(row, fields)


def _with(row: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in {**row, **fields}.items() if value is not ...}


ROWS: dict[str, Callable[..., dict[str, Any]]] = {MEXC: mexc, SPOT: spot, FUTURES: futures}


def payload(exchange: str, rows: list[dict[str, Any]]) -> bytes:
    """The whole answer of an exchange."""
    if exchange == MEXC:
        return msgspec.json.encode({"timezone": "CST", "serverTime": 1, "rateLimits": [], "symbols": rows})
    return msgspec.json.encode(rows)


def many(exchange: str, count: int) -> list[dict[str, Any]]:
    """Rows of `count` different coins."""
    if exchange == MEXC:
        return [mexc(f"C{n}USDT", f"C{n}") for n in range(count)]
    return [ROWS[exchange](base=f"C{n}") for n in range(count)]
