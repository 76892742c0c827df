"""Rows of the lists that have come since: dated contracts and options of Gate.io, futures of MEXC; our own writing."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.payload_rows import futures

MEXC_FUTURES, OPTIONS = "MEXC_FUTURES", "GATEIO_OPTIONS"
EXPIRY = int(datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp())


def delivery(base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict[str, Any]:
    """A row of Gate.io delivery contracts; a field given as ... is left out."""
    absent = dict.fromkeys(("status", "create_time", "enable_decimal"), ...)
    dated = {"name": f"{base}_{quote}_20260327", "underlying": f"{base}_{quote}", "expire_time": EXPIRY}
    return futures(base, quote, **{**absent, **dated, "cycle": "QUARTERLY", "leverage_min": "1", **fields})


def option(**fields: Any) -> dict[str, Any]:
    """A row of Gate.io options on BTC."""
    row = {
        "tag": "month", "create_time": 1766000000, "expiration_time": EXPIRY, "is_call": True, "strike_price": "65000",
        "last_price": "13000", "mark_price": "14010", "underlying": "BTC_USDT", "underlying_price": "70000",
        "multiplier": "0.01", "order_price_round": "0.1", "mark_price_round": "0.1", "maker_fee_rate": "0.0004",
        "taker_fee_rate": "0.0004", "order_price_deviate": "0.5", "order_size_min": 1, "order_size_max": 100000,
        "orders_limit": 50, **fields,
    }  # fmt: skip
    date = datetime.fromtimestamp(row["expiration_time"], UTC)
    name = f"BTC_USDT-{date:%Y%m%d}-{row['strike_price']}-{'C' if row['is_call'] else 'P'}"
    return {"name": name, **row}


def contract_detail(base: str = "LTC", quote: str = "USDT", settle: str = "", **fields: Any) -> dict[str, Any]:
    """A row of MEXC futures; a field given as ... is left out."""
    row = {
        "symbol": f"{base}_{quote}", "displayNameEn": f"{base}_{quote} PERPETUAL", "positionOpenType": 3,
        "baseCoin": base, "quoteCoin": quote, "settleCoin": settle or quote, "futureType": 1, "contractSize": 0.01,
        "minLeverage": 1, "maxLeverage": 200, "priceScale": 2, "volScale": 0, "priceUnit": 0.01, "volUnit": 1,
        "minVol": 1, "maxVol": 1600000, "limitMaxVol": 1600000, "bidLimitPriceRate": 0.2, "askLimitPriceRate": 0.2,
        "takerFeeRate": 0.0002, "makerFeeRate": 0, "maintenanceMarginRate": 0.004, "initialMarginRate": 0.005,
        "state": 0, "apiAllowed": False, "isHidden": False, "createTime": 1601812282000, "openingTime": 0, **fields,
    }  # fmt: skip
    return {field: value for field, value in row.items() if value is not ...}


def detail_payload(rows: list[dict[str, Any]]) -> bytes:
    """The whole answer of MEXC futures."""
    return msgspec.json.encode({"success": True, "code": 0, "data": rows})
