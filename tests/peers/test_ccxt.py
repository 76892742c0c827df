"""Our readers beside ccxt's newest release, on the same rows: `make peers`. Reads no network.

Set EXCHANGES_DB_PAYLOADS to a folder of recorded answers, named after their list as in FILES, to compare those too.

Every field that both have is compared. Deliberate differences, each with its reason and the evidence for it, are in
DIFFERENT; everything else must be equal, number by number.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import ccxt
import pytest

from exchanges_db.symbols.enums import ContractDirection, OptionType, SymbolKind, SymbolStatus
from exchanges_db.symbols.judge import is_tradable
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import read_payload
from tests.payload_rows import (
    DELIVERY,
    FUTURES,
    MEXC,
    MEXC_FUTURES,
    OPTIONS,
    SPOT,
    asked_without_header,
    delivery,
    futures,
    many,
    mexc,
    mexc_futures,
    options,
    payload,
    spot,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
SOON = int(datetime(2026, 2, 14, tzinfo=UTC).timestamp())
PAST = int(datetime(2025, 12, 24, tzinfo=UTC).timestamp())
KINDS = {
    "spot": SymbolKind.SPOT,
    "swap": SymbolKind.PERPETUAL,
    "future": SymbolKind.FUTURE,
    "option": SymbolKind.OPTION,
}
Theirs = dict[str, Any]


class Difference(NamedTuple):
    """Why a field of ours is not ccxt's, what is known of it, and whether that is the case in a row."""

    reason: str
    evidence: str
    holds: Callable[[SymbolSpec, Theirs], bool]


def is_gate_contract(theirs: Theirs) -> bool:
    """Whether a row is one of Gate.io's futures, dated contracts or options."""
    return "order_price_round" in theirs["info"]


def is_coarser(ours: Decimal, theirs: Any) -> bool:
    """Whether our step is, where ccxt has one."""
    return theirs is not None and ours > Decimal(theirs)


