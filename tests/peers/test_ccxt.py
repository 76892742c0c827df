"""Our readers beside ccxt's, on the same rows: `make peers`. Reads no network.

Set EXCHANGES_DB_PAYLOADS to a folder of recorded answers, named like gateio_spot*.json, mexc_spot*.json or
gateio_futures_usdt*.json, to compare those too.

Deliberate differences, each with its reason, are in DIFFERENT; everything else must be equal.
"""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from exchanges_db.symbols.enums import ContractDirection, SymbolKind
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import read_payload
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, mexc, payload, spot

NOW = datetime(2026, 1, 31, tzinfo=UTC)
EXPIRY = int(datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp())
KINDS = {"spot": SymbolKind.SPOT, "swap": SymbolKind.PERPETUAL, "future": SymbolKind.FUTURE}
# Field: why ours is not ccxt's, and whether that is the case here.
DIFFERENT: dict[str, tuple[str, Callable[[SymbolSpec, dict[str, Any]], bool]]] = {
    "base": (
        "ccxt renames coins by a list of its own (its commonCurrencies); we keep the exchange's own",
        lambda ours, theirs: ours.base == theirs["baseId"].upper(),
    ),
    "quote": (
        "as base",
        lambda ours, theirs: ours.quote == theirs["quoteId"].upper(),
    ),
    "min_quantity": (
        "Gate.io spot without min_base_amount has no minimum; ccxt takes the step for it",
        lambda ours, theirs: ours.min_quantity is None and theirs["info"].get("min_base_amount") in (None, ""),
    ),
    "quantity_step": (
        "a Gate.io contract with enable_decimal is cut to order_size_min; ccxt says 1 before its version 4.5.90",
        lambda ours, theirs: theirs["info"].get("enable_decimal") is True and theirs["precision"]["amount"] == 1,
    ),
    "direction": (
        "ccxt calls every contract inverse that is not linear; one that settles in a third currency is quanto",
        lambda ours, theirs: ours.direction is ContractDirection.QUANTO and theirs["inverse"],
    ),
    "price_tick": (
        "MEXC's price step is quotePrecision; ccxt takes quoteAssetPrecision",
        lambda ours, theirs: theirs["info"].get("quotePrecision") != theirs["info"].get("quoteAssetPrecision"),
    ),
}


def theirs_of(exchange: str, rows: list[dict[str, Any]], settle: str) -> dict[str, dict[str, Any]]:
    """What ccxt makes of the rows, by native symbol, asked as its users ask but without a network."""
    if exchange == MEXC:
        client: Any = ccxt.mexc()
        client.spotPublicGetExchangeInfo = lambda params=None: {"symbols": rows}
        markets = client.fetch_spot_markets()
    elif exchange == SPOT:
        client = ccxt.gate()
        client.publicMarginGetCurrencyPairs = lambda params=None: []
        client.publicSpotGetCurrencyPairs = lambda params=None: rows
        markets = client.fetch_spot_markets()
    else:
        client = ccxt.gate()
        markets = [client.parse_contract_market(row, settle) for row in rows]
    return {market["id"]: market for market in markets}


def number(value: Any) -> Decimal | None:
    """A float of ccxt as the number it was printed as."""
    return None if value is None else Decimal(repr(value))


