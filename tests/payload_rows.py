"""Rows of the exchanges' payloads, written for these tests with the exchanges' field names, and how to pack them."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec

from exchanges_db import Allowance, Brake

MEXC, SPOT, FUTURES = "MEXC_SPOT", "GATEIO_SPOT", "GATEIO_FUTURES"
MEXC_FUTURES, OPTIONS = "MEXC_FUTURES", "GATEIO_OPTIONS"
# By reader: one exchange may have several.
DELIVERY = "gateio_delivery"


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
        "baseCommissionPrecision": 6,
        "quoteCommissionPrecision": 2,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "quoteAmountPrecision": "1.000000000000000000000000000000",
        "baseSizePrecision": "0.000001",
        "permissions": ["SPOT"],
        "filters": [{"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "0.02", "askMultiplierDown": "0.03"}],
        "maxQuoteAmount": "2000000.000000000000000000000000000000",
        "makerCommission": "0",
        "takerCommission": "0.0002",
        "quoteAmountPrecisionMarket": "1.000000000000000000000000000000",
        "maxQuoteAmountMarket": "100000.000000000000000000000000000000",
        "fullName": "Bitcoin",
        "tradeSideType": "1",
        "contractAddress": "",
        "conceptPlateIds": [50],
        "conceptPlates": ["pow"],
        "firstOpenTime": 1573862400000,
        "st": False,
    }
    return _with(row, fields)


def mexc_futures(base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of MEXC futures contract/detail."""
    row = {
        "symbol": f"{base}_{quote}",
        "displayName": f"{base}_{quote}永续",
        "displayNameEn": f"{base}_{quote} PERPETUAL",
        "positionOpenType": 3,
        "baseCoin": base,
        "quoteCoin": quote,
        "settleCoin": "USDT",
        "baseCoinName": base,
        "quoteCoinName": quote,
        "futureType": 1,
        "contractSize": 0.0001,
        "minLeverage": 1,
        "maxLeverage": 200,
        "priceScale": 2,
        "volScale": 0,
        "amountScale": 4,
        "priceUnit": 0.5,
        "volUnit": 1,
        "minVol": 1,
        "maxVol": 400000,
        "limitMaxVol": 2500000,
        "bidLimitPriceRate": 0.1,
        "askLimitPriceRate": 0.2,
        "takerFeeRate": 0.0002,
        "makerFeeRate": 0,
        "maintenanceMarginRate": 0.004,
        "initialMarginRate": 0.005,
        "maxNumOrders": [200, 50],
        "state": 0,
        "isHidden": False,
        "apiAllowed": True,
        "type": 1,
        "typeLabel": 0,
        "preMarket": False,
        "createTime": 1592213599000,
        "openingTime": 0,
    }
    return _with(row, fields)


