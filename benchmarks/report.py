"""A run as a person reads it: tables in the terminal, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import OURS, Measured, Run

_NUMBERS = frozenset(("us", "p99", "ratio", "added", "ms", "share", "look-ups/s"))


def to_json(run: Run) -> bytes:
    """Return the run as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


class Figure(msgspec.Struct, frozen=True):
    """One ratio of a run, with its target."""

    name: str
    value: str
    ratio: float
    target: str
    met: bool


def report(figures: Sequence[Figure], out: Path, name: str) -> bool:
    """Print figures, keep them as `name`.json in a new folder, and return whether all targets are met."""
    table = Table(box=None, header_style="bold")
    for column in ("what", "typical", "ratio", "target", "met"):
        table.add_column(column)
    for one in figures:
        table.add_row(one.name, one.value, f"{one.ratio:.2f}", one.target, "yes" if one.met else "MISSED")
    wide_console().print(table)
    (new_folder(out) / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    return all(one.met for one in figures)


def wide_console() -> Console:
    """Return a console that cuts nothing off where there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def verdict(one: Measured) -> str:
    """Return the target and whether it is met, or nothing where there is none."""
    return "" if one.target is None else f"{'met' if one.met else 'MISSED'}: {one.target}"


def print_tables(run: Run, console: Console) -> None:
    """Print every figure of the run."""
    for loop in dict.fromkeys(one.loop for one in run.look_ups):
        console.print(_look_ups(run, loop), _steps(run, loop), _throughput(run, loop))
    parts = _table("Parts by themselves", "part", "us")
    for name, microseconds in run.parts.items():
        parts.add_row(name, f"{microseconds:.1f}")
    imports = _table("Import time, without the interpreter's start", "import", "ms", "share")
    for one in run.imports:
        imports.add_row(one.module, f"{one.milliseconds:.0f}", f"{one.share:.0%}")
    console.print(parts, imports)
    missed = run.missed()
    console.print("every target is met" if not missed else f"{len(missed)} targets are missed")


def _look_ups(run: Run, loop: str) -> Table:
    table = _table(f"One look-up on {loop}; ratio: ours divided by theirs", "", "us", "p99", "ratio", "target")
    for one in run.look_ups:
        if one.loop == loop:
            table.add_row(one.name, f"{one.typical:.0f}", f"{one.p99:.0f}", _ratio(one), verdict(one))
    return table


def _steps(run: Run, loop: str) -> Table:
    table = _table(f"Where the time goes on {loop}", "", "us", "added")
    for step in run.steps:
        if step.loop == loop:
            table.add_row(step.name, f"{step.typical:.1f}", f"{step.added:+.1f}")
    return table


def _throughput(run: Run, loop: str) -> Table:
    table = _table(f"Many tasks on one pool on {loop}", "", "look-ups/s", "ratio", "target")
    for one in run.throughput:
        if one.loop == loop:
            table.add_row(one.name, f"{one.typical:.0f}", _ratio(one), verdict(one))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    return table


def _ratio(one: Measured) -> str:
    return "" if one.key == OURS else f"{one.ratio:.2f}"


def write(run: Run, folder: Path) -> Path:
    """Write the run as JSON into `folder` and return its path."""
    data = new_folder(folder) / "benchmark.json"
    data.write_bytes(to_json(run))
    return data


def new_folder(folder: Path) -> Path:
    """Return `folder`, which is made where it is missing, and which git ignores: figures are of one machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder
