"""The look-up of this checkout beside that of another one, in pairs: short turns, one after the other, on one server.

Each side is a process of its own. A ratio is made of two turns that follow each other, so that whatever slows the
machine slows both; what counts is the median of many. Processor time is compared beside the time that a clock shows.
`python -m benchmarks.pairs FOLDER`, where FOLDER is the other checkout (`git worktree add FOLDER COMMIT`).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import BASELINE, OURS, Target, percentile
from benchmarks.pair_side import LOOPS, THROUGHPUT
from benchmarks.report import new_folder
from benchmarks.server import running_server

ROOT = Path(__file__).resolve().parents[1]
BARE = Target("at most", 1.4)
BEFORE = Target("at most", 1.05)
# As many as before; the rest is left to chance.
AS_MANY = Target("at least", 0.98)


class Turn(NamedTuple):
    """What one turn gave; of two turns, their ratio. See `pair_side`."""

    typical: float
    fastest: float
    processor: float


class Pair(msgspec.Struct, frozen=True):
    """One comparison on one event loop: medians of the ratios of all its rounds.

    Attributes:
        ratio: of the typical times; half of its rounds lie between `low` and `high`.
        fastest: of the fastest tenth of calls, which a busy machine slows least.
        processor: of the client's processor time. Without the wait for the server, to which nobody adds, it is larger.
    """

    loop: str
    what: str
    ratio: float
    low: float
    high: float
    fastest: float
    processor: float
    target: Target
    met: bool


class _Side:
    """A process that makes the look-ups of one checkout."""

    def __init__(self, checkout: Path, loop: str) -> None:
        sources = os.pathsep.join(str(checkout / folder) for folder in ("src", "src/generated"))
        self._process: subprocess.Popen[str] = subprocess.Popen(  # noqa: S603  # a module of ours
            [sys.executable, "-m", "benchmarks.pair_side", loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": sources, "PYTHONHASHSEED": "0"},
        )
        loaded = Path(self._answer())
        if not loaded.is_relative_to(checkout):
            raise RuntimeError(f"{loaded} was loaded, not what is in {checkout}")

    def take_turn(self, turn: str) -> Turn:
        """Return what the turn gave."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{turn}\n")
        self._process.stdin.flush()
        return Turn(*self._answer())

    def end(self) -> None:
        """Have the process end."""
        self._process.communicate(timeout=20)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("one side of the pair ended: see above")
        return json.loads(line)


def main(
    other: Annotated[Path, typer.Argument(help="Folder of the other checkout.")],
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each start of the two processes.")] = 100,
    starts: Annotated[int, typer.Option(min=1, help="How often both are started: one start may be luckier.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Compare two checkouts; exit with 1 where a target is missed."""
    with running_server():
        pairs = [pair for loop in LOOPS for pair in _compare(other.resolve(), loop, rounds, starts)]
    table = Table(box=box.SIMPLE)
    for column in ("loop", "this checkout's", "ratio", "half of all", "fastest", "processor", "target", "met"):
        table.add_column(column, no_wrap=True)
    for one in pairs:
        numbers = (f"{one.ratio:.3f}", f"{one.low:.2f}-{one.high:.2f}", f"{one.fastest:.3f}", f"{one.processor:.3f}")
        table.add_row(one.loop, one.what, *numbers, str(one.target), "yes" if one.met else "MISSED")
    Console(width=120).print(table)
    (new_folder(out) / "pairs.json").write_bytes(msgspec.json.format(msgspec.json.encode(pairs), indent=2))
    raise typer.Exit(not all(one.met for one in pairs))


def _compare(other: Path, loop: str, rounds: int, starts: int) -> list[Pair]:
    before, bare, many = [], [], []
    for _ in range(starts):
        with _both(other, loop) as (mine, theirs):
            for number in range(rounds):
                before.append(_ratio(number, (mine, OURS), (theirs, OURS)))
                bare.append(_ratio(number, (mine, OURS), (mine, BASELINE)))
                if number % 3 == 0:
                    many.append(_ratio(number // 3, (mine, THROUGHPUT), (theirs, THROUGHPUT)))
    return [
        pair_of(loop, "look-up / the other's", before, BEFORE),
        pair_of(loop, "look-up / bare asyncpg", bare, BARE),
        pair_of(loop, "throughput / the other's", many, AS_MANY),
    ]


@contextmanager
def _both(other: Path, loop: str) -> Iterator[tuple[_Side, _Side]]:
    with ExitStack() as stack:
        sides = []
        for checkout in (ROOT, other):
            sides.append(_Side(checkout, loop))
            stack.callback(sides[-1].end)
        yield sides[0], sides[1]


def _ratio(number: int, mine: tuple[_Side, str], theirs: tuple[_Side, str]) -> Turn:
    """Have both take a turn, and return the ratio of what they gave; who begins alternates."""
    first, second = (mine, theirs) if number % 2 else (theirs, mine)
    given = {first: first[0].take_turn(first[1]), second: second[0].take_turn(second[1])}
    return Turn(*(ours / other for ours, other in zip(given[mine], given[theirs], strict=True)))


def pair_of(loop: str, what: str, ratios: Sequence[Turn], target: Target) -> Pair:
    """Return the figures of one comparison from the ratios of its rounds."""
    typical, fastest, processor = zip(*ratios, strict=True)
    middle, low, high = (statistics.median(typical), percentile(typical, 0.25), percentile(typical, 0.75))
    others = statistics.median(fastest), statistics.median(processor)
    return Pair(loop, what, middle, low, high, *others, target, target.is_met(middle))


if __name__ == "__main__":
    typer.run(main)