def fields(ours: SymbolSpec, theirs: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each field that both have: its name, ours, ccxt's."""
    yield "base", ours.base, theirs["base"]
    yield "quote", ours.quote, theirs["quote"]
    yield "settle", ours.settle, theirs["settle"]
    yield "kind", ours.kind, KINDS[theirs["type"]]
    yield "price_tick", ours.price_tick, number(theirs["precision"]["price"])
    yield "quantity_step", ours.quantity_step, number(theirs["precision"]["amount"])
    yield "min_quantity", ours.min_quantity, number(theirs["limits"]["amount"]["min"])
    yield "min_notional", ours.min_notional, number(theirs["limits"]["cost"]["min"])
    yield "contract_size", ours.contract_size, number(theirs["contractSize"])
    direction = {True: ContractDirection.LINEAR, False: ContractDirection.INVERSE}.get(theirs["linear"])
    yield "direction", ours.direction, direction
    if ours.kind is not SymbolKind.SPOT:
        yield "max_quantity", ours.max_quantity, number(theirs["limits"]["amount"]["max"])


def compare(exchange: str, text: bytes, settle: str) -> tuple[int, dict[str, int]]:
    """Return how many rows were compared, and how often each deliberate difference was met; all else must be equal."""
    read = read_payload(exchange, text, settle=settle, observed_at=NOW)
    assert read.foreign is None
    assert read.rejected == ()
    # Numbers as text, as ccxt itself reads an answer.
    decoded = json.loads(text, parse_float=str, parse_int=str)
    theirs = theirs_of(exchange, decoded["symbols"] if exchange == MEXC else decoded, settle)
    assert {symbol.spec.native_symbol for symbol in read.symbols} == theirs.keys()
    met: dict[str, int] = {}
    for symbol in read.symbols:
        other = theirs[symbol.spec.native_symbol]
        for field, mine, its in fields(symbol.spec, other):
            if mine == its:
                continue
            reason = DIFFERENT.get(field)
            where = f"{exchange} {symbol.spec.native_symbol} {field}: {mine} and ccxt {its}"
            assert reason is not None, where
            assert reason[1](symbol.spec, other), where
            met[field] = met.get(field, 0) + 1
        if symbol.spec.base == other["base"] and symbol.spec.quote == other["quote"]:
            assert symbol.spec.symbol == other["symbol"]
    return len(read.symbols), met


WRITTEN = [
    (MEXC, "", [
        *many(MEXC, 20), mexc(), mexc("GASUSDT", "GAS"), mexc("ATLASUSDT", "ATLAS", baseAssetPrecision=2),
        mexc("PYTHUSDT", "PYTH", baseSizePrecision="0"), mexc("XUSDT", "X", status="2", quoteAmountPrecision="5"),
        mexc("YUSDT", "Y", quotePrecision=4), mexc("OLDUSDT", "OLD", quotePrecision=...),
    ], {"base": 1, "price_tick": 1}),
    (SPOT, "", [
        *many(SPOT, 20), spot(), spot("GTC"), spot("ADA", min_base_amount=None), spot("QTUM", "ETH", precision=10),
        spot("BTC3L", amount_precision=0), spot("NEW", trade_status="untradable", min_base_amount=...),
    ], {"base": 1, "min_quantity": 2}),
    (FUTURES, "usdt", [
        *many(FUTURES, 20), futures(), futures("BTC", order_price_round="0.5"),
        futures("SOS", quanto_multiplier="1000000"),
        futures("TINY", order_price_round="1e-10"), futures("CUT", enable_decimal=True, order_size_min="0.1"),
        futures(name="BTC_USDT_20260327", expire_time=EXPIRY), futures("GONE", in_delisting=True, position_size=0),
    ], {"quantity_step": 1}),
    (FUTURES, "btc", [
        futures("BTC", "USD", type="inverse", quanto_multiplier="0"), futures("ETH", "USD"),
    ], {"direction": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "settle", "rows", "expected"), WRITTEN, ids=["mexc", "spot", "usdt", "btc"])
def test_every_field_of_every_row(
    exchange: str, settle: str, rows: list[dict[str, Any]], expected: dict[str, int]
) -> None:
    """Equal, or different for a reason that is listed, and met as often as it should be."""
    compared, met = compare(exchange, payload(exchange, rows), settle)
    assert compared == len(rows)
    assert met == expected


def recorded() -> Iterator[Any]:
    """The files of EXCHANGES_DB_PAYLOADS, if it is set."""
    for file in sorted(Path(os.environ.get("EXCHANGES_DB_PAYLOADS", "/nonexistent")).glob("*.json")):
        exchange = MEXC if file.name.startswith("mexc") else FUTURES if "futures" in file.name else SPOT
        yield pytest.param(exchange, "btc" if "_btc" in file.name else "usdt", file, id=file.stem)


if "EXCHANGES_DB_PAYLOADS" in os.environ:

    @pytest.mark.parametrize(("exchange", "settle", "file"), list(recorded()))
    def test_recorded_answers(exchange: str, settle: str, file: Path) -> None:
        """Every row of them."""
        compared, met = compare(exchange, file.read_bytes(), settle)
        assert compared
        print(f"{file.name}: {compared} rows, different for a reason: {met or 'none'}")  # noqa: T201 - the figure
