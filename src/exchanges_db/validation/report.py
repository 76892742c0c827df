"""How a person reads a validation: a table on a terminal, a page, JSON for programs."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchanges_db.errors import ConfigurationError
from exchanges_db.validation.picture import describe_latency, picture_of
from exchanges_db.validation.validate import CheckResult, ValidationReport

_TEMPLATES = Path(__file__).parent / "template"


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
    except ImportError:
        raise ConfigurationError("the HTML report needs another package: pip install 'exchanges_db[report]'") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("validation.html.j2")
    return page.render(
        report=report,
        summary=summary(report),
        picture=None if report.latency is None else picture_of(report.latency),
        alternative="" if report.latency is None else describe_latency(report.latency),
        # Characters that no document may hold are legal in Python text.
        details=[_plain(check.detail) for check in report.checks],
        exchanges=[_plain(row.exchange) for row in report.symbols or ()],
        seconds=sum(check.seconds for check in report.checks),
    )


def _result(check: CheckResult) -> Text:
    return Text("ok", style="green") if check.passed else Text("FAILED", style="bold red")


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
