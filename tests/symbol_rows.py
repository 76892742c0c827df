"""Valid rows of `symbols`, one of each kind, and how to write them past the import."""

import json
from typing import Any

import asyncpg

_SPOT: dict[str, Any] = {
    "exchange_id": 1,
    "native_symbol": "BTC_USDT",
    "symbol": "BTC/USDT",
    "base": "BTC",
    "quote": "USDT",
    "kind": "SPOT",
    "price_tick": "0.05",
    "quantity_step": "0.001",
    "status": "TRADING",
    "sides": "ALL",
    "api_tradable": True,
}
_LINEAR = {**_SPOT, "kind": "PERPETUAL", "settle": "USDT", "direction": "LINEAR", "contract_size": "0.01"}
KINDS: dict[str, dict[str, Any]] = {
    "spot": _SPOT,
    "linear": _LINEAR,
    "inverse": {**_LINEAR, "settle": "BTC", "direction": "INVERSE", "contract_size": "1"},
    "quanto": {**_LINEAR, "settle": "ETH", "direction": "QUANTO"},
    "future": {**_LINEAR, "kind": "FUTURE", "expires_at": "2027-01-01T00:00:00Z"},
    "option": {**_LINEAR, "kind": "OPTION", "expires_at": "2027-01-01T00:00:00Z"},
}
INSERT = """
    INSERT INTO symbols
        (exchange_id, native_symbol, symbol, base, quote, settle, kind, direction, contract_size, price_tick,
         quantity_step, min_quantity, max_quantity, min_notional, max_notional, maker_fee, taker_fee, status, sides,
         api_tradable, listed_at, delisting_at, delisted_at, expires_at, raw)
    SELECT exchange_id, native_symbol, symbol, base, quote, settle, kind, direction, contract_size, price_tick,
           quantity_step, min_quantity, max_quantity, min_notional, max_notional, maker_fee, taker_fee, status, sides,
           api_tradable, listed_at, delisting_at, delisted_at, expires_at, raw
    FROM jsonb_populate_record(NULL::symbols, $1::jsonb)
    RETURNING id
"""


async def insert(conn: asyncpg.Connection, of: str = "spot", **fields: Any) -> int:
    """Write one row and return its id; numbers are given as text."""
    return int(await conn.fetchval(INSERT, json.dumps({**KINDS[of], **fields})))
