"""How a person reads a validation: a table on a terminal, a page with a picture, JSON for programs."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchanges_db.errors import ConfigurationError
from exchanges_db.validation.validate import CheckResult, Latency, ValidationReport

_TEMPLATES = Path(__file__).parent / "template"
_BARS = 40


def print_report(report: ValidationReport, console: Console) -> None:
    """Print one line a check and the outcome; long text is folded to the width of the terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check", overflow="fold", min_width=10)
    table.add_column("result", no_wrap=True)
    table.add_column("detail", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    for check in report.checks:
        table.add_row(Text(check.name), _result(check), Text(_plain(check.detail)), f"{check.seconds * 1000:.1f}")
    console.print(table)
    console.print(Text(_plain(summary(report)), style="" if report.passed else "bold red"))


def summary(report: ValidationReport) -> str:
    """Return the outcome in one sentence."""
    failed = sum(not check.passed for check in report.checks)
    outcome = f"{failed} of {len(report.checks)} checks failed" if failed else f"all {len(report.checks)} checks passed"
    where = f"PostgreSQL {report.server_version}" if report.server_version else "the server did not answer"
    return f"{outcome}; {where}, schema {report.schema_version or 'unknown'}, exchanges_db {report.package_version}"


def report_json(report: ValidationReport) -> bytes:
    """Return the report as one line of JSON: its fields, and `passed`."""
    return msgspec.json.encode({"passed": report.passed, **msgspec.structs.asdict(report)})


def report_html(report: ValidationReport) -> str:
    """Return the report as one page without outside parts.

    Raises:
        ConfigurationError: the extra `report` is not installed.
    """
    try:
        import jinja2

        picture = None if report.latency is None else _histogram(report.latency)
    except ImportError:
        raise ConfigurationError("the HTML report needs more packages: pip install 'exchanges_db[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("validation.html.j2")
    return page.render(
        report=report,
        summary=summary(report),
        picture=picture,
        alternative="" if report.latency is None else describe_latency(report.latency),
        # Characters that no document may hold are legal in Python text.
        details=[_plain(check.detail) for check in report.checks],
        seconds=sum(check.seconds for check in report.checks),
    )


def _result(check: CheckResult) -> Text:
    return Text("ok", style="green") if check.passed else Text("FAILED", style="bold red")


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def describe_latency(latency: Latency) -> str:
    """Return what the picture shows, for who cannot see it."""
    return (
        f"Distribution of {latency.lookups} look-ups: half took at most {latency.p50_ms:.3f} ms, 99 of 100 at most "
        f"{latency.p99_ms:.3f} ms, the slowest {latency.max_ms:.3f} ms, on average {latency.mean_ms:.3f} ms; "
        f"the target for the average is {latency.target_ms:g} ms."
    )


def _histogram(latency: Latency) -> str:
    # A figure of its own: pyplot would keep every figure and look for a screen.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text stays text; a fixed salt gives the same ids, so the same report gives the same page.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "exchanges_db", "font.size": 11}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        _draw(figure.add_subplot(), latency)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    # Without the XML prologue: inside a page the picture is an element like any other.
    picture = drawn.getvalue()
    return picture[picture.index("<svg") :]


def _draw(axes: Any, latency: Latency) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    edges = bar_edges(latency)
    axes.hist(latency.samples_ms, bins=edges, color="#4c78a8", edgecolor="white", linewidth=0.5)
    for value, name, style, colour in (
        (latency.p50_ms, "p50", "-", "#222222"),
        (latency.p99_ms, "p99", "--", "#222222"),
        (latency.target_ms, "target (mean)", ":", "#b00020"),
    ):
        axes.axvline(value, linestyle=style, color=colour, linewidth=1.8, label=f"{name} {value:.3g} ms")
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("milliseconds a look-up (logarithmic)")
    axes.set_ylabel("look-ups")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def bar_edges(latency: Latency) -> list[float]:
    """Return the edges of the bars: evenly spaced on a logarithmic scale, wide enough for all times and the target.

    A few slow look-ups among a thousand fast ones would press everything else into one bar of an even scale.
    """
    lowest = min(*latency.samples_ms, latency.target_ms, latency.p50_ms) / 1.2
    highest = max(*latency.samples_ms, latency.target_ms, latency.p99_ms) * 1.2
    step = (math.log(highest) - math.log(lowest)) / _BARS
    return [lowest * math.exp(step * number) for number in range(_BARS + 1)]
