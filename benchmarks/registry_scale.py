"""What many registries cost the server: to load, to begin, to poll, to hear of a change; and what a file costs.

Always on servers of its own, because it reads what the kernel counts for their processes. Clients have one processor,
the servers the other. docs/scale.md reckons with these figures.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import asyncpg
import msgspec
import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.connections import connections
from benchmarks.past import BEGIN, SYMBOLS
from benchmarks.processes import Memory, memory, processor_seconds
from benchmarks.report import new_folder, wide_console
from benchmarks.server import migrate, own_server, postmaster_of, separate
from exchanges_db import Database, Registry, RegistrySettings, Settings
from exchanges_db.database.bridge import bridge
from exchanges_db.database.default import run
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.file import read_snapshot, write_snapshot
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.saving import HOWEVER_MANY
from exchanges_sql.registry import AsyncQuerier, GetRegistryNewsParams, GetRegistryNewsRow
from tests import servers
from tests.pgbouncer import pgbouncer_process, pgbouncer_program

SMALL = 2000  # symbols where not their number is what is measured
AT_ONCE = 16
NUMBERS = (0, 1, 4, 16, 64)
SELDOM, OFTEN = RegistrySettings(poll_interval=600), RegistrySettings(poll_interval=0.05)
BACKENDS = """
    SELECT pid FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
CHANGE = "UPDATE public.symbols SET min_quantity = $1 WHERE id = (SELECT min(s.id) FROM public.symbols AS s)"
BEFORE_LAST = """
    SELECT c.epoch, c.token::text FROM public.registry_changes AS c
    WHERE c.epoch < (SELECT max(o.epoch) FROM public.registry_changes AS o) ORDER BY c.epoch DESC LIMIT 1
"""
SESSIONS, POOLED = 4, Settings(pooler="transaction")
Connection: TypeAlias = "asyncpg.Connection[Any]"


class Figure(msgspec.Struct, frozen=True):
    """One figure of the run."""

    name: str
    value: float
    unit: str


