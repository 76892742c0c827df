"""Speed of questions about the past, beside the same questions about now, at a million versions and at a tenth of them.

Always on an embedded server of its own, filled by its owner with the triggers off. The two sides of a ratio take turns;
each counts with its median.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import asyncpg
import typer

from benchmarks.figures import Target
from benchmarks.report import Figure, report
from benchmarks.server import migrate, own_server
from exchanges_db import (
    Database,
    diff_symbols,
    get_symbol,
    get_symbol_as_of,
    get_symbol_history,
    list_symbols,
    list_symbols_as_of,
)
from exchanges_db.database.dsn import Dsn, parse_dsn

EXCHANGE, NAME = "GATEIO_SPOT", "C7/USDT"
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
# Versions of one symbol follow each other after so many days, so that one in so many symbols changes on a day.
DAYS = 30
AS_OF, HISTORY, LIST, DIFF = (Target("at most", limit) for limit in (2.0, 4.0, 2.0, 2.0))
# How much a tenfold history may cost: the depth of an index, and the noise of a machine.
GROWTH = Target("at most", 1.5)
SYMBOLS = """
    INSERT INTO public.symbols
        (exchange_id, native_symbol, symbol, base, quote, kind, price_tick, quantity_step, min_notional, status, sides,
         api_tradable, created_at, updated_at, observed_at, source, spec_version)
    SELECT CASE WHEN n < $1 * 3 / 10 THEN 2 WHEN n % 2 = 0 THEN 1 ELSE 3 END, 'C' || n || '_USDT', 'C' || n || '/USDT',
           'C' || n, 'USDT', 'SPOT', 0.01, 0.001, 3, 'TRADING', 'ALL', true, $2::timestamptz,
           $2::timestamptz + ($3 * 30 + n % 30) * interval '1 day', $2::timestamptz, 'benchmark', $3 + 1
    FROM generate_series(0, $1 - 1) AS n
"""


def main(
    symbols: Annotated[int, typer.Option(min=1000, help="Symbols; three in ten are of one exchange.")] = 100_000,
    versions: Annotated[int, typer.Option(min=10, help="Versions of each that have ended.")] = 10,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure questions about the past; exit with 1 where a target is missed."""
    figures = _run(symbols, versions)
    raise typer.Exit(not report(figures, out, "past"))


