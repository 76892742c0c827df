"""What more client processes cost: look-ups a second, processor time and memory, direct and through PgBouncer.

Always on an embedded server of its own, because it reads what the kernel counts for the server's processes. Clients
have one processor, the server and PgBouncer share another. docs/scale.md reckons with these figures.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.clients import DIRECT, POOLED, WAYS, Clients, running_clients
from benchmarks.connections import PoolerSizes, Sizes, connections, pooler_sizes, sizes
from benchmarks.processes import processor_seconds
from benchmarks.report import new_folder
from benchmarks.server import migrate, own_server, postmaster_of, separate
from exchanges_db import Database, Symbol, import_symbols, list_symbols
from exchanges_db.database.dsn import Dsn, parse_dsn
from tests.payload_rows import SPOT, many, payload
from tests.pgbouncer import pgbouncer_process, pgbouncer_program

LOOK_UP = "get_exchange_by_enum"
PROCESSES = (1, 2, 4, 8)
SESSIONS = 4  # that PgBouncer keeps for all clients
BACKENDS = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = $1"


class Figure(msgspec.Struct, frozen=True):
    """One call, by so many processes at once, in one way.

    Attributes:
        per_second: calls a second of all processes together, the median of the rounds.
        client, server, pooler: microseconds of processor time per call, the least of the rounds: others who use the
            machine only add to it.
    """

    call: str
    way: str
    processes: int
    per_second: float
    client: float
    server: float
    pooler: float


class Snapshot(msgspec.Struct, frozen=True):
    """The list as one JSON document, written once and read by many: bytes, and microseconds of processor time."""

    size: int
    encode: float
    decode: float


class ScaleRun(msgspec.Struct, frozen=True):
    """Everything one run found."""

    symbols: int
    figures: list[Figure]
    sizes: Sizes
    pooler: PoolerSizes | None
    snapshot: Snapshot


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which every number of processes has its turn.")] = 12,
    seconds: Annotated[float, typer.Option(min=0.05, help="Length of a turn.")] = 0.1,
    symbols: Annotated[int, typer.Option(min=10, help="Symbols of the list that is read.")] = 2000,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure 1 to 8 client processes. There are no targets: what it finds is the ground of docs/scale.md."""
    if sys.platform != "linux":
        sys.stderr.write("not measured: the processor time of the server is read from Linux's /proc\n")
        raise typer.Exit
    if pgbouncer_program() is None:
        sys.stderr.write("PgBouncer is not installed: only direct connections are measured\n")
    with _embedded_server() as (dsn, server):
        snapshot = asyncio.run(_fill(dsn, symbols))
        figures, own, pooler = _measure(dsn, server, rounds, seconds)
    run = ScaleRun(symbols, figures, own, pooler, snapshot)
    print_tables(run, Console())
    (new_folder(out) / "scale.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))


@contextmanager
def _embedded_server() -> Iterator[tuple[Dsn, int]]:
    with own_server() as (url, data):
        dsn = parse_dsn(url)
        migrate(dsn)
        separate(data)
        yield dsn, postmaster_of(data)


async def _fill(dsn: Dsn, symbols: int) -> Snapshot:
    async with Database(dsn) as database:
        await import_symbols(SPOT, payload(SPOT, many(SPOT, symbols)), db=database)
        async with database.transaction() as tx:
            await tx.connection.execute("ANALYZE")
        listed = await list_symbols(SPOT, db=database)
    decoder = msgspec.json.Decoder(list[Symbol])
    document = msgspec.json.encode(listed)
    assert decoder.decode(document) == listed
    encode, decode = _least(lambda: msgspec.json.encode(listed)), _least(lambda: decoder.decode(document))
    return Snapshot(len(document), encode, decode)


def _least(work: Callable[[], object]) -> float:
    """Return the microseconds of processor time of the quickest of some calls."""
    times = []
    for _ in range(10):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1e6 * min(times)


def _measure(dsn: Dsn, server: int, rounds: int, seconds: float) -> tuple[list[Figure], Sizes, PoolerSizes | None]:
    if pgbouncer_program() is None:
        with running_clients(max(PROCESSES), {DIRECT: _named(dsn, DIRECT)}) as clients:
            figures = _in_turns(clients, dsn, None, rounds, seconds)
            return figures, asyncio.run(_sizes(dsn, server)), None
    with pgbouncer_process(dsn, sessions=SESSIONS, by_socket=True) as (pooler, through):
        pooler.cpu_affinity(psutil.Process(server).cpu_affinity())
        dsns = {DIRECT: _named(dsn, DIRECT), POOLED: _named(through, POOLED)}
        with running_clients(max(PROCESSES), dsns) as clients:
            figures = _in_turns(clients, dsn, pooler, rounds, seconds)
            own = asyncio.run(_sizes(dsn, server))
        return figures, own, asyncio.run(pooler_sizes(through, pooler))


def _named(dsn: Dsn, way: str) -> Dsn:
    return replace(dsn, settings={"application_name": way})


async def _sizes(dsn: Dsn, server: int) -> Sizes:
    return await sizes(dsn, server, await _backends(dsn, DIRECT))


def _in_turns(clients: Clients, dsn: Dsn, pooler: psutil.Process | None, rounds: int, seconds: float) -> list[Figure]:
    """Return what all turns gave; who begins moves on by one every round."""
    ways = WAYS if pooler else WAYS[:1]
    turns = [(LOOK_UP, way, count) for count in PROCESSES for way in ways]
    turns += [(call, way, 1) for call in ("get_symbol", "list_symbols") for way in ways]
    for way in ways:  # so that PgBouncer has opened all its sessions
        clients.take_turn(max(PROCESSES), way, LOOK_UP, seconds)
    backends = {way: asyncio.run(_backends(dsn, way)) for way in ways}
    poolers = [pooler.pid] if pooler else []
    found: dict[tuple[str, str, int], list[tuple[float, ...]]] = {turn: [] for turn in turns}
    for number in range(rounds):
        first = number % len(turns)
        for turn in turns[first:] + turns[:first]:
            call, way, count = turn
            before = processor_seconds(backends[way]), processor_seconds(poolers)
            done = clients.take_turn(count, way, call, seconds)
            after = processor_seconds(backends[way]), processor_seconds(poolers)
            calls = sum(one.calls for one in done)
            spent = (sum(one.processor for one in done), after[0] - before[0], after[1] - before[1])
            rate = sum(one.calls / one.seconds for one in done)
            found[turn].append((rate, *(1e6 * each / calls for each in spent)))
    figures = []
    for turn, rows in found.items():
        rates, *processor = zip(*rows, strict=True)
        figures.append(Figure(*turn, statistics.median(rates), *map(min, processor)))
    return figures


async def _backends(dsn: Dsn, way: str) -> list[int]:
    async with connections(dsn, 1) as (connection,):
        return [row["pid"] for row in await connection.fetch(BACKENDS, way)]


def print_tables(run: ScaleRun, console: Console) -> None:
    """Print every figure of the run."""
    one = {(figure.call, figure.way): figure for figure in run.figures if figure.processes == 1}
    for call in dict.fromkeys(figure.call for figure in run.figures):
        title = f"{call}{f' of {run.symbols} symbols' if call == 'list_symbols' else ''}; us of processor time per call"
        table = Table(title=title, title_justify="left", box=box.SIMPLE)
        for column in ("", "of", "calls/s", "/ of 1", "client", "server", "pooler", "server / direct"):
            table.add_column(column, justify="right" if column else "left")
        for figure in run.figures:
            if figure.call == call:
                grown = figure.per_second / one[call, figure.way].per_second
                beside = figure.server / one[call, DIRECT].server
                numbers = (f"{each:.0f}" for each in (figure.client, figure.server, figure.pooler))
                row = (str(figure.processes), f"{figure.per_second:.0f}", f"{grown:.2f}", *numbers, f"{beside:.2f}")
                table.add_row(figure.way, *row)
        console.print(table)
    for part in (run.sizes, run.pooler, run.snapshot):
        if part is not None:
            values = msgspec.structs.asdict(part).items()
            console.print(", ".join(f"{name} {value:.{0 if value >= 10 else 1}f}" for name, value in values))


if __name__ == "__main__":
    typer.run(main)