def main(
    symbols: Annotated[int, typer.Option(min=1000, help="Symbols of what is loaded, and of the file.")] = 100_000,
    changes: Annotated[int, typer.Option(min=1, help="Changes beside each number of registries.")] = 30,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure what registries cost. There are no targets: what it finds is the ground of docs/scale.md."""
    if sys.platform != "linux":
        sys.stderr.write("not measured: the processor time of the server is read from Linux's /proc\n")
        raise typer.Exit
    logging.getLogger("exchanges_db").setLevel(logging.ERROR)  # that a pooler and a standby send nothing is known
    with _embedded_server() as (dsn, server):
        figures = asyncio.run(_measured(dsn, server, symbols, changes))
    figures += asyncio.run(_of_standby())
    table = Table(box=None, header_style="bold")
    for column in ("what", "figure", "unit"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for one in figures:
        table.add_row(one.name, f"{one.value:,.{0 if one.value >= 10 else 2}f}", one.unit)
    wide_console().print(table)
    (new_folder(out) / "registry_scale.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))


@contextmanager
def _embedded_server() -> Iterator[tuple[Dsn, int]]:
    with own_server() as (url, data):
        dsn = parse_dsn(url)
        migrate(replace(dsn, database="large"))
        migrate(replace(dsn, database="small"))
        separate(data)
        yield dsn, postmaster_of(data)


async def _measured(dsn: Dsn, server: int, symbols: int, changes: int) -> list[Figure]:
    large, small = replace(dsn, database="large"), replace(dsn, database="small")
    for each, number in ((large, symbols), (small, SMALL)):
        await _fill(each, number)
    figures = [*await _loads(large, symbols), *await _of_file(large, symbols)]
    figures += [*await _beginnings(small, server), *await _polls(small, "a poll of a primary", small)]
    figures += await _of_pooler(small)
    return figures + await _changes(small, changes)


async def _fill(dsn: Dsn, symbols: int) -> None:
    async with connections(dsn, 1) as (connection,):
        await connection.execute(SYMBOLS, symbols, BEGIN, 0)
        await connection.execute("VACUUM ANALYZE")


async def _backends(connection: Connection) -> list[int]:
    return [row["pid"] for row in await connection.fetch(BACKENDS)]


def _sizes(pids: list[int], of: str) -> list[Figure]:
    found: list[Memory] = [memory(pid) for pid in pids]
    own, shared = (statistics.median(each) / 1e3 for each in zip(*found, strict=True))
    return [Figure(f"memory of the backend of {of}", own, "MB"), Figure("the same with its share (PSS)", shared, "MB")]


# Loading everything.


async def _read_all(connection: Connection) -> int:
    """Ask what a load asks, and do nothing with it; return how many bytes it was."""
    querier = AsyncQuerier(bridge(connection))
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        contents = await querier.get_registry_contents()
        assert contents is not None  # one row, always
        size, after = sum(map(len, _texts(contents))), -1
        while True:
            row = await querier.get_registry_symbols(after_id=after, most=1000)
            assert row is not None  # one row, always
            size, after = size + len(row.symbols), row.last_id
            if row.symbols_read < 1000:
                return size


def _texts(row: object) -> list[str]:
    return [each for each in vars(row).values() if isinstance(each, str)]


async def _loads(dsn: Dsn, symbols: int) -> list[Figure]:
    figures = []
    for number, rounds in ((1, 5), (AT_ONCE, 1)):
        async with connections(dsn, number) as opened:
            pids = [connection.get_server_pid() for connection in opened]
            await asyncio.gather(*map(_read_all, opened[:1]))  # what it reads is in memory then
            spent, taken = [], []
            for _ in range(rounds):
                before, began = processor_seconds(pids), time.monotonic()
                read = await asyncio.gather(*map(_read_all, opened))
                taken.append(time.monotonic() - began)
                spent.append((processor_seconds(pids) - before) / number)
            name = f"a load of {symbols:,} symbols, {number} at once"
            figures += [Figure(f"{name}: server, each", min(spent), "s"), Figure(f"{name}: until all", min(taken), "s")]
            if number > 1:
                return [*figures, Figure("the same in documents", read[0] / 1e6, "MB"), *_sizes(pids, "a load")]
    return figures


async def _of_file(dsn: Dsn, symbols: int) -> list[Figure]:
    async with connections(dsn, 1) as (connection,), connection.transaction(isolation="repeatable_read"):
        snapshot = await load_all(bridge(connection), Documents())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.snapshot"
        spent: dict[str, list[float]] = {"save": [], "read": []}
        for _ in range(3):
            for name, work in (
                ("save", lambda: write_snapshot(path, snapshot, BEGIN)),
                ("read", lambda: read_snapshot(path)),
            ):
                before = time.process_time()
                work()
                spent[name].append(time.process_time() - before)
        size = path.stat().st_size
    of = f"a file of {symbols:,} symbols"
    return [Figure(f"{of}: {name}", min(times), "s") for name, times in spent.items()] + [Figure(of, size / 1e6, "MB")]


# Registries.


@asynccontextmanager
async def _registries(number: int, begin: Database | Dsn, settings: RegistrySettings) -> AsyncIterator[list[Registry]]:
    """Open registries that begin with a file, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.snapshot"
        async with Registry(begin, settings=settings) as first:
            await first.save(path)
        async with AsyncExitStack() as stack:
            opened = []
            for _ in range(number):
                registry = await stack.enter_async_context(Registry.load_file(path, begin, settings=settings))
                await registry.refresh()
                opened.append(registry)
            yield opened


async def _beginnings(dsn: Dsn, server: int) -> list[Figure]:
    """From the connection to the proof that a file is what the database has."""
    async with connections(dsn, 1) as (other,):
        before = processor_seconds([server])
        async with _registries(AT_ONCE, dsn, SELDOM):
            pids = await _backends(other)
            spent = processor_seconds([server, *pids]) - before
            found = _sizes(pids, "a registry that began with a file")
    return [Figure("a registry begins with a file: server", 1e3 * spent / AT_ONCE, "ms"), *found]


async def _polls(direct: Dsn, name: str, begin: Database | Dsn, pooler: list[int] | None = None) -> list[Figure]:
    """What one question for the position costs, where registries ask often, and rest in between."""
    async with _registries(AT_ONCE, begin, OFTEN) as opened, connections(direct, 1) as (other,):
        pids, spent = await _backends(other), []
        for _ in range(3):
            before = processor_seconds(pids), processor_seconds(pooler or [])
            polls = sum(one.stats().polls for one in opened)
            await asyncio.sleep(2)
            polls = sum(one.stats().polls for one in opened) - polls
            after = processor_seconds(pids), processor_seconds(pooler or [])
            spent.append([1e6 * (late - early) / polls for early, late in zip(before, after, strict=True)])
    server, between = map(min, zip(*spent, strict=True))
    figures = [Figure(f"{name}: server", server, "us")]
    return figures + ([Figure(f"{name}: PgBouncer", between, "us")] if pooler else [])


async def _news(direct: Dsn, name: str, begin: Dsn, settings: Settings, pooler: list[int]) -> list[Figure]:
    """What it costs to ask what has changed, where that is one symbol."""
    async with Database(begin, settings) as database, connections(direct, 1) as (other,):
        await other.execute(CHANGE, 1)
        epoch, token = await other.fetchrow(BEFORE_LAST) or (0, "")
        version = await other.fetchval("SELECT version FROM registry_log")

        async def ask(conn: AsyncConnection) -> GetRegistryNewsRow | None:
            return await AsyncQuerier(conn).get_registry_news(
                GetRegistryNewsParams(epoch, token, version, named_limit=HOWEVER_MANY, most=1000)
            )

        for _ in range(10):
            row = await run(database, ask)
        pids = await _backends(other)
        before = processor_seconds(pids), processor_seconds(pooler)
        for _ in range(200):
            row = await run(database, ask)
        after = processor_seconds(pids), processor_seconds(pooler)
    assert row is not None  # one row, always
    assert row.known
    server, between = (1e6 * (late - early) / 200 for early, late in zip(before, after, strict=True))
    size = sum(map(len, _texts(row)))
    figures = [Figure(f"{name}: server", server, "us")]
    return [*figures, Figure(f"{name}: PgBouncer", between, "us")] if pooler else [*figures, Figure(name, size, "B")]


async def _of_pooler(direct: Dsn) -> list[Figure]:
    figures = await _news(direct, "news of one symbol", direct, Settings(), [])
    if pgbouncer_program() is None:
        return figures
    with pgbouncer_process(direct, sessions=SESSIONS, by_socket=True) as (pooler, through):
        pooler.cpu_affinity(sorted(os.sched_getaffinity(0)))
        through_pooler = Database(through, POOLED)
        figures += await _polls(direct, "a poll through PgBouncer", through_pooler, [pooler.pid])
        return figures + await _news(direct, "the same through PgBouncer", through, POOLED, [pooler.pid])


async def _of_standby() -> list[Figure]:
    try:
        primary = await servers.primary(18, migrate)
        standby = await servers.standby_of(primary)
        separate(standby.data)
        return await _polls(standby.dsn, "a poll of a standby, which are two in an interval", standby.dsn)
    finally:
        servers.end_all()


async def _changes(dsn: Dsn, changes: int) -> list[Figure]:
    """What a change of one symbol costs the server until every registry has it, beside what it costs without any."""
    figures, alone = [], 0.0
    async with connections(dsn, 1) as (writer,):
        for number in NUMBERS:
            async with _registries(number, dsn, SELDOM) as opened:
                pids = [*await _backends(writer), writer.get_server_pid()]
                await _change(writer, opened, 0)
                before, began = processor_seconds(pids), time.monotonic()
                for value in range(1, changes + 1):
                    await _change(writer, opened, value)
                taken = (time.monotonic() - began) / changes
                spent = (processor_seconds(pids) - before) / changes
            name = f"a change beside {number} registries"
            figures.append(Figure(f"{name}: server", 1e6 * spent, "us"))
            alone = alone or spent
            if number:
                figures.append(Figure("more than without, for each of them", 1e6 * (spent - alone) / number, "us"))
                figures.append(Figure("until all have it, in one client process", 1e3 * taken, "ms"))
    return figures


async def _change(writer: Connection, registries: list[Registry], value: int) -> None:
    await writer.execute(CHANGE, value + 1)
    epoch = await writer.fetchval("SELECT max(c.epoch) FROM public.registry_changes AS c")
    for one in registries:
        while one.position is None or one.position.epoch < epoch:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    typer.run(main)
