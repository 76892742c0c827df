"""Hostile text in every argument: kept as given or refused, never executed, never read as markup."""

import json
import subprocess

import pytest

from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok, run, run_program
from tests.fix_server import url_of

HOSTILE = [
    "'; DROP TABLE exchanges; --",
    "x' OR '1'='1",
    "$$; DELETE FROM exchanges; $$",
    "\\'; TRUNCATE exchanges; --",
    "[bold red]markup[/bold red]",
    "\x1b[31mred\x1b[0m",
    "a\nb",
    "--all",
    "=",
    "\u202eRTL\u200b",
    "Бинанс 交易所 🚀",
    "x" * 5000,
    "",
    " ",
    "%s %(name)s {0}",
]


@pytest.fixture
def url(dsn: Dsn) -> str:
    """DATABASE_URL of a migrated database of one's own."""
    return url_of(dsn)


def check(result: subprocess.CompletedProcess[str]) -> None:
    """Hold that a command ended in one of our ways, and that nothing it printed can steer a terminal."""
    assert result.returncode in (0, 1, 2), (result.args, result.stderr)
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_or_refused(url: str, text: str) -> None:
    """Through every free argument the rows that were there stay, and what is added comes back as given."""
    before = json.loads(ok("list", "--all", "--json", url=url))
    added = []
    for command in (
        ["add", "--market-type", "spot", "--inactive", "--", text],
        ["add", "--market-type", text, "--", "X"],
        ["add", "B", "--market-type", "spot", "--base-url", text, "--inactive"],
        ["set", "--", "MEXC_SPOT", f"{text}=1"],
        ["show", "--", text],
        ["history", "--", text],
        ["show", "MEXC_SPOT", "--at", text],
        ["list", "--market-type", text],
        ["symbols", "search", "--", text],
        [text],
        ["list", f"--{text}"],
    ):
        if command in ([""], ["--all"]):
            continue  # nothing is asked for
        result = run(*command, url=url)
        check(result)
        if result.returncode == 0 and command[0] == "add":
            added.append(text)
    after = json.loads(ok("list", "--all", "--json", url=url))
    assert [row for row in after if row["name"] not in added] == before
    assert sorted(row["name"] for row in after if row["name"] in added) == sorted(added)


@pytest.mark.parametrize("text", ["\x1b[31m'; DROP TABLE exchanges; --", "a\nb"])
def test_so_does_the_program(url: str, text: str) -> None:
    """A process of its own reads its arguments from the system, and writes to files."""
    result = run_program("show", "--", text, url=url)
    check(result)
    assert result.returncode == 1
