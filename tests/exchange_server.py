"""MEXC and Gate.io as far as their lists of symbols go, with rows of our own writing: paths, header, error bodies.

Gate.io's contracts have decimal sizes. Whoever asks without its header gets every size as a JSON integer, cut towards
zero; with it, as text.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.http_server import Behaviour, Exchange, Request, answer
from tests.payload_rows import futures, mexc, spot

HEADER = "X-Gate-Size-Decimal"
SIZES = ("order_size_min", "order_size_max", "position_size", "trade_size")
SPOT_PATH = "/api/v4/spot/currency_pairs"
USDT_PATH, BTC_PATH = "/api/v4/futures/usdt/contracts", "/api/v4/futures/btc/contracts"
DELIVERY_PATH = "/api/v4/delivery/usdt/contracts"
UNDERLYINGS_PATH, OPTIONS_PATH = "/api/v4/options/underlyings", "/api/v4/options/contracts"
MEXC_PATH, OFFLINE_PATH, DETAIL_PATH = "/api/v3/exchangeInfo", "/api/v3/symbol/offline", "/api/v1/contract/detail"
GATE_ERROR = {"label": "INTERNAL", "message": "something broke here"}
FAR = 4_000_000_000  # seconds: what is dated ends long after these tests are run


def perpetual(base: str, least: str, most: str, **fields: Any) -> dict[str, Any]:
    """A perpetual of Gate.io; its sizes as they truly are, in text."""
    sizes = {"order_size_min": least, "order_size_max": most, "position_size": "0.4", "trade_size": "12.5"}
    decimal = any("." in size for size in (least, most))
    return futures(base, **{**sizes, "enable_decimal": decimal, "market_order_size_max": "0", **fields})


def dated(base: str, least: str = "1", most: str = "10000", **fields: Any) -> dict[str, Any]:
    """A dated contract of Gate.io."""
    return {
        "name": f"{base}_USDT_20961002",
        "underlying": f"{base}_USDT",
        "cycle": "QUARTERLY",
        "type": "direct",
        "quanto_multiplier": "0.0001",
        "expire_time": FAR,
        "order_price_round": "0.1",
        "order_size_min": least,
        "order_size_max": most,
        "position_size": "7",
        "trade_size": "9",
        "order_price_deviate": "0.5",
        "leverage_min": "1",
        "leverage_max": "50",
        "in_delisting": False,
        "orders_limit": 50,
        "maker_fee_rate": "-0.00025",
        "taker_fee_rate": "0.00075",
        **fields,
    }


def option(underlying: str, strike: str, letter: str, **fields: Any) -> dict[str, Any]:
    """An option of Gate.io."""
    return {
        "name": f"{underlying}-20961002-{strike}-{letter}",
        "tag": "month",
        "create_time": 1_700_000_000,
        "expiration_time": FAR,
        "is_call": letter == "C",
        "strike_price": strike,
        "underlying": underlying,
        "multiplier": "0.01",
        "order_price_round": "0.1",
        "order_size_min": 1,
        "order_size_max": 100000,
        "orders_limit": 50,
        "maker_fee_rate": "0.0003",
        "taker_fee_rate": "0.0003",
        **fields,
    }


def mexc_contract(base: str, **fields: Any) -> dict[str, Any]:
    """A contract of MEXC futures."""
    return {
        "symbol": f"{base}_USDT",
        "displayNameEn": f"{base}_USDT PERPETUAL",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "futureType": 1,
        "contractSize": 0.0001,
        "minLeverage": 1,
        "maxLeverage": 200,
        "priceUnit": 0.1,
        "volUnit": 1,
        "minVol": 1,
        "maxVol": 400000,
        "takerFeeRate": 0.0004,
        "makerFeeRate": 0.0001,
        "state": 0,
        "apiAllowed": True,
        **fields,
    }


def default_lists() -> dict[str, Any]:
    """Every list, by path; the options by their underlying."""
    return {
        SPOT_PATH: [spot(), spot("ETH")],
        USDT_PATH: [
            perpetual("BTC", "1", "1000000"),
            perpetual("ETH", "0.1", "3800000"),
            perpetual("XRP", "0.001", "50.5"),
        ],
        BTC_PATH: [futures("BTC", "USD", type="inverse", quanto_multiplier="0", order_size_min="1")],
        DELIVERY_PATH: [dated("BTC"), dated("ETH", "0.1", "900", enable_decimal=True)],
        UNDERLYINGS_PATH: [{"name": "BTC_USDT", "index_price": "70000"}, {"name": "A&B_USDT", "index_price": "1"}],
        OPTIONS_PATH: {
            "BTC_USDT": [option("BTC_USDT", "65000", "C"), option("BTC_USDT", "65000", "P")],
            "A&B_USDT": [option("A&B_USDT", "1.5", "C")],
        },
        MEXC_PATH: {"timezone": "CST", "serverTime": 1, "rateLimits": [], "symbols": [mexc(), mexc("ETHUSDT", "ETH")]},
        OFFLINE_PATH: {"data": [{"symbol": "OLDUSDT", "state": 3, "offlineTime": 1_724_125_694_000}]},
        DETAIL_PATH: {"success": True, "code": 0, "data": [mexc_contract("BTC"), mexc_contract("ETH")]},
    }


def exchanges(lists: Mapping[str, Any] | None = None) -> Exchange:
    """Both exchanges at one address; `lists` replaces lists by path, by another behaviour or another body."""
    bodies = {**default_lists(), **(lists or {})}

    def respond(request: Request) -> Behaviour:
        if request.path not in bodies:
            return answer({"label": "NOT_FOUND", "message": f"no {request.path}"}, status=404)
        body = bodies[request.path]
        if callable(body):
            behaviour: Behaviour = body
            return behaviour
        if request.path == OPTIONS_PATH and isinstance(body, dict) and "label" not in body:
            name = request.query.get("underlying")
            if name not in body:
                return answer({"label": "INVALID_PARAM_VALUE", "message": f"Invalid underlying: {name}"}, status=400)
            body = body[name]
        if request.path in (USDT_PATH, BTC_PATH, DELIVERY_PATH) and isinstance(body, list):
            whole = request.headers.get(HEADER.lower()) == "1"
            body = [_with_sizes(row, whole=whole) for row in body]
        return answer(body)

    return respond


def _with_sizes(row: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    # int() of a Decimal cuts towards zero.
    sizes = {size: str(row[size]) if whole else int(Decimal(row[size])) for size in SIZES if size in row}
    return {**row, **sizes}