RENAMED = "ccxt renames coins where two exchanges use one code for two; we keep the exchange's own"
COMMON = "commonCurrencies in ccxt's mexc.py and gate.py"
DIFFERENT: dict[str, list[Difference]] = {
    "base": [Difference(RENAMED, COMMON, lambda ours, theirs: ours.base == theirs["baseId"].upper())],
    "quote": [Difference(RENAMED, COMMON, lambda ours, theirs: ours.quote == theirs["quoteId"].upper())],
    "settle": [Difference(RENAMED, COMMON, lambda ours, theirs: ours.settle == theirs["settleId"].upper())],
    "price_tick": [
        Difference(
            "MEXC's documents do not say which of two precisions is the price's: the coarser is always taken",
            "quotePrecision is 'price precision' in the Chinese documents, quoteAssetPrecision is what ccxt takes",
            lambda ours, theirs: ours.tick_assumed and is_coarser(ours.price_tick, theirs["precision"]["price"]),
        ),
        Difference(
            "MEXC's rows from before 2021 have quotePrecision or quoteAssetPrecision only; ccxt reads one of them",
            "without it, its precision is None",
            lambda ours, theirs: theirs["precision"]["price"] is None,
        ),
    ],
    "quantity_step": [
        Difference(
            "MEXC's step is documented nowhere: it is the coarser of baseAssetPrecision and the minimum's last decimal",
            "MEXC's page calls baseSizePrecision the minimum; ccxt takes 10^-baseAssetPrecision",
            lambda ours, theirs: ours.step_assumed and is_coarser(ours.quantity_step, theirs["precision"]["amount"]),
        ),
        Difference(
            "a Gate.io contract with decimals has the minimum's last decimal as step; ccxt takes the minimum itself",
            "ccxt pull request 28433; a minimum of 5 says that 6 is taken, and not that 10 is the next",
            lambda ours, theirs: theirs["info"].get("enable_decimal") is True and ours.step_assumed,
        ),
    ],
    "min_quantity": [
        Difference(
            "Gate.io spot without min_base_amount has no minimum; ccxt takes the step for it",
            "Gate's documents: null means no limit",
            lambda ours, theirs: ours.min_quantity is None and theirs["info"].get("min_base_amount") in (None, ""),
        ),
    ],
    "max_quantity": [
        Difference(
            "ccxt leaves out Gate.io spot's max_base_amount",
            "Gate's documents: maximum amount of base currency to trade",
            lambda ours, theirs: ours.max_quantity == number(theirs["info"].get("max_base_amount")),
        ),
        Difference(
            "MEXC futures give one maximum for all orders and one for limit orders: the smaller is safe",
            "maxVol 400000 beside limitMaxVol 2500000 in MEXC's documents, the other way round in recordings",
            lambda ours, theirs: ours.max_quantity == number(theirs["info"].get("limitMaxVol")),
        ),
    ],
    "max_notional": [
        Difference(
            "ccxt takes Gate.io spot's max_quote_amount for pairs with margin only",
            "Gate's documents: maximum amount of quote currency to trade, of every pair",
            lambda ours, theirs: (
                not theirs["margin"] and ours.max_notional == number(theirs["info"].get("max_quote_amount"))
            ),
        ),
    ],
    "contract_size": [
        Difference(
            "a Gate.io option is worth its multiplier; ccxt says 1",
            "Gate's documents: how many units of the underlying one contract represents",
            lambda ours, theirs: ours.contract_size == number(theirs["info"].get("multiplier")),
        ),
    ],
    "direction": [
        Difference(
            "ccxt calls every contract inverse that is not linear; one that settles in a third currency is quanto",
            "isLinear = quote == settle in ccxt's gate.py and mexc.py",
            lambda ours, theirs: ours.direction is ContractDirection.QUANTO and theirs["inverse"],
        ),
    ],
    "list_fees": [
        Difference(
            "ccxt has figures of its own for Gate.io contracts; ours are the list's, which no account pays",
            "0.0005 and 0.0002, or 0.0003 for options, are constants in ccxt's gate.py",
            lambda ours, theirs: (
                is_gate_contract(theirs)
                and ours.list_maker_fee == number(theirs["info"].get("maker_fee_rate"))
                and ours.list_taker_fee == number(theirs["info"].get("taker_fee_rate"))
            ),
        ),
    ],
    "tradable": [
        Difference(
            "MEXC futures whose apiAllowed is false take no order through the API; ccxt does not look",
            "MEXC's documents: whether API trading is allowed",
            lambda ours, theirs: theirs["active"] and theirs["info"].get("apiAllowed") is False,
        ),
        Difference(
            "ccxt calls a Gate.io pair active only where both sides trade; ours says which side does",
            "Gate's documents: buyable: can be bought; sellable: can be sold",
            lambda ours, theirs: theirs["info"].get("trade_status") in ("buyable", "sellable") and not theirs["active"],
        ),
        Difference(
            "a pair that is announced is not open yet, whatever its state",
            "buy_start and sell_start of Gate.io, firstOpenTime and openingTime of MEXC, launch_time of futures",
            lambda ours, theirs: theirs["active"] and (ours.buy_opens_at or NOW) > NOW,
        ),
        Difference(
            "ccxt ignores in_delisting, the ends of contracts and their expiry",
            "Gate's documents: in_delisting and delisting_time mean that positions can only be closed",
            lambda ours, theirs: (
                theirs["active"]
                and ours.status in (SymbolStatus.DELISTING, SymbolStatus.DELISTED, SymbolStatus.EXPIRED)
            ),
        ),
        Difference(
            "a word that decides about trading and is not known closes; ccxt looks at the status alone",
            "tradeSideType of MEXC; type, contract_type of Gate.io; futureType, type of MEXC futures",
            lambda ours, theirs: theirs["active"] and ours.status is SymbolStatus.HALTED,
        ),
        Difference(
            "MEXC without isSpotTradingAllowed does not say that the API is closed; ccxt takes absence for false",
            "rows from before the field have none",
            lambda ours, theirs: (
                not theirs["active"]
                and "baseAssetPrecision" in theirs["info"]
                and "isSpotTradingAllowed" not in theirs["info"]
            ),
        ),
        Difference(
            "MEXC's tradeSideType can take every side away; ccxt does not look",
            "MEXC's documents: 4 - Close",
            lambda ours, theirs: theirs["active"] and theirs["info"].get("tradeSideType") in ("4", 4),
        ),
    ],
    "opens_at": [
        Difference(
            "the creation of a contract is no opening: ours is launch_time",
            "create_time and launch_time in Gate's documents; recorded rows have both, hours apart",
            lambda ours, theirs: (
                is_gate_contract(theirs) and theirs["created"] == millis(theirs["info"].get("create_time"))
            ),
        ),
        Difference(
            "MEXC's rows have an opening, which ccxt does not read",
            "firstOpenTime in recorded rows, openingTime in the documents of futures; in milliseconds",
            lambda ours, theirs: (
                theirs["created"] is None
                and millis_of(ours.buy_opens_at)
                == int(theirs["info"].get("firstOpenTime") or theirs["info"].get("openingTime"))
            ),
        ),
    ],
    "price_band": [
        Difference(
            "the band of an option is deprecated, and was of the underlying's price, not of its own",
            "OptionsContract.md of gateapi-python 6.104.3: mark_price +/- order_price_deviate * underlying_price",
            lambda ours, theirs: theirs["option"] and ours.price_band_up is ours.price_band_down is None,
        ),
    ],
    "margin_allowed": [
        Difference(
            "Gate.io's list of pairs does not tell of margin; ccxt asks another list, which is empty here",
            "GET /margin/currency_pairs in ccxt's gate.py",
            lambda ours, theirs: ours.margin_allowed is None and theirs["margin"] is False,
        ),
    ],
}


