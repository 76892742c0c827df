"""Valid rows of `symbols`, one of each kind, how to write them past the import, and the same as a SymbolSpec."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from exchanges_db import SymbolSpec

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
    "option": {
        **_LINEAR,
        "kind": "OPTION",
        "expires_at": "2027-01-01T00:00:00Z",
        "strike": "50000",
        "option_type": "CALL",
    },
}
# Every column that a specification has, and no other: what the database itself sets is left to it.
_COLUMNS = ", ".join(("exchange_id", *SymbolSpec.__struct_fields__))
_MARKS = {"tick_assumed": False, "step_assumed": False}
INSERT = f"""
    INSERT INTO symbols ({_COLUMNS})
    SELECT {_COLUMNS} FROM jsonb_populate_record(NULL::symbols, $1::jsonb)
    RETURNING id
"""


# Which of an exchange's lists a payload of the tests is, where the exchange has several.
LISTINGS = {"GATEIO_FUTURES": "PERPETUAL:USDT"}


async def insert(conn: asyncpg.Connection, of: str = "spot", **fields: Any) -> int:
    """Write one row and return its id; numbers are given as text."""
    return int(await conn.fetchval(INSERT, json.dumps({**_MARKS, **KINDS[of], **fields})))


_TYPES = {field.name: field.type for field in msgspec.structs.fields(SymbolSpec)}


def as_spec_fields(of: str = "spot", **fields: Any) -> dict[str, Any]:
    """Return the same row as keywords for a SymbolSpec, with these changes, which are not converted."""
    row = {field: value for field, value in KINDS[of].items() if field in _TYPES}
    return {field: msgspec.convert(value, _TYPES[field]) for field, value in row.items()} | fields


def as_row_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return keywords of a SymbolSpec as `insert` takes them."""
    return {field: str(value) if isinstance(value, Decimal | datetime) else value for field, value in fields.items()}
