"""What a registry costs beside its database: to load, to keep in memory, to follow, and for those who write.

Always on an embedded server of its own. The two sides of a ratio take turns within one run.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, perf_counter
from typing import Annotated, Any

import asyncpg
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Target
from benchmarks.past import BEGIN, SYMBOLS, Figure
from benchmarks.report import new_folder
from benchmarks.server import migrate, separate
from exchanges_db.database import embedded
from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.settings import RegistrySettings
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.models import Symbol

LOAD, MEMORY, VISIBLE = Target("at most", 2.5), Target("at most", 0.8), Target("at most", 3.0)
A_SECOND = 500  # changes
WRITERS = 4

# What somebody would write by hand: a plain object per row.
Plain = msgspec.defstruct("Plain", [*Symbol.__struct_fields__, "doubtful_since"])
FETCH = "SELECT * FROM public.registry_symbols"


def main(
    symbols: Annotated[int, typer.Option(min=1000, help="Symbols; three in ten are of one exchange.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=1, help="For how long changes are made at a time.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure a registry beside its database; exit with 1 where a target is missed."""
    figures = _run(symbols, seconds)
    table = Table(box=None, header_style="bold")
    for column in ("what", "typical", "ratio", "target", "met"):
        table.add_column(column)
    for one in figures:
        table.add_row(one.name, one.value, f"{one.ratio:.2f}", one.target, "yes" if one.met else "MISSED")
    Console().print(table)
    (new_folder(out) / "registry.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    raise typer.Exit(not all(one.met for one in figures))


def _run(symbols: int, seconds: float) -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_benchmark_"))
    try:
        dsn = parse_dsn(embedded.start(folder))
        migrate(dsn)
        separate(folder)
        return asyncio.run(_measured(dsn, symbols, seconds))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


async def _measured(dsn: Dsn, symbols: int, seconds: float) -> list[Figure]:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        await connection.execute(SYMBOLS, symbols, BEGIN, 0)
        await connection.execute("VACUUM ANALYZE")
        figures = [*await _loads(connection), *await _memory(connection)]
        figures += await _visible(dsn, connection, seconds)
        return figures + await _many(dsn, connection, seconds)
    finally:
        await connection.close()


def _figure(name: str, value: str, ratio: float, target: Target | None = None) -> Figure:
    return Figure(name, value, ratio, "none" if target is None else str(target), target is None or target.is_met(ratio))


# Loading, and what it leaves in memory.


async def _load(connection: asyncpg.Connection[Any]) -> Snapshot:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await load_all(bridge(connection), Documents())


async def _fetch(connection: asyncpg.Connection[Any]) -> list[Any]:
    return [Plain(*row) for row in await connection.fetch(FETCH)]


async def _loads(connection: asyncpg.Connection[Any]) -> list[Figure]:
    sides: dict[str, Callable[[asyncpg.Connection[Any]], Awaitable[Any]]] = {"load": _load, "fetch": _fetch}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(5):
        for name, work in sides.items():
            gc.collect()
            begin = perf_counter()
            kept = await work(connection)
            times[name].append(perf_counter() - begin)
            del kept
    ours, theirs = (statistics.median(times[name]) for name in sides)
    return [_figure("load / asyncpg's fetch and plain Structs", f"{ours:.2f} s, {theirs:.2f} s", ours / theirs, LOAD)]


async def _memory(connection: asyncpg.Connection[Any]) -> list[Figure]:
    sizes = []
    for work in (_load, _fetch):
        gc.collect()
        tracemalloc.start()
        kept: Any = await work(connection)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        count = len(kept) if isinstance(kept, list) else sum(len(place.symbols) for place in kept.places.values())
        del kept
    ours, theirs = (size / count for size in sizes)
    return [_figure("memory per symbol / plain Structs", f"{ours:.0f} B, {theirs:.0f} B", ours / theirs, MEMORY)]


# From the commit to where it is seen.


async def _visible(dsn: Dsn, connection: asyncpg.Connection[Any], seconds: float) -> list[Figure]:
    """A row is changed and its commit timed; a bare listener and a registry note when they hear of it."""
    committed: dict[str, float] = {}
    heard: list[float] = []
    seen: list[float] = []
    listener = await asyncpg.connect(**dsn.asyncpg_arguments())

    def hear(_: object, __: object, ___: object, payload: str) -> None:
        if payload in committed:
            heard.append(monotonic() - committed[payload])

    await listener.add_listener("benchmark", hear)
    async with Registry(dsn) as registry:

        class Watcher:
            def moved(self, before: object, after: Snapshot, news: object) -> None:
                del before, news
                name = after.places_by_id[1].exchange.display_name
                if name in committed:
                    seen.append(monotonic() - committed.pop(name))

            def stale(self, error: object) -> None:
                pass

            def fresh(self, snapshot: object) -> None:
                pass

        watcher = Watcher()
        registry.follow(watcher)
        begin, number = monotonic(), 0
        while monotonic() < begin + seconds:
            number += 1
            text = f"change {number}"
            committed[text] = monotonic()
            await connection.execute(
                "WITH told AS (SELECT pg_notify('benchmark', $1)) "
                "UPDATE public.exchanges SET display_name = $1 FROM told WHERE id = 1",
                text,
            )
            committed[text] = monotonic() if text in committed else 0.0
            await asyncio.sleep(max(0.0, begin + number / A_SECOND - monotonic()))
        await registry.refresh()
    await listener.close()
    rate = number / seconds
    lists = [sorted(times) for times in (seen, heard)]
    ours, theirs = (times[int(0.99 * len(times))] for times in lists)
    value = (
        f"{1e3 * ours:.2f} ms, {1e3 * theirs:.2f} ms at {rate:.0f} a second; {len(seen)} and {len(heard)} of {number}"
    )
    return [_figure("commit to visible, p99 / bare LISTEN", value, ours / theirs, VISIBLE)]


# What registries cost those who write.


async def _many(dsn: Dsn, connection: asyncpg.Connection[Any], seconds: float) -> list[Figure]:
    settings = RegistrySettings(poll_interval=5)
    alone, figures = 0.0, []
    async with AsyncExitStack() as stack:
        registries = 0
        for wanted in (0, 1, 4, 16, 64):
            while registries < wanted:
                await stack.enter_async_context(Registry(dsn, settings=settings))
                registries += 1
            times: list[float] = []
            begin = monotonic()
            while monotonic() < begin + min(seconds, 2):
                started = perf_counter()
                await connection.execute(
                    "UPDATE public.exchanges SET display_name = $1 WHERE id = 1", f"with {wanted}, {len(times)}"
                )
                times.append(perf_counter() - started)
                await asyncio.sleep(0.01)
            typical = statistics.median(times)
            alone = alone or typical
            sys.stderr.write(f"{wanted} registries: {1e3 * typical:.2f} ms a write\n")
            if wanted:
                value = f"{1e3 * typical:.2f} ms, {1e3 * alone:.2f} ms"
                figures.append(_figure(f"a write beside {wanted} registries / beside none", value, typical / alone))
    return figures


if __name__ == "__main__":
    typer.run(main)