def theirs_of(exchange: str, listing: str, rows: list[dict[str, Any]]) -> dict[str, Theirs]:
    """What ccxt makes of the rows, by native symbol, asked as its users ask but without a network."""
    client: Any = (ccxt.mexc if exchange.startswith("MEXC") else ccxt.gate)({"number": str})
    if exchange == MEXC:
        client.spotPublicGetExchangeInfo = lambda params=None: {"symbols": rows}
        markets = client.fetch_spot_markets()
    elif exchange == MEXC_FUTURES:
        client.contractPublicGetDetail = lambda params=None: {"success": True, "code": "0", "data": rows}
        markets = client.fetch_swap_markets()
    elif exchange == SPOT:
        client.publicMarginGetCurrencyPairs = lambda params=None: []
        client.publicSpotGetCurrencyPairs = lambda params=None: rows
        markets = client.fetch_spot_markets()
    elif exchange == OPTIONS:
        client.publicOptionsGetUnderlyings = lambda params=None: [{"name": listing.split(":")[2]}]
        client.publicOptionsGetContracts = lambda params=None: rows
        markets = client.fetch_option_markets()
    else:
        markets = [client.parse_contract_market(row, listing.split(":")[1]) for row in rows]
    return {market["id"]: market for market in markets}


def number(value: Any) -> Decimal | None:
    """A number of ccxt, which is text, or of a row."""
    return None if value is None else Decimal(value)


def millis(seconds: Any) -> int | None:
    """Seconds of a row in milliseconds."""
    return None if seconds is None else int(Decimal(seconds) * 1000)


def millis_of(moment: datetime | None) -> int | None:
    """A time as ccxt writes it."""
    return None if moment is None else int(moment.timestamp()) * 1000


