"""Speed and memory of symbols: import beside a bare COPY, reading beside ccxt, and the check of an order.

Always on an embedded server of its own, because it writes. Every ratio is formed within one round.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import timeit
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import asyncpg
import msgspec
import typer
from rich.table import Table

from benchmarks import readings
from benchmarks.figures import Target
from benchmarks.report import Figure as Ratio
from benchmarks.report import new_folder, wide_console
from benchmarks.server import migrate, own_server
from exchanges_db import Database, ImportLimits, OrderRules, Side, get_symbol, get_symbols, import_symbols
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.symbols.payloads.readers import read_payload

EXCHANGE = "GATEIO_SPOT"
NOW = datetime(2026, 1, 31, tzinfo=UTC)
FIRST, AGAIN, CHANGED = Target("at most", 3.5), Target("at most", 1.0), Target("at most", 4.0)
HEAP, HEAP_IMPORTS, HEAP_SYMBOLS = Target("at most", 2.5), 10, 10_000
ANY_SHARE = ImportLimits(field_percent=100)  # what is measured is how fast all rows change, not whether they may
FASTER, CHECK = Target("at least", 3.0), Target("less than", 2.0)
NO_SLOWER = Target("at most", 1.2)  # a field that nobody knows
MANY, NAMES = Target("at most", 0.15), 50


class Figure(Ratio, frozen=True):
    """One figure of the run: what it is, its value, its ratio or value against the target, and the memory it takes."""

    memory: str


def synthetic(count: int, **more: object) -> bytes:
    """A payload of Gate.io spot with `count` coins, in the shape of 2026; `more`: fields that every row has as well."""
    return msgspec.json.encode(
        [
            {
                "id": f"C{number}_USDT",
                "base": f"C{number}",
                "base_name": f"Coin {number}",
                "quote": "USDT",
                "quote_name": "Tether",
                "trade_quotes": [],
                "fee": "0.2",
                "min_base_amount": "0.001",
                "min_quote_amount": "3",
                "max_base_amount": str(10 ** (number % 8)),
                "max_quote_amount": "5000000",
                "amount_precision": number % 8,
                "precision": number % 10,
                "trade_status": "tradable",
                "sell_start": 0,
                "buy_start": 1607313600,
                "delisting_time": 0,
                "type": "normal",
                "trade_url": f"https://www.gate.com/trade/C{number}_USDT",
                "st_tag": False,
                "up_rate": "0.08",
                "down_rate": "0.08",
                "slippage": "0.03",
                "market_order_max_stock": str(50 * (number + 1)),
                "market_order_max_money": "5000000",
                **more,
            }
            for number in range(count)
        ]
    )


def main(
    symbols: Annotated[int, typer.Option(min=1000, help="Synthetic symbols to import.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each has its own database.")] = 3,
    payload: Annotated[
        Path | None, typer.Option(help="A recorded answer of Gate.io spot, which is read beside ccxt, too.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure import, reading and checking; exit with 1 where a target is missed."""
    recorded = None if payload is None else payload.read_bytes()
    figures = [*_imports(symbols, rounds), *_readings(recorded), _check()]
    table = Table(box=None, header_style="bold")
    for column in ("what", "typical", "ratio", "target", "met", "memory"):
        table.add_column(column)
    for one in figures:
        table.add_row(one.name, one.value, f"{one.ratio:.2f}", one.target, "yes" if one.met else "MISSED", one.memory)
    wide_console().print(table)
    (new_folder(out) / "symbols.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    raise typer.Exit(not all(one.met for one in figures))


def _figure(name: str, value: str, ratio: float, target: Target, memory: str) -> Figure:
    return Figure(name, value, ratio, str(target), target.is_met(ratio), memory)


def _imports(count: int, rounds: int) -> list[Figure]:
    with own_server() as (url, _):
        server = parse_dsn(url)
        times = []
        for number in range(rounds):
            sys.stderr.write(f"import, round {number + 1} of {rounds}\n")
            dsn = replace(server, database=f"symbols_{number}")
            migrate(dsn)
            times.append(asyncio.run(_round(dsn, count)))
        sys.stderr.write(f"{HEAP_IMPORTS} imports that change everything, VACUUM after each\n")
        dsn = replace(server, database="heap")
        migrate(dsn)
        before, after = asyncio.run(_heap(dsn, min(count, HEAP_SYMBOLS)))
    copy, first, again, changed, singly, at_once = (statistics.median(column) for column in zip(*times, strict=True))
    peak = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB peak of the process"
    first_ratio, again_ratio, changed_ratio = (statistics.median(one[n] / one[0] for one in times) for n in (1, 2, 3))
    many_ratio = statistics.median(one[5] / one[4] for one in times)
    sys.stderr.write(f"COPY of {count} rows: {copy:.2f} s, {count / copy:,.0f} rows/s\n")
    return [
        _figure("first import / COPY", f"{first:.2f} s, {count / first:,.0f} rows/s", first_ratio, FIRST, peak),
        _figure("import, nothing new / COPY", f"{again:.2f} s, {count / again:,.0f} rows/s", again_ratio, AGAIN, peak),
        _figure(
            "import, all changed / COPY",
            f"{changed:.2f} s, {count / changed:,.0f} rows/s",
            changed_ratio,
            CHANGED,
            peak,
        ),
        _figure(
            f"symbols and raw rows after {HEAP_IMPORTS} imports that change all / after the first",
            f"{after / 2**20:.1f} MiB, {before / 2**20:.1f} MiB",
            after / before,
            HEAP,
            "",
        ),
        _figure(
            f"get_symbols of {NAMES} names / one get_symbol each",
            f"{1e3 * at_once:.2f} ms, {1e3 * singly:.2f} ms",
            many_ratio,
            MANY,
            "",
        ),
    ]


async def _round(dsn: Dsn, count: int) -> tuple[float, ...]:
    """Seconds of COPY, of a first import, of one that changes nothing, of one that changes all; of names as above."""
    payload, other = synthetic(count), synthetic(count, min_base_amount="0.002")
    copy = await _copy(dsn, payload)
    async with Database(dsn) as database:
        times = []
        for number, given in enumerate((payload, payload, other)):
            begin = perf_counter()
            report = await import_symbols(
                EXCHANGE, given, observed_at=NOW + timedelta(minutes=number), limits=ANY_SHARE, db=database
            )
            times.append(perf_counter() - begin)
            assert len(report.changes) == (count, 0, count)[number]
            # As autovacuum does within a minute: without figures of a table that was just filled, plans are guesses.
            async with database.transaction() as transaction:
                await transaction.connection.execute("ANALYZE public.symbols, public.symbol_raw, public.symbol_lists")
        times += await _look_ups(database)
    return copy, *times


async def _heap(dsn: Dsn, count: int) -> tuple[int, int]:
    """Bytes of symbols and of their raw rows, without indexes, after a first import and after all the others."""
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    sizes = []
    try:
        async with Database(dsn) as database:
            for number in range(HEAP_IMPORTS + 1):
                given = synthetic(count, min_base_amount=f"0.00{number + 1}")
                at = NOW + timedelta(days=number)
                await import_symbols(EXCHANGE, given, observed_at=at, limits=ANY_SHARE, db=database)
                await connection.execute("VACUUM public.symbols, public.symbol_raw")
                sizes.append(await connection.fetchval(_HEAP))
    finally:
        await connection.close()
    return sizes[0], sizes[-1]


_HEAP = "SELECT pg_table_size('public.symbols') + pg_table_size('public.symbol_raw')"


async def _look_ups(database: Database) -> tuple[float, float]:
    """Seconds of 50 look-ups by name, and of one for all 50; each the best of 20, taken in turns."""
    names = [f"C{number}/USDT" for number in range(0, NAMES * 7, 7)]
    singly, at_once = [], []
    for _ in range(20):
        begin = perf_counter()
        each = {name: await get_symbol(EXCHANGE, name, db=database) for name in names}
        singly.append(perf_counter() - begin)
        begin = perf_counter()
        together = await get_symbols(EXCHANGE, names, db=database)
        at_once.append(perf_counter() - begin)
        assert together == each
    return min(singly), min(at_once)


async def _copy(dsn: Dsn, payload: bytes) -> float:
    read = read_payload(EXCHANGE, payload, observed_at=NOW)
    columns = [field for field in type(read.symbols[0].spec).__struct_fields__ if field != "kind"]
    records: list[tuple[Any, ...]] = [
        (*(getattr(symbol.spec, column) for column in columns), "SPOT", bytes(symbol.raw or b"null").decode())
        for symbol in read.symbols
    ]
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        await connection.execute("CREATE TABLE bare AS SELECT s.*, NULL::jsonb AS raw FROM public.symbols AS s")
        begin = perf_counter()
        await connection.copy_records_to_table("bare", records=records, columns=[*columns, "kind", "raw"])
        return perf_counter() - begin
    finally:
        await connection.close()


def _readings(recorded: bytes | None) -> list[Figure]:
    """Rows of today, without and with a field that nobody knows yet: each beside ccxt, and one beside the other."""
    figures = []
    for one in readings.measure():
        typical, more = f"{one.ours:.1f} us a row", f"{one.new_field:.1f} us a row"
        name = f"ccxt / reading {one.exchange}"
        figures += [
            _figure(name, typical, one.ccxt / one.ours, FASTER, ""),
            _figure(f"{name}, a field nobody knows", more, one.ccxt_new_field / one.new_field, FASTER, ""),
            _figure(f"{name}, with ccxt's set_markets", typical, one.ccxt_loaded / one.ours, FASTER, ""),
            _figure(
                f"reading {one.exchange} with such a field / without", more, one.new_field / one.ours, NO_SLOWER, ""
            ),
        ]
    return figures + ([] if recorded is None else [_recorded(recorded)])


def _recorded(payload: bytes) -> Figure:
    """A recorded answer of Gate.io spot beside ccxt, and the memory that both take."""
    ours = partial(read_payload, EXCHANGE, payload, observed_at=NOW)
    theirs = partial(readings.theirs(EXCHANGE)[1], payload)
    mine, beside = [], []
    for _ in range(10):
        mine.append(readings.seconds(ours))
        beside.append(readings.seconds(theirs))
    count = len(json.loads(payload))
    memory = f"{_kept(ours) / count:.0f} bytes a row, ccxt {_kept(theirs) / count:.0f}"
    typical = f"{1e6 * min(mine) / count:.1f} us a row"
    return _figure("ccxt / reading a recorded answer", typical, min(beside) / min(mine), FASTER, memory)


def _kept(work: Callable[[], Any]) -> float:
    """Bytes that a result takes."""
    tracemalloc.start()
    kept = work()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return size


def _check() -> Figure:
    spec = read_payload(EXCHANGE, synthetic(1000), observed_at=NOW).symbols[6].spec
    rules = OrderRules.from_symbol(spec)
    price, quantity = Decimal("1234.5"), Decimal("0.125")
    assert rules.check(price, quantity, Side.BUY) is None
    typical = statistics.median(timeit.repeat(lambda: rules.check(price, quantity, Side.BUY), number=20_000, repeat=15))
    microseconds = typical / 20_000 * 1e6
    return _figure("OrderRules.check", f"{microseconds:.2f} us", microseconds, CHECK, f"{sys.getsizeof(rules)} bytes")


if __name__ == "__main__":
    typer.run(main)
