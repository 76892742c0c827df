"""The benchmark's command: measures on both event loops, prints and writes the figures, fails on a missed target."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import breakdown, report
from benchmarks.contenders import LOOK_UPS, THROUGHPUT
from benchmarks.figures import Measured, Run, Step, compare_throughput, compare_times, steps_of
from benchmarks.import_time import measure_imports
from benchmarks.look_up import Contender
from benchmarks.measure import calls_of_many_tasks, calls_one_by_one, in_turns, opened
from benchmarks.server import running_server
from exchanges_db.database.dsn import Dsn

TASKS = 64
CALLS_OF_A_TASK = 20
IMPORT_ROUNDS = 10
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
PACKAGES = ("asyncpg", "msgspec", "piccolo", "psycopg", "sqlalchemy", "tortoise-orm", "uvloop")
NewTask = Callable[[str, int], Callable[[], None]]


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which every contender has its turn.")] = 60,
    loops: Annotated[int, typer.Option(min=1, help="Calls in a turn.")] = 100,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure the look-up beside its peers. Reads only; without DATABASE_URL on an embedded server."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with running_server() as dsn, Progress(*columns, console=Console(stderr=True)) as progress:

        def new_task(name: str, total: int) -> Callable[[], None]:
            task = progress.add_task(name, total=total)
            return lambda: progress.advance(task)

        run = measure(dsn, rounds, loops, new_task)
    if as_json:
        sys.stdout.write(report.to_json(run).decode())
    else:
        report.print_tables(run, Console())
    sys.stderr.write(f"wrote {report.write(run, out)}\n")
    raise typer.Exit(bool(run.missed()))


def measure(dsn: Dsn, rounds: int, calls: int, new_task: NewTask) -> Run:
    """Return everything there is to measure, on one event loop after the other."""
    look_ups: list[Measured] = []
    steps: list[Step] = []
    throughput: list[Measured] = []
    parts: dict[str, float] = {}
    for loop, loop_factory in LOOPS.items():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            look_ups += runner.run(_look_ups(loop, dsn, rounds, calls, new_task))
            steps += runner.run(_steps(loop, dsn, rounds, calls, new_task))
            throughput += runner.run(_throughput(loop, dsn, max(1, rounds // 3), new_task))
            parts = parts or runner.run(breakdown.parts(dsn))
    versions = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    imports = measure_imports(IMPORT_ROUNDS, new_task("import time", IMPORT_ROUNDS))
    return Run(versions, rounds, calls, look_ups, steps, parts, throughput, imports)


async def _look_ups(loop: str, dsn: Dsn, rounds: int, calls: int, new_task: NewTask) -> list[Measured]:
    async with opened(LOOK_UPS, dsn) as open_ones:
        on_round = new_task(f"{loop}: look-ups", rounds)
        times = await in_turns(open_ones, rounds, calls_one_by_one(calls), on_round)
    return compare_times(loop, times, _names(LOOK_UPS))


async def _steps(loop: str, dsn: Dsn, rounds: int, calls: int, new_task: NewTask) -> list[Step]:
    async with opened(breakdown.STEPS, dsn) as open_ones:
        on_round = new_task(f"{loop}: steps", rounds)
        times = await in_turns(open_ones, rounds, calls_one_by_one(calls), on_round)
    return steps_of(loop, times, _names(breakdown.STEPS))


async def _throughput(loop: str, dsn: Dsn, rounds: int, new_task: NewTask) -> list[Measured]:
    async with opened(THROUGHPUT, dsn) as open_ones:
        on_round = new_task(f"{loop}: {TASKS} tasks", rounds)
        rates = await in_turns(open_ones, rounds, calls_of_many_tasks(TASKS, CALLS_OF_A_TASK), on_round)
    return compare_throughput(loop, rates, _names(THROUGHPUT))


def _names(contenders: tuple[Contender, ...]) -> dict[str, str]:
    return {one.key: one.name for one in contenders}


if __name__ == "__main__":
    typer.run(main)