def band_of(ours: SymbolSpec, mark: Any) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest price now, of a band around the mark price."""
    if ours.price_band_up is None or ours.price_band_down is None or mark is None:
        return None, None
    return Decimal(mark) * (1 - ours.price_band_down), Decimal(mark) * (1 + ours.price_band_up)


def fields(ours: SymbolSpec, theirs: Theirs) -> Iterator[tuple[str, Any, Any]]:
    """Each field that both have: its name, ours, ccxt's."""
    limits = theirs["limits"]
    yield "base", ours.base, theirs["base"]
    yield "quote", ours.quote, theirs["quote"]
    yield "settle", ours.settle, theirs["settle"]
    yield "kind", ours.kind, KINDS[theirs["type"]]
    yield "contract_size", ours.contract_size, number(theirs["contractSize"])
    directions = {True: ContractDirection.LINEAR, False: ContractDirection.INVERSE}
    yield "direction", ours.direction, directions.get(theirs["linear"])
    yield "expires_at", millis_of(ours.expires_at), theirs["expiry"]
    yield "strike", ours.strike, number(theirs["strike"])
    yield "option_type", ours.option_type, {"call": OptionType.CALL, "put": OptionType.PUT}.get(theirs["optionType"])
    yield "price_tick", ours.price_tick, number(theirs["precision"]["price"])
    yield "quantity_step", ours.quantity_step, number(theirs["precision"]["amount"])
    yield "min_quantity", ours.min_quantity, number(limits["amount"]["min"])
    yield "max_quantity", ours.max_quantity, number(limits["amount"]["max"]) or None
    yield "min_notional", ours.min_notional, number(limits["cost"]["min"])
    yield "max_notional", ours.max_notional, number(limits["cost"]["max"]) or None
    market = limits.get("market")
    if market is not None:  # in no list here; the day ccxt reads market limits, they are compared
        yield "market_quantity", (ours.market_min_quantity, ours.market_max_quantity), (
            number(market["min"]), number(market["max"]) or None,
        )  # fmt: skip
    yield "list_fees", (ours.list_maker_fee, ours.list_taker_fee), (number(theirs["maker"]), number(theirs["taker"]))
    yield "tradable", is_tradable(ours, NOW, observed_at=NOW), theirs["active"]
    yield "opens_at", millis_of(ours.buy_opens_at), theirs["created"]
    if ours.kind is SymbolKind.SPOT:
        yield "margin_allowed", ours.margin_allowed, theirs["margin"]
    else:
        leverage = limits["leverage"]
        yield "leverage", (ours.leverage_min, ours.leverage_max), (number(leverage["min"]), number(leverage["max"]))
    if "mark_price" in theirs["info"]:
        price = limits["price"]
        band = band_of(ours, theirs["info"]["mark_price"])
        yield "price_band", band, (number(price["min"]), number(price["max"]))


def compare(exchange: str, listing: str, text: bytes) -> tuple[int, Counter[Difference]]:
    """Return how many rows were compared, and how often each deliberate difference was met; all else must be equal."""
    read = read_payload(exchange, text, listing=listing, observed_at=NOW)
    assert read.foreign is None
    # Numbers as text, as ccxt itself reads an answer.
    decoded = json.loads(text, parse_float=str, parse_int=str)
    rows = decoded if isinstance(decoded, list) else decoded.get("symbols", decoded.get("data"))
    theirs = theirs_of(exchange, listing, rows)
    for rejected in read.rejected:
        # Of these ccxt makes a step of 1 and a minimum of 0.
        assert "asked for without the header" in rejected.reason
        del theirs[str(rejected.native_symbol)]
    assert {symbol.spec.native_symbol for symbol in read.symbols} == theirs.keys()
    met: Counter[Difference] = Counter()
    for symbol in read.symbols:
        other = theirs[symbol.spec.native_symbol]
        for field, mine, its in fields(symbol.spec, other):
            if mine == its:
                continue
            where = f"{exchange} {symbol.spec.native_symbol} {field}: {mine} and ccxt {its}"
            reasons = [one for one in DIFFERENT.get(field, ()) if one.holds(symbol.spec, other)]
            assert reasons, where
            met.update(reasons)
        codes = (symbol.spec.base, symbol.spec.quote, symbol.spec.settle)
        if codes == (other["base"], other["quote"], other["settle"]):
            assert symbol.spec.symbol == other["symbol"]
    return len(read.symbols), met


