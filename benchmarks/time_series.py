"""Rows a second into a user's own table of tickers by COPY, with a foreign key on symbols and without, in turns.

Always on an embedded server of its own, with the example's own migration. In half of the turns imports change the
symbols and kill switches are thrown without a pause, by a task that shares the processor with the one that writes: what
is to be read of those turns is their ratio, and the waits for locks, each counted by what the server says of it.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Annotated

import asyncpg
import msgspec
import typer
from rich.table import Table

from benchmarks.report import new_folder, wide_console
from benchmarks.server import migrate, own_server, separate
from exchanges_db import Database, hold_exchange, import_symbols, list_symbols, release_exchange
from exchanges_db.database.dsn import Dsn, parse_dsn
from tests.payload_rows import SPOT, allowed, payload, spot

MIGRATIONS = Path(__file__).resolve().parents[1] / "examples/time_series/db/migrations"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
COLUMNS = ("symbol_id", "at", "update_id", "bid", "bid_quantity", "ask", "ask_quantity")
# The same table, index and partition; only the key is missing.
TABLES = """
    SELECT market.make_book_tickers_day('2026-06-01');
    CREATE TABLE market.no_key (LIKE market.book_tickers INCLUDING ALL) PARTITION BY RANGE (at);
    CREATE TABLE market.no_key_20260601 PARTITION OF market.no_key FOR VALUES FROM ('2026-06-01Z') TO ('2026-06-02Z');
"""
EMPTY = "TRUNCATE market.book_tickers_20260601, market.no_key_20260601"
# The server tells a session of each wait for a lock that lasts a millisecond.
TELLING = {"log_lock_waits": "on", "deadlock_timeout": "1ms", "client_min_messages": "log"}
Record = tuple[int, datetime, int, Decimal, Decimal, Decimal, Decimal]


class Figure(msgspec.Struct, frozen=True):
    """What writing with and without the key came to.

    Attributes:
        batch: rows to a COPY. changes: imports of all symbols meanwhile, each with a hold and a release.
        without_key, with_key: rows a second, the median of the rounds; ratio: of the second to the first in each round.
        waits: for locks, a millisecond or longer, of the session that writes with the key.
    """

    batch: int
    changes: int
    without_key: float
    with_key: float
    ratio: float
    waits: int


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which each way has its turn.")] = 7,
    rows: Annotated[int, typer.Option(min=1000, help="Rows of a turn.")] = 20_000,
    symbols: Annotated[int, typer.Option(min=10, help="Symbols that the rows are of.")] = 2000,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure what a foreign key on symbols costs; there is no target: docs/time-series.md tells what was found."""
    with own_server() as (url, data):
        dsn = parse_dsn(url)
        migrate(dsn)
        migrate(dsn, MIGRATIONS, DBMATE_MIGRATIONS_TABLE="market.schema_migrations")
        separate(data)
        figures = asyncio.run(_measured(dsn, rounds, rows, symbols))
    table = Table(box=None, header_style="bold")
    for column in ("rows to a COPY", "imports meanwhile", "rows/s without key", "with it", "ratio", "lock waits"):
        table.add_column(column, justify="right")
    for one in figures:
        rates = f"{one.without_key:.0f}", f"{one.with_key:.0f}", f"{one.ratio:.2f}"
        table.add_row(str(one.batch), str(one.changes), *rates, str(one.waits))
    wide_console().print(table)
    (new_folder(out) / "time_series.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))


async def _measured(dsn: Dsn, rounds: int, rows: int, symbols: int) -> list[Figure]:
    async with Database(dsn) as database:
        await import_symbols(SPOT, _list(symbols, "3"), db=database)
        ids = [symbol.id for symbol in await list_symbols(SPOT, db=database)]
    waits: list[str] = []
    connection = await asyncpg.connect(**replace(dsn, settings=TELLING).asyncpg_arguments())
    connection.add_log_listener(lambda _connection, message: waits.append(str(message.message)))
    try:
        await connection.execute(TABLES)
        records, changed = _records(ids, rows), [_list(symbols, least) for least in ("3.1", "3")]
        return [
            await _in_turns(connection, dsn, lists, records, batch, rounds, waits)
            for batch in (1000, 100)
            for lists in ([], changed)
        ]
    finally:
        await connection.close()


async def _in_turns(
    connection: asyncpg.Connection,
    dsn: Dsn,
    lists: list[bytes],
    records: list[Record],
    batch: int,
    rounds: int,
    waits: list[str],
) -> Figure:
    """Write with and without the key in turns, while these lists are imported where there are any."""
    taken: dict[str, list[float]] = {"no_key": [], "book_tickers": []}
    waited = changes = 0
    for number in range(rounds + 1):
        for table in sorted(taken, reverse=bool(number % 2)):
            await connection.execute(EMPTY)
            waits.clear()
            async with _changing(dsn, lists) as done:
                seconds = await _copy(connection, table, records, batch)
            if number:  # the first round only warms up
                taken[table].append(len(records) / seconds)
                waited += len(waits) if table == "book_tickers" else 0
                changes += len(done)
    without, with_key = taken.values()
    ratio = statistics.median(one / other for one, other in zip(with_key, without, strict=True))
    return Figure(batch, changes, statistics.median(without), statistics.median(with_key), ratio, waited)


async def _copy(connection: asyncpg.Connection, table: str, records: list[Record], batch: int) -> float:
    begin = perf_counter()
    for first in range(0, len(records), batch):
        await connection.copy_records_to_table(
            table, schema_name="market", records=records[first : first + batch], columns=COLUMNS
        )
    return perf_counter() - begin


def _records(ids: list[int], rows: int) -> list[Record]:
    price = Decimal("64123.45")
    return [
        (ids[number % len(ids)], NOON + timedelta(microseconds=number), number, price, price, price, price)
        for number in range(rows)
    ]


def _list(symbols: int, least: str) -> bytes:
    return payload(SPOT, [spot(f"C{number}", min_quote_amount=least) for number in range(symbols)])


@asynccontextmanager
async def _changing(dsn: Dsn, lists: list[bytes]) -> AsyncIterator[list[int]]:
    """Have every symbol changed again and again, and the exchange held and released, by a session beside."""
    done: list[int] = []
    stop = asyncio.Event()

    async def change() -> None:
        async with Database(dsn) as database:
            while lists and not stop.is_set():
                data = lists[len(done) % 2]
                await import_symbols(SPOT, data, allow=allowed(data), db=database)
                await hold_exchange(SPOT, reason="a trial", db=database)
                await release_exchange(SPOT, db=database)
                done.append(1)

    changing = asyncio.create_task(change())
    try:
        yield done
    finally:
        stop.set()
        await changing


if __name__ == "__main__":
    typer.run(main)
