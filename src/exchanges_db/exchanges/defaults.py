"""The fields of each exchange of ExchangeEnum, for a new row or a new Exchange.

db/migrations/002_create_exchanges.sql inserts rows with the same values; a test compares the two.
"""

from typing import Any

from exchanges_db.exchanges.enums import ExchangeEnum, MarketType

DEFAULTS: dict[str, dict[str, Any]] = {
    ExchangeEnum.MEXC.value: {
        "display_name": "MEXC Spot Trading",
        "market_type": MarketType.SPOT,
        "base_url": "https://api.mexc.com",
        "websocket_url": "wss://wbs.mexc.com/ws",
        "rate_limit_requests_per_second": 100,
    },
    ExchangeEnum.GATEIO.value: {
        "display_name": "Gate.io Spot Trading",
        "market_type": MarketType.SPOT,
        "base_url": "https://api.gateio.ws",
        "websocket_url": "wss://api.gateio.ws/ws/v4/",
        "rate_limit_requests_per_second": 100,
    },
    ExchangeEnum.GATEIO_FUTURES.value: {
        "display_name": "Gate.io Futures Trading",
        "market_type": MarketType.FUTURES,
        "base_url": "https://api.gateio.ws",
        "websocket_url": "wss://fx-ws.gateio.ws/v4/ws/",
        "rate_limit_requests_per_second": 100,
    },
}
