"""The example that imports ccxt's markets: rows of our own writing, in ccxt's unified form, of five exchanges.

What ccxt itself makes of an exchange's answer is no matter of this test, and ccxt is not needed for it.
"""

import importlib.util
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from exchanges_db import (
    AssetClass,
    ContractDirection,
    Listing,
    OptionType,
    SidesAllowed,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
)
from tests.fix_server import ROOT

_spec = importlib.util.spec_from_file_location("ccxt_markets", ROOT / "examples/ccxt_markets.py")
assert _spec is not None
assert _spec.loader is not None
ccxt_markets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ccxt_markets)
specs_of = ccxt_markets.specs_of
TICK_SIZE, DECIMAL_PLACES, SIGNIFICANT_DIGITS = 4, 2, 3
EXPIRY = datetime(2026, 12, 25, 8, tzinfo=UTC)
EXPIRY_MS = int(EXPIRY.timestamp()) * 1000
NOTHING = {"min": None, "max": None}


def market(native: str, symbol: str, /, **fields: Any) -> dict[str, Any]:
    """A spot market as ccxt's safe_market_structure lays it out; fields given as a dict are merged in."""
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    limits = {"leverage": NOTHING, "amount": NOTHING, "price": NOTHING, "cost": NOTHING}
    row: dict[str, Any] = {
        "id": native, "lowercaseId": native.lower(), "symbol": symbol, "base": base, "quote": quote,
        "settle": settle.partition("-")[0] or None, "baseId": base, "quoteId": quote, "type": "spot", "spot": True,
        "margin": False, "swap": False, "future": False, "option": False, "contract": False, "active": True,
        "linear": None, "inverse": None, "taker": "0.001", "maker": "0.001", "contractSize": None, "expiry": None,
        "expiryDatetime": None, "strike": None, "optionType": None, "created": 1502942400000,
        "precision": {"amount": "0.00001", "price": "0.01", "base": None, "quote": None, "cost": None},
        "limits": limits, "marginModes": {"cross": None, "isolated": None}, "info": {},
    }  # fmt: skip
    for field, value in fields.items():
        row[field] = {**row[field], **value} if isinstance(value, dict) and field != "info" else value
    return row


def contract(native: str, symbol: str, *, inverse: bool = False, **fields: Any) -> dict[str, Any]:
    """A perpetual."""
    terms = {
        "type": "swap", "spot": False, "swap": True, "contract": True, "margin": False, "contractSize": "1",
        "linear": not inverse, "inverse": inverse,
    }  # fmt: skip
    return market(native, symbol, **{**terms, **fields})