def spot(base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io spot currency_pairs."""
    row: dict[str, Any] = {
        "id": f"{base}_{quote}",
        "base": base,
        "base_name": base.title(),
        "quote": quote,
        "quote_name": "Tether",
        "trade_quotes": [],
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
        "trade_url": f"https://www.gate.com/trade/{base}_{quote}",
        "st_tag": False,
        "up_rate": "0.08",
        "down_rate": "0.07",
        "slippage": "0.03",
        "market_order_max_stock": "65",
        "market_order_max_money": "1000000",
    }
    return _with(row, fields)


def futures(base: str = "ETH", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io perpetuals, as it comes where the list is asked for with its header: sizes are text."""
    row = {
        **_contract(f"{base}_{quote}"),
        "funding_rate": "0.000038",
        "funding_interval": 28800,
        "funding_next_apply": 1780300800,
        "funding_cap_ratio": "0.75",
        "funding_rate_limit": "0.003",
        "order_size_min": "1",
        "order_size_max": "1000000",
        "market_order_size_max": "600000",
        "market_order_slip_ratio": "0.05",
        "position_size": "1000",
        "create_time": 1574208000,
        "launch_time": 1574294400,
        "enable_decimal": False,
        "is_pre_market": False,
        "contract_type": "",
        "status": "trading",
    }
    return _with(row, fields)


def delivery(base: str = "BTC", quote: str = "USDT", date: str = "20261225", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io dated contracts, whose sizes are integers."""
    row = {
        **_contract(f"{base}_{quote}_{date}"),
        "underlying": f"{base}_{quote}",
        "cycle": "QUARTERLY",
        "expire_time": 1798185600,
        "settle_price": "0",
        "settle_price_interval": 60,
        "settle_price_duration": 1800,
        "settle_fee_rate": "0.00015",
        "basis_rate": "0.005",
        "basis_value": "1",
        "order_size_min": 1,
        "order_size_max": 1000000,
        "position_size": 1584,
    }
    return _with(row, fields)


def _contract(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "direct",
        "quanto_multiplier": "0.01",
        "mark_price": "2378.5",
        "index_price": "2379.62",
        "last_price": "2379",
        "leverage_min": "1",
        "leverage_max": "125",
        "maintenance_rate": "0.004",
        "maker_fee_rate": "-0.0001",
        "taker_fee_rate": "0.00075",
        "order_price_round": "0.05",
        "order_price_deviate": "0.04",
        "orders_limit": 100,
        "in_delisting": False,
        "config_change_time": 1776852890,
    }


def options(base: str = "BTC", quote: str = "USDT", strike: str = "65000", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io options."""
    row = {
        "name": f"{base}_{quote}-20261225-{strike}-C",
        "tag": "WEEK",
        "create_time": 1773000000,
        "expiration_time": 1798185600,
        "is_call": True,
        "strike_price": strike,
        "last_price": "13000",
        "mark_price": "14010",
        "trade_size": 10,
        "position_size": 10,
        "underlying": f"{base}_{quote}",
        "underlying_price": "70000",
        "multiplier": "0.01",
        "order_price_round": "0.1",
        "mark_price_round": "0.1",
        "maker_fee_rate": "0.0003",
        "taker_fee_rate": "0.0004",
        "order_price_deviate": "0.5",
        "order_size_min": 1,
        "order_size_max": 100000,
        "orders_limit": 50,
    }
    return _with(row, fields)


def asked_without_header(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `futures` as Gate.io sends it to whoever leaves out X-Gate-Size-Decimal: sizes cut towards zero."""
    sizes = ("order_size_min", "order_size_max", "position_size")
    cut: dict[str, Any] = {size: int(float(row[size])) for size in sizes if row.get(size) is not None}
    if row.get("market_order_size_max") is not None:
        cut["market_order_size_max"] = str(int(float(row["market_order_size_max"])))
    return {**row, **cut}


def _with(row: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in {**row, **fields}.items() if value is not ...}


# By the name of the reader.
MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "mexc_spot": mexc,
    "mexc_futures": mexc_futures,
    "gateio_spot": spot,
    "gateio_futures": futures,
    "gateio_delivery": delivery,
    "gateio_options": options,
}
ROWS: dict[str, Callable[..., dict[str, Any]]] = {MEXC: mexc, SPOT: spot, FUTURES: futures}
NAME_FIELDS = {MEXC: "symbol", SPOT: "id", FUTURES: "name"}


def payload(exchange: str, rows: list[dict[str, Any]]) -> bytes:
    """The whole answer of an exchange, named by itself or by its reader."""
    if exchange.upper() == MEXC:
        return msgspec.json.encode({"timezone": "CST", "serverTime": 1, "rateLimits": [], "symbols": rows})
    if exchange.upper() == MEXC_FUTURES:
        return msgspec.json.encode({"success": True, "code": 0, "data": rows})
    return msgspec.json.encode(rows)


def many(exchange: str, count: int) -> list[dict[str, Any]]:
    """Rows of `count` different coins, or of `count` options on one."""
    name = exchange.lower()
    if name == "mexc_spot":
        return [mexc(f"C{n}USDT", f"C{n}") for n in range(count)]
    if name == "gateio_options":
        return [options(strike=str(50_000 + n)) for n in range(count)]
    return [MAKERS[name](base=f"C{n}") for n in range(count)]


def allowed(data: bytes, brakes: Iterable[Brake | str] = Brake) -> list[Allowance]:
    """What lets a payload through although these brakes stop it; all of them by default."""
    return [Allowance(Brake.parse(brake), sha256=sha256(data).hexdigest()) for brake in brakes]
