"""Instructions that the client executes for one look-up, counted by valgrind: a busy machine does not change them.

`python -m benchmarks.instructions FOLDER` sets this checkout beside the one in FOLDER. What the server and the kernel
do is not counted, so that the ratio to a bare connection is larger than that of the times.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import BASELINE, OURS
from benchmarks.measure import opened
from benchmarks.pair_side import LOOPS, SIDES
from benchmarks.server import running_server
from exchanges_db.database.settings import load_dsn

ROOT = Path(__file__).resolve().parents[1]
CALLS = 200
_SUMMARY = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def main(other: Annotated[Path, typer.Argument(help="Folder of the other checkout.")]) -> None:
    """Print the instructions of a look-up of both checkouts and of asyncpg by hand, on both event loops."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.stderr.write("valgrind is not installed\n")
        raise typer.Exit(1)
    with running_server():
        for loop in LOOPS:
            mine, bare = _counted(valgrind, ROOT, loop, OURS, BASELINE)
            (theirs,) = _counted(valgrind, other.resolve(), loop, OURS)
            sys.stdout.write(
                f"{loop}: {mine:.0f} instructions, the other {theirs:.0f}, asyncpg by hand {bare:.0f}; "
                f"ratios {mine / theirs:.3f} and {mine / bare:.2f}\n"
            )
            sys.stdout.flush()


def _counted(valgrind: str, checkout: Path, loop: str, *sides: str) -> list[float]:
    """Return the instructions of one call of each side."""
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_benchmark_"))
    try:
        sources = os.pathsep.join(str(each) for each in (checkout / "src", checkout / "src/generated", ROOT))
        subprocess.run(  # noqa: S603  # valgrind, on a module of ours
            [valgrind, "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=out", sys.executable,
             "-m", "benchmarks.instructions", loop, *sides],
            cwd=folder, env={**os.environ, "PYTHONPATH": sources, "PYTHONHASHSEED": "0"},
            check=True, capture_output=True,
        )  # fmt: skip
        # One file for each side, as each asked for it.
        texts = [(folder / f"out.{number}").read_text() for number in range(1, len(sides) + 1)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [max(map(int, _SUMMARY.findall(text))) / CALLS for text in texts]


async def _call(sides: list[str]) -> None:
    async with opened(SIDES, load_dsn()) as look_ups:
        for side in sides:
            call = look_ups[side]
            _control("-i", "on")
            for _ in range(CALLS):
                await call()
            _control("-i", "off")
            _control("-d")


def _control(*arguments: str) -> None:
    command = ["callgrind_control", *arguments, str(os.getpid())]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # valgrind's, on this process


if __name__ == "__main__":
    if sys.argv[1] in LOOPS:
        with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
            runner.run(_call(sys.argv[2:]))
    else:
        typer.run(main)
