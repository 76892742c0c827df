"""What a registry costs beside its database: to load, to keep in memory, to start, to follow, and for those who write.

Always on an embedded server of its own. The two sides of a ratio take turns within one run.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import asyncpg
import msgspec
import typer

from benchmarks.figures import Target
from benchmarks.past import BEGIN, SYMBOLS
from benchmarks.registry_changes import visible
from benchmarks.registry_writers import imports, many
from benchmarks.report import Figure, report
from benchmarks.server import migrate, own_server, separate
from exchanges_db.database.bridge import bridge
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.loading import load_all
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.models import Symbol

LOAD, MEMORY, START = Target("at most", 2.5), Target("at most", 0.8), Target("at most", 0.3)

# What somebody would write by hand: a plain object per row.
Plain = msgspec.defstruct("Plain", [*Symbol.__struct_fields__, "doubtful_since"])
FETCH = "SELECT * FROM public.registry_symbols"


def main(
    symbols: Annotated[int, typer.Option(min=1000, help="Symbols; three in ten are of one exchange.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=1, help="For how long changes are made at a time.")] = 10,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of imports with and without the log of changes.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure a registry beside its database; exit with 1 where a target is missed."""
    figures = _run(symbols, seconds, rounds)
    raise typer.Exit(not report(figures, out, "registry"))


def _run(symbols: int, seconds: float, rounds: int) -> list[Figure]:
    with own_server() as (url, data):
        dsn = parse_dsn(url)
        migrate(dsn)
        separate(data)
        return asyncio.run(_measured(dsn, symbols, seconds, rounds))


async def _measured(dsn: Dsn, symbols: int, seconds: float, rounds: int) -> list[Figure]:
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    try:
        await connection.execute(SYMBOLS, symbols, BEGIN, 0)
        await connection.execute("VACUUM ANALYZE")
        parts: tuple[Callable[[], Awaitable[list[Figure]]], ...] = (
            lambda: _loads(connection),
            lambda: _memory(connection),
            lambda: _starts(dsn),
            lambda: visible(dsn, seconds),
            lambda: many(dsn, seconds),
            lambda: imports(dsn, symbols, rounds),
        )
        figures = []
        for part in parts:
            for one in await part():
                sys.stderr.write(f"{one.name}: {one.value}, {one.ratio:.2f}\n")
                figures.append(one)
        return figures
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


# Starting from a file, and from the database.


async def _starts(dsn: Dsn) -> list[Figure]:
    """Time from nothing until look-ups answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.snapshot"
        async with Registry(dsn) as registry:
            await registry.save(path)
        return await _starts_from(dsn, path)


async def _starts_from(dsn: Dsn, path: Path) -> list[Figure]:

    def of_file() -> Registry:
        return Registry.load_file(path, dsn)

    def of_database() -> Registry:
        return Registry(dsn)

    sides: tuple[Callable[[], Registry], ...] = (of_file, of_database)
    times: dict[Callable[[], Registry], list[float]] = {side: [] for side in sides}
    for number in range(6):
        for side in sides if number % 2 else sides[::-1]:
            gc.collect()
            begin = perf_counter()
            async with side() as registry:
                assert registry.by_id
                times[side].append(perf_counter() - begin)
            del registry
    ours, theirs = (statistics.median(times[side][1:]) for side in sides)
    name = "start from a file / from the database, until look-ups answer"
    return [_figure(name, f"{ours:.2f} s, {theirs:.2f} s", ours / theirs, START)]


if __name__ == "__main__":
    typer.run(main)
