"""Reading three lists beside ccxt's newest: rows of today, which differ as real ones do, with and without a new field.

Both begin with the bytes of an answer and end in a list of symbols. ccxt decodes with what it takes itself: orjson,
where that is installed. Its users mostly call `load_markets`, which goes on to `set_markets`; that is timed beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import process_time
from typing import Any, NamedTuple

import ccxt

from exchanges_db.symbols.payloads.readers import read_payload
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, mexc, payload, spot

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ROWS, ROUNDS = 2000, 10
LISTINGS = {SPOT: "SPOT", FUTURES: "PERPETUAL:USDT", MEXC: "SPOT"}


class Reading(NamedTuple):
    """What one list takes: microseconds of processor time per row, the best of all rounds.

    new_field: ours, where every row has one field that nobody knows; ccxt_new_field: theirs.
    ccxt_loaded: theirs until a user of ccxt can look a market up.
    """

    exchange: str
    ours: float
    new_field: float
    ccxt: float
    ccxt_new_field: float
    ccxt_loaded: float


def answers(exchange: str) -> tuple[bytes, bytes]:
    """Return an answer of an exchange, and the same with a field that nobody knows."""
    plain, more = ([_row(exchange, number, **new) for number in range(ROWS)] for new in ({}, {"of_tomorrow": "1"}))
    return payload(exchange, plain), payload(exchange, more)


def _row(exchange: str, n: int, **more: Any) -> dict[str, Any]:
    """Row `n`: numbers, names and times differ from row to row about as they do in recorded answers."""
    coin = f"C{n}"
    if exchange == SPOT:
        most = {"max_base_amount": str(10 ** (n % 8)), "market_order_max_stock": str(50 * (n + 1))}
        return spot(coin, amount_precision=n % 8, precision=n % 10, buy_start=1607313600 + n, **most, **more)
    if exchange == FUTURES:
        most = {"order_size_max": str(1000 * (n % 300 + 1)), "market_order_size_max": str(500 * (n % 300 + 1))}
        prices = {"mark_price": f"{n}.5", "index_price": f"{n}.62", "last_price": str(n)}
        times: dict[str, Any] = {"launch_time": 1574294400 + 3600 * n, "config_change_time": 1776852890 + n}
        tick = {"order_price_round": f"0.{'0' * (n % 8)}1", "leverage_max": str(25 * (n % 5 + 1))}
        return futures(coin, **most, **prices, **times, **tick, **more)
    decimals: dict[str, Any] = {"quotePrecision": n % 9, "quoteAssetPrecision": n % 9, "baseAssetPrecision": n % 8}
    most = {"baseSizePrecision": f"0.{'0' * (n % 6)}1", "maxQuoteAmount": f"{1000 * (n % 500 + 1)}.{'0' * 30}"}
    labels = {"fullName": f"Coin {n}", "contractAddress": f"0x{hashlib.sha256(coin.encode()).hexdigest()[:40]}"}
    return mexc(f"{coin}USDT", coin, **decimals, **most, **labels, firstOpenTime=1573862400000 + 3600000 * n, **more)


def measure() -> list[Reading]:
    """Time all lists, ours and theirs in turns."""
    return [_measure(exchange) for exchange in LISTINGS]


def _measure(exchange: str) -> Reading:
    plain, more = answers(exchange)
    client, fetch = theirs(exchange)
    ours = partial(read_payload, exchange, listing=LISTINGS[exchange], observed_at=NOW)
    markets = fetch(plain)
    read = ours(plain)
    assert len(markets) == len(read.symbols) == len(ours(more).symbols) == ROWS
    work: list[Callable[[], Any]] = [
        partial(ours, plain),
        partial(ours, more),
        partial(fetch, plain),
        partial(fetch, more),
        partial(client.set_markets, markets),
    ]
    times: list[list[float]] = [[] for _ in work]
    for _ in range(ROUNDS):
        for place, one in enumerate(work):
            times[place] += [seconds(one), seconds(one)]
    mine, mine_more, fetched, fetched_more, loaded = (min(column) / ROWS * 1e6 for column in times)
    return Reading(exchange, mine, mine_more, fetched, fetched_more, fetched + loaded)


def first_read(exchange: str) -> float:
    """Microseconds per row of the first read of this process, of an answer that it has not seen; call it once."""
    plain, _ = answers(exchange)
    taken = seconds(partial(read_payload, exchange, plain, listing=LISTINGS[exchange], observed_at=NOW))
    return taken / ROWS * 1e6


def seconds(work: Callable[[], Any]) -> float:
    """Return the processor time that a call takes."""
    begin = process_time()
    work()
    return process_time() - begin


def theirs(exchange: str) -> tuple[Any, Callable[[bytes], Any]]:
    """Return ccxt's client, and what makes its list of markets of an answer: its own decoder, then its own parser."""
    client: Any = ccxt.mexc() if exchange == MEXC else ccxt.gate()
    request, fetch = {
        SPOT: ("publicSpotGetCurrencyPairs", "fetch_spot_markets"),
        FUTURES: ("publicFuturesGetSettleContracts", "fetch_swap_markets"),
        MEXC: ("spotPublicGetExchangeInfo", "fetch_spot_markets"),
    }[exchange]
    if exchange != MEXC:
        client.publicMarginGetCurrencyPairs = lambda params=None: []
        client.options["swap"]["fetchMarkets"]["settlementCurrencies"] = ["usdt"]

    def markets(answer: bytes) -> Any:
        setattr(client, request, lambda params=None: client.parse_json(answer.decode()))
        return getattr(client, fetch)()

    return client, markets


if __name__ == "__main__":
    for name in LISTINGS:
        print(f"{name}: first read {first_read(name):.1f} us per row")  # noqa: T201 - a program
    for one in measure():
        print(  # noqa: T201 - a program
            f"{one.exchange}: {one.ours:.1f}, {one.new_field:.1f} us per row; ccxt / ours {one.ccxt / one.ours:.2f},"
            f" {one.ccxt_new_field / one.new_field:.2f}, loaded {one.ccxt_loaded / one.ours:.2f};"
            f" new field {one.new_field / one.ours:.2f}"
        )
