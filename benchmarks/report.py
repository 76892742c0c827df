"""A run as a person reads it: tables in the terminal, JSON, and a picture."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.figures import OURS, Measured, Run


def to_json(run: Run) -> bytes:
    """Return the run as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


def verdict(one: Measured) -> str:
    """Return "met", "missed", or nothing where there is no target."""
    return "" if one.met is None else "met" if one.met else "missed"


def print_tables(run: Run, console: Console) -> None:
    """Print every figure of the run."""
    console.print(_measured_table(run.look_ups, "One look-up: ours divided by theirs", "median us", "p99 us"))
    steps = Table("loop", "step", "median us", "added us", title="Where the time goes")
    for step in run.steps:
        steps.add_row(step.loop, step.name, f"{step.typical:.1f}", f"{step.added:+.1f}")
    for name, microseconds in run.parts.items():
        steps.add_row("", f"by itself: {name}", f"{microseconds:.1f}", "")
    console.print(steps)
    console.print(_measured_table(run.throughput, "Throughput: ours divided by theirs", "look-ups/s", None))
    imports = Table("import", "ms", "share", title="Import time, without the interpreter's start")
    for one in run.imports:
        imports.add_row(one.module, f"{one.milliseconds:.0f}", f"{one.share:.0%}")
    console.print(imports)
    missed = run.missed()
    console.print("every target is met" if not missed else f"{len(missed)} targets are missed")


def _measured_table(rows: list[Measured], title: str, typical: str, p99: str | None) -> Table:
    table = Table("loop", "contender", typical, *([p99] if p99 else []), "ratio", "target", "", title=title)
    for one in rows:
        table.add_row(
            one.loop,
            one.name,
            f"{one.typical:.0f}",
            *([f"{one.p99:.0f}"] if one.p99 is not None else []),
            "" if one.key == OURS else f"{one.ratio:.2f}",
            str(one.target or ""),
            verdict(one),
        )
    return table


def write(run: Run, folder: Path) -> list[Path]:
    """Write the JSON and the picture into `folder`, which git ignores, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    data, picture = folder / "benchmark.json", folder / "benchmark.svg"
    data.write_bytes(to_json(run))
    draw(run, picture)
    return [data, picture]


def draw(run: Run, path: Path) -> None:
    """Draw how many times as long as ours each contender takes, one bar per event loop."""
    from matplotlib.figure import Figure

    loops = list(dict.fromkeys(one.loop for one in run.look_ups))
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for index, loop in enumerate(loops):
        rows = [one for one in run.look_ups if one.loop == loop]
        places = [place + index * 0.4 for place in range(len(rows))]
        bars = axes.barh(places, [1 / one.ratio for one in rows], height=0.38, label=loop)
        axes.bar_label(bars, fmt="%.2f", padding=3)
    names = [one.name for one in run.look_ups if one.loop == loops[0]]
    axes.set_yticks([place + 0.2 * (len(loops) - 1) for place in range(len(names))], names)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("time of one look-up, as a multiple of get_exchange_by_enum (less is faster)")
    axes.legend()
    figure.savefig(path)