BINANCE_SPOT = market(
    "BTCUSDT", "BTC/USDT", margin=True,
    precision={"amount": "0.00001000", "price": "0.01000000", "base": "0.00000001", "quote": "0.00000001"},
    limits={
        "amount": {"min": "0.00001000", "max": "9000.00000000"},
        "price": {"min": "0.01000000", "max": "1000000.00000000"},
        "cost": {"min": "5.00000000", "max": "9000000.00000000"},
        "market": {"min": "0.00000000", "max": "115.46151096"},
    },
)  # fmt: skip
BINANCE_COIN_M = contract(
    "BTCUSD_PERP", "BTC/USD:BTC", inverse=True, contractSize="100", precision={"amount": "1", "price": "0.1"},
    limits={"amount": {"min": "1", "max": "1000000"}, "market": {"min": "1", "max": "60000"}},
)  # fmt: skip
OKX_SWAP = contract(
    "BTC-USDT-SWAP", "BTC/USDT:USDT", contractSize="0.01", precision={"amount": "0.01", "price": "0.1"},
    limits={"amount": {"min": "0.01", "max": "100000000"}, "leverage": {"min": "1", "max": "100"}},
    info={"instType": "SWAP", "ctMult": "1", "tickSz": "0.1"},
)  # fmt: skip
OKX_FUTURE = contract(
    "BTC-USD-261225", "BTC/USD:BTC-261225", inverse=True, type="future", contractSize="100", expiry=EXPIRY_MS,
    precision={"amount": "0.1", "price": "0.1"}, info={"instType": "FUTURES", "ctMult": "1", "tickSz": "0.1"},
)  # fmt: skip
OKX_OPTION = contract(
    "BTC-USD-261225-60000-C", "BTC/USD:BTC-261225-60000-C", inverse=True, type="option", expiry=EXPIRY_MS,
    strike="60000", optionType="call", precision={"amount": "1", "price": "0.0001"},
    info={"instType": "OPTION", "ctMult": "0.01", "tickSz": "0.0001"},
)  # fmt: skip
BYBIT_OPTION = contract(
    "BTC-25DEC26-70000-P-USDT", "BTC/USDT:USDT-261225-70000-P", type="option", expiry=EXPIRY_MS, strike="70000",
    optionType="put", precision={"amount": "0.01", "price": "5"},
    limits={"amount": {"min": "0.01", "max": "500"}, "price": {"min": "5", "max": "10000000"}},
)  # fmt: skip
BYBIT_INVERSE = contract(
    "BTCUSD", "BTC/USD:BTC", inverse=True, contractSize="1", precision={"amount": "1", "price": "0.10"},
    limits={"amount": {"min": "1", "max": "25000000"}, "leverage": {"min": "1", "max": "100.00"}},
)  # fmt: skip
KRAKEN_SPOT = market(
    "XXBTZUSD", "BTC/USD", baseId="XXBT", quoteId="ZUSD", margin=True, created=None,
    precision={"amount": "0.00000001", "price": "0.1"},
    limits={"leverage": {"min": "1", "max": "5"}, "amount": {"min": "0.00005", "max": None},
            "cost": {"min": "0.5", "max": None}},
)  # fmt: skip
KUCOIN_SPOT = market(
    "BTC-USDT", "BTC/USDT", created=None, margin=None, precision={"amount": "0.00000001", "price": "0.1"},
    limits={"amount": {"min": "0.00001", "max": "10000000000"}, "cost": {"min": "0.1", "max": "99999999"}},
)  # fmt: skip
KUCOIN_SWAP = contract(
    "XBTUSDTM", "BTC/USDT:USDT", contractSize="0.001", precision={"amount": "1", "price": "1e-1"},
    limits={"amount": {"min": 1, "max": 1000000}, "leverage": {"min": "1", "max": 125}},
)  # fmt: skip
GOOD = {
    "binance spot": BINANCE_SPOT, "binance coin-m": BINANCE_COIN_M, "okx swap": OKX_SWAP, "okx future": OKX_FUTURE,
    "bybit option": BYBIT_OPTION, "bybit inverse": BYBIT_INVERSE, "kraken spot": KRAKEN_SPOT,
    "kucoin spot": KUCOIN_SPOT, "kucoin swap": KUCOIN_SWAP,
}  # fmt: skip


def the_spec(row: dict[str, Any], mode: int = TICK_SIZE) -> SymbolSpec:
    """What one row says, which must not be rejected."""
    (spec,), rejected = specs_of([row], mode)
    assert rejected == []
    assert type(spec) is SymbolSpec
    return spec


def the_reason(row: dict[str, Any], mode: int = TICK_SIZE) -> str:
    """Why one row is rejected."""
    specs, (rejected,) = specs_of([row], mode)
    assert specs == []
    assert rejected.native_symbol == str(row.get("id"))
    return str(rejected.reason)


def numbers(*texts: str | None) -> tuple[Decimal | None, ...]:
    """Exact numbers."""
    return tuple(None if text is None else Decimal(text) for text in texts)


def test_a_spot_market_of_binance() -> None:
    """Its market orders have limits of their own; a limit of the price is none of a symbol."""
    spec = the_spec(BINANCE_SPOT)
    assert (spec.native_symbol, spec.symbol, spec.base, spec.quote) == ("BTCUSDT", "BTC/USDT", "BTC", "USDT")
    assert (spec.kind, spec.settle, spec.direction, spec.contract_size) == (SymbolKind.SPOT, None, None, None)
    assert (spec.price_tick, spec.quantity_step) == numbers("0.01", "0.00001")
    assert (spec.min_quantity, spec.max_quantity) == numbers("0.00001", "9000")
    assert (spec.min_notional, spec.max_notional) == numbers("5", "9000000")
    assert (spec.market_min_quantity, spec.market_max_quantity) == numbers("0", "115.46151096")
    assert (spec.status, spec.sides, spec.margin_allowed) == (SymbolStatus.TRADING, SidesAllowed.ALL, True)


def test_an_inverse_contract_is_worth_so_much_of_quote() -> None:
    """100 USD at Binance, 1 USD at Bybit."""
    for row, size in ((BINANCE_COIN_M, "100"), (BYBIT_INVERSE, "1")):
        spec = the_spec(row)
        assert (spec.kind, spec.direction, spec.settle) == (SymbolKind.PERPETUAL, ContractDirection.INVERSE, "BTC")
        assert (spec.contract_size, spec.quantity_step) == numbers(size, "1")
    assert (the_spec(BYBIT_INVERSE).leverage_min, the_spec(BYBIT_INVERSE).leverage_max) == numbers("1", "100")


