"""What registries cost those who write: for each that is connected, and for an import by what notes its changes.

The registries live in a process of their own, so that a write is not slow because its own process has them to serve.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, perf_counter, process_time
from typing import Any

import asyncpg

from benchmarks.figures import Target
from benchmarks.processes import processor_seconds
from benchmarks.report import Figure
from benchmarks.server import migrate
from exchanges_db import Database, ImportLimits, Registry, RegistrySettings, Settings, import_symbols
from exchanges_db.database.dsn import Dsn
from tests.payload_rows import SPOT, payload, spot

IMPORT = Target("at most", 1.1)
NOW = datetime(2026, 1, 31, tzinfo=UTC)
ANY_SHARE = ImportLimits(field_percent=100)  # what is measured is how fast all rows change, not whether they may
REGISTRIES = (1, 4, 16, 64)
WRITE = "UPDATE public.exchanges SET display_name = $1 WHERE id = 1"
BACKENDS = """
    SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
"""
# Everything that notes a change in the log which registries follow.
UNNOTED = """
    DO $$
    DECLARE one record;
    BEGIN
        FOR one IN
            SELECT tgname, tgrelid::regclass AS on_table FROM pg_catalog.pg_trigger WHERE tgname LIKE '%\\_note\\_%'
        LOOP
            EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.on_table);
        END LOOP;
    END $$
"""


async def many(server: Dsn, seconds: float) -> list[Figure]:
    """Time a write beside 1, 4, 16 and 64 registries, each of which asks what is new, and beside none before and after.

    In a database without symbols: how many there are is nothing to a write.
    """
    dsn = replace(server, database="writers")
    await asyncio.to_thread(migrate, dsn)
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    figures = []
    try:
        for wanted in REGISTRIES:
            alone = [await _write_time(connection, seconds / 4)]
            async with _registries(dsn, wanted):
                beside = await _write_time(connection, seconds / 2)
            alone.append(await _write_time(connection, seconds / 4))
            value = f"{1e3 * beside:.2f} ms, {1e3 * statistics.mean(alone):.2f} ms"
            name = f"a write beside {wanted} registries / beside none"
            figures.append(Figure(name, value, beside / statistics.mean(alone), "none", met=True))
    finally:
        await connection.close()
    return figures


async def _write_time(connection: asyncpg.Connection[Any], seconds: float) -> float:
    times: list[float] = []
    begin = monotonic()
    while monotonic() < begin + seconds:
        started = perf_counter()
        await connection.execute(WRITE, f"change {len(times)}")
        times.append(perf_counter() - started)
        await asyncio.sleep(0.01)
    return statistics.median(times)


@asynccontextmanager
async def _registries(dsn: Dsn, count: int) -> AsyncIterator[None]:
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.registry_writers",
        dsn.dbmate_url().replace("socket=", "host="),
        str(count),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert await other.stdout.readline() == b"ready\n"
    try:
        yield
    finally:
        other.stdin.close()
        await other.wait()


async def _hold(url: str, count: int) -> None:
    """Keep so many registries until whoever started this closes its input."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(Registry(url, settings=RegistrySettings(poll_interval=5)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


async def imports(dsn: Dsn, rows: int, rounds: int) -> list[Figure]:
    """Time imports of so many rows with what notes changes and without it; each in a database of its own, in turns."""
    taken: dict[tuple[bool, str], list[tuple[float, float]]] = {}
    for number in range(rounds):
        for is_noted in (number % 2 == 0, number % 2 == 1):
            sys.stderr.write(f"import of {rows:,} rows, {'with' if is_noted else 'without'} the log of changes\n")
            where = replace(dsn, database=f"import_{number}_{'noted' if is_noted else 'bare'}")
            await asyncio.to_thread(migrate, where)
            for what, times in (await _import_times(where, rows, is_noted=is_noted)).items():
                taken.setdefault((is_noted, what), []).append(times)
    figures = []
    for what in ("all new", "all changed") if taken else ():
        noted, bare = taken[True, what], taken[False, what]
        for clock, way in enumerate(("", ", processor time")):
            ratio = statistics.median(one[clock] / other[clock] for one, other in zip(noted, bare, strict=True))
            ours, theirs = (statistics.median(one[clock] for one in side) for side in (noted, bare))
            name = f"import of {rows:,} rows, {what}, with / without the log of changes{way}"
            figures.append(Figure(name, f"{ours:.1f} s, {theirs:.1f} s", ratio, str(IMPORT), IMPORT.is_met(ratio)))
    return figures


async def _import_times(dsn: Dsn, rows: int, *, is_noted: bool) -> dict[str, tuple[float, float]]:
    """Return seconds, and seconds of processor time of client and server, of an import of new and of changed rows."""
    lists = {"all new": "0.001", "all changed": "0.002"}
    times = {}
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        if not is_noted:
            await connection.execute(UNNOTED)
        async with Database(dsn, Settings(command_timeout=600)) as db:
            for number, (what, least) in enumerate(lists.items()):
                given = payload(SPOT, [spot(f"C{n}", min_base_amount=least) for n in range(rows)])
                at = NOW + timedelta(minutes=number)
                begin, processor = perf_counter(), process_time()
                before = processor_seconds([row["pid"] for row in await connection.fetch(BACKENDS)])
                report = await import_symbols(SPOT, given, observed_at=at, limits=ANY_SHARE, db=db)
                after = processor_seconds([row["pid"] for row in await connection.fetch(BACKENDS)])
                times[what] = perf_counter() - begin, process_time() - processor + after - before
                assert len(report.changes) == rows
                await connection.execute("ANALYZE public.symbols, public.symbol_raw, public.symbol_lists")
    finally:
        await connection.close()
    return times


if __name__ == "__main__":
    asyncio.run(_hold(sys.argv[1], int(sys.argv[2])))
