"""Writes the result of a validation for people: as one sentence, or as a page with a picture."""

from __future__ import annotations

from pathlib import Path

from exchanges_db.errors import ConfigurationError
from exchanges_db.validation.picture import describe_latency, picture_of
from exchanges_db.validation.validate import ValidationReport

_TEMPLATES = Path(__file__).parent / "template"


def summary(report: ValidationReport) -> str:
    """Return the outcome in one sentence."""
    failed = sum(not check.passed for check in report.checks)
    outcome = f"{failed} of {len(report.checks)} checks failed" if failed else f"all {len(report.checks)} checks passed"
    where = f"PostgreSQL {report.server_version}" if report.server_version else "the server did not answer"
    return f"{outcome}; {where}, schema {report.schema_version or 'unknown'}, exchanges_db {report.package_version}"


def report_html(report: ValidationReport) -> str:
    """Return the report as one HTML page that loads nothing from elsewhere.

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
        # Text in Python may hold characters that an HTML document must not.
        details=[_plain(check.detail) for check in report.checks],
        exchanges=[_plain(row.exchange) for row in report.symbols or ()],
        seconds=sum(check.seconds for check in report.checks),
    )


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