def test_contracts_of_okx() -> None:
    """The step is in contracts, whole or not; a dated one has its expiry."""
    swap, future = the_spec(OKX_SWAP), the_spec(OKX_FUTURE)
    assert (swap.direction, swap.contract_size, swap.quantity_step) == (
        ContractDirection.LINEAR,
        *numbers("0.01", "0.01"),
    )
    assert (future.kind, future.expires_at, future.symbol) == (SymbolKind.FUTURE, EXPIRY, "BTC/USD:BTC-261225")
    assert swap.expires_at is None


def test_an_option_whose_tick_depends_on_its_price_is_rejected() -> None:
    """OKX and Deribit give the finest of several ticks: an order on it may be refused."""
    assert "tick grows with the price" in the_reason(OKX_OPTION)
    deribit = {**BYBIT_OPTION, "info": {"tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}]}}
    assert "tick grows with the price" in the_reason(deribit)
    assert the_spec({**BYBIT_OPTION, "info": {"tick_size_steps": []}})


def test_an_option_of_bybit() -> None:
    """Strike, call or put, and expiry."""
    spec = the_spec(BYBIT_OPTION)
    assert (spec.kind, spec.option_type, spec.expires_at) == (SymbolKind.OPTION, OptionType.PUT, EXPIRY)
    assert spec.strike == 70000
    assert (spec.price_tick, spec.quantity_step) == numbers("5", "0.01")


def test_a_spot_market_of_kraken_keeps_its_cost_limit_and_its_name() -> None:
    """The leverage is that of margin trading, and none of a spot symbol."""
    spec = the_spec(KRAKEN_SPOT)
    assert (spec.native_symbol, spec.symbol) == ("XXBTZUSD", "BTC/USD")
    assert (spec.min_quantity, spec.max_quantity, spec.min_notional, spec.max_notional) == numbers(
        "0.00005", None, "0.5", None
    )
    assert (spec.leverage_max, spec.margin_allowed) == (None, True)


def test_markets_of_kucoin() -> None:
    """A step in exponents and a limit that is an int are exact too; what is not known of margin is None."""
    assert the_spec(KUCOIN_SWAP).price_tick == Decimal("0.1")
    assert the_spec(KUCOIN_SWAP).min_quantity == 1
    assert the_spec(KUCOIN_SPOT).margin_allowed is None
    assert the_spec(KUCOIN_SPOT).max_notional == 99999999


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_taken_that_ccxt_makes_up(name: str) -> None:
    """Its fees are its own figures, and a creation is no opening."""
    spec = the_spec(GOOD[name])
    assert (spec.list_maker_fee, spec.list_taker_fee) == (None, None)
    assert (spec.buy_opens_at, spec.sell_opens_at) == (None, None)
    assert (spec.tick_assumed, spec.step_assumed) == (False, False)
    assert Listing(spec.kind, spec.settle).covers(spec)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("active", [False, None, "true", 1, ...])
def test_what_is_not_said_to_be_active_is_halted(name: str, active: Any) -> None:
    """Closed when in doubt."""
    row = {field: value for field, value in {**GOOD[name], "active": active}.items() if value is not ...}
    spec = the_spec(row)
    assert (spec.status, spec.sides) == (SymbolStatus.HALTED, SidesAllowed.NONE)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"precision": {"price": None}}, "gives no precision.price, so its step is not known"),
        ({"precision": {"amount": None}}, "gives no precision.amount, so its step is not known"),
        ({"precision": {"amount": 0.00001}}, "made with number=str"),
        ({"precision": {"amount": True}}, "made with number=str"),
        ({"precision": {"amount": "NaN"}}, "made with number=str"),
        ({"precision": {"amount": "0"}}, "quantity_step must be a Decimal and positive"),
        ({"precision": {"price": "-1"}}, "price_tick must be a Decimal and positive"),
        ({"limits": {"cost": {"min": 5.0, "max": None}}}, "limits.cost.min is 5.0"),
        ({"limits": {"amount": {"min": "2", "max": "1"}}}, "more than max_quantity"),
        ({"limits": {"amount": {"min": "-1", "max": "1"}}}, "min_quantity must be"),
        ({"type": "index"}, "of type index is no symbol"),
        ({"type": None}, "of type None is no symbol"),
        ({"base": None}, "is not called BASE/QUOTE"),
        ({"symbol": "BTCUSDT"}, "is not called BASE/QUOTE"),
        ({"id": None}, "native_symbol"),
        ({"id": "a\nb"}, "native_symbol"),
        ({"expiry": EXPIRY_MS}, "cannot have expires_at"),
        ({"strike": "1"}, "strike is for options"),
        ({"contractSize": "1"}, "contract_size is for contracts"),
    ],
)  # fmt: skip
def test_what_is_not_exact_is_rejected_alone(fields: dict[str, Any], reason: str) -> None:
    """With its name and the reason; its neighbours are imported."""
    row = market("BTCUSDT", "BTC/USDT", **fields)
    if fields == {"id": None}:
        row["id"] = ""
    assert reason in the_reason(row)
    specs, rejected = specs_of([KRAKEN_SPOT, row, KUCOIN_SPOT], TICK_SIZE)
    assert [spec.native_symbol for spec in specs] == ["XXBTZUSD", "BTC-USDT"]
    assert len(rejected) == 1