WRITTEN: dict[str, tuple[str, str, bytes]] = {
    "mexc": (MEXC, "SPOT", payload(MEXC, [
        *many(MEXC, 20), mexc(), mexc("GASUSDT", "GAS"), mexc("ATLASUSDT", "ATLAS", baseAssetPrecision=2),
        mexc("PYTHUSDT", "PYTH", baseSizePrecision="0"), mexc("XUSDT", "X", status="2", quoteAmountPrecision="5"),
        mexc("YUSDT", "Y", quotePrecision=4, quoteAssetPrecision=2), mexc("ZUSDT", "Z", quotePrecision=4),
        mexc("OLDUSDT", "OLD", quotePrecision=...),
        mexc("OLDESTUSDT", "OLDEST", quoteAssetPrecision=...), mexc("TICKUSDT", "TICK", quoteAssetPrecision=4),
        mexc("NOAPIUSDT", "NOAPI", isSpotTradingAllowed=False),
        mexc("CLOSEDUSDT", "CLOSED", tradeSideType="4"), mexc("ODDUSDT", "ODD", tradeSideType="7"),
        mexc("NEWUSDT", "NEW", firstOpenTime=SOON * 1000), mexc("OLDERUSDT", "OLDER", firstOpenTime=PAST * 1000),
        mexc("MARGINUSDT", "MARGIN", isMarginTradingAllowed=True), mexc("GONEUSDT", "GONE", status="3"),
        mexc("COARSEUSDT", "COARSE", baseSizePrecision="0.01"), mexc("SILENTUSDT", "SILENT", isSpotTradingAllowed=...),
    ])),
    "spot": (SPOT, "SPOT", payload(SPOT, [
        *many(SPOT, 20), spot(), spot("GTC"), spot("ADA", min_base_amount=None), spot("QTUM", "ETH", precision=10),
        spot("BTC3L", amount_precision=0), spot("NEW", trade_status="untradable", min_base_amount=...),
        spot("BUY", trade_status="buyable"), spot("SELL", trade_status="sellable"), spot("ODD", trade_status="odd"),
        spot("MAX", max_base_amount="100"), spot("FIRST", buy_start=SOON, sell_start=PAST),
        spot("LAUNCH", buy_start=SOON, sell_start=SOON),
        spot("OLD", buy_start=PAST), spot("PRE", type="odd"), spot("FREE", fee="0"), spot("X", "GTC"),
    ])),
    "usdt": (FUTURES, "PERPETUAL:USDT", payload(FUTURES, [
        *many(FUTURES, 20), futures(), futures("BTC", order_price_round="0.5", order_price_deviate="0.03"),
        futures("SOS", quanto_multiplier="1000000"), futures("TINY", order_price_round="1e-10"),
        asked_without_header(futures("CUT", enable_decimal=True, order_size_min="0.1")),
        futures("FINE", enable_decimal=True, order_size_min="0.1", order_size_max="12", position_size="1.5"),
        futures("FIVE", enable_decimal=True, order_size_min="5", order_size_max="12", position_size="1.5"),
        futures("GONE", in_delisting=True, position_size=0), futures("GOING", in_delisting=True),
        futures("SOON", status="prelaunch", launch_time=SOON), futures("ANNOUNCED", launch_time=SOON),
        futures("BROKEN", status="circuit_breaker"), futures("ODD", status="odd"), futures("X", contract_type="odd"),
        futures("ENDED", delisting_time=PAST), futures("LEVER", leverage_min="1", leverage_max="125"),
    ])),
    "btc": (FUTURES, "PERPETUAL:BTC", payload(FUTURES, [
        futures("BTC", "USD", type="inverse", quanto_multiplier="0"), futures("ETH", "USD"),
    ])),
    "delivery": (FUTURES, "FUTURE:USDT", payload(FUTURES, [
        *many(DELIVERY, 5), delivery(), delivery("GONE", in_delisting=True, position_size=0),
        delivery("GOING", in_delisting=True), delivery("OVER", expire_time=PAST),
    ])),
    "options": (OPTIONS, "OPTION:USDT:BTC_USDT", payload(OPTIONS, [
        *many(OPTIONS, 5), options(), options(name="BTC_USDT-20261225-65000-P", is_call=False),
        options(strike="70000.5", order_size_max=10), options(strike="1", expiration_time=PAST),
        options(strike="2", is_active=False),
    ])),
    "mexc futures": (MEXC_FUTURES, "PERPETUAL", payload(MEXC_FUTURES, [
        *many(MEXC_FUTURES, 5), mexc_futures(), mexc_futures("ETH", maxVol=5, limitMaxVol=3),
        mexc_futures("SOL", limitMaxVol=...), mexc_futures("BTC", "USD", settleCoin="BTC", contractSize=100),
        mexc_futures("GAS"), mexc_futures("FLUX", "USD", settleCoin="FLUX"), mexc_futures("THIRD", "USD"),
        mexc_futures("API", apiAllowed=False), mexc_futures("NEW", openingTime=SOON * 1000),
        mexc_futures("HALT", state=4), mexc_futures("GONE", state=3), mexc_futures("ODD", state=9),
        mexc_futures("STOP", type=2), mexc_futures("X", typeLabel=9),
    ])),
}  # fmt: skip