def _run(symbols: int, versions: int) -> list[Figure]:
    with own_server() as (url, _):
        server = parse_dsn(url)
        small = asyncio.run(_measured(replace(server, database="past_tenth"), symbols, versions // 10))
        large = asyncio.run(_measured(replace(server, database="past_whole"), symbols, versions))
    figures = []
    for name, target, beside in (
        ("get_symbol_as_of", AS_OF, "get_symbol"),
        ("get_symbol_as_of, long ago", AS_OF, "get_symbol"),
        ("get_symbol_history", HISTORY, "get_symbol"),
        ("list_symbols_as_of", LIST, "list_symbols"),
        ("list_symbols_as_of, long ago", LIST, "list_symbols"),
        ("diff_symbols of a day", DIFF, "list_symbols_as_of"),
    ):
        value = f"{1e3 * large[name]:.2f} ms, {1e3 * large[beside]:.2f} ms"
        ratio = large[name] / large[beside]
        figures.append(Figure(f"{name} / {beside}", value, ratio, str(target), target.is_met(ratio)))
    for name, time in large.items():
        # Of the whole history of one symbol, ten times as much is read; a list of long ago reads that of each symbol.
        if name not in ("get_symbol_history", "list_symbols_as_of, long ago"):
            value = f"{1e3 * time:.2f} ms, {1e3 * small[name]:.2f} ms"
            ratio = time / small[name]
            figures.append(Figure(f"{name}, whole / tenth", value, ratio, str(GROWTH), GROWTH.is_met(ratio)))
    return figures


async def _measured(dsn: Dsn, symbols: int, versions: int) -> dict[str, float]:
    """Seconds of each question, taken in turns."""
    sys.stderr.write(f"{symbols} symbols, {symbols * versions} versions that have ended\n")
    migrate(dsn)
    await _fill(dsn, symbols, versions)
    now = BEGIN + timedelta(days=DAYS * (versions + 1))
    long_ago = BEGIN + timedelta(days=DAYS + 3)
    async with Database(dsn) as database:
        one: dict[str, Callable[[], Awaitable[Any]]] = {
            "get_symbol": lambda: get_symbol(EXCHANGE, NAME, db=database),
            "get_symbol_as_of": lambda: get_symbol_as_of(EXCHANGE, NAME, now, db=database),
            "get_symbol_as_of, long ago": lambda: get_symbol_as_of(EXCHANGE, NAME, long_ago, db=database),
            "get_symbol_history": lambda: get_symbol_history(EXCHANGE, NAME, db=database),
        }
        many: dict[str, Callable[[], Awaitable[Any]]] = {
            "list_symbols": lambda: list_symbols(EXCHANGE, db=database),
            "list_symbols_as_of": lambda: list_symbols_as_of(EXCHANGE, now, db=database),
            "list_symbols_as_of, long ago": lambda: list_symbols_as_of(EXCHANGE, long_ago, db=database),
            "diff_symbols of a day": lambda: diff_symbols(
                EXCHANGE, long_ago, long_ago + timedelta(days=1), db=database
            ),
        }
        assert len(await get_symbol_history(EXCHANGE, NAME, db=database)) == versions + 1
        assert len(await list_symbols_as_of(EXCHANGE, long_ago, db=database)) == symbols * 3 // 10
        return {**await _in_turns(one, 300), **await _in_turns(many, 5)}


async def _in_turns(questions: dict[str, Callable[[], Awaitable[Any]]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(rounds):
        for name, ask in questions.items():
            begin = perf_counter()
            await ask()
            times[name].append(perf_counter() - begin)
    return {name: statistics.median(taken) for name, taken in times.items()}


async def _fill(dsn: Dsn, symbols: int, versions: int) -> None:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        await connection.execute("ALTER TABLE public.symbols DISABLE TRIGGER USER")
        await connection.execute("ALTER TABLE public.symbol_history DISABLE TRIGGER USER")
        # The rows of exchanges were there before their symbols.
        await connection.execute("ALTER TABLE public.exchange_history DISABLE TRIGGER USER")
        await connection.execute("UPDATE public.exchange_history SET changed_at = '2023-01-01'")
        await connection.execute(SYMBOLS, symbols, BEGIN, versions)
        columns = ", ".join(
            row["attname"]
            for row in await connection.fetch("""
                SELECT a.attname FROM pg_attribute AS a
                JOIN pg_attribute AS b ON b.attname = a.attname AND b.attrelid = 'public.symbols'::regclass
                WHERE a.attrelid = 'public.symbol_history'::regclass AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attname NOT IN ('exchange_id', 'spec_version')
            """)
        )
        await connection.execute(
            # Columns of the catalog, not of a stranger.
            f"""
            INSERT INTO public.symbol_history
                (symbol_id, exchange_id, spec_version, valid, operation, ended_by, application_name, {columns})
            SELECT s.id, s.exchange_id, k,
                   tstzrange($1::timestamptz +
                       CASE k WHEN 1 THEN interval '0' ELSE ((k - 1) * 30 + s.id % 30) * interval '1 day' END,
                             $1::timestamptz + (k * 30 + s.id % 30) * interval '1 day'),
                   'UPDATE', 'owner', 'benchmark', {columns}
            FROM public.symbols AS s
            CROSS JOIN generate_series(1, $2::integer) AS k
            ORDER BY k, s.id
            """,  # noqa: S608
            BEGIN,
            versions,
        )
        await connection.execute(
            "UPDATE public.symbols SET updated_at = $1::timestamptz + ($2 * 30 + id % 30) * interval '1 day'",
            BEGIN,
            versions,
        )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


if __name__ == "__main__":
    typer.run(main)