@pytest.mark.parametrize(
    ("row", "fields", "reason"),
    [
        (OKX_SWAP, {"contractSize": None}, "contract_size"),
        (OKX_SWAP, {"contractSize": 0.01}, "made with number=str"),
        (OKX_SWAP, {"linear": None}, "ccxt calls it linear=None"),
        (OKX_SWAP, {"linear": False, "inverse": True}, "ccxt calls it linear=False"),
        (OKX_SWAP, {"settle": "USDC", "linear": True}, "quanto"),
        (OKX_SWAP, {"settle": "ETH", "linear": False, "inverse": True}, "quanto"),
        (OKX_SWAP, {"info": {"ctMult": "0.01"}}, "0.01 times its contractSize"),
        (OKX_FUTURE, {"expiry": None}, "must have expires_at"),
        (OKX_FUTURE, {"expiry": 1.5}, "no time in milliseconds"),
        (OKX_FUTURE, {"expiry": 10**20}, "no time in milliseconds"),
        (BYBIT_OPTION, {"optionType": None}, "option_type"),
        (BYBIT_OPTION, {"strike": None}, "strike"),
        (BYBIT_INVERSE, {"limits": {"cost": {"min": "5", "max": None}}}, "in which currency"),
    ],
)
def test_a_contract_that_is_not_wholly_known_is_rejected(
    row: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    """Nothing of it is guessed."""
    assert reason in the_reason({**row, **fields})


def test_decimal_places_become_steps_exactly() -> None:
    """Also a negative count; no float takes part."""
    for places, step in (("8", "0.00000001"), (0, "1"), ("-2", "100"), ("2.0", "0.01")):
        row = market("X", "X/USD", precision={"amount": places, "price": places})
        assert the_spec(row, DECIMAL_PLACES).quantity_step == Decimal(step)
    for wrong in ("0.01", "1000000", "x"):
        assert "precision.price" in the_reason(
            market("X", "X/USD", precision={"amount": 1, "price": wrong}), DECIMAL_PLACES
        )


@pytest.mark.parametrize("mode", [SIGNIFICANT_DIGITS, 0, 5, None])
def test_significant_digits_are_no_step(mode: int) -> None:
    """Nor is a mode that is not known."""
    assert "significant digits" in the_reason(KRAKEN_SPOT, mode)


def test_a_maximum_of_zero_is_none() -> None:
    """As the exchanges that write it mean it; a minimum of zero stays."""
    row = market("X", "X/USD", limits={"amount": {"min": "0", "max": "0.000"}, "market": {"min": "0", "max": "0"}})
    spec = the_spec(row)
    assert (spec.min_quantity, spec.max_quantity, spec.market_max_quantity) == numbers("0", None, None)


def test_odd_rows_are_no_traceback() -> None:
    """Whatever is missing or of another type, a row is taken or rejected."""
    for field in BINANCE_SPOT:
        for value in (None, "", [], {}, 0, "x", 1.5, True, object()):
            specs, rejected = specs_of([{**BINANCE_SPOT, field: value}, {**BYBIT_OPTION, field: value}], TICK_SIZE)
            assert len(specs) + len(rejected) == 2
    assert specs_of([], TICK_SIZE) == ([], [])


def test_a_stock_is_marked() -> None:
    """Where ccxt says so; all else it does not say."""
    assert the_spec(market("X", "X/USDT", stock=True)).asset_class is AssetClass.STOCK
    assert the_spec(market("X", "X/USDT")).asset_class is None