def test_every_deliberate_difference_is_met() -> None:
    """By a row of our own writing: a reason that no row has is none, or ccxt has come round to it."""
    met: Counter[Difference] = Counter()
    for exchange, listing, text in WRITTEN.values():
        met += compare(exchange, listing, text)[1]
    listed = [one for several in DIFFERENT.values() for one in several]
    assert [one.reason for one in listed if one not in met] == []
    assert all(one.evidence for one in listed)


@pytest.mark.parametrize(("exchange", "listing", "text"), WRITTEN.values(), ids=WRITTEN)
def test_every_field_of_every_row(exchange: str, listing: str, text: bytes) -> None:
    """Equal, or different for a reason that is listed."""
    compared, _ = compare(exchange, listing, text)
    assert compared


# What a file of EXCHANGES_DB_PAYLOADS is a list of: the first beginning of its name that fits.
FILES = {
    "mexc_spot": (MEXC, "SPOT"),
    "mexc_contract": (MEXC_FUTURES, "PERPETUAL"),
    "gateio_spot": (SPOT, "SPOT"),
    "gateio_futures_btc": (FUTURES, "PERPETUAL:BTC"),
    "gateio_futures": (FUTURES, "PERPETUAL:USDT"),
    "gateio_delivery": (FUTURES, "FUTURE:USDT"),
    "gateio_options": (OPTIONS, "OPTION:USDT:BTC_USDT"),
}


def recorded() -> Iterator[Any]:
    """The files of EXCHANGES_DB_PAYLOADS."""
    for file in sorted(Path(os.environ["EXCHANGES_DB_PAYLOADS"]).glob("*.json")):
        exchange, listing = next(of for name, of in FILES.items() if file.name.startswith(name))
        yield pytest.param(exchange, listing, file, id=file.stem)


if "EXCHANGES_DB_PAYLOADS" in os.environ:

    @pytest.mark.parametrize(("exchange", "listing", "file"), list(recorded()))
    def test_recorded_answers(exchange: str, listing: str, file: Path) -> None:
        """Every row of them."""
        compared, met = compare(exchange, listing, file.read_bytes())
        print(f"{file.name}: {compared} rows", *(f"\n  {count}: {one.reason}" for one, count in met.items()))  # noqa: T201
