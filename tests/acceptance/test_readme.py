"""The README keeps its promises: its example runs, its names and commands exist."""

import inspect
import os
import re
import subprocess
import sys

import exchanges_db
from exchanges_db import Obstacle, TradeAnswer
from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok
from tests.fix_server import ROOT, url_of

README = (ROOT / "README.md").read_text()


def test_the_example_is_the_quickstart_and_runs(dsn: Dsn) -> None:
    """What the README shows is the file that is run here, on a database with symbols, with warnings as errors."""
    ok("import", "GATEIO_SPOT", str(ROOT / "examples/sample/gateio_spot_today.json"), url=url_of(dsn))
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    assert example[1] == (ROOT / "examples/quickstart.py").read_text()
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", example[1]],
        env={**os.environ, "DATABASE_URL": url_of(dsn)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "Gate.io Spot Trading 0.05 s between requests",
        "BTC_USDT tick 0.1 step 0.000001 minimum 3",
        "0.00001 at 64123.4 breaks MIN_NOTIONAL",
        "0.001 at 64123.4 breaks None",
        f"may I buy? {TradeAnswer()}",
        f"and now? {TradeAnswer((Obstacle.EXCHANGE_INACTIVE,), 'its exchange is not active')}",
    ]


def test_every_name_it_lists_is_exported() -> None:
    """Each function in the table of calls is one of `__all__`, and no public function is missing there."""
    table = README[README.index("| to | call |") : README.index("`OrderRules` round")]
    named = set(re.findall(r"`(\w+)[`(]", table))
    functions = {name for name in exchanges_db.__all__ if inspect.isroutine(getattr(exchanges_db, name))}
    assert named == functions - {"default_database", "close_default_database"}


def test_every_command_it_lists_exists() -> None:
    """The commands named under Deploy are those of --help."""
    listed = re.search(r"lists the commands: (.*?)\. They", README, re.DOTALL)
    assert listed is not None
    shown = re.search(r"Commands:\n(.*?)\n\n", ok("--help", url=None), re.DOTALL)
    assert shown is not None
    assert sorted(re.findall(r"`([\w-]+)`", listed[1])) == sorted(re.findall(r"^  (\w+)", shown[1], re.MULTILINE))


def test_it_is_short_and_its_links_lead_somewhere() -> None:
    """At most 120 lines; every file it links to is there, and so are those of the other documents."""
    assert len(README.splitlines()) <= 120
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} -> {target}"


def test_decisions_are_at_most_forty_lines() -> None:
    """A decision record is short: context, decision, what was rejected, when it would be wrong."""
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert len(records) >= 3
    for record in records:
        text = record.read_text()
        assert len(text.splitlines()) <= 40
        assert all(word in text for word in ("**Context.**", "**Decision.**", "**Rejected.**", "**Wrong if**")), record
