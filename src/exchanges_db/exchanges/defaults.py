"""The fields of each exchange that is known here, for a new row or a new Exchange.

DEFAULTS are those of ExchangeEnum: migration 002 inserts their rows with the values of the seed, migration 005 corrects
them, and a test compares the outcome. CATALOGUE has every exchange: those, and more that the command `add` knows.
"""

from typing import Any

from exchanges_db.exchanges.enums import ExchangeEnum, MarketType

DEFAULTS: dict[str, dict[str, Any]] = {
    ExchangeEnum.MEXC.value: {
        "display_name": "MEXC Spot Trading",
        "market_type": MarketType.SPOT,
        "base_url": "https://api.mexc.com",
        "websocket_url": "wss://wbs-api.mexc.com/ws",
        # Of weight 1: "each endpoint ... 500 every 10 second". One of weight 25 needs 25 times as long.
        "rate_limit_requests_per_second": 50,
    },
    ExchangeEnum.GATEIO.value: {
        "display_name": "Gate.io Spot Trading",
        "market_type": MarketType.SPOT,
        "base_url": "https://api.gateio.ws",
        "websocket_url": "wss://api.gateio.ws/ws/v4/",
        "rate_limit_requests_per_second": 20,  # "200r/10s per endpoint", as for all of Gate.io's public endpoints
    },
    ExchangeEnum.GATEIO_FUTURES.value: {
        "display_name": "Gate.io Futures Trading",
        "market_type": MarketType.FUTURES,
        "base_url": "https://api.gateio.ws",
        "websocket_url": "wss://fx-ws.gateio.ws/v4/ws/usdt",
        "rate_limit_requests_per_second": 20,
    },
}
_FURTHER: dict[str, dict[str, Any]] = {
    "MEXC_FUTURES": {
        "display_name": "MEXC Futures Trading",
        "market_type": MarketType.FUTURES,
        "base_url": "https://contract.mexc.com",
        "websocket_url": "wss://contract.mexc.com/edge",
        # Most endpoints allow 20 per 2 seconds, the list of contracts 1 per 5 seconds. One number for all must be the
        # lowest that a whole number can be; the reader of that list keeps the 5 seconds apart.
        "rate_limit_requests_per_second": 1,
    },
    "GATEIO_OPTIONS": {
        "display_name": "Gate.io Options Trading",
        "market_type": MarketType.OPTIONS,
        "base_url": "https://api.gateio.ws",
        "websocket_url": "wss://op-ws.gateio.live/v4/ws",
        "rate_limit_requests_per_second": 20,
    },
}
CATALOGUE: dict[str, dict[str, Any]] = {**DEFAULTS, **_FURTHER}
